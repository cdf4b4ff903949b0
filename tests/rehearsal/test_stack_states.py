"""Operations on a stack that failed, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rehearsal.calls import refusal, settled
from rehearsal.roles import IAM, body, refuse

from cloudformation_api.api import serve
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(tmp_path) as found:
        serve(found)
        yield found


@pytest.fixture
def cfn(sandbox: Sandbox) -> Any:
    return sandbox.client("cloudformation", sandbox.endpoint.session(ADMINISTRATOR))


def created(cfn: Any, *roles: str) -> dict[str, Any]:
    cfn.create_stack(StackName="thing", TemplateBody=body(*roles), Capabilities=IAM)
    return settled(cfn)


def updated(cfn: Any, *roles: str, policy: str = "Other") -> dict[str, Any]:
    text = body(*roles, policy=policy)
    cfn.update_stack(StackName="thing", TemplateBody=text, Capabilities=IAM)
    return settled(cfn)


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
    cfn.create_stack(StackName="thing", TemplateBody=text, Capabilities=IAM)
    assert settled(cfn)["StackStatus"] == "ROLLBACK_COMPLETE"
    events = cfn.describe_stack_events(StackName="thing")["StackEvents"]
    (failed,) = (each for each in events if each["ResourceStatus"] == "CREATE_FAILED")
    assert f"required key [{missing}] not found" in failed["ResourceStatusReason"]


def test_a_rollback_that_failed_is_continued_and_removes_what_is_new(
    sandbox: Sandbox, cfn: Any
) -> None:
    made = created(cfn, "One")
    failed = {"StackName": "thing"}
    assert refusal(cfn.continue_update_rollback, **failed) == (
        "ValidationError",
        f"Stack:{made['StackId']} is in CREATE_COMPLETE state and its rollback can not be"
        " continued.",
    )
    assert refusal(cfn.continue_update_rollback, StackName="never")[0] == "ValidationError"
    refuse(sandbox.endpoint, "PutRolePolicy", of="One")
    stack = updated(cfn, "New", "One")
    assert (stack["StackStatus"], stack["StackStatusReason"]) == (
        "UPDATE_ROLLBACK_FAILED",
        "The following resource(s) failed to update: [One]. ",
    )
    assert set(roles(sandbox)) == {"New", "One"}
    same = {"StackName": "thing", "TemplateBody": body("One"), "Capabilities": IAM}
    assert refusal(cfn.update_stack, **same) == (
        "ValidationError",
        f"Stack:{made['StackId']} is in UPDATE_ROLLBACK_FAILED state and can not be updated.",
    )
    cfn.continue_update_rollback(**failed)
    assert settled(cfn)["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    refuse(sandbox.endpoint)
    cfn.continue_update_rollback(**failed)
    assert settled(cfn)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert roles(sandbox) == {"One": ["Log"]}
    assert updated(cfn, "One")["StackStatus"] == "UPDATE_COMPLETE"


def test_a_rollback_goes_on_without_what_is_skipped(sandbox: Sandbox, cfn: Any) -> None:
    created(cfn, "One", "Two")
    refuse(sandbox.endpoint, "PutRolePolicy")
    updated(cfn, "One", "Two")
    skip = {"StackName": "thing", "ResourcesToSkip": ["Two"]}
    assert refusal(cfn.continue_update_rollback, **skip)[0] == "ValidationError"
    assert refusal(cfn.continue_update_rollback, StackName="thing", ForceRollback=True) == (
        "NotImplemented",
        "ForceRollback is not emulated",
    )
    cfn.continue_update_rollback(StackName="thing", ResourcesToSkip=["One"])
    assert settled(cfn)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = cfn.describe_stack_events(StackName="thing")["StackEvents"]
    assert [each["ResourceStatus"] for each in events if each["LogicalResourceId"] == "One"] == [
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_IN_PROGRESS",
        "UPDATE_FAILED",
        "UPDATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "CREATE_IN_PROGRESS",
        "CREATE_IN_PROGRESS",
    ]


def test_a_stack_whose_rollback_failed_is_deleted_with_what_is_new_in_it(
    sandbox: Sandbox, cfn: Any
) -> None:
    made = created(cfn, "One")
    refuse(sandbox.endpoint, "PutRolePolicy", of="One")
    updated(cfn, "New", "One")
    refuse(sandbox.endpoint)
    cfn.delete_stack(StackName="thing")
    assert settled(cfn, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert roles(sandbox) == {}


def test_a_stack_whose_creation_could_not_be_undone_is_deleted(sandbox: Sandbox, cfn: Any) -> None:
    refuse(sandbox.endpoint, "PutRolePolicy", "DeleteRole")
    made = created(cfn, "One")
    assert (made["StackStatus"], made["StackStatusReason"]) == (
        "ROLLBACK_FAILED",
        "The following resource(s) failed to delete: [One]. ",
    )
    refuse(sandbox.endpoint)
    cfn.delete_stack(StackName="thing")
    assert settled(cfn, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert roles(sandbox) == {}


def test_what_cannot_be_deleted_is_retained_once_that_has_failed(
    sandbox: Sandbox, cfn: Any
) -> None:
    made = created(cfn, "One", "Two")
    retain = {"StackName": "thing", "RetainResources": ["One"]}
    assert refusal(cfn.delete_stack, **retain) == (
        "ValidationError",
        f"Invalid operation on stack [{made['StackId']}]. Resources can be retained only when the"
        " stack is in the DELETE_FAILED state.",
    )
    refuse(sandbox.endpoint, "DeleteRole")
    cfn.delete_stack(StackName="thing")
    reason = settled(cfn)["StackStatusReason"]
    assert reason == "The following resource(s) failed to delete: [Two]. "
    assert refusal(cfn.delete_stack, StackName="thing", RetainResources=["Three"]) == (
        "ValidationError",
        "The specified resources to retain must be in a valid state. Do not specify resources that"
        " are in the DELETE_COMPLETE state.",
    )
    forced = {"StackName": "thing", "DeletionMode": "FORCE_DELETE_STACK"}
    assert refusal(cfn.delete_stack, **forced)[0] == "NotImplemented"
    refuse(sandbox.endpoint)
    cfn.delete_stack(StackName="thing", RetainResources=["Two"])
    assert settled(cfn, made["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert set(roles(sandbox)) == {"Two"}
    listed = cfn.list_stack_resources(StackName=made["StackId"])["StackResourceSummaries"]
    assert {each["LogicalResourceId"]: each["ResourceStatus"] for each in listed} == {
        "One": "DELETE_COMPLETE",
        "Two": "DELETE_SKIPPED",
    }
