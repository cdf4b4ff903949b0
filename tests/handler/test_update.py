"""An Update refuses only additions; it keeps everything that was there before, with a warning.

Otherwise, the cause of a failed Update would also make its rollback fail. lifecycle/test_drift.py
has the ways in which a bucket becomes unusable.
"""

import json
from dataclasses import replace

import pytest
from support.events import OWN_BUCKET, alb_arn, properties
from support.states import (
    HERE,
    LATER,
    LOGS,
    THEIRS,
    after,
    alb,
    bucket,
    logging,
    moved,
    planned,
    request,
    reset,
    state,
)

from dt_logs_handler import model
from dt_logs_handler.errors import Refused
from dt_logs_handler.request import Request

WEB, SHOP, API = alb_arn("web", 1), alb_arn("shop", 2), alb_arn("api", 3)


def prepared(enabled: bool) -> model.State:
    """Return a state with three load balancers, of which a stack onboards the first two.

    The first and third have the customer's bucket, and log if `enabled`. The second has none.
    """
    web = alb("web", 1, bucket="logs", prefix="web", enabled=enabled)
    api = alb("api", 3, bucket="logs", prefix="api", enabled=enabled)
    return state(web, alb("shop", 2), api, buckets=(LOGS,))


def created(enabled: bool, *arns: str, **given: object) -> model.State:
    return after(request("Create", *(arns or (WEB, SHOP)), **given), prepared(enabled))


def comes_to_rest(asked: Request, before: model.State) -> tuple[model.Plan, model.State]:
    """Plan, apply the plan, and plan again; the second plan must not change anything."""
    plan, found = planned(asked, before)
    assert planned(asked, found)[0].changes == ()
    return plan, found


@pytest.mark.parametrize("enabled", [True, False], ids=["adopted", "turned on"])
def test_bucket_that_cannot_be_read_fails_nothing_and_is_told(enabled: bool) -> None:
    """The bucket's registrations are unknown, so the stack does not change anything there.

    `*` includes the load balancers that were named before, so the Update is not refused.
    """
    there = created(enabled)
    unread = {**there.buckets, "logs": model.Unreadable("GetBucketPolicy: no")}
    for arns, old in (((WEB, SHOP), None), (("*",), properties(WEB, SHOP))):
        asked = request("Update", *arns, old=old, LogRetentionDays="60", at=LATER)
        plan, found = comes_to_rest(asked, replace(there, buckets=unread))
        assert set(plan.refused) == (set() if old is None else {API})
        (told,) = plan.warnings
        assert told.startswith("app/web/") and "GetBucketPolicy: no" in told
        assert SHOP in [each.load_balancer for each in plan.placements]
        assert found.load_balancers == there.load_balancers
        assert bucket(found, OWN_BUCKET).retention == 60


def test_load_balancer_cannot_leave_a_bucket_that_cannot_be_read() -> None:
    before = state(alb(), alb("api", 3, bucket="logs"), unreadable=("logs",))
    with pytest.raises(Refused) as refused:
        planned(request("Update", WEB, old=properties(WEB, API)), before)
    assert refused.value.what.startswith("Nothing can be removed where app/api/")
    assert "GetBucketTagging: Access Denied" in refused.value.what
    assert "ExistingLogBucketNames" in refused.value.fix
    assert refused.value.bucket == "logs"


def test_policy_that_cannot_be_put_any_more_is_told_and_left_as_it_is() -> None:
    there = created(True)
    document = json.loads(bucket(there, "logs").policy or "")
    document["Statement"].append({**THEIRS, "Principal": {"AWS": "AROAEXAMPLEIDOFAROLE1"}})
    there = reset(there, "logs", policy=json.dumps(document))
    plan, _ = comes_to_rest(request("Update", WEB, SHOP, at=LATER), there)
    assert plan.warnings == ()  # the policy stays as it is
    asked = request("Update", WEB, SHOP, VendorReadScope="Location", at=LATER)
    plan, found = comes_to_rest(asked, there)
    assert any("S3 refuses to change" in each for each in plan.warnings)
    assert bucket(found, "logs").policy == bucket(there, "logs").policy
    # An edit that removes a right is tried, because the Update must not succeed without it.
    other: dict[str, object] = {"DataTheoremAccountId": "111122223333"}
    for given in (other, {"LoadBalancerArns": [SHOP]}):
        asked = request("Update", WEB, SHOP, old=properties(WEB, SHOP), at=LATER, **given)
        steps = planned(asked, there)[0].steps
        assert any(isinstance(each, model.EditPolicy) and each.bucket == "logs" for each in steps)


def test_logging_that_was_there_before_may_fail_to_be_set_again_without_failing_the_rest() -> None:
    """Somebody turned logging off. If turning it on again fails, a rollback must still succeed."""
    there = moved(created(False), WEB, model.Logging(False, "logs", "web"))
    back = request("Update", WEB, SHOP, API, old=properties(WEB, SHOP), at=LATER)
    plan, _ = planned(back, there)
    steps = [each for each in plan.steps if isinstance(each, model.SetLogging)]
    assert {each.load_balancer for each in steps} == {WEB, API}
    assert not [each for each, _ in plan.tolerated if isinstance(each, model.SetLogging)]
    same = request("Update", WEB, SHOP, at=LATER)
    plan, _ = planned(same, there)
    tolerated = [(e.load_balancer, a) for e, a in plan.tolerated if isinstance(e, model.SetLogging)]
    assert tolerated == [(WEB, (WEB,))]


@pytest.mark.parametrize("arns", [(SHOP,), ("*",)], ids=["named", "all"])
def test_a_policy_that_was_replaced_by_a_deny_turns_nothing_off(arns: tuple[str, ...]) -> None:
    """The register is gone with the policy, but the bucket and prefix still identify the stack."""
    there = created(True, *arns)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Statement": [{"Sid": "NoReads", **deny}]})
    replaced = reset(there, logging(there, SHOP).bucket, policy=policy)

    plan, found = comes_to_rest(request("Update", *arns, at=LATER), replaced)

    assert logging(found, SHOP) == logging(there, SHOP)
    assert any("NoReads" in each for each in plan.warnings)
    assert bucket(found, logging(found, SHOP).bucket).register(HERE)
