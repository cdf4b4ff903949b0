"""Names, marks, lifecycle rules, tags and policies: what is ours, and what means the same."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import (
    ACCOUNT,
    CHINA,
    HERE,
    OTHER_BUCKET,
    OTHER_TAG,
    OWN_BUCKET,
    STACK,
    TAG,
    registration,
)
from support.strategies import STEADY, json_values, policies

from dt_logs_handler.documents import compact, parsed, same
from dt_logs_handler.model import (
    Absent,
    Bucket,
    Logging,
    SetRetention,
    SetTags,
    State,
    Unreadable,
)
from dt_logs_handler.names import (
    Location,
    Stack,
    is_kept,
    is_own_bucket_name,
    is_own_notification,
    marked,
    unmarked,
)
from dt_logs_handler.register import PolicyEdit

# Names, which every release must recognise

TOPICS = "arn:aws:sns:us-east-1:123456789012:dt-logs-analysis-1-"


def test_stack_has_its_names_and_is_where_its_id_says() -> None:
    assert HERE.tag == "558d71137e72"
    assert HERE.own_buckets == (
        "dt-logs-analysis-558d71137e72-123456789012-us-east-1-an",
        "dt-logs-analysis-558d71137e72-123456789012-us-east-1",
    )
    assert HERE.physical_id("InvokeLambdaFunction") == "dt-logs-analysis-97b827b9453c4919733248a2"
    assert Stack.of(STACK) == HERE
    assert (CHINA.partition, CHINA.region, CHINA.account) == ("aws-cn", "cn-north-1", ACCOUNT)
    for longest in ("ap-southeast-1", "ap-northeast-1", "cn-northwest-1"):
        for name in Stack(STACK, "aws", longest, ACCOUNT).own_buckets:
            assert len(name) <= 63 and is_own_bucket_name(name)


@pytest.mark.parametrize(
    ("stack", "bucket", "arn"),
    [
        (HERE, "logs", f"{TOPICS}logs"),
        (HERE, "my.logs", f"{TOPICS}my-logs_708feaf211901512"),
        # Until March 2018, us-east-1 also accepted these names; each has its own topic.
        (HERE, "my_logs", f"{TOPICS}my-logs_c95a47dce1078038"),
        (HERE, "My.Logs", f"{TOPICS}My-Logs_976a77b6e9693705"),
        (HERE, "My-Logs", f"{TOPICS}My-Logs"),
        (HERE, "a" * 255, f"{TOPICS}{'a' * 63}_b0f3323e7a3cad8a"),
        (CHINA, "logs", "arn:aws-cn:sns:cn-north-1:123456789012:dt-logs-analysis-1-logs"),
    ],
)
def test_topic_is_named_by_its_bucket(stack: Stack, bucket: str, arn: str) -> None:
    assert stack.topic_arn(bucket) == arn


# Every name that S3 has ever accepted.
bucket_names = st.from_regex(r"[A-Za-z0-9._-]{3,255}", fullmatch=True)


@STEADY
@given(bucket_names, bucket_names)
def test_topics_of_two_buckets_have_two_names_that_sns_takes(one: str, other: str) -> None:
    names = [HERE.topic_arn(each).rpartition(":")[2] for each in (one, other)]
    assert (names[0] == names[1]) is (one == other)
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,256}", each) for each in names)


@pytest.mark.parametrize(
    ("prefix", "mark"),
    [
        ("dt-logs-analysis/558d71137e72", TAG),
        ("web/dt-logs-analysis/fb7ba5fdcc1c", OTHER_TAG),
        ("", None),
        ("dt-logs-analysis", None),
        ("dt-logs-analysis/558d71137e7", None),
        ("dt-logs-analysis/558d71137e72x", None),
        ("dt-logs-analysis/558D71137E72", None),
        ("dt-logs-analysis/558d71137e72/web", None),
        ("my-dt-logs-analysis/558d71137e72", None),
    ],
)
def test_mark_is_at_the_end_of_the_prefix(prefix: str, mark: str | None) -> None:
    assert Location("logs", prefix).mark == mark


# ELB refuses a prefix that begins or ends with a slash.
prefixes = st.from_regex(r"(?:[a-zA-Z0-9!_.*'()?$-][a-zA-Z0-9!_.*'()?$/ -]{0,20})?", fullmatch=True)
prefixes = prefixes.filter(lambda prefix: not prefix.endswith("/"))


@STEADY
@given(prefixes, st.sampled_from([TAG, OTHER_TAG]), st.booleans())
@example("", TAG, True)
@example("_", TAG, True)
@example("_/web", TAG, True)
def test_mark_is_put_once_and_taken_off_again(prefix: str, tag: str, kept: bool) -> None:
    """The mark shows whether the customer chose bucket and prefix; if so, both can be restored."""
    assert unmarked(prefix) == prefix
    there = marked(prefix, tag, kept=kept)
    assert Location("logs", there).mark == tag
    assert is_kept(there) is kept
    assert unmarked(there) == (prefix if kept else "")
    assert marked(there, OTHER_TAG, kept=kept) == marked(prefix, OTHER_TAG, kept=kept)


@pytest.mark.parametrize(
    ("name", "notification", "bucket"),
    [
        ("dt-logs-analysis-1-0123456789abcdef", True, False),
        ("dt-logs-analysis-27-0123456789abcdef", True, False),  # from a future release
        ("dt-logs-analysis-1-0123456789abcde", False, False),
        ("dt-logs-analysis-x-0123456789abcdef", False, False),
        ("dt-logs-analysis", False, False),
        ("", False, False),
        ("dt-logs-analysis-558d71137e72-123456789012-us-east-1-an", False, True),
        ("dt-logs-analysis-558d71137e72-123456789012-us-east-1", False, True),
        ("dt-logs-analysis-logs", False, False),
        ("dt-logs-analysis-558d71137e72", False, False),
        ("my-dt-logs-analysis-558d71137e72-123456789012-us-east-1", False, False),
    ],
)
def test_notification_and_bucket_of_any_stack_are_known_by_their_names(
    name: str, notification: bool, bucket: bool
) -> None:
    """Stacks at the same location share one notification; each location has its own one."""
    assert (is_own_notification(name), is_own_bucket_name(name)) == (notification, bucket)
    assert is_own_notification(Location("logs", name).notification_id)
    assert Location("logs", "").notification_id == "dt-logs-analysis-1-2beb4a5283f1446f"
    assert Location("logs", "a").notification_id != Location("logs", "b").notification_id


# Who turned logging on

MARK, OTHERS = f"web/dt-logs-analysis/{TAG}", f"web/dt-logs-analysis/{OTHER_TAG}"
OURS_TOO = f"known/dt-logs-analysis/{TAG}"
KNOWN = frozenset({Location("logs", OURS_TOO)})
ONE = "app/other/0000000000000009"
MADE = Bucket("logs", tags={"dt-logs-analysis:stack": OTHER_TAG})
PLAIN = Bucket("logs")


def holding(stack: str, prefix: str, turned_on: bool, *names: str) -> Bucket:
    """Return the bucket `logs`, in which a stack has registered a location."""
    claim = registration(prefix, *names, stack=stack, turned_on=turned_on)
    return Bucket("logs", policy=PolicyEdit((claim.statement(HERE),)).applied(None))


TURNED_ON: dict[str, tuple[Bucket | Absent | Unreadable | None, str, str, str | None]] = {
    "no mark": (holding(TAG, "web", True), "logs", "web", None),
    "no mark in our bucket": (None, OWN_BUCKET, "web", None),
    "registered": (holding(TAG, MARK, True), "logs", MARK, TAG),
    "by another": (holding(OTHER_TAG, OTHERS, True), "logs", OTHERS, OTHER_TAG),
    "shared": (holding(OTHER_TAG, MARK, True), "logs", MARK, TAG),
    "for another": (holding(TAG, MARK, True, ONE), "logs", MARK, TAG),
    "as a customer's": (holding(TAG, MARK, False), "logs", MARK, None),
    "elsewhere": (holding(TAG, "web", True), "logs", MARK, None),
    "nothing registered": (PLAIN, "logs", MARK, None),
    "made by one of ours": (MADE, "logs", MARK, TAG),
    "our name": (Bucket(OWN_BUCKET), OWN_BUCKET, MARK, TAG),
    "our name, not read": (None, OTHER_BUCKET, OTHERS, OTHER_TAG),
    "our name, closed": (Unreadable("Access Denied"), OTHER_BUCKET, OTHERS, OTHER_TAG),
    "unreadable": (Unreadable("Access Denied"), "logs", MARK, None),
    "not read": (None, "logs", MARK, None),
    "gone": (Absent(), "logs", MARK, TAG),
    "known": (PLAIN, "logs", OURS_TOO, TAG),
    "known elsewhere": (PLAIN, "logs", f"x{OURS_TOO}", None),
}


@pytest.mark.parametrize(("found", "bucket", "prefix", "tag"), TURNED_ON.values(), ids=TURNED_ON)
@pytest.mark.parametrize("enabled", [True, False])
def test_logging_is_ours_by_its_mark_and_what_is_registered_there(
    found: Bucket | Absent | Unreadable | None,
    bucket: str,
    prefix: str,
    tag: str | None,
    enabled: bool,
) -> None:
    """A controller that sets another bucket but keeps the prefix has taken over the logging."""
    state = State({}, {bucket: found} if found else {}, None, ours=KNOWN)
    assert state.turned_on(Logging(enabled, bucket, prefix), HERE) == tag


# Retention and tags beside others'

THEIRS = {"ID": "org", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
V1 = {"ID": "old", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 7}}
OURS = {
    "ID": "dt-logs-analysis",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "Expiration": {"Days": 30},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def without(key: str) -> dict[str, Any]:
    return {each: OURS[each] for each in OURS if each != key}


OURS_V1 = {**without("Filter"), "Prefix": ""}
SIZE = {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}


@pytest.mark.parametrize(
    ("lifecycle", "after"),
    [
        ({}, {"Rules": [OURS]}),
        ({"Rules": [THEIRS]}, {"Rules": [THEIRS, OURS]}),
        ({"Rules": [V1]}, {"Rules": [V1, OURS_V1]}),
        ({"Rules": [V1, OURS]}, {"Rules": [V1, OURS_V1]}),
        ({"Rules": [OURS_V1, THEIRS]}, {"Rules": [THEIRS, OURS]}),
        ({"Rules": [{**OURS, "Status": "Disabled"}]}, {"Rules": [OURS]}),
        ({"Rules": [THEIRS], **SIZE}, {"Rules": [THEIRS, OURS], **SIZE}),
    ],
)
def test_retention_comes_beside_the_rules_of_others(
    lifecycle: dict[str, Any], after: dict[str, Any]
) -> None:
    """S3 refuses rules with a filter beside rules without one, and a put replaces all rules."""
    step = SetRetention("logs", 30)
    assert step.applied(lifecycle) == after
    assert step.applied(after) == after
    assert Bucket("logs", lifecycle=after).retention == 30


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (OURS, 30),
        (OURS_V1, 30),
        ({**OURS, "Status": "Disabled"}, None),
        ({**OURS, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}, None),
        (without("NoncurrentVersionExpiration"), None),
        (without("Expiration"), None),
        ({**OURS, "Expiration": {"Date": "2030-01-01"}}, None),
        ({**OURS, "ID": "org"}, None),
        (THEIRS, None),
    ],
)
def test_retention_is_read_where_it_holds_for_versions_too(rule: Any, days: int | None) -> None:
    """If versioning is on, a rule that does not cover versions never really deletes a log."""
    assert Bucket("logs", lifecycle={"Rules": [THEIRS, rule]}).retention == days


def test_tags_of_others_are_kept() -> None:
    step = SetTags("logs", {"team": "b", "mine": "x"}, frozenset({"old", "team"}))
    after = step.applied({"theirs": "1", "old": "2", "team": "a"})
    assert after == {"theirs": "1", "team": "b", "mine": "x"}


# Policies are compared by meaning, because AWS writes the same thing in several ways.

STATEMENT: dict[str, Any] = {
    "Sid": "One",
    "Effect": "Allow",
    "Principal": {"AWS": ["111122223333", "444455556666"]},
    "Action": ["s3:GetObject"],
    "Resource": "arn:aws:s3:::logs/*",
    "Condition": {"Bool": {"aws:SecureTransport": "true"}},
}
OTHER = {"Sid": "Two", "Effect": "Allow"}


def written(*statements: Any, **rest: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [*statements], **rest})


def changed(**elements: object) -> str:
    """Return a policy with one statement: `STATEMENT` with some elements changed."""
    return written({**STATEMENT, **elements})


BASE = written(STATEMENT)
SAME = [
    json.dumps(json.loads(BASE), indent=2, sort_keys=True),
    written(Statement=STATEMENT),
    changed(Action="s3:GetObject"),
    changed(Resource=["arn:aws:s3:::logs/*"]),
    changed(Principal={"AWS": ["444455556666", "111122223333"]}),
    changed(Principal={"AWS": ["arn:aws:iam::111122223333:root", "444455556666"]}),
    changed(Condition={"Bool": {"aws:SecureTransport": True}}),
    changed(Condition={"Bool": {"aws:SecureTransport": ["true"]}}),
]
DIFFERENT = [
    None,
    written(STATEMENT, Version="2008-10-17"),
    written(STATEMENT, Id="x"),
    written(STATEMENT, STATEMENT),
    changed(Effect="Deny"),
    changed(Sid="Two"),
    changed(Action="s3:getobject"),
    changed(Principal={"AWS": "111122223333"}),
    changed(Principal="*"),
    changed(Condition={"Bool": {"aws:SecureTransport": "false"}}),
    changed(Condition={}),
]


@pytest.mark.parametrize(
    ("other", "means_the_same"),
    [*((each, True) for each in SAME), *((each, False) for each in DIFFERENT)],
)
def test_policies_are_compared_by_meaning(other: str | None, means_the_same: bool) -> None:
    """S3 keeps the order of statements, so the customer's statements must keep their order."""
    assert same(BASE, other) is means_the_same
    assert not same(written(STATEMENT, OTHER), written(OTHER, STATEMENT))


@STEADY
@given(policies(), policies())
def test_sameness_is_an_equivalence(one: str | None, other: str | None) -> None:
    assert same(one, one)
    assert same(one, other) == same(other, one)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "7", '"x"', "null"])
def test_what_is_no_object_is_no_policy(text: str) -> None:
    with pytest.raises(ValueError):
        parsed(text)


@STEADY
@given(json_values)
def test_compact_json_keeps_the_value(value: object) -> None:
    assert json.loads(compact(value)) == value


def test_lone_surrogate_is_escaped_because_utf_8_cannot_encode_it() -> None:
    text = compact({"Resource": "\ud83d/ü"})
    assert text.encode() == b'{"Resource":"\\ud83d/\xc3\xbc"}'
    assert json.loads(text) == {"Resource": "\ud83d/ü"}
