"""CloudFormation's API over HTTP: it answers and refuses as AWS does, and returns at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from rehearsal.stacks import (
    IAM,
    body,
    given,
    invalid,
    proposed,
    refusal,
    refuse,
    role,
    settled,
    template,
)
from support.emulated import Emulated

from cloudformation_api.api import serve
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox

NAMED = {"StackName": "thing"}
BODY = template()
MAKE = {**NAMED, "TemplateBody": BODY, "Capabilities": IAM}
CHANGE_SET = {**NAMED, "ChangeSetName": "c"}
NEW = {"ChangeSetName": "c", "ChangeSetType": "CREATE"}
PREVIOUS = [{"ParameterKey": "Do", "UsePreviousValue": True}]
ONE = {**NAMED, "TemplateBody": body("One"), "Capabilities": IAM}


def change_set(cfn: Any, kind: str = "UPDATE", **params: Any) -> dict[str, Any]:
    return proposed(cfn, **{**MAKE, **CHANGE_SET, "ChangeSetType": kind, **params})


def events(cfn: Any) -> list[dict[str, Any]]:
    """Return the stack's events, newest first."""
    pages = cfn.get_paginator("describe_stack_events").paginate(**NAMED)
    return [each for page in pages for each in page["StackEvents"]]


def test_a_stack_is_made_while_its_maker_looks_on(sandbox: Sandbox, cfn: Any) -> None:
    serve(sandbox).page_size = 3
    wanted = {"Tags": [{"Key": "team", "Value": "edge"}], "Parameters": given(Do="well")}
    made = cfn.create_stack(**MAKE, **wanted)
    text = f"Stack:{made['StackId']} is in CREATE_IN_PROGRESS state and can not be updated."
    assert invalid(cfn.update_stack, **MAKE) == text
    assert "cannot be deleted while" in invalid(cfn.delete_stack, **NAMED)
    expected = {
        **wanted,
        "StackStatus": "CREATE_COMPLETE",
        "StackId": made["StackId"],
        "Outputs": [{"OutputKey": "A", "OutputValue": "b"}],
        "Capabilities": IAM,
    }
    assert expected.items() <= settled(cfn).items()
    assert cfn.get_template(**NAMED)["TemplateBody"] == json.loads(BODY)
    assert len(cfn.describe_stack_events(**NAMED)["StackEvents"]) == 3
    found = events(cfn)
    assert [f"{each['LogicalResourceId']} {each['ResourceStatus']}" for each in found] == [
        "thing CREATE_COMPLETE",
        *("Thing CREATE_COMPLETE", "Thing CREATE_IN_PROGRESS", "Thing CREATE_IN_PROGRESS"),
        *("Function CREATE_COMPLETE", *["Function CREATE_IN_PROGRESS"] * 2),
        *("Role CREATE_COMPLETE", "Role CREATE_IN_PROGRESS", "Role CREATE_IN_PROGRESS"),
        "thing CREATE_IN_PROGRESS",
    ]
    assert len({each["EventId"] for each in found}) == len(found)
    assert found[-1]["ResourceStatusReason"] == "User Initiated"
    told = [(e["PhysicalResourceId"], e.get("ResourceStatusReason", "")) for e in found[1:4]]
    assert told == [("thing", ""), ("thing", "Resource creation Initiated"), ("", "")]
    resources = cfn.describe_stack_resources(**NAMED)["StackResources"]
    listed = cfn.list_stack_resources(**NAMED)["StackResourceSummaries"]
    kinds = ["AWS::IAM::Role", "AWS::Lambda::Function", "Custom::Thing"]
    assert [each["ResourceType"] for each in resources] == kinds
    assert [each["ResourceType"] for each in listed] == kinds


