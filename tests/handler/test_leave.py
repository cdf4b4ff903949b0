"""Planning a removal: it covers everything with the stack's marks, unless others use it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from support.events import (
    ENDPOINT,
    OTHER_TAG,
    OWN_BUCKET,
    QUEUE,
    TAG,
    VENDOR,
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
    THERE,
    WEB,
    after,
    alb,
    announced,
    bucket,
    moved,
    off,
    planned,
    request,
    reset,
    state,
    taken,
    topic,
)
from support.strategies import STEADY, configurations, policies

from dt_logs_handler import model
from dt_logs_handler.errors import Refused
from dt_logs_handler.notifications import own
from dt_logs_handler.plan import plan

BOTH = pytest.mark.parametrize("before", [ADOPTED, NEW], ids=["adopted", "new"])
ARN = topic_arn("logs")


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
        event("refused")
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


def test_vendors_right_goes_first_then_logging_and_the_register_last() -> None:
    there = after(request("Create", WEB), NEW)
    (mine,) = there.registered(HERE)
    first, *steps, last = plan(request("Delete", WEB), there).steps
    assert isinstance(first, model.EditPolicy) and isinstance(last, model.EditPolicy)
    assert (first.edit.disarm, last.edit.drop) == ({mine.sid}, {mine.sid})
    kinds = [type(step) for step in steps]
    order = [
        model.SetLogging,
        model.EditNotifications,
        model.DeleteTopic,
        model.DeleteTestFile,
        model.DeleteBucket,
    ]
    assert kinds == order


@BOTH
def test_delete_goes_on_from_where_another_has_stopped(before: model.State) -> None:
    """After each step, the registration shows the remaining work, but does not grant anything.

    If everything is gone, or nothing was ever set up, a Delete does nothing.
    """
    assert plan(request("Delete", WEB), before).steps == ()
    there = after(request("Create", WEB), before)
    steps = plan(request("Delete", WEB), there).steps
    for number in range(len(steps) + 1):
        found = there
        for step in steps[:number]:
            found = taken(step, found)
        assert {each.vendor for each in found.register(HERE)} <= (
            {"123456789012"} if number else {VENDOR}
        )
        back = after(request("Delete", WEB, at=LATER), found)
        assert back.buckets == before.buckets and not any((back.topics or {}).values())
        assert back.load_balancers[WEB] == off(before, WEB, back)
        assert plan(request("Delete", WEB, at=LAST), back).steps == ()


def test_create_after_a_delete_that_stopped_grants_the_right_again() -> None:
    there = after(request("Create", WEB), ADOPTED)
    disarmed = taken(plan(request("Delete", WEB), there).steps[0], there)
    assert [each.vendor for each in disarmed.register(HERE)] == ["123456789012"]
    again = after(request("Update", WEB, at=LATER), disarmed)
    assert [each.vendor for each in again.register(HERE)] == [VENDOR]


@pytest.mark.parametrize(
    "changed",
    [
        model.Logging(True, "logs", "mine"),
        model.Logging(True, OWN_BUCKET, ""),
        model.Logging(False, OWN_BUCKET, ""),
        model.Logging(True, OWN_BUCKET, f"dt-logs-analysis/{TAG}/more"),
    ],
)
def test_load_balancer_that_somebody_changed_is_left_alone(changed: model.Logging) -> None:
    """The prefix no longer ends with our mark, so the logging is not ours to change."""
    there = after(request("Create", WEB), state(alb(), buckets=(LOGS,)))
    elsewhere = moved(there, WEB, changed)
    back = after(request("Delete", WEB, at=LATER), elsewhere)
    assert back.load_balancers == elsewhere.load_balancers


def test_bucket_of_ours_stays_while_anything_logs_to_it() -> None:
    """If the bucket were deleted, whoever took its name would get the logs."""
    there = after(request("Create", WEB), NEW)
    guest = alb("guest", 9, bucket=OWN_BUCKET, prefix="guest")
    crowded = moved(there, guest.arn, guest.logging)
    back = after(request("Delete", WEB, at=LATER), crowded)
    assert bucket(back, OWN_BUCKET).register(HERE) == []
    assert back.load_balancers[guest.arn] == guest


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
        assert [each.endpoint for each in topic(left, ARN).subscriptions] == [other]
    else:
        assert left == ADOPTED
    gone = request("Delete", WEB, NotificationEndpoint=other, stack=THERE, at=LAST)
    assert after(gone, left) == ADOPTED


@BOTH
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_topic_of_a_bucket_that_cannot_be_read_stays(before: model.State, kind: str) -> None:
    """Only the bucket's policy shows who else needs the topic."""
    there = after(request("Create", WEB), before)
    unread = dict.fromkeys(there.buckets, model.Unreadable("GetBucketPolicy: no"))
    asked = request(kind, "*", old=properties(WEB), NotificationEndpoint=QUEUE, at=LATER)
    assert after(asked, replace(there, buckets=unread)).topics == there.topics


