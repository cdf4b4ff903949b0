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
from rehearsal.calls import given, proposed, refusal, settled
from rehearsal.thing import CODE, TRUST, template
from support.emulated import Emulated

from cloudformation_api.api import serve

BODY = template()
IAM = ["CAPABILITY_IAM"]
CFN_TRUST = json.dumps(TRUST).replace("lambda.amazonaws.com", "cloudformation.amazonaws.com")


@pytest.fixture
def cfn(account: Emulated) -> Any:
    return account.client("cloudformation")


def created(cfn: Any, **parameters: str) -> dict[str, Any]:
    cfn.create_stack(
        StackName="thing", TemplateBody=BODY, Capabilities=IAM, Parameters=given(**parameters)
    )
    return settled(cfn)


def change_set(cfn: Any, kind: str = "UPDATE", **params: Any) -> dict[str, Any]:
    asked = {"TemplateBody": BODY, "Capabilities": IAM, **params}
    return proposed(cfn, ChangeSetName="c", ChangeSetType=kind, **asked)


def test_a_stack_is_made_while_its_maker_looks_on(account: Emulated, cfn: Any) -> None:
    serve(account.sandbox).page_size = 3
    made = cfn.create_stack(
        StackName="thing",
        TemplateBody=BODY,
        Capabilities=IAM,
        Tags=[{"Key": "team", "Value": "edge"}],
        Parameters=given(Do="well"),
    )
    assert refusal(cfn.update_stack, StackName="thing", UsePreviousTemplate=True) == (
        "ValidationError",
        f"Stack:{made['StackId']} is in CREATE_IN_PROGRESS state and can not be updated.",
    )
    assert "cannot be deleted while" in refusal(cfn.delete_stack, StackName="thing")[1]
    stack = settled(cfn)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["StackId"] == made["StackId"]
    assert stack["Outputs"] == [{"OutputKey": "A", "OutputValue": "b"}]
    assert stack["Tags"] == [{"Key": "team", "Value": "edge"}]
    assert stack["Parameters"] == [{"ParameterKey": "Do", "ParameterValue": "well"}]
    assert stack["Capabilities"] == IAM
    assert cfn.get_template(StackName="thing")["TemplateBody"] == json.loads(BODY)
    first = cfn.describe_stack_events(StackName="thing")
    assert len(first["StackEvents"]) == 3 and "NextToken" in first
    pages = cfn.get_paginator("describe_stack_events").paginate(StackName="thing")
    events = [each for page in pages for each in page["StackEvents"]]  # newest first
    assert [(each["LogicalResourceId"], each["ResourceStatus"]) for each in events] == [
        ("thing", "CREATE_COMPLETE"),
        ("Thing", "CREATE_COMPLETE"),
        ("Thing", "CREATE_IN_PROGRESS"),
        ("Thing", "CREATE_IN_PROGRESS"),
        ("Function", "CREATE_COMPLETE"),
        ("Function", "CREATE_IN_PROGRESS"),
        ("Function", "CREATE_IN_PROGRESS"),
        ("Role", "CREATE_COMPLETE"),
        ("Role", "CREATE_IN_PROGRESS"),
        ("Role", "CREATE_IN_PROGRESS"),
        ("thing", "CREATE_IN_PROGRESS"),
    ]
    assert len({each["EventId"] for each in events}) == len(events)
    assert events[-1]["ResourceStatusReason"] == "User Initiated"
    told = [(e["PhysicalResourceId"], e.get("ResourceStatusReason", "")) for e in events[1:4]]
    assert told == [("thing", ""), ("thing", "Resource creation Initiated"), ("", "")]
    found = cfn.describe_stack_resources(StackName="thing")["StackResources"]
    assert [(each["LogicalResourceId"], each["ResourceStatus"]) for each in found] == [
        ("Role", "CREATE_COMPLETE"),
        ("Function", "CREATE_COMPLETE"),
        ("Thing", "CREATE_COMPLETE"),
    ]
    named = {"StackName": "thing", "LogicalResourceId": "Thing"}
    (one,) = cfn.describe_stack_resources(**named)["StackResources"]
    assert one["PhysicalResourceId"] == "thing"
    listed = cfn.list_stack_resources(StackName="thing")["StackResourceSummaries"]
    kinds = ["AWS::IAM::Role", "AWS::Lambda::Function", "Custom::Thing"]
    assert [each["ResourceType"] for each in listed] == kinds
    assert refusal(cfn.describe_stack_resources, StackName="thing", LogicalResourceId="No") == (
        "ValidationError",
        "Resource No does not exist for stack thing",
    )


