"""Within races.py's bounds, concurrent stacks lose nothing; beyond, the next run repairs losses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from support.drifts import announce, announcements
from support.looks import granted, logging_of, reads

from dt_logs_rehearsal.account import Account, Clock, Consistency
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new
from lifecycle.cloudformation import ENDPOINT, Stack, properties
from lifecycle.races import (
    Prepare,
    Race,
    in_pairs,
    locations_of_a_bucket,
    one_location,
    switched_off,
    the_same,
    the_same_switched_off,
)
from lifecycle.scenarios import clients_of

Record = Callable[[str, object], None]
# Runs a race, and returns what is wrong afterwards.
Run = Callable[[Race], list[str]]
Each = Callable[..., None]


@pytest.fixture
def each_seed(full: bool, record_property: Record) -> Each:
    """Return a function that runs a race with each seed."""

    def run_all(stacks: int, prepare: Prepare, run: Run, seeds: int = 100 if full else 25) -> None:
        found = {seed: run(Race(stacks, seed, prepare=prepare)) for seed in range(seeds)}
        wrong = {seed: each for seed, each in found.items() if each}
        record_property("stacks raced", stacks * seeds)
        record_property("stacks raced wrong", len(wrong))
        assert wrong == {}

    return run_all


def come_and_go(race: Race) -> list[str]:
    """Create all stacks at once, and then delete them at once."""
    race.create()
    found = race.failed() + race.lost()
    race.delete()
    return found + race.left()


def test_nothing_is_lost_inside_the_bounds(full: bool, each_seed: Each) -> None:
    each_seed(20 if full else 5, one_location, come_and_go, 10)


@pytest.mark.parametrize("prepare", [one_location, locations_of_a_bucket, switched_off, the_same])
def test_of_stacks_that_are_deleted_at_once_nothing_stays(
    prepare: Prepare, each_seed: Each
) -> None:
    """The stacks must not rely on each other to remove what they share."""

    def run(race: Race) -> list[str]:
        race.create_in_turn()
        race.delete()
        left = [stack.id for stack in race.stacks if stack.properties]
        return left + race.left() + granted(race.account) + [*race.account.world.subscriptions]

    each_seed(2, prepare, run)


def test_stacks_in_pairs_that_are_created_at_once_all_complete(each_seed: Each) -> None:
    """A registration that was overwritten must not be mistaken for one that a Delete removed."""
    each_seed(6, in_pairs, come_and_go)


@pytest.mark.parametrize("prepare", [the_same, the_same_switched_off])
def test_of_stacks_that_turn_on_the_same_the_last_one_turns_it_off(
    prepare: Prepare, each_seed: Each
) -> None:
    """One stack turns logging on and records that; the other copies the record."""

    def run(race: Race) -> list[str]:
        race.create()
        race.account.confirm(ENDPOINT)
        if prepare is the_same:
            race.again()  # repairs the result if both turned logging on at the same moment
        found = race.failed() + race.lost()
        first, last = race.stacks
        race.at_once([partial(first.delete, race.clients)])
        if not reads(race.account, race.arns[0]):
            found.append("the vendor of the stack that stays does not read")
        race.at_once([partial(last.delete, race.clients)])
        return found + race.left()

    each_seed(2, prepare, run)


def test_a_stack_is_deleted_while_others_are_created(each_seed: Each) -> None:
    """The Delete must not remove anything that the others have begun to use."""

    def run(race: Race) -> list[str]:
        given = [properties(arn) for arn in race.arns]
        first, *others = race.stacks
        race.at_once([partial(first.create, given[0], race.clients)])
        race.account.confirm(ENDPOINT)
        created = [
            partial(stack.create, wanted, race.clients)
            for stack, wanted in zip(others, given[1:], strict=True)
        ]
        race.at_once([partial(first.delete, race.clients), *created])
        found = race.lost() + race.failed()[1:]
        topics = {each.topic for each in race.account.world.subscriptions.values()}
        if topics != set(race.account.world.topics):
            found.append("the subscription")
        race.delete()
        return found + race.left()

    each_seed(3, one_location, run)


@pytest.mark.parametrize("meanwhile", ["deleted", "updated"])
def test_refreshes_that_overlap_a_change_of_their_stack_leave_nothing(
    meanwhile: str, each_seed: Each
) -> None:
    def run(race: Race) -> list[str]:
        theirs = announcements(race.account, CUSTOMERS)
        race.create_in_turn()
        (stack,), (arn,) = race.stacks, race.arns
        announce(race.account, logging_of(race.account, arn)[1], theirs)
        later = properties(arn, LogRetentionDays="90", VendorReadScope="Location")
        change = partial(stack.update, later) if meanwhile == "updated" else stack.delete
        refreshes = [partial(stack.refreshed, race.clients)] * 2
        race.at_once([*refreshes, partial(change, race.clients)])
        found = race.lost() if meanwhile == "updated" else []
        race.delete()
        return found + race.left()

    each_seed(1, one_location, run)


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_outside_the_bounds_is_found_by_the_next_run(seed: int) -> None:
    """If reads are older than the handler allows for, it may undo others' settings."""
    race = Race(8, seed, stale=30)
    race.create()

    race.account.world.consistency = Consistency()
    for _ in race.stacks:
        race.again()

    assert race.lost() == []


def test_without_a_second_look_the_race_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests detect losses: without a second read, the handler loses statements."""
    monkeypatch.setattr("dt_logs_handler.run.SETTLE", 0.0)
    monkeypatch.setattr("dt_logs_handler.run._LONGEST_APART", 0.0)
    lost: list[str] = []
    for seed in range(5):
        race = Race(8, seed)
        race.create()
        lost += race.lost()

    assert lost


@pytest.mark.parametrize("prepare", [new, logging])
@pytest.mark.parametrize("seed", range(8))
def test_an_event_that_arrives_twice_at_once(
    prepare: Callable[[Account], list[str]], seed: int
) -> None:
    """Lambda's queue may deliver an event twice: both runs succeed, and a Delete leaves nothing."""
    race = Race(1, seed, prepare=lambda account, stacks: prepare(account))
    (stack,), given = race.stacks, properties(*race.arns)
    event = Stack(Clock(race.turns.now), seed=seed * 1000).event("Create", given)
    answers: list[dict[str, object]] = []

    def run() -> None:
        answers.append(stack.send(event, race.clients))

    race.at_once([run, run])
    assert [each["Status"] for each in answers] == ["SUCCESS", "SUCCESS"]

    race.account.world.consistency = Consistency()
    later = Stack(Clock(race.turns.now), seed=seed * 1000)
    later.send(later.event("Delete", given), partial(clients_of, race.account))
    assert race.left() == []
