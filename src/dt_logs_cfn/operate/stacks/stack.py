"""Read stacks and their templates from CloudFormation, and judge what their statuses mean.

[CloudFormation guide, "Stack status codes", "Stack failure options", "Continue rolling back"]
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import OperatingError, SettingsError, VerifyError
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.templates import FUNCTION, INVOCATION, origin
from dt_logs_handler.aws import code
from dt_logs_handler.documents import Json
from dt_logs_handler.names import Stack, digest

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

_TOKEN = "dt-logs-cfn-"  # the start of our calls' tokens and our change sets' names
# Our stacks' templates have these resources of these types; others may use the same names.
_OURS = {FUNCTION: "AWS::Lambda::Function", INVOCATION: "Custom::DTLogsAnalysis"}
LOAD_BALANCERS = "LoadBalancerArns"
RUN_TOKEN = "RunToken"
_VENDOR, _ENDPOINT = "DataTheoremAccountId", "NotificationEndpoint"
_PARAMETERS = frozenset((_VENDOR, LOAD_BALANCERS, _ENDPOINT))
_AGAIN = re.compile("(un the stack again)(: update it with another RunToken)?")

REVIEW = "REVIEW_IN_PROGRESS"
GONE = "DELETE_COMPLETE"
# In these statuses, a stack matches the template and parameters that it was last given.
SETTLED = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
)
# In these statuses, a stack is as it was before a failed change, and may be updated.
_BACK = ("IMPORT_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
# The step that must precede an update, by status.
_FIRST = {
    REVIEW: "It only has a change set that was not executed. Execute it, or deploy, or run"
    " `dt-logs-cfn remove --stack {name}`.",
    "UPDATE_FAILED": "Its update stopped halfway. Roll it back:"
    " `aws cloudformation rollback-stack --stack-name {name}`.",
    "UPDATE_ROLLBACK_FAILED": "Correct the error that its events report, then run"
    " `aws cloudformation continue-update-rollback --stack-name {name}`.",
}
_DELETE = "Delete it: `dt-logs-cfn remove --stack {name}`; then deploy it again."
_NEVER_MADE = (
    REVIEW,
    "CREATE_FAILED",
    "CREATE_IN_PROGRESS",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "ROLLBACK_IN_PROGRESS",
    GONE,
)

TemplateJson = Mapping[str, Json]


def at_rest(status: str) -> bool:
    """Return whether a stack in this status no longer changes by itself."""
    return not status.endswith("_IN_PROGRESS") or status == REVIEW


def made(status: str) -> bool:
    """Return whether a stack in this status exists and may once have been complete."""
    return status not in _NEVER_MADE


def before_update(status: str, name: str) -> str:
    """Return what to do before the stack can be updated or created again; empty if nothing."""
    if not at_rest(status):
        return "Wait until it is done."
    if status in (*SETTLED, *_BACK, GONE):
        return ""
    return _FIRST.get(status, _DELETE).format(name=name)


@dataclass(frozen=True)
class StackDescription:
    """A stack's present state; `role` is empty if CloudFormation uses the caller's permissions."""

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
        """The stack in the handler's form, with its account, region and tag."""
        return Stack.of(self.id)

    @property
    def load_balancers(self) -> list[str]:
        """The ARNs in the stack's list of load balancers, or `*`."""
        return listed(self.parameters.get(LOAD_BALANCERS, ""))

    @property
    def vendor(self) -> str:
        """Data Theorem's account; empty if the stack is not one of ours."""
        return self.parameters.get(_VENDOR, "")

    @property
    def endpoint(self) -> str:
        """The digest of the stack's endpoint, in the form that its policy statements contain."""
        return digest(self.parameters.get(_ENDPOINT, ""), 8)

    @property
    def next_token(self) -> str:
        """A RunToken that differs from the present one, so that the function runs again."""
        token = self.parameters.get(RUN_TOKEN, "")
        return str(int(token) + 1) if re.fullmatch("[0-9]{1,18}", token) else "1"

    @property
    def run_again(self) -> str:
        """The command that runs the function again."""
        return f"dt-logs-cfn deploy --stack {self.name} --parameter {RUN_TOKEN}={self.next_token}"


@dataclass(frozen=True)
class Existing:
    """One of our stacks, and the template that it was made from."""

    stack: StackDescription
    template: TemplateJson

    @property
    def privileges(self) -> Privileges | None:
        """The privileges that the template records; None if its record is missing or invalid."""
        try:
            return origin(self.template).privileges
        except (SettingsError, VerifyError):
            return None


def listed(value: str) -> list[str]:
    """Return the items of a comma-delimited list, without duplicates."""
    return list(dict.fromkeys(item for each in value.split(",") if (item := each.strip())))


