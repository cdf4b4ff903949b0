"""What `rehearse` does once the extra is known to be installed."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from dt_logs_cfn import canonical
from dt_logs_cfn.errors import RehearsalError
from dt_logs_cfn.release.customize_option import load_customize
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.report.data import Report, StackEvent
from dt_logs_rehearsal.report.page import page
from dt_logs_rehearsal.report.text import event_line, notice, summary, told
from dt_logs_rehearsal.scenarios.catalogue import SCENARIOS
from dt_logs_rehearsal.scenarios.play import rehearse
from dt_logs_rehearsal.scenarios.released import Released, load


def run(arguments: argparse.Namespace) -> int:
    """Rehearse as the command line asks; answer 1 if anything was not as expected.

    Raises RehearsalError, or another DtLogsError, if the release or the report's file is unusable.
    """
    kind = arguments.service_role
    usual = Privileges.DOCUMENTED if kind == "documented" else Privileges.LEAST_PRIVILEGE
    customize = load_customize(arguments.customize)
    released = load(arguments.release, arguments.privileges or usual, kind, customize)
    everything = arguments.scenario == "all"
    names = [each.name for each in SCENARIOS] if everything else [arguments.scenario]
    print(notice(), file=sys.stderr)
    reports = [_rehearsed(name, released) for name in names]
    if arguments.report is not None:
        _write(arguments.report, reports)
    if arguments.json:
        found = [_data(each) for each in reports]
        sys.stdout.write(canonical.dumps({"scenarios": found} if everything else found[0]))
    else:
        print("\n\n".join(told(each) for each in reports))
        print(f"\n{summary(reports)}\n\n{notice()}")
    return 0 if all(each.passed for each in reports) else 1


def _rehearsed(name: str, released: Released) -> Report:
    """Play one scenario in a temporary folder that is gone afterwards."""
    (scenario,) = (each for each in SCENARIOS if each.name == name)
    print(f"\n{scenario.name}: {scenario.summary}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="dt-logs-rehearsal-") as folder:
        return rehearse(scenario, released, Path(folder), _telling())


def _telling() -> Callable[[StackEvent], None]:
    colour = sys.stderr.isatty()
    return lambda event: print(event_line(event, colour), file=sys.stderr, flush=True)


def _write(path: Path, reports: Sequence[Report]) -> None:
    try:
        path.write_text(page(reports), "utf-8")
    except OSError as error:
        raise RehearsalError(
            f"The report cannot be written to {path}: {error.strerror or error}.",
            "Name a file that you may write, with --report.",
        ) from error


def _data(report: Report) -> dict[str, object]:
    """Return a report for programs."""
    return {
        "scenario": report.scenario,
        "passed": report.passed,
        "unexpected": list(report.unexpected),
        "privileges": report.privileges,
        "service_role": report.service_role,
        "runtime": report.runtime,
        "stack_status": report.stack_status,
        "calls": [
            {
                "by": call.caller,
                "call": f"{call.service}:{call.operation}",
                "error": call.error,
                "decisions": [asdict(each) for each in call.decisions],
            }
            for call in report.calls
        ],
        "denied": list(report.denied),
        "missing": list(report.missing),
        "diff": {stage.title: list(stage.changes) for stage in report.stages},
        "vendor_received": list(report.vendor_received),
        "restored": report.restored,
        "left": list(report.left),
        "exceptions": list(report.exceptions),
    }
