"""What a change set would do, in words: the template, its values and the resources."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dt_logs_cfn.cli.terminal import changes, printable, shown_value
from dt_logs_cfn.operate.stacks.change_sets import ResourceChange
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.diff import template_changes
from dt_logs_cfn.template.json_tree import mappings
from dt_logs_handler.documents import statements, texts

_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}


def rights(template: Mapping[str, Any]) -> frozenset[str]:
    """Return the actions that a template's roles may do, by the policies in it."""
    return frozenset(
        action
        for resource in _objects(template.get("Resources"))
        if resource.get("Type") == "AWS::IAM::Role"
        for _, policy in mappings(resource.get("Properties", {}).get("Policies", []))
        for statement in statements(policy)
        for action in texts(statement.get("Action"))
    )


def told(deployment: Deployment, resources: Sequence[ResourceChange]) -> str:
    """Return what a change set would do as text, an endpoint without what may be a token.

    What another client has set may hold anything: no line of it drives a terminal.
    """
    return "\n".join(map(printable, _told(deployment, resources)))


def _told(deployment: Deployment, resources: Sequence[ResourceChange]) -> Iterator[str]:
    before, here = deployment.before, deployment.here
    verb = "create" if before is None else "update"
    yield f"{verb} stack {deployment.name} in account {here.account}, {here.region}"
    yield f"  template  {deployment.template.description}"
    yield f"  through   {deployment.acting_role or 'your own rights, without a service role'}"
    yield from _listed_under("Resources", [_change(each) for each in resources])
    yield from _listed_under("Parameters", list(_parameters(deployment)))
    old = before.stack.tags if before else {}
    yield from _listed_under("Tags", list(changes(old, deployment.all_tags)))
    if before is None:
        yield from _listed_under("Rights of the Lambda's role", list(_rights(deployment)))
    else:
        found = template_changes(before.template, deployment.document)
        yield from _listed_under("Template", found)


def _change(found: ResourceChange) -> str:
    sign = _SIGNS.get(found.action, "?")
    how = {"True": "made anew", "Conditional": "perhaps made anew"}.get(found.replacement, "")
    if how:
        sign = "!"
    more = "; ".join(filter(None, (how, ", ".join(found.properties))))
    return f"{sign} {found.logical_id}  {found.resource_type}{f'  ({more})' if more else ''}"


def _parameters(deployment: Deployment) -> Iterator[str]:
    """Yield what changes; of a stack that is to be made, everything that has a value."""
    if deployment.stack is not None:
        yield from changes(deployment.stack.parameters, deployment.values)
        return
    for name, value in deployment.values.items():
        if value:
            yield f"{name} = {shown_value(value)}"


def _rights(deployment: Deployment) -> Iterator[str]:
    found = rights(deployment.document)
    services = Counter(each.partition(":")[0] for each in found)
    yield ", ".join(f"{count} of {name}" for name, count in sorted(services.items()))
    yield "each one, and what for: `dt-logs-cfn explain`"


def _listed_under(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"  {title}"
        yield from (f"    {each}" for each in lines)


def _objects(value: object) -> list[dict[str, Any]]:
    return (
        [each for each in value.values() if isinstance(each, dict)]
        if isinstance(value, dict)
        else []
    )
