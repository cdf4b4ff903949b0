"""How many announcements SNS delivered in the last day, and when how many deliveries failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_cfn.operate.status.account_reads import optional
from dt_logs_cfn.operate.status.seen import Announced

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_METRICS = ("NumberOfNotificationsDelivered", "NumberOfNotificationsFailed")
_QUERIES = 500  # in a call [CloudWatch API, GetMetricData]
_PERIOD = timedelta(minutes=5)  # for which a sum is asked


def announcement_counts(
    client: CloudWatchClient, topics: Iterable[str], now: float
) -> Mapping[str, Announced] | Unread:
    """Return the counts of the day before `now`, by topic ARN. Needs cloudwatch:GetMetricData."""
    listed = sorted(set(topics))
    if not listed:
        return {}
    return optional(lambda: _counts(client, listed, now), "cloudwatch", "CloudWatch's metrics")


def _counts(client: CloudWatchClient, topics: list[str], now: float) -> dict[str, Announced]:
    end = datetime.fromtimestamp(now, timezone.utc)
    start = datetime.fromtimestamp(now - now % _PERIOD.total_seconds(), timezone.utc)
    queries = list(_queries(topics))
    sums: Counter[str] = Counter()
    times: dict[str, list[datetime]] = {}
    for begin in range(0, len(queries), _QUERIES):
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries[begin : begin + _QUERIES],
            StartTime=start - timedelta(days=1),
            EndTime=end,
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                query, values = result.get("Id", ""), result.get("Values", [])
                sums[query] += round(sum(values))
                counted = zip(result.get("Timestamps", []), values, strict=True)
                times.setdefault(query, []).extend(time for time, value in counted if value)
    return {
        topic: Announced(sums[delivered], sums[failed], _gap(times.get(failed, [])))
        for number, topic in enumerate(topics)
        for delivered, failed in [[_id(number, metric) for metric in _METRICS]]
    }


def _gap(times: list[datetime]) -> Window | None:
    """Return in which window those logs were stored whose announcements failed at these times.

    S3 may take a minute or longer to announce an object [S3 guide, EventNotifications.md].
    """
    return Window(min(times) - _PERIOD, max(times) + _PERIOD) if times else None


def _queries(topics: list[str]) -> Iterator[MetricDataQueryTypeDef]:
    for number, topic in enumerate(topics):
        for metric in _METRICS:
            yield {
                "Id": _id(number, metric),
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/SNS",
                        "MetricName": metric,
                        "Dimensions": [{"Name": "TopicName", "Value": topic.rpartition(":")[2]}],
                    },
                    "Period": int(_PERIOD.total_seconds()),
                    "Stat": "Sum",
                },
            }


def _id(number: int, metric: str) -> str:
    """Return a query's ID, which begins with a small letter [CloudWatch API, MetricDataQuery]."""
    return f"{metric[0].lower()}{metric[len('NumberOfNotifications') :].lower()}{number}"
