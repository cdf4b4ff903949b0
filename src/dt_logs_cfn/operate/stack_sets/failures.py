"""Report the failures of a roll-out with their reasons and fixes, without secrets."""

import re
from collections.abc import Iterable, Iterator, Sequence

from dt_logs_cfn.cli.terminal import one_line, printable, shown_text
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stack_sets.rollout import Progress, Result
from dt_logs_cfn.operate.stacks.following import reason as own_words

# StackSets' messages about its own roles and permissions, with the fixes.
_ROLES = (
    (
        r"should have '[^']+' role|not authorized to perform: sts:AssumeRole",
        "Create the execution role in that account, AWSCloudFormationStackSetExecutionRole unless"
        " named otherwise, and let it trust the administration role.",
    ),
    (
        r"enable organizations access|trusted access|AccessOrganizations",
        "Let the management account run `aws cloudformation activate-organizations-access`, and"
        " register a delegated administrator if you are one.",
    ),
    (
        r"AdministrationRole",
        "Create AWSCloudFormationStackSetAdministrationRole in this account, or name yours with"
        " --administration-role-arn; you need iam:PassRole on it.",
    ),
)
# StackSets' messages about stacks, with the fixes. Any other reason is the stack's own.
_STACKS = (
    (
        r"[Ff]ailure tolerance|[Cc]ancelled since|operation was stopped",
        "It was not tried: correct the failed ones, or raise --failure-tolerance, and run again.",
    ),
    (
        r"SCP|service control polic|explicit deny",
        "Ask whoever manages the organization's policies to allow it there.",
    ),
    (
        r"[Rr]egion.*(?:not enabled|disabled|opt)|InvalidClientTokenId|security token",
        "Enable the region in that account, or leave it out.",
    ),
    (
        r"is not authorized to perform|AccessDenied|not authorized",
        "Give the execution role the permissions of cloudformation-role-lifecycle.",
    ),
)
_OTHERWISE = "Correct what the reason names, and run the same command again."


def failures(done: Iterable[Progress]) -> tuple[Result, ...]:
    """Return the failed stacks, then those not tried, according to each stack's last result."""
    last = {each.target: each for one in done for each in one.results}
    bad = [each for each in last.values() if each.status in ("FAILED", "CANCELLED")]
    return tuple(sorted(bad, key=lambda each: (each.status == "CANCELLED", each.target)))


def own_reason(reason: str) -> str:
    """Extract a stack's own reason from StackSets' message, on one line."""
    inner = re.search(r"ResourceStatusReason: ?(.+)", one_line(reason))
    return shown_text(own_words((inner[1] if inner else reason).rstrip(".")))


def advice(reason: str) -> str:
    """Return the fix for a stack that failed or was not tried, by its reason."""
    return _found(reason, (*_ROLES, *_STACKS)) or _OTHERWISE


def call_advice(message: str) -> str | None:
    """Return the fix for AWS's refusal of a call, or None if AWS's message is sufficient."""
    return _found(message, _ROLES)


def table(failed: Sequence[Result]) -> Iterator[str]:
    """Yield a table of the failures and, below it, each piece of advice once."""
    yield from ("", f"{'Account':<12}  {'Region':<14}  {'Status':<9}  Reason")
    for each in failed:
        (account, region), reason = each.target, own_reason(each.reason) or "none given"
        yield printable(f"{account:<12}  {region:<14}  {each.status:<9}  {reason}")
    yield from ("", "What to do:")
    yield from (f"- {fix}" for fix in dict.fromkeys(advice(each.reason) for each in failed))


def data(failed: Result) -> dict[str, str]:
    """Return a failure as data for programs."""
    account, region = failed.target
    reason, fix = own_reason(failed.reason), advice(failed.reason)
    status = failed.status
    return {"account": account, "region": region, "status": status, "reason": reason, "fix": fix}


def check(done: Sequence[Progress], steps: int) -> None:
    """Raise OperatingError, with the numbers and a fix, unless all steps succeeded."""
    failed = failures(done)
    if failed:
        untried = sum(each.status == "CANCELLED" for each in failed)
        also = f", {untried:,} not tried" if untried else ""
        raise OperatingError(
            f"The roll-out is not complete: {len(failed) - untried:,} failed{also}.",
            advice(failed[0].reason),
        )
    if len(done) < steps or (done and done[-1].status != "SUCCEEDED"):
        raise OperatingError(
            f"The last operation ended as {done[-1].status}.",
            "Look at it in CloudFormation's console, and run the same command again.",
        )


def _found(text: str, table: Iterable[tuple[str, str]]) -> str | None:
    return next((fix for pattern, fix in table if re.search(pattern, text)), None)
