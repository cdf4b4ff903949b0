"""Reading stacks: what each was made from, and how it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operating.asked import Existing, properties
from dt_logs_cfn.operating.stacks import missing
from dt_logs_cfn.template_file import parse_template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

# [CloudFormation guide, "Understand stack creation events"; UpdateStack]
UPDATABLE = (
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
)


def described(client: CloudFormationClient, name: str) -> StackTypeDef:
    """Return a stack by its name or id. Raises OperatingError if there is none, ClientError."""
    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if missing(error):
            raise OperatingError(
                f"There is no stack {name[:128]!r} in this account and region.",
                "Name one that `aws cloudformation list-stacks` has, or another --region.",
            ) from error
        raise


def made_from(client: CloudFormationClient, stack: StackTypeDef) -> Existing:
    """Return what a stack was made from.

    Raises OperatingError if it is none of ours, VerifyError if its template is no JSON, and so
    none of ours either; ClientError.
    """
    identifier = stack["StackId"]
    body: object = client.get_template(StackName=identifier, TemplateStage="Original")[
        "TemplateBody"
    ]
    # boto3 gives JSON as data, and anything else as text.
    template = parse_template(body if isinstance(body, str) else json.dumps(body))
    values = {
        each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", [])
    }
    properties(template, values)
    return Existing(identifier, template, values)


def existing(client: CloudFormationClient, name: str | None) -> Existing | None:
    """Return what the stack of this name was made from, or None where none is named.

    Raises OperatingError also where its state is none to update it in.
    """
    if not name:
        return None
    found = described(client, name)
    status = found["StackStatus"]
    if status not in UPDATABLE:
        raise OperatingError(
            f"Stack {found['StackName']} is in {status}, and cannot be updated.", _way_on(found)
        )
    return made_from(client, found)


def _way_on(found: StackTypeDef) -> str:
    status = found["StackStatus"]
    if status == "UPDATE_ROLLBACK_FAILED":
        return (
            "Correct what its events name, then run aws cloudformation continue-update-rollback"
            f" --stack-name {found['StackName']}."
        )
    if status.endswith("_IN_PROGRESS"):
        return "Wait until it is done, and plan again."
    return "Delete it, and launch it again; without --stack you see what that would change."


def ours(client: CloudFormationClient) -> list[StackTypeDef]:
    """Return every stack of ours in the account and region, told by its outputs.

    Raises ClientError.
    """
    return [
        each
        for page in client.get_paginator("describe_stacks").paginate()
        for each in page["Stacks"]
        if {"HandlerSha256", "TemplateVersion"}
        <= {output.get("OutputKey", "") for output in each.get("Outputs", [])}
    ]
