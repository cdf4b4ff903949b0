"""Plans: where load balancers log, what stacks share, what stays, and how everything goes again."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st
from support.events import (
    ENDPOINT,
    GLOBAL_BUCKET,
    NOON,
    OTHER_BUCKET,
    OTHER_TAG,
    OWN_BUCKET,
    QUEUE,
    TAG,
    alb_arn,
    event,
    properties,
    topic_arn,
)
from support.states import (
    ADOPTED,
    API,
    FOREIGN,
    HERE,
    LAST,
    LATER,
    LOGS,
    NEW,
    THEIRS,
    THERE,
    WEB,
    WEB_NAME,
    after,
    alb,
    announced,
    bucket,
    claim,
    logging,
    moved,
    notified,
    off,
    planned,
    request,
    reset,
    state,
    subscriptions,
    topic,
)
from support.strategies import STEADY, configurations, policies

from dt_logs_handler import model
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Logging
from dt_logs_handler.notifications import own
from dt_logs_handler.place import recognised
from dt_logs_handler.request import Request, parse, refreshing

MARK = f"dt-logs-analysis/{TAG}"
OURS = topic_arn("logs")
SHOP = alb_arn("shop", 3)
TWO = state(alb(), alb("api", 2))


def comes_to_rest(asked: Request, before: model.State) -> tuple[model.Plan, model.State]:
    """Plan, apply the plan, and plan again; the second plan must not change anything."""
    plan, found = planned(asked, before)
    assert planned(asked, found)[0].changes == ()
    return plan, found


# Where load balancers log


def set_off(prefix: str, bucket: str = "logs") -> model.State:
    """Return a state in which a load balancer is off, although bucket and prefix are set."""
    return state(alb(bucket=bucket, prefix=prefix, enabled=False), buckets=(LOGS,))


# After a runtime update, boto3 may know the namespace of the bucket's other name.
OLDER = state(alb(), buckets=(model.Bucket(GLOBAL_BUCKET, tags={"dt-logs-analysis:stack": TAG}),))
PLACED: dict[str, tuple[model.State, str, Logging]] = {
    "older boto3": (state(alb(), regional=False), "", Logging(True, GLOBAL_BUCKET, MARK)),
    "our bucket is there": (OLDER, "", Logging(True, GLOBAL_BUCKET, MARK)),
    "named bucket": (NEW, "my-logs", Logging(True, "my-logs", MARK)),
    "named bucket is there": (set_off("", ""), "logs", Logging(True, "logs", MARK)),
    "logs already": (ADOPTED, "other", Logging(True, "logs", "web")),
    "bucket without prefix": (set_off(""), "", Logging(True, "logs", f"_/{MARK}")),
    "bucket": (set_off("web"), "", Logging(True, "logs", f"web/{MARK}")),
    "prefix like our own": (set_off("_web"), "", Logging(True, "logs", f"__web/{MARK}")),
    "bucket and folders": (set_off("a/b"), "", Logging(True, "logs", f"a/b/{MARK}")),
    # AWS refuses to empty the attribute, so a bucket's name stays after its stack is deleted.
    "bucket that is gone": (set_off("", "gone"), "", Logging(True, OWN_BUCKET, MARK)),
    "bucket that was ours": (set_off("", OTHER_BUCKET), "", Logging(True, OWN_BUCKET, MARK)),
}


@pytest.mark.parametrize(("before", "named", "to"), PLACED.values(), ids=PLACED)
def test_customers_choice_stays_and_the_others_get_a_bucket(
    before: model.State, named: str, to: Logging
) -> None:
    """If the bucket is not ours, a Delete restores the original bucket and prefix.

    It does so even if somebody has turned logging off meanwhile.
    """
    there = after(request("Create", WEB, LogBucketName=named), before)
    assert logging(there) == to
    assert claim(there, to.bucket).turned_on is (to != logging(before))
    assert bucket(there, to.bucket).maker == (None if to.bucket == "logs" else TAG)
    for found in (there, moved(there, WEB, replace(to, enabled=before is ADOPTED))):
        back = after(request("Delete", WEB, at=LATER), found)
        assert back.buckets.get("logs") == before.buckets.get("logs")
        kept = logging(before).bucket in ("", "logs")
        assert back.load_balancers[WEB] == off(before, WEB, back) or not kept
        assert logging(back).enabled is (before is ADOPTED)


def test_locations_that_stacks_share_are_claimed_by_load_balancer() -> None:
    """A load balancer that leaves keeps logging there, for the other stack alone."""
    theirs = after(request("Create", WEB, API, stack=THERE), TWO)
    found = after(request("Create", WEB), theirs)
    assert logging(found) == Logging(True, OTHER_BUCKET, f"dt-logs-analysis/{OTHER_TAG}")
    mine = claim(found, OTHER_BUCKET)
    assert mine.load_balancers == {WEB_NAME}
    assert mine.turned_on  # copied from the other stack, which may be deleted first

    both = after(request("Create", API, stack=THERE), after(request("Create", WEB, API), TWO))
    asked = request("Update", WEB, old=properties(WEB, API), at=LATER, LogBucketName="logs")
    found = after(asked, both)
    assert logging(found, API) == logging(both, API)
    asked = request("Update", WEB, old=properties(WEB, API), at=LATER)
    assert claim(after(asked, both), OWN_BUCKET).load_balancers == {WEB_NAME}


GONE = state(alb("api", 2), gone=(WEB,))
NOT_THERE = state(alb("api", 2), alb(bucket="gone"))
ABROAD = (replace(LOGS, region="eu-west-1"),)
OFF = state(alb("api", 2), alb(bucket="logs", enabled=False), buckets=ABROAD)


@pytest.mark.parametrize(
    ("before", "what", "fix"),
    [
        (GONE, "0000000000000001 does not exist", "LoadBalancerArns"),
        (NOT_THERE, "Bucket gone, to which", "Create it again"),
        (OFF, "eu-west-1", "Use a bucket in us-east-1."),
    ],
    ids=["no load balancer", "no bucket", "another region"],
)
def test_what_cannot_be_onboarded_is_refused_if_named_and_left_out_of_all(
    before: model.State, what: str, fix: str
) -> None:
    with pytest.raises(Refused) as refused:
        planned(request("Create", API, WEB), before)
    assert WEB_NAME in refused.value.what and what in refused.value.what
    assert fix in refused.value.fix
    plan, found = planned(request("Create", "*"), before)
    assert [each.load_balancer for each in plan.placements] == [API]
    assert logging(found, API).bucket == OWN_BUCKET
    assert before is GONE or what in plan.refused[WEB]
    alone = replace(before, load_balancers={WEB: before.load_balancers[WEB]})
    with pytest.raises(Refused, match="No load balancer can be onboarded"):
        planned(request("Create", "*"), alone)


def test_update_and_rollback_succeed_where_load_balancers_have_vanished() -> None:
    """The old properties may not name the load balancer; the digest identifies the rollback."""
    there = after(request("Create", WEB, API), TWO)
    updated = after(request("Update", WEB, old=properties(WEB, API), at=LATER), there)
    back = request("Update", WEB, API, old=properties(WEB), at=LAST)
    plan, found = planned(back, moved(updated, API, None))
    assert [each.load_balancer for each in plan.placements] == [WEB]
    assert logging(found) == logging(there)

    there = after(request("Create", WEB), TWO)
    moved_on = after(request("Update", API, old=properties(WEB), at=LATER), there)
    for found, old in ((there, WEB), (moved_on, API)):
        again = request("Update", WEB, old=properties(old), at=LAST)
        assert planned(again, moved(found, WEB, None))[0].placements == ()


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
    """The register has a digest of the last two requests that differ.

    It also names the load balancers, unless the vendor reads the whole location.
    """
    before = state(alb(bucket="logs"), alb("api", 2), alb("new", 9), buckets=(LOGS,))
    there = after(request("Create", WEB, API), before)
    nothing = properties(alb_arn("x", 7))
    asked = request("Update", *arns, old=nothing, **given)
    assert recognised(asked, there) == ({alb_arn("x", 7), *known}, again)
    assert not recognised(replace(asked, stack=THERE), there)[1]
    updated = after(request("Update", NINTH, old=properties(WEB, API), at=LATER), there)
    assert recognised(asked, updated)[1] is again
    twice = after(request("Update", WEB, old=properties(NINTH), at=LAST), updated)
    assert recognised(request("Update", WEB, API, old=nothing), twice)[1] is False


# What is set up


def test_topic_is_shared_for_one_bucket_alone() -> None:
    """A topic has only one subscription per endpoint, and a run sees only its own buckets."""
    known = topic(after(request("Create", WEB), announced("web")), FOREIGN)
    two = state(alb("api", 2, bucket="two"), buckets=(notified("two"),), topics=(known,))
    with pytest.raises(Refused) as refused:
        planned(request("Create", API, stack=THERE), two)
    assert "bucket logs" in refused.value.what
    assert "Send bucket two" in refused.value.fix


@pytest.mark.parametrize("policy", ["{}", "", "no JSON"])
def test_topic_with_another_policy_is_refused(policy: str) -> None:
    odd = model.Topic(OURS, policy, ())
    with pytest.raises(Refused) as refused:
        planned(request("Create", WEB), replace(ADOPTED, topics={odd.arn: odd}))
    assert f"aws sns delete-topic --topic-arn {odd.arn}" in refused.value.fix


UPDATES: list[dict[str, object]] = [
    {"DataTheoremAccountId": "111122223333"},
    {"NotificationEndpoint": "https://other.example.com/x"},
    {"NotificationEndpoint": QUEUE},
    {"LogBucketName": "my-logs"},
    {"LogRetentionDays": "365"},
    {"VendorReadScope": "Location"},
    {"ResourceTags": ["team=other"]},
    {"LoadBalancerArns": [API]},
    {"LoadBalancerArns": [WEB, API]},
    {"LoadBalancerArns": [WEB]},
    {"LoadBalancerArns": ["*"]},
]


def asked(kind: str, new: Any, old: Any = None, at: float = NOON) -> Request:
    return parse(event(kind, new, old, at=at), at)


def meaning(found: model.State) -> Any:
    """Return a state in a comparable form, without the register's times and digests."""
    claims = {replace(each, time=0, asked="", previous="") for each in found.register(HERE)}
    rest = {
        there.name: (there.tags, there.lifecycle, own(there.notifications))
        for there in found.present()
    }
    ends = {arn: subscriptions(found, arn) for arn, there in (found.topics or {}).items() if there}
    loggings = {
        arn: each.logging
        for arn, each in found.load_balancers.items()
        if each and each.logging.enabled
    }
    return loggings, claims, rest, ends