def test_a_name_is_taken_once_and_free_again_after_the_stack_is_gone(cfn: Any) -> None:
    first = created(cfn)["StackId"]
    assert refusal(cfn.create_stack, StackName="thing", TemplateBody=BODY) == (
        "AlreadyExistsException",
        "Stack [thing] already exists",
    )
    cfn.delete_stack(StackName="thing")
    assert settled(cfn, first)["StackStatus"] == "DELETE_COMPLETE"
    assert refusal(cfn.describe_stacks, StackName="thing") == (
        "ValidationError",
        "Stack with id thing does not exist",
    )
    assert refusal(cfn.describe_stack_events, StackName="thing") == (
        "ValidationError",
        "Stack [thing] does not exist",
    )
    assert created(cfn)["StackId"] != first
    cfn.delete_stack(StackName="never")  # as on AWS, succeeds without a stack
    gone = cfn.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [each["StackId"] for each in gone] == [first]


def test_what_is_wrong_is_refused_before_anything_is_made(cfn: Any) -> None:
    asked = {"StackName": "thing", "TemplateBody": BODY}
    assert refusal(cfn.create_stack, StackName="thing")[0] == "ValidationError"
    for text, missing in (
        (BODY, "CAPABILITY_IAM"),
        (template(RoleName="r"), "CAPABILITY_NAMED_IAM"),
    ):
        assert refusal(cfn.create_stack, **{**asked, "TemplateBody": text}) == (
            "InsufficientCapabilitiesException",
            f"Requires capabilities : [{missing}]",
        )
    more = {**asked, "Capabilities": IAM}
    assert refusal(cfn.create_stack, **more, Parameters=given(Other="x")) == (
        "ValidationError",
        "Parameters: [Other] do not exist in the template",
    )
    previous = [{"ParameterKey": "Do", "UsePreviousValue": True}]
    assert "usePreviousValue" in refusal(cfn.create_stack, **more, Parameters=previous)[1]
    bare = json.loads(BODY)
    del bare["Parameters"]["Do"]["Default"]
    assert refusal(cfn.create_stack, **{**more, "TemplateBody": json.dumps(bare)}) == (
        "ValidationError",
        "Parameters: [Do] must have values",
    )
    assert refusal(cfn.create_stack, **more, TimeoutInMinutes=1)[0] == "NotImplemented"
    assert refusal(cfn.create_stack, **more, OnFailure="DELETE")[0] == "NotImplemented"
    assert refusal(cfn.describe_stacks, StackName="thing")[0] == "ValidationError"


def test_an_update_keeps_what_is_not_given_and_refuses_to_do_nothing(cfn: Any) -> None:
    created(cfn, Do="raise no more")
    previous = [{"ParameterKey": "Do", "UsePreviousValue": True}]
    same = {"StackName": "thing", "UsePreviousTemplate": True, "Capabilities": IAM}
    assert refusal(cfn.update_stack, **same, Parameters=previous) == (
        "ValidationError",
        "No updates are to be performed.",
    )
    cfn.update_stack(**same, Parameters=given(Do="more"))
    stack = settled(cfn)
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stack["Parameters"] == [{"ParameterKey": "Do", "ParameterValue": "more"}]
    cfn.update_stack(**same)  # an omitted parameter gets its default again
    assert settled(cfn)["Parameters"] == [{"ParameterKey": "Do", "ParameterValue": "well"}]
    assert refusal(cfn.update_stack, **{**same, "StackName": "never"}) == (
        "ValidationError",
        "Stack [never] does not exist",
    )


