"""What a template takes as parameters, checked before AWS is asked; pure."""

import re
from collections.abc import Mapping

from dt_logs_handler.documents import Json

LONGEST_VALUE = 4096  # bytes [CloudFormation quotas]

Declared = Mapping[str, Mapping[str, Json]]


def declared(template: Mapping[str, Json]) -> Declared:
    """Return a template's parameters by name."""
    found = template.get("Parameters")
    if not isinstance(found, dict):
        return {}
    return {name: each for name, each in found.items() if isinstance(each, dict)}


def default(parameter: Mapping[str, Json]) -> str | None:
    """Return the value that a parameter has if none is given, or None if one must be."""
    return str(parameter["Default"]) if "Default" in parameter else None


def refusal(parameter: Mapping[str, Json], value: str) -> str | None:
    """Return why CloudFormation would refuse a value, without the value, or None if it takes it.

    A pattern is matched against each item of a list.
    """
    if len(value.encode()) > LONGEST_VALUE:
        return f"has more than {LONGEST_VALUE:,} bytes"
    listed = parameter.get("Type") == "CommaDelimitedList"
    items = [each.strip() for each in value.split(",")] if listed else [value]
    pattern = parameter.get("AllowedPattern")
    if isinstance(pattern, str) and not all(re.fullmatch(pattern, each) for each in items):
        wanted = str(parameter.get("ConstraintDescription", pattern))
        return f"is none that it takes: {wanted.rstrip('.')}"
    allowed = parameter.get("AllowedValues")
    if isinstance(allowed, list) and value not in map(str, allowed):
        return f"is none of {', '.join(map(str, allowed))}"
    most = parameter.get("MaxLength")
    if isinstance(most, int) and len(value) > most:
        return f"has more than {most} characters"
    if parameter.get("Type") == "Number":
        return _number_refusal(parameter, value)
    return None


def _number_refusal(parameter: Mapping[str, Json], value: str) -> str | None:
    if not re.fullmatch("-?[0-9]{1,15}", value):
        return "is no whole number"
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if isinstance(least, int) and int(value) < least:
        return f"is less than {least}"
    if isinstance(most, int) and int(value) > most:
        return f"is more than {most}"
    return None
