"""Run commands in this process, through `main` or with a simulated operator; find the AWS CLI."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dt_logs_cfn.cli.main import main
from dt_logs_cfn.cli.terminal import Here, Operator
from dt_logs_cfn.errors import DtLogsError, UsageError

_FAILED = "dt-logs-cfn: "  # the beginning of a failure's line


@dataclass
class Seat:
    """An operator whose time passes only while they wait, unless a test gives a clock.

    `lines` are the lines shown, `asked` the questions. After the last answer, nobody answers.
    """

    now: float = 0.0
    lines: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    clock: Callable[[], float] | None = None
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)

    def ask(self, question: str) -> str | None:
        self.asked.append(question)
        return self.answers.pop(0) if self.answers else None

    @property
    def operator(self) -> Operator:
        return Operator(self.clock or (lambda: self.now), self.sleep, self.lines.append, self.ask)


@dataclass(frozen=True)
class Ran:
    """A command's exit code, and its output on stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """The progress: the lines on stderr before the failure's message."""
        return self.err.rpartition(_FAILED)[0] if _FAILED in self.err else self.err

    @property
    def failure(self) -> str:
        """The message of an expected failure, or an empty string; it is the last line of stderr."""
        message = self.err.rpartition(_FAILED)[2].rstrip("\n") if _FAILED in self.err else ""
        assert "\n" not in message
        return message

    @property
    def refusal(self) -> str:
        """The failure of a command that exited with 3 and printed nothing else; check both."""
        assert (self.code, self.out, self.told, bool(self.failure)) == (3, "", "", True), self
        return self.failure


Run = Callable[..., Ran]


def ran(
    call: Callable[[], int], printed: pytest.CaptureFixture[str], seat: Seat | None = None
) -> Ran:
    """Return the result of a call; with a seat, `err` has its lines and the failure's message."""
    failed = ""
    try:
        code = call()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except DtLogsError as error:
        code, failed = 2 if isinstance(error, UsageError) else 3, f"{_FAILED}{error}"
    out, err = printed.readouterr()
    return Ran(code, out, "\n".join(seat.lines) + failed if seat else err)


def run_main(argv: Sequence[str], printed: pytest.CaptureFixture[str]) -> Ran:
    """Run a command as from a shell."""
    return ran(lambda: main(argv), printed)


@dataclass(frozen=True)
class Runner:
    """Runs a command with each wait cut to a twentieth, as in the emulated account."""

    configure: Callable[[argparse.ArgumentParser], None]
    edge: Callable[[argparse.Namespace, Operator], int]
    capsys: pytest.CaptureFixture[str]
    answers: Sequence[str] = ()  # to each run's questions
    asked: list[str] = field(default_factory=list)  # the questions of all runs

    def __call__(self, *argv: str) -> Ran:
        parser = argparse.ArgumentParser()
        self.configure(parser)
        arguments = parser.parse_args(argv)
        seat = Seat(answers=[*self.answers], asked=self.asked, clock=time.monotonic)
        operator = replace(
            seat.operator, sleep=lambda s: time.sleep(s / 20), here=Here.of(arguments)
        )
        return ran(lambda: self.edge(arguments, operator), self.capsys, seat)


def aws_cli() -> str:
    """Return the AWS CLI's path. If it is not installed, skip the test, or fail it in CI."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("aws", path=beside) or shutil.which("aws")
    if found is None:
        unavailable = pytest.fail if os.environ.get("CI") else pytest.skip
        unavailable("needs the AWS CLI: pip install awscli")
    return found
