"""Change sets: made, waited for, executed, and not left behind where they are not.

The answer of a call may be lost after AWS took it. So each call carries a token, by which AWS knows
the SDK's retries of it, and where even the last answer is lost, AWS is asked what it has done.
[CloudFormation API, CreateChangeSet: ClientToken, ExecuteChangeSet: ClientRequestToken]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import Operator, shown_line
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at, refused
from dt_logs_cfn.operate.stacks.change_sets import (
    EVERY,
    ChangeSet,
    ResourceChange,
    resource_change,
    state,
)
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.forgetting import forget
from dt_logs_cfn.operate.stacks.stack import token
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        DescribeChangeSetOutputTypeDef,
        ParameterTypeDef,
    )

_LONGEST = 300.0  # seconds that a change set may take
# CloudFormation has no code for this, and two texts.
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
# What a call of ours is told that was taken before: name and token are nobody else's.
_TAKEN = ("AlreadyExistsException", "InvalidChangeSetStatus", "TokenAlreadyExistsException")


@contextmanager
def proposed(
    client: CloudFormationClient, deployment: Deployment, operator: Operator
) -> Iterator[ChangeSet]:
    """Make a change set, and delete it in the end unless it was executed.

    So goes a stack that was only made to hold it. Raises OperatingError, botocore's errors.
    """
    found = ChangeSet(token(), deployment, deployment.name, operator)
    try:
        _make(client, found)
        found.changes = _waited_for(client, found)
        yield found
    except ClientError as error:
        if code(error) == "ChangeSetNotFound":
            raise OperatingError(
                f"Another change of the stack {deployment.name} was quicker, and has taken this"
                " one's place.",
                "Run it again to see what is left to change.",
            ) from error
        raise
    finally:
        if found.exists and not found.executed:
            forget(client, found)


def _make(client: CloudFormationClient, found: ChangeSet) -> None:
    """Make a change set, and keep its stack's id. Raises OperatingError, botocore's errors."""
    found.exists = True  # as far as is known, from here on
    try:
        found.stack = client.create_change_set(**_request(found))["StackId"]
    except FAILURES as error:
        described = None if _is_refusal(error) else _looked_for(client, found, error)
        if described is None:
            found.exists = False
            raise
        found.stack = described["StackId"]


def _request(found: ChangeSet) -> CreateChangeSetInputTypeDef:
    wanted = found.deployment
    given: list[ParameterTypeDef] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in wanted.given.items()
    ]
    given += [{"ParameterKey": key, "UsePreviousValue": True} for key in wanted.kept]
    request: CreateChangeSetInputTypeDef = {
        "StackName": wanted.name,
        "ChangeSetName": found.name,
        "ChangeSetType": "CREATE" if found.creates else "UPDATE",
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        "ClientToken": found.name,
        "Parameters": given,
        "TemplateBody": wanted.template.text,
    }
    if wanted.role:
        request["RoleARN"] = wanted.role
    if wanted.tags:  # all of them, because AWS replaces those that the stack has
        request["Tags"] = [{"Key": key, "Value": value} for key, value in wanted.all_tags.items()]
    return request


def execute(client: CloudFormationClient, found: ChangeSet) -> None:
    """Execute a change set: from here on the stack goes on by itself.

    Raises OperatingError where it is not known whether it does, and botocore's errors.
    """
    found.executing = True
    try:
        client.execute_change_set(
            ChangeSetName=found.name, StackName=found.stack, ClientRequestToken=found.name
        )
    except FAILURES as error:
        described = None if _is_refusal(error) else _looked_for(client, found, error)
        if described is None or not described["ExecutionStatus"].startswith("EXECUTE_"):
            found.executing = False
            raise
    found.executed = True


def _is_refusal(error: Exception) -> bool:
    taken = isinstance(error, ClientError) and code(error) in _TAKEN
    return refused(error) and not taken


def _looked_for(
    client: CloudFormationClient, found: ChangeSet, lost: Exception
) -> DescribeChangeSetOutputTypeDef | None:
    """Return what became of a change set after a call whose answer was lost, None if nothing.

    Raises OperatingError if that cannot be told.
    """
    try:
        return looked_at(lambda: state(client, found), found.operator)
    except FAILURES as error:
        found.exists = False  # it is told here
        raise OperatingError(
            f"What became of the stack {found.stack_name} is not known: {failure(error).what}",
            "Deploy again once AWS answers: that follows the stack if it goes on."
            f" If it does not, this takes the change set away: {found.remedy}",
        ) from lost


def _waited_for(client: CloudFormationClient, made: ChangeSet) -> tuple[ResourceChange, ...] | None:
    operator, began = made.operator, made.operator.clock()
    while True:
        found = looked_at(
            lambda: client.describe_change_set(ChangeSetName=made.name, StackName=made.stack),
            operator,
        )
        status = found["Status"]
        if status == "CREATE_COMPLETE":
            return looked_at(lambda: _changes(client, made), operator)
        if status == "FAILED":
            why = shown_line(found.get("StatusReason", ""))
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
        operator.sleep(EVERY)


def _changes(client: CloudFormationClient, made: ChangeSet) -> tuple[ResourceChange, ...]:
    pages = client.get_paginator("describe_change_set").paginate(
        ChangeSetName=made.name, StackName=made.stack
    )
    return tuple(
        resource_change(each["ResourceChange"])
        for page in pages
        for each in page.get("Changes", ())
        if "ResourceChange" in each
    )
