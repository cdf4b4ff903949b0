"""Creating or updating a stack: propose, show, confirm, execute, follow, tell what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.plans.asked import creation
from dt_logs_cfn.operate.stacks import change_sets
from dt_logs_cfn.operate.stacks.change_sets import Proposal
from dt_logs_cfn.operate.stacks.diff import template_changes
from dt_logs_cfn.operate.stacks.following import Ended, follow, seen, seen_before
from dt_logs_cfn.operate.stacks.proposing import Asked, execute, proposed
from dt_logs_cfn.operate.stacks.stack import Existing, Stack, describe, existing, made_from
from dt_logs_cfn.operate.stacks.states import GONE, SETTLED, at_rest, before_update
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.template.declared import check
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_handler import names

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to be deployed, and where; parameters and tags left out stay."""

    name: str
    here: names.Stack
    template: Template
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    role: str = ""


@dataclass(frozen=True)
class Deployed:
    """What came of it: `result` is created, updated or unchanged."""

    result: str
    stack: Stack


def settled(client: CloudFormationClient, name: str, operator: Operator) -> Existing | None:
    """Return the stack that is to be updated, None if it is to be made; one at work is followed.

    Raises OperatingError if it cannot be, or is none of ours; botocore's errors.
    """
    stack = describe(client, name)
    if stack is not None and not at_rest(stack.status):
        made_from(client, stack)  # what goes on in another's stack is not waited for
        operator.tell(f"The stack {name} is at work ({stack.status}); following it first.")
        known = seen_before(client, stack.id)
        ended = follow(client, stack.id, known, operator)
        if ended.stack.status not in (*SETTLED, GONE):
            raise _failure(ended)
    return existing(client, name)


def deploy(
    client: CloudFormationClient,
    wanted: Wanted,
    before: Existing | None,
    operator: Operator,
    yes: bool,
) -> Deployed:
    """Make a stack what is wanted, once it is confirmed; repeatable. `before` is from `settled`.

    Raises OperatingError, botocore's errors, and KeyboardInterrupt, with the stack going on.
    """
    stack = before.stack if before else None
    proposal, asked = _proposal(wanted, before)
    with proposed(client, asked, stack, operator) as found:
        if found.changes is None:
            assert stack is not None  # a stack that is to be made is a change
            return Deployed("unchanged", stack)
        operator.tell(change_sets.told(replace(proposal, changes=found.changes)))
        operator.confirm("Go ahead?", yes)
        known = seen(client, found.stack)
        execute(client, found)
    ended = follow(client, found.stack, known, operator)
    if ended.stack.status not in SETTLED:
        raise _failure(ended)
    return Deployed("updated" if stack else "created", ended.stack)


def _proposal(wanted: Wanted, before: Existing | None) -> tuple[Proposal, Asked]:
    """Return what is shown, but for the changes, and what is asked for. Raises OperatingError."""
    template = parse_template(wanted.template.text)
    stack = before.stack if before else None
    kept = stack.parameters if stack else {}
    tags = {**stack.tags, **wanted.tags} if stack and wanted.tags else wanted.tags
    whole = check(template, wanted.parameters, kept)
    creation(template, whole, (stack or wanted.here).id, 0)  # refuses what the handler would
    same = tuple(n for n in whole if n in kept and n not in wanted.parameters)
    return Proposal(
        name=wanted.name,
        account=wanted.here.account,
        region=wanted.here.region,
        role=wanted.role or (stack.role if stack else ""),
        template=wanted.template.description,
        before=stack,
        parameters=whole,
        tags=tags,
        changes=(),
        rights=change_sets.rights(template),
        template_changes=tuple(template_changes(before.template, template)) if before else (),
    ), Asked(wanted.name, wanted.template.text, wanted.parameters, same, tags, wanted.role)


def _failure(ended: Ended) -> OperatingError:
    first = before_update(ended.stack.status, ended.stack.name)
    fix = f"Correct that. {first}" if first else "Correct that, and deploy again."
    return OperatingError(ended.failure, fix)
