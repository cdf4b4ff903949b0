"""The templates' promised names, their resources, and what they record about themselves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import ENDPOINT, QUEUE, STACK, VENDOR, alb_arn
from support.strategies import STEADY, json_values

from dt_logs_cfn import __version__
from dt_logs_cfn.canonical import dumps
from dt_logs_cfn.errors import DtLogsError, VerifyError
from dt_logs_cfn.settings import FunctionSettings, Privileges, Settings, Vendor
from dt_logs_cfn.template.embedding import extract, handler_sha256, handler_zip
from dt_logs_cfn.template.execution_policies import LOG_GROUP
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.parsing import MOST_LEVELS, parse_template, read_template
from dt_logs_cfn.template.policies import policy_document
from dt_logs_cfn.template.resources import EXECUTION_ROLE, FUNCTION, INVOCATION, SERVICE_ROLE
from dt_logs_cfn.template.templates import Origin, origin, service_role_template, stack_template
from dt_logs_handler.names import Stack as HandlerStack
from dt_logs_handler.request import SERVICE_TIMEOUT, properties_of

LEAST, DOCUMENTED = (
    json.loads(dumps(stack_template(Settings(), each).to_dict()))
    for each in (Privileges.LEAST_PRIVILEGE, Privileges.DOCUMENTED)
)
SERVICE = json.loads(dumps(service_role_template(Settings()).to_dict()))
ALL = pytest.mark.parametrize("template", [LEAST, DOCUMENTED, SERVICE])
STACKS = pytest.mark.parametrize("template", [LEAST, DOCUMENTED])
WEB = alb_arn("web")
REQUIRED = ("DataTheoremAccountId", "NotificationEndpoint", "LoadBalancerArns")
GIVEN = dict(zip(REQUIRED, (VENDOR, ENDPOINT, WEB), strict=True))
RULE, PERMISSION = "DTLogsAnalysisRefreshRule", "DTLogsAnalysisRefreshPermission"
OWN = "arn:aws:s3:::dt-logs-analysis-????????????-123456789012-us-east-1*"


def policy_of(stack: ResolvedTemplate, role: str) -> Any:
    """Return the role's policy, with each list of one resource replaced by that resource."""
    (policy,) = (each["PolicyDocument"] for each in stack.properties(role)["Policies"])
    for each in policy["Statement"]:
        if isinstance(each["Resource"], list) and len(each["Resource"]) == 1:
            each["Resource"] = each["Resource"][0]
    return policy


def by_sid(policy: Any) -> dict[str, Any]:
    return {each["Sid"]: each for each in policy["Statement"]}


def test_the_function_is_set_up_as_the_settings_say() -> None:
    function = FunctionSettings("python3.12", 1024, 300, 30)
    template = stack_template(Settings(function=function), Privileges.LEAST_PRIVILEGE).to_dict()

    found = template["Resources"][FUNCTION]["Properties"]
    assert (found["Runtime"], found["MemorySize"], found["Timeout"]) == ("python3.12", 1024, 300)
    assert template["Resources"][LOG_GROUP]["Properties"] == {"RetentionInDays": 30}
    assert origin(template).settings.function == function


def test_a_stack_has_exactly_the_promised_resources() -> None:
    """A least-privilege stack also has the function's log group, and a schedule if one is set."""
    resources, more = DOCUMENTED["Resources"], LEAST["Resources"]
    assert {name: each["Type"] for name, each in resources.items()} == {
        "DTLogsAnalysisLambdaExecutionRole": "AWS::IAM::Role",
        "DTLogsAnalysisLambdaFunction": "AWS::Lambda::Function",
        "InvokeLambdaFunction": "Custom::DTLogsAnalysis",
    }
    added = {name: each.get("Condition") for name, each in more.items() if name not in resources}
    scheduled = dict.fromkeys((RULE, PERMISSION), "HasRefreshSchedule")
    assert added == {LOG_GROUP: None, **scheduled}
    function = ResolvedTemplate(LEAST, GIVEN).properties(FUNCTION)
    assert function["LoggingConfig"] == {"LogGroup": f"<{LOG_GROUP}>"}


