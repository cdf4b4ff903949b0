"""`status` of a stack, of the account and of announcements."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace as Namespace
from typing import Any, cast

import pytest
from lifecycle.cloudformation import Stack as Sender
from lifecycle.cloudformation import properties
from lifecycle.scenarios import clients_of
from operating.accounts import LOGS, POLICY, RUN, Looking, denies
from support.drifts import add_statement, announce
from support.events import ACCOUNT, ENDPOINT, REGION, STACK, TAG, VENDOR

from dt_logs_cfn import __version__
from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.replay.window import Window, window
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_cfn.operate.status.checks import schedule
from dt_logs_cfn.operate.status.metrics import Announced, announcement_counts, refreshes
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, Clock, LogDelivery
from dt_logs_rehearsal.account.small_services import embedded_metrics

OWN = f"dt-logs-analysis-{TAG}-123456789012-us-east-1-an"
BASE = "https://releases.example.com/dt"


@pytest.fixture
def stack(looking: Looking) -> dict[str, Any]:
    """Set up a stack with one new load balancer."""
    return looking.create(looking.account.add_load_balancer("web"))


CORRECT = "Correct that, and deploy again."
DELETE = "Delete it: `dt-logs-cfn remove --stack dt-logs`; then deploy it again."


@pytest.mark.parametrize(
    ("status", "verdict", "fix"),
    [
        ("UPDATE_COMPLETE", "ok", ""),
        ("UPDATE_IN_PROGRESS", "unknown", "Wait until it is done."),
        ("UPDATE_ROLLBACK_COMPLETE", "finding", CORRECT),
        (
            *("UPDATE_ROLLBACK_FAILED", "finding"),
            "Correct that. Correct the error that its events report, then run"
            " `aws cloudformation continue-update-rollback --stack-name dt-logs`.",
        ),
        *(
            (status, "finding", f"Correct that. {DELETE}")
            for status in ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")
        ),
    ],
)
def test_the_stacks_status(
    looking: Looking, stack: dict[str, Any], status: str, verdict: str, fix: str
) -> None:
    """A finding has the reason for the last operation's failure or, without events, the status's.

    A stack that cannot be updated has no other checks, because their fix is an update.
    """
    stack |= {"StackStatus": status, "StackStatusReason": "[Invoke] failed"}
    wrapped = "FAILED from custom resource. Message returned: GetBucketPolicy failed."
    looking.cloudformation.events = [
        {
            "EventId": f"{name} {event}",
            "LogicalResourceId": name,
            "ResourceType": "AWS::CloudFormation::Stack" if name == "dt-logs" else "Custom::Any",
            "ResourceStatus": event,
            "ResourceStatusReason": why,
        }
        for name, event, why in (
            ("dt-logs", status, ""),
            ("Invoke", "DELETE_FAILED", wrapped),
            ("dt-logs", "DELETE_IN_PROGRESS", "User Initiated"),
            ("Function", "CREATE_FAILED", "an earlier operation"),
        )
    ]

    found = looking.check("stack status")

    why = ": Invoke failed: GetBucketPolicy failed" * (verdict == "finding")
    assert (found.verdict, found.saw, found.fix) == (verdict, f"{status}{why}", fix)
    looking.cloudformation.denied = ("DescribeStackEvents",)
    found, why = looking.check("stack status"), ": [Invoke] failed" * (verdict == "finding")
    assert found.saw == f"{status}{why}"
    assert found.fix.endswith(fix.removeprefix("Correct that").removeprefix(". "))
    names = [name for of, name in looking.of(stacks=["dt-logs"]) if of == "stack dt-logs"]
    assert (names == ["stack status"]) is (verdict == "finding" and fix != CORRECT)
    stack["StackStatus"] = "REVIEW_IN_PROGRESS"
    found = looking.check("stack status")
    assert (found.verdict, found.saw) == ("finding", "REVIEW_IN_PROGRESS: [Invoke] failed")
    assert found.fix.startswith("It only has a change set that was not executed. Execute it, or")


def test_a_handler_of_another_release(looking: Looking, stack: dict[str, Any]) -> None:
    for version, verdict in {
        __version__: "finding",
        "0.0.9": "finding",
        "99.0.0": "unknown",
        "nonsense": "finding",
    }.items():
        named = {"TemplateVersion": version, "HandlerSha256": "f" * 64}
        stack["Outputs"] = [{"OutputKey": key, "OutputValue": each} for key, each in named.items()]
        found = looking.check("release")
        assert found.verdict == verdict
        assert f"{version} with the handler ffffffffffff" in found.saw
    del stack["Outputs"]
    assert looking.check("release").verdict == "unknown"


def listed(version: str, **more: Any) -> dict[str, Any]:
    """Return a version's entry in versions.json."""
    known = {"sha256sums": "0" * 64, "revision": "abc", "published": "2026-03-01T12:00:00Z"}
    return {"version": version, **known, **more}


