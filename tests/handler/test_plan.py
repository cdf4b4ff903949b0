"""Plans: where load balancers log, what stacks share, what stays, and what is removed.

Most plans are carried out in the emulated account; tests/lifecycle carries out many more.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st
from lifecycle.faults import error, on
from lifecycle.scenarios import Prepare, Shared, data
from support.drifts import (
    announce,
    denies,
    edit_policy,
    log_bucket,
    remove_statement,
    set_logging,
)
from support.events import (
    ENDPOINT,
    GLOBAL_BUCKET,
    HERE,
    NOON,
    OTHER_BUCKET,
    OTHER_TAG,
    QUEUE,
    REGION,
    TAG,
    THERE,
    WEB_NAME,
    alb_arn,
    properties,
    registration,
    request,
)
from support.strategies import STEADY, configurations, policies

from dt_logs_handler import model
from dt_logs_handler.errors import Refused
from dt_logs_handler.names import load_balancer_name
from dt_logs_handler.notifications import topic_policy
from dt_logs_handler.place import recognised
from dt_logs_handler.plan import plan
from dt_logs_handler.register import PolicyEdit
from dt_logs_handler.request import refreshing
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, customers_bucket, new, three

MARK = f"dt-logs-analysis/{TAG}"
TOPICS = "arn:aws:sns:us-east-1:123456789012:"
MODIFY = "ModifyLoadBalancerAttributes"


def balancers(*loggings: tuple[str, str], enabled: bool = False) -> Prepare:
    """Return a function that adds the customer's bucket, and an ALB for each bucket and prefix."""

    def prepare(account: Account) -> list[str]:
        customers_bucket(account)
        named = zip(("web", "api", "shop"), loggings, strict=False)
        return [
            account.add_load_balancer(name, bucket=bucket, prefix=prefix, enabled=enabled)
            for name, (bucket, prefix) in named
        ]

    return prepare


# Where load balancers log

PLACED: dict[str, tuple[Prepare, str, str, str]] = {
    "named bucket": (new, "my-logs", "my-logs", MARK),
    "named bucket is there": (balancers(("", "")), CUSTOMERS, CUSTOMERS, MARK),
    "logs already": (balancers((CUSTOMERS, "web"), enabled=True), "other", CUSTOMERS, "web"),
    "bucket without prefix": (balancers((CUSTOMERS, "")), "", CUSTOMERS, f"_/{MARK}"),
    "bucket": (balancers((CUSTOMERS, "web")), "", CUSTOMERS, f"web/{MARK}"),
    "prefix like our own": (balancers((CUSTOMERS, "_web")), "", CUSTOMERS, f"__web/{MARK}"),
    "bucket and folders": (balancers((CUSTOMERS, "a/b")), "", CUSTOMERS, f"a/b/{MARK}"),
    # AWS refuses to empty the attribute, so a bucket's name stays after its stack is deleted.
    "bucket that is gone": (balancers(("gone", "")), "", "", MARK),
    "bucket that was ours": (balancers((OTHER_BUCKET, "")), "", "", MARK),
}


@pytest.mark.parametrize(("prepare", "named", "bucket", "prefix"), PLACED.values(), ids=PLACED)
@pytest.mark.parametrize("switched_off", [True, False])
def test_customers_choice_stays_and_the_others_get_a_bucket(
    prepare: Prepare, named: str, bucket: str, prefix: str, switched_off: bool
) -> None:
    """If the bucket is not ours, a Delete restores the original bucket and prefix.

    It does so even if somebody has turned logging off meanwhile.
    """
    case = Shared(prepare)
    given, was = properties(*case.arns, LogBucketName=named), case.logging()
    case.sent("Create", given)
    enabled, where, there = case.logging()
    assert (enabled, there) == ("true", prefix)
    assert where in ([bucket] if bucket else HERE.own_buckets)
    assert [each.turned_on for each in case.claims(where)] == [was[0] == "false"]
    maker = case.account.world.buckets[where].tags.get("dt-logs-analysis:stack")
    assert maker == (None if where == CUSTOMERS else TAG)
    if switched_off:
        case.customer(partial(set_logging, arn=case.arns[0], enabled="false"))
    if not bucket:  # AWS refuses to empty the attribute, so the bucket's name may stay there
        attributes = case.untouched.world.load_balancers[case.arns[0]].attributes
        attributes["access_logs.s3.bucket"] = ""
    case.ends(given)


