"""Which statements certainly deny the vendor or ELB; a wrong refusal is as bad as a miss."""

import json
from typing import Any

import pytest
from hypothesis import given
from support.events import VENDOR
from support.strategies import STEADY, policies

from dt_logs_handler.usable import delivery, denying, vendor

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
    """Return a Deny on everything for everyone, with some elements changed; None omits one."""
    return {key: value for key, value in {**EVERYONE, **changed}.items() if value is not None}


def denies_vendor(*statements: dict[str, Any]) -> str | None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return denying(document, vendor(VENDOR, "aws"), "s3:GetObject", OBJECT)


def denies_delivery(*statements: dict[str, Any]) -> str | None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return denying(document, delivery(), "s3:PutObject", OBJECT)


OUTSIDERS = {"StringNotEquals": {"aws:PrincipalOrgID": "o-123"}}
NO_SERVICE = {"aws:PrincipalIsAWSService": "false"}
# A data perimeter like those in AWS's examples.
PERIMETER = {
    "StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-123", "aws:SourceVpc": "vpc-1"},
    "BoolIfExists": {**NO_SERVICE, "aws:ViaAWSService": "false"},
}
SHUT = [
    deny(),
    deny(Principal={"AWS": "*"}),
    deny(Principal={"AWS": ["arn:aws:iam::111122223333:root", ROOT]}),
    deny(Principal={"AWS": VENDOR}),
    deny(Principal=None, NotPrincipal={"AWS": "arn:aws:iam::123456789012:root"}),
    deny(Action="*"),
    deny(Action=["s3:PutObject", "S3:getobject"]),
    deny(Action="s3:Get*"),
    deny(Action="s3:GetObjec?"),
    deny(Action=None, NotAction="s3:PutObject"),
    deny(Resource=["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]),
    deny(Resource="*"),
    deny(Resource="arn:aws:s3:::logs/web/AWSLogs/*/x.log.g?"),
    deny(Resource=None, NotResource="arn:aws:s3:::logs/img/*"),
    deny(Condition=OUTSIDERS),
    deny(Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ["o-123", "o-456"]}}),
    deny(Condition={"StringNotEquals": {"AWS:SourceVpce": "vpce-1"}}),
    deny(Condition={"Null": {"aws:SourceVpc": "true"}}),
    deny(Condition={"Null": {"aws:SourceVpc": True}}),
    deny(Condition={"StringNotEquals": {"aws:PrincipalAccount": ["123456789012"]}}),
    deny(Condition={"StringEquals": {"aws:PrincipalAccount": VENDOR}}),
    deny(Condition={"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:*"}}),
    deny(Condition={"Bool": {"aws:PrincipalIsAWSService": "false"}}),
    deny(Condition={"Bool": {"aws:PrincipalIsAWSService": False}}),
    deny(Condition={"Bool": {"aws:ViaAWSService": "false"}}),
    deny(Condition=PERIMETER),
    # Without Like, a wildcard stands for itself.
    deny(Condition={"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::999988887777:*"}}),
    deny(Condition={"StringNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}}),
    deny(Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/*"}}),
    deny(Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::999988887777:*"}}),
    deny(Condition={"NotIpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
    deny(Condition={"NotIpAddressIfExists": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
    deny(Condition={"ArnNotEquals": {"aws:SourceVpcArn": "arn:aws:ec2:us-east-1:1:vpc/vpc-1"}}),
    deny(Condition={"StringNotEquals": {"aws:VpceOrgID": "o-123"}}),
    deny(Condition={"StringNotEquals": {"aws:VpceAccount": "123456789012"}}),
    deny(Condition={"Null": {"aws:VpcSourceIp": "true"}}),
    deny(Condition={}),
]


@pytest.mark.parametrize("statement", SHUT)
def test_certain_denial_of_the_vendor_is_found(statement: dict[str, Any]) -> None:
    assert denies_vendor(statement) == "Theirs"


OPEN = [
    deny(Effect="Allow"),
    deny(Principal={"AWS": "arn:aws:iam::111122223333:root"}),
    deny(Principal={"Service": "*"}),
    deny(Principal={"CanonicalUser": "*"}),
    deny(Principal=None, NotPrincipal={"AWS": ["123456789012", ROOT]}),
    deny(Principal=None, NotPrincipal="*"),
    deny(Principal=None),
    deny(Action="s3:PutObject"),
    deny(Action="s3:GetObjectVersion"),
    deny(Action=None, NotAction=["s3:Get*"]),
    deny(Resource="arn:aws:s3:::logs"),
    deny(Resource="arn:aws:s3:::logs/img/*"),
    deny(Resource="arn:aws:s3:::LOGS/*"),
    deny(Resource="arn:aws:s3:::logs/[a-z]*"),
    deny(Resource=None, NotResource="arn:aws:s3:::logs/*"),
    deny(Condition={"Bool": {"aws:SecureTransport": "false"}}),
    deny(Condition={"Bool": {"aws:SecureTransport": False}}),
    deny(Condition={"StringNotEquals": {"aws:PrincipalAccount": ["123456789012", VENDOR]}}),
    deny(Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}),
    deny(Condition={"StringEqualsIfExists": {"aws:PrincipalAccount": "123456789012"}}),
    deny(Condition={"Null": {"aws:SourceVpc": "false"}}),
    deny(Condition={"Bool": {"aws:PrincipalIsAWSService": "true"}}),
    # The vendor reads with a role whose name is unknown here.
    deny(Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::999988887777:role/*"}}),
    deny(Condition={"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::999988887777:role/reader"}}),
    deny(Condition={"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}}),
    deny(Condition={"StringNotLike": {"aws:PrincipalArn": ["arn:aws:iam::9999*"]}}),
    deny(Condition={"StringNotLike": {"aws:PrincipalArn": "*"}}),
    deny(Condition={"ArnNotEquals": {"aws:PrincipalArn": ROOT}}),
    deny(Condition={"StringNotEquals": {"aws:PrincipalArn": f"{ROOT[:-4]}role/reader"}}),
    deny(Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/reader"}}),
    deny(Condition={"Bool": {"aws:ViaAWSService": "true"}}),
    deny(Condition={"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}),
    deny(Condition={"StringEquals": {"aws:VpceOrgID": "o-123"}}),
    deny(
        Condition={"StringNotEquals": {"aws:PrincipalOrgID": "o", "aws:PrincipalAccount": VENDOR}}
    ),
    deny(Condition={**OUTSIDERS, "Bool": {"aws:SecureTransport": "false"}}),
]


@pytest.mark.parametrize("statement", OPEN)
def test_what_does_not_shut_out_the_vendor_is_left_alone(statement: dict[str, Any]) -> None:
    assert denies_vendor(statement) is None


UNCERTAIN = [
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    # The ID of the vendor's role is unknown here.
    {"StringNotLike": {"aws:userId": ["AROAEXAMPLEID0000001:*", "123456789012"]}},
    {"StringEquals": {"s3:ExistingObjectTag/secret": "yes"}},
    {"StringNotEquals": {"aws:PrincipalTag/team": "logs"}},
    {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}},
    {"ForAllValues:StringNotEquals": {"aws:CalledVia": "athena.amazonaws.com"}},
    {"ForAnyValue:StringNotEquals": {"aws:SourceVpce": "vpce-1"}},
    {"StringSomething": {"aws:PrincipalOrgID": "o-123"}},
]


@pytest.mark.parametrize("condition", UNCERTAIN)
def test_condition_that_may_not_hold_is_no_denial(condition: dict[str, Any]) -> None:
    assert denies_vendor(deny(Condition=condition)) is None
    assert denies_delivery(deny(Condition=condition)) is None


@pytest.mark.parametrize(
    ("statement", "shut"),
    [
        (deny(), True),
        (deny(Principal={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}), True),
        (deny(Principal={"Service": ["delivery.logs.amazonaws.com"]}), False),
        (deny(Action="s3:PutObject"), True),
        (deny(Action="s3:GetObject"), False),
        (deny(Condition={"Bool": {"aws:PrincipalIsAWSService": "false"}}), False),
        (deny(Condition={"Bool": {"aws:SecureTransport": "false"}}), False),
        (deny(Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}), True),
        # A service does not belong to an organisation.
        (deny(Condition=OUTSIDERS), True),
        (deny(Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-123"}}), True),
        (deny(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-123"}}), False),
        (deny(Condition={**OUTSIDERS, "BoolIfExists": NO_SERVICE}), False),
        (deny(Principal={"AWS": "*"}), True),
        (deny(Principal={"AWS": ["*"]}), True),
        (deny(Principal={"AWS": "arn:aws:iam::123456789012:root"}), False),
        (deny(Principal=None, NotPrincipal={"AWS": "*"}), False),
        (deny(Condition={"NotIpAddress": {"aws:VpcSourceIp": "10.0.0.0/8"}}), True),
    ],
)
def test_denial_of_elb_is_found(statement: dict[str, Any], shut: bool) -> None:
    assert (denies_delivery(statement) == "Theirs") is shut


def test_statement_without_a_sid_is_named_by_its_number() -> None:
    assert denies_vendor(deny(Effect="Allow"), deny(Sid=None)) == "number 2"
    assert denies_vendor(deny(Sid="", Action="s3:Put*"), deny(Sid="")) == "number 2"


def test_bucket_without_a_policy_denies_nobody() -> None:
    assert denying(None, vendor(VENDOR, "aws"), "s3:GetObject", OBJECT) is None


@STEADY
@given(policies())
def test_any_policy_can_be_judged(policy: str | None) -> None:
    for caller in (vendor(VENDOR, "aws"), delivery()):
        found = denying(policy, caller, "s3:GetObject", OBJECT)
        assert found is None or '"Deny"' in (policy or "")
