"""Make a stack set's AWS calls: read it, begin an operation, and read its progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.operate.stack_sets.rollout import Place, Rollout, Step, parameters_of
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient, literals
    from mypy_boto3_cloudformation import type_defs as types

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")  # of an operation

# The template makes a role, and names it where a parameter says so.
_CAPABILITIES: list[literals.CapabilityType] = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_USUAL_ADMINISTRATION = ":role/AWSCloudFormationStackSetAdministrationRole"


@dataclass(frozen=True)
class Result:
    """An operation's result so far for one stack."""

    place: Place
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
        found = Counter(each.status for each in self.results)
        return dict(sorted(found.items()))


class StackSet:
    """A roll-out's stack set; the client is for its account and region.

    Every method raises botocore's errors.
    """

    def __init__(self, client: CloudFormationClient, rollout: Rollout) -> None:
        self._client = client
        self._rollout = rollout
        self._this: types.DescribeStackSetInputTypeDef = {
            "StackSetName": rollout.name,
            "CallAs": rollout.call_as,
        }

    def found(self) -> types.StackSetTypeDef | None:
        """Read the stack set; None if there is none, or if it was deleted."""
        try:
            found = self._client.describe_stack_set(**self._this)["StackSet"]
        except ClientError as error:
            if code(error) != "StackSetNotFoundException":
                raise
            return None
        return None if found.get("Status") == "DELETED" else found

    def instances(self) -> dict[Place, types.StackInstanceSummaryTypeDef]:
        """Read which stacks exist."""
        pages = self._client.get_paginator("list_stack_instances").paginate(**self._this)
        listed = [each for page in pages for each in page["Summaries"]]
        return {(each["Account"], each["Region"]): each for each in listed}

    def running(self) -> str | None:
        """Return the ID of a running operation, whoever began it."""
        listed = self._client.list_stack_set_operations(**self._this)["Summaries"]
        return next((e["OperationId"] for e in listed if e["Status"] not in ENDED), None)

    def look(self, operation_id: str) -> Progress:
        """Read an operation's progress."""
        answer = self._client.describe_stack_set_operation(**self._this, OperationId=operation_id)
        pages = self._client.get_paginator("list_stack_set_operation_results").paginate(
            **self._this, OperationId=operation_id
        )
        results = [_result(each) for page in pages for each in page["Summaries"]]
        by_place = {each.place: each for each in results}
        return Progress(
            operation_id,
            answer["StackSetOperation"].get("Status", "RUNNING"),
            answer["StackSetOperation"].get("StatusReason", ""),
            tuple(by_place[place] for place in sorted(by_place)),
        )

    def begin(self, step: Step, there: types.StackSetTypeDef | None, operation_id: str) -> str:
        """Begin a step with an id for its operation, and return the id that it has.

        CloudFormation performs what has the same id only once [CloudFormation API, OperationId
        and ClientRequestToken], so it can be repeated with the same one. Creating a stack set is
        not an operation; its request takes the ID as a token.
        """
        client, rollout = self._client, self._rollout
        if step.kind == "instances":
            return client.create_stack_instances(**_instances(rollout, operation_id))["OperationId"]
        if there is None:
            client.create_stack_set(**_creation(rollout, operation_id))
            return operation_id
        return client.update_stack_set(**_update(rollout, there, operation_id))["OperationId"]


def _creation(rollout: Rollout, token: str) -> types.CreateStackSetInputTypeDef:
    given: types.CreateStackSetInputTypeDef = {
        "StackSetName": rollout.name,
        "TemplateBody": rollout.template.text,
        "Parameters": _parameters(rollout, {}),
        "Capabilities": _CAPABILITIES,
        "Tags": _tags(rollout),
        "PermissionModel": rollout.permission_model,
        "CallAs": rollout.call_as,
        "ClientRequestToken": token,
    }
    if rollout.administration_role_arn:
        given["AdministrationRoleARN"] = rollout.administration_role_arn
    if rollout.execution_role_name:
        given["ExecutionRoleName"] = rollout.execution_role_name
    if rollout.units:
        given["AutoDeployment"] = _auto_deployment(bool(rollout.auto_deployment))
    return given


def _update(
    rollout: Rollout, there: types.StackSetTypeDef, operation_id: str
) -> types.UpdateStackSetInputTypeDef:
    given: types.UpdateStackSetInputTypeDef = {
        "StackSetName": rollout.name,
        "TemplateBody": rollout.template.text,
        "Parameters": _parameters(rollout, parameters_of(there)),
        "Capabilities": _CAPABILITIES,
        "OperationPreferences": rollout.preferences or {},
        "CallAs": rollout.call_as,
        "OperationId": operation_id,
    }
    if rollout.tags:
        given["Tags"] = _tags(rollout)
    if rollout.auto_deployment is not None:
        given["AutoDeployment"] = _auto_deployment(rollout.auto_deployment)
    # A role of the customer's own has to be named each time [CloudFormation API, UpdateStackSet].
    administration = rollout.administration_role_arn or there.get("AdministrationRoleARN", "")
    if administration and not administration.endswith(_USUAL_ADMINISTRATION):
        given["AdministrationRoleARN"] = administration
    if rollout.execution_role_name:
        given["ExecutionRoleName"] = rollout.execution_role_name
    return given


def _instances(rollout: Rollout, operation_id: str) -> types.CreateStackInstancesInputTypeDef:
    given: types.CreateStackInstancesInputTypeDef = {
        "StackSetName": rollout.name,
        "Regions": rollout.regions,
        "OperationPreferences": {**(rollout.preferences or {}), "RegionOrder": rollout.regions},
        "CallAs": rollout.call_as,
        "OperationId": operation_id,
    }
    if not rollout.units:
        given["Accounts"] = rollout.accounts
    elif rollout.accounts:
        given["DeploymentTargets"] = {
            "OrganizationalUnitIds": rollout.units,
            "Accounts": rollout.accounts,
            "AccountFilterType": "INTERSECTION",
        }
    else:
        given["DeploymentTargets"] = {"OrganizationalUnitIds": rollout.units}
    return given


def _auto_deployment(enabled: bool) -> types.AutoDeploymentTypeDef:
    """Return the setting, by which the stacks of accounts that leave a unit are deleted."""
    if not enabled:
        return {"Enabled": False}
    return {"Enabled": True, "RetainStacksOnAccountRemoval": False}


def _parameters(rollout: Rollout, present: Mapping[str, str]) -> list[types.ParameterTypeDef]:
    """Return the values that are given; others that are present stay as they are."""
    given = sorted(rollout.parameters.items())
    kept = present.keys() & rollout.template.parameters.keys() - rollout.parameters.keys()
    found: list[types.ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in given
    ]
    return found + [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]


def _tags(rollout: Rollout) -> list[types.TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in sorted(rollout.tags.items())]


def _result(found: types.StackSetOperationResultSummaryTypeDef) -> Result:
    gate = found.get("AccountGateResult", {})
    refused = gate.get("StatusReason", "") if gate.get("Status") == "FAILED" else ""
    place = found.get("Account", ""), found.get("Region", "")
    return Result(place, found.get("Status", "PENDING"), found.get("StatusReason", "") or refused)
