"""Run the command `rehearse`; this module needs the extra `rehearse`."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.terminal import Here, at_terminal, show
from dt_logs_cfn.commands.release_options import load_customize
from dt_logs_cfn.errors import RehearsalError
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.report.changes import lines
from dt_logs_rehearsal.report.data import EMULATED, Report, StackEvent, Stage
from dt_logs_rehearsal.report.page import page
from dt_logs_rehearsal.scenarios.catalogue import SCENARIOS
from dt_logs_rehearsal.scenarios.play import Scenario, rehearse
from dt_logs_rehearsal.scenarios.released import Released, load


def run(arguments: argparse.Namespace) -> int:
    """Rehearse as the command line asks; return 1 if anything was not as expected, otherwise 0.

    Raises RehearsalError or another DtLogsError, for example if the release is unusable.
    """
    kind = arguments.service_role
    usual = Privileges.DOCUMENTED if kind == "documented" else Privileges.LEAST_PRIVILEGE
    customize = load_customize(arguments.customize)
    released = load(arguments.release, arguments.privileges or usual, kind, customize)
    everything = arguments.scenario == "all"
    chosen = [each for each in SCENARIOS if everything or each.name == arguments.scenario]
    if arguments.report is not None:
        _write(arguments.report, "a", "")  # fails now rather than after the rehearsals
    show(EMULATED[:1], sys.stderr)
    reports = []
    for number, each in enumerate(chosen, 1):
        reports.append(_rehearsed(each, released, f"[{number}/{len(chosen)}] {each.name}"))
        if arguments.verbose and not arguments.json:
            show(_details(reports[-1]), sys.stdout)
    if arguments.report is not None:
        _write(arguments.report, "w", page(reports))
    if arguments.json:
        found = [_data(each) for each in reports]
        sys.stdout.write(canonical.dumps({"scenarios": found} if everything else found[0]))
    else:
        show(_overview(reports), sys.stdout)
    if not (arguments.json or arguments.verbose or arguments.report):
        more = "Use --verbose, or --report FILE for a page, to see events, changes and API calls."
        show([more], sys.stderr)
    return 0 if all(each.passed for each in reports) else 1


def _rehearsed(scenario: Scenario, released: Released, title: str) -> Report:
    """Play one scenario in a temporary folder, and show its progress."""
    wait = at_terminal(Here()).wait
    if not wait:
        show([f"{title}: {scenario.summary}"], sys.stderr)

    def tell(event: StackEvent) -> None:
        if wait:
            wait(f"{title}: {event.logical_id} {event.status}")

    with tempfile.TemporaryDirectory(prefix="dt-logs-rehearsal-") as folder:
        try:
            return rehearse(scenario, released, Path(folder), tell)
        finally:
            if wait:
                wait("")


def _write(path: Path, mode: str, text: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RehearsalError(
            f"The report cannot be written to {path}: {error.strerror or error}.",
            "Name a file that you can write to, with --report.",
        ) from error


def _data(report: Report) -> dict[str, object]:
    """Return a report as data for programs."""
    found = asdict(report)
    stages = found.pop("stages")
    return found | {
        "passed": report.passed,
        "stack_status": report.stack_status,
        "calls": [call for stage in stages for call in stage["calls"]],
        "denied": list(report.denied),
        "diff": {stage["title"]: stage["changes"] for stage in stages},
    }


def _overview(reports: Sequence[Report]) -> Iterator[str]:
    """Yield a table of the scenarios with summaries and failures, then a rehearsal's limits."""
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


def _details(report: Report) -> Iterator[str]:
    """Yield lines about a scenario's stages (events, changes and API calls), then its lists."""
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
