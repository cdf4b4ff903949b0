"""Refuse what CloudFormation refuses of a template and parameters before it creates anything.

The texts are those that its users quote, unverified, but where a recording is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dt_logs_cfn.template.declared import accepts
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation.resource_types import TYPES
from dt_logs_rehearsal.cloudformation.stack import Asked

ROLE_TYPE = "AWS::IAM::Role"
_CUSTOM = ("AWS::CloudFormation::CustomResource", "Custom::")


def is_emulated(kind: str) -> bool:
    """Return whether stacks may have resources of a type."""
    return kind in TYPES or kind.startswith(_CUSTOM)


def invalid(text: str) -> Refused:
    """Return CloudFormation's error for almost everything."""
    return Refused("ValidationError", text, Type="Sender")


def _malformed(text: str) -> Refused:
    return invalid(f"Template format error: {text}")


def check(asked: Asked, capabilities: Sequence[str]) -> None:
    """Refuse what CloudFormation refuses before it creates anything. Raises Refused.

    [botocore, CreateStack: TemplateBody, Capabilities; JSON errors: localstack
    tests/aws/services/cloudformation/api/test_templates]
    """
    if len(asked.body.encode()) > asked.limit:
        raise invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint:"
            f" Member must have length less than or equal to {asked.limit}"
        )
    try:
        template = asked.template
    except json.JSONDecodeError as error:
        # AWS counts the character that is wrong as read.
        where = f"line {error.lineno}, column {error.colno + 1}"
        raise _malformed(f"JSON not well-formed. ({where})") from error
    _check_shape(template)
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


def _check_shape(template: Any) -> None:
    """Refuse what is not a template, or names what is not in it. Raises Refused.

    [CloudFormation guide, template-anatomy.md: Resources is the only required section]
    """
    if not isinstance(template, dict):
        raise _malformed("unsupported structure.")
    if not _section(template, "Resources", "Type"):
        raise _malformed("At least one Resources member must be defined.")
    _section(template, "Parameters", "Type")
    _section(template, "Outputs", "Value")
    for name, each in template["Resources"].items():
        if not isinstance(each.get("Properties", {}), dict):
            raise _malformed(f"[/Resources/{name}/Properties] 'expected type: JSONObject'")
        kind = each["Type"]
        if not is_emulated(kind):
            raise Refused("NotImplemented", f"{kind} is not emulated", 501)
    known = {*template["Resources"], *template.get("Parameters", {})}
    for block in ("Resources", "Outputs"):
        named = {*_references(template.get(block, {}))} - known
        unknown = ", ".join(sorted(each for each in named if not each.startswith("AWS::")))
        if unknown:
            text = f"Unresolved resource dependencies [{unknown}] in the {block} block of the"
            raise _malformed(f"{text} template")


def _section(template: Mapping[str, Any], name: str, key: str) -> bool:
    """Refuse a section if a member lacks a key; tell whether the section has any."""
    found = template.get(name, {})
    if not isinstance(found, dict):
        raise _malformed(f"{name} is not an object.")
    for member, each in found.items():
        if not isinstance(each, dict) or (key != "Value" and not isinstance(each.get(key), str)):
            raise _malformed(f"[/{name}/{member}] 'null' values are not allowed in templates")
        if key not in each:
            raise _malformed(f"Every {name} object must contain a {key} member.")
    return bool(found)


def _references(node: object) -> Iterator[str]:
    """Yield the names of resources and parameters that a part of a template needs."""
    if isinstance(node, list):
        for each in node:
            yield from _references(each)
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
                yield from _references(values)
            case _:
                yield from _references(value)


def in_order(stack: ResolvedTemplate) -> list[str]:
    """Return the ids of the resources that are to be, each after those that it refers to.

    Raises Refused for a circle.
    """
    resources = stack.template["Resources"]
    ordered: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise invalid(f"Circular dependency between resources: [{', '.join(path)}]")
        if name in ordered:
            return
        for other in _references(resources[name]):
            if other in resources:
                visit(other, (*path, name))
        ordered.append(name)

    for name in resources:
        visit(name, ())
    return [name for name in ordered if stack.has(name)]
