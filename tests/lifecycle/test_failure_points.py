"""However any call fails, the next event brings the account to its expected state.

Each scenario runs once for each call and each way the call can fail. The calls are recorded first,
so that no call is missed. Later events run without failures. CloudFormation sends a
Delete after a failed Create, an Update back after a failed Update, and another Delete after a
failed Delete. After a kill, Lambda repeats the event, or CloudFormation sends its next event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import pytest
from support.looks import granted

from lifecycle.faults import MODES, Faults
from lifecycle.scenarios import SCENARIOS, Answer, Scenario, World

EACH = 11  # at the small size, try every n-th point


def recorded(scenario: Scenario) -> list[str]:
    """Return the calls that a scenario's event makes without failures."""
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
        if any(each in reason for each in ("may not be deleted", "read nothing", "if it exists")):
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


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_every_failure_is_made_good(
    scenario: Scenario, full: bool, record_property: Callable[[str, object], None]
) -> None:
    tried = list(points(scenario))[:: 1 if full else EACH]
    wrong = {each: found for each in tried if (found := violations(scenario, *each))}

    record_property("failure points tried", len(tried))
    record_property("failure points tried wrong", len(wrong))
    assert wrong == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["three load balancers", "all new load balancers", "exchange"])
def test_every_failure_is_made_good_among_several_at_once(name: str, mode: str, full: bool) -> None:
    """Calls run in parallel, so the failing call is random, but the result must not be."""
    (scenario,) = (each for each in SCENARIOS if each.name == name)
    for number in range(0, len(recorded(scenario)), 1 if full else 3):
        assert violations(scenario, number, mode, False, workers=3) == [], number
