"""A roll-out with a stack set: its options, request and steps, and an operation's progress."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from dt_logs_cfn.cli.parsing import REGION, matching
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_options import ROLE_ARN
from dt_logs_cfn.operate.stacks.stack import LOAD_BALANCERS
from dt_logs_cfn.operate.templates import Template
from dt_logs_handler.names import ACCOUNT_ID

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import literals
    from mypy_boto3_cloudformation import type_defs as types

Target = tuple[str, str]  # an account and a region
Kind = Literal["create", "update", "instances"]

_MOST = 8  # the most accounts that a line lists


@dataclass(frozen=True)
class Rollout:
    """A stack set, with one stack in each region of each account.

    With `units`, `accounts` selects some of the units' accounts; an empty `accounts` selects all.
    Parameters, tags and `roles` that are not given remain unchanged. Raises OperatingError if the
    parameters name load balancers.
    """

    name: str
    template: Template
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    regions: tuple[str, ...]
    accounts: tuple[str, ...]
    units: tuple[str, ...]
    call_as: literals.CallAsType
    roles: Mapping[str, str]  # by their names in StackSets' API
    auto_deployment: bool | None
    preferences: types.StackSetOperationPreferencesTypeDef

    def __post_init__(self) -> None:
        if self.parameters.get(LOAD_BALANCERS, "*").strip() != "*":
            raise OperatingError(
                f"{LOAD_BALANCERS} names load balancers, which belong to one account and region.",
                "Use --load-balancer '*' for all load balancers, or deploy a separate stack for"
                " these.",
            )

    @property
    def permission_model(self) -> str:
        """The stack set's permission model, which determines its roles in the accounts."""
        return "SERVICE_MANAGED" if self.units else "SELF_MANAGED"

    @property
    def where(self) -> str:
        """The targets in words."""
        named = [f"units {', '.join(self.units)}"] if self.units else []
        if self.accounts:
            more = len(self.accounts) - _MOST
            listed = ", ".join(self.accounts[:_MOST]) + (f" and {more:,} more" if more > 0 else "")
            named.append(f"accounts {listed}")
        return f"{', only '.join(named)}, in {', '.join(self.regions)}"

    @property
    def targets(self) -> dict[str, object]:
        """The targets in the form that CreateStackInstances takes."""
        if not self.units:
            return {"Accounts": self.accounts}
        only = {"Accounts": self.accounts, "AccountFilterType": "INTERSECTION"}
        units = {"OrganizationalUnitIds": self.units}
        return {"DeploymentTargets": units | only if self.accounts else units}


@dataclass(frozen=True)
class Step:
    """One request to CloudFormation; `lines` list the changes."""

    kind: Kind
    does: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """An operation's result so far for one stack."""

    target: Target
    status: str
    reason: str = ""


