"""CloudFormation's API over HTTP: it answers and refuses as AWS does, and returns at once."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from rehearsal.stacks import (
    CODE,
    IAM,
    TRUST,
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
SAME = {**NAMED, "UsePreviousTemplate": True, "Capabilities": IAM}
CHANGE_SET = {**NAMED, "ChangeSetName": "c"}
PREVIOUS = [{"ParameterKey": "Do", "UsePreviousValue": True}]
ONE = {**NAMED, "TemplateBody": body("One"), "Capabilities": IAM}
TWO = {**ONE, "TemplateBody": body("Two")}


def created(cfn: Any, **parameters: str) -> dict[str, Any]:
    cfn.create_stack(**MAKE, Parameters=given(**parameters))
    return settled(cfn)


def change_set(cfn: Any, kind: str = "UPDATE", **params: Any) -> dict[str, Any]:
    asked = {"TemplateBody": BODY, "Capabilities": IAM, **params}
    return proposed(cfn, **CHANGE_SET, ChangeSetType=kind, **asked)


def events(cfn: Any, name: str = "thing") -> list[dict[str, Any]]:
    """Return a stack's events, newest first."""
    pages = cfn.get_paginator("describe_stack_events").paginate(StackName=name)
    return [each for page in pages for each in page["StackEvents"]]


def test_a_stack_is_made_while_its_maker_looks_on(sandbox: Sandbox, cfn: Any) -> None:
    serve(sandbox).page_size = 3
    tags = [{"Key": "team", "Value": "edge"}]
    made = cfn.create_stack(**MAKE, Tags=tags, Parameters=given(Do="well"))
    text = f"Stack:{made['StackId']} is in CREATE_IN_PROGRESS state and can not be updated."
    assert invalid(cfn.update_stack, **SAME) == text
    assert "cannot be deleted while" in invalid(cfn.delete_stack, **NAMED)
    assert (
        settled(cfn).items()
        >= {
            "StackStatus": "CREATE_COMPLETE",
            "StackId": made["StackId"],
            "Outputs": [{"OutputKey": "A", "OutputValue": "b"}],
            "Tags": tags,
            "Parameters": given(Do="well"),
            "Capabilities": IAM,
        }.items()
    )
    assert cfn.get_template(**NAMED)["TemplateBody"] == json.loads(BODY)
    first = cfn.describe_stack_events(**NAMED)
    assert len(first["StackEvents"]) == 3 and "NextToken" in first
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
    assert [(each["LogicalResourceId"], each["ResourceStatus"]) for each in resources] == [
        (name, "CREATE_COMPLETE") for name in ("Role", "Function", "Thing")
    ]
    (one,) = cfn.describe_stack_resources(**NAMED, LogicalResourceId="Thing")["StackResources"]
    assert one["PhysicalResourceId"] == "thing"
    listed = cfn.list_stack_resources(**NAMED)["StackResourceSummaries"]
    kinds = ["AWS::IAM::Role", "AWS::Lambda::Function", "Custom::Thing"]
    assert [each["ResourceType"] for each in listed] == kinds
    text = "Resource No does not exist for stack thing"
    assert invalid(cfn.describe_stack_resources, **NAMED, LogicalResourceId="No") == text


