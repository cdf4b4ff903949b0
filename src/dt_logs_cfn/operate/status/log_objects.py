"""Find what ELB wrote last, in few calls for any number of objects."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.account import Reading
from dt_logs_cfn.operate.status.seen import LogObjects
from dt_logs_handler.model import LoadBalancer
from dt_logs_handler.names import Location, Stack

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2RequestTypeDef

# How the files of other logs begin; those of access logs begin with the account.
_OTHERS = {"connection": "conn_log", "health check": "health_check_log"}
_MOST_PAGES = 10  # of a day's logs of one load balancer: 10,000 objects


def log_objects(through: Reading, found: LoadBalancer, marks: Stack, now: float) -> LogObjects:
    """Find the test file, and the newest log of a load balancer since yesterday.

    ELB names a log after its day, its load balancer and the end of its five minutes [ELB guide,
    load-balancer-access-logs.md], so those of the last hour can be listed separately. Raises
    botocore's errors.
    """
    location = found.logging.location
    file = through.s3.list_objects_v2(
        Bucket=location.bucket,
        Prefix=location.test_file(marks),
        MaxKeys=1,
        ExpectedBucketOwner=marks.account,
    )
    today = datetime.fromtimestamp(now, timezone.utc)
    balancer = found.name.replace("/", ".")
    name = f"{marks.account}_elasticloadbalancing_{marks.region}_{balancer}_"
    newest = None
    for day, since in (
        (today, today - timedelta(hours=1)),
        (today, None),
        (today - timedelta(days=1), None),
    ):
        prefix = f"{location.log_prefix(marks)}{day:%Y/%m/%d}/{name}"
        request: ListObjectsV2RequestTypeDef = {
            "Bucket": location.bucket,
            "Prefix": prefix,
            "ExpectedBucketOwner": marks.account,
            "FetchOwner": True,
        }
        if since:
            request["StartAfter"] = f"{prefix}{since:%Y%m%dT%H%MZ}"
        newest = _newest(through, request)
        if newest is not None:
            break
    return LogObjects(bool(file.get("Contents")), *(newest or (None, "")))


def other_logs(through: Reading, location: Location, marks: Stack, now: float) -> tuple[str, ...]:
    """Return which logs other than access logs were written to a location since yesterday.

    They land in the same folders if a load balancer has the same bucket and prefix for them [ELB
    guide, load-balancer-connection-logs.md, load-balancer-health-check-logs.md]. Raises botocore's
    errors.
    """
    today = datetime.fromtimestamp(now, timezone.utc)

    def written(name: str) -> bool:
        days = today, today - timedelta(days=1)
        return any(
            through.s3.list_objects_v2(
                Bucket=location.bucket,
                Prefix=f"{location.log_prefix(marks)}{day:%Y/%m/%d}/{name}",
                MaxKeys=1,
                ExpectedBucketOwner=marks.account,
            ).get("Contents")
            for day in days
        )

    return tuple(kind for kind, name in _OTHERS.items() if written(name))


def _newest(through: Reading, request: ListObjectsV2RequestTypeDef) -> tuple[float, str] | None:
    """Return when a listing's newest object was written, and its owner; reads few pages."""
    newest: tuple[float, str] | None = None
    for _ in range(_MOST_PAGES):
        page = through.s3.list_objects_v2(**request)
        for each in page.get("Contents", []):
            found = each["LastModified"].timestamp(), each.get("Owner", {}).get("ID", "")
            newest = found if newest is None else max(newest, found)
        token = page.get("NextContinuationToken")
        if not token:
            break
        request["ContinuationToken"] = token
    return newest