@dataclass(frozen=True)
class Progress:
    """An operation's progress; `results` has each stack once, ordered by account and region."""

    operation_id: str
    status: str
    reason: str = ""
    results: tuple[Result, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of stacks in each status."""
        return dict(sorted(Counter(each.status for each in self.results).items()))

    @property
    def counted(self) -> str:
        """The counts in words."""
        return ", ".join(f"{number} {status}" for status, number in self.counts.items())


# The patterns of CloudFormation's API model, except that our pattern for a region is narrower.
_NAME = matching("[A-Za-z][A-Za-z0-9-]{0,127}", "up to 128 letters, digits and hyphens")
_ACCOUNT = matching(ACCOUNT_ID, "12 digits")
_UNIT = matching(
    "(?:ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})",
    "an ID like ou-ab12-34cd56ef, or a root's like r-ab12",
)
_REGION = matching(*REGION)
_ROLE = matching(ROLE_ARN, "arn:…:iam::ACCOUNT:role/NAME")
_ROLE_NAME = matching("[A-Za-z0-9_+=,.@-]{1,64}", "the name of a role, without its path")
_AMOUNT = matching("[0-9]{1,6}%?", "a number, or a percentage like 10%")

_OF_UNITS = ("auto_deployment", "call_as")
_OF_ACCOUNTS = ("administration_role_arn", "execution_role_name")
_OF_BOTH = ("accounts", "failure_tolerance", "max_concurrent", "ou", "regions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a roll-out as a group; `check` judges their combination."""
    group = parser.add_argument_group("rolling out to an organisation")
    # `check` runs after parsing, and exits as argparse does if a combination is invalid.
    parser.set_defaults(refuse=parser.error)
    for option, count, kind, metavar, what in (
        ("--stack-set", None, _NAME, "NAME", "the stack set; created if it does not exist"),
        (
            "--accounts",
            "+",
            _ACCOUNT,
            "ACCOUNT",
            "account IDs; with --ou, only these accounts in the units",
        ),
        ("--ou", "+", _UNIT, "OU", "organizational units, or the root (service-managed)"),
        ("--regions", "+", _REGION, "REGION", "the load balancers' regions, in this order"),
        ("--failure-tolerance", None, _AMOUNT, "N|N%", "accounts per region that may fail"),
        ("--max-concurrent", None, _AMOUNT, "N|N%", "accounts per region at a time"),
        ("--administration-role-arn", None, _ROLE, "ARN", "your own role; without --ou"),
        ("--execution-role-name", None, _ROLE_NAME, "NAME", "your own role; without --ou"),
    ):
        group.add_argument(option, nargs=count, type=kind, metavar=metavar, help=what)
    group.add_argument(
        "--auto-deployment",
        action=argparse.BooleanOptionalAction,
        help="with --ou: also deploy to accounts that join later",
    )
    group.add_argument("--call-as", choices=("SELF", "DELEGATED_ADMIN"), help="with --ou")


def check(arguments: argparse.Namespace) -> None:
    """Exit as argparse does, with code 2, if the options cannot be combined."""
    refuse: Callable[[str], None] = arguments.refuse
    given = {
        name: f"--{name.replace('_', '-')}"
        for name in (*_OF_BOTH, *_OF_UNITS, *_OF_ACCOUNTS)
        if getattr(arguments, name) is not None
    }
    if arguments.stack_set is None:
        for option in given.values():
            refuse(f"{option} needs --stack-set")
        return
    if arguments.role_arn is not None:
        refuse("a stack set has no --role-arn: its execution role acts in each account")
    if arguments.add_load_balancer or arguments.remove_load_balancer:
        refuse("a stack set has no list of load balancers to change: give --load-balancer '*'")
    if not arguments.accounts and not arguments.ou:
        refuse("--stack-set needs --accounts or --ou")
    if not arguments.regions:
        refuse("--stack-set needs --regions")
    for name in given.keys() & set(_OF_ACCOUNTS if arguments.ou else _OF_UNITS):
        refuse(f"{given[name]} {'cannot be combined with' if arguments.ou else 'needs'} --ou")


def asked_for(
    arguments: argparse.Namespace,
    template: Template,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
) -> Rollout:
    """Return the roll-out that the checked options request. Raises OperatingError."""
    tolerance, most = arguments.failure_tolerance, arguments.max_concurrent
    preferences = {**_amount("FailureTolerance", tolerance), **_amount("MaxConcurrent", most)}
    roles = {
        "AdministrationRoleARN": arguments.administration_role_arn,
        "ExecutionRoleName": arguments.execution_role_name,
    }
    return Rollout(
        name=arguments.stack_set,
        template=template,
        parameters=parameters,
        tags=tags,
        regions=tuple(dict.fromkeys(arguments.regions)),
        accounts=tuple(dict.fromkeys(arguments.accounts or ())),
        units=tuple(dict.fromkeys(arguments.ou or ())),
        call_as=arguments.call_as or "SELF",
        roles={name: role for name, role in roles.items() if role},
        auto_deployment=arguments.auto_deployment,
        preferences=cast("types.StackSetOperationPreferencesTypeDef", preferences),
    )


def _amount(name: str, given: str | None) -> dict[str, int]:
    """Return a number or a percentage as one of an operation's preferences."""
    if not given:
        return {}
    return {f"{name}{'Percentage' if given[-1] == '%' else 'Count'}": int(given.rstrip("%"))}
