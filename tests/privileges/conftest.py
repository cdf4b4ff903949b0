"""Print the proof of the least privilege as a table at the end of a run."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    granted = 0
    rows: list[tuple[str, ...]] = []
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == "granted":
                granted = value
            elif name == "needed":
                *row, wrong = value.split("|", 4)
                rows.append((*row, wrong.partition(":")[0]))
    if not granted and not rows:
        return
    terminalreporter.section("privileges")
    if granted:
        terminalreporter.write_line(f"actions granted: {granted}; the same are used")
    terminalreporter.write_line(f"{'action':<52} {'on':<15} {'lives':>5}  without it")
    for action, where, lives, life, wrong in sorted(rows):
        terminalreporter.write_line(f"{action:<52} {where:<15} {lives:>5}  {life}: {wrong}")
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        terminalreporter.write_line(
            f"{action:<52} {'LogGroup':<15} {'':>5}  Lambda's own: see `rehearse`"
        )
