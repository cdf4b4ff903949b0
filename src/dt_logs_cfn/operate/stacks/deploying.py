"""Create or update a stack: propose, show, confirm, execute, follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dt_logs_cfn.cli.terminal import Operator, printable
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.load_balancers import Dropped
from dt_logs_cfn.operate.stacks.change_sets import proposed
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.following import Ended, follow, follow_first, seen
from dt_logs_cfn.operate.stacks.review import told
from dt_logs_cfn.operate.stacks.stack import (
    Existing,
    StackDescription,
    describe,
    existing,
    made_from,
)
from dt_logs_cfn.operate.stacks.states import GONE, SETTLED, at_rest, before_update
from dt_logs_cfn.template.resources import INVOCATION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True)
class DeployResult:
    """The stack afterwards; `result` is created, updated or unchanged.

    `ran` is whether the function ran; if not, the outputs are of its last run.
    """

    result: str
    stack: StackDescription
    ran: bool


@dataclass(frozen=True)
class Consent:
    """What an operator agrees to without being asked: the change, and that load balancers leave."""

    yes: bool = False
    removal: bool = False


def settled(client: CloudFormationClient, name: str, operator: Operator) -> Existing | None:
    """Return the stack to update, None if it is to be created; follow one that is at work.

    Raises OperatingError if it cannot be updated, or is not ours; botocore's errors.
    """
    stack = describe(client, name)
    if stack is not None and not at_rest(stack.status):
        made_from(client, stack)  # another's stack is not waited for
        ended = follow_first(client, stack, operator)
        if ended and ended.stack.status not in (*SETTLED, GONE):
            raise _failure(ended)
    return existing(client, name)


def deploy(
    client: CloudFormationClient,
    deployment: Deployment,
    dropped: Dropped,
    operator: Operator,
    consent: Consent,
) -> DeployResult:
    """Make a stack what is wanted, after a confirmation; repeatable.

    The deployment's `before` is from `settled`. Raises OperatingError, botocore's errors, and
    KeyboardInterrupt, with the stack going on.
    """
    deployment.check()
    _tell_first(dropped, operator, consent)
    stack = deployment.stack
    with proposed(client, deployment, operator) as found:
        if found.changes is None:
            assert stack is not None  # to create a stack is a change
            return DeployResult("unchanged", stack, ran=False)
        operator.tell(told(deployment, found.changes))
        operator.confirm("Go ahead?", consent.yes)
        known = seen(client, found.stack)
        found.execute()
    ended = follow(client, found.stack, known, operator, len(found.changes))
    if ended.stack.status not in SETTLED:
        raise _failure(ended)
    ran = any(each.logical_id == INVOCATION for each in ended.events)
    return DeployResult("updated" if stack else "created", ended.stack, ran)


def _tell_first(dropped: Dropped, operator: Operator, consent: Consent) -> None:
    """Name the load balancers that leave. Raises OperatingError without consent to that."""
    for line in dropped.lines():
        operator.tell(printable(line))
    if dropped and consent.yes and not consent.removal:
        raise OperatingError(
            "Load balancers would leave the stack, so nothing was changed.",
            "Add --allow-removal to --yes, or keep them in the list.",
        )


def _failure(ended: Ended) -> OperatingError:
    first = before_update(ended.stack.status, ended.stack.name)
    fix = f"Correct that. {first}" if first else "Correct that, and deploy again."
    return OperatingError(ended.failure, fix)
