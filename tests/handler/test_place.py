"""Where each load balancer will log: the customer's choice stays; the others get a bucket."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from support.events import (
    ACCOUNT,
    GLOBAL_BUCKET,
    OTHER_BUCKET,
    OTHER_TAG,
    OWN_BUCKET,
    REGION,
    TAG,
    alb_arn,
    properties,
)
from support.states import (
    ADOPTED,
    API,
    API_NAME,
    LAST,
    LATER,
    LOGS,
    NEW,
    THERE,
    WEB,
    WEB_NAME,
    after,
    alb,
    bucket,
    claim,
    logging,
    moved,
    off,
    planned,
    request,
    state,
)

from dt_logs_handler.aws import Aws
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Bucket, Logging, State
from dt_logs_handler.names import Location
from dt_logs_handler.observe import observe
from dt_logs_handler.place import recognised
from dt_logs_handler.request import Request
from dt_logs_rehearsal.account import Account, Clock

TWO = state(alb(), alb("api", 2))
MARK = f"dt-logs-analysis/{TAG}"


def set_off(prefix: str, bucket: str = "logs") -> State:
    """Return a state in which a load balancer is off, although bucket and prefix are set."""
    return state(alb(bucket=bucket, prefix=prefix, enabled=False), buckets=(LOGS,))


# After a runtime update, boto3 may know the namespace of the bucket's other name.
OLDER = state(alb(), buckets=(Bucket(GLOBAL_BUCKET, tags={"dt-logs-analysis:stack": TAG}),))
THERE_ALREADY: dict[str, object] = {"LogBucketName": "logs"}
PLACED: dict[str, tuple[State, dict[str, object], Logging]] = {
    "older boto3": (state(alb(), regional=False), {}, Logging(True, GLOBAL_BUCKET, MARK)),
    "our bucket is there": (OLDER, {}, Logging(True, GLOBAL_BUCKET, MARK)),
    "named bucket": (NEW, {"LogBucketName": "my-logs"}, Logging(True, "my-logs", MARK)),
    "named bucket is there": (set_off("", ""), THERE_ALREADY, Logging(True, "logs", MARK)),
    "logs already": (ADOPTED, {"LogBucketName": "other"}, Logging(True, "logs", "web")),
    "bucket without prefix": (set_off(""), {}, Logging(True, "logs", f"_/{MARK}")),
    "bucket": (set_off("web"), {}, Logging(True, "logs", f"web/{MARK}")),
    "prefix like our own": (set_off("_web"), {}, Logging(True, "logs", f"__web/{MARK}")),
    "bucket and folders": (set_off("a/b"), {}, Logging(True, "logs", f"a/b/{MARK}")),
    # AWS refuses to empty the attribute, so a bucket's name stays after its stack is deleted.
    "bucket that is gone": (set_off("", "gone"), {}, Logging(True, OWN_BUCKET, MARK)),
    "bucket that was ours": (set_off("", OTHER_BUCKET), {}, Logging(True, OWN_BUCKET, MARK)),
}


@pytest.mark.parametrize(("before", "given", "to"), PLACED.values(), ids=PLACED)
def test_customers_choice_stays_and_the_others_get_a_bucket(
    before: State, given: dict[str, object], to: Logging
) -> None:
    """If the bucket is not ours, a Delete restores the original bucket and prefix.

    It does so even if somebody has turned logging off meanwhile.
    """
    there = after(request("Create", WEB, **given), before)
    assert logging(there) == to
    assert claim(there, to.bucket).turned_on is (to != logging(before))
    assert bucket(there, to.bucket).maker == (None if to.bucket == "logs" else TAG)
    for found in (there, moved(there, WEB, replace(to, enabled=before is ADOPTED))):
        back = after(request("Delete", WEB, at=LATER), found)
        assert back.buckets.get("logs") == before.buckets.get("logs")
        kept = logging(before).bucket in ("", "logs")
        assert back.load_balancers[WEB] == off(before, WEB, back) or not kept
        assert logging(back).enabled is (before is ADOPTED)


def test_load_balancers_of_one_location_are_one_claim() -> None:
    """The logging stays unchanged. VendorReadScope=Location claims the whole location."""
    albs = [alb("web", 1, bucket="logs"), alb("api", 2, bucket="logs"), alb("x", 3, bucket="logs")]
    before = state(*albs, buckets=(LOGS,))
    found = after(request("Create", WEB, API, LogBucketName="other"), before)
    assert found.load_balancers == before.load_balancers
    mine = claim(found, "logs")
    assert (mine.location.prefix, mine.turned_on) == ("", False)
    assert mine.load_balancers == {WEB_NAME, API_NAME}
    found = after(request("Create", WEB, VendorReadScope="Location"), before)
    assert claim(found, "logs").load_balancers == frozenset()


def test_another_stacks_own_location_is_shared_by_load_balancer() -> None:
    """`web` still logs to the other stack's location, where our claim names only `web`."""
    theirs = after(request("Create", WEB, API, stack=THERE), TWO)
    found = after(request("Create", WEB), theirs)
    assert logging(found) == Logging(True, OTHER_BUCKET, f"dt-logs-analysis/{OTHER_TAG}")
    mine = claim(found, OTHER_BUCKET)
    assert mine.load_balancers == {WEB_NAME}
    assert mine.turned_on  # copied from the other stack, which may be deleted first


