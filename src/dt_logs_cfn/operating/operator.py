"""Whoever runs a command: their clock, their screen, and what they answer when they are asked."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.here import Here


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _ask(question: str) -> str | None:
    """Return an answer from the terminal; None where nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    print(question, end=" ", file=sys.stderr, flush=True)
    return sys.stdin.readline()


@dataclass(frozen=True)
class Operator:
    """Clock and sleep in seconds; `tell` shows a line of progress; `ask` returns an answer."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = _tell
    ask: Callable[[str], str | None] = _ask
    colour: bool = False

    def confirm(self, question: str, yes: bool) -> None:
        """Return if it is agreed to. Raises OperatingError if not, or if nobody is there to ask."""
        if yes:
            return
        answer = self.ask(f"{question} [y/N]")
        if answer is None:
            raise OperatingError(
                "Nobody is there to confirm this, so nothing was changed.",
                "Run it in a terminal, or with --yes.",
            )
        if answer.strip().lower() not in ("y", "yes"):
            raise OperatingError(
                "It was not confirmed, so nothing was changed.", "Run it again to be asked again."
            )


def at_terminal(here: Here) -> Operator:
    """Return the operator of this process; colours only where stderr is a terminal."""
    colour = sys.stderr is not None and sys.stderr.isatty()
    return Operator(tell=lambda line: _tell(here.text(line)), colour=colour)
