"""Delete a stack after a confirmation, follow it, and check that the account is clean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import Operator, printable
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.retry import FAILURES, patiently, refused
from dt_logs_cfn.operate.stacks.following import Ended, cause, follow, follow_first, of_stack, seen
from dt_logs_cfn.operate.stacks.marks import Hints, Left, Leftovers
from dt_logs_cfn.operate.stacks.marks_read import Access, search
from dt_logs_cfn.operate.stacks.stack import (
    GONE,
    REVIEW,
    Existing,
    StackDescription,
    check_review,
    made_from,
    missing,
    named,
    token,
)
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.templates import FUNCTION, INVOCATION
from dt_logs_handler.aws import denied
from dt_logs_handler.names import NAME, Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        DeleteStackInputTypeDef,
        StackResourceSummaryTypeDef,
    )

    _Resources = Sequence[StackResourceSummaryTypeDef]


@dataclass(frozen=True)
class Removed:
    """The things that were removed besides the stack, and those that are left."""

    stack: StackDescription
    left: tuple[Left, ...]
    removed: tuple[Left, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """True if no read failed, and all things that are left may stay."""
        return not self.unread and all(each.expected for each in self.left)


def remove(
    client: CloudFormationClient,
    found: Access,
    name: str,
    operator: Operator,
    *,
    yes: bool = False,
    clear: bool = False,
    role: str = "",
) -> Removed:
    """Delete a stack after a confirmation; find what is left, and offer to remove some of it.

    `yes` confirms the deletion in advance, and `clear` the removal of things left behind. `yes`
    without `clear` does not remove them. `role`, if given, replaces the stack's service role. This
    is safe to repeat. First follows an operation in progress. Raises OperatingError, botocore's
    errors, and KeyboardInterrupt; a deletion that has begun continues.
    """
    stack = named(client, name)
    existing = _existing(client, stack)
    if ended := follow_first(client, stack, operator):
        stack = ended.stack
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.id)
    listed = [each for page in pages for each in page["StackResourceSummaries"]]
    tagged, hints = Stack.of(stack.id), _hints(stack, existing, listed)
    operator.tell("searching the account for what the stack set up")
    before, cleared = search(found, tagged, hints), tuple[Left, ...]()
    if stack.status != GONE:
        operator.tell(_told(stack, listed, before))
        operator.confirm(f"Delete the stack {stack.name}?", yes)
        there = sum(each["ResourceStatus"] != GONE for each in listed)
        delete(client, stack, operator, role, there)
        operator.tell("checking whether the account is clean")
    hints = hints.after(before)
    after = search(found, tagged, hints)
    if (clear or not yes) and _agreed(after.left, operator, clear):
        # While we waited for the answer, another stack may have started to use some of these.
        now = (each for each in search(found, tagged, hints).left if each.remedy)
        cleared = tuple(each for each in now if _gone(found, each, operator))
        after = search(found, tagged, hints)
    left = tuple(each for each in after.left if each not in cleared)
    return Removed(stack, left, cleared, after.unread)


def delete(
    client: CloudFormationClient,
    stack: StackDescription,
    operator: Operator,
    role: str,
    total: int = 0,
) -> None:
    """Delete a stack, and follow it until it is gone; `role`, if given, replaces its service role.

    `total` is the number of the stack's resources. Raises OperatingError if the stack is not
    deleted, botocore's errors, and KeyboardInterrupt; a deletion that has begun continues.
    """
    known = seen(client, stack.id)
    # A deleted stack is found only by its ID, so show the ID in case of a disconnection.
    again = f"`dt-logs-cfn remove --stack {stack.id}`"
    operator.advise(f"To check again later: {again}")
    try:
        _begin(client, stack, operator, role)
    except KeyboardInterrupt:
        operator.advise(
            f"AWS may already be deleting the stack {stack.name}. If so, {again} follows the"
            " deletion; otherwise, it asks again."
        )
        raise
    ended = follow(client, stack.id, known, operator, total)
    if ended.stack.status != GONE:
        raise _not_deleted(ended)


def _begin(
    client: CloudFormationClient, stack: StackDescription, operator: Operator, role: str
) -> None:
    """Start deleting a stack; if the answer is lost, search the stack's events for the start.

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
        what = f"It is unknown whether the stack {stack.name} is being deleted"
        fix = "Run the same command once AWS answers."
        if refused(error) or not patiently(begun, operator, what, fix):
            raise


