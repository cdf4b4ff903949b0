"""`remove`: delete the stack, follow the deletion, and check that the account is clean."""

import argparse
from dataclasses import replace

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Here, Operator, at_terminal, printable, result, watch
from dt_logs_cfn.operate import account, stack_options
from dt_logs_cfn.operate.stacks.marks import Left
from dt_logs_cfn.operate.stacks.marks_read import Access
from dt_logs_cfn.operate.stacks.removing import Removed, remove


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `remove`."""
    stack_options.add_stack(
        parser, f"the stack; if it is deleted already, give its ID (default: {stack_options.STACK})"
    )
    role = "a service role to use if the stack's own no longer exists"
    parser.add_argument("--role-arn", metavar="ARN", help=role)
    parser.add_argument("--yes", action="store_true", help="do not ask whether to delete the stack")
    parser.add_argument(
        "--leftovers",
        action="store_true",
        help="also remove what the stack's role may not (topic, subscription, log group): without"
        " asking, and with your own permissions",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    aws.add_arguments(parser)


def run(arguments: argparse.Namespace, operator: Operator | None = None) -> int:
    """Remove the stack; return 1 if something unexpected is left, or could not be read."""
    operator = operator or at_terminal(Here.of(arguments))
    stack_options.check_stack(arguments.stack, or_id=True)
    stack_options.check_role(arguments.role_arn)
    agreed = {"yes": arguments.yes, "clear": arguments.leftovers}
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        client = session.client("cloudformation")
        clients = account.clients(session)
        watch(clients, operator)
        access = Access(clients, session.client("logs"), operator.clock)
        role = arguments.role_arn or ""
        found = remove(client, access, arguments.stack, operator, **agreed, role=role)
    left = tuple(
        replace(each, remedy=operator.here.command(each.remedy)) if each.remedy else each
        for each in found.left
    )
    found = replace(found, left=left)
    result(arguments.json, _data(found), map(printable, _lines(found, operator.here)))
    return 0 if found.clean else 1


def _lines(found: Removed, here: Here) -> list[str]:
    verdict = "deleted, and the account is clean"
    if found.left or found.unread:
        verdict = "deleted; these are meant to stay:" if found.clean else "deleted; look at:"
    lines = [f"{found.stack.name}: {verdict}"]
    lines += [f"  removed  {each.what} {each.name}" for each in found.removed]
    for each in found.left:
        lines.append(
            f"  {'stays ' if each.expected else 'LEFT  '}   {each.what} {each.name}: {each.why}"
        )
        if each.remedy:
            lines.append(f"           {each.remedy}")
    lines += [f"  unread   {each}" for each in found.unread]
    if not found.clean:
        again = here.command(f"dt-logs-cfn remove --stack {found.stack.id}")
        lines.append(f"To check again: `{again}`")
    return lines


def _data(found: Removed) -> dict[str, object]:
    return {
        "stack": {"id": found.stack.id, "name": found.stack.name},
        "clean": found.clean,
        "removed": [_left(each) for each in found.removed],
        "left": [_left(each) for each in found.left],
        "unread": list(found.unread),
    }


def _left(each: Left) -> dict[str, object]:
    names = ("what", "name", "why", "expected", "remedy")
    return {name: getattr(each, name) for name in names}
