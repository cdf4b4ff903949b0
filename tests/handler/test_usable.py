"""Check whether logs can flow from a bucket to the vendor; each refusal names the fix.

Only statements that certainly deny the vendor or ELB count; a wrong refusal is as bad as a miss.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from support.events import HERE, VENDOR
from support.strategies import STEADY, policies

from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Absent, Bucket, Unreadable
from dt_logs_handler.names import Location
from dt_logs_handler.usable import can_receive, delivery, denying, usable, vendor

WEB = Location("logs", "web")
# The condition that a refusal names as the fix, as an object and as JSON.
EXCEPTED = {"StringNotEquals": {"aws:PrincipalAccount": VENDOR}}
FIX = '{"StringNotEquals":{"aws:PrincipalAccount":"999988887777"}}'
ROOT = "arn:aws:iam::999988887777:root"
OBJECT = "arn:aws:s3:::logs/web/AWSLogs/123456789012/elasticloadbalancing/us-east-1/x.log.gz"
EVERYONE: dict[str, Any] = {
    "Sid": "Theirs",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::logs/*",
}


def deny(**changed: object) -> dict[str, Any]:
    """Return `EVERYONE` with some elements changed; None omits an element."""
    return {key: value for key, value in {**EVERYONE, **changed}.items() if value is not None}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def denied(*statements: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the statements that keep the vendor from reading a log, and ELB from writing it."""
    return (
        denying(policy(*statements), vendor(VENDOR, "aws"), "s3:GetObject", OBJECT),
        denying(policy(*statements), delivery(), "s3:PutObject", OBJECT),
    )


