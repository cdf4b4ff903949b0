"""Read CloudWatch's metrics about SNS deliveries and the function's refreshes.

Both kinds of metrics need cloudwatch:GetMetricData.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TypeVar

from dt_logs_cfn.operate.account import Unread, optional
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_handler.names import NAME

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef, MetricStatTypeDef

K = TypeVar("K")
_METRIC, _DIMENSION = "FailedRefreshes", "Stack"  # the names that the handler logs
_BACK = timedelta(days=14)
_HOUR = timedelta(hours=1)
_PERIOD = timedelta(minutes=5)  # the time that each count of deliveries covers
_QUERIES = 500  # the most queries in a call [CloudWatch API, GetMetricData]
_Points = Sequence[tuple[datetime, float]]  # points with a value of zero are left out


@dataclass(frozen=True)
class Announced:
    """SNS's counts for all subscriptions of one topic in the last day.

    For https endpoints, `failed` counts attempts, including those that SNS repeats. For queues,
    `failed` counts lost messages [SNS guide, sns-monitoring-using-cloudwatch.md].
    """

    delivered: int
    failed: int
    gap: Window | None  # when S3 stored the logs that SNS failed to announce


@dataclass(frozen=True)
class Refreshes:
    """A stack's scheduled refreshes in the last two weeks."""

    every: timedelta  # the schedule's interval
    last: datetime | None  # the hour of the last refresh
    since: datetime | None  # the hour of the first refresh, or of the first after the last failure


def announcement_counts(
    client: CloudWatchClient, topics: Iterable[str], now: float
) -> Mapping[str, Announced] | Unread:
    """Return the counts of the day before `now`, by topic ARN."""
    listed = sorted(set(topics))

    def read() -> Mapping[str, Announced]:
        stats = {
            (topic, kind): _stat(
                ("AWS/SNS", f"NumberOfNotifications{kind}", "Sum"),
                ("TopicName", topic.rpartition(":")[2]),
                _PERIOD,
            )
            for topic in listed
            for kind in ("Delivered", "Failed")
        }
        start = now - now % _PERIOD.total_seconds()
        points = _points(client, stats, _utc(start) - timedelta(days=1), now)
        return {
            topic: _announced(points[topic, "Delivered"], points[topic, "Failed"])
            for topic in listed
        }

    return optional(read, "cloudwatch", "CloudWatch's metrics") if listed else {}


def _announced(delivered: _Points, failed: _Points) -> Announced:
    """Return the counts, and the window in which S3 stored the logs that SNS failed to announce.

    S3 may take a minute or longer to announce an object [S3 guide, EventNotifications.md].
    """
    sent, lost = (round(sum(value for _, value in each)) for each in (delivered, failed))
    times = [time for time, _ in failed]
    gap = Window(min(times) - _PERIOD, max(times) + _PERIOD) if times else None
    return Announced(sent, lost, gap)


def refreshes(
    client: CloudWatchClient, stack: StackDescription, now: float
) -> Refreshes | Unread | None:
    """Return a stack's scheduled refreshes; None if the stack has no schedule."""
    rate = re.fullmatch(r"rate\((\d+) (hour|day)s?\)", stack.parameters.get("RefreshSchedule", ""))
    if not rate:
        return None
    every = timedelta(**{f"{rate[2]}s": int(rate[1])})

    def read() -> Refreshes:
        of = (_DIMENSION, stack.id)
        stats = {each: _stat((NAME, _METRIC, each), of, _HOUR) for each in ("SampleCount", "Sum")}
        start = _utc(now).replace(minute=0, second=0, microsecond=0) - _BACK
        points = _points(client, stats, start, now)
        hours, failed = ([time for time, _ in points[each]] for each in stats)
        good = (each for each in hours if not failed or each > max(failed))
        return Refreshes(every, max(hours, default=None), min(good, default=None))

    return optional(read, "cloudwatch", "CloudWatch's metrics")


def _points(
    client: CloudWatchClient, stats: Mapping[K, MetricStatTypeDef], start: datetime, now: float
) -> Mapping[K, _Points]:
    """Run the queries in `stats`; return each query's points by its key."""
    found: dict[K, list[tuple[datetime, float]]] = {each: [] for each in stats}
    # An ID must begin with a lowercase letter [CloudWatch API, MetricDataQuery].
    lists = {f"q{number}": each for number, each in enumerate(found.values())}
    queries: list[MetricDataQueryTypeDef] = [
        {"Id": name, "MetricStat": each} for name, each in zip(lists, stats.values(), strict=True)
    ]
    for begin in range(0, len(queries), _QUERIES):
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries[begin : begin + _QUERIES], StartTime=start, EndTime=_utc(now)
        )
        for result in (each for page in pages for each in page["MetricDataResults"]):
            counted = zip(result.get("Timestamps", []), result.get("Values", []), strict=True)
            lists[result.get("Id", "")] += [each for each in counted if each[1]]
    return found


def _stat(
    metric: tuple[str, str, str], dimension: tuple[str, str], period: timedelta
) -> MetricStatTypeDef:
    """Return a query; `metric` has a metric's namespace and name, and a statistic."""
    return {
        "Metric": {
            "Namespace": metric[0],
            "MetricName": metric[1],
            "Dimensions": [{"Name": dimension[0], "Value": dimension[1]}],
        },
        "Period": int(period.total_seconds()),
        "Stat": metric[2],
    }


def _utc(time: float) -> datetime:
    return datetime.fromtimestamp(time, timezone.utc)