def test_our_bucket_keeps_the_name_that_an_older_boto3_gave_it() -> None:
    """After a runtime update, a newer boto3 would give a new bucket the other name."""
    case = Shared(new)
    case.account.add_bucket(GLOBAL_BUCKET, tags={"dt-logs-analysis:stack": TAG})
    given = properties(*case.arns)
    case.sent("Update", given, given)
    assert case.logging() == ("true", GLOBAL_BUCKET, MARK)
    case.ends(given)


def test_locations_that_stacks_share_are_claimed_by_load_balancer() -> None:
    """A load balancer that leaves one stack keeps logging there, for the other stack alone."""
    case = Shared(three)
    web, api, _ = case.arns
    both, one = properties(web, api), properties(web)
    case.other("Create", both)
    case.sent("Create", one)
    _, bucket, _ = case.logging()
    mine = {each.stack: each for each in case.claims(bucket)}[TAG]
    assert bucket in THERE.own_buckets
    # `turned_on` is copied from the registration of the other stack, which may be deleted first.
    assert (mine.load_balancers, mine.turned_on) == ({load_balancer_name(web)}, True)

    case = Shared(three)
    case.sent("Create", both)
    case.other("Create", properties(api))
    there = case.logging(1)
    case.sent("Update", one, both)
    assert case.logging(1) == there
    mine = {each.stack: each for each in case.claims(there[1])}[TAG]
    assert mine.load_balancers == {load_balancer_name(web)}


def gone(account: Account) -> list[str]:
    web, api, _ = three(account)
    del account.world.load_balancers[web]
    return [web, api]


def abroad(account: Account) -> list[str]:
    account.add_bucket("abroad", region="eu-west-1")
    return balancers(("abroad", ""), ("", ""))(account)


NOT_THERE = balancers(("gone", ""), ("", ""), enabled=True)


@pytest.mark.parametrize(
    ("prepare", "what", "fix"),
    [
        (gone, "does not exist", "Correct LoadBalancerArns"),
        (NOT_THERE, "Bucket gone, to which", "Create it again"),
        (abroad, "eu-west-1", "Use a bucket in us-east-1."),
    ],
    ids=["no load balancer", "no bucket", "another region"],
)
def test_what_cannot_be_onboarded_is_refused_if_named_and_left_out_of_all(
    prepare: Prepare, what: str, fix: str
) -> None:
    case = Shared(prepare)
    web, api = case.arns
    reason = case.send("Create", properties(api, web))["Reason"]
    assert load_balancer_name(web) in reason and what in reason and fix in reason
    told = data(case.sent("Create", properties("*")), "NotOnboarded")
    assert prepare is gone or (told.startswith("app/web/") and what in told)
    assert case.logging(1)[1] in HERE.own_buckets
    case.sent("Delete", properties("*"))
    assert case.left() == []
    case.vanishes(api)
    if prepare is not gone:
        reason = case.send("Create", properties("*"))["Reason"]
        assert reason.startswith("No load balancer can be onboarded.")


