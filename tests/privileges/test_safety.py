"""What the Lambda and others may not do: tests of the claims in `explain` and docs/security.md."""

from __future__ import annotations

import json

import pytest
from lifecycle.cloudformation import VENDOR, properties
from lifecycle.scenarios import Case, role
from support.looks import can_list, can_read, can_write

from dt_logs_rehearsal.account import Account, Decision, Principal, Request, evaluate
from dt_logs_rehearsal.scenarios.customers import new

ACCOUNT, REGION = "123456789012", "eu-west-1"
OWN = f"dt-logs-analysis-0123456789ab-{ACCOUNT}-{REGION}-an"
LB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer"


def decision(action: str, resource: str, **context: str) -> Decision:
    account = Account(ACCOUNT, REGION)
    policies = [json.dumps(each) for each in role(properties("*"), account)]
    given = {key.replace("__", ":"): value for key, value in context.items()}
    return evaluate(policies, Request(Principal(ACCOUNT), action, resource, given))


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        ("s3:GetObject", f"arn:aws:s3:::{OWN}/a", {}),
        ("s3:PutObject", f"arn:aws:s3:::{OWN}/a", {}),
        ("s3:DeleteObject", f"arn:aws:s3:::{OWN}/a.log.gz", {"aws__resourceaccount": ACCOUNT}),
        ("s3:PutBucketPolicy", "arn:aws:s3:::others", {"aws__resourceaccount": VENDOR}),
        ("s3:DeleteBucket", "arn:aws:s3:::customers-logs", {"aws__resourceaccount": ACCOUNT}),
        ("s3:PutLifecycleConfiguration", "arn:aws:s3:::customers-logs", {}),
        ("sns:Publish", f"arn:aws:sns:{REGION}:{ACCOUNT}:t", {}),
        ("sns:SetTopicAttributes", f"arn:aws:sns:{REGION}:{ACCOUNT}:dt-logs-analysis-1-a", {}),
        ("sns:DeleteTopic", f"arn:aws:sns:{REGION}:{ACCOUNT}:customers", {}),
        (
            "sns:Subscribe",
            f"arn:aws:sns:{REGION}:{ACCOUNT}:t",
            {"sns__protocol": "https", "sns__endpoint": "https://evil.example.com"},
        ),
        ("elasticloadbalancing:ModifyLoadBalancerAttributes", f"{LB}/net/a/0", {}),
        (
            "elasticloadbalancing:ModifyLoadBalancerAttributes",
            f"{LB}/app/a/0".replace(REGION, "us-east-1"),
            {},
        ),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/r", {}),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/r", {}),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", {}),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/r", {}),
        ("kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k", {}),
        ("logs:CreateLogGroup", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/a", {}),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/a:log-stream:b", {}),
    ],
)
def test_the_lambda_may_not(action: str, resource: str, context: dict[str, str]) -> None:
    assert decision(action, resource, **context) is Decision.SILENT
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:dt-logs-analysis-1-a"
    assert decision("sns:DeleteTopic", topic) is Decision.ALLOW  # the role itself is not empty


def test_nobody_but_the_vendor_reads_and_no_other_bucket_may_publish() -> None:
    case = Case(new)
    case.sent("Create", properties(*case.arns))
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
