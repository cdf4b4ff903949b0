"""`plan`: what a stack would change in an account, before anything is touched."""

import argparse
import sys
import time
from pathlib import Path

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.operating import asked, reads
from dt_logs_cfn.operating import values as parameter_values
from dt_logs_cfn.operating.asked import Existing, Place, Template
from dt_logs_cfn.operating.plan_shown import data, told
from dt_logs_cfn.operating.planned import Planned, planned
from dt_logs_cfn.operating.stack_read import existing
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.templates import origin, stack_template
from dt_logs_handler.request import ReadScope, Request

_SETTINGS = Path("release.cfg")
# Options for what is asked for most; a list is given by repeating its option.
_LISTS = {
    "LoadBalancerArns": ("--load-balancer", "ARN", "a load balancer, or * for all of the region"),
    "ExistingLogBucketNames": (
        "--existing-log-bucket-name",
        "BUCKET",
        "of your buckets, one that the Lambda may touch; without any it may each",
    ),
}
_TEXTS = {
    "DataTheoremAccountId": ("--data-theorem-account-id", "ID", "the account that may read"),
    "NotificationEndpoint": ("--notification-endpoint", "ENDPOINT", "an https URL or a queue"),
    "LogBucketName": ("--log-bucket-name", "BUCKET", "for load balancers that do not log yet"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plan`."""
    parser.add_argument(
        "--stack", metavar="NAME", help="plan an update of this stack (default: a new stack)"
    )
    for name, (option, metavar, what) in _LISTS.items():
        parser.add_argument(
            option, dest=name, action="append", metavar=metavar, help=f"{what}; repeatable"
        )
    for name, (option, metavar, what) in _TEXTS.items():
        parser.add_argument(option, dest=name, metavar=metavar, help=what)
    parser.add_argument(
        "--vendor-read-scope",
        dest="VendorReadScope",
        choices=[each.value for each in ReadScope],
        help="what may be read where other load balancers log to the same place",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any parameter of the template, by its name there; repeatable",
    )
    parser.add_argument(
        "--parameters",
        type=Path,
        metavar="FILE",
        help="values in a JSON file: as the AWS CLI takes them, or an object",
    )
    parser.add_argument(
        "--privileges",
        type=Privileges,
        choices=tuple(Privileges),
        metavar="SET",
        help="documented or least-privilege (default: the stack's, or least-privilege)",
    )
    aws.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print it for a program")


def run(arguments: argparse.Namespace) -> int:
    """Show what would change; answer 0 for nothing, 1 for changes, 3 if it cannot work."""
    values = _values(arguments)
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


def _values(arguments: argparse.Namespace) -> dict[str, str]:
    """Return what was given: an option goes before --parameter, and that before the file."""
    found = parameter_values.read(arguments.parameters) if arguments.parameters else {}
    found |= parameter_values.pairs(arguments.parameter, "--parameter")
    for name in (*_LISTS, *_TEXTS, "VendorReadScope"):
        value = getattr(arguments, name)
        if value is not None:
            found[name] = ",".join(value) if name in _LISTS else value
    return found


def _request(
    privileges: Privileges | None,
    values: dict[str, str],
    place: Place,
    stack: Existing | None,
) -> Request:
    now = time.time()
    if stack is None:
        template = _template(privileges)
        parameter_values.check(template, values, {})
        wanted = asked.parameters(template, values)
        return asked.creation(template, wanted, place.example_stack(), now)
    template = _template(privileges or origin(stack.template).privileges)
    parameter_values.check(template, values, stack.parameters)
    wanted = asked.parameters(template, values, stack.parameters)
    return asked.update(template, wanted, stack, now)


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
