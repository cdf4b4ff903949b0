"""What a role may do, and who may take it, one right at a time.

A right is one action on one resource, under tests of IAM's and conditions of the template's.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from dt_logs_cfn.diff.patterns import Guarded, Guards, Pattern, Reader, covers, exact, opaque
from dt_logs_cfn.errors import VerifyError
from dt_logs_handler.documents import Json, listed

# Six times what ours have, and few enough to compare each with each in seconds.
_MOST_RIGHTS = 500
_MOST_SYMBOLS = 6_000
_MOST_BYTES = 51_200

_EVERYTHING: Pattern = ("*",)
_ON = {"right": "Resource", "trust": "Principal"}
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
    """One action on one resource; of a trust policy, one principal.

    An effect other than Allow and Deny is one that cannot be told.
    """

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


def rights_of(resource: Mapping[str, Json], reader: Reader) -> tuple[Right, ...]:
    """Return what a role may do and who may take it, from its inline policies and its trust.

    Raises VerifyError for policies beyond what IAM takes.
    """
    small = len(exact(resource)) <= _MOST_BYTES
    found = tuple(islice(_all(resource, reader), _MOST_RIGHTS + 1)) if small else ()
    symbols = {each.action for each in found} | {each.resource for each in found}
    if not small or len(found) > _MOST_RIGHTS or sum(map(len, symbols)) > _MOST_SYMBOLS:
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
    for guards, policy in reader.items(property_of(resource, "Policies"), start):
        if isinstance(policy, dict) and "PolicyDocument" in policy:
            yield from _statements("right", policy["PolicyDocument"], guards, reader)
        else:
            yield _unread("right", policy, guards, reader)
    trust = property_of(resource, "AssumeRolePolicyDocument")
    yield from _statements("trust", trust, start, reader)
    arns = property_of(resource, "ManagedPolicyArns")
    for guards, arn in reader.patterns(arns, start):
        yield Right("managed policy", "Allow", _EVERYTHING, arn, frozenset(), guards)


def _statements(kind: str, value: Json, start: Guards, reader: Reader) -> Iterator[Right]:
    for guards, document in reader.items(value, start):
        if not isinstance(document, dict) or "Statement" not in document:
            yield _unread(kind, document, guards, reader)
            continue
        for deeper, statement in reader.items(document["Statement"], guards):
            if isinstance(statement, dict) and _is_whole(statement, kind):
                yield from _of(kind, statement, deeper, reader)
            else:
                yield _unread(kind, statement, deeper, reader)


def _is_whole(statement: Mapping[str, Json], kind: str) -> bool:
    return "Effect" in statement and all(
        name in statement or f"Not{name}" in statement for name in ("Action", _ON[kind])
    )


def _unread(kind: str, value: Json, guards: Guards, reader: Reader) -> Right:
    """Return what stands for a function that only CloudFormation can work out."""
    text = opaque(reader.told(value))
    return Right(kind, "", text, _EVERYTHING, frozenset(), guards, "".join(text))


def _of(kind: str, statement: Mapping[str, Json], start: Guards, reader: Reader) -> Iterator[Right]:
    for first, condition in reader.branches(statement.get("Condition"), start):
        tests = frozenset(_tests(condition, reader))
        for second, effect in reader.items(statement.get("Effect"), first):
            said = effect if isinstance(effect, str) else exact(effect)
            for third, action in _element(statement, "Action", second, reader):
                lower = tuple(each.lower() if len(each) == 1 else each for each in action)
                for guards, resource in _element(statement, _ON[kind], third, reader):
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


def property_of(resource: Mapping[str, Json], name: str) -> Json:
    """Return a property of a resource, None where it has none."""
    properties = resource.get("Properties")
    return properties.get(name) if isinstance(properties, dict) else None
