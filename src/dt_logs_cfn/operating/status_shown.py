"""Checks in words: grouped by subject for people, as data for programs; pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from dt_logs_cfn.operating.seen import Check, Verdict
from dt_logs_cfn.printable import printable

_COLOURS: dict[Verdict, str] = {"ok": "32", "finding": "31", "unknown": "33"}


def data(checks: Sequence[Check]) -> dict[str, object]:
    """Return the checks for programs."""
    count = Counter(each.verdict for each in checks)
    return {
        "checks": [asdict(each) for each in checks],
        "ok": count["ok"],
        "findings": count["finding"],
        "unknown": count["unknown"],
    }


def told(checks: Sequence[Check], *, colour: bool) -> str:
    """Return the checks for people: a line each, the fix beneath."""
    width = max(len(each.name) for each in checks)
    lines = []
    for subject in dict.fromkeys(each.subject for each in checks):
        lines.append(printable(subject))
        for each in checks:
            if each.subject == subject:
                word = f"{each.verdict:<7}"
                shown = f"\x1b[{_COLOURS[each.verdict]}m{word}\x1b[0m" if colour else word
                lines.append(f"  {shown}  {each.name:<{width}}  {printable(each.saw)}")
                if each.fix:
                    lines.append(f"  {'':<7}  {'':<{width}}  fix: {printable(each.fix)}")
        lines.append("")
    return "\n".join([*lines, _summary(checks)])


def _summary(checks: Sequence[Check]) -> str:
    count = Counter(each.verdict for each in checks)
    findings = count["finding"]
    return (
        f"{len(checks)} checks: {count['ok']} ok, {findings or 'no'}"
        f" finding{'' if findings == 1 else 's'}, {count['unknown']} could not be told."
    )
