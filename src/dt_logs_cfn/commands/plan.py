"""`plan`: what `deploy` would change in an account, before anything is touched."""

import argparse
import sys
import time

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.operate import stack_options
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.plans import asked, reads
from dt_logs_cfn.operate.plans.planned import planned
from dt_logs_cfn.operate.plans.shown import Preview, data, told
from dt_logs_cfn.operate.progress import watch
from dt_logs_cfn.operate.stacks.diff import stack_change
from dt_logs_cfn.operate.stacks.stack import Existing, TemplateJson, existing
from dt_logs_cfn.template.declared import check
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_handler.names import Stack


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
        here = reads.here(session)
        stack = existing(session.client("cloudformation", config=aws.CONFIG), name)
        template = parse_template(stack_options.template(arguments, stack).text)
        kept = stack.stack.parameters if stack else {}
        wanted = check(template, given, kept)
        itself = stack_change(name, stack, template, wanted)
        clients = reads.clients(session)
        watch(clients, time.monotonic, Operator().tell)
        request = asked.request(template, wanted, here, stack, time.time())
        found = planned(request, clients, time.time)
    preview = Preview(found, itself, stack is not None, _runs(template, wanted, stack))
    if arguments.json:
        sys.stdout.write(canonical.dumps(data(preview)))
    else:
        print(told(preview, _what(name, here, stack)))
    return preview.code


def _runs(template: TemplateJson, wanted: dict[str, str], stack: Existing | None) -> bool:
    """Tell whether CloudFormation would invoke the function: if its properties change."""
    if stack is None:
        return True
    before = asked.properties(stack.template, stack.stack.parameters)
    return asked.properties(template, wanted) != before


def _what(name: str, here: Stack, stack: Existing | None) -> str:
    what = "An update of" if stack else "A new stack"
    return f"{what} {name} in account {here.account}, region {here.region}"
