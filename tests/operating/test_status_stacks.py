"""`status` of a stack: every check, with each of its verdicts."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any, cast

import pytest
from lifecycle.cloudformation import Stack as Sender
from lifecycle.cloudformation import properties
from lifecycle.scenarios import clients_of
from operating.account import STACK, TAG, VENDOR
from operating.looking import Looking
from support.drifts import add_statement, announce

from dt_logs_cfn import __version__
from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_cfn.operate.status.checks import schedule
from dt_logs_cfn.operate.status.metrics import refreshes
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.account.small_services import embedded_metrics

OWN = f"dt-logs-analysis-{TAG}-123456789012-us-east-1-an"
BASE = "https://releases.example.com/dt"


@pytest.fixture
def stack(looking: Looking) -> dict[str, Any]:
    """Set up a stack with one new load balancer."""
    return looking.create(looking.account.add_load_balancer("web"))


def test_all_is_ok_of_a_stack_that_is_as_it_was_made(
    looking: Looking, stack: dict[str, Any]
) -> None:
    found = looking.of(stacks=("dt-logs",))
    verdicts = {name: each.verdict for (of, name), each in found.items() if of == "stack dt-logs"}
    assert verdicts.pop("withdrawn release") == "unknown"
    assert verdicts == dict.fromkeys(("stack status", "release", "drift", "marks"), "ok")
    assert [each.verdict for (of, name), each in found.items() if name == "read grant"] == ["ok"]


@pytest.mark.parametrize(
    ("status", "verdict", "fix"),
    [
        ("UPDATE_COMPLETE", "ok", ""),
        ("UPDATE_IN_PROGRESS", "unknown", "Wait until it is done"),
        ("UPDATE_ROLLBACK_COMPLETE", "finding", "deploy again"),
        ("UPDATE_ROLLBACK_FAILED", "finding", "continue-update-rollback --stack-name dt-logs"),
        ("ROLLBACK_FAILED", "finding", "`dt-logs-cfn remove --stack dt-logs`"),
    ],
)
def test_the_stacks_status(
    looking: Looking, stack: dict[str, Any], status: str, verdict: str, fix: str
) -> None:
    stack["StackStatus"] = status
    stack["StackStatusReason"] = "because"
    found = looking.check("stack status")
    assert found.verdict == verdict
    assert found.saw == (status if verdict != "finding" else f"{status}: because")
    assert fix in found.fix


DELETE = "Delete it: `dt-logs-cfn remove --stack dt-logs`; then deploy it again."


@pytest.mark.parametrize(
    ("status", "fix"),
    [
        ("DELETE_FAILED", f"Correct that. {DELETE}"),
        ("UPDATE_ROLLBACK_COMPLETE", "Correct that, and deploy again."),
    ],
)
def test_the_reason_of_the_last_operation_s_failure_is_shown(
    looking: Looking, stack: dict[str, Any], status: str, fix: str
) -> None:
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

    assert (found.saw, found.fix) == (f"{status}: Invoke failed: GetBucketPolicy failed", fix)
    looking.cloudformation.denied = ("DescribeStackEvents",)
    assert looking.check("stack status").saw == f"{status}: [Invoke] failed"


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


def test_drift_names_what_a_run_would_change(looking: Looking, stack: dict[str, Any]) -> None:
    announce(looking.account, OWN, {})
    found = looking.check("drift")
    assert (found.verdict, found.saw) == ("finding", f"a run would change bucket {OWN}")
    assert "plan --stack dt-logs" in found.fix
    right = "s3:GetLifecycleConfiguration"
    lack = f"not everything could be read: you lack {right}"
    assert looking.told("drift", denied=(right,)) == ("unknown", lack)


def test_what_no_run_mends_is_drift(looking: Looking, stack: dict[str, Any]) -> None:
    looking.account.add_topic(f"dt-logs-analysis-1-{OWN}")  # its policy is now SNS's default
    verdict, saw = looking.told("drift")
    assert verdict == "finding"
    assert "exists, but its policy or tags are not the ones that we set" in saw
    deny = {"Sid": "OursAlone", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    add_statement(looking.account, OWN, {**deny, "Resource": f"arn:aws:s3:::{OWN}/*"})
    found = looking.check("drift")
    assert f"Statement OursAlone of the policy of bucket {OWN} denies" in found.saw
    assert found.saw.endswith(" And 1 more.")
    command = "dt-logs-cfn deploy --stack dt-logs --parameter RunToken=1"
    assert found.fix == f"Correct that, and run the stack again: `{command}`."


def test_a_stack_that_cannot_be_understood(looking: Looking, stack: dict[str, Any]) -> None:
    for each in stack["Parameters"]:
        if each["ParameterKey"] == "VendorReadScope":
            each["ParameterValue"] = "Everything"
    assert looking.check("drift").verdict == "unknown"
    assert looking.check("marks").verdict == "unknown"
    looking.cloudformation.denied = ("GetTemplate",)
    lack = "not readable: you lack cloudformation:GetTemplate"
    for name in ("drift", "marks", "withdrawn release"):
        assert looking.told(name) == ("unknown", lack)
    assert looking.check("release").verdict == "ok"


def test_a_stack_without_marks(looking: Looking, stack: dict[str, Any]) -> None:
    assert looking.told("marks") == ("ok", f"its statements are in {OWN}")
    assert looking.check("marks", denied=("s3:GetBucketPolicy",)).verdict == "unknown"
    looking.account.s3.delete_bucket_policy(Bucket=OWN)
    nothing = "no bucket policy has a statement of this stack"
    assert looking.told("marks") == ("finding", nothing)


def test_a_stack_for_all_load_balancers_is_looked_at_with_those_that_it_has(
    looking: Looking,
) -> None:
    one, two = (looking.account.add_load_balancer(name) for name in ("one", "two"))
    looking.create("*")
    looking.account.add_load_balancer("three")
    found = looking.of(stacks=("dt-logs",))
    looked_at = [of for of, name in found if name == "logging"]
    assert looked_at == [load_balancer_name(arn) for arn in (one, two)]
    assert "load balancer app/three/" in found["stack dt-logs", "drift"].saw


def test_two_stacks_on_one_load_balancer_are_both_told(
    looking: Looking, stack: dict[str, Any]
) -> None:
    arn = next(iter(looking.account.world.load_balancers))
    other = STACK.replace("dt-logs/6b", "dt-logs-two/7c")
    looking.account.clock.sleep(10)
    looking.create(arn, name="dt-logs-two", stack=other)
    saw = looking.check("read grant", arn).saw
    assert saw == (
        f"account {VENDOR} may read all logs there (stack dt-logs);"
        f" account {VENDOR} may read its logs (stack dt-logs-two)"
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

    def check(self) -> tuple[str, str, str] | None:
        """Return the verdict, the observation and the fix; None without a schedule."""
        client, given = cast(Any, self.account.client("cloudwatch")), self.parameters
        stack = StackDescription(self.sender.id, "s", "CREATE_COMPLETE", "", given, {}, {})
        found = refreshes(client, stack, self.clock())
        if found is None:
            return None
        check = schedule(found, self.clock())
        return check.verdict, check.saw, check.fix


def test_it_says_since_when_the_schedule_keeps_a_stack_in_step() -> None:
    assert Refreshed("").check() is None  # there is no schedule
    world = Refreshed("rate(6 hours)")
    before = world.check()
    assert before is not None
    assert before[:2] == ("unknown", "none in the last two weeks")
    first, second = world.refresh(6), world.refresh(6)
    assert world.check() == ("ok", f"in step since {first}, refreshed last {second}", "")
    failed = world.refresh(6, fails=True)
    now = world.check()
    assert now is not None
    assert now[:2] == ("finding", f"the last one, {failed}, failed")
    again = world.refresh(6)
    assert world.check() == ("ok", f"in step since {again}, refreshed last {again}", "")
    unread = schedule(Unread.lacking("cloudwatch:GetMetricData"), 0)
    assert (unread.verdict, "cloudwatch:GetMetricData" in unread.saw) == ("unknown", True)


@pytest.mark.parametrize("rate", ["rate(1 hour)", "rate(6 hours)", "rate(1 day)"])
def test_a_schedule_that_has_stopped_is_a_finding(rate: str) -> None:
    world = Refreshed(rate)
    last = world.refresh(1)
    assert world.check() == ("ok", f"in step since {last}, refreshed last {last}", "")
    world.clock.sleep(3 * 24 * 3600)
    stopped = world.check()
    assert stopped is not None
    assert stopped[:2] == ("finding", f"the last one was {last}")
    assert "DTLogsAnalysisRefreshRule" in stopped[2]
