"""Which changes are found between two templates, and their levels, with a case for each rule."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY, json_values

from dt_logs_cfn import Settings, Vendor, build_release
from dt_logs_cfn.diff import Change, Level, compare_templates
from dt_logs_cfn.diff.resources import create_only
from dt_logs_cfn.template import embedding

NAME = "dt-logs-analysis.template.json"
SETTINGS = Settings((Vendor("aws", "111122223333", "https://logs.example.com/alb"),))
FILES = build_release(SETTINGS).files
TEXTS = {name: text.decode() for name, text in FILES.items() if name.endswith(".template.json")}
ROLE = "DTLogsAnalysisLambdaExecutionRole"
FUNCTION = "DTLogsAnalysisLambdaFunction"
INVOCATION = "InvokeLambdaFunction"

Template = dict[str, Any]
Mutation = Callable[[Template], object]

MAJOR, MINOR, PATCH = Level.MAJOR, Level.MINOR, Level.PATCH


def template() -> Template:
    parsed: Template = json.loads(TEXTS[NAME])
    return parsed


def properties(parsed: Template, name: str = ROLE) -> dict[str, Any]:
    found: dict[str, Any] = parsed["Resources"][name]["Properties"]
    return found


def statements(parsed: Template) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = properties(parsed)["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def statement(parsed: Template, sid: str) -> dict[str, Any]:
    return next(each for each in statements(parsed) if each["Sid"] == sid)


def parameter(parsed: Template, name: str) -> dict[str, Any]:
    found: dict[str, Any] = parsed["Parameters"][name]
    return found


def changed(mutate: Mutation, start: Mutation | None = None) -> tuple[Change, ...]:
    """Return what `mutate` changes in the released template, or in what `start` makes of it."""
    old = template()
    if start is not None:
        start(old)
    new = copy.deepcopy(old)
    mutate(new)
    return compare_templates(old, new)


def told(changes: tuple[Change, ...]) -> list[tuple[Level, str]]:
    return [(each.level, each.what) for each in changes]


CASES: dict[str, tuple[Mutation, Level, str]] = {
    "parameter gone": (
        lambda t: t["Parameters"].pop("RunToken"),
        MAJOR,
        "parameter RunToken is gone",
    ),
    "parameter new and required": (
        lambda t: t["Parameters"].update(X={"Type": "String"}),
        MAJOR,
        "parameter X is new and is required",
    ),
    "parameter new and optional": (
        lambda t: t["Parameters"].update(X={"Type": "String", "Default": "a"}),
        MINOR,
        'parameter X is new, "a" by default',
    ),
    "default": (
        lambda t: parameter(t, "LogRetentionDays").update(Default=60),
        MINOR,
        "parameter LogRetentionDays: Default was 30, is now 60",
    ),
    "default gone": (
        lambda t: parameter(t, "LogRetentionDays").pop("Default"),
        MAJOR,
        "parameter LogRetentionDays: Default was 30, and is gone",
    ),
    "another account": (
        lambda t: parameter(t, "DataTheoremAccountId").update(Default="666677778888"),
        MAJOR,
        'parameter DataTheoremAccountId: Default was "111122223333", is now "666677778888"',
    ),
    "another endpoint": (
        lambda t: parameter(t, "NotificationEndpoint").update(Default="https://e.example.com/"),
        MAJOR,
        "parameter NotificationEndpoint: Default was "
        '"https://logs.example.com/alb", is now "https://e.example.com/"',
    ),
    "type": (
        lambda t: parameter(t, "RunToken").update(Type="Number"),
        MAJOR,
        'parameter RunToken: Type was "String", is now "Number"',
    ),
    "value no longer allowed": (
        lambda t: parameter(t, "VendorReadScope").update(AllowedValues=["LoadBalancer"]),
        MAJOR,
        "parameter VendorReadScope: AllowedValues was "
        '["LoadBalancer","Location"], is now ["LoadBalancer"]',
    ),
    "value allowed": (
        lambda t: parameter(t, "VendorReadScope")["AllowedValues"].append("X"),
        MINOR,
        "parameter VendorReadScope: AllowedValues was "
        '["LoadBalancer","Location"], is now ["LoadBalancer","Location","X"]',
    ),
    "shorter": (
        lambda t: parameter(t, "RunToken").update(MaxLength=127),
        MAJOR,
        "parameter RunToken: MaxLength was 128, is now 127",
    ),
    "longer": (
        lambda t: parameter(t, "RunToken").update(MaxLength=129),
        MINOR,
        "parameter RunToken: MaxLength was 128, is now 129",
    ),
    "longer, as a text": (
        lambda t: parameter(t, "RunToken").update(MaxLength="129"),
        MAJOR,
        'parameter RunToken: MaxLength was 128, is now "129"',
    ),
    "at least": (
        lambda t: parameter(t, "LogRetentionDays").update(MinValue=2),
        MAJOR,
        "parameter LogRetentionDays: MinValue was 1, is now 2",
    ),
    "at least less": (
        lambda t: parameter(t, "LogRetentionDays").update(MinValue=0),
        MINOR,
        "parameter LogRetentionDays: MinValue was 1, is now 0",
    ),
    "no bound": (
        lambda t: parameter(t, "LogRetentionDays").update(MaxValue="many"),
        MAJOR,
        'parameter LogRetentionDays: MaxValue was 36500, is now "many"',
    ),
    "a new bound": (
        lambda t: parameter(t, "RunToken").update(MinLength=1),
        MAJOR,
        "parameter RunToken: MinLength is now 1",
    ),
    "a bound gone": (
        lambda t: parameter(t, "RunToken").pop("MaxLength"),
        MINOR,
        "parameter RunToken: MaxLength was 128, and is gone",
    ),
    "pattern": (
        lambda t: parameter(t, "DataTheoremAccountId").update(AllowedPattern=".*"),
        MAJOR,
        'parameter DataTheoremAccountId: AllowedPattern was "^[0-9]{12}$", is now ".*"',
    ),
    "constraint text": (
        lambda t: parameter(t, "DataTheoremAccountId").update(ConstraintDescription="x"),
        PATCH,
        'parameter DataTheoremAccountId: ConstraintDescription was "12 digits.", is now "x"',
    ),
    "label": (
        lambda t: t["Metadata"]["AWS::CloudFormation::Interface"].update(
            ParameterLabels={"RunToken": {"default": "Run again"}}
        ),
        PATCH,
        "metadata AWS::CloudFormation::Interface changes",
    ),
    "description": (
        lambda t: t.update(Description="x"),
        PATCH,
        "the description changes",
    ),
    "output gone": (
        lambda t: t["Outputs"].pop("TopicArns"),
        MAJOR,
        "output TopicArns is gone",
    ),
    "output new": (
        lambda t: t["Outputs"].update(X={"Value": "x"}),
        MINOR,
        "output X is new",
    ),
    "output's value": (
        lambda t: t["Outputs"]["TopicArns"].update(Value="x"),
        PATCH,
        "output TopicArns changes",
    ),
    "output's name for other stacks": (
        lambda t: t["Outputs"]["TopicArns"].update(Export={"Name": "x"}),
        MAJOR,
        "output TopicArns changes",
    ),
    "resource gone": (
        lambda t: t["Resources"].pop("DTLogsAnalysisLambdaLogGroup"),
        MAJOR,
        "DTLogsAnalysisLambdaLogGroup (AWS::Logs::LogGroup) is gone",
    ),
    "resource new": (
        lambda t: t["Resources"].update(X={"Type": "AWS::SNS::Topic"}),
        MINOR,
        "X (AWS::SNS::Topic) is new",
    ),
    "resource new that gives rights": (
        lambda t: t["Resources"].update(X={"Type": "AWS::IAM::ManagedPolicy"}),
        MAJOR,
        "X (AWS::IAM::ManagedPolicy) is new and may give rights",
    ),
    "a macro for a resource": (
        lambda t: t["Resources"].update({"Fn::Transform": {"Name": "x"}}),
        MAJOR,
        "Fn::Transform () is new and may give rights",
    ),
    "resource of another type": (
        lambda t: t["Resources"]["DTLogsAnalysisLambdaLogGroup"].update(Type="AWS::SNS::Topic"),
        MAJOR,
        "DTLogsAnalysisLambdaLogGroup (AWS::SNS::Topic) replaces AWS::Logs::LogGroup",
    ),
    "property that replaces": (
        lambda t: properties(t, FUNCTION).update(FunctionName="x"),
        MAJOR,
        "DTLogsAnalysisLambdaFunction may be replaced, since its FunctionName changes",
    ),
    "property that replaces under conditions": (
        lambda t: properties(t, FUNCTION).update(DurableConfig={"ExecutionTimeout": 1}),
        MAJOR,
        "DTLogsAnalysisLambdaFunction may be replaced, since its DurableConfig changes",
    ),
    "the custom resource's function": (
        lambda t: properties(t, INVOCATION).update(ServiceToken="x"),
        MAJOR,
        "InvokeLambdaFunction may be replaced, since its ServiceToken changes",
    ),
    "what the customer gives is not used": (
        lambda t: properties(t, INVOCATION).update(DataTheoremAccountId="666677778888"),
        MAJOR,
        "InvokeLambdaFunction: DataTheoremAccountId is no longer what the customer gives as"
        " DataTheoremAccountId",
    ),
    "what the handler is told": (
        lambda t: properties(t, INVOCATION).update(ServiceTimeout=1100),
        PATCH,
        "InvokeLambdaFunction: ServiceTimeout changes, so that its function runs again",
    ),
    "property": (
        lambda t: properties(t, FUNCTION).update(MemorySize=256),
        PATCH,
        "DTLogsAnalysisLambdaFunction: MemorySize changes",
    ),
    "the role that the function runs under": (
        lambda t: properties(t, FUNCTION).update(Role="arn:aws:iam::111122223333:role/admin"),
        MAJOR,
        "DTLogsAnalysisLambdaFunction: Role changes, and so what runs, or under which rights",
    ),
    "what is kept": (
        lambda t: t["Resources"]["DTLogsAnalysisLambdaLogGroup"].update(DeletionPolicy="Retain"),
        MINOR,
        "DTLogsAnalysisLambdaLogGroup: DeletionPolicy changes",
    ),
    "rule": (
        lambda t: t.update(Rules={"VendorFirst": {"Assertions": []}}),
        MAJOR,
        "rule VendorFirst is new",
    ),
    "condition that says something else": (
        lambda t: t["Conditions"].update(HasLogBucketName={"Fn::Equals": ["a", "a"]}),
        MAJOR,
        "condition HasLogBucketName changes",
    ),
    "condition": (
        lambda t: t["Conditions"].update(X={"Fn::Equals": ["a", "b"]}),
        MINOR,
        "condition X is new",
    ),
    "macro within a section": (
        lambda t: t["Conditions"].update({"Fn::Transform": {"Name": "x"}}),
        MAJOR,
        "a macro writes parts of the template; its output is unknown",
    ),
    "properties that are not an object": (
        lambda t: t["Resources"][ROLE].update(Properties=["x"]),
        MAJOR,
        f"{ROLE}: its change is unknown",
    ),
    "resource that is not an object": (
        lambda t: t["Resources"].update({ROLE: "x"}),
        MAJOR,
        f"{ROLE} () replaces AWS::IAM::Role and may give rights",
    ),
    "parameter that is not an object": (
        lambda t: t["Parameters"].update(RunToken="x"),
        MAJOR,
        "parameter RunToken changes",
    ),
    "macro": (
        lambda t: t.update(Transform="AWS::Include"),
        MAJOR,
        "the section Transform changes; its effect is unknown",
    ),
    "no section": (
        lambda t: t.update(Rules=[]),
        MAJOR,
        "the section Rules changes; its effect is unknown",
    ),
    "version": (
        lambda t: t["Metadata"]["DTLogsAnalysis"].update(Version="9.9.9"),
        PATCH,
        "another version",
    ),
    "vendor's account": (
        lambda t: t["Metadata"]["DTLogsAnalysis"]["Settings"]["aws"].update(vendor_account_id="6"),
        MAJOR,
        "setting aws/vendor_account_id changed",
    ),
    "base URL": (
        lambda t: t["Metadata"]["DTLogsAnalysis"]["Settings"]["aws"].update(base_url="https://x"),
        PATCH,
        "setting aws/base_url added",
    ),
    "right": (
        lambda t: statement(t, "OwnTopic")["Action"].append("sns:Publish"),
        MAJOR,
        f"{ROLE}: right added: sns:Publish on"
        " arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:dt-logs-analysis-*",
    ),
    "right under a condition of the template": (
        lambda t: statements(t).append(
            {
                "Effect": "Allow",
                "Action": ["s3:A", "s3:B"],
                "Resource": {"Fn::If": ["HasLogBucketName", "x", {"Ref": "AWS::NoValue"}]},
                "Condition": {"StringEquals": {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}},
            }
        ),
        MAJOR,
        f"{ROLE}: right added: s3:A, s3:B on x, if StringEquals aws:ResourceAccount"
        ' "${AWS::AccountId}", where HasLogBucketName',
    ),
    "right on more": (
        lambda t: statement(t, "LoadBalancers").update(Resource="*"),
        MAJOR,
        f"{ROLE}: right added: elasticloadbalancing:ModifyLoadBalancerAttributes on *",
    ),
    "all but": (
        lambda t: statements(t).append(
            {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "x"}
        ),
        MAJOR,
        f"{ROLE}: changed statement, now: Allow"
        ' {"Effect":"Allow","NotAction":"iam:*","NotResource":"x"}',
    ),
    "what only CloudFormation can work out": (
        lambda t: statements(t).append({"Fn::Transform": {"Name": "x"}}),
        MAJOR,
        f'{ROLE}: changed statement, now: {{"Fn::Transform":{{"Name":"x"}}}}',
    ),
    "policies from elsewhere": (
        lambda t: properties(t).update(Policies={"Ref": "X"}),
        MAJOR,
        f'{ROLE}: changed statement, now: {{"Ref":"X"}}',
    ),
    "a document from elsewhere": (
        lambda t: properties(t)["Policies"][0].update(
            PolicyDocument={"Fn::FindInMap": ["x", "y", "z"]}
        ),
        MAJOR,
        f'{ROLE}: changed statement, now: {{"Fn::FindInMap":["x","y","z"]}}',
    ),
    "a statement without a resource": (
        lambda t: statement(t, "OwnTopic").pop("Resource"),
        MAJOR,
        f"{ROLE}: changed statement, now: Allow"
        ' {"Action":["sns:CreateTopic","sns:DeleteTopic","sns:GetTopicAttributes",'
        '"sns:TagResource"],"Effect":"Allow"}',
    ),
    "right taken away": (
        lambda t: statement(t, "OwnTopic")["Action"].remove("sns:DeleteTopic"),
        MINOR,
        f"{ROLE}: right taken away: sns:DeleteTopic on"
        " arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:dt-logs-analysis-*",
    ),
    "denial": (
        lambda t: statements(t).append({"Effect": "Deny", "Action": "iam:*", "Resource": "*"}),
        MINOR,
        f"{ROLE}: denial added: iam:* on *",
    ),
    "principal": (
        lambda t: properties(t)["AssumeRolePolicyDocument"]["Statement"].append(
            {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
        ),
        MAJOR,
        f"{ROLE}: AssumeRolePolicyDocument changes, and may give rights",
    ),
    "managed policy": (
        lambda t: properties(t).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/X"]),
        MAJOR,
        f'{ROLE}: changed statement, now: Allow managed policy "arn:aws:iam::aws:policy/X"',
    ),
    "no boundary": (
        lambda t: properties(t).pop("PermissionsBoundary"),
        MAJOR,
        f"{ROLE}: PermissionsBoundary changes",
    ),
    "another boundary": (
        lambda t: properties(t).update(PermissionsBoundary="x"),
        MAJOR,
        f"{ROLE}: PermissionsBoundary changes",
    ),
    "order and names": (
        lambda t: (statements(t).reverse(), statements(t)[0].update(Sid="Other")),
        PATCH,
        f"{ROLE}: its policies give the same rights in other words",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_rule(case: str) -> None:
    mutate, level, what = CASES[case]

    assert (level, what) in told(changed(mutate))
    assert changed(mutate)[0].level == level


def test_a_rule_may_refuse_what_was_taken_until_it_goes() -> None:
    def ruled(parsed: Template) -> None:
        parsed["Rules"] = {"VendorFirst": {"Assertions": [{}]}}

    assert told(changed(lambda t: t["Rules"]["VendorFirst"].pop("Assertions"), ruled)) == [
        (MAJOR, "rule VendorFirst changes")
    ]
    assert told(changed(lambda t: t["Rules"].pop("VendorFirst"), ruled)) == [
        (MINOR, "rule VendorFirst is gone")
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_changes_to_itself(name: str) -> None:
    parsed = json.loads(TEXTS[name])

    assert compare_templates(parsed, copy.deepcopy(parsed)) == ()


@STEADY
@given(
    st.fixed_dictionaries({"Resources": json_values}, optional={"Parameters": json_values}),
    st.fixed_dictionaries({"Resources": json_values}, optional={"Outputs": json_values}),
)
def test_what_means_the_same_is_no_change_and_what_does_not_is_one(old: Any, new: Any) -> None:
    assert compare_templates(old, copy.deepcopy(old)) == ()
    before, after = (
        json.dumps({name: part for name, part in each.items() if part != {}}, sort_keys=True)
        for each in (old, new)
    )
    assert bool(compare_templates(old, new)) == (before != after)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path to a value and to every value inside it."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


@STEADY
@given(st.sampled_from(places(template())[1:]), json_values)
def test_no_change_of_the_released_template_goes_unseen(
    place: tuple[str | int, ...], value: Any
) -> None:
    """A change is found even if there is another one."""
    mask = Change(MINOR, "output", "output Mask is new")
    new = template()
    new["Outputs"]["Mask"] = {"Value": "x"}
    inner: Any = new
    for key in place[:-1]:
        inner = inner[key]
    before, inner[place[-1]] = inner[place[-1]], value

    if json.dumps(value, sort_keys=True) != json.dumps(before, sort_keys=True):
        assert set(compare_templates(template(), new)) - {mask}


def with_handler(parsed: Template, name: str, content: bytes) -> None:
    sources = {**embedding.handler_files(), name: content}
    code = properties(parsed, FUNCTION)["Code"]
    code["ZipFile"] = embedding.bootstrap(embedding._pack(sources))


def test_a_handler_is_compared_source_by_source() -> None:
    new = template()
    with_handler(new, "dt_logs_handler/added.py", b"one\ntwo\n")

    (change,) = compare_templates(template(), new)

    assert told((change,)) == [(PATCH, f"{FUNCTION}: dt_logs_handler/added.py is new")]
    assert change.file == "dt_logs_handler/added.py"
    assert change.diff == (
        "--- /dev/null\n+++ new/dt_logs_handler/added.py\n@@ -0,0 +1,2 @@\n+one\n+two"
    )


@pytest.mark.parametrize(
    "code",
    [
        {"ZipFile": "import os"},
        {"S3Bucket": "x", "S3Key": "y"},
        {"ZipFile": properties(template(), FUNCTION)["Code"]["ZipFile"], "ImageUri": "x"},
    ],
    ids=json.dumps,
)
def test_code_that_cannot_be_read_is_major(code: dict[str, str]) -> None:
    new = template()
    properties(new, FUNCTION)["Code"] = code

    (change,) = compare_templates(template(), new)

    assert change.level is MAJOR
    assert "the code changes, and cannot be compared" in change.what
    assert change.diff == ""


def test_too_many_lines_are_not_compared() -> None:
    new = template()
    with_handler(new, "dt_logs_handler/added.py", b"\n" * 20_001)

    assert "It has too many lines" in compare_templates(template(), new)[0].what


def test_what_is_replaced_is_told_by_the_schemas() -> None:
    assert create_only("AWS::IAM::Role") == {"Path", "RoleName"}
    assert create_only("No::Such::Type") is None
    assert create_only("../../x") is None


def test_a_type_without_a_schema_may_be_replaced_by_anything() -> None:
    def make(value: str) -> Mutation:
        return lambda t: t["Resources"].update(
            X={"Type": "No::Such::Type", "Properties": {"A": value}}
        )

    assert told(changed(make("b"), make("a"))) == [
        (MAJOR, "X: A changes; what that does to No::Such::Type is not known")
    ]
