"""Show checks: grouped by subject for people, as data for programs; pure.

An observation may quote a policy or AWS, so no address in it is shown in full.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from dt_logs_cfn.cli.terminal import printable, shown_line, shown_text
from dt_logs_cfn.operate.status.seen import Check

_FEW = 20  # the most subjects for which every check is shown
_MOST = 5  # the most subjects that a line names


def data(checks: Sequence[Check]) -> dict[str, object]:
    """Return the checks as data for programs."""
    count = Counter(each.verdict for each in checks)
    return {
        "checks": [
            asdict(replace(each, saw=shown_text(each.saw), fix=shown_text(each.fix)))
            for each in checks
        ],
        "ok": count["ok"],
        "waiting": count["waiting"],
        "findings": count["finding"],
        "unknown": count["unknown"],
    }


def told(checks: Sequence[Check]) -> str:
    """Return the checks for people: one line each, with the fix below.

    For many subjects, only checks that are not ok are shown, and equal checks only once.
    """
    width = max(len(each.name) for each in checks)
    by_subject: dict[str, list[Check]] = {}
    for each in checks:
        by_subject.setdefault(each.subject, []).append(each)
    groups: dict[tuple[str, ...], list[Check]] = {(n,): each for n, each in by_subject.items()}
    if len(by_subject) > _FEW:
        groups = _alike(by_subject)
    lines = []
    for subjects, found in groups.items():
        lines += [printable(_named(subjects)), *_lines(found, width), ""]
    return "\n".join([*lines, _summary(checks)])


def _alike(by_subject: Mapping[str, Sequence[Check]]) -> dict[tuple[str, ...], list[Check]]:
    """Group subjects with the same problems; those without any come last."""
    groups: dict[tuple[Check, ...], list[str]] = {}
    for name, found in by_subject.items():
        wrong = (replace(each, subject="") for each in found if each.verdict != "ok")
        groups.setdefault(tuple(wrong), []).append(name)
    fine = groups.pop((), [])
    several = {tuple(names): [*wrong] for wrong, names in groups.items()}
    if fine:
        count = Counter(each.verdict for name in fine for each in by_subject[name])["ok"]
        every = Check("all", "", f"{count} checks, see --json", "ok")
        several[tuple(fine)] = [every]
    return several


def _named(subjects: Sequence[str]) -> str:
    more = len(subjects) - _MOST
    return ", ".join(subjects[:_MOST]) + (f" and {more:,} more" if more > 0 else "")


def _lines(checks: Iterable[Check], width: int) -> Iterator[str]:
    for each in checks:
        yield f"  {each.verdict:<7}  {each.name:<{width}}  {shown_line(each.saw)}"
        if each.fix:
            yield f"  {'':<7}  {'':<{width}}  fix: {printable(shown_text(each.fix))}"


def _summary(checks: Sequence[Check]) -> str:
    count = Counter(each.verdict for each in checks)
    findings = count["finding"]
    return (
        f"{len(checks)} checks: {count['ok']} ok,"
        f"{f' {waiting} waiting,' if (waiting := count['waiting']) else ''} {findings or 'no'}"
        f" finding{'' if findings == 1 else 's'}, {count['unknown']} unknown."
    )
