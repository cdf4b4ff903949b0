"""Check a request as CloudFormation does before an operation, and order a stack's resources.

The error messages come from users' reports and are unverified. This module does not refuse
malformed templates, because a rehearsal runs only our templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dt_logs_cfn.template.intrinsics import ResolvedTemplate, accepts
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation.resource_types import TYPES
from dt_logs_rehearsal.cloudformation.stack import Asked

ROLE_TYPE = "AWS::IAM::Role"
_CUSTOM = ("AWS::CloudFormation::CustomResource", "Custom::")


def is_emulated(kind: str) -> bool:
    """Return whether resources of a type are emulated."""
    return kind in TYPES or kind.startswith(_CUSTOM)


def invalid(text: str) -> Refused:
    """Return a ValidationError, with which CloudFormation refuses most invalid requests."""
    return Refused("ValidationError", text, Type="Sender")


def check(asked: Asked, capabilities: Sequence[str]) -> None:
    """Check a request's parameters and capabilities; the template must be well formed.

    Raises Refused. [botocore, CreateStack: Capabilities]
    """
    template = asked.template
    declared = template.get("Parameters", {})
    if unknown := sorted(asked.parameters.keys() - declared.keys()):
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [k for k in declared.keys() - asked.parameters.keys() if "Default" not in declared[k]]
    if missing:
        raise invalid(f"Parameters: [{', '.join(sorted(missing))}] must have values")
    stack = ResolvedTemplate(template, asked.parameters, pseudo={"AWS::StackId": ""})
    try:
        refusals = [
            str(each.get("ConstraintDescription", f"{name} does not take this value"))
            for name, each in declared.items()
            if not accepts(each, asked.values[name])
        ]
        stack.value([template["Resources"], template.get("Outputs", {})])
    except KeyError as error:
        raise Refused("NotImplemented", f"{error.args[0]} is not emulated", 501) from error
    if refusals:
        raise invalid("; ".join(refusals))
    _check_capabilities(stack, capabilities)


def _check_capabilities(stack: ResolvedTemplate, capabilities: Sequence[str]) -> None:
    roles = [k for k, each in stack.template["Resources"].items() if each["Type"] == ROLE_TYPE]
    named = any("RoleName" in stack.properties(name) for name in roles)
    needed = "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"
    if roles and not {needed, "CAPABILITY_NAMED_IAM"}.intersection(capabilities):
        text = f"Requires capabilities : [{needed}]"
        raise Refused("InsufficientCapabilitiesException", text, Type="Sender")


def references(node: object) -> Iterator[str]:
    """Yield the names of resources and parameters to which a part of a template refers."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        match key, value:
            case (("Ref" | "DependsOn"), str()):
                yield value
            case "Fn::GetAtt", [str() as name, _]:
                yield name
            case "DependsOn", list():
                yield from value
            case "Fn::Sub", str() | [str(), dict()]:
                text, values = (value, {}) if isinstance(value, str) else value
                named = (each.partition(".")[0] for each in re.findall(r"\$\{([^!}]+)\}", text))
                yield from (each for each in named if each not in values)
                yield from references(values)
            case _:
                yield from references(value)


def in_order(stack: ResolvedTemplate) -> list[str]:
    """Return the IDs of the resources to create, each after the resources to which it refers.

    Raises Refused for a circular dependency.
    """
    resources = stack.template["Resources"]
    ordered: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise invalid(f"Circular dependency between resources: [{', '.join(path)}]")
        if name in ordered:
            return
        for other in references(resources[name]):
            if other in resources:
                visit(other, (*path, name))
        ordered.append(name)

    for name in resources:
        visit(name, ())
    return [name for name in ordered if stack.has(name)]
