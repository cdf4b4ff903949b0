"""Change sets that were not executed: deleted, with a stack that was only made to hold one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at
from dt_logs_cfn.operate.stacks.change_sets import EVERY, ChangeSet, state
from dt_logs_cfn.operate.stacks.stack import describe
from dt_logs_cfn.operate.stacks.states import REVIEW
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_LONGEST = 60.0  # seconds until one that is being made can be deleted
_AT_WORK = ("CREATE_PENDING", "CREATE_IN_PROGRESS")


def forget(client: CloudFormationClient, change_set: ChangeSet) -> None:
    """Delete a change set, and a stack that has none any more and nothing else.

    What is left all the same is told: one that is executed after all, and what cannot be deleted.
    """
    advise = change_set.operator.advise
    try:
        if _deleted(client, change_set) and change_set.creates:
            _delete_empty(client, change_set)
    except FAILURES as error:
        change_set.operator.tell(f"{_left(change_set)}: {failure(error).what}")
        advise(f"This takes it away: {change_set.remedy}")
    except KeyboardInterrupt:
        advise(f"{_left(change_set)}. This takes it away: {change_set.remedy}")
        raise


def _left(change_set: ChangeSet) -> str:
    stack = f", or the empty stack {change_set.stack_name}," if change_set.creates else ""
    left = f"he change set {change_set.name}{stack} may be left behind"
    if change_set.executing:
        goes_on = (
            f"The stack {change_set.stack_name} may go on by itself; the same command follows it."
        )
        return f"{goes_on} If it does not, t{left}"
    return f"T{left}"


def _deleted(client: CloudFormationClient, change_set: ChangeSet) -> bool:
    """Delete a change set once that is possible; tells whether it is gone."""
    began = change_set.operator.clock()
    while True:
        found = looked_at(lambda: state(client, change_set), change_set.operator)
        if found is None:
            if change_set.stack == change_set.stack_name:  # AWS may be about to make it
                change_set.operator.advise(
                    f"{_left(change_set)}. This takes it away: {change_set.remedy}"
                )
            return True
        if found["ExecutionStatus"].startswith("EXECUTE_"):
            change_set.operator.tell(
                f"The stack {change_set.stack_name} goes on by itself. The same command follows it"
                " again."
            )
            return False
        late = change_set.operator.clock() - began > _LONGEST
        # AWS takes none away that it is making [CloudFormation API, InvalidChangeSetStatus].
        if found["Status"] not in _AT_WORK or late:
            try:
                client.delete_change_set(ChangeSetName=change_set.name, StackName=change_set.stack)
            except ClientError as error:
                if late or code(error) != "InvalidChangeSetStatus":
                    raise
            else:
                return True
        change_set.operator.sleep(EVERY)


def _delete_empty(client: CloudFormationClient, change_set: ChangeSet) -> None:
    stack = describe(client, change_set.stack)
    if stack is None or stack.status != REVIEW:
        return
    if not client.list_change_sets(StackName=stack.id)["Summaries"]:
        client.delete_stack(StackName=stack.id, ClientRequestToken=f"{change_set.name}-delete")
