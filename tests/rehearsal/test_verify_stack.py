"""`verify --stack`, against an emulated account over HTTP: what somebody changed since is named."""

from __future__ import annotations

import io
import json
import zipfile

import pytest
from support.emulated import BOTH, Emulated

from dt_logs_cfn import __version__
from dt_logs_cfn.cli.main import main
from dt_logs_cfn.settings import Privileges

NAME = "dt-logs-analysis"
FUNCTION, ROLE = "DTLogsAnalysisLambdaFunction", "DTLogsAnalysisLambdaExecutionRole"


def create(account: Emulated, privileges: Privileges = Privileges.LEAST_PRIVILEGE) -> None:
    values = {
        "LoadBalancerArns": account.load_balancers[0],
        "DataTheoremAccountId": "999988887777",
        "NotificationEndpoint": "https://logs.example.com/in",
    }
    account.client("cloudformation").create_stack(
        StackName=NAME,
        TemplateBody=account.template(privileges),
        RoleARN=account.role,
        Capabilities=list(BOTH),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
    )
    account.sandbox.cloudformation.join()


def physical(account: Emulated, logical: str) -> str:
    (found,) = account.client("cloudformation").describe_stack_resources(
        StackName=NAME, LogicalResourceId=logical
    )["StackResources"]
    return str(found["PhysicalResourceId"])


@pytest.mark.parametrize("privileges", Privileges)
def test_a_stack_that_nobody_has_touched(
    account: Emulated, privileges: Privileges, capsys: pytest.CaptureFixture[str]
) -> None:
    create(account, privileges)

    assert main(["verify", "--stack", NAME]) == 0

    out, err = capsys.readouterr()
    assert f"stack {NAME}: identical to release {__version__}, {privileges.value}" in out
    assert (err, "X-Amz" in out) == ("", False)


def test_code_and_rights_that_were_changed_since(
    account: Emulated, capsys: pytest.CaptureFixture[str]
) -> None:
    create(account)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): pass\n")
    account.client("lambda").update_function_code(
        FunctionName=physical(account, FUNCTION), ZipFile=packed.getvalue()
    )
    everything = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
    account.client("iam").put_role_policy(
        RoleName=physical(account, ROLE),
        PolicyName="More",
        PolicyDocument=json.dumps(everything),
    )

    assert main(["verify", "--stack", NAME]) == 1

    out, _ = capsys.readouterr()
    assert "the function's code is not the template's" in out
    assert "the role has another policy More" in out


def test_a_stack_that_is_not_there(account: Emulated, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--stack", "nothing"]) == 3

    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "There is no stack nothing in this account and region." in err
