"""Many load balancers: handled in parallel, failing separately, and limited by the time."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lifecycle.cloudformation import Lambda, Properties, Stack, properties
from lifecycle.scenarios import clients_of

from dt_logs_handler.main import World, handle
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, Clock, Snapshot
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from dt_logs_rehearsal.scenarios.differences import differences

Answer = dict[str, Any]
Hook = Callable[[str, str, Mapping[str, Any]], None]


def silent(service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Let every call through."""


class Fleet:
    """An account with load balancers, and one stack."""

    def __init__(self, count: int, workers: int = 1) -> None:
        self.clock = Clock()
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.arns = [self.account.add_load_balancer(f"web{each}") for each in range(count)]
        self.stack = Stack(self.clock, seed=1)
        self.workers = workers
        self.before: Hook = silent
        self.after: Hook = silent

    def clients(self) -> Any:
        """Return the handler's clients, with the hooks around each call."""
        return clients_of(self.account, before=self.before, after=self.after)

    def send(
        self,
        kind: str,
        given: Properties,
        old: Properties | None = None,
        seconds: float = 900,
    ) -> Answer:
        """Send an event to a function with a timeout of so many seconds; return the answer."""
        answers: list[bytes] = []

        def receive(url: str, body: bytes) -> int:
            answers.append(body)
            return 200

        world = World(
            self.clients,
            receive,
            self.clock,
            self.clock.sleep,
            Random(1),
            self.workers,
        )
        event = self.stack.event(kind, given, old)
        handle(event, Lambda(self.clock, self.clock() + seconds - 900), world)
        (body,) = answers
        answer: Answer = json.loads(body)
        return answer

    def succeed(
        self, kind: str, given: Properties, old: Properties | None = None, seconds: float = 900
    ) -> dict[str, str]:
        """Send an event that must succeed; return the values for the outputs."""
        answer = self.send(kind, given, old, seconds)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        data: dict[str, str] = answer["Data"]
        return data

    def fail(self, given: Properties, seconds: float = 900) -> str:
        """Send a Create that must fail, and the Delete that follows; return the reason.

        The account must then be as it was before.
        """
        start = self.account.snapshot()
        answer = self.send("Create", given, seconds=seconds)
        assert answer["Status"] == "FAILED"
        self.leave(given, start)
        reason: str = answer["Reason"]
        return reason

    def leave(self, given: Properties, start: Snapshot, seconds: float = 900) -> None:
        """Send a Delete, after which the account must be as it was at the start."""
        self.succeed("Delete", given, seconds=seconds)
        assert not differences(start, self.account.snapshot())

    def logs(self) -> list[bool]:
        """Tell for each load balancer whether it logs."""
        found = self.account.world.load_balancers
        return [found[arn].attributes["access_logs.s3.enabled"] == "true" for arn in self.arns]

    def set(self, number: int, bucket: str, prefix: str, enabled: bool) -> None:
        """Set where a load balancer logs, as the customer does."""
        self.account.world.load_balancers[self.arns[number]].attributes |= {
            "access_logs.s3.enabled": str(enabled).lower(),
            "access_logs.s3.bucket": bucket,
            "access_logs.s3.prefix": prefix,
        }


def refused(fleet: Fleet, *numbers: int, code: str = "OperationNotPermitted") -> Hook:
    """Return a hook that makes ELB refuse to change some load balancers."""

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        arn = params.get("LoadBalancerArn", "")
        if operation == "ModifyLoadBalancerAttributes" and arn in [fleet.arns[n] for n in numbers]:
            error = {"Code": code, "Message": f"Access Denied for bucket: test of {arn}"}
            raise ClientError({"Error": error}, operation)

    return hook


