"""Which event is a failure's cause, when a stack is at rest, and how an event is shown."""

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dt_logs_cfn.cli.terminal import one_line
from dt_logs_cfn.operate.stacks.following import cause, lines, reason, under_way
from dt_logs_cfn.operate.stacks.stack import at_rest

STACK = "AWS::CloudFormation::Stack"
UUID = "0c9b5a3e-1d5e-4c1f-9f57-000000000000"


def event(
    name: str, status: str, why: str = "", kind: str = "AWS::IAM::Role", at: float = 0.0
) -> Any:
    return {
        "EventId": f"{name}-{status}",
        "Timestamp": datetime.fromtimestamp(at, timezone.utc),
        "LogicalResourceId": name,
        "ResourceType": kind,
        "ResourceStatus": status,
        "ResourceStatusReason": why,
    }


def test_the_cause_is_the_first_failure_that_was_not_only_cancelled() -> None:
    events = [
        event("stack", "CREATE_IN_PROGRESS", "User Initiated", STACK),
        event("Other", "CREATE_FAILED", "Resource creation cancelled"),
        event("Invoke", "CREATE_FAILED", "because"),
        event("Third", "CREATE_FAILED", "later"),
        event("stack", "ROLLBACK_FAILED", "[Third]", STACK),
    ]
    assert cause(events) == events[2]


def test_without_a_resource_s_failure_the_stack_s_own_is_the_cause() -> None:
    events = [event("stack", "ROLLBACK_FAILED", "no role", STACK)]
    assert cause(events) == events[0]
    assert cause([event("stack", "CREATE_COMPLETE", kind=STACK)]) is None
    assert cause([]) is None


@pytest.mark.parametrize(
    ("status", "rests"),
    [
        ("CREATE_COMPLETE", True),
        ("CREATE_IN_PROGRESS", False),
        ("DELETE_COMPLETE", True),
        ("DELETE_FAILED", True),
        ("REVIEW_IN_PROGRESS", True),
        ("ROLLBACK_FAILED", True),
        ("ROLLBACK_IN_PROGRESS", False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", False),
        ("UPDATE_ROLLBACK_FAILED", True),
    ],
)
def test_a_stack_rests_in_every_status_that_is_not_in_progress(status: str, rests: bool) -> None:
    assert at_rest(status) is rests


@pytest.mark.parametrize(
    "wrapped",
    [
        "because. Do this.",
        "Received response status [FAILED] from custom resource. Message returned: because."
        f" Do this. (RequestId: {UUID})",
        "Received response status [FAILED] from custom resource. Message returned: because.\n"
        f" Do this. See the details in CloudWatch Log Stream: 2026/11/01/[$LATEST]a (RequestId:"
        f" {UUID})",
    ],
)
def test_a_custom_resource_s_own_words_are_taken_out(wrapped: str) -> None:
    assert reason(wrapped) == "because. Do this."


def test_a_reason_hides_what_may_be_a_token_and_is_cut() -> None:
    told = reason(f"https://u:SECRET@h.example.com/SECRET?t=SECRET says {'x' * 3000}")
    assert told.startswith("https://h.example.com/… says xxx")
    assert (len(told), told[-1]) == (1500, "…")


@given(st.text())
def test_what_came_from_elsewhere_cannot_steer_a_terminal(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert shown == shown.strip() and "  " not in shown


def test_an_event_is_a_line_of_time_status_name_and_reason() -> None:
    events = [
        event("s", "CREATE_IN_PROGRESS", kind=STACK, at=100.0),
        event("Invoke", "CREATE_FAILED", "because\nof https://h/SECRET", at=165.9),
        event("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", kind=STACK, at=4000.0),
        event("Role", "DELETE_COMPLETE", at=4001.0),
    ]
    assert list(lines(events, 1)) == [
        "01:05  CREATE_FAILED       Invoke: because of https://h/…",
        "1:05:00  UPDATE_COMPLETE_CLEANUP_IN_PROGRESS  s",
        "1:05:01  DELETE_COMPLETE                      Role",
    ]


def test_how_far_a_stack_is() -> None:
    begun = event("s", "CREATE_IN_PROGRESS", kind=STACK)
    assert under_way([], "CREATE_IN_PROGRESS", 3) == "CREATE_IN_PROGRESS"
    events = [begun, event("A", "CREATE_IN_PROGRESS"), event("B", "CREATE_IN_PROGRESS")]
    assert under_way([*events, event("A", "CREATE_COMPLETE")], "CREATE_IN_PROGRESS", 3) == (
        "1 of 3 resources done, waiting for B"
    )
    assert under_way(events, "CREATE_IN_PROGRESS", 0) == ("0 of 2 resources done, waiting for A, B")
    assert under_way(events, "ROLLBACK_IN_PROGRESS", 3) == (
        "ROLLBACK_IN_PROGRESS, waiting for A, B"
    )
