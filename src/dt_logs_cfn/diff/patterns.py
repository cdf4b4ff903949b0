"""The texts of a template's policies, with CloudFormation's functions worked out where that goes.

A text becomes a pattern: its characters, with `*` and `?` as IAM means them, and one symbol for
each value that is known in the customer's account only, `${AWS::Region}` say. `Fn::If` gives one
pattern for each branch, with the conditions under which it is the one.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template.json_tree import mappings
from dt_logs_handler.documents import Json

Pattern = tuple[str, ...]

# Ours have two. Each may double the number of patterns.
_MOST_CONDITIONS = 8

# IAM takes no more in all of a role's policies.
_LONGEST = 10_240

_SHORT = 1_000

_SYMBOL = re.compile(r"\$\{[^}]*\}|.", re.DOTALL)
_FIX = "Read its policies yourself; no release has such a one."


@dataclass(frozen=True, order=True)
class Guard:
    """A condition of the template that must hold, or must not; `definition` is what it says."""

    condition: str
    holds: bool
    definition: str

    def __str__(self) -> str:
        return self.condition if self.holds else f"not {self.condition}"


Guards = frozenset[Guard]
Guarded = tuple[Guards, Pattern]


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Tell whether whatever matches one pattern matches the other, too.

    Never wrongly true. Of some pairs that only look different it is not seen: `?*` and `*?`.
    """
    at = place = 0
    star: tuple[int, int] | None = None
    while place < len(narrow):
        if at < len(wide) and wide[at] == "*":
            star, at = (at, place), at + 1
        elif at < len(wide) and _matches(wide[at], narrow[place]):
            at, place = at + 1, place + 1
        elif star is None:
            return False
        else:
            star = (star[0], star[1] + 1)
            at, place = star[0] + 1, star[1]
    return all(symbol == "*" for symbol in wide[at:])


def opaque(text: str) -> Pattern:
    """Return a pattern of one symbol, which nothing but itself and `*` covers."""
    return (f"${{{text}}}",)


