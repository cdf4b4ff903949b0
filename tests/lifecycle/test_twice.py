"""An event arrives twice, and the second run fails; it must not damage the first run's work.

Lambda's queue may deliver an event again during or after its first run. CloudFormation takes the
first answer and ignores the second, so the account must stay as the first run left it. Here, the
second run begins first. Before its call number `inside`, the whole first run takes place. Then the
second run continues, and its call number `at` fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from dt_logs_rehearsal.account import Snapshot
from lifecycle.cloudformation import ENDPOINT
from lifecycle.failure_points import World
from lifecycle.faults import MODES, NEVER, Faults
from lifecycle.scenarios import SCENARIOS, Scenario

EACH = {True: 11, False: 97}  # the full and the small size try one point in this many
COMING = tuple(each for each in SCENARIOS if not each.name.startswith(("delete", "leave")))


@dataclass(frozen=True)
class Twice:
    """The result of two runs of an event: how the second ended, its number of calls, its damage."""

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
    """Return how the account differs from the state that the first run left, if it took place.

    An Update also removes things that the stack no longer needs. If the second run has already
    changed the register, the first run does not see all of them, and the second run may still
    remove them. So after an Update, only missing things count.
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
    """Return the number of calls that the second run makes if none of them fails."""
    return twice(scenario, inside).calls


def points(scenario: Scenario) -> Iterator[tuple[int, int, str]]:
    """Yield each point: when the first run takes place, which call of the second fails, and how."""
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
