"""Read values for parameters and tags from options and files."""

import json
from pathlib import Path
from typing import Any

from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_cfn.operate.values import shown_name

_LIMIT = 1_000_000  # the most bytes of a file: enough for 200 parameters of 4,096 bytes
_FORM = (
    'Write it as the AWS CLI takes it: [{"ParameterKey": "…", "ParameterValue": "…"}], or as'
    ' {"name": "value"}.'
)


def pairs(given: list[str], option: str) -> dict[str, str]:
    """Return `KEY=VALUE` options by key. Raises UsageError, which never shows a possible token."""
    found: dict[str, str] = {}
    for number, each in enumerate(given, 1):
        key, equals, value = each.partition("=")
        which = shown_name(key) or f"number {number}"
        if not key or not equals:
            raise UsageError(
                f"{option} {which} has no {'value' if key else 'key'}.",
                f"Write it as {option} KEY=VALUE.",
            )
        if each.encode(errors="ignore").decode() != each:  # undecodable bytes
            raise UsageError(
                f"{option} {which} is not text in UTF-8.",
                f"Write it as {option} KEY=VALUE in UTF-8.",
            )
        if key in found:
            raise UsageError(f"{option} {which} is given twice.", "Give each key once.")
        found[key] = value
    return found


def read(path: Path) -> dict[str, str]:
    """Return the values in a JSON file: the AWS CLI's list, or an object. Raises OperatingError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise OperatingError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Give a file of parameters with --parameters.",
        ) from error
    try:
        short = len(content) <= _LIMIT
        data = json.loads(content, object_pairs_hook=_once) if short else None
        return _values(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OperatingError(f"{path} is not a file of parameters.", _FORM) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dict. Raises ValueError for a duplicate name."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name comes twice")
    return found


def _values(data: Any) -> dict[str, str]:
    """Return the values as strings. Raises AttributeError, KeyError, TypeError or ValueError."""
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
            raise TypeError("a parameter cannot be true or false")
        case str() | int():
            return str(value)
        case list():
            return ",".join(map(_text, value))
    raise TypeError("neither a text, a number nor a list of them")
