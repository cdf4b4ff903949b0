"""A stack is deleted while its Create still runs: nothing stays, whichever call is running."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from support.looks import changed, granted

from dt_logs_rehearsal.account import Account, Clock
from lifecycle.cloudformation import ENDPOINT, Stack, properties
from lifecycle.scenarios import announced, clients_of, logging, new, switched_off, three

Prepare = Callable[[Account], list[str]]


def deleted_at(number: int, prepare: Prepare, **changes: object) -> tuple[bool, list[str]]:
    """Send a Delete right after call `number`; tell whether there is one, and what is left.

    The endpoint confirms its subscription at once, so that a subscription can be left, too.
    """
    clock = Clock()
    account = Account("123456789012", "eu-west-1", clock=clock)
    arns = prepare(account)
    start = account.snapshot()
    stack = Stack(clock, seed=1)
    given = properties(*arns, **changes)
    calls = count()
    claimed = False
    hit = False

    def after(service: str, operation: str, params: object) -> None:
        nonlocal claimed, hit
        account.confirm(ENDPOINT)
        claimed |= operation == "PutBucketPolicy"
        if claimed and next(calls) == number:
            hit = True
            event = stack.event("Delete", given)
            assert stack.send(event, lambda: clients_of(account))["Status"] == "SUCCESS"

    event = stack.event("Create", given)
    stack.send(event, lambda: clients_of(account, after=after))
    documented = given["Privileges"] == "documented"
    left = changed(start, account.snapshot(), documented=documented) if hit else []
    return hit, left + [f"{each} may still read" for each in granted(account) if hit]


@pytest.mark.parametrize(
    ("prepare", "changes"),
    [
        (new, {}),
        (logging, {}),
        (three, {}),
        (three, {"LoadBalancerArns": ["*"]}),
        (switched_off, {}),
        (announced, {}),
        (new, {"LogBucketName": "customers-own-name"}),
        (new, {"Privileges": "documented"}),
        (logging, {"Privileges": "documented"}),
    ],
)
def test_delete_during_create(prepare: Prepare, changes: dict[str, object]) -> None:
    """Calls count from the stack's registration; before it, a Delete would find nothing."""
    for number in count():
        hit, left = deleted_at(number, prepare, **changes)
        if not hit:
            assert number > 10
            return
        assert left == [], number
