"""Where each load balancer is to log: what a customer has stays, the rest goes to a bucket."""

from dataclasses import replace

import pytest
from support.events import (
    GLOBAL_BUCKET,
    NOON,
    OTHER_BUCKET,
    OTHER_TAG,
    OWN_BUCKET,
    TAG,
    alb_arn,
    properties,
)
from support.states import HERE, THERE, after, alb, planned, request, state

from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Bucket, Logging, State

WEB, API = alb_arn("web", 1), alb_arn("api", 2)
LOGS = Bucket("logs", region="us-east-1")
MARK = f"dt-logs-analysis/{TAG}"


def logging(found: State, arn: str = WEB) -> Logging:
    load_balancer = found.load_balancers[arn]
    assert load_balancer is not None
    return load_balancer.logging


def bucket(found: State, name: str) -> Bucket:
    there = found.buckets[name]
    assert isinstance(there, Bucket)
    return there


def test_new_load_balancer_logs_to_a_bucket_of_ours() -> None:
    found = after(request("Create", WEB), state(alb()))
    assert logging(found) == Logging(True, OWN_BUCKET, MARK)
    assert bucket(found, OWN_BUCKET).maker == TAG


def test_three_new_load_balancers_share_one_bucket() -> None:
    albs = [alb(name, number) for number, name in enumerate(("web", "api", "shop"))]
    found = after(request("Create", *(each.arn for each in albs)), state(*albs))
    assert {logging(found, each.arn).bucket for each in albs} == {OWN_BUCKET}
    (claim,) = bucket(found, OWN_BUCKET).register(HERE)
    assert claim.load_balancers == frozenset()


def test_older_boto3_makes_the_bucket_under_its_global_name() -> None:
    found = after(request("Create", WEB), state(alb(), regional=False))
    assert logging(found).bucket == GLOBAL_BUCKET


def test_bucket_that_is_there_is_used_whatever_boto3_knows() -> None:
    """A runtime's boto3 may come to know the namespace between two runs."""
    own = Bucket(GLOBAL_BUCKET, tags={"dt-logs-analysis:stack": TAG})
    found = after(request("Update", WEB), state(alb(), buckets=(own,)))
    assert logging(found).bucket == GLOBAL_BUCKET


def test_named_bucket_is_made_where_it_does_not_exist() -> None:
    found = after(request("Create", WEB, LogBucketName="my-logs"), state(alb()))
    assert logging(found) == Logging(True, "my-logs", MARK)
    assert bucket(found, "my-logs").maker == TAG


def test_named_bucket_that_exists_is_used_as_it_is() -> None:
    before = state(alb(), buckets=(LOGS,))
    found = after(request("Create", WEB, LogBucketName="logs"), before)
    assert logging(found) == Logging(True, "logs", MARK)
    assert bucket(found, "logs").maker is None
    assert bucket(found, "logs").lifecycle == ()
    assert bucket(found, "logs").public_access_block == {}


@pytest.mark.parametrize("prefix", ["", "web", "a/b"])
def test_load_balancer_that_logs_goes_on_as_it_does(prefix: str) -> None:
    before = state(alb(bucket="logs", prefix=prefix), buckets=(LOGS,))
    found = after(request("Create", WEB, LogBucketName="other"), before)
    assert found.load_balancers == before.load_balancers
    (claim,) = bucket(found, "logs").register(HERE)
    assert claim.location.prefix == prefix
    assert claim.load_balancers == {"app/web/0000000000000001"}


def test_load_balancers_of_one_location_are_one_claim() -> None:
    albs = [alb("web", 1, bucket="logs"), alb("api", 2, bucket="logs"), alb("x", 3, bucket="logs")]
    found = after(request("Create", WEB, API), state(*albs, buckets=(LOGS,)))
    (claim,) = bucket(found, "logs").register(HERE)
    assert claim.load_balancers == {"app/web/0000000000000001", "app/api/0000000000000002"}


def test_whole_location_is_claimed_where_it_is_asked_for() -> None:
    before = state(alb(bucket="logs"), buckets=(LOGS,))
    found = after(request("Create", WEB, VendorReadScope="Location"), before)
    (claim,) = bucket(found, "logs").register(HERE)
    assert claim.load_balancers == frozenset()


@pytest.mark.parametrize("prefix", ["", "web", "_web", "a/b"])
def test_bucket_that_was_set_is_kept_while_logging_was_off(prefix: str) -> None:
    """Bucket and prefix come back as they were when the stack goes."""
    off = alb(bucket="logs", prefix=prefix, enabled=False)
    before = state(off, buckets=(LOGS,))
    there = after(request("Create", WEB), before)
    assert logging(there).enabled and logging(there).bucket == "logs"
    assert logging(there).location.mark == TAG
    assert logging(there).prefix.strip("_").startswith(prefix.strip("_"))
    back = after(request("Delete", WEB), there)
    assert logging(back) == off.logging


@pytest.mark.parametrize("gone", ["gone", OTHER_BUCKET])
def test_bucket_that_is_gone_or_was_ours_is_as_good_as_unset(gone: str) -> None:
    """AWS does not let the attribute be emptied, so it stays after a stack has gone."""
    found = after(request("Create", WEB), state(alb(bucket=gone, enabled=False)))
    assert logging(found).bucket == OWN_BUCKET
    assert logging(found).location.mark == TAG


def test_bucket_of_ours_that_somebody_deleted_is_made_again() -> None:
    there = after(request("Create", WEB), state(alb()))
    lost = replace(there, buckets=state().buckets)
    found = after(request("Update", WEB), lost)
    assert bucket(found, OWN_BUCKET).register(HERE)
    assert logging(found) == logging(there)


