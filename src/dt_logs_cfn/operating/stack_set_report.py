"""A roll-out in words and as data: what will be done, and what it came to; nothing secret in it."""

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operating.overrides import Values
from dt_logs_cfn.operating.rollout import Rollout
from dt_logs_cfn.operating.stack_set_progress import Result, advice, own_reason
from dt_logs_cfn.operating.stack_set_requests import call_as
from dt_logs_cfn.operating.stack_set_run import Done
from dt_logs_cfn.operating.stack_sets import (
    CreateInstances,
    CreateStackSet,
    Operation,
    Present,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operating.targets import Block, SelfManaged

_MOST = 8  # accounts that are listed in a line
_LONGEST = 80


def shown_value(value: str) -> str:
    """Return a parameter's value for a screen: an https URL may hold a token."""
    if value.startswith("https://"):
        return f"https://{urlsplit(value).hostname}/…"
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"


def hiding(rollout: Rollout) -> Callable[[str], str]:
    """Return what takes the roll-out's URLs out of a text that AWS has written."""
    given = [*rollout.parameters.values(), *(v for row in rollout.rows for _, v in row.values)]
    secret = {value: shown_value(value) for value in given if value.startswith("https://")}

    def hidden(text: str) -> str:
        for value, shown in secret.items():
            text = text.replace(value, shown)
        return text

    return hidden


def intention(
    rollout: Rollout, present: Present, operations: Sequence[Operation], place: str
) -> list[str]:
    """Return what is about to be done, in lines; `place` is the account and region of the set."""
    template, targets = rollout.template, rollout.targets
    managed = "self-managed" if isinstance(targets, SelfManaged) else "service-managed"
    instances = Block(present.accounts, rollout.regions).instances
    lines = [
        f"Stack set    {rollout.name}, {managed}, in {place}",
        f"Template     {template.description}, sha256 {template.sha256}",
        f"Targets      {_counted(present.accounts, 'account')}:"
        f" {_listed(present.accounts)}; in {', '.join(rollout.regions)}"
        f" ({_counted(instances, 'stack')})",
        f"Preferences  {_preferences(rollout)}",
    ]
    if not isinstance(targets, SelfManaged):
        automatic = {None: "as it is, at first off", True: "on", False: "off"}
        lines.append(
            f"Units        {', '.join(targets.units)}, as {targets.call_as}; auto-deployment"
            f" {automatic[targets.auto_deployment]}"
        )
    lines += [f"{number}. {told(each)}" for number, each in enumerate(operations, 1)]
    return lines


def told(operation: Operation) -> str:
    """Return an operation in words."""
    match operation:
        case CreateStackSet(parameters):
            return f"create the stack set with {_values(parameters) or 'no parameters'}"
        case UpdateStackSet():
            why = "; ".join(operation.reasons)
            return f"update the stack set and its {_number(operation.stacks, 'stack')}: {why}"
        case CreateInstances(block, overrides):
            with_ = f" with {_values(overrides)}" if overrides else ""
            return f"create {_block(block)}{with_}"
        case UpdateInstances(block, overrides):
            return f"update {_block(block)} to {_values(overrides) or 'no overrides'}"


def outcome(done: Sequence[Done], hide: Callable[[str], str]) -> list[str]:
    """Return what it came to: a line for each operation, then a table of failures."""
    lines = []
    for each in done:
        counts = ", ".join(f"{n} {status}" for status, n in each.progress.counts.items())
        lines.append(f"{each.progress.status}: {told(each.operation)}{counts and f' ({counts})'}")
        if each.progress.reason:
            lines.append(f"  {hide(each.progress.reason)}")
    failed = failures(done)
    if failed:
        lines += ["", *_table(failed, hide)]
        lines += ["", "What to do:", *(f"- {fix}" for fix in fixes(failed))]
    return lines


def check(done: Sequence[Done], operations: int) -> None:
    """Raise OperatingError, with numbers and what to do, unless so many operations succeeded."""
    failed = failures(done)
    if failed:
        untried = sum(each.status == "CANCELLED" for each in failed)
        also = f", {untried:,} not tried" if untried else ""
        first, *others = fixes(failed)
        more = " There is more to do, listed above." if others else ""
        raise OperatingError(
            f"The roll-out is not complete: {len(failed) - untried:,} failed{also}.",
            f"{first}{more}",
        )
    status = done[-1].progress.status
    if len(done) < operations or status != "SUCCEEDED":
        raise OperatingError(
            f"The last operation ended as {status}.",
            "Look at it in CloudFormation's console, and run the same command again.",
        )


def follow_up(rollout: Rollout, operation_id: str) -> str:
    """Return how to follow an operation that goes on without us."""
    as_whom = call_as(rollout)
    more = f" --call-as {as_whom}" if as_whom != "SELF" else ""
    return (
        "The operation goes on. Follow it with the same command again, or with: aws cloudformation"
        f" describe-stack-set-operation --stack-set-name {rollout.name}"
        f" --operation-id {operation_id}{more}"
    )


def failures(done: Sequence[Done]) -> tuple[Result, ...]:
    """Return what failed or was not tried, in all operations; of an instance the last."""
    found = {each.place: each for one in done for each in one.progress.results}
    bad = [each for each in found.values() if each.status in ("FAILED", "CANCELLED")]
    return tuple(sorted(bad, key=lambda each: (each.status == "CANCELLED", each.place)))


def fixes(failed: Sequence[Result]) -> list[str]:
    """Return what to do about failures, each advice once."""
    return [*dict.fromkeys(advice(each.reason) for each in failed)]


def data(
    rollout: Rollout,
    operations: Sequence[Operation],
    done: Sequence[Done],
    hide: Callable[[str], str],
) -> dict[str, object]:
    """Return the same for a program."""
    return {
        "stackSet": rollout.name,
        "templateSha256": rollout.template.sha256,
        "operations": [
            {
                "does": told(operation),
                "operationId": done[index].progress.operation_id if index < len(done) else None,
                "status": done[index].progress.status if index < len(done) else "NOT_STARTED",
                "counts": dict(done[index].progress.counts) if index < len(done) else {},
            }
            for index, operation in enumerate(operations)
        ],
        "failures": [
            {
                "account": each.account,
                "region": each.region,
                "status": each.status,
                "reason": hide(own_reason(each.reason)),
                "fix": advice(each.reason),
            }
            for each in failures(done)
        ],
    }


def _table(failed: Sequence[Result], hide: Callable[[str], str]) -> Iterator[str]:
    yield f"{'Account':<12}  {'Region':<14}  {'Status':<9}  Reason"
    for each in failed:
        reason = hide(own_reason(each.reason)) or "none given"
        yield f"{each.account:<12}  {each.region:<14}  {each.status:<9}  {reason}"


def _block(block: Block) -> str:
    regions = ", ".join(block.regions)
    return f"{_counted(block.instances, 'stack')}: {_listed(block.accounts)} in {regions}"


def _counted(things: Sequence[object], name: str) -> str:
    return _number(len(things), name)


def _number(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _listed(accounts: Sequence[str]) -> str:
    more = len(accounts) - _MOST
    return ", ".join(accounts[:_MOST]) + (f" and {more:,} more" if more > 0 else "")


def _values(found: Values) -> str:
    return ", ".join(f"{name}={shown_value(value)}" for name, value in found)


def _preferences(rollout: Rollout) -> str:
    wanted = rollout.preferences
    return (
        f"failure tolerance {wanted.failure_tolerance or 0}, {wanted.max_concurrent or 1} at once,"
        f" regions {(wanted.region_concurrency or 'SEQUENTIAL').lower()},"
        f" {wanted.concurrency_mode or 'STRICT_FAILURE_TOLERANCE'}"
    )
