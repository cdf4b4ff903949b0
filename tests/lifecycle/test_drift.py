"""A bucket or topic that a stack uses becomes unusable: no later Update fails because of it.

CloudFormation follows a failed Update with an Update back, which would meet the same obstacle. So
the stack keeps what it has registered, or had registered before, and reports it in `Warnings`. It
only refuses new load balancers.
"""

from __future__ import annotations

import pytest
from support.drifts import API, DRIFTS, SHOP, WEB, Drift, adopted
from support.looks import VENDOR, changed, granted, logging_of, reads

from dt_logs_rehearsal.account import Snapshot
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS
from lifecycle.cases import Answer, Case, data
from lifecycle.cloudformation import ENDPOINT, Properties, properties

ANOTHER_VENDOR = "888877776666"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:logs"
PRIVILEGES = pytest.mark.parametrize("privileges", ["least-privilege", "documented"])
EACH = pytest.mark.parametrize("drift", DRIFTS, ids=str)


class Drifted(Case):
    """A stack that onboarded two ALBs before the bucket of the first became unusable."""

    def __init__(self, drift: Drift, privileges: str = "least-privilege", **given: object) -> None:
        super().__init__(drift.prepare)
        self.drift = drift
        self.web, self.shop, self.api = (self.arns[each] for each in (WEB, SHOP, API))
        self.given = properties(self.web, self.shop, Privileges=privileges, **given)
        self.sent("Create", self.given)
        self.was = logging_of(self.account, self.web)
        self.customer(drift.happen)

    def changed(self, **given: object) -> Properties:
        return {**self.given, **given}

    def settings(self) -> Snapshot:
        """Return the settings that others have made at the customer's bucket."""
        found: Snapshot = self.account.snapshot()["buckets"].get(CUSTOMERS, {})
        ours = ("policy", "notifications", "tags", "objects")
        return {key: value for key, value in found.items() if key not in ours}

    def is_kept(self, answer: Answer) -> None:
        """Check that the first ALB is still onboarded if possible, with a warning."""
        now = logging_of(self.account, self.web)
        if now != self.was:
            # The stack may choose another bucket only if this one is gone.
            assert CUSTOMERS not in self.account.world.buckets
            assert self.was[2] != "alb"
            assert reads(self.account, self.web)
            return
        assert CUSTOMERS in data(answer, "Warnings")
        assert data(answer, "NotOnboarded") == "none"
        assert reads(self.account, self.web) == self.drift.reads

    def ends(self, last: Properties) -> None:
        """Delete the stack, and check that nothing of it is left."""
        self.sent("Delete", last)
        assert granted(self.account) == []
        if self.drift.adds:  # the setting of a bucket that is gone may be left or cleared
            for each in (self.web, self.api):
                attributes = self.account.world.load_balancers[each].attributes
                self.untouched.world.load_balancers[each].attributes |= attributes
        assert self.left() == []
        if self.given["Privileges"] != "documented":
            assert self.topics() == []

    def retention(self) -> str:
        """Return the lifecycle rules of the stack's own bucket."""
        own = logging_of(self.account, self.shop)[1]
        return str(self.account.snapshot()["buckets"][own]["lifecycle"])


@PRIVILEGES
@EACH
@pytest.mark.parametrize(
    "given", [{"LogRetentionDays": "60"}, {"RunToken": "again"}], ids=lambda each: next(iter(each))
)
def test_an_update_keeps_and_tells_it(
    drift: Drift, privileges: str, given: dict[str, object]
) -> None:
    case = Drifted(drift, privileges)
    settings = case.settings()
    wanted = case.changed(**given)

    answer = case.sent("Update", wanted, case.given)

    case.is_kept(answer)
    assert case.settings() == settings
    assert reads(case.account, case.shop)
    days = "60" if "LogRetentionDays" in given else "30"
    assert f'"Days": {days}' in case.retention()
    case.ends(wanted)


@EACH
def test_with_all_load_balancers_it_is_kept_and_told_too(drift: Drift) -> None:
    case = Drifted(drift, LoadBalancerArns=["*"])
    wanted = case.changed(RunToken="again")

    answer = case.sent("Update", wanted, case.given)

    case.is_kept(answer)
    assert reads(case.account, case.shop)
    case.ends(wanted)


@PRIVILEGES
@EACH
def test_another_resource_fails_after_an_update(drift: Drift, privileges: str) -> None:
    case = Drifted(drift, privileges)
    before = case.account.snapshot()
    wanted = case.changed(LogRetentionDays="60", RunToken="again")
    case.sent("Update", wanted, case.given)

    answer = case.sent("Update", case.given, wanted)

    case.is_kept(answer)
    if not drift.adds:
        assert changed(before, case.account.snapshot(), documented=privileges == "documented") == []
    case.ends(case.given)


@PRIVILEGES
@EACH
@pytest.mark.parametrize("left", ["it leaves", "another comes"])
def test_another_resource_fails_after_the_stack_gave_it_up(
    drift: Drift, privileges: str, left: str
) -> None:
    """The Update back asks for what the stack has given up and cannot get back."""
    case = Drifted(drift, privileges)
    arns = [case.shop] if left == "it leaves" else [case.shop, case.account.add_load_balancer("x")]
    wanted = case.changed(LoadBalancerArns=arns)
    case.sent("Update", wanted, case.given)
    assert not reads(case.account, case.web)

    answer = case.sent("Update", case.given, wanted)

    assert reads(case.account, case.shop)
    told = data(answer, "Warnings") + data(answer, "NotOnboarded")
    assert reads(case.account, case.web) or CUSTOMERS in told or "/web/" in told
    case.account.world.load_balancers = {
        arn: found for arn, found in case.account.world.load_balancers.items() if arn in case.arns
    }
    case.ends(case.given)


