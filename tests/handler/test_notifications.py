"""Notifications, topic policies and subscription filters: our own, and others beside them."""

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import CHINA, HERE, topic_arn
from support.strategies import STEADY, configurations, json_values

from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Subscription
from dt_logs_handler.names import Location
from dt_logs_handler.notifications import (
    NotificationEdit,
    covering_topic,
    encoded,
    entry,
    filter_policy,
    filtered,
    narrowed_filter,
    own,
    same_filter,
    topic_policy,
)

TOPIC = topic_arn("logs")
THEIRS = "arn:aws:sns:us-east-1:123456789012:theirs"
WEB, ROOT, ODD = Location("logs", "web"), Location("logs", ""), Location("logs", "my logs+ü")
BELOW = "AWSLogs/123456789012/elasticloadbalancing/us-east-1/"


def ours(prefix: str, topic: str = TOPIC) -> dict[str, Any]:
    return dict(entry(Location("logs", prefix), topic, HERE))


def coming(*prefixes: str) -> NotificationEdit:
    """Return the edit that adds our entries for these prefixes."""
    return NotificationEdit(put=tuple(map(ours, prefixes)))


def going(*prefixes: str) -> NotificationEdit:
    return NotificationEdit(drop=frozenset(ours(prefix)["Id"] for prefix in prefixes))


def unordered(configuration: Any) -> Any:
    """Return a configuration in a comparable form that ignores the order of its lists."""
    return {
        kind: value if isinstance(value, dict) else sorted(map(json.dumps, value))
        for kind, value in configuration.items()
    }


prefixes = st.lists(st.sampled_from(["", "web", "api/x"]), min_size=1, max_size=3, unique=True)


def test_entry_announces_log_objects_and_nothing_else() -> None:
    assert entry(WEB, TOPIC, HERE) == {
        "Id": "dt-logs-analysis-1-1a808a46157ee0e5",
        "TopicArn": TOPIC,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {
            "Key": {
                "FilterRules": [
                    {"Name": "prefix", "Value": f"web/{BELOW}"},
                    {"Name": "suffix", "Value": ".log.gz"},
                ]
            }
        },
    }
    keys = {"a b": "a+b", "a+b": "a%2Bb", "a/b": "a/b", "ü": "%C3%BC", "(a)*!'": "(a)*!'"}
    assert {key: encoded(key) for key in keys} == keys  # as S3 does


@STEADY
@given(configurations(), prefixes)
def test_what_came_goes_and_leaves_the_rest_as_it_was(
    configuration: dict[str, Any], prefixes: list[str]
) -> None:
    """S3 turns EventBridge off if a new configuration leaves it out."""
    before = copy.deepcopy(configuration)
    edit = coming(*prefixes)
    there = edit.applied(configuration)
    assert set(own(there)) == {ours(prefix)["Id"] for prefix in prefixes}
    assert edit.applied(there) == NotificationEdit().applied(there) == there
    assert going(*prefixes).applied(there) == configuration == before
    theirs = before.pop("TopicConfigurations", [])
    topics = there["TopicConfigurations"]
    assert isinstance(topics, list)
    assert topics[: len(theirs)] == theirs
    assert {**there, "TopicConfigurations": theirs} == {**before, "TopicConfigurations": theirs}


@STEADY
@given(configurations(), prefixes, prefixes)
def test_edits_of_two_stacks_commute(
    configuration: dict[str, Any], mine: list[str], others: list[str]
) -> None:
    """At the same location, stacks put the same entry; elsewhere, each keeps the other's entry."""
    first, second = coming(*mine), coming(*others)
    one = second.applied(first.applied(configuration))
    two = first.applied(second.applied(configuration))
    assert unordered(one) == unordered(two)
    left = going(*set(mine) - set(others))
    assert unordered(left.applied(one)) == unordered(second.applied(configuration))


