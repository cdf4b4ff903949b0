"""What a call asks a stack to be, and what CloudFormation refuses to do with a stack."""

from __future__ import annotations

from dt_logs_cfn.emulator import Refused
from dt_logs_cfn.emulator.world import Call, World
from dt_logs_cfn.rehearsal import template_url
from dt_logs_cfn.rehearsal.change_sets import values
from dt_logs_cfn.rehearsal.stack import Asked, Stack
from dt_logs_cfn.release import TEMPLATE_LIMIT
from dt_logs_cfn.template_file import LIMIT

REVIEW = "REVIEW_IN_PROGRESS"
_UPDATABLE = frozenset(
    (
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
    )
)
_NOT_EMULATED = (
    "DeploymentConfig",
    "DeploymentMode",
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
    """Return what a call asks a stack to be. Raises Refused."""
    check_emulated(call)
    if call.params.get("UsePreviousTemplate"):
        if before is None:
            raise invalid("Stack does not exist, so it has no previous template")
        text, limit = before.asked.body, before.asked.limit
    else:
        text, limit = body(world, call)
    old = values(before.asked) if before else {}
    given = {}
    for each in call.params.get("Parameters", ()):
        key = each["ParameterKey"]
        if not each.get("UsePreviousValue"):
            given[key] = each.get("ParameterValue", "")
        elif key in old:
            given[key] = old[key]
        else:
            raise invalid(
                f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as"
                " true for a parameter key not in the previous template"
            )
    tags = {each["Key"]: each["Value"] for each in call.params.get("Tags", ())}
    if "Tags" not in call.params and before is not None:
        tags = dict(before.asked.tags)
    return Asked(text, given, tags, limit)


def body(world: World, call: Call) -> tuple[str, int]:
    """Return a template's text, and how long such a one may be. Raises Refused."""
    match call.params:
        case {"TemplateBody": str(), "TemplateURL": str()}:
            raise invalid("Either Template URL or Template Body must be specified, not both.")
        case {"TemplateBody": str() as text}:
            return text, TEMPLATE_LIMIT
        case {"TemplateURL": str() as url}:
            return template_url.fetched(world, call, url), LIMIT
    raise invalid("Either Template URL or Template Body must be specified.")


def check_updatable(stack: Stack) -> None:
    """Refuse to update a stack that is not at rest, or whose creation failed. Raises Refused."""
    if stack.status not in _UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def check_emulated(call: Call) -> None:
    """Refuse what would otherwise be ignored. Raises Refused."""
    for name in _NOT_EMULATED:
        if call.params.get(name):
            raise not_emulated(name)


def caller(call: Call) -> str:
    """Return the ARN of the role that calls; empty for an administrator."""
    name = call.caller.arn.partition(":assumed-role/")[2].partition("/")[0]
    return call.roles.get(name, "") if name else ""


def invalid(text: str) -> Refused:
    """Return CloudFormation's error for almost everything."""
    return Refused("ValidationError", text)


def not_emulated(what: str) -> Refused:
    """Return the error for what AWS takes, and the emulated account does not."""
    return Refused("NotImplemented", f"{what} is not emulated", 501)
