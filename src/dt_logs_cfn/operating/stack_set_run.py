"""Carrying out the operations on a stack set, one after the other, and following each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operating.operator import Operator
from dt_logs_cfn.operating.stack_set_calls import StackSet
from dt_logs_cfn.operating.stack_set_progress import (
    Progress,
    Result,
    call_advice,
    changes,
    elapsed,
    own_reason,
    progress,
    summary,
)
from dt_logs_cfn.operating.stack_sets import CreateStackSet, Operation, Present

SECONDS = 5.0  # between two looks


@dataclass(frozen=True)
class Done:
    """An operation that was carried out, and what it came to."""

    operation: Operation
    progress: Progress


class Interrupted(Exception):
    """Somebody pressed Ctrl-C while an operation was under way; it goes on without us."""

    def __init__(self, operation_id: str) -> None:
        super().__init__(operation_id)
        self.operation_id = operation_id


def carry_out(
    stack_set: StackSet, operations: Sequence[Operation], present: Present, operator: Operator
) -> tuple[Done, ...]:
    """Do one operation after the other, and stop after one that does not succeed.

    Repeatable by planning again. Raises Interrupted, OperatingError, and botocore's errors.
    """
    done: list[Done] = []
    for number, operation in enumerate(operations, 1):
        operation_id = _started(stack_set, operation, present, operator)
        if isinstance(operation, CreateStackSet):
            done.append(Done(operation, Progress("", "SUCCEEDED")))
            continue
        operator.tell(f"{number} of {len(operations)}: operation {operation_id}")
        found = follow(stack_set, operation_id, operator)
        done.append(Done(operation, _with_reasons(stack_set, found)))
        if found.status != "SUCCEEDED":
            break
    return tuple(done)


def settle(stack_set: StackSet, operator: Operator) -> None:
    """Wait until nothing is under way, whoever started it. Raises Interrupted."""
    while (operation_id := stack_set.running()) is not None:
        operator.tell(f"operation {operation_id} is under way, and one is done at a time: waiting")
        follow(stack_set, operation_id, operator)


def follow(stack_set: StackSet, operation_id: str, operator: Operator) -> Progress:
    """Tell what changes in an operation until it has ended. Raises Interrupted."""
    start, before = operator.clock(), None
    try:
        while True:
            found = progress(stack_set.operation(operation_id), stack_set.results(operation_id))
            changed = changes(before, found)
            for each in changed:
                operator.tell(_line(each))
            if changed or found.ended:
                spent = elapsed(operator.clock() - start)
                operator.tell(f"{spent}  {found.status}: {summary(found)}")
            if found.ended:
                return found
            before = found
            operator.sleep(SECONDS)
    except KeyboardInterrupt as error:
        raise Interrupted(operation_id) from error


def _started(
    stack_set: StackSet, operation: Operation, present: Present, operator: Operator
) -> str:
    """Start an operation; wait first for one that somebody else started meanwhile."""
    while True:
        try:
            with advised():
                return stack_set.start(operation, present)
        except ClientError as error:
            if aws.code(error) != "OperationInProgressException":
                raise
            settle(stack_set, operator)
            operator.sleep(SECONDS)


@contextmanager
def advised() -> Iterator[None]:
    """Say what to do where we know more about AWS's refusal than AWS says."""
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {}).get("Message", "")
        fix = call_advice(said)
        if fix is None or aws.denied(error):
            raise
        raise OperatingError(
            f"{error.operation_name} failed: {' '.join(said.split())[:300].rstrip('.')}.", fix
        ) from error


def _with_reasons(stack_set: StackSet, found: Progress) -> Progress:
    """Add the reasons of failed instances where the operation does not give them."""
    return replace(found, results=tuple(_with_reason(stack_set, each) for each in found.results))


def _with_reason(stack_set: StackSet, result: Result) -> Result:
    if result.status != "FAILED" or result.reason:
        return result
    return replace(result, reason=stack_set.reason(result.place))


def _line(result: Result) -> str:
    why = f": {own_reason(result.reason)}" if result.reason and result.status == "FAILED" else ""
    return f"      {result.account}  {result.region}  {result.status}{why}"
