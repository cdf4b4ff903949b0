"""Show a rehearsal as lines: a table of its scenarios and, on request, all details."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dt_logs_rehearsal.report.changes import lines
from dt_logs_rehearsal.report.data import EMULATED, Report, Stage


def overview(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a table of scenarios, their failures, and the limits of a rehearsal."""
    rows = [each.facts for each in reports]
    widths = {name: max(len(row[name]) for row in ({name: name}, *rows)) for name in rows[0]}
    yield "  ".join(f"{name:{width}}" for name, width in widths.items()).rstrip()
    for row, report in zip(rows, reports, strict=True):
        yield "  ".join(f"{row[name]:{width}}" for name, width in widths.items()).rstrip()
        yield f"  {report.summary}"
        yield from (f"  Not as expected: {each}" for each in report.unexpected)
        if report.missing:
            yield f"  The service role lacks {', '.join(report.missing)}"
    yield ""
    yield from EMULATED


def details(report: Report) -> Iterator[str]:
    """Yield everything about one scenario."""
    yield f"{report.scenario}: {report.summary}"
    yield f"  {report.privileges} template, {report.service_role} service role, {report.runtime}"
    for stage in report.stages:
        yield from _stage(stage)
    for title, items in report.lists.items():
        yield from _listed(f"  {title}", items)
    yield ""


def _stage(stage: Stage) -> Iterator[str]:
    yield from ("", f"  {stage.title}: {stage.stack_status}")
    events = [
        f"{each.at:>7.1f} s  {each.status:<18}  {each.logical_id}"
        + (each.reason and f": {each.reason}")
        for each in stage.events
    ]
    calls = []
    for by, action, on, said, statement, error in stage.call_rows():
        asked = f"{said} {action} on {on}, statement: {statement}"
        failed = "" if error == "none" else f"; {error}"
        calls.append(f"{by}: {f'{action}, {said}' if said == 'not asked' else asked}{failed}")
    yield from _listed("    Stack events", events)
    yield from _listed("    What changed in the account", [*lines(stage.changes)] or ["nothing"])
    yield from _listed("    API calls, and the statement that decided", calls)


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    """Yield a title and its indented items, or nothing if there are no items."""
    indent = " " * (len(title) - len(title.lstrip()) + 2)
    if items:
        yield from ("", f"{title}:", *(f"{indent}{each}" for each in items))
