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

BASE_URLS = {
    "aws": "https://releases.s3.us-east-1.amazonaws.com/logs-analysis",
    "aws-us-gov": "https://gov.s3.us-gov-west-1.amazonaws.com/logs-analysis",
}
UNSET = Settings()
SET = Settings(
    tuple(
        Vendor(name, "111122223333" if name == "aws" else "", base_url=url)
        for name, url in BASE_URLS.items()
    )
)
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


def module(settings: Settings, name: str = TERRAFORM) -> tuple[str, Any]:
    text = build_release(settings).files[name].decode()
    return text, hcl2.loads(text)


def named(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return hcl2's list of blocks as a mapping by name, without the names' quotes."""
    return {name.strip('"'): body for block in blocks for name, body in block.items()}


def adding(*parameters: Parameter) -> Customize:
    def add(template: Template, kind: TemplateKind) -> None:
        for each in parameters if kind is not TemplateKind.SERVICE_ROLE else ():
            template.add_parameter(each)

    return add


def template(settings: Settings) -> Any:
    return json.loads(build_release(settings).files["dt-logs-analysis.template.json"])


@pytest.mark.parametrize("settings", [UNSET, SET], ids=["unset", "set"])
def test_every_parameter_is_a_variable_and_every_output_an_output(settings: Settings) -> None:
    text, parsed = module(settings)
    stack = template(settings)

    assert set(stack["Parameters"]) == set(VARIABLES)
    variables = named(parsed["variable"])
    ours = {"stack_name", "service_role_arn", "privileges", "tags"}
    assert set(variables) == {*VARIABLES.values(), *ours}
    for name, declared in stack["Parameters"].items():
        assert ("default" in variables[VARIABLES[name]]) == ("Default" in declared)
        assert f"var.{VARIABLES[name]}" in text
    assert set(named(parsed["output"])) == {
        *("log_buckets", "topic_arns", "subscription_arns", "not_onboarded", "warnings"),
        *("template_version", "handler_sha256"),
    }


@pytest.mark.parametrize("settings", [UNSET, SET], ids=["unset", "set"])
def test_a_stack_set_is_for_all_load_balancers_of_units(settings: Settings) -> None:
    _, parsed = module(settings, TERRAFORM_STACK_SET)
    stack = template(settings)

    variables = named(parsed["variable"])
    ours = {
        *("auto_deployment", "call_as", "failure_tolerance_percentage", "privileges", "regions"),
        *("max_concurrent_percentage", "organizational_unit_ids", "stack_set_name", "tags"),
    }
    assert set(variables) == {*VARIABLES.values(), *ours} - {"load_balancer_arns"}
    made = {kind: body for each in parsed["resource"] for kind, body in named([each]).items()}
    stack_set = named([made["aws_cloudformation_stack_set"]])["logs_analysis"]
    (locals_,) = parsed["locals"]
    # The provider needs all parameters, even those with a default.
    assert stack_set["parameters"] == "${local.parameters}"
    assert locals_["values"].keys() == stack["Parameters"].keys()
    assert locals_["values"]["LoadBalancerArns"] == "*"
    for name in stack["Parameters"].keys() - {"LoadBalancerArns"}:
        assert f"var.{VARIABLES[name]}" in locals_["values"][name]
    stacks = named([made["aws_cloudformation_stack_instances"]])["logs_analysis"]
    assert stacks["deployment_targets"] == [
        {"organizational_unit_ids": "${var.organizational_unit_ids}"}
    ]


@pytest.mark.parametrize(("name", "up"), [(TERRAFORM, ".."), (TERRAFORM_STACK_SET, "../..")])
def test_the_template_is_the_one_of_the_release(name: str, up: str) -> None:
    """A customer who verifies the release's checksums then runs exactly the verified files."""
    text, _ = module(SET, name)

    assert f'file("${{path.module}}/{up}/${{local.template}}")' in text
    assert "https://releases" not in text
    names = re.findall(r'"(dt-logs-analysis[a-z-]*\.template\.json)"', text)
    assert set(names) <= set(build_release(SET).files)


@pytest.mark.parametrize("name", [TERRAFORM, TERRAFORM_STACK_SET])
def test_the_documented_template_gets_only_the_parameters_that_it_has(name: str) -> None:
    """The plan fails if a parameter that the template lacks does not keep its default."""
    text, parsed = module(UNSET, name)
    documented = json.loads(build_release(UNSET).files["dt-logs-analysis-documented.template.json"])

    (listed,) = re.findall(r"!contains\(\[(.*)\], name\)", text)
    (resource,) = (
        named([body])["logs_analysis"]
        for each in parsed["resource"]
        for kind, body in named([each]).items()
        if kind in ("aws_cloudformation_stack", "aws_cloudformation_stack_set")
    )
    (lifecycle,) = resource["lifecycle"]
    (condition,) = lifecycle["precondition"]

    lacking = set(VARIABLES) - documented["Parameters"].keys()
    assert {each.strip(' "') for each in listed.split(",")} == lacking == {"RefreshSchedule"}
    assert "RefreshSchedule" in condition["error_message"]
    assert 'var.refresh_schedule == ""' in condition["condition"]


@pytest.mark.parametrize("name", [TERRAFORM, TERRAFORM_STACK_SET])
@pytest.mark.parametrize("settings", [UNSET, SET], ids=["unset", "set"])
def test_it_is_formatted_as_terraform_does(settings: Settings, name: str, tmp_path: Path) -> None:
    terraform = shutil.which("terraform")
    if terraform is None:
        pytest.skip("needs terraform on PATH")
    (tmp_path / "main.tf").write_text(module(settings, name)[0])

    done = subprocess.run(
        (terraform, "fmt", "-check", "-diff", "main.tf"), cwd=tmp_path, capture_output=True
    )

    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize("settings", [UNSET, SET], ids=["unset", "set"])
def test_a_stack_set_takes_the_parameters_once_they_are_filled_in(settings: Settings) -> None:
    listed = json.loads(build_release(settings).files[STACK_SET_PARAMETERS])
    declared = template(settings)["Parameters"]

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
        build_release(UNSET, adding(*(Parameter(name, Type="String") for name in names)))


def test_a_value_that_cloudformation_hides_is_hidden_by_terraform() -> None:
    files = build_release(UNSET, adding(Parameter("ApiToken", Type="String", NoEcho=True))).files

    for name in (TERRAFORM, TERRAFORM_STACK_SET):
        variables = named(hcl2.loads(files[name].decode())["variable"])
        assert [each for each, body in variables.items() if body.get("sensitive")] == ["api_token"]
