"""Topic policies, and the filters that identify our subscriptions to foreign topics."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifecycle.cloudformation import ENDPOINT, properties
from lifecycle.scenarios import Case, data
from support.drifts import WEB as WEB_ALB
from support.drifts import adopted
from support.events import topic_arn
from support.states import CHINA, HERE
from support.strategies import STEADY, json_values

from dt_logs_handler.model import Subscription
from dt_logs_handler.names import Location
from dt_logs_handler.notifications import (
    filter_policy,
    filtered,
    narrowed_filter,
    same_filter,
    topic_policy,
)
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced

BELOW = "AWSLogs/123456789012/elasticloadbalancing/us-east-1/"
WEB, ROOT, ODD = Location("logs", "web"), Location("logs", ""), Location("logs", "my logs+ü")


def subscription(document: object) -> Subscription:
    text = document if isinstance(document, str | None) else json.dumps(document)
    return Subscription("arn:aws:sns:us-east-1:123456789012:t:1", "t", "https", "e", text)


def test_topic_admits_s3_of_this_bucket_and_account_alone() -> None:
    assert "arn:aws:" not in topic_policy("logs", CHINA)
    assert json.loads(topic_policy("my.logs", HERE)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "S3PublishesNewLogObjects",
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": topic_arn("my.logs"),
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::my.logs"},
                    "StringEquals": {"aws:SourceAccount": "123456789012"},
                },
            }
        ],
    }


def test_filter_lets_log_objects_of_the_locations_through() -> None:
    """S3 sends one record in each message, and encodes the keys."""
    assert json.loads(filter_policy("logs", [WEB, ODD], HERE)) == {
        "Records": {
            "s3": {
                "bucket": {"name": ["logs"]},
                "object": {
                    "key": [{"prefix": f"my+logs%2B%C3%BC/{BELOW}"}, {"prefix": f"web/{BELOW}"}]
                },
            }
        }
    }


locations = st.lists(st.sampled_from([WEB, ROOT, ODD]), min_size=1, unique=True)


@STEADY
@given(locations)
def test_our_filter_is_known_again_by_its_keys_and_can_be_narrowed(found: list[Location]) -> None:
    text = filter_policy("logs", found, HERE)
    read = filtered(subscription(text), HERE)
    assert read is not None
    bucket, keys = read
    assert (bucket, len(keys)) == ("logs", len(found))
    assert all(key.endswith(BELOW) for key in keys)
    assert same_filter(narrowed_filter(bucket, keys), text)


OURS = json.loads(filter_policy("logs", [WEB], HERE))


def changed(**inner: object) -> dict[str, Any]:
    """Return our filter with some keys of its `s3` object added or replaced."""
    return {"Records": {"s3": {**OURS["Records"]["s3"], **inner}}}


FOREIGN: list[Any] = [
    None,
    "",
    "{}",
    "no JSON",
    "[]",
    {**OURS, "eventName": ["x"]},
    {"Records": {**OURS["Records"], "eventName": ["ObjectCreated:Put"]}},
    changed(object={"key": [{"prefix": "web/"}]}),
    changed(object={"key": [{"prefix": f"web/{BELOW}"}, {"suffix": ".gz"}]}),
    changed(object={"key": [{"prefix": f"web/{BELOW}"}, "x"]}),
    changed(object={"key": [{"anything-but": {"prefix": f"web/{BELOW}"}}]}),
    changed(object={"key": [{"prefix": f"web/{BELOW}"}], "size": [{"numeric": [">", 0]}]}),
    changed(object={"key": f"web/{BELOW}"}),
    changed(object={"key": []}),
    changed(s3SchemaVersion=["1.0"]),
    {"Records": {"s3": {"object": OURS["Records"]["s3"]["object"]}}},
    {"Records": []},
]


@pytest.mark.parametrize("document", FOREIGN)
def test_filter_of_another_form_is_not_ours(document: object) -> None:
    assert filtered(subscription(document), HERE) is None


@STEADY
@given(json_values)
def test_any_filter_can_be_judged(document: object) -> None:
    assert filtered(subscription(json.dumps(document)), HERE) is None


def test_filters_are_compared_by_meaning() -> None:
    assert same_filter(json.dumps(OURS), json.dumps(OURS, indent=2))
    assert same_filter(None, None)
    assert not same_filter(json.dumps(OURS), None)
    assert not same_filter(json.dumps(OURS), json.dumps(changed(x=[])))


def with_a_subscriber(account: Account) -> list[str]:
    """Announce all new logs to a customer's topic that already has a subscription."""
    arns = announced(account)
    (topic,) = account.world.topics
    account.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://team.example.com/")
    account.confirm("https://team.example.com/")
    return arns


def ends(case: Case) -> list[str]:
    return [each.endpoint for each in case.account.world.subscriptions.values()]


def no_more_announced(account: Account) -> None:
    account.s3.put_bucket_notification_configuration(Bucket=CUSTOMERS, NotificationConfiguration={})


def test_subscription_is_found_by_itself_among_others_to_its_topic() -> None:
    """The customer's bucket no longer announces to the topic, so nothing else points to it."""
    case = Case(with_a_subscriber)
    given = properties(*case.arns)
    case.sent("Create", given)
    assert ends(case) == ["https://team.example.com/", ENDPOINT]

    case.customer(no_more_announced)
    case.sent("Delete", given)

    assert ends(case) == ["https://team.example.com/"]
    assert case.left() == []


def test_subscription_that_its_owner_ended_is_made_again() -> None:
    """SNS lists the ended subscription as Deleted for three days."""
    case = Case(adopted)
    given = properties(case.arns[WEB_ALB])
    case.sent("Create", given)
    case.account.unsubscribe(ENDPOINT)

    case.sent("Update", {**given, "RunToken": "2"}, given)

    (again,) = case.account.world.subscriptions.values()
    assert (again.endpoint, again.confirmed) == (ENDPOINT, True)
    case.sent("Delete", given)
    assert case.left() == []


LONGER = (
    '{"http":{"defaultHealthyRetryPolicy":'
    '{"minDelayTarget":40,"maxDelayTarget":40,"numRetries":85}}}'
)


@pytest.mark.parametrize("privileges", ["least-privilege", "documented"])
def test_announcements_are_delivered_again_for_nearly_an_hour(privileges: str) -> None:
    """A different delivery policy is kept, because SNS may return ours in another form."""
    case = Case(adopted)
    given = properties(case.arns[WEB_ALB], Privileges=privileges)
    case.sent("Create", given)
    (topic,) = case.account.world.topics.values()
    assert topic.attributes["DeliveryPolicy"] == LONGER
    topic.attributes["DeliveryPolicy"] = '{"http":{}}'

    answer = case.sent("Update", {**given, "RunToken": "2"}, given)

    assert data(answer, "Warnings") == "none"
    assert topic.attributes["DeliveryPolicy"] == '{"http":{}}'