def test_update_and_rollback_succeed_where_load_balancers_have_vanished() -> None:
    """The digest identifies a rollback, even if the old properties do not name the ALB."""
    case = Shared(three)
    web, api, shop = case.arns
    both, one, other = properties(web, api), properties(web), properties(shop)
    case.sent("Create", both)
    case.sent("Update", one, both)
    there = case.logging()
    case.vanishes(api)
    told = data(case.sent("Update", both, one), "NotOnboarded")
    assert told == f"{load_balancer_name(api)}: It does not exist any more"
    assert case.logging() == there

    case.sent("Update", one, both)
    case.sent("Update", other, one)
    assert case.send("Update", both, other)["Status"] == "FAILED"  # two requests are remembered
    case.vanishes(web)
    told = data(case.sent("Update", one, other), "NotOnboarded")
    assert told.startswith(load_balancer_name(web))
    case.ends(one)


WEB, API, NINTH = alb_arn("web", 1), alb_arn("api", 2), alb_arn("new", 9)
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
@pytest.mark.parametrize("which", ["asked", "previous"])
def test_request_is_recognised_by_what_the_register_remembers(
    which: str, arns: list[str], given: dict[str, object], known: list[str], again: bool
) -> None:
    """The register has the digests of the last two different requests.

    It also names the load balancers, unless the vendor reads the whole location.
    """
    before = request("Create", WEB, API).properties
    assert before is not None
    claim = registration("", WEB_NAME, **{which: before.digest}).statement(HERE)
    logs = model.Bucket("logs", policy=PolicyEdit((claim,)).applied(None))
    state = model.State({}, {"logs": logs}, None)
    asked = request("Update", *arns, old=properties(alb_arn("x", 7)), **given)
    assert recognised(asked, state) == ({alb_arn("x", 7), *known}, again)
    assert not recognised(replace(asked, stack=THERE), state)[1]


def logging_to(bucket: model.Bucket, prefix: str = "", *, enabled: bool) -> model.State:
    """Return an observed state: a load balancer with this bucket and prefix."""
    found = model.LoadBalancer(WEB, model.Logging(enabled, bucket.name, prefix))
    return model.State({WEB: found}, {bucket.name: bucket}, None)


# What is set up


