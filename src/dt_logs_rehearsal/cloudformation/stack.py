"""Stacks as data: CloudFormation's record of each stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import moment
from dt_logs_rehearsal.report.data import StackEvent

STACK_TYPE = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class Made:
    """A resource that exists: its type, physical ID, properties and attributes."""

    kind: str
    physical_id: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]


class Given(dict[str, Any]):
    """A resource's properties; reading a missing one raises Refused."""

    def __missing__(self, key: str) -> Any:
        raise Refused(
            "InvalidRequest",
            f"Properties validation failed with message: [#: required key [{key}] not found]",
        )


@dataclass(frozen=True)
class Asked:
    """A request for a stack: a template, values for its parameters, and tags."""

    body: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def template(self) -> Mapping[str, Any]:
        """The template as data. Raises ValueError if the body is not JSON."""
        found: Mapping[str, Any] = json.loads(self.body)
        return found

    @property
    def values(self) -> dict[str, str]:
        """The given or default value of each parameter."""
        declared = self.template.get("Parameters", {})
        return {k: str(self.parameters.get(k, declared[k].get("Default"))) for k in declared}

    def described(self) -> list[dict[str, str]]:
        """Return each parameter with its value, or with stars for a NoEcho parameter."""
        declared = self.template.get("Parameters", {})
        hidden = {k for k, each in declared.items() if str(each.get("NoEcho")).lower() == "true"}
        return [
            {"ParameterKey": name, "ParameterValue": "****" if name in hidden else value}
            for name, value in self.values.items()
        ]


@dataclass
class Stack:
    """A stack, its resources by logical ID, and the role through which it runs.

    `asked` is the request of the last successful update or, without one, of the creation.
    """

    name: str
    id: str
    asked: Asked
    role: str  # the role's ARN; empty if the caller's permissions are used
    caller: str = ""  # the calling role's ARN, if the stack has no role
    status: str = ""
    events: list[StackEvent] = field(default_factory=list)
    resources: dict[str, Made] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    token: str = ""  # the ClientRequestToken of the current or last operation

    def described(self) -> dict[str, Any]:
        """Return the fields that DescribeStacks and ListStacks share."""
        named = {"UPDATE_IN_PROGRESS": "LastUpdatedTime", "DELETE_IN_PROGRESS": "DeletionTime"}
        own = [each for each in self.events if each.resource_type == STACK_TYPE]
        return {
            "StackId": self.id,
            "StackName": self.name,
            "CreationTime": moment(own[0].at),
            **{named[each.status]: moment(each.at) for each in own if each.status in named},
            "StackStatus": self.status,
        }

    def resolved(self, asked: Asked, place: tuple[str, str, str]) -> ResolvedTemplate:
        """Return the request's template, with parameters and existing resources filled in.

        `place` is the partition, region and account.
        """
        known = self.resources.items()
        made = {name: {"Ref": each.physical_id, **each.attributes} for name, each in known}
        pseudo = {"AWS::StackId": self.id}
        return ResolvedTemplate(asked.template, asked.parameters, *place, made, pseudo)
