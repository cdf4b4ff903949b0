"""Batches of messages that an account publishes to its own topic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rehearsal.account.helpers import VENDOR, refused

from dt_logs_rehearsal.account import Account

HTTPS, OTHER = "https://vendor.example/logs", "https://other.example/in"
KEYS = {"Records": {"s3": {"object": {"key": [{"prefix": "a/"}]}}}}


@pytest.fixture
def account() -> Account:
    return Account()


def entries(*messages: str) -> list[dict[str, str]]:
    return [{"Id": f"m-{n}", "Message": each} for n, each in enumerate(messages)]


def about(key: str) -> str:
    return json.dumps({"Records": [{"s3": {"object": {"key": key}}}]})


def subscribe(account: Account, topic: str, endpoint: str, **attributes: str) -> None:
    """Subscribe an endpoint, confirm it, and forget the messages that it got until then."""
    account.sns.subscribe(
        TopicArn=topic, Protocol="https", Endpoint=endpoint, Attributes=attributes
    )
    account.confirm(endpoint)
    account.world.deliveries.clear()


def received(account: Account, endpoint: str) -> list[str]:
    return [each["Message"] for each in account.world.deliveries[endpoint]]


def test_each_message_goes_to_each_subscription_whose_filter_passes_it(account: Account) -> None:
    topic = account.add_topic("t")
    subscribe(account, topic, HTTPS)
    policy = {"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps(KEYS)}
    subscribe(account, topic, OTHER, **policy)

    answer = account.sns.publish_batch(
        TopicArn=topic, PublishBatchRequestEntries=entries(about("a/1"), about("b/2"))
    )

    assert [each["Id"] for each in answer["Successful"]] == ["m-0", "m-1"]
    assert received(account, HTTPS) == [about("a/1"), about("b/2")]
    assert received(account, OTHER) == [about("a/1")]


def test_what_an_endpoint_refuses_is_lost_and_counted(account: Account) -> None:
    topic = account.add_topic("t")
    subscribe(account, topic, HTTPS)
    account.world.unreachable.add(HTTPS)

    account.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries("{}"))
    account.world.unreachable.clear()

    assert received(account, HTTPS) == []
    assert [each.name for each in account.world.metrics] == ["NumberOfNotificationsFailed"]


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        ([], "EmptyBatchRequest"),
        (entries(*["{}"] * 11), "TooManyEntriesInBatchRequest"),
        ([*entries("{}"), *entries("{}")], "BatchEntryIdsNotDistinct"),
        ([{"Id": "a.b", "Message": "{}"}], "InvalidBatchEntryId"),
        ([{"Id": "a" * 81, "Message": "{}"}], "InvalidBatchEntryId"),
        (entries(about("x" * 131_072), about("é" * 70_000)), "BatchRequestTooLong"),
    ],
)
def test_a_wrong_batch_is_refused_as_a_whole(
    account: Account, batch: list[dict[str, Any]], code: str
) -> None:
    topic = account.add_topic("t")
    subscribe(account, topic, HTTPS)

    with refused(code):
        account.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)  # type: ignore[arg-type]  # entries as dicts
    assert received(account, HTTPS) == []


def test_the_largest_batch_is_taken(account: Account) -> None:
    topic = account.add_topic("t")
    largest = json.dumps({"a": "x" * (262_144 - 9)})
    assert len(largest) == 262_144

    account.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries(largest))
    with refused("BatchRequestTooLong"):
        account.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries(largest, "{}"))


def test_a_topic_that_does_not_exist_takes_nothing(account: Account) -> None:
    arn = f"{account.add_topic('t')}x"
    with refused("NotFound", "Topic does not exist", status=404):
        account.sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=entries("{}"))


def test_publishing_needs_the_right_to_publish(account: Account) -> None:
    topic = account.add_topic("t")
    batch = entries("{}")

    def client(action: str, owner: str = "") -> Any:
        policy = {"Statement": [{"Effect": "Allow", "Action": action, "Resource": topic}]}
        caller = account.caller([policy], account=owner or None)
        return account.client("sns", caller=caller)

    client("sns:Publish").publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)
    for nobody in (client("sns:PublishBatch"), client("sns:Publish", VENDOR)):
        with refused("AuthorizationError", "SNS:Publish on resource", status=403):
            nobody.publish_batch(TopicArn=topic, PublishBatchRequestEntries=batch)


def test_what_is_not_emulated_fails_at_once(account: Account) -> None:
    topic = account.add_topic("t")
    for strange in ({"Message": "plain"}, {"Message": "{}", "Subject": "s"}):
        with refused("NotImplemented", status=501):
            account.sns.publish_batch(
                TopicArn=topic,
                PublishBatchRequestEntries=[{"Id": "1", **strange}],  # type: ignore[typeddict-item]  # wrong on purpose
            )