WITHDRAWN = {"at": "2026-04-01T12:00:00Z", "reason": "It lost logs."}
ONE, GONE = listed(__version__), listed(__version__, withdrawn=WITHDRAWN)
OLD = listed("0.0.9", withdrawn=WITHDRAWN)
NEW, NEWEST = listed("99.0.0"), listed("99.0.1", withdrawn=WITHDRAWN)
DAMAGED = "versions.json is damaged, or another program wrote it."


@pytest.mark.parametrize(
    ("versions", "verdict", "saw"),
    [
        ([GONE, listed("0.0.9")], "finding", f"{__version__} was withdrawn: It lost logs."),
        ([ONE, OLD], "ok", f"{__version__} is not withdrawn, and is the newest"),
        ([NEW, NEWEST, ONE], "ok", f"{__version__} is not withdrawn, and 99.0.0 is newer"),
        ([listed("0.0.9")], "unknown", f"versions.json does not list {__version__}"),
        ([{"version": __version__}], "unknown", DAMAGED),
        (b"[]", "unknown", DAMAGED),
        (b"{", "unknown", DAMAGED),
        (None, "unknown", f"{BASE}/versions.json does not exist or is not public."),
    ],
)
def test_a_release_that_was_withdrawn(
    looking: Looking, stack: dict[str, Any], versions: Any, verdict: str, saw: str
) -> None:
    asked = []

    def fetch(url: str, limit: int) -> bytes:
        asked.append(url)
        if isinstance(versions, bytes):
            return versions
        return json.dumps({"versions": versions}).encode()

    if versions is not None:
        looking.fetch = fetch
    record = looking.cloudformation.templates[STACK]["Metadata"]["DTLogsAnalysis"]
    record["Settings"] = {"aws": {"base_url": BASE}}
    assert looking.told("withdrawn release") == (verdict, saw)
    assert asked == ([] if versions is None else [f"{BASE}/versions.json"])
    record["Settings"] = {"aws": {"base_url": "file:///etc/passwd"}}
    assert looking.check("withdrawn release").verdict == "unknown"


def test_drift_is_what_a_run_would_change_and_what_none_mends(
    looking: Looking, stack: dict[str, Any]
) -> None:
    assert looking.told("drift") == ("ok", "everything is as the stack set it up")
    right = "s3:GetLifecycleConfiguration"
    lack = f"not everything could be read: you lack {right}"
    assert looking.told("drift", denied=(right,)) == ("unknown", lack)
    looking.account.add_topic(f"dt-logs-analysis-1-{OWN}")  # its policy is now SNS's default
    verdict, saw = looking.told("drift")
    assert verdict == "finding"
    assert "exists, but its policy or tags are not the ones that we set" in saw
    add_statement(looking.account, OWN, denies("s3:GetObject", OWN))
    found = looking.check("drift")
    assert f"Statement NotYou of the policy of bucket {OWN} denies" in found.saw
    assert found.saw.endswith(" And 1 more.")
    assert found.fix == f"Correct that, and run the stack again: {RUN}."
    announce(looking.account, OWN, {})
    found = looking.check("drift")
    assert (found.verdict, found.saw) == ("finding", f"a run would change bucket {OWN}")
    assert found.fix.startswith("See it with `dt-logs-cfn plan --stack dt-logs`. Run the stack")


