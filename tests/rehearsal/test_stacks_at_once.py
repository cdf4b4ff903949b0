"""Create stacks at the same moment, and delete them at the same moment.

The functions run in their own processes, so the account's time must pass slowly here: a function's
put has to follow its read as closely as on AWS. The races of the life cycle suite try many more
orders on a simulated clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from lifecycle.races import in_pairs, one_location
from rehearsal.played import played
from support.looks import changed, granted, reads

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.scenarios.play import Play
from dt_logs_rehearsal.vendor import ENDPOINT, VENDOR

T, U = TypeVar("T"), TypeVar("U")
CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")
SLOW = 3  # the account's time passes this many times as fast as this machine's


def created(play: Play, arns: list[str]) -> list[Stack]:
    """Create a stack for each load balancer at once."""

    def create(number: int) -> Stack:
        given = {
            "LoadBalancerArns": arns[number],
            "DataTheoremAccountId": VENDOR,
            "NotificationEndpoint": ENDPOINT,
        }
        asked = Asked(play.released.stack, given)
        name = f"dt-logs-analysis-{number}"
        return play.sandbox.cloudformation.create(name, asked, CAPABILITIES, play.role)

    return at_once(create, range(len(arns)))


def at_once(action: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Run an action for all items at once, and return its results."""
    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(action, items))


@pytest.mark.parametrize(
    ("prepare", "stacks"), [(in_pairs, 6), (one_location, 2)], ids=["pairs", "one location"]
)
def test_all_complete_and_nothing_stays(
    prepare: Callable[[Account, int], list[str]], stacks: int, tmp_path: Path, release: Path
) -> None:
    with played(tmp_path, release, pace=Pace(SLOW)) as play:
        arns = prepare(play.account, stacks)
        before = play.snapshot()

        made = created(play, arns)

        assert [each.status for each in made] == ["CREATE_COMPLETE"] * stacks
        play.sandbox.vendor.receive()  # this confirms its subscriptions
        assert [reads(play.account, arn) for arn in arns] == [True] * stacks

        at_once(lambda stack: play.sandbox.cloudformation.begin_delete(stack)(), made)

        assert [each.status for each in made] == ["DELETE_COMPLETE"] * stacks
        assert granted(play.account) == []
        assert changed(before, play.snapshot()) == []
