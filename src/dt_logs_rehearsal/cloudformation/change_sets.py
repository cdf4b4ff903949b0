"""Change sets as data: what an update would change in a stack, resource by resource.

Not emulated: evaluation of what is known only afterwards ("Dynamic"), nested stacks, imports,
property values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import in_order

# [CloudFormation registry schemas, createOnlyProperties]; of custom resources, their guide
_CREATE_ONLY: Mapping[str, tuple[str, ...]] = {
    "AWS::IAM::Role": ("Path", "RoleName"),
    "AWS::Lambda::Function": ("FunctionName", "PackageType"),
    "AWS::Logs::LogGroup": ("LogGroupName",),
}
_CREATE_ONLY_OF_CUSTOM = ("ServiceToken",)


def changes(stack: Stack, asked: Asked, place: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return the changes to a stack's resources, as DescribeChangeSet has them."""
    resolved, resources = stack.resolved(asked, place), asked.template["Resources"]
    found = []
    for logical in in_order(asked.template):
        kind, made = resources[logical]["Type"], stack.resources.get(logical)
        if made is None:
            found.append(_change("Add", logical, kind))
            continue
        given = resolved.properties(logical)
        names = [n for n in {**made.properties, **given} if made.properties.get(n) != given.get(n)]
        if names:
            of_kind = _CREATE_ONLY.get(kind, _CREATE_ONLY_OF_CUSTOM)
            details = [each for n in names for each in _details(stack, asked, logical, n, of_kind)]
            change = _change("Modify", logical, kind, made.physical_id)
            change["Replacement"] = str(any(name in of_kind for name in names))
            found.append({**change, "Scope": ["Properties"], "Details": details})
    for logical, made in stack.resources.items():
        if logical not in resources:
            kind = stack.asked.template["Resources"][logical]["Type"]
            found.append(_change("Remove", logical, kind, made.physical_id))
    return [{"Type": "Resource", "ResourceChange": each} for each in found]


def replaces(changed: list[dict[str, Any]]) -> bool:
    """Tell whether a resource would be replaced."""
    return any(each["ResourceChange"].get("Replacement") == "True" for each in changed)


def unchanged(stack: Stack, asked: Asked, changed: list[dict[str, Any]]) -> bool:
    """Tell whether an update would do nothing: resources, outputs and tags stay as they are."""
    old, new = stack.asked, asked
    same = old.template.get("Outputs") == new.template.get("Outputs") and old.tags == new.tags
    return not changed and same


def _change(action: str, logical: str, kind: str, physical: str = "") -> dict[str, Any]:
    known = {"PhysicalResourceId": physical} if physical else {}
    return {"Action": action, "LogicalResourceId": logical, **known, "ResourceType": kind}


def _details(
    stack: Stack, asked: Asked, logical: str, name: str, create_only: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Yield why a property changes: each changed parameter that it refers to, or its own text."""
    target = {
        "Attribute": "Properties",
        "Name": name,
        "RequiresRecreation": "Always" if name in create_only else "Never",
    }
    parts = [
        each.template["Resources"][logical].get("Properties", {}).get(name)
        for each in (stack.asked, asked)
    ]
    static, text = {"Target": target, "Evaluation": "Static"}, json.dumps(parts[1])
    changed = [k for k, value in asked.values.items() if stack.asked.values.get(k) != value]
    causes = [each for each in changed if re.search(rf"\b{each}\b", text)]
    for cause in causes:
        yield {**static, "ChangeSource": "ParameterReference", "CausingEntity": cause}
    if parts[0] != parts[1] or not causes:
        yield {**static, "ChangeSource": "DirectModification"}
