"""Read an emulated account's access, logging, deliveries and leftovers; delete a principal."""

from __future__ import annotations

import json
from typing import Any

from dt_logs_rehearsal.account import Account, Decision
from dt_logs_rehearsal.account.iam.access import bucket_says, request
from dt_logs_rehearsal.account.s3.objects import readable

VENDOR = "999988887777"
TEST_FILE = "ELBAccessLogTestFile"
LEFT = "dt-logs-analysis:left"  # the bucket tag that lists a Delete's leftovers


def logging_of(account: Account, arn: str) -> tuple[str, str, str]:
    """Return a load balancer's access-log attributes: enabled, bucket, prefix."""
    found = account.world.load_balancers[arn].attributes
    return tuple(found[f"access_logs.s3.{each}"] for each in ("enabled", "bucket", "prefix"))


def log_key(account: Account, arn: str, prefix: str) -> str:
    """Return the key of a load balancer's log file below a prefix."""
    name = arn.partition(":loadbalancer/")[2].replace("/", ".")
    owner, region = account.account_id, account.region
    return (
        f"{prefix + '/' if prefix else ''}AWSLogs/{owner}/elasticloadbalancing/{region}/2026/11/23/"
        f"{owner}_elasticloadbalancing_{region}_{name}_20261123T2340Z_192.0.2.1_x.log.gz"
    )


def reads(
    account: Account, arn: str, vendor: str = VENDOR, at: tuple[str, str] | None = None
) -> bool:
    """Return whether a vendor may read an ALB's logs, by default where the ALB logs now."""
    bucket, prefix = at or logging_of(account, arn)[1:]
    if bucket not in account.world.buckets:
        return False
    return can_read(account, vendor, bucket, log_key(account, arn, prefix))


def statements(account: Account, bucket: str) -> list[dict[str, Any]]:
    """Return the statements of a bucket's policy, or an empty list if either does not exist."""
    found = account.world.buckets.get(bucket)
    if found is None or found.policy.latest is None:
        return []
    document: dict[str, list[dict[str, Any]]] = json.loads(found.policy.latest)
    return document["Statement"]


def granted(account: Account, vendor: str = VENDOR) -> list[str]:
    """Return the Sids of the Allow statements that name a vendor, in all buckets' policies."""
    return [
        str(each.get("Sid"))
        for bucket in account.world.buckets
        for each in statements(account, bucket)
        if each["Effect"] == "Allow" and vendor in json.dumps(each.get("Principal"))
    ]


def told_by_tag(account: Account) -> dict[str, str]:
    """Return a Delete's leftovers by bucket, as the buckets' tags list them."""
    buckets = account.world.buckets.values()
    return {each.name: each.tags[LEFT] for each in buckets if LEFT in each.tags}


def can_read(on: Account, account: str, bucket: str, key: str) -> bool:
    """Return whether an account may get an object; the bucket's owner owns a missing object."""
    found = on.world.buckets[bucket]
    allowed = _allowed(on, account, bucket, "s3:GetObject", f"/{key}")
    return allowed and readable(found, found.current(key), account)


def can_write(on: Account, account: str, bucket: str, key: str) -> bool:
    """Return whether an account may put an object."""
    return _allowed(on, account, bucket, "s3:PutObject", f"/{key}")


def can_list(on: Account, account: str, bucket: str) -> bool:
    """Return whether an account may list all keys."""
    return _allowed(on, account, bucket, "s3:ListBucket", "", {"s3:prefix": ""})


def _allowed(
    on: Account, account: str, name: str, action: str, path: str, context: Any = None
) -> bool:
    bucket, caller = on.world.buckets[name], on.world.root(account)
    arn = f"arn:{on.partition}:s3:::{name}{path}"
    asked = request(on.world, caller, action, arn, context or {}, bucket.owner)
    decision = bucket_says(on.world, bucket, bucket.policy.latest, asked)
    own = account == bucket.owner and decision is not Decision.DENY
    return own or decision is Decision.ALLOW


def delivered(on: Account, endpoint: str) -> list[dict[str, Any]]:
    """Return the messages to an endpoint, without SNS's envelopes and confirmation requests."""
    return [
        json.loads(each["Message"]) if each.get("Type") == "Notification" else each
        for each in on.world.deliveries[endpoint]
        if each.get("Type") != "SubscriptionConfirmation"
    ]


def forget_principal(on: Account, arn: str, unique_id: str) -> None:
    """Delete a role or user; from now on, bucket policies show its unique ID.

    S3 then refuses a policy that contains that ID or the ARN.
    """
    on.world.unknown_principals.add(arn)
    for bucket in on.world.buckets.values():
        if bucket.policy.latest is not None:
            text = bucket.policy.latest.replace(json.dumps(arn), json.dumps(unique_id))
            on.world.change(bucket.policy, text)