def test_a_schedule_runs_the_function_with_the_stacks_id_and_the_time() -> None:
    stack_id = "arn:aws:cloudformation:us-east-1:123456789012:stack/s/1"
    given = GIVEN | {"RefreshSchedule": "rate(6 hours)"}
    stack = ResolvedTemplate(LEAST, given, pseudo={"AWS::StackId": stack_id})
    assert not ResolvedTemplate(LEAST, GIVEN).condition("HasRefreshSchedule")
    assert stack.condition("HasRefreshSchedule")

    scheduled = stack.properties(RULE)
    (target,) = scheduled["Targets"]
    template = target["InputTransformer"]["InputTemplate"]

    assert LEAST["Resources"][RULE]["DependsOn"] == "InvokeLambdaFunction"
    assert scheduled["ScheduleExpression"] == "rate(6 hours)"
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    assert target["InputTransformer"]["InputPathsMap"] == {"time": "$.time"}
    assert json.loads(template.replace("<time>", '"2026-11-01T12:00:00Z"')) == {
        "RequestType": "Refresh",
        "StackId": stack_id,
        "Time": "2026-11-01T12:00:00Z",
    }
    assert stack.properties(PERMISSION) == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": target["Arn"],
        "Principal": "events.amazonaws.com",
        "SourceArn": f"<{RULE}.Arn>",
    }


def test_both_stacks_have_the_same_parameters_and_outputs() -> None:
    """Only the least-privilege stack has a schedule; test_pipelines.py has all the names."""
    assert LEAST["Parameters"].keys() - DOCUMENTED["Parameters"].keys() == {"RefreshSchedule"}
    assert DOCUMENTED["Parameters"].keys() <= LEAST["Parameters"].keys()
    assert DOCUMENTED["Outputs"].keys() == LEAST["Outputs"].keys()
    for template in (LEAST, DOCUMENTED):
        parameters = template["Parameters"].items()
        assert {name for name, each in parameters if "Default" not in each} == {*REQUIRED}


@ALL
def test_the_console_shows_each_parameter_once(template: Any) -> None:
    """Parameters without a group come last: the Lambda's names and the permissions boundary."""
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    shown = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    below = [name for name in template["Parameters"] if name not in shown]
    assert sorted(template["Parameters"]) == sorted([*shown, *below])
    assert {name for name in below if "Lambda" not in name} <= {"PermissionsBoundaryArn"}


@STACKS
def test_it_carries_the_handler(template: Any) -> None:
    stack = ResolvedTemplate(template, GIVEN)
    function = stack.properties(FUNCTION)

    assert handler_zip() == extract(function["Code"]["ZipFile"])
    assert handler_sha256() == stack.properties(INVOCATION)["HandlerSha256"]
    assert (function["Runtime"], function["Handler"]) == ("python3.13", "index.handler")
    assert function["Timeout"] + 300 <= SERVICE_TIMEOUT


@STACKS
def test_names_are_cloudformations_unless_they_are_chosen(template: Any) -> None:
    chosen = {
        "LambdaExecutionRoleName": "role",
        "LambdaExecutionRolePath": "/team/",
        "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/bounds",
        "LambdaFunctionName": "function",
    }
    plain, named = ResolvedTemplate(template, GIVEN), ResolvedTemplate(template, GIVEN | chosen)

    assert {"RoleName", "PermissionsBoundary"}.isdisjoint(plain.properties(EXECUTION_ROLE))
    assert "FunctionName" not in plain.properties(FUNCTION)
    assert plain.properties(EXECUTION_ROLE)["Path"] == "/"
    role, function = named.properties(EXECUTION_ROLE), named.properties(FUNCTION)
    found = (role["RoleName"], role["Path"], role["PermissionsBoundary"], function["FunctionName"])
    assert found == tuple(chosen.values())


@STACKS
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"LoadBalancerArns": "*", "ExistingLogBucketNames": "a-bucket,b-bucket"},
        {"NotificationEndpoint": QUEUE, "LogBucketName": "logs", "ResourceTags": "a=b,c=d"},
        {"VendorReadScope": "Location", "LogRetentionDays": "7", "RunToken": "again"},
    ],
)
def test_the_handler_takes_what_the_stack_passes_on(template: Any, more: dict[str, str]) -> None:
    passed = ResolvedTemplate(template, GIVEN | more).properties(INVOCATION)
    as_texts = {
        name: value if isinstance(value, list) else str(value) for name, value in passed.items()
    }
    request = properties_of(as_texts, HandlerStack(STACK, "aws", "us-east-1", "123456789012"))

    assert f"<{FUNCTION}.Arn>" == passed["ServiceToken"]
    assert passed["ServiceTimeout"] == SERVICE_TIMEOUT
    assert __version__ == request.template_version
    assert template["Metadata"]["DTLogsAnalysis"]["Privileges"] == request.privileges.value