def test_a_stack_that_cannot_be_understood_or_has_no_marks(
    looking: Looking, stack: dict[str, Any]
) -> None:
    assert looking.told("marks") == ("ok", f"its statements are in {OWN}")
    assert looking.check("marks", denied=("s3:GetBucketPolicy",)).verdict == "unknown"
    looking.account.s3.delete_bucket_policy(Bucket=OWN)
    nothing = "no bucket policy has this stack's read statement"
    assert looking.told("marks") == ("finding", nothing)
    for each in stack["Parameters"]:
        if each["ParameterKey"] == "VendorReadScope":
            each["ParameterValue"] = "Everything"
    assert looking.check("drift").verdict == looking.check("marks").verdict == "unknown"
    looking.cloudformation.denied = ("GetTemplate",)
    lack = "not readable: you lack cloudformation:GetTemplate"
    for name in ("drift", "marks", "withdrawn release"):
        assert looking.told(name) == ("unknown", lack)
    assert looking.check("release").verdict == "ok"


def test_a_fix_does_not_run_a_stack_that_cannot_be_updated(
    looking: Looking, stack: dict[str, Any]
) -> None:
    looking.account.s3.delete_bucket_policy(Bucket=OWN)
    stack["StackStatus"] = "DELETE_FAILED"

    (arn,) = looking.account.world.load_balancers
    fix = looking.of(stacks=["dt-logs"])[load_balancer_name(arn), "read grant"].fix

    assert RUN not in fix
    assert fix.endswith(f" But dt-logs is in DELETE_FAILED. {DELETE}")


def test_load_balancers_of_several_stacks(looking: Looking) -> None:
    """A stack for all load balancers is checked with those that it has."""
    one, two = (looking.account.add_load_balancer(name) for name in ("one", "two"))
    looking.create("*")
    looking.account.add_load_balancer("three")
    found = looking.of(stacks=["dt-logs"])
    looked_at = [of for of, name in found if name == "logging"]
    assert looked_at == [load_balancer_name(arn) for arn in (one, two)]
    assert "load balancer app/three/" in found["stack dt-logs", "drift"].saw
    looking.account.clock.sleep(10)
    looking.create(one, name="dt-logs-two", stack=STACK.replace("dt-logs/6b", "dt-logs-two/7c"))
    assert looking.told("read grant", one) == (
        "ok",
        f"account {VENDOR} may read all logs there (stack dt-logs);"
        f" account {VENDOR} may read its logs (stack dt-logs-two)",
    )


STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/aws-waf-logs"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:alb"


def test_logs_that_cloudwatch_logs_delivers(looking: Looking) -> None:
    looking.account.add_bucket("logs")
    both, health, other = (
        looking.account.add_load_balancer(name, bucket="logs")
        for name in ("both", "health", "other")
    )
    alone = looking.account.add_load_balancer("alone")
    looking.account.world.log_deliveries += [
        LogDelivery(both, "ALB_ACCESS_LOGS", "FH", STREAM),
        LogDelivery(other, "ALB_ACCESS_LOGS", "FH", STREAM),  # not checked below
        LogDelivery(health, "ALB_CONNECTION_LOGS", "FH", STREAM),
        LogDelivery(alone, "ALB_ACCESS_LOGS", "FH", STREAM),
        LogDelivery(alone, "ALB_ACCESS_LOGS", "FH", GROUP),
    ]

    found = looking.of(both, health, alone)

    told = {of: (e.verdict, e.saw) for (of, check), e in found.items() if check == "vended logs"}
    assert told == {
        load_balancer_name(both): (
            "ok",
            f"CloudWatch Logs delivers its access logs, too: to {STREAM}",
        ),
        "account": ("ok", "CloudWatch Logs delivers access logs of 2 load balancers here"),
    }
    assert found[load_balancer_name(both), "logging"].saw == "access logs go to s3://logs/"
    check = found[load_balancer_name(alone), "logging"]
    assert check.verdict == "finding"
    assert check.saw == f"only CloudWatch Logs delivers its access logs, to {STREAM}, {GROUP}"
    assert "Both deliveries can be on" in check.fix
    saw = "CloudWatch Logs delivers access logs of 1 load balancer here"
    assert looking.of(alone)["account", "vended logs"].saw == saw
    for operation in ("DeliverySources", "Deliveries", "DeliveryDestinations"):
        right = f"logs:Describe{operation}"
        found = looking.of(alone, denied=(right,))
        check = found["account", "vended logs"]
        assert (check.verdict, check.saw) == ("unknown", f"not readable: you lack {right}")
        assert found[load_balancer_name(alone), "logging"].saw == (
            "access_logs.s3 is off; it is unknown whether CloudWatch Logs delivers access logs"
        )


