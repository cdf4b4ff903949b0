"""CloudFormation's API over HTTP: it answers and refuses as AWS does, and returns at once."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
import zipfile
from typing import Any

import boto3
import pytest
from rehearsal.stacks import (
    CODE,
    IAM,
    TRUST,
    given,
    invalid,
    proposed,
    refusal,
    role,
    settled,
    template,
)
from support.emulated import Emulated

from cloudformation_api.api import serve
from dt_logs_rehearsal.sandbox import Sandbox

BODY = template()
MAKE = {"StackName": "thing", "TemplateBody": BODY, "Capabilities": IAM}
SAME = {"StackName": "thing", "UsePreviousTemplate": True, "Capabilities": IAM}
NAMED = {"StackName": "thing", "ChangeSetName": "c"}
PREVIOUS = [{"ParameterKey": "Do", "UsePreviousValue": True}]


def created(cfn: Any, **parameters: str) -> dict[str, Any]:
    cfn.create_stack(**MAKE, Parameters=given(**parameters))
    return settled(cfn)


def change_set(cfn: Any, kind: str = "UPDATE", **params: Any) -> dict[str, Any]:
    asked = {"TemplateBody": BODY, "Capabilities": IAM, **params}
    return proposed(cfn, ChangeSetName="c", ChangeSetType=kind, **asked)


def events(cfn: Any, name: str = "thing") -> list[dict[str, Any]]:
    """Return a stack's events, newest first."""
    pages = cfn.get_paginator("describe_stack_events").paginate(StackName=name)
    return [each for page in pages for each in page["StackEvents"]]


def test_a_stack_is_made_while_its_maker_looks_on(sandbox: Sandbox, cfn: Any) -> None:
    serve(sandbox).page_size = 3
    tags = [{"Key": "team", "Value": "edge"}]
    made = cfn.create_stack(**MAKE, Tags=tags, Parameters=given(Do="well"))
    text = f"Stack:{made['StackId']} is in CREATE_IN_PROGRESS state and can not be updated."
    assert invalid(cfn.update_stack, StackName="thing", UsePreviousTemplate=True) == text
    assert "cannot be deleted while" in invalid(cfn.delete_stack, StackName="thing")
    stack = settled(cfn)
    assert (
        stack.items()
        >= {
            "StackStatus": "CREATE_COMPLETE",
            "StackId": made["StackId"],
            "Outputs": [{"OutputKey": "A", "OutputValue": "b"}],
            "Tags": tags,
            "Parameters": given(Do="well"),
            "Capabilities": IAM,
        }.items()
    )
    assert cfn.get_template(StackName="thing")["TemplateBody"] == json.loads(BODY)
    first = cfn.describe_stack_events(StackName="thing")
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
    resources = cfn.describe_stack_resources(StackName="thing")["StackResources"]
    assert [(each["LogicalResourceId"], each["ResourceStatus"]) for each in resources] == [
        (name, "CREATE_COMPLETE") for name in ("Role", "Function", "Thing")
    ]
    named = {"StackName": "thing", "LogicalResourceId": "Thing"}
    (one,) = cfn.describe_stack_resources(**named)["StackResources"]
    assert one["PhysicalResourceId"] == "thing"
    listed = cfn.list_stack_resources(StackName="thing")["StackResourceSummaries"]
    kinds = ["AWS::IAM::Role", "AWS::Lambda::Function", "Custom::Thing"]
    assert [each["ResourceType"] for each in listed] == kinds
    text = "Resource No does not exist for stack thing"
    assert invalid(cfn.describe_stack_resources, **{**named, "LogicalResourceId": "No"}) == text


def test_a_name_is_taken_once_and_free_again_after_the_stack_is_gone(cfn: Any) -> None:
    first = created(cfn)["StackId"]
    taken = ("AlreadyExistsException", "Stack [thing] already exists")
    assert refusal(cfn.create_stack, StackName="thing", TemplateBody=BODY) == taken
    cfn.delete_stack(StackName="thing")
    assert settled(cfn, first)["StackStatus"] == "DELETE_COMPLETE"
    text = "Stack with id thing does not exist"
    assert invalid(cfn.describe_stacks, StackName="thing") == text
    text = "Stack [thing] does not exist"
    assert invalid(cfn.describe_stack_events, StackName="thing") == text
    assert created(cfn)["StackId"] != first
    cfn.delete_stack(StackName="never")  # as on AWS, this succeeds without a stack
    gone = cfn.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [each["StackId"] for each in gone] == [first]


