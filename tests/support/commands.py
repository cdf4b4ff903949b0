"""Run commands that operate stacks, in this process; find the AWS CLI."""

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

Edge = Callable[[argparse.Namespace, Operator], int]
Configure = Callable[[argparse.ArgumentParser], None]


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

    configure: Configure
    edge: Edge
    capsys: pytest.CaptureFixture[str]
    answers: Sequence[str] = ()  # to the command's questions; once empty, nobody answers
    asked: list[str] = field(default_factory=list)  # the questions so far
    sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds / 20)

    def answering(self, *answers: str) -> Runner:
        """Return a copy with an operator who gives these answers."""
        return replace(self, answers=answers)

    def __call__(self, *argv: str) -> Ran:
        parser = argparse.ArgumentParser()
        self.configure(parser)
        arguments = parser.parse_args(argv)
        lines: list[str] = []
        left = list(self.answers)

        def ask(question: str) -> str | None:
            self.asked.append(question)
            return left.pop(0) if left else None

        here = Here.of(arguments)
        operator = Operator(sleep=self.sleep, tell=lines.append, ask=ask, here=here)
        code, failure = 0, ""
        try:
            code = self.edge(arguments, operator)
        except DtLogsError as error:
            code, failure = 2 if isinstance(error, UsageError) else 3, str(error)
            assert "\n" not in failure
        return Ran(code, self.capsys.readouterr().out, "\n".join(lines), failure)


def aws_cli() -> str:
    """Return the AWS CLI's path. If it is not installed, skip the test, or fail it in CI."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which("aws", path=beside) or shutil.which("aws")
    if found is None:
        text = "needs the AWS CLI: pip install awscli"
        if os.environ.get("CI"):
            pytest.fail(text)
        pytest.skip(text)
    return found
