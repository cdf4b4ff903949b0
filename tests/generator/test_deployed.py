"""What a stack really runs is compared with what its template and parameters describe."""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.operate.deployed import Deployed, changes, read
from dt_logs_cfn.template.intrinsics import ResolvedTemplate

STACK_ID = (
    "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/dt-logs-analysis/6f1b2c34"
)
ROLE_ARN = "arn:aws-us-gov:iam::123456789012:role/dt-logs-analysis-Role-1X"
ROLE, FUNCTION, GROUP = (
    f"DTLogsAnalysisLambda{each}" for each in ("ExecutionRole", "Function", "LogGroup")
)
RESOURCES = {ROLE: "dt-logs-analysis-Role-1X", FUNCTION: "dt-logs-analysis-Fn-2Y", GROUP: "group"}
PARAMETERS = {
    "LoadBalancerArns": "*",
    "DataTheoremAccountId": "111122223333",
    "NotificationEndpoint": "https://logs.example.com/alb",
    "ExistingLogBucketNames": "one,two",
}
NAMES = ["dt-logs-analysis.template.json", "dt-logs-analysis-documented.template.json"]


def deployed(name: str = NAMES[0]) -> Deployed:
    """Return a stack as CloudFormation creates it."""
    text = build_release(Settings()).files[name].decode()
    made = {each: {"Ref": identifier} for each, identifier in RESOURCES.items()}
    made[ROLE]["Arn"] = ROLE_ARN
    made[GROUP]["Arn"] = "arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:group:*"
    pseudo = {"AWS::StackName": "dt-logs-analysis", "AWS::StackId": STACK_ID}
    place = ("aws-us-gov", "us-gov-west-1", "123456789012")
    stack = ResolvedTemplate(json.loads(text), PARAMETERS, *place, made, pseudo)
    function, role = stack.properties(FUNCTION), stack.properties(ROLE)
    code = function.pop("Code")["ZipFile"].encode()
    return Deployed(
        STACK_ID,
        text,
        PARAMETERS,
        RESOURCES,
        code,
        {**function, "FunctionArn": "x", "Layers": [], "VpcConfig": {"SubnetIds": [], "VpcId": ""}},
        {
            "Arn": ROLE_ARN,
            "Trust": role["AssumeRolePolicyDocument"],
            "Boundary": None,
            "Policies": {each["PolicyName"]: each["PolicyDocument"] for each in role["Policies"]},
            "Attached": [],
        },
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_the_template_makes_is_no_change(name: str) -> None:
    assert changes(deployed(name)) == ()


def test_the_functions_code() -> None:
    found = deployed()

    assert changes(replace(found, code=found.code + b"\nimport os\n")) == (
        "the function's code is not the template's",
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("Handler", "evil.handler", 'the function\'s Handler is "evil.handler"'),
        ("Runtime", "python3.8", 'the function\'s Runtime is "python3.8"'),
        ("Timeout", 3, "the function's Timeout is 3"),
        ("Role", "arn:aws:iam::1:role/admin", "the function runs under arn:aws:iam::1:role/admin"),
        ("Layers", [{"Arn": "a"}], 'the function has Layers: [{"Arn": "a"}]'),
        (
            "Environment",
            {"Variables": {"PYTHONPATH": "/opt"}},
            'the function has Environment: {"Variables": {"PYTHONPATH": "/opt"}}',
        ),
    ],
)
def test_how_code_or_rights_come_in_otherwise(name: str, value: object, told: str) -> None:
    found = deployed()

    assert changes(replace(found, configuration={**found.configuration, name: value})) == (told,)


def customized(found: Deployed, logical: str, **resource: Any) -> Deployed:
    """Return a stack whose template has one more resource, or other properties for one."""
    template = json.loads(found.template)
    old = template["Resources"].get(logical, {})
    properties = {**old.get("Properties", {}), **resource.pop("Properties")}
    template["Resources"][logical] = {**old, **resource, "Properties": properties}
    return replace(found, template=json.dumps(template))


def test_what_a_customized_template_gives_the_function_is_no_change() -> None:
    environment = {"Variables": {"TEAM": "edge"}}
    found = customized(deployed(), FUNCTION, Properties={"Environment": environment})

    for variables, told in (
        ({"TEAM": "edge"}, ()),
        ({"TEAM": "x"}, ('the function has Environment: {"Variables": {"TEAM": "x"}}',)),
    ):
        configuration = {**found.configuration, "Environment": {"Variables": variables}}
        assert changes(replace(found, configuration=configuration)) == told


def test_a_policy_that_a_customized_template_gives_the_role_is_no_change() -> None:
    document = {"Version": "2012-10-17", "Statement": []}
    given = {"PolicyName": "Vpc", "Roles": [{"Ref": ROLE}], "PolicyDocument": document}
    found = customized(deployed(), "Vpc", Type="AWS::IAM::Policy", Properties=given)
    policies = {**found.role["Policies"], "Vpc": document}

    assert changes(replace(found, role={**found.role, "Policies": policies})) == ()
    assert changes(found) == ("the role has no policy Vpc",)


def role_with(**parts: Any) -> tuple[str, ...]:
    found = deployed()
    return changes(replace(found, role={**found.role, **parts}))


