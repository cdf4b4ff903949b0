"""A rehearsal as text: stack events while it runs, then the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dt_logs_cfn.operate.stacks import events as stack_events
from dt_logs_rehearsal.report.data import EMULATED, Report, StackEvent, Stage

_FINAL = ("COMPLETE", "FAILED")


def event_line(event: StackEvent, colour: bool = False) -> str:
    """Return one stack event as a line, its reason below it."""
    return stack_events.line(event.at, event.status, event.logical_id, event.reason, colour)


def summary(reports: Sequence[Report]) -> str:
    """Return one line a scenario."""
    lines = []
    for each in reports:
        verdict = "as expected" if each.passed else "NOT AS EXPECTED"
        state = "account restored" if each.restored else "account not restored"
        lines.append(
            f"{each.scenario:<12} {verdict:<16} {each.stack_status:<18} {len(each.calls):>4} calls,"
            f" {len(each.denied)} denied; {state}  ({each.seconds:.1f} s)"
        )
    return "\n".join(lines)


def told(report: Report) -> str:
    """Return everything about one scenario."""
    return "\n".join(_told(report))


def _told(report: Report) -> Iterator[str]:
    yield f"{report.scenario}: {report.summary}"
    yield f"  {report.privileges} privileges, {report.service_role} service role, {report.runtime}"
    for stage in report.stages:
        yield from _stage(stage)
    for title, items in report.lists.items():
        yield from _listed(title, items)
    yield ""
    yield f"  Result: {'as expected' if report.passed else 'not as expected'}; the account is" + (
        " as it was before." if report.restored else " NOT as it was before."
    )


def _stage(stage: Stage) -> Iterator[str]:
    yield ""
    yield f"  {stage.title}: {stage.stack_status}"
    for event in stage.events:
        if event.reason and event.status.endswith(_FINAL):
            yield f"    {event.logical_id} {event.status}: {event.reason}"
    yield from _listed("  What changed in the account", stage.changes)
    calls = []
    for (caller, name, each, _), count in stage.counted().items():
        verdict = "" if each is None else "allowed" if each.allowed else "DENIED"
        action, resource, by = (each.action, each.resource, each.by) if each else (name, "", "")
        by = by or "no statement"
        calls.append(f"{count:>3} x {caller}: {verdict} {action} on {resource} by {by}")
    yield from _listed("  Calls, and the statement that decided", calls)


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield ""
        yield f"  {title}:"
        yield from (f"    {item}" for item in items)


def notice() -> str:
    """Return in plain words that the account is emulated, and what that cannot show."""
    return "\n".join(EMULATED)
