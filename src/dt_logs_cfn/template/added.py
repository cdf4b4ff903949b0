"""Find the additions of a customized template, for its reviewers and for the policy files.

Only templates are compared; the function that changed them does not matter.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.json_tree import differences
from dt_logs_cfn.template.resources import SERVICE_ROLE
from dt_logs_cfn.template.statements import managed_policies, policy_texts, statements_in
from dt_logs_cfn.template.templates import CUSTOMIZED, RECORD, TemplateKind, origin, template_of
from dt_logs_handler.documents import Json, listed

Plain = Mapping[str, Any]


@dataclass(frozen=True)
class AddedRight:
    """A policy statement that was added: its resource, and its elements as text.

    `who` is the statement's principal, or empty in an identity's policy.
    """

    resource: str
    effect: str
    who: str
    actions: tuple[str, ...]
    on: tuple[str, ...]
    condition: str


@dataclass(frozen=True)
class Customization:
    """The function that changed a release's templates, the changed places, and the added rights.

    A place is a path into the template, followed by "added" or "changed".
    """

    by: str
    places: Mapping[TemplateKind, tuple[str, ...]]
    rights: Mapping[TemplateKind, tuple[AddedRight, ...]]


def customization(
    found: Mapping[TemplateKind, Plain], ours: Mapping[TemplateKind, Plain]
) -> Customization | None:
    """Return how templates differ from ours, or None if they were not customized."""
    names = (each["Metadata"][RECORD].get(CUSTOMIZED) for each in found.values())
    by = next(filter(None, names), "")
    if not by:
        return None
    return Customization(
        by,
        {kind: tuple(_places(found[kind], ours[kind])) for kind in found},
        {kind: added_rights(found[kind], ours[kind]) for kind in found},
    )


def added_to(template: Plain) -> tuple[AddedRight, ...]:
    """Return each policy statement that a template adds to ours with the same settings.

    Raises VerifyError or SettingsError if the template is not one of ours.
    """
    source = origin(template)
    return added_rights(template, template_of(source.settings, source.kind).to_dict())


def added_rights(found: Plain, ours: Plain) -> tuple[AddedRight, ...]:
    """Return each policy statement that a template adds to ours, resource by resource.

    Ours has neither managed policies nor policies written as text, so each of those counts as
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
    """Return the statements that the service role adds to ours, in the form of a policy file.

    Placeholders like `${Region}` stand for values that differ from stack to stack. Raises
    BuildError for a policy written as text, or a CloudFormation function that a file cannot
    express.
    """
    parameters = {name: f"${{{name}}}" for name in found["Parameters"]}
    pseudo = {f"AWS::{name}": f"${{{name}}}" for name in ("StackId", "StackName", "URLSuffix")}
    resolved = ResolvedTemplate(
        found, parameters, region="${Region}", account="${Account}", pseudo=pseudo
    )
    role = found["Resources"][SERVICE_ROLE]
    if any(policy_texts(role)):
        raise BuildError(
            "A policy of the service role is text; a policy file needs its statements.",
            "Write its PolicyDocument as an object.",
        )
    try:
        return [resolved.value(each) for each in _added(role, ours["Resources"][SERVICE_ROLE])]
    except KeyError as error:
        raise BuildError(
            f"A statement of the service role uses {error.args[0]}; a policy file cannot.",
            "Write it with Ref, Fn::Sub, Fn::Join, Fn::If or Fn::GetAtt.",
        ) from error


def _places(found: Plain, ours: Plain) -> Iterator[str]:
    for path, what in differences(dict(found), dict(ours)):
        if path != ("Metadata", RECORD, CUSTOMIZED):
            yield f"{'/'.join(path)} {what}"


def _added(resource: Json, ours: Json) -> Iterator[dict[str, Any]]:
    known = [each for _, each in statements_in(ours)]
    yield from (each for _, each in statements_in(resource) if each not in known)


def _managed(policy: Json) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": f"what managed policy {_text(policy)} allows"}


def _written(policy: Json) -> list[dict[str, Any]]:
    """Return the statements of a policy written as text; without any, one that quotes the text."""
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
