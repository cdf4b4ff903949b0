"""How a stack is followed: the events shown, a failure's cause, and unanswered calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, UnauthorizedSSOTokenError
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st
from support.commands import Seat

from dt_logs_cfn.cli.terminal import Operator, one_line
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks import following
from dt_logs_cfn.operate.stacks.following import Ended, under_way
from dt_logs_cfn.operate.stacks.stack import at_rest

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1"
UUID = "0c9b5a3e-1d5e-4c1f-9f57-000000000000"
WRAPPED = "Received response status [FAILED] from custom resource. Message returned: because."
Step = Callable[["Fake"], None]


def event(status: str, name: str = "s", why: str = "", at: float = 0.0) -> dict[str, Any]:
    """Return an event of the stack `s` or of one of its resources."""
    return {
        "EventId": f"{name}-{status}-{at}",
        "Timestamp": datetime.fromtimestamp(1_000 + at, timezone.utc),
        "LogicalResourceId": name,
        "ResourceType": "AWS::CloudFormation::Stack" if name == "s" else "AWS::IAM::Role",
        "ResourceStatus": status,
        "ResourceStatusReason": why,
    }


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeStacks")


@dataclass
class Fake:
    """CloudFormation, where each DescribeStacks call takes a step; a page holds two events."""

    steps: list[Step | Exception]
    events: list[dict[str, Any]] = field(default_factory=list)
    status: str = ""  # if set, the next call shows it instead of the last event's status

    def describe_stacks(self, **given: str) -> dict[str, Any]:
        assert given == {"StackName": STACK}
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        step(self)
        status, self.status = self.status or self.events[-1]["ResourceStatus"], ""
        made = datetime.fromtimestamp(0, timezone.utc)
        return {"Stacks": [{"StackName": "s", "StackStatus": status, "CreationTime": made}]}

    def get_paginator(self, name: str) -> Fake:
        assert name == "describe_stack_events"
        return self

    def paginate(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given == {"StackName": STACK}
        newest = self.events[::-1]
        for begin in range(0, len(newest), 2):
            yield {"StackEvents": newest[begin : begin + 2]}

    def seen(self, *, before: bool = False) -> frozenset[str]:
        find = following.seen_before if before else following.seen
        return find(cast(Any, self), STACK)

    def follow(
        self, operator: Operator | None = None, known: Set[str] = frozenset(), total: int = 0
    ) -> Ended:
        operator = operator or Seat().operator
        return following.follow(cast(Any, self), STACK, known, operator, total)


def happens(*statuses: str) -> Step:
    """Return a step that adds events of the stack, one a second."""

    def step(fake: Fake) -> None:
        for each in statuses:
            fake.events.append(event(each, at=float(len(fake.events))))

    return step


def numbers(ended: Ended) -> list[int]:
    """Return the seconds of the events that were followed."""
    return [int(each["Timestamp"].timestamp()) - 1_000 for each in ended.events]


def test_new_events_are_told_once_in_their_order() -> None:
    fake = Fake([happens("UPDATE_IN_PROGRESS", "A", "B_IN_PROGRESS"), happens("UPDATE_COMPLETE")])
    happens("CREATE_IN_PROGRESS", "CREATE_COMPLETE")(fake)
    seat = Seat()
    ended = fake.follow(seat.operator, fake.seen())
    assert (ended.stack.status, numbers(ended)) == ("UPDATE_COMPLETE", [2, 3, 4, 5])
    assert [line.split() for line in seat.lines] == [
        ["00:00", "UPDATE_IN_PROGRESS", "s"],
        ["00:01", "A", "s"],
        ["00:02", "B_IN_PROGRESS", "s"],
        ["00:03", "UPDATE_COMPLETE", "s"],
    ]


def test_what_aws_still_tells_of_before_is_no_end() -> None:
    def begun_after_the_look(fake: Fake) -> None:
        fake.status = "CREATE_COMPLETE"
        happens("UPDATE_IN_PROGRESS")(fake)

    fake = Fake([happens(), begun_after_the_look, happens("UPDATE_COMPLETE")])
    happens("CREATE_IN_PROGRESS", "CREATE_COMPLETE")(fake)
    ended = fake.follow(known=fake.seen())
    assert (ended.stack.status, numbers(ended)) == ("UPDATE_COMPLETE", [2, 3])


def test_an_operation_that_goes_on_is_followed_from_its_beginning() -> None:
    fake = Fake([happens("UPDATE_COMPLETE")])
    happens("CREATE_IN_PROGRESS", "CREATE_FAILED", "UPDATE_IN_PROGRESS", "A_IN_PROGRESS")(fake)
    for number in (0, 2):
        fake.events[number]["ResourceStatusReason"] = "User Initiated"
    assert numbers(fake.follow(known=fake.seen(before=True))) == [2, 3, 4]
    assert Fake([]).seen(before=True) == frozenset()


def test_an_event_is_a_line_of_time_status_name_and_reason() -> None:
    events = [
        event("CREATE_IN_PROGRESS"),
        event("CREATE_FAILED", "Invoke", "because\nof https://h/SECRET", at=65.9),
        event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", at=3900.0),
        event("DELETE_COMPLETE", "Role", at=3901.0),
        event("UPDATE_COMPLETE", at=3902.0),
    ]
    seat = Seat()
    Fake([happens()], events).follow(seat.operator, {events[0]["EventId"]})
    assert seat.lines == [
        "00:00  CREATE_FAILED       Invoke: because of https://h/…",
        "1:03:54  UPDATE_COMPLETE_CLEANUP_IN_PROGRESS  s",
        "1:03:55  DELETE_COMPLETE                      Role",
        "1:03:56  UPDATE_COMPLETE                      s",
    ]


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        (
            [
                event("CREATE_IN_PROGRESS", why="User Initiated"),
                event("CREATE_FAILED", "Other", "Resource creation cancelled"),
                event("CREATE_FAILED", "Invoke", "because"),
                event("CREATE_FAILED", "Third", "later"),
                event("ROLLBACK_FAILED", why="[Third]"),
            ],
            "Invoke failed: because.",
        ),
        ([event("ROLLBACK_FAILED", why="no role")], "s failed: no role."),
        ([event("CREATE_COMPLETE")], "It failed."),
        *(
            ([event("CREATE_FAILED", "Invoke", why), event("ROLLBACK_COMPLETE")], told)
            for why, told in (
                (f"{WRAPPED} Do this. (RequestId: {UUID})", "Invoke failed: because. Do this."),
                (
                    f"{WRAPPED}\n Do this. See the details in CloudWatch Log Stream:"
                    f" 2026/11/01/[$LATEST]a (RequestId: {UUID})",
                    "Invoke failed: because. Do this.",
                ),
                (
                    f"https://u:SECRET@h.example.com/SECRET?t=SECRET {'x' * 3000}",
                    f"Invoke failed: https://h.example.com/… {'x' * 1475}….",
                ),
            )
        ),
    ],
    ids=["first", "stack", "no failure", "wrapped", "wrapped with a log", "long"],
)
def test_a_failure_is_told_by_its_cause(events: list[Any], failure: str) -> None:
    """The cause is the first failure that is not just a cancellation."""
    ended = Fake([happens()], events).follow()
    assert ended.failure == f"{failure} The stack s is in {events[-1]['ResourceStatus']}."


@given(st.text())
def test_what_came_from_elsewhere_cannot_steer_a_terminal(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert shown == shown.strip() and "  " not in shown


def test_a_stack_rests_in_every_status_that_is_not_in_progress() -> None:
    rests = {
        *("CREATE_COMPLETE", "DELETE_COMPLETE", "DELETE_FAILED", "REVIEW_IN_PROGRESS"),
        *("ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED"),
    }
    moves = {
        *("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    }
    assert {each for each in rests | moves if at_rest(each)} == rests


def test_how_far_a_stack_is() -> None:
    events: Any = [event("CREATE_IN_PROGRESS", name) for name in ("s", "A", "B")]
    for status, total, told in (
        ("CREATE_IN_PROGRESS", 0, "0 of 2 resources done, waiting for A, B"),
        ("ROLLBACK_IN_PROGRESS", 3, "ROLLBACK_IN_PROGRESS, waiting for A, B"),
    ):
        assert under_way(events, status, total) == told


def test_silence_is_told_now_and_then() -> None:
    nothing = [happens()] * 40
    seat = Seat()
    Fake([happens("CREATE_IN_PROGRESS"), *nothing, happens("CREATE_COMPLETE")]).follow(
        seat.operator
    )
    assert seat.lines[1:-1] == ["00:30  CREATE_IN_PROGRESS", "01:00  CREATE_IN_PROGRESS"]


def test_on_a_terminal_what_is_waited_for_is_always_seen_and_goes_at_the_end() -> None:
    def resource(status: str) -> Step:
        def step(fake: Fake) -> None:
            fake.events.append(event(status, "Role"))
            fake.status = "CREATE_IN_PROGRESS"

        return step

    steps = [resource("CREATE_IN_PROGRESS"), resource("CREATE_COMPLETE")]
    waits = list[str]()
    operator = replace(Seat().operator, wait=waits.append)
    Fake([happens("CREATE_IN_PROGRESS"), *steps, happens("CREATE_COMPLETE")]).follow(
        operator, total=4
    )
    assert waits == [
        "00:00  CREATE_IN_PROGRESS",
        "00:02  0 of 4 resources done, waiting for Role",
        "00:04  1 of 4 resources done",
        "00:06  1 of 4 resources done",
        "",
    ]
    with pytest.raises(OperatingError):
        Fake([happens("CREATE_IN_PROGRESS"), refused("AccessDenied")]).follow(operator)
    assert waits[-1] == ""


UNREACHABLE = ConnectTimeoutError(endpoint_url="https://a.example.com/?secret")
PROXY = ResponseParserError("a proxy's page")


@pytest.mark.parametrize("error", [refused("Throttling"), UNREACHABLE, PROXY])
def test_a_lost_connection_is_waited_for(error: Exception) -> None:
    seat = Seat()
    steps = [happens("CREATE_IN_PROGRESS"), error, error, happens("CREATE_COMPLETE")]
    assert Fake(steps).follow(seat.operator).stack.status == "CREATE_COMPLETE"
    assert [line for line in seat.lines if "trying again" in line] == [
        f"A call to AWS failed ({type(error).__name__}); trying again"
    ] * 2


@pytest.mark.parametrize(
    ("error", "times", "told"),
    [
        (refused("Throttling"), 3, "AWS cannot do DescribeStacks now (Throttling)."),
        (refused("ExpiredToken"), 1, "The credentials have expired."),
        (refused("AccessDenied"), 1, "AWS denies DescribeStacks: no."),
        (UNREACHABLE, 3, "a.example.com cannot be reached (ConnectTimeoutError)."),
        (PROXY, 3, "The answer is not from AWS."),
        (
            *(UnauthorizedSSOTokenError(), 1),
            "There are no AWS credentials (UnauthorizedSSOTokenError).",
        ),
    ],
)
def test_one_that_does_not_come_back_leaves_the_stack_going_on(
    error: Exception, times: int, told: str
) -> None:
    with pytest.raises(OperatingError) as found:
        Fake([happens("CREATE_IN_PROGRESS"), *[error] * times]).follow()
    assert found.value.what == f"The stack continues, but cannot be followed: {told}"
    assert found.value.fix.endswith("To follow it, run the same command again.")
