"""What a command did, as its caller sees it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """The one line of an expected failure; anything else is an AssertionError."""
        assert (self.code, self.out, self.err.count("\n")) == (3, "", 1), self
        assert self.err.startswith("dt-logs-cfn: ")
        return self.err.removeprefix("dt-logs-cfn: ").rstrip("\n")


Run = Callable[..., Ran]
