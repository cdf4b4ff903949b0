"""Carry out a roll-out: show it, ask for confirmation, run it and follow it to its end."""

from __future__ import annotations

import argparse
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator, one_line, printable, result, shown_text
from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operate.stack_sets.rollout import Progress, Result, Rollout, Step
from dt_logs_cfn.operate.stack_sets.stack_set import StackSet, own_reason
from dt_logs_handler.aws import denied

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_LONGEST = 300
# StackSets' messages about the roles and permissions that it needs, with the fixes.
_ROLES = (
    (
        r"should have '[^']+' role|not authorized to perform: sts:AssumeRole",
        "In that account, create the execution role (AWSCloudFormationStackSetExecutionRole unless"
        " named otherwise), and let it trust the administration role.",
    ),
    (
        r"enable organizations access|trusted access|AccessOrganizations",
        "In the management account, run `aws cloudformation activate-organizations-access`. To use"
        " --call-as DELEGATED_ADMIN, register this account there as a delegated administrator.",
    ),
    (
        r"AdministrationRole",
        "Create AWSCloudFormationStackSetAdministrationRole in this account, or name yours with"
        " --administration-role-arn; you need iam:PassRole on it.",
    ),
)
# StackSets' messages about stacks, with the fixes. Any other reason is the stack's own.
_STACKS = (
    (
        r"[Ff]ailure tolerance|[Cc]ancelled since|operation was stopped",
        "It was not tried. Correct the failed stacks or raise --failure-tolerance, and run again.",
    ),
    (
        r"SCP|service control polic|explicit deny",
        "Ask whoever manages the organization's policies to allow the action in that account.",
    ),
    (
        r"[Rr]egion.*(?:not enabled|disabled|opt)|InvalidClientTokenId|security token",
        "Enable the region in that account, or omit the region from --regions.",
    ),
    (
        r"is not authorized to perform|AccessDenied|not authorized",
        "Give the execution role the permissions of cloudformation-role-lifecycle.",
    ),
    ("", "Correct the error that the reason reports, and run the same command again."),
)


@dataclass
class _Course:
    """A roll-out's progress; `note` is printed if Ctrl-C interrupts it."""

    steps: tuple[Step, ...] = ()
    done: list[Progress] = field(default_factory=list)
    note: str = "Nothing was started."


def roll_out(
    client: CloudFormationClient,
    arguments: argparse.Namespace,
    rollout: Rollout,
    place: str,
    operator: Operator,
) -> int:
    """Show the steps, ask for confirmation, then run and follow them; return 0 if all succeed.

    First waits for any operation that is running on the stack set. `arguments` holds the options of
    `rollout`, and `place` names the client's account and region. Repeatable: each run makes only
    the changes that are still missing. Raises DtLogsError, and KeyboardInterrupt after printing
    what has begun.
    """
    course = _Course()
    # AWS's messages may contain an endpoint's token, or control characters.
    safe = replace(operator, tell=lambda line: operator.tell(printable(shown_text(line))))
    try:
        with aws.errors(), _advised():
            stack_set = StackSet(client, rollout, safe)
            _settle(stack_set, course, safe)
            course.steps = tuple(stack_set.steps())
            if _agreed(rollout, course, place, operator, arguments.yes):
                _carry_out(stack_set, course, safe)
    except KeyboardInterrupt:
        operator.advise(course.note)
        raise
    except DtLogsError as error:
        over = (
            f" {len(course.done)} of {len(course.steps)} steps have ended." if course.done else ""
        )
        raise type(error)(shown_text(error.what), f"{shown_text(error.fix)}{over}") from error
    result(arguments.json, _data(rollout, course), _lines(course))
    _check(course.done)
    return 0


def _agreed(rollout: Rollout, course: _Course, place: str, operator: Operator, yes: bool) -> bool:
    """Show the steps and ask for confirmation; return False if there are no steps.

    Raises OperatingError if the operator does not agree.
    """
    if not course.steps:
        operator.tell("Nothing to do: the stack set and its stacks are as requested.")
        return False
    operator.tell(f"Stack set {rollout.name} in {place}")
    operator.tell(f"Template {rollout.template.description}, sha256 {rollout.template.sha256}")
    for number, step in enumerate(course.steps, 1):
        operator.tell(f"{number}. {step.does}")
        for line in step.lines:
            operator.tell(printable(f"     {line}"))
    operator.confirm("Do it?", yes)
    return True


