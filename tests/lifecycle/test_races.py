"""Stacks at once on one bucket: nothing is lost inside the bounds, and found outside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from dt_logs_rehearsal.account import Account, Clock, Consistency
from dt_logs_rehearsal.scenarios.customers import logging, new
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import Stack, properties
from lifecycle.races import STALE, Race, Turns
from lifecycle.scenarios import clients_of


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


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_outside_the_bounds_is_found_by_the_next_run(seed: int) -> None:
    """Reads that are far older than the handler waits for can undo what others have set."""
    race = Race(8, seed, stale=30)
    race.create()

    race.account.world.consistency = type(race.account.world.consistency)()
    for _ in race.stacks:
        race.again()

    assert race.lost() == []


def test_without_a_second_look_the_race_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The races are real: a handler that does not look again loses statements."""
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
    """Lambda's queue may hand over an event twice: both runs end well, and nothing is doubled."""
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
