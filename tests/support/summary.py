"""Print the tests that tox's environments ran, and those that none of them ran.

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
    """The results of an environment's tests; each skipped test has its reason.

    A test that fails as expected counts as passed.
    """

    name: str
    python: str
    seconds: float
    passed: frozenset[str]
    failed: frozenset[str]
    skipped: dict[str, str]

    @property
    def line(self) -> str:
        """The report as a line of the table."""
        counts = len(self.passed), len(self.failed), len(self.skipped), self.seconds
        return f"  {self.name:<11}{self.python:<8}" + "".join(f"{each:>9,.0f}" for each in counts)


def read(environment: Path) -> Report:
    """Return the report of an environment's tests."""
    root = ElementTree.parse(environment / _REPORT).getroot()
    passed, failed, skipped = set[str](), set[str](), dict[str, str]()
    for case in root.iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        reason = case.find("skipped")
        if reason is not None and reason.get("type") != "pytest.xfail":
            skipped[name] = reason.get("message", "")
        elif case.find("failure") is not None or case.find("error") is not None:
            failed.add(name)
        else:
            passed.add(name)
    return Report(
        environment.name,
        _python(environment),
        sum(float(each.get("time", 0)) for each in root.iter("testsuite")),
        frozenset(passed - failed),
        frozenset(failed),
        skipped,
    )


def _python(environment: Path) -> str:
    found = re.search(
        r"^version_info *= *(\d+\.\d+\.\d+)", (environment / "pyvenv.cfg").read_text("utf-8"), re.M
    )
    return found[1] if found else ""


def left_out(folder: Path, reports: Sequence[Report], expected: Sequence[str]) -> Iterator[str]:
    """Yield a line for each group of tests that did not run: the reason, or how to run it."""
    ran = frozenset[str]().union(*(each.passed | each.failed for each in reports))
    reasons = {name: why for each in reports for name, why in each.skipped.items()}
    for why, count in Counter(reasons[name] for name in reasons.keys() - ran).most_common():
        yield f"  {count:,} tests: {why}"
    quick = max((len(each.passed) for each in reports if each.name.startswith("py")), default=0)
    for name in expected:
        if name in {each.name for each in reports}:
            continue
        if (folder / name / "bin" / "python").exists():
            yield f"  {name}: failed before its tests, see above"
        elif name.startswith("py"):
            python = f"python{name[2]}.{name[3:]}"
            yield f"  {quick:,} tests once more on {python}: put it on PATH"
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