def describe(client: CloudFormationClient, name: str) -> StackDescription | None:
    """Return a stack by its name or ID; None if it does not exist. Raises botocore's errors."""
    try:
        (found,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if missing(error):
            return None
        raise
    return parsed(found)


def named(client: CloudFormationClient, name: str) -> StackDescription:
    """Return a stack by its name or ID. Raises OperatingError if it does not exist."""
    stack = describe(client, name)
    if stack is None:
        if name.startswith("arn:"):
            its = Stack.of(name)
            raise OperatingError(
                f"No stack in this account and region has the ID {name!r}.",
                f"Give the whole ID, and use credentials of account {its.account} and --region"
                f" {its.region}.",
            )
        raise OperatingError(
            f"There is no stack {name} in this account and region.",
            "Check --stack, --profile and --region; use the stack ID for a deleted stack.",
        )
    return stack


def existing(client: CloudFormationClient, name: str) -> Existing | None:
    """Return the stack to update, or None if the stack must be created.

    Raises botocore's errors, and OperatingError if the stack is not ours, cannot be updated, or is
    about to be created by somebody else's change set.
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
    """Return a stack with its template. Raises OperatingError if the stack is not ours."""
    body: object = client.get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"]
    try:
        # boto3 returns a JSON template as data, and any other as text. Ours are JSON.
        template = parse_template(body if isinstance(body, str) else json.dumps(body))
    except VerifyError:
        template = {}
    if not is_ours(template):
        raise foreign(stack)
    return Existing(stack, template)


def is_ours(template: TemplateJson) -> bool:
    """Return whether a template is one of ours, of any release, or was made from one of ours."""
    resources, declared = template.get("Resources"), template.get("Parameters")
    if not isinstance(resources, dict) or not isinstance(declared, dict):
        return False
    types = {n: each.get("Type") for n, each in resources.items() if isinstance(each, dict)}
    return _OURS.items() <= types.items() and declared.keys() >= _PARAMETERS


def check_review(
    client: CloudFormationClient, stack: StackDescription, *, held: bool = False
) -> None:
    """Raise OperatingError if a stack that is not created yet holds somebody else's change set.

    With `held`, also raises OperatingError for a stack without a change set, because the stack's
    owner is unknown.
    """
    pages = client.get_paginator("list_change_sets").paginate(StackName=stack.id)
    names = [each.get("ChangeSetName", "") for page in pages for each in page["Summaries"]]
    for name in names:
        if not name.startswith(_TOKEN):
            raise OperatingError(
                f"Another change set, {name}, is about to create the stack {stack.name}.",
                "Execute or delete it first, or choose another name with --stack.",
            )
    if held and not names:
        raise OperatingError(
            f"The stack {stack.name} is still empty, and nothing shows who created it.",
            f"To delete it: `aws cloudformation delete-stack --stack-name {stack.name}`.",
        )


def ours(client: CloudFormationClient) -> list[StackDescription]:
    """Return every stack in the account and region whose parameters suggest that it is ours.

    This includes stacks that were created in part or not at all. Only the template proves that a
    stack is ours. Raises botocore's errors.
    """
    pages = client.get_paginator("describe_stacks").paginate()
    found = (parsed(each) for page in pages for each in page["Stacks"])
    return [each for each in found if each.parameters.keys() >= _PARAMETERS]


def with_command(fix: str, stacks: Iterable[StackDescription]) -> str:
    """Return a fix; if it says to run the stack again, add the commands that do so.

    For a stack that cannot be updated now, add what to do first.
    """
    commands, firsts = [], []
    for each in stacks if _AGAIN.search(fix) else ():
        if first := before_update(each.status, each.name):
            firsts.append(f" But {each.name} is in {each.status}. {first}")
        else:
            commands.append(f"`{each.run_again}`")
    if commands:
        fix = _AGAIN.sub(lambda found: f"{found[1]}: {' and '.join(commands)}", fix)
    return fix + "".join(firsts)


def token() -> str:
    """Return a new token that lets CloudFormation recognise repetitions of a call."""
    return f"{_TOKEN}{uuid.uuid4().hex[:12]}"


def missing(error: ClientError) -> bool:
    """Return whether an error says that a stack does not exist; AWS has no code for that."""
    return code(error) == "ValidationError" and "does not exist" in str(error)


def foreign(stack: StackDescription) -> OperatingError:
    """Return the error for a stack that is not ours."""
    return OperatingError(
        f"The stack {stack.name} does not onboard load balancers.", "Name another with --stack."
    )


def parsed(found: StackTypeDef) -> StackDescription:
    """Return a stack from an answer of DescribeStacks."""
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
