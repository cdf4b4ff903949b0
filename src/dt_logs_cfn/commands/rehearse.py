"""`rehearse`: run the released template, unchanged, in an emulated AWS account on this machine."""

import argparse
from importlib.util import find_spec
from pathlib import Path

from dt_logs_cfn.commands.release_options import add_customize
from dt_logs_cfn.errors import RehearsalError
from dt_logs_cfn.settings import Privileges

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
    "refresh",
    "overwritten",
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
        help="the stack template: documented or least-privilege (default: least-privilege, or"
        " documented with --service-role documented)",
    )
    parser.add_argument(
        "--service-role",
        choices=("documented", "lifecycle"),
        default="lifecycle",
        metavar="ROLE",
        help="the role that CloudFormation uses: documented or lifecycle (default: lifecycle)",
    )
    parser.add_argument(
        "--release",
        type=Path,
        metavar="DIR",
        help="the folder of a release (default: the installed version's)",
    )
    parser.add_argument(
        "--verbose", action="store_true", help="print stack events, changes and API calls as well"
    )
    add_customize(parser, "the function that customized the release")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write an HTML report")


def run(arguments: argparse.Namespace) -> int:
    """Rehearse; return 1 if anything was not as expected."""
    missing = [name for name in ("moto", "awslambdaric", "flask") if find_spec(name) is None]
    if missing:
        raise RehearsalError(
            f"A rehearsal needs {', '.join(missing)}, which is not installed.",
            "Install it with: pip install 'dt-logs-cfn[rehearse]'",
        )
    from dt_logs_rehearsal import command

    return command.run(arguments)
