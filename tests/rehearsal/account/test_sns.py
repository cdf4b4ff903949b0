"""Topics, subscriptions, and messages that an account publishes to its own topic.

The recordings are from localstack/localstack, `tests/aws/services/sns`, *.snapshot.json.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from rehearsal.account.helpers import ACCOUNT, TOPIC, VENDOR, refused, topic_policy

from dt_logs_rehearsal.account import Account

POLICY = json.dumps(topic_policy(TOPIC))
HTTPS, OTHER = "https://vendor.example/logs", "https://other.example/in"
BODY = {"FilterPolicyScope": "MessageBody"}
KEYS = {"Records": {"s3": {"object": {"key": [{"prefix": "a/"}]}}}}


def subscribe(
    account: Account, protocol: str = "https", endpoint: str = HTTPS, **attributes: str
) -> str:
    """Subscribe an endpoint, and return the subscription's ARN even if it is not confirmed."""
    answer = account.sns.subscribe(
        TopicArn=TOPIC,
        Protocol=protocol,
        Endpoint=endpoint,
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )
    return answer["SubscriptionArn"]


def attributes(account: Account, arn: str) -> dict[str, str]:
    return account.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def put(account: Account, arn: str, name: str, value: str) -> None:
    account.sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName=name, AttributeValue=value
    )


def test_creating_a_topic_again_changes_nothing(account: Account) -> None:
    plain: Any = {"FifoTopic": "false"}  # recorded on AWS: treated as if not sent
    before = account.snapshot()
    for sent in ({}, {"Attributes": {"Policy": POLICY}}, {"Attributes": plain}):
        assert account.sns.create_topic(Name="t", **sent)["TopicArn"] == TOPIC
    assert account.snapshot() == before
    made = account.sns.create_topic(Name="plain", Attributes=plain)["TopicArn"]
    assert "FifoTopic" not in account.sns.get_topic_attributes(TopicArn=made)["Attributes"]


def test_deleting_a_topic_takes_its_subscriptions(account: Account) -> None:
    subscribe(account)

    account.sns.delete_topic(TopicArn=TOPIC)
    account.sns.delete_topic(TopicArn=TOPIC)

    assert account.sns.list_subscriptions()["Subscriptions"] == []
    with refused("NotFound", "Topic does not exist", 404):
        account.sns.get_topic_attributes(TopicArn=TOPIC)


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

    (listed,) = account.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    assert first == (arn if confirmed else "pending confirmation")
    assert listed["SubscriptionArn"] == (arn if confirmed else "PendingConfirmation")
    assert attributes(account, arn)["PendingConfirmation"] == str(not confirmed).lower()
    account.confirm(arn)
    assert shown() == arn


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


def test_a_pending_subscription_can_not_be_ended(account: Account) -> None:
    arn = subscribe(account)

    with refused("InvalidParameter", "pending confirmation"):
        account.sns.unsubscribe(SubscriptionArn=arn)
    account.confirm(HTTPS)
    account.sns.unsubscribe(SubscriptionArn=arn)
    account.sns.unsubscribe(SubscriptionArn=arn)

    with refused("NotFound", status=404):
        attributes(account, arn)


def test_an_endpoint_confirms_with_the_token_that_it_was_sent(account: Account) -> None:
    arn = subscribe(account)
    (asked,) = account.world.deliveries[HTTPS]
    assert asked["Type"] == "SubscriptionConfirmation"
    vendor = account.client("sns", caller=account.caller(account=VENDOR))
    with refused("InvalidParameter", "Token"):
        vendor.confirm_subscription(TopicArn=TOPIC, Token="guessed")
    answer = vendor.confirm_subscription(TopicArn=TOPIC, Token=asked["Token"])
    assert answer["SubscriptionArn"] == arn
    assert attributes(account, arn)["PendingConfirmation"] == "false"


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("RawMessageDelivery", "maybe", "Invalid value [maybe]. Must be true or false."),
        (
            "FilterPolicyScope",
            "All",
            "Invalid value [All]. Please use either MessageBody or MessageAttributes",
        ),
        ("FilterPolicy", "{bad", "failed to parse JSON."),
        ("FilterPolicy", '{"a":"b"}', '"a" must be an object or an array'),
        ("FilterPolicy", '{"a":[["b"]]}', "Match value must be String, number, true,"),
        ("FilterPolicy", '{"a":[{"like":1}]}', "Unrecognized match type like"),
        (
            "FilterPolicy",
            '{"a":[{"prefix":"b","suffix":"c"}]}',
            "Only one key allowed in match expression",
        ),
        (
            "FilterPolicy",
            '{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}',
            "Filter policy can not have more than 5 keys",
        ),
        ("FilterPolicy", f'{{"a":{[*range(151)]}}}', "Filter policy is too complex"),
        ("FilterPolicy", '{"a":[]}', "Empty arrays"),
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


