"""Change sets that were not executed: deleted, with a stack that was only made to hold one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at
from dt_logs_cfn.operate.stacks.stack import describe, missing
from dt_logs_cfn.operate.stacks.states import REVIEW

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import DescribeChangeSetOutputTypeDef

EVERY = 1.0  # seconds between two looks
_LONGEST = 60.0  # seconds until one that is being made can be deleted
_AT_WORK = ("CREATE_PENDING", "CREATE_IN_PROGRESS")


@dataclass
class Made:
    """A change set of ours, which exists, or may: no answer was had so far."""

    name: str
    stack_name: str
    stack: str  # the stack's id; its name where that is not known
    creates: bool  # whether its stack was made to hold it
    operator: Operator = field(repr=False)  # whoever waits for it
    exists: bool = False
    executing: bool = False  # whether AWS was asked to execute it, and may do that

    @property
    def remedy(self) -> str:
        """The command that deletes it, with a stack that was only made to hold it."""
        if self.creates:
            return f"`dt-logs-cfn remove --stack {self.stack_name}`"
        more = f" --stack-name {self.stack_name} --change-set-name {self.name}"
        return f"`aws cloudformation delete-change-set{more}`"


def state(client: CloudFormationClient, made: Made) -> DescribeChangeSetOutputTypeDef | None:
    """Return what CloudFormation tells of a change set, None if there is none."""
    try:
        return client.describe_change_set(ChangeSetName=made.name, StackName=made.stack)
    except ClientError as error:
        if aws.code(error) == "ChangeSetNotFound" or missing(error):
            return None
        raise


def forget(client: CloudFormationClient, made: Made) -> None:
    """Delete a change set, and a stack that has none any more and nothing else.

    What is left all the same is told: one that is executed after all, and what cannot be deleted.
    """
    advise = made.operator.advise
    try:
        if _deleted(client, made) and made.creates:
            _delete_empty(client, made)
    except FAILURES as error:
        made.operator.tell(f"{_left(made)}: {failure(error).what}")
        advise(f"This takes it away: {made.remedy}")
    except KeyboardInterrupt:
        advise(f"{_left(made)}. This takes it away: {made.remedy}")
        raise


def _left(made: Made) -> str:
    stack = f", or the empty stack {made.stack_name}," if made.creates else ""
    left = f"he change set {made.name}{stack} may be left behind"
    if made.executing:
        goes_on = f"The stack {made.stack_name} may go on by itself; the same command follows it."
        return f"{goes_on} If it does not, t{left}"
    return f"T{left}"


def _deleted(client: CloudFormationClient, made: Made) -> bool:
    """Delete a change set once that is possible; tells whether it is gone."""
    began = made.operator.clock()
    while True:
        found = looked_at(lambda: state(client, made), made.operator)
        if found is None:
            if made.stack == made.stack_name:  # AWS may be about to make it
                made.operator.advise(f"{_left(made)}. This takes it away: {made.remedy}")
            return True
        if found["ExecutionStatus"].startswith("EXECUTE_"):
            made.operator.tell(
                f"The stack {made.stack_name} goes on by itself. The same command follows it again."
            )
            return False
        late = made.operator.clock() - began > _LONGEST
        # AWS takes none away that it is making [CloudFormation API, InvalidChangeSetStatus].
        if found["Status"] not in _AT_WORK or late:
            try:
                client.delete_change_set(ChangeSetName=made.name, StackName=made.stack)
            except ClientError as error:
                if late or aws.code(error) != "InvalidChangeSetStatus":
                    raise
            else:
                return True
        made.operator.sleep(EVERY)


def _delete_empty(client: CloudFormationClient, made: Made) -> None:
    stack = describe(client, made.stack)
    if stack is None or stack.status != REVIEW:
        return
    if not client.list_change_sets(StackName=stack.id)["Summaries"]:
        client.delete_stack(StackName=stack.id, ClientRequestToken=f"{made.name}-delete")
