"""How a stack is followed, and what happens when a change set's call is lost or interrupted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    UnauthorizedSSOTokenError,
)
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st
from rehearsal.stacks import body, settled
from support.commands import Seat
from support.lossy import EVERY, Network, lossy

from cloudformation_api.api import serve
from dt_logs_cfn.cli.terminal import Operator, one_line
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.operate.stacks import following
from dt_logs_cfn.operate.stacks.change_sets import ChangeSet, proposed
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.following import Ended
from dt_logs_cfn.operate.stacks.stack import Existing, at_rest, describe
from dt_logs_cfn.operate.templates import Template
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.pace import RATE
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, REGION, Sandbox

STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1"
UUID = "0c9b5a3e-1d5e-4c1f-9f57-000000000000"
WRAPPED = "Received response status [FAILED] from custom resource. Message returned: because."
BEGUN = "User Initiated"


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


BEFORE = [event("CREATE_IN_PROGRESS", why=BEGUN), event("CREATE_COMPLETE")]
CREATING, CREATED = [event("CREATE_IN_PROGRESS")], [event("CREATE_COMPLETE")]
UPDATING, UPDATED = [event("UPDATE_IN_PROGRESS", why=BEGUN)], [event("UPDATE_COMPLETE")]


class Fake:
    """CloudFormation, where each DescribeStacks call adds events, or fails; a page has two events.

    If `late`, the call returns the status from before these events.
    """

    def __init__(
        self, *steps: Sequence[Any] | Exception, before: Sequence[Any] = (), late: bool = False
    ) -> None:
        self.steps, self.events, self.late = list(steps), list(before), late

    def describe_stacks(self, **given: str) -> dict[str, Any]:
        assert given == {"StackName": STACK}
        step, earlier = self.steps.pop(0), [*self.events]
        if isinstance(step, Exception):
            raise step
        self.events += step
        shown = [
            e for e in (earlier if self.late else self.events) if e["LogicalResourceId"] == "s"
        ]
        made, status = datetime.fromtimestamp(0, timezone.utc), shown[-1]["ResourceStatus"]
        return {"Stacks": [{"StackName": "s", "StackStatus": status, "CreationTime": made}]}

    def get_paginator(self, name: str) -> Fake:
        assert name == "describe_stack_events"
        return self

    def paginate(self, **given: str) -> Iterator[dict[str, Any]]:
        assert given == {"StackName": STACK}
        newest = self.events[::-1]
        for begin in range(0, len(newest), 2):
            yield {"StackEvents": newest[begin : begin + 2]}

    def seen(self, find: Callable[[Any, str], frozenset[str]]) -> frozenset[str]:
        return find(self, STACK)

    def follow(
        self, operator: Operator | None = None, known: Set[str] = frozenset(), total: int = 0
    ) -> Ended:
        operator = operator or Seat().operator
        return following.follow(cast(Any, self), STACK, known, operator, total)


def test_each_new_event_is_a_line_of_time_status_name_and_reason() -> None:
    failed = event("CREATE_FAILED", "Invoke", "because\nof https://h/SECRET", at=65.9)
    cleaning = event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", at=3900.0)
    last = [event("DELETE_COMPLETE", "Role", at=3901.0), event("UPDATE_COMPLETE", at=3902.0)]
    fake, seat = Fake([failed, cleaning], [], last, before=BEFORE), Seat()
    ended = fake.follow(seat.operator, fake.seen(following.seen))
    assert (ended.stack.status, [*ended.events]) == ("UPDATE_COMPLETE", [failed, cleaning, *last])
    assert seat.lines == [
        "00:00  CREATE_FAILED       Invoke: because of https://h/…",
        "1:03:54  UPDATE_COMPLETE_CLEANUP_IN_PROGRESS  s",
        "1:03:55  DELETE_COMPLETE                      Role",
        "1:03:56  UPDATE_COMPLETE                      s",
    ]


def test_an_operation_is_followed_from_its_beginning_also_if_aws_tells_of_an_earlier_one() -> None:
    fake = Fake([], UPDATING, UPDATED, [], before=BEFORE, late=True)
    ended = fake.follow(known=fake.seen(following.seen))
    assert (ended.stack.status, [*ended.events]) == ("UPDATE_COMPLETE", [*UPDATING, *UPDATED])
    begun = [*UPDATING, event("UPDATE_IN_PROGRESS", "A")]
    fake = Fake(UPDATED, before=[*BEFORE, *begun])
    assert [*fake.follow(known=fake.seen(following.seen_before)).events] == [*begun, *UPDATED]
    assert Fake().seen(following.seen_before) == frozenset()


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        (
            [
                event("CREATE_IN_PROGRESS", why=BEGUN),
                event("CREATE_FAILED", "Other", "Resource creation cancelled"),
                event("CREATE_FAILED", "Invoke", "because"),
                event("CREATE_FAILED", "Third", "later"),
                event("ROLLBACK_FAILED", why="[Third]"),
            ],
            "Invoke failed: because.",
        ),
        ([event("ROLLBACK_FAILED", why="no role")], "s failed: no role."),
        (CREATED, "It failed."),
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
)
def test_a_failure_is_told_by_its_cause(events: list[Any], failure: str) -> None:
    """The cause is the first failure that is not just a cancellation."""
    ended = Fake(events).follow()
    assert ended.failure == f"{failure} The stack s is in {events[-1]['ResourceStatus']}."


@given(st.text())
def test_what_came_from_elsewhere_cannot_steer_a_terminal(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    assert shown == shown.strip() and "  " not in shown


def test_a_stack_rests_in_every_status_that_is_not_in_progress() -> None:
    model = botocore.session.Session().get_service_model("cloudformation")
    known = model.shape_for("StackStatus").enum
    moves = {each for each in known if each.endswith("_IN_PROGRESS")} - {"REVIEW_IN_PROGRESS"}
    assert {each for each in known if not at_rest(each)} == moves


def test_silence_is_told_now_and_then() -> None:
    seat = Seat()
    Fake(CREATING, *[[]] * 40, CREATED).follow(seat.operator)
    assert seat.lines[1:-1] == ["00:30  CREATE_IN_PROGRESS", "01:00  CREATE_IN_PROGRESS"]


def test_on_a_terminal_how_far_a_stack_is_is_always_seen_and_goes_at_the_end() -> None:
    waits = list[str]()
    operator = replace(Seat().operator, wait=waits.append)
    begun, done = (
        {name: event(f"CREATE_{status}", name) for name in "ABC"}
        for status in ("IN_PROGRESS", "COMPLETE")
    )
    steps = [CREATING, [begun["A"]], [done["A"]], [begun["B"], begun["C"]]]
    back = [[event("ROLLBACK_IN_PROGRESS")], [done["B"], done["C"], event("ROLLBACK_COMPLETE")]]
    Fake(*steps, *back).follow(operator, total=2)
    assert waits == [
        "00:00  CREATE_IN_PROGRESS",
        "00:02  0 of 2 resources done, waiting for A",
        "00:04  1 of 2 resources done",
        "00:06  1 of 3 resources done, waiting for B, C",
        "00:08  ROLLBACK_IN_PROGRESS, waiting for B, C",
        "00:10  ROLLBACK_COMPLETE",
        "",
    ]


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "DescribeStacks")


TIMEOUT = ConnectTimeoutError(endpoint_url="https://a.example.com/?secret")
NO_TOKEN = UnauthorizedSSOTokenError()


@pytest.mark.parametrize(
    ("error", "times", "told"),
    [
        (refused("Throttling"), 3, "AWS cannot do DescribeStacks now (Throttling)."),
        (refused("ExpiredToken"), 1, "The credentials have expired."),
        (refused("AccessDenied"), 1, "AWS denies DescribeStacks: no."),
        (TIMEOUT, 3, "a.example.com cannot be reached (ConnectTimeoutError)."),
        (ResponseParserError("a proxy's page"), 3, "The answer is not from AWS."),
        (NO_TOKEN, 1, "There are no AWS credentials (UnauthorizedSSOTokenError)."),
    ],
)
def test_a_lost_connection_is_waited_for_and_at_last_leaves_the_stack_going_on(
    error: Exception, times: int, told: str
) -> None:
    seat, waits = Seat(), list[str]()
    with pytest.raises(OperatingError) as found:
        Fake(CREATING, *[error] * times).follow(replace(seat.operator, wait=waits.append))
    assert found.value.what == f"The stack continues, but cannot be followed: {told}"
    assert found.value.fix.endswith("To follow it, run the same command again.")
    assert waits[-1] == ""
    again = f"A call to AWS failed ({type(error).__name__}); trying again"
    assert seat.lines[1:] == [again] * (times - 1)
    lost: list[Any] = [error] * (times - 1)
    assert Fake(CREATING, *lost, CREATED).follow().stack.status == "CREATE_COMPLETE"


HERE = new_stack("aws", REGION, "123456789012")
WANTED = Deployment("thing", HERE, Template(body("One")))
MADE, HELD = [("thing", "CREATE_COMPLETE")], [("thing", "REVIEW_IN_PROGRESS")]
RETRIED = "A call to AWS failed (ConnectionClosedError); trying again"


@dataclass
class Stage:
    """An account, a lossy network in front of it, and the lines shown to the operator."""

    sandbox: Sandbox
    network: Network
    lines: list[str] = field(default_factory=list)

    def client(self, attempts: int = 2) -> Any:
        """Return a client that makes this many attempts; with two, it repeats a lost call once."""
        return boto3.Session(region_name=REGION).client(
            "cloudformation",
            endpoint_url=self.network.url,
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
            **self.sandbox.endpoint.session(ADMINISTRATOR),
        )

    @property
    def operator(self) -> Operator:
        """An operator who uses the account's clock and confirms nothing."""
        return Operator(
            self.sandbox.pace, lambda s: time.sleep(s / RATE), self.lines.append, lambda q: None
        )

    @property
    def left(self) -> list[tuple[str, str]]:
        """The stacks that remain, with their statuses, after all operations have ended."""
        self.sandbox.cloudformation.join()
        stacks = self.sandbox.cloudformation.stacks.values()
        return [(each.name, each.status) for each in stacks if each.status != "DELETE_COMPLETE"]

    def asked(self, *operations: str) -> list[str]:
        """Return the calls of these operations that reached the account."""
        return [e.operation for e in self.sandbox.calls if e.operation in operations]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Sandbox(tmp_path) as sandbox, lossy(sandbox.endpoint.url) as network:
        serve(sandbox)
        yield Stage(sandbox, network)


