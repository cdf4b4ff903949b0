"""`plan`: what a stack would change in an account, before anything is touched."""

import argparse
import sys
import time
from pathlib import Path

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.operating import asked, given, reads
from dt_logs_cfn.operating.asked import Existing, Place, Template
from dt_logs_cfn.operating.plan_shown import data, told
from dt_logs_cfn.operating.planned import Planned, planned
from dt_logs_cfn.operating.stack_read import existing
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.templates import origin, stack_template
from dt_logs_handler.request import Request

_SETTINGS = Path("release.cfg")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`."""
    parser.add_argument(
        "--stack", metavar="NAME", help="plan an update of this stack (default: a new stack)"
    )
    parser.add_argument(
        "--privileges",
        type=Privileges,
        choices=tuple(Privileges),
        metavar="SET",
        help="documented or least-privilege (default: the stack's, or least-privilege)",
    )
    given.add_arguments(parser)
    aws.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print it for a program")


def run(arguments: argparse.Namespace) -> int:
    """Show what would change; answer 0 for nothing, 1 for changes, 3 if it cannot work."""
    values = given.values(arguments)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        place = reads.place(session)
        stack = existing(session.client("cloudformation", config=aws.CONFIG), arguments.stack)
        request = _request(arguments.privileges, values, place, stack)
        found = planned(request, reads.clients(session), time.time)
    if arguments.json:
        sys.stdout.write(canonical.dumps(data(found, exists=stack is not None)))
    else:
        print(told(found, _what(arguments.stack, place), exists=stack is not None))
    return _code(found)


def _request(
    privileges: Privileges | None,
    values: dict[str, str],
    place: Place,
    stack: Existing | None,
) -> Request:
    now = time.time()
    if stack is None:
        template = _template(privileges or Privileges.LEAST_PRIVILEGE)
        wanted = asked.parameters(template, values)
        return asked.creation(template, wanted, place.example_stack(), now)
    template = _template(privileges or origin(stack.template).privileges)
    return asked.update(template, asked.parameters(template, values, stack.parameters), stack, now)


def _template(privileges: Privileges | None) -> Template:
    """Build the template of this version, with the vendor's defaults where there are any."""
    settings = Settings.load(_SETTINGS) if _SETTINGS.exists() else Settings()
    made: Template = stack_template(settings, privileges or Privileges.LEAST_PRIVILEGE).to_dict()
    return made


def _what(stack: str | None, place: Place) -> str:
    what = f"An update of stack {stack}" if stack else "A new stack"
    return f"{what} in account {place.account}, region {place.region}"


def _code(found: Planned) -> int:
    if not found.works:
        return 3
    return 1 if found.plan and found.plan.changes else 0
