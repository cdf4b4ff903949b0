"""Customers' changes to things that a stack uses, and actions that they deny the stack.

Each `prepare` returns three load balancers. A stack onboards the first two, `WEB` and `SHOP`. `WEB`
uses the customer's bucket, which the change affects. `SHOP` does not log, and gets a bucket from
the stack. A test can add the third, `API`, later; `API` also names the customer's bucket.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket

WEB, SHOP, API = range(3)
TOPICS = "dt-logs-analysis-"  # the beginning of our topics' names
DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com"
Change = Callable[[Account], None]


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy with these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


EVERYTHING = document({"Effect": "Allow", "Action": "*", "Resource": "*"})


def statement(bucket: str, effect: str, who: object, action: str, **more: Any) -> dict[str, Any]:
    """Return a statement about a bucket's objects; `more` has its other elements."""
    found = {"Effect": effect, "Principal": who, "Action": action}
    return {**found, "Resource": f"arn:aws:s3:::{bucket}/*", **more}


def log_bucket(account: Account, name: str, *statements: Mapping[str, Any]) -> None:
    """Add a customer's bucket to which load balancers may log."""
    delivery = statement(name, "Allow", {"Service": DELIVERY}, "s3:PutObject", Sid="delivery")
    account.add_bucket(name, policy=document(delivery, *statements))


def denies(*actions: str, resource: str = "*") -> dict[str, Any]:
    """Return a service control policy that denies actions."""
    denied = {"Sid": "Scp", "Effect": "Deny", "Action": list(actions), "Resource": resource}
    return document(denied)


def write_once(bucket: str, action: str = "s3:DeleteObject") -> dict[str, Any]:
    """Return a statement that denies everybody an action, by default deleting objects."""
    return statement(bucket, "Deny", "*", action, Sid="WriteOnce")


def adopted(account: Account, enabled: bool = True, third: str = "alb") -> list[str]:
    """Add the customer's bucket and three load balancers; the first and last name that bucket."""
    customers_bucket(account)
    return [
        account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb", enabled=enabled),
        account.add_load_balancer("shop"),
        account.add_load_balancer("api", bucket=CUSTOMERS, prefix=third, enabled=enabled),
    ]


def switched_off(account: Account) -> list[str]:
    """Add the customer's bucket and three load balancers that do not log; two name that bucket."""
    return adopted(account, enabled=False, third="")


def edit_policy(account: Account, bucket: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a bucket's policy document, as the bucket's owner."""
    policy = json.loads(account.s3.get_bucket_policy(Bucket=bucket)["Policy"])
    change(policy)
    account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def add_statement(account: Account, bucket: str, added: Mapping[str, Any]) -> None:
    """Add a statement to a bucket's policy, as the bucket's owner."""
    edit_policy(account, bucket, lambda policy: policy["Statement"].append(dict(added)))


def remove_statement(account: Account, bucket: str, sid: str) -> None:
    """Remove a statement from a bucket's policy, as the bucket's owner."""

    def change(policy: dict[str, Any]) -> None:
        policy["Statement"] = [each for each in policy["Statement"] if each.get("Sid") != sid]

    edit_policy(account, bucket, change)


def announcements(account: Account, bucket: str) -> dict[str, Any]:
    """Return a bucket's notifications as S3 shows them."""
    found = account.s3.get_bucket_notification_configuration(Bucket=bucket)
    return {key: value for key, value in found.items() if key != "ResponseMetadata"}


def announce(account: Account, bucket: str, notifications: dict[str, Any]) -> None:
    """Replace a bucket's notifications, without validation of their destinations."""
    account.s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration=notifications,  # type: ignore[arg-type]  # as S3 shows it
        SkipDestinationValidation=True,
    )


def set_logging(account: Account, arn: str, **values: str) -> None:
    """Set a load balancer's access-log attributes, as the customer."""
    attributes: Any = [{"Key": f"access_logs.s3.{key}", "Value": values[key]} for key in values]
    account.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)


def encrypted_by_kms(account: Account, bucket: str = CUSTOMERS) -> None:
    """Make a bucket encrypt new objects with a KMS key, which ELB cannot use."""
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    account.s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )


def owned_by_writers(account: Account, bucket: str = CUSTOMERS) -> None:
    """Make a bucket's objects belong to their writer, ELB, instead of the customer."""
    account.s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )


def announced_elsewhere(account: Account, identifier: str = "audit") -> None:
    """Replace all notifications, including ours, with one that covers the whole bucket."""
    (audit,) = announcements(account, CUSTOMERS)["QueueConfigurations"]
    entry = {"Id": identifier, "QueueArn": audit["QueueArn"], "Events": ["s3:ObjectCreated:*"]}
    announce(account, CUSTOMERS, {"QueueConfigurations": [entry]})


def topic_demands_tls(account: Account) -> None:
    """Require TLS of publishers in the policy of our topic for the customer's bucket."""
    plain = {"Sid": "TlsOnly", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    for topic in account.world.topics.values():
        if TOPICS in topic.arn and topic.arn.endswith(CUSTOMERS):
            policy = json.loads(topic.policy.latest)
            denied = statement("", "Deny", "*", "sns:Publish", Resource=topic.arn, **plain)
            policy["Statement"].append(denied)
            topic.attributes["Policy"] = json.dumps(policy)
            account.world.change(topic.policy, topic.attributes["Policy"])


def bucket_deleted(account: Account) -> None:
    """Delete the customer's bucket with everything in it, although load balancers log there."""
    del account.world.buckets[CUSTOMERS]


@dataclass(frozen=True)
class Drift:
    """A change that makes the customer's bucket unusable after a stack has begun to use it.

    `reads` is true if the vendor may still read objects there. `adds` is true if the load balancer
    that is added later can still be onboarded.
    """

    name: str
    prepare: Callable[[Account], list[str]]
    happen: Change
    reads: bool = True
    adds: bool = False

    def __str__(self) -> str:
        return self.name


def two_at_once(account: Account) -> None:
    """Make two changes to the customer's bucket."""
    owned_by_writers(account)
    announced_elsewhere(account)


# _PERIMETER keeps other accounts, including the vendor's, from reading. _NO_DELIVERY keeps ELB from
# writing.
_OUTSIDE = {"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}
_PERIMETER = statement(CUSTOMERS, "Deny", "*", "s3:GetObject", Condition=_OUTSIDE)
_NO_DELIVERY = statement(CUSTOMERS, "Deny", {"Service": DELIVERY}, "s3:PutObject")
_CHANGES: dict[str, Change] = {
    "KMS": encrypted_by_kms,
    "ObjectWriter": owned_by_writers,
    "vendor denied": partial(add_statement, bucket=CUSTOMERS, added=_PERIMETER),
    "overlap": announced_elsewhere,
    "statement on our topic": topic_demands_tls,
    "bucket gone": bucket_deleted,
}
DRIFTS = (
    *(
        Drift(
            name + (", turned on" if turned_on else ""),
            switched_off if turned_on else adopted,
            change,
            reads=name not in ("vendor denied", "bucket gone"),
            adds=turned_on and name == "bucket gone",
        )
        for name, change in _CHANGES.items()
        for turned_on in (False, True)
    ),
    Drift(
        "ELB denied, turned on",
        switched_off,
        partial(add_statement, bucket=CUSTOMERS, added=_NO_DELIVERY),
    ),
    Drift("two at once", adopted, two_at_once),
)
