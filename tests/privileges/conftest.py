"""Print the proof of least privilege as a table at the end of a run."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    rows = sorted(
        str(value)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == "needed"
    )
    if rows:
        terminalreporter.section("privileges")
        terminalreporter.write_line(f"{'action':<52} {'on':<15} {'lives':>5}  without it")
    for row in rows:
        terminalreporter.write_line(row)