def test_new_log_bucket_moves_no_load_balancer_that_another_stack_needs() -> None:
    there = after(request("Create", WEB), state(alb(), buckets=(LOGS,)))
    both = after(request("Create", WEB, stack=THERE), there)
    asked = request("Update", WEB, old=properties(WEB), at=LATER, LogBucketName="logs")
    assert logging(after(asked, there)).bucket == "logs"
    assert logging(after(asked, both)) == logging(both)


def test_own_location_is_not_read_whole_once_another_stack_needs_it_for_others() -> None:
    """The removed load balancer keeps logging to the location, now only for the other stack."""
    there = after(request("Create", WEB, API), TWO)
    both = after(request("Create", API, stack=THERE), there)
    found = after(request("Update", WEB, old=properties(WEB, API), at=LATER), both)
    assert logging(found, API) == logging(both, API)
    assert claim(found, OWN_BUCKET).load_balancers == {WEB_NAME}


@pytest.mark.parametrize(
    ("bucket", "ours"), [("", set()), ("logs", {Location("logs", MARK)})], ids=["none", "given"]
)
def test_logging_that_the_stack_turned_on_is_known_without_a_registration(
    bucket: str, ours: set[Location]
) -> None:
    """The logging goes to LogBucketName, or to a location where this run has turned it on.

    A failed run may have set the prefix without a registration. The stack's Delete or another
    writer may also have removed the registration.
    """
    there = Location("logs", f"web/{MARK}")
    for asked in (
        request("Update", WEB, LogBucketName=bucket),
        request("Delete", WEB, LogBucketName=bucket),
        request("Update", WEB, old=properties(WEB, LogBucketName=bucket)),
    ):
        assert observed(asked).ours == ours
        assert observed(replace(asked, turned_on=(there,))).ours == {there, *ours}


def observed(asked: Request) -> State:
    """Return the observed state of an account with one load balancer and the bucket `logs`."""
    clock = Clock()
    account = Account(ACCOUNT, REGION, clock=clock)
    account.add_load_balancer("web")
    account.add_bucket("logs")
    clients: Any = (account.elbv2, account.s3, account.sns)
    return observe(Aws(*clients, clock, clock.sleep, Random(7), clock() + 900), asked)


ABROAD, OFF = replace(LOGS, region="eu-west-1"), alb(bucket="logs", enabled=False)
GOOD = alb("api", 2)
REFUSED = [
    (state(GOOD, gone=(WEB,)), "0000000000000001 does not exist", "LoadBalancerArns"),
    (state(GOOD, alb(bucket="gone")), "Bucket gone, to which", "Create it again"),
    (state(GOOD, OFF, buckets=(ABROAD,)), "eu-west-1", "Use a bucket in us-east-1."),
]