def deploy(stage: Stage, client: Any) -> ChangeSet:
    with proposed(client, WANTED, stage.operator) as found:
        found.execute()
    return found


def interrupt(
    client: Any,
    operation: str,
    when: str = "after-call",
    error: BaseException | type[BaseException] = KeyboardInterrupt,
) -> None:
    """Raise an error, by default an interrupt after AWS has answered, in calls of an operation."""

    def raises(**given: Any) -> None:
        raise error

    client.meta.events.register(f"{when}.cloudformation.{operation}", raises)


TOKENS = {"CreateChangeSet": "ClientToken", "ExecuteChangeSet": "ClientRequestToken"}


@pytest.mark.parametrize("operation", TOKENS)
@pytest.mark.parametrize("how", ["once", "once, without a token", "always"])
def test_where_an_answer_is_lost_it_is_found_out_what_aws_did(
    stage: Stage, operation: str, how: str
) -> None:
    """AWS treats the SDK's repetition of a call as a new call if it has no token."""
    stage.network.answers.add((operation, EVERY if how == "always" else 1))
    client = stage.client()
    if "token" in how:
        client.meta.events.register(
            f"before-parameter-build.cloudformation.{operation}",
            lambda params, **given: params.pop(TOKENS[operation]),
        )
    found = deploy(stage, client)
    assert found.executed and found.stack.startswith("arn:aws:cloudformation:")
    assert stage.left == MADE
    if how == "once":  # the SDK repeats the call
        assert (found.changes is not None, stage.lines) == (True, [])
        assert stage.asked(operation) == [operation] * 2
        assert stage.asked("DeleteChangeSet") == []


