"""`replay`: announce the log files of a time window to Data Theorem again."""

import argparse
import time
from collections.abc import Callable

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Here, Operator, at_terminal, printable, result, watch
from dt_logs_cfn.operate import account, stack_options
from dt_logs_cfn.operate.replay.replaying import Wanted, replay
from dt_logs_cfn.operate.replay.window import window


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `replay`."""
    stack_options.add_stack(parser)
    since = "announce logs stored from this time on, as in 2026-11-28T10:00Z"
    parser.add_argument("--since", required=True, metavar="TIME", help=since)
    parser.add_argument(
        "--until", metavar="TIME", help="until just before this time (default: now)"
    )
    after = "continue after this object: the last one that an earlier replay printed"
    parser.add_argument("--after", default="", metavar="s3://BUCKET/KEY", help=after)
    parser.add_argument("--dry-run", action="store_true", help="count the logs, and send nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    aws.add_arguments(parser)


def run(
    arguments: argparse.Namespace,
    operator: Operator | None = None,
    clock: Callable[[], float] = time.time,
) -> int:
    """Replay; return 1 if any of the stack's logs were left out."""
    operator = operator or at_terminal(Here.of(arguments))
    stack_options.check_stack(arguments.stack, or_id=True)
    period = window(arguments.since, arguments.until, clock())
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        cloudformation = session.client("cloudformation")
        clients = account.clients(session)
        watch(clients[:1], operator)  # `replay` shows the progress of the other clients
        wanted = Wanted(arguments.stack, period, arguments.after, arguments.dry_run, arguments.yes)
        found = replay(cloudformation, clients, wanted, operator, clock)
    lines = (*found.lines(), found.summary)
    result(arguments.json, found.data(), map(printable, map(operator.here.text, lines)))
    return 0 if found.complete else 1
