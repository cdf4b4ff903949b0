"""Many load balancers: handled in parallel, failing separately, and limited by the time left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from handler.fleet import MODIFY, Fleet, refused
from lifecycle.cloudformation import properties
from lifecycle.faults import error, on, once

from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket

EVERY = properties("*")
AGAIN = properties("*", RunToken="2")
WORKERS = pytest.mark.parametrize("workers", [1, 8])


@pytest.mark.parametrize("every", [True, False])
def test_number_of_workers_does_not_change_the_result(every: bool) -> None:
    """The account and the answers are the same for any number of workers."""
    told = []
    for workers in (1, 8):
        fleet = Fleet(30, workers)
        fleet.customer(customers_bucket)
        for number in range(10):
            fleet.set(number, CUSTOMERS, "alb", enabled=number % 2 == 0)
        fleet.set(11, "gone-bucket", "x", enabled=True)
        fleet.set(12, "gone-bucket", "y", enabled=True)
        arns = ["*"] if every else [*fleet.arns[:11], *fleet.arns[13:]]
        fewer = ["*"] if every else arns[5:20]
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
        assert fleet.left() == []
        told.append(states)
    assert told[0] == told[1]


@WORKERS
def test_the_first_error_in_order_is_the_one_that_is_told(workers: int) -> None:
    """Another load balancer may fail sooner. The Delete that follows undoes the changes."""
    fleet = Fleet(20, workers)
    fleet.before = refused(fleet, 3, 4, 17)
    reason = fleet.fail(properties(*fleet.arns))
    assert reason.startswith("ModifyLoadBalancerAttributes failed with OperationNotPermitted: ")
    assert fleet.arns[3] in reason
    assert "stays until the stack is rolled back or deleted" in reason


@WORKERS
def test_one_that_cannot_be_changed_is_left_out_and_told(workers: int) -> None:
    """The claim is removed, with the bucket, topic and notification that only this ALB needs."""
    fleet = Fleet(5, workers)
    fleet.customer(customers_bucket)
    for number in (0, 1, 3, 4):
        fleet.set(number, CUSTOMERS, "alb", enabled=True)
    fleet.before = refused(fleet, 2)

    told = fleet.succeed("Create", EVERY)

    assert fleet.logs() == [True, True, False, True, True]
    assert told["NotOnboarded"].startswith(f"{load_balancer_name(fleet.arns[2])}: ")
    assert "OperationNotPermitted" in told["NotOnboarded"]
    assert (told["Warnings"], told["LogBuckets"]) == ("none", CUSTOMERS)
    now, untouched = fleet.account.snapshot(), fleet.untouched.snapshot()
    assert now["load_balancers"] == untouched["load_balancers"]
    assert set(now["buckets"]) == {CUSTOMERS}
    fleet.leave(EVERY)


def test_one_that_was_changed_though_elb_said_no_is_set_back() -> None:
    fleet = Fleet(3)
    said = []

    def lie(params: Mapping[str, Any]) -> None:
        said.append(params["LoadBalancerArn"])
        raise error("Strange", MODIFY)

    fleet.after = once(MODIFY, lie)
    told = fleet.succeed("Create", EVERY)
    assert fleet.logs() == [False, True, True]
    assert told["NotOnboarded"].startswith(f"{load_balancer_name(said[0])}: ")
    fleet.leave(EVERY)


@WORKERS
def test_none_onboarded_is_a_failure_that_tells_the_fix(workers: int) -> None:
    fleet = Fleet(60, workers)
    fleet.before = refused(fleet, *range(60))
    reason = fleet.fail(EVERY)
    assert reason.startswith("No load balancer can be onboarded.")
    assert "Correct that" in reason
    assert "stays until the stack is rolled back or deleted" in reason


def test_a_bucket_that_elb_may_not_write_to_is_waited_for_once() -> None:
    """The bucket's policy gets one minute to take effect, not one for each load balancer."""
    fleet = Fleet(40)
    fleet.before = refused(fleet, *range(39), code="InvalidConfigurationRequest")
    started = fleet.clock()
    fleet.succeed("Create", EVERY)
    assert fleet.logs() == [False] * 39 + [True]
    assert fleet.clock() - started < 2 * 60


def test_an_odd_text_does_not_stop_the_waiting_for_others() -> None:
    fleet = Fleet(6)
    start = fleet.clock()

    def refuse(params: Mapping[str, Any]) -> None:
        if params["LoadBalancerArn"] == fleet.arns[0]:
            raise error("InvalidConfigurationRequest", MODIFY, "cannot be changed")
        if fleet.clock() - start < 10:
            raise error("InvalidConfigurationRequest", MODIFY, "Access Denied for bucket: b")

    fleet.before = on(MODIFY, refuse)
    fleet.succeed("Create", EVERY)
    assert fleet.logs() == [False] + [True] * 5


