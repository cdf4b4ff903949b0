"""Random accounts: load balancers, and customers' configurations of their log buckets.

Each kind of configuration has been seen in the field. A random account is plain data, so that it
can be set up identically twice. Kinds are also applied as changes while the stack exists.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from hypothesis import strategies as st
from support.drifts import (
    DELIVERY,
    add_statement,
    announce,
    announcements,
    document,
    edit_policy,
    encrypted_by_kms,
    owned_by_writers,
    statement,
)
from support.looks import forget_principal

from dt_logs_handler.names import Stack
from dt_logs_rehearsal.account import Account
from lifecycle.cloudformation import ENDPOINT, VENDOR

BUCKETS = ("team-logs", "central.logs")
PREFIXES = ("", "alb", "edge/alb", "ünï code+1")
READ = "s3:GetObject"
OWN, CLOSED = "123456789012", "555566667777"  # the customer's account, and one that was closed
CREATED = "s3:ObjectCreated:*"
Apply = Callable[[Account, str], object]


def _deny(action: str, principal: object = "*", **more: Any) -> Apply:
    return lambda account, bucket: add_statement(
        account, bucket, statement(bucket, "Deny", principal, action, **more)
    )


def _unless(action: str, test: str, value: object, **more: Any) -> Apply:
    """Return a function that denies an action on a condition: `test` is an operator and a key."""
    operator, key = test.split()
    return _deny(action, Condition={operator: {key: value}}, **more)


def _edited(change: Callable[[dict[str, Any]], object]) -> Apply:
    return partial(edit_policy, change=change)


def _gone(arn: str, shown: str) -> Apply:
    """Return a function that lets a principal read, and then deletes the principal.

    S3 then shows the principal as `shown`, and refuses policies that name the principal.
    """

    def apply(account: Account, bucket: str) -> None:
        resource = f"arn:aws:s3:::{bucket}/{arn[-4:]}/*"
        added = statement(bucket, "Allow", {"AWS": arn}, READ, Resource=resource)
        add_statement(account, bucket, added)
        forget_principal(account, arn, shown)

    return apply


def setting(**values: Any) -> Apply:
    """Return a function that changes a bucket's settings."""
    return lambda account, bucket: vars(account.world.buckets[bucket]).update(values)


def encrypted(algorithm: str) -> Apply:
    """Return a function that sets a bucket's default encryption."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}
    return setting(encryption=[rule])


def _notified(destination: str, prefix: str = "", suffix: str = "", event: str = CREATED) -> Apply:
    """Return a function that adds a notification, which S3 may refuse because of existing ones."""
    key = {"sqs": "Queue", "lambda": "LambdaFunction", "sns": "Topic"}[destination]

    def apply(account: Account, bucket: str) -> None:
        name = f"function:{bucket}" if destination == "lambda" else bucket.replace(".", "-")
        arn = f"arn:aws:{destination}:{account.region}:{account.account_id}:{name}"
        if destination != "sns":
            account.add_destination(arn)
        elif arn not in account.world.topics:
            account.add_topic(name, _admitting_s3(bucket))
        entry = {
            **_filtered(prefix, suffix),
            "Id": f"{destination}-{prefix}{suffix}",
            f"{key}Arn": arn,
            "Events": [event],
        }
        _add(account, bucket, f"{key}Configurations", entry)

    return apply


def _filtered(prefix: str, suffix: str = "") -> dict[str, Any]:
    rules = [{"Name": "prefix", "Value": prefix}, {"Name": "Suffix", "Value": suffix}]
    return {"Filter": {"Key": {"FilterRules": [each for each in rules if each["Value"]]}}}


def _admitting_s3(bucket: str) -> dict[str, Any]:
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:*:*:{bucket}"}}
    s3, more = {"Service": "s3.amazonaws.com"}, {"Resource": "*", "Condition": condition}
    return document(statement(bucket, "Allow", s3, "sns:Publish", **more))


def _add(account: Account, bucket: str, kind: str, *entries: dict[str, Any]) -> None:
    found = announcements(account, bucket)
    found[kind] = [*found.get(kind, []), *entries]
    account.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=found)  # type: ignore[arg-type]  # as S3 shows it


def many(count: int) -> Apply:
    """Return a function that adds `count` notifications of removed objects, one per prefix."""

    def apply(account: Account, bucket: str) -> None:
        queue = f"arn:aws:sqs:{account.region}:{account.account_id}:many"
        account.add_destination(queue)
        entry = {"QueueArn": queue, "Events": ["s3:ObjectRemoved:*"]}
        entries = ({**entry, **_filtered(f"{n}/"), "Id": f"many-{n}"} for n in range(count))
        _add(account, bucket, "QueueConfigurations", *entries)

    return apply


def _event_bridge(account: Account, bucket: str) -> None:
    announce(account, bucket, {**announcements(account, bucket), "EventBridgeConfiguration": {}})


def _dead_destination(account: Account, bucket: str) -> None:
    """Add a notification of removed objects, and then delete its queue."""
    _notified("sqs", "dead/", "", "s3:ObjectRemoved:Delete")(account, bucket)
    name = bucket.replace(".", "-")
    account.world.destinations.remove(f"arn:aws:sqs:{account.region}:{account.account_id}:{name}")


def _topic_of_our_name(account: Account, bucket: str) -> None:
    """Add a topic with our topic's name; if there is one, let S3 publish to it."""
    here = account.partition, account.region, account.account_id
    arn = Stack("", *here).topic_arn(bucket)
    policy = _admitting_s3(bucket) if arn in account.world.topics else None
    account.add_topic(arn.rpartition(":")[2], policy)


