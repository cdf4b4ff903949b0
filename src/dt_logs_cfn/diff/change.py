"""What one change between two templates is, how much it weighs, and what a version must do then."""

from dataclasses import dataclass
from enum import IntEnum

from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.verify.rebuild import shown
from dt_logs_cfn.versions import numbers


class Level(IntEnum):
    """What a change means for the version number; the larger one counts."""

    IDENTICAL = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    @property
    def word(self) -> str:
        """The level as it is printed."""
        return self.name.lower()


@dataclass(frozen=True)
class Change:
    """One thing that a customer gets, told as a sentence's part.

    `kind` is the part of the template, for a program; `what` may quote untrusted text.
    """

    level: Level
    kind: str
    what: str


def enough(old: str, new: str, level: Level) -> bool:
    """Tell whether a version may follow another, given how much changed between them.

    Before 1.0.0 the minor number stands for the major one, and the patch number for the rest.
    Raises VerifyError for what is no version.
    """
    before, after = _numbers(old), _numbers(new)
    if level is Level.IDENTICAL:
        return before <= after
    significant = {Level.MAJOR: 1, Level.MINOR: 2, Level.PATCH: 3}[level]
    if before[0] == 0:
        significant = 2 if level is Level.MAJOR else 3
    return before[:significant] < after[:significant]


def _numbers(version: str) -> tuple[int, ...]:
    try:
        return numbers(version)
    except ValueError as error:
        raise VerifyError(f"{shown(version)} is no version.", "Give one like 1.2.3.") from error
