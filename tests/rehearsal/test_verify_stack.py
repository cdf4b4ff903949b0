"""`verify --stack`, against an emulated account over HTTP, reports changes to the stack."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from types import ModuleType

import pytest
from support.drifts import EVERYTHING
from support.emulated import STACK, Emulated
from troposphere import Output, Tags, Template

from dt_logs_cfn import Settings, TemplateKind, __version__, build_release
from dt_logs_cfn.cli.main import main
from dt_logs_cfn.settings import Privileges

FUNCTION, ROLE = "DTLogsAnalysisLambdaFunction", "DTLogsAnalysisLambdaExecutionRole"


def physical(account: Emulated, logical: str) -> str:
    stack = next(e for e in account.sandbox.cloudformation.stacks.values() if e.name == STACK)
    return stack.resources[logical].physical_id


@pytest.mark.parametrize("privileges", Privileges)
def test_a_stack_that_nobody_has_touched_until_code_and_rights_are_changed(
    account: Emulated, privileges: Privileges, capsys: pytest.CaptureFixture[str]
) -> None:
    account.create_stack(body=account.template(privileges))

    assert main(["verify", "--stack", STACK]) == 0

    out, err = capsys.readouterr()
    assert f"stack {STACK}: identical to release {__version__}, {privileges.value}" in out
    assert (err, "X-Amz" in out) == ("", False)
    assert main(["verify", "--stack", "nothing"]) == 3
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "There is no stack nothing in this account and region." in err

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): pass\n")
    account.client("lambda").update_function_code(
        FunctionName=physical(account, FUNCTION), ZipFile=packed.getvalue()
    )
    account.client("iam").put_role_policy(
        RoleName=physical(account, ROLE),
        PolicyName="More",
        PolicyDocument=json.dumps(EVERYTHING),
    )
    assert main(["verify", "--stack", STACK]) == 1
    out, _ = capsys.readouterr()
    assert "the function's code differs from the template" in out
    assert "the role has another policy More" in out


def test_a_customized_stack_with_the_function_and_without(
    account: Emulated, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = ModuleType("edge_rules")
    rules.add = more_memory  # type: ignore[attr-defined]  # ModuleType does not declare `add`
    monkeypatch.setitem(sys.modules, "edge_rules", rules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    release = build_release(Settings(), more_memory)
    account.create_stack(body=release.templates["dt-logs-analysis.template.json"])

    assert main(["verify", "--stack", STACK, "--customize", "edge_rules:add"]) == 0
    assert main(["verify", "--stack", STACK]) == 1

    out, _ = capsys.readouterr()
    assert f"identical to release {__version__}, customized by edge_rules:add" in out
    assert f"Resources/{FUNCTION}/Properties/MemorySize changed" in out
    assert main(["remove", "--stack", STACK, "--yes"]) == 0


def more_memory(template: Template, kind: TemplateKind) -> None:
    if kind is not TemplateKind.SERVICE_ROLE:
        template.add_output(Output("Owner", Value="edge"))
        template.resources[FUNCTION].MemorySize = 1024
        template.resources[FUNCTION].Tags = Tags(team="edge")
