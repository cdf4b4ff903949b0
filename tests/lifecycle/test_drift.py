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
from lifecycle.cloudformation import ENDPOINT, Properties
from lifecycle.scenarios import PRIVILEGES, QUEUE, Answer, Case, data

ANOTHER_VENDOR = "888877776666"
EACH = pytest.mark.parametrize("drift", DRIFTS, ids=str)


class Drifted(Case):
    """A stack that onboarded two ALBs, after which the first one's bucket became unusable."""

    def __init__(self, drift: Drift, privileges: str = "least-privilege", **given: object) -> None:
        super().__init__(drift.prepare)
        self.drift = drift
        self.web, self.shop, self.api = (self.arns[each] for each in (WEB, SHOP, API))
        named = {"LoadBalancerArns": [self.web, self.shop], "Privileges": privileges}
        self.create(**{**named, **given})
        self.place = logging_of(self.account, self.web)
        self.customer(drift.happen)

    def is_kept(self, answer: Answer) -> None:
        """Check that the stack has kept both ALBs, with a warning or in another bucket."""
        assert reads(self.account, self.shop)
        if logging_of(self.account, self.web) != self.place:
            # The stack may choose another bucket only if the customer's bucket is gone.
            assert CUSTOMERS not in self.account.world.buckets
            assert self.place[2] != "alb"
            assert reads(self.account, self.web)
            return
        assert CUSTOMERS in data(answer, "Warnings")
        assert data(answer, "NotOnboarded") == "none"
        assert reads(self.account, self.web) == self.drift.reads

    def ends(self, given: Properties | None = None, *seconds: float) -> None:
        """Delete the stack, and check that it leaves nothing."""
        self.delete()
        assert granted(self.account) == granted(self.account, ANOTHER_VENDOR) == []
        if self.drift.adds:  # the name of a deleted bucket may remain or be cleared
            for each in (self.web, self.api):
                attributes = self.account.world.load_balancers[each].attributes
                self.untouched.world.load_balancers[each].attributes |= attributes
        assert self.left() == []
        if self.given["Privileges"] != "documented":
            assert self.topics() == []


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
    before, settings = case.account.snapshot(), _settings(case)

    answer = case.update(**changes)

    case.is_kept(answer)
    assert _settings(case) == settings
    own = case.account.snapshot()["buckets"][logging_of(case.account, case.shop)[1]]
    assert f'"Days": {case.given["LogRetentionDays"]}' in str(own["lifecycle"])
    case.is_kept(case.back())
    if not drift.adds:
        assert case.differs(before) == []
    case.ends()


def _settings(case: Case) -> Snapshot:
    """Return the settings of the customer's bucket, without those that a stack changes."""
    found: Snapshot = case.account.snapshot()["buckets"].get(CUSTOMERS, {})
    ours = ("policy", "notifications", "tags", "objects")
    return {key: value for key, value in found.items() if key not in ours}


@PRIVILEGES
@EACH
@pytest.mark.parametrize("then", ["it leaves", "it leaves and comes back", "another comes, and it"])
def test_what_leaves_is_not_read_any_more(drift: Drift, privileges: str, then: str) -> None:
    """The Update back names a load balancer that the stack may be unable to onboard again."""
    case = Drifted(drift, privileges)
    others = [case.account.add_load_balancer("x")] if "another" in then else []

    case.update(LoadBalancerArns=[case.shop, *others])

    assert not reads(case.account, case.web)
    assert not reads(case.account, case.web, at=case.place[1:])
    assert not reads(case.account, case.api, at=case.place[1:])
    assert reads(case.account, case.shop)
    if then != "it leaves":
        answer = case.back()
        assert reads(case.account, case.shop)
        told = data(answer, "Warnings") + data(answer, "NotOnboarded")
        assert reads(case.account, case.web) or CUSTOMERS in told or "/web/" in told
    for each in others:
        del case.account.world.load_balancers[each]
    case.ends()


@EACH
def test_another_resource_fails_after_a_bucket_was_given_up(drift: Drift) -> None:
    """LogBucketName changes from the customer's bucket to another bucket, and back."""
    case = Drifted(drift, LogBucketName=CUSTOMERS)
    case.update(LogBucketName="named-later")
    assert reads(case.account, case.shop)

    case.back()

    case.delete()
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
@pytest.mark.parametrize("every", [False, True], ids=["named", "all load balancers"])
@pytest.mark.parametrize("drift", [each for each in DRIFTS if not each.adds], ids=str)
def test_what_is_added_there_is_refused_or_left_out(
    drift: Drift, privileges: str, every: bool
) -> None:
    case = Drifted(drift, privileges)
    before = case.account.snapshot()

    if every:
        answer = case.update(LoadBalancerArns=["*"])
        assert data(answer, "NotOnboarded").startswith("app/api/")
        assert CUSTOMERS in data(answer, "Warnings")
        assert reads(case.account, case.shop)
    else:
        named = [case.web, case.shop, case.api]
        assert CUSTOMERS in case.fails("Update", LoadBalancerArns=named)
        case.is_kept(case.back())
        assert case.differs(before) == []

    assert not reads(case.account, case.api)
    case.ends()


@PRIVILEGES
@EACH
def test_another_vendor_and_endpoint_take_the_place_of_the_first(
    drift: Drift, privileges: str
) -> None:
    case = Drifted(drift, privileges)

    case.update(DataTheoremAccountId=ANOTHER_VENDOR, NotificationEndpoint=QUEUE)

    assert granted(case.account, VENDOR) == []
    assert reads(case.account, case.shop, ANOTHER_VENDOR)
    if drift.reads:
        assert reads(case.account, case.web, ANOTHER_VENDOR)
    if privileges == "least-privilege":  # the documented role may not unsubscribe
        gone = CUSTOMERS not in case.account.world.buckets
        for each in case.account.world.subscriptions.values():
            assert each.endpoint != ENDPOINT or (gone and each.topic.endswith(CUSTOMERS))
    case.ends()


@pytest.mark.parametrize(
    "drift", [each for each in DRIFTS if each.reads and each.prepare is adopted], ids=str
)
def test_a_narrower_scope_takes_the_neighbours_away(drift: Drift) -> None:
    case = Drifted(drift, VendorReadScope="Location")
    assert reads(case.account, case.api, at=case.place[1:])

    case.update(VendorReadScope="LoadBalancer")

    assert not reads(case.account, case.api, at=case.place[1:])
    assert reads(case.account, case.web)
    case.ends()


@pytest.mark.parametrize("deleted", ["own bucket", "subscription", "topic"])
def test_what_the_stack_can_make_again_it_makes_again(deleted: str) -> None:
    """An Update restores the stack's resources that somebody has deleted."""
    case = Drifted(Drift("none", adopted, lambda account: None))
    own = logging_of(case.account, case.shop)[1]
    match deleted:
        case "own bucket":
            case.delete_bucket(own)
        case "subscription":
            case.account.world.subscriptions.clear()
        case "topic":
            for arn in case.topics():
                case.account.sns.delete_topic(TopicArn=arn)

    case.update()

    assert reads(case.account, case.shop)
    (topic,) = (arn for arn in case.topics() if arn.endswith(own))
    assert topic in {each.topic for each in case.account.world.subscriptions.values()}
    case.ends()
