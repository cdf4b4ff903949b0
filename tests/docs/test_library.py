"""The examples in docs/library.md and in public docstrings run and print what they show."""

from __future__ import annotations

import contextlib
import doctest
import inspect
import io
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.moto_account import emulated_account

import dt_logs_cfn
from dt_logs_cfn.cli.main import main

GUIDE = Path(__file__).parents[2] / "docs" / "library.md"
# These commands need AWS or run too long. `tests/rehearsal` rehearses the guide's alarm.
NOT_HERE = ("publish", "rehearse")
EXAMPLES = {
    title: re.findall(r"^```(\w+)\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
    for title, body in re.findall(
        r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
}
WORKED = [title for title, blocks in EXAMPLES.items() if blocks]


LIBRARY = {name: getattr(dt_logs_cfn, name) for name in dt_logs_cfn.__all__}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Provide an AWS account with one load balancer that does not log."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    with emulated_account() as found:
        found.add_load_balancer("web")
        yield


def run(code: str, names: dict[str, Any]) -> str:
    """Run code and return its output, or write the code to the file that its first line names."""
    named = re.match(r"# (\w+\.py)\n", code)
    if named:
        Path(named[1]).write_text(code)
        return ""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(GUIDE), "exec"), names)
    return printed.getvalue()


@pytest.mark.parametrize("title", WORKED)
@pytest.mark.usefixtures("account")
def test_an_example_prints_what_it_shows(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "alarm", raising=False)
    (tmp_path / "release.cfg").touch()
    names: dict[str, Any] = {}
    printed = ""
    for language, block in EXAMPLES[title]:
        match language:
            case "python":
                printed = run(block, names)
            case "text":
                assert printed == block
            case "sh":
                for command, *words in (line.split()[1:] for line in block.splitlines()):
                    assert command in NOT_HERE or main([command, *words]) == 0


def test_the_settings_file_is_the_one_of_the_example(tmp_path: Path) -> None:
    blocks = dict(EXAMPLES[WORKED[0]])
    (tmp_path / "release.cfg").write_text(blocks["ini"])
    names: dict[str, Any] = {}
    exec(blocks["python"].partition("\nrelease = ")[0], names)

    settings = dt_logs_cfn.Settings.load(tmp_path / "release.cfg")

    assert settings == dt_logs_cfn.Settings((names["vendor"],), names["function"])


def test_the_guide_has_every_public_name_and_four_worked_examples() -> None:
    text = GUIDE.read_text("utf-8")

    assert len(WORKED) == 4
    assert [name for name in LIBRARY if f"`{name}`" not in text and name[:2] != "__"] == []


# Users of the library do not get the handler's docstrings, so these do not have examples.
DOCUMENTED = [
    name
    for name, found in LIBRARY.items()
    if (inspect.isclass(found) or inspect.isfunction(found))
    and typing.get_origin(found) is None  # Python 3.10 treats such aliases as classes
    and not found.__module__.startswith("dt_logs_handler.")
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_docstring_has_an_example_that_runs(name: str) -> None:
    found = doctest.DocTestFinder().find(LIBRARY[name], name, globs=LIBRARY)
    runner = doctest.DocTestRunner(verbose=False)

    told = io.StringIO()
    for each in found:
        runner.run(each, out=told.write)

    assert (runner.failures, told.getvalue()) == (0, "")
    assert runner.tries > 0
