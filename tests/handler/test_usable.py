"""Whether logs can flow from a bucket to the vendor; each refusal names the fix."""

import json
from typing import Any

import pytest
from support.events import VENDOR
from support.states import HERE

from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Absent, Bucket, Unreadable
from dt_logs_handler.names import Location
from dt_logs_handler.usable import can_receive, usable

WEB = Location("logs", "web")
# The condition that a refusal names as the fix, as an object and as JSON.
EXCEPTED = {"StringNotEquals": {"aws:PrincipalAccount": VENDOR}}
FIX = '{"StringNotEquals":{"aws:PrincipalAccount":"999988887777"}}'


def bucket(**changed: Any) -> Bucket:
    return Bucket("logs", **changed)


def policy(**statement: object) -> str:
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:*"}
    resource = {"Resource": "arn:aws:s3:::logs/*"}
    return json.dumps({"Statement": [{**theirs, **resource, **statement}]})


@pytest.mark.parametrize(
    "found",
    [
        bucket(),
        bucket(region="us-east-1"),
        bucket(ownership="BucketOwnerPreferred"),
        bucket(public=True),
        bucket(public_access_block={"RestrictPublicBuckets": True}),
        bucket(policy=policy(Effect="Allow")),
        bucket(policy=policy(Condition={"Bool": {"aws:SecureTransport": "false"}})),
        bucket(policy=policy(Condition=EXCEPTED)),
        bucket(tags={"team": "x"}, notifications={"EventBridgeConfiguration": {}}),
    ],
)
def test_bucket_from_which_logs_can_flow_is_taken(found: Bucket) -> None:
    """test_deny.py has more statements that deny neither the vendor nor ELB."""
    assert usable(found, WEB, VENDOR, HERE) is found
    can_receive(found, WEB, HERE)


DENIES = "Statement Theirs of the policy of bucket logs denies"
RESTRICTED = {"RestrictPublicBuckets": True}
REFUSED: list[tuple[Any, str, str, str]] = [
    (Absent(), "web", "does not exist", "Create it again"),
    (bucket(encryption="aws:kms"), "web", "aws:kms", "SSE-S3 (AES256)"),
    (bucket(encryption="aws:kms:dsse"), "web", "aws:kms:dsse", "SSE-S3 (AES256)"),
    (bucket(ownership="ObjectWriter"), "web", "ObjectWriter", "BucketOwnerEnforced"),
    (
        bucket(public=True, public_access_block=RESTRICTED),
        "web",
        "RestrictPublicBuckets",
        "makes it not public",
    ),
    (bucket(policy=policy()), "web", f"{DENIES} Data Theorem's account {VENDOR}", FIX),
    (bucket(policy=policy(Action="s3:GetObject", Sid="")), "web", "Statement number 1", FIX),
    (bucket(region="eu-west-1"), "web", "eu-west-1", "a bucket of that region"),
    (bucket(), "AWSLogs", "'AWSLogs'", "prefix"),
    (bucket(), "my/AWSLogs/x", "'my/AWSLogs/x'", "prefix"),
    (
        bucket(policy=policy(Action="s3:PutObject")),
        "web",
        f"{DENIES} Elastic Load Balancing",
        '{"Bool":{"aws:PrincipalIsAWSService":"false"}}',
    ),
]


@pytest.mark.parametrize(("found", "prefix", "what", "fix"), REFUSED)
def test_bucket_that_stops_logs_is_refused_with_the_fix(
    found: Any, prefix: str, what: str, fix: str
) -> None:
    location = Location("logs", prefix)
    with pytest.raises(Refused) as refused:
        can_receive(usable(found, location, VENDOR, HERE), location, HERE)
    assert what in refused.value.what
    assert fix in refused.value.fix


def test_bucket_that_cannot_be_read_is_refused_without_a_statement_to_paste() -> None:
    """A pasted statement with our Sid would count as a registration that no Delete removes."""
    with pytest.raises(Refused) as refused:
        usable(Unreadable("GetBucketPolicy: Access Denied"), WEB, VENDOR, HERE)
    told = str(refused.value)
    assert told.startswith("Bucket logs cannot be read (GetBucketPolicy: Access Denied). Allow it ")
    assert "execution role" in told and "set a bucket of this account" in told
    assert "DTLogsAnalysis" not in told and "{" not in told