@EACH
def test_another_resource_fails_after_a_bucket_was_given_up(drift: Drift) -> None:
    """LogBucketName changes from the customer's bucket to another one, and back."""
    case = Drifted(drift, LogBucketName=CUSTOMERS)
    wanted = case.changed(LogBucketName="named-later")
    case.sent("Update", wanted, case.given)
    assert reads(case.account, case.shop)

    case.sent("Update", case.given, wanted)

    case.sent("Delete", case.given)
    assert granted(case.account) == []
    for each in (case.account, case.untouched):  # the role may no longer delete these
        each.world.buckets.pop("named-later", None)
        each.world.buckets.pop(CUSTOMERS, None)
        for found in each.world.load_balancers.values():
            if found.attributes["access_logs.s3.enabled"] == "false":
                found.attributes["access_logs.s3.bucket"] = ""
                found.attributes["access_logs.s3.prefix"] = ""
    assert case.left() == []


@PRIVILEGES
@pytest.mark.parametrize("drift", [each for each in DRIFTS if not each.adds], ids=str)
def test_what_is_added_there_is_refused(drift: Drift, privileges: str) -> None:
    case = Drifted(drift, privileges)
    before = case.account.snapshot()
    wanted = case.changed(LoadBalancerArns=[case.web, case.shop, case.api])

    answer = case.send("Update", wanted, case.given)

    assert answer["Status"] == "FAILED"
    assert CUSTOMERS in answer["Reason"]
    answer = case.sent("Update", case.given, wanted)
    case.is_kept(answer)
    assert changed(before, case.account.snapshot(), documented=privileges == "documented") == []
    assert not reads(case.account, case.api)
    case.ends(case.given)


@PRIVILEGES
@EACH
def test_another_vendor_takes_the_first_ones_right(drift: Drift, privileges: str) -> None:
    case = Drifted(drift, privileges)
    wanted = case.changed(DataTheoremAccountId=ANOTHER_VENDOR)

    case.sent("Update", wanted, case.given)

    assert granted(case.account, VENDOR) == []
    assert reads(case.account, case.shop, ANOTHER_VENDOR)
    if drift.reads:
        assert reads(case.account, case.web, ANOTHER_VENDOR)
    case.sent("Delete", wanted)
    assert granted(case.account, ANOTHER_VENDOR) == []


@EACH
def test_another_endpoint_ends_the_first_ones_subscriptions(drift: Drift) -> None:
    """Only for least privilege: the documented role may not unsubscribe."""
    case = Drifted(drift)
    wanted = case.changed(NotificationEndpoint=QUEUE)

    case.sent("Update", wanted, case.given)

    left = [each.topic for each in case.account.world.subscriptions.values() if _first(each)]
    gone = CUSTOMERS not in case.account.world.buckets
    assert [each for each in left if not (gone and each.endswith(CUSTOMERS))] == []
    case.ends(wanted)


def _first(subscription: object) -> bool:
    return getattr(subscription, "endpoint", "") == ENDPOINT


@pytest.mark.parametrize(
    "drift", [each for each in DRIFTS if each.reads and each.prepare is adopted], ids=str
)
def test_a_narrower_scope_takes_the_neighbours_away(drift: Drift) -> None:
    case = Drifted(drift, VendorReadScope="Location")
    place = case.was[1:]
    assert reads(case.account, case.api, at=place)
    wanted = case.changed(VendorReadScope="LoadBalancer")

    case.sent("Update", wanted, case.given)

    assert not reads(case.account, case.api, at=place)
    assert reads(case.account, case.web)
    case.ends(wanted)


@PRIVILEGES
@EACH
def test_what_leaves_is_not_read_any_more(drift: Drift, privileges: str) -> None:
    case = Drifted(drift, privileges)
    place = case.was[1:]
    wanted = case.changed(LoadBalancerArns=[case.shop])

    case.sent("Update", wanted, case.given)

    assert not reads(case.account, case.web, at=place)
    assert not reads(case.account, case.api, at=place)
    assert reads(case.account, case.shop)
    case.ends(wanted)


@pytest.mark.parametrize("deleted", ["own bucket", "subscription", "topic"])
def test_what_the_stack_can_make_again_it_makes_again(deleted: str) -> None:
    """An Update restores the stack's own resources that somebody has deleted."""
    case = Drifted(Drift("none", adopted, lambda account: None))
    own = logging_of(case.account, case.shop)[1]
    world = case.account.world
    match deleted:
        case "own bucket":
            del world.buckets[own]
        case "subscription":
            world.subscriptions.clear()
        case "topic":
            for arn in case.topics():
                case.account.sns.delete_topic(TopicArn=arn)
    wanted = case.changed(RunToken="again")

    case.sent("Update", wanted, case.given)

    assert reads(case.account, case.shop)
    topics = [arn for arn in case.topics() if arn.endswith(own)]
    assert len(topics) == 1
    assert {each.topic for each in world.subscriptions.values()} >= set(topics)
    case.ends(wanted)
