"""The options of a roll-out by a StackSet, and the parts of one that they give."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from dt_logs_cfn.cli.argument_types import matching
from dt_logs_cfn.operate.stack_sets.rollout import Amount, Preferences
from dt_logs_cfn.operate.stack_sets.targets import (
    ACCOUNT,
    REGION,
    UNIT,
    SelfManaged,
    ServiceManaged,
    Targets,
)

_SERVICE_MANAGED = (
    "exclude_accounts",
    "call_as",
    "auto_deployment",
    "retain_stacks_on_account_removal",
)


_OF_A_ROLL_OUT = (
    *_SERVICE_MANAGED,
    "accounts",
    "ou",
    "regions",
    "overrides",
    "administration_role_arn",
    "execution_role_name",
    "failure_tolerance",
    "max_concurrent",
    "region_concurrency",
    "concurrency_mode",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them, as a group; `check` says how they go together."""
    group = parser.add_argument_group("rolling out to an organisation")
    # What belongs together is known only after parsing; wrong usage ends as argparse ends it.
    parser.set_defaults(refuse=parser.error)
    group.add_argument("--stack-set", metavar="NAME", help="the stack set; made if not there")
    _add_targets(group)
    _add_preferences(group)
    group.add_argument(
        "--overrides",
        type=Path,
        metavar="FILE",
        help="a CSV of account, region and parameters: values for some stacks alone",
    )


def check(arguments: argparse.Namespace) -> None:
    """End as argparse does, with exit code 2, if options do not go together."""
    refuse: Callable[[str], None] = arguments.refuse
    if arguments.stack_set is None:
        for name in _OF_A_ROLL_OUT:
            if getattr(arguments, name) is not None:
                refuse(f"--{name.replace('_', '-')} needs --stack-set")
        return
    if arguments.role_arn is not None:
        refuse("a stack set has no --role-arn: its execution role acts in each account")
    if not arguments.accounts and not arguments.ou:
        refuse("--stack-set needs --accounts or --ou")
    if not arguments.regions:
        refuse("--stack-set needs --regions")
    if arguments.accounts and arguments.exclude_accounts:
        refuse("--accounts and --exclude-accounts do not go together")
    if not arguments.ou:
        for name in _SERVICE_MANAGED:
            if getattr(arguments, name) is not None:
                refuse(f"--{name.replace('_', '-')} needs --ou")
    elif arguments.administration_role_arn or arguments.execution_role_name:
        refuse("with --ou the roles are CloudFormation's own: name none")
    if arguments.retain_stacks_on_account_removal is not None and not arguments.auto_deployment:
        refuse("--retain-stacks-on-account-removal needs --auto-deployment")


def targets(arguments: argparse.Namespace) -> Targets:
    """Return the accounts or units. Raises OperatingError."""
    if not arguments.ou:
        return SelfManaged(
            tuple(arguments.accounts),
            arguments.administration_role_arn or "",
            arguments.execution_role_name or "",
        )
    named = arguments.accounts or arguments.exclude_accounts or []
    return ServiceManaged(
        tuple(arguments.ou),
        tuple(named),
        "INTERSECTION" if arguments.accounts else "DIFFERENCE" if named else None,
        arguments.call_as or "SELF",
        arguments.auto_deployment,
        arguments.retain_stacks_on_account_removal,
    )


def preferences(arguments: argparse.Namespace) -> Preferences:
    """Return how operations shall go about their instances. Raises OperatingError."""
    return Preferences(
        arguments.failure_tolerance,
        arguments.max_concurrent,
        arguments.region_concurrency,
        arguments.concurrency_mode,
    )


def _add_targets(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--accounts",
        nargs="+",
        type=matching(ACCOUNT),
        metavar="ACCOUNT",
        help="12 digits each; with --ou, only these of its accounts",
    )
    group.add_argument(
        "--ou",
        nargs="+",
        type=matching(UNIT),
        metavar="OU",
        help="organizational units or the root: a service-managed stack set",
    )
    group.add_argument(
        "--exclude-accounts",
        nargs="+",
        type=matching(ACCOUNT),
        metavar="ACCOUNT",
        help="with --ou, all of its accounts but these",
    )
    group.add_argument(
        "--regions",
        nargs="+",
        type=matching(REGION),
        metavar="REGION",
        help="where the load balancers are, in the order to be worked through",
    )
    group.add_argument(
        "--call-as", choices=("SELF", "DELEGATED_ADMIN"), help="with --ou (default: SELF)"
    )
    for option, what in (
        ("--auto-deployment", "with --ou: also to accounts that join it later"),
        ("--retain-stacks-on-account-removal", "keep stacks in accounts that leave it"),
    ):
        group.add_argument(option, action=argparse.BooleanOptionalAction, help=what)
    group.add_argument(
        "--administration-role-arn", metavar="ARN", help="with --accounts alone: a role of yours"
    )
    group.add_argument(
        "--execution-role-name", metavar="NAME", help="with --accounts alone: a role of yours"
    )


def _add_preferences(group: argparse._ArgumentGroup) -> None:
    for option, what in (
        ("--failure-tolerance", "in how many accounts of a region it may fail (default: 0)"),
        ("--max-concurrent", "in how many accounts it works at once (default: 1)"),
    ):
        group.add_argument(option, type=_amount, metavar="N|N%", help=what)
    group.add_argument(
        "--region-concurrency",
        type=str.upper,
        choices=("SEQUENTIAL", "PARALLEL"),
        help="one region after the other, or all at once (default: SEQUENTIAL)",
    )
    group.add_argument(
        "--concurrency-mode",
        choices=("STRICT_FAILURE_TOLERANCE", "SOFT_FAILURE_TOLERANCE"),
        help="whether failures lower how many are worked at once (default: they do)",
    )


def _amount(text: str) -> Amount:
    if not re.fullmatch("[0-9]{1,7}%?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is neither N nor N%")
    return Amount(int(text.rstrip("%")), text.endswith("%"))
