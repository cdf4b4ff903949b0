"""Read values from options and files, and check the values of parameters.

The template declares the rules that CloudFormation enforces, with the handler's patterns. The
handler's own code checks the other rules.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dt_logs_cfn.cli.terminal import cut, shown_value
from dt_logs_cfn.errors import OperatingError, UsageError
from dt_logs_cfn.files import read_bytes
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.operate.stacks.stack import LOAD_BALANCERS, listed
from dt_logs_cfn.operate.templates import from_installed
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.intrinsics import Declared, accepts, complete, declared, split
from dt_logs_handler.documents import Json
from dt_logs_handler.names import ARN, LOAD_BALANCER_ARN, Stack

_LONGEST = 4096  # bytes [CloudFormation quotas]
_ALIKE, _SAME = 0.6, 0.85  # least similarity: to suggest a name, and to count as a misspelling
# An incomplete ARN that may be an application load balancer's.
_CUT_OFF = rf"{ARN}:elasticloadbalancing:[^/]*(/app(/[^/]*(/[0-9a-f]{{0,15}})?)?)?/?"
_KINDS = {"net": "network", "gwy": "gateway"}
_OTHER_KIND = f"{ARN}:elasticloadbalancing:.*:loadbalancer/({'|'.join(_KINDS)})/"
# The handler requires all of these, so a check of a single value needs examples of the others.
_EXAMPLES = {
    "DataTheoremAccountId": "0" * 12,
    "LoadBalancerArns": "*",
    "NotificationEndpoint": "https://example.com/",
}
_OF_A_PLACE = ("DataTheoremAccountId", "LogBucketName", "NotificationEndpoint")
_SOMEWHERE = new_stack("aws", "us-east-1", "1" * 12)
_LARGEST = 1_000_000  # the most bytes of a file: enough for 200 parameters of 4,096 bytes
# Rules that the template states incompletely, because its text must be short.
_RULES = {"LogBucketName": "3 to 63 lower-case letters, digits, dots and hyphens"}
_FORM = (
    'Write it as the AWS CLI takes it: [{"ParameterKey": "…", "ParameterValue": "…"}], or as'
    ' {"name": "value"}.'
)


def check_given(given: Mapping[str, str]) -> None:
    """Check the given values before any call to AWS; other values need not be known yet.

    Raises UsageError for an unknown name, or a value that CloudFormation or the handler refuses.
    """
    # This template has every parameter.
    template = from_installed(Privileges.LEAST_PRIVILEGE).document
    try:
        _check_each(declared(template), given)
        place = _place(given.get(LOAD_BALANCERS, ""))
        # Without a region and account, leave out the values whose rules depend on them.
        known = {name: each for name, each in given.items() if place or name not in _OF_A_PLACE}
        values = complete(template, {**_EXAMPLES, **known}, {})
        asked.creation(template, values, (place or _SOMEWHERE).id, 0)
    except OperatingError as error:
        raise UsageError(error.what, error.fix) from error


def check(
    template: Mapping[str, Json], given: Mapping[str, str], kept: Mapping[str, str]
) -> dict[str, str]:
    """Check values as CloudFormation does, and return every parameter's value.

    `kept` holds the previous values. Raises UsageError for a wrong load balancer ARN, and
    OperatingError for an unknown name, a missing value, or a value that CloudFormation refuses.
    """
    parameters = declared(template)
    values = complete(template, given, kept)
    _check_each(parameters, {**values, **given})
    if missing := [name for name in parameters if name not in values]:
        own = f" Use --load-balancer ARN for {LOAD_BALANCERS}." * (LOAD_BALANCERS in missing)
        raise OperatingError(
            f"These parameters must have values: {', '.join(missing)}.",
            f"Give each with --parameter NAME=VALUE, or in a file with --parameters.{own}",
        )
    return values


def check_place(load_balancers: str, here: Stack) -> None:
    """Raise OperatingError for a load balancer in another account or region."""
    for arn in listed(load_balancers):
        its = _place(arn)
        if its is None or (its.account, its.region) == (here.account, here.region):
            continue
        if its.account != here.account:
            place, ours = f"account {its.account}", f"account {here.account}"
            fix = "Use credentials of its account, for example with --profile."
        else:
            place, ours, fix = its.region, here.region, f"Give --region {its.region}."
        raise OperatingError(f"{arn!r} is in {place}, but you work in {ours}.", fix)


def _check_each(parameters: Declared, values: Mapping[str, str]) -> None:
    for name in values:
        if name not in parameters:
            raise _unknown(name, parameters)
    _check_arns(values.get("LoadBalancerArns", ""))
    for name, value in values.items():
        _check_value(name, parameters[name], value)


def _check_value(name: str, parameter: Mapping[str, Json], value: str) -> None:
    """Raise OperatingError, with the broken rule, for a value that CloudFormation refuses."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:  # a lone surrogate, from the terminal or a file
        raise OperatingError(
            f"The value of {name} is not text in UTF-8.", "Write it in UTF-8."
        ) from error
    if size > _LONGEST:
        raise OperatingError(
            f"The value of {name} has {size:,} bytes, but a parameter can have only {_LONGEST:,}.",
            "Use several stacks, or LoadBalancerArns=* for all load balancers.",
        )
    if not accepts(parameter, value):
        shown = _refused(name, parameter, value)
        raise OperatingError(f"{name} {shown} is not valid.", _rule(name, parameter))


