"""The templates as a customer reads them: names, parameters, record, and the form of their JSON."""

import json
import random
import re
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.events import ENDPOINT, OWN_BUCKET, QUEUE, STACK, VENDOR, alb_arn, properties
from support.strategies import STEADY, json_values

from dt_logs_cfn import __version__, build_release
from dt_logs_cfn.canonical import dumps, readable
from dt_logs_cfn.errors import DtLogsError, VerifyError
from dt_logs_cfn.settings import FunctionSettings, Privileges, Settings, Vendor
from dt_logs_cfn.template.embedding import extract, handler_sha256, handler_zip
from dt_logs_cfn.template.intrinsics import ResolvedTemplate, accepts
from dt_logs_cfn.template.parsing import MOST_LEVELS, parse_template, read_template
from dt_logs_cfn.template.templates import EXECUTION_ROLE, FUNCTION, INVOCATION, Origin, origin
from dt_logs_handler.errors import InvalidRequest
from dt_logs_handler.names import Stack as HandlerStack
from dt_logs_handler.request import SERVICE_TIMEOUT, properties_of


def built(settings: Settings) -> list[dict[str, Any]]:
    """Return the least-privilege, the documented and the service role's template."""
    return [json.loads(text) for text in build_release(settings).templates.values()]


LEAST, DOCUMENTED, SERVICE = built(Settings())
STACKS = pytest.mark.parametrize("template", [LEAST, DOCUMENTED], ids=["least", "documented"])
HERE = HandlerStack(STACK, "aws", "us-east-1", "123456789012")
WEB, API = alb_arn("web", 1), alb_arn("api", 2)
GIVEN = {
    "DataTheoremAccountId": VENDOR,
    "NotificationEndpoint": ENDPOINT,
    "LoadBalancerArns": WEB,
}
GROUP, RULE, PERMISSION = (
    "DTLogsAnalysisLambdaLogGroup",
    "DTLogsAnalysisRefreshRule",
    "DTLogsAnalysisRefreshPermission",
)
PARAMETERS = {**SERVICE["Parameters"], **LEAST["Parameters"]}
GOOD = {
    "DataTheoremAccountId": [VENDOR],
    "NotificationEndpoint": [ENDPOINT, QUEUE, QUEUE.replace("arn:aws:", "arn:aws-cn:")],
    "LoadBalancerArns": ["*", WEB, f"{WEB}, {API}", WEB.replace("arn:aws:", "arn:aws-us-gov:")],
    "LogBucketName": ["", "logs", "my.logs-1", OWN_BUCKET],
    "ExistingLogBucketNames": ["", "logs, other.logs", f"my_logs,My.Logs,{'x' * 255}"],
    "ResourceTags": ["", "team=web,cost centre=a=b,empty="],
    "LambdaExecutionRoleName": ["team+web=logs@x,y"],
    "LambdaExecutionRolePath": ["/", "/team/logs/"],
    "LambdaFunctionName": ["dt_logs-1"],
    "LogRetentionDays": ["1", "36500"],
    "PermissionsBoundaryArn": [
        "",
        "arn:aws:iam::123456789012:policy/team/bounds",
        "arn:aws-cn:iam::aws:policy/PowerUserAccess",
    ],
    # The service role may change every role whose name begins with the prefix, so it is not short.
    "StackNamePrefix": ["logs", "dt-logs-analysis"],
}
# test_request.py has more values that the patterns shared with the handler refuse.
BAD = {
    "DataTheoremAccountId": ["", VENDOR[1:]],
    "NotificationEndpoint": ["", f"{QUEUE}.fifo", f"https://logs.example.com/{'x' * 2048}"],
    "LoadBalancerArns": ["", f"{WEB},{API[:-1]}", WEB.replace("/app/", "/net/")],
    "LogBucketName": ["ab", "x" * 64, "logs-s3alias", "arn:aws:s3:::logs"],
    "ExistingLogBucketNames": ["logs,arn:aws:s3:::logs", "logs/*", "*", "x" * 256],
    "ResourceTags": ["team", "=web", "aws:team=web"],
    "LambdaExecutionRoleName": ["a/b", "x" * 65],
    "LambdaExecutionRolePath": ["", "team/", "/team", "/" + "x" * 511 + "/"],
    "LambdaFunctionName": ["a.b"],
    "LogRetentionDays": ["0", "36501", "x"],
    "PermissionsBoundaryArn": ["bounds", "arn:aws:iam::123456789012:role/bounds"],
    "StackNamePrefix": ["log", "d"],
}


@pytest.mark.parametrize("name", GOOD)
def test_what_can_work_is_taken_and_what_cannot_is_refused(name: str) -> None:
    tried = [*GOOD[name], *BAD[name]]

    assert [value for value in tried if accepts(PARAMETERS[name], value)] == GOOD[name]


