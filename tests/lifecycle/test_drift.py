"""An Update does not fail if a bucket or topic that the stack already uses has become unusable.

CloudFormation follows a failed Update with an Update back, which would meet the same obstacle. So
the stack keeps load balancers that are or were registered, and reports the obstacle in `Warnings`.
It refuses only new load balancers.
"""

from __future__ import annotations

import pytest
from support.drifts import API, DRIFTS, SHOP, WEB, Drift, adopted
from support.looks import VENDOR, granted, logging_of, reads

from dt_logs_rehearsal.account import Snapshot
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS
from lifecycle.cloudformation import ENDPOINT, Properties, properties
from lifecycle.scenarios import PRIVILEGES, QUEUE, Answer, Case, data

ANOTHER_VENDOR = "888877776666"
EACH = pytest.mark.parametrize("drift", DRIFTS, ids=str)


class Drifted(Case):
    """A stack that onboarded two ALBs, after which the first one's bucket became unusable."""

    def __init__(self, drift: Drift, privileges: str = "least-privilege", **given: object) -> None:
        super().__init__(drift.prepare)
        self.drift = drift
        self.web, self.shop, self.api = (self.arns[each] for each in (WEB, SHOP, API))
        self.given = {**properties(self.web, self.shop, Privileges=privileges), **given}
        self.sent("Create", self.given)
        self.was = logging_of(self.account, self.web)
        self.customer(drift.happen)

    def updated(self, **changes: object) -> tuple[Properties, Answer]:
        """Send an Update that must succeed; return its properties and its answer."""
        wanted = {**self.given, **changes}
        return wanted, self.sent("Update", wanted, self.given)

    def settings(self) -> Snapshot:
        """Return the settings of the customer's bucket, without those that a stack changes."""
        found: Snapshot = self.account.snapshot()["buckets"].get(CUSTOMERS, {})
        ours = ("policy", "notifications", "tags", "objects")
        return {key: value for key, value in found.items() if key not in ours}

    def is_kept(self, answer: Answer) -> None:
        """Check that the stack has kept both ALBs, with a warning or in another bucket."""
        assert reads(self.account, self.shop)
        now = logging_of(self.account, self.web)
        if now != self.was:
            # The stack may choose another bucket only if the customer's bucket is gone.
            assert CUSTOMERS not in self.account.world.buckets
            assert self.was[2] != "alb"
            assert reads(self.account, self.web)
            return
        assert CUSTOMERS in data(answer, "Warnings")
        assert data(answer, "NotOnboarded") == "none"
        assert reads(self.account, self.web) == self.drift.reads

    def ends(self, given: Properties) -> None:
        """Delete the stack, and check that it leaves nothing."""
        self.sent("Delete", given)
        assert granted(self.account) == []
        if self.drift.adds:  # the name of a deleted bucket may remain or be cleared
            for each in (self.web, self.api):
                attributes = self.account.world.load_balancers[each].attributes
                self.untouched.world.load_balancers[each].attributes |= attributes
        assert self.left() == []
        if given["Privileges"] != "documented":
            assert self.topics() == []

    def retention(self) -> str:
        """Return the lifecycle rules of the stack's own bucket."""
        own = logging_of(self.account, self.shop)[1]
        return str(self.account.snapshot()["buckets"][own]["lifecycle"])


@PRIVILEGES
@EACH
@pytest.mark.parametrize(
    ("given", "changes"),
    [
        ({}, {"LogRetentionDays": "60"}),
        ({}, {"RunToken": "again"}),
        ({"LoadBalancerArns": ["*"]}, {"RunToken": "again"}),
    ],
    ids=["retention", "run again", "all load balancers"],
)
def test_an_update_keeps_and_tells_it_and_so_does_the_update_back(
    drift: Drift, privileges: str, given: dict[str, object], changes: dict[str, object]
) -> None:
    case = Drifted(drift, privileges, **given)
    before, settings = case.account.snapshot(), case.settings()

    wanted, answer = case.updated(**changes)

    case.is_kept(answer)
    assert case.settings() == settings
    assert f'"Days": {wanted["LogRetentionDays"]}' in case.retention()
    back = case.sent("Update", case.given, wanted)
    case.is_kept(back)
    if not drift.adds:
        assert case.differs(before) == []
    case.ends(case.given)


