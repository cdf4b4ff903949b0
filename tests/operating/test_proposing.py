"""If a change set's call is lost or interrupted, we check what AWS did, and clean up."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from rehearsal.stacks import body, settled
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
CREATED, HELD = [("thing", "CREATE_COMPLETE")], [("thing", "REVIEW_IN_PROGRESS")]
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


def interrupt(client: Any, operation: str, when: str = "after-call") -> None:
    """Interrupt an operation, by default once AWS has answered, before the answer is read."""

    def raises(**given: Any) -> None:
        raise KeyboardInterrupt

    client.meta.events.register(f"{when}.cloudformation.{operation}", raises)


TOKENS = {"CreateChangeSet": "ClientToken", "ExecuteChangeSet": "ClientRequestToken"}


@pytest.mark.parametrize("operation", TOKENS)
@pytest.mark.parametrize("how", ["once", "once, without a token", "always"])
def test_where_an_answer_is_lost_it_is_found_out_what_aws_did(
    stage: Stage, operation: str, how: str
) -> None:
    """Without its token, AWS takes the SDK's repetition of a call for another call."""
    stage.network.answers.add((operation, EVERY if how == "always" else 1))
    client = stage.client()
    if "token" in how:
        client.meta.events.register(
            f"before-parameter-build.cloudformation.{operation}",
            lambda params, **given: params.pop(TOKENS[operation]),
        )
    found = deploy(stage, client)
    assert found.executed and found.stack.startswith("arn:aws:cloudformation:")
    assert stage.left == CREATED
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
    if operation == "CreateChangeSet":  # if AWS refuses CreateChangeSet, nothing needs a check
        assert stage.asked("DescribeChangeSet", "DeleteChangeSet") == []
    stage.network.calls.add((operation, EVERY))
    with pytest.raises(ConnectionClosedError):
        deploy(stage, stage.client(1))
    assert (stage.left, stage.lines) == ([], [])


@pytest.mark.parametrize(
    ("operation", "left"), [("CreateChangeSet", HELD), ("ExecuteChangeSet", CREATED)]
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
            *("ExecuteChangeSet", "after-call", "", CREATED),
            ["The stack thing continues by itself. Run the same command again to follow it."],
        ),
        ("ExecuteChangeSet", "after-call", "DescribeChangeSet", CREATED, [MAY_GO_ON]),
        ("ExecuteChangeSet", "before-call", "DeleteChangeSet", HELD, [MAY_GO_ON]),
    ],
)
def test_who_interrupts_is_told_what_goes_on_or_may_be_left(
    stage: Stage, operation: str, when: str, second: str, left: list[Any], told: list[str]
) -> None:
    """A second interrupt comes while the first one's change set is checked or deleted."""
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

    def before(**given: Any) -> None:
        raise ConnectionClosedError(endpoint_url="https://a.example.com/SECRET")

    client.meta.events.register("before-call.cloudformation.DeleteChangeSet", before)
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
    assert (stage.left, stage.lines) == (CREATED, [])
    interrupt(client, "DeleteChangeSet")
    with pytest.raises(KeyboardInterrupt), proposed(client, wanted, stage.operator) as found:
        raise KeyboardInterrupt
    assert stage.lines == [
        f"The change set {found.name} may be left behind. To delete it: `aws cloudformation"
        f" delete-change-set --stack-name thing --change-set-name {found.name}`"
    ]
