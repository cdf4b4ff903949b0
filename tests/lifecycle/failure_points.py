"""Every failure point: run each scenario once for each call and each way the call can fail.

The calls are recorded first, so that a new call is covered at once. Later events run without
failures. CloudFormation sends a Delete after a failed Create, an Update back after a failed Update,
and another Delete after a failed Delete. After a kill, Lambda repeats the event, or CloudFormation
sends its next event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from support.looks import granted

from lifecycle.cases import Answer, Case
from lifecycle.faults import MODES, Faults
from lifecycle.scenarios import Scenario


class World(Case):
    """One run of a scenario, prepared up to the event under test."""

    def __init__(self, scenario: Scenario, confirms: bool = False) -> None:
        super().__init__(scenario.prepare)
        self.scenario, self.confirms = scenario, confirms
        self.old, self.new = scenario.before(self.arns), scenario.after(self.arns)
        if self.old is not None:
            self.sent("Create", self.old)
        self.start = self.account.snapshot()

    def event(self) -> dict[str, object]:
        """Return the event under test."""
        if self.new is None:
            assert self.old is not None
            return self.stack.event("Delete", self.old)
        return self.stack.event("Update" if self.old else "Create", self.new, self.old)


def recorded(scenario: Scenario) -> list[str]:
    """Return the calls that a scenario's event makes if none of them fails."""
    world, faults = World(scenario), Faults()
    answer = world.attempt(world.event(), faults)
    assert answer and answer["Status"] == "SUCCESS", answer
    return faults.calls


def points(scenario: Scenario) -> Iterator[tuple[int, str, bool]]:
    """Yield failure points: a call's number, a mode, and whether Lambda repeats the event."""
    for number, _ in enumerate(recorded(scenario)):
        for mode in MODES:
            yield number, mode, False
            if mode.startswith("killed"):
                yield number, mode, True


def violations(
    scenario: Scenario, number: int, mode: str, repeated: bool, workers: int = 1
) -> list[str]:
    """Try one failure point, and return the violations afterwards."""
    world = World(scenario)
    world.stack.workers = workers
    event = world.event()
    answer = world.attempt(event, Faults(number, mode)) or {"Status": "KILLED"}
    status, reason = answer["Status"], str(answer.get("Reason"))
    if mode == "denied" and status == "SUCCESS":
        if "could not be read" in reason:
            return []  # a Delete succeeds, and reports anything that it may not read
        if any(
            each in reason for each in ("may not be deleted", "reads nothing", "if it is there")
        ):
            tag = hashlib.sha256(world.stack.id.encode()).hexdigest()[:12]
            if readers := [each for each in granted(world.account) if f"Read{tag}" in each]:
                return [f"the vendor still reads: {readers}"]
            status = "KEPT"  # harmless leftovers are only reported; the customer removes them
            _without_test_files(world, reason)
    world.clock.sleep(60)
    if status == "KILLED" and repeated:
        status = world.stack.send(event, world.clients)["Status"]
        if status != "SUCCESS":
            return [f"the repeated event failed: {status}"]
    return _settled(world, status)


def _settled(world: World, status: str) -> list[str]:
    """Send CloudFormation's next event; return how the account differs from its expected state."""
    if world.old and world.new:
        back = world.send("Update", world.old, world.new)
        return world.differs(world.start) + _unless(back)
    given = world.old or world.new
    assert given
    if world.new is None and status == "SUCCESS":
        return world.left()
    answer = world.send("Delete", given)
    return world.left() + _unless(answer)


def _without_test_files(world: World, reason: str) -> None:
    """Remove the test files that the reason names, as the customer would."""
    for name, bucket in world.account.snapshot()["buckets"].items():
        for key in bucket["objects"]:
            if f"s3://{name}/{key}" in reason and key.endswith("ELBAccessLogTestFile"):
                world.account.s3.delete_object(Bucket=name, Key=key)


def _unless(answer: Answer) -> list[str]:
    return [] if answer["Status"] == "SUCCESS" else [f"not followed up: {answer['Reason']}"]
