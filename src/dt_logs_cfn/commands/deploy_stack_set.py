"""`deploy --stack-set`: one stack in each account and region, by a CloudFormation StackSet.

`deploy` calls `run` when `--stack-set` is given. It declares what both share: `--parameter`,
`--tag`, `--template-url`, `--release`, `--privileges`, `--yes`, `--json`, `--profile`, `--region`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dt_logs_cfn import aws, canonical, fetching
from dt_logs_cfn.errors import OperatingError, VerifyError
from dt_logs_cfn.operating import stack_set_options
from dt_logs_cfn.operating import stack_set_report as report
from dt_logs_cfn.operating.operator import Operator, at_terminal
from dt_logs_cfn.operating.organization import accounts
from dt_logs_cfn.operating.overrides import assigned, read_overrides
from dt_logs_cfn.operating.rollout import Rollout, StackTemplate
from dt_logs_cfn.operating.stack_set_calls import StackSet
from dt_logs_cfn.operating.stack_set_plan import plan
from dt_logs_cfn.operating.stack_set_run import Interrupted, advised, carry_out, settle
from dt_logs_cfn.operating.targets import Block
from dt_logs_cfn.release import STACK_TEMPLATES
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template_file import LIMIT, read_template
from dt_logs_cfn.verify import shown, verify_template


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a roll-out."""
    stack_set_options.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Roll a verified template out. Raises DtLogsError."""
    stack_set_options.check(arguments)
    parameters = _pairs("--parameter", arguments.parameter)
    tags = _pairs("--tag", arguments.tag)
    return roll_out(arguments, _template(arguments), parameters, tags, at_terminal())


def roll_out(
    arguments: argparse.Namespace,
    template: StackTemplate,
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
    for line in report.intention(rollout, present, operations, place):
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


def _template(arguments: argparse.Namespace) -> StackTemplate:
    """Return the template on disk or at the URL, if it is what this release builds."""
    url = arguments.template_url or ""
    try:
        text = fetching.fetch(url, LIMIT).decode() if url else read_template(_path(arguments))
    except UnicodeDecodeError as error:
        raise VerifyError(
            f"{fetching.shown(url)} is no UTF-8 text.", "Give the URL of a template."
        ) from error
    where = fetching.shown(url) if url else str(_path(arguments))
    verdict = verify_template(text)
    kind = verdict.origin.privileges
    if not verdict.identical or kind is None:
        found = ", ".join(map(shown, verdict.differences[:3])) or "it is the service role's"
        raise VerifyError(
            f"{where} is no stack template of this release: {found}.",
            "Give one that `dt-logs-cfn verify` finds identical.",
        )
    return StackTemplate(text, f"release {verdict.origin.version}, {kind.value}, {where}")


def _path(arguments: argparse.Namespace) -> Path:
    wanted = arguments.privileges or Privileges.LEAST_PRIVILEGE
    (name,) = (name for name, each in STACK_TEMPLATES.items() if each is wanted)
    path: Path = arguments.release / name
    return path


def _pairs(option: str, given: Sequence[str] | None) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name or name in found:
            raise OperatingError(
                f"{option} {name[:80]!r} has no value, or comes twice.",
                f"Give {option} NAME=VALUE once for each.",
            )
        found[name] = value
    return found