class Refreshed:
    """An account with a stack that is refreshed when a test requests it."""

    def __init__(self, rate: str) -> None:
        self.rate, self.clock = rate, Clock()
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.sender = Sender(self.clock, seed=1)
        arn = self.account.add_load_balancer("web")
        self.sender.create(properties(arn), lambda: clients_of(self.account))

    def refresh(self, fails: bool = False) -> str:
        """Refresh the stack after an hour, turn its log line into metrics, and return the hour."""
        self.clock.sleep(3600)

        def before(service: str, operation: str, params: object) -> None:
            if fails:
                raise RuntimeError("a fault")

        line = self.sender.refresh(lambda: clients_of(self.account, before=before))
        self.account.world.metrics += embedded_metrics(json.dumps(line))
        self.clock.sleep(60)
        return f"{datetime.fromtimestamp(self.clock(), timezone.utc):%Y-%m-%d %H}h UTC"

    def told(self) -> tuple[str, str, str] | None:
        """Return the verdict, the observation and the fix, or None if there is no schedule."""
        client, given = cast(Any, self.account.client("cloudwatch")), {"RefreshSchedule": self.rate}
        stack = StackDescription(self.sender.id, "s", "CREATE_COMPLETE", "", given, {}, {})
        found = refreshes(client, stack, self.clock())
        check = found and schedule(found, self.clock())
        return check and (check.verdict, check.saw, check.fix)


RULE = (
    "If you have just changed the schedule, wait for the next refresh. Otherwise see the rule"
    " DTLogsAnalysisRefreshRule."
)
LOG = "The function's log says why: look for `refreshed` in its last lines."


@pytest.mark.parametrize("rate", ["rate(1 hour)", "rate(6 hours)", "rate(1 day)"])
def test_it_says_since_when_the_schedule_keeps_a_stack_in_step(rate: str) -> None:
    assert Refreshed("").told() is None
    world = Refreshed(rate)
    assert world.told() == ("unknown", "none in the last two weeks", RULE)
    first, second = world.refresh(), world.refresh()
    assert world.told() == ("ok", f"in step since {first}, refreshed last {second}", "")
    failed = world.refresh(fails=True)
    assert world.told() == ("finding", f"the last one, {failed}, failed", LOG)
    again = world.refresh()
    assert world.told() == ("ok", f"in step since {again}, refreshed last {again}", "")
    world.clock.sleep(3 * 24 * 3600)
    assert world.told() == ("finding", f"the last one was {again}", RULE)
    unread = schedule(Unread.lacking("cloudwatch:GetMetricData"), 0)
    assert (unread.verdict, "cloudwatch:GetMetricData" in unread.saw) == ("unknown", True)


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
    """A pending subscription is `waiting` for an hour after the stack's last change."""
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


def test_other_logs_in_the_same_place_are_announced(looking: Looking) -> None:
    account, announced = looking.account, " and are announced, too; Data Theorem cannot read them"
    account.add_bucket(LOGS, policy=POLICY)
    arn = account.add_load_balancer("web", bucket=LOGS, prefix="alb")
    other = account.add_load_balancer("other")  # its connection logs have the same location
    for of, kind, prefix in (
        (other, "connection_logs", "alb"),
        (arn, "health_check_logs", "alb"),
        (arn, "connection_logs", "elsewhere"),
    ):
        more = {"enabled": "true", "bucket": LOGS, "prefix": prefix}
        attributes = account.world.load_balancers[of].attributes
        attributes |= {f"{kind}.s3.{name}": value for name, value in more.items()}
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
    """Onboard an ALB, wait until its first announcements no longer count, and return its ARN."""
    arn = looking.account.add_load_balancer("web")
    looking.create(arn, NotificationEndpoint=endpoint)
    looking.account.clock.sleep(2 * DAY)
    return arn


def write(looking: Looking, arn: str, count: int, *, arrives: bool = True) -> None:
    """Write logs, with unreachable endpoints unless `arrives`, and then let a minute pass."""
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
        """Return a page with a count for each query, and a page with one for the first query."""
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