def test_the_roles_rights() -> None:
    policies = copy.deepcopy(deployed().role["Policies"])
    policies["LogsAnalysis"]["Statement"][0]["Action"].append("iam:*")
    policies["Other"] = {"Statement": []}

    assert sorted(role_with(Policies=policies)) == [
        "the role has another policy Other",
        "the role's policy LogsAnalysis: Statement/0/Action/7 added",
    ]
    assert role_with(Policies={}) == ("the role has no policy LogsAnalysis",)
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert role_with(Attached=[admin]) == (f"the role has the managed policy {admin}",)
    assert role_with(Boundary="b") == ("the role's permissions boundary is b",)


def test_who_may_assume_the_role() -> None:
    trust = copy.deepcopy(deployed().role["Trust"])
    trust["Statement"][0]["Principal"] = {"AWS": "*"}

    assert role_with(Trust=trust) == (
        "who may assume the role: Statement/0/Principal/Service missing",
    )


@pytest.mark.parametrize(
    ("logical", "name", "value"),
    [
        (FUNCTION, "Role", {"Fn::Transform": {}}),
        (FUNCTION, "Code", {"S3Bucket": "b", "S3Key": "k"}),
        (FUNCTION, "Role", None),
        (ROLE, "Policies", None),
        (ROLE, "Policies", [{}]),
        (ROLE, "AssumeRolePolicyDocument", None),
    ],
)
def test_an_edited_template_is_told_and_no_bug(logical: str, name: str, value: object) -> None:
    found = deployed()
    template = json.loads(found.template)
    properties = template["Resources"][logical]["Properties"]
    del properties[name]
    if value is not None:
        properties[name] = value

    told = changes(replace(found, template=json.dumps(template)))

    assert any("cannot be determined" in each for each in told)


class Client:
    """Answers each call that `read` makes with what is deployed."""

    def __init__(self, found: Deployed) -> None:
        self._found = found

    def describe_stacks(self, StackName: str) -> Any:
        parameters = [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in self._found.parameters.items()
        ]
        made = datetime.fromtimestamp(0, timezone.utc)
        named = {"StackId": STACK_ID, "StackName": "s", "StackStatus": "CREATE_COMPLETE"}
        return {"Stacks": [{**named, "Parameters": parameters, "CreationTime": made}]}

    def get_template(self, StackName: str, TemplateStage: str) -> Any:
        return {"TemplateBody": json.loads(self._found.template)}

    def describe_stack_resources(self, StackName: str) -> Any:
        return {
            "StackResources": [
                {"LogicalResourceId": key, "PhysicalResourceId": value}
                for key, value in self._found.resources.items()
            ]
        }

    def get_function(self, FunctionName: str) -> Any:
        return {"Code": {"Location": "https://code"}, "Configuration": self._found.configuration}

    def get_role(self, RoleName: str) -> Any:
        return {"Role": {"Arn": ROLE_ARN, "AssumeRolePolicyDocument": self._found.role["Trust"]}}

    def get_role_policy(self, RoleName: str, PolicyName: str) -> Any:
        return {"PolicyDocument": self._found.role["Policies"][PolicyName]}

    def get_paginator(self, name: str) -> Any:
        found = self._found

        class Pages:
            def paginate(self, RoleName: str) -> Any:
                return [{"PolicyNames": [*found.role["Policies"]], "AttachedPolicies": []}]

        return Pages()


class Session:
    """A session whose clients all answer from one stack."""

    def __init__(self, found: Deployed) -> None:
        self._found = found

    def client(self, name: str, **_: Any) -> Any:
        return Client(self._found)


def archive(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(f"{name}.py", content)
    return buffer.getvalue()


def test_reading_it() -> None:
    there = deployed()
    session: Any = Session(there)

    found = read(session, "dt-logs-analysis", lambda url, limit: archive(index=there.code))

    assert changes(found) == ()
    assert found.code == there.code


def with_impossible_offset() -> bytes:
    """Return a zip whose only file would begin one byte before the zip."""
    changed = bytearray(archive(index=b""))
    (directory,) = struct.unpack("<I", changed[-6:-2])
    changed[-6:-2] = struct.pack("<I", directory + 1)
    return bytes(changed)


@pytest.mark.parametrize(
    ("fetched", "told"),
    [
        (archive(index=b"", other=b""), "more than index.py"),
        (archive(other=b""), "more than index.py"),
        (b"", "not a valid zip"),
        (with_impossible_offset(), "not a valid zip"),
        (archive(index=b"0" * 50_000_000), "more than 1,000,000 bytes"),
    ],
    ids=["two", "another", "none", "offset", "bomb"],
)
def test_a_function_with_other_files(fetched: bytes, told: str) -> None:
    session: Any = Session(deployed())

    with pytest.raises(VerifyError, match=told):
        read(session, "dt-logs-analysis", lambda url, limit: fetched)


def test_a_stack_that_is_none_of_ours() -> None:
    session: Any = Session(replace(deployed(), resources={"Queue": "q"}))

    with pytest.raises(VerifyError, match="does not have our function and role"):
        read(session, "other", lambda url, limit: b"")
