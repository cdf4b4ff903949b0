"""How a stack is followed: its reports, and how long a lost connection is retried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, UnauthorizedSSOTokenError
from botocore.parsers import ResponseParserError
from support.seat import Seat

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks.following import follow, seen, seen_before

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1"
Step = Callable[["Fake"], None]


def raw(number: int, status: str) -> dict[str, Any]:
    return {
        "EventId": str(number),
        "Timestamp": datetime.fromtimestamp(1_000 + number, timezone.utc),
        "LogicalResourceId": "s",
        "ResourceType": "AWS::CloudFormation::Stack",
        "ResourceStatus": status,
    }


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeStacks")


@dataclass
class Fake:
    """CloudFormation in which each DescribeStacks call takes a step; a page holds two events."""

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


def happens(*statuses: str) -> Step:
    def step(fake: Fake) -> None:
        fake.events += [raw(len(fake.events) + n, each) for n, each in enumerate(statuses)]

    return step


def test_new_events_are_told_once_in_their_order() -> None:
    fake = Fake([happens("UPDATE_IN_PROGRESS", "A", "B_IN_PROGRESS"), happens("UPDATE_COMPLETE")])
    happens("CREATE_IN_PROGRESS", "CREATE_COMPLETE")(fake)
    seat, client = Seat(), fake
    known = seen(client, STACK)  # type: ignore[arg-type]  # a fake with the methods in use
    ended = follow(client, STACK, known, seat.operator)  # type: ignore[arg-type]
    assert ended.stack.status == "UPDATE_COMPLETE"
    assert [each["EventId"] for each in ended.events] == ["2", "3", "4", "5"]
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
    known = seen(fake, STACK)  # type: ignore[arg-type]  # a fake with the methods in use
    ended = follow(fake, STACK, known, Seat().operator)  # type: ignore[arg-type]
    assert ended.stack.status == "UPDATE_COMPLETE"
    assert [each["EventId"] for each in ended.events] == ["2", "3"]


def test_an_operation_that_goes_on_is_followed_from_its_beginning() -> None:
    fake = Fake([happens("UPDATE_COMPLETE")])
    happens("CREATE_IN_PROGRESS", "CREATE_FAILED", "UPDATE_IN_PROGRESS", "A_IN_PROGRESS")(fake)
    for number in (0, 2):
        fake.events[number]["ResourceStatusReason"] = "User Initiated"
    known = seen_before(fake, STACK)  # type: ignore[arg-type]  # a fake with the methods in use
    assert known == {"0", "1"}
    ended = follow(fake, STACK, known, Seat().operator)  # type: ignore[arg-type]
    assert [each["EventId"] for each in ended.events] == ["2", "3", "4"]
    assert seen_before(Fake([]), STACK) == frozenset()  # type: ignore[arg-type]


def test_somebody_elses_reason_is_told_without_a_token_and_is_cut() -> None:
    fake = Fake([happens("CREATE_IN_PROGRESS"), happens("ROLLBACK_COMPLETE")])
    happens("CREATE_FAILED")(fake)
    fake.events[0]["ResourceStatusReason"] = f"https://h.example.com/SECRET {'x' * 3000}"
    seat = Seat()
    ended = follow(fake, STACK, frozenset(), seat.operator)  # type: ignore[arg-type]
    why = seat.lines[0].partition("s: ")[2]
    assert why.startswith("https://h.example.com/… xxx") and len(why) == 1500
    assert ended.failure.startswith("s failed: https://h.example.com/… xxx")
    assert len(ended.failure) < 1600


def test_silence_is_told_now_and_then() -> None:
    nothing = [happens()] * 40
    fake = Fake([happens("CREATE_IN_PROGRESS"), *nothing, happens("CREATE_COMPLETE")])
    seat = Seat()
    follow(fake, STACK, frozenset(), seat.operator)  # type: ignore[arg-type]
    assert seat.lines[1:-1] == ["00:30  CREATE_IN_PROGRESS", "01:00  CREATE_IN_PROGRESS"]


def test_on_a_terminal_what_is_waited_for_is_always_seen_and_goes_at_the_end() -> None:
    def resource(status: str) -> Step:
        def step(fake: Fake) -> None:
            happens(status)(fake)
            fake.events[-1] |= {"LogicalResourceId": "Role", "ResourceType": "AWS::IAM::Role"}
            fake.status = "CREATE_IN_PROGRESS"

        return step

    steps = [resource("CREATE_IN_PROGRESS"), resource("CREATE_COMPLETE")]
    fake = Fake([happens("CREATE_IN_PROGRESS"), *steps, happens("CREATE_COMPLETE")])
    seat, waits = Seat(), list[str]()
    operator = replace(seat.operator, wait=waits.append)
    follow(fake, STACK, frozenset(), operator, 4)  # type: ignore[arg-type]
    assert waits == [
        "00:00  CREATE_IN_PROGRESS",
        "00:02  0 of 4 resources done, waiting for Role",
        "00:04  1 of 4 resources done",
        "00:06  1 of 4 resources done",
        "",
    ]
    lost = [refused("AccessDenied")]
    with pytest.raises(OperatingError):
        follow(Fake([happens("CREATE_IN_PROGRESS"), *lost]), STACK, frozenset(), operator)  # type: ignore[arg-type]
    assert waits[-1] == ""


@pytest.mark.parametrize(
    "error",
    [
        refused("Throttling"),
        ConnectTimeoutError(endpoint_url="https://a.example.com"),
        ResponseParserError("a proxy's page"),
    ],
)
def test_a_lost_connection_is_waited_for(error: Exception) -> None:
    fake = Fake([happens("CREATE_IN_PROGRESS"), error, error, happens("CREATE_COMPLETE")])
    seat = Seat()
    assert follow(fake, STACK, frozenset(), seat.operator).stack.status == "CREATE_COMPLETE"  # type: ignore[arg-type]
    assert [line for line in seat.lines if "does not answer" in line] == [
        f"AWS does not answer ({type(error).__name__}); trying again"
    ] * 2


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ([refused("Throttling")] * 3, "AWS cannot do DescribeStacks now (Throttling)."),
        ([refused("ExpiredToken")], "The credentials have expired."),
        ([refused("AccessDenied")], "AWS denies DescribeStacks: no."),
        (
            [ConnectTimeoutError(endpoint_url="https://a.example.com/?secret")] * 3,
            "a.example.com cannot be reached (ConnectTimeoutError).",
        ),
        ([ResponseParserError("a proxy's page")] * 3, "The answer is not from AWS."),
        (
            [UnauthorizedSSOTokenError()],
            "There are no AWS credentials (UnauthorizedSSOTokenError).",
        ),
    ],
)
def test_one_that_does_not_come_back_leaves_the_stack_going_on(
    errors: list[Exception], told: str
) -> None:
    fake = Fake([happens("CREATE_IN_PROGRESS"), *errors])
    with pytest.raises(OperatingError) as found:
        follow(fake, STACK, frozenset(), Seat().operator)  # type: ignore[arg-type]
    assert found.value.what == f"The stack goes on, and cannot be followed: {told}"
    assert found.value.fix.endswith("The same command follows it again.")
