"""What a roll-out is about to do, in words: where, with what, and what changes by it; pure."""

from collections.abc import Iterator, Sequence

from dt_logs_cfn.operate.plans.asked import parameters
from dt_logs_cfn.operate.shown import changes, shown_value
from dt_logs_cfn.operate.stack_sets.operations import (
    CreateInstances,
    CreateStackSet,
    Operation,
    Present,
    PresentStackSet,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operate.stack_sets.overrides import Values
from dt_logs_cfn.operate.stack_sets.rollout import Rollout
from dt_logs_cfn.operate.stack_sets.targets import Block, SelfManaged
from dt_logs_cfn.template.parsing import parse_template

_MOST = 8  # accounts that are listed in a line
_LONGEST = 80


def intention(
    rollout: Rollout, present: Present, operations: Sequence[Operation], place: str
) -> list[str]:
    """Return what is about to be done, in lines; `place` is the account and region of the set."""
    template, targets = rollout.template, rollout.targets
    managed = "self-managed" if isinstance(targets, SelfManaged) else "service-managed"
    instances = Block(present.accounts, rollout.regions).instances
    lines = [
        f"Stack set    {rollout.name}, {managed}, in {place}",
        f"Template     {template.description}, sha256 {template.sha256}",
        f"Targets      {_counted(present.accounts, 'account')}:"
        f" {_listed(present.accounts)}; in {', '.join(rollout.regions)}"
        f" ({_counted(instances, 'stack')})",
        f"Preferences  {_preferences(rollout)}",
    ]
    if not isinstance(targets, SelfManaged):
        automatic = {None: "as it is, at first off", True: "on", False: "off"}
        lines.append(
            f"Units        {', '.join(targets.units)}, as {targets.call_as}; auto-deployment"
            f" {automatic[targets.auto_deployment]}"
        )
    for number, each in enumerate(operations, 1):
        lines.append(f"{number}. {told(each)}")
        if isinstance(each, UpdateStackSet) and present.stack_set is not None:
            lines += [f"     {line}" for line in _changes(rollout, present.stack_set)]
    return lines


def told(operation: Operation) -> str:
    """Return an operation in words."""
    match operation:
        case CreateStackSet(parameters):
            return f"create the stack set with {_values(parameters) or 'no parameters'}"
        case UpdateStackSet():
            why = "; ".join(operation.reasons)
            return f"update the stack set and its {_number(operation.stacks, 'stack')}: {why}"
        case CreateInstances(block, overrides):
            with_ = f" with {_values(overrides)}" if overrides else ""
            return f"create {_block(block)}{with_}"
        case UpdateInstances(block, overrides):
            return f"update {_block(block)} to {_values(overrides) or 'no overrides'}"


def _changes(rollout: Rollout, there: PresentStackSet) -> Iterator[str]:
    """Yield which values change, from old to new; what is not given stays as it is."""
    before, after = parse_template(there.template), parse_template(rollout.template.text)
    yield from changes(
        parameters(before, {}, there.parameters),
        parameters(after, rollout.parameters, there.parameters),
    )
    if rollout.tags is not None:
        yield from (f"tag {each}" for each in changes(there.tags, rollout.tags))


def _block(block: Block) -> str:
    regions = ", ".join(block.regions)
    return f"{_counted(block.instances, 'stack')}: {_listed(block.accounts)} in {regions}"


def _counted(things: Sequence[object], name: str) -> str:
    return _number(len(things), name)


def _number(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _listed(accounts: Sequence[str]) -> str:
    more = len(accounts) - _MOST
    return ", ".join(accounts[:_MOST]) + (f" and {more:,} more" if more > 0 else "")


def _values(found: Values) -> str:
    return ", ".join(f"{name}={_cut(shown_value(value))}" for name, value in found)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _preferences(rollout: Rollout) -> str:
    wanted = rollout.preferences
    return (
        f"failure tolerance {wanted.failure_tolerance or 0}, {wanted.max_concurrent or 1} at once,"
        f" regions {(wanted.region_concurrency or 'SEQUENTIAL').lower()},"
        f" {wanted.concurrency_mode or 'STRICT_FAILURE_TOLERANCE'}"
    )
