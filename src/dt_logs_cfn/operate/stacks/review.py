"""Describe changes to the stack itself: template, parameters, tags and resources; pure.

Another client may have written these strings. So they are shown without control characters, and
addresses in them without a possible token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dt_logs_cfn.cli.terminal import changes, printable, shown_text, shown_value
from dt_logs_cfn.diff import Level, compare_templates
from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import Existing, TemplateJson
from dt_logs_cfn.template.intrinsics import ResolvedTemplate, declared, split
from dt_logs_cfn.template.statements import statements_in
from dt_logs_handler.documents import Json, texts

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef as ResourceChange

# Kinds of differences that leave the stack the same, so CloudFormation sees no change.
_WORDS = frozenset(("condition", "parameter", "rule", "setting", "text", "version"))
_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}


def stack_change(
    name: str, existing: Existing | None, template: TemplateJson, values: Mapping[str, str]
) -> PlannedChange | None:
    """Return a stack's own changes as one change of a plan, or None if nothing changes.

    `values` holds the value that each parameter of the new template will have.
    """
    subject = f"stack {name}"
    if existing is None:
        resources, stack = template.get("Resources"), ResolvedTemplate(template, values)
        made = ", ".join(filter(stack.has, resources)) if isinstance(resources, dict) else ""
        return PlannedChange("CreateStack", subject, (f"+ the stack itself: {made}",))
    parameters = declared(template)
    old, new = (
        {name: _taken(parameters.get(name, {}), value) for name, value in each.items()}
        for each in (existing.stack.parameters, values)
    )
    changed = [f"~ parameter {each}" for each in changes(old, new)]
    found = compare_templates(existing.template, template)
    # A condition with another meaning may add or remove resources.
    conditions = any((e.kind, e.level) == ("condition", Level.MAJOR) for e in found)
    if not changed and not conditions and all(each.kind in _WORDS for each in found):
        return None
    lines = (*(f"~ template: {shown_text(each.what)}" for each in found), *changed)
    return PlannedChange("UpdateStack", subject, lines)


def _taken(parameter: Mapping[str, Json], value: str) -> str:
    found = split(parameter, value)
    return found if isinstance(found, str) else ",".join(found)


def template_changes(old: TemplateJson, new: TemplateJson) -> list[str]:
    """Return the changes from one template to another, in words, the most severe first."""
    return [shown_text(each.what) for each in compare_templates(old, new)]


def rights(template: Mapping[str, Any]) -> frozenset[str]:
    """Return the actions in the policies of a template's roles."""
    resources: Mapping[str, Mapping[str, Any]] = template.get("Resources", {})
    return frozenset(
        action
        for role in resources.values()
        if role.get("Type") == "AWS::IAM::Role"
        for _, statement in statements_in(role.get("Properties", {}).get("Policies", []))
        for action in texts(statement.get("Action"))
    )


def told(deployment: Deployment, resources: Sequence[ResourceChange]) -> str:
    """Return a description of the changes that a change set would make."""
    return "\n".join(map(printable, _told(deployment, resources)))


def _told(deployment: Deployment, resources: Sequence[ResourceChange]) -> Iterator[str]:
    before, here = deployment.before, deployment.here
    verb = "create" if before is None else "update"
    yield f"{verb} stack {deployment.name} in account {here.account}, {here.region}"
    yield f"  template  {deployment.template.description}"
    yield f"  through   {deployment.acting_role or 'your own permissions, without a service role'}"
    given = (f"{k} = {shown_value(v)}" for k, v in deployment.values.items() if v)
    parameters = changes(before.stack.parameters, deployment.values) if before else given
    sections: dict[str, Sequence[str]] = {
        "Resources": [_change(each) for each in resources],
        "Parameters": [*parameters],
        "Tags": [*changes(before.stack.tags if before else {}, deployment.all_tags)],
        "Permissions of the Lambda's role": [] if before else [*_rights(deployment)],
        "Template": template_changes(before.template, deployment.template.document)
        if before
        else [],
    }
    for title, lines in sections.items():
        if lines:
            yield f"  {title}"
            yield from (f"    {each}" for each in lines)


def _change(found: ResourceChange) -> str:
    """Return a line about a resource's change, with the properties that change."""
    how = {"True": "replaced", "Conditional": "perhaps replaced"}
    replaced = how.get(found.get("Replacement", ""), "")
    targets = [each.get("Target", {}) for each in found.get("Details", ())]
    names = dict.fromkeys(each.get("Name") or each.get("Attribute", "") for each in targets)
    more = "; ".join(filter(None, (replaced, ", ".join(filter(None, names)))))
    sign = "!" if replaced else _SIGNS.get(found.get("Action", ""), "?")
    resource = f"{found.get('LogicalResourceId', '')}  {found.get('ResourceType', '')}"
    return f"{sign} {resource}{f'  ({more})' if more else ''}"


def _rights(deployment: Deployment) -> Iterator[str]:
    services = Counter(each.partition(":")[0] for each in rights(deployment.template.document))
    yield ", ".join(f"{name}: {count}" for name, count in sorted(services.items()))
    yield "`dt-logs-cfn explain` says what each is for."
