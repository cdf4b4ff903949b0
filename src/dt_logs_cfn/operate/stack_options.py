"""Declare the options for a stack, its template and its parameters, and read their values."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_cfn.operate import values
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import LOAD_BALANCERS, Existing, listed
from dt_logs_cfn.operate.templates import Template, from_installed, from_release, from_url
from dt_logs_cfn.settings import Privileges
from dt_logs_handler.names import ACCOUNT_ID, ARN, EVERY_LOAD_BALANCER, NAME, STACK_ID, Stack

STACK = NAME
SETTINGS_FILE = "dt-logs-cfn.cfg"  # an operator's file in the current folder
ROLE_ARN = f"{ARN}:iam::{ACCOUNT_ID}:role/[!-~]{{1,1024}}"
_CHANGE = ("--add-load-balancer", "--remove-load-balancer")
# [CloudFormation API, CreateStack: StackName]
_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}")


def add_stack(
    parser: argparse.ArgumentParser | argparse._MutuallyExclusiveGroup,
    help_: str = f"the stack (default: {STACK})",
    default: str | None = STACK,
) -> None:
    """Declare `--stack`, and `--stack-name`, which is the AWS CLI's name for the same option."""
    parser.add_argument("--stack", "--stack-name", default=default, metavar="NAME", help=help_)


def add_wanted(parser: argparse.ArgumentParser, role: str) -> None:
    """Declare the options for a stack, its service role, template and parameters."""
    add_stack(parser)
    parser.add_argument("--role-arn", metavar="ARN", help=role)
    parser.add_argument(
        "--stack-name-prefix",
        default=NAME,
        metavar="PREFIX",
        help=f"StackNamePrefix of the service role (default: {NAME})",
    )
    for option, what in (
        ("--load-balancer", f"a load balancer to onboard, or * for all; sets {LOAD_BALANCERS}"),
        ("--add-load-balancer", "a load balancer to add to the stack's list"),
        ("--remove-load-balancer", "a load balancer to remove from the stack's list"),
    ):
        parser.add_argument(
            option, action="append", default=[], metavar="ARN", help=f"{what}; repeatable"
        )
    parser.set_defaults(file_parameters={})
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter's value; repeatable. Parameters that you leave out keep their values",
    )
    parser.add_argument(
        "--parameters",
        type=Path,
        metavar="FILE",
        help="a JSON file of values, in the AWS CLI's format or as an object",
    )
    parser.add_argument(
        "--privileges",
        type=Privileges,
        choices=tuple(Privileges),
        metavar="SET",
        help="the template: documented or least-privilege (default: the stack's, or"
        " least-privilege for a new one)",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--release",
        type=Path,
        metavar="DIR",
        help="the folder of a release (default: the installed version's)",
    )
    where.add_argument(
        "--template-url",
        metavar="URL",
        help="a published template; it is used only if this release builds the same one",
    )


def check_stack(name: str, *, or_id: bool = False) -> None:
    """Raise UsageError unless `name` is a valid stack name or, with `or_id`, a stack ID."""
    if not (_NAME.fullmatch(name) or (or_id and re.fullmatch(STACK_ID, name))):
        raise UsageError(
            f"{name[:80]!r} is not a stack name.",
            "Use up to 128 letters, digits and hyphens; the first is a letter.",
        )


def check_role(arn: str | None) -> None:
    """Raise UsageError if `arn` is given but is not a role's ARN."""
    if arn is not None and not re.fullmatch(ROLE_ARN, arn):
        values.check_copied(arn)
        raise UsageError(
            f"{arn[:200]!r} is not the ARN of a role.",
            "Give the service role's: arn:…:iam::ACCOUNT:role/NAME.",
        )


def check_names(arguments: argparse.Namespace) -> None:
    """Check the name of the stack to deploy, and the ARN of its service role.

    Raises UsageError if the name or ARN is invalid, or if the role may not manage a stack with that
    name.
    """
    name, prefix = arguments.stack, arguments.stack_name_prefix
    check_stack(name)
    check_role(arguments.role_arn)
    if arguments.role_arn is not None and not name.startswith(prefix):
        raise UsageError(
            f"The service role manages only stacks whose names begin with {prefix!r}, and {name!r}"
            " does not.",
            "Choose another --stack, or give the role's StackNamePrefix with --stack-name-prefix.",
        )


