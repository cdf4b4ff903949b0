"""The operators of a policy's Condition block.

The values of a key are alternatives; all keys and operators must match. If the request lacks a key,
only negated operators, ...IfExists, Null and ForAllValues can match [IAM reference,
reference_policies_elements_condition_operators.md].
"""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import lru_cache
from ipaddress import ip_address, ip_network

Context = Mapping[str, str | tuple[str, ...]]
Test = Callable[[str, str], bool]


@lru_cache(maxsize=65536)
def glob(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile a pattern with IAM's wildcards; `${*}`, `${?}` and `${$}` match `*`, `?` and `$`."""
    parts = re.split(r"(\$\{[*?$]\}|[*?])", pattern)
    wild = {"*": ".*", "?": "."}
    text = "".join(wild.get(each, re.escape(_plain(each))) for each in parts)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@lru_cache(maxsize=65536)
def _like(actual: str, wanted: str) -> bool:
    return glob(wanted).fullmatch(actual) is not None


@lru_cache(maxsize=65536)
def _arn_like(actual: str, wanted: str) -> bool:
    """Match ARNs part by part: a wildcard does not match any of the first five colons."""
    have, want = actual.split(":", 5), wanted.split(":", 5)
    return len(have) == len(want) == 6 and all(map(_like, have, want))


def _plain(text: str) -> str:
    """Return a value without its escapes: `${*}` means `*`, even in StringEquals."""
    return re.sub(r"\$\{([*?$])\}", r"\1", text)


def _instant(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _ordered(value: Callable[[str], float], compare: Callable[[float, float], bool]) -> Test:
    return lambda actual, wanted: compare(value(actual), value(wanted))


_ORDERS = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}
_TESTS: dict[str, Test] = {
    "StringEquals": lambda actual, wanted: actual == _plain(wanted),
    "StringEqualsIgnoreCase": lambda actual, wanted: actual.lower() == _plain(wanted).lower(),
    "StringLike": _like,
    "ArnEquals": _arn_like,  # the same as ArnLike
    "ArnLike": _arn_like,
    "Bool": lambda actual, wanted: actual.lower() == wanted.lower(),
    "BinaryEquals": operator.eq,
    "IpAddress": lambda actual, wanted: ip_address(actual) in ip_network(wanted, strict=False),
    **{f"Numeric{name}": _ordered(float, compare) for name, compare in _ORDERS.items()},
    **{f"Date{name}": _ordered(_instant, compare) for name, compare in _ORDERS.items()},
}
_NEGATED = {
    "NotIpAddress": "IpAddress",
    **{
        each.replace("Equals", "NotEquals").replace("Like", "NotLike"): each
        for each in (
            *("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"),
            *("NumericEquals", "DateEquals"),
        )
    },
}


def is_operator(name: str) -> bool:
    """Return whether a name is one of IAM's condition operators, with or without modifiers."""
    _, plain, _ = _taken_apart(name)
    return plain == "Null" or plain in _TESTS or plain in _NEGATED


def holds(name: str, key: str, wanted: tuple[str, ...], context: Context) -> bool:
    """Return whether the context, with keys in lower case, satisfies an operator on a key."""
    quantifier, plain, if_exists = _taken_apart(name)
    found = context.get(key.lower())
    values = (found,) if isinstance(found, str) else found
    if plain == "Null":
        return (values is None) == (wanted[0].lower() == "true")
    negated = plain in _NEGATED
    if values is None:
        return if_exists or quantifier == "ForAllValues" or (negated and not quantifier)
    test = _TESTS[_NEGATED.get(plain, plain)]
    matches = [any(test(value, each) for each in wanted) != negated for value in values]
    every = quantifier == "ForAllValues" or (negated and not quantifier)
    return all(matches) if every else any(matches)


def _taken_apart(name: str) -> tuple[str, str, bool]:
    """Return a name's quantifier and operator, and whether the name ends in IfExists."""
    quantifier, _, plain = name.rpartition(":")
    return quantifier, plain.removesuffix("IfExists"), plain.endswith("IfExists")