def test_entry_is_put_right_in_its_place_but_left_alone_in_another_form() -> None:
    """S3 capitalises filter names in its answers, and may reorder the rules."""
    answered = ours("web")
    rules = answered["Filter"]["Key"]["FilterRules"]
    answered["Filter"] = {
        "Key": {"FilterRules": [{**each, "Name": each["Name"].title()} for each in rules[::-1]]}
    }
    configuration: Any = {"TopicConfigurations": [answered]}
    assert coming("web").applied(configuration) == configuration
    theirs = {"Id": "theirs", "TopicArn": THEIRS, "Events": ["s3:ObjectRemoved:*"]}
    configuration = {"TopicConfigurations": [ours("web", THEIRS), theirs]}
    after = coming("web").applied(configuration)
    assert after == {"TopicConfigurations": [ours("web"), theirs]}


# Others' entries: apart from ours, covering ours, or in the way

ARNS = {
    "Topic": ("TopicArn", THEIRS),
    "Queue": ("QueueArn", "arn:aws:sqs:us-east-1:123456789012:theirs"),
    "LambdaFunction": (
        "LambdaFunctionArn",
        "arn:aws:lambda:us-east-1:123456789012:function:theirs",
    ),
}


def foreign(events: list[str], kind: str = "Topic", **rules: str) -> dict[str, Any]:
    """Return a configuration with one entry, which is not ours."""
    key, arn = ARNS[kind]
    filters = [{"Name": name, "Value": value} for name, value in rules.items()]
    limited = {"Filter": {"Key": {"FilterRules": filters}}} if rules else {}
    item = {"Id": "their-entry", key: arn, "Events": events, **limited}
    return {f"{kind}Configurations": [item]}


def covering(configuration: Any, location: Location = WEB, *, share: bool = True) -> str | None:
    return covering_topic(configuration, location, HERE, share=share)


CREATED = "s3:ObjectCreated:*"
APART = [
    foreign(["s3:ObjectRemoved:*"]),
    foreign([CREATED], prefix="img/"),
    foreign([CREATED], prefix="api/AWSLogs/"),
    foreign([CREATED], suffix=".jpg"),
    foreign([CREATED], Prefix="web/", Suffix=".csv"),
    foreign(["s3:ObjectTagging:Put", "s3:ObjectRestore:*"], "Queue"),
    {"TopicConfigurations": [ours(prefix) for prefix in ("", "web", "api")]},
    {"EventBridgeConfiguration": {}},
    {},
]
COVERING = [
    foreign([CREATED]),
    foreign([CREATED, "s3:ObjectRemoved:*"]),
    foreign([CREATED], prefix="web/"),
    foreign([CREATED], Prefix="web/AWSLogs/"),
    foreign([CREATED], suffix=".gz"),
    foreign([CREATED], PREFIX="web/", SUFFIX="log.gz"),
    foreign([CREATED], prefix=f"web/{BELOW}", suffix=".log.gz"),
]


@pytest.mark.parametrize(
    ("configuration", "topic"),
    [*((each, None) for each in APART), *((each, THEIRS) for each in COVERING)],
)
def test_topic_that_is_told_of_every_log_object_is_shared(
    configuration: dict[str, Any], topic: str | None
) -> None:
    """Entries in APART do not conflict. If the role may not unsubscribe, no topic is shared."""
    assert covering(configuration) == topic
    if topic is None:
        assert covering(configuration, share=False) is None
    else:
        with pytest.raises(Refused, match="their-entry"):
            covering(configuration, share=False)


