"""Read the stack that a call asks for; refuse calls that are invalid or not emulated."""

from __future__ import annotations

import json

from dt_logs_cfn.release.build import TEMPLATE_LIMIT
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import invalid, is_emulated

REVIEW = "REVIEW_IN_PROGRESS"
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
    "TemplateURL",
    "TimeoutInMinutes",
    "UsePreviousTemplate",
)


def asked(call: Call, before: Stack | None) -> Asked:
    """Return the stack that a call asks for. Raises Refused."""
    check_emulated(call)
    old, params = before.asked if before else None, call.params
    if "TemplateBody" not in params:
        raise not_emulated("a request without TemplateBody")
    _check_template(params["TemplateBody"])
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
    return Asked(params["TemplateBody"], given, tags)


def _check_template(body: str) -> None:
    """Raise Refused for text that is too long or not JSON, and for types not emulated.

    [botocore, CreateStack: TemplateBody; JSON errors: localstack
    tests/aws/services/cloudformation/api/test_templates]
    """
    if len(body.encode()) > TEMPLATE_LIMIT:
        raise invalid(
            f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint:"
            f" Member must have length less than or equal to {TEMPLATE_LIMIT}"
        )
    try:
        template = json.loads(body)
    except json.JSONDecodeError as error:
        # The column that AWS reports is the one after the wrong character.
        where = f"line {error.lineno}, column {error.colno + 1}"
        text = f"Template format error: JSON not well-formed. ({where})"
        raise invalid(text) from error
    for kind in (each["Type"] for each in template["Resources"].values()):
        if not is_emulated(kind):
            raise Refused("NotImplemented", f"{kind} is not emulated", 501)


def check_updatable(stack: Stack) -> None:
    """Raise Refused unless the stack's last creation, update or update rollback is complete."""
    if stack.status not in _UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def check_emulated(call: Call) -> None:
    """Raise Refused for a parameter that is not emulated, unless it has its default value."""
    defaults = {"DeletionMode": "STANDARD", "OnFailure": "ROLLBACK"}
    for name in _NOT_EMULATED + tuple(defaults):
        if call.params.get(name) not in (None, False, [], defaults.get(name)):
            raise not_emulated(name)


def not_emulated(what: str) -> Refused:
    """Return the error for a request that AWS accepts but the emulated account does not."""
    return Refused("NotImplemented", f"{what} is not emulated", 501)
