"""A stack owns logging that it turned on, but only while its registration shows that."""

from __future__ import annotations

import json
from functools import partial

import pytest
from support.drifts import log_bucket, owned_by_writers, set_logging
from support.looks import granted, logging_of, reads, statements

from dt_logs_rehearsal.account import Account, Consistency
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from lifecycle.cloudformation import Properties, Stack, properties
from lifecycle.scenarios import PRIVILEGES, Case, Prepare, data

TEAM = "team-logs"


def never(account: Account) -> list[str]:
    """Make two ALBs that have never logged, and a bucket to which a controller will send logs."""
    log_bucket(account, TEAM)
    return [account.add_load_balancer("web"), account.add_load_balancer("api")]


def off(account: Account) -> list[str]:
    """Do as `never` does, but set the customer's bucket at the first ALB, with logging off."""
    log_bucket(account, TEAM)
    customers_bucket(account)
    return [
        account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb", enabled=False),
        account.add_load_balancer("api"),
    ]


class Taken(Case):
    """A stack that onboarded an ALB; the customer's controller then sent its logs elsewhere.

    A Kubernetes controller sets `enabled` and `bucket`, but not the prefix.
    """

    def __init__(self, prepare: Prepare = never, privileges: str = "least-privilege") -> None:
        super().__init__(prepare)
        self.web, self.api = self.arns
        self.given = properties(self.web, Privileges=privileges)
        self.sent("Create", self.given)
        self.ours = logging_of(self.account, self.web)
        set_logging(self.account, self.web, enabled="true", bucket=TEAM)
        self.logging = ("true", TEAM, self.ours[2])
        self.team = self.account.snapshot()["buckets"][TEAM]

    def is_the_customers(self) -> None:
        """Check that the ALB logs as the customer set it, and that the vendor reads its logs."""
        assert logging_of(self.account, self.web) == self.logging
        assert reads(self.account, self.web)

    def ends(self, given: Properties) -> None:
        """Delete the stack; check that the customer's settings remain, and that ours are gone."""
        self.sent("Delete", given)
        assert logging_of(self.account, self.web) == self.logging
        assert self.account.snapshot()["buckets"][TEAM] == self.team
        assert granted(self.account) == []
        # The customer's controller has replaced these settings, so the stack cannot restore them.
        attributes = self.account.world.load_balancers[self.web].attributes
        self.untouched.world.load_balancers[self.web].attributes |= attributes
        self.untouched.world.buckets[TEAM] = self.account.world.buckets[TEAM]
        assert self.left() == []


BOTH = pytest.mark.parametrize("prepare", [never, off])


@PRIVILEGES
@BOTH
@pytest.mark.parametrize("updated", [True, False], ids=["Update and Delete", "Delete"])
def test_the_logging_stays_where_the_customer_sent_it(
    prepare: Prepare, updated: bool, privileges: str
) -> None:
    case = Taken(prepare, privileges)
    if updated:
        case.sent("Update", {**case.given, "RunToken": "2"}, case.given)
        case.is_the_customers()
        # The location is now the customer's, so the vendor reads only this load balancer's logs.
        assert not reads(case.account, case.api, at=case.logging[1:])
        assert not reads(case.account, case.web, at=case.ours[1:])
        assert len(granted(case.account)) == 1

    case.ends(case.given)


@PRIVILEGES
@BOTH
def test_it_leaves_the_stack_and_goes_on_to_log(prepare: Prepare, privileges: str) -> None:
    case = Taken(prepare, privileges)
    other = {**case.given, "LoadBalancerArns": [case.api]}

    case.sent("Update", other, case.given)

    assert logging_of(case.account, case.web) == case.logging
    assert not reads(case.account, case.web)
    assert reads(case.account, case.api)
    case.ends(other)


