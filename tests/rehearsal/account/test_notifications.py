"""Event notifications: S3's checks of a configuration, the deliveries, and their metrics.

tests/operating tests vended logs and metrics through `status`.
"""

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from rehearsal.account.helpers import (
    ACCOUNT,
    QUEUE,
    TOPIC,
    notify,
    put_notifications,
    put_policy,
    refused,
    statement,
    topic_policy,
)
from support.looks import delivered

from dt_logs_rehearsal.account import Account, LogDelivery


def configuration(account: Account) -> dict[str, Any]:
    found = account.s3.get_bucket_notification_configuration(Bucket="logs")
    return {key: value for key, value in found.items() if key != "ResponseMetadata"}


def test_a_put_replaces_everything(account: Account) -> None:
    assert configuration(account) == {}

    put_notifications(account, notify(TOPIC, "a/", Id="one"), EventBridgeConfiguration={})
    found = configuration(account)

    assert found["EventBridgeConfiguration"] == {}
    rules = found["TopicConfigurations"][0]["Filter"]["Key"]["FilterRules"]
    assert rules == [{"Name": "Prefix", "Value": "a/"}]
    put_notifications(account, notify(TOPIC))
    found = configuration(account)
    assert set(found) == {"TopicConfigurations"} and found["TopicConfigurations"][0]["Id"]
    put_notifications(account)
    assert configuration(account) == {}


HTTPS = "https://vendor.example/logs"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (notify(TOPIC, "a/"), notify(QUEUE, "b/")),
        (notify(TOPIC, "a/", ".gz"), notify(QUEUE, "a/", ".txt")),
        (notify(TOPIC, "a/"), notify(QUEUE, "a/", Events=["s3:ObjectRemoved:*"])),
    ],
)
def test_filters_of_one_event_may_not_overlap_and_these_do_not(
    account: Account, one: dict[str, Any], other: dict[str, Any]
) -> None:
    queue = {("QueueArn" if key == "TopicArn" else key): value for key, value in other.items()}
    put_notifications(account, one, QueueConfigurations=[queue])


@pytest.mark.parametrize(
    ("arn", "elements"),
    [
        (f"arn:aws:sns:us-east-1:{ACCOUNT}:none", None),
        (f"arn:aws:sns:us-east-1:{ACCOUNT}:plain", None),  # SNS's default policy
        (TOPIC, {"Principal": {"Service": "sns.amazonaws.com"}}),
        (TOPIC, {"Action": "sns:Subscribe"}),
        (TOPIC, {"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other"}}}),
        (TOPIC, {"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}),
    ],
)
def test_a_destination_that_does_not_take_it_is_refused(
    account: Account, arn: str, elements: dict[str, Any] | None
) -> None:
    if elements:
        account.sns.delete_topic(TopicArn=TOPIC)
        account.add_topic("t", topic_policy(TOPIC, **elements))
    account.add_topic("plain")
    before = account.snapshot()

    unable = "Unable to validate the following destination configurations"
    with refused("InvalidArgument", unable, ArgumentName1=arn):
        put_notifications(account, notify(arn))
    assert account.snapshot() == before
    put_notifications(account, notify(arn), skip=True)


def test_a_dead_destination_that_was_there_before_fails_the_put(account: Account) -> None:
    put_notifications(account, notify(TOPIC, "a/", Id="old"))
    account.sns.delete_topic(TopicArn=TOPIC)
    other = account.add_topic("other", topic_policy(f"arn:aws:sns:us-east-1:{ACCOUNT}:other"))

    with refused("InvalidArgument", "Unable to validate"):
        put_notifications(account, notify(TOPIC, "a/", Id="old"), notify(other, "b/"))


def test_events_reach_confirmed_subscriptions_that_want_them(account: Account) -> None:
    wanted = {"Records": {"s3": {"object": {"key": [{"prefix": "p/AWSLogs"}]}}}}
    other = {"Records": {"s3": {"bucket": {"name": ["other"]}}}}
    for number, policy in enumerate((None, wanted, other)):
        attributes = {} if policy is None else {"FilterPolicy": json.dumps(policy)}
        account.sns.subscribe(
            TopicArn=TOPIC,
            Protocol="https",
            Endpoint=f"https://{number}",
            Attributes={**attributes, "FilterPolicyScope": "MessageBody"},
        )
        if number != 0:
            account.confirm(f"https://{number}")
    # This filters on message attributes, which S3 does not send.
    attribute = {"FilterPolicy": '{"key":["a"]}'}
    account.sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE, Attributes=attribute)
    put_notifications(account, notify(TOPIC, "p/", ".gz"), EventBridgeConfiguration={})
    put_policy(account, statement())

    key = account.write_log(account.add_load_balancer("web", bucket="logs", prefix="p"))
    account.s3.put_object(Bucket="logs", Key="p/other.gz")
    account.s3.put_object(Bucket="logs", Key="p/AWSLogs.txt")

    found = [message["Records"][0]["s3"] for message in delivered(account, "https://1")]
    assert [(each["bucket"]["name"], each["object"]["key"]) for each in found] == [("logs", key)]
    assert not delivered(account, "https://0")
    assert not delivered(account, "https://2")
    assert not delivered(account, QUEUE)
    assert len(delivered(account, "events.amazonaws.com")) == 3


def test_a_put_sends_a_test_event(account: Account) -> None:
    account.sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE)

    put_notifications(account, notify(TOPIC))
    put_notifications(account, notify(TOPIC), skip=True)

    assert [each["Event"] for each in delivered(account, QUEUE)] == ["s3:TestEvent"]


def test_keys_and_filters_are_encoded(account: Account) -> None:
    account.sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE)
    put_notifications(account, notify(TOPIC, "a+b/c%3D"), skip=True)

    account.s3.put_object(Bucket="logs", Key="a b/c=1")

    (message,) = delivered(account, QUEUE)
    assert message["Records"][0]["s3"]["object"]["key"] == "a+b/c%3D1"


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
