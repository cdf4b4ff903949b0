"""The summary of tox's environments: what ran, what did not, and how to run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.summary import summary

PASSED = '<testcase classname="tests.a" name="test_{}"/>'
EXPECTED = (
    '<testcase classname="tests.a" name="test_{}"><skipped type="pytest.xfail" message="later"/>'
    "</testcase>"
)
FAILED = '<testcase classname="tests.a" name="test_{}"><failure message="no"/></testcase>'
SKIPPED = (
    '<testcase classname="tests.a" name="test_{}"><skipped message="needs Chromium"/></testcase>'
)


def environment(folder: Path, name: str, *cases: str) -> None:
    """Create the files that tox and pytest leave for an environment."""
    (folder / name / "bin").mkdir(parents=True)
    (folder / name / "bin" / "python").touch()
    (folder / name / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.13.1.final.0\n")
    if cases:
        (folder / name / "tmp").mkdir()
        text = "".join(each.format(number) for number, each in enumerate(cases))
        report = f'<testsuites><testsuite time="61.4">{text}</testsuite></testsuites>'
        (folder / name / "tmp" / "tests.xml").write_text(report)


def test_what_ran_is_a_table(tmp_path: Path) -> None:
    environment(tmp_path, "py313", PASSED, FAILED, SKIPPED, EXPECTED)

    assert [*summary(tmp_path, ())][:3] == [
        "Tests                   passed   failed  skipped  seconds",
        "  py313      3.13.1          2        1        1       61",
        "Did not run here:",
    ]


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ((), "  1 tests: needs Chromium"),
        (("py310",), "  2 tests once more on python3.10: put it on PATH"),
        (("lifecycle",), "  lifecycle: run `tox -e lifecycle`"),
        (("broken",), "  broken: failed before its tests, see above"),
    ],
)
def test_what_did_not_run_is_named(tmp_path: Path, expected: tuple[str, ...], line: str) -> None:
    environment(tmp_path, "py313", PASSED, PASSED, SKIPPED)
    environment(tmp_path, "broken")

    assert line in summary(tmp_path, expected)


def test_what_another_environment_ran_is_not_left_out(tmp_path: Path) -> None:
    environment(tmp_path, "lowest", SKIPPED)
    environment(tmp_path, "py313", PASSED)

    assert [*summary(tmp_path, ("py313",))][-1] == "  nothing was left out"
