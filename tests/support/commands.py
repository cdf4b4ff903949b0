"""Run commands that operate stacks, in this process, with an operator; find the AWS CLI."""

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

from dt_logs_cfn.cli.terminal import Here, Operator
from dt_logs_cfn.errors import DtLogsError, UsageError


@dataclass
class Seat:
    """An operator whose time passes only while they wait, unless a test gives a clock.

    `lines` and `asked` are what they were shown and asked. Once the answers end, nobody answers.
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
    """A command's result: its exit code, output, progress, and the one line of its failure."""

    code: int
    out: str
    told: str
    failure: str


@dataclass(frozen=True)
class Runner:
    """Runs a command that waits only a twentieth of the time, like the emulated account."""

    configure: Callable[[argparse.ArgumentParser], None]
    edge: Callable[[argparse.Namespace, Operator], int]
    capsys: pytest.CaptureFixture[str]
    answers: Sequence[str] = ()  # to each run's questions
    asked: list[str] = field(default_factory=list)  # the questions of all runs
    sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds / 20)

    def answering(self, *answers: str) -> Runner:
        """Return a copy with an operator who gives these answers."""
        return replace(self, answers=answers)

    def __call__(self, *argv: str) -> Ran:
        parser = argparse.ArgumentParser()
        self.configure(parser)
        arguments = parser.parse_args(argv)
        seat = Seat(answers=[*self.answers], asked=self.asked, clock=time.monotonic)
        operator = replace(seat.operator, sleep=self.sleep, here=Here.of(arguments))
        code, failure = 0, ""
        try:
            code = self.edge(arguments, operator)
        except DtLogsError as error:
            code, failure = 2 if isinstance(error, UsageError) else 3, str(error)
            assert "\n" not in failure
        return Ran(code, self.capsys.readouterr().out, "\n".join(seat.lines), failure)


def aws_cli() -> str:
    """Return the AWS CLI's path. If it is not installed, skip the test, or fail it in CI."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("aws", path=beside) or shutil.which("aws")
    if found is None:
        unavailable = pytest.fail if os.environ.get("CI") else pytest.skip
        unavailable("needs the AWS CLI: pip install awscli")
    return found
