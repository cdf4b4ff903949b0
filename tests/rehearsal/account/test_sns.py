"""Topics and subscriptions."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rehearsal.account.helpers import ACCOUNT, VENDOR, refused, topic_policy

from dt_logs_rehearsal.account import Account

TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
POLICY = json.dumps(topic_policy(TOPIC))
HTTPS = "https://vendor.example/logs"


@pytest.fixture
def account() -> Account:
    account = Account()
    account.sns.create_topic(Name="t", Attributes={"Policy": POLICY})
    return account


def subscribe(
    account: Account, protocol: str = "https", endpoint: str = HTTPS, **params: Any
) -> str:
    answer = account.sns.subscribe(TopicArn=TOPIC, Protocol=protocol, Endpoint=endpoint, **params)
    return answer["SubscriptionArn"]


def attributes(account: Account, arn: str) -> dict[str, str]:
    return account.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


def test_creating_a_topic_again_compares_what_is_sent(account: Account) -> None:
    assert account.sns.create_topic(Name="t")["TopicArn"] == TOPIC
    assert account.sns.create_topic(Name="t", Attributes={"Policy": POLICY})["TopicArn"] == TOPIC

    other = json.dumps(topic_policy(TOPIC, bucket="other"))
    with refused("InvalidParameter", "Topic already exists with different attributes"):
        account.sns.create_topic(Name="t", Attributes={"Policy": other})
    with refused("InvalidParameter", "Topic already exists with different tags"):
        account.sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"Name": "a.b"}, "Topic Name"),
        ({"Name": "a", "Attributes": {"Policy": "{bad"}}, "Policy Error"),
        ({"Name": "a", "Attributes": {"Nothing": "x"}}, "Attributes"),
        (
            {"Name": "a", "Attributes": {"Policy": json.dumps(topic_policy("a", Action="s3:*"))}},
            "Policy statement action out of service scope!",
        ),
    ],
)
def test_a_wrong_topic_is_refused(account: Account, params: dict[str, Any], text: str) -> None:
    with refused("InvalidParameter", text):
        account.sns.create_topic(**params)


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
    shown = subscribe(account, protocol, endpoint)
    arn = subscribe(account, protocol, endpoint, ReturnSubscriptionArn=True)

    (listed,) = account.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    assert shown == (arn if confirmed else "pending confirmation")
    assert listed["SubscriptionArn"] == (arn if confirmed else "PendingConfirmation")
    assert attributes(account, arn)["PendingConfirmation"] == str(not confirmed).lower()
    account.confirm(arn)
    assert subscribe(account, protocol, endpoint) == arn


def test_subscribing_again_compares_what_is_sent(account: Account) -> None:
    body = {"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"a":["b"]}'}
    arn = subscribe(account, Attributes=body, ReturnSubscriptionArn=True)

    assert subscribe(account, ReturnSubscriptionArn=True) == arn
    assert subscribe(account, Attributes=body, ReturnSubscriptionArn=True) == arn
    with refused("InvalidParameter", "Subscription already exists with different attributes"):
        subscribe(account, Attributes={**body, "FilterPolicy": '{"a":["c"]}'})


def test_a_pending_subscription_can_not_be_ended(account: Account) -> None:
    arn = subscribe(account, ReturnSubscriptionArn=True)

    with refused("InvalidParameter", "An ARN must have at least 6 elements, not 1"):
        account.sns.unsubscribe(SubscriptionArn="PendingConfirmation")
    with refused("InvalidParameter", "pending confirmation"):
        account.sns.unsubscribe(SubscriptionArn=arn)
    account.confirm(HTTPS)
    account.sns.unsubscribe(SubscriptionArn=arn)
    account.sns.unsubscribe(SubscriptionArn=arn)

    with refused("NotFound", status=404):
        attributes(account, arn)


FILTERS: list[tuple[str, str, str]] = [
    ('{"a":[]}', "MessageBody", "Empty arrays"),
    ('{"a":{"b":["c"]}}', "MessageAttributes", "does not support nested"),
    (
        json.dumps({"a": {"b": {"c": {"d": [*range(10)], "e": ["x"]}}}}),
        "MessageBody",
        "too complex",
    ),
]


@pytest.mark.parametrize(("text", "scope", "message"), FILTERS)
def test_a_wrong_filter_is_refused(account: Account, text: str, scope: str, message: str) -> None:
    with refused("InvalidParameter", message):
        subscribe(account, Attributes={"FilterPolicy": text, "FilterPolicyScope": scope})


def test_attributes_are_set_one_by_one(account: Account) -> None:
    arn = subscribe(account, ReturnSubscriptionArn=True)

    def put(name: str, value: str) -> None:
        account.sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName=name, AttributeValue=value
        )

    put("FilterPolicyScope", "MessageBody")
    put("FilterPolicy", '{"a":{"b":["c"]}}')
    assert attributes(account, arn)["FilterPolicy"] == '{"a":{"b":["c"]}}'
    with refused("InvalidParameter", "does not support nested"):
        put("FilterPolicyScope", "MessageAttributes")
    with refused("InvalidParameter", "AttributeName"):
        put("Nothing", "x")
    put("FilterPolicy", "{}")
    assert "FilterPolicy" not in attributes(account, arn)


def test_subscriptions_come_a_hundred_a_page(account: Account) -> None:
    for number in range(250):
        subscribe(account, "https", f"{HTTPS}/{number}")

    of_topic = account.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=TOPIC)
    every = account.sns.get_paginator("list_subscriptions").paginate()

    assert [len(page["Subscriptions"]) for page in of_topic] == [100, 100, 50]
    assert [len(page["Subscriptions"]) for page in every] == [100, 100, 50]


def test_a_missing_topic_takes_no_subscription(account: Account) -> None:
    with refused("NotFound", status=404):
        account.sns.subscribe(TopicArn=f"{TOPIC}x", Protocol="https", Endpoint=HTTPS)
    with refused("InvalidParameter", "Endpoint"):
        subscribe(account, "https", "http://plain.example")


def test_an_endpoint_confirms_with_the_token_that_it_was_sent() -> None:
    account = Account()
    topic = account.add_topic("t")
    account.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://a")
    (asked,) = account.world.deliveries["https://a"]
    assert asked["Type"] == "SubscriptionConfirmation"
    vendor = account.client("sns", caller=account.caller(account="999988887777"))
    with pytest.raises(ClientError, match="Token"):
        vendor.confirm_subscription(TopicArn=topic, Token="guessed")
    arn = vendor.confirm_subscription(TopicArn=topic, Token=asked["Token"])["SubscriptionArn"]
    found = account.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert found["PendingConfirmation"] == "false"
