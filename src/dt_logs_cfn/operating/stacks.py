"""What CloudFormation tells of a stack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.resources import EXECUTION_ROLE, FUNCTION, INVOCATION, LOG_GROUP

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

# One of these is in every stack of ours, and in no other.
_OURS = frozenset((EXECUTION_ROLE, FUNCTION, INVOCATION, LOG_GROUP))
REVIEW = "REVIEW_IN_PROGRESS"
# [CloudFormation API, CreateStack: StackName]
STACK_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}")
STACK_ID = re.compile(
    rf"arn:aws[a-z-]*:cloudformation:[a-z0-9-]+:[0-9]{{12}}:stack/{STACK_NAME.pattern}/[!-~]+"
)


@dataclass(frozen=True)
class Stack:
    """A stack as it is now; `role` is empty where it acts with its caller's rights."""

    id: str
    name: str
    status: str
    role: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Resource:
    """One of a stack's resources, also one that is gone."""

    logical_id: str
    physical_id: str
    resource_type: str
    status: str


def describe(client: CloudFormationClient, name: str) -> Stack | None:
    """Return a stack by its name or id, None if there is none. Raises botocore's errors."""
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if missing(error):
            return None
        raise
    return _stack(found)


def resources(client: CloudFormationClient, stack: Stack) -> tuple[Resource, ...]:
    """Return a stack's resources. Raises OperatingError if it is none of ours."""
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.id)
    found = tuple(
        Resource(
            each["LogicalResourceId"],
            each.get("PhysicalResourceId", ""),
            each["ResourceType"],
            each["ResourceStatus"],
        )
        for page in pages
        for each in page["StackResourceSummaries"]
    )
    if found and not any(each.logical_id in _OURS for each in found):
        raise OperatingError(
            f"The stack {stack.name} is none that onboards load balancers.",
            "Name another with --stack-name.",
        )
    return found


def missing(error: ClientError) -> bool:
    """Tell whether CloudFormation says that a stack does not exist; it has no code for that."""
    return aws.code(error) == "ValidationError" and "does not exist" in str(error)


def _stack(found: StackTypeDef) -> Stack:
    return Stack(
        id=found.get("StackId", ""),
        name=found["StackName"],
        status=found["StackStatus"],
        role=found.get("RoleARN", ""),
        parameters={
            each.get("ParameterKey", ""): each.get("ParameterValue", "")
            for each in found.get("Parameters", ())
        },
        tags={each["Key"]: each["Value"] for each in found.get("Tags", ())},
        outputs={
            each.get("OutputKey", ""): each.get("OutputValue", "")
            for each in found.get("Outputs", ())
        },
    )