@PRIVILEGES
@pytest.mark.parametrize("existing", [[""], [CUSTOMERS, TEAM]], ids=["any", "narrowed"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_where_it_logged_before_nothing_stays(
    kind: str, existing: list[str], privileges: str
) -> None:
    """The load balancer's new bucket lacks a register; a search of buckets finds the old one."""
    case = Case(off)
    case.customer(partial(set_logging, arn=case.arns[0], enabled="true"))
    given = properties(case.arns[0], Privileges=privileges, ExistingLogBucketNames=existing)
    case.sent("Create", given)
    case.customer(partial(set_logging, arn=case.arns[0], bucket=TEAM, prefix="moved"))

    case.sent(kind, {**given, "RunToken": "2"}, given)

    assert reads(case.account, case.arns[0]) == (kind == "Update")
    assert granted(case.account) == [e["Sid"] for e in statements(case.account, TEAM)[1:]]
    case.ends(given)


@pytest.mark.parametrize("through", ["another", "all"])
def test_a_way_back_to_it_leaves_it_alone(through: str) -> None:
    """The Update back, after another resource failed, adds a load balancer that was dropped."""
    case = Taken()
    arns = [case.api] if through == "another" else ["*"]
    other = {**case.given, "LoadBalancerArns": arns}
    case.sent("Update", other, case.given)
    if through == "all":
        case.is_the_customers()

    case.sent("Update", case.given, other)

    case.is_the_customers()
    case.ends(case.given)


def test_a_stack_that_shares_it_keeps_what_the_first_one_turned_on() -> None:
    """The last stack to be deleted switches off the logging that the first stack turned on."""
    case = Case(off)
    web = case.arns[0]
    given = properties(web)
    case.sent("Create", given)
    turned_on = logging_of(case.account, web)
    first, second = case.stack, Stack(case.clock, seed=2)
    case.stack = second
    case.sent("Create", given)
    assert logging_of(case.account, web) == turned_on

    case.stack = first
    case.sent("Delete", given)
    assert logging_of(case.account, web) == turned_on
    assert reads(case.account, web)

    case.stack = second
    case.sent("Update", {**given, "RunToken": "2"}, given)
    case.ends(given)
    assert logging_of(case.account, web) == ("false", CUSTOMERS, "alb")


def test_a_stack_that_shares_it_loses_it_to_the_customer_too() -> None:
    case = Taken()
    first, case.stack = case.stack, Stack(case.clock, seed=2)
    case.sent("Create", case.given)
    assert reads(case.account, case.web)

    case.sent("Delete", case.given)
    assert logging_of(case.account, case.web) == case.logging

    case.stack = first
    case.ends(case.given)


def test_where_the_customer_sent_it_may_be_unusable() -> None:
    """The Update must not fail, because its Update back would fail at the same bucket."""
    case = Taken()
    owned_by_writers(case.account, TEAM)
    case.team = case.account.snapshot()["buckets"][TEAM]

    answer = case.sent("Update", {**case.given, "RunToken": "2"}, case.given)

    assert TEAM in data(answer, "Warnings") + data(answer, "NotOnboarded")
    assert logging_of(case.account, case.web) == case.logging
    case.ends(case.given)


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_one_stale_read_takes_nothing_for_the_customers(kind: str) -> None:
    """Another tool overwrites our registration and puts it back, just before the event."""
    for seed in range(30):
        case = Case(off)
        web = case.arns[0]
        given = properties(web)
        case.sent("Create", given)
        case.account.world.random.seed(seed)
        case.account.world.consistency = Consistency(stale_reads=1.5)
        ours = json.loads(case.account.s3.get_bucket_policy(Bucket=CUSTOMERS)["Policy"])
        kept = [e for e in ours["Statement"] if "DTLogsAnalysis" not in e.get("Sid", "")]
        put = partial(case.account.s3.put_bucket_policy, Bucket=CUSTOMERS)
        put(Policy=json.dumps({**ours, "Statement": kept}))
        case.clock.sleep(0.4)
        put(Policy=json.dumps(ours))

        if kind == "Update":
            case.sent("Update", {**given, "RunToken": "2"}, given)
            assert logging_of(case.account, web)[0] == "true", seed
            assert reads(case.account, web), seed
        case.sent("Delete", given)

        assert logging_of(case.account, web) == ("false", CUSTOMERS, "alb"), seed
        assert case.left() == [], seed
