"""`status` of a stack: every check, with each of its verdicts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operating.account import STACK, TAG, VENDOR
from operating.looking import Looking

from dt_logs_cfn import __version__
from dt_logs_handler.names import load_balancer_name

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


@pytest.mark.parametrize(
    ("version", "sha256", "verdict"),
    [
        (__version__, "f" * 64, "finding"),
        ("0.0.9", "f" * 64, "finding"),
        ("99.0.0", "f" * 64, "unknown"),
        ("nonsense", "f" * 64, "finding"),
    ],
)
def test_a_handler_of_another_release(
    looking: Looking, stack: dict[str, Any], version: str, sha256: str, verdict: str
) -> None:
    stack["Outputs"] = [
        {"OutputKey": "TemplateVersion", "OutputValue": version},
        {"OutputKey": "HandlerSha256", "OutputValue": sha256},
    ]
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
        (None, "unknown", f"{BASE}/versions.json is not there."),
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
    looking.account.s3.put_bucket_notification_configuration(
        Bucket=OWN, NotificationConfiguration={}
    )
    found = looking.check("drift")
    assert (found.verdict, found.saw) == ("finding", f"a run would change bucket {OWN}")
    assert "plan --stack dt-logs" in found.fix
    lack = "not everything could be read: you lack s3:GetLifecycleConfiguration"
    denied = ("s3:GetLifecycleConfiguration",)
    assert looking.told("drift", denied=denied) == ("unknown", lack)


def test_drift_that_no_run_can_mend(looking: Looking, stack: dict[str, Any]) -> None:
    looking.account.add_topic(f"dt-logs-analysis-1-{OWN}")  # its policy is now SNS's default
    verdict, saw = looking.told("drift")
    assert verdict == "finding"
    assert "exists, but its policy or tags are not the ones that we set" in saw


def test_what_stops_the_logs_and_no_run_mends_is_drift(
    looking: Looking, stack: dict[str, Any]
) -> None:
    deny = {"Sid": "OursAlone", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    deny["Resource"] = f"arn:aws:s3:::{OWN}/*"
    looking.edit_policy(OWN, lambda statements: statements.append(deny))
    found = looking.check("drift")
    assert found.verdict == "finding"
    assert f"Statement OursAlone of the policy of bucket {OWN} denies" in found.saw
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
