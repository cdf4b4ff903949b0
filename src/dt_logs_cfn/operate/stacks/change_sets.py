"""A change set of ours, and what CloudFormation says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.operate.stacks.deployment import Deployment
from dt_logs_cfn.operate.stacks.stack import missing
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import DescribeChangeSetOutputTypeDef

EVERY = 1.0  # seconds between two looks


@dataclass(frozen=True)
class ResourceChange:
    """What happens to a resource: Add, Modify or Remove, and which of its properties change."""

    action: str
    logical_id: str
    resource_type: str
    replacement: str = ""  # True, False or Conditional, of one that is modified
    properties: tuple[str, ...] = ()


@dataclass
class ChangeSet:
    """A change set of ours, which exists, or may: a call's answer may be missing so far."""

    name: str
    deployment: Deployment
    stack: str  # the stack's id; its name where that is not known
    operator: Operator = field(repr=False)  # whoever waits for it
    exists: bool = False
    executing: bool = False  # whether AWS was asked to execute it, and may do that
    executed: bool = False
    changes: tuple[ResourceChange, ...] | None = None  # None: nothing would change

    @property
    def stack_name(self) -> str:
        return self.deployment.name

    @property
    def creates(self) -> bool:
        """Whether its stack was made to hold it."""
        return self.deployment.before is None

    @property
    def remedy(self) -> str:
        """The command that deletes it, with a stack that was only made to hold it."""
        if self.creates:
            return f"`dt-logs-cfn remove --stack {self.stack_name}`"
        more = f" --stack-name {self.stack_name} --change-set-name {self.name}"
        return f"`aws cloudformation delete-change-set{more}`"


def state(
    client: CloudFormationClient, change_set: ChangeSet
) -> DescribeChangeSetOutputTypeDef | None:
    """Return what CloudFormation tells of a change set, None if there is none."""
    try:
        return client.describe_change_set(ChangeSetName=change_set.name, StackName=change_set.stack)
    except ClientError as error:
        if code(error) == "ChangeSetNotFound" or missing(error):
            return None
        raise


def resource_change(found: Mapping[str, Any]) -> ResourceChange:
    """Return one of DescribeChangeSet's resource changes."""
    targets = [each.get("Target", {}) for each in found.get("Details", ())]
    names = (each.get("Name") or each.get("Attribute", "") for each in targets)
    return ResourceChange(
        found.get("Action", ""),
        found.get("LogicalResourceId", ""),
        found.get("ResourceType", ""),
        found.get("Replacement", ""),
        tuple(dict.fromkeys(filter(None, names))),
    )
