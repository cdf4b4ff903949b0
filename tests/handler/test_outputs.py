"""A stack's outputs do not contain secrets, even if AWS or the customer repeats them.

`test_answer.py` tests how outputs are written; `test_every.py` tests the outputs of whole runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from handler.fleet import MODIFY
from lifecycle.cloudformation import ENDPOINT, properties
from lifecycle.faults import error, on
from lifecycle.scenarios import Answer, Case, data
from support.drifts import adopted, announced_elsewhere

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS

EVERY = properties("*")


def two(account: Account) -> list[str]:
    return [account.add_load_balancer(each) for each in ("web", "shop")]


def checked(answer: Answer) -> Answer:
    """Check that an answer is a success without secrets, and return it."""
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    text = json.dumps(answer, ensure_ascii=False)
    assert "s3cr3t" not in text and "X-Amz-Signature" not in text and "5ecret" not in text
    return answer


def announced(identifier: str) -> Callable[[Case, dict[str, object]], None]:
    """Return the change that replaces our notification with one that has this ID."""
    return lambda case, event: announced_elsewhere(case.account, identifier)


def refused_with_the_url(case: Case, event: dict[str, object]) -> None:
    """Let ELB refuse to change the second load balancer, and repeat the answer URL in the error."""

    def refuse(params: Any) -> None:
        if params["LoadBalancerArn"] == case.arns[1]:
            text = f"cannot answer {event['ResponseURL']} or {ENDPOINT}"
            raise error("OperationNotPermitted", MODIFY, text)

    case.before = on(MODIFY, refuse)


ELSEWHERE = {"NotificationEndpoint": "https://other.example.com/in"}
Change = Callable[[Case, dict[str, object]], None]
SECRETS: dict[str, tuple[Any, Change, dict[str, object], str, str]] = {
    "endpoint": (adopted, announced(ENDPOINT), {}, "Warnings", CUSTOMERS),
    "token": (adopted, announced(ENDPOINT.partition("?")[2]), {}, "Warnings", CUSTOMERS),
    "in a text": (adopted, announced(f"to {ENDPOINT} since May"), {}, "Warnings", CUSTOMERS),
    "old endpoint": (adopted, announced(ENDPOINT), ELSEWHERE, "Warnings", CUSTOMERS),
    "answer's URL": (two, refused_with_the_url, {}, "NotOnboarded", "app/shop/"),
}


@pytest.mark.parametrize(
    ("prepare", "change", "given", "output", "told"), SECRETS.values(), ids=SECRETS
)
def test_secret_that_aws_or_the_customer_repeats_is_hidden(
    prepare: Any, change: Change, given: dict[str, object], output: str, told: str
) -> None:
    case = Case(prepare)
    first = properties(case.arns[0])
    checked(case.send("Create", first))
    new = {**EVERY, **given} if prepare is two else {**first, "RunToken": "2", **given}
    event = case.stack.event("Update", new, first)
    change(case, event)

    answer = checked(case.stack.send(event, case.clients))

    assert told in data(answer, output)


def test_refusal_that_repeats_the_endpoint_hides_it() -> None:
    case = Case(adopted)
    announced_elsewhere(case.account, ENDPOINT)
    refused = case.send("Create", properties(case.arns[0]))
    assert refused["Status"] == "FAILED" and CUSTOMERS in refused["Reason"]
    assert "s3cr3t" not in refused["Reason"]

    answer = checked(case.send("Create", EVERY))

    assert "app/web/" in data(answer, "NotOnboarded")
    assert "app/api/" in data(answer, "NotOnboarded")
