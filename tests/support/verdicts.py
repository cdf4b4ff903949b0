"""Query an emulated account: who may read, write and list, and which messages were delivered."""

import json
from typing import Any

from dt_logs_rehearsal.account import Account, Decision
from dt_logs_rehearsal.account.iam.access import bucket_says, request
from dt_logs_rehearsal.account.s3.objects import readable


def can_read(on: Account, account: str, bucket: str, key: str) -> bool:
    """Return whether an account may get an object; a missing one counts as the bucket owner's."""
    found = on.world.buckets[bucket]
    allowed = _allowed(on, account, bucket, "s3:GetObject", key)
    return allowed and readable(found, found.current(key), account)


def can_write(on: Account, account: str, bucket: str, key: str) -> bool:
    """Return whether an account may put an object."""
    return _allowed(on, account, bucket, "s3:PutObject", key)


def can_list(on: Account, account: str, bucket: str, prefix: str = "") -> bool:
    """Return whether an account may list the keys below a prefix."""
    return _allowed(on, account, bucket, "s3:ListBucket", "", {"s3:prefix": prefix})


def _allowed(
    on: Account,
    account: str,
    name: str,
    action: str,
    key: str,
    context: dict[str, str] | None = None,
) -> bool:
    bucket = on.world.buckets[name]
    arn = f"arn:{on.partition}:s3:::{name}" + (f"/{key}" if key else "")
    asked = request(on.world, on.world.root(account), action, arn, context or {}, bucket.owner)
    decision = bucket_says(on.world, bucket, bucket.policy.latest, asked)
    own = account == bucket.owner and decision is not Decision.DENY
    return own or decision is Decision.ALLOW


def delivered(on: Account, endpoint: str) -> list[dict[str, Any]]:
    """Return the messages to an endpoint, queue or function, without SNS's envelopes."""
    return [
        json.loads(each["Message"]) if each.get("Type") == "Notification" else each
        for each in on.world.deliveries[endpoint]
        if each.get("Type") != "SubscriptionConfirmation"
    ]


def forget_principal(on: Account, arn: str, unique_id: str) -> None:
    """Delete a role or user; from now on, bucket policies show its unique ID.

    From then on, S3 refuses a policy that contains that ID or the ARN.
    """
    on.world.unknown_principals.add(arn)
    for bucket in on.world.buckets.values():
        if bucket.policy.latest is not None:
            text = bucket.policy.latest.replace(json.dumps(arn), json.dumps(unique_id))
            on.world.change(bucket.policy, text)