@pytest.mark.parametrize(("before", "what", "fix"), REFUSED)
def test_load_balancer_that_cannot_be_onboarded_is_named(
    before: State, what: str, fix: str
) -> None:
    """If load balancers are named, the refusal of one stops the whole run."""
    with pytest.raises(Refused) as refused:
        planned(request("Create", API, WEB), before)
    assert WEB_NAME in refused.value.what
    assert what in refused.value.what
    assert fix in refused.value.fix


def test_star_leaves_out_what_cannot_be_onboarded_and_says_why() -> None:
    plan, found = planned(request("Create", "*"), state(alb(), alb("api", 2, bucket="gone")))
    assert logging(found).bucket == OWN_BUCKET
    assert [each.load_balancer for each in plan.placements] == [WEB]
    assert set(plan.refused) == {API}
    assert "Bucket gone" in plan.refused[API]
    for none, why in ((state(), "No load balancer"), (state(alb(bucket="gone")), "Bucket gone")):
        with pytest.raises(Refused, match=why):
            planned(request("Create", "*"), none)


def test_rollback_goes_back_to_a_load_balancer_that_vanished_meanwhile() -> None:
    """The old properties do not name the load balancer; the digest identifies the rollback."""
    there = after(request("Create", WEB, API), TWO)
    updated = after(request("Update", WEB, old=properties(WEB, API), at=LATER), there)
    back = request("Update", WEB, API, old=properties(WEB), at=LAST)
    plan, found = planned(back, moved(updated, API, None))
    assert [each.load_balancer for each in plan.placements] == [WEB]
    assert logging(found) == logging(there)


@pytest.mark.parametrize("old", [properties(WEB), properties(API)])
def test_update_succeeds_where_all_load_balancers_have_vanished(old: dict[str, object]) -> None:
    """A rollback to a single load balancer that no longer exists must still succeed."""
    there = after(request("Create", WEB), NEW)
    if old != properties(WEB):
        before = moved(there, API, Logging())
        there = after(request("Update", API, old=properties(WEB), at=LATER), before)
    again = request("Update", WEB, old=old, at=LAST)
    plan, _ = planned(again, moved(there, WEB, None))
    assert plan.placements == ()


NINTH = alb_arn("new", 9)
RECOGNISED: dict[str, tuple[list[str], dict[str, object], list[str], bool]] = {
    "the same": ([WEB, API], {}, [WEB, API], True),
    "in another order": ([API, WEB], {}, [WEB, API], True),
    "other values": ([WEB, API], {"DataTheoremAccountId": "111122223333"}, [WEB, API], True),
    "to another bucket": ([WEB, API], {"LogBucketName": "new"}, [WEB], False),
    "fewer": ([WEB], {}, [WEB], False),
    "another": ([API, NINTH], {}, [], False),
    "all": (["*"], {}, [], False),
}


@pytest.mark.parametrize(("arns", "given", "known", "again"), RECOGNISED.values(), ids=RECOGNISED)
def test_request_is_recognised_by_what_the_register_remembers(
    arns: list[str], given: dict[str, object], known: list[str], again: bool
) -> None:
    """The register has a digest of the request.

    It also names the load balancers, unless the vendor reads the whole location.
    """
    before = state(alb(bucket="logs"), alb("api", 2), alb("new", 9), buckets=(LOGS,))
    there = after(request("Create", WEB, API), before)
    nothing = properties(alb_arn("x", 7))
    asked = request("Update", *arns, old=nothing, **given)
    assert recognised(asked, there) == ({alb_arn("x", 7), *known}, again)
    updated = after(request("Update", NINTH, old=properties(WEB, API), at=LATER), there)
    assert recognised(asked, updated)[1] is again
    twice = after(request("Update", WEB, old=properties(NINTH), at=LAST), updated)
    assert recognised(request("Update", WEB, API, old=nothing), twice)[1] is False


def test_another_stacks_request_is_not_recognised() -> None:
    there = after(request("Create", WEB, stack=THERE), state(alb(bucket="logs"), buckets=(LOGS,)))
    assert recognised(request("Update", WEB, old=properties(API)), there) == ({API, WEB}, False)
    assert recognised(request("Create", WEB, stack=THERE), there) == ({WEB}, True)
