"""`plan`: show what `deploy` would change in an account, without changing anything."""

import argparse
import time
from dataclasses import replace

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator, result, watch
from dt_logs_cfn.operate import account, load_balancers, stack_options
from dt_logs_cfn.operate.plans.asked import properties
from dt_logs_cfn.operate.plans.planned import Preview, planned
from dt_logs_cfn.operate.plans.shown import data, told
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import LOAD_BALANCERS, existing
from dt_logs_cfn.operate.status import reads


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`: those of `deploy` that describe the wanted stack."""
    role = "the service role that `deploy` will be given; only its name is checked"
    stack_options.add_wanted(parser, role)
    aws.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Show what would change; return 0 for nothing, 1 for changes, 3 if `deploy` would fail."""
    name = arguments.stack
    stack_options.check_names(arguments)
    given = stack_options.parameters(arguments)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        here = account.here(session)
        stack = existing(session.client("cloudformation"), name)
        deployment = stack_options.deployment(arguments, here, stack, given, {})
        itself = deployment.as_change()
        request = deployment.request(time.time())
        clients = account.clients(session)
        watch(clients, Operator())
        found = planned(request, clients, time.time)
        vended = reads.vended_logs(session.client("logs"))
        outposts = reads.on_outposts(lambda: reads.load_balancers(clients[0]))
    wanted = deployment.values[LOAD_BALANCERS]
    dropped = load_balancers.dropped(stack, wanted, lambda: sorted(found.state.load_balancers))
    dropped = replace(dropped, stops=found.stops)
    runs = _runs(deployment)
    token = stack.stack.next_token if stack else ""
    preview = Preview(found, itself, stack is not None, runs, dropped, vended, outposts, token)
    what = f"{'An update of' if stack else 'A new stack'} {name}"
    at = f"account {here.account}, region {here.region}"
    result(arguments.json, data(preview), [told(preview, f"{what} in {at}")])
    return preview.code


def _runs(deployment: Deployment) -> bool:
    """Return whether CloudFormation would invoke the function: for a new stack or changed input."""
    if deployment.before is None:
        return True
    before = properties(deployment.before.template, deployment.before.stack.parameters)
    return properties(deployment.template.document, deployment.values) != before
