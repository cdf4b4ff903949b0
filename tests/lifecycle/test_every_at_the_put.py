"""With `*`, a bucket whose configuration S3 refuses does not keep other load balancers out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.drifts import log_bucket
from support.looks import reads

from dt_logs_rehearsal.account import Account
from lifecycle.accounts import KINDS
from lifecycle.cases import Case, data
from lifecycle.cloudformation import properties

BUCKET = "team-logs"
EVERY = properties("*", Privileges="documented")
# S3 and SNS refuse these only at the put; the documented role cannot read topics beforehand.
EACH = pytest.mark.parametrize("kind", ["dead destination", "closed account", "topic of our name"])


def shop(account: Account) -> list[str]:
    """Make a load balancer that never logged."""
    return [account.add_load_balancer("shop")]


def web_in(kind: str) -> Callable[[Account], object]:
    """Return a function that adds a load balancer, and a log bucket of this kind."""
    (found,) = (each for each in KINDS if each.name == kind)

    def change(account: Account) -> None:
        log_bucket(account, BUCKET)
        account.add_load_balancer("web", bucket=BUCKET)
        found.apply(account, BUCKET)

    return change


@EACH
def test_a_create_onboards_the_others(kind: str) -> None:
    case = Case(shop)
    case.customer(web_in(kind))

    answer = case.sent("Create", EVERY)

    assert BUCKET in data(answer, "NotOnboarded")
    assert reads(case.account, case.arns[0])


@EACH
def test_a_new_one_fails_no_update(kind: str) -> None:
    """If a closed account failed it, so would the Update back, and the stack would be stuck."""
    case = Case(shop)
    case.sent("Create", EVERY)
    case.customer(web_in(kind))
    again = {**EVERY, "RunToken": "again"}

    for new, old in ((again, EVERY), (EVERY, again)):
        answer = case.sent("Update", new, old)

        assert BUCKET in data(answer, "NotOnboarded")
        assert reads(case.account, case.arns[0])
