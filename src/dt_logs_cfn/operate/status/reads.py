"""Read data that the handler does not read, in few calls.

A function that cannot return `Unread` raises botocore's errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.operate.account import Reading, Unread, optional
from dt_logs_cfn.operate.stacks.stack import GONE
from dt_logs_handler.aws import code, pages
from dt_logs_handler.model import Bucket, LoadBalancer
from dt_logs_handler.names import Location, Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef
    from mypy_boto3_s3control import S3ControlClient

ACCESS_LOGS = "ALB_ACCESS_LOGS"
# Prefixes of the names of other logs; names of access logs begin with the account ID.
_OTHERS = {"connection": "conn_log", "health check": "health_check_log"}
_TOKENS = "ContinuationToken", "NextContinuationToken"  # in a request and in its response
_MOST_PAGES = 10  # most pages to read of a load balancer's logs from one day: 10,000 files


@dataclass(frozen=True)
class LogObjects:
    """Files that ELB wrote: the test file, and the load balancer's newest log since yesterday."""

    test_file: bool
    newest: float | None  # seconds since 1970
    owner: str = ""  # the newest log's owner: a canonical user ID


@dataclass(frozen=True, order=True)
class VendedLogs:
    """A delivery of a load balancer's access logs by CloudWatch Logs."""

    load_balancer: str  # its ARN
    destination: str  # the ARN of a bucket, log group, stream or delivery destination


def stack_names(client: CloudFormationClient, through: Reading) -> dict[str, str] | Unread:
    """Return the names of the stacks that exist in the account and region, by tag."""

    def read() -> dict[str, str]:
        return {
            Stack.of(each["StackId"]).tag: each["StackName"]
            for page in pages(through, client.list_stacks, "NextToken")
            for each in page["StackSummaries"]
            if each["StackStatus"] != GONE
        }

    return optional(read, "cloudformation", "The names of the stacks")


def load_balancers(elbv2: ElasticLoadBalancingv2Client) -> dict[str, bool]:
    """Return the region's application load balancers, and whether each is on an Outpost."""
    return {
        each["LoadBalancerArn"]: any("OutpostId" in e for e in each.get("AvailabilityZones", ()))
        for page in elbv2.get_paginator("describe_load_balancers").paginate()
        for each in page["LoadBalancers"]
        if each.get("Type") == "application"
    }


def on_outposts(listing: Callable[[], Mapping[str, bool]]) -> frozenset[str] | Unread:
    """Return the load balancers on an Outpost; `listing` returns the result of `load_balancers`."""
    return optional(
        lambda: frozenset(arn for arn, outpost in listing().items() if outpost),
        "elasticloadbalancing",
        "The load balancers",
    )


def requester_pays(through: Reading, bucket: str, account: str) -> bool:
    """Return whether the readers of a bucket's objects pay for requests."""
    answer = through.s3.get_bucket_request_payment(Bucket=bucket, ExpectedBucketOwner=account)
    return answer["Payer"] == "Requester"


def is_public(through: Reading, bucket: Bucket, account: str) -> bool:
    """Return whether S3 considers a bucket's policy public."""
    if bucket.public:
        return True
    if bucket.policy is None or bucket.public_access_block.get("RestrictPublicBuckets"):
        return False  # no policy, or the handler has read that the policy is not public
    answer = through.s3.get_bucket_policy_status(Bucket=bucket.name, ExpectedBucketOwner=account)
    return answer["PolicyStatus"]["IsPublic"]


def account_block(client: S3ControlClient, account: str) -> dict[str, bool] | Unread:
    """Return the account's own public access block."""

    def read() -> dict[str, bool]:
        try:
            answer = client.get_public_access_block(AccountId=account)
        except ClientError as error:
            if code(error) == "NoSuchPublicAccessBlockConfiguration":
                return {}
            raise
        block = answer["PublicAccessBlockConfiguration"]
        return {key: bool(value) for key, value in block.items()}

    what = "The account's public access block"
    return optional(read, "s3", what, "GetAccountPublicAccessBlock")