@dataclass(frozen=True)
class Reader:
    """Reads the values of one template, which has these conditions."""

    conditions: Mapping[str, Json]
    _known: dict[str, str] = field(default_factory=dict, compare=False)

    def branches(self, value: Json, guards: Guards) -> Iterator[tuple[Guards, Json]]:
        """Yield what a value may be, by the conditions under which it is; None: left out."""
        match value:
            case {"Fn::If": [str(name), holds, holds_not], **rest} if not rest:
                for branch, wanted in ((holds, True), (holds_not, False)):
                    deeper = self.guarded(guards, name, wanted)
                    if deeper is not None:
                        yield from self.branches(branch, deeper)
            case {"Ref": "AWS::NoValue"}:
                yield guards, None
            case _:
                yield guards, value

    def items(self, value: Json, guards: Guards) -> Iterator[tuple[Guards, Json]]:
        """Yield what is in a value, or in a list, that is not left out, likewise."""
        for deeper, found in self.branches(value, guards):
            if isinstance(found, list):
                for each in found:
                    yield from self.items(each, deeper)
            elif found is not None:
                yield deeper, found

    def patterns(self, value: Json, guards: Guards) -> Iterator[Guarded]:
        """Yield the pattern of each text that a value or a list may hold."""
        for deeper, item in self.items(value, guards):
            match item:
                case {"Fn::Split": [str(separator), text], **rest} if separator and not rest:
                    for deepest, pattern in self._texts(text, deeper):
                        yield from ((deepest, part) for part in _split(pattern, separator))
                case _:
                    yield from self._texts(item, deeper)

    def guarded(self, guards: Guards, name: str, holds: bool) -> Guards | None:
        """Return guards with one more, or None where they contradict it.

        Raises VerifyError where there are too many to be followed.
        """
        definition = self.definition(name)
        if Guard(name, not holds, definition) in guards:
            return None
        if len(guards) >= _MOST_CONDITIONS:
            raise VerifyError("A policy in the template depends on too many conditions.", _FIX)
        return guards | {Guard(name, holds, definition)}

    def definition(self, name: str) -> str:
        """Return what a condition says, with those that it refers to; a digest if that is long."""
        if name not in self._known:
            text = exact(self._closure(name))
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._known[name] = text if len(text) <= _SHORT else digest
        return self._known[name]

    def _closure(self, name: str) -> dict[str, Json]:
        found: dict[str, Json] = {}
        waiting = [name]
        while waiting:
            each = waiting.pop()
            if each not in found:
                found[each] = self.conditions.get(each)
                waiting += _referred(found[each])
        return found

    def told(self, value: Json) -> str:
        """Return a value that is not worked out as a text, with the conditions in it."""
        names = {
            decided[0]
            for _, inner in mappings(value)
            if isinstance(decided := inner.get("Fn::If"), list)
            and decided
            and isinstance(decided[0], str)
        }
        where = "".join(
            f" where {name} is {self.definition(name)}" for name in sorted(map(str, names))
        )
        return f"{exact(value)}{where}"

    def _texts(self, value: Json, guards: Guards) -> Iterator[Guarded]:
        for deeper, item in self.items(value, guards):
            for deepest, pattern in self._text(item, deeper):
                if len(pattern) > _LONGEST:
                    raise VerifyError("A policy in the template is longer than IAM takes.", _FIX)
                yield deepest, pattern

    def _text(self, value: Json, guards: Guards) -> Iterator[Guarded]:
        match value if isinstance(value, dict) and len(value) == 1 else [value]:
            case [str(text)]:
                # What looks like a variable of CloudFormation's here is one of IAM's.
                yield guards, tuple(_SYMBOL.findall(text.replace("${", "${!")))
            case {"Ref": str(name)} | {"Fn::GetAtt": str(name)}:
                yield guards, opaque(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                yield guards, opaque(f"{name}.{attribute}")
            case {"Fn::Sub": str(text)}:
                yield from self._joined(_parts(text, {}), guards)
            case {"Fn::Sub": [str(text), dict(values)]}:
                yield from self._joined(_parts(text, values), guards)
            case {"Fn::Join": [str(separator), list(values)]}:
                between = [part for each in values for part in (separator, each)][1:]
                yield from self._joined(between, guards)
            case {"Fn::Join": [str(separator), {"Ref": str(name)}]}:
                yield guards, opaque(f"{name} joined by {separator}")
            case _:
                yield guards, opaque(self.told(value))

    def _joined(self, parts: list[Json | Pattern], guards: Guards) -> Iterator[Guarded]:
        found: list[Guarded] = [(guards, ())]
        for part in parts:
            if isinstance(part, tuple):
                found = [(each, (*before, *part)) for each, before in found]
            else:
                found = [
                    (deeper, (*before, *text))
                    for each, before in found
                    for deeper, text in self._texts(part, each)
                ]
        yield from found


def exact(value: object) -> str:
    """Return JSON in which equal values are equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _matches(wide: str, narrow: str) -> bool:
    return wide == narrow or (wide == "?" and len(narrow) == 1 and narrow != "*")


def _parts(text: str, values: Mapping[str, Json]) -> list[Json | Pattern]:
    """Return what `Fn::Sub` joins: symbols, and values that are to be worked out."""
    parts: list[Json | Pattern] = []
    symbols: list[str] = _SYMBOL.findall(text)
    for known, run in groupby(symbols, lambda each: each[2:-1].strip() in values and len(each) > 1):
        if known:
            parts += [values[each[2:-1].strip()] for each in run]
        else:
            parts.append(tuple(run))
    return parts


def _split(pattern: Pattern, separator: str) -> Iterator[Pattern]:
    size, start, wanted = len(separator), 0, tuple(separator)
    place = 0
    while place <= len(pattern) - size:
        if pattern[place : place + size] == wanted:
            yield pattern[start:place]
            start = place = place + size
        else:
            place += 1
    yield pattern[start:]


def _referred(definition: Json) -> list[str]:
    return [
        name for _, inner in mappings(definition) if isinstance(name := inner.get("Condition"), str)
    ]
