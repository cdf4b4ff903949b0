"""Accounts like customers' accounts, and one event to test in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import (
    CUSTOMERS,
    announced,
    customers_bucket,
    logging,
    new,
    three,
)
from lifecycle.cloudformation import Clients, Properties, Stack, properties

DOCUMENTED = {"Privileges": "documented"}
Prepare = Callable[[Account], list[str]]
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:logs"


@dataclass(frozen=True)
class Scenario:
    """An account, and the event under test, which takes the stack from one state to another.

    `prepare` sets up the account, including other stacks, and returns the ALBs' ARNs. `before` and
    `after` are the stack's properties before and after the event, or None if there is no stack.
    """

    name: str
    prepare: Prepare
    before: Callable[[list[str]], Properties | None]
    after: Callable[[list[str]], Properties | None]


def switched_off(account: Account) -> list[str]:
    """Make two ALBs whose logging is off, although a bucket is still set."""
    customers_bucket(account)
    return [
        account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb", enabled=False),
        account.add_load_balancer("api", bucket=CUSTOMERS, enabled=False),
    ]


def clients_of(account: Account, **hooks: Any) -> tuple[object, object, object]:
    """Return the handler's three clients, for ELB, S3 and SNS."""
    return (
        account.client("elbv2", **hooks),
        account.client("s3", **hooks),
        account.client("sns", **hooks),
    )


def _nothing(arns: list[str]) -> None:
    return None


def _all(**changed: object) -> Callable[[list[str]], Properties]:
    return lambda arns: properties(*arns, **changed)


def _one(number: int, **changed: object) -> Callable[[list[str]], Properties]:
    return lambda arns: properties(arns[number], **changed)


def _every(arns: list[str]) -> Properties:
    return properties("*")


def _with_another_stack(prepare: Prepare, *numbers: int, **changed: object) -> Prepare:
    """Extend `prepare`, so that another stack onboards some of the ALBs first."""

    def prepared(account: Account) -> list[str]:
        arns = prepare(account)
        other = Stack(account.clock, seed=99)
        clients: Clients = lambda: clients_of(account)  # noqa: E731
        answer = other.create(properties(*(arns[each] for each in numbers), **changed), clients)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return arns

    return prepared


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("new bucket", new, _nothing, _all()),
    Scenario("three load balancers", three, _nothing, _all()),
    Scenario("delete", new, _all(), _nothing),
    Scenario("delete three", three, _all(), _nothing),
    Scenario(
        "exchange", three, lambda arns: properties(*arns[:2]), lambda arns: properties(*arns[1:])
    ),
    Scenario(
        "another vendor, endpoint and retention",
        new,
        _all(),
        _all(
            DataTheoremAccountId="888877776666",
            NotificationEndpoint=QUEUE,
            LogRetentionDays="90",
            ResourceTags=["team=edge"],
        ),
    ),
    Scenario("back to the first endpoint", new, _all(NotificationEndpoint=QUEUE), _all()),
    Scenario("another bucket", new, _all(), _all(LogBucketName="customers-own-name")),
    Scenario("adopted", logging, _nothing, _all(NotificationEndpoint=QUEUE)),
    Scenario("delete adopted", logging, _all(NotificationEndpoint=QUEUE), _nothing),
    Scenario("another scope", logging, _all(), _all(VendorReadScope="Location")),
    Scenario("switched off", switched_off, _nothing, _all()),
    Scenario("delete switched off", switched_off, _all(), _nothing),
    Scenario("named bucket", new, _nothing, _all(LogBucketName="customers-own-name")),
    Scenario("delete named bucket", new, _all(LogBucketName="customers-own-name"), _nothing),
    Scenario("a topic that is there", announced, _nothing, _all(NotificationEndpoint=QUEUE)),
    Scenario("leave a topic", announced, _all(NotificationEndpoint=QUEUE), _nothing),
    Scenario("join a stack", _with_another_stack(three, 0, 1), _nothing, _all()),
    Scenario("leave a stack", _with_another_stack(three, 0, 1), _all(), _nothing),
    Scenario("join on adopted", _with_another_stack(logging, 0, 1), _nothing, _one(0)),
    Scenario("leave on adopted", _with_another_stack(logging, 0, 1), _one(0), _nothing),
    Scenario("documented", new, _nothing, _all(**DOCUMENTED)),
    Scenario("delete documented", new, _all(**DOCUMENTED), _nothing),
    Scenario("documented, adopted", logging, _nothing, _all(**DOCUMENTED)),
    Scenario("all load balancers", logging, _nothing, _every),
    Scenario("all new load balancers", three, _nothing, _every),
    Scenario("delete all load balancers", three, _every, _nothing),
)
