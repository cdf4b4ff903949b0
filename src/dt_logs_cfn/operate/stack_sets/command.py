"""Carry out a roll-out: show it, confirm it, run it and follow it to the last stack."""

from __future__ import annotations

import argparse
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator, elapsed, one_line, printable, result, shown_text
from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at, passes, patiently, refused
from dt_logs_cfn.operate.stack_sets import failures
from dt_logs_cfn.operate.stack_sets.failures import own_reason
from dt_logs_cfn.operate.stack_sets.rollout import Kind, Progress, Rollout, Step, Target, asked_for
from dt_logs_cfn.operate.stack_sets.stack_set import ENDED, StackSet
from dt_logs_cfn.operate.templates import Template
from dt_logs_handler.aws import code, denied

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_LONGEST = 300
SECONDS = 5.0  # seconds between two reads
SILENCE = 60.0  # seconds without a change before a message


@dataclass
class _Course:
    """A roll-out's progress; `note` is printed after Ctrl-C, which may come at any moment."""

    steps: tuple[Step, ...] = ()
    done: list[Progress] = field(default_factory=list)
    note: str = "Nothing was started."


def _connected(arguments: argparse.Namespace) -> tuple[CloudFormationClient, str]:
    """Return a client, and a description of its account and region."""
    session = aws.session(arguments.profile, arguments.region)
    client: CloudFormationClient = session.client("cloudformation", config=aws.CONFIG)
    caller = session.client("sts", config=aws.CONFIG).get_caller_identity()["Account"]
    return client, f"account {caller}, region {client.meta.region_name}"


def roll_out(
    arguments: argparse.Namespace,
    template: Template,
    parameters: Mapping[str, str],
    tags: Mapping[str, str],
    operator: Operator,
    connect: Callable[[argparse.Namespace], tuple[CloudFormationClient, str]] = _connected,
) -> int:
    """Show the steps, ask, run and follow them; return 0 if every step succeeded.

    Repeatable: each run makes only the changes that are still missing. Raises DtLogsError, and
    KeyboardInterrupt after printing which operation continues.
    """
    rollout, course = asked_for(arguments, template, parameters, tags), _Course()
    # AWS's messages may contain an endpoint's token, or control characters.
    safe = replace(operator, tell=lambda line: operator.tell(printable(shown_text(line))))
    try:
        with aws.errors(), _advised():
            client, place = connect(arguments)
            stack_set = StackSet(client, rollout)
            _settle(stack_set, course, safe)
            course.steps = tuple(stack_set.steps())
            if _agreed(rollout, course, place, operator, arguments.yes):
                _carry_out(stack_set, course, safe)
    except KeyboardInterrupt:
        operator.advise(course.note)
        raise
    except DtLogsError as error:
        over = f" {len(course.done)} of {len(course.steps)} steps are over." if course.done else ""
        raise type(error)(shown_text(error.what), f"{shown_text(error.fix)}{over}") from error
    result(arguments.json, _data(rollout, course), _lines(course))
    failures.check(course.done, len(course.steps))
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
        course.note = f"Operation {operation_id} may have begun; the same command follows it."
        if step.kind == "create":
            course.note = "The stack set may have been created, without any stack."
        operation_id = begin(stack_set, step.kind, operation_id, operator)
        if step.kind != "create":
            course.note = (
                f"Operation {operation_id} goes on by itself; the same command follows it."
            )
            operator.tell(f"{step.does}: operation {operation_id}")
            found = follow(stack_set, operation_id, operator)
        course.done.append(found)
        course.note = f"{number} of {len(course.steps)} steps are done; the same command continues."
        if found.status != "SUCCEEDED":
            return


def _settle(stack_set: StackSet, course: _Course, operator: Operator) -> None:
    """Wait for any running operation, whoever started it, and read the stack set."""
    while True:
        stack_set.read()
        running = stack_set.running() if stack_set.there else None
        if running is None:
            return
        course.note = f"Operation {running} goes on by itself. Nothing else was started."
        operator.tell(f"operation {running} is running; waiting for it first")
        follow(stack_set, running, operator)
        course.note = _Course.note


