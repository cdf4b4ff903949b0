"""Planning the onboarding: additions to an account, and how two stacks share them."""

from dataclasses import replace
from typing import Any

import pytest
from support.events import (
    ENDPOINT,
    NOON,
    OWN_BUCKET,
    QUEUE,
    TAG,
    VENDOR,
    event,
    properties,
    topic_arn,
)
from support.states import (
    ADOPTED,
    API,
    FOREIGN,
    HERE,
    LATER,
    LOGS,
    NEW,
    THEIRS,
    THERE,
    WEB,
    after,
    alb,
    announced,
    bucket,
    notified,
    planned,
    request,
    reset,
    state,
    statements,
    subscriptions,
    topic,
)

from dt_logs_handler import model
from dt_logs_handler.errors import Refused
from dt_logs_handler.notifications import own
from dt_logs_handler.request import Request, parse, refreshing

OURS = topic_arn("logs")
BELOW = "AWSLogs/123456789012/elasticloadbalancing/us-east-1/"


@pytest.mark.parametrize(
    "settings",
    [
        {"encryption": "aws:kms"},
        {"ownership": "ObjectWriter"},
        {"public_access_block": {}},
        {"lifecycle": {}},
        {"lifecycle": {"Rules": [{"ID": "org", "Status": "Enabled", "Prefix": ""}]}},
        {"tags": {}},
        {"tags": {"team": "other", "dt-logs-analysis:stack": TAG}},
        {"policy": None},
        {"notifications": {}},
    ],
    ids=str,
)
def test_what_somebody_changed_at_our_bucket_is_put_right(settings: dict[str, Any]) -> None:
    there = after(request("Create", WEB, ResourceTags=["team=logs"]), NEW)
    asked = request("Update", WEB, ResourceTags=["team=logs"], at=LATER)
    found = after(asked, reset(there, OWN_BUCKET, **settings))
    now, was = bucket(found, OWN_BUCKET), bucket(there, OWN_BUCKET)
    assert (now.secure, now.retention, now.tags) == (True, 30, was.tags)
    assert len(statements(found, OWN_BUCKET)) == 3
    assert now.notifications == was.notifications
    assert planned(asked, found)[0].changes == ()


def test_log_bucket_of_the_customers_gets_a_reader_and_announcements_alone() -> None:
    """ELB can already write to the bucket, and the customer decides whether to require TLS."""
    found = after(request("Create", WEB), ADOPTED)
    first, read = statements(found, "logs")
    assert first == THEIRS
    assert read["Action"] == "s3:GetObject"
    assert read["Resource"] == [
        f"arn:aws:s3:::logs/web/{BELOW}*/123456789012_elasticloadbalancing_us-east-1_"
        "app.web.0000000000000001_*"
    ]
    logs = bucket(found, "logs")
    assert logs.tags == {}
    (entry,) = own(logs.notifications).values()
    assert entry["TopicArn"] == OURS
    assert logs.notifications["EventBridgeConfiguration"] == {}
    assert subscriptions(found, OURS) == [("https", ENDPOINT)]


def test_register_comes_first_and_logging_last() -> None:
    """The register then shows everything that an interrupted run has left."""
    steps = planned(request("Create", WEB, API), state(alb(), alb("api", 2)))[0].steps
    kinds = [type(step) for step in steps]
    made = [kinds.index(each) for each in (model.EditPolicy, model.EnsureTopic, model.Subscribe)]
    assert kinds[0] is model.CreateBucket and made == sorted(made)
    assert kinds[-2:] == [model.SetLogging, model.SetLogging]


