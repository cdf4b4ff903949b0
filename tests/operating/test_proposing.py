"""When a change set's calls are lost or interrupted, we find out what AWS did, and clean up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, UnauthorizedSSOTokenError
from botocore.parsers import ResponseParserError
from rehearsal.calls import settled
from rehearsal.roles import body
from support.lossy import EVERY, Network, lossy

from cloudformation_api.api import serve
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.operate.stacks.change_sets import ChangeSet, proposed
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import Existing, describe
from dt_logs_cfn.operate.templates import Template
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.pace import RATE
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, REGION, Sandbox

HERE = new_stack("aws", REGION, "123456789012")
WANTED = Deployment("thing", HERE, Template(body("One")))


def updated(client: Any) -> Deployment:
    """Return a deployment that adds a resource to the stack."""
    before = describe(client, "thing")
    assert before is not None
    return Deployment("thing", HERE, Template(body("One", "Two")), before=Existing(before, {}))


@dataclass
class Stage:
    """An account, a lossy network in front of it, and the lines that the operator is told."""

    sandbox: Sandbox
    network: Network
    lines: list[str] = field(default_factory=list)

    def client(self, attempts: int = 2) -> Any:
        """Return a client that makes so many attempts; two are the fewest that repeat a call."""
        return boto3.Session(region_name=REGION).client(
            "cloudformation",
            endpoint_url=self.network.url,
            config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
            **self.sandbox.endpoint.session(ADMINISTRATOR),
        )

    @property
    def operator(self) -> Operator:
        """An operator whose clock is the account's, and who confirms nothing."""
        return Operator(
            self.sandbox.pace, lambda s: time.sleep(s / RATE), self.lines.append, lambda q: None
        )

    @property
    def left(self) -> list[tuple[str, str]]:
        """The stacks that exist once none of them is being changed any more."""
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


def interrupt(client: Any, operation: str) -> None:
    """Interrupt an operation after AWS has carried it out, before the client returns its answer."""

    def after(**given: Any) -> None:
        raise KeyboardInterrupt

    client.meta.events.register(f"after-call.cloudformation.{operation}", after)


def without(client: Any, operation: str, token: str) -> None:
    """Send an operation's calls without our token, so that AWS cannot recognise a retry."""
    client.meta.events.register(
        f"before-parameter-build.cloudformation.{operation}",
        lambda params, **given: params.pop(token),
    )


@pytest.mark.parametrize("operation", ["CreateChangeSet", "ExecuteChangeSet"])
def test_an_answer_that_is_lost_once_is_had_by_the_sdk(stage: Stage, operation: str) -> None:
    stage.network.answers.add((operation, 1))
    found = deploy(stage, stage.client())
    assert (found.executed, found.changes is not None, stage.lines) == (True, True, [])
    assert stage.asked(operation) == [operation] * 2
    assert stage.left == [("thing", "CREATE_COMPLETE")]
    assert stage.asked("DeleteChangeSet") == []


@pytest.mark.parametrize(
    ("operation", "token"),
    [("CreateChangeSet", "ClientToken"), ("ExecuteChangeSet", "ClientRequestToken")],
)
def test_a_retry_that_aws_takes_for_another_call_is_seen_to_be_ours(
    stage: Stage, operation: str, token: str
) -> None:
    stage.network.answers.add((operation, 1))
    client = stage.client()
    without(client, operation, token)
    assert deploy(stage, client).executed
    assert stage.left == [("thing", "CREATE_COMPLETE")]


@pytest.mark.parametrize("operation", ["CreateChangeSet", "ExecuteChangeSet"])
def test_where_every_answer_is_lost_aws_is_asked_what_it_did(stage: Stage, operation: str) -> None:
    stage.network.answers.add((operation, EVERY))
    found = deploy(stage, stage.client())
    assert found.executed and found.stack.startswith("arn:aws:cloudformation:")
    assert stage.left == [("thing", "CREATE_COMPLETE")]


@pytest.mark.parametrize("operation", ["CreateChangeSet", "ExecuteChangeSet"])
def test_a_call_that_never_came_is_told_and_leaves_nothing(stage: Stage, operation: str) -> None:
    stage.network.calls.add((operation, EVERY))
    with pytest.raises(ConnectionClosedError):
        deploy(stage, stage.client(1))
    assert (stage.left, stage.lines) == ([], [])


@pytest.mark.parametrize(
    ("operation", "left"),
    [("CreateChangeSet", "REVIEW_IN_PROGRESS"), ("ExecuteChangeSet", "CREATE_COMPLETE")],
)
def test_what_cannot_be_found_out_is_told_as_unknown(
    stage: Stage, operation: str, left: str
) -> None:
    client = stage.client(1)

    def gone(**given: Any) -> None:
        stage.network.calls |= {("DescribeChangeSet", EVERY)}

    stage.network.answers.add((operation, EVERY))
    client.meta.events.register(f"before-call.cloudformation.{operation}", gone)
    with pytest.raises(OperatingError) as error:
        deploy(stage, client)
    assert error.value.what == (
        "What became of the stack thing is not known:"
        " 127.0.0.1 cannot be reached (ConnectionClosedError)."
    )
    assert error.value.fix == (
        "Deploy again once AWS answers: that follows the stack if it goes on. If it does not,"
        " delete the change set: `dt-logs-cfn remove --stack thing`"
    )
    assert stage.left == [("thing", left)]
    assert stage.lines == ["AWS does not answer (ConnectionClosedError); trying again"] * 2


