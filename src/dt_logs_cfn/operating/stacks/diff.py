"""What an update changes of the stack itself: its template and its parameters; pure."""

from collections.abc import Mapping

from dt_logs_cfn.comparison import compare_templates
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.operating import template_parameters
from dt_logs_cfn.operating.plans.diff import Change
from dt_logs_cfn.operating.shown import changes, shown_text
from dt_logs_cfn.operating.stacks.stack import Existing, TemplateJson
from dt_logs_cfn.operating.template_parameters import taken

# What alone is no change to CloudFormation: a template differs by it and makes the same stack.
_WORDS = frozenset(("condition", "parameter", "rule", "setting", "text", "version"))


def stack_change(
    name: str, existing: Existing | None, template: TemplateJson, values: Mapping[str, str]
) -> Change | None:
    """Return what changes of a stack, as one change of a plan; None for nothing.

    `values` are those that all parameters of the new template will have.
    """
    subject = f"stack {name}"
    if existing is None:
        return Change("CreateStack", subject, (f"+ the stack itself: {_made(template)}",))
    declared = template_parameters.declared(template)
    old, new = (
        {name: taken(declared.get(name, {}), value) for name, value in each.items()}
        for each in (existing.stack.parameters, values)
    )
    parameters = [f"~ parameter {each}" for each in changes(old, new)]
    if not parameters and not _counts(existing.template, template):
        return None
    found = (f"~ template: {each}" for each in template_changes(existing.template, template))
    return Change("UpdateStack", subject, (*found, *parameters))


def _counts(old: TemplateJson, new: TemplateJson) -> bool:
    """Tell whether CloudFormation makes a change set of what differs between two templates."""
    try:
        return any(each.kind not in _WORDS for each in compare_templates(old, new))
    except VerifyError:
        return True


def template_changes(old: TemplateJson, new: TemplateJson) -> list[str]:
    """Return what changes from one template to another, in words, the worst first.

    It may quote anybody's text, addresses in it without what may be a token.
    """
    try:
        return [shown_text(each.what) for each in compare_templates(old, new)]
    except VerifyError as error:
        return [f"what changes cannot be told: {error.what}"]


def _made(template: TemplateJson) -> str:
    declared = template.get("Resources")
    return ", ".join(declared) if isinstance(declared, dict) else ""
