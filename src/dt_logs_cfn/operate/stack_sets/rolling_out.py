"""A roll-out from what is asked for to the last stack: shown, confirmed, carried out, followed."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.cli.terminal import printable
from dt_logs_cfn.errors import DtLogsError
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.shown import shown_text
from dt_logs_cfn.operate.stack_sets import options as stack_set_options
from dt_logs_cfn.operate.stack_sets import report
from dt_logs_cfn.operate.stack_sets.calls import StackSet
from dt_logs_cfn.operate.stack_sets.checks import check_ours
from dt_logs_cfn.operate.stack_sets.course import Course, following
from dt_logs_cfn.operate.stack_sets.following import settle
from dt_logs_cfn.operate.stack_sets.intention import intention
from dt_logs_cfn.operate.stack_sets.organization import accounts
from dt_logs_cfn.operate.stack_sets.overrides import assigned, read_overrides
from dt_logs_cfn.operate.stack_sets.plan import plan
from dt_logs_cfn.operate.stack_sets.rollout import Rollout
from dt_logs_cfn.operate.stack_sets.run import carry_out
from dt_logs_cfn.operate.stack_sets.starting import advised
from dt_logs_cfn.operate.stack_sets.targets import Block
from dt_logs_cfn.operate.templates import Template

_MANY = 200  # calls, which take a while


def roll_out(
    arguments: argparse.Namespace,
    template: Template,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    operator: Operator,
) -> int:
    """Show what will be done, ask, do it and follow it; answer 0 if every stack is there.

    Repeatable: what is as it should be stays. Raises DtLogsError, and KeyboardInterrupt once
    it is told what goes on.
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
    screen, course = _Screen(rollout, operator), Course()
    try:
        with aws.errors():
            _carried_out(arguments, rollout, course, screen)
    except KeyboardInterrupt:
        screen.operator.advise(course.told(rollout))
        raise
    except DtLogsError as error:
        fix = f"{error.fix}{_how_to_go_on(rollout, course)}"
        raise type(error)(shown_text(screen.hide(error.what)), screen.hide(fix)) from error
    data = report.data(rollout, course.operations, course.done)
    _print(arguments, data, report.outcome(course.done))
    report.check(course.done, len(course.operations))
    return 0


class _Screen:
    """An operator's screen, on which AWS's and anybody else's text shows nothing that is secret."""

    def __init__(self, rollout: Rollout, operator: Operator) -> None:
        self.hide = report.hiding(rollout)
        self.operator = replace(
            operator, tell=lambda line: operator.tell(printable(self.hide(line)))
        )


def _carried_out(
    arguments: argparse.Namespace, rollout: Rollout, course: Course, screen: _Screen
) -> None:
    operator = screen.operator
    session = aws.session(arguments.profile, arguments.region)
    client = session.client("cloudformation", config=aws.CONFIG)
    stack_set = StackSet(client, rollout)
    caller = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
    with advised():
        targets = accounts(rollout.targets, session.client("organizations", config=aws.CONFIG))
        asked = assigned(rollout.rows, Block(targets, rollout.regions).instances)
        if there := stack_set.found():
            check_ours(rollout, there)  # before anybody waits for what goes on there
        settle(stack_set, course, operator)
        if len(asked) >= _MANY:
            operator.tell(
                f"reading the overrides of {len(asked):,} stacks, as far as they are there"
            )
        present = stack_set.present(targets, asked)
    screen.hide = report.hiding(rollout, present)
    course.operations = plan(rollout, present)
    if not course.operations:
        operator.tell("Nothing is to be done: the stack set and its stacks are as asked for.")
        return
    place = f"account {caller}, region {client.meta.region_name}"
    for line in intention(rollout, present, course.operations, place):
        operator.tell(line)
    operator.confirm("Do it?", arguments.yes)
    carry_out(stack_set, present, course, operator)


def _how_to_go_on(rollout: Rollout, course: Course) -> str:
    """Return how to follow what goes on after a failure, or what is over before it."""
    if course.under_way:
        return f" So does: {following(rollout, course.under_way)}"
    return f" {course.told(rollout)}" if course.done else ""


def _print(arguments: argparse.Namespace, data: dict[str, object], lines: Sequence[str]) -> None:
    if arguments.json:
        sys.stdout.write(canonical.dumps(data))
    elif lines:
        print("\n".join(lines))
