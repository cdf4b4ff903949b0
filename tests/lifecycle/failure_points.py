"""Every failure point: run each scenario once for each of its calls and each way it can fail.

The calls are recorded first, so that a new call is covered at once. A failure hits one call; in the
modes `denied`, `throttled` and `unanswered`, it also hits every later call of the same operation in
that event. What follows runs without failures. CloudFormation sends a Delete after a failed Create,
an Update back after a failed Update, and another Delete after a failed one. After a kill, Lambda
repeats the event, or CloudFormation sends its next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from botocore.exceptions import ClientError, ReadTimeoutError

from dt_logs_rehearsal.account import Account, Clock, Snapshot
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import VENDOR, Stack
from lifecycle.scenarios import Scenario, clients_of

MODES = ("denied", "throttled", "lost", "unanswered", "killed before", "killed after")


class Killed(BaseException):
    """The process was killed during a call."""


@dataclass
class Faults:
    """Records the calls, and makes call number `at` fail in a mode."""

    at: int = -1
    mode: str = ""
    calls: list[str] = field(default_factory=list)
    _failing: str = ""

    def before(self, service: str, operation: str, params: object) -> None:
        number = len(self.calls)
        self.calls.append(f"{service}:{operation}")
        hit = number == self.at or (self._failing == operation and number > self.at)
        if not hit:
            return
        match self.mode:
            case "denied" | "throttled":
                self._failing = operation
                code = {"denied": "AccessDenied", "throttled": "ThrottlingException"}[self.mode]
                text = f"no identity-based policy allows the {operation} action"
                raise ClientError({"Error": {"Code": code, "Message": text}}, operation)
            case "killed before":
                raise Killed
            case "unanswered":
                self._failing = operation

    def after(self, service: str, operation: str, params: object) -> None:
        number = len(self.calls) - 1
        hit = number == self.at or (self._failing == operation and number > self.at)
        if hit and self.mode in ("lost", "unanswered"):
            raise ReadTimeoutError(endpoint_url="https://aws.example.com")
        if hit and self.mode == "killed after":
            raise Killed


@dataclass
class World:
    """One run's account, clock and stack."""

    scenario: Scenario
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.arns = self.scenario.prepare(self.account)
        self.stack = Stack(self.clock, seed=1)
        self.initial = self.account.snapshot()
        before = self.scenario.before(self.arns)
        if before is not None:
            answer = self.stack.create(before, self.clients)
            assert answer["Status"] == "SUCCESS", answer["Reason"]
        self.start = self.account.snapshot()

    def clients(self) -> tuple[object, object, object]:
        return clients_of(self.account)

    def failing(self) -> tuple[object, object, object]:
        hooks = {"before": self.faults.before, "after": self.faults.after}
        return (
            self.account.client("elbv2", **hooks),
            self.account.client("s3", **hooks),
            self.account.client("sns", **hooks),
        )

    def event(self) -> dict[str, object]:
        """Return the event under test."""
        old, new = self.stack.properties, self.scenario.after(self.arns)
        if old is None:
            assert new is not None
            return self.stack.event("Create", new)
        return (
            self.stack.event("Delete", old) if new is None else self.stack.event("Update", new, old)
        )


def recorded(scenario: Scenario) -> list[str]:
    """Return the calls that the event makes when nothing fails."""
    world = World(scenario)
    answer = world.stack.send(world.event(), world.failing)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    return world.faults.calls


def points(scenario: Scenario) -> Iterator[tuple[int, str, bool]]:
    """Yield failure points: the call's number, the mode, and whether Lambda repeats the event."""
    for number, _ in enumerate(recorded(scenario)):
        for mode in MODES:
            yield number, mode, False
            if mode.startswith("killed"):
                yield number, mode, True


def violations(
    scenario: Scenario, number: int, mode: str, repeated: bool, workers: int = 1
) -> list[str]:
    """Try one failure point, and return what is wrong afterwards."""
    world = World(scenario)
    world.stack.workers = workers
    world.faults.at, world.faults.mode = number, mode
    event = world.event()
    try:
        answer = world.stack.send(event, world.failing)
    except Killed:
        answer = {"Status": "KILLED"}
    status = answer["Status"]
    reason = str(answer.get("Reason"))
    if mode == "denied" and status == "SUCCESS" and "could not be read" in reason:
        return []  # a Delete reports what it may not read, and still succeeds
    told = ("may not be deleted", "reads nothing", "if it is there")
    if status == "SUCCESS" and mode == "denied" and any(each in reason for each in told):
        if readers := _readers(world):
            return [f"the vendor still reads: {readers}"]
        status = "KEPT"  # harmless leftovers are only reported; the customer removes them
        if "the test file" in reason or "holds logs" in reason:
            _without_test_files(world, reason)
    world.clock.sleep(60)
    if status == "KILLED" and repeated:
        status = world.stack.send(event, world.clients)["Status"]
        if status != "SUCCESS":
            return [f"the repeated event failed: {status}"]
    return _settled(world, str(status))


def _settled(world: World, status: str) -> list[str]:
    """Send CloudFormation's next event, and compare the account with its expected state."""
    stack, clients = world.stack, world.clients
    old, new = stack.properties, world.scenario.after(world.arns)
    if new is None:
        if status != "SUCCESS":
            assert old is not None
            stack.send(stack.event("Delete", old), clients)
        return _compared(world, world.initial)
    if old is None:
        answer = stack.send(stack.event("Delete", new), clients)
        return _compared(world, world.initial) + _unless(answer)
    back = stack.send(stack.event("Update", old, new), clients)
    return _compared(world, world.start) + _unless(back)


def _readers(world: World) -> list[str]:
    """Return the buckets in which one of the stack's statements still names the vendor."""
    mine = f"Read{hashlib.sha256(world.stack.id.encode()).hexdigest()[:12]}"
    return [
        name
        for name, bucket in world.account.snapshot()["buckets"].items()
        for each in (bucket["policy"] or {"Statement": []})["Statement"]
        if mine in each.get("Sid", "") and VENDOR in str(each["Principal"])
    ]


def _without_test_files(world: World, reason: str) -> None:
    """Remove the test files that the reason names, as the customer would."""
    for name, bucket in world.account.snapshot()["buckets"].items():
        for key in bucket["objects"]:
            if f"s3://{name}/{key}" in reason and key.endswith("ELBAccessLogTestFile"):
                world.account.s3.delete_object(Bucket=name, Key=key)


def _compared(world: World, expected: Snapshot) -> list[str]:
    documented = world.stack.privileges == "documented"
    return differences(expected, world.account.snapshot(), documented=documented)


def _unless(answer: dict[str, object]) -> list[str]:
    return [] if answer["Status"] == "SUCCESS" else [f"not followed up: {answer['Reason']}"]
