"""What CloudFormation returns of a stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dt_logs_rehearsal.account.world import Call, Response, World, moment, present
from dt_logs_rehearsal.cloudformation.stack import STACK_TYPE, Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import invalid


def describe_stacks(stacks: Mapping[str, Stack]) -> Callable[[World, Call], Response]:
    """Return DescribeStacks for a caller who names one stack by its id, as a function does."""

    def describe(world: World, call: Call) -> Response:
        if (found := stacks.get(name := str(call.params.get("StackName")))) is None:
            raise invalid(f"Stack with id {name} does not exist")
        return {"Stacks": [described(found)]}

    return describe


def described(found: Stack) -> dict[str, Any]:
    """Return one of DescribeStacks' stacks. Drift, policies and protection are not emulated."""
    own = [each for each in found.events if each.resource_type == STACK_TYPE]
    declared = found.asked.template.get("Outputs", {})
    return {
        **summary(found),
        **present(
            Description=found.asked.template.get("Description"),
            StackStatusReason=own[-1].reason if own else "",
            RoleARN=found.role,
        ),
        "Parameters": parameters(found.asked),
        "RollbackConfiguration": {},
        "DisableRollback": False,
        "NotificationARNs": [],
        "Capabilities": list(found.capabilities),
        "Outputs": [
            {
                "OutputKey": name,
                "OutputValue": value,
                **present(Description=declared[name].get("Description")),
            }
            for name, value in found.outputs.items()
            if name in declared
        ],
        "Tags": tags(found.asked),
        "EnableTerminationProtection": False,
    }


def summary(found: Stack) -> dict[str, Any]:
    """Return one of ListStacks' summaries, with when a stack was made, updated and deleted."""
    named = {"UPDATE_IN_PROGRESS": "LastUpdatedTime", "DELETE_IN_PROGRESS": "DeletionTime"}
    own = [each for each in found.events if each.resource_type == STACK_TYPE]
    return {
        "StackId": found.id,
        "StackName": found.name,
        "CreationTime": moment(own[0].at),
        **{named[each.status]: moment(each.at) for each in own if each.status in named},
        "StackStatus": found.status,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }


def parameters(asked: Asked) -> list[dict[str, str]]:
    """Return each parameter with its value; a NoEcho parameter's is shown as stars."""
    declared = asked.template.get("Parameters", {})
    return [
        {"ParameterKey": name, "ParameterValue": "****" if _hidden(declared[name]) else value}
        for name, value in asked.values.items()
    ]


def _hidden(declared: Mapping[str, Any]) -> bool:
    return str(declared.get("NoEcho", "false")).lower() == "true"


def tags(asked: Asked) -> list[dict[str, str]]:
    """Return a stack's tags."""
    return [{"Key": key, "Value": value} for key, value in asked.tags.items()]
