"""What CloudFormation tells of stacks: how each one is, and what it was made from."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import OperatingError, SettingsError, VerifyError
from dt_logs_cfn.operate.stacks.states import GONE, REVIEW, before_update
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.resources import FUNCTION, INVOCATION
from dt_logs_cfn.template.templates import origin
from dt_logs_handler.aws import code
from dt_logs_handler.documents import Json
from dt_logs_handler.names import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

_TOKEN = "dt-logs-cfn-"  # how the tokens of our calls, and the names of our change sets, begin
# What the template of every stack of ours has, with these types; names alone may be anybody's.
_OURS = {FUNCTION: "AWS::Lambda::Function", INVOCATION: "Custom::DTLogsAnalysis"}
LOAD_BALANCERS = "LoadBalancerArns"
_PARAMETERS = frozenset(("DataTheoremAccountId", LOAD_BALANCERS, "NotificationEndpoint"))

TemplateJson = Mapping[str, Json]


@dataclass(frozen=True)
class StackDescription:
    """A stack as it is now; `role` is empty where it acts with its caller's rights."""

    id: str
    name: str
    status: str
    role: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    outputs: Mapping[str, str]
    reason: str = ""
    changed: float = 0.0  # when it was created or last updated, in seconds since 1970

    @property
    def identity(self) -> Stack:
        """The stack as the handler knows it: where it is, and its marks."""
        return Stack.of(self.id)

    @property
    def load_balancers(self) -> list[str]:
        """The ARNs in its list of load balancers, or `*`."""
        return listed(self.parameters.get(LOAD_BALANCERS, ""))


@dataclass(frozen=True)
class Existing:
    """A stack of ours, and the template that it was made from."""

    stack: StackDescription
    template: TemplateJson

    @property
    def privileges(self) -> Privileges | None:
        """Which of our templates it was made from; None for one that was edited by hand."""
        try:
            return origin(self.template).privileges
        except (SettingsError, VerifyError):
            return None


@dataclass(frozen=True)
class Resource:
    """One of a stack's resources, also one that is gone."""

    logical_id: str
    physical_id: str
    resource_type: str
    status: str


def listed(value: str) -> list[str]:
    """Return the items of a comma-delimited list, each once."""
    return list(dict.fromkeys(item for each in value.split(",") if (item := each.strip())))


def describe(client: CloudFormationClient, name: str) -> StackDescription | None:
    """Return a stack by its name or id, None if there is none. Raises botocore's errors."""
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if missing(error):
            return None
        raise
    return parsed(found)


def named(client: CloudFormationClient, name: str) -> StackDescription:
    """Return a stack by its name or id. Raises OperatingError if there is none."""
    stack = describe(client, name)
    if stack is None:
        fix = "Check --stack, --profile and --region; one that was deleted has its id alone."
        if name.startswith("arn:"):
            its = Stack.of(name)
            fix = f"It is of account {its.account}: use its credentials, and --region {its.region}."
        raise OperatingError(f"There is no stack {name} in this account and region.", fix)
    return stack


def existing(client: CloudFormationClient, name: str) -> Existing | None:
    """Return a stack that is to be updated, None if it is to be made.

    Raises OperatingError if it is none of ours, or cannot be updated as it is; botocore's errors.
    """
    stack = describe(client, name)
    if stack is None or stack.status == GONE:
        return None
    if stack.status == REVIEW:
        check_review(client, stack)
        return None
    found = made_from(client, stack)
    if first := before_update(stack.status, stack.name):
        raise OperatingError(
            f"The stack {stack.name} is in {stack.status} and cannot be updated.", first
        )
    return found


def made_from(client: CloudFormationClient, stack: StackDescription) -> Existing:
    """Return a stack with its template. Raises OperatingError if it is none of ours."""
    body: object = client.get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"]
    try:
        # boto3 gives JSON as data, and anything else as text; ours are JSON.
        template = parse_template(body if isinstance(body, str) else json.dumps(body))
    except VerifyError as error:
        raise foreign(stack) from error
    if not is_ours(template):
        raise foreign(stack)
    return Existing(stack, template)


def is_ours(template: TemplateJson) -> bool:
    """Tell whether a template is one of ours, of any release, or was made from one."""
    resources, declared = template.get("Resources"), template.get("Parameters")
    if not isinstance(resources, dict) or not isinstance(declared, dict):
        return False
    types = {n: each.get("Type") for n, each in resources.items() if isinstance(each, dict)}
    return _OURS.items() <= types.items() and declared.keys() >= _PARAMETERS


def check_review(
    client: CloudFormationClient, stack: StackDescription, *, held: bool = False
) -> None:
    """Raise OperatingError if a stack that is not made yet is held by a change set not of ours.

    With `held` also if none of ours holds it: then nothing tells whose it is.
    """
    pages = client.get_paginator("list_change_sets").paginate(StackName=stack.id)
    for page in pages:
        for each in page["Summaries"]:
            name = each.get("ChangeSetName", "")
            if not name.startswith(_TOKEN):
                raise OperatingError(
                    f"The stack {stack.name} is about to be made by another change set, {name}.",
                    "Execute or delete that one first, or take another name with --stack.",
                )
            held = False
    if held:
        raise OperatingError(
            f"The stack {stack.name} holds nothing yet, and nothing tells whose it is.",
            f"`aws cloudformation delete-stack --stack-name {stack.name}` takes it away.",
        )


def ours(client: CloudFormationClient) -> list[StackDescription]:
    """Return every stack of the account and region that may be of ours, by its parameters.

    Those that were not made, or only in part, are among them; the template tells for sure. Raises
    botocore's errors.
    """
    found = [
        parsed(each)
        for page in client.get_paginator("describe_stacks").paginate()
        for each in page["Stacks"]
    ]
    return [each for each in found if each.parameters.keys() >= _PARAMETERS]


def resources(client: CloudFormationClient, stack: StackDescription) -> tuple[Resource, ...]:
    """Return a stack's resources, those that are gone among them. Raises botocore's errors."""
    pages = client.get_paginator("list_stack_resources").paginate(StackName=stack.id)
    return tuple(
        Resource(
            each["LogicalResourceId"],
            each.get("PhysicalResourceId", ""),
            each["ResourceType"],
            each["ResourceStatus"],
        )
        for page in pages
        for each in page["StackResourceSummaries"]
    )


def token() -> str:
    """Return what CloudFormation knows one of our calls by, and its repetitions."""
    return f"{_TOKEN}{uuid.uuid4().hex[:12]}"


def missing(error: ClientError) -> bool:
    """Tell whether CloudFormation says that a stack does not exist; it has no code for that."""
    return code(error) == "ValidationError" and "does not exist" in str(error)


def foreign(stack: StackDescription) -> OperatingError:
    """Return what is raised of a stack that is none of ours."""
    return OperatingError(
        f"The stack {stack.name} is none that onboards load balancers.",
        "Name another with --stack.",
    )


def parsed(found: StackTypeDef) -> StackDescription:
    """Return one of DescribeStacks' stacks."""
    return StackDescription(
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
        reason=found.get("StackStatusReason", ""),
        changed=found.get("LastUpdatedTime", found["CreationTime"]).timestamp(),
    )
