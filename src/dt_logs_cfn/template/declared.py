"""Values for a template's parameters: completed, split and checked, all of it here; pure."""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dt_logs_cfn.errors import OperatingError
from dt_logs_handler.documents import Json

LONGEST_VALUE = 4096  # bytes [CloudFormation quotas]
_ALIKE, _SAME = 0.6, 0.85  # how near another name is to be meant, and to be all but the same

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


def complete(
    template: Mapping[str, Json], given: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    """Return each parameter's value: given, else kept, else its default; without one, none."""
    known = {**kept, **given}
    values = {name: known.get(name, default(each)) for name, each in declared(template).items()}
    return {name: value for name, value in values.items() if value is not None}


def split(parameter: Mapping[str, Json], value: str) -> list[str] | str:
    """Return a value as CloudFormation hands it on: a list as its items, without spaces around."""
    if parameter.get("Type") != "CommaDelimitedList":
        return value
    return [each.strip() for each in value.split(",")]


def check(
    template: Mapping[str, Json], given: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    """Check values as CloudFormation does, and return each parameter's, as `complete` does.

    `kept` are the values of before. Raises OperatingError for an unknown name, a value that its
    parameter does not take, or a missing one. It shows no value, because one may hold a token.
    """
    parameters = declared(template)
    for name in given:
        if name not in parameters:
            raise _unknown(name, parameters)
    values = complete(template, given, kept)
    for name, value in values.items():
        if why := refusal(parameters[name], value):
            raise _refused(name, why)
    if missing := [name for name in parameters if name not in values]:
        raise OperatingError(
            f"These parameters must have values: {', '.join(missing)}.",
            "Give each with --parameter NAME=VALUE, or in a file with --parameters.",
        )
    return values


def accepts(parameter: Mapping[str, Any], value: str) -> bool:
    """Tell whether a parameter takes a value: a list's pattern is for each of its items."""
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


def refusal(parameter: Mapping[str, Json], value: str) -> str | None:
    """Return why CloudFormation would refuse a value, or None if it takes it.

    As what goes on after the parameter's name, "takes 1 to 9", without the value.
    """
    size = _size(value)
    if size is None:
        return "takes text that is UTF-8"
    if size > LONGEST_VALUE:
        return f"has {size:,} bytes, and a parameter holds {LONGEST_VALUE:,}"
    return None if accepts(parameter, value) else _takes(parameter)


def shown_name(name: str, known: Iterable[str] = ()) -> str | None:
    """Return a name that somebody gave as it may be shown, None if it may be a token by slip.

    Whoever writes a token where a name belongs has no close match among the known ones. Where none
    are known, or none is near, a few letters are shown: a token is longer or has digits in it.
    """
    near = re.fullmatch("[A-Za-z0-9]{1,80}", name) and _near(name, known, _SAME)
    return repr(name) if near or re.fullmatch("[A-Za-z]{1,12}", name) else None


def _unknown(name: str, parameters: Declared) -> OperatingError:
    shown = shown_name(name, parameters)
    near = _near(name[:80], parameters, _ALIKE)
    return OperatingError(
        f"The template has no parameter {shown}."
        if shown
        else "A parameter was given that the template does not have.",
        f"Did you mean {near}?" if near else f"There are {', '.join(parameters)}.",
    )


def _near(name: str, known: Iterable[str], how: float) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(known), 1, how)), None)


def _refused(name: str, why: str) -> OperatingError:
    if why.startswith("has"):
        return OperatingError(
            f"The value of {name} {why}.",
            "Several stacks share the work, or LoadBalancerArns=* takes all load balancers.",
        )
    return OperatingError(f"The value of {name} is not what it takes.", f"It {why}.")


def _size(value: str) -> int | None:
    """Return a value's bytes, None where the terminal handed over what is no text."""
    try:
        return len(value.encode())
    except UnicodeEncodeError:
        return None


def _takes(parameter: Mapping[str, Json]) -> str:
    match parameter:
        case {"AllowedValues": [*allowed]}:
            return f"takes {' or '.join(map(str, allowed))}"
        case {"MinValue": least, "MaxValue": most}:
            return f"takes {least} to {most}"
        case {"ConstraintDescription": str() as wanted}:
            return f"takes: {wanted.rstrip('.')}"
        case {"MaxLength": most}:
            return f"takes up to {most} characters"
    return "takes another form of text"
