"""Creating or updating a stack: propose, show, confirm, execute, follow, tell what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operating import change_sets, stack_events, values
from dt_logs_cfn.operating.change_sets import Proposal
from dt_logs_cfn.operating.following import Ended, follow, seen, seen_before
from dt_logs_cfn.operating.operator import Operator
from dt_logs_cfn.operating.proposing import Asked, Proposed, execute, proposed
from dt_logs_cfn.operating.stacks import REVIEW, Stack, describe, resources
from dt_logs_cfn.operating.templates import Template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

_SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to be deployed, and where; parameters and tags left out stay."""

    name: str
    account: str
    region: str
    template: Template
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    role: str = ""


@dataclass(frozen=True)
class Deployed:
    """What came of it: `result` is created, updated or unchanged."""

    result: str
    stack: Stack


def deploy(client: CloudFormationClient, wanted: Wanted, operator: Operator, yes: bool) -> Deployed:
    """Make a stack what is wanted, once it is confirmed; repeatable.

    Raises OperatingError, botocore's errors, and KeyboardInterrupt, with the stack going on.
    """
    before = _at_rest(client, wanted.name, operator)
    template: dict[str, Any] = json.loads(wanted.template.text)
    kept = before.parameters if before else {}
    values.check(template, wanted.parameters, kept)
    declared = template["Parameters"]
    keys = tuple(n for n in kept if n in declared and n not in wanted.parameters)
    tags = {**before.tags, **wanted.tags} if before and wanted.tags else wanted.tags
    asked = Asked(wanted.name, wanted.template.text, wanted.parameters, keys, tags, wanted.role)
    with proposed(client, asked, before, operator) as found:
        if found.changes is None:
            assert before is not None  # a stack that is to be made is a change
            return Deployed("unchanged", before)
        proposal = _proposal(client, wanted, template, before, found)
        operator.tell(change_sets.told(proposal))
        operator.confirm("Go ahead?", yes)
        known = seen(client, found.stack)
        execute(client, found)
    ended = following(client, found.stack, known, operator, wanted.name)
    _check_succeeded(ended, wanted.name)
    after = describe(client, found.stack)
    assert after is not None  # by its id, a stack is found even after it is deleted
    return Deployed("updated" if before else "created", after)


def following(
    client: CloudFormationClient, stack: str, known: frozenset[str], operator: Operator, name: str
) -> Ended:
    """Follow a stack until it is at rest; who interrupts it is told how to go on."""
    try:
        return follow(client, stack, known, operator)
    except KeyboardInterrupt:
        operator.tell(
            f"The stack {name} goes on by itself. The same command follows it again, and so does:"
            f" aws cloudformation describe-stack-events --stack-name {name}"
        )
        raise


def _at_rest(client: CloudFormationClient, name: str, operator: Operator) -> Stack | None:
    """Return the stack as it is before; None where it is to be made. Raises OperatingError.

    One that is at work is followed first.
    """
    stack = describe(client, name)
    if stack is not None and not stack_events.at_rest(stack.status):
        operator.tell(f"The stack {name} is at work ({stack.status}); following it first.")
        known = seen_before(client, stack.id)
        ended = following(client, stack.id, known, operator, name)
        if ended.status not in (*_SUCCEEDED, "DELETE_COMPLETE"):
            raise _failure(ended, name)
        stack = describe(client, name)
    if stack is None or stack.status == REVIEW:
        return None
    _check_updatable(stack)
    resources(client, stack)  # an update of anybody else's would remove what it is made of
    return stack


def _check_updatable(stack: Stack) -> None:
    match stack.status:
        case "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED":
            raise OperatingError(
                f"The stack {stack.name} is in {stack.status} and cannot be updated.",
                f"Delete it: dt-logs-cfn remove --stack-name {stack.name}; then deploy again.",
            )
        case "UPDATE_ROLLBACK_FAILED":
            raise OperatingError(
                f"The stack {stack.name} is in {stack.status} and cannot be updated.",
                "Correct what its events name, then: aws cloudformation continue-update-rollback"
                f" --stack-name {stack.name}; or remove it.",
            )
        case "UPDATE_FAILED":
            raise OperatingError(
                f"The stack {stack.name} is in {stack.status}: its update was left half done.",
                f"Take it back: aws cloudformation rollback-stack --stack-name {stack.name};"
                " then deploy again.",
            )


def _proposal(
    client: CloudFormationClient,
    wanted: Wanted,
    template: Mapping[str, Any],
    before: Stack | None,
    found: Proposed,
) -> Proposal:
    kept = before.parameters if before else {}
    whole = {
        name: wanted.parameters.get(name, kept.get(name, str(each.get("Default", ""))))
        for name, each in template["Parameters"].items()
    }
    return Proposal(
        name=wanted.name,
        account=wanted.account,
        region=wanted.region,
        role=wanted.role or (before.role if before else ""),
        template=wanted.template.description,
        before=before,
        parameters=whole,
        changes=found.changes or (),
        rights=change_sets.rights(template),
        rights_before=_rights_before(client, before) if before else frozenset(),
    )


def _rights_before(client: CloudFormationClient, before: Stack) -> frozenset[str] | None:
    """Return the rights in a stack's present template, None where it cannot be read."""
    try:
        body: object = client.get_template(StackName=before.id)["TemplateBody"]
    except ClientError as error:
        if aws.denied(error):
            return None
        raise
    if not isinstance(body, dict):  # botocore hands over JSON as data; YAML is none of ours
        return None
    return change_sets.rights(body)


def _check_succeeded(ended: Ended, name: str) -> None:
    if ended.status not in _SUCCEEDED:
        raise _failure(ended, name)


def _failure(ended: Ended, name: str) -> OperatingError:
    """Return the cause first, then what CloudFormation made of it, and what to do."""
    event = stack_events.cause(ended.events)
    why = f"{event.logical_id} failed: {stack_events.reason(event)}" if event else "It failed."
    match ended.status:
        case "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_COMPLETE" | "DELETE_FAILED":
            fix = f"Correct that, then: dt-logs-cfn remove --stack-name {name}; and deploy again."
        case "UPDATE_ROLLBACK_FAILED":
            fix = (
                "Correct that, then: aws cloudformation continue-update-rollback"
                f" --stack-name {name}"
            )
        case _:
            fix = "Correct that, and deploy again."
    return OperatingError(f"{why.rstrip('.')}. The stack {name} is in {ended.status}.", fix)
