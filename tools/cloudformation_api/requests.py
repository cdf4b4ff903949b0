"""Read the stack that a call asks for; refuse the calls that CloudFormation refuses."""

from __future__ import annotations

from cloudformation_api.well_formed import check_template
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import invalid

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
    check_template(params["TemplateBody"])
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
