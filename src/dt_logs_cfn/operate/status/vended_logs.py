"""Access logs that CloudWatch Logs delivers, beside or instead of the S3 attribute.

Since July 2026 a load balancer can be a delivery source of type ALB_ACCESS_LOGS. Such a load
balancer logs, although `access_logs.s3.enabled` may be false [ELB guide,
load-balancer-access-logs.md].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.status.account_reads import optional
from dt_logs_cfn.operate.status.seen import VendedLogs

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

ACCESS_LOGS = "ALB_ACCESS_LOGS"


def vended_logs(client: CloudWatchLogsClient) -> tuple[VendedLogs, ...] | Unread:
    """Return every delivery of access logs in the account and region, in order.

    A destination in another account is named by its delivery destination, because only its owner
    may read more. Needs logs:DescribeDeliverySources, DescribeDeliveries and
    DescribeDeliveryDestinations.
    """
    return optional(lambda: tuple(sorted(_read(client))), "logs", "CloudWatch Logs' deliveries")


def _read(client: CloudWatchLogsClient) -> set[VendedLogs]:
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
