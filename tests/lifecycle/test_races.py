"""Stacks that run at once lose nothing inside the bounds; outside, the next run repairs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from support.looks import granted, logging_of, reads

from dt_logs_rehearsal.account import Account, Clock, Consistency
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import ENDPOINT, Stack, properties
from lifecycle.races import (
    STALE,
    Race,
    Turns,
    in_pairs,
    locations_of_a_bucket,
    one_location,
    switched_off,
    the_same,
    the_same_switched_off,
)
from lifecycle.scenarios import clients_of

Prepare = Callable[[Account, int], list[str]]


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_inside_the_bounds(
    seed: int, full: bool, record_property: Callable[[str, object], None]
) -> None:
    stacks = 20 if full else 5
    race = Race(stacks, seed)

    race.create()
    lost = race.lost()
    assert [stack.properties is not None for stack in race.stacks] == [True] * stacks
    race.delete()
    left = race.left()

    record_property("stacks raced", stacks)
    record_property("stacks raced wrong", len(lost) + len(left))
    assert (lost, left) == ([], [])


SEEDS = {True: 100, False: 25}  # how many, in the full and in the small size


@pytest.mark.parametrize("prepare", [one_location, locations_of_a_bucket, switched_off, the_same])
def test_of_stacks_that_are_deleted_at_once_nothing_stays(
    prepare: Prepare, full: bool, record_property: Callable[[str, object], None]
) -> None:
    """Neither of the two stacks may leave the removal of what they share to the other."""
    wrong: dict[int, list[str]] = {}
    for seed in range(SEEDS[full]):
        race = Race(2, seed, prepare=prepare)
        race.create_in_turn()
        race.delete()
        left = [stack.id for stack in race.stacks if stack.properties]
        left += race.left() + granted(race.account) + [*race.account.world.subscriptions]
        if left:
            wrong[seed] = left

    record_property("stacks raced", 2 * SEEDS[full])
    record_property("stacks raced wrong", len(wrong))
    assert wrong == {}


def test_stacks_in_pairs_that_are_created_at_once_all_complete(
    full: bool, record_property: Callable[[str, object], None]
) -> None:
    """A registration that was overwritten must not be mistaken for one that a Delete removed."""
    wrong: dict[int, list[str]] = {}
    for seed in range(SEEDS[full]):
        race = Race(6, seed, prepare=in_pairs)
        race.create()
        found = [stack.id for stack in race.stacks if stack.properties is None]
        found += race.lost()
        race.delete()
        found += race.left()
        if found:
            wrong[seed] = found

    record_property("stacks raced", 6 * SEEDS[full])
    record_property("stacks raced wrong", len(wrong))
    assert wrong == {}


@pytest.mark.parametrize("prepare", [the_same, the_same_switched_off])
def test_of_stacks_that_turn_on_the_same_the_last_one_turns_it_off(
    prepare: Prepare, full: bool
) -> None:
    """One of the stacks turns logging on, and the other one copies that fact."""
    wrong: dict[int, list[str]] = {}
    for seed in range(SEEDS[full]):
        race = Race(2, seed, prepare=prepare)
        race.create()
        race.account.confirm(ENDPOINT)
        if prepare is the_same:
            race.again()  # repairs what both missed if they turned it on at the same moment
        found = [stack.id for stack in race.stacks if stack.properties is None] + race.lost()
        for stack in race.stacks:
            race.turns.run([partial(stack.delete, race.clients)])
            if stack is race.stacks[0] and not reads(race.account, race.arns[0]):
                found.append("the vendor of the stack that stays does not read")
        found += race.left()
        if found:
            wrong[seed] = found
    assert wrong == {}


def test_a_stack_is_deleted_while_others_are_created(full: bool) -> None:
    """The Delete must not remove anything that the others have begun to use."""
    wrong: dict[int, list[str]] = {}
    for seed in range(SEEDS[full]):
        race = Race(3, seed)
        first, *others = race.stacks
        given = [properties(arn) for arn in race.arns]
        race.turns.run([partial(first.create, given[0], race.clients)])
        race.account.confirm(ENDPOINT)
        raised = race.turns.run(
            [
                partial(first.delete, race.clients),
                *(
                    partial(stack.create, wanted, race.clients)
                    for stack, wanted in zip(others, given[1:], strict=True)
                ),
            ]
        )
        found = [str(each) for each in raised] + race.lost()
        found += [stack.id for stack in others if stack.properties is None]
        topics = {each.topic for each in race.account.world.subscriptions.values()}
        if topics != set(race.account.world.topics):
            found.append("the subscription")
        race.delete()
        found += race.left()
        if found:
            wrong[seed] = found
    assert wrong == {}


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_outside_the_bounds_is_found_by_the_next_run(seed: int) -> None:
    """Reads that are older than the handler allows for can make it undo what others have set."""
    race = Race(8, seed, stale=30)
    race.create()

    race.account.world.consistency = type(race.account.world.consistency)()
    for _ in race.stacks:
        race.again()

    assert race.lost() == []


def test_without_a_second_look_the_race_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The races are real: a handler that does not look a second time loses statements."""
    monkeypatch.setattr("dt_logs_handler.run.SETTLE", 0.0)
    monkeypatch.setattr("dt_logs_handler.run._LONGEST_APART", 0.0)
    lost: list[str] = []
    for seed in range(5):
        race = Race(8, seed)
        race.create()
        lost += race.lost()

    assert lost


