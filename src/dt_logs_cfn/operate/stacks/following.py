"""Follow a stack's events live, until the stack is at rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dt_logs_cfn.cli.terminal import Operator, cut, elapsed, one_line, shown_line, shown_text
from dt_logs_cfn.operate.retry import FOLLOWS, patiently
from dt_logs_cfn.operate.stacks.stack import GONE, StackDescription, at_rest, parsed

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef as Event

EVERY = 2.0  # seconds between two reads
SILENCE = 30.0  # seconds without an event before a message says so
_BEGUN = "User Initiated"  # the reason in an operation's first event
STACK_TYPE = "AWS::CloudFormation::Stack"
# CloudFormation's words around a custom resource's own reason; they have changed over time.
_WRAPPED = re.compile(
    r"from custom resource\. Message returned: (.*?)"
    r"(?: See the details in CloudWatch Log Stream: \S+)?(?: \(RequestId: [^)]*\))?$"
)
_CANCELLED = re.compile(r"Resource (creation|update|deletion) cancelled", re.IGNORECASE)


def of_stack(event: Event) -> bool:
    """Return whether an event is about the stack itself."""
    return event.get("ResourceType") == STACK_TYPE


def cause(events: Sequence[Event]) -> Event | None:
    """Return the event that says why an operation failed.

    `events` are the operation's events in order. Returns the first failure of a resource, except
    cancellations. If there is none, returns the first failure of any kind, or None.
    """
    failed = [each for each in events if each.get("ResourceStatus", "").endswith("_FAILED")]
    for each in failed:
        if not of_stack(each) and not _CANCELLED.search(each.get("ResourceStatusReason", "")):
            return each
    return failed[0] if failed else None


def reason(text: str) -> str:
    """Return an event's reason as one line; for a custom resource, only its own reason."""
    told = one_line(shown_text(text))
    found = _WRAPPED.search(told)
    return cut(found[1] if found else told)


def failure(events: Sequence[Event]) -> str:
    """Describe an operation's first failure, without a full stop; empty if nothing failed."""
    found = cause(events)
    if found is None:
        return ""
    why = reason(found.get("ResourceStatusReason", "")).rstrip(".")
    return f"{found.get('LogicalResourceId', '')} failed: {why}"


def lines(events: Sequence[Event], known: int) -> Iterator[str]:
    """Yield a line for each event after the first `known`, with the time since the first event.

    The status column is as wide as the longest status so far.
    """
    width = len("CREATE_IN_PROGRESS")
    for number, each in enumerate(events):
        status, why = each.get("ResourceStatus", ""), each.get("ResourceStatusReason", "")
        width = max(width, len(status))
        if number >= known:
            at = elapsed((each["Timestamp"] - events[0]["Timestamp"]).total_seconds())
            more = f": {shown_line(why)}" if why else ""
            yield f"{at}  {status:<{width}}  {each.get('LogicalResourceId', '')}{more}"


def under_way(events: Sequence[Event], status: str, total: int) -> str:
    """Describe the progress: the resources done or the status, and the resources in progress."""
    now = {
        e.get("LogicalResourceId", ""): e.get("ResourceStatus", "")
        for e in events
        if not of_stack(e)
    }
    waited = [name for name, each in now.items() if each.endswith("_IN_PROGRESS")]
    done = f"{len(now) - len(waited)} of {max(total, len(now))} resources done"
    known = now and "ROLLBACK" not in status
    waits = f", waiting for {', '.join(waited)}" if waited else ""
    return f"{done if known else status}{waits}"


@dataclass(frozen=True)
class Ended:
    """How an operation ended: the stack afterwards, and the operation's events in order."""

    stack: StackDescription
    events: tuple[Event, ...]

    @property
    def failure(self) -> str:
        """The failure in words: its cause, then the stack's status."""
        why = failure(self.events) or "It failed"
        return f"{why}. The stack {self.stack.name} is in {self.stack.status}."