OTHERS = [
    "arn:aws:sns:us-east-1:210987654321:theirs",
    "arn:aws:sns:eu-west-1:123456789012:theirs",
    "arn:aws:sns:us-east-1:123456789012:theirs.fifo",
]
IN_THE_WAY = [
    foreign(["s3:ObjectCreated:Put"]),
    foreign([CREATED], prefix=f"web/{BELOW}2026/"),
    foreign([CREATED], suffix="x.log.gz"),
    foreign([CREATED], "Queue"),
    foreign([CREATED], "LambdaFunction", prefix="web"),
    foreign(["s3:ObjectCreated:CompleteMultipartUpload"], "Queue", prefix="web/"),
    *(json.loads(json.dumps(foreign([CREATED])).replace(THEIRS, each)) for each in OTHERS),
    {  # a topic is shared only if no other entry overlaps
        "TopicConfigurations": [
            *foreign([CREATED], prefix="web/")["TopicConfigurations"],
            *foreign([CREATED], prefix=f"web/{BELOW}2026/")["TopicConfigurations"],
        ]
    },
]


@pytest.mark.parametrize("configuration", IN_THE_WAY)
def test_entry_that_cannot_be_shared_is_named(configuration: dict[str, Any]) -> None:
    """The error names the entry's Id, if there is one, and its destination."""
    configuration = copy.deepcopy(configuration)
    ((item, *_),) = configuration.values()
    destination = next(value for key, value in item.items() if key.endswith("Arn"))
    for identifier in ("their-entry", None):
        with pytest.raises(Refused) as refused:
            covering(
                json.loads(
                    json.dumps(configuration).replace('"their-entry"', json.dumps(identifier))
                )
            )
        assert (identifier or "(no Id)") in refused.value.what
        assert destination in refused.value.what
        assert "logs" in refused.value.what and "below web" in refused.value.what
        assert refused.value.bucket == "logs"
        assert "prefix or suffix" in refused.value.fix
        item.pop("Id", None)


@STEADY
@given(configurations(), st.sampled_from(["", "web", "img", "a b/"]))
@example({"TopicConfigurations": []}, "web")
@example(foreign([CREATED], prefix="my%20web/"), "my logs")
def test_what_is_found_free_has_no_overlap_by_aws_rule(
    configuration: dict[str, Any], prefix: str
) -> None:
    """S3 refuses two entries with a common event type if both prefixes and suffixes overlap."""
    location = Location("logs", prefix.strip("/"))
    try:
        free = covering(configuration, location) is None
    except Refused:
        free = False
    start = f"{location.prefix}/{BELOW}" if location.prefix else BELOW
    items = [each for value in configuration.values() for each in value]
    assert free == (not any(_overlaps(each, start) for each in items))
    # An encoded prefix is decoded before it is compared.
    assert covering(foreign([CREATED], prefix="my+logs/"), Location("logs", "my logs")) == THEIRS


def _overlaps(item: dict[str, Any], start: str) -> bool:
    rules = item.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    values = {each["Name"].lower(): each["Value"] for each in rules}
    prefix = {"a+b%2F": "a b/"}.get(values.get("prefix", ""), values.get("prefix", ""))
    created = any(each.startswith("s3:ObjectCreated:") for each in item["Events"])
    return created and (start.startswith(prefix) or prefix.startswith(start))


# Topics' policies, and the filters that identify our subscriptions to foreign topics


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


def subscription(document: object) -> Subscription:
    text = document if isinstance(document, str | None) else json.dumps(document)
    return Subscription("arn:aws:sns:us-east-1:123456789012:t:1", "t", "https", "e", text)


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


@STEADY
@given(st.lists(st.sampled_from([WEB, ROOT, ODD]), min_size=1, unique=True))
def test_our_filter_is_known_again_by_its_keys_and_can_be_narrowed(found: list[Location]) -> None:
    text = filter_policy("logs", found, HERE)
    read = filtered(subscription(text), HERE)
    assert read is not None
    bucket, keys = read
    assert (bucket, len(keys)) == ("logs", len(found))
    assert all(key.endswith(BELOW) for key in keys)
    assert same_filter(narrowed_filter(bucket, keys), text)
    assert same_filter(json.dumps(json.loads(text), indent=2), text)
    assert same_filter(None, None) and not same_filter(text, None)


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
