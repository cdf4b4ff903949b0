"""What an update changes of the stack itself: its template and its parameters; pure."""

from collections.abc import Mapping

from dt_logs_cfn.cli.terminal import changes, shown_text
from dt_logs_cfn.diff import Level, compare_templates
from dt_logs_cfn.operate.plans.diff import PlannedChange
from dt_logs_cfn.operate.stacks.stack import Existing, TemplateJson
from dt_logs_cfn.template.declared import declared, split
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_handler.documents import Json

# What alone is no change to CloudFormation: a template differs by it and makes the same stack.
_WORDS = frozenset(("condition", "parameter", "rule", "setting", "text", "version"))


def stack_change(
    name: str, existing: Existing | None, template: TemplateJson, values: Mapping[str, str]
) -> PlannedChange | None:
    """Return what changes of a stack, as one change of a plan; None for nothing.

    `values` are those that all parameters of the new template will have.
    """
    subject = f"stack {name}"
    if existing is None:
        return PlannedChange(
            "CreateStack", subject, (f"+ the stack itself: {_made(template, values)}",)
        )
    parameters = declared(template)
    old, new = (
        {name: _taken(parameters.get(name, {}), value) for name, value in each.items()}
        for each in (existing.stack.parameters, values)
    )
    changed = [f"~ parameter {each}" for each in changes(old, new)]
    found = compare_templates(existing.template, template)
    # A condition that says something else may decide otherwise on what the stack has.
    made = [each for each in found if (each.kind, each.level) == ("condition", Level.MAJOR)]
    made += [each for each in found if each.kind not in _WORDS]
    if not changed and not made:
        return None
    lines = (*(f"~ template: {shown_text(each.what)}" for each in found), *changed)
    return PlannedChange("UpdateStack", subject, lines)


def template_changes(old: TemplateJson, new: TemplateJson) -> list[str]:
    """Return what changes from one template to another, in words, the worst first.

    It may quote anybody's text, addresses in it without what may be a token.
    """
    return [shown_text(each.what) for each in compare_templates(old, new)]


def _taken(parameter: Mapping[str, Json], value: str) -> str:
    found = split(parameter, value)
    return found if isinstance(found, str) else ",".join(found)


def _made(template: TemplateJson, values: Mapping[str, str]) -> str:
    """Name the resources that a stack with these values has."""
    declared, stack = template.get("Resources"), ResolvedTemplate(template, values)
    return ", ".join(filter(stack.has, declared)) if isinstance(declared, dict) else ""