def _not_deleted(ended: Ended) -> OperatingError:
    fix, event = "Correct that, and remove the stack again.", cause(ended.events)
    if event is not None and not of_stack(event):
        retained = event.get("LogicalResourceId", "")
        more = " and everything that it set up" * (retained == INVOCATION)
        fix += (
            f" To delete the stack and keep {retained}{more}: `aws cloudformation delete-stack"
            f" --stack-name {ended.stack.name} --retain-resources {retained}`."
        )
    # The handler's advice is worded for a Create and an Update.
    return OperatingError(
        ended.failure.replace("run the stack again", "remove the stack again"), fix
    )


def _existing(client: CloudFormationClient, stack: StackDescription) -> Existing | None:
    """Return the stack with its template; None if it was not created, or its template is gone.

    CloudFormation keeps a deleted stack's template for 90 days [CloudFormation API, GetTemplate].
    Raises OperatingError if the stack is not ours.
    """
    if stack.status == REVIEW:
        check_review(client, stack, held=True)
        return None
    try:
        return made_from(client, stack)
    except ClientError as error:
        if stack.status == GONE and missing(error):
            return None
        raise


def _hints(stack: StackDescription, existing: Existing | None, listed: _Resources) -> Hints:
    """Return facts from the stack's parameters, resources and outputs; an output may be cut off."""
    arns = re.findall(
        rf"arn:[^,\s]+:{NAME}-[0-9]+-[A-Za-z0-9_-]+", stack.outputs.get("TopicArns", "")
    )
    identifiers = {e["LogicalResourceId"]: e.get("PhysicalResourceId", "") for e in listed}
    there = {each["LogicalResourceId"] for each in listed if each["ResourceStatus"] != GONE}
    return Hints(
        topics=tuple(arns),
        function=identifiers.get(FUNCTION, ""),
        endpoint=stack.parameters.get("NotificationEndpoint", ""),
        documented=existing is not None and existing.privileges is Privileges.DOCUMENTED,
        deleted=INVOCATION not in there,
    )


def _told(stack: StackDescription, listed: _Resources, before: Leftovers) -> str:
    names = ("LogicalResourceId", "ResourceType", "PhysicalResourceId")
    goes = [
        "  ".join(str(each.get(name, "")) for name in names)
        for each in reversed(listed)
        if each["ResourceStatus"] != GONE
    ]
    going = [each for each in before.left if not each.expected]
    goes += [each.described for each in going]
    stays = [each.described for each in before.left if each.expected]
    if any(each.what == "load balancer" for each in going):
        why = "because AWS does not accept an empty one"
        stays.append(f"the bucket's name in the attributes of the load balancers, {why}")
    if stack.role:
        stays.append(f"the service role {stack.role}")
    lines = [
        f"delete stack {stack.name}, which is in {stack.status}",
        f"  through   {stack.role or 'your own permissions, without a service role'}",
        "  Remove",
        *(f"    - {each}" for each in goes or ["only the stack"]),
        *(["  Keep"] if stays else []),
        *(f"    {each}" for each in stays),
        *(["  Could not be read"] if before.unread else []),
        *(f"    {each}" for each in before.unread),
    ]
    return "\n".join(map(printable, lines))


def _agreed(left: Sequence[Left], operator: Operator, clear: bool) -> bool:
    """Show the things that can be removed, and return whether the operator agrees."""
    removable = [each for each in left if each.remedy]
    if not removable:
        return False
    operator.tell("Left behind; you may remove these with your own permissions:")
    for each in removable:
        operator.tell(f"    {each.described}")
    try:
        operator.confirm("Remove these?", clear, "they stay")
    except OperatingError:
        return False
    return True


def _gone(found: Access, left: Left, operator: Operator) -> bool:
    """Remove one thing; return whether AWS allowed it. Repeatable."""
    _, _, sns = found.handler
    try:
        match left.what:
            case "topic":
                sns.delete_topic(TopicArn=left.name)
            case "subscription":
                sns.unsubscribe(SubscriptionArn=left.name)
            case "log group":
                found.logs.delete_log_group(logGroupName=left.name)
            case _:
                raise AssertionError(f"cannot remove a {left.what}")
    except ClientError as error:
        if not denied(error):
            raise
        operator.tell(f"AWS denies {error.operation_name}: {left.name} stays")
        return False
    return True
