"""Run the handler once, with a simulated clock, Lambda and CloudFormation."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import ModuleType
from typing import Any

from dt_logs_handler import main
from dt_logs_rehearsal import account

from .events import NOON

Answer = dict[str, Any]
Clients = Callable[[], Any]
FUNCTION_SECONDS = 900.0


@dataclass
class Clock(account.Clock):
    """A simulated clock that records how long the handler slept."""

    now: float = NOON
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


@dataclass(frozen=True)
class Lambda:
    """Lambda's context for one invocation of a function that times out at the time `ends`."""

    clock: account.Clock
    ends: float
    log_group_name: str = "/aws/lambda/dt-logs-DTLogsAnalysisLambdaFunction-9HqT3cVwXyZ1"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.ends - self.clock()) * 1000)


def run_event(event: object, clients: Clients, clock: account.Clock, *more: Any) -> Answer:
    """Handle an event as `answers` does, and return the only answer."""
    (answer,) = answers(event, clients, clock, *more)
    return answer


def answers(
    event: object,
    clients: Clients,
    clock: account.Clock,
    seconds: float = FUNCTION_SECONDS,
    random: Random | None = None,
    workers: int = 1,
    code: ModuleType = main,
) -> list[Answer]:
    """Handle an event in a function that times out after `seconds`; check and return all answers.

    `code` is the handler's `main`, of this release or another.
    """
    bodies: list[tuple[str, bytes]] = []

    def receive(url: str, body: bytes) -> int:
        bodies.append((url, body))
        return 200

    several = [workers] if workers > 1 else []  # an older release may lack this argument
    world = code.World(clients, receive, clock, clock.sleep, random or Random(7), *several)
    code.handle(event, Lambda(clock, clock() + seconds), world)
    return [_checked(event, url, body) for url, body in bodies]


def _checked(event: object, url: str, body: bytes) -> Answer:
    """Check CloudFormation's requirements for an answer, and return the parsed answer."""
    assert isinstance(event, Mapping)
    assert url == event["ResponseURL"]
    assert len(body) <= 4096
    answer: Answer = json.loads(body)
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == event.get(name, "")
    identifier = answer["PhysicalResourceId"]
    assert isinstance(identifier, str) and 0 < len(identifier) <= 1024
    assert answer["Status"] in ("SUCCESS", "FAILED")
    assert answer["Status"] == "SUCCESS" or answer["Reason"]
    return answer