def test_a_name_is_taken_once_and_free_again_after_the_stack_is_gone(cfn: Any) -> None:
    first = cfn.create_stack(**MAKE, Parameters=given(Do="fail"))["StackId"]
    assert settled(cfn)["StackStatus"] == "ROLLBACK_COMPLETE"
    text = f"Stack:{first} is in ROLLBACK_COMPLETE state and can not be updated."
    assert invalid(cfn.update_stack, **MAKE) == text
    assert invalid(cfn.create_change_set, **MAKE, ChangeSetName="c") == text
    taken = ("AlreadyExistsException", "Stack [thing] already exists")
    assert refusal(cfn.create_stack, **MAKE) == taken
    cfn.delete_stack(**NAMED)
    assert settled(cfn, first)["StackStatus"] == "DELETE_COMPLETE"
    assert invalid(cfn.describe_stacks, **NAMED) == "Stack with id thing does not exist"
    assert invalid(cfn.describe_stack_events, **NAMED) == "Stack [thing] does not exist"
    assert invalid(cfn.update_stack, **MAKE) == "Stack [thing] does not exist"
    cfn.delete_stack(StackName="never")  # as on AWS, this succeeds without a stack

    cfn.create_stack(**MAKE, Parameters=given(Do="raise no more"))
    assert settled(cfn)["StackId"] != first
    gone = cfn.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [each["StackId"] for each in gone] == [first]
    text = "No updates are to be performed."
    assert invalid(cfn.update_stack, **MAKE, Parameters=PREVIOUS) == text
    cfn.update_stack(**MAKE)  # an omitted parameter gets its default again
    stack = settled(cfn)
    assert (stack["StackStatus"], stack["Parameters"]) == ("UPDATE_COMPLETE", given(Do="well"))


BARE = json.loads(BODY)
del BARE["Parameters"]["Do"]["Default"]
INVALID, UNKNOWN = "ValidationError", "NotImplemented"
CAPABILITIES = "InsufficientCapabilitiesException"
NO_PREVIOUS = (
    "Invalid input for parameter key Do. Cannot specify usePreviousValue as true for a parameter"
    " key not in the previous template"
)
TOO_LONG = (
    "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must"
    " have length less than or equal to 51200"
)
# Wrong templates, or other wrong parameters, and the code and text of the refusal.
WRONG: list[tuple[object, dict[str, Any], str, str]] = [
    (BODY, {"Capabilities": []}, CAPABILITIES, "Requires capabilities : [CAPABILITY_IAM]"),
    (
        *(template(RoleName="r"), {"Capabilities": []}, CAPABILITIES),
        "Requires capabilities : [CAPABILITY_NAMED_IAM]",
    ),
    (
        *(BODY, {"Parameters": given(Other="x")}, INVALID),
        "Parameters: [Other] do not exist in the template",
    ),
    (BODY, {"Parameters": PREVIOUS}, INVALID, NO_PREVIOUS),
    (BODY, {"TimeoutInMinutes": 1}, UNKNOWN, "TimeoutInMinutes is not emulated"),
    (BODY, {"OnFailure": "DELETE"}, UNKNOWN, "OnFailure is not emulated"),
    (BARE, {}, INVALID, "Parameters: [Do] must have values"),
    ({"Description": "x" * 51_200}, {}, INVALID, TOO_LONG),
    # [localstack tests/aws/services/cloudformation/api/test_templates]
    (
        *('{"this is invalid JSON"="bobbins"}', {}, INVALID),
        "Template format error: JSON not well-formed. (line 1, column 25)",
    ),
    *(
        ({"Resources": {"A": resource}}, {}, UNKNOWN, f"{what} is not emulated")
        for resource, what in (
            ({"Type": "AWS::S3::Bucket"}, "AWS::S3::Bucket"),
            (role(RoleName={"Fn::Cidr": []}), "Fn::Cidr"),
            (role(RoleName={"Fn::If": ["No", "a", "b"]}), "Conditions"),
        )
    ),
]


def test_what_is_wrong_is_refused_before_anything_is_made(cfn: Any) -> None:
    for wrong, more, code, text in WRONG:
        body = wrong if isinstance(wrong, str) else json.dumps(wrong)
        found = refusal(cfn.create_stack, **{**MAKE, "TemplateBody": body, **more})
        assert found == (code, text)
    assert invalid(cfn.describe_stacks, **NAMED)


