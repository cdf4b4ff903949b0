"""From a roll-out and what there is to the operations that bring them together; pure.

    Rollout + Present ─► plan ─► operations

Carrying the operations out and planning again gives none. A stack set runs one operation at a
time, so they are few: one for the stack set, then one for each block of instances that get the
same overrides.
"""

from collections.abc import Iterable, Iterator, Mapping

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.checks import (
    check_complete,
    check_load_balancers,
    check_names,
    check_operable,
    check_ours,
    check_values,
)
from dt_logs_cfn.operate.stack_sets.operations import (
    CreateInstances,
    CreateStackSet,
    Operation,
    Present,
    PresentStackSet,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operate.stack_sets.overrides import Values, assigned
from dt_logs_cfn.operate.stack_sets.rollout import Rollout
from dt_logs_cfn.operate.stack_sets.targets import (
    Block,
    Instance,
    SelfManaged,
    ServiceManaged,
    blocks,
)
from dt_logs_cfn.template.declared import default
from dt_logs_cfn.template.parsing import parse_template


def plan(rollout: Rollout, present: Present) -> tuple[Operation, ...]:
    """Return what turns what is there into what is asked for, in the order to be done.

    Raises OperatingError if that cannot be, or would fail for a reason that is known now.
    """
    instances = Block(present.accounts, rollout.regions).instances
    if not instances:
        raise OperatingError(
            "No account is left to roll out to.", "Name units with active accounts, or others."
        )
    overrides = assigned(rollout.rows, instances)
    there = present.stack_set
    if there is not None:
        check_ours(rollout, there)
        check_operable(present, instances)
    check_complete(rollout, there)
    check_values(rollout, there, overrides)
    check_load_balancers(rollout, there, [each for each in instances if each not in overrides])
    check_names(rollout, there, instances, overrides)
    operations: list[Operation] = []
    if there is None:
        operations.append(CreateStackSet(tuple(sorted(rollout.parameters.items()))))
    else:
        operations += _updates(rollout, there, present, instances, overrides)
    missing = [each for each in instances if each not in present.instances]
    for values, block in _blocks(missing, overrides):
        operations.append(CreateInstances(block, values, _whole(block, present)))
    return tuple(operations)


def _updates(
    rollout: Rollout,
    there: PresentStackSet,
    present: Present,
    instances: Iterable[Instance],
    overrides: Mapping[Instance, Values],
) -> Iterator[Operation]:
    """Yield what changes stacks that are there.

    A failed one gets another try by its new overrides, if there are any, else with all.
    """
    found = {each: present.instances[each] for each in instances if each in present.instances}
    changed = [
        each for each in found if each in overrides and found[each].overrides != overrides[each]
    ]
    again = sum(found[each].status == "OUTDATED" for each in found.keys() - set(changed))
    if reasons := [*_differences(rollout, there), *_again(again)]:
        regions = {each.region for each in present.instances}
        kept = there.parameters.keys() & rollout.template.parameters.keys()
        yield UpdateStackSet(
            tuple(sorted(rollout.parameters.items())),
            tuple(sorted(kept - rollout.parameters.keys())),
            rollout.regions if regions == set(rollout.regions) else (),
            tuple(reasons),
            len(present.instances),
        )
    for values, block in _blocks(changed, overrides):
        yield UpdateInstances(block, values, _whole(block, present))


def _blocks(
    instances: Iterable[Instance], overrides: Mapping[Instance, Values]
) -> Iterator[tuple[Values, Block]]:
    groups: dict[Values, list[Instance]] = {}
    for each in instances:
        groups.setdefault(overrides.get(each, ()), []).append(each)
    for values in sorted(groups):
        for block in blocks(groups[values]):
            yield values, block


def _whole(block: Block, present: Present) -> bool:
    # Counted first: there may be as many blocks as stacks.
    accounts = present.accounts
    return len(block.accounts) == len(accounts) and set(block.accounts) == set(accounts)


def _again(number: int) -> Iterator[str]:
    if number:
        yield f"{number} of its stacks failed or were not reached"


def _differences(rollout: Rollout, there: PresentStackSet) -> Iterator[str]:
    known = rollout.template.parameters
    if parse_template(rollout.template.text) != parse_template(there.template):
        yield "template"
    for name, value in sorted(rollout.parameters.items()):
        if value != there.parameters.get(name, default(known[name])):
            yield f"parameter {name}"
    if rollout.tags is not None and dict(rollout.tags) != dict(there.tags):
        yield "tags"
    match rollout.targets:
        case SelfManaged(administration_role_arn=administration, execution_role_name=execution):
            if administration not in ("", there.administration_role_arn):
                yield "administration role"
            if execution not in ("", there.execution_role_name):
                yield "execution role"
        case ServiceManaged(auto_deployment=automatic, retain_stacks=retain):
            if automatic not in (None, there.auto_deployment) or (
                retain not in (None, there.retain_stacks) and automatic is not False
            ):
                yield "auto-deployment"
