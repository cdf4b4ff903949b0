"""Statements of a customer's that shut out the vendor or Elastic Load Balancing.

Only what is certain is reported: a Deny applies if its principal, action and resource match and
each of its conditions is known to hold for a caller from outside the organisation and its
networks. A condition on anything else is taken not to hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate

from .documents import Json, Statement, listed, parsed, statements, texts


@dataclass(frozen=True)
class Caller:
    """Who calls, with the context keys that are known of it; an absent key is known to be absent.

    `principals` are all the ways in which a policy can name the caller.
    """

    kind: str  # the key under Principal: AWS or Service
    principals: tuple[str, ...]
    context: Mapping[str, str | None] = field(default_factory=dict)


def vendor(account: str, partition: str) -> Caller:
    """Return the vendor's account as a caller: not of the customer's organisation or network."""
    return Caller(
        "AWS",
        (account, f"arn:{partition}:iam::{account}:root"),
        {
            "aws:principalaccount": account,
            "aws:principalarn": f"arn:{partition}:iam::{account}:root",
            "aws:principalisawsservice": "false",
            "aws:principalorgid": "another organisation",
            "aws:securetransport": "true",
            "aws:sourcevpc": None,
            "aws:sourcevpce": None,
        },
    )


def delivery() -> Caller:
    """Return Elastic Load Balancing's log delivery as a caller."""
    name = "logdelivery.elasticloadbalancing.amazonaws.com"
    return Caller(
        "Service",
        (name,),
        {
            "aws:principalisawsservice": "true",
            "aws:principalservicename": name,
            "aws:securetransport": "true",
            "aws:sourcevpc": None,
            "aws:sourcevpce": None,
        },
    )


def denying(policy: str | None, caller: Caller, action: str, resource: str) -> str | None:
    """Name the first statement that certainly denies the call, by its Sid or its number."""
    for number, statement in enumerate(statements(parsed(policy)) if policy else (), 1):
        if (
            statement.get("Effect") == "Deny"
            and _names(statement, caller)
            and _listed(statement, "Action", action.lower(), fold=True)
            and _listed(statement, "Resource", resource)
            and _holds(statement.get("Condition"), caller.context)
        ):
            return str(statement.get("Sid") or f"number {number}")
    return None


def _names(statement: Statement, caller: Caller) -> bool:
    if "NotPrincipal" in statement:
        return not _principal(statement["NotPrincipal"], caller)
    return _principal(statement.get("Principal"), caller)


def _principal(value: Json, caller: Caller) -> bool:
    if value == "*":
        return True
    named = texts(value.get(caller.kind)) if isinstance(value, dict) else []
    return "*" in named or any(name in caller.principals for name in named)


def _listed(statement: Statement, key: str, value: str, fold: bool = False) -> bool:
    negated = f"Not{key}" in statement
    patterns = texts(statement.get(f"Not{key}" if negated else key))
    matched = any(_like(each.lower() if fold else each, value) for each in patterns)
    return matched != negated


def _like(pattern: str, value: str) -> bool:
    literal = pattern.replace("[", "[[]")
    return re.match(translate(literal), value) is not None


def _holds(condition: Json, context: Mapping[str, str | None]) -> bool:
    if not isinstance(condition, dict):
        return True
    return all(
        _operator_holds(operator, key.lower(), wanted, context)
        for operator, keys in condition.items()
        if isinstance(keys, dict)
        for key, wanted in keys.items()
    )


def _operator_holds(
    operator: str, key: str, wanted: Json, context: Mapping[str, str | None]
) -> bool:
    if key not in context or ":" in operator:  # ForAnyValue: and ForAllValues: ask for a set
        return False
    value = context[key]
    values = [str(each).lower() if isinstance(each, bool) else str(each) for each in listed(wanted)]
    name = operator.lower()
    if name == "null":
        return values == [str(value is None).lower()]
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    if value is None:
        return optional or "not" in name
    found = value
    match name:
        case "bool":
            return found in (each.lower() for each in values)
        case "stringequals" | "arnequals" | "arnlike" | "stringlike":
            return any(_like(each, found) for each in values)
        case "stringequalsignorecase":
            return found.lower() in (each.lower() for each in values)
        case "stringnotequals" | "arnnotequals" | "arnnotlike" | "stringnotlike":
            return not any(_like(each, found) for each in values)
        case _:
            return False
