"""The Terraform modules and the StackSet's parameters agree with the template."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import hcl2
import pytest
from troposphere import Parameter, Template

from dt_logs_cfn import Customize, Settings, TemplateKind, Vendor, build_release
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.release.pipelines import STACK_SET_PARAMETERS, TERRAFORM, TERRAFORM_STACK_SET
from dt_logs_cfn.template.intrinsics import accepts

VENDORS = (
    Vendor("aws", "111122223333", base_url="https://releases.s3.us-east-1.amazonaws.com/logs"),
    Vendor("aws-us-gov", base_url="https://gov.s3.us-gov-west-1.amazonaws.com/logs"),
)
UNSET, SET = (build_release(Settings(vendors)).files for vendors in ((), VENDORS))
BOTH = pytest.mark.parametrize("files", [UNSET, SET], ids=["unset", "set"])
# For each module: where the templates are, and the variables that are not parameters.
OWN = {
    TERRAFORM: ("..", "stack_name service_role_arn privileges tags"),
    TERRAFORM_STACK_SET: (
        "../..",
        "auto_deployment call_as failure_tolerance_percentage privileges regions"
        " max_concurrent_percentage organizational_unit_ids stack_set_name tags",
    ),
}
VARIABLES = {
    "DataTheoremAccountId": "data_theorem_account_id",
    "NotificationEndpoint": "notification_endpoint",
    "LoadBalancerArns": "load_balancer_arns",
    "VendorReadScope": "vendor_read_scope",
    "ResourceTags": "resource_tags",
    "RunToken": "run_token",
    "LogBucketName": "log_bucket_name",
    "LogRetentionDays": "log_retention_days",
    "RefreshSchedule": "refresh_schedule",
    "ExistingLogBucketNames": "existing_log_bucket_names",
    "LambdaExecutionRoleName": "lambda_execution_role_name",
    "LambdaExecutionRolePath": "lambda_execution_role_path",
    "LambdaFunctionName": "lambda_function_name",
    "PermissionsBoundaryArn": "permissions_boundary_arn",
}


def named(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return hcl2's list of blocks as a mapping by name, without the names' quotes."""
    return {name.strip('"'): body for block in blocks for name, body in block.items()}


def adding(*parameters: Parameter) -> Customize:
    def add(template: Template, kind: TemplateKind) -> None:
        for each in parameters if kind is not TemplateKind.SERVICE_ROLE else ():
            template.add_parameter(each)

    return add


def parameters(files: Any, name: str = "dt-logs-analysis") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files[f"{name}.template.json"])["Parameters"]
    return found


@BOTH
@pytest.mark.parametrize("name", OWN)
def test_a_module_takes_every_parameter_and_fills_in_the_template(files: Any, name: str) -> None:
    """After verifying the checksums, a customer runs exactly the verified template.

    The documented template gets only the parameters that it has. If a parameter that it lacks does
    not keep its default, the plan fails.
    """
    text = files[name].decode()
    parsed, declared = hcl2.loads(text), parameters(files)
    taken = VARIABLES if name == TERRAFORM else {**VARIABLES, "LoadBalancerArns": None}
    folder, own = OWN[name]

    variables = named(parsed["variable"])
    assert declared.keys() == VARIABLES.keys()
    assert set(variables) == {*filter(None, taken.values()), *own.split()}
    (found,) = (each["values"] for each in parsed["locals"])
    for parameter, variable in taken.items():
        if variable is None:
            assert found[parameter] == "*"
        else:
            assert f"var.{variable}" in found[parameter]
            assert ("default" in variables[variable]) == ("Default" in declared[parameter])
    assert f'file("${{path.module}}/{folder}/${{local.template}}")' in text
    assert "https://releases" not in text
    assert {*re.findall(r'"(dt-logs-analysis[a-z-]*\.template\.json)"', text)} <= files.keys()
    (listed,) = re.findall(r"!contains\(\[(.*)\], name\)", text)
    lacking = declared.keys() - parameters(files, "dt-logs-analysis-documented").keys()
    assert {each.strip(' "') for each in listed.split(",")} == lacking == {"RefreshSchedule"}
    assert re.search(r'condition .* \(var\.refresh_schedule == ""\)\n.* RefreshSchedule', text)


@BOTH
@pytest.mark.parametrize("name", OWN)
def test_it_is_formatted_as_terraform_does(files: Any, name: str, tmp_path: Path) -> None:
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("needs terraform on PATH")
    (tmp_path / "main.tf").write_bytes(files[name])

    done = subprocess.run(
        (terraform, "fmt", "-check", "-diff", "main.tf"), cwd=tmp_path, capture_output=True
    )

    assert (done.returncode, done.stdout) == (0, b"")


@BOTH
def test_a_stack_set_takes_the_parameters_once_they_are_filled_in(files: Any) -> None:
    listed = json.loads(files[STACK_SET_PARAMETERS])
    declared = parameters(files)

    values = {each["ParameterKey"]: each["ParameterValue"] for each in listed}

    assert values.keys() == declared.keys()
    assert values["LoadBalancerArns"] == "*"
    refused = {name for name, value in values.items() if not accepts(declared[name], value)}
    assert refused == {name for name, each in declared.items() if "Default" not in each} - {
        "LoadBalancerArns"
    }


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["StackName"], "cannot have a variable 'stack_name' for the parameter StackName"),
        (["Regions"], "cannot have a variable 'regions' for the parameter Regions"),
        (["Version"], "cannot have a variable 'version' for the parameter Version"),
        (["ABc", "aBc"], "cannot have a variable 'a_bc' for the parameter ABc, aBc"),
    ],
    ids=["the module's", "the stack set's", "reserved", "twice"],
)
def test_a_parameter_that_cannot_be_a_variable_is_refused(names: list[str], told: str) -> None:
    with pytest.raises(BuildError, match=told):
        build_release(Settings(), adding(*(Parameter(name, Type="String") for name in names)))


def test_a_value_that_cloudformation_hides_is_hidden_by_terraform() -> None:
    files = build_release(
        Settings(), adding(Parameter("ApiToken", Type="String", NoEcho=True))
    ).files

    for name in OWN:
        variables = named(hcl2.loads(files[name].decode())["variable"])
        assert [each for each, body in variables.items() if body.get("sensitive")] == ["api_token"]
