"""A change set of ours: what CloudFormation says of it, and how one that was not run is deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.operate.retry import FAILURES, failure, looked_at
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import describe, missing
from dt_logs_cfn.operate.stacks.states import REVIEW
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import DescribeChangeSetOutputTypeDef

EVERY = 1.0  # seconds between two looks
_LONGEST = 60.0  # seconds until a change set that is being created can be deleted
_AT_WORK = ("CREATE_PENDING", "CREATE_IN_PROGRESS")


@dataclass(frozen=True)
class ResourceChange:
    """What happens to a resource: Add, Modify or Remove, and which of its properties change."""

    action: str
    logical_id: str
    resource_type: str
    replacement: str = ""  # True, False or Conditional, if it is modified
    properties: tuple[str, ...] = ()

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> ResourceChange:
        """Return one of DescribeChangeSet's resource changes."""
        targets = [each.get("Target", {}) for each in found.get("Details", ())]
        names = (each.get("Name") or each.get("Attribute", "") for each in targets)
        return cls(
            found.get("Action", ""),
            found.get("LogicalResourceId", ""),
            found.get("ResourceType", ""),
            found.get("Replacement", ""),
            tuple(dict.fromkeys(filter(None, names))),
        )


@dataclass
class ChangeSet:
    """A change set of ours that exists, or may exist: the answer of a call may be missing."""

    client: CloudFormationClient = field(repr=False)
    name: str
    deployment: Deployment
    stack: str  # the stack's ID; its name until that is known
    operator: Operator = field(repr=False)  # who waits for it
    exists: bool = False
    executing: bool = False  # AWS was asked to execute it, and may do that
    executed: bool = False
    changes: tuple[ResourceChange, ...] | None = None  # None: nothing would change

    @property
    def creates(self) -> bool:
        """Whether its stack was created only to hold it."""
        return self.deployment.before is None

    @property
    def remedy(self) -> str:
        """The command that deletes it, with a stack that was created only to hold it."""
        name = self.deployment.name
        if self.creates:
            return f"`dt-logs-cfn remove --stack {name}`"
        more = f" --stack-name {name} --change-set-name {self.name}"
        return f"`aws cloudformation delete-change-set{more}`"

    def state(self) -> DescribeChangeSetOutputTypeDef | None:
        """Return CloudFormation's description, None if it does not exist."""
        try:
            return self.client.describe_change_set(ChangeSetName=self.name, StackName=self.stack)
        except ClientError as error:
            if code(error) == "ChangeSetNotFound" or missing(error):
                return None
            raise

    def forget(self) -> None:
        """Delete it, and then its stack if that holds nothing else.

        Says what is left: a change set that is executed after all, or that cannot be deleted.
        """
        try:
            if self._deleted() and self.creates:
                self._delete_empty_stack()
        except FAILURES as error:
            self.operator.tell(f"{self._left}: {failure(error).what}")
            self.operator.advise(f"To delete it: {self.remedy}")
        except KeyboardInterrupt:
            self._advise()
            raise

    @property
    def _left(self) -> str:
        stack = f", or the empty stack {self.deployment.name}," if self.creates else ""
        left = f"he change set {self.name}{stack} may be left behind"
        if not self.executing:
            return f"T{left}"
        goes_on = f"The stack {self.deployment.name} may go on by itself; the same command follows"
        return f"{goes_on} it. If it does not, t{left}"

    def _advise(self) -> None:
        self.operator.advise(f"{self._left}. To delete it: {self.remedy}")

    def _deleted(self) -> bool:
        """Delete it as soon as that is possible; return whether it is gone."""
        began = self.operator.clock()
        while True:
            found = looked_at(self.state, self.operator)
            if found is None:
                if self.stack == self.deployment.name:  # AWS may be about to create it
                    self._advise()
                return True
            if found["ExecutionStatus"].startswith("EXECUTE_"):
                self.operator.tell(
                    f"The stack {self.deployment.name} goes on by itself. The same command follows"
                    " it again."
                )
                return False
            late = self.operator.clock() - began > _LONGEST
            # AWS deletes none that it is creating [CloudFormation API, InvalidChangeSetStatus].
            if (found["Status"] not in _AT_WORK or late) and self._taken_away(late):
                return True
            self.operator.sleep(EVERY)

    def _taken_away(self, late: bool) -> bool:
        try:
            self.client.delete_change_set(ChangeSetName=self.name, StackName=self.stack)
        except ClientError as error:
            if late or code(error) != "InvalidChangeSetStatus":
                raise
            return False
        return True

    def _delete_empty_stack(self) -> None:
        stack = describe(self.client, self.stack)
        if stack is None or stack.status != REVIEW:
            return
        if not self.client.list_change_sets(StackName=stack.id)["Summaries"]:
            self.client.delete_stack(StackName=stack.id, ClientRequestToken=f"{self.name}-delete")