def test_a_stack_that_failed_can_only_be_deleted(cfn: Any) -> None:
    stack = created(cfn, Do="fail")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    text = f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
    same = {"StackName": "thing", "UsePreviousTemplate": True, "Capabilities": IAM}
    assert refusal(cfn.update_stack, **same) == ("ValidationError", text)
    asked = {"StackName": "thing", "ChangeSetName": "c", "TemplateBody": BODY}
    assert refusal(cfn.create_change_set, **asked, Capabilities=IAM) == ("ValidationError", text)
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
    assert refusal(cfn.create_change_set, **again) == (
        "ValidationError",
        "Stack [thing] does not exist",
    )
    cfn.execute_change_set(ChangeSetName="c", StackName="thing")
    time.sleep(0.05)
    assert settled(cfn)["StackStatus"] == "CREATE_COMPLETE"
    assert refusal(cfn.create_change_set, **again, ChangeSetType="CREATE") == (
        "ValidationError",
        "Stack [thing] already exists and cannot be created again with the changeSet [d]",
    )


def test_a_change_set_that_is_not_executed_leaves_a_stack_to_delete(cfn: Any) -> None:
    stack = change_set(cfn, "CREATE")["StackId"]
    cfn.delete_change_set(ChangeSetName="c", StackName="thing")
    assert cfn.list_change_sets(StackName="thing")["Summaries"] == []
    assert refusal(cfn.describe_change_set, ChangeSetName="c", StackName="thing") == (
        "ChangeSetNotFound",
        "ChangeSet [c] does not exist",
    )
    waiting = change_set(cfn, "CREATE")["ChangeSetId"]
    cfn.delete_stack(StackName="thing")
    assert settled(cfn, stack)["StackStatus"] == "DELETE_COMPLETE"
    assert refusal(cfn.describe_change_set, ChangeSetName=waiting)[0] == "ChangeSetNotFound"


def test_a_change_set_tells_what_changes_and_by_which_parameter(cfn: Any) -> None:
    created(cfn)
    (change,) = change_set(cfn, Parameters=given(Do="more"))["Changes"]
    target = {"Attribute": "Properties", "Name": "Do", "RequiresRecreation": "Never"}
    assert change["ResourceChange"] == {
        "Action": "Modify",
        "LogicalResourceId": "Thing",
        "PhysicalResourceId": "thing",
        "ResourceType": "Custom::Thing",
        "Replacement": "False",
        "Scope": ["Properties"],
        "Details": [
            {
                "Target": target,
                "Evaluation": "Static",
                "ChangeSource": "ParameterReference",
                "CausingEntity": "Do",
            }
        ],
    }
    cfn.execute_change_set(ChangeSetName="c", StackName="thing")
    assert settled(cfn)["StackStatus"] == "UPDATE_COMPLETE"
    (listed,) = cfn.list_change_sets(StackName="thing")["Summaries"]
    assert listed["ExecutionStatus"] == "EXECUTE_COMPLETE"
    cfn.delete_change_set(ChangeSetName="c", StackName="thing")
    found = change_set(cfn, Parameters=given(Do="more"))
    assert (found["Status"], found["StatusReason"]) == (
        "FAILED",
        "The submitted information didn't contain changes. "
        "Submit different information to create a change set.",
    )
    assert refusal(cfn.execute_change_set, ChangeSetName="c", StackName="thing") == (
        "InvalidChangeSetStatus",
        f"ChangeSet [{found['ChangeSetId']}] cannot be executed in its current status of [FAILED]",
    )


