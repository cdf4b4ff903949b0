"""Print how many tests each of tox's environments ran, and which tests none of them ran.

    python tests/support/summary.py .tox py310 py311 slow lifecycle

Each environment writes pytest's report (JUnit XML) to its temporary folder. The summary names the
given environments that lack a report.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_REPORT = "tmp/tests.xml"


@dataclass(frozen=True)
class Report:
    """An environment's tests, each with its result or the reason why it was skipped."""

    name: str
    results: dict[str, str]
    line: str  # of the table


def read(environment: Path) -> Report:
    """Return the report of an environment's tests."""
    root = ElementTree.parse(environment / _REPORT).getroot()
    results = {
        f"{case.get('classname')}::{case.get('name')}": _result(case)
        for case in root.iter("testcase")
    }
    version = re.search(
        r"^version_info *= *(\d+\.\d+\.\d+)", (environment / "pyvenv.cfg").read_text("utf-8"), re.M
    )
    count = Counter(results.values())
    skipped = count.total() - count["passed"] - count["failed"]
    seconds = sum(float(each.get("time", 0)) for each in root.iter("testsuite"))
    numbers = (count["passed"], count["failed"], skipped, seconds)
    line = f"  {environment.name:<11}{version[1] if version else '':<8}"
    return Report(environment.name, results, line + "".join(f"{each:>9,.0f}" for each in numbers))


def _result(case: ElementTree.Element) -> str:
    """Return a test's result; a test that fails as expected counts as passed."""
    skipped = case.find("skipped")
    if skipped is not None and skipped.get("type") != "pytest.xfail":
        return skipped.get("message", "")
    failed = any(case.find(each) is not None for each in ("failure", "error"))
    return "failed" if failed else "passed"


def left_out(folder: Path, reports: Sequence[Report], expected: Sequence[str]) -> Iterator[str]:
    """Yield a line for each group of tests that did not run: the reason, or how to run them."""
    skipped, ran = dict[str, str](), set[str]()
    for name, result in (each for report in reports for each in report.results.items()):
        if result in ("passed", "failed"):
            ran.add(name)
        else:
            skipped[name] = result
    for why, count in Counter(skipped[name] for name in skipped.keys() - ran).most_common():
        yield f"  {count:,} tests: {why}"
    quick = [[*each.results.values()] for each in reports if each.name.startswith("py")]
    for name in (each for each in expected if each not in {report.name for report in reports}):
        if (folder / name / "bin" / "python").exists():
            yield f"  {name}: failed before its tests, see above"
        elif name.startswith("py"):
            count = max((each.count("passed") for each in quick), default=0)
            yield f"  {count:,} tests once more on python{name[2]}.{name[3:]}: put it on PATH"
        else:
            yield f"  {name}: run `tox -e {name}`"


def summary(folder: Path, expected: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the summary of the environments in tox's folder."""
    found = sorted(folder.glob(f"*/{_REPORT}"), key=lambda path: path.stat().st_mtime)
    reports = [read(path.parents[1]) for path in found]
    yield f"{'Tests':<21}   passed   failed  skipped  seconds"
    yield from (each.line for each in reports)
    yield "Did not run here:"
    yield from tuple(left_out(folder, reports, expected)) or ("  nothing was left out",)


if __name__ == "__main__":
    print(*summary(Path(sys.argv[1]), sys.argv[2:]), sep="\n")
