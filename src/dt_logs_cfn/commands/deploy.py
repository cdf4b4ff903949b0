"""`deploy`: create or update a stack with a change set that is shown, confirmed and followed.

With `--stack-set`, deploy a stack to accounts and regions of an organisation.
"""

import argparse
import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timezone

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Here, Operator, at_terminal, printable, result, shown_line
from dt_logs_cfn.operate import account, stack_options, values
from dt_logs_cfn.operate.stack_sets import rollout as rollouts
from dt_logs_cfn.operate.stack_sets.command import roll_out
from dt_logs_cfn.operate.stacks.deploying import DeployResult, deploy, settled
from dt_logs_cfn.operate.status import reads
from dt_logs_handler.answer import NOTE
from dt_logs_handler.names import NAME

# The commas with which the handler joins a list's items, but not those of JSON in an item.
_ITEMS = re.compile(r',(?=[^\s"{\[])')


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `deploy`."""
    role = "the service role that CloudFormation uses (default: the existing stack's)"
    stack_options.add_wanted(parser, role)
    parser.add_argument(
        "--tag", action="append", default=[], metavar="KEY=VALUE", help="a stack tag; repeatable"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--allow-removal",
        action="store_true",
        help="with --yes: proceed even if load balancers leave the stack",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    aws.add_arguments(parser)
    rollouts.add_arguments(parser)


def run(arguments: argparse.Namespace, operator: Operator | None = None) -> int:
    """Deploy; return 1 if a load balancer was left out, logs may not flow or an old role stays.

    With `--stack-set`, return the exit code of `roll_out`.
    """
    operator = operator or at_terminal(Here.of(arguments))
    rollouts.check(arguments)
    stack_options.check_names(arguments)
    parameters = stack_options.parameters(arguments)
    tags = values.pairs(arguments.tag, "--tag")
    rollout = None
    if arguments.stack_set is not None:
        template = stack_options.template(arguments)
        rollout = rollouts.asked_for(arguments, template, parameters, tags)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        client = session.client("cloudformation")
        here = account.here(session)
        if rollout is not None:
            place = f"account {here.account}, region {here.region}"
            return roll_out(client, arguments, rollout, place, operator)
        before = settled(client, arguments.stack, operator)
        deployment = stack_options.deployment(arguments, here, before, parameters, tags)
        leaving = deployment.dropped(lambda: reads.load_balancers(session.client("elbv2")))
        agreed = {"yes": arguments.yes, "removal": arguments.allow_removal}
        found = deploy(client, deployment, leaving, operator, **agreed)
    kept = _kept_role(found, arguments.role_arn, arguments.stack_name_prefix)
    lines = (*_outputs(found), *map(operator.here.text, kept), *_lines(found, operator.here))
    result(arguments.json, _data(found), map(printable, lines))
    return 1 if kept or _left_out(found) or (found.ran and _stopped(found)) else 0


def _left_out(found: DeployResult) -> bool:
    """Return whether the stack's outputs name load balancers that could not be onboarded."""
    return found.stack.outputs.get("NotOnboarded", "none") != "none"


def _stopped(found: DeployResult) -> str:
    """Return the Warnings output, or "" if it has only notes (the function lists notes last)."""
    warnings = found.stack.outputs.get("Warnings", "none")
    return "" if warnings == "none" or warnings.startswith(NOTE) else warnings


def _kept_role(found: DeployResult, role: str | None, prefix: str) -> list[str]:
    """Return a line of advice if an unchanged stack kept another role, otherwise an empty list."""
    stack = found.stack
    if found.result != "unchanged" or role in (None, stack.role):
        return []
    more = "" if prefix == NAME else f" --stack-name-prefix {shlex.quote(prefix)}"
    return [
        f"The stack keeps its service role, {stack.role or 'none'}, because CloudFormation changes"
        f" it only with an update. To change it: `{stack.run_again} --role-arn {role}{more}`."
    ]


def _outputs(found: DeployResult) -> Iterator[str]:
    """Yield the result and the outputs; each item of a list is on its own line."""
    stack = found.stack
    result = "nothing to do" if found.result == "unchanged" else found.result
    yield f"{stack.name}: {result}, {stack.status}"
    width = max(map(len, stack.outputs), default=0)
    for name, value in sorted(stack.outputs.items()):
        for number, each in enumerate(_ITEMS.split(value)):
            yield f"  {'' if number else name:<{width}}  {shown_line(each)}"


def _lines(found: DeployResult, here: Here) -> list[str]:
    stack, lines = found.stack, []
    if any("awaits confirmation" in value for value in stack.outputs.values()):
        lines.append("Data Theorem's endpoint has to confirm its subscription.")
    if _left_out(found):
        lines.append("Some load balancers were not onboarded: NotOnboarded, above, says why.")
    shows = "checks whether logs flow"
    stopped = _stopped(found)
    if stopped and found.ran:
        lines.append("WARNING: logs may not flow: Warnings, above, says why.")
        shows = "shows what to fix"
    elif stopped:
        at = datetime.fromtimestamp(stack.changed, timezone.utc)
        lines.append(
            "The function did not run, so Warnings is from its last run."
            f" The stack last changed on {at:%Y-%m-%d at %H:%M} UTC."
            f" To run it again: `{here.command(stack.run_again)}`."
        )
    look = here.command(f"dt-logs-cfn status --stack {stack.name}")
    lines.append(f"Next: `{look}` {shows}.")
    return lines


def _data(found: DeployResult) -> dict[str, object]:
    stack = found.stack
    return {
        "result": found.result,
        "stack": {
            "id": stack.id,
            "name": stack.name,
            "status": stack.status,
            "role": stack.role,
        },
        "outputs": dict(stack.outputs),
    }
