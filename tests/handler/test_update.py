"""An Update refuses only additions; it keeps everything that was there before, with a warning.

Otherwise, whatever made an Update fail would also make its rollback fail.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from handler.planning import LAST, LATER, LOGS, logging
from support.events import OWN_BUCKET, alb_arn, properties, topic_arn
from support.states import HERE, after, alb, bucket, moved, planned, request, reset, state

from dt_logs_handler.errors import Refused
from dt_logs_handler.model import (
    Absent,
    Bucket,
    EditPolicy,
    Logging,
    Plan,
    SetLogging,
    State,
    Unreadable,
)
from dt_logs_handler.request import Request

WEB, SHOP, API = alb_arn("web", 1), alb_arn("shop", 2), alb_arn("api", 3)
Change = Callable[[State], State]


def prepared(enabled: bool) -> State:
    """Return a state with three load balancers, of which a stack onboards the first two.

    The first and third have the customer's bucket, and log if `enabled`. The second has none.
    """
    web = alb("web", 1, bucket="logs", prefix="web", enabled=enabled)
    api = alb("api", 3, bucket="logs", prefix="api", enabled=enabled)
    return state(web, alb("shop", 2), api, buckets=(LOGS,))


def created(enabled: bool, *arns: str, **given: object) -> State:
    return after(request("Create", *(arns or (WEB, SHOP)), **given), prepared(enabled))


def setting(**changed: Any) -> Change:
    return lambda found: reset(found, "logs", **changed)


def stated(effect: str, action: str, principal: Any = "*") -> Change:
    """Return a change that adds a statement to the bucket's policy."""

    def change(found: State) -> State:
        document = json.loads(bucket(found, "logs").policy or '{"Statement": []}')
        statement = {"Sid": "Theirs", "Effect": effect, "Principal": principal, "Action": action}
        document["Statement"].append({**statement, "Resource": "arn:aws:s3:::logs/*"})
        return reset(found, "logs", policy=json.dumps(document))

    return change


def gone(found: State) -> State:
    return replace(found, buckets={**found.buckets, "logs": Absent()})


def topic_changed(found: State) -> State:
    arn = topic_arn("logs")
    there = (found.topics or {}).get(arn)
    changed = {arn: replace(there, policy="{}")} if there else {}
    return replace(found, topics={**(found.topics or {}), **changed})


ENTRY: dict[str, Any] = {
    "Id": "audit",
    "QueueArn": "arn:aws:sqs:us-east-1:123456789012:audit",
    "Events": ["s3:ObjectCreated:*"],
}
DELIVERY = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
RESTRICTED = {"RestrictPublicBuckets": True}
DRIFTS: dict[str, tuple[Change, str]] = {
    "KMS": (setting(encryption="aws:kms"), "encrypts with aws:kms"),
    "ObjectWriter": (setting(ownership="ObjectWriter"), "ObjectWriter"),
    "public": (setting(public=True, public_access_block=RESTRICTED), "RestrictPublicBuckets"),
    "vendor denied": (stated("Deny", "s3:GetObject"), "denies Data Theorem's account"),
    "overlap": (setting(notifications={"QueueConfigurations": [ENTRY]}), "notification audit"),
    "topic": (topic_changed, "its policy or tags"),
    "gone": (gone, "does not exist"),
}
EACH = [(True, *DRIFTS[name]) for name in DRIFTS]
# If the stack turned logging on and the bucket is gone, the stack may choose another.
EACH += [(False, *DRIFTS[name]) for name in DRIFTS if name != "gone"]
EACH += [(False, stated("Deny", "s3:PutObject", DELIVERY), "denies Elastic Load Balancing")]
each_drift = pytest.mark.parametrize(
    ("enabled", "drift", "text"),
    EACH,
    ids=[f"{text}-{'adopted' if enabled else 'turned on'}" for enabled, _, text in EACH],
)


def comes_to_rest(asked: Request, before: State) -> tuple[Plan, State]:
    """Plan, apply the plan, and plan again; the second plan must not change anything."""
    plan, found = planned(asked, before)
    assert planned(asked, found)[0].changes == ()
    return plan, found


@each_drift
@pytest.mark.parametrize("given", [{"RunToken": "2"}, {"LogRetentionDays": "60"}], ids=str)
@pytest.mark.parametrize("arns", [(WEB, SHOP), ("*",)], ids=["named", "all"])
def test_what_became_unusable_is_kept_and_told(
    enabled: bool, drift: Change, text: str, given: dict[str, object], arns: tuple[str, ...]
) -> None:
    there = drift(created(enabled, *arns))

    plan, found = comes_to_rest(request("Update", *arns, at=LATER, **given), there)

    assert any(text in each and "logs" in each for each in plan.warnings)
    assert plan.refused == {}
    assert found.load_balancers == there.load_balancers
    assert bucket(found, OWN_BUCKET).retention == (60 if "LogRetentionDays" in given else 30)
    if isinstance(there.buckets["logs"], Bucket):
        claimed = {each.location for each in bucket(found, "logs").register(HERE)}
        assert logging(there, WEB).location in claimed


