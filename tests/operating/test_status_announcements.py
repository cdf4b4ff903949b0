"""`status` of a load balancer's announcements: who gets them, and whether SNS delivers them."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace as Namespace
from typing import Any

import pytest
from operating.accounts import LOGS, POLICY, Looking
from support.events import ACCOUNT, ENDPOINT, REGION

from dt_logs_cfn.operate.replay.window import Window, window
from dt_logs_cfn.operate.status.metrics import Announced, announcement_counts
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account

DAY = 24 * 3600
QUEUE = f"arn:aws:sqs:{REGION}:999988887777:logs"
EVERYTHING = f"arn:aws:sns:{REGION}:{ACCOUNT}:everything"  # a customer's topic for all objects
AWAITED = "https://logs.example.com/… awaits confirmation"
# Logs that SNS failed to announce from 12:00 to 12:05; S3 may have stored them a little earlier.
GAP = Window(*(datetime(2026, 11, 28, *each, tzinfo=timezone.utc) for each in ((11, 55), (12, 5))))


def shared(looking: Looking) -> str:
    """Onboard a load balancer with logs that a customer's topic announces, and return its ARN."""
    may = ("Publish", "Subscribe", "GetTopicAttributes", "ListSubscriptionsByTopic")
    allowed = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": EVERYTHING}
    statement = {**allowed, "Action": [f"sns:{each}" for each in may]}
    looking.account.add_topic("everything", {"Version": "2012-10-17", "Statement": [statement]})
    entry = {"Id": "all", "TopicArn": EVERYTHING, "Events": ["s3:ObjectCreated:*"]}
    return looking.onboarded(notifications={"TopicConfigurations": [entry]})


ANNOUNCED = ("notification", "topic", "delivery retries", "subscription", "announcements")


@pytest.mark.parametrize("own_topic", [True, False])
def test_a_deleted_policy_hides_no_announcements(looking: Looking, own_topic: bool) -> None:
    arn = looking.onboarded() if own_topic else shared(looking)
    name, before = load_balancer_name(arn), looking.of(stacks=["dt-logs"])
    looking.account.s3.delete_bucket_policy(Bucket=LOGS)

    found = looking.of(stacks=["dt-logs"])

    expected = [each for each in ANNOUNCED if own_topic or each not in ANNOUNCED[1:3]]
    assert [each for each in ANNOUNCED if (name, each) in found] == expected
    assert all(found[name, each] == before[name, each] for each in expected)
    (subscription,) = looking.account.world.subscriptions.values()
    subscription.confirmed = False
    assert looking.of(stacks=["dt-logs"])[name, "subscription"].saw == AWAITED
    if own_topic:  # the notification has our name, but the stack is not read
        saw = "the endpoint to subscribe is unknown, as the bucket policy does not name a stack"
        assert looking.told("subscription", arn) == ("unknown", saw)


@pytest.mark.parametrize("prefix", ["img/", ""])
def test_who_else_listens_and_whether_that_is_in_the_way(looking: Looking, prefix: str) -> None:
    looking.account.add_destination(QUEUE)
    only = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    entry = {"Id": "theirs", "QueueArn": QUEUE, "Events": ["s3:ObjectCreated:*"], "Filter": only}
    theirs = {"QueueConfigurations": [entry], "EventBridgeConfiguration": {}}
    arn = (looking.onboarded if prefix else looking.logging)(notifications=theirs)
    assert looking.told("who else listens", arn) == ("ok", f"{QUEUE}, EventBridge")
    verdict, saw = looking.told("notification", arn)
    assert (verdict, "theirs" in saw) == (("ok", False) if prefix else ("finding", True))


OTHER_KEYS = {"key": [{"prefix": f"b/AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/"}]}


