"""A change set as text: resources, parameters and tags from old to new, rights that come and go."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dt_logs_cfn.cli.terminal import printable
from dt_logs_cfn.operate.shown import changes, shown_value
from dt_logs_cfn.operate.stacks.stack import Stack

_SIGNS = {"Add": "+", "Modify": "~", "Remove": "-"}


@dataclass(frozen=True)
class Change:
    """What happens to a resource: Add, Modify or Remove, and which of its properties change."""

    action: str
    logical_id: str
    resource_type: str
    replacement: str = ""  # True, False or Conditional, of one that is modified
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What a stack would become; `before` is None for one that is to be made."""

    name: str
    account: str
    region: str
    role: str
    template: str  # where it is from, in words
    before: Stack | None
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    changes: tuple[Change, ...]
    rights: frozenset[str]  # actions that the Lambda's role may do
    template_changes: tuple[str, ...] = ()  # in words, where there is a template before


def change(found: Mapping[str, Any]) -> Change:
    """Return one of DescribeChangeSet's resource changes."""
    targets = [each.get("Target", {}) for each in found.get("Details", ())]
    names = (each.get("Name") or each.get("Attribute", "") for each in targets)
    return Change(
        found.get("Action", ""),
        found.get("LogicalResourceId", ""),
        found.get("ResourceType", ""),
        found.get("Replacement", ""),
        tuple(dict.fromkeys(filter(None, names))),
    )


def rights(template: Mapping[str, Any]) -> frozenset[str]:
    """Return the actions that a template's roles may do, by the policies in it."""
    return frozenset(
        action
        for resource in _objects(template.get("Resources"))
        if resource.get("Type") == "AWS::IAM::Role"
        for policy in resource.get("Properties", {}).get("Policies", ())
        for statement in policy["PolicyDocument"]["Statement"]
        for action in _listed(statement["Action"])
    )


def told(proposal: Proposal) -> str:
    """Return a proposal as text, an endpoint without what may be a token.

    What another client has set may hold anything: no line of it drives a terminal.
    """
    return "\n".join(map(printable, _told(proposal)))


def _told(proposal: Proposal) -> Iterator[str]:
    verb = "create" if proposal.before is None else "update"
    yield f"{verb} stack {proposal.name} in account {proposal.account}, {proposal.region}"
    yield f"  template  {proposal.template}"
    yield f"  through   {proposal.role or 'your own rights, without a service role'}"
    yield from _listed_under("Resources", [_change(each) for each in proposal.changes])
    yield from _listed_under("Parameters", list(_parameters(proposal)))
    yield from _listed_under("Tags", list(_tags(proposal)))
    yield from _listed_under("Template", proposal.template_changes)
    yield from _listed_under("Rights of the Lambda's role", list(_rights(proposal)))


def _change(found: Change) -> str:
    sign = _SIGNS.get(found.action, "?")
    how = {"True": "made anew", "Conditional": "perhaps made anew"}.get(found.replacement, "")
    if how:
        sign = "!"
    more = "; ".join(filter(None, (how, ", ".join(found.properties))))
    return f"{sign} {found.logical_id}  {found.resource_type}{f'  ({more})' if more else ''}"


def _parameters(proposal: Proposal) -> Iterator[str]:
    """Yield what changes; of a stack that is to be made, everything that has a value."""
    if proposal.before is not None:
        yield from changes(proposal.before.parameters, proposal.parameters)
        return
    for name, value in proposal.parameters.items():
        if value:
            yield f"{name} = {shown_value(value)}"


def _tags(proposal: Proposal) -> Iterator[str]:
    old = proposal.before.tags if proposal.before else {}
    yield from changes(old, {**old, **proposal.tags})


def _rights(proposal: Proposal) -> Iterator[str]:
    if proposal.before is None:
        services = Counter(each.partition(":")[0] for each in proposal.rights)
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


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
