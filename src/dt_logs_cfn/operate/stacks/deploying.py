"""Create or update a stack: show the change, ask for confirmation, execute it and follow it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dt_logs_cfn.cli.terminal import Operator, printable
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks.change_sets import proposed
from dt_logs_cfn.operate.stacks.deployment import Deployment, Dropped
from dt_logs_cfn.operate.stacks.following import Ended, follow, follow_first, seen
from dt_logs_cfn.operate.stacks.stack import (
    GONE,
    SETTLED,
    Existing,
    StackDescription,
    at_rest,
    before_update,
    describe,
    existing,
    made_from,
)
from dt_logs_cfn.template.templates import INVOCATION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True)
class DeployResult:
    """The stack after a deployment; `result` is created, updated or unchanged.

    `ran` is true if the function ran; otherwise, the outputs are those of its last run.
    """

    result: str
    stack: StackDescription
    ran: bool


def settled(client: CloudFormationClient, name: str, operator: Operator) -> Existing | None:
    """Follow any operation in progress; then return the stack to update, or None to create it.

    Raises botocore's errors, and OperatingError if that operation fails, or if the stack is not
    ours or cannot be updated.
    """
    stack = describe(client, name)
    if stack is not None and not at_rest(stack.status):
        made_from(client, stack)  # do not wait for a stack that is not ours
        ended = follow_first(client, stack, operator)
        if ended and ended.stack.status not in (*SETTLED, GONE):
            raise _failure(ended)
    return existing(client, name)


def deploy(
    client: CloudFormationClient,
    deployment: Deployment,
    dropped: Dropped,
    operator: Operator,
    *,
    yes: bool = False,
    removal: bool = False,
) -> DeployResult:
    """Create or update a stack as requested, after a confirmation. This is safe to repeat.

    `yes` confirms the change in advance; dropping load balancers then also needs `removal`.
    `deployment.before` comes from `settled`. Raises OperatingError, botocore's errors, and
    KeyboardInterrupt; a change that has begun continues.
    """
    deployment.check()
    _tell_first(dropped, operator, agreed=removal or not yes)
    stack = deployment.stack
    with proposed(client, deployment, operator) as found:
        if found.changes is None:
            assert stack is not None  # a new stack always has changes
            return DeployResult("unchanged", stack, ran=False)
        operator.tell("\n".join(deployment.told(found.changes)))
        operator.confirm("Go ahead?", yes)
        known = seen(client, found.stack)
        found.execute()
    ended = follow(client, found.stack, known, operator, len(found.changes))
    if ended.stack.status not in SETTLED:
        raise _failure(ended)
    ran = any(each.get("LogicalResourceId") == INVOCATION for each in ended.events)
    return DeployResult("updated" if stack else "created", ended.stack, ran)


def _tell_first(dropped: Dropped, operator: Operator, *, agreed: bool) -> None:
    """Show the dropped load balancers; raise OperatingError if there are any, unless `agreed`."""
    for line in dropped.lines():
        operator.tell(printable(line))
    if dropped and not agreed:
        raise OperatingError(
            "Load balancers would leave the stack, so nothing was changed.",
            "Add --allow-removal to --yes, or keep them in the list.",
        )


def _failure(ended: Ended) -> OperatingError:
    first = before_update(ended.stack.status, ended.stack.name)
    fix = f"Correct that. {first}" if first else "Correct that, and deploy again."
    return OperatingError(ended.failure, fix)
