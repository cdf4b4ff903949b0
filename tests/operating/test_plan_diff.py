"""How each step of a plan is shown."""

from __future__ import annotations

import json

from hypothesis import given
from operating.account import ACCOUNT, ENDPOINT, REGION, SECRET, STACK
from support.strategies import STEADY, configurations, policies

from dt_logs_cfn.operate.plans.diff import changes
from dt_logs_handler import notifications
from dt_logs_handler.documents import Json, parsed, same_statement, statements
from dt_logs_handler.model import (
    Bucket,
    DeleteBucket,
    DeleteTestFile,
    DeleteTopic,
    EditNotifications,
    EditPolicy,
    EnsureTopic,
    Logging,
    Plan,
    SecureBucket,
    SetFilter,
    SetLogging,
    SetRetention,
    SetTags,
    State,
    Step,
    Subscribe,
    Subscription,
    Topic,
    Unsubscribe,
)
from dt_logs_handler.names import Location, Stack
from dt_logs_handler.register import PolicyEdit
from dt_logs_handler.request import Endpoint

HERE = Stack(STACK, "aws", REGION, ACCOUNT)
END = Endpoint("https", ENDPOINT)
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
SHOWN = "https://logs.example.com/…"  # the endpoint
ARN = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/web/0123456789abcdef"


def diff(step: Step, bucket: Bucket | None = None) -> tuple[str, list[str]]:
    """Return the subject of a step's change, and the lines that show the change."""
    there = Topic(TOPIC, "", (Subscription("arn:s", TOPIC, "https", ENDPOINT, "old"),))
    state = State({}, {bucket.name: bucket} if bucket else {}, {TOPIC: there})
    (found,) = changes(Plan((step,)), state, HERE)
    assert SECRET not in "".join(found.diff)
    return found.subject, list(found.diff)


def test_each_step_is_told() -> None:
    expiring: Json = {
        "ID": "dt-logs-analysis",
        "Status": "Enabled",
        "Expiration": {"Days": 30},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    }
    bucket = Bucket(
        "logs",
        tags={"old": "2", "team": "web", "kept": "1"},
        encryption="aws:kms",
        public_access_block={"BlockPublicAcls": True},
        lifecycle={"Rules": [expiring]},
    )
    told = [
        diff(step, bucket)
        for step in (
            SetTags("logs", {"team": "edge", "kept": "1"}, frozenset({"old"})),
            SecureBucket("logs"),
            SetRetention("logs", 7),
            DeleteTestFile(Location("logs", "a")),
            DeleteBucket("logs"),
            EnsureTopic("logs", TOPIC, {"team": "edge"}, False),
            Subscribe("logs", TOPIC, END, '{"Records":1}', True),
            Unsubscribe("arn:s", TOPIC, END, "logs", False),
            DeleteTopic(TOPIC, "logs"),
            SetFilter("logs", "arn:s", "new"),
            SetLogging(ARN, Logging(True, "logs", "a/dt"), Logging(False, "logs", "a")),
        )
    ]
    assert [(subject, *lines) for subject, lines in told] == [
        ("bucket logs", "- tag old=2", "~ tag team: web -> edge"),
        (
            "bucket logs",
            "~ encryption: aws:kms -> AES256",
            '~ public access block: {"BlockPublicAcls":true} -> all on',
        ),
        ("bucket logs", "~ days until logs expire: 30 -> 7"),
        ("bucket logs", f"- object a/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"),
        ("bucket logs", "- the bucket itself, unless it holds logs"),
        (f"topic {TOPIC}", "+ the topic itself, unless it is there", "+ tag team=edge"),
        (f"topic {TOPIC}", f'+ subscription of {SHOWN}, for {{"Records":1}} only'),
        (f"topic {TOPIC}", f"- subscription of {SHOWN}"),
        (f"topic {TOPIC}", "- the topic itself, with its subscriptions"),
        ("subscription arn:s", "- filter old", "+ filter new"),
        (
            "load balancer app/web/0123456789abcdef",
            "~ access_logs.s3.enabled: true -> false",
            "~ access_logs.s3.prefix: a/dt -> a",
        ),
    ]


def test_what_may_be_a_token_in_a_tag_is_not_shown() -> None:
    one, two = f"https://h.example.com/{SECRET}", f"https://h.example.com/{SECRET}2"
    bucket = Bucket("logs", tags={"gone": one, "same": one, "old": one, "other": one})
    tags = {"same": one, "old": two, "new": two, "other": "x"}
    assert diff(SetTags("logs", tags, frozenset({"gone"})), bucket)[1] == [
        "- tag gone=https://h.example.com/…",
        "~ tag new: (none) -> https://h.example.com/…",
        "~ tag old: https://h.example.com/… -> https://h.example.com/… (the hidden part changes)",
        "~ tag other: https://h.example.com/… -> x",
    ]
    topic = diff(EnsureTopic("logs", TOPIC, {"url": one}, True))
    assert topic[1] == ["+ the topic itself", "+ tag url=https://h.example.com/…"]


@STEADY
@given(policies())
def test_a_policys_diff_is_what_the_edit_changes(text: str | None) -> None:
    """A policy is shown whole, including any address or long list in it."""
    ours = {"Sid": "https://h.example.com/a/b?c=d", "Effect": "Deny", "Resource": "x" * 900}
    edit = PolicyEdit((ours,), frozenset({"AllowTrail"}))
    _, lines = diff(EditPolicy("logs", edit), Bucket("logs", policy=text))
    before = list(statements(parsed(text))) if text else []
    gone = [json.loads(line[9:]) for line in lines if line.startswith("- policy ")]
    come = [json.loads(line[9:]) for line in lines if line.startswith("+ policy ")]
    assert come == [ours]
    dropped = [each for each in before if each.get("Sid") == "AllowTrail"]
    assert len(gone) == len(dropped)
    assert all(same_statement(one, other) for one, other in zip(gone, dropped, strict=True))


@STEADY
@given(configurations())
def test_notifications_of_others_are_in_no_diff(
    configuration: notifications.Configuration,
) -> None:
    entry = notifications.entry(Location("logs", ""), TOPIC, HERE)
    edit = notifications.NotificationEdit((entry,))
    _, lines = diff(EditNotifications("logs", edit), Bucket("logs", notifications=configuration))
    assert [json.loads(line.removeprefix("+ notification ")) for line in lines] == [entry]


def test_two_edits_of_one_bucket_are_told_one_after_the_other() -> None:
    put = {"Sid": "DTLogsAnalysis9", "Effect": "Allow", "Action": "s3:GetObject"}
    steps = (
        EditPolicy("logs", PolicyEdit((put,))),
        EditPolicy("logs", PolicyEdit((), frozenset({"DTLogsAnalysis9"}))),
    )
    found = changes(Plan(steps), State({}, {"logs": Bucket("logs")}, {}), HERE)
    assert [each.diff[0][:8] for each in found] == ["+ policy", "- policy"]
