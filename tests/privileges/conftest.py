"""The proof as a table, at the end of a run."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: dict[str, int] = {}
    rows: list[tuple[str, str, str]] = []
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name in ("granted", "used"):
                counts[name] = value
            elif name == "needed":
                action, life, wrong = value.split("|", 2)
                rows.append((action, life, wrong.partition(":")[0]))
    if not counts and not rows:
        return
    terminalreporter.section("privileges")
    if counts:
        terminalreporter.write_line(
            f"actions granted: {counts['granted']}, used: {counts['used']}, difference 0 both ways"
        )
    for action, life, wrong in sorted(rows):
        terminalreporter.write_line(f"without {action:<52} {life}: {wrong}")
