"""Delete a stack, and follow it until it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at, refused
from dt_logs_cfn.operate.stacks.following import Ended, cause, follow, seen
from dt_logs_cfn.operate.stacks.stack import StackDescription, token
from dt_logs_cfn.operate.stacks.states import GONE

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import DeleteStackInputTypeDef


def delete(
    client: CloudFormationClient,
    stack: StackDescription,
    operator: Operator,
    role: str,
    total: int = 0,
) -> None:
    """Delete a stack and follow it until it is gone; `role` replaces the stack's own, if given.

    `total` is how many resources it has. Raises OperatingError if the stack is not deleted,
    botocore's errors, and KeyboardInterrupt, with the stack going on.
    """
    known = seen(client, stack.id)
    # A deleted stack has no name: whoever is cut off here needs its ID.
    again = f"`dt-logs-cfn remove --stack {stack.id}`"
    operator.advise(f"To check again later: {again}")
    try:
        _begin(client, stack, operator, role)
    except KeyboardInterrupt:
        operator.advise(
            f"The stack {stack.name} may be being deleted, which goes on by itself. {again} follows"
            " it then, and asks again otherwise."
        )
        raise
    ended = follow(client, stack.id, known, operator, total)
    if ended.stack.status != GONE:
        raise _failure(ended)


def _begin(
    client: CloudFormationClient, stack: StackDescription, operator: Operator, role: str
) -> None:
    """Have a stack deleted; if the answer is lost, its events tell whether it is.

    AWS recognises the SDK's retries by the token [CloudFormation API, DeleteStack:
    ClientRequestToken].
    """
    known = token()
    given: DeleteStackInputTypeDef = {"StackName": stack.id, "ClientRequestToken": known}
    if role:
        given["RoleARN"] = role

    def begun() -> bool:
        events = client.describe_stack_events(StackName=stack.id)["StackEvents"]
        return any(each.get("ClientRequestToken") == known for each in events)

    try:
        client.delete_stack(**given)
    except FAILURES as error:
        if refused(error):
            raise
        try:
            found = looked_at(begun, operator)
        except FAILURES as lost:
            raise OperatingError(
                f"Whether the stack {stack.name} is being deleted is unknown: {failure(lost).what}",
                "Run the same command once AWS answers.",
            ) from lost
        if not found:
            raise


def _failure(ended: Ended) -> OperatingError:
    fix, event = "Correct that, and remove it again.", cause(ended.events)
    if event is not None and not event.of_stack:
        fix += (
            f" To leave behind what cannot be deleted: `aws cloudformation delete-stack"
            f" --stack-name {ended.stack.name} --retain-resources {event.logical_id}`."
        )
    return OperatingError(ended.failure, fix)
