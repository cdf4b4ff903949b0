"""Topics, subscriptions, event notifications, and the messages that they deliver.

The recordings are from localstack/localstack, `tests/aws/services/sns`, *.snapshot.json.
tests/operating tests vended logs and metrics through `status`.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from rehearsal.account.helpers import (
    ACCOUNT,
    QUEUE,
    TOPIC,
    VENDOR,
    notify,
    put_notifications,
    put_policy,
    refused,
    statement,
    topic_policy,
)
from support.drifts import announcements
from support.looks import delivered

from dt_logs_rehearsal.account import Account, LogDelivery

POLICY = json.dumps(topic_policy(TOPIC))
HTTPS, OTHER = "https://vendor.example/logs", "https://other.example/in"
BODY = {"FilterPolicyScope": "MessageBody"}


def subscribe(
    account: Account, protocol: str = "https", endpoint: str = HTTPS, **attributes: str
) -> str:
    """Subscribe an endpoint, and return the subscription's ARN even if it is not confirmed."""
    about: Any = {"TopicArn": TOPIC, "Protocol": protocol, "Endpoint": endpoint}
    answer = account.sns.subscribe(**about, Attributes=attributes, ReturnSubscriptionArn=True)
    return answer["SubscriptionArn"]


def attributes(account: Account, arn: str) -> dict[str, str]:
    return account.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def put(account: Account, arn: str, name: str, value: str) -> None:
    account.sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName=name, AttributeValue=value
    )


def listed(account: Account) -> list[str]:
    """Return the ARNs that SNS lists; check that it lists the same ones without naming a topic."""
    found = account.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    assert found == account.sns.list_subscriptions()["Subscriptions"]
    return [each["SubscriptionArn"] for each in found]


def test_creating_a_topic_again_changes_nothing_and_deleting_it_takes_its_subscriptions(
    account: Account,
) -> None:
    plain: Any = {"FifoTopic": "false"}  # recorded on AWS: treated as if not sent
    before = account.snapshot()
    for sent in ({}, {"Attributes": {"Policy": POLICY}}, {"Attributes": plain}):
        assert account.sns.create_topic(Name="t", **sent)["TopicArn"] == TOPIC
    assert account.snapshot() == before
    made = account.sns.create_topic(Name="plain", Attributes=plain)["TopicArn"]
    assert "FifoTopic" not in account.sns.get_topic_attributes(TopicArn=made)["Attributes"]
    subscribe(account)
    for _ in range(2):
        account.sns.delete_topic(TopicArn=TOPIC)
    assert account.sns.list_subscriptions()["Subscriptions"] == []


