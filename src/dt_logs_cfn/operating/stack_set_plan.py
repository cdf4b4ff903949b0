"""From a roll-out and what there is to the operations that bring them together; pure.

    Rollout + Present ─► plan ─► operations

Carrying the operations out and planning again gives none. A stack set runs one operation at a
time, so they are few: one for the stack set, then one for each block of instances that get the
same overrides.
"""

from collections.abc import Iterable, Iterator, Mapping

from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operating.overrides import Values, assigned, elsewhere
from dt_logs_cfn.operating.rollout import Rollout
from dt_logs_cfn.operating.stack_sets import (
    CreateInstances,
    CreateStackSet,
    Operation,
    Present,
    PresentStackSet,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operating.targets import Block, Instance, SelfManaged, ServiceManaged, blocks
from dt_logs_cfn.operating.template_parameters import default
from dt_logs_cfn.template_file import parse_template
from dt_logs_cfn.templates import origin


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
    _check_complete(rollout, there)
    _check_load_balancers(rollout, there, [each for each in instances if each not in overrides])
    _check_names(rollout, there, instances, overrides)
    operations: list[Operation] = []
    if there is None:
        operations.append(CreateStackSet(tuple(sorted(rollout.parameters.items()))))
    else:
        _check_possible(rollout, there, present, instances)
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
    return set(block.accounts) == set(present.accounts)


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


def _check_complete(rollout: Rollout, there: PresentStackSet | None) -> None:
    """Refuse a stack set without a value for each parameter: overrides do not count for it."""
    present = there.parameters if there else {}
    for name, parameter in rollout.template.parameters.items():
        given = name in rollout.parameters or name in present
        if not given and default(parameter) is None:
            usual = "*" if name == "LoadBalancerArns" else "VALUE"
            raise OperatingError(
                f"The parameter {name} of the stack set has no value.",
                f"Give --parameter {name}={usual}, for all that no override is for.",
            )


def _check_load_balancers(
    rollout: Rollout, there: PresentStackSet | None, instances: Iterable[Instance]
) -> None:
    """Refuse load balancers of one account and region for stacks that are made in others."""
    present = there.parameters if there else {}
    value = rollout.parameters.get("LoadBalancerArns", present.get("LoadBalancerArns", ""))
    for each in instances:
        if elsewhere(value, each):
            raise OperatingError(
                f"LoadBalancerArns names load balancers that are not in {each.account}"
                f" {each.region}.",
                "Use --parameter 'LoadBalancerArns=*' for all there, or --overrides for some.",
            )


def _check_names(
    rollout: Rollout,
    there: PresentStackSet | None,
    instances: Iterable[Instance],
    overrides: Mapping[Instance, Values],
) -> None:
    """Refuse one name for several: a role's is one an account, a bucket's one in the world."""
    common = {**(there.parameters if there else {}), **rollout.parameters}
    seen: set[tuple[str, str, str]] = set()
    for each in instances:
        values = {**common, **dict(overrides.get(each, ()))}
        for name, where in (("LambdaExecutionRoleName", each.account), ("LogBucketName", "")):
            value = values.get(name, "")
            if value and (name, where, value) in seen:
                raise OperatingError(
                    f"{name} is the same for {each.account} {each.region} and another stack.",
                    "Leave it empty, or give each its own with --overrides.",
                )
            seen.add((name, where, value))


def _check_possible(
    rollout: Rollout, there: PresentStackSet, present: Present, instances: Iterable[Instance]
) -> None:
    try:
        origin(parse_template(there.template))
    except DtLogsError as error:
        raise OperatingError(
            f"The stack set {rollout.name} was not made from a template of ours.",
            "Choose another name.",
        ) from error
    model = "SELF_MANAGED" if isinstance(rollout.targets, SelfManaged) else "SERVICE_MANAGED"
    if there.permission_model != model:
        raise OperatingError(
            f"The stack set {rollout.name} is {there.permission_model}; these targets are not.",
            "Use --accounts alone for SELF_MANAGED, --ou for SERVICE_MANAGED, or a new name.",
        )
    found = present.instances
    stuck = [each for each in instances if each in found and found[each].status == "INOPERABLE"]
    if stuck:
        shown = ", ".join(f"{each.account} {each.region}" for each in stuck[:3])
        raise OperatingError(
            f"{len(stuck)} stacks are INOPERABLE, since deleting them failed: {shown}.",
            "Take them out with `aws cloudformation delete-stack-instances --retain-stacks`, delete"
            " the stacks there, and try again.",
        )
