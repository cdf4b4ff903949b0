"""Calls that an SDK repeats after a lost answer; AWS recognises them by their token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rehearsal.calls import proposed, refusal, settled
from rehearsal.roles import IAM, body

from cloudformation_api.api import serve
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox


def client(sandbox: Sandbox) -> Any:
    serve(sandbox)
    return sandbox.client("cloudformation", sandbox.endpoint.session(ADMINISTRATOR))


@pytest.fixture
def cfn(tmp_path: Path) -> Iterator[Any]:
    with Sandbox(tmp_path) as sandbox:
        yield client(sandbox)


CHANGE_SET = {
    "ChangeSetName": "c",
    "ChangeSetType": "CREATE",
    "TemplateBody": body("One"),
    "Capabilities": IAM,
}


def test_a_change_set_is_made_once(cfn: Any) -> None:
    made = proposed(cfn, **CHANGE_SET, ClientToken="t")
    again = cfn.create_change_set(StackName="thing", **CHANGE_SET, ClientToken="t")
    assert (again["Id"], again["StackId"]) == (made["ChangeSetId"], made["StackId"])
    same = {"StackName": "thing", **CHANGE_SET}
    assert refusal(cfn.create_change_set, **same, ClientToken="u") == (
        "AlreadyExistsException",
        "ChangeSet c already exists",
    )
    assert refusal(cfn.create_change_set, **same)[0] == "AlreadyExistsException"
    other = {**same, "TemplateBody": body("Two"), "ClientToken": "t"}
    assert refusal(cfn.create_change_set, **other) == (
        "AlreadyExistsException",
        "ChangeSet c cannot be created due to a mismatch with existing attribute Template",
    )
    assert len(cfn.list_change_sets(StackName="thing")["Summaries"]) == 1


def test_a_change_set_is_executed_once_and_its_events_carry_the_token(cfn: Any) -> None:
    named = {"StackName": "thing", "ChangeSetName": "c"}
    proposed(cfn, **CHANGE_SET)
    cfn.execute_change_set(**named, ClientRequestToken="t")
    cfn.execute_change_set(**named, ClientRequestToken="t")
    assert refusal(cfn.execute_change_set, **named)[0] == "InvalidChangeSetStatus"
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    cfn.execute_change_set(**named, ClientRequestToken="t")
    events = cfn.describe_stack_events(StackName="thing")["StackEvents"]
    assert [each.get("ClientRequestToken", "") for each in events[::-1]] == ["", *"ttttt"]
    found = cfn.describe_change_set(**named)
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "EXECUTE_COMPLETE")
    assert refusal(cfn.delete_stack, StackName="thing", ClientRequestToken="t")[0] == (
        "TokenAlreadyExistsException"
    )


def test_a_change_set_at_work_is_not_deleted(tmp_path: Path) -> None:
    named = {"StackName": "thing", "ChangeSetName": "c"}
    with Sandbox(tmp_path, pace=Pace(1)) as sandbox:  # in real time, creating it takes seconds
        cfn = client(sandbox)
        cfn.create_change_set(StackName="thing", **CHANGE_SET)
        assert refusal(cfn.delete_change_set, **named) == (
            "InvalidChangeSetStatus",
            "Cannot delete ChangeSet in status CREATE_IN_PROGRESS",
        )


def test_a_stack_is_made_updated_and_deleted_once(cfn: Any) -> None:
    asked = {"StackName": "thing", "TemplateBody": body("One"), "Capabilities": IAM}
    made = cfn.create_stack(**asked, ClientRequestToken="a")["StackId"]
    assert cfn.create_stack(**asked, ClientRequestToken="a")["StackId"] == made
    assert refusal(cfn.create_stack, **asked, ClientRequestToken="z")[0] == (
        "AlreadyExistsException"
    )
    settled(cfn)
    change = {**asked, "TemplateBody": body("Two"), "ClientRequestToken": "b"}
    assert refusal(cfn.update_stack, **{**change, "ClientRequestToken": "a"})[0] == (
        "TokenAlreadyExistsException"
    )
    assert cfn.update_stack(**change)["StackId"] == made
    assert cfn.update_stack(**change)["StackId"] == made
    settled(cfn)
    assert cfn.update_stack(**change)["StackId"] == made
    cfn.delete_stack(StackName=made, ClientRequestToken="c")
    cfn.delete_stack(StackName=made, ClientRequestToken="c")
    assert settled(cfn, made)["StackStatus"] == "DELETE_COMPLETE"
    events = cfn.describe_stack_events(StackName=made)["StackEvents"]
    own = [each for each in events[::-1] if each["LogicalResourceId"] == "thing"]
    assert "".join(each["ClientRequestToken"] for each in own) == "aabbbcc"


def test_what_was_refused_may_come_again_with_its_token(cfn: Any) -> None:
    asked = {"StackName": "thing", "TemplateBody": body("One"), "Capabilities": IAM}
    refused = {**asked, "Capabilities": [], "ClientRequestToken": "a"}
    cfn.create_stack(**asked)
    settled(cfn)
    change = {**asked, "TemplateBody": body("Two"), "ClientRequestToken": "b"}
    assert refusal(cfn.update_stack, **{**change, "Capabilities": []})[0] == (
        "InsufficientCapabilitiesException"
    )
    assert refusal(cfn.create_stack, **{**refused, "StackName": "other"})[0] == (
        "InsufficientCapabilitiesException"
    )
    cfn.update_stack(**change)
    assert settled(cfn)["StackStatus"] == "UPDATE_COMPLETE"
