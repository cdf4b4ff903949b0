"""Read a template's parameters, and resolve their values as CloudFormation does."""

import re
from collections.abc import Mapping
from typing import Any

from dt_logs_handler.documents import Json

Declared = Mapping[str, Mapping[str, Json]]


def declared(template: Mapping[str, Json]) -> Declared:
    """Return a template's parameters by name."""
    found = template.get("Parameters")
    if not isinstance(found, dict):
        return {}
    return {name: each for name, each in found.items() if isinstance(each, dict)}


def default(parameter: Mapping[str, Json]) -> str | None:
    """Return a parameter's default, or None if it is required."""
    return str(parameter["Default"]) if "Default" in parameter else None


def complete(
    template: Mapping[str, Json], given: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    """Return the parameters' values: given, otherwise kept, otherwise default; omit any other."""
    known = {**kept, **given}
    values = {name: known.get(name, default(each)) for name, each in declared(template).items()}
    return {name: value for name, value in values.items() if value is not None}


def split(parameter: Mapping[str, Json], value: str) -> list[str] | str:
    """Return a value as CloudFormation passes it on; for a list, the stripped items."""
    if parameter.get("Type") != "CommaDelimitedList":
        return value
    return [each.strip() for each in value.split(",")]


def accepts(parameter: Mapping[str, Any], value: str) -> bool:
    """Return whether a parameter accepts a value; a list's pattern applies to each item."""
    if parameter["Type"] == "Number":
        number = int(value) if re.fullmatch("-?[0-9]{1,18}", value) else None
        return number is not None and (
            parameter.get("MinValue", number) <= number <= parameter.get("MaxValue", number)
        )
    if value not in parameter.get("AllowedValues", (value,)):
        return False
    found = split(parameter, value)
    pattern = re.compile(parameter.get("AllowedPattern", "(?s).*"))
    return all(
        pattern.fullmatch(each) and len(each) <= parameter.get("MaxLength", len(each))
        for each in ([found] if isinstance(found, str) else found)
    )
