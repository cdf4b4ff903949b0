"""Define a roll-out by a StackSet, and work out the steps that it takes; pure.

Rollout, the stack set as it is, its instances ─► steps ─► Step …
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dt_logs_cfn.cli.terminal import changes, shown_value
from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operate import values
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.template.declared import default
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.templates import origin

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import literals
    from mypy_boto3_cloudformation import type_defs as types

Place = tuple[str, str]  # an account and a region

_LIST = "LoadBalancerArns"
_MOST = 8  # accounts that are listed in a line


@dataclass(frozen=True)
class Rollout:
    """A stack set, and one stack of it in each account or unit and each region.

    With units, `accounts` narrows them down. Parameters and tags that are not given, and settings
    that are empty or None, stay as they are. Raises OperatingError when made for load balancers by
    name.
    """

    name: str
    template: Template
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    regions: tuple[str, ...]
    accounts: tuple[str, ...]
    units: tuple[str, ...]
    call_as: literals.CallAsType = "SELF"
    administration_role_arn: str = ""
    execution_role_name: str = ""
    auto_deployment: bool | None = None
    preferences: types.StackSetOperationPreferencesTypeDef | None = None

    def __post_init__(self) -> None:
        if self.parameters.get(_LIST, "*").strip() != "*":
            raise OperatingError(
                f"{_LIST} names load balancers, which are of one account and region.",
                "Use --load-balancer '*' for all in each, or deploy a stack beside them.",
            )

    @property
    def permission_model(self) -> literals.PermissionModelsType:
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


@dataclass(frozen=True)
class Step:
    """One request that begins something; `lines` say what changes by it."""

    kind: Literal["create", "update", "instances"]
    does: str
    lines: tuple[str, ...] = ()


def check(rollout: Rollout, there: types.StackSetTypeDef | None) -> None:
    """Refuse what would fail, and a stack set that was not made from our template.

    Raises OperatingError.
    """
    template = parse_template(rollout.template.text)
    if there is not None:
        try:
            origin(parse_template(there.get("TemplateBody", "")))
        except DtLogsError as error:
            raise OperatingError(
                f"The stack set {rollout.name} was not made from a template of ours.",
                "Choose another name.",
            ) from error
        model = there.get("PermissionModel", "SELF_MANAGED")
        if model != rollout.permission_model:
            raise OperatingError(
                f"The stack set {rollout.name} is {model}; these targets are not.",
                "Use --accounts alone for SELF_MANAGED, --ou for SERVICE_MANAGED, or a new name.",
            )
    values.check(template, rollout.parameters, parameters_of(there))


def steps(
    rollout: Rollout,
    there: types.StackSetTypeDef | None,
    instances: Mapping[Place, types.StackInstanceSummaryTypeDef],
) -> Iterator[Step]:
    """Yield the steps that turn what exists into what is asked for, in order.

    Asked to create stacks, CloudFormation expands units, skips the stacks that are there, and
    retries those that are OUTDATED [CloudFormation API, CreateStackInstances].
    """
    if there is None:
        given = sorted(rollout.parameters.items())
        lines = [f"{name} = {shown_value(value)}" for name, value in given]
        yield Step("create", "create the stack set", tuple(lines))
    elif lines := [*_differences(rollout, there)]:
        does = f"update the stack set and its {len(instances):,} stacks"
        yield Step("update", does, tuple(lines))
    places = {(account, region) for account in rollout.accounts for region in rollout.regions}
    current = {place for place, each in instances.items() if each.get("Status") != "OUTDATED"}
    if rollout.units or places - current:
        yield Step("instances", f"create the stacks that are missing or failed: {rollout.where}")


def parameters_of(there: types.StackSetTypeDef | None) -> dict[str, str]:
    """Return a stack set's parameters; empty if it does not exist."""
    found = there.get("Parameters", []) if there else []
    return {each["ParameterKey"]: each.get("ParameterValue", "") for each in found}


def _differences(rollout: Rollout, there: types.StackSetTypeDef) -> Iterator[str]:
    before, declared = parameters_of(there), rollout.template.parameters
    if parse_template(rollout.template.text) != parse_template(there.get("TemplateBody", "")):
        yield "the template changes"
    old = {name: before.get(name, default(declared[name]) or "") for name in rollout.parameters}
    yield from changes(old, rollout.parameters)
    if rollout.tags:
        tags = {each["Key"]: each["Value"] for each in there.get("Tags", [])}
        yield from (f"tag {each}" for each in changes(tags, rollout.tags))
    for name, asked, present in (
        (
            "administration role",
            rollout.administration_role_arn,
            there.get("AdministrationRoleARN"),
        ),
        ("execution role", rollout.execution_role_name, there.get("ExecutionRoleName")),
    ):
        if asked and asked != present:
            yield f"{name}: {present} -> {asked}"
    automatic = there.get("AutoDeployment", {}).get("Enabled", False)
    if rollout.auto_deployment not in (None, automatic):
        yield f"auto-deployment is turned {'on' if rollout.auto_deployment else 'off'}"
