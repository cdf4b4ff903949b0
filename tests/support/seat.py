"""An operator for tests of commands that wait and ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dt_logs_cfn.cli.terminal import Operator


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
