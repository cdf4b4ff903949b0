"""What a roll-out came to, in words and as data; nothing secret in it."""

from collections.abc import Callable, Iterator, Sequence

from dt_logs_cfn.cli.terminal import printable
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.shown import shown_value
from dt_logs_cfn.operate.stack_sets.course import Done
from dt_logs_cfn.operate.stack_sets.intention import told
from dt_logs_cfn.operate.stack_sets.operations import Operation, Present
from dt_logs_cfn.operate.stack_sets.progress import Result, advice, own_reason
from dt_logs_cfn.operate.stack_sets.rollout import Rollout


def hiding(rollout: Rollout, present: Present | None = None) -> Callable[[str], str]:
    """Return what takes addresses out of a text: the roll-out's, and those that are there now."""
    secret = {value: shown_value(value) for value in _values(rollout, present) if "://" in value}
    longest_first = sorted(secret, key=len, reverse=True)  # one may be the beginning of another

    def hidden(text: str) -> str:
        for value in longest_first if "://" in text else ():
            text = text.replace(value, secret[value])
        return text

    return hidden


def outcome(done: Sequence[Done]) -> list[str]:
    """Return what it came to: a line for each operation, then a table of failures."""
    lines = []
    for each in done:
        counts = ", ".join(f"{n} {status}" for status, n in each.progress.counts.items())
        lines.append(f"{each.progress.status}: {told(each.operation)}{counts and f' ({counts})'}")
        if each.progress.reason:
            lines.append(f"  {own_reason(each.progress.reason)}")
    failed = failures(done)
    if failed:
        lines += ["", *_table(failed)]
        lines += ["", "What to do:", *(f"- {fix}" for fix in fixes(failed))]
    return [*map(printable, lines)]  # a status, an account or a region may be anybody's text


def check(done: Sequence[Done], operations: int) -> None:
    """Raise OperatingError, with numbers and what to do, unless so many operations succeeded."""
    if not operations:
        return
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
                "reason": own_reason(each.reason),
                "fix": advice(each.reason),
            }
            for each in failures(done)
        ],
    }


def _table(failed: Sequence[Result]) -> Iterator[str]:
    yield f"{'Account':<12}  {'Region':<14}  {'Status':<9}  Reason"
    for each in failed:
        reason = own_reason(each.reason) or "none given"
        yield f"{each.account:<12}  {each.region:<14}  {each.status:<9}  {reason}"


def _values(rollout: Rollout, present: Present | None) -> Iterator[str]:
    yield from rollout.parameters.values()
    yield from (rollout.tags or {}).values()
    yield from (value for row in rollout.rows for _, value in row.values)
    if present is None:
        return
    if there := present.stack_set:
        yield from (*there.parameters.values(), *there.tags.values())
    for each in present.instances.values():
        yield from (value for _, value in each.overrides or ())
