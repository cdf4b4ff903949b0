"""One run of the handler with a simulated clock, Lambda and CloudFormation."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from dt_logs_handler.main import Clients, World, handle

from .events import NOON

Answer = dict[str, object]


@dataclass
class Clock:
    """A simulated clock: reading it advances it by 0.01 s, and sleeping by the time slept."""

    now: float = NOON
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        self.now += 0.01
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Context:
    """Lambda's context for an invocation that has just begun."""

    seconds: float = 900.0
    log_group_name: str = "/aws/lambda/dt-logs-DTLogsAnalysisLambdaFunction-9HqT3cVwXyZ1"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def run_event(
    event: object, clients: Callable[[], Clients], clock: Clock, seconds: float = 900.0
) -> Answer:
    """Handle an event, and return the only answer, checked and parsed."""
    (answer,) = answers(event, clients, clock, seconds)
    return answer


def answers(
    event: object, clients: Callable[[], Clients], clock: Clock, seconds: float = 900.0
) -> list[Answer]:
    """Handle an event, and return all its answers, checked and parsed."""
    bodies: list[tuple[str, bytes]] = []

    def receive(url: str, body: bytes) -> int:
        bodies.append((url, body))
        return 200

    handle(event, Context(seconds), World(clients, receive, clock, clock.sleep, Random(7)))
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
