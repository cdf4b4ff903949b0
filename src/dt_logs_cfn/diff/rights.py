"""Read a role's policies as rights, and compare the rights of two templates.

A right allows or denies one action on one resource, for requests that pass its tests.
CloudFormation's functions are resolved. A value that depends on the customer's account, such as the
region, becomes a symbol in angle brackets. A condition that chooses a branch of `Fn::If` is also a
test.

A right is reported as added if no old right can cover it in any account. It is not reported if an
old right certainly covers it. Otherwise, it is reported as a changed statement, at the same level
as an added right. Removed rights are found in the same way.

The elements of a pattern are IAM's `*` and `?`, other characters, and our symbols. A symbol, such
as `<AWS::Region>`, always stands for the same string, which has more than one character.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import Any

from dt_logs_cfn.diff.change import Change, Level, Object, exact
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.parsing import mapping
from dt_logs_handler.documents import Json

Tests = frozenset[str]
Pattern = tuple[str, ...]

# More than our policies have, but few enough to compare every pair in a few seconds.
_MOST_RIGHTS, _MOST_LETTERS = 500, 4_000
_SYMBOL = re.compile(r"<[^<>]*>|.", re.DOTALL)
_FRESH = "\uffff"  # a character that IAM does not accept in a policy
_RUN = [_FRESH] * 16  # longer than any run of `?` in our patterns
_STACK = "AWS::StackId"
_HERE = ("<AWS::Partition>", "<AWS::Region>", "<AWS::AccountId>")
_LOG_GROUP = f"arn:{_HERE[0]}:logs:{_HERE[1]}:{_HERE[2]}:log-group:<%s>:*"


@dataclass(frozen=True)
class Right:
    """One action that is allowed or denied on one resource, for requests that pass all tests.

    For a statement that is compared as a whole, `action` is its text, and `resource` is None.
    `effect` is empty if it cannot be read; `spelled` is the action as written.
    """

    effect: str
    tests: Tests
    action: Pattern
    resource: Pattern | None = None
    spelled: str = field(default="", compare=False)

    def covers(self, other: "Right") -> bool:
        """Return whether this right certainly covers every request of the other right."""
        if self.effect != other.effect or self.tests - other.tests:
            return False
        if self.resource is None or other.resource is None:
            return (self.action, self.resource) == (other.action, other.resource)
        return covers(self.action, other.action) and covers(self.resource, other.resource)

    def may_cover(self, other: "Right") -> bool:
        """Return whether this right may cover every request of the other right.

        Only False is certain.
        """
        if self.resource is None or other.resource is None:
            return True
        return may_cover(self.action, other.action) and may_cover(self.resource, other.resource)


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Return whether `wide` certainly matches every string that `narrow` matches."""
    # Replace wildcards: only `*` matches "**", and only `*` and `?` match _FRESH.
    letters = {"*": "**", "?": _FRESH}
    return _meet(wide, tuple(letters.get(each, each) for each in narrow))


def may_cover(wide: Pattern, narrow: Pattern) -> bool:
    """Return whether `wide` may match all strings that `narrow` matches; only False is certain.

    If the result is false, `narrow` matches a string that `wide` does not, whatever the symbols
    stand for.
    """
    texts = {"*": _RUN, "?": [_FRESH]}
    tried = [letter for each in narrow for letter in texts.get(each, [each])]
    one, other = (tuple("*" if len(a) > 1 else a for a in letters) for letters in (wide, tried))
    return _meet(one, other)


@lru_cache(1 << 16)
def _meet(one: Pattern, other: Pattern) -> bool:
    """Return whether some string matches both patterns; a symbol counts as one letter."""
    reached = [True] + [False] * len(other)
    for a in (*one, ""):
        following = [False] * len(reached)
        for place, b in enumerate((*other, "")):
            if not reached[place]:
                continue
            if "*" in (a, b):  # the `*` ends here, or matches the other's letter
                following[place] = bool(a)
                if b:
                    reached[place + 1] = True
            elif a and b and (a == b or (len(a) == len(b) == 1 and "?" in (a, b))):
                following[place + 1] = True
        if a:
            reached = following
    return reached[-1]


def compare_rights(name: str, old: Iterator[Right], new: Iterator[Right]) -> Iterator[Change]:
    """Yield the changes to the rights of the role `name`."""
    before, after = (tuple(islice(each, _MOST_RIGHTS + 1)) for each in (old, new))
    patterns = {part for each in before + after for part in (each.action, each.resource or ())}
    if max(len(before), len(after)) > _MOST_RIGHTS or sum(map(len, patterns)) > _MOST_LETTERS:
        what = f"{name}: its policies change, and are too large to be compared"
        yield Change(Level.MAJOR, "right", what)
        return
    found = [*_found(name, after, before, True), *_found(name, before, after, False)]
    same = Change(Level.PATCH, "right", f"{name}: its policies change only in form")
    yield from found or [same]


