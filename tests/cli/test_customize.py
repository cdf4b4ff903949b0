"""`--customize`: how commands apply a function that changes the templates."""

import json
import sys
from pathlib import Path

import pytest
from cli.running import Run

TEMPLATE = "build/0.1.0/dt-logs-analysis.template.json"
MODULE = """\
from troposphere import Output


def add(template, kind):
    template.add_output(Output("Owner", Value="edge"))


def fails(template, kind):
    return template.no_such_thing
"""


@pytest.fixture
def module(here: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a module of customizing functions, whose name differs in each test; return the name."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"changes_of_{here.parent.name}"
    (here / f"{name}.py").write_text(MODULE)
    return name


def test_a_customized_release_is_built_checked_and_verified(run: Run, module: str) -> None:
    by = f"{module}:add"
    codes = [run("build", "--customize", by).code, run("build", "--check", "--customize", by).code]
    codes.append(run("build", "--check").code)

    same, other = run("verify", TEMPLATE, "--customize", by), run("verify", TEMPLATE)

    assert [*codes, same.code, other.code] == [0, 0, 1, 0, 1]
    assert f"identical to release 0.1.0, customized by {by}, least-privilege, for " in same.out
    first, second, *_ = other.out.splitlines()
    assert first.endswith("Metadata/DTLogsAnalysis/CustomizedBy added, Outputs/Owner added")
    assert second == (
        f"{TEMPLATE}: it says that {by} customized it; pass your copy of that function with"
        " --customize"
    )
    as_data = json.loads(run("verify", TEMPLATE, "--json").out)
    assert (as_data["result"], as_data["customized_by"]) == ("differs", by)

    # A module that only a template names is not imported.
    Path("t.json").write_text(Path(TEMPLATE).read_text().replace(by, "booby_trap:spring"))
    Path("booby_trap.py").write_text("open('sprung', 'w').close()")
    assert [run("verify", "t.json", *more).code for more in ((), ("--customize", by))] == [1, 0]
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("add", "'add' is not a function. Give --customize MODULE:FUNCTION."),
        ("no.such.module:add", "Module no.such.module was not found, or has no function add."),
        ("json:no_such", "Module json was not found, or has no function no_such."),
        ("json:__doc__", "Module json was not found, or has no function __doc__."),
    ],
)
def test_what_is_no_function_is_wrong_usage(run: Run, given: str, told: str) -> None:
    ran = run("build", "--customize", given)

    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert not Path("build").exists()


def test_a_module_or_function_that_fails_is_one_line(run: Run, here: Path, module: str) -> None:
    (here / "broken_changes.py").write_text("raise ValueError('not\\nnow')")
    (here / "leaving_changes.py").write_text("raise SystemExit(0)")
    for name, why in (("broken", "ValueError: not now"), ("leaving", "SystemExit: 0")):
        failure = run("build", "--customize", f"{name}_changes:add").failure
        assert f"{name}_changes cannot be imported: {why}." in failure
    failure = run("build", "--customize", f"{module}:fails").failure
    assert f"{module}:fails failed for the least-privilege template: AttributeError" in failure
    assert f"Correct line 9 of {here / module}.py" in failure