def test_what_would_be_made_anew_is_told_and_not_emulated(cfn: Any) -> None:
    created(cfn)
    found = change_set(cfn, TemplateBody=template(Path="/other/"))
    (change,) = (each["ResourceChange"] for each in found["Changes"])
    assert (change["LogicalResourceId"], change["Replacement"]) == ("Role", "True")
    code, _ = refusal(cfn.execute_change_set, ChangeSetName="c", StackName="thing")
    assert code == "NotImplemented"
    body = cfn.get_template(StackName="thing", ChangeSetName="c")["TemplateBody"]
    assert body["Resources"]["Role"]["Properties"]["Path"] == "/other/"


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}}


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("[]", "unsupported structure."),
        # [localstack tests/aws/services/cloudformation/api/test_templates]
        (
            '{"this is invalid JSON"="bobbins"}',
            "JSON not well-formed. (line 1, column 25)",
        ),
        ({}, "At least one Resources member must be defined."),
        ({"Resources": []}, "Resources is not an object."),
        ({"Resources": {"A": {}}}, "[/Resources/A] 'null' values are not allowed in templates"),
        ({"Parameters": None, "Resources": {"A": ROLE}}, "Parameters is not an object."),
        (
            {"Outputs": {"O": {}}, "Resources": {"A": ROLE}},
            "Every Outputs object must contain a Value member.",
        ),
        (
            {"Outputs": {"O": {"Value": {"Fn::Sub": "${B.Arn}"}}}, "Resources": {"A": ROLE}},
            "Unresolved resource dependencies [B] in the Outputs block of the template",
        ),
        (
            {"Resources": {"A": {**ROLE, "DependsOn": ["B"]}}},
            "Unresolved resource dependencies [B] in the Resources block of the template",
        ),
    ],
)
def test_what_is_no_template_is_refused(cfn: Any, body: object, refused: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    expected = ("ValidationError", f"Template format error: {refused}")
    assert refusal(cfn.create_stack, StackName="s", TemplateBody=text) == expected


@pytest.mark.parametrize(
    ("resource", "what"),
    [
        ({"Type": "AWS::S3::Bucket"}, "AWS::S3::Bucket"),
        ({**ROLE, "Properties": {"RoleName": {"Fn::Cidr": []}}}, "Fn::Cidr"),
        ({**ROLE, "Properties": {"RoleName": {"Fn::If": ["No", "a", "b"]}}}, "Conditions"),
    ],
)
def test_what_is_not_emulated_of_a_template_is_said(
    cfn: Any, resource: dict[str, Any], what: str
) -> None:
    text = json.dumps({"Resources": {"A": resource}})
    assert refusal(cfn.create_stack, StackName="s", TemplateBody=text) == (
        "NotImplemented",
        f"{what} is not emulated",
    )


def test_a_template_in_s3_may_be_longer_and_needs_the_right_to_get_it(
    account: Emulated, cfn: Any
) -> None:
    long = json.dumps({**json.loads(BODY), "Description": "x" * 51_200})
    body = {"StackName": "thing", "TemplateBody": long, "Capabilities": IAM}
    assert "less than or equal to 51200" in refusal(cfn.create_stack, **body)[1]
    s3 = account.client("s3")
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
    code, text = refusal(other.create_stack, **again)
    assert (code, text[:9]) == ("ValidationError", "S3 error:")
    # [localstack tests/aws/services/cloudformation/api/test_templates]
    assert refusal(cfn.create_stack, **{**again, "TemplateURL": "ftp://a/b"}) == (
        "ValidationError",
        "TemplateURL must be a supported URL.",
    )
    assert refusal(cfn.create_stack, **{**again, "TemplateURL": "s3://templates/a/t.json"}) == (
        "ValidationError",
        "S3 error: Domain name specified in templates is not a valid S3 domain",
    )


def test_a_role_is_passed_kept_and_acts(account: Emulated, cfn: Any) -> None:
    """If its role has no permissions, creation fails; a deleted role blocks the Delete."""
    iam = account.client("iam")
    role = iam.create_role(RoleName="poor", AssumeRolePolicyDocument=CFN_TRUST)["Role"]["Arn"]
    may = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
    asked = {"StackName": "thing", "TemplateBody": BODY, "Capabilities": IAM, "RoleARN": role}
    poor = account.sandbox.client("cloudformation", account.person(may))
    code, text = refusal(poor.create_stack, **asked)
    assert (code, "iam:PassRole" in text) == ("AccessDenied", True)
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role}
    person = account.sandbox.client("cloudformation", account.person(may, passing))
    person.create_stack(**asked)
    stack = settled(cfn)
    assert (stack["StackStatus"], stack["RoleARN"]) == ("ROLLBACK_COMPLETE", role)
    events = cfn.describe_stack_events(StackName="thing")["StackEvents"]
    (failed,) = (each for each in events if each["ResourceStatus"] == "CREATE_FAILED")
    assert "iam:CreateRole" in failed["ResourceStatusReason"]
    iam.delete_role(RoleName="poor")
    assert refusal(poor.delete_stack, StackName="thing") == (
        "ValidationError",
        f"Role {role} is invalid or cannot be assumed by cloudformation.amazonaws.com",
    )


