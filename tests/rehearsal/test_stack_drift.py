"""A bucket or topic that a stack uses becomes unusable: Updates and rollbacks still complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rehearsal.played import FAILURE, ended, fail_after, played
from support.drifts import API, DRIFTS, SHOP, WEB, Drift, switched_off
from support.looks import changed, granted, logging_of, reads

from dt_logs_rehearsal.scenarios.customers import CUSTOMERS
from dt_logs_rehearsal.scenarios.play import Play

FEW = ("KMS,", "ELB", "bucket", "overlap,")  # the in-process tests try the others
EACH = pytest.mark.parametrize("drift", DRIFTS, ids=str)


@pytest.fixture
def play(tmp_path: Path, release: Path) -> Iterator[Play]:
    with played(tmp_path, release) as found:
        yield found


def warned(play: Play, stack: object, web: str) -> bool:
    """Tell whether the outputs name the bucket, or the load balancer now logs elsewhere."""
    outputs: dict[str, str] = getattr(stack, "outputs", {})
    moved = logging_of(play.account, web)[1] != CUSTOMERS
    return moved or CUSTOMERS in outputs.get("Warnings", "")


@EACH
def test_an_update_completes_and_tells_it(drift: Drift, play: Play) -> None:
    arns = drift.prepare(play.account)
    web, shop = arns[WEB], arns[SHOP]
    stack = play.create(web, shop)
    ended(play, "CREATE_COMPLETE", stack)
    assert (stack.outputs.get("Warnings"), stack.outputs.get("NotOnboarded")) == ("none", "none")
    drift.happen(play.account)

    play.update(stack, web, shop, LogRetentionDays="60")

    ended(play, "UPDATE_COMPLETE", stack)
    assert warned(play, stack, web), stack.outputs
    assert reads(play.account, shop)
    play.update(stack, web, shop, LogRetentionDays="60", RunToken="again")
    ended(play, "UPDATE_COMPLETE", stack)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    assert granted(play.account) == []


@EACH
def test_another_resource_fails_after_the_update(drift: Drift, play: Play) -> None:
    arns = drift.prepare(play.account)
    web, shop = arns[WEB], arns[SHOP]
    stack = play.create(web, shop)
    ended(play, "CREATE_COMPLETE", stack)
    drift.happen(play.account)
    fail_after(play, "60")

    play.update(stack, shop, LogRetentionDays="60")  # the first load balancer leaves

    ended(play, "UPDATE_ROLLBACK_COMPLETE", stack)
    assert FAILURE in play.reason()
    assert reads(play.account, shop)
    fail_after(play, "")
    play.update(stack, web, shop, RunToken="again")
    ended(play, "UPDATE_COMPLETE", stack)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    assert granted(play.account) == []


@pytest.mark.parametrize("drift", [each for each in DRIFTS if not each.adds], ids=str)
def test_what_is_added_there_is_refused_and_rolled_back(drift: Drift, play: Play) -> None:
    arns = drift.prepare(play.account)
    web, shop, api = arns[WEB], arns[SHOP], arns[API]
    stack = play.create(web, shop)
    ended(play, "CREATE_COMPLETE", stack)
    drift.happen(play.account)
    before = play.snapshot()

    play.update(stack, web, shop, api)

    ended(play, "UPDATE_ROLLBACK_COMPLETE", stack)
    assert CUSTOMERS in play.reason()
    assert changed(before, play.snapshot()) == []
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)


@pytest.mark.parametrize(
    "drift",
    [each for each in DRIFTS if each.prepare is switched_off and each.name.split()[0] in FEW],
    ids=str,
)
def test_the_bucket_that_the_stack_was_given_is_given_up_and_comes_back(
    drift: Drift, play: Play
) -> None:
    """LogBucketName changes to another bucket, and the rollback changes it back."""
    arns = drift.prepare(play.account)
    web, shop = arns[WEB], arns[SHOP]
    stack = play.create(web, shop, LogBucketName=CUSTOMERS)
    ended(play, "CREATE_COMPLETE", stack)
    drift.happen(play.account)
    fail_after(play, "60")

    play.update(stack, web, shop, LogBucketName="named-later", LogRetentionDays="60")

    ended(play, "UPDATE_ROLLBACK_COMPLETE", stack)
    assert FAILURE in play.reason()
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    assert granted(play.account) == []