@pytest.mark.parametrize("changed", UPDATES, ids=str)
def test_update_leads_to_what_a_create_would_and_back(changed: dict[str, object]) -> None:
    """Each property takes its new value, and a rollback leads back to the old state."""
    shop = alb("shop", 3, bucket="logs", prefix="web")
    before = state(alb(), alb("api", 2), shop, buckets=(LOGS,))
    old = properties(WEB, shop.arn)
    new = {**old, **changed}
    there = after(asked("Create", old), before)
    updated = after(asked("Update", new, old, at=LATER), there)
    assert meaning(updated) == meaning(after(asked("Create", new), before)) != meaning(there)
    assert planned(asked("Update", new, new, at=NOON + 120), updated)[0].changes == ()
    back = after(asked("Update", old, new, at=NOON + 180), updated)
    assert meaning(back) == meaning(there)


def test_a_refresh_keeps_what_it_does_not_see_and_follows_what_moved() -> None:
    def refresh(*arns: str) -> Any:
        return refreshing(HERE, int(LATER), properties(*arns))

    there = after(request("Create", "*"), announced("a", "b"))
    seen = replace(there, load_balancers={WEB: there.load_balancers[WEB]})
    assert after(refresh("*"), seen) == seen
    there = after(request("Create", WEB), ADOPTED)
    found = after(refresh(WEB), moved(there, WEB, Logging(True, "logs", "elsewhere")))
    assert [e.location.prefix for e in bucket(found, "logs").register(HERE)] == ["elsewhere"]


