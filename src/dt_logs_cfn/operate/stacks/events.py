"""Stack events as data: which one tells the cause, and how one is shown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dt_logs_cfn.cli.terminal import cut, elapsed, one_line, shown_line, shown_text

STACK_TYPE = "AWS::CloudFormation::Stack"
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


def lines(events: Sequence[Event], known: int) -> Iterator[str]:
    """Yield a line for each event after the known ones, with its time since the first.

    The column of a status is as wide as the longest so far.
    """
    width = len("CREATE_IN_PROGRESS")
    for number, each in enumerate(events):
        width = max(width, len(each.status))
        if number >= known:
            why = f": {shown_line(each.reason)}" if each.reason else ""
            at = elapsed(each.at - events[0].at)
            yield f"{at}  {each.status:<{width}}  {each.logical_id}{why}"


def under_way(events: Sequence[Event], status: str, total: int) -> str:
    """Return how many resources of a `total` are done, or the status, and what is waited for."""
    now = {each.logical_id: each.status for each in events if not each.of_stack}
    waited = [name for name, each in now.items() if each.endswith("_IN_PROGRESS")]
    done = f"{len(now) - len(waited)} of {max(total, len(now))} resources done"
    known = now and "ROLLBACK" not in status
    waits = f", waiting for {', '.join(waited)}" if waited else ""
    return f"{done if known else status}{waits}"
