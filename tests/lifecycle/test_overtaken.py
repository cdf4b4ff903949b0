"""A stack is deleted while its Create still runs: whichever call that is, nothing stays."""

from __future__ import annotations

from itertools import count

import pytest

from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import Stack, properties
from lifecycle.scenarios import clients_of, logging, new


def deleted_at(number: int, prepare) -> tuple[bool, list[str]]:
    """Delete during the call of that number; tell whether there is one, and what is left."""
    clock = Clock()
    account = Account("123456789012", "eu-west-1", clock=clock)
    arns = prepare(account)
    start = account.snapshot()
    stack = Stack(clock, seed=1)
    given = properties(*arns)
    calls = count()
    claimed = False
    hit = False

    def after(service: str, operation: str, params: object) -> None:
        nonlocal claimed, hit
        claimed |= operation == "PutBucketPolicy"
        if claimed and next(calls) == number:
            hit = True
            event = stack.event("Delete", given)
            assert stack.send(event, lambda: clients_of(account))["Status"] == "SUCCESS"

    event = stack.event("Create", given)
    stack.send(event, lambda: clients_of(account, after=after))
    left = differences(start, account.snapshot()) if hit else []
    return hit, left


@pytest.mark.parametrize("prepare", [new, logging])
def test_delete_during_create(prepare) -> None:
    """From the call by which the stack registers itself; before it, a Delete finds nothing."""
    for number in count():
        hit, left = deleted_at(number, prepare)
        if not hit:
            assert number > 10
            return
        assert left == [], number