# What was there before, and cannot be used any more


def created(*arns: str, enabled: bool = False) -> model.State:
    """Return a state in which a stack has onboarded two of three load balancers.

    The first and the third have the customer's bucket, and logged before if `enabled`.
    """
    web = alb(bucket="logs", prefix="web", enabled=enabled)
    api = alb("api", 2, bucket="logs", prefix="api", enabled=enabled)
    before = state(web, api, alb("shop", 3), buckets=(LOGS,))
    return after(request("Create", *(arns or (WEB, SHOP))), before)


def test_bucket_that_cannot_be_read_fails_nothing_and_is_told() -> None:
    """The bucket's registrations are unknown, so the stack does not change anything there.

    `*` includes the load balancers that were named before, so the Update is not refused.
    """
    there = created()
    unread = {**there.buckets, "logs": model.Unreadable("GetBucketPolicy: no")}
    for arns, old in (((WEB, SHOP), None), (("*",), properties(WEB, SHOP))):
        given = {"LogRetentionDays": "60", "NotificationEndpoint": QUEUE}
        asked = request("Update", *arns, old=old, at=LATER, **given)
        plan, found = comes_to_rest(asked, replace(there, buckets=unread))
        assert set(plan.refused) == (set() if old is None else {API})
        (told,) = plan.warnings
        assert told.startswith("app/web/") and "GetBucketPolicy: no" in told
        assert SHOP in [each.load_balancer for each in plan.placements]
        assert found.load_balancers == there.load_balancers
        assert bucket(found, OWN_BUCKET).retention == 60
        # Only the bucket's policy shows who else needs its topic.
        assert topic(found, OURS) == topic(there, OURS)
    gone = after(request("Delete", WEB, SHOP, at=LATER), replace(there, buckets=unread))
    assert topic(gone, OURS) == topic(there, OURS)


