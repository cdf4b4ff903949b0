"""Carrying out the operations on a stack set, one after the other, and following each."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.retry import patiently
from dt_logs_cfn.operate.stack_sets.calls import StackSet
from dt_logs_cfn.operate.stack_sets.course import Course, Done
from dt_logs_cfn.operate.stack_sets.following import follow
from dt_logs_cfn.operate.stack_sets.operations import CreateStackSet, Present
from dt_logs_cfn.operate.stack_sets.progress import Progress, Result
from dt_logs_cfn.operate.stack_sets.starting import start


def _new_id() -> str:
    return str(uuid.uuid4())


def carry_out(
    stack_set: StackSet,
    present: Present,
    course: Course,
    operator: Operator,
    new_id: Callable[[], str] = _new_id,
) -> None:
    """Do one operation of a course after the other, and stop after one that does not succeed.

    Repeatable by planning again. Raises OperatingError and botocore's errors; the course says at
    any moment what is over and what goes on.
    """
    number = len(course.operations)
    for index, operation in enumerate(course.operations, 1):
        course.answered = False
        course.ours = start(stack_set, operation, present, new_id(), course, operator)
        course.answered = True
        if isinstance(operation, CreateStackSet):
            found = Progress("", "SUCCEEDED")
        else:
            operator.tell(f"{index} of {number}: operation {course.ours}")
            found = follow(stack_set, course.ours, operator)
        course.ours = ""
        course.done.append(Done(operation, found))
        course.done[-1] = Done(operation, _with_reasons(stack_set, found, operator))
        if found.status != "SUCCEEDED":
            return


def _with_reasons(stack_set: StackSet, found: Progress, operator: Operator) -> Progress:
    """Add the reasons of failed instances where the operation does not give them.

    What it came to is known, and told also where these cannot be read.
    """

    def read() -> Iterator[Result]:
        readable = True
        for each in found.results:
            if readable and each.status == "FAILED" and not each.reason:
                reason = _reason(stack_set, each, operator)
                readable = reason is not None
                yield replace(each, reason=reason or "")
            else:
                yield each

    return replace(found, results=tuple(read()))


def _reason(stack_set: StackSet, result: Result, operator: Operator) -> str | None:
    try:
        return patiently(lambda: stack_set.reason(result.place), operator, "The operation")
    except OperatingError as lost:
        operator.tell(f"      reasons cannot be read ({type(lost.__cause__).__name__})")
        return None