def _carry_out(stack_set: StackSet, course: _Course, operator: Operator) -> None:
    for number, step in enumerate(course.steps, 1):
        operation_id, found = str(uuid.uuid4()), Progress("", "SUCCEEDED")
        course.note = f"Operation {operation_id} may have begun; run the same command to follow it."
        if step.kind == "create":
            course.note = "The stack set may have been created, without any stack."
        operation_id = stack_set.begin(step.kind, operation_id)
        if step.kind != "create":
            course.note = (
                f"Operation {operation_id} continues by itself; run the same command to follow it."
            )
            operator.tell(f"{step.does}: operation {operation_id}")
            found = stack_set.follow(operation_id)
        course.done.append(found)
        course.note = (
            f"{number} of {len(course.steps)} steps are done; run the same command to continue."
        )
        if found.status != "SUCCEEDED":
            return


def _settle(stack_set: StackSet, course: _Course, operator: Operator) -> None:
    """Wait for any running operation, whoever started it, and read the stack set."""
    while True:
        stack_set.read()
        running = stack_set.running() if stack_set.there else None
        if running is None:
            return
        course.note = f"Operation {running} continues by itself. Nothing else was started."
        operator.tell(f"operation {running} is running; waiting for it first")
        stack_set.follow(running)
        course.note = _Course.note


@contextmanager
def _advised() -> Iterator[None]:
    """Raise OperatingError with our fix for AWS's refusal of a call, if we know its message."""
    try:
        yield
    except ClientError as error:
        said = one_line(error.response.get("Error", {}).get("Message", ""))
        fix = advice(said, _ROLES)
        if not fix or denied(error):
            raise
        what = f"{error.operation_name} failed: {said[:_LONGEST].rstrip('.')}."
        raise OperatingError(what, fix) from error


def _lines(course: _Course) -> Iterator[str]:
    for step, found in zip(course.steps, course.done, strict=False):
        counted = f" ({found.counted})" if found.results else ""
        yield printable(f"{found.status}: {step.does}{counted}")
        if found.reason:
            yield f"  {own_reason(found.reason)}"
    if failed := _failures(course.done):
        yield from _table(failed)


def _data(rollout: Rollout, course: _Course) -> dict[str, object]:
    left = [Progress("", "NOT_STARTED")] * (len(course.steps) - len(course.done))
    return {
        "stackSet": rollout.name,
        "templateSha256": rollout.template.sha256,
        "operations": [
            {
                "does": step.does,
                "operationId": found.operation_id or None,
                "status": found.status,
                "counts": dict(found.counts),
            }
            for step, found in zip(course.steps, [*course.done, *left], strict=True)
        ],
        "failures": [_failure(each) for each in _failures(course.done)],
    }


def _failures(done: Iterable[Progress]) -> tuple[Result, ...]:
    """Return the failed stacks, then those not tried, according to each stack's last result."""
    last = {each.target: each for one in done for each in one.results}
    bad = [each for each in last.values() if each.status in ("FAILED", "CANCELLED")]
    return tuple(sorted(bad, key=lambda each: (each.status == "CANCELLED", each.target)))


def advice(reason: str, table: Iterable[tuple[str, str]] = (*_ROLES, *_STACKS)) -> str:
    """Return the table's fix for a refusal or a failed stack; empty if there is none."""
    return next((fix for pattern, fix in table if re.search(pattern, reason)), "")


def _table(failed: Sequence[Result]) -> Iterator[str]:
    """Yield a table of the failures and, below it, each piece of advice once."""
    yield from ("", f"{'Account':<12}  {'Region':<14}  {'Status':<9}  Reason")
    for each in failed:
        (account, region), reason = each.target, own_reason(each.reason) or "none given"
        yield printable(f"{account:<12}  {region:<14}  {each.status:<9}  {reason}")
    yield from ("", "What to do:")
    yield from (f"- {fix}" for fix in dict.fromkeys(advice(each.reason) for each in failed))


def _failure(failed: Result) -> dict[str, str]:
    """Return a failure as data for programs."""
    account, region = failed.target
    told = {"reason": own_reason(failed.reason), "fix": advice(failed.reason)}
    return {"account": account, "region": region, "status": failed.status, **told}


def _check(done: Sequence[Progress]) -> None:
    """Raise OperatingError, with the number of failures and a fix, unless all steps succeeded."""
    if failed := _failures(done):
        untried = sum(each.status == "CANCELLED" for each in failed)
        also = f", {untried:,} not tried" if untried else ""
        raise OperatingError(
            f"The roll-out is not complete: {len(failed) - untried:,} failed{also}.",
            advice(failed[0].reason),
        )
    if done and done[-1].status != "SUCCEEDED":
        raise OperatingError(
            f"The last operation ended as {done[-1].status}.",
            "Look at it in CloudFormation's console, and run the same command again.",
        )
