"""Stacks at once on one bucket: nothing is lost inside the bounds, and found outside them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lifecycle.races import Race


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
        race.update()

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