@pytest.mark.parametrize("operation", TOKENS)
def test_a_call_that_never_came_or_is_refused_leaves_nothing(stage: Stage, operation: str) -> None:
    def refuse(call: Call) -> None:
        if call.operation == operation:
            raise Refused("AccessDenied", "no", 403)

    stage.sandbox.endpoint.before = refuse
    with pytest.raises(ClientError):
        deploy(stage, stage.client())
    assert (stage.left, stage.lines) == ([], [])
    if operation == "CreateChangeSet":  # if AWS refuses it, there is nothing to check
        assert stage.asked("DescribeChangeSet", "DeleteChangeSet") == []
    stage.network.calls.add((operation, EVERY))
    with pytest.raises(ConnectionClosedError):
        deploy(stage, stage.client(1))
    assert (stage.left, stage.lines) == ([], [])


@pytest.mark.parametrize(
    ("operation", "left"), [("CreateChangeSet", HELD), ("ExecuteChangeSet", MADE)]
)
def test_what_cannot_be_found_out_is_told_as_unknown(
    stage: Stage, operation: str, left: list[tuple[str, str]]
) -> None:
    client = stage.client(1)

    def gone(**given: Any) -> None:
        stage.network.calls |= {("DescribeChangeSet", EVERY)}

    stage.network.answers.add((operation, EVERY))
    client.meta.events.register(f"before-call.cloudformation.{operation}", gone)
    with pytest.raises(OperatingError) as error:
        deploy(stage, client)
    assert str(error.value) == (
        "The state of the change set for stack thing is unknown:"
        " 127.0.0.1 cannot be reached (ConnectionClosedError)."
        " Check the network, the proxy and the region, then try again. Once AWS answers, deploy"
        " again, which follows the stack if it continues. If it does not, delete the change set:"
        " `dt-logs-cfn remove --stack thing`"
    )
    assert (stage.left, stage.lines) == (left, [RETRIED] * 2)


