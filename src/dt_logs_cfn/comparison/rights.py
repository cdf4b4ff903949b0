"""What a role may do, and who may take it: flattened, and compared by what covers what.

A right is one action on one resource, under tests of IAM's and conditions of the template's. It
is no new right if an old one covers it: wildcards count, and so does a test more.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from dt_logs_cfn.comparison.change import Change, Level
from dt_logs_cfn.comparison.patterns import (
    Guarded,
    Guards,
    Pattern,
    Reader,
    covers,
    exact,
    opaque,
)
from dt_logs_cfn.errors import VerifyError
from dt_logs_handler.documents import Json, listed

ROLE = "AWS::IAM::Role"

# What this module compares; other properties of a role are as those of any resource.
PROPERTIES = frozenset(
    {"AssumeRolePolicyDocument", "ManagedPolicyArns", "PermissionsBoundary", "Policies"}
)

# Six times what ours have, and few enough to compare each with each in seconds.
_MOST_RIGHTS = 500
_MOST_SYMBOLS = 6_000

_EVERYTHING: Pattern = ("*",)
_PRINCIPALS = {"AWS", "CanonicalUser", "Federated", "Service"}


@dataclass(frozen=True)
class Test:
    """One test of a statement's Condition; all of them have to hold."""

    operator: str
    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operator} {self.key} {' or '.join(self.values)}".rstrip()


@dataclass(frozen=True)
class Right:
    """One action on one resource; of a trust policy, one principal."""

    kind: str
    effect: str
    action: Pattern
    resource: Pattern
    tests: frozenset[Test]
    guards: Guards
    spelled: str = field(default="", compare=False)

    def covers(self, other: "Right") -> bool:
        """Tell whether this says of every request what the other says."""
        return (
            (self.kind, self.effect) == (other.kind, other.effect)
            and self.guards <= other.guards
            and self.tests <= other.tests
            and covers(self.action, other.action)
            and covers(self.resource, other.resource)
        )


def compare_roles(
    name: str, old: Mapping[str, Json], new: Mapping[str, Json], readers: tuple[Reader, Reader]
) -> Iterator[Change]:
    """Yield what is added to, and taken from, the rights of a role; `old` may be empty.

    Raises VerifyError for policies beyond what IAM takes.
    """
    before, after = _rights(old, readers[0]), _rights(new, readers[1])
    found = list(_boundary(name, (old, readers[0]), (new, readers[1])))
    for gained, ones, others in ((True, after, before), (False, before, after)):
        left = [each for each in ones if not any(other.covers(each) for other in others)]
        found += _told(name, left, gained)
    yield from found
    if not found and any(_differ(old, new, each) for each in PROPERTIES):
        what = f"{name}: its policies are written otherwise, and give the same rights"
        yield Change(Level.PATCH, "right", what)


def _boundary(
    name: str, old: tuple[Mapping[str, Json], Reader], new: tuple[Mapping[str, Json], Reader]
) -> Iterator[Change]:
    before, after = (
        reader.told(_property(each, "PermissionsBoundary")) for each, reader in (old, new)
    )
    if before == after:
        return
    if before == "null":
        yield Change(Level.MINOR, "right", f"{name} gets a permissions boundary")
    else:
        how = "loses its permissions boundary" if after == "null" else "gets another boundary"
        yield Change(Level.MAJOR, "right", f"{name} {how}")


def _rights(resource: Mapping[str, Json], reader: Reader) -> tuple[Right, ...]:
    found = tuple(islice(_all(resource, reader), _MOST_RIGHTS + 1))
    symbols = {each.action for each in found} | {each.resource for each in found}
    if len(found) > _MOST_RIGHTS or sum(map(len, symbols)) > _MOST_SYMBOLS:
        raise VerifyError(
            "A role in the template has more rights than can be compared.",
            "Read its policies yourself; no release has such a one.",
        )
    return _merged(found)


def _all(resource: Mapping[str, Json], reader: Reader) -> Iterator[Right]:
    start: Guards | None = frozenset()
    condition = resource.get("Condition")
    if isinstance(condition, str):
        start = reader.guarded(frozenset(), condition, True)
    assert start is not None  # nothing is there yet that could contradict
    for guards, policy in reader.items(_property(resource, "Policies"), start):
        document = policy.get("PolicyDocument") if isinstance(policy, dict) else policy
        yield from _statements("right", document, guards, reader)
    trust = _property(resource, "AssumeRolePolicyDocument")
    yield from _statements("trust", trust, start, reader)
    arns = _property(resource, "ManagedPolicyArns")
    for guards, arn in reader.patterns(arns, start):
        yield Right("managed policy", "Allow", _EVERYTHING, arn, frozenset(), guards)


def _statements(kind: str, value: Json, start: Guards, reader: Reader) -> Iterator[Right]:
    for guards, document in reader.items(value, start):
        statements = document.get("Statement") if isinstance(document, dict) else document
        for deeper, statement in reader.items(statements, guards):
            if isinstance(statement, dict) and {"Effect"} <= statement.keys():
                yield from _of(kind, statement, deeper, reader)
            else:  # a function that only CloudFormation can work out
                unread = opaque(reader.told(statement))
                yield Right(
                    kind, "Allow", unread, _EVERYTHING, frozenset(), deeper, "".join(unread)
                )