def seen(client: CloudFormationClient, stack: str) -> frozenset[str]:
    """Return the IDs of a stack's events so far, so that only later events are followed."""
    return frozenset(each["EventId"] for each in _events(client, stack, frozenset()))


def seen_before(client: CloudFormationClient, stack: str) -> frozenset[str]:
    """Return the IDs of the events before the current operation, to follow it from its start."""
    _, earlier = _last_operation(client, stack)
    return frozenset(each["EventId"] for each in earlier)


def last_failure(client: CloudFormationClient, stack: str) -> str:
    """Describe the failure of a stack's last operation; empty if it did not fail."""
    events, _ = _last_operation(client, stack)
    return failure(events[::-1])


def _last_operation(client: CloudFormationClient, stack: str) -> tuple[list[Event], list[Event]]:
    """Return the events of a stack's last operation, and the earlier ones, newest first."""
    events = list(_events(client, stack, frozenset()))
    for number, each in enumerate(events, 1):
        if of_stack(each) and each.get("ResourceStatusReason") == _BEGUN:
            return events[:number], events[number:]
    return events, []


def follow_first(
    client: CloudFormationClient, stack: StackDescription, operator: Operator
) -> Ended | None:
    """Follow a stack's operation in progress; return None if the stack is at rest."""
    if at_rest(stack.status):
        return None
    operator.tell(f"Stack {stack.name} is being changed ({stack.status}); following that first.")
    return follow(client, stack.id, seen_before(client, stack.id), operator)


def follow(
    client: CloudFormationClient, stack: str, known: Set[str], operator: Operator, total: int = 0
) -> Ended:
    """Print a stack's events until the stack is at rest, except those with an ID in `known`.

    `stack` is the stack's ID, because AWS does not find a deleted stack by name. `total` is the
    number of resources to change. Repeats a read after a temporary failure; raises OperatingError
    if the read still fails. After Ctrl-C, prints how to follow. In both cases, the operation
    continues.
    """
    try:
        return _followed(client, stack, known, operator, total)
    except KeyboardInterrupt:
        operator.advise(
            "The stack continues by itself. To follow it, run the same command again, or:"
            f" `aws cloudformation describe-stack-events --stack-name {stack}`"
        )
        raise
    finally:
        if operator.wait is not None:
            operator.wait("")


def _followed(
    client: CloudFormationClient, stack: str, known: Set[str], operator: Operator, total: int
) -> Ended:
    """Show new events; also show progress, on a terminal or after a long silence."""
    told: list[Event] = []
    began = shown = operator.clock()
    what = "The stack continues, but cannot be followed"

    def look() -> tuple[StackDescription, list[Event]]:
        (found,) = client.describe_stacks(StackName=stack)["Stacks"]
        earlier = known | {each["EventId"] for each in told}
        return parsed(found), list(_events(client, stack, earlier))[::-1]

    while True:
        stack_now, new = patiently(look, operator, what, FOLLOWS)
        told += new
        for line in lines(told, len(told) - len(new)):
            operator.tell(line)
        now, wait = operator.clock(), operator.wait
        if new:
            shown = now
        if wait is None and now - shown >= SILENCE:
            shown, wait = now, operator.tell
        if wait is not None:
            wait(f"{elapsed(now - began)}  {under_way(told, stack_now.status, total)}")
        if _over(stack_now.status, told):
            return Ended(stack_now, tuple(told))
        operator.sleep(EVERY)


def _over(status: str, told: Sequence[Event]) -> bool:
    """Return whether the operation has ended; `status` may still be the previous operation's."""
    own = [each.get("ResourceStatus") for each in told if of_stack(each)]
    return status == GONE or (at_rest(status) and own[-1:] == [status])


def _events(client: CloudFormationClient, stack: str, known: Set[str]) -> Iterator[Event]:
    """Yield events, newest first, until a known one."""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=stack):
        for each in page["StackEvents"]:
            if each["EventId"] in known:
                return
            yield each
