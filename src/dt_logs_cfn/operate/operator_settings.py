"""Read settings from `dt-logs-cfn.cfg` in the current folder; command-line options override them.

    [options]
    stack = dt-logs-analysis
    role_arn = arn:aws:iam::123456789012:role/…
    region = eu-west-1

    [parameters]
    NotificationEndpoint = https://…

The format is that of `release.cfg`, except that keys keep their case, because parameter names are
case-sensitive. The file cannot set `--yes` or `--allow-removal`, which confirm a change.
"""

import argparse
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from dt_logs_cfn import aws
from dt_logs_cfn.cli.parsing import REGION
from dt_logs_cfn.cli.terminal import cut, printable, result, shown_value, tell
from dt_logs_cfn.errors import SettingsError
from dt_logs_cfn.operate import stack_options
from dt_logs_cfn.settings import read_sections

FILE = Path(stack_options.SETTINGS_FILE)
OPTIONS = ("stack", "role_arn", "stack_name_prefix", "region", "profile")
_SECTIONS = ("options", "parameters")
_CONFIRMING = ("yes", "allow-removal", "allow_removal")


@dataclass(frozen=True)
class Setting:
    """A value for display, and its source; both are empty if nothing sets the value."""

    value: str = ""
    source: str = ""


def _load() -> tuple[dict[str, str], dict[str, str]]:
    """Return the options and parameters with a value in the file; both are empty without a file.

    Raises SettingsError.
    """
    if not os.path.exists(FILE):
        return {}, {}
    sections = read_sections(FILE, _SECTIONS, keep_case=True)
    for name in sections:
        _check("a section", name, _SECTIONS)
    options, parameters = (sections.get(name, {}) for name in _SECTIONS)
    for name in options:
        if name in _CONFIRMING:
            raise SettingsError(
                f"{FILE} sets {name}, which a file may not set.",
                f"Remove it, and pass --{name.replace('_', '-')} with each command instead.",
            )
        _check("an option", name, OPTIONS)
        if options[name][:1] in ("'", '"'):
            raise SettingsError(
                f"{FILE} sets {name} to a value in quotes.", "Write it without quotes."
            )
    if (region := options.get("region")) and not re.fullmatch(REGION[0], region):
        raise SettingsError(f"{FILE} sets region to {cut(repr(region), 80)}.", f"Give {REGION[1]}.")
    for number, name in enumerate(parameters, 1):
        if not re.fullmatch("[A-Za-z0-9]+", name):  # not shown: a line without `=` may be a token
            raise SettingsError(
                f"The name of parameter number {number} in {FILE} does not consist of letters and"
                " digits.",
                "Write each parameter as `name = value`.",
            )
    return (
        {name: value for name, value in options.items() if value},
        {name: _joined(value) for name, value in parameters.items() if value},
    )


def nothing_given() -> argparse.Namespace:
    """Return a namespace for the parser in which each omitted option remains None."""
    return argparse.Namespace(**dict.fromkeys(OPTIONS))


def fill(arguments: argparse.Namespace, given: argparse.Namespace) -> dict[str, Setting]:
    """Apply the file's values to omitted options; return each option's value and source.

    Also stores the file's parameters in `arguments`, and prints the names that the file sets.
    Raises SettingsError.
    """
    (options, parameters), found = _load(), dict[str, Setting]()
    for name in OPTIONS:
        if not hasattr(arguments, name):
            continue
        source = "default" if getattr(arguments, name) is not None else ""
        if getattr(given, name) is not None:
            source = f"--{name.replace('_', '-')}"
        elif name in options and _applies(name, arguments):
            setattr(arguments, name, options[name])
            source = str(FILE)
        found[name] = Setting(getattr(arguments, name) or "", source)
    used = [name for name, each in found.items() if each.source == str(FILE)]
    if hasattr(arguments, "file_parameters"):
        arguments.file_parameters = parameters
        used += parameters
    if used:
        names = printable(cut(", ".join(used)))
        tell(f"{FILE} sets {names}; --show-settings lists all values.")
    return found


def show(options: Mapping[str, Setting], arguments: argparse.Namespace) -> None:
    """Print the values and sources of `options`, and of the given parameters.

    Raises UsageError, OperatingError.
    """
    takes = hasattr(arguments, "file_parameters")
    given = {
        name: Setting(shown_value(value), source)
        for source, values in (stack_options.sources(arguments) if takes else ())
        for name, value in values.items()
    }
    options = {**options, **_of_the_sdk(options)}
    data = {
        kind: {name: asdict(each) for name, each in found.items()}
        for kind, found in (("options", options), ("parameters", given))
    }
    result(arguments.json, data, _lines({**options, **given}))


def _of_the_sdk(options: Mapping[str, Setting]) -> dict[str, Setting]:
    """Return the profile and region; the AWS SDK's settings supply one that `options` lacks."""
    profile = options["profile"]
    if not profile.value and (named := os.environ.get("AWS_PROFILE")):
        profile = Setting(named, "AWS_PROFILE")
    region = options["region"]
    if not region.value:
        region = Setting(*aws.usual_region(profile.value or None))
    return {"profile": profile, "region": region}


def _lines(settings: Mapping[str, Setting]) -> Iterator[str]:
    width = max(map(len, settings))
    for name, each in settings.items():
        where = f"  ({each.source})" if each.source else ""
        yield printable(f"{name:<{width}}  {each.value or 'not set'}{where}")


def _applies(name: str, arguments: argparse.Namespace) -> bool:
    """Return whether an option in the file applies to this call of the command."""
    if name == "stack":  # `verify` may get a file or URL instead of a stack
        return getattr(arguments, "given", None) is None
    if name in ("role_arn", "stack_name_prefix"):
        return getattr(arguments, "stack_set", None) is None
    return True


def _check(kind: str, name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        what = f"{FILE} has {kind} {cut(repr(name), 80)}."
        raise SettingsError(what, f"Use {', '.join(known)}.")


def _joined(value: str) -> str:
    """Return a value as one line; a list in the file may have one item per line."""
    lines = value.splitlines()
    return ",".join(filter(None, (each.strip(" \t,") for each in lines))) if lines[1:] else value
