"""A stack is deleted while its Create runs, or an event comes after one that was sent later."""

from __future__ import annotations

from itertools import count

import pytest
from support.looks import granted

from dt_logs_rehearsal.account.client import no_hook
from lifecycle.cases import Case
from lifecycle.cloudformation import ENDPOINT, properties
from lifecycle.scenarios import Prepare, announced, logging, new, switched_off, three


def deleted_at(number: int, prepare: Prepare, **changes: object) -> list[str] | None:
    """Send a Delete right after call `number`; return what is left, or None without such a call.

    The endpoint confirms its subscription at once, so that a subscription can also be left.
    """
    case = Case(prepare)
    given = properties(*case.arns, **changes)
    calls: list[str] = []

    def after(service: str, operation: str, params: object) -> None:
        case.account.confirm(ENDPOINT)
        if calls or operation == "PutBucketPolicy":
            calls.append(operation)
            if len(calls) == number:
                case.after = no_hook
                case.sent("Delete", given)

    case.after = after
    case.send("Create", given)
    if len(calls) < number:
        return None
    return case.left() + [f"{each} may still read" for each in granted(case.account)]


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
    """Calls are counted from the stack's registration; earlier, a Delete would find nothing."""
    for number in count(1):
        left = deleted_at(number, prepare, **changes)
        if left is None:
            assert number > 11
            return
        assert left == [], number


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("seconds", [0, 1300], ids=["after a later one", "after its time"])
def test_an_event_that_comes_too_late_changes_nothing(kind: str, seconds: int) -> None:
    """A later event was handled, or CloudFormation no longer waits for the answer."""
    case = Case(three)
    first, second = (properties(*arns) for arns in (case.arns[:2], case.arns[1:]))
    case.sent("Create", first)
    late = case.stack.event(kind, second, first)
    if not seconds:
        case.sent("Update", {**first, "LogRetentionDays": "60"}, first)
    case.clock.sleep(seconds)
    before = case.account.snapshot()

    assert case.stack.send(late, case.clients)["Status"] == "FAILED"

    assert case.account.snapshot() == before