@pytest.mark.parametrize("every", [True, False])
def test_number_of_workers_does_not_change_the_result(every: bool) -> None:
    """The account and the answers are the same for any number of workers."""
    told = []
    for workers in (1, 8):
        fleet = Fleet(30, workers)
        customers_bucket(fleet.account)
        for number in range(10):
            fleet.set(number, CUSTOMERS, "alb", enabled=number % 2 == 0)
        fleet.set(11, "gone-bucket", "x", enabled=True)
        fleet.set(12, "gone-bucket", "y", enabled=True)
        arns = ["*"] if every else [*fleet.arns[:11], *fleet.arns[13:]]
        fewer = ["*"] if every else arns[5:20]
        start = fleet.account.snapshot()
        first, second = properties(*arns), properties(*fewer, RunToken="2")
        states = []
        for kind, given, old in (
            ("Create", first, None),
            ("Update", second, first),
            ("Delete", second, None),
        ):
            answer = fleet.send(kind, given, old)
            assert answer["Status"] == "SUCCESS", answer["Reason"]
            states.append((answer, fleet.account.snapshot()))
        assert not differences(start, fleet.account.snapshot())
        told.append(states)
    assert told[0] == told[1]


@pytest.mark.parametrize("workers", [1, 8])
def test_the_first_error_in_order_is_the_one_that_is_told(workers: int) -> None:
    """Another load balancer may fail earlier. The Delete that follows undoes what was done."""
    fleet = Fleet(20, workers)
    fleet.before = refused(fleet, 3, 4, 17)
    reason = fleet.fail(properties(*fleet.arns))
    assert reason.startswith("ModifyLoadBalancerAttributes failed with OperationNotPermitted: ")
    assert fleet.arns[3] in reason
    assert "stays until the stack is rolled back or deleted" in reason


@pytest.mark.parametrize("workers", [1, 8])
def test_one_that_cannot_be_changed_is_left_out_and_told(workers: int) -> None:
    fleet = Fleet(5, workers)
    start = fleet.account.snapshot()
    fleet.before = refused(fleet, 2)
    told = fleet.succeed("Create", properties("*"))
    assert fleet.logs() == [True, True, False, True, True]
    assert told["NotOnboarded"].startswith(f"{load_balancer_name(fleet.arns[2])}: ")
    assert "OperationNotPermitted" in told["NotOnboarded"]
    assert told["Warnings"] == "none"
    attributes = fleet.account.snapshot()["load_balancers"][fleet.arns[2]]
    assert attributes == start["load_balancers"][fleet.arns[2]]
    fleet.before = silent
    fleet.leave(properties("*"), start)


def test_what_was_set_up_only_for_a_refused_load_balancer_is_removed() -> None:
    """Its claim is removed, and so are the bucket, topic and notification that only it needs."""
    fleet = Fleet(2)
    customers_bucket(fleet.account)
    fleet.set(0, CUSTOMERS, "alb", enabled=True)
    start = fleet.account.snapshot()
    fleet.before = refused(fleet, 1)
    assert fleet.succeed("Create", properties("*"))["LogBuckets"] == CUSTOMERS
    assert set(fleet.account.snapshot()["buckets"]) == {CUSTOMERS}
    fleet.before = silent
    fleet.leave(properties("*"), start)


def test_refused_load_balancer_is_removed_from_a_shared_claim() -> None:
    """Outside the stack's own location, the vendor's read statement names each load balancer."""
    fleet = Fleet(2)
    customers_bucket(fleet.account)
    for number in range(2):
        fleet.set(number, CUSTOMERS, "alb", enabled=False)
    fleet.before = refused(fleet, 1)
    fleet.succeed("Create", properties("*", VendorReadScope="LoadBalancer"))
    assert fleet.logs() == [True, False]
    (granted,) = (
        each["Resource"]
        for each in json.loads(fleet.account.s3.get_bucket_policy(Bucket=CUSTOMERS)["Policy"])[
            "Statement"
        ]
        if each.get("Sid", "").startswith("DTLogsAnalysis1Read")
    )
    assert "web1" not in str(granted)


