"""CloudFormation's part, as far as a custom resource sees it: events, answers, rollback."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import ModuleType

from dt_logs_handler import main
from dt_logs_rehearsal.account import Clock

Properties = dict[str, object]
Clients = Callable[[], tuple[object, object, object]]
VENDOR = "999988887777"
ENDPOINT = "https://logs.example.com/in?token=s3cr3t"
FUNCTION_SECONDS = 900


@dataclass(frozen=True)
class Lambda:
    """One invocation's context."""

    clock: Clock
    started: float
    log_group_name: str = "/aws/lambda/dt-logs-analysis"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.started + FUNCTION_SECONDS - self.clock()) * 1000)


@dataclass
class Stack:
    """One stack with the custom resource in it; `properties` are those of its last good state."""

    clock: Clock
    account: str = "123456789012"
    region: str = "eu-west-1"
    partition: str = "aws"
    seed: int = 0
    properties: Properties | None = None
    id: str = ""
    random: random.Random = field(default_factory=random.Random)
    code: ModuleType = main  # the handler's `main`, of this release or another
    workers: int = 1  # one after the other, so that calls come in the same order each time
    _privileges: object = ""

    def __post_init__(self) -> None:
        unique = uuid.UUID(int=random.Random(self.seed).getrandbits(128))
        self.random = random.Random(self.seed)
        self.id = (
            f"arn:{self.partition}:cloudformation:{self.region}:{self.account}"
            f":stack/dt-logs/{unique}"
        )

    @property
    def privileges(self) -> object:
        """Return under which role the function last ran."""
        return self._privileges

    def event(
        self, kind: str, properties: Mapping[str, object], old: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        """Return the event that CloudFormation sends now; no two have the same second."""
        self.clock.sleep(1)
        self._privileges = properties["Privileges"]
        date = datetime.fromtimestamp(self.clock(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        event: dict[str, object] = {
            "RequestType": kind,
            "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:dt",
            "ResponseURL": f"https://answers.example.com/a?X-Amz-Date={date}&X-Amz-Signature=5ecret",
            "StackId": self.id,
            "RequestId": str(self.random.getrandbits(64)),
            "LogicalResourceId": "InvokeLambdaFunction",
            "ResourceType": "Custom::DTLogsAnalysis",
            "ResourceProperties": dict(properties),
        }
        if kind != "Create":
            event["PhysicalResourceId"] = "whatever"
        if old is not None:
            event["OldResourceProperties"] = dict(old)
        return event

    def send(self, event: Mapping[str, object], clients: Clients) -> dict[str, object]:
        """Let the function handle an event, and return its answer."""
        answers: list[bytes] = []

        def receive(url: str, body: bytes) -> int:
            assert url == event["ResponseURL"]
            answers.append(body)
            return 200

        several = [self.workers] if self.workers > 1 else []
        world = self.code.World(
            clients, receive, self.clock, self.clock.sleep, self.random, *several
        )
        self.code.handle(dict(event), Lambda(self.clock, self.clock()), world)
        (body,) = answers
        assert len(body) <= 4096
        answer: dict[str, object] = json.loads(body)
        for name in ("StackId", "RequestId", "LogicalResourceId"):
            assert answer[name] == event[name]
        assert answer["Status"] == "SUCCESS" or answer["Reason"]
        return answer

    def create(
        self, properties: Properties, clients: Clients, follow: bool = True
    ) -> dict[str, object]:
        """Create; where that fails, CloudFormation sends a Delete."""
        answer = self.send(self.event("Create", properties), clients)
        if answer["Status"] == "SUCCESS":
            self.properties = properties
        elif follow:
            self.send(self.event("Delete", properties), clients)
        return answer

    def update(
        self, properties: Properties, clients: Clients, follow: bool = True
    ) -> dict[str, object]:
        """Update; where that fails, CloudFormation sends an Update back."""
        assert self.properties is not None
        old = self.properties
        answer = self.send(self.event("Update", properties, old), clients)
        if answer["Status"] == "SUCCESS":
            self.properties = properties
        elif follow:
            back = self.send(self.event("Update", old, properties), clients)
            assert back["Status"] == "SUCCESS", back["Reason"]
        return answer

    def delete(self, clients: Clients) -> dict[str, object]:
        """Delete the stack."""
        assert self.properties is not None
        answer = self.send(self.event("Delete", self.properties), clients)
        if answer["Status"] == "SUCCESS":
            self.properties = None
        return answer


def properties(*load_balancers: str, **changed: object) -> Properties:
    """Return the custom resource's properties as CloudFormation sends them."""
    return {
        "ServiceToken": "arn:aws:lambda:eu-west-1:123456789012:function:dt",
        "ServiceTimeout": "1200",
        "LoadBalancerArns": list(load_balancers),
        "DataTheoremAccountId": VENDOR,
        "NotificationEndpoint": ENDPOINT,
        "LogBucketName": "",
        "LogRetentionDays": "30",
        "VendorReadScope": "LoadBalancer",
        "RunToken": "",
        "ResourceTags": [""],
        "ExistingLogBucketNames": [""],
        "Privileges": "least-privilege",
        "TemplateVersion": "0.1.0",
        "HandlerSha256": "0" * 64,
        **changed,
    }
