"""`plan`: what `deploy` would change in an account, before anything is touched."""

import argparse
import sys
import time

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.operate import stack_options, values
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.plans import asked, reads
from dt_logs_cfn.operate.plans.asked import Place
from dt_logs_cfn.operate.plans.planned import planned
from dt_logs_cfn.operate.plans.shown import Preview, data, told
from dt_logs_cfn.operate.progress import watch
from dt_logs_cfn.operate.stacks.diff import stack_change
from dt_logs_cfn.operate.stacks.stack import Existing, TemplateJson, existing
from dt_logs_cfn.operate.status.vended_logs import vended_logs
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_handler.request import Request


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`: those of `deploy` that say what is wanted."""
    stack_options.add_stack(parser)
    stack_options.add_wanted(parser)
    aws.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print it for a program")


def run(arguments: argparse.Namespace) -> int:
    """Show what would change; answer 0 for nothing, 1 for changes, 3 if it cannot work."""
    name = arguments.stack
    stack_options.check_stack(name)
    given = stack_options.parameters(arguments)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        place = reads.place(session)
        stack = existing(session.client("cloudformation", config=aws.CONFIG), name)
        template = parse_template(stack_options.template(arguments, stack).text)
        kept = stack.stack.parameters if stack else {}
        values.check(template, given, kept)
        wanted = asked.parameters(template, given, kept)
        itself = stack_change(name, stack, template, wanted)
        clients = reads.clients(session)
        watch(clients, time.monotonic, Operator().tell)
        found = planned(_request(template, wanted, place, stack), clients, time.time)
        vended = vended_logs(session.client("logs", config=aws.CONFIG))
    preview = Preview(found, itself, stack is not None, _runs(template, wanted, stack), vended)
    if arguments.json:
        sys.stdout.write(canonical.dumps(data(preview)))
    else:
        print(told(preview, _what(name, place, stack)))
    return preview.code


def _runs(template: TemplateJson, wanted: dict[str, str], stack: Existing | None) -> bool:
    """Tell whether CloudFormation would invoke the function: if its properties change."""
    if stack is None:
        return True
    before = asked.properties(stack.template, stack.stack.parameters)
    return asked.properties(template, wanted) != before


def _request(
    template: TemplateJson, wanted: dict[str, str], place: Place, stack: Existing | None
) -> Request:
    if stack is None:
        return asked.creation(template, wanted, place.example_stack(), time.time())
    return asked.update(template, wanted, stack, time.time())


def _what(name: str, place: Place, stack: Existing | None) -> str:
    what = "An update of" if stack else "A new stack"
    return f"{what} {name} in account {place.account}, region {place.region}"
