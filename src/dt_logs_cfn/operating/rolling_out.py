"""A roll-out from what is asked for to the last stack: shown, confirmed, carried out, followed."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.operating import stack_set_options
from dt_logs_cfn.operating import stack_set_report as report
from dt_logs_cfn.operating.operator import Operator
from dt_logs_cfn.operating.organization import accounts
from dt_logs_cfn.operating.overrides import assigned, read_overrides
from dt_logs_cfn.operating.rollout import Rollout
from dt_logs_cfn.operating.stack_set_calls import StackSet
from dt_logs_cfn.operating.stack_set_intention import intention
from dt_logs_cfn.operating.stack_set_plan import plan
from dt_logs_cfn.operating.stack_set_run import Interrupted, advised, carry_out, settle
from dt_logs_cfn.operating.targets import Block
from dt_logs_cfn.operating.templates import Template


def roll_out(
    arguments: argparse.Namespace,
    template: Template,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    operator: Operator,
) -> int:
    """Show what will be done, ask, do it and follow it; answer 0 if every stack is there.

    Repeatable: what is as it should be stays. Raises DtLogsError; answers 130 after Ctrl-C.
    """
    rollout = Rollout(
        name=arguments.stack_set,
        template=template,
        parameters=parameters,
        targets=stack_set_options.targets(arguments),
        regions=tuple(arguments.regions),
        rows=read_overrides(arguments.overrides, template.parameters)
        if arguments.overrides
        else (),
        preferences=stack_set_options.preferences(arguments),
        tags=tags or None,
    )
    hide = report.hiding(rollout)
    hiding = replace(operator, tell=lambda line: operator.tell(hide(line)))
    try:
        with aws.errors():
            return _rolled_out(arguments, rollout, hiding)
    except Interrupted as stop:
        operator.tell(report.follow_up(rollout, stop.operation_id))
        return 130


def _rolled_out(arguments: argparse.Namespace, rollout: Rollout, operator: Operator) -> int:
    hide = report.hiding(rollout)
    session = aws.session(arguments.profile, arguments.region)
    client = session.client("cloudformation", config=aws.CONFIG)
    stack_set = StackSet(client, rollout)
    caller = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
    with advised():
        targets = accounts(rollout.targets, session.client("organizations", config=aws.CONFIG))
        settle(stack_set, operator)
        asked = assigned(rollout.rows, Block(targets, rollout.regions).instances)
        present = stack_set.present(targets, asked)
    operations = plan(rollout, present)
    if not operations:
        operator.tell("Nothing is to be done: the stack set and its stacks are as asked for.")
        _print(arguments, report.data(rollout, (), (), hide), [])
        return 0
    place = f"account {caller}, region {client.meta.region_name}"
    for line in intention(rollout, present, operations, place):
        operator.tell(line)
    operator.confirm("Do it?", arguments.yes)
    done = carry_out(stack_set, operations, present, operator)
    data = report.data(rollout, operations, done, hide)
    _print(arguments, data, report.outcome(done, hide))
    report.check(done, len(operations))
    return 0


def _print(arguments: argparse.Namespace, data: dict[str, object], lines: Sequence[str]) -> None:
    if arguments.json:
        sys.stdout.write(canonical.dumps(data))
    elif lines:
        print("\n".join(lines))