def _subscribed(account: Account, bucket: str) -> None:
    """Announce all objects to a topic, and subscribe the endpoint to it without a filter."""
    _notified("sns")(account, bucket)
    for arn in list(account.world.topics):
        if "dt-logs" not in arn:
            account.sns.subscribe(TopicArn=arn, Protocol="https", Endpoint=ENDPOINT)
    account.confirm(ENDPOINT)


def _old_rule(account: Account, bucket: str) -> None:
    """Set a lifecycle rule with S3's deprecated `Prefix`, as old tools do."""
    rule: Any = {"ID": "old", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 3}}
    account.s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [rule]}
    )


KINDS: dict[str, Apply] = {
    "SSE-KMS": encrypted_by_kms,
    "DSSE": encrypted("aws:kms:dsse"),
    "ObjectWriter": owned_by_writers,
    "BucketOwnerPreferred": setting(ownership="BucketOwnerPreferred"),
    "Requester Pays": setting(payer="Requester"),
    "versioned": setting(versioning="Enabled"),
    "tagged": setting(tags={"team": "edge", "aws:cloudformation:stack-name": "logs"}),
    "old lifecycle": _old_rule,
    "perimeter": _unless(READ, "StringNotEquals aws:PrincipalAccount", OWN),
    "organisation only": _unless(
        "s3:*", "StringNotEquals aws:PrincipalOrgID", "o-1", principal={"AWS": "*"}, Sid="Org"
    ),
    "users only": _unless(READ, "StringNotLike aws:userId", ["AROAX:*"]),
    "services excepted": _deny(
        "s3:*Object",
        Condition={
            "BoolIfExists": {"aws:ViaAWSService": "false", "aws:PrincipalIsAWSService": "false"},
            "StringNotEqualsIfExists": {"aws:PrincipalAccount": OWN},
        },
    ),
    "network": _unless(READ, "StringNotEqualsIfExists aws:SourceVpcArn", "arn:aws:ec2:*:*:vpc/v"),
    "address": _unless(READ, "NotIpAddress aws:SourceIp", "192.0.2.0/24"),
    "roles excepted": _unless(READ, "ArnNotLike aws:PrincipalArn", f"arn:aws:iam::{VENDOR}:role/*"),
    "no delivery": _deny("s3:PutObject", {"Service": DELIVERY}, Sid="NoDelivery"),
    "TLS only": _unless("s3:*", "Bool aws:SecureTransport", False, Sid=""),
    "write once": _deny("s3:DeleteObjectTagging"),
    "half a character": _edited(lambda e: e.update(Id="cut \ud83d")),
    "2008": _edited(lambda e: e.update(Version="2008-10-17", Id="old")),
    "long": _edited(lambda e: e.update(Id="x" * (20_100 - len(json.dumps(e))))),
    "deleted role": _gone(f"arn:aws:iam::{OWN}:role/gone", "AROA" + "A" * 16),
    "closed account": _gone(f"arn:aws:iam::{CLOSED}:root", f"arn:aws:iam::{CLOSED}:root"),
    "queue for all": _notified("sqs"),
    "function for files": _notified("lambda", "", ".gz", "s3:ObjectCreated:Put"),
    "queue for a part": _notified("sqs", "AWSLogs/"),
    "queue for others": _notified("sqs", "audit/"),
    "topic for all": _notified("sns"),
    "topic for a part": _notified("sns", "edge/", ".log.gz"),
    "99 notifications": many(99),
    "100 notifications": many(100),
    "EventBridge": _event_bridge,
    "dead destination": _dead_destination,
    "topic of our name": _topic_of_our_name,
    "subscribed already": _subscribed,
}
# With these kinds, only AWS can tell whether the vendor may still read.
UNSURE = {"Requester Pays", "users only", "address", "roles excepted"}
# Actions that an organisation may deny to the function.
FORBIDDEN = (
    "s3:PutBucketPolicy",
    "s3:GetBucketPolicy",
    "s3:GetEncryptionConfiguration",
    "s3:PutBucketNotification",
    "s3:CreateBucket",
    "sns:CreateTopic",
    "elasticloadbalancing:ModifyLoadBalancerAttributes",
)