@pytest.mark.parametrize("prepare", [new, logging])
def test_an_event_that_arrives_twice_at_once(prepare: Callable[[Account], list[str]]) -> None:
    """Lambda's queue may deliver an event twice: both runs succeed, and a Delete leaves nothing."""
    for seed in range(8):
        turns = Turns(seed)
        account = Account(
            "123456789012",
            "eu-west-1",
            clock=turns,
            seed=seed,
            consistency=Consistency(stale_reads=STALE),
        )
        arns = prepare(account)
        start = account.snapshot()
        event = Stack(Clock(turns.now), seed=seed).event("Create", properties(*arns))
        stack = Stack(turns, seed=seed)
        clients = partial(clients_of, account, before=turns.call, after=turns.call)
        answers: list[dict[str, object]] = []

        def run(event=event, stack=stack, clients=clients, answers=answers) -> None:
            answers.append(stack.send(event, clients))

        assert turns.run([run, run]) == []
        assert [each["Status"] for each in answers] == ["SUCCESS", "SUCCESS"]

        account.world.consistency = Consistency()
        stack = Stack(Clock(turns.now), seed=seed)
        stack.send(stack.event("Delete", properties(*arns)), partial(clients_of, account))
        assert differences(start, account.snapshot()) == []


@pytest.mark.parametrize("meanwhile", ["deleted", "updated"])
def test_refreshes_that_overlap_a_change_of_their_stack_leave_nothing(
    meanwhile: str, full: bool, record_property: Callable[[str, object], None]
) -> None:
    wrong: dict[int, list[str]] = {}
    for seed in range(SEEDS[full]):
        race = Race(1, seed, prepare=one_location)
        race.create_in_turn()
        (stack,), (arn,) = race.stacks, race.arns
        race.account.s3.put_bucket_notification_configuration(
            Bucket=logging_of(race.account, arn)[1],
            NotificationConfiguration=race.notifications[CUSTOMERS],
        )
        later = properties(arn, LogRetentionDays="90", VendorReadScope="Location")
        change = partial(stack.update, later) if meanwhile == "updated" else stack.delete
        refreshes = [partial(stack.refreshed, race.clients)] * 2
        race.at_once([*refreshes, partial(change, race.clients)])
        found = race.lost() if meanwhile == "updated" else []
        race.delete()
        if found := found + race.left():
            wrong[seed] = found

    record_property("stacks raced", SEEDS[full])
    record_property("stacks raced wrong", len(wrong))
    assert wrong == {}
