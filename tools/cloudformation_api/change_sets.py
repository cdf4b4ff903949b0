"""Change sets as data: the changes that an update would make to a stack's resources.

Not emulated: evaluation of values that are known only after the update ("Dynamic"), nested stacks,
imports, property values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dt_logs_rehearsal.cloudformation.resource_types import create_only
from dt_logs_rehearsal.cloudformation.stack import STACK_TYPE, Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import in_order

_SPREAD = 1.0  # seconds until a change set is created


@dataclass
class ChangeSet:
    """A stack's requested state, and the changes to reach it.

    `made` is the time of the request, in seconds since 1970. `reason` says why the change set
    failed, and is empty otherwise.
    """

    name: str
    id: str
    stack: Stack
    asked: Asked
    role: str
    creates: bool
    capabilities: tuple[str, ...]
    description: str
    made: float
    changes: list[dict[str, Any]]
    reason: str
    token: str
    executed: int | None = None  # once executed: how many events the stack had before

    def status(self, now: float) -> tuple[str, str]:
        """Return the status and the execution status."""
        if now < self.made + _SPREAD:
            return "CREATE_IN_PROGRESS", "UNAVAILABLE"
        if self.reason:
            return "FAILED", "UNAVAILABLE"
        return "CREATE_COMPLETE", "AVAILABLE" if self.executed is None else self._execution()

    def _execution(self) -> str:
        """Return the state of the operation that executes the change set."""
        events = self.stack.events[self.executed :]
        own = (each.status for each in events if each.resource_type == STACK_TYPE)
        ended = next((each for each in own if not each.endswith("_IN_PROGRESS")), "")
        if not ended:
            return "EXECUTE_IN_PROGRESS"
        succeeded = ended in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        return "EXECUTE_COMPLETE" if succeeded else "EXECUTE_FAILED"


def changes(stack: Stack, asked: Asked, place: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return the changes to a stack's resources, in DescribeChangeSet's form."""
    resolved, resources = stack.resolved(asked, place), asked.template["Resources"]
    found = []
    wanted = in_order(resolved)
    for logical in wanted:
        kind, made = resources[logical]["Type"], stack.resources.get(logical)
        if made is None:
            found.append(_change("Add", logical, kind))
            continue
        given = resolved.properties(logical)
        names = [n for n in {**made.properties, **given} if made.properties.get(n) != given.get(n)]
        if names:
            of_kind = create_only(kind)
            details = [each for n in names for each in _details(stack, asked, logical, n, of_kind)]
            change = _change("Modify", logical, kind, made.physical_id)
            change["Replacement"] = str(any(name in of_kind for name in names))
            found.append({**change, "Scope": ["Properties"], "Details": details})
    for logical, made in stack.resources.items():
        if logical not in wanted:
            kind = stack.asked.template["Resources"][logical]["Type"]
            found.append(_change("Remove", logical, kind, made.physical_id))
    return [{"Type": "Resource", "ResourceChange": each} for each in found]


def unchanged(stack: Stack, asked: Asked, changed: list[dict[str, Any]]) -> bool:
    """Return whether an update would leave resources, outputs and tags unchanged."""
    old, new = stack.asked, asked
    same = old.template.get("Outputs") == new.template.get("Outputs") and old.tags == new.tags
    return not changed and same


def _change(action: str, logical: str, kind: str, physical: str = "") -> dict[str, Any]:
    known = {"PhysicalResourceId": physical} if physical else {}
    return {"Action": action, "LogicalResourceId": logical, **known, "ResourceType": kind}


def _details(
    stack: Stack, asked: Asked, logical: str, name: str, create_only: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Yield the causes of a property's change: changed parameters, its changed text, or both."""
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
