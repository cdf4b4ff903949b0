"""Judge, as far as possible, whether a bucket's policy allows or denies a call; pure."""

import json

from dt_logs_handler.documents import Json, parsed, statements
from dt_logs_handler.usable import Caller, delivery, denying

_JUDGED = frozenset(
    (
        *("bool", "null", "stringequals", "stringequalsignorecase", "stringlike"),
        *("stringnotequals", "stringnotlike"),
        *("arnequals", "arnlike", "arnnotequals", "arnnotlike"),
        *("ipaddress", "notipaddress"),
    )
)


def allows(policy: str | None, caller: Caller | None, action: str, resource: str) -> bool:
    """Return whether a statement certainly allows a caller's call.

    Without a caller, it ignores the statements' principals and conditions. The handler judges each
    Allow as if it were a Deny, because both match a call in the same way.
    """
    turned: list[Json] = []
    for each in statements(parsed(policy)) if policy else ():
        if each.get("Effect") == "Allow":
            form = {**each, "Effect": "Deny"}
            if caller is None:
                form = {k: v for k, v in form.items() if k not in ("Condition", "NotPrincipal")}
                form["Principal"] = "*"
            turned.append(form)
    text = json.dumps({"Statement": turned})
    return denying(text, caller or delivery(), action, resource) is not None


def may_deny(policy: str | None, caller: Caller, action: str, resource: str) -> str | None:
    """Name a statement that denies the call under a condition that we cannot judge."""
    for number, each in enumerate(statements(parsed(policy)) if policy else (), 1):
        if each.get("Effect") == "Deny" and not _judged_condition(each.get("Condition"), caller):
            bare = {name: value for name, value in each.items() if name != "Condition"}
            if denying(json.dumps({"Statement": [bare]}), caller, action, resource):
                return str(each.get("Sid") or f"number {number}")
    return None


def _judged_condition(condition: Json, caller: Caller) -> bool:
    """Return whether the handler can judge each key and operator of a condition."""
    return not isinstance(condition, dict) or all(
        key.lower() in caller.context and operator.lower().removesuffix("ifexists") in _JUDGED
        for operator, keys in condition.items()
        if isinstance(keys, dict)
        for key in keys
    )
