"""CloudFormation as a custom resource sees it: events, answers and rollback."""

from __future__ import annotations

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

from botocore.exceptions import ClientError

from dt_logs_handler import main
from dt_logs_rehearsal.account import Clock

Properties = dict[str, object]
Clients = Callable[[], tuple[object, object, object]]
VENDOR = "999988887777"
ENDPOINT = "https://logs.example.com/in?token=s3cr3t"
FUNCTION_SECONDS = 900


@dataclass(frozen=True)
class Lambda:
    """Lambda's context for one invocation."""

    clock: Clock
    started: float
    log_group_name: str = "/aws/lambda/dt-logs-analysis"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.started + FUNCTION_SECONDS - self.clock()) * 1000)


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
    workers: int = 1  # one, so that the order of calls never varies
    status: str = ""  # as CloudFormation shows it; so are `parameters` and `updated`
    parameters: Properties = field(default_factory=dict)
    updated: float = 0.0
    privileges: object = ""  # the privileges with which the function last ran

    def __post_init__(self) -> None:
        unique = uuid.UUID(int=random.Random(self.seed).getrandbits(128))
        self.random = random.Random(self.seed)
        self.id = (
            f"arn:{self.partition}:cloudformation:{self.region}:{self.account}"
            f":stack/dt-logs/{unique}"
        )

    def event(
        self, kind: str, properties: Mapping[str, object], old: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        """Return the event that CloudFormation sends now; no two events have the same date."""
        self.clock.sleep(1)
        self.privileges = properties["Privileges"]
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

    def send(
        self, event: Mapping[str, object], clients: Clients, seconds: float = FUNCTION_SECONDS
    ) -> dict[str, object]:
        """Handle an event in a function that times out after `seconds`; return its answer."""
        answers: list[bytes] = []

        def receive(url: str, body: bytes) -> int:
            assert url == event["ResponseURL"]
            answers.append(body)
            return 200

        several = [self.workers] if self.workers > 1 else []
        world = self.code.World(
            clients, receive, self.clock, self.clock.sleep, self.random, *several
        )
        started = self.clock() + seconds - FUNCTION_SECONDS
        self.code.handle(dict(event), Lambda(self.clock, started), world)
        (body,) = answers
        assert len(body) <= 4096
        answer: dict[str, object] = json.loads(body)
        for name in ("StackId", "RequestId", "LogicalResourceId"):
            assert answer[name] == event[name]
        assert answer["Status"] == "SUCCESS" or answer["Reason"]
        return answer

    def create(self, properties: Properties, clients: Clients) -> dict[str, object]:
        """Send a Create, and a Delete if it fails; return the answer to the Create."""
        self.becomes("CREATE_IN_PROGRESS", properties)
        answer = self.send(self.event("Create", properties), clients)
        if answer["Status"] == "SUCCESS":
            self.properties = properties
            self.becomes("CREATE_COMPLETE", properties)
        else:
            self.becomes("ROLLBACK_IN_PROGRESS", properties)
            self.send(self.event("Delete", properties), clients)
        return answer

    def update(self, properties: Properties, clients: Clients) -> dict[str, object]:
        """Send an Update, and an Update back if it fails; return the answer to the Update."""
        assert self.properties is not None
        old = self.properties
        self.becomes("UPDATE_IN_PROGRESS", properties)
        answer = self.send(self.event("Update", properties, old), clients)
        if answer["Status"] == "SUCCESS":
            self.properties = properties
            self.becomes("UPDATE_COMPLETE", properties)
        else:
            self.becomes("UPDATE_ROLLBACK_IN_PROGRESS", old)
            back = self.send(self.event("Update", old, properties), clients)
            assert back["Status"] == "SUCCESS", back["Reason"]
            self.becomes("UPDATE_ROLLBACK_COMPLETE", old)
        return answer

    def delete(self, clients: Clients) -> dict[str, object]:
        """Delete the stack, and return the answer."""
        assert self.properties is not None
        self.becomes("DELETE_IN_PROGRESS", self.properties)
        answer = self.send(self.event("Delete", self.properties), clients)
        if answer["Status"] == "SUCCESS":
            self.properties = None
        return answer

    def becomes(self, status: str, properties: Properties) -> None:
        """Set the status and the parameters that CloudFormation shows."""
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
        client: Any = Describer(self, allowed)
        world = main.World(
            clients,
            _refuse,
            self.clock,
            self.clock.sleep,
            self.random,
            self.workers,
            lambda: client,
        )
        main.handle(event, Lambda(self.clock, self.clock()), world)


@dataclass(frozen=True)
class Describer:
    """The part of a CloudFormation client that the function uses; it knows only one stack."""

    stack: Stack
    allowed: Callable[[], None]

    def describe_stacks(self, **params: str) -> dict[str, Any]:
        self.allowed()
        if params != {"StackName": self.stack.id}:
            text = "no identity-based policy allows the cloudformation:DescribeStacks action"
            error: Any = {"Error": {"Code": "AccessDenied", "Message": text}}
            raise ClientError(error, "DescribeStacks")
        shown = {
            name: ",".join(value) if isinstance(value, list) else value
            for name, value in self.stack.parameters.items()
            if name not in ("ServiceToken", "ServiceTimeout", "Privileges")
        }
        found = {
            "StackStatus": self.stack.status,
            "LastUpdatedTime": self.stack.updated,
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": value} for name, value in shown.items()
            ],
        }
        return {"Stacks": [found]}


def _refuse(url: str, body: bytes) -> int:
    raise AssertionError("a refresh has nobody to answer")


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