@pytest.mark.parametrize(
    ("protocol", "endpoint", "confirmed"),
    [
        ("https", HTTPS, False),
        ("sqs", f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q", True),
        ("sqs", f"arn:aws:sqs:us-east-1:{VENDOR}:q", False),
        ("email", "a@b.example", False),
    ],
)
def test_who_must_confirm(account: Account, protocol: str, endpoint: str, confirmed: bool) -> None:
    def shown() -> str:
        answer = account.sns.subscribe(TopicArn=TOPIC, Protocol=protocol, Endpoint=endpoint)
        return answer["SubscriptionArn"]

    first = shown()
    arn = subscribe(account, protocol, endpoint)

    assert first == (arn if confirmed else "pending confirmation")
    assert listed(account) == [arn if confirmed else "PendingConfirmation"]
    assert attributes(account, arn)["PendingConfirmation"] == str(not confirmed).lower()
    account.confirm(arn)
    assert shown() == arn


def test_a_subscription_is_confirmed_with_its_token_and_ended_only_then(account: Account) -> None:
    arn = subscribe(account)
    (asked,) = account.world.deliveries[HTTPS]
    assert asked["Type"] == "SubscriptionConfirmation"
    vendor = account.client("sns", caller=account.caller(account=VENDOR))
    with refused("InvalidParameter", "Token"):
        vendor.confirm_subscription(TopicArn=TOPIC, Token="guessed")
    with refused("InvalidParameter", "pending confirmation"):
        account.sns.unsubscribe(SubscriptionArn=arn)
    answer = vendor.confirm_subscription(TopicArn=TOPIC, Token=asked["Token"])
    assert answer["SubscriptionArn"] == arn
    assert attributes(account, arn)["PendingConfirmation"] == "false"
    for _ in range(2):
        account.sns.unsubscribe(SubscriptionArn=arn)
    with refused("NotFound", status=404):
        attributes(account, arn)


def test_what_its_endpoint_ended_is_listed_as_deleted_for_three_days(account: Account) -> None:
    arn = subscribe(account)
    account.confirm(HTTPS)
    account.unsubscribe(HTTPS)
    assert listed(account) == ["Deleted"]
    assert account.snapshot()["subscriptions"] == {}
    with refused("NotFound", status=404):
        attributes(account, arn)
    subscribe(account)
    assert listed(account) == ["PendingConfirmation", "Deleted"]
    account.clock.sleep(72 * 3600)
    assert listed(account) == ["PendingConfirmation"]


def test_subscribing_again_compares_what_is_sent_by_what_it_means(account: Account) -> None:
    policy = '{"a":["b"]}'
    arn = subscribe(account, RawMessageDelivery="True", FilterPolicy=policy)

    assert attributes(account, arn)["RawMessageDelivery"] == "true"
    assert subscribe(account) == arn
    again = {"RawMessageDelivery": "true", "FilterPolicyScope": "MessageAttributes"}
    assert subscribe(account, FilterPolicy=policy, **again) == arn
    text = "Attributes Reason: Subscription already exists with different attributes"
    for other in (BODY, {"FilterPolicy": '{"a":["c"]}'}):
        with refused("InvalidParameter", text):
            subscribe(account, **other)


COMPLEX = "Filter policy is too complex"
NESTED = "Filter policy scope MessageAttributes does not support nested filter policy"


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("RawMessageDelivery", "maybe", "Invalid value [maybe]. Must be true or false."),
        (
            *("FilterPolicyScope", "All"),
            "Invalid value [All]. Please use either MessageBody or MessageAttributes",
        ),
        *(
            ("FilterPolicy", value, text)
            for value, text in (
                ("{bad", "failed to parse JSON."),
                ('{"a":"b"}', '"a" must be an object or an array'),
                ('{"a":[["b"]]}', "Match value must be String, number, true,"),
                ('{"a":[{"like":1}]}', "Unrecognized match type like"),
                ('{"a":[{"prefix":"b","suffix":"c"}]}', "Only one key allowed in match expression"),
                (
                    '{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}',
                    "Filter policy can not have more than 5 keys",
                ),
                (f'{{"a":{[*range(151)]}}}', COMPLEX),
                ('{"a":[]}', "Empty arrays"),
            )
        ),
    ],
)
def test_subscribe_says_where_a_wrong_attribute_was_sent(
    account: Account, attribute: str, value: str, text: str
) -> None:
    text = f"{attribute}: {text}"
    with refused("InvalidParameter", f"Invalid parameter: Attributes Reason: {text}"):
        subscribe(account, **{attribute: value})
    with refused("InvalidParameter", f"Invalid parameter: {text}"):
        put(account, subscribe(account), attribute, value)


def test_a_filter_s_scope_levels_and_alternatives_count(account: Account) -> None:
    nested, either = '{"a":{"b":["c"]}}', {"$or": [{"a": ["1"]}, {"b": [{"prefix": "2"}]}]}
    with refused("InvalidParameter", NESTED):
        subscribe(account, FilterPolicy=nested)
    arn = subscribe(account)
    put(account, arn, "FilterPolicyScope", "MessageBody")
    for policy in (nested, json.dumps(either)):
        put(account, arn, "FilterPolicy", policy)
        assert attributes(account, arn)["FilterPolicy"] == policy
    put(account, arn, "FilterPolicy", nested)
    for name, value, text in (
        ("FilterPolicy", {"$or": [{"a": [*range(50)]}, {"b": [*range(101)]}]}, COMPLEX),
        ("FilterPolicy", {"a": {"b": {"c": {"d": [*range(10)], "e": ["x"]}}}}, COMPLEX),
        ("FilterPolicyScope", "MessageAttributes", NESTED),
        ("Nothing", "x", "AttributeName"),
    ):
        with refused("InvalidParameter", text):
            put(account, arn, name, value if isinstance(value, str) else json.dumps(value))
    put(account, arn, "FilterPolicy", "{}")
    assert "FilterPolicy" not in attributes(account, arn)


