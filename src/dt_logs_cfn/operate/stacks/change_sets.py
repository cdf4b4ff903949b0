"""Create and execute a change set; delete it unless it was executed.

AWS may carry out a call even if its answer is lost. So each call has a token that lets AWS
recognise the SDK's retries. If the last answer is also lost, the change set's status shows what AWS
did.
[CloudFormation API, CreateChangeSet: ClientToken, ExecuteChangeSet: ClientRequestToken]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import Operator, shown_line
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at, patiently, refused
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import REVIEW, describe, missing, token
from dt_logs_cfn.operate.templates import requested
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        DescribeChangeSetOutputTypeDef,
    )
    from mypy_boto3_cloudformation.type_defs import ResourceChangeTypeDef as ResourceChange

EVERY = 1.0  # seconds between two reads
_LONGEST_TO_CREATE = 300.0  # seconds
_LONGEST_TO_DELETE = 60.0  # seconds to wait until a new change set can be deleted
_AT_WORK = ("CREATE_PENDING", "CREATE_IN_PROGRESS")
# CloudFormation reports an empty change set with one of two messages, not with a code.
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
# These codes mean that our earlier call succeeded, because nobody else uses our name or token.
_TAKEN = ("AlreadyExistsException", "InvalidChangeSetStatus", "TokenAlreadyExistsException")


@contextmanager
def proposed(
    client: CloudFormationClient, deployment: Deployment, operator: Operator
) -> Iterator[ChangeSet]:
    """Create and yield a change set; on exit, delete it unless it was executed.

    Then also deletes a stack that only held the change set. Raises OperatingError, botocore's
    errors.
    """
    found = ChangeSet(client, token(), deployment, deployment.name, operator)
    try:
        found.create()
        yield found
    except ClientError as error:
        if code(error) == "ChangeSetNotFound":
            raise OperatingError(
                f"Another change to stack {deployment.name} ran first and replaced this one.",
                "Run the same command again to see the remaining changes.",
            ) from error
        raise
    finally:
        if found.exists and not found.executed:
            found.forget()


@dataclass
class ChangeSet:
    """A change set for a deployment; `exists` is also true if AWS may have created it."""

    client: CloudFormationClient = field(repr=False)
    name: str
    deployment: Deployment
    stack: str  # the stack's ID, or its name until the ID is known
    operator: Operator = field(repr=False)  # the operator who waits for the change set
    exists: bool = False
    executing: bool = False  # AWS was asked to execute the change set, and may still do so
    executed: bool = False
    changes: tuple[ResourceChange, ...] | None = None  # one per resource; None if nothing changes

    @property
    def creates(self) -> bool:
        """True if executing the change set creates the stack, which is empty until then."""
        return self.deployment.before is None

    @property
    def _remedy(self) -> str:
        """The command that deletes the change set, together with a stack that only holds it."""
        name = self.deployment.name
        if self.creates:
            return f"`dt-logs-cfn remove --stack {name}`"
        more = f" --stack-name {name} --change-set-name {self.name}"
        return f"`aws cloudformation delete-change-set{more}`"

    def create(self) -> None:
        """Create the change set, wait until it is complete, and read its changes.

        Raises OperatingError, botocore's errors.
        """
        self.exists = True  # it may exist even if the call fails
        try:
            self.stack = self.client.create_change_set(**self._request())["StackId"]
        except FAILURES as error:
            described = self._after_failure(error)
            if described is None:
                self.exists = False
                raise
            self.stack = described["StackId"]
        self.changes = self._completed()

    def _request(self) -> CreateChangeSetInputTypeDef:
        wanted = self.deployment
        tags = wanted.all_tags if wanted.tags else {}
        request = {
            **requested(wanted.template, wanted.given, wanted.kept, tags),
            **({"RoleARN": wanted.role} if wanted.role else {}),
            "StackName": wanted.name,
            "ChangeSetName": self.name,
            "ChangeSetType": "CREATE" if self.creates else "UPDATE",
            "ClientToken": self.name,
        }
        return cast("CreateChangeSetInputTypeDef", request)

    def _completed(self) -> tuple[ResourceChange, ...] | None:
        """Wait until the change set is complete; return its changes, or None if there are none."""

        def look() -> list[DescribeChangeSetOutputTypeDef]:
            listing = self.client.get_paginator("describe_change_set")
            return [*listing.paginate(ChangeSetName=self.name, StackName=self.stack)]

        began = self.operator.clock()
        while True:
            pages = looked_at(look, self.operator)
            status = pages[0]["Status"]
            if status == "CREATE_COMPLETE":
                found = (each for page in pages for each in page.get("Changes", ()))
                return tuple(e["ResourceChange"] for e in found if "ResourceChange" in e)
            if status == "FAILED":
                why = shown_line(pages[0].get("StatusReason", ""))
                if any(text in why for text in _UNCHANGED):
                    return None
                raise OperatingError(
                    f"CloudFormation cannot create the change set: {why.rstrip('.')}.",
                    "Correct the error, and deploy again.",
                )
            if self.operator.clock() - began > _LONGEST_TO_CREATE:
                raise OperatingError(
                    f"The change set is {status} after {_LONGEST_TO_CREATE:.0f} s.",
                    "Try again later.",
                )
            self.operator.sleep(EVERY)

    def execute(self) -> None:
        """Start executing the change set; from then on, the stack changes by itself.

        Raises botocore's errors, and OperatingError if it is unknown whether AWS started.
        """
        self.executing = True
        try:
            self.client.execute_change_set(
                ChangeSetName=self.name, StackName=self.stack, ClientRequestToken=self.name
            )
        except FAILURES as error:
            described = self._after_failure(error)
            if described is None or not described["ExecutionStatus"].startswith("EXECUTE_"):
                self.executing = False
                raise
        self.executed = True

    def _state(self) -> DescribeChangeSetOutputTypeDef | None:
        """Return CloudFormation's description of the change set; None if it does not exist."""
        try:
            return self.client.describe_change_set(ChangeSetName=self.name, StackName=self.stack)
        except ClientError as error:
            if code(error) == "ChangeSetNotFound" or missing(error):
                return None
            raise

    def _after_failure(self, lost: Exception) -> DescribeChangeSetOutputTypeDef | None:
        """After a failed call, describe the change set; None if AWS refused, or if there is none.

        Raises OperatingError if AWS does not answer.
        """
        taken = isinstance(lost, ClientError) and code(lost) in _TAKEN
        if refused(lost) and not taken:
            return None
        what = f"The state of the change set for stack {self.deployment.name} is unknown"
        fix = (
            "Once AWS answers, deploy again, which follows the stack if it continues."
            f" If it does not, delete the change set: {self._remedy}"
        )
        try:
            return patiently(self._state, self.operator, what, fix)
        except OperatingError:
            self.exists = False  # so that `proposed` does not delete it; the error says how to
            raise

    def forget(self) -> None:
        """Delete the change set, and then its stack if the stack is empty.

        Prints a message if AWS executes the change set after all, or if it may be left behind.
        """
        try:
            if self._deleted() and self.creates:
                self._delete_empty_stack()
        except FAILURES as error:
            self.operator.tell(f"{self._left}: {failure(error).what}")
            self.operator.advise(f"To delete it: {self._remedy}")
        except KeyboardInterrupt:
            self._advise()
            raise

    @property
    def _left(self) -> str:
        stack = f", or the empty stack {self.deployment.name}," if self.creates else ""
        left = f"he change set {self.name}{stack} may be left behind"
        if not self.executing:
            return f"T{left}"
        goes_on = (
            f"The stack {self.deployment.name} may continue by itself; the same command follows"
        )
        return f"{goes_on} it. If it does not, t{left}"

    def _advise(self) -> None:
        self.operator.advise(f"{self._left}. To delete it: {self._remedy}")

    def _deleted(self) -> bool:
        """Delete the change set as soon as AWS allows; return whether it is gone."""
        began = self.operator.clock()
        while True:
            found = looked_at(self._state, self.operator)
            if found is None:
                if self.stack == self.deployment.name:  # AWS may still create it
                    self._advise()
                return True
            if found["ExecutionStatus"].startswith("EXECUTE_"):
                self.operator.tell(
                    f"The stack {self.deployment.name} continues by itself. Run the same command"
                    " again to follow it."
                )
                return False
            late = self.operator.clock() - began > _LONGEST_TO_DELETE
            # AWS cannot delete a change set while creating it [CloudFormation API,
            # InvalidChangeSetStatus].
            if found["Status"] not in _AT_WORK or late:
                try:
                    self.client.delete_change_set(ChangeSetName=self.name, StackName=self.stack)
                    return True
                except ClientError as error:
                    if late or code(error) != "InvalidChangeSetStatus":
                        raise
            self.operator.sleep(EVERY)

    def _delete_empty_stack(self) -> None:
        stack = describe(self.client, self.stack)
        if stack is None or stack.status != REVIEW:
            return
        if not self.client.list_change_sets(StackName=stack.id)["Summaries"]:
            self.client.delete_stack(StackName=stack.id, ClientRequestToken=f"{self.name}-delete")
