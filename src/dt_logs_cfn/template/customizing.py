"""Let a customer's function change a template within limits.

The customer's function receives a template and its kind. It may add to the template, and change the
settings of the Lambda function. It may not change what we promise about our own resources. Anyone
who has the customer's function can rebuild the same template.

To find additions, we compare the template with ours. The launch page shows the additions to
reviewers. The file of the lifecycle policy also has the statements added to the service role.
"""

import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from troposphere import Template

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.terminal import cut, one_line
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.settings import Settings
from dt_logs_cfn.template import templates
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.parsing import (
    JsonPath,
    differences,
    managed_policies,
    policy_texts,
    statements_in,
)
from dt_logs_cfn.template.templates import CUSTOMIZED, RECORD, TemplateKind, origin, template_of
from dt_logs_handler.documents import Json, listed

Customize = Callable[[Template, TemplateKind], None]
Plain = dict[str, Any]
Templates = Mapping[TemplateKind, Plain]

_SECTIONS = ("Conditions", "Mappings", "Outputs", "Parameters", "Resources", "Rules")
# Customers may not change these properties of the function: the code, the name of its entry point,
# and the role that `explain` describes.
_PROMISED = ("Code", "Handler", "Role")


@dataclass(frozen=True)
class AddedRight:
    """A policy statement that a customization added, with its elements as text.

    `resource` is the logical ID of the resource that contains the statement. `who` is the
    statement's principal; it is empty in an identity-based policy.
    """

    resource: str
    effect: str
    who: str
    actions: tuple[str, ...]
    on: tuple[str, ...]
    condition: str


@dataclass(frozen=True)
class Customization:
    """The function that changed the templates, the places that changed, and added statements.

    A place is a path into the template, followed by "added", "missing" or "changed".
    """

    by: str
    places: Mapping[TemplateKind, tuple[str, ...]]
    rights: Mapping[TemplateKind, tuple[AddedRight, ...]]


def built(
    settings: Settings, kind: TemplateKind, customize: Customize | None = None, name: str = ""
) -> Plain:
    """Return a template as plain data, changed by `customize` if given.

    A changed template records `name` or, if that is empty, the name of `customize`. Raises
    BuildError if `customize` fails, makes a forbidden change, or makes a different template when
    it runs again.
    """
    ours: Plain = template_of(settings, kind).to_dict()
    if customize is None:
        return ours
    by = name_of(customize)
    text, again = (_customized(customize, template_of(settings, kind), kind) for _ in range(2))
    if text != again:
        raise BuildError(
            f"{by} gave two different {kind.value} templates when it ran twice.",
            "Use only the template and the kind, not a clock or a random value.",
        )
    found: Plain = json.loads(text)
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
    """Return a callable's module and name as MODULE:FUNCTION."""
    named = customize if hasattr(customize, "__qualname__") else type(customize)
    return f"{named.__module__}:{named.__qualname__}"


def customization(found: Templates, ours: Templates) -> Customization | None:
    """Return how templates differ from ours, or None if they were not customized."""
    names = (each["Metadata"][RECORD].get(CUSTOMIZED) for each in found.values())
    by = next(filter(None, names), "")
    if not by:
        return None
    differ = {kind: differences(found[kind], ours[kind]) for kind in found}
    own = ("Metadata", RECORD, CUSTOMIZED)
    return Customization(
        by,
        {
            kind: tuple(f"{'/'.join(path)} {what}" for path, what in each if path != own)
            for kind, each in differ.items()
        },
        {kind: added_rights(found[kind], ours[kind]) for kind in found},
    )


def added_to(template: Plain) -> tuple[AddedRight, ...]:
    """Return each policy statement that a template adds to our template with the same settings.

    Raises VerifyError or SettingsError if the template is not one of ours.
    """
    source = origin(template)
    return added_rights(template, template_of(source.settings, source.kind).to_dict())