def test_lists_come_in_pages(account: Account) -> None:
    web = account.add_load_balancer("web")
    for number in range(101):
        subscribe(account, "https", f"{HTTPS}/{number}")
        to = LogDelivery(web, "ALB_ACCESS_LOGS", "S3", f"arn:aws:s3:::vended-{number}")
        account.world.log_deliveries.append(to)
    for service, operation, key, sizes in (
        ("sns", "list_subscriptions", "Subscriptions", [100, 1]),
        ("logs", "describe_delivery_sources", "deliverySources", [50, 50, 1]),
        ("logs", "describe_delivery_destinations", "deliveryDestinations", [50, 50, 1]),
        ("logs", "describe_deliveries", "deliveries", [50, 50, 1]),
    ):
        pages = account.client(service).get_paginator(operation).paginate()
        assert [len(page[key]) for page in pages] == sizes
    of_topic = account.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=TOPIC)
    assert [len(page["Subscriptions"]) for page in of_topic] == [100, 1]
    assert account.client("logs", region="eu-west-1").describe_deliveries()["deliveries"] == []


def about(key: str) -> str:
    return json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})


def publish(account: Account, *messages: str) -> Any:
    entries: Any = [{"Id": f"m-{n}", "Message": each} for n, each in enumerate(messages)]
    return account.sns.publish_batch(TopicArn=TOPIC, PublishBatchRequestEntries=entries)


def test_each_message_goes_to_each_subscription_whose_filter_passes_it(account: Account) -> None:
    keys = {"Records": {"s3": {"object": {"key": [{"prefix": "a/"}]}}}}
    subscribe(account)
    subscribe(account, "https", OTHER, **BODY, FilterPolicy=json.dumps(keys))
    for endpoint in (HTTPS, OTHER):
        account.confirm(endpoint)
    account.world.deliveries.clear()

    def received(endpoint: str) -> list[str]:
        return [each["Message"] for each in account.world.deliveries[endpoint]]

    answer = publish(account, about("a/1"), about("b/2"))

    assert [each["Id"] for each in answer["Successful"]] == ["m-0", "m-1"]
    assert received(HTTPS) == [about("a/1"), about("b/2")]
    assert received(OTHER) == [about("a/1")]
    account.world.unreachable.add(HTTPS)
    account.world.metrics.clear()
    largest = json.dumps({"a": "x" * (262_144 - 9)})
    assert len(largest) == 262_144
    publish(account, largest)
    assert received(HTTPS) == [about("a/1"), about("b/2")]  # refused messages are lost but counted
    assert [each.name for each in account.world.metrics] == ["NumberOfNotificationsFailed"]


def test_a_put_of_notifications_replaces_everything(account: Account) -> None:
    assert announcements(account, "logs") == {}

    put_notifications(account, notify(TOPIC, "a/", Id="one"), EventBridgeConfiguration={})
    found = announcements(account, "logs")

    assert found["EventBridgeConfiguration"] == {}
    rules = found["TopicConfigurations"][0]["Filter"]["Key"]["FilterRules"]
    assert rules == [{"Name": "Prefix", "Value": "a/"}]
    put_notifications(account, notify(TOPIC))
    found = announcements(account, "logs")
    assert set(found) == {"TopicConfigurations"} and found["TopicConfigurations"][0]["Id"]
    put_notifications(account)
    assert announcements(account, "logs") == {}
    for prefix, suffix, more in (
        ("b/", "", {}),
        ("a/", ".txt", {}),
        ("a/", ".gz", {"Events": ["s3:ObjectRemoved:*"]}),
    ):  # none of these overlaps with the topic's filter
        queue = {"QueueArn": QUEUE, **notify("", prefix, suffix, **more)}
        del queue["TopicArn"]
        put_notifications(account, notify(TOPIC, "a/", ".gz"), QueueConfigurations=[queue])