def _of(kind: str, statement: Mapping[str, Json], start: Guards, reader: Reader) -> Iterator[Right]:
    on = "Resource" if kind == "right" else "Principal"
    for first, effect in reader.items(statement.get("Effect"), start):
        said = effect if isinstance(effect, str) else exact(effect)
        for second, action in _element(statement, "Action", first, reader):
            lower = tuple(each.lower() if len(each) == 1 else each for each in action)
            for third, resource in _element(statement, on, second, reader):
                for guards, condition in reader.branches(statement.get("Condition"), third):
                    tests = frozenset(_tests(condition, reader))
                    yield Right(kind, said, lower, resource, tests, guards, "".join(action))


def _element(
    statement: Mapping[str, Json], name: str, guards: Guards, reader: Reader
) -> Iterator[Guarded]:
    """Yield the patterns of an element; its opposite is one that only itself and `*` cover."""
    opposite = f"Not{name}"
    if opposite in statement:
        yield guards, opaque(f"everything but {reader.told(statement[opposite])}")
    elif name == "Principal":
        yield from _principals(statement.get(name), guards, reader)
    else:
        yield from reader.patterns(statement.get(name), guards)


def _principals(value: Json, start: Guards, reader: Reader) -> Iterator[Guarded]:
    for guards, principal in reader.items(value, start):
        if not isinstance(principal, dict) or not principal.keys() <= _PRINCIPALS:
            principal = {"AWS": principal}
        for kind, each in principal.items():
            for deeper, pattern in reader.patterns(each, guards):
                yield deeper, (*kind, " ", *pattern)


def _tests(condition: Json, reader: Reader) -> Iterator[Test]:
    if condition is None:
        return
    for operator, keys in (condition if isinstance(condition, dict) else {"": condition}).items():
        if isinstance(keys, dict) and not any("Fn::" in key or key == "Ref" for key in keys):
            for key, values in keys.items():
                texts = {_text(value, reader) for value in listed(values)}
                yield Test(operator, key, tuple(sorted(texts)))
        else:  # a function that only CloudFormation can work out
            yield Test(operator, reader.told(keys), ())


def _text(value: Json, reader: Reader) -> str:
    match value:
        case str():
            return value.replace("${", "${!")
        case {"Ref": str(name), **rest} if not rest:
            return f"${{{name}}}"
        case bool() | int():
            return exact(value)
        case _:
            return f"${{{reader.told(value)}}}"


def _merged(rights: Iterable[Right]) -> tuple[Right, ...]:
    """Join what holds whether a condition does or not, so that it depends on it no more."""
    found = dict.fromkeys(rights)
    waiting = [*found]
    for right in waiting:
        for guard in right.guards:
            other = replace(guard, holds=not guard.holds)
            if replace(right, guards=right.guards - {guard} | {other}) in found:
                joined = replace(right, guards=right.guards - {guard})
                if joined not in found:
                    found[joined] = None
                    waiting.append(joined)
    return tuple(
        right
        for right in found
        if not any(replace(right, guards=right.guards - {guard}) in found for guard in right.guards)
    )


def _told(name: str, rights: Iterable[Right], gained: bool) -> Iterator[Change]:
    """Yield one change for all actions on the same resource under the same conditions."""
    grouped: dict[Right, list[str]] = {}
    for right in rights:
        grouped.setdefault(replace(right, action=()), []).append(right.spelled)
    for right, actions in grouped.items():
        wider = gained != (right.effect == "Deny")
        level = Level.MAJOR if wider else Level.MINOR
        yield Change(level, right.kind, f"{name}: {_phrase(right, actions, gained)}")


def _phrase(right: Right, actions: Iterable[str], gained: bool) -> str:
    verb, on = ", ".join(actions), "".join(right.resource)
    tests = " and ".join(sorted(map(str, right.tests)))
    guards = " and ".join(map(str, sorted(right.guards)))
    rest = f"{f', if {tests}' if tests else ''}{f', where {guards}' if guards else ''}"
    how = "added" if gained else "taken away"
    what = {"Allow": "right", "Deny": "denial"}.get(right.effect, f"statement {right.effect}")
    match right.kind:
        case "managed policy":
            return f"managed policy {how}: {on}{rest}"
        case "trust":
            return f"{what} {how}: {on} takes the role by {verb}{rest}"
        case _:
            return f"{what} {how}: {verb} on {on}{rest}"


def _differ(old: Mapping[str, Json], new: Mapping[str, Json], name: str) -> bool:
    return exact(_property(old, name)) != exact(_property(new, name))


def _property(resource: Mapping[str, Json], name: str) -> Json:
    properties = resource.get("Properties")
    return properties.get(name) if isinstance(properties, dict) else None
