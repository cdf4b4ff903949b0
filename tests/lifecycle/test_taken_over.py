"""A stack owns logging that it turned on, but only while its registration shows that."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from support.drifts import log_bucket, owned_by_writers, set_logging
from support.looks import granted, logging_of, reads, statements

from dt_logs_rehearsal.account import Account, Consistency
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS
from lifecycle.cloudformation import Properties, Stack
from lifecycle.scenarios import PRIVILEGES, Case, Prepare, balancers, data

TEAM = "team-logs"


def never(account: Account) -> list[str]:
    """Make two ALBs that have never logged, and a bucket to which a controller will send logs."""
    log_bucket(account, TEAM)
    return [account.add_load_balancer("web"), account.add_load_balancer("api")]


def off(account: Account) -> list[str]:
    """Do as `never` does, but the first ALB names the customer's bucket, and its logging is off."""
    log_bucket(account, TEAM)
    return balancers(False, web="alb", api=None)(account)


class Taken(Case):
    """A stack that onboarded an ALB; the customer's controller then sent its logs elsewhere.

    A Kubernetes controller sets `enabled` and `bucket`, but not the prefix.
    """

    def __init__(self, prepare: Prepare = never, privileges: str = "least-privilege") -> None:
        super().__init__(prepare)
        self.web, self.api = self.arns
        self.create(self.web, Privileges=privileges)
        self.ours = logging_of(self.account, self.web)
        set_logging(self.account, self.web, enabled="true", bucket=TEAM)
        self.logging = ("true", TEAM, self.ours[2])
        set_logging(self.untouched, self.web, enabled="true", bucket=TEAM, prefix=self.ours[2])

    def reads_only(self, *arns: str) -> None:
        """Check that the ALB logs as the customer set it, and whose logs the vendor may read."""
        assert logging_of(self.account, self.web) == self.logging
        assert [each for each in self.arns if reads(self.account, each)] == list(arns)
        # The location is now the customer's, so the vendor reads only this load balancer's logs.
        assert not reads(self.account, self.api, at=self.logging[1:])

    def ends(self, given: Properties | None = None, *seconds: float) -> None:
        super().ends(given, *seconds)
        assert logging_of(self.account, self.web) == self.logging
        assert granted(self.account) == []


@PRIVILEGES
@pytest.mark.parametrize("prepare", [never, off])
@pytest.mark.parametrize(
    "then",
    [[], ["run again"], ["another"], ["another", "back"], ["all"], ["all", "back"]],
    ids=" and ".join,
)
def test_the_logging_stays_where_the_customer_sent_it(
    then: list[str], prepare: Prepare, privileges: str
) -> None:
    """The Update back adds a load balancer that the Update had dropped."""
    case = Taken(prepare, privileges)
    for event in then:
        match event:
            case "run again":
                case.update()
                assert not reads(case.account, case.web, at=case.ours[1:])
                assert len(granted(case.account)) == 1
            case "another":
                case.update(LoadBalancerArns=[case.api])
            case "all":
                case.update(LoadBalancerArns=["*"])
            case "back":
                case.back()
        named = {"another": [case.api], "all": case.arns}.get(event, [case.web])
        case.reads_only(*named)

    case.ends()


@PRIVILEGES
@pytest.mark.parametrize("existing", [[""], [CUSTOMERS, TEAM]], ids=["any", "narrowed"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_where_it_logged_before_nothing_stays(
    kind: str, existing: list[str], privileges: str
) -> None:
    """The new log bucket lacks a register; a search of buckets finds it in the old log bucket."""
    case = Case(off)
    web = case.arns[0]
    case.customer(partial(set_logging, arn=web, enabled="true"))
    case.create(web, Privileges=privileges, ExistingLogBucketNames=existing)
    case.customer(partial(set_logging, arn=web, bucket=TEAM, prefix="moved"))

    answer = case.ask(kind, RunToken="2")

    assert answer["Status"] == "SUCCESS"
    assert reads(case.account, web) == (kind == "Update")
    assert granted(case.account) == [e["Sid"] for e in statements(case.account, TEAM)[1:]]
    case.ends()


def test_a_stack_that_shares_it_keeps_what_the_first_one_turned_on() -> None:
    """The last stack to be deleted switches off the logging that the first stack turned on."""
    case = Case(off)
    web = case.arns[0]
    case.create(web)
    turned_on = logging_of(case.account, web)
    first, case.stack = case.stack, Stack(case.clock, seed=2)
    second = case.stack
    case.create()
    assert logging_of(case.account, web) == turned_on

    case.stack = first
    case.delete()
    assert logging_of(case.account, web) == turned_on
    assert reads(case.account, web)

    case.stack = second
    case.update()
    case.ends()
    assert logging_of(case.account, web) == ("false", CUSTOMERS, "alb")


def test_a_stack_that_shares_it_loses_it_to_the_customer_too() -> None:
    case = Taken()
    first, case.stack = case.stack, Stack(case.clock, seed=2)
    case.create()
    assert reads(case.account, case.web)
    case.delete()
    assert logging_of(case.account, case.web) == case.logging

    case.stack = first
    case.ends()


def test_where_the_customer_sent_it_may_be_unusable() -> None:
    """The Update must not fail, because its Update back would fail at the same bucket."""
    case = Taken()
    case.customer(partial(owned_by_writers, bucket=TEAM))

    answer = case.update()

    assert TEAM in data(answer, "Warnings") + data(answer, "NotOnboarded")
    assert logging_of(case.account, case.web) == case.logging
    case.ends()


@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_one_stale_read_takes_nothing_for_the_customers(kind: str) -> None:
    """Another tool overwrites our registration and puts it back, just before the event."""
    for seed in range(30):
        case = Case(off)
        web = case.arns[0]
        case.create(web)
        case.account.world.random.seed(seed)
        case.account.world.consistency = Consistency(stale_reads=1.5)
        ours: Any = json.loads(case.account.s3.get_bucket_policy(Bucket=CUSTOMERS)["Policy"])
        kept = [e for e in ours["Statement"] if "DTLogsAnalysis" not in e.get("Sid", "")]
        put = partial(case.account.s3.put_bucket_policy, Bucket=CUSTOMERS)
        put(Policy=json.dumps({**ours, "Statement": kept}))
        case.clock.sleep(0.4)
        put(Policy=json.dumps(ours))

        if kind == "Update":
            case.update()
            assert logging_of(case.account, web)[0] == "true", seed
            assert reads(case.account, web), seed
        case.ends()

        assert logging_of(case.account, web) == ("false", CUSTOMERS, "alb"), seed
