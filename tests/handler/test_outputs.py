"""A success reports in the stack's outputs what was not onboarded and what needs attention.

CloudFormation shows a custom resource's reason only if it failed, so these values are all that a
customer sees. Every success has them, they fit into the answer, and they contain no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lifecycle.cases import Answer, Case, data
from lifecycle.cloudformation import ENDPOINT, VENDOR, Properties, properties
from support.drifts import (
    DRIFTS,
    adopted,
    announced_elsewhere,
    encrypted_by_kms,
    log_bucket,
    owned_by_writers,
)
from support.looks import reads

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket

KEYS = {
    "LogBuckets",
    "TopicArns",
    "SubscriptionArns",
    "NotOnboarded",
    "Warnings",
    "TemplateVersion",
    "HandlerSha256",
}
TOKEN = "s3cr3t"
LIMIT = 4096  # bytes that CloudFormation accepts
EVERY = properties("*")
PRIVILEGES = pytest.mark.parametrize("privileges", ["least-privilege", "documented"])


def never(account: Account) -> list[str]:
    return [account.add_load_balancer("web")]


def one_that_cannot(account: Account) -> list[str]:
    """Add an ALB that can be onboarded, and one whose bucket is encrypted with KMS."""
    log_bucket(account, "kms-logs")
    encrypted_by_kms(account, "kms-logs")
    return [
        account.add_load_balancer("web"),
        account.add_load_balancer("shop", bucket="kms-logs", prefix="alb"),
    ]


def many_that_cannot(account: Account) -> list[str]:
    """Add 300 ALBs with a long non-ASCII prefix, which ELB refuses, and return one without."""
    customers_bucket(account)
    prefix = "журнал-доступа/" * 40 + "AWSLogs/\U0001f4e6"
    for number in range(300):
        name = f"refused-{number:03}"
        account.add_load_balancer(name, bucket=CUSTOMERS, prefix=prefix, enabled=False)
    return [account.add_load_balancer("web")]


def many_buckets(account: Account) -> list[str]:
    """Add 60 ALBs, each with its own bucket."""
    arns = []
    for number in range(60):
        bucket = f"a-log-bucket-with-a-long-name-{number:02}-{'x' * 20}"
        log_bucket(account, bucket)
        arns.append(account.add_load_balancer(f"web-{number:02}", bucket=bucket, prefix="alb"))
    return arns


def checked(answer: Answer) -> Answer:
    """Check what must hold for the values of every success, and return the answer."""
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    assert set(answer["Data"]) == KEYS
    assert all(isinstance(each, str) and each for each in answer["Data"].values())
    assert len(json.dumps(answer).encode()) <= LIMIT
    text = json.dumps(answer, ensure_ascii=False)
    assert TOKEN not in text and "X-Amz-Signature" not in text and "5ecret" not in text
    return answer


def counted(text: str, names: str) -> tuple[int, int]:
    """Return how many names a text shows, and how many more it counts."""
    shown = len(set(re.findall(names, text)))
    more = re.findall(r"(\d+) more", text)
    return shown, int(more[-1]) if more else 0


@PRIVILEGES
def test_outputs_say_none_if_there_is_nothing_to_report(privileges: str) -> None:
    case = Case(never)
    given = properties(*case.arns, Privileges=privileges)
    again = {**given, "RunToken": "2"}

    for answer in (case.send("Create", given), case.send("Update", again, given)):
        assert data(checked(answer), "NotOnboarded") == "none"
        assert data(answer, "Warnings") == "none"


@PRIVILEGES
def test_of_all_load_balancers_those_that_cannot_be_onboarded_are_named(privileges: str) -> None:
    case = Case(one_that_cannot)
    given = properties("*", Privileges=privileges)
    again = {**given, "RunToken": "2"}

    for answer in (case.send("Create", given), case.send("Update", again, given)):
        told = data(checked(answer), "NotOnboarded")
        assert "app/shop/" in told
        assert "kms-logs" in told
        assert "app/web/" not in told
        assert data(answer, "Warnings") == "none"
    assert reads(case.account, case.arns[0])
    assert not reads(case.account, case.arns[1])


def test_once_it_can_be_onboarded_it_is_named_no_more() -> None:
    case = Case(one_that_cannot)
    case.send("Create", EVERY)
    case.account.s3.put_bucket_encryption(
        Bucket="kms-logs",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )

    answer = checked(case.send("Update", {**EVERY, "RunToken": "2"}, EVERY))

    assert data(answer, "NotOnboarded") == "none"
    assert reads(case.account, case.arns[1])


def test_one_that_is_refused_only_when_it_is_changed_is_named_too() -> None:
    case = Case(lambda account: [account.add_load_balancer(each) for each in ("web", "shop")])
    case.before = refusing(case.arns[1], "Access Denied for bucket")

    answer = checked(case.send("Create", EVERY))

    assert "app/shop/" in data(answer, "NotOnboarded")
    assert "app/web/" not in data(answer, "NotOnboarded")


def refusing(arn: str, text: str) -> Any:
    """Return a hook that makes ELB refuse to change a load balancer, with this message."""

    def before(service: str, operation: str, params: Mapping[str, Any]) -> None:
        changes = operation == "ModifyLoadBalancerAttributes"
        if changes and params["LoadBalancerArn"] == arn:
            error = {"Code": "OperationNotPermitted", "Message": text}
            raise ClientError({"Error": error}, operation)

    return before


@PRIVILEGES
def test_three_hundred_that_are_refused_are_cut_with_a_count(privileges: str) -> None:
    case = Case(many_that_cannot)
    given = properties("*", Privileges=privileges)

    answer = checked(case.send("Create", given))

    shown, more = counted(data(answer, "NotOnboarded"), r"app/refused-\d{3}/")
    assert shown + more == 300
    assert more > 0
    assert data(answer, "Warnings") == "none"
    own = case.account.world.load_balancers[case.arns[0]].attributes["access_logs.s3.bucket"]
    assert data(answer, "LogBuckets") == own
    assert data(answer, "HandlerSha256") == "0" * 64
    assert data(answer, "TemplateVersion") == "0.1.0"


def test_many_warnings_are_cut_with_a_count() -> None:
    case = Case(many_buckets)
    given = properties(*case.arns)
    assert data(checked(case.send("Create", given)), "Warnings") == "none"
    for name in list(case.account.world.buckets):
        owned_by_writers(case.account, name)

    answer = checked(case.send("Update", {**given, "RunToken": "2"}, given))

    shown, more = counted(data(answer, "Warnings"), r"a-log-bucket-with-a-long-name-\d{2}")
    assert shown + more == 60
    assert more > 0
    assert data(answer, "NotOnboarded") == "none"


def test_everything_at_once_fits() -> None:
    case = Case(lambda account: [*many_buckets(account), *many_that_cannot(account)])
    checked(case.send("Create", EVERY))
    for name in list(case.account.world.buckets):
        if name.startswith("a-log-bucket"):
            owned_by_writers(case.account, name)

    answer = checked(case.send("Update", {**EVERY, "RunToken": "2"}, EVERY))

    shown, more = counted(data(answer, "NotOnboarded"), r"app/refused-\d{3}/")
    assert (shown + more, more > 0) == (300, True)
    shown, more = counted(data(answer, "Warnings"), r"a-log-bucket-with-a-long-name-\d{2}")
    assert (shown + more, more > 0) == (60, True)


@pytest.mark.parametrize(
    "identifier", [ENDPOINT, ENDPOINT.partition("?")[2], f"to {ENDPOINT} since May"]
)
def test_a_warning_that_contains_the_endpoint_hides_it(identifier: str) -> None:
    """Somebody has replaced our notification with one whose Id contains the endpoint."""
    case = Case(adopted)
    given = properties(case.arns[0])
    checked(case.send("Create", given))
    announced_elsewhere(case.account, identifier)

    answer = checked(case.send("Update", {**given, "RunToken": "2"}, given))

    assert CUSTOMERS in data(answer, "Warnings")


def test_a_refusal_that_contains_the_endpoint_hides_it() -> None:
    case = Case(adopted)
    announced_elsewhere(case.account, ENDPOINT)

    answer = checked(case.send("Create", EVERY))

    assert "app/web/" in data(answer, "NotOnboarded")
    assert "app/api/" in data(answer, "NotOnboarded")


def test_the_old_endpoint_is_hidden_too() -> None:
    case = Case(adopted)
    given = properties(case.arns[0])
    checked(case.send("Create", given))
    announced_elsewhere(case.account, ENDPOINT)
    wanted = {**given, "NotificationEndpoint": "https://other.example.com/in"}

    answer = checked(case.send("Update", wanted, given))

    assert CUSTOMERS in data(answer, "Warnings")


def test_the_answers_url_is_hidden_where_aws_repeats_it() -> None:
    case = Case(lambda account: [account.add_load_balancer(each) for each in ("web", "shop")])
    event = case.stack.event("Create", EVERY)
    case.before = refusing(case.arns[1], f"cannot answer {event['ResponseURL']} or {ENDPOINT}")

    answer = checked(case.stack.send(event, case.clients))

    assert "app/shop/" in data(answer, "NotOnboarded")


@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_the_values_are_there_whatever_has_become_unusable(drift: Any) -> None:
    case = Case(drift.prepare)
    given: Properties = properties(*case.arns[:2], DataTheoremAccountId=VENDOR)
    checked(case.send("Create", given))
    case.customer(drift.happen)

    checked(case.send("Update", {**given, "RunToken": "2"}, given))
