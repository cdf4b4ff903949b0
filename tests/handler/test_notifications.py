"""Editing notifications, and predicting S3's refusals before anything is written."""

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import topic_arn
from support.states import HERE
from support.strategies import STEADY, configurations

from dt_logs_handler.errors import Refused
from dt_logs_handler.names import Location
from dt_logs_handler.notifications import NotificationEdit, covering_topic, encoded, entry, own

TOPIC = topic_arn("logs")
THEIRS = "arn:aws:sns:us-east-1:123456789012:theirs"
WEB = Location("logs", "web")
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
        kind: sorted(json.dumps(each, sort_keys=True) for each in value)
        if isinstance(value, list)
        else value
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


@pytest.mark.parametrize(
    ("key", "value"),
    [("a b", "a+b"), ("a+b", "a%2Bb"), ("a/b", "a/b"), ("ü", "%C3%BC"), ("(a)*!'", "(a)*!'")],
)
def test_keys_are_encoded_as_s3_does(key: str, value: str) -> None:
    assert encoded(key) == value


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


def test_entry_in_another_form_is_left_alone() -> None:
    """S3 capitalises filter names in its answers, and may reorder the rules."""
    answered = ours("web")
    rules = answered["Filter"]["Key"]["FilterRules"]
    answered["Filter"] = {
        "Key": {"FilterRules": [{**each, "Name": each["Name"].title()} for each in rules[::-1]]}
    }
    configuration: Any = {"TopicConfigurations": [answered]}
    assert coming("web").applied(configuration) == configuration


def test_entry_to_another_topic_is_put_right_in_its_place() -> None:
    theirs = {"Id": "theirs", "TopicArn": THEIRS, "Events": ["s3:ObjectRemoved:*"]}
    configuration: Any = {"TopicConfigurations": [ours("web", THEIRS), theirs]}
    after = coming("web").applied(configuration)
    assert after == {"TopicConfigurations": [ours("web"), theirs]}


ARNS = {
    "Topic": ("TopicArn", THEIRS),
    "Queue": ("QueueArn", "arn:aws:sqs:us-east-1:123456789012:theirs"),
    "LambdaFunction": (
        "LambdaFunctionArn",
        "arn:aws:lambda:us-east-1:123456789012:function:theirs",
    ),
}


def foreign(events: list[str], kind: str = "Topic", **rules: str) -> dict[str, Any]:
    """Return a configuration with a single entry of somebody else's."""
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


@pytest.mark.parametrize("configuration", APART)
def test_entries_apart_from_ours_are_not_in_the_way(configuration: dict[str, Any]) -> None:
    assert covering(configuration) is None
    assert covering(configuration, share=False) is None


COVERING = [
    foreign([CREATED]),
    foreign([CREATED, "s3:ObjectRemoved:*"]),
    foreign([CREATED], prefix="web/"),
    foreign([CREATED], Prefix="web/AWSLogs/"),
    foreign([CREATED], suffix=".gz"),
    foreign([CREATED], PREFIX="web/", SUFFIX="log.gz"),
    foreign([CREATED], prefix=f"web/{BELOW}", suffix=".log.gz"),
]


@pytest.mark.parametrize("configuration", COVERING)
def test_topic_that_is_told_of_every_log_object_is_shared(configuration: dict[str, Any]) -> None:
    """If the role may not unsubscribe, the topic is not shared."""
    assert covering(configuration) == THEIRS
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
    with pytest.raises(Refused) as refused:
        covering(configuration)
    ((item, *_),) = configuration.values()
    assert "their-entry" in refused.value.what
    assert next(value for key, value in item.items() if key.endswith("Arn")) in refused.value.what
    assert "logs" in refused.value.what and "below web" in refused.value.what
    assert refused.value.bucket == "logs"
    assert "prefix or suffix" in refused.value.fix


def test_entry_without_an_id_is_named_by_its_destination() -> None:
    configuration = foreign(["s3:ObjectCreated:Put"])
    del configuration["TopicConfigurations"][0]["Id"]
    with pytest.raises(Refused, match=THEIRS):
        covering(configuration)


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


def test_encoded_prefix_is_compared_by_its_meaning() -> None:
    location = Location("logs", "my logs")
    assert covering(foreign([CREATED], prefix="my+logs/"), location) == THEIRS


def _overlaps(item: dict[str, Any], start: str) -> bool:
    rules = item.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    values = {each["Name"].lower(): each["Value"] for each in rules}
    prefix = {"a+b%2F": "a b/"}.get(values.get("prefix", ""), values.get("prefix", ""))
    created = any(each.startswith("s3:ObjectCreated:") for each in item["Events"])
    return created and (start.startswith(prefix) or prefix.startswith(start))
