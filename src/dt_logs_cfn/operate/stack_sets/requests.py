"""From an operation on a stack set to the request that AWS gets, and from its answers; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.stack_sets.operations import (
    CreateInstances,
    CreateStackSet,
    PresentStackSet,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operate.stack_sets.overrides import Values
from dt_logs_cfn.operate.stack_sets.rollout import Preferences, Rollout
from dt_logs_cfn.operate.stack_sets.targets import CallAs, SelfManaged, ServiceManaged

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import type_defs as types
    from mypy_boto3_cloudformation.literals import CapabilityType

# The template makes a role, and names it where a parameter says so.
CAPABILITIES: "tuple[CapabilityType, ...]" = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")

_USUAL_ADMINISTRATION = ":role/AWSCloudFormationStackSetAdministrationRole"


def call_as(rollout: Rollout) -> CallAs:
    """Return as whom AWS is called: self-managed stack sets know SELF alone."""
    targets = rollout.targets
    return targets.call_as if isinstance(targets, ServiceManaged) else "SELF"


def creation(
    rollout: Rollout, operation: CreateStackSet, token: str
) -> "types.CreateStackSetInputTypeDef":
    """Return the request that makes the stack set, once for a token."""
    given: types.CreateStackSetInputTypeDef = {
        "StackSetName": rollout.name,
        "TemplateBody": rollout.template.text,
        "Parameters": _parameters(operation.parameters),
        "Capabilities": CAPABILITIES,
        "Tags": _tags(rollout.tags or {}),
        "CallAs": call_as(rollout),
        "ClientRequestToken": token,
    }
    match rollout.targets:
        case SelfManaged(_, administration, execution):
            given["PermissionModel"] = "SELF_MANAGED"
            if administration:
                given["AdministrationRoleARN"] = administration
            if execution:
                given["ExecutionRoleName"] = execution
        case ServiceManaged() as targets:
            given["PermissionModel"] = "SERVICE_MANAGED"
            given["AutoDeployment"] = _auto_deployment(
                bool(targets.auto_deployment), bool(targets.retain_stacks)
            )
    return given


def update(
    rollout: Rollout, operation: UpdateStackSet, there: PresentStackSet, operation_id: str
) -> "types.UpdateStackSetInputTypeDef":
    """Return the request that changes the stack set and all of its stacks."""
    given: types.UpdateStackSetInputTypeDef = {
        "StackSetName": rollout.name,
        "TemplateBody": rollout.template.text,
        "Parameters": [*_parameters(operation.parameters), *_kept(operation.kept)],
        "Capabilities": CAPABILITIES,
        "OperationPreferences": preferences(rollout.preferences, operation.regions),
        "CallAs": call_as(rollout),
        "OperationId": operation_id,
    }
    if rollout.tags is not None:
        given["Tags"] = _tags(rollout.tags)
    match rollout.targets:
        case SelfManaged(_, administration, execution):
            # One of the customer's own has to be named each time; naming one takes iam:PassRole.
            administration = administration or there.administration_role_arn
            if administration and not administration.endswith(_USUAL_ADMINISTRATION):
                given["AdministrationRoleARN"] = administration
            if execution or there.execution_role_name:
                given["ExecutionRoleName"] = execution or there.execution_role_name
        case ServiceManaged(auto_deployment=automatic, retain_stacks=retain):
            given["AutoDeployment"] = _auto_deployment(
                there.auto_deployment if automatic is None else automatic,
                there.retain_stacks if retain is None else retain,
            )
    return given


def instances_creation(
    rollout: Rollout, operation: CreateInstances, operation_id: str
) -> "types.CreateStackInstancesInputTypeDef":
    """Return the request that makes stacks."""
    given: types.CreateStackInstancesInputTypeDef = {
        "StackSetName": rollout.name,
        "Regions": operation.block.regions,
        "OperationPreferences": preferences(
            rollout.preferences, _in_order(rollout, operation.block.regions)
        ),
        "CallAs": call_as(rollout),
        "OperationId": operation_id,
    }
    if operation.overrides:
        given["ParameterOverrides"] = _parameters(operation.overrides)
    if isinstance(rollout.targets, SelfManaged):
        given["Accounts"] = operation.block.accounts
    else:
        given["DeploymentTargets"] = _deployment_targets(rollout.targets, operation)
    return given


def instances_update(
    rollout: Rollout, operation: UpdateInstances, operation_id: str
) -> "types.UpdateStackInstancesInputTypeDef":
    """Return the request that changes stacks' overrides.

    The list of overrides is always there: without it AWS would leave them as they are.
    """
    given: types.UpdateStackInstancesInputTypeDef = {
        "StackSetName": rollout.name,
        "Regions": operation.block.regions,
        "ParameterOverrides": _parameters(operation.overrides),
        "OperationPreferences": preferences(
            rollout.preferences, _in_order(rollout, operation.block.regions)
        ),
        "CallAs": call_as(rollout),
        "OperationId": operation_id,
    }
    if isinstance(rollout.targets, SelfManaged):
        given["Accounts"] = operation.block.accounts
    else:
        given["DeploymentTargets"] = _deployment_targets(rollout.targets, operation)
    return given


def preferences(
    wanted: Preferences, regions: Sequence[str]
) -> "types.StackSetOperationPreferencesTypeDef":
    """Return how an operation shall go about its instances, with the regions in their order."""
    given: types.StackSetOperationPreferencesTypeDef = {}
    if wanted.failure_tolerance is not None:
        if wanted.failure_tolerance.percent:
            given["FailureTolerancePercentage"] = wanted.failure_tolerance.number
        else:
            given["FailureToleranceCount"] = wanted.failure_tolerance.number
    if wanted.max_concurrent is not None:
        if wanted.max_concurrent.percent:
            given["MaxConcurrentPercentage"] = wanted.max_concurrent.number
        else:
            given["MaxConcurrentCount"] = wanted.max_concurrent.number
    if wanted.region_concurrency is not None:
        given["RegionConcurrencyType"] = wanted.region_concurrency
    if wanted.concurrency_mode is not None:
        given["ConcurrencyMode"] = wanted.concurrency_mode
    if wanted.region_concurrency != "PARALLEL" and regions:
        given["RegionOrder"] = regions
    return given


def stack_set(found: "types.StackSetTypeDef") -> PresentStackSet:
    """Return what AWS tells of a stack set."""
    automatic = found.get("AutoDeployment", {})
    return PresentStackSet(
        template=found.get("TemplateBody", ""),
        parameters=values(found.get("Parameters", [])),
        tags={each["Key"]: each["Value"] for each in found.get("Tags", [])},
        permission_model=found.get("PermissionModel", "SELF_MANAGED"),
        administration_role_arn=found.get("AdministrationRoleARN", ""),
        execution_role_name=found.get("ExecutionRoleName", ""),
        auto_deployment=automatic.get("Enabled", False),
        retain_stacks=automatic.get("RetainStacksOnAccountRemoval", False),
    )


def values(found: "Iterable[types.ParameterTypeDef]") -> dict[str, str]:
    """Return what AWS tells of parameters."""
    return {each["ParameterKey"]: each.get("ParameterValue", "") for each in found}


def _in_order(rollout: Rollout, regions: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in rollout.regions if each in regions)


def _deployment_targets(
    targets: ServiceManaged, operation: CreateInstances | UpdateInstances
) -> "types.DeploymentTargetsTypeDef":
    """Return the targets as they were named if all are meant, else the accounts one by one."""
    given: types.DeploymentTargetsTypeDef = {"OrganizationalUnitIds": targets.units}
    if not operation.whole:
        given["Accounts"] = operation.block.accounts
        given["AccountFilterType"] = "INTERSECTION"
    elif targets.account_filter:
        given["Accounts"] = targets.accounts
        given["AccountFilterType"] = targets.account_filter
    return given


def _auto_deployment(enabled: bool, retain: bool) -> "types.AutoDeploymentTypeDef":
    """Return the setting; what happens to stacks is said only of one that is enabled."""
    if not enabled:
        return {"Enabled": False}
    return {"Enabled": True, "RetainStacksOnAccountRemoval": retain}


def _parameters(found: Values) -> "list[types.ParameterTypeDef]":
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in found]


def _kept(names: Iterable[str]) -> "list[types.ParameterTypeDef]":
    return [{"ParameterKey": name, "UsePreviousValue": True} for name in names]


def _tags(found: Mapping[str, str]) -> "list[types.TagTypeDef]":
    return [{"Key": key, "Value": value} for key, value in sorted(found.items())]
