"""Stack events as data: which one tells the cause, and how one is shown."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dt_logs_cfn.cli.terminal import cut, one_line, shown_text

STACK_TYPE = "AWS::CloudFormation::Stack"
_COLOURS = {"FAILED": "31", "ROLLBACK": "33", "COMPLETE": "32", "PROGRESS": "36"}
# What CloudFormation puts around a custom resource's own reason; the texts have changed over time.
_WRAPPED = re.compile(
    r"from custom resource\. Message returned: (.*?)"
    r"(?: See the details in CloudWatch Log Stream: \S+)?(?: \(RequestId: [^)]*\))?$"
)
_CANCELLED = re.compile(r"Resource (creation|update|deletion) cancelled", re.IGNORECASE)


@dataclass(frozen=True)
class Event:
    """One event of a stack, as DescribeStackEvents has it; `at` in seconds since 1970."""

    id: str
    at: float
    logical_id: str
    resource_type: str
    status: str
    reason: str

    @property
    def of_stack(self) -> bool:
        """Whether it is of the stack itself."""
        return self.resource_type == STACK_TYPE


def cause(events: Sequence[Event]) -> Event | None:
    """Return the event that tells why an operation failed, of its events in their order.

    The first failure of a resource; one that was only cancelled since another failed is none.
    """
    failed = [each for each in events if each.status.endswith("_FAILED")]
    of_resources = [e for e in failed if not e.of_stack and not _CANCELLED.search(e.reason)]
    return next(iter(of_resources or failed), None)


def reason(text: str) -> str:
    """Return an event's reason as one line; of a custom resource, its own words alone."""
    told = one_line(shown_text(text))
    found = _WRAPPED.search(told)
    return cut(found[1] if found else told)


def line(at: float, status: str, logical_id: str, why: str, colour: bool = False) -> str:
    """Return one event as a line, `at` seconds after the beginning, with its reason below it."""
    shown = f"{status:<44}"
    if colour:
        code = next((value for name, value in _COLOURS.items() if name in status), "0")
        shown = f"\x1b[{code}m{shown}\x1b[0m"
    below = f"\n{'':>9}  {why}" if why else ""
    return f"{at:>8.1f}s  {shown} {logical_id}{below}"