OUTSIDERS = {"StringNotEquals": {"aws:PrincipalOrgID": "o-123"}}
NO_SERVICE = {"aws:PrincipalIsAWSService": "false"}
# A data perimeter like those in AWS's examples.
PERIMETER = {
    "StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-123", "aws:SourceVpc": "vpc-1"},
    "BoolIfExists": {**NO_SERVICE, "aws:ViaAWSService": "false"},
}
BOTH = [
    deny(),
    deny(Principal={"AWS": "*"}),
    deny(Principal={"AWS": ["*"]}),
    deny(Principal=None, NotPrincipal={"AWS": "arn:aws:iam::123456789012:root"}),
    deny(Action="*"),
    deny(Action=["s3:PutObject", "S3:getobject"]),
    deny(Resource=["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]),
    deny(Resource="*"),
    deny(Resource="arn:aws:s3:::logs/web/AWSLogs/*/x.log.g?"),
    deny(Resource=None, NotResource="arn:aws:s3:::logs/img/*"),
    deny(Condition=OUTSIDERS),  # a service does not belong to an organisation
    deny(Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ["o-123", "o-456"]}}),
    deny(Condition={"StringNotEquals": {"AWS:SourceVpce": "vpce-1"}}),
    deny(Condition={"Null": {"aws:SourceVpc": "true"}}),
    deny(Condition={"Null": {"aws:SourceVpc": True}}),
    deny(Condition={"NotIpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
    deny(Condition={"NotIpAddressIfExists": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
    deny(Condition={"ArnNotEquals": {"aws:SourceVpcArn": "arn:aws:ec2:us-east-1:1:vpc/vpc-1"}}),
    deny(Condition={"StringNotEquals": {"aws:VpceOrgID": "o-123"}}),
    deny(Condition={"StringNotEquals": {"aws:VpceAccount": "123456789012"}}),
    deny(Condition={"Null": {"aws:VpcSourceIp": "true"}}),
    deny(Condition={}),
]
VENDOR_ALONE = [
    deny(Principal={"AWS": ["arn:aws:iam::111122223333:root", ROOT]}),
    deny(Principal={"AWS": VENDOR}),
    deny(Action="s3:Get*"),
    deny(Action="s3:GetObjec?"),
    deny(Action=None, NotAction="s3:PutObject"),
    deny(Condition={"StringNotEquals": {"aws:PrincipalAccount": ["123456789012"]}}),
    deny(Condition={"StringEquals": {"aws:PrincipalAccount": VENDOR}}),
    deny(Condition={"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:*"}}),
    deny(Condition={"Bool": NO_SERVICE}),
    deny(Condition={"Bool": {"aws:PrincipalIsAWSService": False}}),
    deny(Condition={"Bool": {"aws:ViaAWSService": "false"}}),
    deny(Condition=PERIMETER),
    # Without `Like`, a wildcard is an ordinary character.
    deny(Condition={"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::999988887777:*"}}),
    deny(Condition={"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}}),
    deny(Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}),
    deny(Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::999988887777:*"}}),
]
ELB_ALONE = [
    deny(Principal={"Service": "*"}),
    deny(Principal={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}),
    deny(Principal=None, NotPrincipal={"AWS": ["123456789012", ROOT]}),
    deny(Action="s3:PutObject"),
    deny(Action=None, NotAction=["s3:Get*"]),
    deny(Condition={"Bool": {"aws:PrincipalIsAWSService": "true"}}),
]
NEITHER = [
    deny(Effect="Allow"),
    deny(Principal={"AWS": "arn:aws:iam::111122223333:root"}),
    deny(Principal={"CanonicalUser": "*"}),
    deny(Principal={"Service": ["delivery.logs.amazonaws.com"]}),
    deny(Principal=None, NotPrincipal="*"),
    deny(Principal=None, NotPrincipal={"AWS": "*"}),
    deny(Principal=None),
    deny(Action="s3:GetObjectVersion"),
    deny(Resource="arn:aws:s3:::logs"),
    deny(Resource="arn:aws:s3:::logs/img/*"),
    deny(Resource="arn:aws:s3:::LOGS/*"),
    deny(Resource="arn:aws:s3:::logs/[a-z]*"),
    deny(Resource=None, NotResource="arn:aws:s3:::logs/*"),
]
# Conditions under which a statement does not certainly deny the vendor or ELB.
UNMET = [
    {"Bool": {"aws:SecureTransport": "false"}},
    {"Bool": {"aws:SecureTransport": False}},
    {"StringEquals": {"aws:PrincipalOrgID": "o-123"}},
    {"StringNotEquals": {"aws:PrincipalAccount": ["123456789012", VENDOR]}},
    {"StringEquals": {"aws:SourceVpce": "vpce-1"}},
    {"StringEqualsIfExists": {"aws:PrincipalAccount": "123456789012"}},
    {"Null": {"aws:SourceVpc": "false"}},
    # We do not know the name of the role with which the vendor reads.
    {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::999988887777:role/*"}},
    {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::999988887777:role/reader"}},
    {"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}},
    {"StringNotLike": {"aws:PrincipalArn": ["arn:aws:iam::9999*"]}},
    {"StringNotLike": {"aws:PrincipalArn": "*"}},
    {"ArnNotEquals": {"aws:PrincipalArn": ROOT}},
    {"StringNotEquals": {"aws:PrincipalArn": f"{ROOT[:-4]}role/reader"}},
    {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}},
    {"Bool": {"aws:ViaAWSService": "true"}},
    {"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}},
    {"StringEquals": {"aws:VpceOrgID": "o-123"}},
    {"StringNotEquals": {"aws:PrincipalOrgID": "o-123", "aws:PrincipalAccount": VENDOR}},
    {**OUTSIDERS, "Bool": {"aws:SecureTransport": "false"}},
    # These conditions may or may not be met.
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    {"StringNotLike": {"aws:userId": ["AROAEXAMPLEID0000001:*", "123456789012"]}},
    {"StringEquals": {"s3:ExistingObjectTag/secret": "yes"}},
    {"StringNotEquals": {"aws:PrincipalTag/team": "logs"}},
    {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
    {"ForAllValues:StringNotEquals": {"aws:CalledVia": "athena.amazonaws.com"}},
    {"ForAnyValue:StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
    {"StringSomething": {"aws:PrincipalOrgID": "o-123"}},
]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        *((each, ("Theirs", "Theirs")) for each in BOTH),
        *((each, ("Theirs", None)) for each in VENDOR_ALONE),
        *((each, (None, "Theirs")) for each in ELB_ALONE),
        *((each, (None, None)) for each in NEITHER),
        *((deny(Condition=each), (None, None)) for each in UNMET),
    ],
    ids=str,
)
def test_only_a_certain_denial_of_the_vendor_or_of_elb_is_found(
    statement: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    assert denied(statement) == expected


def test_statement_without_a_sid_is_named_by_its_number() -> None:
    assert denied(deny(Effect="Allow"), deny(Sid=None))[0] == "number 2"
    assert denied(deny(Sid="", Action="s3:Put*"), deny(Sid="")) == ("number 2", "number 1")


@STEADY
@given(policies())
def test_any_policy_can_be_judged(policy: str | None) -> None:
    for caller in (vendor(VENDOR, "aws"), delivery()):
        found = denying(policy, caller, "s3:GetObject", OBJECT)
        assert found is None or '"Deny"' in (policy or "")


def bucket(*statements: dict[str, Any], **changed: Any) -> Bucket:
    return Bucket("logs", policy=policy(*statements) if statements else None, **changed)


RESTRICTED = {"RestrictPublicBuckets": True}


@pytest.mark.parametrize(
    "found",
    [
        bucket(),
        bucket(region="us-east-1"),
        bucket(ownership="BucketOwnerPreferred"),
        bucket(public=True),
        bucket(public_access_block=RESTRICTED),
        bucket(deny(Effect="Allow")),
        bucket(deny(Condition={"Bool": {"aws:SecureTransport": "false"}})),
        bucket(deny(Condition=EXCEPTED)),
    ],
)
def test_bucket_from_which_logs_can_flow_is_taken(found: Bucket) -> None:
    assert usable(found, WEB, VENDOR, HERE) is found
    can_receive(found, WEB, HERE)


DENIES = "Statement Theirs of the policy of bucket logs denies"
OF_ANOTHER = deny(Condition={"StringNotEquals": {"aws:PrincipalAccount": "1"}})
SERVICES = '{"Bool":{"aws:PrincipalIsAWSService":"false"}}'
PUBLIC = bucket(public=True, public_access_block=RESTRICTED)
REFUSED: list[tuple[Any, str, str, str]] = [
    (Absent(), "web", "does not exist", "Create it again"),
    (bucket(encryption="aws:kms"), "web", "aws:kms", "SSE-S3 (AES256)"),
    (bucket(encryption="aws:kms:dsse"), "web", "aws:kms:dsse", "SSE-S3 (AES256)"),
    (bucket(ownership="ObjectWriter"), "web", "ObjectWriter", "BucketOwnerEnforced"),
    (PUBLIC, "web", "RestrictPublicBuckets", "makes it not public"),
    (bucket(deny()), "web", f"{DENIES} Data Theorem's account {VENDOR}", FIX),
    (bucket(OF_ANOTHER), "web", DENIES, f"Merge {FIX} into its Condition, keeping its values."),
    (bucket(deny(Action="s3:GetObject", Sid="")), "web", "Statement number 1", FIX),
    (bucket(region="eu-west-1"), "web", "eu-west-1", "Use a bucket in us-east-1."),
    (bucket(), "AWSLogs", "'AWSLogs'", "prefix"),
    (bucket(), "my/AWSLogs/x", "'my/AWSLogs/x'", "prefix"),
    (bucket(deny(Action="s3:PutObject")), "web", f"{DENIES} Elastic Load Balancing", SERVICES),
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
