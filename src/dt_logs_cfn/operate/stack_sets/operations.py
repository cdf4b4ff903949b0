"""Begin an operation on a stack set once, and follow it to its end."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import Operator, elapsed
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at, passes, patiently, refused
from dt_logs_cfn.operate.stack_sets.failures import own_reason
from dt_logs_cfn.operate.stack_sets.rollout import Kind, Progress, Target
from dt_logs_cfn.operate.stack_sets.stack_set import ENDED, StackSet
from dt_logs_handler.aws import code

SECONDS = 5.0  # between two looks
SILENCE = 60.0  # seconds without a change before a message


def begin(stack_set: StackSet, kind: Kind, operation_id: str, operator: Operator) -> str:
    """Begin a step once, even if AWS's answer is lost, and return its operation's ID.

    Raises OperatingError if it may have begun, or if another operation is in the way, and
    botocore's errors if it has not begun.
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
                "Another operation has begun on the stack set meanwhile.",
                "Run the same command again: it waits for that one first.",
            ) from error
        raise


def follow(stack_set: StackSet, operation_id: str, operator: Operator) -> Progress:
    """Report an operation's progress until it has ended.

    A lost connection is waited for; raises OperatingError if it does not come back, with the
    operation going on.
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
    """Add the reasons of failed stacks that the operation does not give."""
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
