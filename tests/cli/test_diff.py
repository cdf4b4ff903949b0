"""`diff` describes every change that affects a customer; templates cannot hide one or do harm."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from cli.altered import (
    DOCUMENTED,
    FUNCTION,
    NAME,
    ROLE,
    SERVICE_ROLE,
    Template,
    template_in,
    with_a_right,
    with_source,
)
from cli.running import Ran, Run

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.commands import diff
from dt_logs_cfn.release.build import installed_templates

FILES = build_release(Settings()).files


def template() -> Template:
    return template_in(FILES[NAME])


def release(folder: Path, **changed: Template | None) -> None:
    """Write a release's templates; `changed` replaces a file's template, or omits it if None."""
    folder.mkdir(parents=True)
    for name in (NAME, DOCUMENTED, SERVICE_ROLE):
        content = changed.get(name, json.loads(FILES[name]))
        if content is not None:
            (folder / name).write_text(json.dumps(content))


@pytest.fixture
def compared(run: Run, here: Path) -> Any:
    """Return a function that compares the released template with another."""

    def compared(new: Template, *options: str) -> Ran:
        (here / "old.json").write_bytes(FILES[NAME])
        (here / "new.json").write_text(json.dumps(new))
        return run("diff", "old.json", "new.json", *options)

    return compared


def test_identical_whatever_the_form(run: Run, here: Path) -> None:
    (here / "old.json").write_bytes(FILES[NAME])
    (here / "new.json").write_text(json.dumps(template(), indent=4, sort_keys=True))

    assert run("diff", "old.json", "new.json") == Ran(0, "old.json -> new.json: identical\n", "")
    assert "none.json cannot be read" in run("diff", "old.json", "none.json").failure
    assert "build/9.9.9 has no template" in run("diff", "old.json", "9.9.9").failure
    assert run("diff").code == 2


def test_the_worst_comes_first_and_the_sources_last(compared: Any) -> None:
    new = with_source(with_a_right(template()), "__init__.py", b"one\n")
    new["Outputs"]["X"] = {"Value": "x"}

    assert compared(new).out == (
        "old.json -> new.json: major\n\n"
        "new.json\n"
        f"  major  {ROLE}: right added: iam:* on *\n"
        "  minor  output X is new\n"
        f"  patch  {FUNCTION}: dt_logs_handler/__init__.py changes\n\n"
        "dt_logs_handler/__init__.py in new.json\n"
        "--- old/dt_logs_handler/__init__.py\n"
        "+++ new/dt_logs_handler/__init__.py\n"
        "@@ -0,0 +1 @@\n"
        "+one\n"
    )
    found = json.loads(compared(new, "--json").out)
    right, _, source = found["changes"]
    assert found["level"] == "major"
    assert right == {
        "level": "major",
        "template": "new.json",
        "kind": "right",
        "what": f"{ROLE}: right added: iam:* on *",
        "file": "",
        "diff": "",
    }
    assert (source["kind"], source["file"]) == ("handler", "dt_logs_handler/__init__.py")
    assert source["diff"].endswith("@@ -0,0 +1 @@\n+one")


def test_releases_are_compared_template_by_template(run: Run, here: Path) -> None:
    release(here / "build" / __version__)
    documented = template_in(FILES[DOCUMENTED])
    release(
        here / "next",
        **{
            NAME: with_source(template(), "__init__.py", b"one\n"),
            DOCUMENTED: with_source(documented, "__init__.py", b"one\n"),
            SERVICE_ROLE: None,
        },
    )

    ran = run("diff", __version__, "next")

    assert ran.code == 1
    assert ran.out.startswith(
        f"{__version__} -> next: major\n\n"
        f"{SERVICE_ROLE}\n"
        "  major  the template is gone\n\n"
        f"{DOCUMENTED}\n"
        f"  patch  {FUNCTION}: dt_logs_handler/__init__.py changes\n\n"
        f"{NAME}\n"
        f"  patch  {FUNCTION}: dt_logs_handler/__init__.py changes\n\n"
        f"dt_logs_handler/__init__.py in {DOCUMENTED} and {NAME}\n"
    )
    assert ran.out.count("+++ new/") == 1
    assert run("diff", "next", __version__).out.startswith(
        f"next -> {__version__}: minor\n\n{SERVICE_ROLE}\n  minor  the template is new\n"
    )


def test_one_template_against_its_namesake_in_a_release(run: Run, here: Path) -> None:
    release(here / "build" / __version__)
    (here / NAME).write_text(json.dumps(with_a_right(template())))
    (here / "other.json").write_bytes(FILES[NAME])

    assert run("diff", __version__, NAME).out == (
        f"{__version__} -> {NAME}: major\n\n{NAME}\n  major  {ROLE}: right added: iam:* on *\n"
    )
    assert "does not have the template other.json" in run("diff", __version__, "other.json").failure


def test_a_url_is_fetched(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / NAME).write_bytes(FILES[NAME])
    url = f"https://example.com/1/{NAME}?token=x"

    def fetch(asked: str, limit: int) -> bytes:
        content = json.dumps(with_a_right(template())).encode()
        assert (asked, len(content) < limit) == (url, True)
        return content

    parser = argparse.ArgumentParser()
    diff.configure(parser)
    assert diff.run(parser.parse_args([NAME, url]), fetch) == 1
    assert capsys.readouterr().out == (
        f"{NAME} -> https://example.com/1/{NAME}: major\n\n"
        f"{NAME}\n"
        f"  major  {ROLE}: right added: iam:* on *\n"
    )


def test_the_installed_version_is_what_others_are_compared_with(run: Run, here: Path) -> None:
    text = installed_templates()[NAME]
    (here / NAME).write_text(text)
    same = run("diff", NAME)
    (here / NAME).write_text(text.replace('"Timeout":900', '"Timeout":899'))
    changed = run("diff", NAME)

    end = f" -> the installed version {__version__}: "
    assert (same.code, same.out) == (0, f"{NAME}{end}identical\n")
    assert (changed.code, changed.out.splitlines()[0]) == (1, f"{NAME}{end}patch")


def test_no_terminal_is_driven_and_a_long_line_is_cut(compared: Any, run: Run, here: Path) -> None:
    evil = "\x1b[2J\r\x07\u202e\u2028\x9b"
    new = with_source(with_a_right(template(), f"x:{evil}"), "x.py", f"a{evil}b\n".encode())
    new["Outputs"][f"O{evil}\nfine"] = {"Value": "x"}

    out = compared(new).out

    assert out.isascii()
    assert all(line.isprintable() for line in out.splitlines())
    escaped = r"\x1b[2J\r\x07\u202e\u2028\x9b"
    assert f"  major  {ROLE}: right added: x:{escaped} on *\n" in out
    assert f"  minor  output O{escaped}\\nfine is new\n" in out
    assert f"+a{escaped}b\n" in out

    (here / evil).write_bytes(FILES[NAME])
    assert escaped in run("diff", evil, "new.json").out
    assert compared(new, "--json").out.isascii()

    line = compared(with_a_right(template(), "x:" + "a" * 2_000)).out.splitlines()[3]
    assert len(line) < 500
    assert line.endswith("a... and 1,655 characters more, see --json")
