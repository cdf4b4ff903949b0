"""cloudformation-validate, which checks the templates in addition to cfn-lint."""

import json
from datetime import date
from typing import Any

import pytest

from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.release import lint

pytest.importorskip(lint.VALIDATOR)

NAME = "dt-logs-analysis.template.json"
TEMPLATES = {
    name: content.decode()
    for name, content in build_release(Settings()).files.items()
    if name.endswith(".template.json")
}


def test_no_template_has_a_finding_that_is_not_explained() -> None:
    assert len(TEMPLATES) == 3
    assert lint.validate(TEMPLATES) == []


def test_an_error_is_found() -> None:
    template: dict[str, Any] = json.loads(TEMPLATES[NAME])
    properties = template["Resources"]["DTLogsAnalysisLambdaFunction"]["Properties"]
    properties["MemorySize"] = "much"

    found = lint.validate({NAME: json.dumps(template)})

    assert [(each.template, each.severity) for each in found] == [(NAME, "error")]
    assert "MemorySize" in found[0].path


def test_a_template_that_the_validator_cannot_check_is_a_finding() -> None:
    template: dict[str, Any] = json.loads(TEMPLATES[NAME])
    role = template["Resources"]["DTLogsAnalysisLambdaExecutionRole"]["Properties"]
    role["Policies"][0]["PolicyDocument"]["Statement"].append({"Fn::If": ["HasLogBucketName"]})

    *_, found = lint.lint_templates({NAME: json.dumps(template)}, date(2026, 1, 1))

    assert (found.template, found.rule, found.severity) == (NAME, "validator", "error")
    assert found.message.startswith("cloudformation-validate cannot check the template: ")
    assert "Statement" in found.message and "Fn::If" in found.message


def test_what_is_explained_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explanation must be removed once its rule finds nothing any more."""
    monkeypatch.setattr(lint, "EXPLAINED", {})
    assert {each.rule for each in lint.validate(TEMPLATES)} == {"W1030"}
