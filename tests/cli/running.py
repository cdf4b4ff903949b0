"""A command's result, as its caller sees it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """A command's exit code, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """The line of an expected failure; every other result raises an AssertionError."""
        assert (self.code, self.out, self.err.count("\n")) == (3, "", 1), self
        assert self.err.startswith("dt-logs-cfn: ")
        return self.err.removeprefix("dt-logs-cfn: ").rstrip("\n")


Run = Callable[..., Ran]
