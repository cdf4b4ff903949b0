"""Write JSON in only one form, so that equal values give equal bytes.

A new version of troposphere or awacs may write keys in another order, so we sort the keys. A value
that fits stays on one line. A longer value has one item on each line, so that a review shows each
permission that changes.
"""

import json
from contextlib import suppress

WIDTH = 160

# These keys come first in every object, in this order; the other keys follow, sorted by name.
_FIRST = (
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Rules",
    "Conditions",
    "Resources",
    "Outputs",
    "Type",
    "Version",
    "Sid",
    "Effect",
    "Principal",
    "Action",
    "Resource",
)
_RANK = {name: rank for rank, name in enumerate(_FIRST)}


def dumps(value: object, indentation: str = " ", width: int = WIDTH) -> str:
    """Return the value as JSON: in ASCII, with keys in a fixed order and a final line feed.

    An empty indentation makes the least-privilege template about 800 bytes smaller. Raises
    TypeError for values that JSON cannot hold, and for floating-point numbers.
    """
    return f"{_render(_ordered(value), indentation, width)}\n"


def readable(value: object, width: int = 80) -> str:
    """Return a value as text: strings without quotes, objects and JSON texts in short lines."""
    if isinstance(value, str):
        if value[:1] == "{":
            with suppress(ValueError):  # a text that begins like JSON may not be JSON
                return readable(json.loads(value, parse_float=str), width)
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(map(readable, value))
    return "" if value is None else dumps(value, width=width).rstrip()


def _ordered(value: object) -> object:
    match value:
        case dict():
            return {
                key: _ordered(value[key])
                for key in sorted(value, key=lambda key: (_RANK.get(key, len(_FIRST)), key))
            }
        case list() | tuple():
            return [_ordered(item) for item in value]
        case str() | int() | None:
            return value
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _render(value: object, step: str, width: int, indent: str = "") -> str:
    """Return a value on one line if it fits, otherwise with one item on each line.

    If the value's only member is an object or a list, that member starts on the first line and ends
    on the last line.
    """
    line = json.dumps(value, separators=(",", ":"))
    if not value or not isinstance(value, dict | list) or len(indent) + len(line) <= width:
        return line
    if isinstance(value, dict):
        start, end = "{}"
        items = [(f"{json.dumps(key)}:", item) for key, item in value.items()]
    else:
        start, end = "[]"
        items = [("", item) for item in value]
    if len(items) == 1 and isinstance(items[0][1], dict | list):
        return f"{start}{items[0][0]}{_render(items[0][1], step, width, indent)}{end}"
    deeper = f"\n{indent}{step}"
    rendered = (f"{key}{_render(item, step, width, indent + step)}" for key, item in items)
    body = f",{deeper}".join(rendered)
    return f"{start}{deeper}{body}{end}"