def test_a_filter_s_alternatives_and_levels_count(account: Account) -> None:
    either: dict[str, Any] = {"$or": [{"a": ["1"]}, {"b": [{"prefix": "2"}]}]}
    arn = subscribe(account, **BODY, FilterPolicy=json.dumps(either))
    assert json.loads(attributes(account, arn)["FilterPolicy"]) == either
    for many in (
        {"$or": [{"a": [*range(50)]}, {"b": [*range(101)]}]},
        {"a": {"b": {"c": {"d": [*range(10)], "e": ["x"]}}}},
    ):
        with refused("InvalidParameter", "Filter policy is too complex"):
            put(account, arn, "FilterPolicy", json.dumps(many))


def test_attributes_are_set_one_by_one(account: Account) -> None:
    nested = "Filter policy scope MessageAttributes does not support nested filter policy"
    with refused("InvalidParameter", nested):
        subscribe(account, FilterPolicy='{"a":{"b":["c"]}}')
    arn = subscribe(account)
    put(account, arn, "FilterPolicyScope", "MessageBody")
    put(account, arn, "FilterPolicy", '{"a":{"b":["c"]}}')
    assert attributes(account, arn)["FilterPolicy"] == '{"a":{"b":["c"]}}'
    with refused("InvalidParameter", nested):
        put(account, arn, "FilterPolicyScope", "MessageAttributes")
    with refused("InvalidParameter", "AttributeName"):
        put(account, arn, "Nothing", "x")
    put(account, arn, "FilterPolicy", "{}")
    assert "FilterPolicy" not in attributes(account, arn)


def test_subscriptions_come_a_hundred_a_page(account: Account) -> None:
    for number in range(250):
        subscribe(account, "https", f"{HTTPS}/{number}")

    of_topic = account.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=TOPIC)
    every = account.sns.get_paginator("list_subscriptions").paginate()

    assert [len(page["Subscriptions"]) for page in of_topic] == [100, 100, 50]
    assert [len(page["Subscriptions"]) for page in every] == [100, 100, 50]


def test_what_its_endpoint_ended_is_listed_as_deleted_for_three_days(account: Account) -> None:
    def listed() -> list[str]:
        found = account.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
        assert found == account.sns.list_subscriptions()["Subscriptions"]
        return [each["SubscriptionArn"] for each in found]

    arn = subscribe(account)
    account.confirm(HTTPS)
    account.unsubscribe(HTTPS)
    assert listed() == ["Deleted"]
    assert account.snapshot()["subscriptions"] == {}
    with refused("NotFound", status=404):
        attributes(account, arn)
    subscribe(account)
    assert listed() == ["PendingConfirmation", "Deleted"]
    account.clock.sleep(72 * 3600)
    assert listed() == ["PendingConfirmation"]


def about(key: str) -> str:
    return json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})


def publish(account: Account, *messages: str, sns: Any = None) -> Any:
    entries = [{"Id": f"m-{n}", "Message": each} for n, each in enumerate(messages)]
    batch: Any = {"TopicArn": TOPIC, "PublishBatchRequestEntries": entries}
    return (sns or account.sns).publish_batch(**batch)


def test_each_message_goes_to_each_subscription_whose_filter_passes_it(account: Account) -> None:
    subscribe(account)
    subscribe(account, "https", OTHER, **BODY, FilterPolicy=json.dumps(KEYS))
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
    publish(account, "{}")
    assert received(HTTPS) == [about("a/1"), about("b/2")]  # refused messages are lost but counted
    assert [each.name for each in account.world.metrics] == ["NumberOfNotificationsFailed"]


def test_the_largest_batch_is_taken(account: Account) -> None:
    largest = json.dumps({"a": "x" * (262_144 - 9)})
    assert len(largest) == 262_144
    publish(account, largest)


def test_publishing_needs_the_right_to_publish(account: Account) -> None:
    def client(action: str, owner: str = "") -> Any:
        policy = {"Statement": [{"Effect": "Allow", "Action": action, "Resource": TOPIC}]}
        caller = account.caller([policy], account=owner or None)
        return account.client("sns", caller=caller)

    publish(account, "{}", sns=client("sns:Publish"))
    for nobody in (client("sns:PublishBatch"), client("sns:Publish", VENDOR)):
        with refused("AuthorizationError", "SNS:Publish on resource", status=403):
            publish(account, "{}", sns=nobody)