def test_another_stacks_own_location_is_shared_by_load_balancer() -> None:
    """It goes on logging there; each stack names what it reads where they differ."""
    theirs = after(request("Create", WEB, API, stack=THERE), state(alb(), alb("api", 2)))
    found = after(request("Create", WEB), theirs)
    assert logging(found) == Logging(True, OTHER_BUCKET, f"dt-logs-analysis/{OTHER_TAG}")
    mine = [each for each in bucket(found, OTHER_BUCKET).register(HERE) if each.stack == TAG]
    assert [each.load_balancers for each in mine] == [{"app/web/0000000000000001"}]


def test_own_location_is_not_read_whole_once_another_stack_needs_it_for_others() -> None:
    """The load balancer that was taken out goes on logging there, for the other stack alone."""
    there = after(request("Create", WEB, API), state(alb(), alb("api", 2)))
    both = after(request("Create", API, stack=THERE), there)
    found = after(request("Update", WEB, old=properties(WEB, API), at=NOON + 60), both)
    assert logging(found, API) == logging(both, API)
    mine = [each for each in bucket(found, OWN_BUCKET).register(HERE) if each.stack == TAG]
    assert [each.load_balancers for each in mine] == [{"app/web/0000000000000001"}]


REFUSED = [
    (state(gone=(WEB,)), "app/web/0000000000000001 does not exist", "LoadBalancerArns"),
    (state(alb(bucket="gone")), "Bucket gone, to which", "Create it again"),
    (state(alb(bucket="x"), unreadable=("x",)), "Bucket x belongs to another", '"s3:GetObject"'),
    (
        state(alb(bucket="logs"), buckets=(replace(LOGS, encryption="aws:kms"),)),
        "encrypts with aws:kms",
        "SSE-S3",
    ),
    (
        state(alb(bucket="logs", enabled=False), buckets=(replace(LOGS, region="eu-west-1"),)),
        "eu-west-1",
        "bucket of that region",
    ),
    (
        state(alb(bucket="logs", prefix="AWSLogs", enabled=False), buckets=(LOGS,)),
        "AWSLogs",
        "prefix",
    ),
]


@pytest.mark.parametrize(("before", "what", "fix"), REFUSED)
def test_load_balancer_that_cannot_be_onboarded_is_named(
    before: State, what: str, fix: str
) -> None:
    with pytest.raises(Refused) as refused:
        planned(request("Create", WEB), before)
    assert "app/web/0000000000000001" in refused.value.what
    assert what in refused.value.what
    assert fix in refused.value.fix


def test_one_bad_load_balancer_stops_all_that_are_named() -> None:
    before = state(alb(), gone=(API,))
    with pytest.raises(Refused, match="app/api/0000000000000002"):
        planned(request("Create", WEB, API), before)


def test_star_leaves_out_what_cannot_be_onboarded_and_says_why() -> None:
    before = state(alb(), alb("api", 2, bucket="gone"))
    plan, found = planned(request("Create", "*"), before)
    assert logging(found).bucket == OWN_BUCKET
    assert [each.load_balancer for each in plan.placements] == [WEB]
    assert set(plan.refused or {}) == {API}
    assert "Bucket gone" in (plan.refused or {})[API]


def test_star_without_any_load_balancer_is_refused() -> None:
    with pytest.raises(Refused, match="No load balancer"):
        planned(request("Create", "*"), state())
    with pytest.raises(Refused, match="Bucket gone"):
        planned(request("Create", "*"), state(alb(bucket="gone")))


def test_vanished_load_balancer_is_left_out_of_an_update() -> None:
    there = after(request("Create", WEB, API), state(alb(), alb("api", 2)))
    vanished = replace(there, load_balancers={**there.load_balancers, API: None})
    plan, found = planned(request("Update", WEB, API), vanished)
    assert [each.load_balancer for each in plan.placements] == [WEB]
    assert logging(found) == logging(there)


def test_load_balancer_that_never_was_fails_an_update() -> None:
    there = after(request("Create", WEB), state(alb()))
    before = replace(there, load_balancers={**there.load_balancers, API: None})
    with pytest.raises(Refused, match="app/api/0000000000000002"):
        planned(request("Update", WEB, API, old=properties(WEB)), before)


def test_rollback_goes_back_to_a_load_balancer_that_vanished_meanwhile() -> None:
    """Its ARN is only in the properties of before; the register remembers their digest."""
    there = after(request("Create", WEB, API), state(alb(), alb("api", 2)))
    updated = after(request("Update", WEB, old=properties(WEB, API), at=NOON + 60), there)
    vanished = replace(updated, load_balancers={**updated.load_balancers, API: None})
    back = request("Update", WEB, API, old=properties(WEB), at=NOON + 120)
    plan, _ = planned(back, vanished)
    assert [each.load_balancer for each in plan.placements] == [WEB]


@pytest.mark.parametrize("old", [properties(WEB), properties(API)])
def test_update_succeeds_where_all_load_balancers_have_vanished(old: dict[str, object]) -> None:
    """A rollback to a single load balancer that is deleted by now must not strand the stack."""
    there = after(request("Create", WEB), state(alb()))
    if old != properties(WEB):
        before = replace(there, load_balancers={**there.load_balancers, API: alb("api", 2)})
        there = after(request("Update", API, old=properties(WEB), at=NOON + 60), before)
    vanished = replace(there, load_balancers={**there.load_balancers, WEB: None})
    plan, _ = planned(request("Update", WEB, old=old, at=NOON + 120), vanished)
    assert plan.placements == ()
