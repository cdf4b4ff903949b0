"""Read the stack that a call asks for; refuse the calls that CloudFormation refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

from cloudformation_api.well_formed import check_template
from dt_logs_cfn.release.build import TEMPLATE_LIMIT
from dt_logs_cfn.template.parsing import LIMIT
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.iam.access import authorise
from dt_logs_rehearsal.account.s3.objects import get_object
from dt_logs_rehearsal.account.world import Call, World
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import invalid

REVIEW = "REVIEW_IN_PROGRESS"
_HOST = r"https://(?:(?P<host>[a-z0-9.-]+)\.)?s3[.-][a-z0-9-]*\.?amazonaws\.(?:com|com\.cn|eu)/"
_S3 = re.compile(rf"{_HOST}(?P<path>[^?]+)(?:\?.*)?")
_UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_NOT_EMULATED = (
    "DeploymentConfig",
    "DeploymentMode",
    "DisableRollback",
    "ImportExistingResources",
    "NotificationARNs",
    "ResourcesToImport",
    "RetainResources",
    "StackPolicyBody",
    "StackPolicyURL",
    "StackSetName",
    "TimeoutInMinutes",
)


def asked(world: World, call: Call, before: Stack | None) -> Asked:
    """Return the stack that a call asks for. Raises Refused."""
    check_emulated(call)
    old, params = before.asked if before else None, call.params
    text = _body(world, call, old)
    given = {}
    for each in params.get("Parameters", ()):
        key = each["ParameterKey"]
        if not each.get("UsePreviousValue"):
            given[key] = each.get("ParameterValue", "")
        elif old is not None and key in old.values:
            given[key] = old.values[key]
        else:
            raise invalid(
                f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as"
                " true for a parameter key not in the previous template"
            )
    tags = {each["Key"]: each["Value"] for each in params.get("Tags", ())}
    if "Tags" not in params and old is not None:
        tags = dict(old.tags)
    return Asked(text, given, tags)


def _body(world: World, call: Call, old: Asked | None) -> str:
    """Return the text of a call's template, which must be well formed. Raises Refused."""
    if call.params.get("UsePreviousTemplate"):
        if old is None:
            raise invalid("Stack does not exist, so it has no previous template")
        return old.body
    match call.params:
        case {"TemplateBody": str(), "TemplateURL": str()}:
            raise invalid("Either Template URL or Template Body must be specified, not both.")
        case {"TemplateBody": str() as text}:
            limit = TEMPLATE_LIMIT
        case {"TemplateURL": str() as url}:
            text, limit = _fetched(world, call, url), LIMIT
        case _:
            raise invalid("Either Template URL or Template Body must be specified.")
    check_template(text, limit)
    return text


def _fetched(world: World, call: Call, url: str) -> str:
    """Return a template from the emulated S3, read with the caller's permissions. Raises Refused.

    [botocore, CreateStack: TemplateURL; localstack
    tests/aws/services/cloudformation/api/test_templates]
    """
    found = _S3.fullmatch(url)
    if found is None:
        host = url.removeprefix("s3://").partition("/")[0]
        text = f"S3 error: Domain name specified in {host} is not a valid S3 domain"
        raise invalid(text if url.startswith("s3:") else "TemplateURL must be a supported URL.")
    host, path = found["host"], found["path"]
    bucket, key = (host, path) if host else path.split("/", 1)
    get = replace(call, service="s3", operation="GetObject", params={"Bucket": bucket, "Key": key})
    try:
        authorise(world, get)
        return cast(bytes, get_object(world, get)["Body"].read()).decode()
    except Refused as refused:
        raise invalid(f"S3 error: {refused.message}") from refused


def check_updatable(stack: Stack) -> None:
    """Raise Refused unless the stack's last creation, update or update rollback is complete."""
    if stack.status not in _UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def check_emulated(call: Call) -> None:
    """Raise Refused for parameters that would otherwise be ignored."""
    defaults = {"DeletionMode": "STANDARD", "OnFailure": "ROLLBACK"}
    for name in _NOT_EMULATED + tuple(defaults):
        if call.params.get(name) not in (None, False, [], defaults.get(name)):
            raise not_emulated(name)


def not_emulated(what: str) -> Refused:
    """Return the error for a request that AWS accepts but the emulated account does not."""
    return Refused("NotImplemented", f"{what} is not emulated", 501)
