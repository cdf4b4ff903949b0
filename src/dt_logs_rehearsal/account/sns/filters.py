"""Filter policies of SNS subscriptions: check them as SNS does, and apply them to messages.

[SNS guide, subscription-filter-policy-constraints.html and string-value-matching.md]
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dt_logs_rehearsal.account.errors import Refused

_KNOWN = frozenset(("prefix", "suffix", "anything-but", "equals-ignore-case", "exists", "numeric"))
_OR = "$or"  # [localstack tests/aws/services/sns/test_sns_filter_policy]


def check(text: str, scope: str) -> None:
    """Raise ValueError or Refused, with SNS's message, unless SNS accepts the filter policy.

    SNS accepts at most 5 top-level keys and 150 combinations. An array counts as its number of
    values times its depth; the counts of arrays are multiplied, and those of `$or` alternatives are
    added. [localstack tests/aws/services/sns/test_sns_filter_policy]
    """
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise ValueError("failed to parse JSON.")
    if len(policy) > 5:
        raise ValueError("Filter policy can not have more than 5 keys")
    if _combinations(policy, scope, 1) > 150:
        raise ValueError("Filter policy is too complex")


def _combinations(policy: Mapping[str, Any], scope: str, depth: int) -> int:
    """Check a policy's elements, and return the number of its combinations."""
    count = 1
    for key, value in policy.items():
        if key == _OR and isinstance(value, list) and all(isinstance(e, dict) for e in value):
            count *= sum(_combinations(each, scope, depth) for each in value)
        elif isinstance(value, list):
            if not value:
                raise ValueError("Empty arrays are not allowed")
            for rule in value:
                _check_rule(rule)
            count *= len(value) * depth
        elif not isinstance(value, dict):
            raise ValueError(f'"{key}" must be an object or an array')
        elif scope != "MessageBody":
            raise Refused(
                "InvalidParameter",
                "Invalid parameter: Filter policy scope MessageAttributes does not support nested"
                " filter policy",
            )
        else:
            count *= _combinations(value, scope, depth + 1)
    return count


def _check_rule(rule: Any) -> None:
    if rule is None or isinstance(rule, str | bool | int | float):
        return
    if not isinstance(rule, dict):
        raise ValueError("Match value must be String, number, true, false, or null")
    if len(rule) != 1:
        raise ValueError("Only one key allowed in match expression")
    if not rule.keys() <= _KNOWN:
        raise ValueError(f"Unrecognized match type {next(iter(rule))}")


def passes(attributes: Mapping[str, str], message: Mapping[str, Any]) -> bool:
    """Return whether a subscription's filter lets one of S3's messages through.

    S3 does not send message attributes, so a filter on attributes blocks every message.
    """
    if "FilterPolicy" not in attributes:
        return True
    by_body = attributes.get("FilterPolicyScope") == "MessageBody"
    policy = json.loads(attributes["FilterPolicy"])
    return _matches(policy, [message] if by_body else [{}])


def _matches(policy: Mapping[str, Any], bodies: list[Mapping[str, Any]]) -> bool:
    """Return whether every key matches; one matching element of a message's array is enough."""
    for key, wanted in policy.items():
        if key == _OR and all(isinstance(each, dict) for each in wanted):
            if not any(_matches(each, bodies) for each in wanted):
                return False
            continue
        found = [each for body in bodies if key in body for each in _flat(body[key])]
        if isinstance(wanted, dict):
            if not _matches(wanted, [each for each in found if isinstance(each, dict)]):
                return False
        elif not any(_rule(rule, found) for rule in wanted):
            return False
    return True


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _rule(rule: Any, found: list[Any]) -> bool:
    """Return whether a value or prefix matches; SNS's other operators are not emulated."""
    if not isinstance(rule, dict):
        return any(
            each == rule and isinstance(each, bool) == isinstance(rule, bool) for each in found
        )
    ((name, wanted),) = rule.items()
    if name != "prefix":
        raise NotImplementedError(f"filter policies with {name!r}")
    return any(isinstance(each, str) and each.startswith(wanted) for each in found)