def _refused(name: str, parameter: Mapping[str, Json], value: str) -> str:
    """Return a refused value, or the refused item of a list, for display.

    A URL is cut after its host. An endpoint that is neither a URL nor an ARN is hidden, because it
    may be a token.
    """
    if isinstance(items := split(parameter, value), list):
        value = next((each for each in items if not accepts(parameter, each)), value)
    hidden = name == "NotificationEndpoint" and not re.match(r"arn:|[a-z]+://", value)
    return "'…'" if hidden and value else repr(cut(shown_value(value), 120))


def _rule(name: str, parameter: Mapping[str, Json]) -> str:
    match parameter:
        case {"AllowedValues": [*allowed]}:
            return f"It takes {' or '.join(map(str, allowed))}."
        case {"MinValue": least, "MaxValue": most}:
            return f"It takes {least} to {most}."
        case {"ConstraintDescription": str() as wanted}:
            return f"It takes: {_RULES.get(name, wanted).rstrip('.')}."
        case {"MaxLength": most}:
            return f"It takes up to {most} characters."
    return "It accepts text in another format."


def _place(load_balancers: str) -> Stack | None:
    """Return a new stack in the account and region of the first complete ARN; None without one."""
    found = re.search(LOAD_BALANCER_ARN, load_balancers)
    if found is None:
        return None
    _, partition, _, region, account, _ = found[0].split(":", 5)
    return new_stack(partition, region, account)


def shown_name(name: str, known: Iterable[str] = ()) -> str | None:
    """Return a name for display, or None if it may be a token that was given by mistake.

    A name that resembles a known one is shown. Any other name is shown only if it consists of a few
    letters or of capitalized words, because a token is longer or contains digits.
    """
    near = re.fullmatch("[A-Za-z0-9]{1,80}", name) and _near(name, known, _SAME)
    words = len(name) <= 80 and re.fullmatch("([A-Z]+[a-z]{2,})+", name)
    return repr(name) if near or words or re.fullmatch("[A-Za-z]{1,12}", name) else None


def _unknown(name: str, parameters: Declared) -> OperatingError:
    shown = shown_name(name, parameters)
    near = _near(name[:80], parameters, _ALIKE)
    return OperatingError(
        f"The template has no parameter {shown}."
        if shown
        else f"The template has no parameter by the given name, which may be a token and is hidden:"
        f" {len(name)} characters, beginning with {name[:1]!r}.",
        f"Did you mean {near}?" if near else f"Use one of {', '.join(parameters)}.",
    )


def _near(name: str, known: Iterable[str], how: float) -> str | None:
    return next(iter(difflib.get_close_matches(name, list(known), 1, how)), None)


def _check_arns(load_balancers: str) -> None:
    """Raise UsageError for cut-off or badly copied ARNs, and for other types of load balancers."""
    for each in load_balancers.split(","):
        check_copied(each)
        arn = each.strip()
        if re.fullmatch(_CUT_OFF, arn):
            raise UsageError(
                f"{arn!r} is cut off.",
                "Give the whole ARN, which ends with /app/NAME/ and 16 hexadecimal digits.",
            )
        if other := re.match(_OTHER_KIND, arn):
            raise UsageError(
                f"{arn[:200]!r} is a {_KINDS[other[1]]} load balancer.",
                "Give application load balancers; only they have these logs.",
            )


def check_copied(text: str) -> None:
    """Raise UsageError for an ARN with quotes or blanks in it."""
    arn = re.sub(r"[\s'\"`\u2018-\u201d]", "", text)
    if arn.startswith("arn:") and arn != text.strip():
        raise UsageError(f"{text.strip()[:200]!r} contains quotes or blanks.", f"Give {arn[:200]}.")


def pairs(given: list[str], option: str) -> dict[str, str]:
    """Return the values of `KEY=VALUE` options by key.

    Raises UsageError. The message does not show a key that may be a token, or any value.
    """
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
        content = read_bytes(path, _LARGEST + 1)
    except OSError as error:
        raise OperatingError(
            f"{path} cannot be read: {error.strerror or error}.",
            "Give a file of parameters with --parameters.",
        ) from error
    try:
        short = len(content) <= _LARGEST
        data = json.loads(content, object_pairs_hook=_once) if short else None
        return _values(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OperatingError(f"{path} is not a file of parameters.", _FORM) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object as a dict. Raises ValueError for a duplicate name."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name appears twice")
    return found


def _values(data: Any) -> dict[str, str]:
    """Return the values as strings, without those marked UsePreviousValue.

    Raises AttributeError, KeyError, TypeError or ValueError.
    """
    if isinstance(data, list):
        given = (each for each in data if each.get("UsePreviousValue") is not True)
        data = _once([(str(each["ParameterKey"]), each["ParameterValue"]) for each in given])
    return {name: _text(value) for name, value in data.items()}


def _text(value: Any) -> str:
    match value:
        case bool():
            raise TypeError("a parameter cannot be true or false")
        case str() | int():
            return str(value)
        case list():
            return ",".join(map(_text, value))
    raise TypeError("neither a string, a number nor a list of these")
