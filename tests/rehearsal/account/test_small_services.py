"""Subscriptions that their endpoints ended, vended logs, and SNS's metrics."""

from datetime import datetime, timezone
from typing import Any

from rehearsal.account.helpers import TOPIC, notify, put_notifications

from dt_logs_rehearsal.account import Account, LogDelivery

HTTPS = "https://vendor.example/logs"


def vended(account: Account, operation: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in account.client("logs").get_paginator(operation).paginate():
        found += page[key]
    return found


def test_logs_that_cloudwatch_delivers_are_described(account: Account) -> None:
    assert vended(account, "describe_deliveries", "deliveries") == []
    web, bucket = account.add_load_balancer("web"), "arn:aws:s3:::vended"
    for number in range(51):
        to = bucket if number == 0 else f"{bucket}-{number}"
        account.world.log_deliveries.append(LogDelivery(web, "ALB_ACCESS_LOGS", "S3", to))

    sources = vended(account, "describe_delivery_sources", "deliverySources")
    destinations = vended(account, "describe_delivery_destinations", "deliveryDestinations")
    deliveries = vended(account, "describe_deliveries", "deliveries")

    assert len(sources) == len(destinations) == len(deliveries) == 51
    assert (sources[0]["resourceArns"], sources[0]["logType"]) == ([web], "ALB_ACCESS_LOGS")
    configuration = destinations[0]["deliveryDestinationConfiguration"]
    assert configuration["destinationResourceArn"] == bucket
    assert deliveries[0]["deliverySourceName"] == sources[0]["name"]
    assert deliveries[0]["deliveryDestinationArn"] == destinations[0]["arn"]
    assert account.client("logs", region="eu-west-1").describe_deliveries()["deliveries"] == []


def sums(account: Account, metric: str) -> list[float]:
    """Return a metric's sums for the last two hours, the latest hour first."""
    now = account.clock()
    begin, end = (datetime.fromtimestamp(each, timezone.utc) for each in (now - 7200, now + 1))
    dimensions = [{"Name": "TopicName", "Value": "t"}]
    named = {"Namespace": "AWS/SNS", "MetricName": metric, "Dimensions": dimensions}
    query = {"Id": "q", "MetricStat": {"Metric": named, "Period": 3600, "Stat": "Sum"}}
    answer = account.client("cloudwatch").get_metric_data(
        MetricDataQueries=[query], StartTime=begin, EndTime=end
    )
    (result,) = answer["MetricDataResults"]
    assert len(result["Timestamps"]) == len(result["Values"])
    return list(result["Values"])


def test_sns_counts_what_it_delivered_and_what_failed(account: Account) -> None:
    account.sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint=HTTPS)
    account.confirm(HTTPS)
    put_notifications(account, notify(TOPIC), skip=True)
    assert sums(account, "NumberOfNotificationsDelivered") == []
    account.s3.put_object(Bucket="logs", Key="a")
    account.clock.sleep(3600)
    account.s3.put_object(Bucket="logs", Key="b")
    account.s3.put_object(Bucket="logs", Key="c")
    account.world.unreachable.add(HTTPS)
    account.s3.put_object(Bucket="logs", Key="d")

    assert sums(account, "NumberOfNotificationsDelivered") == [2.0, 1.0]
    assert sums(account, "NumberOfNotificationsFailed") == [1.0]
    assert sums(account, "NumberOfMessagesPublished") == []
