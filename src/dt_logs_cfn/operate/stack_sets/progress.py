"""How far an operation of a stack set is, as data: counts, what changed, what failed and why."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dt_logs_cfn.cli.terminal import one_line
from dt_logs_cfn.operate.shown import shown_text
from dt_logs_cfn.operate.stack_sets.targets import Instance
from dt_logs_cfn.operate.stacks import events as stack_events

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import type_defs as types

# In the order in which an instance goes through them.
STATUSES = ("PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")  # of an operation

# What StackSets says of its own roles, to a call or of a stack, and what to do about it.
_ROLES = (
    (
        r"should have '[^']+' role|not authorized to perform: sts:AssumeRole",
        "Make the execution role in that account, AWSCloudFormationStackSetExecutionRole unless"
        " named otherwise, and let it trust the administration role.",
    ),
    (
        r"enable organizations access|trusted access|AccessOrganizations",
        "Let the management account run `aws cloudformation activate-organizations-access`, and"
        " register a delegated administrator if you are one.",
    ),
    (
        r"AdministrationRole",
        "Make AWSCloudFormationStackSetAdministrationRole in this account, or name yours with"
        " --administration-role-arn; you need iam:PassRole on it.",
    ),
)
# What it says of stacks; whatever else is said is the stack's own reason.
_STACKS = (
    (
        r"[Ff]ailure tolerance|[Cc]ancelled since|operation was stopped",
        "It was not tried: correct the failed ones, or raise --failure-tolerance, and run again.",
    ),
    (
        r"SCP|service control polic|explicit deny",
        "Ask who keeps the organization's policies to allow it there.",
    ),
    (
        r"[Rr]egion.*(?:not enabled|disabled|opt)|InvalidClientTokenId|security token",
        "Enable the region in that account, or leave it out.",
    ),
    (
        r"is not authorized to perform|AccessDenied|not authorized",
        "Give the execution role the rights of cloudformation-role-lifecycle.",
    ),
)
_OTHERWISE = "Correct what the reason names, and run the same command again."


@dataclass(frozen=True)
class Result:
    """What an operation came to for one stack instance so far."""

    account: str
    region: str
    status: str
    reason: str = ""

    @property
    def place(self) -> Instance:
        """Which instance it is."""
        return Instance(self.account, self.region)


@dataclass(frozen=True)
class Progress:
    """How far an operation is; each instance comes once, by account and region."""

    operation_id: str
    status: str
    reason: str = ""
    results: tuple[Result, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ENDED

    @property
    def counts(self) -> Mapping[str, int]:
        """How many instances have each status that any has."""
        found = Counter(each.status for each in self.results)
        return {status: found[status] for status in STATUSES if found[status]}

    @property
    def failures(self) -> tuple[Result, ...]:
        """Those that failed, then those that were not tried for it."""
        found = [each for each in self.results if each.status in ("FAILED", "CANCELLED")]
        return tuple(sorted(found, key=lambda each: each.status == "CANCELLED"))


def progress(
    operation: "types.StackSetOperationTypeDef",
    results: "Iterable[types.StackSetOperationResultSummaryTypeDef]",
) -> Progress:
    """Return what AWS tells of an operation."""
    found = {(each.get("Account", ""), each.get("Region", "")): each for each in results}
    return Progress(
        operation.get("OperationId", ""),
        operation.get("Status", "RUNNING"),
        operation.get("StatusReason", ""),
        tuple(
            Result(account, region, each.get("Status", "PENDING"), _reason(each))
            for (account, region), each in sorted(found.items())
        ),
    )


def changes(before: Progress | None, after: Progress) -> tuple[Result, ...]:
    """Return what has another status than before; at first all that do not just wait."""
    known = {each.place: each.status for each in before.results} if before else {}
    return tuple(each for each in after.results if each.status != known.get(each.place, "PENDING"))


def own_reason(reason: str) -> str:
    """Return the stack's own reason out of what StackSets wraps around it, on one line.

    Addresses in it lose what may be a token: they may be of a stack that nobody asked for.
    """
    inner = re.search(r"ResourceStatusReason: ?(.+)", one_line(reason))
    return shown_text(stack_events.reason((inner[1] if inner else reason).rstrip(".")))


def advice(reason: str) -> str:
    """Return what to do about the reason of a stack that failed or was not tried."""
    return _found(reason, (*_ROLES, *_STACKS)) or _OTHERWISE


def call_advice(message: str) -> str | None:
    """Return what to do about AWS's refusal of a call, or None if there is nothing to add."""
    return _found(message, _ROLES)


def summary(found: Progress) -> str:
    """Return counts in words: `2 of 6 done, 1 failed, 3 running`."""
    counts = found.counts
    done = counts.get("SUCCEEDED", 0)
    others = [f"{number} {status.lower()}" for status, number in counts.items()]
    rest = [each for each in others if not each.endswith(" succeeded")]
    return ", ".join([f"{done} of {len(found.results)} done", *rest])


def elapsed(seconds: float) -> str:
    """Return a span of time as 0:42 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _found(text: str, table: Iterable[tuple[str, str]]) -> str | None:
    return next((fix for pattern, fix in table if re.search(pattern, text)), None)


def _reason(found: "types.StackSetOperationResultSummaryTypeDef") -> str:
    gate = found.get("AccountGateResult", {})
    said = found.get("StatusReason", "")
    return said or (gate.get("StatusReason", "") if gate.get("Status") == "FAILED" else "")