def added_rights(found: Plain, ours: Plain) -> tuple[AddedRight, ...]:
    """Return each policy statement that `found` adds to `ours`, resource by resource.

    Our templates have no managed policies and no policies written as text, so these always count as
    added.
    """
    return tuple(
        AddedRight(
            name,
            str(statement.get("Effect", "")),
            ", ".join(_texts(statement, "Principal")),
            tuple(_texts(statement, "Action")),
            tuple(_texts(statement, "Resource")),
            _text(statement["Condition"]) if "Condition" in statement else "",
        )
        for name, resource in found["Resources"].items()
        for statement in (
            *_added(resource, ours["Resources"].get(name, {})),
            *(_managed(each) for _, each in managed_policies(found, resource)),
            *(each for _, text in policy_texts(resource) for each in _written(text)),
        )
    )


def added_service_statements(found: Plain, ours: Plain) -> list[Any]:
    """Return the statements that were added to the service role, in the format of a policy file.

    Placeholders like `${Region}` stand for values that differ from stack to stack. Raises
    BuildError for a policy written as text, or a CloudFormation function that a file cannot
    express.
    """
    parameters = {name: f"${{{name}}}" for name in found["Parameters"]}
    pseudo = {f"AWS::{name}": f"${{{name}}}" for name in ("StackId", "StackName", "URLSuffix")}
    resolved = ResolvedTemplate(
        found, parameters, region="${Region}", account="${Account}", pseudo=pseudo
    )
    role = found["Resources"][templates.SERVICE_ROLE]
    if any(policy_texts(role)):
        raise BuildError(
            "A policy of the service role is text; a policy file needs its statements.",
            "Write its PolicyDocument as an object.",
        )
    try:
        known = ours["Resources"][templates.SERVICE_ROLE]
        return [resolved.value(each) for each in _added(role, known)]
    except KeyError as error:
        raise BuildError(
            f"A statement of the service role uses {error.args[0]}; a policy file cannot.",
            "Write it with Ref, Fn::Sub, Fn::Join, Fn::If or Fn::GetAtt.",
        ) from error


def _customized(customize: Customize, template: Template, kind: TemplateKind) -> str:
    """Customize a template; return its JSON, with the order of keys that the Terraform modules use.

    Raises BuildError for any failure, because a customer's code and troposphere may raise errors of
    many types.
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


def _may(path: JsonPath, what: str) -> bool:
    """Return whether a customer may make this change to our template."""
    match path:
        case (section,) | (section, _) if section in _SECTIONS:
            return what == "added"
        case ("Metadata", name, *_):
            return what == "added" and name != RECORD
        case ("Resources", _, "Properties", "Tags", *_):
            return True
        case ("Resources", templates.FUNCTION, "Properties", name, *_):
            return name not in _PROMISED
        case (
            ("Resources", _, "Metadata", *_)
            | ("Resources", templates.FUNCTION, "DependsOn", *_)
            | ("Resources", templates.SERVICE_ROLE, "Properties", "Policies", _)
            | ("Resources", templates.SERVICE_ROLE, "Properties", "Policies", _, _, "Statement", _)
        ):
            return what == "added"
    return False


def _added(resource: Json, ours: Json) -> Iterator[dict[str, Any]]:
    known = [each for _, each in statements_in(ours)]
    yield from (each for _, each in statements_in(resource) if each not in known)


def _managed(policy: Json) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": f"what managed policy {_text(policy)} allows"}


def _written(policy: Json) -> list[dict[str, Any]]:
    """Return the statements of a policy written as text, or one statement that quotes the text."""
    text = _text(policy)
    try:
        found = [each for _, each in statements_in(json.loads(text))]
    except (RecursionError, ValueError):
        found = []
    return found or [{"Effect": "Allow", "Action": f"what this text says: {text}"}]


def _texts(statement: Mapping[str, Any], name: str) -> Iterator[str]:
    for key in (name, f"Not{name}"):
        if key in statement:
            start = "all but " if key != name else ""
            yield from (f"{start}{_text(each)}" for each in listed(statement[key]))


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case {"Fn::Sub": str() as text}:
            return text
    return json.dumps(value, sort_keys=True)