def sources(arguments: argparse.Namespace) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each source with its parameters; a later source overrides an earlier one.

    Raises UsageError, OperatingError.
    """
    yield SETTINGS_FILE, arguments.file_parameters
    if arguments.parameters:
        yield str(arguments.parameters), values.read(arguments.parameters)
    yield "--parameter", values.pairs(arguments.parameter, "--parameter")
    if arguments.load_balancer:
        yield (
            "--load-balancer",
            {LOAD_BALANCERS: ",".join(_named(arguments.load_balancer))},
        )


def parameters(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the given parameters, checked as far as possible without AWS.

    Raises UsageError, OperatingError.
    """
    changing = _changing(arguments)
    found: dict[str, str] = {}
    for source, given in sources(arguments):
        if LOAD_BALANCERS in given and changing:
            raise UsageError(
                f"{source} sets {LOAD_BALANCERS}, so the stack's list cannot be changed with"
                " options.",
                "Change or remove the list there.",
            )
        if LOAD_BALANCERS in given and source == "--parameter" and arguments.load_balancer:
            raise UsageError(
                f"--load-balancer and --parameter {LOAD_BALANCERS} are both given.",
                "Give one of them.",
            )
        found |= given
    values.check_given({**found, LOAD_BALANCERS: ",".join(changing)} if changing else found)
    return found


def _changing(arguments: argparse.Namespace) -> list[str]:
    """Return the load balancers to add and to remove. Raises UsageError for invalid options."""
    given = (arguments.add_load_balancer, arguments.remove_load_balancer)
    add, remove = map(_named, given)
    if any(not each.strip(" ,") for option in given for each in option):
        raise UsageError(
            f"{' or '.join(_CHANGE)} does not name a load balancer.",
            "Give one ARN or more.",
        )
    if (add or remove) and arguments.load_balancer:
        raise UsageError(
            f"--load-balancer sets the list, and {' and '.join(_CHANGE)} change it.",
            "Use one or the other.",
        )
    if EVERY_LOAD_BALANCER in (*add, *remove):
        raise UsageError(
            "'*' is not the ARN of a load balancer.", "For all of them, use --load-balancer '*'."
        )
    if both := set(add) & set(remove):
        raise UsageError(f"{min(both)!r} is both added and removed.", "Do one of them.")
    return [*add, *remove]


def changed(before: Existing | None, add: Sequence[str], remove: Sequence[str]) -> str:
    """Return a stack's list with load balancers added and removed. Raises OperatingError."""
    named = before.stack.load_balancers if before else []
    add, remove = _named(add), _named(remove)
    if EVERY_LOAD_BALANCER in named:
        raise OperatingError(
            f"The stack's {LOAD_BALANCERS} is '*', which covers every load balancer.",
            "Set a list with --load-balancer instead.",
        )
    for arn in remove:
        if arn not in named:
            raise OperatingError(
                f"The stack does not have the load balancer {arn!r}.",
                f"It has {', '.join(named) or 'none yet'}.",
            )
    found = [arn for arn in dict.fromkeys((*named, *add)) if arn not in remove]
    if not found and before:
        raise OperatingError(
            "This would leave the stack without load balancers.",
            f"To remove the whole stack, use `dt-logs-cfn remove --stack {before.stack.name}`.",
        )
    return ",".join(found)


def _named(option: Sequence[str]) -> list[str]:
    """Return the items of a repeatable option such as `--load-balancer`; a value may be a list."""
    return listed(",".join(option))


def deployment(
    arguments: argparse.Namespace,
    here: Stack,
    before: Existing | None,
    given: Mapping[str, str],
    tags: Mapping[str, str],
) -> Deployment:
    """Return the requested deployment; `given` holds its checked parameters.

    Raises OperatingError, and the errors of `template`.
    """
    if _changing(arguments):
        add, remove = arguments.add_load_balancer, arguments.remove_load_balancer
        given = {**given, LOAD_BALANCERS: changed(before, add, remove)}
    role = arguments.role_arn or ""
    return Deployment(arguments.stack, here, template(arguments, before), given, tags, role, before)


def template(arguments: argparse.Namespace, existing: Existing | None = None) -> Template:
    """Return the template to use; a stack keeps its privileges unless the options change them.

    Raises FetchError, VerifyError, OperatingError, SettingsError, BuildError.
    """
    if arguments.template_url is not None:
        return from_url(arguments.template_url, arguments.privileges)
    present = existing.privileges if existing else None
    wanted = arguments.privileges or present or Privileges.LEAST_PRIVILEGE
    if arguments.release is not None:
        return from_release(arguments.release, wanted)
    return from_installed(wanted)
