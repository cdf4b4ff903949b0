"""Finding what ELB wrote last, in few calls however many objects there are."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.account import Reading
from dt_logs_cfn.operate.status.seen import LogObjects
from dt_logs_handler.model import LoadBalancer
from dt_logs_handler.names import Stack

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ListObjectsV2RequestTypeDef

_MOST_PAGES = 10  # of a day's logs of one load balancer: 10,000 objects


def log_objects(through: Reading, found: LoadBalancer, marks: Stack, now: float) -> LogObjects:
    """Find the test file, and the newest log of a load balancer since yesterday.

    ELB names a log after its day, its load balancer and the end of its five minutes [ELB guide,
    load-balancer-access-logs.md], so that those of the last hour can be listed alone. Raises
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
    newest: float | None = None
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
        }
        if since:
            request["StartAfter"] = f"{prefix}{since:%Y%m%dT%H%MZ}"
        newest = _newest(through, request)
        if newest is not None:
            break
    return LogObjects(bool(file.get("Contents")), newest)


def _newest(through: Reading, request: ListObjectsV2RequestTypeDef) -> float | None:
    """Return when the newest object of a listing was written, in some pages at most."""
    newest: float | None = None
    for _ in range(_MOST_PAGES):
        page = through.s3.list_objects_v2(**request)
        for each in page.get("Contents", []):
            moment = each["LastModified"].timestamp()
            newest = moment if newest is None else max(newest, moment)
        token = page.get("NextContinuationToken")
        if not token:
            break
        request["ContinuationToken"] = token
    return newest