def test_what_is_wrong_is_refused_before_anything_is_made(cfn: Any) -> None:
    for text, missing in (
        (BODY, "CAPABILITY_IAM"),
        (template(RoleName="r"), "CAPABILITY_NAMED_IAM"),
    ):
        assert refusal(cfn.create_stack, StackName="thing", TemplateBody=text) == (
            "InsufficientCapabilitiesException",
            f"Requires capabilities : [{missing}]",
        )
    bare = json.loads(BODY)
    del bare["Parameters"]["Do"]["Default"]
    for more, told in (
        ({"Parameters": given(Other="x")}, "Parameters: [Other] do not exist in the template"),
        ({"Parameters": PREVIOUS}, "usePreviousValue"),
        ({"TemplateBody": json.dumps(bare)}, "Parameters: [Do] must have values"),
    ):
        assert told in invalid(cfn.create_stack, **{**MAKE, **more})
    assert invalid(cfn.create_stack, StackName="thing")
    for strange in ({"TimeoutInMinutes": 1}, {"OnFailure": "DELETE"}):
        assert refusal(cfn.create_stack, **MAKE, **strange)[0] == "NotImplemented"
    assert invalid(cfn.describe_stacks, StackName="thing")


def test_an_update_keeps_what_is_not_given_and_refuses_to_do_nothing(cfn: Any) -> None:
    created(cfn, Do="raise no more")
    text = "No updates are to be performed."
    assert invalid(cfn.update_stack, **SAME, Parameters=PREVIOUS) == text
    cfn.update_stack(**SAME, Parameters=given(Do="more"))
    stack = settled(cfn)
    assert (stack["StackStatus"], stack["Parameters"]) == ("UPDATE_COMPLETE", given(Do="more"))
    cfn.update_stack(**SAME)  # an omitted parameter gets its default again
    assert settled(cfn)["Parameters"] == given(Do="well")
    text = "Stack [never] does not exist"
    assert invalid(cfn.update_stack, **{**SAME, "StackName": "never"}) == text