def _found(
    name: str, ones: Sequence[Right], others: Sequence[Right], gained: bool
) -> Iterator[Change]:
    """Yield a change for each right in `ones` that `others` do not certainly cover.

    Rights that differ only in their actions share a change.
    """
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
    start += "added:" if gained else "removed:"
    if not certain:
        start = f"changed statement, {'now' if gained else 'before'}: {right.effect}".rstrip()
    on = "" if right.resource is None else f" on {''.join(right.resource)}"
    text = ", ".join([f"{', '.join(actions)}{on}", *sorted(right.tests)])
    return f"{start} {text.replace('<', '${').replace('>', '}')}"


class _Symbolic(ResolvedTemplate):
    """A template in which each function that cannot be resolved becomes a symbol."""

    def function(self, name: str, argument: Any) -> Any:
        try:
            return super().function(name, argument)
        except (AttributeError, KeyError, TypeError, ValueError):
            text = exact({name: argument}).replace("<", "{").replace(">", "}")
            return f"<{text}>"


def rights_of(role: Object, template: Object) -> Iterator[Right]:
    """Yield the rights of a role in a template."""
    parameters = {name: f"<{name}>" for name in mapping(template.get("Parameters"))}
    log_groups = {
        name: {"Arn": _LOG_GROUP % name}
        for name, each in mapping(template.get("Resources")).items()
        if mapping(each).get("Type") == "AWS::Logs::LogGroup"
    }
    # Without conditions, an `Fn::If` inside a string becomes a symbol.
    bare = {**template, "Conditions": {}}
    symbolic = _Symbolic(bare, parameters, *_HERE, log_groups, {_STACK: f"<{_STACK}>"})
    properties = mapping(role.get("Properties"))
    for tests, arn in _items(properties.get("ManagedPolicyArns", []), Tests()):
        text = f"managed policy {exact(arn)}"
        yield Right("Allow", tests, (text,), spelled=text)
    for tests, policy in _items(properties.get("Policies", []), Tests()):
        for deeper, document in _items(mapping(policy).get("PolicyDocument", policy), tests):
            version = mapping(document).get("Version")
            # Only version 2012-10-17 has policy variables, so another version may change a policy's
            # meaning.
            if version != "2012-10-17" and "Statement" in mapping(document):
                text = f"policy version {exact(version)}"
                yield Right("", deeper, (text,), spelled=text)
            for deepest, each in _items(mapping(document).get("Statement", document), deeper):
                yield from _of(each, deepest, symbolic)


def _of(statement: Json, start: Tests, template: ResolvedTemplate) -> Iterator[Right]:
    """Yield a statement's rights or, if it cannot be split, one right that quotes it."""
    found = mapping(statement)
    effect = str(found.get("Effect")) if found.get("Effect") in ("Allow", "Deny") else ""
    tests = _tests(found.get("Condition", {}), template)
    parts = found.keys() - {"Condition", "Sid"}
    if not effect or tests is None or parts != {"Action", "Effect", "Resource"}:
        text = exact({name: each for name, each in found.items() if name != "Sid"} or statement)
        yield Right(effect, start, (text,), spelled=text)
        return
    for deeper, action in _texts(found["Action"], start | tests, template):
        for deepest, resource in _texts(found["Resource"], deeper, template):
            named, on = (tuple(_SYMBOL.findall(each)) for each in (action.lower(), resource))
            yield Right(effect, deepest, named, on, action)


def _tests(condition: Json, template: ResolvedTemplate) -> Tests | None:
    """Return the tests of a statement's `Condition`, or None if they cannot be read."""
    if not all(isinstance(each, dict) for each in (condition, *mapping(condition).values())):
        return None
    tests = set()
    for operator, keys in mapping(condition).items():
        for key, values in mapping(keys).items():
            # Resolve `Fn::If` first; otherwise the value of each branch would count as allowed.
            texts = [text for _, text in _texts(template.value([values]), Tests(), template)]
            tests.add(f"if {operator} {key} {' or '.join(sorted(map(exact, texts)))}")
    return frozenset(tests)


def _texts(value: Json, tests: Tests, template: ResolvedTemplate) -> Iterator[tuple[Tests, str]]:
    """Yield a value, or each item of its lists, as text, with the tests under which it applies."""
    for deeper, item in _items(value, tests):
        for _, each in _items(template.value([item]), Tests()):
            yield deeper, each if isinstance(each, str) else exact(each)


def _items(value: Json, tests: Tests) -> Iterator[tuple[Tests, Json]]:
    """Yield a value, or the items of its lists, each with the tests under which it applies."""
    match value:
        case list():
            for each in value:
                yield from _items(each, tests)
        case {"Fn::If": [name, yes, no]}:
            here, not_here = f"where {name}", f"where not {name}"
            if not_here not in tests:
                yield from _items(yes, tests | {here})
            if here not in tests:
                yield from _items(no, tests | {not_here})
        case _ if value != {"Ref": "AWS::NoValue"}:
            yield tests, value
