"""Values for a template's parameters, read from options and files."""

import json
import re
from pathlib import Path
from typing import Any

from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_cfn.template.declared import shown_name
from dt_logs_handler.names import ARN

_LIMIT = 1_000_000  # bytes of a file: 200 parameters of 4,096 bytes are fewer
# An ARN without its end, as far as it can be an application load balancer's.
_CUT_OFF = rf"{ARN}:elasticloadbalancing:[^/]*(/app(/[^/]*(/[0-9a-f]{{0,15}})?)?)?/?"
_FORM = (
    'Write it as the AWS CLI takes it: [{"ParameterKey": "…", "ParameterValue": "…"}], or as'
    ' {"name": "value"}.'
)


def pairs(given: list[str], option: str) -> dict[str, str]:
    """Return `KEY=VALUE` options by key. Raises UsageError, which shows no token given by slip."""
    found: dict[str, str] = {}
    for number, each in enumerate(given, 1):
        key, equals, value = each.partition("=")
        which = shown_name(key) or f"number {number}"
        if not key or not equals:
            raise UsageError(
                f"{option} {which} has no {'value' if key else 'key'}.",
                f"Write it as {option} KEY=VALUE.",
            )
        if each.encode(errors="ignore").decode() != each:  # what the terminal could not decode
            raise UsageError(
                f"{option} {which} is no text in UTF-8.",
                f"Write it as {option} KEY=VALUE in UTF-8.",
            )
        if key in found:
            raise UsageError(f"{option} {which} is there twice.", "Name each key once.")
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


def check_copied(load_balancers: str) -> None:
    """Raise OperatingError for an ARN with quotes or blanks in it, or without its end."""
    for each in load_balancers.split(","):
        arn = re.sub(r"[\s'\"`\u2018-\u201d]", "", each)
        if arn.startswith("arn:") and arn != each.strip():
            raise OperatingError(
                f"{each.strip()[:200]!r} has quotes or blanks in it.", f"Give {arn[:200]}."
            )
        if re.fullmatch(_CUT_OFF, arn):
            raise OperatingError(
                f"{arn!r} is cut off.", "Give the whole ARN: /app/, a name, / and 16 digits or a-f."
            )