@pytest.mark.parametrize(
    ("partition", "region"), [("aws", "us-east-1"), ("aws-us-gov", "us-gov-west-1")]
)
def test_a_role_has_the_published_policy(partition: str, region: str) -> None:
    """test_policies.py compares the published policies with the promised ones."""
    documented = policy_document("lambda-execution-documented", partition=partition)
    stack = ResolvedTemplate(DOCUMENTED, GIVEN, partition, region)
    assert policy_of(stack, EXECUTION_ROLE) == documented

    given = {"account": "123456789012", "notification_endpoint": ENDPOINT}
    name = "lambda-execution-least-privilege"
    published = policy_document(name, partition=partition, region=region, **given)
    by_sid(published)["LogGroup"]["Resource"] = f"<{LOG_GROUP}.Arn>"
    *always, own_stack = published["Statement"]

    stack = ResolvedTemplate(LEAST, GIVEN, partition, region)
    assert {**published, "Statement": always} == policy_of(stack, EXECUTION_ROLE)

    pseudo = {"AWS::StackId": own_stack["Resource"]}
    scheduled = GIVEN | {"RefreshSchedule": "rate(1 day)"}
    stack = ResolvedTemplate(LEAST, scheduled, partition, region, pseudo=pseudo)
    assert published == policy_of(stack, EXECUTION_ROLE)


@pytest.mark.parametrize(
    ("bucket", "existing", "log_buckets"),
    [
        ("", "", "arn:aws:s3:::*"),
        ("mine", "", "arn:aws:s3:::*"),
        ("", "a-bucket", [OWN, "arn:*:s3:::a-bucket"]),
        ("", "a-bucket, b.c", [OWN, "arn:*:s3:::a-bucket", "arn:*:s3:::b.c"]),
        ("mine", "a-bucket", [OWN, "arn:*:s3:::mine", "arn:*:s3:::a-bucket"]),
    ],
)
def test_parameters_narrow_the_buckets(bucket: str, existing: str, log_buckets: Any) -> None:
    stack = ResolvedTemplate(
        LEAST, GIVEN | {"LogBucketName": bucket, "ExistingLogBucketNames": existing}
    )
    found = by_sid(policy_of(stack, EXECUTION_ROLE))

    assert found["LogBuckets"]["Resource"] == log_buckets
    own = [OWN, f"arn:aws:s3:::{bucket}"] if bucket else OWN
    assert found["OwnBucket"]["Resource"] == own


def test_the_role_fits_into_iam_with_many_buckets() -> None:
    # IAM allows 10,240 characters of inline policies per role; CloudFormation, 4,096 per value.
    names = ",".join(f"a-bucket-of-a-usual-length-{number:03}" for number in range(130))
    stack = ResolvedTemplate(LEAST, GIVEN | {"ExistingLogBucketNames": names})

    assert len(names) < 4096
    assert len(json.dumps(policy_of(stack, EXECUTION_ROLE), separators=(",", ":"))) < 10_240


def test_the_service_role_has_the_published_policies() -> None:
    named = {
        "StackNamePrefix": "logs",
        "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/bound",
        "LambdaExecutionRoleName": "role",
        "LambdaExecutionRolePath": "/team/",
        "LambdaFunctionName": "function",
    }
    for given_, role, function, prefix in (
        ({}, "dt-logs-analysis*", "dt-logs-analysis*", "dt-logs-analysis"),
        (named, "team/role", "function", "logs"),
    ):
        stack = ResolvedTemplate(SERVICE, given_)
        published = policy_document(
            "cloudformation-role-lifecycle",
            region="us-east-1",
            account="123456789012",
            role_name=role,
            function_name=function,
            rule_name=f"{prefix}*",
        )
        group = f"arn:aws:logs:us-east-1:123456789012:log-group:{prefix}*"
        by_sid(published)["LogGroup"]["Resource"] = group
        assert published == policy_of(stack, SERVICE_ROLE)
        role = stack.properties(SERVICE_ROLE)
        assert role["AssumeRolePolicyDocument"] == policy_document("cloudformation-role-trust")
        assert role.get("PermissionsBoundary") == given_.get("PermissionsBoundaryArn")