def vended_logs(client: CloudWatchLogsClient) -> tuple[VendedLogs, ...] | Unread:
    """Return every delivery of access logs by CloudWatch Logs in the account and region, sorted.

    Since July 2026 a load balancer can be a delivery source of type ALB_ACCESS_LOGS. Such a load
    balancer logs even if `access_logs.s3.enabled` is false [ELB guide,
    load-balancer-access-logs.md]. For a destination in another account, returns the delivery
    destination, because only that account may read more. Needs logs:DescribeDeliverySources,
    DescribeDeliveries and DescribeDeliveryDestinations.
    """
    return optional(lambda: tuple(sorted(_vended(client))), "logs", "CloudWatch Logs' deliveries")


def _vended(client: CloudWatchLogsClient) -> set[VendedLogs]:
    sources = {
        each["name"]: each.get("resourceArns", [])
        for page in client.get_paginator("describe_delivery_sources").paginate()
        for each in page.get("deliverySources", [])
        if each.get("logType") == ACCESS_LOGS and "name" in each
    }
    if not sources:
        return set()
    destinations = {
        each["arn"]: each.get("deliveryDestinationConfiguration", {}).get(
            "destinationResourceArn", each["arn"]
        )
        for page in client.get_paginator("describe_delivery_destinations").paginate()
        for each in page.get("deliveryDestinations", [])
        if "arn" in each
    }
    return {
        VendedLogs(arn, destinations.get(target, target))
        for page in client.get_paginator("describe_deliveries").paginate()
        for each in page.get("deliveries", [])
        if (target := each.get("deliveryDestinationArn"))
        for arn in sources.get(each.get("deliverySourceName", ""), [])
    }


def log_objects(through: Reading, found: LoadBalancer, here: Stack, now: float) -> LogObjects:
    """Find the test file, and the newest log of a load balancer since yesterday.

    A log's key contains its date, its load balancer and the end of its five-minute interval [ELB
    guide, load-balancer-access-logs.md]. So this lists the logs of the last hour first.
    Raises botocore's errors.
    """
    location = found.logging.location
    listing = _listing(through, location, here)
    file = bool(listing(Prefix=location.test_file(here), MaxKeys=1).get("Contents"))
    name = f"{here.account}_elasticloadbalancing_{here.region}_{found.name.replace('/', '.')}_"
    today, yesterday = _days(now)
    last_hour = f"{today - timedelta(hours=1):%Y%m%dT%H%MZ}"
    for day, since in (today, last_hour), (today, ""), (yesterday, ""):
        prefix = f"{location.log_prefix(here)}{day:%Y/%m/%d}/{name}"
        logs = partial(listing, Prefix=prefix, StartAfter=f"{prefix}{since}", FetchOwner=True)
        listed = islice(pages(through, logs, *_TOKENS), _MOST_PAGES)
        contents = (each for page in listed for each in page.get("Contents", ()))
        newest = max(
            ((e["LastModified"].timestamp(), e.get("Owner", {}).get("ID", "")) for e in contents),
            default=None,
        )
        if newest:
            return LogObjects(file, *newest)
    return LogObjects(file, None)


def other_logs(through: Reading, location: Location, here: Stack, now: float) -> tuple[str, ...]:
    """Return the kinds of other logs that were written to a location since yesterday.

    Such logs are in the access logs' folders if a load balancer uses the same bucket and prefix for
    all of its logs [ELB guide, load-balancer-connection-logs.md,
    load-balancer-health-check-logs.md]. Raises botocore's errors.
    """
    listing = _listing(through, location, here)
    folders = [f"{location.log_prefix(here)}{day:%Y/%m/%d}/" for day in _days(now)]
    return tuple(
        kind
        for kind, name in _OTHERS.items()
        if any(listing(Prefix=f"{each}{name}", MaxKeys=1).get("Contents") for each in folders)
    )


def _days(now: float) -> tuple[datetime, datetime]:
    """Return the present time in UTC, and the same time yesterday."""
    today = datetime.fromtimestamp(now, timezone.utc)
    return today, today - timedelta(days=1)


def _listing(
    through: Reading, location: Location, here: Stack
) -> Callable[..., ListObjectsV2OutputTypeDef]:
    """Return a function that lists a location's bucket; the account must own the bucket."""
    return partial(
        through.s3.list_objects_v2, Bucket=location.bucket, ExpectedBucketOwner=here.account
    )
