"""What CloudFormation refuses of a template by its shape, before values are looked at.

The texts are those that its users quote, unverified.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dt_logs_rehearsal.account import Refused

_EMULATED = ("AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Logs::LogGroup")
_CUSTOM = ("AWS::CloudFormation::CustomResource", "Custom::")
_NO_RESOURCES = "At least one Resources member must be defined."


def check_shape(template: Any) -> None:
    """Refuse what is no template, or names what is not in it. Raises Refused.

    [CloudFormation guide, template-anatomy.md: of all sections Resources alone is required]
    """
    if not isinstance(template, dict):
        raise _invalid("unsupported structure.")
    if not _section(template, "Resources", "Type"):
        raise _invalid(_NO_RESOURCES)
    _section(template, "Parameters", "Type")
    _section(template, "Outputs", "Value")
    for name, each in template["Resources"].items():
        if not isinstance(each.get("Properties", {}), dict):
            raise _invalid(f"[/Resources/{name}/Properties] 'expected type: JSONObject'")
        kind = each["Type"]
        if kind not in _EMULATED and not kind.startswith(_CUSTOM):
            raise Refused("NotImplemented", f"{kind} is not emulated", 501)
    for block in ("Resources", "Outputs"):
        _check_names(template, block)


def _section(template: Mapping[str, Any], name: str, key: str) -> bool:
    """Refuse a section whose members lack a key; tells whether it has any."""
    found = template.get(name, {})
    if not isinstance(found, dict):
        raise _invalid(f"{name} is not an object.")
    for member, each in found.items():
        if not isinstance(each, dict) or (key != "Value" and not isinstance(each.get(key), str)):
            raise _invalid(f"[/{name}/{member}] 'null' values are not allowed in templates")
        if key not in each:
            raise _invalid(f"Every {name} object must contain a {key} member.")
    return bool(found)


def _check_names(template: Mapping[str, Any], block: str) -> None:
    known = {*template["Resources"], *template.get("Parameters", {})}
    unknown = sorted(
        each for each in {*names(template.get(block, {}))} - known if not each.startswith("AWS::")
    )
    if unknown:
        raise _invalid(
            f"Unresolved resource dependencies [{', '.join(unknown)}] in the {block} block of the"
            " template"
        )


def names(node: object) -> Iterator[str]:
    """Yield the names of resources and parameters that a part of a template needs."""
    if isinstance(node, list):
        for each in node:
            yield from names(each)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        match key, value:
            case "Ref", str():
                yield value
            case "Fn::GetAtt", [str() as name, _]:
                yield name
            case "Fn::Sub", str():
                yield from _in_text(value)
            case "Fn::Sub", [str() as text, dict() as values]:
                yield from (each for each in _in_text(text) if each not in values)
                yield from names(values)
            case "DependsOn", str():
                yield value
            case "DependsOn", list():
                yield from value
            case _:
                yield from names(value)


def _in_text(text: str) -> Iterator[str]:
    for name in re.findall(r"\$\{([^!}]+)\}", text):
        yield name.partition(".")[0]


def _invalid(text: str) -> Refused:
    return Refused("ValidationError", f"Template format error: {text}", Type="Sender")
