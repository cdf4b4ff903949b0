"""The options that name a stack, its template and its parameters, and what they give."""

import argparse
import re
from pathlib import Path

from dt_logs_cfn.errors import UsageError
from dt_logs_cfn.operate import values
from dt_logs_cfn.operate.stacks.stack import Existing
from dt_logs_cfn.operate.templates import Template, from_installed, from_release, from_url
from dt_logs_cfn.settings import Privileges
from dt_logs_handler.names import ACCOUNT_ID, ARN, STACK_ID

STACK = "dt-logs-analysis"
ROLE_ARN = f"{ARN}:iam::{ACCOUNT_ID}:role/[!-~]{{1,1024}}"
_LIST = "LoadBalancerArns"
# [CloudFormation API, CreateStack: StackName]
_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}")


def add_stack(
    parser: argparse.ArgumentParser | argparse._MutuallyExclusiveGroup,
    help_: str = f"the stack (default: {STACK})",
    default: str | None = STACK,
) -> None:
    """Declare `--stack`, which is called as in the AWS CLI, too."""
    parser.add_argument("--stack", "--stack-name", default=default, metavar="NAME", help=help_)


def add_role(parser: argparse.ArgumentParser, help_: str) -> None:
    """Declare `--role-arn`."""
    parser.add_argument("--role-arn", metavar="ARN", help=help_)


def add_wanted(parser: argparse.ArgumentParser) -> None:
    """Declare what says what a stack is to be: its template, and its parameters."""
    parser.add_argument(
        "--load-balancer",
        action="append",
        default=[],
        metavar="ARN",
        help=f"a load balancer to onboard, or * for all; repeatable ({_LIST})",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter's value; repeatable. Those left out keep the value that they have",
    )
    parser.add_argument(
        "--parameters",
        type=Path,
        metavar="FILE",
        help="values in a JSON file: as the AWS CLI takes them, or an object",
    )
    parser.add_argument(
        "--privileges",
        type=Privileges,
        choices=tuple(Privileges),
        metavar="SET",
        help="documented or least-privilege: which template (default: that of the stack, or"
        " least-privilege for a new one)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--release",
        type=Path,
        metavar="DIR",
        help="the folder of a release (default: the release of the installed version)",
    )
    where.add_argument(
        "--template-url",
        metavar="URL",
        help="a published template, taken only if it is what this release builds",
    )


def check_stack(name: str, *, or_id: bool = False) -> None:
    """Raise UsageError unless this may be the name of a stack, or, if that is taken, its id."""
    if not (_NAME.fullmatch(name) or (or_id and re.fullmatch(STACK_ID, name))):
        raise UsageError(
            f"{name[:80]!r} is no name of a stack.",
            "Use up to 128 letters, digits and hyphens; the first is a letter.",
        )


def check_role(arn: str | None) -> None:
    """Raise UsageError unless this is a role's ARN, if it is given."""
    if arn is not None and not re.fullmatch(ROLE_ARN, arn):
        raise UsageError("--role-arn is not the ARN of a role.", "Give the service role's ARN.")


def parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the values that are given; an option counts more than a file.

    Raises UsageError, OperatingError.
    """
    found = values.read(arguments.parameters) if arguments.parameters else {}
    found |= values.pairs(arguments.parameter, "--parameter")
    if arguments.load_balancer:
        if any(each.startswith(f"{_LIST}=") for each in arguments.parameter):
            raise UsageError(
                f"--load-balancer and --parameter {_LIST} are both given.", "Give one of them."
            )
        found[_LIST] = ",".join(arguments.load_balancer)
    return found


def template(arguments: argparse.Namespace, existing: Existing | None = None) -> Template:
    """Return the template that is asked for; a stack keeps its privileges unless told otherwise.

    Raises FetchError, VerifyError, OperatingError.
    """
    if arguments.template_url is not None:
        return from_url(arguments.template_url, arguments.privileges)
    present = existing.privileges if existing else None
    wanted = arguments.privileges or present or Privileges.LEAST_PRIVILEGE
    if arguments.release is not None:
        return from_release(arguments.release, wanted)
    return from_installed(wanted)
