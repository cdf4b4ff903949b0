"""Let a customer's function change a template, within limits, so that others can rebuild it.

The function receives a template and its kind. It may add to the template, and change the settings
of the Lambda function. It may not change what we promise about our own resources. Anyone who has
the function can rebuild the same template.
"""

import json
import traceback
from collections.abc import Callable
from typing import Any

from troposphere import Template

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.terminal import cut, one_line
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.settings import Settings
from dt_logs_cfn.template import resources
from dt_logs_cfn.template.json_tree import Path, differences
from dt_logs_cfn.template.templates import CUSTOMIZED, RECORD, TemplateKind, template_of

Customize = Callable[[Template, TemplateKind], None]

_SECTIONS = ("Conditions", "Mappings", "Outputs", "Parameters", "Resources", "Rules")
# The properties that make the function ours; `explain` describes the role.
_PROMISED = ("Code", "Handler", "Role")


def built(
    settings: Settings, kind: TemplateKind, customize: Customize | None = None, name: str = ""
) -> dict[str, Any]:
    """Return a template as plain data, changed by `customize` if there is one.

    A changed template records `name` or, if that is empty, the name of `customize`. Raises
    BuildError if `customize` fails, makes a forbidden change, or gives another template when it
    runs again.
    """
    ours: dict[str, Any] = template_of(settings, kind).to_dict()
    if customize is None:
        return ours
    by = name_of(customize)
    text, again = (_customized(customize, template_of(settings, kind), kind) for _ in range(2))
    if text != again:
        raise BuildError(
            f"{by} gave two different {kind.value} templates when it ran twice.",
            "Use only the template and the kind, not a clock or a random value.",
        )
    found: dict[str, Any] = json.loads(text)
    for path, what in differences(found, ours):
        if not _may(path, what):
            raise BuildError(
                f"{by} removes or changes {'/'.join(path)} in the {kind.value} template.",
                "Only add to the template; docs/library.md lists what a customization may change.",
            )
    if text != json.dumps(ours):  # the Terraform modules also depend on the order of keys
        found["Metadata"][RECORD][CUSTOMIZED] = name or by
    return found


def name_of(customize: Customize) -> str:
    """Return the name of a callable as MODULE:FUNCTION."""
    named = customize if hasattr(customize, "__qualname__") else type(customize)
    return f"{named.__module__}:{named.__qualname__}"


def _customized(customize: Customize, template: Template, kind: TemplateKind) -> str:
    """Change a template, and return it as JSON in its own order, which the Terraform modules keep.

    Raises BuildError for any failure, because a customer's code, and troposphere with it, may raise
    errors of many types.
    """
    by = name_of(customize)
    try:
        returned: object = customize(template, kind)  # type: ignore[func-returns-value]  # checked
    except (Exception, SystemExit) as error:  # exit(0) would look like success
        frames = traceback.extract_tb(error.__traceback__)
        at = frames[1] if len(frames) > 1 else frames[0]
        raise BuildError(
            f"{by} failed for the {kind.value} template: {_shown(error)}.",
            f"Correct line {at.lineno} of {at.filename}.",
        ) from error
    if returned is not None:
        raise BuildError(
            f"{by} returned a {type(returned).__name__}, which would be ignored.",
            "Change the template that it gets, and return nothing.",
        )
    try:
        found = template.to_dict()
        canonical.dumps(found)  # raises for fractions, and for values that JSON cannot hold
        return json.dumps(found)
    except Exception as error:
        raise BuildError(
            f"{by} made a {kind.value} template that cannot be written: {_shown(error)}.",
            "Correct what it adds. Write a fraction as text, like '0.5'.",
        ) from error


def _shown(error: BaseException) -> str:
    return cut(one_line(f"{type(error).__name__}: {error}"), 300).rstrip(".")


def _may(path: Path, what: str) -> bool:
    """Return whether a customer may make this change to our template."""
    match path:
        case (section,) | (section, _) if section in _SECTIONS:
            return what == "added"
        case ("Metadata", name, *_):
            return what == "added" and name != RECORD
        case ("Resources", _, "Properties", "Tags", *_):
            return True
        case ("Resources", resources.FUNCTION, "Properties", name, *_):
            return name not in _PROMISED
        case (
            ("Resources", _, "Metadata", *_)
            | ("Resources", resources.FUNCTION, "DependsOn", *_)
            | ("Resources", resources.SERVICE_ROLE, "Properties", "Policies", _)
            | ("Resources", resources.SERVICE_ROLE, "Properties", "Policies", _, _, "Statement", _)
        ):
            return what == "added"
    return False
