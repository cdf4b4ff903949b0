"""`status` of a stack and of the account: every check, with each of its verdicts."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, cast

import pytest
from lifecycle.cloudformation import Stack as Sender
from lifecycle.cloudformation import properties
from lifecycle.scenarios import clients_of
from operating.accounts import RUN, Looking, denies
from support.drifts import add_statement, announce
from support.events import ACCOUNT, REGION, STACK, TAG, VENDOR

from dt_logs_cfn import __version__
from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_cfn.operate.status.checks import schedule
from dt_logs_cfn.operate.status.metrics import refreshes
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
    """A finding has the reason of the last operation's failure, or else of the status.

    A stack that was never created has no other check, because an update would be a wrong fix.
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


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        (__version__, "finding"),
        ("0.0.9", "finding"),
        ("99.0.0", "unknown"),
        ("nonsense", "finding"),
    ],
)
def test_a_handler_of_another_release(
    looking: Looking, stack: dict[str, Any], version: str, verdict: str
) -> None:
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
    account = looking.account
    assert looking.told("drift") == ("ok", "everything is as the stack set it up")
    announce(account, OWN, {})
    found = looking.check("drift")
    assert (found.verdict, found.saw) == ("finding", f"a run would change bucket {OWN}")
    assert found.fix.startswith("See it with `dt-logs-cfn plan --stack dt-logs`. Run the stack")
    right = "s3:GetLifecycleConfiguration"
    lack = f"not everything could be read: you lack {right}"
    assert looking.told("drift", denied=(right,)) == ("unknown", lack)


def test_what_no_run_mends_is_drift(looking: Looking, stack: dict[str, Any]) -> None:
    looking.account.add_topic(f"dt-logs-analysis-1-{OWN}")  # its policy is now SNS's default
    verdict, saw = looking.told("drift")
    assert verdict == "finding"
    assert "exists, but its policy or tags are not the ones that we set" in saw
    add_statement(looking.account, OWN, denies("s3:GetObject", OWN))
    found = looking.check("drift")
    assert f"Statement NotYou of the policy of bucket {OWN} denies" in found.saw
    assert found.saw.endswith(" And 1 more.")
    assert found.fix == f"Correct that, and run the stack again: {RUN}."


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
        self.clock = Clock()
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.sender = Sender(self.clock, seed=1)
        arn = self.account.add_load_balancer("web")
        self.sender.create(properties(arn), lambda: clients_of(self.account))
        self.parameters = {"RefreshSchedule": rate}

    def refresh(self, hours: float, fails: bool = False) -> str:
        """Let hours pass, refresh the stack, turn its log line into metrics; return the hour."""
        self.clock.sleep(hours * 3600)

        def before(service: str, operation: str, params: object) -> None:
            if fails:
                raise RuntimeError("a fault")

        line = self.sender.refresh(lambda: clients_of(self.account, before=before))
        self.account.world.metrics += embedded_metrics(json.dumps(line))
        self.clock.sleep(60)
        return f"{datetime.fromtimestamp(self.clock(), timezone.utc):%Y-%m-%d %H}h UTC"

    def told(self) -> tuple[str, str, str]:
        """Return the verdict, the observation and the fix; all are empty without a schedule."""
        client, given = cast(Any, self.account.client("cloudwatch")), self.parameters
        stack = StackDescription(self.sender.id, "s", "CREATE_COMPLETE", "", given, {}, {})
        found = refreshes(client, stack, self.clock())
        if found is None:
            return "", "", ""
        check = schedule(found, self.clock())
        return check.verdict, check.saw, check.fix


RULE = (
    "If you have just changed the schedule, wait for the next refresh. Otherwise see the rule"
    " DTLogsAnalysisRefreshRule."
)
LOG = "The function's log says why: look for `refreshed` in its last lines."


@pytest.mark.parametrize("rate", ["rate(1 hour)", "rate(6 hours)", "rate(1 day)"])
def test_it_says_since_when_the_schedule_keeps_a_stack_in_step(rate: str) -> None:
    assert Refreshed("").told() == ("", "", "")  # there is no schedule
    world = Refreshed(rate)
    assert world.told() == ("unknown", "none in the last two weeks", RULE)
    first, second = world.refresh(1), world.refresh(1)
    assert world.told() == ("ok", f"in step since {first}, refreshed last {second}", "")
    failed = world.refresh(1, fails=True)
    assert world.told() == ("finding", f"the last one, {failed}, failed", LOG)
    again = world.refresh(1)
    assert world.told() == ("ok", f"in step since {again}, refreshed last {again}", "")
    world.clock.sleep(3 * 24 * 3600)
    assert world.told() == ("finding", f"the last one was {again}", RULE)
    unread = schedule(Unread.lacking("cloudwatch:GetMetricData"), 0)
    assert (unread.verdict, "cloudwatch:GetMetricData" in unread.saw) == ("unknown", True)
