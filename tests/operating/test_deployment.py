"""How a deployment shows changes and rights, and which differences count as changes."""

import json
from typing import Any

import pytest
from operating import account
from operating.account import values
from operating.looking import HERE

from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription
from dt_logs_cfn.operate.templates import Template

ENDPOINT = "NotificationEndpoint"
DECLARED = {name: {"Type": "String", "Default": ""} for name in (ENDPOINT, "Same", "New")}
BEFORE = StackDescription(
    id="arn:aws:cloudformation:us-east-1:123456789012:stack/s/1",
    name="s",
    status="CREATE_COMPLETE",
    role="",
    parameters={ENDPOINT: "https://a.example.com/?t=ONE", "Old": "x", "Same": "y"},
    tags={"cost": "7", "team": "edge"},
    outputs={},
)


def role(*actions: object) -> dict[str, Any]:
    statements = [{"Effect": "Allow", "Action": each, "Resource": "*"} for each in actions]
    document = {"Version": "2012-10-17", "Statement": statements}
    policies = [{"PolicyName": "P", "PolicyDocument": document}]
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}


NO_ROLE = {**role("ec2:A"), "Type": "Custom::B"}


def deployment(before: Existing | None, role: object, **tags: str) -> Deployment:
    body = {"Parameters": DECLARED, "Resources": {"Role": role, "B": NO_ROLE}}
    given = {ENDPOINT: "https://a.example.com/?t=TWO"}
    return Deployment(
        "s", HERE, Template(json.dumps(body), "release 1"), given, tags, before=before
    )


def changed(action: str, name: str, kind: str, replacement: str = "", *properties: str) -> Any:
    """Return a change in CloudFormation's format; a property may occur twice, or have no name."""
    targets = [{"Attribute": "Properties", "Name": each} for each in properties]
    return {
        "Action": action,
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Replacement": replacement,
        "Details": [*({"Target": each} for each in (*targets, {"Attribute": "Tags"})), {}],
    }


def test_an_update_is_shown_from_old_to_new() -> None:
    changes = (
        changed("Modify", "Invoke", "Custom::A", "False", "Do", "More", "Do"),
        changed("Modify", "Role", "AWS::IAM::Role", "True", "Path"),
        changed("Modify", "Other", "AWS::IAM::Role", "Conditional"),
        changed("Remove", "Group", "AWS::Logs::LogGroup"),
    )
    resources = {"Role": role("s3:B"), "B": NO_ROLE}
    before = Existing(BEFORE, {"Parameters": DECLARED, "Resources": resources})
    shown = deployment(before, role("s3:B", "s3:A"), cost="8", new="x\x1b[2J")
    assert [*shown.told(changes)] == [
        "update stack s in account 123456789012, us-east-1",
        "  template  release 1",
        "  through   WARNING: your own permissions, without a service role",
        "  Resources",
        "    ~ Invoke  Custom::A  (Do, More, Tags)",
        "    ! Role  AWS::IAM::Role  (replaced; Path, Tags)",
        "    ! Other  AWS::IAM::Role  (perhaps replaced; Tags)",
        "    - Group  AWS::Logs::LogGroup  (Tags)",
        "  Parameters",
        "    NotificationEndpoint: https://a.example.com/… -> https://a.example.com/… (the hidden"
        " part changes)",
        "    New = empty (new)",
        "    Old goes",
        "  Tags",
        "    cost: 7 -> 8",
        "    new = x [2J (new)",
        "  Template",
        "    Role: right added: s3:A on *",
    ]


def test_of_a_new_stack_rights_are_counted() -> None:
    found = role("s3:A", ["s3:B", "sns:C"])
    policy: Any = found["Properties"]["Policies"][0]["PolicyDocument"]
    first, *others = policy["Statement"]
    policy["Statement"] = [{"Fn::If": ["C", first, {"Ref": "AWS::NoValue"}]}, *others]
    shown = "\n".join(deployment(None, found, team="edge").told(()))
    assert "  Tags\n    team = edge" in shown
    assert "  Permissions of the Lambda's role\n    s3: 2, sns: 1" in shown


GIVEN = values("*", ResourceTags="a=b")
EXISTING = Existing(
    StackDescription("arn:stack", "s", "CREATE_COMPLETE", "", GIVEN, {}, {}), account.template()
)


def change(to: object, given: dict[str, str]) -> PlannedChange | None:
    """Return the stack's change to this template and these parameters."""
    return Deployment("s", HERE, Template(json.dumps(to)), given, before=EXISTING).as_change()


def edited(*path: str, to: Any) -> dict[str, Any]:
    """Return the template with another value at a path."""
    found = place = account.template()
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return found


@pytest.mark.parametrize(
    ("path", "to", "counts"),
    [
        (("Description",), "other words", False),
        (("Metadata", "DTLogsAnalysis", "Settings"), {"aws": {"base_url": "https://x/"}}, False),
        (("Parameters", "RunToken", "Description"), "other words", False),
        (("Conditions", "More"), {"Fn::Equals": ["a", "a"]}, False),
        (("Conditions", "HasLogBucketName"), {"Fn::Equals": ["a", "a"]}, True),
        (("Outputs", "More"), {"Value": "7"}, True),
        (("Resources", "DTLogsAnalysisLambdaFunction", "Properties", "Timeout"), 60, True),
    ],
)
def test_words_alone_are_no_change(path: tuple[str, ...], to: Any, counts: bool) -> None:
    assert (change(edited(*path, to=to), {}) is not None) is counts


def test_space_in_a_list_is_no_change() -> None:
    assert change(account.template(), {"ResourceTags": " a=b "}) is None
    found = change(account.template(), {"ResourceTags": "a=b, c=d"})
    assert found is not None
    assert found.diff == ("~ parameter ResourceTags: a=b -> a=b,c=d",)
