"""Print a run's figures; compare a full run's with those in docs/reliability.md, or write these."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

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


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Return whether the life cycle suite runs at its full size."""
    return bool(request.config.getoption("--lifecycle-size") == "full")


def table(figures: Counter[str], scenarios: int) -> str:
    """Return the figures as a table."""
    lines = [f"| what ({scenarios} scenarios) | how many | violations |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {_shown(figures, name)} | {figures[name + ' wrong']} |" for name in NAMES
    ]
    return "\n".join(lines)


def _shown(figures: Counter[str], name: str) -> str:
    """Return a figure; round down the histories, whose count depends on Hypothesis's release."""
    count = figures[name]
    if "random" in name and count > 1000:
        return f"over {count // 1000 * 1000:,}"
    return f"{count:,}"


def _figures(reporter: pytest.TerminalReporter) -> tuple[Counter[str], int]:
    """Return the sums of the figures, and the number of scenarios with failure points."""
    figures: Counter[str] = Counter()
    scenarios = 0
    for report in (*reporter.stats.get("passed", []), *reporter.stats.get("failed", [])):
        for name, value in report.user_properties if report.when == "call" else ():
            if name.removesuffix(" wrong") in NAMES:
                figures[name] += value
                scenarios += name == NAMES[0]
    return figures, scenarios


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    figures, scenarios = _figures(terminalreporter)
    if not figures:
        return
    shown = table(figures, scenarios)
    terminalreporter.section("life cycle")
    terminalreporter.write_line(shown)
    if config.getoption("--lifecycle-size") != "full" or set(NAMES) - set(figures):
        return
    before, rest = DOCS.read_text("utf-8").split(BEGIN)
    known, after = rest.split(END)
    if config.getoption("--write-reliability"):
        DOCS.write_text(f"{before}{BEGIN}\n{shown}\n{END}{after}", "utf-8")
    elif known.strip() != shown:
        terminalreporter.write_line(
            f"{DOCS.name} has other figures: run again with --write-reliability", red=True
        )
        config.stash[STALE] = True


STALE = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session):
    result = yield
    if session.config.stash.get(STALE, False):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    return result
