"""What would fail, or is none of ours, refused before anything is begun on a stack set; pure."""

from collections.abc import Iterable, Mapping

from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operate.stack_sets.operations import Present, PresentStackSet
from dt_logs_cfn.operate.stack_sets.overrides import Values, elsewhere
from dt_logs_cfn.operate.stack_sets.rollout import Rollout
from dt_logs_cfn.operate.stack_sets.targets import Instance, SelfManaged
from dt_logs_cfn.operate.values import check_rules
from dt_logs_cfn.template.declared import check_given, default
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.templates import origin


def check_complete(rollout: Rollout, there: PresentStackSet | None) -> None:
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


def check_values(
    rollout: Rollout, there: PresentStackSet | None, overrides: Mapping[Instance, Values]
) -> None:
    """Refuse what stays and the template takes no more, and values that do not go together."""
    template, parameters = parse_template(rollout.template.text), rollout.template.parameters
    present = there.parameters if there else {}
    kept = {name: value for name, value in present.items() if name in parameters}
    common = {**kept, **rollout.parameters}
    check_given(parameters, common)
    check_rules(template, common, "The parameters")
    places = {values: each for each, values in reversed([*overrides.items()])}
    for values, each in places.items():
        what = f"The parameters with the overrides of {each.account} {each.region}"
        check_rules(template, {**common, **dict(values)}, what)


def check_load_balancers(
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


def check_names(
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


def check_ours(rollout: Rollout, there: PresentStackSet) -> None:
    """Raise OperatingError for a stack set of anything else, or of another kind of targets."""
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


def check_operable(present: Present, instances: Iterable[Instance]) -> None:
    """Refuse stacks that no operation takes up again."""
    found = present.instances
    stuck = [each for each in instances if each in found and found[each].status == "INOPERABLE"]
    if stuck:
        shown = ", ".join(f"{each.account} {each.region}" for each in stuck[:3])
        raise OperatingError(
            f"{len(stuck)} stacks are INOPERABLE, since deleting them failed: {shown}.",
            "Take them out with `aws cloudformation delete-stack-instances --retain-stacks`, delete"
            " the stacks there, and try again.",
        )