def test_a_stack_that_failed_can_only_be_deleted(cfn: Any) -> None:
    stack = created(cfn, Do="fail")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    text = f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
    assert invalid(cfn.update_stack, **SAME) == text
    assert invalid(cfn.create_change_set, **MAKE, ChangeSetName="c") == text
    cfn.delete_stack(StackName="thing")
    assert settled(cfn, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_change_set_makes_a_stack_that_waits_to_be_reviewed(cfn: Any) -> None:
    found = change_set(cfn, "CREATE", Description="why")
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert [each["ResourceChange"] for each in found["Changes"]] == [
        {"Action": "Add", "LogicalResourceId": "Role", "ResourceType": "AWS::IAM::Role"},
        {"Action": "Add", "LogicalResourceId": "Function", "ResourceType": "AWS::Lambda::Function"},
        {"Action": "Add", "LogicalResourceId": "Thing", "ResourceType": "Custom::Thing"},
    ]
    stack = cfn.describe_stacks(StackName="thing")["Stacks"][0]
    assert stack["StackStatus"] == "REVIEW_IN_PROGRESS"
    listed = cfn.list_change_sets(StackName="thing")["Summaries"]
    assert [(each["ChangeSetName"], each["Description"]) for each in listed] == [("c", "why")]
    again = {"StackName": "thing", "ChangeSetName": "d", "TemplateBody": BODY}
    assert invalid(cfn.create_change_set, **again) == "Stack [thing] does not exist"
    cfn.execute_change_set(**NAMED)
    time.sleep(0.05)
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    text = "Stack [thing] already exists and cannot be created again with the changeSet [d]"
    assert invalid(cfn.create_change_set, **again, ChangeSetType="CREATE") == text


def test_a_change_set_that_is_not_executed_leaves_a_stack_to_delete(cfn: Any) -> None:
    stack = change_set(cfn, "CREATE")["StackId"]
    cfn.delete_change_set(**NAMED)
    assert cfn.list_change_sets(StackName="thing")["Summaries"] == []
    gone = ("ChangeSetNotFound", "ChangeSet [c] does not exist")
    assert refusal(cfn.describe_change_set, **NAMED) == gone
    waiting = change_set(cfn, "CREATE")["ChangeSetId"]
    cfn.delete_stack(StackName="thing")
    assert settled(cfn, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert refusal(cfn.describe_change_set, ChangeSetName=waiting)[0] == "ChangeSetNotFound"


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
    cfn.execute_change_set(**NAMED)
    assert settled(cfn)["StackStatus"] == "UPDATE_COMPLETE"
    (listed,) = cfn.list_change_sets(StackName="thing")["Summaries"]
    assert listed["ExecutionStatus"] == "EXECUTE_COMPLETE"
    cfn.delete_change_set(**NAMED)
    found = change_set(cfn, Parameters=given(Do="more"))
    assert (found["Status"], found["StatusReason"]) == (
        "FAILED",
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set.",
    )
    assert refusal(cfn.execute_change_set, **NAMED) == (
        "InvalidChangeSetStatus",
        f"ChangeSet [{found['ChangeSetId']}] cannot be executed in its current status of [FAILED]",
    )


def test_what_would_be_made_anew_is_told_and_not_emulated(cfn: Any) -> None:
    created(cfn)
    found = change_set(cfn, TemplateBody=template(Path="/other/"))
    (change,) = (each["ResourceChange"] for each in found["Changes"])
    assert (change["LogicalResourceId"], change["Replacement"]) == ("Role", "True")
    assert refusal(cfn.execute_change_set, **NAMED)[0] == "NotImplemented"
    body = cfn.get_template(**NAMED)["TemplateBody"]
    assert body["Resources"]["Role"]["Properties"]["Path"] == "/other/"


ROLE = {"Resources": {"A": role()}}


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("[]", "unsupported structure."),
        # [localstack tests/aws/services/cloudformation/api/test_templates]
        ('{"this is invalid JSON"="bobbins"}', "JSON not well-formed. (line 1, column 25)"),
        ({}, "At least one Resources member must be defined."),
        ({"Resources": []}, "Resources is not an object."),
        ({"Resources": {"A": {}}}, "[/Resources/A] 'null' values are not allowed in templates"),
        ({"Parameters": None, **ROLE}, "Parameters is not an object."),
        (
            {"Outputs": {"O": {}}, **ROLE},
            "Every Outputs object must contain a Value member.",
        ),
        (
            {"Outputs": {"O": {"Value": {"Fn::Sub": "${B.Arn}"}}}, **ROLE},
            "Unresolved resource dependencies [B] in the Outputs block of the template",
        ),
        (
            {"Resources": {"A": {**role(), "DependsOn": ["B"]}}},
            "Unresolved resource dependencies [B] in the Resources block of the template",
        ),
    ],
)
def test_what_is_no_template_is_refused(cfn: Any, body: object, refused: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    expected = f"Template format error: {refused}"
    assert invalid(cfn.create_stack, StackName="s", TemplateBody=text) == expected


@pytest.mark.parametrize(
    ("resource", "what"),
    [
        ({"Type": "AWS::S3::Bucket"}, "AWS::S3::Bucket"),
        (role(RoleName={"Fn::Cidr": []}), "Fn::Cidr"),
        (role(RoleName={"Fn::If": ["No", "a", "b"]}), "Conditions"),
    ],
)
def test_what_is_not_emulated_of_a_template_is_said(
    cfn: Any, resource: dict[str, Any], what: str
) -> None:
    text = json.dumps({"Resources": {"A": resource}})
    expected = ("NotImplemented", f"{what} is not emulated")
    assert refusal(cfn.create_stack, StackName="s", TemplateBody=text) == expected


def test_a_template_in_s3_may_be_longer_and_needs_the_right_to_get_it(account: Emulated) -> None:
    cfn, s3 = account.client("cloudformation"), account.client("s3")
    long = json.dumps({**json.loads(BODY), "Description": "x" * 51_200})
    told = invalid(cfn.create_stack, **{**MAKE, "TemplateBody": long})
    assert "less than or equal to 51200" in told
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="a/t.json", Body=long.encode())
    for url in (
        "https://templates.s3.us-east-1.amazonaws.com/a/t.json",
        "https://s3.amazonaws.com/templates/a/t.json?versionId=1",
    ):
        cfn.create_change_set(
            StackName="other",
            ChangeSetName=f"c{len(url)}",
            ChangeSetType="CREATE",
            TemplateURL=url,
            Capabilities=IAM,
        )
    asked = {"StackName": "thing", "TemplateURL": url, "Capabilities": IAM}
    cfn.create_stack(**asked)
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    create = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    other = account.sandbox.client("cloudformation", account.person(create))
    again = {**asked, "StackName": "again"}
    assert invalid(other.create_stack, **again).startswith("S3 error:")
    # [localstack tests/aws/services/cloudformation/api/test_templates]
    for url, text in (
        ("ftp://a/b", "TemplateURL must be a supported URL."),
        (
            "s3://templates/a/t.json",
            "S3 error: Domain name specified in templates is not a valid S3 domain",
        ),
    ):
        assert invalid(cfn.create_stack, **{**again, "TemplateURL": url}) == text


