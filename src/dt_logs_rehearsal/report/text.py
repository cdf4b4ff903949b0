"""A rehearsal as text: stack events while it runs, then what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from dt_logs_cfn.operate.stacks import events as stack_events
from dt_logs_rehearsal.report.data import EMULATED, ApiCall, Report, StackEvent, Stage

_WIDTH = 100
_FINAL = ("COMPLETE", "FAILED")


def event_line(event: StackEvent, colour: bool = False) -> str:
    """Return one stack event as a line, its reason below it."""
    return stack_events.line(event.at, event.status, event.logical_id, event.reason, colour)


def summary(reports: Sequence[Report]) -> str:
    """Return one line a scenario."""
    lines = []
    for each in reports:
        calls = sum(len(stage.calls) for stage in each.stages)
        verdict = "as expected" if each.passed else "NOT AS EXPECTED"
        state = "account restored" if each.restored else "account not restored"
        lines.append(
            f"{each.scenario:<12} {verdict:<16} {each.stack_status:<18} {calls:>4} calls,"
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
    yield from _listed("What Data Theorem received", report.vendor_received)
    yield from _listed(
        "What Data Theorem tried beyond its right",
        [f"{'refused' if each.refused else 'ALLOWED'}: {each.what}" for each in report.attempts],
    )
    yield from _listed("What stays, as announced", report.exceptions)
    yield from _listed("What the service role lacks for the stack's whole life", report.missing)
    yield from _listed("How the account differs from before", report.left)
    yield from _listed("Not as expected", report.unexpected)
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
    yield from _listed("  Calls, and the statement that decided", _calls(stage.calls))


def _calls(calls: Sequence[ApiCall]) -> list[str]:
    """Return each different call once, with how often it was made."""
    counted: Counter[tuple[str, ...]] = Counter()
    for call in calls:
        for each in call.decisions or (None,):
            verdict, by = ("", "") if each is None else (_verdict(each.allowed), each.by)
            action = f"{call.service}:{call.operation}" if each is None else each.action
            resource = "" if each is None else each.resource
            counted[call.caller, verdict, action, resource, by or "no statement"] += 1
    return [
        f"{count:>3} x {caller}: {verdict} {action} on {resource} by {by}"
        for (caller, verdict, action, resource, by), count in counted.items()
    ]


def _verdict(allowed: bool) -> str:
    return "allowed" if allowed else "DENIED"


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield ""
        yield f"  {title}:"
        yield from (f"    {item}" for item in items)


def notice() -> str:
    """Return in plain words that the account is emulated, and what that cannot show."""
    return "\n".join(EMULATED)