@pytest.mark.parametrize("enabled", [True, False], ids=["adopted", "turned on"])
def test_bucket_that_cannot_be_read_fails_nothing_and_is_told(enabled: bool) -> None:
    """The bucket's registrations are unknown, so nothing of the stack's there is changed.

    `*` includes the load balancers that were named before, so the Update is not refused.
    """
    there = created(enabled)
    unread = {**there.buckets, "logs": Unreadable("GetBucketPolicy: no")}
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


@each_drift
def test_what_is_new_there_is_refused(enabled: bool, drift: Change, text: str) -> None:
    asked = request("Update", WEB, SHOP, API, old=properties(WEB, SHOP), at=LATER)
    with pytest.raises(Refused) as refused:
        planned(asked, drift(created(enabled)))
    assert text in refused.value.what


# If the bucket is gone, the load balancers registered there are no longer known.
@pytest.mark.parametrize("name", [each for each in DRIFTS if each != "gone"])
def test_of_all_load_balancers_the_new_one_there_is_left_out(name: str) -> None:
    drift, text = DRIFTS[name]
    before = prepared(True)
    two = {arn: found for arn, found in before.load_balancers.items() if arn != API}
    there = drift(after(request("Create", "*"), replace(before, load_balancers=two)))
    there = moved(there, API, logging(before, API))

    plan, found = comes_to_rest(request("Update", "*", at=LATER), there)

    assert [text in plan.refused[arn] for arn in plan.refused] == [True]
    assert set(plan.refused) == {API}
    assert any(text in each for each in plan.warnings)
    assert found.load_balancers == there.load_balancers


@each_drift
def test_an_update_back_asks_for_what_was_given_up(enabled: bool, drift: Change, text: str) -> None:
    """Another resource of the stack failed after the Update that removed a load balancer."""
    left = after(request("Update", SHOP, old=properties(WEB, SHOP), at=LATER), created(enabled))
    back = request("Update", WEB, SHOP, old=properties(SHOP), at=LAST)
    plan, _ = comes_to_rest(back, drift(left))
    told = any(text in each for each in (*plan.warnings, *plan.refused.values()))
    assert told is (drift is not topic_changed)  # the topic was deleted, and is created again


DEAD = stated("Allow", "s3:ListBucket", {"AWS": "AROAEXAMPLEIDOFAROLE1"})


def test_policy_that_cannot_be_put_any_more_is_told_and_left_as_it_is() -> None:
    there = DEAD(created(True))
    plan, _ = comes_to_rest(request("Update", WEB, SHOP, at=LATER), there)
    assert plan.warnings == ()  # the policy stays as it is
    asked = request("Update", WEB, SHOP, VendorReadScope="Location", at=LATER)
    plan, found = comes_to_rest(asked, there)
    assert any("S3 refuses to change" in each for each in plan.warnings)
    assert bucket(found, "logs").policy == bucket(there, "logs").policy
    # An edit that takes a right away is tried, since the Update must not succeed without it.
    other: dict[str, object] = {"DataTheoremAccountId": "111122223333"}
    for given in (other, {"LoadBalancerArns": [SHOP]}):
        asked = request("Update", WEB, SHOP, old=properties(WEB, SHOP), at=LATER, **given)
        steps = planned(asked, there)[0].steps
        assert any(isinstance(each, EditPolicy) and each.bucket == "logs" for each in steps)


def test_logging_that_was_there_before_may_fail_to_be_set_again_without_failing_the_rest() -> None:
    """Somebody turned logging off. If turning it on again fails, a rollback must still succeed."""
    there = moved(created(False), WEB, Logging(False, "logs", "web"))
    back = request("Update", WEB, SHOP, API, old=properties(WEB, SHOP), at=LATER)
    plan, _ = planned(back, there)
    steps = [each for each in plan.steps if isinstance(each, SetLogging)]
    assert {each.load_balancer for each in steps} == {WEB, API}
    assert not [each for each, _ in plan.tolerated if isinstance(each, SetLogging)]
    same = request("Update", WEB, SHOP, at=LATER)
    plan, _ = planned(same, there)
    tolerated = [(e.load_balancer, a) for e, a in plan.tolerated if isinstance(e, SetLogging)]
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
