"""`deploy --stack-set`: one stack in each account and region, by a CloudFormation StackSet.

`deploy` calls `run` when `--stack-set` is given. It declares what both share: `--parameter`,
`--tag`, `--template-url`, `--release`, `--privileges`, `--yes`, `--json`, `--profile`, `--region`.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from dt_logs_cfn import aws, canonical, fetching
from dt_logs_cfn.errors import OperatingError, VerifyError
from dt_logs_cfn.operating import stack_set_options
from dt_logs_cfn.operating import stack_set_report as report
from dt_logs_cfn.operating.organization import accounts
from dt_logs_cfn.operating.overrides import assigned, read_overrides
from dt_logs_cfn.operating.rollout import Rollout, StackTemplate
from dt_logs_cfn.operating.stack_set_calls import StackSet
from dt_logs_cfn.operating.stack_set_plan import plan
from dt_logs_cfn.operating.stack_set_run import Done, Edge, Interrupted, advised, carry_out, settle
from dt_logs_cfn.operating.targets import Block
from dt_logs_cfn.release import STACK_TEMPLATES, TEMPLATE_LIMIT
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template_file import LIMIT, read_template
from dt_logs_cfn.verify import shown, verify_template


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of a roll-out."""
    stack_set_options.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Roll out: show what will be done, ask, do it, follow it; answer 0 if every stack is there.

    Raises DtLogsError. Repeatable: what is as it should be stays.
    """
    stack_set_options.check(arguments)
    rollout = _rollout(arguments)
    hide = report.hiding(rollout)
    edge = Edge(time.monotonic, time.sleep, lambda line: _tell(hide(line)))
    try:
        with aws.errors():
            return _rolled_out(arguments, rollout, edge)
    except Interrupted as stop:
        call_as = " --call-as DELEGATED_ADMIN" if arguments.call_as == "DELEGATED_ADMIN" else ""
        edge.tell(
            f"The operation goes on. Follow it with the same command again, or with: aws"
            f" cloudformation describe-stack-set-operation --stack-set-name {rollout.name}"
            f" --operation-id {stop.operation_id}{call_as}"
        )
        return 130


def _rolled_out(arguments: argparse.Namespace, rollout: Rollout, edge: Edge) -> int:
    hide = report.hiding(rollout)
    session = aws.session(arguments.profile, arguments.region)
    client = session.client("cloudformation", config=aws.CONFIG)
    stack_set = StackSet(client, rollout)
    caller = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
    with advised():
        targets = accounts(rollout.targets, session.client("organizations", config=aws.CONFIG))
        settle(stack_set, edge)
        asked = assigned(rollout.rows, Block(targets, rollout.regions).instances)
        present = stack_set.present(targets, asked)
    operations = plan(rollout, present)
    if not operations:
        edge.tell("Nothing is to be done: the stack set and its stacks are as asked for.")
        return _reported(arguments, report.data(rollout, (), (), hide), [])
    place = f"account {caller}, region {client.meta.region_name}"
    for line in report.intention(rollout, present, operations, place):
        edge.tell(line)
    _confirm(arguments.yes)
    done = carry_out(stack_set, operations, present, edge)
    _reported(
        arguments,
        report.data(rollout, operations, done, hide),
        report.outcome(done, hide),
    )
    _check_outcome(done, len(operations))
    return 0


def _reported(arguments: argparse.Namespace, data: dict[str, object], lines: Sequence[str]) -> int:
    if arguments.json:
        sys.stdout.write(canonical.dumps(data))
    elif lines:
        print("\n".join(lines))
    return 0


def _check_outcome(done: Sequence[Done], operations: int) -> None:
    failed = report.failures(done)
    if failed:
        untried = sum(each.status == "CANCELLED" for each in failed)
        also = f", and {untried} were not tried" if untried else ""
        fixes = report.fixes(failed)
        more = " The table above has more." if len(fixes) > 1 else ""
        raise OperatingError(f"{len(failed) - untried} stacks failed{also}.", f"{fixes[0]}{more}")
    if len(done) < operations or done[-1].progress.status != "SUCCEEDED":
        raise OperatingError(
            f"The operation ended as {done[-1].progress.status}.",
            "Look at it in CloudFormation's console, and run the same command again.",
        )


def _confirm(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperatingError(
            "Nobody is there to confirm this; nothing was changed.", "Give --yes in a script."
        )
    print("Do it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise OperatingError("It was not confirmed; nothing was changed.", "Answer y to go on.")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _rollout(arguments: argparse.Namespace) -> Rollout:
    template = _template(arguments)
    return Rollout(
        name=arguments.stack_set,
        template=template,
        parameters=_pairs("--parameter", arguments.parameter),
        targets=stack_set_options.targets(arguments),
        regions=tuple(arguments.regions),
        rows=read_overrides(arguments.overrides, template.parameters)
        if arguments.overrides
        else (),
        preferences=stack_set_options.preferences(arguments),
        tags=_pairs("--tag", arguments.tag) if arguments.tag else None,
    )


def _template(arguments: argparse.Namespace) -> StackTemplate:
    """Return the template on disk, or the one at the URL if it is this release's."""
    if not arguments.template_url:
        kind = arguments.privileges or Privileges.LEAST_PRIVILEGE
        (name,) = (name for name, each in STACK_TEMPLATES.items() if each is kind)
        text = read_template(arguments.release / name)
        if len(text.encode()) > TEMPLATE_LIMIT:
            raise VerifyError(
                f"{arguments.release / name} has more than {TEMPLATE_LIMIT:,} bytes.",
                "Publish it, and give its --template-url.",
            )
        return StackTemplate(text)
    url = arguments.template_url
    try:
        text = fetching.fetch(url, LIMIT).decode()
    except UnicodeDecodeError as error:
        raise VerifyError(
            f"{fetching.shown(url)} is no UTF-8 text.", "Give the URL of a template."
        ) from error
    verdict = verify_template(text)
    if not verdict.identical or verdict.origin.privileges is None:
        found = ", ".join(map(shown, verdict.differences[:3])) or "it is the service role's"
        raise VerifyError(
            f"{fetching.shown(url)} is no stack template of this release: {found}.",
            "Give the URL of one that `dt-logs-cfn verify` finds identical.",
        )
    return StackTemplate(text, url)


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
