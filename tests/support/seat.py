"""An operator who only watches, for tests of commands that wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from dt_logs_cfn.cli.terminal import Operator


@dataclass
class Seat:
    """An operator whose time passes only while they wait."""

    now: float = 0.0
    lines: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def operator(self) -> Operator:
        return Operator(lambda: self.now, self.sleep, self.lines.append, lambda question: None)
