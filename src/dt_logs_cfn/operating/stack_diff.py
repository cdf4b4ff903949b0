"""What an update changes of the stack itself: its template and its parameters; pure."""

from collections.abc import Mapping

from dt_logs_cfn.comparison import compare_templates
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.operating.plan_diff import Change
from dt_logs_cfn.operating.shown import changes, shown_text
from dt_logs_cfn.operating.stacks import Existing, TemplateJson


def stack_change(
    name: str, existing: Existing | None, template: TemplateJson, values: Mapping[str, str]
) -> Change | None:
    """Return what changes of a stack, as one change of a plan; None for nothing.

    `values` are those that all parameters of the new template will have.
    """
    subject = f"stack {name}"
    if existing is None:
        return Change("CreateStack", subject, (f"+ the stack itself: {_made(template)}",))
    lines = (
        *(f"~ template: {each}" for each in template_changes(existing.template, template)),
        *(f"~ parameter {each}" for each in changes(existing.stack.parameters, values)),
    )
    return Change("UpdateStack", subject, lines) if lines else None


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