def test_a_change_set_makes_a_stack_that_waits_to_be_reviewed(cfn: Any) -> None:
    found = change_set(cfn, "CREATE", Description="why")
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    kinds = ("AWS::IAM::Role", "AWS::Lambda::Function", "Custom::Thing")
    assert [each["ResourceChange"] for each in found["Changes"]] == [
        {"Action": "Add", "LogicalResourceId": kind.rpartition(":")[2], "ResourceType": kind}
        for kind in kinds
    ]
    stack = cfn.describe_stacks(**NAMED)["Stacks"][0]
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    listed = cfn.list_change_sets(**NAMED)["Summaries"]
    assert [(each["ChangeSetName"], each["Description"]) for each in listed] == [("c", "why")]
    again = {**MAKE, "ChangeSetName": "d"}
    assert invalid(cfn.create_change_set, **again) == "Stack [thing] does not exist"
    cfn.delete_change_set(**CHANGE_SET)
    assert cfn.list_change_sets(**NAMED)["Summaries"] == []
    gone = ("ChangeSetNotFound", "ChangeSet [c] does not exist")
    assert refusal(cfn.describe_change_set, **CHANGE_SET) == gone
    waiting = change_set(cfn, "CREATE")["ChangeSetId"]
    cfn.delete_stack(**NAMED)
    assert settled(cfn, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert refusal(cfn.describe_change_set, ChangeSetName=waiting)[0] == "ChangeSetNotFound"
    # A call that an SDK repeats after a lost answer has the same token.
    made = change_set(cfn, "CREATE", ClientToken="t")["ChangeSetId"]
    assert cfn.create_change_set(**MAKE, **NEW, ClientToken="t")["Id"] == made
    taken = ("AlreadyExistsException", "ChangeSet c already exists")
    assert refusal(cfn.create_change_set, **MAKE, **NEW) == taken
    for _ in range(2):
        cfn.execute_change_set(**CHANGE_SET, ClientRequestToken="t")
    assert refusal(cfn.execute_change_set, **CHANGE_SET)[0] == "InvalidChangeSetStatus"
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    assert {each.get("ClientRequestToken") for each in events(cfn)} == {None, "t"}
    text = "Stack [thing] already exists and cannot be created again with the changeSet [c]"
    assert invalid(cfn.create_change_set, **MAKE, **NEW) == text


def test_a_change_set_tells_what_changes_and_by_which_parameter(sandbox: Sandbox, cfn: Any) -> None:
    cfn.create_stack(**MAKE)
    settled(cfn)
    (change,) = change_set(cfn, Parameters=given(Do="more"))["Changes"]
    target = {"Attribute": "Properties", "Name": "Do", "RequiresRecreation": "Never"}
    cause = {"ChangeSource": "ParameterReference", "CausingEntity": "Do"}
    assert change["ResourceChange"] == {
        "Action": "Modify",
        "LogicalResourceId": "Thing",
        "PhysicalResourceId": "thing",
        "ResourceType": "Custom::Thing",
        "Replacement": "False",
        "Scope": ["Properties"],
        "Details": [{"Target": target, "Evaluation": "Static", **cause}],
    }
    cfn.execute_change_set(**CHANGE_SET)
    assert settled(cfn)["StackStatus"] == "UPDATE_COMPLETE"
    found = change_set(cfn, ChangeSetName="d", Parameters=given(Do="more"))
    assert (found["Status"], found["StatusReason"]) == (
        "FAILED",
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set.",
    )
    named = {"ChangeSetName": found["ChangeSetId"]}
    text = f"ChangeSet [{found['ChangeSetId']}] cannot be executed in its current status of"
    assert refusal(cfn.execute_change_set, **named) == (
        "InvalidChangeSetStatus",
        f"{text} [FAILED]",
    )
    # A replacement is shown, but executing it is not emulated.
    moved = template(Path="/other/")
    found = change_set(cfn, ChangeSetName="e", TemplateBody=moved, Parameters=given(Do="more"))
    (change,) = (each["ResourceChange"] for each in found["Changes"])
    assert (change["LogicalResourceId"], change["Replacement"]) == ("Role", "True")
    named = {"ChangeSetName": found["ChangeSetId"]}
    assert refusal(cfn.execute_change_set, **named)[0] == "NotImplemented"
    assert cfn.get_template(**named)["TemplateBody"] == json.loads(moved)
    elsewhere = boto3.Session(region_name="eu-west-1", **sandbox.endpoint.session(ADMINISTRATOR))
    client = elsewhere.client("cloudformation", endpoint_url=sandbox.endpoint.url)
    assert client.describe_stacks()["Stacks"] == []


def test_the_caller_s_own_rights_act_and_a_role_needs_the_right_to_pass_it(
    account: Emulated,
) -> None:
    here = "arn:aws:cloudformation:us-east-1:123456789012:stack/thing/*"
    may = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": here}
    poor = account.sandbox.client("cloudformation", account.person(may))
    assert refusal(poor.describe_stacks, StackName="other")[0] == "AccessDenied"
    code, text = refusal(poor.create_stack, **MAKE, RoleARN=account.role)
    assert (code, "iam:PassRole" in text) == ("AccessDenied", True)
    poor.create_stack(**MAKE)
    stack = settled(poor)
    assert (stack["StackStatus"], "RoleARN" in stack) == ("ROLLBACK_COMPLETE", False)
    (failed,) = (each for each in events(poor) if each["ResourceStatus"] == "CREATE_FAILED")
    assert "iam:CreateRole" in failed["ResourceStatusReason"]


# Operations on a stack that failed; the stack has only roles, and IAM refuses some calls.


def ended(cfn: Any, stack: str = "thing") -> tuple[str, str]:
    """Wait until a stack's operation has ended, and return the stack's status and its reason."""
    found = settled(cfn, stack)
    return found["StackStatus"], found.get("StackStatusReason", "")


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
    cfn.create_stack(**{**ONE, "TemplateBody": text})
    assert ended(cfn)[0] == "ROLLBACK_COMPLETE"
    (failed,) = (each for each in events(cfn) if each["ResourceStatus"] == "CREATE_FAILED")
    assert f"required key [{missing}] not found" in failed["ResourceStatusReason"]


def test_a_failed_rollback_and_a_creation_that_could_not_be_undone_are_deleted(
    sandbox: Sandbox, cfn: Any
) -> None:
    first = cfn.create_stack(**ONE)["StackId"]
    settled(cfn)
    cfn.update_stack(**{**ONE, "TemplateBody": body("One", policy="Other")})
    assert ended(cfn)[0] == "UPDATE_COMPLETE"
    assert roles(sandbox) == {"One": ["Other"]}
    refuse(sandbox.endpoint, "PutRolePolicy", of="One")
    cfn.update_stack(**{**ONE, "TemplateBody": body("New", "One")})
    failed = "The following resource(s) failed to {}: [One]. ".format
    assert ended(cfn) == ("UPDATE_ROLLBACK_FAILED", failed("update"))
    assert set(roles(sandbox)) == {"New", "One"}
    text = f"Stack:{first} is in UPDATE_ROLLBACK_FAILED state and can not be updated."
    assert invalid(cfn.update_stack, **ONE) == text
    refuse(sandbox.endpoint, "DeleteRole", of="One")
    cfn.delete_stack(**NAMED)
    assert ended(cfn) == ("DELETE_FAILED", failed("delete"))
    for name, value in (("DeletionMode", "FORCE_DELETE_STACK"), ("RetainResources", ["One"])):
        text = f"{name} is not emulated"
        assert refusal(cfn.delete_stack, **NAMED, **{name: value}) == ("NotImplemented", text)

    def deleted(stack: str) -> None:
        refuse(sandbox.endpoint)
        cfn.delete_stack(**NAMED)
        assert (ended(cfn, stack)[0], roles(sandbox)) == ("DELETE_COMPLETE", {})

    deleted(first)
    refuse(sandbox.endpoint, "PutRolePolicy", "DeleteRole")
    second = cfn.create_stack(**ONE)["StackId"]
    assert ended(cfn) == ("ROLLBACK_FAILED", failed("delete"))
    deleted(second)


def test_a_change_set_at_work_is_not_deleted(tmp_path: Path) -> None:
    with Sandbox(tmp_path, pace=Pace(1)) as sandbox:  # in real time, this takes seconds
        serve(sandbox)
        cfn: Any = sandbox.client("cloudformation", sandbox.endpoint.session(ADMINISTRATOR))
        cfn.create_change_set(**ONE, **NEW)
        text = "Cannot delete ChangeSet in status CREATE_IN_PROGRESS"
        assert refusal(cfn.delete_change_set, **CHANGE_SET) == ("InvalidChangeSetStatus", text)
