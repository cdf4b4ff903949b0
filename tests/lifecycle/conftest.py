"""Print a run's figures; compare a full run's figures with docs/reliability.md, or write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TypeVar

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
NAMES = (
    "failure points tried",
    "second runs failed",
    "changes of rights failed",
    "random histories run",
    "stacks raced",
)
STALE = pytest.StashKey[bool]()
Point = TypeVar("Point", bound=Hashable)


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Return whether the life cycle suite runs at its full size."""
    return bool(request.config.getoption("--lifecycle-size") == "full")


@pytest.fixture
def try_all(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Return a function that tries points, records their number, and fails on any violation.

    `violations` tries a point, and returns what is wrong afterwards. Each point adds `times` to the
    figure `what`.
    """

    def run(
        what: str,
        points: Iterable[Point],
        violations: Callable[[Point], list[str]],
        times: int = 1,
    ) -> None:
        found = {point: violations(point) for point in points}
        wrong = {point: each for point, each in found.items() if each}
        record_property(what, len(found) * times)
        record_property(f"{what} wrong", len(wrong))
        assert wrong == {}

    return run


def _figures(reporter: pytest.TerminalReporter) -> str:
    """Return a table of the figures, or an empty string if there are none."""
    figures: Counter[str] = Counter()
    scenarios = 0
    for report in (*reporter.stats.get("passed", []), *reporter.stats.get("failed", [])):
        for name, value in report.user_properties if report.when == "call" else ():
            if name.removesuffix(" wrong") in NAMES:
                figures[name] += value
                scenarios += name == NAMES[0]
    if not figures:
        return ""
    # The number of histories depends on Hypothesis's release.
    shown = {name: f"{figures[name]:,}" for name in NAMES}
    if (histories := figures[NAMES[3]]) > 1000:
        shown[NAMES[3]] = f"over {histories // 1000 * 1000:,}"
    lines = [f"| what ({scenarios} scenarios) | how many | violations |", "| --- | --- | --- |"]
    lines += [f"| {name} | {shown[name]} | {figures[name + ' wrong']} |" for name in NAMES]
    return "\n".join(lines)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if not (shown := _figures(terminalreporter)):
        return
    terminalreporter.section("life cycle")
    terminalreporter.write_line(shown)
    if config.getoption("--lifecycle-size") != "full" or "| 0 | 0 |" in shown:
        return
    before, rest = DOCS.read_text("utf-8").split(BEGIN)
    known, after = rest.split(END)
    if config.getoption("--write-reliability"):
        DOCS.write_text(f"{before}{BEGIN}\n{shown}\n{END}{after}", "utf-8")
    elif known.strip() != shown:
        text = f"{DOCS.name} has other figures: run again with --write-reliability"
        terminalreporter.write_line(text, red=True)
        config.stash[STALE] = True


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session):
    result = yield
    if session.config.stash.get(STALE, False):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return result
