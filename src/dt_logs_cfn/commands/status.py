"""`status`: check whether logs flow from load balancers to Data Theorem, and show the fixes."""

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from botocore.config import Config

from dt_logs_cfn import __version__, aws
from dt_logs_cfn.cli.terminal import (
    Here,
    Operator,
    printable,
    result,
    shown_line,
    shown_text,
    watch,
)
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate import account, stack_options
from dt_logs_cfn.operate.stacks.stack import GONE, StackDescription, foreign, named, ours
from dt_logs_cfn.operate.status.checks import checks
from dt_logs_cfn.operate.status.look import Reach, look
from dt_logs_cfn.operate.status.seen import Check
from dt_logs_cfn.template import embedding
from dt_logs_cfn.verify import fetching

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_FEW = 20  # the most subjects for which every check is shown
_MOST = 5  # the most subjects that a line names
# Fewer attempts than usual, because a failed call only makes its checks unknown.
_SOON = Config(retries={"mode": "standard", "total_max_attempts": 2})


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `status`."""
    subject = parser.add_mutually_exclusive_group()
    stack_options.add_stack(
        subject,
        "this stack and its load balancers (default: all of our stacks in the region)",
        None,
    )
    subject.add_argument(
        "--load-balancer",
        action="append",
        default=[],
        metavar="ARN",
        help="a load balancer by its ARN, or * for all in the region; repeatable",
    )
    parser.add_argument(
        "--strict", action="store_true", help="also exit with 1 while a confirmation is pending"
    )
    aws.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check and report; return 1 for a finding or, with `--strict`, also for a waiting check."""
    if arguments.stack is not None:
        stack_options.check_stack(arguments.stack, or_id=True)
    with aws.errors():
        session = aws.session(arguments.profile, arguments.region)
        marks = account.here(session)
        cloudformation = session.client("cloudformation")
        clients = account.clients(session)
        watch(clients, Operator())
        reach = Reach(
            clients,
            session.client("s3control", config=_SOON),
            session.client("logs", config=_SOON),
            session.client("cloudwatch", config=_SOON),
            cloudformation,
            fetching.fetch,
            time.time,
        )
        arns = arguments.load_balancer
        stacks = [] if arns else _stacks(cloudformation, arguments.stack)
        seen = look(reach, marks, stacks, arns)
    at = f"account {marks.account}, {marks.region}"
    if not arns and not seen.stacks:
        if arguments.stack:
            raise foreign(stacks[0])
        raise OperatingError(
            f"There is no stack of Data Theorem's Logs Analysis in {at}.",
            "To onboard load balancers there, start with `dt-logs-cfn plan --load-balancer '*'`;"
            " for another place, name its --region and --profile.",
        )
    here = Here.of(arguments)
    found = [
        replace(each, fix=here.text(each.fix))
        for each in checks(seen, __version__, embedding.handler_sha256())
    ]
    result(arguments.json, data(found), [told(found, at)])
    wrong = ("finding", "waiting") if arguments.strict else ("finding",)
    return 1 if any(each.verdict in wrong for each in found) else 0


def _stacks(client: "CloudFormationClient", name: str | None) -> list[StackDescription]:
    if name is None:
        return ours(client)
    stack = named(client, name)
    if stack.status == GONE:
        raise OperatingError(
            f"The stack {stack.name} is deleted.",
            "Check load balancers with --load-balancer, or name another stack.",
        )
    return [stack]


def data(found: Sequence[Check]) -> dict[str, object]:
    """Return the checks as data for programs."""
    count = Counter(each.verdict for each in found)
    return {
        "checks": [
            asdict(replace(each, saw=shown_text(each.saw), fix=shown_text(each.fix)))
            for each in found
        ],
        "ok": count["ok"],
        "waiting": count["waiting"],
        "findings": count["finding"],
        "unknown": count["unknown"],
    }


def told(found: Sequence[Check], at: str) -> str:
    """Return the checks for people, each on one line, with its fix below.

    `at` names the account and the region. For more than `_FEW` subjects, checks that are ok are
    only counted, and equal checks are shown once. An observation may quote a policy or AWS, so
    URLs in it are cut after the host.
    """
    width = max(len(each.name) for each in found)
    by_subject: dict[str, list[Check]] = {}
    for each in found:
        by_subject.setdefault(each.subject, []).append(each)
    groups: dict[tuple[str, ...], list[Check]] = {(n,): each for n, each in by_subject.items()}
    if len(by_subject) > _FEW:
        groups = _alike(by_subject)
    lines = []
    for subjects, group in groups.items():
        more = len(subjects) - _MOST
        names = ", ".join(subjects[:_MOST]) + (f" and {more:,} more" if more > 0 else "")
        lines.append(printable(names))
        for each in group:
            lines.append(f"  {each.verdict:<7}  {each.name:<{width}}  {shown_line(each.saw)}")
            if each.fix:
                fix = printable(shown_text(each.fix))
                lines.append(f"  {'':<7}  {'':<{width}}  fix: {fix}")
        lines.append("")
    return "\n".join([*lines, _summary(found, at)])


def _alike(by_subject: Mapping[str, Sequence[Check]]) -> dict[tuple[str, ...], list[Check]]:
    """Group subjects with equal problems; put subjects without problems last."""
    groups: dict[tuple[Check, ...], list[str]] = {}
    for name, found in by_subject.items():
        wrong = (replace(each, subject="") for each in found if each.verdict != "ok")
        groups.setdefault(tuple(wrong), []).append(name)
    fine = groups.pop((), [])
    several = {tuple(names): [*wrong] for wrong, names in groups.items()}
    if fine:
        count = Counter(each.verdict for name in fine for each in by_subject[name])["ok"]
        every = Check("all", "", f"{count} checks, see --json", "ok")
        several[tuple(fine)] = [every]
    return several


def _summary(found: Sequence[Check], at: str) -> str:
    count = Counter(each.verdict for each in found)
    findings, waiting = count["finding"], count["waiting"]
    return (
        f"{len(found)} checks in {at}: {count['ok']} ok,{f' {waiting} waiting,' if waiting else ''}"
        f" {findings or 'no'} finding{'' if findings == 1 else 's'}, {count['unknown']} unknown."
    )