@pytest.mark.parametrize(
    ("filter_policy", "saw", "fix"),
    [
        (None, "the subscription of https://logs.example.com/… has no filter", "End it"),
        ({"bucket": {"name": ["other"]}}, "has a filter that is not the stack's", "End it"),
        (
            {"bucket": {"name": ["other"]}, "object": OTHER_KEYS},
            "excludes these logs",
            f"Send bucket {LOGS}'s objects to a topic of its own",
        ),
        ({"bucket": {"name": [LOGS]}, "object": OTHER_KEYS}, "excludes these logs", None),
    ],
)
def test_a_topic_of_the_customers_is_shared_by_a_filter(
    looking: Looking, filter_policy: dict[str, Any] | None, saw: str, fix: str | None
) -> None:
    """`status` reports whether a run helps; a run changes only filters of our form."""
    arn = shared(looking)
    told = f"your own topic {EVERYTHING} gets all new objects"
    assert looking.told("notification", arn) == ("ok", told)
    assert looking.check("subscription", arn).verdict == "ok"
    right = ("sns:GetSubscriptionAttributes",)
    assert looking.check("subscription", arn, denied=right).verdict == "unknown"
    (own,) = looking.account.world.subscriptions.values()
    own.attributes["FilterPolicy"] = json.dumps({"Records": {"s3": filter_policy}})
    if filter_policy is None:
        del own.attributes["FilterPolicy"]

    check = looking.check("subscription", arn)

    assert (check.verdict, saw in check.saw) == ("finding", True)
    if fix is None:
        assert check.fix == "Run the stack again: update it with another RunToken."
        return
    assert check.fix.startswith(f"A run does not change that. {fix}")
    assert check.fix.endswith(", then run the stack again.")
    assert own.arn in check.fix or fix != "End it"


def test_a_subscription_that_is_pending(looking: Looking) -> None:
    """A pending subscription is `waiting` for an hour after the last change, then a finding."""
    arn = looking.onboarded()
    (subscription,) = looking.account.world.subscriptions.values()
    subscription.confirmed = False
    assert looking.told("subscription", arn) == ("finding", AWAITED)
    for name, age, verdict in (
        ("CreationTime", 3599, "waiting"),
        ("CreationTime", 3601, "finding"),
        ("LastUpdatedTime", 10, "waiting"),
        ("LastUpdatedTime", 3601, "finding"),
    ):
        at = looking.account.clock() - age
        looking.cloudformation.stacks[0][name] = datetime.fromtimestamp(at, timezone.utc)
        found = looking.of(arn, stacks=["dt-logs"])[load_balancer_name(arn), "subscription"]
        assert (found.verdict, found.saw) == (verdict, AWAITED)


def also(account: Account, arn: str, kind: str, prefix: str = "alb") -> None:
    """Let a load balancer store another kind of logs in the same bucket."""
    attributes = {"enabled": "true", "bucket": LOGS, "prefix": prefix}
    more = {f"{kind}.s3.{name}": value for name, value in attributes.items()}
    account.world.load_balancers[arn].attributes |= more


def test_other_logs_in_the_same_place_are_announced(looking: Looking) -> None:
    account, announced = looking.account, " and are announced, too; Data Theorem cannot read them"
    account.add_bucket(LOGS, policy=POLICY)
    arn = account.add_load_balancer("web", bucket=LOGS, prefix="alb")
    other = account.add_load_balancer("other")  # its connection logs have the same location
    also(account, other, "connection_logs")
    also(account, arn, "health_check_logs")
    also(account, arn, "connection_logs", prefix="elsewhere")
    assert account.write_log(arn, kind="connection")
    none = ("ok", "none in the same place since yesterday")
    assert looking.told("other logs", arn) == none
    assert account.write_log(other, kind="connection")
    assert looking.told("other logs", arn) == ("ok", "connection logs land in the same place")
    looking.create(arn)
    for hours, kinds in ((0, "connection"), (24, "connection and health check")):
        account.clock.sleep(hours * 3600)
        assert not hours or account.write_log(arn, kind="health check")
        told = f"{kinds} logs land in the same place{announced}"
        assert looking.told("other logs", arn) == ("ok", told)
    account.clock.sleep(DAY)
    told = f"health check logs land in the same place{announced}"
    assert looking.told("other logs", arn) == ("ok", told)
    denied = looking.check("other logs", arn, denied=("s3:ListBucket",))
    lack = f"not readable: you lack s3:ListBucket on arn:aws:s3:::{LOGS}"
    assert (denied.verdict, denied.saw) == ("unknown", lack)
    assert denied.fix == "Get the permission s3:ListBucket, and check again."


