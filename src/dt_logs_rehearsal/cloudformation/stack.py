"""Stacks as data: what CloudFormation keeps of one, and what it refuses before it begins."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dt_logs_cfn.release.build import TEMPLATE_LIMIT
from dt_logs_cfn.template.declared import accepts, complete, declared
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation.template_shape import check_shape, names

ROLE_TYPE = "AWS::IAM::Role"


@dataclass(frozen=True)
class Made:
    """A resource that exists: its physical id, what it was made with, and its attributes."""

    physical_id: str
    properties: Mapping[str, Any]
    attributes: Mapping[str, Any]


class Given(dict[str, Any]):
    """A resource's properties; one that it has to have and has not fails it. Raises Refused."""

    def __missing__(self, key: str) -> Any:
        raise Refused(
            "InvalidRequest",
            f"Properties validation failed with message: [#: required key [{key}] not found]",
        )


@dataclass(frozen=True)
class Asked:
    """What somebody asks a stack to be: a template, values for its parameters, and tags."""

    body: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str] = field(default_factory=dict)
    limit: int = TEMPLATE_LIMIT  # bytes of the body; more by URL

    @property
    def template(self) -> Mapping[str, Any]:
        """The template as data."""
        found: Mapping[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Event:
    """What happened to a resource of a stack, or to it; `at` in seconds since 1970."""

    at: float
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str
    token: str = ""  # the ClientRequestToken of the operation that it belongs to


@dataclass
class Stack:
    """A stack, its resources by logical id, and through which role it is run, for good.

    `tried` is what it was last asked to be, `asked` what it has become, or goes back to.
    """

    name: str
    id: str
    asked: Asked
    role: str  # its ARN; empty for whoever calls
    caller: str = ""  # the ARN of the role that calls, where there is no other
    status: str = ""
    events: list[Event] = field(default_factory=list)
    resources: dict[str, Made] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    tried: Asked | None = None
    token: str = ""  # of the operation that is going on, or was the last
    tokens: dict[str, str] = field(default_factory=dict)  # to what each was given

    @property
    def acting(self) -> str:
        """The ARN of the role under which CloudFormation acts; empty for an administrator."""
        return self.role or self.caller

    def resolved(self, asked: Asked, place: tuple[str, str, str]) -> ResolvedTemplate:
        """Return the template with everything that exists filled in; `place` as intrinsics has."""
        made = {
            name: {"Ref": each.physical_id, **each.attributes}
            for name, each in self.resources.items()
        }
        return ResolvedTemplate(
            asked.template, asked.parameters, *place, made, {"AWS::StackName": self.name}
        )


def check(asked: Asked, capabilities: Sequence[str]) -> None:
    """Refuse what CloudFormation refuses before it makes anything. Raises Refused.

    [botocore, CreateStack: TemplateBody, Capabilities; the texts are unverified]
    """
    if len(asked.body.encode()) > asked.limit:
        raise _invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint:"
            f" Member must have length less than or equal to {asked.limit}"
        )
    try:
        template = asked.template
    except ValueError as error:
        raise _invalid("Template format error: JSON not well-formed.") from error
    check_shape(template)
    unknown = set(asked.parameters) - set(template.get("Parameters", {}))
    if unknown:
        raise _invalid(f"Parameters: [{', '.join(sorted(unknown))}] do not exist in the template")
    missing = [
        name
        for name, each in template.get("Parameters", {}).items()
        if "Default" not in each and name not in asked.parameters
    ]
    if missing:
        raise _invalid(f"Parameters: [{', '.join(missing)}] must have values")
    stack = ResolvedTemplate(template, asked.parameters)
    values = complete(template, asked.parameters, {})
    try:
        refusals = [
            str(each.get("ConstraintDescription", f"{name} does not take this value"))
            for name, each in declared(template).items()
            if not accepts(each, values[name])
        ]
        stack.value([template["Resources"], template.get("Outputs", {})])
    except KeyError as error:
        raise Refused("NotImplemented", f"{error.args[0]} is not emulated", 501) from error
    if refusals:
        raise _invalid("; ".join(refusals))
    _check_capabilities(asked, template["Resources"], capabilities)


def _check_capabilities(
    asked: Asked, resources: Mapping[str, Any], capabilities: Sequence[str]
) -> None:
    roles = [name for name, each in resources.items() if each["Type"] == ROLE_TYPE]
    stack = ResolvedTemplate(asked.template, asked.parameters)
    named = any("RoleName" in stack.properties(name) for name in roles)
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if roles and needed not in capabilities and "CAPABILITY_NAMED_IAM" not in capabilities:
        raise Refused(
            "InsufficientCapabilitiesException",
            f"Requires capabilities : [{needed}]",
            Type="Sender",
        )


def _invalid(text: str) -> Refused:
    return Refused("ValidationError", text, Type="Sender")


def in_order(template: Mapping[str, Any]) -> list[str]:
    """Return the logical ids, each after those that it refers to."""
    resources = template["Resources"]
    ordered: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise _invalid(f"Circular dependency between resources: [{', '.join(path)}]")
        if name in ordered:
            return
        for other in names(resources[name]):
            if other in resources:
                visit(other, (*path, name))
        ordered.append(name)

    for name in resources:
        visit(name, ())
    return ordered


def as_texts(value: Any) -> Any:
    """Return a custom resource's properties as CloudFormation sends them: all values are texts."""
    match value:
        case dict():
            return {key: as_texts(each) for key, each in value.items()}
        case list():
            return [as_texts(each) for each in value]
        case bool():
            return str(value).lower()
        case _:
            return str(value)
