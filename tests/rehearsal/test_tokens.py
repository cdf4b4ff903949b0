"""Calls that an SDK repeats after a lost answer; AWS recognises them by their token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rehearsal.stacks import IAM, body, proposed, refusal, settled

from cloudformation_api.api import serve
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox

NAMED = {"StackName": "thing", "ChangeSetName": "c"}
ASKED = {"StackName": "thing", "TemplateBody": body("One"), "Capabilities": IAM}
OTHER = {**ASKED, "TemplateBody": body("Two")}
CREATES = {"ChangeSetName": "c", "ChangeSetType": "CREATE"}
PROPOSED = {**CREATES, "TemplateBody": body("One"), "Capabilities": IAM}


def test_a_change_set_is_made_once(cfn: Any) -> None:
    made = proposed(cfn, **PROPOSED, ClientToken="t")
    again = cfn.create_change_set(**ASKED, **CREATES, ClientToken="t")
    assert (again["Id"], again["StackId"]) == (made["ChangeSetId"], made["StackId"])
    code, exists = "AlreadyExistsException", "ChangeSet c already exists"
    for token in ({"ClientToken": "u"}, {}):
        assert refusal(cfn.create_change_set, **ASKED, **CREATES, **token) == (code, exists)
    text = "ChangeSet c cannot be created due to a mismatch with existing attribute Template"
    assert refusal(cfn.create_change_set, **OTHER, **CREATES, ClientToken="t") == (code, text)
    assert len(cfn.list_change_sets(StackName="thing")["Summaries"]) == 1


def test_a_change_set_is_executed_once_and_its_events_carry_the_token(cfn: Any) -> None:
    proposed(cfn, **PROPOSED)
    for _ in range(2):
        cfn.execute_change_set(**NAMED, ClientRequestToken="t")
    assert refusal(cfn.execute_change_set, **NAMED)[0] == "InvalidChangeSetStatus"
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    cfn.execute_change_set(**NAMED, ClientRequestToken="t")
    events = cfn.describe_stack_events(StackName="thing")["StackEvents"]
    assert [each.get("ClientRequestToken", "") for each in events[::-1]] == ["", *"ttttt"]
    found = cfn.describe_change_set(**NAMED)
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "EXECUTE_COMPLETE")
    taken = refusal(cfn.delete_stack, StackName="thing", ClientRequestToken="t")
    assert taken[0] == "TokenAlreadyExistsException"


def test_a_change_set_at_work_is_not_deleted(tmp_path: Path) -> None:
    with Sandbox(tmp_path, pace=Pace(1)) as sandbox:  # in real time, creating it takes seconds
        serve(sandbox)
        cfn: Any = sandbox.client("cloudformation", sandbox.endpoint.session(ADMINISTRATOR))
        cfn.create_change_set(**ASKED, **CREATES)
        assert refusal(cfn.delete_change_set, **NAMED) == (
            "InvalidChangeSetStatus",
            "Cannot delete ChangeSet in status CREATE_IN_PROGRESS",
        )


def test_a_stack_is_made_updated_and_deleted_once(cfn: Any) -> None:
    made = cfn.create_stack(**ASKED, ClientRequestToken="a")["StackId"]
    assert cfn.create_stack(**ASKED, ClientRequestToken="a")["StackId"] == made
    other = refusal(cfn.create_stack, **ASKED, ClientRequestToken="z")
    assert other[0] == "AlreadyExistsException"
    settled(cfn)
    used = refusal(cfn.update_stack, **OTHER, ClientRequestToken="a")
    assert used[0] == "TokenAlreadyExistsException"
    for _ in range(2):
        assert cfn.update_stack(**OTHER, ClientRequestToken="b")["StackId"] == made
    settled(cfn)
    assert cfn.update_stack(**OTHER, ClientRequestToken="b")["StackId"] == made
    for _ in range(2):
        cfn.delete_stack(StackName=made, ClientRequestToken="c")
    assert settled(cfn, made)["StackStatus"] == "DELETE_COMPLETE"
    events = cfn.describe_stack_events(StackName=made)["StackEvents"]
    own = [each for each in events[::-1] if each["LogicalResourceId"] == "thing"]
    assert "".join(each["ClientRequestToken"] for each in own) == "aabbbcc"


def test_what_was_refused_may_come_again_with_its_token(cfn: Any) -> None:
    cfn.create_stack(**ASKED)
    settled(cfn)
    refused = {**OTHER, "Capabilities": [], "ClientRequestToken": "b"}
    for call, name in ((cfn.update_stack, "thing"), (cfn.create_stack, "other")):
        found = refusal(call, **{**refused, "StackName": name})
        assert found[0] == "InsufficientCapabilitiesException"
    cfn.update_stack(**OTHER, ClientRequestToken="b")
    assert settled(cfn)["StackStatus"] == "UPDATE_COMPLETE"
