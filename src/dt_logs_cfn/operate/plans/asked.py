"""From a template's parameters to the request that the handler would be sent; pure.

The custom resource's properties are taken from the template itself, and the handler's own `parse`
makes the request of them, so that what is planned here is what CloudFormation would ask for.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks.stack import Existing, TemplateJson
from dt_logs_cfn.template.declared import declared, default
from dt_logs_cfn.template.resources import INVOCATION
from dt_logs_handler.documents import Json
from dt_logs_handler.errors import HandlerError
from dt_logs_handler.request import Request, parse

# CloudFormation makes the id of a stack when it creates it: until then, one of nobody's.
_NO_STACK = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Place:
    """Where and in whose account we work."""

    partition: str
    region: str
    account: str

    def example_stack(self) -> str:
        """Return a StackId for a stack that is not there yet."""
        return (
            f"arn:{self.partition}:cloudformation:{self.region}:{self.account}"
            f":stack/dt-logs-analysis/{_NO_STACK}"
        )


def parameters(
    template: TemplateJson, given: Mapping[str, str], present: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the values of the template's parameters: given, present, or its defaults."""
    known = {**(present or {}), **given}
    values = {name: known.get(name, default(each)) for name, each in declared(template).items()}
    return {name: value for name, value in values.items() if value is not None}


def properties(template: TemplateJson, values: Mapping[str, str]) -> dict[str, object]:
    """Return the custom resource's properties as CloudFormation would send them.

    What needs more than parameters, such as the function's ARN, is left out; the handler does not
    read it. Raises OperatingError if the template has no such resource.
    """
    resource = _mapping(_mapping(template.get("Resources")).get(INVOCATION))
    given = _mapping(resource.get("Properties"))
    if not given:
        raise OperatingError(
            f"The stack's template has no resource {INVOCATION}, so it is none of ours.",
            "Name a stack that was made from a template of Data Theorem's Logs Analysis.",
        )
    types = {name: each.get("Type") for name, each in declared(template).items()}
    found: dict[str, object] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            parameter = value.get("Ref")
            if isinstance(parameter, str) and parameter in values:
                text, listed = values[parameter], types.get(parameter) == "CommaDelimitedList"
                found[name] = [each.strip() for each in text.split(",")] if listed else text
        elif isinstance(value, str | int):
            found[name] = str(value)
    return found


def creation(template: TemplateJson, values: Mapping[str, str], stack: str, now: float) -> Request:
    """Return the request for a new stack. Raises OperatingError for a value that cannot be."""
    return _request("Create", stack, now, ResourceProperties=properties(template, values))


def update(
    template: TemplateJson, values: Mapping[str, str], existing: Existing, now: float
) -> Request:
    """Return the request by which a stack becomes what is asked for. Raises OperatingError."""
    return _request(
        "Update",
        existing.stack.id,
        now,
        ResourceProperties=properties(template, values),
        OldResourceProperties=properties(existing.template, existing.stack.parameters),
    )


@contextmanager
def expected() -> Iterator[None]:
    """Tell what the handler expects to go wrong as a failure of the command."""
    try:
        yield
    except HandlerError as error:
        raise OperatingError(error.what, error.fix) from error


def _request(kind: str, stack: str, now: float, **given: object) -> Request:
    with expected():
        return parse({"RequestType": kind, "StackId": stack, **given}, now)


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
