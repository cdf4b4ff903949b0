"""What CloudFormation tells of stacks, events, resources and templates, in its API's shapes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation.change_sets import ChangeSet, values
from dt_logs_rehearsal.cloudformation.stack import ROLE_TYPE, Asked, Event, Stack
from dt_logs_rehearsal.cloudformation.template_shape import check_shape

STACK_TYPE = "AWS::CloudFormation::Stack"
_SPREAD = 1.0  # seconds that a change set takes to be made


def moment(at: float) -> datetime:
    """Return a time as the API's shapes have it."""
    return datetime.fromtimestamp(at, timezone.utc)


def stack(found: Stack, capabilities: Sequence[str]) -> dict[str, Any]:
    """Return one of DescribeStacks' stacks. Drift, policies and protection are not emulated."""
    own = [each for each in found.events if each.resource_type == STACK_TYPE]
    declared = found.asked.template.get("Outputs", {})
    reason = own[-1].reason if own else ""
    return {
        "StackId": found.id,
        "StackName": found.name,
        **_described(found.asked),
        "Parameters": parameters(found.asked),
        **times(found),
        "RollbackConfiguration": {},
        "StackStatus": found.status,
        **({"StackStatusReason": reason} if reason else {}),
        "DisableRollback": False,
        "NotificationARNs": [],
        "Capabilities": list(capabilities),
        "Outputs": [
            {
                "OutputKey": name,
                "OutputValue": value,
                **({"Description": text} if (text := declared[name].get("Description")) else {}),
            }
            for name, value in found.outputs.items()
            if name in declared
        ],
        **({"RoleARN": found.role} if found.role else {}),
        "Tags": tags(found.asked),
        "EnableTerminationProtection": False,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }


def times(found: Stack) -> dict[str, datetime]:
    """Return when a stack was made, and last updated and deleted if it was."""
    named = {"UPDATE_IN_PROGRESS": "LastUpdatedTime", "DELETE_IN_PROGRESS": "DeletionTime"}
    of_stack = [each for each in found.events if each.resource_type == STACK_TYPE]
    later = {named[each.status]: moment(each.at) for each in of_stack if each.status in named}
    return {"CreationTime": moment(of_stack[0].at), **later}


def summary(found: Stack) -> dict[str, Any]:
    """Return one of ListStacks' summaries."""
    return {
        "StackId": found.id,
        "StackName": found.name,
        **times(found),
        "StackStatus": found.status,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }


def event(found: Stack, number: int, happened: Event) -> dict[str, Any]:
    """Return one of DescribeStackEvents' events."""
    identifier = (
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"{found.id}/{number}"))
        if happened.resource_type == STACK_TYPE
        else f"{happened.logical_id}-{happened.status}-{moment(happened.at).isoformat()}-{number}"
    )
    return {
        "StackId": found.id,
        "EventId": identifier,
        "StackName": found.name,
        "LogicalResourceId": happened.logical_id,
        "PhysicalResourceId": happened.physical_id,
        "ResourceType": happened.resource_type,
        "Timestamp": moment(happened.at),
        "ResourceStatus": happened.status,
        **({"ResourceStatusReason": happened.reason} if happened.reason else {}),
        **({"ClientRequestToken": happened.token} if happened.token else {}),
    }


def resources(found: Stack, timestamp: str) -> list[dict[str, Any]]:
    """Return each resource as it was last heard of; those that are gone, too, as AWS does."""
    last = {e.logical_id: e for e in list(found.events) if e.resource_type != STACK_TYPE}
    return [
        {
            "LogicalResourceId": each.logical_id,
            **({"PhysicalResourceId": each.physical_id} if each.physical_id else {}),
            "ResourceType": each.resource_type,
            timestamp: moment(each.at),
            "ResourceStatus": each.status,
            **({"ResourceStatusReason": each.reason} if each.reason else {}),
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        }
        for each in last.values()
    ]


def change_set(found: ChangeSet, now: float) -> dict[str, Any]:
    """Return DescribeChangeSet's answer; a change set takes a moment to be made."""
    return {
        **change_set_summary(found, now),
        "Parameters": parameters(found.asked),
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": list(found.capabilities),
        "Tags": tags(found.asked),
        "Changes": [] if now < found.made + _SPREAD else found.changes,
    }