def test_a_name_is_taken_once_and_free_again_after_the_stack_is_gone(cfn: Any) -> None:
    first = created(cfn, Do="fail")
    assert first["StackStatus"] == "ROLLBACK_COMPLETE"
    text = f"Stack:{first['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
    assert invalid(cfn.update_stack, **SAME) == text
    assert invalid(cfn.create_change_set, **MAKE, ChangeSetName="c") == text
    taken = ("AlreadyExistsException", "Stack [thing] already exists")
    assert refusal(cfn.create_stack, **MAKE) == taken
    cfn.delete_stack(**NAMED)
    assert settled(cfn, first["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert invalid(cfn.describe_stacks, **NAMED) == "Stack with id thing does not exist"
    for call in (cfn.describe_stack_events, cfn.update_stack):
        more = SAME if call == cfn.update_stack else NAMED
        assert invalid(call, **more) == "Stack [thing] does not exist"
    assert created(cfn)["StackId"] != first["StackId"]
    cfn.delete_stack(StackName="never")  # as on AWS, this succeeds without a stack
    gone = cfn.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [each["StackId"] for each in gone] == [first["StackId"]]


def test_an_update_keeps_what_is_not_given_and_refuses_to_do_nothing(cfn: Any) -> None:
    created(cfn, Do="raise no more")
    text = "No updates are to be performed."
    assert invalid(cfn.update_stack, **SAME, Parameters=PREVIOUS) == text
    cfn.update_stack(**SAME, Parameters=given(Do="more"))
    stack = settled(cfn)
    assert (stack["StackStatus"], stack["Parameters"]) == ("UPDATE_COMPLETE", given(Do="more"))
    cfn.update_stack(**SAME)  # an omitted parameter gets its default again
    assert settled(cfn)["Parameters"] == given(Do="well")


BARE = json.loads(BODY)
del BARE["Parameters"]["Do"]["Default"]
INVALID, UNKNOWN = "ValidationError", "NotImplemented"
CAPABILITIES = "InsufficientCapabilitiesException"
FORMAT = "Template format error:"
UNRESOLVED = f"{FORMAT} Unresolved resource dependencies [B] in the"
ROLE = {"Resources": {"A": role()}}
NO_PREVIOUS = (
    "Invalid input for parameter key Do. Cannot specify usePreviousValue as true for a parameter"
    " key not in the previous template"
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
    *(
        (wrong, {}, INVALID, f"{FORMAT} {text}")
        for wrong, text in (
            ("[]", "unsupported structure."),
            # [localstack tests/aws/services/cloudformation/api/test_templates]
            ('{"this is invalid JSON"="bobbins"}', "JSON not well-formed. (line 1, column 25)"),
            ({}, "At least one Resources member must be defined."),
            ({"Resources": []}, "Resources is not an object."),
            ({"Resources": {"A": {}}}, "[/Resources/A] 'null' values are not allowed in templates"),
            ({"Parameters": None, **ROLE}, "Parameters is not an object."),
            ({"Outputs": {"O": {}}, **ROLE}, "Every Outputs object must contain a Value member."),
        )
    ),
    (
        *({"Outputs": {"O": {"Value": {"Fn::Sub": "${B.Arn}"}}}, **ROLE}, {}, INVALID),
        f"{UNRESOLVED} Outputs block of the template",
    ),
    (
        *({"Resources": {"A": {**role(), "DependsOn": ["B"]}}}, {}, INVALID),
        f"{UNRESOLVED} Resources block of the template",
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
    assert invalid(cfn.create_stack, **NAMED)
    assert invalid(cfn.describe_stacks, **NAMED)


def test_a_change_set_makes_a_stack_that_waits_to_be_reviewed(cfn: Any) -> None:
    found = change_set(cfn, "CREATE", Description="why")
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    kinds = {
        "Role": "AWS::IAM::Role",
        "Function": "AWS::Lambda::Function",
        "Thing": "Custom::Thing",
    }
    assert [each["ResourceChange"] for each in found["Changes"]] == [
        {"Action": "Add", "LogicalResourceId": name, "ResourceType": kind}
        for name, kind in kinds.items()
    ]
    stack = cfn.describe_stacks(**NAMED)["Stacks"][0]
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    listed = cfn.list_change_sets(**NAMED)["Summaries"]
    assert [(each["ChangeSetName"], each["Description"]) for each in listed] == [("c", "why")]
    again = {**NAMED, "ChangeSetName": "d", "TemplateBody": BODY}
    assert invalid(cfn.create_change_set, **again) == "Stack [thing] does not exist"
    cfn.delete_change_set(**CHANGE_SET)
    assert cfn.list_change_sets(**NAMED)["Summaries"] == []
    gone = ("ChangeSetNotFound", "ChangeSet [c] does not exist")
    assert refusal(cfn.describe_change_set, **CHANGE_SET) == gone
    waiting = change_set(cfn, "CREATE")["ChangeSetId"]
    cfn.delete_stack(**NAMED)
    assert settled(cfn, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert refusal(cfn.describe_change_set, ChangeSetName=waiting)[0] == "ChangeSetNotFound"
    change_set(cfn, "CREATE")
    cfn.execute_change_set(**CHANGE_SET)
    time.sleep(0.05)
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    text = "Stack [thing] already exists and cannot be created again with the changeSet [d]"
    assert invalid(cfn.create_change_set, **again, ChangeSetType="CREATE") == text


def test_a_change_set_tells_what_changes_and_by_which_parameter(cfn: Any) -> None:
    created(cfn)
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
    (listed,) = cfn.list_change_sets(**NAMED)["Summaries"]
    assert listed["ExecutionStatus"] == "EXECUTE_COMPLETE"
    cfn.delete_change_set(**CHANGE_SET)
    found = change_set(cfn, Parameters=given(Do="more"))
    assert (found["Status"], found["StatusReason"]) == (
        "FAILED",
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set.",
    )
    text = (
        f"ChangeSet [{found['ChangeSetId']}] cannot be executed in its current status of [FAILED]"
    )
    assert refusal(cfn.execute_change_set, **CHANGE_SET) == ("InvalidChangeSetStatus", text)
    cfn.delete_change_set(**CHANGE_SET)
    # A replacement is shown, and not emulated.
    found = change_set(cfn, TemplateBody=template(Path="/other/"), Parameters=given(Do="more"))
    (change,) = (each["ResourceChange"] for each in found["Changes"])
    assert (change["LogicalResourceId"], change["Replacement"]) == ("Role", "True")
    assert refusal(cfn.execute_change_set, **CHANGE_SET)[0] == "NotImplemented"
    changed = cfn.get_template(**CHANGE_SET)["TemplateBody"]
    assert changed["Resources"]["Role"]["Properties"]["Path"] == "/other/"


def test_a_template_in_s3_may_be_longer_and_needs_the_right_to_get_it(account: Emulated) -> None:
    cfn, s3 = account.client("cloudformation"), account.client("s3")
    long = json.dumps({**json.loads(BODY), "Description": "x" * 51_200})
    told = invalid(cfn.create_stack, **{**MAKE, "TemplateBody": long})
    assert "less than or equal to 51200" in told
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="a/t.json", Body=long.encode())
    first, second = (
        "https://templates.s3.us-east-1.amazonaws.com/a/t.json",
        "https://s3.amazonaws.com/templates/a/t.json?versionId=1",
    )
    asked = {**NAMED, "TemplateURL": second, "Capabilities": IAM}
    cfn.create_change_set(
        **{**asked, "StackName": "other", "TemplateURL": first},
        ChangeSetName="c",
        ChangeSetType="CREATE",
    )
    cfn.create_stack(**asked)
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    allowed = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    other = account.sandbox.client("cloudformation", account.person(allowed))
    again = {**asked, "StackName": "again"}
    assert invalid(other.create_stack, **again).startswith("S3 error:")
    # [localstack tests/aws/services/cloudformation/api/test_templates]
    domain = "S3 error: Domain name specified in templates is not a valid S3 domain"
    for url, text in (
        ("ftp://a/b", "TemplateURL must be a supported URL."),
        ("s3://templates/a/t.json", domain),
    ):
        assert invalid(cfn.create_stack, **{**again, "TemplateURL": url}) == text


def test_a_role_or_the_caller_s_own_rights_act(account: Emulated) -> None:
    """A role without permissions makes the creation fail; a deleted role blocks the deletion."""
    cfn, iam = account.client("cloudformation"), account.client("iam")
    trust = json.dumps(TRUST).replace("lambda.amazonaws.com", "cloudformation.amazonaws.com")
    arn = iam.create_role(RoleName="poor", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    here = "arn:aws:cloudformation:us-east-1:123456789012:stack/thing/*"
    may = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": here}
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": arn}
    poor, person = (
        account.sandbox.client("cloudformation", account.person(*each))
        for each in ([may], [may, passing])
    )
    assert refusal(poor.describe_stacks, StackName="other")[0] == "AccessDenied"
    assert invalid(poor.describe_stacks, **NAMED)
    code, text = refusal(poor.create_stack, **MAKE, RoleARN=arn)
    assert (code, "iam:PassRole" in text) == ("AccessDenied", True)
    for client, named in ((poor, {}), (person, {"RoleARN": arn})):
        client.create_stack(**MAKE, **named)
        stack = settled(cfn)
        assert (stack["StackStatus"], "RoleARN" in stack) == ("ROLLBACK_COMPLETE", bool(named))
        assert named.items() <= stack.items()
        (failed,) = (each for each in events(cfn) if each["ResourceStatus"] == "CREATE_FAILED")
        assert "iam:CreateRole" in failed["ResourceStatusReason"]
        if not named:
            cfn.delete_stack(**NAMED)
            settled(cfn, stack["StackId"])
    iam.delete_role(RoleName="poor")
    text = f"Role {arn} is invalid or cannot be assumed by cloudformation.amazonaws.com"
    assert invalid(poor.delete_stack, **NAMED) == text


def test_credentials_that_are_over_or_unknown_are_told_apart(account: Emulated) -> None:
    sandbox, expired = account.sandbox, account.person()
    sandbox.endpoint.expire(expired)
    unknown = {**expired, "aws_access_key_id": "ASIA0000000000009999"}
    for service, call, *codes in (
        ("cloudformation", "describe_stacks", "ExpiredToken", "InvalidClientTokenId"),
        ("lambda", "list_functions", "ExpiredTokenException", "UnrecognizedClientException"),
        ("s3", "list_buckets", "ExpiredToken", "InvalidAccessKeyId"),
        ("sts", "get_caller_identity", "ExpiredToken", "InvalidClientTokenId"),
    ):
        clients = (sandbox.client(service, each) for each in (expired, unknown))
        assert [refusal(getattr(each, call))[0] for each in clients] == codes
    who = sandbox.client("sts", account.person()).get_caller_identity()  # always permitted
    assert who["Account"] == "123456789012"
    assert who["Arn"].startswith("arn:aws:sts::123456789012:assumed-role/person-")


def test_a_function_s_code_can_be_downloaded_in_its_region_with_the_url(account: Emulated) -> None:
    cfn, functions = account.client("cloudformation"), account.client("lambda")
    created(cfn)
    elsewhere = boto3.Session(region_name="eu-west-1", **account.credentials)
    client = elsewhere.client("cloudformation", endpoint_url=account.sandbox.endpoint.url)
    assert client.describe_stacks()["Stacks"] == []
    (resource,) = cfn.describe_stack_resources(**NAMED, LogicalResourceId="Function")[
        "StackResources"
    ]
    found = functions.get_function(FunctionName=resource["PhysicalResourceId"])
    assert found["Configuration"]["Handler"] == "index.handler"
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.read("index.py").decode() == CODE
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(found["Code"]["Location"][:-1])
    error.value.close()
    assert refusal(functions.get_function, FunctionName="never")[0] == "ResourceNotFoundException"


# Operations on a stack that failed; the stack has only roles, and IAM refuses some calls.


def made(cfn: Any, *roles: str) -> dict[str, Any]:
    cfn.create_stack(**NAMED, TemplateBody=body(*roles), Capabilities=IAM)
    return settled(cfn)


def updated(cfn: Any, *roles: str, policy: str = "Other") -> dict[str, Any]:
    text = body(*roles, policy=policy)
    cfn.update_stack(**NAMED, TemplateBody=text, Capabilities=IAM)
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
    cfn.create_stack(**NAMED, TemplateBody=text, Capabilities=IAM)
    assert settled(cfn)["StackStatus"] == "ROLLBACK_COMPLETE"
    (failed,) = (each for each in events(cfn) if each["ResourceStatus"] == "CREATE_FAILED")
    assert f"required key [{missing}] not found" in failed["ResourceStatusReason"]


def test_a_failed_rollback_and_a_creation_that_could_not_be_undone_are_deleted(
    sandbox: Sandbox, cfn: Any
) -> None:
    first = made(cfn, "One")
    assert updated(cfn, "One")["StackStatus"] == "UPDATE_COMPLETE"
    assert roles(sandbox) == {"One": ["Other"]}
    refuse(sandbox.endpoint, "PutRolePolicy", of="One")
    stack = updated(cfn, "New", "One", policy="Log")
    assert (stack["StackStatus"], stack["StackStatusReason"]) == (
        "UPDATE_ROLLBACK_FAILED",
        "The following resource(s) failed to update: [One]. ",
    )
    assert set(roles(sandbox)) == {"New", "One"}
    text = f"Stack:{first['StackId']} is in UPDATE_ROLLBACK_FAILED state and can not be updated."
    assert invalid(cfn.update_stack, **ONE) == text
    refuse(sandbox.endpoint, "DeleteRole", of="One")
    cfn.delete_stack(**NAMED)
    reason = settled(cfn)["StackStatusReason"]
    assert reason == "The following resource(s) failed to delete: [One]. "
    for name, value in (("DeletionMode", "FORCE_DELETE_STACK"), ("RetainResources", ["One"])):
        text = f"{name} is not emulated"
        assert refusal(cfn.delete_stack, **NAMED, **{name: value}) == ("NotImplemented", text)
    refuse(sandbox.endpoint)
    cfn.delete_stack(**NAMED)
    assert settled(cfn, first["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert roles(sandbox) == {}

    refuse(sandbox.endpoint, "PutRolePolicy", "DeleteRole")
    second = made(cfn, "One")
    assert (second["StackStatus"], second["StackStatusReason"]) == ("ROLLBACK_FAILED", reason)
    refuse(sandbox.endpoint)
    cfn.delete_stack(**NAMED)
    assert settled(cfn, second["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert roles(sandbox) == {}


# Calls that an SDK repeats after a lost answer; AWS recognises them by their token.

CREATES = {**ONE, "ChangeSetName": "c", "ChangeSetType": "CREATE"}


def test_a_change_set_is_made_once_and_executed_once(cfn: Any) -> None:
    made = proposed(cfn, **CREATES, ClientToken="t")
    again = cfn.create_change_set(**CREATES, ClientToken="t")
    assert (again["Id"], again["StackId"]) == (made["ChangeSetId"], made["StackId"])
    code, exists = "AlreadyExistsException", "ChangeSet c already exists"
    for token in ({"ClientToken": "u"}, {}):
        assert refusal(cfn.create_change_set, **CREATES, **token) == (code, exists)
    text = "ChangeSet c cannot be created due to a mismatch with existing attribute Template"
    assert refusal(cfn.create_change_set, **{**CREATES, **TWO}, ClientToken="t") == (code, text)
    assert len(cfn.list_change_sets(**NAMED)["Summaries"]) == 1
    for _ in range(2):
        cfn.execute_change_set(**CHANGE_SET, ClientRequestToken="t")
    assert refusal(cfn.execute_change_set, **CHANGE_SET)[0] == "InvalidChangeSetStatus"
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    cfn.execute_change_set(**CHANGE_SET, ClientRequestToken="t")
    tokens = [each.get("ClientRequestToken", "") for each in events(cfn)[::-1]]
    assert tokens == ["", *"ttttt"]
    found = cfn.describe_change_set(**CHANGE_SET)
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "EXECUTE_COMPLETE")
    taken = refusal(cfn.delete_stack, **NAMED, ClientRequestToken="t")
    assert taken[0] == "TokenAlreadyExistsException"


def test_a_change_set_at_work_is_not_deleted(tmp_path: Path) -> None:
    with Sandbox(tmp_path, pace=Pace(1)) as sandbox:  # in real time, creating it takes seconds
        serve(sandbox)
        cfn: Any = sandbox.client("cloudformation", sandbox.endpoint.session(ADMINISTRATOR))
        cfn.create_change_set(**CREATES)
        text = "Cannot delete ChangeSet in status CREATE_IN_PROGRESS"
        assert refusal(cfn.delete_change_set, **CHANGE_SET) == ("InvalidChangeSetStatus", text)


def test_a_stack_is_made_updated_and_deleted_once(cfn: Any) -> None:
    """A refused call may be repeated with its token."""
    made = cfn.create_stack(**ONE, ClientRequestToken="a")["StackId"]
    assert cfn.create_stack(**ONE, ClientRequestToken="a")["StackId"] == made
    other = refusal(cfn.create_stack, **ONE, ClientRequestToken="z")
    assert other[0] == "AlreadyExistsException"
    settled(cfn)
    used = refusal(cfn.update_stack, **TWO, ClientRequestToken="a")
    assert used[0] == "TokenAlreadyExistsException"
    wanting = {**TWO, "Capabilities": [], "ClientRequestToken": "b"}
    for call, name in ((cfn.update_stack, "thing"), (cfn.create_stack, "other")):
        found = refusal(call, **{**wanting, "StackName": name})
        assert found[0] == "InsufficientCapabilitiesException"
    for _ in range(2):
        assert cfn.update_stack(**TWO, ClientRequestToken="b")["StackId"] == made
    settled(cfn)
    assert cfn.update_stack(**TWO, ClientRequestToken="b")["StackId"] == made
    for _ in range(2):
        cfn.delete_stack(StackName=made, ClientRequestToken="c")
    assert settled(cfn, made)["StackStatus"] == "DELETE_COMPLETE"
    own = [each for each in events(cfn, made)[::-1] if each["LogicalResourceId"] == "thing"]
    assert "".join(each["ClientRequestToken"] for each in own) == "aabbbcc"
