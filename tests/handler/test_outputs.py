"""A success reports in the stack's outputs what was not onboarded and what needs attention.

CloudFormation shows a custom resource's reason only if it failed, so these values are all that a
customer sees. `test_answer.py` has how they are written; here they come from whole runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lifecycle.cases import Answer, Case, data
from lifecycle.cloudformation import ENDPOINT, properties
from support.drifts import (
    adopted,
    announced_elsewhere,
    encrypted_by_kms,
    log_bucket,
    owned_by_writers,
)
from support.looks import reads

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket

EVERY = properties("*")


def two(account: Account) -> list[str]:
    return [account.add_load_balancer(each) for each in ("web", "shop")]


def one_that_cannot(account: Account) -> list[str]:
    """Add an ALB that can be onboarded, and one whose bucket is encrypted with KMS."""
    log_bucket(account, "kms-logs")
    encrypted_by_kms(account, "kms-logs")
    return [
        account.add_load_balancer("web"),
        account.add_load_balancer("shop", bucket="kms-logs", prefix="alb"),
    ]


def many(account: Account) -> list[str]:
    """Add 60 ALBs, each with its own bucket, and 300 with a long prefix that ELB refuses."""
    arns = []
    for number in range(60):
        bucket = f"a-log-bucket-with-a-long-name-{number:02}-{'x' * 20}"
        log_bucket(account, bucket)
        arns.append(account.add_load_balancer(f"web-{number:02}", bucket=bucket, prefix="alb"))
    customers_bucket(account)
    prefix = "журнал-доступа/" * 40 + "AWSLogs/\U0001f4e6"
    for number in range(300):
        name = f"refused-{number:03}"
        account.add_load_balancer(name, bucket=CUSTOMERS, prefix=prefix, enabled=False)
    return arns


def checked(answer: Answer) -> Answer:
    """Check what must hold for every success, and return the answer."""
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert (data(answer, "HandlerSha256"), data(answer, "TemplateVersion")) == ("0" * 64, "0.1.0")
    text = json.dumps(answer, ensure_ascii=False)
    assert "s3cr3t" not in text and "X-Amz-Signature" not in text and "5ecret" not in text
    return answer


def counted(text: str, names: str) -> tuple[int, bool]:
    """Return how many names a text shows and counts, and whether it had to count."""
    shown = len(set(re.findall(names, text)))
    more = re.findall(r"(\d+) more", text)
    return shown + sum(map(int, more[-1:])), bool(more)


@pytest.mark.parametrize("privileges", ["least-privilege", "documented"])
def test_of_all_load_balancers_those_that_cannot_be_onboarded_are_named(privileges: str) -> None:
    """Once they can be onboarded, an Update does so, and has nothing more to report."""
    case = Case(one_that_cannot)
    given, again, last = (
        properties("*", Privileges=privileges, RunToken=each) for each in ("", "2", "3")
    )
    for answer in (case.send("Create", given), case.send("Update", again, given)):
        told = data(checked(answer), "NotOnboarded")
        assert "app/shop/" in told and "kms-logs" in told and "app/web/" not in told
        assert data(answer, "Warnings") == "none"
    assert [reads(case.account, each) for each in case.arns] == [True, False]
    rule: Any = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    case.account.s3.put_bucket_encryption(
        Bucket="kms-logs", ServerSideEncryptionConfiguration={"Rules": [rule]}
    )

    answer = checked(case.send("Update", last, again))

    assert data(answer, "NotOnboarded") == data(answer, "Warnings") == "none"
    assert reads(case.account, case.arns[1])


def test_everything_at_once_is_cut_with_a_count() -> None:
    case = Case(many)
    assert data(checked(case.send("Create", EVERY)), "Warnings") == "none"
    for name in list(case.account.world.buckets):
        if name.startswith("a-log-bucket"):
            owned_by_writers(case.account, name)

    answer = checked(case.send("Update", {**EVERY, "RunToken": "2"}, EVERY))

    refused = counted(data(answer, "NotOnboarded"), r"app/refused-\d{3}/")
    assert refused == (300, True)
    warned = counted(data(answer, "Warnings"), r"a-log-bucket-with-a-long-name-\d{2}")
    assert warned == (60, True)


def announced(identifier: str) -> Callable[[Case, dict[str, object]], None]:
    """Return the change that replaces our notification with one that has this ID."""
    return lambda case, event: announced_elsewhere(case.account, identifier)


def refused_with_the_url(case: Case, event: dict[str, object]) -> None:
    """Let ELB refuse to change the second load balancer, and repeat the answer's URL."""

    def before(service: str, operation: str, params: Mapping[str, Any]) -> None:
        changes = operation == "ModifyLoadBalancerAttributes"
        if changes and params["LoadBalancerArn"] == case.arns[1]:
            text = f"cannot answer {event['ResponseURL']} or {ENDPOINT}"
            error = {"Code": "OperationNotPermitted", "Message": text}
            raise ClientError({"Error": error}, operation)

    case.before = before


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

    answer = checked(case.send("Create", EVERY))

    assert "app/web/" in data(answer, "NotOnboarded")
    assert "app/api/" in data(answer, "NotOnboarded")
