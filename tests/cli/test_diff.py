"""`diff` describes every change that affects a customer; templates cannot hide one or do harm."""

import argparse
import json
from pathlib import Path

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
from support.commands import Ran, Run

from dt_logs_cfn import Settings, __version__, build_release
from dt_logs_cfn.commands import diff
from dt_logs_cfn.release.build import installed_templates

FILES = build_release(Settings()).files
RIGHT_ADDED = f"{ROLE}: right added: iam:* on *"
SOURCE_CHANGES = f"{FUNCTION}: dt_logs_handler/__init__.py changes"


def template(name: str = NAME) -> Template:
    return template_in(FILES[name])


@pytest.fixture
def old(here: Path) -> Path:
    """Write the released template as old.json, and all released templates to build/<version>."""
    (here / "old.json").write_bytes(FILES[NAME])
    folder = here / "build" / __version__
    folder.mkdir(parents=True)
    for name in (NAME, DOCUMENTED, SERVICE_ROLE):
        (folder / name).write_bytes(FILES[name])
    return here


def compared(run: Run, here: Path, new: Template, *options: str) -> Ran:
    (here / "new.json").write_text(json.dumps(new, indent=4, sort_keys=True))
    return run("diff", "old.json", "new.json", *options)


def test_the_worst_comes_first_and_the_sources_last(run: Run, old: Path) -> None:
    same = compared(run, old, template())  # whatever the form
    assert same == Ran(0, "old.json -> new.json: identical\n", "")
    new = with_source(with_a_right(template()), "__init__.py", b"one\n")
    new["Outputs"]["X"] = {"Value": "x"}

    assert compared(run, old, new).out == (
        "old.json -> new.json: major\n\n"
        "new.json\n"
        f"  major  {RIGHT_ADDED}\n"
        "  minor  output X is new\n"
        f"  patch  {SOURCE_CHANGES}\n\n"
        "dt_logs_handler/__init__.py in new.json\n"
        "--- old/dt_logs_handler/__init__.py\n"
        "+++ new/dt_logs_handler/__init__.py\n"
        "@@ -0,0 +1 @@\n"
        "+one\n"
    )
    found = json.loads(compared(run, old, new, "--json").out)
    right, _, source = found["changes"]
    assert found["level"] == "major"
    assert right == {
        "level": "major",
        "template": "new.json",
        "kind": "right",
        "what": RIGHT_ADDED,
        "file": "",
        "diff": "",
    }
    assert (source["kind"], source["file"]) == ("handler", "dt_logs_handler/__init__.py")
    assert source["diff"].endswith("@@ -0,0 +1 @@\n+one")


def test_releases_are_compared_template_by_template(run: Run, old: Path) -> None:
    (old / "next").mkdir()
    for name in (NAME, DOCUMENTED):
        new = with_source(template(name), "__init__.py", b"one\n")
        (old / "next" / name).write_text(json.dumps(new))
    (old / NAME).write_text(json.dumps(with_a_right(template())))

    ran = run("diff", __version__, "next")

    assert ran.code == 1
    assert ran.out.startswith(
        f"{__version__} -> next: major\n\n"
        f"{SERVICE_ROLE}\n  major  the template is gone\n\n"
        f"{DOCUMENTED}\n  patch  {SOURCE_CHANGES}\n\n"
        f"{NAME}\n  patch  {SOURCE_CHANGES}\n\n"
        f"dt_logs_handler/__init__.py in {DOCUMENTED} and {NAME}\n"
    )
    assert ran.out.count("+++ new/") == 1
    assert run("diff", "next", __version__).out.startswith(
        f"next -> {__version__}: minor\n\n{SERVICE_ROLE}\n  minor  the template is new\n"
    )
    # A single template is compared with its namesake.
    changed = f"{NAME}: major\n\n{NAME}\n  major  {RIGHT_ADDED}\n"
    assert run("diff", __version__, NAME).out == f"{__version__} -> {changed}"
    for words, told in (
        ((__version__, "old.json"), "does not have the template old.json"),
        (("old.json", "none.json"), "none.json cannot be read"),
        (("old.json", "9.9.9"), "build/9.9.9 has no template"),
    ):
        assert told in run("diff", *words).refusal
    assert run("diff").code == 2


def test_a_url_is_fetched(old: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"https://example.com/1/{NAME}?token=x"

    def fetch(asked: str, limit: int) -> bytes:
        content = json.dumps(with_a_right(template())).encode()
        assert (asked, len(content) < limit) == (url, True)
        return content

    parser = argparse.ArgumentParser()
    diff.configure(parser)
    assert diff.run(parser.parse_args(["old.json", url]), fetch) == 1
    assert capsys.readouterr().out == (
        f"old.json -> https://example.com/1/{NAME}: major\n\n{NAME}\n  major  {RIGHT_ADDED}\n"
    )


def test_the_installed_version_is_what_others_are_compared_with(run: Run, here: Path) -> None:
    text = installed_templates()[NAME]
    for changed, code, level in (
        (text, 0, "identical"),
        (text.replace('"Timeout":900', '"Timeout":899'), 1, "patch"),
    ):
        (here / NAME).write_text(changed)
        ran = run("diff", NAME)
        told = f"{NAME} -> the installed version {__version__}: {level}"
        assert (ran.code, ran.out.splitlines()[0]) == (code, told)


def test_no_terminal_is_driven_and_a_long_line_is_cut(run: Run, old: Path) -> None:
    evil = "\x1b[2J\r\x07\u202e\u2028\x9b"
    new = with_source(with_a_right(template(), f"x:{evil}"), "x.py", f"a{evil}b\n".encode())
    new["Outputs"][f"O{evil}\nfine"] = {"Value": "x"}

    out = compared(run, old, new).out

    assert out.isascii()
    assert all(line.isprintable() for line in out.splitlines())
    escaped = r"\x1b[2J\r\x07\u202e\u2028\x9b"
    assert f"  major  {ROLE}: right added: x:{escaped} on *\n" in out
    assert f"  minor  output O{escaped}\\nfine is new\n" in out
    assert f"+a{escaped}b\n" in out
    (old / evil).write_bytes(FILES[NAME])
    assert escaped in run("diff", evil, "new.json").out
    assert compared(run, old, new, "--json").out.isascii()

    line = compared(run, old, with_a_right(template(), "x:" + "a" * 2_000)).out.splitlines()[3]
    assert len(line) < 500
    assert line.endswith("a... and 1,655 characters more, see --json")