@dataclass(frozen=True)
class Drawn:
    """A customer's account, and the values given to its stack.

    `kinds` and `later` are pairs of a kind and a bucket, applied before and after the Create.
    `balancers` holds the load balancers' log settings. `forbidden` is an action, or empty.
    """

    kinds: tuple[tuple[str, str], ...]
    balancers: tuple[dict[str, Any], ...]
    given: dict[str, Any]
    forbidden: str
    later: tuple[tuple[str, str], ...]


def taken(kind: str, account: Account, bucket: str) -> bool:
    """Apply a kind as the customer; return False if AWS refuses it because of existing settings."""
    try:
        KINDS[kind](account, bucket)
    except ClientError as error:
        assert error.response["Error"]["Code"] in _REFUSED, error
        return False
    return True


_REFUSED = ("InvalidArgument", "MalformedPolicy", "PolicyTooLarge")
# Applied after the Create, these kinds would change the stack's settings, or conflict with them.
_FIRST = ("long", "subscribed already", "topic for all", "topic for a part", "topic of our name")
_at_buckets = st.tuples(st.sampled_from([*KINDS]), st.sampled_from(BUCKETS))
_later = _at_buckets.filter(lambda each: each[0] not in _FIRST)


def accounts(kind: str) -> st.SearchStrategy[Drawn]:
    """Draw accounts in which a load balancer's bucket has a configuration of this kind."""
    where = {"prefix": st.sampled_from(PREFIXES), "enabled": st.booleans()}
    there = st.fixed_dictionaries({"bucket": st.just(BUCKETS[0]), **where})
    some = st.fixed_dictionaries({"bucket": st.sampled_from(("", *BUCKETS)), **where})
    return st.builds(
        Drawn,
        st.lists(_at_buckets, max_size=3).map(lambda others: ((kind, BUCKETS[0]), *others)),
        st.tuples(there, some) | st.tuples(there) | st.tuples(some, there, there),
        st.fixed_dictionaries(
            {
                "every": st.booleans(),
                "Privileges": st.sampled_from(("least-privilege", "documented")),
                "VendorReadScope": st.sampled_from(("LoadBalancer", "Location")),
                "LogBucketName": st.sampled_from(("", "", BUCKETS[0], "named-later")),
            }
        ),
        st.sampled_from((*[""] * 14, *FORBIDDEN)),
        st.lists(_later, max_size=2).map(tuple),
    )
