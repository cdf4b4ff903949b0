"""The summary of tox's environments: which tests ran, which did not, and how to run those."""

from __future__ import annotations

from pathlib import Path

from support.summary import summary

PASSED, FAILED = "", '<failure message="no"/>'
SKIPPED = '<skipped message="needs Chromium"/>'
EXPECTED = '<skipped type="pytest.xfail" message="later"/>'


def environment(folder: Path, name: str, *results: str) -> None:
    """Create the files that tox and pytest write for an environment."""
    for each in ("bin", "tmp"):
        (folder / name / each).mkdir(parents=True)
    (folder / name / "bin" / "python").touch()
    (folder / name / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.13.1.final.0\n")
    if results:
        case = '<testcase classname="tests.a" name="test_{}">{}</testcase>'
        text = "".join(case.format(number, each) for number, each in enumerate(results))
        report = f'<testsuites><testsuite time="61.4">{text}</testsuite></testsuites>'
        (folder / name / "tmp" / "tests.xml").write_text(report)


def test_what_ran_is_a_table_and_what_no_environment_ran_is_named(tmp_path: Path) -> None:
    environment(tmp_path, "py313", PASSED, FAILED, SKIPPED, EXPECTED)
    environment(tmp_path, "broken")
    lines = [
        "Tests                   passed   failed  skipped  seconds",
        "  py313      3.13.1          2        1        1       61",
        "Did not run here:",
        "  1 tests: needs Chromium",
    ]

    assert [*summary(tmp_path, ("py310", "lifecycle", "broken"))] == [
        *lines,
        "  2 tests once more on python3.10: put it on PATH",
        "  lifecycle: run `tox -e lifecycle`",
        "  broken: failed before its tests, see above",
    ]
    environment(tmp_path, "slow", *[PASSED] * 3)
    assert [*summary(tmp_path, ("py313",))][-1] == "  nothing was left out"