def test_documented_role_creates_topics_without_reading_them() -> None:
    """The role may only create topics and subscribe; tagging a topic needs another permission."""
    asked = request("Create", WEB, Privileges="documented", ResourceTags=["team=logs"])
    plan, found = planned(asked, state(alb(), documented=True))
    assert planned(asked, found)[0].changes == ()
    (made,) = (step for step in plan.steps if isinstance(step, model.EnsureTopic))
    assert made.tags == {}
    assert any(isinstance(step, model.Subscribe) for step in plan.steps)
    tagged, _ = planned(request("Create", WEB, ResourceTags=["team=logs"]), NEW)
    (made,) = (step for step in tagged.steps if isinstance(step, model.EnsureTopic))
    assert made.tags == {"team": "logs"}


def test_topic_is_shared_for_one_bucket_alone() -> None:
    """A topic has only one subscription per endpoint, and a run sees only its own buckets."""
    known = topic(after(request("Create", WEB), announced("web")), FOREIGN)
    two = state(alb("api", 2, bucket="two"), buckets=(notified("two"),), topics=(known,))
    with pytest.raises(Refused) as refused:
        planned(request("Create", API, stack=THERE), two)
    assert "bucket logs" in refused.value.what
    assert "Send bucket two" in refused.value.fix


@pytest.mark.parametrize("policy", ["{}", "", '{"Statement": []}', "no JSON"])
def test_topic_with_another_policy_is_refused(policy: str) -> None:
    odd = model.Topic(OURS, policy, ())
    with pytest.raises(Refused) as refused:
        planned(request("Create", WEB), replace(ADOPTED, topics={odd.arn: odd}))
    assert f"aws sns delete-topic --topic-arn {odd.arn}" in refused.value.fix


def test_policy_that_would_grow_beyond_its_limit_is_refused_with_the_fix() -> None:
    """VendorReadScope=Location would fit, but only the customer may choose it."""
    albs = [alb("x" * 32, number, bucket="logs") for number in range(150)]
    before = state(*albs, buckets=(LOGS,))
    arns = [each.arn for each in albs]
    with pytest.raises(Refused) as refused:
        planned(request("Create", *arns), before)
    assert "VendorReadScope=Location" in refused.value.fix
    found = after(request("Create", *arns, VendorReadScope="Location"), before)
    assert len(bucket(found, "logs").register(HERE)) == 1


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
    logging = {
        arn: each.logging
        for arn, each in found.load_balancers.items()
        if each and each.logging.enabled
    }
    return logging, claims, rest, ends


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


def refresh(*arns: str) -> Any:
    """Return the request that a schedule makes for these load balancers."""
    return refreshing(HERE, int(LATER), properties(*arns))


def test_a_refresh_keeps_the_filter_for_a_load_balancer_that_it_does_not_see() -> None:
    there = after(request("Create", "*"), announced("a", "b"))
    seen = replace(there, load_balancers={WEB: there.load_balancers[WEB]})
    assert after(refresh("*"), seen) == seen


def test_a_refresh_follows_a_load_balancer_to_another_prefix() -> None:
    there = after(request("Create", WEB), ADOPTED)
    moved = replace(there, load_balancers={WEB: alb(bucket="logs", prefix="elsewhere")})
    found = after(refresh(WEB), moved)
    assert [e.location.prefix for e in bucket(found, "logs").register(HERE)] == ["elsewhere"]


@pytest.mark.parametrize(("vendor", "tolerated"), [(VENDOR, True), ("111122223333", False)])
def test_only_a_policy_that_narrows_rights_must_be_put_where_the_stack_was_before(
    vendor: str, tolerated: bool
) -> None:
    there = after(request("Create", WEB), ADOPTED)
    entries = {**bucket(there, "logs").notifications, "TopicConfigurations": []}
    policy = LOGS.policy if vendor == VENDOR else bucket(there, "logs").policy
    drifted = reset(there, "logs", policy=policy, notifications=entries)
    asked = request("Update", WEB, DataTheoremAccountId=vendor, at=LATER)

    found, _ = planned(asked, drifted)

    may_fail = {type(step).__name__: arns for step, arns in found.tolerated}
    assert may_fail["EditNotifications"] == ()
    assert may_fail.get("EditPolicy") == (() if tolerated else None)