def test_topic_is_shared_for_one_bucket_alone() -> None:
    """A topic has one subscription per endpoint, and a run reads only the buckets it uses."""

    def prepare(account: Account) -> list[str]:
        arns = announced(account)
        (topic,) = account.world.topics
        log_bucket(account, "two")
        entry = {"Id": "theirs", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
        announce(account, "two", {"TopicConfigurations": [entry]})
        return [arns[0], account.add_load_balancer("two", bucket="two")]

    case = Shared(prepare)
    case.sent("Create", properties(case.arns[0]))
    answer = case.other("Create", properties(case.arns[1]))
    assert answer["Status"] == "FAILED"
    assert f"bucket {CUSTOMERS}" in answer["Reason"] and "Send bucket two" in answer["Reason"]


LOGS = balancers((CUSTOMERS, "web"), (CUSTOMERS, "api"), ("", ""), enabled=True)
OFF = balancers((CUSTOMERS, "web"), (CUSTOMERS, "api"), ("", ""))
OURS = f"{TOPICS}dt-logs-analysis-1-{CUSTOMERS}"


@pytest.mark.parametrize("policy", ["{}", "", "no JSON"])
def test_topic_with_another_policy_is_refused(policy: str) -> None:
    topic = model.Topic(HERE.topic_arn("logs"), policy, ())
    state = logging_to(model.Bucket("logs"), enabled=True)
    with pytest.raises(Refused) as refused:
        plan(request("Create", WEB), replace(state, topics={topic.arn: topic}))
    assert f"aws sns delete-topic --topic-arn {topic.arn}" in refused.value.fix


def test_topic_of_a_bucket_that_cannot_be_read_stays() -> None:
    """Only the bucket's policy shows who else needs the topic."""
    arn = HERE.topic_arn("logs")
    mine = model.Subscription(f"{arn}:1", arn, "https", ENDPOINT)
    topic = model.Topic(arn, topic_policy("logs", HERE), (mine,))
    there = replace(logging_to(model.Bucket("logs"), enabled=True), topics={arn: topic})
    unread = replace(there, buckets={"logs": model.Unreadable("GetBucketPolicy: no")})
    assert plan(request("Delete", WEB), there).steps != ()
    assert plan(request("Delete", WEB), unread).steps == ()


def test_a_refresh_follows_what_moved() -> None:
    claim = registration("web", WEB_NAME).statement(HERE)
    logs = model.Bucket("logs", policy=PolicyEdit((claim,)).applied(None))
    state = logging_to(logs, "elsewhere", enabled=True)
    for step in plan(refreshing(HERE, int(NOON) + 60, properties(WEB)), state).steps:
        state = taken(step, state)
    assert [each.location.prefix for each in state.register(HERE)] == ["elsewhere"]


UPDATES: list[dict[str, Any]] = [
    {"DataTheoremAccountId": "111122223333"},
    {"NotificationEndpoint": "https://other.example.com/x"},
    {"NotificationEndpoint": QUEUE},
    {"LogBucketName": "my-logs"},
    {"LogRetentionDays": "365"},
    {"VendorReadScope": "Location"},
    {"ResourceTags": ["team=other"]},
    *({"LoadBalancerArns": numbers} for numbers in ([1], [0, 1], [0], "*")),
]


@pytest.mark.parametrize("changed", UPDATES, ids=str)
def test_update_leads_to_what_a_create_would_and_back(changed: dict[str, Any]) -> None:
    """Each property takes its new value, and a rollback leads back to the old state."""
    prepare = balancers(("", ""), ("", ""), (CUSTOMERS, "web"))
    case, other = Shared(prepare), Shared(prepare)
    for each in (case, other):
        each.customer(partial(set_logging, arn=each.arns[2], enabled="true"))
    old = properties(case.arns[0], case.arns[2])
    new = {**old, **changed}
    if "LoadBalancerArns" in changed:
        new["LoadBalancerArns"] = [e if e == "*" else case.arns[e] for e in new["LoadBalancerArns"]]
    case.sent("Create", old)
    there = case.account.snapshot()
    case.sent("Update", new, old)
    other.sent("Create", new)
    expected = other.account.snapshot()
    for topic in expected["topics"].values():  # only new topics get the tags
        topic["tags"] = {}
    assert case.differs(expected) == []
    assert case.differs(there) != []
    case.sent("Update", old, new)
    assert case.differs(there) == []
    case.ends(old)


# What was there before, and cannot be used any more


def test_bucket_that_cannot_be_read_fails_nothing_and_is_told() -> None:
    """The bucket's registrations are unknown, so the stack does not change anything there.

    `*` includes the load balancers that were named before, so the Update is not refused.
    """
    case = Shared(OFF)
    web, _, shop = case.arns
    given = properties(web, shop)
    case.sent("Create", given)
    there = [case.logging(each) for each in range(3)]
    case.forbidden = [denies("s3:GetBucketPolicy", resource=f"arn:aws:s3:::{CUSTOMERS}")]
    old = given
    for arns in ([web, shop], ["*"]):
        wanted = properties(*arns, LogRetentionDays="60", NotificationEndpoint=QUEUE)
        told = case.sent("Update", wanted, old)["Data"]
        assert told["Warnings"].startswith("app/web/") and "GetBucketPolicy" in told["Warnings"]
        assert told["NotOnboarded"].startswith("none" if arns != ["*"] else "app/api/")
        assert [case.logging(each) for each in range(3)] == there
        (rule,) = case.account.snapshot()["buckets"][there[2][1]]["lifecycle"]
        assert json.loads(rule)["Expiration"] == {"Days": 60}
        # Only the bucket's policy shows who else needs the bucket's topic.
        assert case.ends_at(OURS) == [ENDPOINT]
        old = wanted


def test_logging_that_was_there_before_may_fail_to_be_set_again_without_failing_the_rest() -> None:
    """Somebody turned logging off. If turning it on again fails, a rollback must still succeed."""
    case = Shared(OFF)
    web, api, shop = case.arns
    given, more = properties(web, shop), properties(web, shop, api)
    case.sent("Create", given)
    for refused, wanted, status in ((web, given, "SUCCESS"), (api, more, "FAILED")):
        set_logging(case.account, web, enabled="false", prefix="web")

        def refuse(params: Mapping[str, Any], refused: str = refused) -> None:
            if params["LoadBalancerArn"] == refused:
                raise error("OperationNotPermitted", MODIFY)

        case.before = on(MODIFY, refuse)
        answer = case.send("Update", {**wanted, "RunToken": "2"}, given)
        assert answer["Status"] == status
        assert status == "FAILED" or data(answer, "NotOnboarded").startswith("app/web/")


@pytest.mark.parametrize("named", [True, False], ids=["named", "all"])
def test_a_policy_that_was_replaced_by_a_deny_turns_nothing_off(named: bool) -> None:
    """The register is gone with the policy, but the bucket and prefix still identify the stack."""
    case = Shared(new)
    given = properties(*case.arns) if named else properties("*")
    case.sent("Create", given)
    there = case.logging()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    statement = {"Sid": "NoReads", **deny, "Resource": f"arn:aws:s3:::{there[1]}/*"}
    edit_policy(case.account, there[1], lambda policy: policy.update(Statement=[statement]))

    answer = case.sent("Update", {**given, "RunToken": "2"}, given)

    assert case.logging() == there
    assert "NoReads" in data(answer, "Warnings")
    assert case.claims(there[1])


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
    logs = model.Bucket("logs", policy=policy, notifications=configuration, region=REGION)
    before = state = logging_to(logs, prefix, enabled=enabled)
    for kind in ("Create", "Delete"):
        try:
            steps = plan(request(kind, WEB, VendorReadScope=scope), state).steps
        except Refused:
            assert kind == "Create"
            note("refused")
            return
        for step in steps:
            state = taken(step, state)
    assert state.load_balancers == before.load_balancers
    left = state.buckets["logs"]
    assert isinstance(left, model.Bucket)
    assert _statements(left.policy) == _statements(policy)
    assert replace(left, policy=None) == replace(logs, policy=None)


def taken(step: model.Step, state: model.State) -> model.State:
    """Return the state after a step that changes the customer's load balancer or bucket."""
    logs = state.buckets["logs"]
    assert isinstance(logs, model.Bucket)
    match step:
        case model.SetLogging():
            found = model.LoadBalancer(step.load_balancer, step.to)
            return replace(state, load_balancers={WEB: found})
        case model.EditPolicy():
            logs = replace(logs, policy=step.edit.applied(logs.policy))
        case model.EditNotifications():
            logs = replace(logs, notifications=step.edit.applied(logs.notifications))
    return replace(state, buckets={"logs": logs})


def _statements(policy: str | None) -> Any:
    document = json.loads(policy) if policy else None
    if document and isinstance(document["Statement"], dict):
        document["Statement"] = [document["Statement"]]
    return document


def test_bucket_of_ours_stays_while_anything_logs_to_it() -> None:
    """If the bucket were deleted, whoever took its name would get the logs."""
    case = Shared(three)
    given = properties(case.arns[0])
    case.sent("Create", given)
    _, own, _ = case.logging()
    case.account.world.load_balancers[case.arns[1]].attributes |= {
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": own,
    }
    case.sent("Delete", given)
    assert case.claims(own) == []
    assert case.logging(1) == ("true", own, "")


def test_topics_and_subscriptions_that_may_not_or_cannot_go_are_named() -> None:
    case = Shared(LOGS)
    given = properties(case.arns[0])
    case.sent("Create", given)
    case.account.sns.subscribe(TopicArn=OURS, Protocol="email", Endpoint="a@example.com")
    case.account.confirm("a@example.com")
    reason = case.sent("Delete", given)["Reason"]
    assert f"topic {OURS}, to which somebody else is subscribed" in reason
    assert case.ends_at(OURS) == ["a@example.com"]

    case = Shared(LOGS)
    case.sent("Create", given)
    case.account.add_topic(OURS.rpartition(":")[2])  # replaces ours
    assert f"topic {OURS}, which is not ours" in case.sent("Delete", given)["Reason"]

    case = Shared(LOGS)
    given = properties(case.arns[0], Privileges="documented")
    case.sent("Create", given)
    answer = case.sent("Update", {**given, "NotificationEndpoint": QUEUE}, given)
    assert f"list-subscriptions-by-topic --topic-arn {OURS}" in data(answer, "Warnings")


@pytest.mark.parametrize("endpoint", [ENDPOINT, QUEUE])
@pytest.mark.parametrize("claimed", [True, False], ids=["claimed", "unclaimed"])
def test_each_stack_ends_its_own_endpoint_on_a_shared_topic(endpoint: str, claimed: bool) -> None:
    """Two stacks deleted at once may see each other's claims, so both keep the shared resources.

    The second stack's registration is then gone, but its endpoint must still be unsubscribed.
    """
    case = Shared(LOGS)
    one = properties(case.arns[0])
    other = {**one, "NotificationEndpoint": endpoint}
    case.sent("Create", one)
    case.other("Create", other)
    case.account.confirm(QUEUE)
    for each in [] if claimed else case.claims(CUSTOMERS):
        remove_statement(case.account, CUSTOMERS, each.sid)
    case.sent("Delete", one)
    kept = claimed or endpoint == QUEUE
    assert case.ends_at(OURS) == ([endpoint] if kept else [])
    case.other("Delete", other)
    assert case.left() == []


def test_statement_edited_by_somebody_keeps_what_is_shared() -> None:
    """Only the digest in its Sid still shows the location, so the statement claims all of it."""
    case = Shared(LOGS)
    given = properties(case.arns[0])
    case.sent("Create", given)
    case.other("Create", given)

    def edited(policy: dict[str, Any]) -> None:
        for each in policy["Statement"]:
            if OTHER_TAG in each.get("Sid", ""):
                each["Resource"] = f"arn:aws:s3:::{CUSTOMERS}/elsewhere/*"

    edit_policy(case.account, CUSTOMERS, edited)
    before = case.account.snapshot()
    case.sent("Delete", given)
    (left,) = case.differs(before)
    assert left.startswith(f"~ S3 bucket {CUSTOMERS}: - policy statement DTLogsAnalysis1Read{TAG}")


class Announced(Shared):
    """Two ALBs that log to two prefixes of a bucket that announces to the customer's topic."""

    def __init__(self) -> None:
        super().__init__(announced)
        for arn, prefix in zip(self.arns, ("web", "api"), strict=True):
            self.customer(partial(set_logging, arn=arn, prefix=prefix))

    @property
    def filter(self) -> tuple[str, list[str]]:
        """The only subscription's ARN, and the first folder of each prefix in its filter."""
        (found,) = self.account.world.subscriptions.values()
        keys = json.loads(found.attributes["FilterPolicy"])["Records"]["s3"]["object"]["key"]
        return found.arn, [each["prefix"].partition("/")[0] for each in keys]


def test_filter_of_a_foreign_topic_follows_the_load_balancers_of_all_stacks() -> None:
    """Replacing a load balancer changes the filter, but does not end the subscription."""
    for number in (1, 2):
        case = Announced()
        old, new = properties(*case.arns[:number]), properties(case.arns[1])
        case.sent("Create", old)
        arn, prefixes = case.filter
        assert prefixes == ["api", "web"][-number:]
        case.sent("Update", new, old)
        assert case.filter == (arn, ["api"])
        case.ends(new)
    case = Announced()
    web, api = map(properties, case.arns)
    case.sent("Create", web)
    case.other("Create", api)
    assert case.filter[1] == ["api", "web"]
    case.sent("Delete", web)
    assert case.filter[1] == ["api"]
    case.other("Delete", api)
    assert case.left() == []
