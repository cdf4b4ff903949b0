"""When a stack's schedule has refreshed it, by the metric that the function's log lines are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_cfn.operate.status.account_reads import optional
from dt_logs_handler.names import NAME

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

METRIC, DIMENSION = "FailedRefreshes", "Stack"  # as the handler logs them
PARAMETER = "RefreshSchedule"
BACK = timedelta(days=14)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Refreshes:
    """In which hours of the last two weeks refreshes came, and in which one failed."""

    hours: tuple[datetime, ...] = ()
    failed: tuple[datetime, ...] = ()

    @property
    def last(self) -> datetime | None:
        return max(self.hours, default=None)

    @property
    def since(self) -> datetime | None:
        """Since when none has failed."""
        after = max(self.failed, default=datetime.min.replace(tzinfo=timezone.utc))
        return min((each for each in self.hours if each > after), default=None)


def interval(stack: StackDescription) -> timedelta | None:
    """Return how often a stack's schedule refreshes it; None without a schedule."""
    rate = re.fullmatch(r"rate\((\d+) (hour|day)s?\)", stack.parameters.get(PARAMETER, ""))
    return timedelta(**{f"{rate[2]}s": int(rate[1])}) if rate else None


def refreshes(
    client: CloudWatchClient, stack: StackDescription, now: float
) -> Refreshes | Unread | None:
    """Read a stack's refreshes. Needs cloudwatch:GetMetricData; None without a schedule."""
    if interval(stack) is None:
        return None
    return optional(lambda: _read(client, stack.id, now), "cloudwatch", "CloudWatch's metrics")


def _read(client: CloudWatchClient, stack: str, now: float) -> Refreshes:
    end = datetime.fromtimestamp(now, timezone.utc)
    start = end.replace(minute=0, second=0, microsecond=0) - BACK
    found: dict[str, list[datetime]] = {"count": [], "failed": []}
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[
            _query("count", "SampleCount", stack),
            _query("failed", "Sum", stack),
        ],
        StartTime=start,
        EndTime=end,
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            counted = zip(result.get("Timestamps", []), result.get("Values", []), strict=True)
            found[result.get("Id", "")].extend(time for time, value in counted if value)
    return Refreshes(tuple(found["count"]), tuple(found["failed"]))


def _query(identifier: str, statistic: str, stack: str) -> MetricDataQueryTypeDef:
    return {
        "Id": identifier,
        "MetricStat": {
            "Metric": {
                "Namespace": NAME,
                "MetricName": METRIC,
                "Dimensions": [{"Name": DIMENSION, "Value": stack}],
            },
            "Period": int(_HOUR.total_seconds()),
            "Stat": statistic,
        },
    }
