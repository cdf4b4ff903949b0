"""Vended logs, and SNS's metrics; tests/operating reads their members through `status`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from rehearsal.account.helpers import TOPIC, notify, put_notifications

from dt_logs_rehearsal.account import Account, LogDelivery

HTTPS = "https://vendor.example/logs"


def test_logs_that_cloudwatch_delivers_are_described_in_pages(account: Account) -> None:
    web = account.add_load_balancer("web")
    for number in range(51):
        to = LogDelivery(web, "ALB_ACCESS_LOGS", "S3", f"arn:aws:s3:::vended-{number}")
        account.world.log_deliveries.append(to)
    for operation, key in (
        ("describe_delivery_sources", "deliverySources"),
        ("describe_delivery_destinations", "deliveryDestinations"),
        ("describe_deliveries", "deliveries"),
    ):
        pages = account.client("logs").get_paginator(operation).paginate()
        assert [len(page[key]) for page in pages] == [50, 1]
    assert account.client("logs", region="eu-west-1").describe_deliveries()["deliveries"] == []


def sums(account: Account, metric: str) -> list[float]:
    """Return a metric's sums for the last two hours, the latest hour first."""
    now = account.clock()
    begin, end = (datetime.fromtimestamp(each, timezone.utc) for each in (now - 7200, now + 1))
    dimensions = [{"Name": "TopicName", "Value": "t"}]
    named = {"Namespace": "AWS/SNS", "MetricName": metric, "Dimensions": dimensions}
    query = {"Id": "q", "MetricStat": {"Metric": named, "Period": 3600, "Stat": "Sum"}}
    answer: Any = account.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=begin, EndTime=end
    )
    return list(answer["MetricDataResults"][0]["Values"])


def test_sns_counts_what_it_delivered_and_what_failed(account: Account) -> None:
    account.sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint=HTTPS)
    account.confirm(HTTPS)
    put_notifications(account, notify(TOPIC), skip=True)
    account.s3.put_object(Bucket="logs", Key="a")
    account.clock.sleep(3600)
    account.s3.put_object(Bucket="logs", Key="b")
    account.s3.put_object(Bucket="logs", Key="c")
    account.world.unreachable.add(HTTPS)
    account.s3.put_object(Bucket="logs", Key="d")

    assert sums(account, "NumberOfNotificationsDelivered") == [2.0, 1.0]
    assert sums(account, "NumberOfNotificationsFailed") == [1.0]
    assert sums(account, "NumberOfMessagesPublished") == []
