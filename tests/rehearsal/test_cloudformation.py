"""Emulated CloudFormation: order, events, answers, rollback, and refusals in advance."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rehearsal.stacks import template

from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import in_order
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.sandbox import Sandbox

IAM = ("CAPABILITY_IAM",)


def create(sandbox: Sandbox, do: str = "well") -> Stack:
    return sandbox.cloudformation.create("stack", Asked(template(), {"Do": do}), IAM)


def statuses(sandbox: Sandbox) -> list[str]:
    return [f"{each.logical_id} {each.status}" for each in sandbox.events]


def reasons(sandbox: Sandbox) -> list[str]:
    return [each.reason for each in sandbox.events if each.status.endswith("_FAILED")]


def test_a_stack_is_made_in_order_and_unmade_in_reverse(sandbox: Sandbox) -> None:
    """Events carry values as strings. A success has no reason, as in a recorded CDK deployment."""
    stack = create(sandbox)
    assert (stack.status, stack.outputs) == ("CREATE_COMPLETE", {"A": "b"})
    sandbox.cloudformation.begin_update(stack, Asked(template(), {"Do": "well"}), IAM)()
    assert (stack.status, len(sandbox.logged)) == ("UPDATE_COMPLETE", 1)  # nothing changed
    sandbox.cloudformation.begin_update(stack, Asked(template(), {"Do": "more"}), IAM)()
    assert stack.status == "UPDATE_COMPLETE"
    created, updated = (json.loads(each) for each in sandbox.logged)
    assert created["ResourceProperties"]["Flag"] == "true"
    assert created["ResourceProperties"]["Numbers"] == ["1", "2.5"]
    assert created["ResourceType"] == "Custom::Thing"
    assert "PhysicalResourceId" not in created
    assert updated["PhysicalResourceId"] == "thing"
    assert updated["OldResourceProperties"]["Do"] == "well"
    sandbox.cloudformation.begin_delete(stack)()
    done = [each for each in statuses(sandbox) if each.endswith("_COMPLETE")]
    made = ["Role", "Function", "Thing", "stack"]
    gone = ["Thing", "Function", "Role", "stack"]
    assert [each for each in done if "UPDATE" not in each] == [
        *(f"{each} CREATE_COMPLETE" for each in made),
        *(f"{each} DELETE_COMPLETE" for each in gone),
    ]
    assert sandbox.endpoint.deployed()["roles"] == sandbox.endpoint.deployed()["functions"] == {}
    assert all('"Reason": "done"' in each for each in sandbox.mailbox.answers())
    shown = {each.reason for each in sandbox.events if each.status.endswith("_COMPLETE")}
    assert shown == {""}


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (
            "fail",
            "Received response status [FAILED] from custom resource. Message returned: because",
        ),
        ("long", "Response object is too long."),
        ("other stack", "Invalid response object"),
        ("no id", "Invalid response object"),
        ("raise", "CloudFormation did not receive a response from your Custom Resource."),
    ],
)
def test_an_answer_that_is_none_rolls_back(sandbox: Sandbox, do: str, reason: str) -> None:
    stack = create(sandbox, do)
    assert reasons(sandbox)[0].startswith(reason)
    assert stack.status == "ROLLBACK_COMPLETE"
    assert json.loads(sandbox.logged[-1])["RequestType"] == "Delete"
    assert sandbox.endpoint.deployed()["roles"] == {}


def test_a_delete_without_an_answer_fails_the_rollback(tmp_path: Path) -> None:
    with Sandbox(tmp_path, pace=Pace(200)) as sandbox:
        stack = create(sandbox, "nothing")
        assert stack.status == "ROLLBACK_FAILED"
        assert set(stack.resources) == {"Thing", "Function", "Role"}


def test_a_failed_update_goes_back(sandbox: Sandbox) -> None:
    stack = create(sandbox)
    sandbox.cloudformation.begin_update(stack, Asked(template(), {"Do": "fail"}), IAM)()
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    last = json.loads(sandbox.logged[-1])
    assert last["RequestType"] == "Update"
    assert last["ResourceProperties"]["Do"] == "well"


def test_a_function_that_may_not_log_runs_all_the_same(sandbox: Sandbox) -> None:
    asked = Asked(template(Policies=[]), {})
    assert sandbox.cloudformation.create("stack", asked, IAM).status == "CREATE_COMPLETE"
    assert sandbox.logged == []


def test_a_circle_is_refused() -> None:
    circle = {"Resources": {"A": {"P": {"Ref": "B"}}, "B": {"P": {"Fn::Sub": "${A.Arn}"}}}}
    with pytest.raises(Refused, match="Circular"):
        in_order(ResolvedTemplate(circle, {}))
