"""Having a stack deleted, and following it until it is gone."""

from __future__ import annotations

from collections.abc import Callable
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
    """Delete a stack and follow it until it is gone; `role` is in place of its own, if given.

    `total` is how many resources it has.

    Raises OperatingError if it comes to rest otherwise, botocore's errors, and KeyboardInterrupt,
    with the stack going on.
    """
    known = seen(client, stack.id)
    # Once it is deleted, it has no name any more, and whoever is cut off here needs the id.
    again = f"`dt-logs-cfn remove --stack {stack.id}`"
    operator.advise(f"to look again later: {again}")
    try:
        _begin(client, stack, operator, role)
    except KeyboardInterrupt:
        operator.advise(
            f"The stack {stack.name} may be deleted now, which goes on by itself. {again} follows"
            " it if so, and asks again if not."
        )
        raise
    ended = follow(client, stack.id, known, operator, total)
    if ended.stack.status != GONE:
        raise _failure(ended)


def _begin(
    client: CloudFormationClient, stack: StackDescription, operator: Operator, role: str
) -> None:
    """Have a stack deleted; where no answer is had, its events tell whether it is.

    AWS knows the SDK's retries by the token [CloudFormation API, DeleteStack: ClientRequestToken].
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
        if refused(error) or not _told_by(begun, stack, operator):
            raise


def _told_by(look: Callable[[], bool], stack: StackDescription, operator: Operator) -> bool:
    try:
        return looked_at(look, operator)
    except FAILURES as error:
        raise OperatingError(
            f"Whether the stack {stack.name} is being deleted is not known: {failure(error).what}",
            "The same command looks again once AWS answers.",
        ) from error


def _failure(ended: Ended) -> OperatingError:
    fix, event = "Correct that, and remove it again.", cause(ended.events)
    if event is not None and not event.of_stack:
        fix += (
            f" What cannot be deleted can be left behind: `aws cloudformation delete-stack"
            f" --stack-name {ended.stack.name} --retain-resources {event.logical_id}`."
        )
    return OperatingError(ended.failure, fix)