def near_misses(name: str) -> st.SearchStrategy[str]:
    """Draw a parameter's good values, edited variants of them, and short random strings."""
    good = GOOD[name]
    pieces = st.sampled_from([*string.printable[:95], *good, "é", "\n", "--", "..", "-an", "s3"])
    edited = st.builds(
        lambda value, start, length, piece: value[:start] + piece + value[start + length :],
        st.sampled_from(good),
        st.integers(0, 80),
        st.integers(0, 4),
        pieces | st.just(""),
    )
    return st.sampled_from(good) | edited | st.text(string.ascii_lowercase + ".-", max_size=8)


@STEADY
@given(st.data(), st.sampled_from([*GIVEN, "LogBucketName", "ResourceTags"]))
def test_the_template_never_refuses_what_the_handler_takes(data: st.DataObject, name: str) -> None:
    value = data.draw(near_misses(name))
    listed = PARAMETERS[name]["Type"] == "CommaDelimitedList"
    changed: Any = [item.strip() for item in value.split(",")] if listed else value
    if name == "LoadBalancerArns" and "" in changed:
        return  # the handler ignores a superfluous comma, but the template refuses it
    try:
        properties_of({**properties(WEB), name: changed}, HERE)
    except InvalidRequest:
        return
    assert accepts(PARAMETERS[name], value)


def test_each_parameter_says_what_it_is_and_takes_its_default() -> None:
    for declared in (*LEAST["Parameters"].values(), *SERVICE["Parameters"].values()):
        pattern = declared.get("AllowedPattern", "^$")
        assert (pattern[0], pattern[-1], pattern.isascii()) == ("^", "$", True)
        # Python and Java differ in Unicode classes, intersections, named groups and flags.
        assert not re.search(r"\\[wdWDbB]|&&|\(\?[P<a-z]|\[\[", pattern)
        assert declared["Description"].endswith(".")
        assert ("AllowedPattern" in declared) == ("ConstraintDescription" in declared)
        assert "Default" not in declared or accepts(declared, str(declared["Default"]))


def test_both_stacks_have_the_same_names_and_the_console_shows_each_parameter_once() -> None:
    """Only a least-privilege stack has a schedule; test_pipelines.py lists all parameters.

    Parameters without a group come last: the Lambda's names and the permissions boundary.
    """
    least, documented = LEAST["Parameters"].keys(), DOCUMENTED["Parameters"].keys()
    assert least - documented == {"RefreshSchedule"} and documented <= least
    assert DOCUMENTED["Outputs"].keys() == LEAST["Outputs"].keys()
    for template in (LEAST, DOCUMENTED, SERVICE):
        declared = template["Parameters"]
        interface = template["Metadata"]["AWS::CloudFormation::Interface"]
        shown = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
        below = [name for name in declared if name not in shown]
        assert sorted(declared) == sorted([*shown, *below])
        assert {name for name in below if "Lambda" not in name} <= {"PermissionsBoundaryArn"}
        required = {name for name, each in declared.items() if "Default" not in each}
        assert required == (set() if template is SERVICE else {*GIVEN})


def test_a_stack_has_exactly_the_promised_resources() -> None:
    """A least-privilege stack also has the function's log group, and a schedule if one is set."""
    resources, more = DOCUMENTED["Resources"], LEAST["Resources"]
    assert {name: each["Type"] for name, each in resources.items()} == {
        "DTLogsAnalysisLambdaExecutionRole": "AWS::IAM::Role",
        "DTLogsAnalysisLambdaFunction": "AWS::Lambda::Function",
        "InvokeLambdaFunction": "Custom::DTLogsAnalysis",
    }
    added = {name: each.get("Condition") for name, each in more.items() if name not in resources}
    assert added == {GROUP: None, RULE: "HasRefreshSchedule", PERMISSION: "HasRefreshSchedule"}
    function = ResolvedTemplate(LEAST, GIVEN).properties(FUNCTION)
    assert function["LoggingConfig"] == {"LogGroup": f"<{GROUP}>"}


def test_a_schedule_runs_the_function_with_the_stacks_id_and_the_time() -> None:
    given = GIVEN | {"RefreshSchedule": "rate(6 hours)"}
    stack = ResolvedTemplate(LEAST, given, pseudo={"AWS::StackId": STACK})

    scheduled = stack.properties(RULE)

    text = scheduled["Targets"][0]["InputTransformer"]["InputTemplate"]
    assert (stack.has(RULE), ResolvedTemplate(LEAST, GIVEN).has(RULE)) == (True, False)
    assert scheduled["ScheduleExpression"] == "rate(6 hours)"
    assert json.loads(text.replace("<time>", '"2026-11-01T12:00:00Z"')) == {
        "RequestType": "Refresh",
        "StackId": STACK,
        "Time": "2026-11-01T12:00:00Z",
    }


