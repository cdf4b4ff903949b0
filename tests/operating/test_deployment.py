"""How a deployment shows changes, which count, and which load balancers a list drops."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from operating.accounts import HERE, template, values

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.stack_options import changed
from dt_logs_cfn.operate.stacks.deployment import Deployment, Dropped
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


def resource(action: str, name: str, kind: str, replacement: str = "", *properties: str) -> Any:
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
        resource("Modify", "Invoke", "Custom::A", "False", "Do", "More", "Do"),
        resource("Modify", "Role", "AWS::IAM::Role", "True", "Path"),
        resource("Modify", "Other", "AWS::IAM::Role", "Conditional"),
        resource("Remove", "Group", "AWS::Logs::LogGroup"),
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
    kept = Existing(replace(BEFORE, role="arn:role"), before.template)
    assert "  through   arn:role" in [*deployment(kept, role("s3:B")).told(())]


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
    StackDescription("arn:stack", "s", "CREATE_COMPLETE", "", GIVEN, {}, {}), template()
)


def change(to: object, given: dict[str, str]) -> PlannedChange | None:
    """Return the stack's change to this template and these parameters."""
    return Deployment("s", HERE, Template(json.dumps(to)), given, before=EXISTING).as_change()


def edited(*path: str, to: Any) -> dict[str, Any]:
    """Return the template with another value at a path."""
    found = place = template()
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
    assert change(template(), {"ResourceTags": " a=b "}) is None
    found = change(template(), {"ResourceTags": "a=b, c=d"})
    assert found is not None
    assert found.diff == ("~ parameter ResourceTags: a=b -> a=b,c=d",)


def made(named: str) -> Existing:
    return Existing(replace(BEFORE, parameters={"LoadBalancerArns": named}), {})


def nobody() -> Iterator[str]:
    raise AssertionError("the account is listed only where the stack has every load balancer")
    yield


def forbidden() -> Iterator[str]:
    raise ClientError({"Error": {"Code": "AccessDenied"}}, "DescribeLoadBalancers")
    yield


@pytest.mark.parametrize(
    ("before", "add", "remove", "after"),
    [
        (None, ["a"], [], "a"),
        ("a", ["b"], [], "a,b"),
        ("a, b", ["b", "c"], [], "a,b,c"),
        ("a,b,c", ["d"], ["a", "c"], "b,d"),
        ("a", ["b"], ["a"], "b"),
        ("a,b", ["b, c", " a"], [], "a,b,c"),
        ("a,b,c", [], ["b,c "], "a"),
    ],
)
def test_a_list_is_changed_and_keeps_its_order(
    before: str | None, add: list[str], remove: list[str], after: str
) -> None:
    assert changed(made(before) if before else None, add, remove) == after


@pytest.mark.parametrize(
    ("before", "add", "remove", "told"),
    [
        ("*", ["a"], [], "which covers every load balancer. Set a list with --load-balancer"),
        ("a", [], ["b"], "does not have the load balancer 'b'. It has a."),
        (None, [], ["b"], "does not have the load balancer 'b'. It has none yet."),
        ("a", [], ["a"], "use `dt-logs-cfn remove --stack s`."),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    before: str | None, add: list[str], remove: list[str], told: str
) -> None:
    with pytest.raises(OperatingError) as error:
        changed(made(before) if before else None, add, remove)
    assert told in str(error.value)


def test_what_is_dropped_is_in_the_old_list_only() -> None:
    declared = {"LoadBalancerArns": {"Type": "String"}}
    listing = Template(json.dumps({"Parameters": declared, "Resources": {}}))

    def dropped(before: Existing | None, wanted: str, present: Callable[[], Iterable[str]]) -> Any:
        given = {"LoadBalancerArns": wanted}
        return Deployment("s", HERE, listing, given, before=before).dropped(present)

    assert dropped(None, "a", nobody) == Dropped()
    assert dropped(made("a,b"), "b, a", nobody) == Dropped()
    assert dropped(made("a,b,a"), "b", nobody) == Dropped(("a",))
    assert dropped(made("a,b"), "*", nobody) == Dropped()
    assert dropped(made("*"), "*", nobody) == Dropped()
    assert dropped(made("*"), "b", lambda: ["a", "b", "c"]) == Dropped(("a", "c"))
    assert dropped(made("*"), "b", list) == Dropped()
    assert dropped(made("*"), "b", forbidden) == Dropped(unnamed=True)
    assert bool(Dropped(unnamed=True)) is True


@pytest.mark.parametrize(
    ("present", "following"), [("", "1"), ("2", "3"), ("1767225600", "1767225601"), ("again", "1")]
)
def test_the_command_to_run_a_stack_again_has_a_new_token(present: str, following: str) -> None:
    command = "dt-logs-cfn deploy --stack s --parameter RunToken="
    assert replace(BEFORE, parameters={"RunToken": present}).run_again == command + following
    assert BEFORE.run_again == f"{command}1"
