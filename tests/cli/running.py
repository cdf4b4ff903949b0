"""A command's result, as its caller sees it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from dt_logs_cfn.cli.main import main


@dataclass(frozen=True)
class Ran:
    """A command's exit code, and its output on stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def failure(self) -> str:
        """The message of an expected failure; raises AssertionError for any other result."""
        assert (self.code, self.out, self.err.count("\n")) == (3, "", 1), self
        assert self.err.startswith("dt-logs-cfn: ")
        return self.err.removeprefix("dt-logs-cfn: ").rstrip("\n")


Run = Callable[..., Ran]


def run_main(argv: Sequence[str], printed: pytest.CaptureFixture[str]) -> Ran:
    """Run a command as from a shell, and return its result, even after a usage error."""
    try:
        code = main(argv)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    return Ran(code, *printed.readouterr())