@pytest.mark.parametrize(
    ("arn", "elements"),
    [
        (f"{TOPIC}-none", None),
        (f"{TOPIC}-plain", None),  # SNS's default policy
        (TOPIC, {"Principal": {"Service": "sns.amazonaws.com"}}),
        (TOPIC, {"Action": "sns:Subscribe"}),
        (TOPIC, {"Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other"}}}),
        (TOPIC, {"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}),
    ],
)
def test_a_destination_that_does_not_take_it_is_refused(
    account: Account, arn: str, elements: dict[str, Any] | None
) -> None:
    """A put also fails for an existing entry whose destination is dead, beside a valid entry."""
    other = account.add_topic("other", topic_policy(f"{TOPIC[:-1]}other"))
    account.add_topic("t-plain")
    if elements:
        account.add_topic("t", topic_policy(TOPIC, **elements))
    for dead in (notify(arn, "a/"), notify(arn, "a/", Id="old")):
        before = account.snapshot()
        unable = "Unable to validate the following destination configurations"
        with refused("InvalidArgument", unable, ArgumentName1=arn):
            put_notifications(account, dead, notify(other, "b/"))
        assert account.snapshot() == before
        put_notifications(account, notify(arn, "a/", Id="old"), skip=True)


def test_events_reach_confirmed_subscriptions_that_want_them_and_encode_their_keys(
    account: Account,
) -> None:
    wanted = {"Records": {"s3": {"object": {"key": [{"prefix": "p/AWSLogs"}]}}}}
    other = {"Records": {"s3": {"bucket": {"name": ["other"]}}}}
    for number, policy in enumerate((None, wanted, other)):
        passed = {"FilterPolicy": json.dumps(policy)} if policy else {}
        subscribe(account, "https", f"https://{number}", **BODY, **passed)
        if number != 0:
            account.confirm(f"https://{number}")
    # This filters on message attributes, which S3 does not send.
    subscribe(account, "sqs", QUEUE, FilterPolicy='{"key":["a"]}')
    put_notifications(account, notify(TOPIC, "p/", ".gz"), EventBridgeConfiguration={})
    put_policy(account, statement())

    key = account.write_log(account.add_load_balancer("web", bucket="logs", prefix="p"))
    account.s3.put_object(Bucket="logs", Key="p/other.gz")
    account.s3.put_object(Bucket="logs", Key="p/AWSLogs.txt")

    found = [message["Records"][0]["s3"] for message in delivered(account, "https://1")]
    assert [(each["bucket"]["name"], each["object"]["key"]) for each in found] == [("logs", key)]
    assert not any(delivered(account, each) for each in ("https://0", "https://2", QUEUE))
    assert len(delivered(account, "events.amazonaws.com")) == 3

    subscribe(account, "sqs", f"{QUEUE}2")
    put_notifications(account, notify(TOPIC))
    put_notifications(account, notify(TOPIC, "a+b/c%3D"), skip=True)
    account.s3.put_object(Bucket="logs", Key="a b/c=1")
    test, message = delivered(account, f"{QUEUE}2")
    assert test["Event"] == "s3:TestEvent"  # only if the destination is validated
    assert message["Records"][0]["s3"]["object"]["key"] == "a+b/c%3D1"


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
    subscribe(account)
    account.confirm(HTTPS)
    put_notifications(account, notify(TOPIC), skip=True)
    account.s3.put_object(Bucket="logs", Key="a")
    account.clock.sleep(3600)
    for key in "bc":
        account.s3.put_object(Bucket="logs", Key=key)
    account.world.unreachable.add(HTTPS)
    account.s3.put_object(Bucket="logs", Key="d")

    assert sums(account, "NumberOfNotificationsDelivered") == [2.0, 1.0]
    assert sums(account, "NumberOfNotificationsFailed") == [1.0]
    assert sums(account, "NumberOfMessagesPublished") == []
