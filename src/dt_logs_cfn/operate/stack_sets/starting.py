"""Starting an operation on a stack set once, also where AWS's answer gets lost on its way.

CloudFormation performs what has the same id only once [CloudFormation API, OperationId and
ClientRequestToken], so a request may be sent again for as long as its id stays the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import one_line
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.retry import FAILURES, passes, patiently
from dt_logs_cfn.operate.stack_sets.calls import StackSet
from dt_logs_cfn.operate.stack_sets.course import Course
from dt_logs_cfn.operate.stack_sets.following import SECONDS, settle
from dt_logs_cfn.operate.stack_sets.operations import CreateStackSet, Operation, Present
from dt_logs_cfn.operate.stack_sets.progress import call_advice

_ROUNDS = 24  # in which AWS may say that an operation is in progress
_LONGEST = 300


def start(
    stack_set: StackSet,
    operation: Operation,
    present: Present,
    operation_id: str,
    course: Course,
    operator: Operator,
) -> str:
    """Start an operation by an id of ours and return the one that it has.

    Waits first for what somebody else has started meanwhile. Raises OperatingError and botocore's
    errors.
    """
    making = isinstance(operation, CreateStackSet)
    begun = "the stack set is being made" if making else f"operation {operation_id} has begun"
    lost: list[Exception] = []

    def attempt() -> str | Exception:
        try:
            return stack_set.start(operation, present, operation_id)
        except FAILURES as error:
            if passes(error):
                lost.append(error)
                raise
            if (lost or _repeated(error)) and _unread(error):
                raise  # which says nothing of an attempt before this one
            return error

    for _ in range(_ROUNDS):
        course.ours = operation_id
        answer = patiently(attempt, operator, f"If {begun}, it")
        if isinstance(answer, str):
            return answer
        refusal = aws.code(answer) if isinstance(answer, ClientError) else ""
        if refusal == "OperationIdAlreadyExistsException":
            return operation_id  # an answer before this one was lost
        if refusal != "OperationInProgressException":
            course.ours = ""
            with advised():
                raise answer
        # It may be this one, whose answer was lost.
        course.ours = operation_id if lost or _repeated(answer) else ""
        if settle(stack_set, course, operator, operation_id) == operation_id:
            course.ours = operation_id
            return operation_id
        operator.sleep(SECONDS)
    raise OperatingError(
        "AWS says that an operation is in progress, and lists none.", "Try again later."
    )


@contextmanager
def advised() -> Iterator[None]:
    """Say what to do where we know more about AWS's refusal than AWS says."""
    try:
        yield
    except ClientError as error:
        said = one_line(error.response.get("Error", {}).get("Message", ""))
        fix = call_advice(said)
        if fix is None or aws.denied(error):
            raise
        raise OperatingError(
            f"{error.operation_name} failed: {said[:_LONGEST].rstrip('.')}.", fix
        ) from error


def _repeated(error: Exception) -> bool:
    """Tell whether the SDK had tried before, after which no answer came or a refusal for now."""
    answer = error.response if isinstance(error, ClientError) else {}
    return answer.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0


def _unread(error: Exception) -> bool:
    """Tell whether the request was refused for its credentials, before it was looked at."""
    if isinstance(error, ClientError):
        return aws.denied(error) or aws.expired(error)
    return isinstance(error, BotoCoreError)
