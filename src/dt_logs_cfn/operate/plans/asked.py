"""Turn a template's parameters into the request that the handler would receive; pure.

The custom resource's properties come from the template, and the handler's own `parse` turns them
into a request. So the plan is for the request that CloudFormation would send.
"""

from collections.abc import Mapping

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks.stack import Existing, TemplateJson
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.templates import INVOCATION
from dt_logs_handler.errors import HandlerError
from dt_logs_handler.names import Stack
from dt_logs_handler.request import Request, parse

# CloudFormation assigns the ID when it creates the stack. Until then, we use this ID.
_NO_STACK = "00000000-0000-4000-8000-000000000000"


def new_stack(partition: str, region: str, account: str) -> Stack:
    """Return a stack that does not exist yet; only its partition, region and account are real."""
    here = f"arn:{partition}:cloudformation:{region}:{account}"
    return Stack.of(f"{here}:stack/dt-logs-analysis/{_NO_STACK}")


def properties(template: TemplateJson, values: Mapping[str, str]) -> dict[str, object]:
    """Return the custom resource's properties as CloudFormation would send them.

    The function's ARN is a placeholder, because the handler does not read it. Raises OperatingError
    if the template lacks this resource, or cannot be evaluated.
    """
    try:
        found = ResolvedTemplate(template, values).properties(INVOCATION)
        return {
            name: value if isinstance(value, list) else str(value) for name, value in found.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise OperatingError(
            f"The stack's template has no resource {INVOCATION} that we know.",
            "Name a stack that was made from a template of Data Theorem's Logs Analysis.",
        ) from error


def creation(template: TemplateJson, values: Mapping[str, str], stack: str, now: float) -> Request:
    """Return the request for a new stack. Raises OperatingError for a wrong template or value."""
    return _request("Create", stack, now, ResourceProperties=properties(template, values))


def update(
    template: TemplateJson, values: Mapping[str, str], existing: Existing, now: float
) -> Request:
    """Return the request to update a stack to this template and values. Raises OperatingError."""
    return _request(
        "Update",
        existing.stack.id,
        now,
        ResourceProperties=properties(template, values),
        OldResourceProperties=properties(existing.template, existing.stack.parameters),
    )


def again(existing: Existing, now: float) -> Request:
    """Return the request that runs an unchanged stack again. Raises OperatingError."""
    return update(existing.template, existing.stack.parameters, existing, now)


def _request(kind: str, stack: str, now: float, **given: object) -> Request:
    try:
        return parse({"RequestType": kind, "StackId": stack, **given}, now)
    except HandlerError as error:
        raise OperatingError(error.what, error.fix) from error