def test_logging_that_is_turned_on_meanwhile_is_not_moved() -> None:
    """Each load balancer is read again right before it is changed, even if there are many."""
    fleet = Fleet(12, workers=8)
    customers_bucket(fleet.account)

    # This happens between the first read and the change.
    fleet.after = on("CreateTopic", lambda params: fleet.set(7, CUSTOMERS, "mine", enabled=True))
    told = fleet.succeed("Create", EVERY)
    assert fleet.location(7) == (CUSTOMERS, "mine")
    assert CUSTOMERS in told["LogBuckets"]


class Deaf:
    """An ELB client whose first change does not take effect; its response shows that."""

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
    """The function reads the load balancer again, and repeats the change."""
    fleet = Fleet(2)
    deaf = Deaf(fleet.account.elbv2)
    fleet.clients = lambda: (deaf, fleet.account.s3, fleet.account.sns)
    fleet.succeed("Create", properties(*fleet.arns))
    assert fleet.logs() == [True, True]
    assert deaf.heard == 3


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (101, "101 load balancers are too many for one run: 100 fit"),
        (76, "76 load balancers to turn on are too many for one run: 75 fit"),
    ],
    ids=["to look at", "to set"],
)
def test_more_than_fit_are_refused_with_a_number(count: int, told: str) -> None:
    """Of 60 s, 30 s are kept for the answer. Reading an ALB takes 0.3 s; changing it, 0.4 s."""
    assert told in Fleet(count).fail(EVERY, 60)


def test_as_many_as_fit_are_taken_and_only_what_is_to_be_set_counts() -> None:
    """If all counted, an onboarded account could be neither updated nor rolled back."""
    fleet = Fleet(75)
    fleet.succeed("Create", EVERY, None, 60)
    assert all(fleet.logs())
    told = fleet.succeed("Update", AGAIN, EVERY, 113)
    assert told["NotOnboarded"] == "none"


def test_an_update_takes_what_fits_and_tells_the_rest() -> None:
    """Of 120 s, 30 s are kept for the answer, 60 s for leaving buckets. At 0.4 s each, 75 fit."""
    fleet = Fleet(5)
    fleet.send("Create", EVERY)
    fleet.arns += [fleet.account.add_load_balancer(f"new{each}") for each in range(78)]

    told = fleet.succeed("Update", AGAIN, EVERY, 120)

    assert told["NotOnboarded"].count("does not fit into this run: run the stack again") == 3
    assert sum(fleet.logs()) == 80
    told = fleet.succeed("Update", properties("*", RunToken="3"), AGAIN)
    assert told["NotOnboarded"] == "none"
    assert all(fleet.logs())


def test_neither_leaving_nor_the_way_back_is_refused() -> None:
    """The failed Update does not even have time to read all load balancers."""
    fleet = Fleet(241)
    named = properties(fleet.arns[0])
    fleet.send("Create", named)
    assert fleet.send("Update", EVERY, named, 150)["Status"] == "FAILED"
    fleet.succeed("Update", named, EVERY, 150)
    fleet.succeed("Update", EVERY, named)
    assert all(fleet.logs())

    fleet.succeed("Update", named, EVERY, 250)

    assert sum(fleet.logs()) == 1


def test_delete_is_never_refused_and_covers_every_load_balancer_with_the_mark() -> None:
    """The Delete also covers load balancers that the parameters do not name."""
    fleet = Fleet(200)
    fleet.succeed("Create", EVERY)
    fleet.leave(properties(fleet.arns[0]), 60)
    assert not any(fleet.logs())


@pytest.mark.parametrize("kind", ["refused", "changed by the customer"])
def test_one_odd_load_balancer_costs_a_thousand_no_time(kind: str) -> None:
    """Calls keep to ELB's documented rates: ten a second, at most three of them changes."""
    fleet = Fleet(1000)
    customers_bucket(fleet.account)
    fleet.set(7, CUSTOMERS, "alb", enabled=False)
    changed = on("CreateTopic", lambda params: fleet.set(7, CUSTOMERS, "mine", enabled=True))
    odd = refused(fleet, 7) if kind == "refused" else changed

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if service == "elbv2":
            fleet.clock.sleep(0.2333 if operation == MODIFY else 0.1)
        odd(service, operation, params)

    fleet.before = hook
    fleet.succeed("Create", EVERY)
    assert sum(fleet.logs()) >= 999
