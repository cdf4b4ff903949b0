"""An event arrives twice, and its second run fails: it must not damage what the first run made.

Lambda's queue may deliver an event again during or after its first run. CloudFormation takes the
first answer and ignores the second, so the account must stay as the first run left it. Here the
second run begins first. The whole first run takes place before its call number `inside`. Then the
second run goes on, and its call number `at` fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from support.looks import changed

from dt_logs_rehearsal.account import Snapshot
from lifecycle.cloudformation import ENDPOINT
from lifecycle.failure_points import MODES, Killed, World
from lifecycle.scenarios import SCENARIOS, Scenario

NEVER = -1
EACH = {True: 11, False: 97}  # the full and the small size try one of this many points
COMING = tuple(each for each in SCENARIOS if not each.name.startswith(("delete", "leave")))


class Twice:
    """Two runs of one event: the first takes place before call number `inside` of the second."""

    def __init__(self, scenario: Scenario, inside: int) -> None:
        self.world = World(scenario)
        self.world.account.confirm(ENDPOINT)
        self.inside = inside
        self.event = self.world.event()
        self.first: dict[str, object] | None = None

    def _first(self) -> None:
        world = self.world
        answer = world.stack.send(self.event, world.clients)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        world.account.confirm(ENDPOINT)
        self.first = world.account.snapshot()

    def second(self, at: int, mode: str) -> str:
        """Run the event a second time with a failing call, and return how it ended."""
        world, faults = self.world, self.world.faults
        faults.at, faults.mode = at, mode

        def before(service: str, operation: str, params: object) -> None:
            if len(faults.calls) == self.inside:
                self._first()
            faults.before(service, operation, params)

        def clients() -> tuple[object, object, object]:
            hooks = {"before": before, "after": faults.after}
            elbv2 = world.account.client("elbv2", **hooks)
            s3 = world.account.client("s3", **hooks)
            return elbv2, s3, world.account.client("sns", **hooks)

        try:
            return str(world.stack.send(self.event, clients)["Status"])
        except Killed:
            return "KILLED"

    def damaged(self) -> list[str]:
        """Return how the account differs from what the first run left.

        An Update also removes what the stack no longer needs. If the second run has already changed
        the register, the first run does not see all of that, and the second may go on to remove it.
        So after an Update, only missing things count.
        """
        assert self.first is not None
        documented = self.world.stack.privileges == "documented"
        now = self.world.account.snapshot()
        if self.event["RequestType"] == "Create":
            return changed(self.first, now, documented=documented)
        alone = changed(result(self.world.scenario), now, documented=documented)
        return [each for each in alone if each.startswith("-")]


@cache
def result(scenario: Scenario) -> Snapshot:
    """Return the account after a single run."""
    world = World(scenario)
    world.account.confirm(ENDPOINT)
    answer = world.stack.send(world.event(), world.clients)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    world.account.confirm(ENDPOINT)
    return world.account.snapshot()


@cache
def calls(scenario: Scenario, inside: int) -> int:
    """Return how many calls the second run makes if nothing fails."""
    twice = Twice(scenario, inside)
    twice.second(NEVER, "")
    return len(twice.world.faults.calls)


def points(scenario: Scenario) -> Iterator[tuple[int, int, str]]:
    """Yield each point: when the first run takes place, which call of the second fails, and how."""
    alone = Twice(scenario, NEVER)
    alone.second(NEVER, "")
    for inside in range(len(alone.world.faults.calls)):
        yield inside, NEVER, ""
        for at in range(inside, calls(scenario, inside)):
            yield from ((inside, at, mode) for mode in MODES)


@pytest.mark.parametrize("scenario", COMING, ids=lambda each: each.name)
def test_a_second_run_that_fails_damages_nothing(
    scenario: Scenario, full: bool, record_property: Callable[[str, object], None]
) -> None:
    tried = list(points(scenario))[:: EACH[full]]
    wrong: dict[tuple[int, int, str], list[str]] = {}
    ended: set[str] = set()
    for inside, at, mode in tried:
        twice = Twice(scenario, inside)
        ended.add(twice.second(at, mode))
        if damaged := twice.damaged():
            wrong[inside, at, mode] = damaged

    record_property("second runs failed", len(tried))
    record_property("second runs failed wrong", len(wrong))
    assert ended == {"SUCCESS", "FAILED", "KILLED"}
    assert wrong == {}
