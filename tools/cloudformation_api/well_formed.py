"""Reject text that is not a valid CloudFormation template.

The error messages come from users' reports. They are unverified, except where a recording is named.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dt_logs_cfn.release.build import TEMPLATE_LIMIT
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation.templates import invalid, is_emulated, references


def check_template(body: str) -> None:
    """Refuse a template that is malformed or too long to be sent directly. Raises Refused.

    [botocore, CreateStack: TemplateBody; JSON errors: localstack
    tests/aws/services/cloudformation/api/test_templates]
    """
    if len(body.encode()) > TEMPLATE_LIMIT:
        raise invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint:"
            f" Member must have length less than or equal to {TEMPLATE_LIMIT}"
        )
    try:
        template = json.loads(body)
    except json.JSONDecodeError as error:
        # The column that AWS reports is the one after the wrong character.
        where = f"line {error.lineno}, column {error.colno + 1}"
        raise _malformed(f"JSON not well-formed. ({where})") from error
    _check_shape(template)


def _malformed(text: str) -> Refused:
    return invalid(f"Template format error: {text}")


def _check_shape(template: Any) -> None:
    """Refuse data that is not a template or that refers to something outside it. Raises Refused.

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
        named = {*references(template.get(block, {}))} - known
        unknown = ", ".join(sorted(each for each in named if not each.startswith("AWS::")))
        if unknown:
            text = f"Unresolved resource dependencies [{unknown}] in the {block} block of the"
            raise _malformed(f"{text} template")


def _section(template: Mapping[str, Any], name: str, key: str) -> bool:
    """Refuse a section if a member lacks a key; return whether the section has members."""
    found = template.get(name, {})
    if not isinstance(found, dict):
        raise _malformed(f"{name} is not an object.")
    for member, each in found.items():
        if not isinstance(each, dict) or (key != "Value" and not isinstance(each.get(key), str)):
            raise _malformed(f"[/{name}/{member}] 'null' values are not allowed in templates")
        if key not in each:
            raise _malformed(f"Every {name} object must contain a {key} member.")
    return bool(found)