def test_a_connection_that_is_lost_while_a_change_set_is_made_is_waited_for(stage: Stage) -> None:
    stage.network.answers |= {("DescribeChangeSet", 1), ("DescribeChangeSet", 2)}
    assert deploy(stage, stage.client(1)).executed
    assert stage.lines == [RETRIED] * 2


LEFT = (
    "he change set NAME, or the empty stack thing, may be left behind. To delete it:"
    " `dt-logs-cfn remove --stack thing`"
)
MAY_GO_ON = (
    f"The stack thing may continue by itself; the same command follows it. If it does not, t{LEFT}"
)


@pytest.mark.parametrize(
    ("operation", "when", "second", "left", "told"),
    [
        ("CreateChangeSet", "after-call", "", [], []),
        ("CreateChangeSet", "before-call", "", [], [f"T{LEFT}"]),
        (
            *("ExecuteChangeSet", "after-call", "", MADE),
            ["The stack thing continues by itself. Run the same command again to follow it."],
        ),
        ("ExecuteChangeSet", "after-call", "DescribeChangeSet", MADE, [MAY_GO_ON]),
        ("ExecuteChangeSet", "before-call", "DeleteChangeSet", HELD, [MAY_GO_ON]),
    ],
)
def test_who_interrupts_is_told_what_goes_on_or_may_be_left(
    stage: Stage, operation: str, when: str, second: str, left: list[Any], told: list[str]
) -> None:
    """A `second` interrupt comes while the change set is checked or deleted after the first."""
    client = stage.client(1)
    interrupt(client, operation, when)
    with pytest.raises(KeyboardInterrupt), proposed(client, WANTED, stage.operator) as found:
        if second:
            interrupt(client, second)
        found.execute()
    assert [re.sub("dt-logs-cfn-[0-9a-f]{12}", "NAME", line) for line in stage.lines] == told
    assert stage.left == left


def test_what_cannot_be_deleted_is_told(stage: Stage) -> None:
    client = stage.client()
    lost = ConnectionClosedError(endpoint_url="https://a.example.com/SECRET")
    interrupt(client, "DeleteChangeSet", "before-call", lost)
    with proposed(client, WANTED, stage.operator) as found:
        pass
    assert stage.lines == [
        f"The change set {found.name}, or the empty stack thing, may be left behind:"
        " a.example.com cannot be reached (ConnectionClosedError).",
        "To delete it: `dt-logs-cfn remove --stack thing`",
    ]
    assert stage.left == HELD


def test_of_a_stack_that_was_there_the_change_set_alone_is_taken_away(stage: Stage) -> None:
    client = stage.client()
    deploy(stage, client)
    settled(client)
    before = describe(client, "thing")
    assert before is not None
    two = Template(body("One", "Two"))
    wanted = Deployment("thing", HERE, two, before=Existing(before, {}))
    with proposed(client, wanted, stage.operator) as found:
        assert [each["LogicalResourceId"] for each in found.changes or ()] == ["Two"]
    names = [e["ChangeSetName"] for e in client.list_change_sets(StackName="thing")["Summaries"]]
    assert found.name not in names
    assert (stage.left, stage.lines) == (MADE, [])
    interrupt(client, "DeleteChangeSet")
    with pytest.raises(KeyboardInterrupt), proposed(client, wanted, stage.operator) as found:
        raise KeyboardInterrupt
    assert stage.lines == [
        f"The change set {found.name} may be left behind. To delete it: `aws cloudformation"
        f" delete-change-set --stack-name thing --change-set-name {found.name}`"
    ]
