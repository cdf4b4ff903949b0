"""Values for a template's parameters: read from options and files, checked before AWS is asked."""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_cfn.operating.template_parameters import LONGEST_VALUE
from dt_logs_cfn.rehearsal.intrinsics import Stack, accepts

_LIMIT = 1_000_000  # bytes of a file: 200 parameters of 4,096 bytes are fewer
_FORM = (
    'Write it as the AWS CLI takes it: [{"ParameterKey": "…", "ParameterValue": "…"}], or as'
    ' {"name": "value"}.'
)


def pairs(given: list[str], option: str) -> dict[str, str]:
    """Return `KEY=VALUE` options by key. Raises UsageError."""
    found: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not key or not equals:
            raise UsageError(
                f"{option} {key[:80]!r} has no value.", f"Write it as {option} KEY=VALUE."
            )
        if key in found:
            raise UsageError(f"{option} names {key[:80]!r} twice.", "Name it once.")
        found[key] = value
    return found


def read(path: Path) -> dict[str, str]:
    """Return the values in a file: the AWS CLI's list, or an object. Raises OperatingError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise OperatingError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Give a file of parameters with --parameters.",
        ) from error
    try:
        data = json.loads(content) if len(content) <= _LIMIT else None
        return _values(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OperatingError(f"{path} is no file of parameters.", _FORM) from error


def _values(data: Any) -> dict[str, str]:
    """Return names with their texts. Raises KeyError, TypeError or ValueError."""
    match data:
        case dict():
            return {str(name): _text(value) for name, value in data.items()}
        case list():
            given = [each for each in data if each.get("UsePreviousValue") is not True]
            found = {str(e["ParameterKey"]): _text(e["ParameterValue"]) for e in given}
            if len(found) < len(given):
                raise ValueError("a name comes twice")
            return found
    raise TypeError("neither a list nor an object")


def _text(value: Any) -> str:
    match value:
        case bool():
            raise TypeError("no parameter is a truth value")
        case str() | int():
            return str(value)
        case list():
            return ",".join(map(_text, value))
    raise TypeError("neither a text, a number nor a list of them")


def check(template: Mapping[str, Any], given: Mapping[str, str], kept: Mapping[str, str]) -> None:
    """Check values against a template's parameters and rules; `kept` are those of before.

    Raises OperatingError, which shows no value: one may hold a token.
    """
    declared: Mapping[str, Any] = template["Parameters"]
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(declared)}."
            raise OperatingError(f"The template has no parameter {name[:80]!r}.", hint)
    whole = {**{name: kept[name] for name in kept if name in declared}, **given}
    lacking = [n for n, each in declared.items() if "Default" not in each and n not in whole]
    if lacking:
        raise OperatingError(
            f"These parameters must have values: {', '.join(lacking)}.",
            "Give each with --parameter NAME=VALUE, or in a file with --parameters.",
        )
    for name, value in given.items():
        if len(value.encode()) > LONGEST_VALUE:
            raise OperatingError(
                f"The value of {name} has {len(value.encode()):,} bytes, and a parameter holds"
                f" {LONGEST_VALUE:,}.",
                "Several stacks share the work, or LoadBalancerArns=* takes all load balancers.",
            )
        if not accepts(declared[name], value):
            raise OperatingError(
                f"The value of {name} is not what it takes.", _takes(declared[name])
            )
    refused = Stack(template, whole).refusals()
    if refused:
        raise OperatingError("The parameters do not go together.", refused[0])


def _takes(declared: Mapping[str, Any]) -> str:
    if "AllowedValues" in declared:
        return f"It takes {' or '.join(map(str, declared['AllowedValues']))}."
    if "MinValue" in declared:
        return f"It takes {declared['MinValue']} to {declared['MaxValue']}."
    if "ConstraintDescription" in declared:
        return f"It takes: {declared['ConstraintDescription']}"
    return f"It takes up to {declared['MaxLength']} characters."