def test_a_role_is_passed_kept_and_acts(account: Emulated) -> None:
    """A role without permissions makes the creation fail; a deleted role blocks the deletion."""
    cfn, iam = account.client("cloudformation"), account.client("iam")
    trust = json.dumps(TRUST).replace("lambda.amazonaws.com", "cloudformation.amazonaws.com")
    arn = iam.create_role(RoleName="poor", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    may = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    poor = account.sandbox.client("cloudformation", account.person(may))
    code, text = refusal(poor.create_stack, **MAKE, RoleARN=arn)
    assert (code, "iam:PassRole" in text) == ("AccessDenied", True)
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": arn}
    person = account.sandbox.client("cloudformation", account.person(may, passing))
    person.create_stack(**MAKE, RoleARN=arn)
    stack = settled(cfn)
    assert (stack["StackStatus"], stack["RoleARN"]) == ("ROLLBACK_COMPLETE", arn)
    (failed,) = (each for each in events(cfn) if each["ResourceStatus"] == "CREATE_FAILED")
    assert "iam:CreateRole" in failed["ResourceStatusReason"]
    iam.delete_role(RoleName="poor")
    text = f"Role {arn} is invalid or cannot be assumed by cloudformation.amazonaws.com"
    assert invalid(poor.delete_stack, StackName="thing") == text


def test_without_a_role_the_caller_s_own_rights_count(account: Emulated) -> None:
    cfn = account.client("cloudformation")
    here = "arn:aws:cloudformation:us-east-1:123456789012:stack/thing/*"
    may = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": here}
    person = account.sandbox.client("cloudformation", account.person(may))
    assert refusal(person.describe_stacks, StackName="other")[0] == "AccessDenied"
    assert invalid(person.describe_stacks, StackName="thing")
    person.create_stack(**MAKE)
    found = events(cfn, settled(cfn)["StackId"])
    assert any("iam:CreateRole" in each.get("ResourceStatusReason", "") for each in found)


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


def test_a_function_s_code_can_be_downloaded_by_whoever_has_the_url(account: Emulated) -> None:
    cfn, functions = account.client("cloudformation"), account.client("lambda")
    created(cfn)
    named = {"StackName": "thing", "LogicalResourceId": "Function"}
    (resource,) = cfn.describe_stack_resources(**named)["StackResources"]
    found = functions.get_function(FunctionName=resource["PhysicalResourceId"])
    assert found["Configuration"]["Handler"] == "index.handler"
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.read("index.py").decode() == CODE
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(found["Code"]["Location"][:-1])
    error.value.close()
    assert refusal(functions.get_function, FunctionName="never")[0] == "ResourceNotFoundException"


def test_another_region_has_no_stacks(account: Emulated) -> None:
    created(account.client("cloudformation"))
    elsewhere = boto3.Session(region_name="eu-west-1", **account.credentials)
    client = elsewhere.client("cloudformation", endpoint_url=account.sandbox.endpoint.url)
    assert client.describe_stacks()["Stacks"] == []
