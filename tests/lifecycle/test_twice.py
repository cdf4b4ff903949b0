"""An event arrives too late or twice, or its stack is deleted meanwhile.

An event's second run may fail, but it must not damage the first run's work.

Lambda's queue may deliver an event again during or after its first run. CloudFormation takes the
first answer and ignores the second, so the account must stay as the first run left it. Here, the
whole first run takes place before call number `inside` of the second run. Then the second run
continues, and its call number `at` fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count

import pytest
from support.looks import granted

from dt_logs_rehearsal.account import Snapshot
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.scenarios.customers import announced, logging, new, three
from lifecycle.cloudformation import ENDPOINT, properties
from lifecycle.faults import MODES, NEVER, Faults
from lifecycle.scenarios import SCENARIOS, Case, Prepare, Scenario, World, switched_off

EACH = {True: 11, False: 97}  # at the full and the small size, try every n-th point
COMING = tuple(each for each in SCENARIOS if not each.name.startswith(("delete", "leave")))


@dataclass(frozen=True)
class Twice:
    """The result of two runs of an event: the second run's end, number of calls, and damage."""

    ended: str
    calls: int
    damaged: list[str]


def twice(scenario: Scenario, inside: int, at: int = NEVER, mode: str = "") -> Twice:
    """Run an event twice: the whole first run precedes call number `inside` of the second run."""
    world = World(scenario, confirms=True)
    event = world.event()
    first: list[Snapshot] = []

    def meanwhile(number: int) -> None:
        if number == inside:
            first.append(_alone(world, event))

    faults = Faults(at, mode, meanwhile)
    answer = world.attempt(event, faults) or {"Status": "KILLED"}
    return Twice(answer["Status"], len(faults.calls), _damaged(world, *first))


def _alone(world: World, event: dict[str, object]) -> Snapshot:
    """Run the event once without failures, and return the account after it."""
    answer = world.stack.send(event, world.clients)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    world.account.confirm(ENDPOINT)
    return world.account.snapshot()


def _damaged(world: World, *first: Snapshot) -> list[str]:
    """Return how the account differs from the state that the first run left, if there was one.

    An Update also removes things that the stack no longer needs. If the second run has already
    changed the register, the first run misses some of these, and the second run may remove them. So
    after an Update, only missing things count.
    """
    if world.old is None:
        return [line for each in first for line in world.differs(each)]
    return [each for each in world.differs(result(world.scenario)) if each.startswith("-")]


@cache
def result(scenario: Scenario) -> Snapshot:
    """Return the account after a single run of a scenario's event."""
    world = World(scenario, confirms=True)
    return _alone(world, world.event())


@cache
def calls(scenario: Scenario, inside: int) -> int:
    """Return the number of calls that the second run makes without failures."""
    return twice(scenario, inside).calls


def points(scenario: Scenario) -> Iterator[tuple[int, int, str]]:
    """Yield each point: when the first run happens, which call of the second fails, and how."""
    for inside in range(calls(scenario, NEVER)):
        yield inside, NEVER, ""
        for at in range(inside, calls(scenario, inside)):
            yield from ((inside, at, mode) for mode in MODES)


@pytest.mark.parametrize("scenario", COMING, ids=lambda each: each.name)
def test_a_second_run_that_fails_damages_nothing(
    scenario: Scenario, full: bool, record_property: Callable[[str, object], None]
) -> None:
    tried = list(points(scenario))[:: EACH[full]]
    found = {each: twice(scenario, *each) for each in tried}
    wrong = {each: one.damaged for each, one in found.items() if one.damaged}

    record_property("second runs failed", len(tried))
    record_property("second runs failed wrong", len(wrong))
    assert {each.ended for each in found.values()} == {"SUCCESS", "FAILED", "KILLED"}
    assert wrong == {}


def deleted_at(number: int, prepare: Prepare, **changes: object) -> list[str] | None:
    """Send a Delete right after call `number`; return what is left, or None if no such call exists.

    The endpoint confirms its subscription at once, so that a subscription can also be left.
    """
    case = Case(prepare)
    given = properties(*case.arns, **changes)
    calls: list[str] = []

    def after(service: str, operation: str, params: object) -> None:
        case.account.confirm(ENDPOINT)
        if calls or operation == "PutBucketPolicy":
            calls.append(operation)
            if len(calls) == number:
                case.after = no_hook
                case.sent("Delete", given)

    case.after = after
    case.send("Create", given)
    if len(calls) < number:
        return None
    return case.left() + [f"{each} may still read" for each in granted(case.account)]


@pytest.mark.parametrize(
    ("prepare", "changes"),
    [
        (new, {}),
        (logging, {}),
        (three, {}),
        (three, {"LoadBalancerArns": ["*"]}),
        (switched_off, {}),
        (announced, {}),
        (new, {"LogBucketName": "customers-own-name"}),
        (new, {"Privileges": "documented"}),
        (logging, {"Privileges": "documented"}),
    ],
)
def test_delete_during_create(prepare: Prepare, changes: dict[str, object]) -> None:
    """Calls are counted from the stack's registration; earlier, a Delete would find nothing."""
    for number in count(1):
        left = deleted_at(number, prepare, **changes)
        if left is None:
            assert number > 11
            return
        assert left == [], number


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("seconds", [0, 1300], ids=["after a later one", "after its time"])
def test_an_event_that_comes_too_late_changes_nothing(kind: str, seconds: int) -> None:
    """A later event was handled, or CloudFormation no longer waits for the answer."""
    case = Case(three)
    first, second = (properties(*arns) for arns in (case.arns[:2], case.arns[1:]))
    case.sent("Create", first)
    late = case.stack.event(kind, second, first)
    if not seconds:
        case.sent("Update", {**first, "LogRetentionDays": "60"}, first)
    case.clock.sleep(seconds)
    before = case.account.snapshot()

    assert case.stack.send(late, case.clients)["Status"] == "FAILED"

    assert case.account.snapshot() == before
