"""One complete emulated AWS account on the loopback.

    with Sandbox(folder) as sandbox:
        stack = sandbox.cloudformation.create("dt-logs-analysis", asked, capabilities, role)

A sandbox does not write outside `folder`. On exit, it ends its processes and closes its sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from threading import Lock
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from dt_logs_rehearsal.account import Account, Consistency, Refused
from dt_logs_rehearsal.account.iam.access import ApiCall
from dt_logs_rehearsal.account.small_services import embedded_metrics
from dt_logs_rehearsal.cloudformation.custom_resource import CustomResources, Mailbox
from dt_logs_rehearsal.cloudformation.engine import CloudFormation
from dt_logs_rehearsal.cloudformation.resource_types import RULE, Context, scheduled_event
from dt_logs_rehearsal.cloudformation.stack import Stack
from dt_logs_rehearsal.functions.processes import Function, Functions, interpreter
from dt_logs_rehearsal.functions.runtime_api import Invocation
from dt_logs_rehearsal.http.endpoint import Endpoint
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.report.data import StackEvent
from dt_logs_rehearsal.vendor import VENDOR, Vendor

PARTITION, REGION, ACCOUNT = PLACE = "aws", "us-east-1", "123456789012"
CLOUDFORMATION, LAMBDA, DATA_THEOREM, ADMINISTRATOR = (
    "CloudFormation",
    "Lambda",
    "Data Theorem",
    "administrator",
)
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
_SESSION_LOCK = Lock()


class Sandbox:
    """An account, its endpoint, CloudFormation and Lambda, and the vendor's account."""

    def __init__(
        self,
        folder: Path,
        consistency: Consistency | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Prepare an empty account, with its own pace unless one is given."""
        self.pace = pace or Pace()
        self.account = Account(ACCOUNT, REGION, PARTITION, clock=self.pace, consistency=consistency)
        self.runtime = "no function was run"
        self.events: list[StackEvent] = []
        self.calls: list[ApiCall] = []
        self.logged: list[str] = []  # the functions' logs
        self.tell: Callable[[StackEvent], None] = lambda event: None
        self.mailbox = Mailbox()  # the functions' answers to CloudFormation
        self.endpoint = Endpoint(self.account, self.calls.append, self.mailbox.put)
        self.functions = Functions(folder, self.endpoint.url, self.pace)
        custom = CustomResources(self.endpoint.url, self.mailbox, self.pace, self._invoke)
        self.cloudformation = CloudFormation(PLACE, self._context, custom, self._emit)
        described = {"DescribeStacks": self.cloudformation.describe_stacks}
        self.endpoint.operations["cloudformation"] = described
        self._exits = ExitStack()
        self._clients: dict[str, tuple[Any, Any, Any, Any]] = {}  # by role
        self._made: dict[str, Function] = {}
        self._logs: dict[str, Any] = {}

    def __enter__(self) -> Sandbox:
        # On exit, the last entry runs first: waiting threads are released, then functions and
        # stacks end, then the endpoint is closed.
        self._exits.enter_context(self.endpoint)
        self._exits.callback(self.cloudformation.join)
        self._exits.enter_context(self.functions)
        self._exits.callback(self.mailbox.close)
        self.vendor = Vendor(
            self.account,
            self.client("s3", self.endpoint.session(DATA_THEOREM, VENDOR)),
            self.client("sns", self.endpoint.session(DATA_THEOREM, VENDOR)),
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()

    def client(self, service: Any, credentials: Mapping[str, str]) -> Any:
        """Return a boto3 client for the account's endpoint."""
        with _SESSION_LOCK:  # a session must not make clients in two threads at once
            return _session().client(
                service, endpoint_url=self.endpoint.url, config=_CONFIG, **credentials
            )

    def _emit(self, stack: Stack, logical: str, kind: str, status: str, reason: str) -> None:
        at, known = self.pace(), {each.logical_id: each.physical_id for each in stack.events}
        physical = stack.id if logical == stack.name else known.get(logical, "")
        if logical in stack.resources:
            physical = stack.resources[logical].physical_id
        event = StackEvent(at, logical, kind, status, reason, physical, stack.token)
        stack.events.append(event)
        self.events.append(replace(event, at=at - self.pace.began))
        self.tell(self.events[-1])

    def _context(self, stack: Stack) -> Context:
        if stack.role:
            self._assume(stack.role, "cloudformation.amazonaws.com")
        role = stack.role or stack.caller  # empty for an administrator
        if role not in self._clients:
            who = self.endpoint.session(CLOUDFORMATION if role else ADMINISTRATOR, role=role)
            services = ("iam", "lambda", "logs", "events")
            iam, functions, logs, events = (self.client(each, who) for each in services)
            self._clients[role] = iam, functions, logs, events
        decide = partial(self.endpoint.decide, CLOUDFORMATION, role)

        def name(logical: str) -> str:
            return f"{stack.name[:24]}-{logical[:26]}-{stack.id[-12:]}"

        return Context(*self._clients[role], decide, name, stack.asked.tags, PLACE)

    def _assume(self, role: str, service: str) -> None:
        """Raise Refused unless the role exists and its trust policy lets the service assume it."""
        if not self.endpoint.lets_assume(role, service):
            text = f"Role {role} is invalid or cannot be assumed by {service}"
            raise Refused("ValidationError", text)

    def _invoke(self, stack: Stack, arn: str, event: Mapping[str, Any]) -> Callable[[], None]:
        """Start a function; return a callable that waits and logs its output. Raises Refused."""
        self._context(stack).decide("lambda:InvokeFunction", {"FunctionName": arn})
        return self._run(stack, arn, event)

    def run_schedule(self, stack: Stack) -> None:
        """Run a stack's function as its EventBridge rule does.

        Raises Refused unless the function's own policy lets EventBridge invoke it.
        """
        (name,) = (k for k, e in stack.asked.template["Resources"].items() if e["Type"] == RULE)
        rule = stack.resources[name].attributes["Arn"]
        (target,) = stack.resources[name].properties["Targets"]
        source = {"aws:sourcearn": rule, "aws:sourceaccount": ACCOUNT}
        if not self.endpoint.lets_invoke(target["Arn"], "events.amazonaws.com", source):
            raise Refused("AccessDeniedException", "EventBridge may not invoke the function", 403)
        event = scheduled_event(target, self.pace())
        self._run(stack, target["Arn"], event)()

    def _run(self, stack: Stack, arn: str, event: Mapping[str, Any]) -> Callable[[], None]:
        made = stack.resources.values()
        (given,) = (each.properties for each in made if each.attributes.get("Arn") == arn)
        function = self._function(arn, given)
        attempts = self.functions.invoke_async(function, event)
        return lambda: self._written(function, attempts.result())

    def _function(self, arn: str, given: Mapping[str, Any]) -> Function:
        known = self._made.get(arn)
        code = given["Code"]["ZipFile"]
        if known is not None and (known.code, known.timeout) == (code, float(given["Timeout"])):
            return known
        self._assume(given["Role"], "lambda.amazonaws.com")
        name = arn.rpartition(":")[2]
        credentials = self.endpoint.session(LAMBDA, role=given["Role"])
        made = Function(
            name=name,
            arn=arn,
            runtime=given["Runtime"],
            handler=given["Handler"],
            code=code,
            timeout=float(given["Timeout"]),
            memory=int(given["MemorySize"]),
            log_group=given.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{name}"),
            region=REGION,
            credentials={key.upper(): value for key, value in credentials.items()},
        )
        self._made[arn] = made
        self._logs[arn] = self.client("logs", credentials)
        self.runtime = interpreter(made.runtime)[1]
        return made

    def _written(self, function: Function, attempts: Iterable[Invocation]) -> None:
        """Write a function's output to its log with its role, as Lambda does; add its metrics."""
        logs, stream = self._logs[function.arn], f"2026/11/01/[$LATEST]{function.name}"
        there = suppress(logs.exceptions.ResourceAlreadyExistsException)
        where: dict[str, Any] = {"logGroupName": function.log_group}
        with suppress(ClientError):  # a function that may not log runs without a log
            if function.log_group.startswith("/aws/lambda/"):
                with there:
                    logs.create_log_group(**where)
            where["logStreamName"] = stream
            with there:
                logs.create_log_stream(**where)
            for text in (each.output for each in attempts if each.output):
                self.account.world.metrics += embedded_metrics(text)
                events: Any = [{"timestamp": int(self.pace() * 1000), "message": text}]
                logs.put_log_events(**where, logEvents=events)
                self.logged.append(text)


@cache
def _session() -> Any:
    """Return one session for all clients: it keeps botocore's models, which are slow to load."""
    return boto3.Session(region_name=REGION)