def counted(looking: Looking, endpoint: str = ENDPOINT) -> str:
    """Onboard a load balancer, and wait until nothing of that counts; return its ARN."""
    arn = looking.account.add_load_balancer("web")
    looking.create(arn, NotificationEndpoint=endpoint)
    looking.account.clock.sleep(2 * DAY)
    return arn


def write(looking: Looking, arn: str, count: int, *, arrives: bool = True) -> None:
    """Write logs, and then let a minute pass."""
    looking.account.world.unreachable = set() if arrives else {ENDPOINT, QUEUE}
    for _ in range(count):
        assert looking.account.write_log(arn)
    looking.account.clock.sleep(60)


HTTPS = "Over https these are attempts, which SNS repeats unless"


@pytest.mark.parametrize(
    ("endpoint", "delivered", "failed", "verdict", "fix"),
    [
        (ENDPOINT, 5, 0, "ok", ""),
        (ENDPOINT, 2, 1, "unknown", HTTPS),
        (ENDPOINT, 0, 1, "finding", HTTPS),
        (QUEUE, 2, 1, "finding", "The failed announcements are lost."),
    ],
)
def test_what_was_delivered_or_failed_in_the_last_day_is_counted(
    looking: Looking, endpoint: str, delivered: int, failed: int, verdict: str, fix: str
) -> None:
    looking.account.add_destination(QUEUE)
    arn = counted(looking, endpoint)
    write(looking, arn, 7)
    looking.account.clock.sleep(DAY)
    write(looking, arn, delivered)
    looking.account.clock.sleep(5 * 3600)
    write(looking, arn, failed, arrives=False)

    found = looking.check("announcements", arn)

    assert found.verdict == verdict
    assert found.saw == f"{delivered} delivered in the last day, {failed} failed"
    assert found.fix.startswith(fix)
    assert ("replay" in found.fix) is bool(failed)
    right = "cloudwatch:GetMetricData"
    lack = f"not readable: you lack {right}"
    assert looking.told("announcements", arn, denied=(right,)) == ("unknown", lack)


def test_the_window_in_which_announcements_failed_is_offered_for_a_replay(looking: Looking) -> None:
    arn = counted(looking)
    write(looking, arn, 2)
    looking.account.clock.sleep(1800)
    begin = looking.account.clock()
    write(looking, arn, 3, arrives=False)
    looking.account.clock.sleep(2 * 3600)
    write(looking, arn, 3, arrives=False)
    end = looking.account.clock()
    looking.account.clock.sleep(1800)
    write(looking, arn, 2)

    fix = looking.check("announcements", arn).fix
    looking.cloudformation.denied = ("ListStacks",)
    assert "replay" not in looking.check("announcements", arn).fix  # the stack is unknown

    found = re.search("`dt-logs-cfn replay --stack dt-logs --since (\\S+) --until (\\S+)`", fix)
    assert found
    gap = window(found[1], found[2], looking.account.clock())
    first, last = (datetime.fromtimestamp(each, timezone.utc) for each in (begin, end - 60))
    assert first - timedelta(minutes=10) <= gap.since <= first
    assert last < gap.until <= last + timedelta(minutes=5)


def test_many_topics_are_asked_for_in_calls_that_cloudwatch_takes() -> None:
    topics = [f"arn:aws:sns:{REGION}:{ACCOUNT}:t{number:03}" for number in range(251)]
    sizes = []

    def paginate(**given: Any) -> list[dict[str, Any]]:
        """Return a count for each query, and another for the first one on a second page."""
        queries = given["MetricDataQueries"]
        sizes.append(len(queries))
        found = {"Values": [1.0], "Timestamps": [datetime(2026, 11, 28, 12, tzinfo=timezone.utc)]}
        results = [{"Id": each["Id"], **found} for each in queries]
        return [{"MetricDataResults": results}, {"MetricDataResults": results[:1]}]

    client: Any = Namespace(get_paginator=lambda name: Namespace(paginate=paginate))

    found = announcement_counts(client, topics, 1e9)

    assert isinstance(found, dict)
    assert sizes == [500, 2]
    first, second = Announced(2, 1, GAP), Announced(1, 1, GAP)
    assert (len(found), found[topics[0]], found[topics[1]]) == (251, first, second)