def test_one_that_was_changed_though_elb_said_no_is_set_back() -> None:
    fleet = Fleet(3)
    start = fleet.account.snapshot()
    said = []

    def lies(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "ModifyLoadBalancerAttributes" and not said:
            said.append(params["LoadBalancerArn"])
            raise ClientError({"Error": {"Code": "Strange", "Message": ""}}, operation)

    fleet.after = lies
    told = fleet.succeed("Create", properties("*"))
    assert fleet.logs() == [False, True, True]
    assert told["NotOnboarded"].startswith(f"{load_balancer_name(said[0])}: ")
    fleet.leave(properties("*"), start)


@pytest.mark.parametrize("workers", [1, 8])
def test_none_onboarded_is_a_failure(workers: int) -> None:
    fleet = Fleet(3, workers)
    fleet.before = refused(fleet, 0, 1, 2)
    assert fleet.fail(properties("*")).startswith("No load balancer can be onboarded.")


def test_a_bucket_that_elb_may_not_write_to_is_waited_for_once() -> None:
    """The bucket's policy gets one minute to take effect, not one for each load balancer."""
    fleet = Fleet(40)
    fleet.before = refused(fleet, *range(39), code="InvalidConfigurationRequest")
    started = fleet.clock()
    fleet.succeed("Create", properties("*"))
    assert fleet.logs() == [False] * 39 + [True]
    assert fleet.clock() - started < 2 * 60


def test_a_named_one_that_cannot_be_changed_fails_all() -> None:
    fleet = Fleet(3)
    fleet.before = refused(fleet, 1)
    assert "OperationNotPermitted" in fleet.fail(properties(*fleet.arns))


def test_logging_that_is_turned_on_meanwhile_is_not_moved() -> None:
    """Each load balancer is read again right before it is changed, even if there are many."""
    fleet = Fleet(12, workers=8)
    customers_bucket(fleet.account)

    def customer(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "CreateTopic":  # between the first look and the change
            fleet.set(7, CUSTOMERS, "mine", enabled=True)

    fleet.after = customer
    told = fleet.succeed("Create", properties("*"))
    found = fleet.account.world.load_balancers[fleet.arns[7]].attributes
    assert found["access_logs.s3.bucket"] == CUSTOMERS
    assert found["access_logs.s3.prefix"] == "mine"
    assert CUSTOMERS in told["LogBuckets"]


class Deaf:
    """An ELB client whose first change has no effect, which its response shows."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.heard = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def modify_load_balancer_attributes(self, **params: Any) -> Any:
        self.heard += 1
        if self.heard == 1:
            arn = params["LoadBalancerArn"]
            return self.client.describe_load_balancer_attributes(LoadBalancerArn=arn)
        return self.client.modify_load_balancer_attributes(**params)


def test_an_answer_that_does_not_show_the_change_is_not_believed() -> None:
    """The load balancer is read back, and set again."""
    fleet = Fleet(2)
    deaf = Deaf(fleet.account.elbv2)
    fleet.clients = lambda: (deaf, fleet.account.s3, fleet.account.sns)
    fleet.succeed("Create", properties(*fleet.arns))
    assert fleet.logs() == [True, True]
    assert deaf.heard == 3


def test_more_than_can_be_looked_at_in_time_are_refused_with_a_number() -> None:
    """Of 60 s, 30 s are kept for the answer. The rest is enough for 100, at 0.3 s each."""
    reason = Fleet(101).fail(properties("*"), seconds=60)
    assert "101 load balancers are too many for one run: 100 fit" in reason


def test_more_than_can_be_set_in_time_are_refused_with_a_number() -> None:
    """The 30 s that are left are enough for 75, at 0.4 s each."""
    reason = Fleet(76).fail(properties("*"), seconds=60)
    assert "76 load balancers to turn on are too many for one run: 75 fit" in reason


def test_as_many_as_fit_are_taken() -> None:
    fleet = Fleet(75)
    fleet.succeed("Create", properties("*"), seconds=60)
    assert all(fleet.logs())


def test_only_what_is_to_be_set_counts_as_setting() -> None:
    """Otherwise an Update of an account that is already onboarded, or a rollback, would not fit."""
    fleet = Fleet(100)
    given = properties("*")
    fleet.succeed("Create", given)
    told = fleet.succeed("Update", {**given, "RunToken": "2"}, given, seconds=120)
    assert told["NotOnboarded"] == "none"


def test_a_delete_is_never_refused() -> None:
    fleet = Fleet(200)
    start = fleet.account.snapshot()
    fleet.succeed("Create", properties("*"))
    fleet.leave(properties("*"), start, seconds=60)


def test_delete_covers_every_load_balancer_with_the_mark() -> None:
    """It also covers load balancers that the parameters do not name."""
    fleet = Fleet(5)
    start = fleet.account.snapshot()
    fleet.succeed("Create", properties("*"))
    fleet.leave(properties(fleet.arns[0]), start)
    assert fleet.logs() == [False] * 5
