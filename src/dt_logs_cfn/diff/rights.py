"""Compare the rights of a role in two templates.

A permission is added if no old one can cover it in any account. A right that an old one certainly
covers is not shown. Anything in between is shown as a changed statement: major.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from dt_logs_cfn.diff.change import Change, Level
from dt_logs_cfn.diff.policies import Right

# More than ours have, and few enough to compare every pair in seconds.
_MOST_RIGHTS, _MOST_LETTERS = 500, 4_000


def compare_rights(name: str, old: Iterator[Right], new: Iterator[Right]) -> Iterator[Change]:
    """Yield the rights that the role with a name gains and loses."""
    before, after = (tuple(islice(each, _MOST_RIGHTS + 1)) for each in (old, new))
    patterns = {part for each in before + after for part in (each.action, each.resource or ())}
    if max(len(before), len(after)) > _MOST_RIGHTS or sum(map(len, patterns)) > _MOST_LETTERS:
        what = f"{name}: its policies change, and are too large to be compared"
        yield Change(Level.MAJOR, "right", what)
        return
    found = [*_found(name, after, before, True), *_found(name, before, after, False)]
    same = Change(Level.PATCH, "right", f"{name}: its policies give the same rights in other words")
    yield from found or [same]


def _found(
    name: str, ones: Sequence[Right], others: Sequence[Right], gained: bool
) -> Iterator[Change]:
    """Yield what only one side has: one change for all actions on the same resource."""
    grouped: dict[tuple[bool, Right], list[str]] = defaultdict(list)
    for right in dict.fromkeys(ones):
        if any(each.covers(right) for each in others):
            continue
        against = [each for each in others if each.effect in (right.effect, "")]
        if right.effect == "Allow":
            against += [each for each in ones if each.effect != "Allow"]
        certain = bool(right.effect) and not any(each.may_cover(right) for each in against)
        grouped[certain, replace(right, action=())].append(right.spelled)
    for (certain, right), actions in grouped.items():
        wider = not right.effect or gained != (right.effect == "Deny")
        what = f"{name}: {_phrase(right, actions, gained, certain)}"
        yield Change(Level.MAJOR if wider else Level.MINOR, "right", what)


def _phrase(right: Right, actions: Sequence[str], gained: bool, certain: bool) -> str:
    start = f"{'right' if right.effect == 'Allow' else 'denial'} "
    start += "added:" if gained else "taken away:"
    if not certain:
        start = f"changed statement, {'now' if gained else 'before'}: {right.effect}".rstrip()
    on = "" if right.resource is None else f" on {''.join(right.resource)}"
    text = ", ".join([f"{', '.join(actions)}{on}", *sorted(right.tests)])
    return f"{start} {text.replace('<', '${').replace('>', '}')}"