def test_documented_role_names_the_subscription_that_it_may_not_end() -> None:
    documented = {"Privileges": "documented"}
    there = after(request("Create", WEB, **documented), replace(ADOPTED, topics=None))
    asked = request("Update", WEB, NotificationEndpoint=QUEUE, **documented, at=LATER)
    (kept,) = planned(asked, there)[0].kept
    assert f"list-subscriptions-by-topic --topic-arn {ARN}" in kept


GUEST = model.Subscription(f"{ARN}:9", ARN, "email", "a@example.com")


@pytest.mark.parametrize(
    ("changed", "guests", "kept"),
    [
        ({}, (GUEST,), f"topic {ARN}, to which somebody else is subscribed"),
        ({"policy": "{}"}, (), f"topic {ARN}, which is not ours"),
    ],
    ids=["subscribed by others", "without our statement"],
)
def test_topic_that_is_not_ours_alone_stays_and_is_named(
    changed: dict[str, str], guests: tuple[model.Subscription, ...], kept: str
) -> None:
    there = after(request("Create", WEB), ADOPTED)
    ours = topic(there, ARN)
    now = replace(ours, subscriptions=(*ours.subscriptions, *guests), **changed)
    plan, back = planned(request("Delete", WEB, at=LATER), replace(there, topics={ARN: now}))
    assert topic(back, ARN) == replace(now, subscriptions=guests)
    assert plan.kept == (kept,)


def test_subscription_that_was_never_confirmed_goes_with_its_topic() -> None:
    there = after(request("Create", WEB), ADOPTED)
    ours = topic(there, ARN)
    (pending,) = (replace(each, arn="PendingConfirmation") for each in ours.subscriptions)
    waiting = replace(there, topics={ARN: replace(ours, subscriptions=(pending,))})
    assert after(request("Delete", WEB, at=LATER), waiting) == ADOPTED


def filter_of(found: model.State) -> list[str]:
    (subscription,) = topic(found, FOREIGN).subscriptions
    assert subscription.endpoint == ENDPOINT
    document = json.loads(subscription.filter_policy or "")
    return [key["prefix"].partition("/")[0] for key in document["Records"]["s3"]["object"]["key"]]


@pytest.mark.parametrize("arns", [[WEB], [WEB, API]], ids=["web", "web and api"])
def test_subscription_to_a_foreign_topic_changes_its_filter_with_the_load_balancers(
    arns: list[str],
) -> None:
    """Replacing a load balancer changes the filter, but does not end the subscription."""
    there = after(request("Create", *arns), announced("web", "api"))
    assert filter_of(there) == ["api", "web"][-len(arns) :]
    asked = request("Update", API, old=properties(*arns), at=LATER)
    found, left = planned(asked, there)
    ended = [each for each in found.steps if isinstance(each, model.SetFilter | model.Unsubscribe)]
    assert [type(each) for each in ended] == [model.SetFilter]
    assert filter_of(left) == ["api"]
    assert planned(asked, left)[0].changes == ()


def test_stacks_that_share_a_subscription_leave_each_others_filter() -> None:
    before = announced("web", "api")
    one = after(request("Create", WEB), before)
    both = after(request("Create", API, stack=THERE), one)
    assert filter_of(both) == ["api", "web"]
    left = after(request("Delete", WEB, at=LATER), both)
    assert filter_of(left) == ["api"]
    assert after(request("Delete", API, stack=THERE, at=LAST), left) == before


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
