"""How many announcements SNS delivered in the last day, and how many deliveries failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.status.account_reads import optional
from dt_logs_cfn.operate.status.seen import Announced

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

_METRICS = ("NumberOfNotificationsDelivered", "NumberOfNotificationsFailed")
_QUERIES = 500  # in a call [CloudWatch API, GetMetricData]


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
    queries = list(_queries(topics))
    sums: Counter[str] = Counter()
    for begin in range(0, len(queries), _QUERIES):
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries[begin : begin + _QUERIES],
            StartTime=end - timedelta(days=1),
            EndTime=end,
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                sums[result.get("Id", "")] += round(sum(result.get("Values", [])))
    return {
        topic: Announced(*(sums[_id(number, metric)] for metric in _METRICS))
        for number, topic in enumerate(topics)
    }


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
                    "Period": 3600,
                    "Stat": "Sum",
                },
            }


def _id(number: int, metric: str) -> str:
    """Return a query's ID, which begins with a small letter [CloudWatch API, MetricDataQuery]."""
    return f"{metric[0].lower()}{metric[len('NumberOfNotifications') :].lower()}{number}"
