"""What an update changes of the stack itself: its template and its parameters; pure."""

from collections.abc import Iterator, Mapping

from dt_logs_cfn.comparison import compare_templates
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.operating.plan_diff import Change
from dt_logs_cfn.operating.stacks import Existing, Template, visible


def stack_change(
    name: str, existing: Existing | None, template: Template, values: Mapping[str, str]
) -> Change | None:
    """Return what changes of a stack, as one change of a plan; None for nothing.

    `values` are those that all parameters of the new template will have.
    """
    subject = f"stack {name}"
    if existing is None:
        return Change("CreateStack", subject, (f"+ the stack itself: {_made(template)}",))
    lines = (
        *(f"~ template: {each}" for each in template_changes(existing.template, template)),
        *(f"~ parameter {each}" for each in parameter_changes(existing.stack.parameters, values)),
    )
    return Change("UpdateStack", subject, lines) if lines else None


def template_changes(old: Template, new: Template) -> list[str]:
    """Return what changes from one template to another, in words, the worst first.

    It may quote anybody's text.
    """
    try:
        return [each.what for each in compare_templates(old, new)]
    except VerifyError as error:
        return [f"what changes cannot be told: {error.what}"]


def parameter_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yield what changes from old to new values; of an endpoint, no more than its host is told."""
    for name, value in new.items():
        after = visible(name, value)
        if name not in old:
            yield f"{name} = {after or 'empty'} (new)"
        elif old[name] != value:
            before = visible(name, old[name])
            same = " (the hidden part changes)" if before == after else ""
            yield f"{name}: {before or 'empty'} -> {after or 'empty'}{same}"
    for name in old.keys() - new.keys():
        yield f"{name} goes"


def _made(template: Template) -> str:
    declared = template.get("Resources")
    return ", ".join(declared) if isinstance(declared, dict) else ""