@PRIVILEGES
@EACH
@pytest.mark.parametrize("then", ["it leaves", "it leaves and comes back", "another comes, and it"])
def test_what_leaves_is_not_read_any_more(drift: Drift, privileges: str, then: str) -> None:
    """The Update back names a load balancer that the stack may be unable to onboard again."""
    case = Drifted(drift, privileges)
    place = case.was[1:]
    others = [case.account.add_load_balancer("x")] if "another" in then else []

    wanted, _ = case.updated(LoadBalancerArns=[case.shop, *others])

    assert not reads(case.account, case.web)
    assert not reads(case.account, case.web, at=place)
    assert not reads(case.account, case.api, at=place)
    assert reads(case.account, case.shop)
    if then == "it leaves":
        case.ends(wanted)
        return
    answer = case.sent("Update", case.given, wanted)
    assert reads(case.account, case.shop)
    told = data(answer, "Warnings") + data(answer, "NotOnboarded")
    assert reads(case.account, case.web) or CUSTOMERS in told or "/web/" in told
    for each in others:
        del case.account.world.load_balancers[each]
    case.ends(case.given)


@EACH
def test_another_resource_fails_after_a_bucket_was_given_up(drift: Drift) -> None:
    """LogBucketName changes from the customer's bucket to another bucket, and back."""
    case = Drifted(drift, LogBucketName=CUSTOMERS)
    wanted, _ = case.updated(LogBucketName="named-later")
    assert reads(case.account, case.shop)

    case.sent("Update", case.given, wanted)

    case.sent("Delete", case.given)
    assert granted(case.account) == []
    for each in (case.account, case.untouched):  # the role may no longer delete these buckets
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
    wanted = {**case.given, "LoadBalancerArns": [case.web, case.shop, case.api]}

    answer = case.send("Update", wanted, case.given)

    assert answer["Status"] == "FAILED"
    assert CUSTOMERS in answer["Reason"]
    case.is_kept(case.sent("Update", case.given, wanted))
    assert case.differs(before) == []
    assert not reads(case.account, case.api)
    case.ends(case.given)


@pytest.mark.parametrize("drift", [each for each in DRIFTS if not each.adds], ids=str)
def test_of_all_load_balancers_the_new_one_there_is_left_out(drift: Drift) -> None:
    case = Drifted(drift)

    every, answer = case.updated(LoadBalancerArns=["*"])

    assert data(answer, "NotOnboarded").startswith("app/api/")
    assert CUSTOMERS in data(answer, "Warnings")
    assert reads(case.account, case.shop) and not reads(case.account, case.api)
    case.ends(every)


@PRIVILEGES
@EACH
def test_another_vendor_and_endpoint_take_the_place_of_the_first(
    drift: Drift, privileges: str
) -> None:
    case = Drifted(drift, privileges)

    wanted, _ = case.updated(DataTheoremAccountId=ANOTHER_VENDOR, NotificationEndpoint=QUEUE)

    assert granted(case.account, VENDOR) == []
    assert reads(case.account, case.shop, ANOTHER_VENDOR)
    if drift.reads:
        assert reads(case.account, case.web, ANOTHER_VENDOR)
    if privileges == "least-privilege":  # the documented role may not unsubscribe
        gone = CUSTOMERS not in case.account.world.buckets
        for each in case.account.world.subscriptions.values():
            assert each.endpoint != ENDPOINT or (gone and each.topic.endswith(CUSTOMERS))
    case.ends(wanted)
    assert granted(case.account, ANOTHER_VENDOR) == []


@pytest.mark.parametrize(
    "drift", [each for each in DRIFTS if each.reads and each.prepare is adopted], ids=str
)
def test_a_narrower_scope_takes_the_neighbours_away(drift: Drift) -> None:
    case = Drifted(drift, VendorReadScope="Location")
    place = case.was[1:]
    assert reads(case.account, case.api, at=place)

    wanted, _ = case.updated(VendorReadScope="LoadBalancer")

    assert not reads(case.account, case.api, at=place)
    assert reads(case.account, case.web)
    case.ends(wanted)


@pytest.mark.parametrize("deleted", ["own bucket", "subscription", "topic"])
def test_what_the_stack_can_make_again_it_makes_again(deleted: str) -> None:
    """An Update restores the stack's resources that somebody has deleted."""
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

    wanted, _ = case.updated(RunToken="again")

    assert reads(case.account, case.shop)
    (topic,) = (arn for arn in case.topics() if arn.endswith(own))
    assert topic in {each.topic for each in world.subscriptions.values()}
    case.ends(wanted)
