"""Change sets: made, waited for, executed, and not left behind where they are not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operating.change_sets import Change, change
from dt_logs_cfn.operating.operator import Operator
from dt_logs_cfn.operating.stack_states import REVIEW
from dt_logs_cfn.operating.stacks import CHANGE_SETS, Stack, describe
from dt_logs_cfn.printable import one_line

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import CreateChangeSetInputTypeDef, ParameterTypeDef

_EVERY = 1.0  # seconds between two looks
_LONGEST = 300.0  # seconds that a change set may take
# CloudFormation has no code for this, and two texts.
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Asked:
    """What a stack is to become; `kept` are the parameters whose value stays."""

    name: str
    body: str
    parameters: Mapping[str, str]
    kept: tuple[str, ...]
    tags: Mapping[str, str]
    role: str = ""


@dataclass
class Proposed:
    """A change set that was made; None as `changes` means that nothing would change."""

    name: str
    stack: str  # the stack's id
    changes: tuple[Change, ...] | None
    executed: bool = False


@contextmanager
def proposed(
    client: CloudFormationClient, asked: Asked, before: Stack | None, operator: Operator
) -> Iterator[Proposed]:
    """Make a change set, and delete it in the end unless it was executed.

    So goes a stack that was only made to hold it. Raises OperatingError, botocore's errors.
    """
    name = f"{CHANGE_SETS}{uuid.uuid4().hex[:12]}"
    made = client.create_change_set(**_request(name, asked, creates=before is None))
    found = Proposed(name, made["StackId"], None)
    try:
        found.changes = _waited_for(client, found, operator)
        yield found
    finally:
        if not found.executed:
            _forget(client, found, operator, creates=before is None)


def _request(name: str, asked: Asked, *, creates: bool) -> CreateChangeSetInputTypeDef:
    given: list[ParameterTypeDef] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in asked.parameters.items()
    ]
    given += [{"ParameterKey": key, "UsePreviousValue": True} for key in asked.kept]
    request: CreateChangeSetInputTypeDef = {
        "StackName": asked.name,
        "ChangeSetName": name,
        "ChangeSetType": "CREATE" if creates else "UPDATE",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        "Parameters": given,
        "TemplateBody": asked.body,
    }
    if asked.role:
        request["RoleARN"] = asked.role
    if asked.tags:
        request["Tags"] = [{"Key": key, "Value": value} for key, value in asked.tags.items()]
    return request


def _forget(
    client: CloudFormationClient, found: Proposed, operator: Operator, *, creates: bool
) -> None:
    """Delete a change set, and a stack that has none any more and nothing else.

    Interrupted while it is executed, it may be at work already, and goes on.
    """
    try:
        client.delete_change_set(ChangeSetName=found.name, StackName=found.stack)
        stack = describe(client, found.stack) if creates else None
        held = client.list_change_sets(StackName=found.stack)["Summaries"] if stack else []
        if stack and stack.status == REVIEW and not held:
            client.delete_stack(StackName=found.stack)
    except (ClientError, ConnectionError, HTTPClientError) as error:
        operator.tell(f"The change set {found.name} is left behind ({type(error).__name__}).")


def execute(client: CloudFormationClient, found: Proposed) -> None:
    """Execute a change set: from here on the stack goes on by itself."""
    client.execute_change_set(ChangeSetName=found.name, StackName=found.stack)
    found.executed = True


def _waited_for(
    client: CloudFormationClient, made: Proposed, operator: Operator
) -> tuple[Change, ...] | None:
    began = operator.clock()
    while True:
        found = client.describe_change_set(ChangeSetName=made.name, StackName=made.stack)
        status = found["Status"]
        if status == "CREATE_COMPLETE":
            return _changes(client, made)
        if status == "FAILED":
            why = one_line(found.get("StatusReason", ""))
            if any(text in why for text in _UNCHANGED):
                return None
            raise OperatingError(
                f"CloudFormation makes no change set of this: {why.rstrip('.')}.",
                "Correct what it names, and deploy again.",
            )
        if operator.clock() - began > _LONGEST:
            raise OperatingError(
                f"The change set is {status} after {_LONGEST:.0f} s.", "Try again later."
            )
        operator.sleep(_EVERY)


def _changes(client: CloudFormationClient, made: Proposed) -> tuple[Change, ...]:
    pages = client.get_paginator("describe_change_set").paginate(
        ChangeSetName=made.name, StackName=made.stack
    )
    return tuple(
        change(each["ResourceChange"])
        for page in pages
        for each in page.get("Changes", ())
        if "ResourceChange" in each
    )