@contextmanager
def _advised() -> Iterator[None]:
    """Add a fix to AWS's refusal of a call, if we know more than its message says."""
    try:
        yield
    except ClientError as error:
        said = one_line(error.response.get("Error", {}).get("Message", ""))
        fix = failures.call_advice(said)
        if fix is None or denied(error):
            raise
        what = f"{error.operation_name} failed: {said[:_LONGEST].rstrip('.')}."
        raise OperatingError(what, fix) from error


def _lines(course: _Course) -> Iterator[str]:
    for step, found in zip(course.steps, course.done, strict=False):
        counted = f" ({found.counted})" if found.results else ""
        yield printable(f"{found.status}: {step.does}{counted}")
        if found.reason:
            yield f"  {failures.own_reason(found.reason)}"
    if failed := failures.failures(course.done):
        yield from failures.table(failed)


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
        "failures": [failures.data(each) for each in failures.failures(course.done)],
    }


def begin(stack_set: StackSet, kind: Kind, operation_id: str, operator: Operator) -> str:
    """Begin a step once, even if AWS's answer is lost, and return its operation's ID.

    Raises OperatingError if the step may have begun, or if another operation is running. Raises
    botocore's errors if the step has not begun.
    """
    lost = False

    def attempt() -> str:
        nonlocal lost
        try:
            return stack_set.begin(kind, operation_id)
        except FAILURES as error:
            answer = code(error) if isinstance(error, ClientError) else ""
            lost = lost or passes(error) or bool(answer and not refused(error))
            begun = answer == "OperationIdAlreadyExistsException"
            if lost and answer == "OperationInProgressException":
                begun = stack_set.running() == operation_id
            if begun:
                return operation_id
            raise

    try:
        return looked_at(attempt, operator)
    except FAILURES as error:
        found = failure(error)
        if lost:
            raise OperatingError(
                f"Operation {operation_id} may have begun: {found.what}",
                f"{found.fix} The same command follows it if it has.",
            ) from error
        if isinstance(error, ClientError) and code(error) == "OperationInProgressException":
            raise OperatingError(
                "Another operation has started on the stack set in the meantime.",
                "Run the same command again: it waits for that one first.",
            ) from error
        raise


def follow(stack_set: StackSet, operation_id: str, operator: Operator) -> Progress:
    """Report an operation's progress until it has ended.

    Repeats a read after a lost connection. Raises OperatingError if AWS does not answer again; the
    operation then continues.
    """
    start = told = operator.clock()
    seen: dict[Target, str] = {}
    while True:
        found = patiently(
            lambda: stack_set.look(operation_id), operator, f"Operation {operation_id}"
        )
        changed = [e for e in found.results if e.status != seen.get(e.target, "PENDING")]
        for each in changed:
            why = f": {own_reason(each.reason)}" if each.reason and each.status == "FAILED" else ""
            operator.tell(f"      {'  '.join(each.target)}  {each.status}{why}")
        ended, now = found.status in ENDED, operator.clock()
        if changed or ended or now - told >= SILENCE:
            counted = found.counted or "no stacks yet"
            operator.tell(f"{elapsed(now - start)}  {found.status}: {counted}")
            told = now
        if ended:
            return _with_reasons(stack_set, found, operator)
        seen = {each.target: each.status for each in found.results}
        operator.sleep(SECONDS)


def _with_reasons(stack_set: StackSet, found: Progress, operator: Operator) -> Progress:
    """Add the failed stacks' reasons, where the operation does not give them."""
    if all(each.reason for each in found.results if each.status == "FAILED"):
        return found
    try:
        stacks = looked_at(stack_set.instances, operator)
    except FAILURES as error:
        operator.tell(f"      reasons cannot be read ({type(error).__name__})")
        return found
    reasons = {target: each.get("StatusReason", "") for target, each in stacks.items()}
    results = (
        replace(each, reason=each.reason or reasons.get(each.target, "")) for each in found.results
    )
    return replace(found, results=tuple(results))
