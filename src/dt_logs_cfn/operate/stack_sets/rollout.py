"""A roll-out by a StackSet: what is asked for, its steps, and the progress of one; plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks.stack import LOAD_BALANCERS
from dt_logs_cfn.operate.templates import Template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import literals
    from mypy_boto3_cloudformation import type_defs as types

Target = tuple[str, str]  # an account and a region
Kind = Literal["create", "update", "instances"]

_MOST = 8  # accounts that are listed in a line


@dataclass(frozen=True)
class Rollout:
    """A stack set, and one stack of it in each account or unit and each region.

    With units, `accounts` narrows them down. Parameters, tags and `roles` that are not given stay
    as they are. Raises OperatingError when made for load balancers by name.
    """

    name: str
    template: Template
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    regions: tuple[str, ...]
    accounts: tuple[str, ...]
    units: tuple[str, ...]
    call_as: literals.CallAsType = "SELF"
    roles: Mapping[str, str] = field(default_factory=dict)  # by the names of StackSets' API
    auto_deployment: bool | None = None
    preferences: types.StackSetOperationPreferencesTypeDef | None = None

    def __post_init__(self) -> None:
        if self.parameters.get(LOAD_BALANCERS, "*").strip() != "*":
            raise OperatingError(
                f"{LOAD_BALANCERS} names load balancers, which are of one account and region.",
                "Use --load-balancer '*' for all in each, or deploy a stack beside them.",
            )

    @property
    def permission_model(self) -> str:
        """Which roles StackSets uses in the accounts."""
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
        """The targets as CreateStackInstances takes them."""
        if not self.units:
            return {"Accounts": self.accounts}
        only = {"Accounts": self.accounts, "AccountFilterType": "INTERSECTION"}
        units = {"OrganizationalUnitIds": self.units}
        return {"DeploymentTargets": units | only if self.accounts else units}


@dataclass(frozen=True)
class Step:
    """One request that begins something; `lines` say what it changes."""

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
    """An operation's progress; each stack once, ordered by account and region."""

    operation_id: str
    status: str
    reason: str = ""
    results: tuple[Result, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many stacks have each status."""
        return dict(sorted(Counter(each.status for each in self.results).items()))

    @property
    def counted(self) -> str:
        """The counts in words."""
        return ", ".join(f"{number} {status}" for status, number in self.counts.items())