def test_an_edit_that_removes_a_right_is_tried_even_if_s3_may_refuse_it() -> None:
    """The Update must not succeed without it."""
    there = created(enabled=True)
    document = json.loads(bucket(there, "logs").policy or "")
    document["Statement"].append({**THEIRS, "Principal": {"AWS": "AROAEXAMPLEIDOFAROLE1"}})
    there = reset(there, "logs", policy=json.dumps(document))
    old = properties(WEB, SHOP)
    for changes in ({"DataTheoremAccountId": "111122223333"}, {"LoadBalancerArns": [SHOP]}):
        given: dict[str, object] = {"LoadBalancerArns": [WEB, SHOP], **changes}
        plan, _ = planned(request("Update", old=old, at=LATER, **given), there)
        edits = [e for e in plan.steps if isinstance(e, model.EditPolicy) and e.bucket == "logs"]
        assert edits and edits[0] not in [each for each, _ in plan.tolerated]


def test_logging_that_was_there_before_may_fail_to_be_set_again_without_failing_the_rest() -> None:
    """Somebody turned logging off. If turning it on again fails, a rollback must still succeed."""
    there = moved(created(), WEB, Logging(False, "logs", "web"))
    for arns, may_fail in (((WEB, SHOP, API), []), ((WEB, SHOP), [(WEB, (WEB,))])):
        plan, _ = planned(request("Update", *arns, old=properties(WEB, SHOP), at=LATER), there)
        set_again = [e.load_balancer for e in plan.steps if isinstance(e, model.SetLogging)]
        assert set(set_again) == {WEB, *arns} - {SHOP}
        tolerated = ((e, a) for e, a in plan.tolerated if isinstance(e, model.SetLogging))
        assert [(each.load_balancer, arns) for each, arns in tolerated] == may_fail


@pytest.mark.parametrize("arns", [(SHOP,), ("*",)], ids=["named", "all"])
def test_a_policy_that_was_replaced_by_a_deny_turns_nothing_off(arns: tuple[str, ...]) -> None:
    """The register is gone with the policy, but the bucket and prefix still identify the stack."""
    there = created(*arns)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
    policy = json.dumps({"Statement": [{"Sid": "NoReads", **deny}]})

    plan, found = comes_to_rest(
        request("Update", *arns, at=LATER), reset(there, OWN_BUCKET, policy=policy)
    )

    assert logging(found, SHOP) == logging(there, SHOP)
    assert any("NoReads" in each for each in plan.warnings)
    assert bucket(found, OWN_BUCKET).register(HERE)


# What goes, and what others still need


@STEADY
@given(
    policies(),
    configurations(),
    st.sampled_from(["", "web", "_x", "a/b"]),
    st.booleans(),
    st.sampled_from(["LoadBalancer", "Location"]),
)
def test_customers_bucket_is_left_as_it_was_found(
    policy: str | None, configuration: dict[str, Any], prefix: str, enabled: bool, scope: str
) -> None:
    """A Create followed by a Delete changes nothing, with any bucket configuration."""
    logs = model.Bucket("logs", policy=policy, notifications=configuration, region="us-east-1")
    before = state(alb(bucket="logs", prefix=prefix, enabled=enabled), buckets=(logs,))
    try:
        there = after(request("Create", WEB, VendorReadScope=scope), before)
    except Refused:
        note("refused")
        return
    back = after(request("Delete", WEB, at=LATER), there)
    assert back.load_balancers == before.load_balancers
    found = bucket(back, "logs")
    assert _statements(found.policy) == _statements(policy)
    assert replace(found, policy=None) == replace(logs, policy=None)
    assert back.topics == before.topics


def _statements(policy: str | None) -> Any:
    document = json.loads(policy) if policy else None
    if document and isinstance(document["Statement"], dict):
        document["Statement"] = [document["Statement"]]
    return document