def change_set_summary(found: ChangeSet, now: float) -> dict[str, Any]:
    """Return one of ListChangeSets' summaries."""
    status, execution = change_set_status(found, now)
    return {
        "ChangeSetName": found.name,
        "ChangeSetId": found.id,
        "StackId": found.stack.id,
        "StackName": found.stack.name,
        **({"Description": found.description} if found.description else {}),
        "CreationTime": moment(found.made),
        "ExecutionStatus": execution,
        "Status": status,
        **({"StatusReason": found.reason} if found.reason and status == "FAILED" else {}),
    }


def change_set_status(found: ChangeSet, now: float) -> tuple[str, str]:
    """Return a change set's status, and whether it can be executed."""
    if now < found.made + _SPREAD:
        return "CREATE_IN_PROGRESS", "UNAVAILABLE"
    if found.reason:
        return "FAILED", "UNAVAILABLE"
    return "CREATE_COMPLETE", "AVAILABLE" if found.executed is None else _execution(found)


def _execution(found: ChangeSet) -> str:
    """Return how the operation goes, or went, that executes a change set."""
    own = (e.status for e in found.stack.events[found.executed :] if e.resource_type == STACK_TYPE)
    ended = next((each for each in own if not each.endswith("_IN_PROGRESS")), "")
    if not ended:
        return "EXECUTE_IN_PROGRESS"
    succeeded = ended in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    return "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"


def parameters(asked: Asked) -> list[dict[str, str]]:
    """Return each parameter with its value; of a NoEcho parameter there are stars."""
    declared = asked.template.get("Parameters", {})
    return [
        {
            "ParameterKey": name,
            "ParameterValue": "****" if _hidden(declared[name]) else value,
        }
        for name, value in values(asked).items()
    ]


def tags(asked: Asked) -> list[dict[str, str]]:
    """Return a stack's tags."""
    return [{"Key": key, "Value": value} for key, value in asked.tags.items()]


def template_summary(asked: Asked) -> dict[str, Any]:
    """Return GetTemplateSummary's answer."""
    template = asked.template
    metadata = template.get("Metadata")
    return {
        "Parameters": [
            {
                "ParameterKey": name,
                "ParameterType": each["Type"],
                **({"DefaultValue": str(each["Default"])} if "Default" in each else {}),
                "NoEcho": _hidden(each),
                **({"Description": each["Description"]} if "Description" in each else {}),
                "ParameterConstraints": (
                    {"AllowedValues": each["AllowedValues"]} if "AllowedValues" in each else {}
                ),
            }
            for name, each in template.get("Parameters", {}).items()
        ],
        **_described(asked),
        **_needed(asked),
        "ResourceTypes": sorted({each["Type"] for each in template["Resources"].values()}),
        "Version": template.get("AWSTemplateFormatVersion", "2010-09-09"),
        **({"Metadata": json.dumps(metadata)} if metadata else {}),
    }


def validated(asked: Asked) -> dict[str, Any]:
    """Return ValidateTemplate's answer."""
    shown = ("ParameterKey", "DefaultValue", "NoEcho", "Description")
    found = [
        {name: each[name] for name in shown if name in each}
        for each in template_summary(asked)["Parameters"]
    ]
    return {"Parameters": found, **_described(asked), **_needed(asked)}


def _described(asked: Asked) -> dict[str, str]:
    text = asked.template.get("Description")
    return {"Description": text} if text else {}


def _needed(asked: Asked) -> dict[str, Any]:
    """Return which capabilities a template needs; a name that a condition gives counts."""
    roles = {k: v for k, v in asked.template["Resources"].items() if v["Type"] == ROLE_TYPE}
    if not roles:
        return {}
    named = any("RoleName" in each.get("Properties", {}) for each in roles.values())
    return {
        "Capabilities": ["CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"],
        "CapabilitiesReason": f"The following resource(s) require capabilities: [{ROLE_TYPE}]",
    }


def _hidden(declared: Mapping[str, Any]) -> bool:
    return str(declared.get("NoEcho", "false")).lower() == "true"


def parsed(body: str) -> Asked:
    """Return a template without values for its parameters. Raises Refused."""
    asked = Asked(body, {})
    try:
        template = asked.template
    except ValueError as error:
        raise Refused("ValidationError", "Template format error: JSON not well-formed.") from error
    check_shape(template)
    return asked
