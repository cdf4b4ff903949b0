"""Whoever runs a command: their clock, their screen, and what they answer when they are asked."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dt_logs_cfn.cli.aws_options import Here
from dt_logs_cfn.errors import OperatingError


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _ask(question: str) -> str | None:
    """Return an answer from the terminal; None where nobody can be asked."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    try:
        print(question, end=" ", file=sys.stderr, flush=True)
        if not sys.stderr.writable():  # nobody sees what is asked
            return None
        return sys.stdin.readline()
    except KeyboardInterrupt:
        print(file=sys.stderr)  # what is told next begins a line
        raise


@dataclass(frozen=True)
class Operator:
    """Clock and sleep in seconds; `tell` shows a line of progress; `ask` returns an answer.

    `here` is what the command was given that ours suggest.
    """

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = _tell
    ask: Callable[[str], str | None] = _ask
    colour: bool = False
    here: Here = field(default_factory=Here)

    def advise(self, text: str) -> None:
        """Tell words of our own; each command between backticks in them works as it stands."""
        self.tell(self.here.text(text))

    def confirm(self, question: str, yes: bool, unless: str = "nothing was changed") -> None:
        """Return if it is agreed to. Raises OperatingError if not, or if nobody is there to ask.

        `unless` is how things are where it is not: KeyboardInterrupt, too, comes with that told.
        """
        if yes:
            return
        try:
            answer = self.ask(f"{question} [y/N]")
        except KeyboardInterrupt:
            self.tell(f"It was not confirmed, so {unless}.")
            raise
        if answer is None:
            raise OperatingError(
                f"Nobody is there to confirm this, so {unless}.",
                "Run it in a terminal, or with --yes.",
            )
        if answer.strip().lower() not in ("y", "yes"):
            raise OperatingError(
                f"It was not confirmed, so {unless}.", "Run it again to be asked again."
            )


def at_terminal(here: Here) -> Operator:
    """Return the operator of this process; colours only where stderr is a terminal."""
    colour = sys.stderr is not None and sys.stderr.isatty()
    return Operator(colour=colour, here=here)
