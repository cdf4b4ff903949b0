"""A state shows who turned logging on and how long logs are kept; steps change it."""

from dataclasses import replace
from typing import Any

import pytest
from support.events import OTHER_BUCKET, OTHER_TAG, OWN_BUCKET, TAG
from support.states import HERE, registration, state

from dt_logs_handler.model import Bucket, Logging, SetRetention, SetTags, State
from dt_logs_handler.names import Location
from dt_logs_handler.register import PolicyEdit

MARK, OTHERS = f"web/dt-logs-analysis/{TAG}", f"web/dt-logs-analysis/{OTHER_TAG}"


KNOWN = frozenset({Location("logs", MARK)})
ONE = "app/other/0000000000000009"
MADE = Bucket("logs", tags={"dt-logs-analysis:stack": OTHER_TAG})
PLAIN = state(buckets=(Bucket("logs"),))


def holding(stack: str, prefix: str, turned_on: bool, *names: str) -> State:
    """Return a state in which a stack has registered a location of the bucket `logs`."""
    claim = registration(prefix, *names, stack=stack, turned_on=turned_on)
    policy = PolicyEdit((claim.statement(HERE),)).applied(None)
    return state(buckets=(Bucket("logs", policy=policy),))


TURNED_ON: dict[str, tuple[State, str, str, str | None]] = {
    "no mark": (holding(TAG, "web", True), "logs", "web", None),
    "no mark in our bucket": (state(), OWN_BUCKET, "web", None),
    "registered": (holding(TAG, MARK, True), "logs", MARK, TAG),
    "by another": (holding(OTHER_TAG, OTHERS, True), "logs", OTHERS, OTHER_TAG),
    "shared": (holding(OTHER_TAG, MARK, True), "logs", MARK, TAG),
    "for another": (holding(TAG, MARK, True, ONE), "logs", MARK, TAG),
    "as a customer's": (holding(TAG, MARK, False), "logs", MARK, None),
    "elsewhere": (holding(TAG, "web", True), "logs", MARK, None),
    "nothing registered": (PLAIN, "logs", MARK, None),
    "made by one of ours": (state(buckets=(MADE,)), "logs", MARK, TAG),
    "our name": (state(buckets=(Bucket(OWN_BUCKET),)), OWN_BUCKET, MARK, TAG),
    "our name, not read": (state(), OTHER_BUCKET, OTHERS, OTHER_TAG),
    "our name, closed": (state(unreadable=(OTHER_BUCKET,)), OTHER_BUCKET, OTHERS, OTHER_TAG),
    "unreadable": (state(unreadable=("logs",)), "logs", MARK, None),
    "not read": (state(), "logs", MARK, None),
    "gone": (state(absent=("logs",)), "logs", MARK, TAG),
    "known": (replace(PLAIN, ours=KNOWN), "logs", MARK, TAG),
    "known elsewhere": (replace(PLAIN, ours=KNOWN), "logs", OTHERS, None),
}


@pytest.mark.parametrize(("found", "bucket", "prefix", "tag"), TURNED_ON.values(), ids=TURNED_ON)
@pytest.mark.parametrize("enabled", [True, False])
def test_logging_is_ours_by_its_mark_and_what_is_registered_there(
    found: State, bucket: str, prefix: str, tag: str | None, enabled: bool
) -> None:
    """A controller that sets another bucket and leaves the prefix has taken over the logging."""
    assert found.turned_on(Logging(enabled, bucket, prefix), HERE) == tag


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
OURS_V1 = {**{key: OURS[key] for key in OURS if key != "Filter"}, "Prefix": ""}
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
        (SetRetention("logs", 365).applied({})["Rules"], 365),
        ({**OURS, "Status": "Disabled"}, None),
        ({**OURS, "NoncurrentVersionExpiration": {"NoncurrentDays": 7}}, None),
        ({key: OURS[key] for key in OURS if key != "NoncurrentVersionExpiration"}, None),
        ({key: OURS[key] for key in OURS if key != "Expiration"}, None),
        ({**OURS, "Expiration": {"Date": "2030-01-01"}}, None),
        ({**OURS, "ID": "org"}, None),
        ([], None),
    ],
)
def test_retention_is_read_where_it_holds_for_versions_too(rule: Any, days: int | None) -> None:
    """If versioning is on, a rule that does not cover versions never really deletes a log."""
    rules = rule if isinstance(rule, list) else [rule]
    assert Bucket("logs", lifecycle={"Rules": [THEIRS, *rules]}).retention == days


def test_tags_of_others_are_kept() -> None:
    step = SetTags("logs", {"team": "b", "mine": "x"}, frozenset({"old", "team"}))
    assert step.applied({"theirs": "1", "old": "2", "team": "a"}) == {
        "theirs": "1",
        "team": "b",
        "mine": "x",
    }
    assert step.applied({}) == {"team": "b", "mine": "x"}
