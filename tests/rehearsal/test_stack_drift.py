"""Updates and rollbacks still complete if a stack's bucket or topic becomes unusable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rehearsal.played import FAILURE, ended, fail_after, played
from support.drifts import DRIFTS, Drift
from support.looks import granted, logging_of, reads

from dt_logs_rehearsal.scenarios.customers import CUSTOMERS
from dt_logs_rehearsal.scenarios.differences import differences
from dt_logs_rehearsal.scenarios.play import Play


@pytest.fixture
def play(tmp_path: Path, release: Path) -> Iterator[Play]:
    with played(tmp_path, release) as found:
        yield found


def warned(play: Play, stack: object, web: str) -> bool:
    """Return whether the outputs name the bucket, or the load balancer now logs elsewhere."""
    outputs: dict[str, str] = getattr(stack, "outputs", {})
    moved = logging_of(play.account, web)[1] != CUSTOMERS
    return moved or CUSTOMERS in outputs.get("Warnings", "")


@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_updates_and_rollbacks_complete_and_what_is_added_there_is_refused(
    drift: Drift, play: Play
) -> None:
    web, shop, api = drift.prepare(play.account)
    stack = play.create(web, shop)
    ended(play, "CREATE_COMPLETE", stack)
    assert (stack.outputs.get("Warnings"), stack.outputs.get("NotOnboarded")) == ("none", "none")
    drift.happen(play.account)
    if not drift.adds:
        before = play.snapshot()
        play.update(stack, web, shop, api)
        ended(play, "UPDATE_ROLLBACK_COMPLETE", stack)
        assert CUSTOMERS in play.reason()
        assert differences(before, play.snapshot()) == []

    play.update(stack, web, shop, LogRetentionDays="60")

    ended(play, "UPDATE_COMPLETE", stack)
    assert warned(play, stack, web), stack.outputs
    assert reads(play.account, shop)
    fail_after(play, "90")

    play.update(stack, shop, LogRetentionDays="90")  # removes the first load balancer

    ended(play, "UPDATE_ROLLBACK_COMPLETE", stack)
    assert FAILURE in play.reason()
    assert reads(play.account, shop)
    fail_after(play, "")
    play.update(stack, web, shop, RunToken="again")
    ended(play, "UPDATE_COMPLETE", stack)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    assert granted(play.account) == []
