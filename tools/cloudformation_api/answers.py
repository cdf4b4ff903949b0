"""Build CloudFormation's answers about stacks, events, resources and change sets."""

from __future__ import annotations

import uuid
from typing import Any

from cloudformation_api.change_sets import ChangeSet
from dt_logs_rehearsal.account.world import moment, present
from dt_logs_rehearsal.cloudformation.stack import STACK_TYPE, Asked, Stack
from dt_logs_rehearsal.report.data import StackEvent


def stack(found: Stack) -> dict[str, Any]:
    """Return a stack as DescribeStacks does. Drift, policies and protection are not emulated."""
    own = [each for each in found.events if each.resource_type == STACK_TYPE]
    declared = found.asked.template.get("Outputs", {})
    return {
        **summary(found),
        **present(
            Description=found.asked.template.get("Description"),
            StackStatusReason=own[-1].reason if own else "",
            RoleARN=found.role,
        ),
        "Parameters": found.asked.described(),
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
        "Tags": _tags(found.asked),
        "EnableTerminationProtection": False,
    }


def summary(found: Stack) -> dict[str, Any]:
    """Return a summary as ListStacks does."""
    return {**found.described(), "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"}}


def _tags(asked: Asked) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in asked.tags.items()]


def event(found: Stack, number: int, happened: StackEvent) -> dict[str, Any]:
    """Return an event as DescribeStackEvents does."""
    identifier = (
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"{found.id}/{number}"))
        if happened.resource_type == STACK_TYPE
        else f"{happened.logical_id}-{happened.status}-{moment(happened.at).isoformat()}-{number}"
    )
    return {
        "StackId": found.id,
        "EventId": identifier,
        "StackName": found.name,
        "PhysicalResourceId": happened.physical_id,
        **_resource(happened, "Timestamp"),
        **present(ClientRequestToken=happened.token),
    }


def resources(found: Stack, timestamp: str) -> list[dict[str, Any]]:
    """Return each resource's last state. As on AWS, the list includes deleted resources."""
    last = {e.logical_id: e for e in list(found.events) if e.resource_type != STACK_TYPE}
    return [
        {
            **present(PhysicalResourceId=each.physical_id),
            **_resource(each, timestamp),
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        }
        for each in last.values()
    ]


def _resource(happened: StackEvent, timestamp: str) -> dict[str, Any]:
    return {
        "LogicalResourceId": happened.logical_id,
        "ResourceType": happened.resource_type,
        timestamp: moment(happened.at),
        "ResourceStatus": happened.status,
        **present(ResourceStatusReason=happened.reason),
    }


def change_set(found: ChangeSet, now: float) -> dict[str, Any]:
    """Return DescribeChangeSet's answer, without changes while the change set is being created."""
    made = found.status(now)[0] != "CREATE_IN_PROGRESS"
    return {
        **change_set_summary(found, now),
        "Parameters": found.asked.described(),
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": list(found.capabilities),
        "Tags": _tags(found.asked),
        "Changes": found.changes if made else [],
    }


def change_set_summary(found: ChangeSet, now: float) -> dict[str, Any]:
    """Return a summary as ListChangeSets does."""
    status, execution = found.status(now)
    return {
        "ChangeSetName": found.name,
        "ChangeSetId": found.id,
        "StackId": found.stack.id,
        "StackName": found.stack.name,
        "CreationTime": moment(found.made),
        "ExecutionStatus": execution,
        "Status": status,
        **present(
            Description=found.description,
            StatusReason=found.reason if status == "FAILED" else "",
        ),
    }