def test_what_a_vendor_sets_is_a_default_in_the_stack() -> None:
    settings = Settings((Vendor("aws", VENDOR, ENDPOINT),))
    template = stack_template(settings, Privileges.DOCUMENTED).to_dict()

    passed = ResolvedTemplate(template, {"LoadBalancerArns": WEB}).properties(INVOCATION)

    assert (passed["DataTheoremAccountId"], passed["NotificationEndpoint"]) == (VENDOR, ENDPOINT)


@pytest.mark.parametrize("privileges", Privileges)
def test_a_template_says_what_it_was_built_from(privileges: Privileges) -> None:
    settings = Settings((Vendor("aws", VENDOR), Vendor("aws-us-gov", "", ENDPOINT)))
    template = json.loads(dumps(stack_template(settings, privileges).to_dict()))

    said = origin(template)

    assert said == Origin(__version__, settings, privileges)
    assert template == json.loads(dumps(stack_template(said.settings, privileges).to_dict()))
    assert origin(SERVICE) == Origin(__version__, Settings(), None)


@STEADY
@given(
    json_values,
    st.dictionaries(st.sampled_from(["Version", "Settings", "Privileges"]), json_values),
    st.booleans(),
)
def test_a_foreign_record_is_refused(value: Any, record: Any, whole: bool) -> None:
    template = {"Metadata": {"DTLogsAnalysis": record} if whole else value}
    try:
        said = origin(template)
    except DtLogsError:
        return
    settings = Settings.from_metadata(record["Settings"])
    assert (said.version, said.settings) == (record["Version"], settings)


@pytest.mark.parametrize("template", [{}, {"Metadata": []}, {"Metadata": {"DTLogsAnalysis": {}}}])
def test_a_template_without_a_record_is_none_of_ours(template: Any) -> None:
    with pytest.raises(VerifyError, match="does not name its release"):
        origin(template)
    record = {"Version": "1.0.0", "Privileges": "all"}
    with pytest.raises(VerifyError, match="names privileges 'all'"):
        origin({"Metadata": {"DTLogsAnalysis": record}})


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"Ref": "Topic"}, "<Topic>"),
        ({"Fn::Sub": "${Topic.TopicName}-${AWS::Region}"}, "<Topic.TopicName>-us-east-1"),
        ({"Fn::Sub": ["${Zone}/${Topic}", {"Zone": {"Ref": "Name"}}]}, "a,b/<Topic>"),
        ({"Fn::Split": [",", {"Ref": "Name"}]}, ["a", "b"]),
        ({"A": {"Fn::If": ["Named", {"Ref": "AWS::NoValue"}, 1]}, "B": 2}, {"B": 2}),
    ],
)
def test_functions_resolve_as_in_cloudformation(node: Any, expected: Any) -> None:
    resources = {"Topic": {"Type": "AWS::SNS::Topic"}, "Alarm": {"Condition": "Named"}}
    named = {"Named": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]}}
    template = {"Parameters": {"Name": {"Type": "String", "Default": ""}}, "Conditions": named}
    stack = ResolvedTemplate({**template, "Resources": resources}, {"Name": "a,b"})

    assert stack.value(node) == expected
    assert stack.properties("Topic") == {}
    assert stack.has("Topic") and stack.has("Alarm")
    assert not ResolvedTemplate(stack.template, {}).has("Alarm")


def test_a_template_may_nest_a_hundred_levels_deep_and_is_text(tmp_path: Path) -> None:
    def nested(levels: int) -> str:
        return '{"Resources": {"x": ' + "[" * (levels - 2) + "]" * (levels - 2) + "}}"

    assert parse_template(nested(MOST_LEVELS))
    with pytest.raises(VerifyError, match="nests deeper") as refused:
        parse_template(nested(MOST_LEVELS + 1))
    assert refused.value.fix
    (tmp_path / "odd.json").write_bytes(b"\xff")
    with pytest.raises(VerifyError, match=re.escape(str(tmp_path / "odd.json"))):
        read_template(tmp_path / "odd.json")
