"""CloudFormation as a custom resource sees it: events, answers and rollback."""

from __future__ import annotations

import copy
import io
import json
import random
import uuid
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import ModuleType
from typing import Any

from support import events
from support.events import ENDPOINT, VENDOR, Event, Properties, properties
from support.running import FUNCTION_SECONDS, Answer, Clients, Lambda, run_event

from dt_logs_handler import main
from dt_logs_rehearsal.account import Clock
from lifecycle.faults import error

__all__ = ["ENDPOINT", "VENDOR", "Answer", "Clients", "Properties", "Stack", "properties"]


@dataclass
class Stack:
    """A stack with the custom resource; `properties` are those of its last successful state."""

    clock: Clock
    account: str = "123456789012"
    region: str = "eu-west-1"
    partition: str = "aws"
    seed: int = 0
    properties: Properties | None = None
    id: str = ""
    random: random.Random = field(default_factory=random.Random)
    code: ModuleType = main  # the handler's `main`, from this release or another
    workers: int = 1  # with one worker, the order of calls is always the same
    status: str = ""  # shown by CloudFormation, like `parameters` and `updated`
    parameters: Properties = field(default_factory=dict)
    updated: float = 0.0
    privileges: object = ""  # the role's privileges in the last run
    sent: list[Event] = field(default_factory=list)  # the events in order, to send one again

    def __post_init__(self) -> None:
        unique = uuid.UUID(int=random.Random(self.seed).getrandbits(128))
        self.random = random.Random(self.seed)
        here = f"{self.region}:{self.account}:stack/dt-logs/{unique}"
        self.id = self.id or f"arn:{self.partition}:cloudformation:{here}"

    def event(
        self, kind: str, properties: Mapping[str, object], old: Mapping[str, object] | None = None
    ) -> Event:
        """Return the event that CloudFormation sends now; no two events have the same date."""
        self.clock.sleep(1)
        self.privileges = properties["Privileges"]
        event = events.event(kind, properties, old, at=self.clock(), stack=self.id)
        return {**event, "RequestId": str(self.random.getrandbits(64))}

    def send(self, event: Event, clients: Clients, seconds: float = FUNCTION_SECONDS) -> Answer:
        """Handle an event in a function that times out after `seconds`; return its answer."""
        self.sent.append(copy.deepcopy(event))
        return run_event(event, clients, self.clock, seconds, self.random, self.workers, self.code)

    def run(
        self,
        kind: str,
        properties: Properties,
        clients: Clients,
        old: Properties | None = None,
        seconds: float = FUNCTION_SECONDS,
    ) -> Answer:
        """Send an event now, and return its answer; only a success changes the stack's state."""
        self.becomes(f"{kind.upper()}_IN_PROGRESS", properties)
        answer = self.send(self.event(kind, properties, old), clients, seconds)
        if answer["Status"] == "SUCCESS":
            self.becomes(f"{kind.upper()}_COMPLETE", properties)
            self.properties = None if kind == "Delete" else properties
        return answer

    def create(self, properties: Properties, clients: Clients) -> Answer:
        """Send a Create, and a Delete if it fails; return the answer to the Create."""
        answer = self.run("Create", properties, clients)
        if answer["Status"] != "SUCCESS":
            self.run("Delete", properties, clients)
        return answer

    def update(self, properties: Properties, clients: Clients) -> Answer:
        """Send an Update, and an Update back if it fails; the Update back must succeed."""
        assert self.properties is not None
        answer = self.run("Update", properties, clients, old := self.properties)
        if answer["Status"] != "SUCCESS":
            back = self.run("Update", old, clients, properties)
            assert back["Status"] == "SUCCESS", back["Reason"]
        return answer

    def delete(self, clients: Clients) -> Answer:
        """Delete the stack, and return the answer."""
        assert self.properties is not None
        return self.run("Delete", self.properties, clients)

    def becomes(self, status: str, properties: Properties) -> None:
        """Set the status, the parameters and the time of the update that CloudFormation shows."""
        self.status, self.parameters, self.updated = status, properties, self.clock()

    def refresh(self, clients: Clients, **event: Any) -> dict[str, Any]:
        """Handle the schedule's event as `refreshed` does, and return the log line.

        Do not call this in a thread, because it captures everything that the process prints.
        """
        with redirect_stdout(io.StringIO()) as printed:
            self.refreshed(clients, **event)
        line: dict[str, Any] = json.loads(printed.getvalue().splitlines()[-1])
        return line

    def refreshed(
        self,
        clients: Clients,
        at: float | None = None,
        stack: str = "",
        allowed: Callable[[], None] = lambda: None,
    ) -> None:
        """Handle the schedule's event, by default with the current time and this stack's ID.

        `allowed` raises if the function may not describe stacks.
        """
        time = datetime.fromtimestamp(self.clock() if at is None else at, timezone.utc)
        event = {
            "RequestType": "Refresh",
            "StackId": stack or self.id,
            "Time": f"{time:%Y-%m-%dT%H:%M:%SZ}",
        }
        client: Any = _Describer(self, allowed)
        clock, ends = self.clock, self.clock() + FUNCTION_SECONDS
        world = main.World(
            clients, _refuse, clock, clock.sleep, self.random, self.workers, lambda: client
        )
        main.handle(event, Lambda(clock, ends), world)


@dataclass(frozen=True)
class _Describer:
    """The part of a CloudFormation client that the function uses; it knows only one stack."""

    stack: Stack
    allowed: Callable[[], None]

    def describe_stacks(self, **params: str) -> dict[str, Any]:
        self.allowed()
        if params != {"StackName": self.stack.id}:
            text = "no identity-based policy allows the cloudformation:DescribeStacks action"
            raise error("AccessDenied", "DescribeStacks", text)
        shown = [
            {
                "ParameterKey": name,
                "ParameterValue": ",".join(value) if isinstance(value, list) else value,
            }
            for name, value in self.stack.parameters.items()
            if name not in ("ServiceToken", "ServiceTimeout", "Privileges")
        ]
        state = {"StackStatus": self.stack.status, "LastUpdatedTime": self.stack.updated}
        return {"Stacks": [{**state, "Parameters": shown}]}


def _refuse(url: str, body: bytes) -> int:
    raise AssertionError("a refresh has nobody to answer")
