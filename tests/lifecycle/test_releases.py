"""This release takes over stacks that run the code of each committed release."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dt_logs_cfn.template.embedding import extract, unpack
from dt_logs_rehearsal.scenarios.customers import logging, three
from lifecycle.scenarios import Case, Prepare

BUILD = Path(__file__).parents[2] / "build"
TEMPLATES = sorted(BUILD.glob("*/dt-logs-analysis*.template.json"))


def released(template: Path, folder: Path) -> ModuleType:
    """Import the handler that a template contains, under a unique name."""
    resources = json.loads(template.read_text("utf-8"))["Resources"]
    code = resources["DTLogsAnalysisLambdaFunction"]["Properties"]["Code"]["ZipFile"]
    name = "released_" + "".join(each if each.isalnum() else "_" for each in template.parent.name)
    for path, source in unpack(extract(code)).items():
        file = folder / name / Path(path).name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(source)
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, folder / name / "__init__.py")
        assert spec and spec.loader
        package = importlib.util.module_from_spec(spec)
        sys.modules[name] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{name}.main")


@pytest.mark.parametrize("prepare", [three, logging], ids=["new", "adopted"])
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda each: f"{each.parent.name} {each.name}")
def test_this_release_takes_over_from_each(
    template: Path, prepare: Prepare, tmp_path: Path
) -> None:
    """If another resource of the stack fails, CloudFormation rolls back with the older code."""
    case = Case(prepare)
    this, other = case.stack.code, released(template, tmp_path)
    privileges = "documented" if "documented" in template.name else "least-privilege"

    case.stack.code = other
    case.create(*case.arns[:-1], Privileges=privileges)
    created = case.account.snapshot()
    case.stack.code = this
    case.update(
        LoadBalancerArns=case.arns[1:], DataTheoremAccountId="888877776666", RunToken="again"
    )
    case.stack.code = other
    case.back()

    assert case.differs(created) == []
    case.stack.code = this
    case.ends()


def test_there_is_a_release() -> None:
    assert TEMPLATES
