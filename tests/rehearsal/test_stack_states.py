"""Operations on a stack that failed, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rehearsal.stacks import IAM, body, invalid, refusal, refuse, settled

from dt_logs_rehearsal.sandbox import Sandbox

NAMED = {"StackName": "thing"}


def created(cfn: Any, *roles: str) -> dict[str, Any]:
    cfn.create_stack(**NAMED, TemplateBody=body(*roles), Capabilities=IAM)
    return settled(cfn)


def updated(cfn: Any, *roles: str, policy: str = "Other") -> dict[str, Any]:
    text = body(*roles, policy=policy)
    cfn.update_stack(**NAMED, TemplateBody=text, Capabilities=IAM)
    return settled(cfn)


def deleted(cfn: Any, stack: dict[str, Any], **more: Any) -> None:
    """Delete the stack, which must succeed."""
    cfn.delete_stack(**NAMED, **more)
    assert settled(cfn, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def roles(sandbox: Sandbox) -> dict[str, list[str]]:
    """Return the names of each role's policies, by the role's logical ID."""
    found = sandbox.endpoint.deployed()["roles"]
    return {name.split("-")[1]: sorted(each["policies"]) for name, each in found.items()}


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("AWS::IAM::Role", "AssumeRolePolicyDocument"), ("Custom::Thing", "ServiceToken")],
)
def test_a_resource_without_what_it_needs_fails(cfn: Any, kind: str, missing: str) -> None:
    text = json.dumps({"Resources": {"One": {"Type": kind}}})
    cfn.create_stack(**NAMED, TemplateBody=text, Capabilities=IAM)
    assert settled(cfn)["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cfn.describe_stack_events(**NAMED)["StackEvents"]
    (failed,) = (each for each in events if each["ResourceStatus"] == "CREATE_FAILED")
    assert f"required key [{missing}] not found" in failed["ResourceStatusReason"]


def test_a_rollback_that_failed_is_continued_and_removes_what_is_new(
    sandbox: Sandbox, cfn: Any
) -> None:
    made = created(cfn, "One")
    text = f"Stack:{made['StackId']} is in CREATE_COMPLETE state and its rollback can not be"
    assert invalid(cfn.continue_update_rollback, **NAMED) == f"{text} continued."
    assert invalid(cfn.continue_update_rollback, StackName="never")
    refuse(sandbox.endpoint, "PutRolePolicy", of="One")
    stack = updated(cfn, "New", "One")
    assert (stack["StackStatus"], stack["StackStatusReason"]) == (
        "UPDATE_ROLLBACK_FAILED",
        "The following resource(s) failed to update: [One]. ",
    )
    assert set(roles(sandbox)) == {"New", "One"}
    text = f"Stack:{made['StackId']} is in UPDATE_ROLLBACK_FAILED state and can not be updated."
    same = {**NAMED, "TemplateBody": body("One"), "Capabilities": IAM}
    assert invalid(cfn.update_stack, **same) == text
    cfn.continue_update_rollback(**NAMED)
    assert settled(cfn)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    refuse(sandbox.endpoint)
    cfn.continue_update_rollback(**NAMED)
    assert settled(cfn)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert roles(sandbox) == {"One": ["Log"]}
    assert updated(cfn, "One")["StackStatus"] == "UPDATE_COMPLETE"


def test_a_rollback_goes_on_without_what_is_skipped(sandbox: Sandbox, cfn: Any) -> None:
    created(cfn, "One", "Two")
    refuse(sandbox.endpoint, "PutRolePolicy")
    updated(cfn, "One", "Two")
    assert invalid(cfn.continue_update_rollback, **NAMED, ResourcesToSkip=["Two"])
    forced = ("NotImplemented", "ForceRollback is not emulated")
    assert refusal(cfn.continue_update_rollback, **NAMED, ForceRollback=True) == forced
    cfn.continue_update_rollback(**NAMED, ResourcesToSkip=["One"])
    assert settled(cfn)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = cfn.describe_stack_events(**NAMED)["StackEvents"]
    assert [each["ResourceStatus"] for each in events if each["LogicalResourceId"] == "One"] == [
        "UPDATE_COMPLETE",
        *("UPDATE_FAILED", "UPDATE_IN_PROGRESS") * 2,
        *("CREATE_COMPLETE", "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS"),
    ]


def test_a_stack_whose_rollback_failed_is_deleted_with_what_is_new_in_it(
    sandbox: Sandbox, cfn: Any
) -> None:
    made = created(cfn, "One")
    refuse(sandbox.endpoint, "PutRolePolicy", of="One")
    updated(cfn, "New", "One")
    refuse(sandbox.endpoint)
    deleted(cfn, made)
    assert roles(sandbox) == {}


def test_a_stack_whose_creation_could_not_be_undone_is_deleted(sandbox: Sandbox, cfn: Any) -> None:
    refuse(sandbox.endpoint, "PutRolePolicy", "DeleteRole")
    made = created(cfn, "One")
    assert (made["StackStatus"], made["StackStatusReason"]) == (
        "ROLLBACK_FAILED",
        "The following resource(s) failed to delete: [One]. ",
    )
    refuse(sandbox.endpoint)
    deleted(cfn, made)
    assert roles(sandbox) == {}


def test_what_cannot_be_deleted_is_retained_once_that_has_failed(
    sandbox: Sandbox, cfn: Any
) -> None:
    made = created(cfn, "One", "Two")
    assert invalid(cfn.delete_stack, **NAMED, RetainResources=["One"]) == (
        f"Invalid operation on stack [{made['StackId']}]. Resources can be retained only when the"
        " stack is in the DELETE_FAILED state."
    )
    refuse(sandbox.endpoint, "DeleteRole")
    cfn.delete_stack(**NAMED)
    reason = settled(cfn)["StackStatusReason"]
    assert reason == "The following resource(s) failed to delete: [Two]. "
    assert invalid(cfn.delete_stack, **NAMED, RetainResources=["Three"]) == (
        "The specified resources to retain must be in a valid state. Do not specify resources that"
        " are in the DELETE_COMPLETE state."
    )
    forced = refusal(cfn.delete_stack, **NAMED, DeletionMode="FORCE_DELETE_STACK")
    assert forced[0] == "NotImplemented"
    refuse(sandbox.endpoint)
    deleted(cfn, made, RetainResources=["Two"])
    assert set(roles(sandbox)) == {"Two"}
    listed = cfn.list_stack_resources(StackName=made["StackId"])["StackResourceSummaries"]
    assert {each["LogicalResourceId"]: each["ResourceStatus"] for each in listed} == {
        "One": "DELETE_COMPLETE",
        "Two": "DELETE_SKIPPED",
    }
