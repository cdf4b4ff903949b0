"""Create and run a change set; delete it unless it was run.

AWS may carry out a call whose answer is lost. So each call has a token, by which AWS recognises the
SDK's retries. If the last answer is lost, too, AWS is asked what it did.
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
from dt_logs_cfn.operate.stacks.change_sets import EVERY, ChangeSet, ResourceChange
from dt_logs_cfn.operate.stacks.deployment import Deployment
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
# Error codes that mean our own earlier call already succeeded: nobody else has our name and token.
_TAKEN = ("AlreadyExistsException", "InvalidChangeSetStatus", "TokenAlreadyExistsException")


@contextmanager
def proposed(
    client: CloudFormationClient, deployment: Deployment, operator: Operator
) -> Iterator[ChangeSet]:
    """Create a change set, and delete it in the end unless it was executed.

    Also deletes a stack that was created only to hold it. Raises OperatingError, botocore's errors.
    """
    found = ChangeSet(client, token(), deployment, deployment.name, operator)
    try:
        _create(found)
        found.changes = _waited_for(found)
        yield found
    except ClientError as error:
        if code(error) == "ChangeSetNotFound":
            raise OperatingError(
                f"Another change to stack {deployment.name} came first and replaced this one.",
                "Run it again to see what is left to change.",
            ) from error
        raise
    finally:
        if found.exists and not found.executed:
            found.forget()


def _create(found: ChangeSet) -> None:
    """Create a change set, and keep its stack's ID. Raises OperatingError, botocore's errors."""
    found.exists = True  # as far as is known, from here on
    try:
        found.stack = found.client.create_change_set(**_request(found))["StackId"]
    except FAILURES as error:
        described = _after_failure(found, error)
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


def execute(found: ChangeSet) -> None:
    """Execute a change set; from then on the stack goes on by itself.

    Raises OperatingError if it is unknown whether it does, and botocore's errors.
    """
    found.executing = True
    try:
        found.client.execute_change_set(
            ChangeSetName=found.name, StackName=found.stack, ClientRequestToken=found.name
        )
    except FAILURES as error:
        described = _after_failure(found, error)
        if described is None or not described["ExecutionStatus"].startswith("EXECUTE_"):
            found.executing = False
            raise
    found.executed = True


def _after_failure(found: ChangeSet, lost: Exception) -> DescribeChangeSetOutputTypeDef | None:
    """Return what became of a change set after a failed call, None if AWS refused the call.

    Raises OperatingError if that cannot be found out.
    """
    taken = isinstance(lost, ClientError) and code(lost) in _TAKEN
    if refused(lost) and not taken:
        return None
    try:
        return looked_at(found.state, found.operator)
    except FAILURES as error:
        found.exists = False  # this error says so
        raise OperatingError(
            f"What became of the stack {found.deployment.name} is not known: {failure(error).what}",
            "Deploy again once AWS answers: that follows the stack if it goes on."
            f" If it does not, delete the change set: {found.remedy}",
        ) from lost


def _waited_for(made: ChangeSet) -> tuple[ResourceChange, ...] | None:
    """Wait until a change set is complete; return its changes, None if nothing would change."""
    client, operator, began = made.client, made.operator, made.operator.clock()
    while True:
        found = looked_at(
            lambda: client.describe_change_set(ChangeSetName=made.name, StackName=made.stack),
            operator,
        )
        status = found["Status"]
        if status == "CREATE_COMPLETE":
            return looked_at(lambda: _changes(made), operator)
        if status == "FAILED":
            why = shown_line(found.get("StatusReason", ""))
            if any(text in why for text in _UNCHANGED):
                return None
            raise OperatingError(
                f"CloudFormation cannot create the change set: {why.rstrip('.')}.",
                "Correct what it names, and deploy again.",
            )
        if operator.clock() - began > _LONGEST:
            raise OperatingError(
                f"The change set is {status} after {_LONGEST:.0f} s.", "Try again later."
            )
        operator.sleep(EVERY)


def _changes(made: ChangeSet) -> tuple[ResourceChange, ...]:
    pages = made.client.get_paginator("describe_change_set").paginate(
        ChangeSetName=made.name, StackName=made.stack
    )
    return tuple(
        ResourceChange.of(each["ResourceChange"])
        for page in pages
        for each in page.get("Changes", ())
        if "ResourceChange" in each
    )