def test_bucket_of_ours_stays_while_anything_logs_to_it() -> None:
    """If the bucket were deleted, whoever took its name would get the logs."""
    there = after(request("Create", WEB), NEW)
    guest = alb("guest", 9, bucket=OWN_BUCKET, prefix="guest")
    back = after(request("Delete", WEB, at=LATER), moved(there, guest.arn, guest.logging))
    assert bucket(back, OWN_BUCKET).register(HERE) == []
    assert back.load_balancers[guest.arn] == guest


GUEST = model.Subscription(f"{OURS}:9", OURS, "email", "a@example.com")


def test_topics_and_subscriptions_that_may_not_or_cannot_go_are_named() -> None:
    there = after(request("Create", WEB), ADOPTED)
    mine = topic(there, OURS)
    for policy, guests, kept in (
        (mine.policy, (GUEST,), f"topic {OURS}, to which somebody else is subscribed"),
        ("{}", (), f"topic {OURS}, which is not ours"),
    ):
        now = model.Topic(OURS, policy, (*mine.subscriptions, *guests))
        plan, back = planned(request("Delete", WEB, at=LATER), replace(there, topics={OURS: now}))
        assert topic(back, OURS) == replace(now, subscriptions=guests)
        assert plan.kept == (kept,)
    documented = {"Privileges": "documented"}
    there = after(request("Create", WEB, **documented), replace(ADOPTED, topics=None))
    asked = request("Update", WEB, NotificationEndpoint=QUEUE, **documented, at=LATER)
    (told,) = planned(asked, there)[0].kept
    assert f"list-subscriptions-by-topic --topic-arn {OURS}" in told


@pytest.mark.parametrize("other", [ENDPOINT, QUEUE])
@pytest.mark.parametrize("claimed", [True, False], ids=["claimed", "unclaimed"])
def test_each_stack_ends_its_own_endpoint_on_a_shared_topic(other: str, claimed: bool) -> None:
    """Two stacks deleted at once may see each other's claims, so both keep the shared resources.

    The second stack's registration is then gone, but its endpoint must still be unsubscribed.
    """
    one = after(request("Create", WEB), ADOPTED)
    both = after(request("Create", WEB, NotificationEndpoint=other, stack=THERE), one)
    found = both if claimed else reset(both, "logs", policy=LOGS.policy)
    left = after(request("Delete", WEB, at=LATER), found)
    if claimed or other == QUEUE:
        assert [each.endpoint for each in topic(left, OURS).subscriptions] == [other]
    else:
        assert left == ADOPTED
    gone = request("Delete", WEB, NotificationEndpoint=other, stack=THERE, at=LAST)
    assert after(gone, left) == ADOPTED


def test_statement_edited_by_somebody_keeps_what_is_shared() -> None:
    """Only the digest in its Sid still shows the location, so the statement claims all of it."""
    one = after(request("Create", WEB), ADOPTED)
    both = after(request("Create", WEB, stack=THERE), one)
    policy = json.loads(bucket(both, "logs").policy or "")
    for statement in policy["Statement"]:
        if OTHER_TAG in statement["Sid"]:
            statement["Resource"] = "arn:aws:s3:::logs/elsewhere/*"
    edited = reset(both, "logs", policy=json.dumps(policy))
    left = after(request("Delete", WEB, at=LATER), edited)
    assert own(bucket(left, "logs").notifications)
    assert left.topics == both.topics


def filter_of(found: model.State) -> list[str]:
    (subscription,) = topic(found, FOREIGN).subscriptions
    assert subscription.endpoint == ENDPOINT
    document = json.loads(subscription.filter_policy or "")
    return [key["prefix"].partition("/")[0] for key in document["Records"]["s3"]["object"]["key"]]


def test_filter_of_a_foreign_topic_follows_the_load_balancers_of_all_stacks() -> None:
    """Replacing a load balancer changes the filter, but does not end the subscription."""
    before = announced("web", "api")
    for arns in ([WEB], [WEB, API]):
        there = after(request("Create", *arns), before)
        assert filter_of(there) == ["api", "web"][-len(arns) :]
        found, left = comes_to_rest(request("Update", API, old=properties(*arns), at=LATER), there)
        kinds = (model.SetFilter, model.Unsubscribe)
        ended = [type(each) for each in found.steps if isinstance(each, kinds)]
        assert (ended, filter_of(left)) == ([model.SetFilter], ["api"])
    both = after(request("Create", API, stack=THERE), after(request("Create", WEB), before))
    assert filter_of(both) == ["api", "web"]
    left = after(request("Delete", WEB, at=LATER), both)
    assert filter_of(left) == ["api"]
    assert after(request("Delete", API, stack=THERE, at=LAST), left) == before
