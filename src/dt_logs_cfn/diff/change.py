"""A change between two templates, and its level."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from dt_logs_handler.documents import Json

Object = Mapping[str, Json]


class Level(IntEnum):
    """The part of the version number that a change must raise; the highest level counts."""

    IDENTICAL = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Change:
    """One change. `kind` says what kind of part changes; other strings may quote untrusted text.

    For a handler source, `file` is its name and `diff` is a unified diff.
    """

    level: Level
    kind: str
    what: str
    file: str = field(default="", compare=False)
    diff: str = field(default="", compare=False)


def exact(value: object) -> str:
    """Return a value as JSON; equal values give equal strings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def differing(old: Object, new: Object) -> list[str]:
    """Return the sorted names of differing members; a missing member differs from null."""
    return [
        name
        for name in sorted(old.keys() | new.keys())
        if (name in old) != (name in new) or exact(old.get(name)) != exact(new.get(name))
    ]