def test_without_a_role_the_caller_s_own_rights_count(account: Emulated, cfn: Any) -> None:
    here = "arn:aws:cloudformation:us-east-1:123456789012:stack/thing/*"
    may = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": here}
    person = account.sandbox.client("cloudformation", account.person(may))
    assert refusal(person.describe_stacks, StackName="other")[0] == "AccessDenied"
    assert refusal(person.describe_stacks, StackName="thing")[0] == "ValidationError"
    person.create_stack(StackName="thing", TemplateBody=BODY, Capabilities=IAM)
    events = cfn.describe_stack_events(StackName=settled(cfn)["StackId"])["StackEvents"]
    assert any("iam:CreateRole" in each.get("ResourceStatusReason", "") for each in events)


def test_credentials_that_are_over_or_unknown_are_told_apart(account: Emulated) -> None:
    sandbox, expired = account.sandbox, account.person()
    sandbox.endpoint.expire(expired)
    unknown = {**expired, "aws_access_key_id": "ASIA0000000000009999"}
    found = {
        service: tuple(
            refusal(getattr(sandbox.client(service, each), call))[0] for each in (expired, unknown)
        )
        for service, call in (
            ("cloudformation", "describe_stacks"),
            ("lambda", "list_functions"),
            ("s3", "list_buckets"),
            ("sts", "get_caller_identity"),
        )
    }
    assert found == {
        "cloudformation": ("ExpiredToken", "InvalidClientTokenId"),
        "lambda": ("ExpiredTokenException", "UnrecognizedClientException"),
        "s3": ("ExpiredToken", "InvalidAccessKeyId"),
        "sts": ("ExpiredToken", "InvalidClientTokenId"),
    }
    who = sandbox.client("sts", account.person()).get_caller_identity()  # needs no permission
    assert who["Account"] == "123456789012"
    assert who["Arn"].startswith("arn:aws:sts::123456789012:assumed-role/person-")


def test_a_function_s_code_can_be_downloaded_by_whoever_has_the_url(
    account: Emulated, cfn: Any
) -> None:
    created(cfn)
    functions = account.client("lambda")
    named = {"StackName": "thing", "LogicalResourceId": "Function"}
    (resource,) = cfn.describe_stack_resources(**named)["StackResources"]
    physical = resource["PhysicalResourceId"]
    found = functions.get_function(FunctionName=physical)
    assert found["Configuration"]["Handler"] == "index.handler"
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        archive = zipfile.ZipFile(io.BytesIO(answer.read()))
    assert archive.read("index.py").decode() == CODE
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(found["Code"]["Location"][:-1])
    error.value.close()
    assert refusal(functions.get_function, FunctionName="never")[0] == "ResourceNotFoundException"


def test_another_region_has_no_stacks(account: Emulated, cfn: Any) -> None:
    created(cfn)
    elsewhere = boto3.Session(region_name="eu-west-1", **account.credentials)
    client = elsewhere.client("cloudformation", endpoint_url=account.sandbox.endpoint.url)
    assert client.describe_stacks()["Stacks"] == []
