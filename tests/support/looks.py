"""Read an emulated account: the vendor's access, load balancers' logging, and leftovers."""

from __future__ import annotations

import json
from typing import Any

from dt_logs_rehearsal.account import Account
from support.verdicts import can_read

VENDOR = "999988887777"
TEST_FILE = "ELBAccessLogTestFile"
LEFT = "dt-logs-analysis:left"  # the bucket tag that lists a Delete's leftovers


def logging_of(account: Account, arn: str) -> tuple[str, str, str]:
    """Return a load balancer's access-log attributes: enabled, bucket, prefix."""
    found = account.world.load_balancers[arn].attributes
    enabled, bucket, prefix = (
        found[f"access_logs.s3.{each}"] for each in ("enabled", "bucket", "prefix")
    )
    return enabled, bucket, prefix


def log_key(account: Account, arn: str, prefix: str) -> str:
    """Return the key of a load balancer's log object below a prefix."""
    name = arn.partition(":loadbalancer/")[2].replace("/", ".")
    owner, region = account.account_id, account.region
    return (
        f"{prefix + '/' if prefix else ''}AWSLogs/{owner}/elasticloadbalancing/{region}/2026/11/23/"
        f"{owner}_elasticloadbalancing_{region}_{name}_20261123T2340Z_192.0.2.1_x.log.gz"
    )


def reads(
    account: Account, arn: str, vendor: str = VENDOR, at: tuple[str, str] | None = None
) -> bool:
    """Return whether a vendor may read a load balancer's logs, where it logs or `at` a location."""
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
    """Return the Sids of the Allow statements that name a vendor, in every bucket."""
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