@STACKS
def test_names_are_cloudformations_unless_they_are_chosen(template: Any) -> None:
    chosen = {
        "LambdaExecutionRoleName": "role",
        "LambdaExecutionRolePath": "/team/",
        "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/bounds",
        "LambdaFunctionName": "function",
    }

    def names(**given: str) -> list[Any]:
        stack = ResolvedTemplate(template, GIVEN | given)
        role, function = stack.properties(EXECUTION_ROLE), stack.properties(FUNCTION)
        found = [role.get(each) for each in ("RoleName", "Path", "PermissionsBoundary")]
        return [*found, function.get("FunctionName")]

    assert names() == [None, "/", None, None]
    assert names(**chosen) == [*chosen.values()]


@STACKS
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"LoadBalancerArns": "*", "ExistingLogBucketNames": "a-bucket,b-bucket"},
        {"NotificationEndpoint": QUEUE, "LogBucketName": "logs", "ResourceTags": "a=b,c=d"},
        {"VendorReadScope": "Location", "LogRetentionDays": "1", "RunToken": "again"},
        {"LogRetentionDays": "36500"},
    ],
)
def test_the_handler_takes_what_the_stack_passes_on(template: Any, more: dict[str, str]) -> None:
    stack = ResolvedTemplate(template, GIVEN | more)
    passed, function = stack.properties(INVOCATION), stack.properties(FUNCTION)
    as_texts = {
        name: value if isinstance(value, list) else str(value) for name, value in passed.items()
    }

    request = properties_of(as_texts, HERE)

    assert passed["ServiceToken"] == f"<{FUNCTION}.Arn>"
    assert function["Timeout"] + 300 <= passed["ServiceTimeout"] == SERVICE_TIMEOUT
    assert request.template_version == __version__
    assert request.retention_days == int(more.get("LogRetentionDays", 30))
    assert template["Metadata"]["DTLogsAnalysis"]["Privileges"] == request.privileges.value
    assert handler_zip() == extract(function["Code"]["ZipFile"])
    assert handler_sha256() == passed["HandlerSha256"]
    assert (function["Runtime"], function["Handler"]) == ("python3.13", "index.handler")


def test_settings_are_in_the_templates_which_record_them() -> None:
    function = FunctionSettings("python3.12", 1024, 300, 30)
    settings = Settings((Vendor("aws", VENDOR, ENDPOINT), Vendor("aws-us-gov")), function)
    templates = built(settings)

    said = [origin(each) for each in templates]
    assert said == [Origin(__version__, settings, each) for each in (*reversed(Privileges), None)]
    assert built(said[0].settings) == templates
    assert templates[0]["Resources"][GROUP]["Properties"] == {"RetentionInDays": 30}
    for template in templates[:2]:
        stack = ResolvedTemplate(template, {"LoadBalancerArns": WEB})
        passed, made = stack.properties(INVOCATION), stack.properties(FUNCTION)
        assert {name: passed[name] for name in GIVEN} == {**GIVEN, "LoadBalancerArns": [WEB]}
        found = (made["Runtime"], made["MemorySize"], made["Timeout"])
        assert found == ("python3.12", 1024, 300)


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


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ({}, "does not name its release"),
        ({"Metadata": []}, "does not name its release"),
        ({"Metadata": {"DTLogsAnalysis": {}}}, "does not name its release"),
        (
            {"Metadata": {"DTLogsAnalysis": {"Version": "1.0.0", "Privileges": "all"}}},
            "names privileges 'all'",
        ),
    ],
)
def test_a_template_without_a_record_is_none_of_ours(template: Any, told: str) -> None:
    with pytest.raises(VerifyError, match=told):
        origin(template)


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


deep = json_values | st.dictionaries(
    st.sampled_from(["Type", "Properties", "Sid", "a", "b"]), json_values
)


def shuffled(value: Any, dice: random.Random) -> Any:
    match value:
        case dict():
            names = list(value)
            dice.shuffle(names)
            return {name: shuffled(value[name], dice) for name in names}
        case list():
            return [shuffled(item, dice) for item in value]
    return value


@STEADY
@given(deep, st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_no_byte(value: Any, dice: random.Random) -> None:
    assert dumps(value) == dumps(shuffled(value, dice))


@STEADY
@given(deep)
def test_it_is_json_of_the_same_value_in_ascii(value: Any) -> None:
    text = dumps(value)

    assert value == json.loads(text)
    assert text == dumps(json.loads(text))
    assert text.isascii()
    assert text.endswith("\n")
    assert "\r" not in text


@pytest.mark.parametrize("value", [1.5, {1, 2}, b"x", {"a": [object()]}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="canonical"):
        dumps(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (True, "true"),
        ("arn:aws:s3:::logs", "arn:aws:s3:::logs"),
        (["a", "b"], "a, b"),
        ('{"b":1,"a":0.5}', '{"a":"0.5","b":1}'),
        ("{no JSON", "{no JSON"),
        ({"Action": ["s3:Get*"], "Effect": "Allow"}, '{"Effect":"Allow","Action":["s3:Get*"]}'),
    ],
)
def test_values_are_readable(value: object, shown: str) -> None:
    assert readable(value) == shown
