"""Following an operation on a stack set until it has ended, ours or somebody else's."""

from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.retry import patiently
from dt_logs_cfn.operate.stack_sets.calls import StackSet
from dt_logs_cfn.operate.stack_sets.course import Course
from dt_logs_cfn.operate.stack_sets.progress import (
    Progress,
    Result,
    changes,
    elapsed,
    own_reason,
    progress,
    summary,
)

SECONDS = 5.0  # between two looks
SILENCE = 60.0  # seconds without a change, after which that is said


def follow(stack_set: StackSet, operation_id: str, operator: Operator) -> Progress:
    """Tell what changes in an operation until it has ended.

    A lost connection is waited for; raises OperatingError when it does not come back, with the
    operation going on.
    """

    def look() -> Progress:
        return progress(stack_set.operation(operation_id), stack_set.results(operation_id))

    start = shown = operator.clock()
    before: Progress | None = None
    while True:
        found = patiently(look, operator, f"Operation {operation_id}")
        changed = changes(before, found)
        for each in changed:
            operator.tell(_line(each))
        now = operator.clock()
        if changed or found.ended or now - shown >= SILENCE:
            still = "" if changed or found.ended else "still "
            operator.tell(f"{elapsed(now - start)}  {still}{found.status}: {summary(found)}")
            shown = now
        if found.ended:
            return found
        before = found
        operator.sleep(SECONDS)


def settle(stack_set: StackSet, course: Course, operator: Operator, own: str = "") -> str | None:
    """Wait until nothing is under way, whoever started it, or what has this id of our own.

    Returns the id of what is under way then. Raises OperatingError and botocore's errors.
    """
    # At first without patience: what is refused here is refused before anything was begun.
    found = stack_set.running()
    while found is not None and found != own:
        course.theirs = found
        operator.tell(
            f"operation {found} is under way, and one is done at a time: waiting"
            " (Ctrl-C ends the waiting, not the operation)"
        )
        follow(stack_set, found, operator)
        course.theirs = ""
        operator.sleep(SECONDS)
        found = patiently(stack_set.running, operator, "What is under way, if anything,")
    return found


def _line(result: Result) -> str:
    why = f": {own_reason(result.reason)}" if result.reason and result.status == "FAILED" else ""
    return f"      {result.account}  {result.region}  {result.status}{why}"
