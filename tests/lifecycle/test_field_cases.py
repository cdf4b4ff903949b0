"""What customers had in their accounts when onboarding went wrong, and what is right then."""

from __future__ import annotations

from support.drifts import WEB, add_statement, adopted
from support.looks import reads, statements

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS
from lifecycle.cases import Case
from lifecycle.cloudformation import properties


def with_half_a_character(account: Account) -> list[str]:
    """A policy in which a tool has cut a string in the middle of a character."""
    arns = adopted(account)
    statement = {
        "Sid": "Cut",
        "Effect": "Allow",
        "Principal": {"AWS": account.account_id},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{CUSTOMERS}/\ud83d",
    }
    add_statement(account, CUSTOMERS, statement)
    return arns


def test_policy_with_half_a_character_keeps_it() -> None:
    case = Case(with_half_a_character)
    given = properties(case.arns[WEB])

    case.sent("Create", given)

    assert reads(case.account, case.arns[WEB])
    (theirs,) = (e for e in statements(case.account, CUSTOMERS) if e.get("Sid") == "Cut")
    assert theirs["Resource"] == f"arn:aws:s3:::{CUSTOMERS}/\ud83d"
    case.sent("Delete", given)
    assert case.left() == []
