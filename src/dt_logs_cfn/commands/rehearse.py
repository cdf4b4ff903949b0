"""`rehearse`: run the released template, unchanged, in an emulated AWS account on this machine."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.errors import RehearsalError
from dt_logs_cfn.settings import Privileges

if TYPE_CHECKING:
    from dt_logs_cfn.rehearsal.report import Report, StackEvent

NAMES = (
    "fresh",
    "logging",
    "shared",
    "overlap",
    "three",
    "two-stacks",
    "update",
    "rollback",
    "delete",
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `rehearse`."""
    parser.add_argument(
        "--scenario",
        choices=(*NAMES, "all"),
        default="fresh",
        metavar="NAME",
        help=f"one of {', '.join(NAMES)}, or all (default: fresh)",
    )
    parser.add_argument(
        "--privileges",
        type=Privileges,
        choices=tuple(Privileges),
        metavar="SET",
        help="documented or least-privilege: which stack template (default: least-privilege; with"
        " --service-role documented the one that was documented together with that role)",
    )
    parser.add_argument(
        "--service-role",
        choices=("documented", "lifecycle"),
        default="lifecycle",
        metavar="ROLE",
        help="documented or lifecycle: through which role CloudFormation acts (default: lifecycle)",
    )
    parser.add_argument(
        "--release",
        type=Path,
        default=Path("build") / __version__,
        metavar="DIR",
        help=f"the release (default: build/{__version__})",
    )
    parser.add_argument("--json", action="store_true", help="print the result for a program")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write an HTML page of what was seen"
    )


def run(arguments: argparse.Namespace) -> int:
    """Rehearse; answer 1 if anything was not as expected."""
    _check_installed()
    from dt_logs_cfn.rehearsal.narration import notice, summary, told
    from dt_logs_cfn.rehearsal.released import load

    kind = arguments.service_role
    usual = Privileges.DOCUMENTED if kind == "documented" else Privileges.LEAST_PRIVILEGE
    released = load(arguments.release, arguments.privileges or usual, kind)
    chosen = NAMES if arguments.scenario == "all" else (arguments.scenario,)
    print(notice(), file=sys.stderr)
    reports = [_rehearsed(name, released) for name in chosen]
    if arguments.report is not None:
        _write(arguments.report, reports)
    if arguments.json:
        found = [_data(each) for each in reports]
        alone = arguments.scenario != "all"
        sys.stdout.write(canonical.dumps(found[0] if alone else {"scenarios": found}))
    else:
        print("\n\n".join(told(each) for each in reports))
        print(f"\n{summary(reports)}\n\n{notice()}")
    return 0 if all(each.passed for each in reports) else 1


def _check_installed() -> None:
    missing = [name for name in ("moto", "awslambdaric", "flask") if find_spec(name) is None]
    if missing:
        raise RehearsalError(
            f"A rehearsal needs {', '.join(missing)}, which is not installed.",
            "Install it with: pip install 'dt-logs-cfn[rehearse]'",
        )


def _rehearsed(name: str, released: object) -> "Report":
    """Play one scenario in a temporary folder that is gone afterwards."""
    from dt_logs_cfn.rehearsal.play import rehearse
    from dt_logs_cfn.rehearsal.released import Released
    from dt_logs_cfn.rehearsal.scenarios import SCENARIOS

    assert isinstance(released, Released)
    (scenario,) = (each for each in SCENARIOS if each.name == name)
    print(f"\n{scenario.name}: {scenario.summary}", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="dt-logs-rehearsal-") as folder:
        return rehearse(scenario, released, Path(folder), _telling())


def _telling() -> Callable[["StackEvent"], None]:
    from dt_logs_cfn.rehearsal.narration import event_line

    colour = sys.stderr.isatty()
    return lambda event: print(event_line(event, colour), file=sys.stderr, flush=True)


def _write(path: Path, reports: "Sequence[Report]") -> None:
    from dt_logs_cfn.rehearsal.page import page

    try:
        path.write_text(page(reports), "utf-8")
    except OSError as error:
        raise RehearsalError(
            f"The report cannot be written to {path}: {error.strerror or error}.",
            "Name a file that you may write, with --report.",
        ) from error


def _data(report: "Report") -> dict[str, object]:
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
                "decisions": [
                    {
                        "action": each.action,
                        "resource": each.resource,
                        "allowed": each.allowed,
                        "by": each.by,
                    }
                    for each in call.decisions
                ],
            }
            for stage in report.stages
            for call in stage.calls
        ],
        "denied": list(report.denied),
        "missing": list(report.missing),
        "diff": {stage.title: list(stage.changes) for stage in report.stages},
        "vendor_received": list(report.vendor_received),
        "restored": report.restored,
        "left": list(report.left),
        "exceptions": list(report.exceptions),
    }