def test_a_refusal_is_told_at_once(stage: Stage) -> None:
    with pytest.raises(ClientError), proposed(stage.client(), bad(), stage.operator):
        raise AssertionError
    assert (stage.left, stage.lines) == ([], [])
    assert stage.asked("DescribeChangeSet", "DeleteChangeSet") == []


def bad() -> Deployment:
    return Deployment("thing", HERE, Template('{"Resources": {}}'))


def test_a_connection_that_is_lost_while_a_change_set_is_made_is_waited_for(stage: Stage) -> None:
    stage.network.answers |= {("DescribeChangeSet", 1), ("DescribeChangeSet", 2)}
    assert deploy(stage, stage.client(1)).executed
    assert stage.lines == ["AWS does not answer (ConnectionClosedError); trying again"] * 2


def test_a_creation_that_is_interrupted_leaves_nothing(stage: Stage) -> None:
    client = stage.client()
    interrupt(client, "CreateChangeSet")
    with pytest.raises(KeyboardInterrupt):
        deploy(stage, client)
    assert (stage.left, stage.lines) == ([], [])


def test_a_creation_that_is_interrupted_may_still_come_to_aws(stage: Stage) -> None:
    client = stage.client(1)

    def before(**given: Any) -> None:
        raise KeyboardInterrupt

    client.meta.events.register("before-call.cloudformation.CreateChangeSet", before)
    with pytest.raises(KeyboardInterrupt):
        deploy(stage, client)
    (line,) = stage.lines
    assert line.startswith("The change set dt-logs-cfn-")
    assert ", or the empty stack thing, may be left behind. To delete it: `dt-logs-cfn" in line


def test_an_execution_that_is_interrupted_goes_on_and_says_so(stage: Stage) -> None:
    client = stage.client()
    interrupt(client, "ExecuteChangeSet")
    with pytest.raises(KeyboardInterrupt):
        deploy(stage, client)
    assert stage.left == [("thing", "CREATE_COMPLETE")]
    assert stage.lines == ["The stack thing goes on by itself. The same command follows it again."]


def test_an_execution_that_is_refused_leaves_nothing(stage: Stage) -> None:
    def before(call: Call) -> None:
        if call.operation == "ExecuteChangeSet":
            raise Refused("AccessDenied", "no", 403)

    stage.sandbox.endpoint.before = before
    with pytest.raises(ClientError):
        deploy(stage, stage.client())
    assert (stage.left, stage.lines) == ([], [])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ConnectionClosedError(endpoint_url="https://a.example.com/SECRET"),
            "a.example.com cannot be reached (ConnectionClosedError).",
        ),
        (ResponseParserError("a proxy's page"), "The answer is not from AWS."),
        (
            UnauthorizedSSOTokenError(),
            "There are no AWS credentials (UnauthorizedSSOTokenError).",
        ),
    ],
)
def test_what_cannot_be_deleted_is_told(stage: Stage, error: Exception, told: str) -> None:
    client = stage.client()

    def before(**given: Any) -> None:
        raise error

    client.meta.events.register("before-call.cloudformation.DeleteChangeSet", before)
    with proposed(client, WANTED, stage.operator) as found:
        pass
    assert stage.lines == [
        f"The change set {found.name}, or the empty stack thing, may be left behind: {told}",
        "To delete it: `dt-logs-cfn remove --stack thing`",
    ]
    assert stage.left == [("thing", "REVIEW_IN_PROGRESS")]


def test_whoever_interrupts_twice_is_told_what_may_be_left(stage: Stage) -> None:
    client = stage.client()
    interrupt(client, "DeleteChangeSet")
    with pytest.raises(KeyboardInterrupt), proposed(client, WANTED, stage.operator):
        raise KeyboardInterrupt
    (line,) = stage.lines
    assert ", or the empty stack thing, may be left behind. To delete it: `dt-logs-cfn" in line


def test_whoever_interrupts_twice_at_the_execution_is_told_that_the_stack_may_go_on(
    stage: Stage,
) -> None:
    client = stage.client()
    interrupt(client, "ExecuteChangeSet")
    with (
        pytest.raises(KeyboardInterrupt),
        proposed(client, WANTED, stage.operator) as found,
    ):
        interrupt(client, "DescribeChangeSet")  # while we look at it after the first interrupt
        found.execute()
    assert stage.lines == [
        "The stack thing may go on by itself; the same command follows it. If it does not, the"
        f" change set {found.name}, or the empty stack thing, may be left behind. To delete"
        " it: `dt-logs-cfn remove --stack thing`"
    ]
    assert stage.left == [("thing", "CREATE_COMPLETE")]


def test_of_a_stack_that_was_there_the_change_set_alone_is_taken_away(stage: Stage) -> None:
    client = stage.client()
    deploy(stage, client)
    settled(client)
    wanted = updated(client)
    interrupt(client, "DeleteChangeSet")
    with (
        pytest.raises(KeyboardInterrupt),
        proposed(client, wanted, stage.operator) as found,
    ):
        raise KeyboardInterrupt
    assert stage.lines == [
        f"The change set {found.name} may be left behind. To delete it: `aws cloudformation"
        f" delete-change-set --stack-name thing --change-set-name {found.name}`"
    ]


def test_an_update_that_is_not_executed_leaves_the_stack_alone(stage: Stage) -> None:
    client = stage.client()
    deploy(stage, client)
    settled(client)
    wanted = updated(client)
    with proposed(client, wanted, stage.operator) as found:
        assert [each.get("LogicalResourceId") for each in found.changes or ()] == ["Two"]
    names = [e["ChangeSetName"] for e in client.list_change_sets(StackName="thing")["Summaries"]]
    assert found.name not in names
    assert stage.left == [("thing", "CREATE_COMPLETE")]
    assert stage.lines == []
