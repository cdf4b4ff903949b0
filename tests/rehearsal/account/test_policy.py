"""The policy evaluator."""

import json
from typing import Any

import pytest

from dt_logs_rehearsal.account import Decision, Principal, Request, evaluate
from dt_logs_rehearsal.account.iam.conditions import Context
from dt_logs_rehearsal.account.iam.policy import canonical, is_public

ROLE = Principal("111122223333", "arn:aws:sts::111122223333:assumed-role/deploy/session")
ROOT = Principal("999999999999", "arn:aws:iam::999999999999:root")
LOGS = Principal(service="logdelivery.elasticloadbalancing.amazonaws.com")
LATER = "2027-01-01T00:00:00Z"
TAGS = {"aws:tagkeys": ("a", "c")}
SOURCE = {"aws:sourcearn": "arn:aws:s3:::logs"}
OBJECT = "arn:aws:s3:::logs/a/b"


def document(**elements: Any) -> str:
    """Return a policy with one statement, which by default allows everyone all S3 actions."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*", **elements}
    kept = {key: value for key, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def says(policy: str, principal: Principal = ROLE, context: Context | None = None) -> Decision:
    return evaluate((policy,), Request(principal, "s3:GetObject", OBJECT, context or {}))


@pytest.mark.parametrize(
    ("elements", "speaks"),
    [
        ({"Action": "S3:getobject"}, True),
        ({"Action": "s3:Get*"}, True),
        ({"Action": "s3:GetObject?"}, False),
        ({"Action": None, "NotAction": ["s3:Put*"]}, True),
        ({"Action": None, "NotAction": ["s3:Get*"]}, False),
        ({"Resource": "arn:aws:s3:::logs/*"}, True),
        ({"Resource": "arn:aws:s3:::logs"}, False),
        ({"Resource": "arn:aws:s3:::logs/a/?"}, True),
        ({"Resource": "arn:aws:s3:::logs/a/${*}"}, False),
        ({"Resource": None, "NotResource": "arn:aws:s3:::other/*"}, True),
        ({"Resource": "arn:aws:s3:::logs/${aws:unknown}/*"}, False),
        ({"Principal": {"AWS": "111122223333"}}, True),
        ({"Principal": {"AWS": ["arn:aws:iam::111122223333:root"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:role/path/deploy"}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::111122223333:role/other"}}, False),
        ({"Principal": {"AWS": "arn:aws:iam::999999999999:role/deploy"}}, False),
        ({"Principal": {"AWS": ROLE.arn}}, True),
        ({"Principal": {"Service": LOGS.service}}, False),
    ],
)
def test_a_statement_speaks_of_a_request(elements: dict[str, Any], speaks: bool) -> None:
    assert (says(document(**elements)) is Decision.ALLOW) == speaks


def test_a_deny_wins_wherever_it_stands() -> None:
    deny = document(Effect="Deny")
    request = Request(ROLE, "s3:GetObject", OBJECT)

    assert evaluate((document(), deny), request) is Decision.DENY
    assert evaluate((deny, document()), request) is Decision.DENY


def test_a_policy_variable_takes_the_requests_value_and_a_literal_star_only_itself() -> None:
    policy = document(Resource="arn:aws:s3:::logs/${aws:PrincipalTag/team}/*")
    assert says(policy, context={"aws:principaltag/team": "a"}) is Decision.ALLOW
    assert says(policy, context={"aws:principaltag/team": "z"}) is Decision.SILENT
    starred = Request(ROLE, "s3:GetObject", "arn:aws:s3:::logs/*")
    policy = document(Resource="arn:aws:s3:::logs/${*}")
    assert evaluate((policy,), starred) is Decision.ALLOW


@pytest.mark.parametrize(
    ("listed", "denied"),
    [
        (["arn:aws:iam::111122223333:root"], True),
        (["arn:aws:iam::111122223333:role/deploy"], True),
        (["arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/deploy"], False),
        ("*", False),
    ],
)
def test_not_principal_spares_who_is_listed_with_its_account(listed: Any, denied: bool) -> None:
    policy = document(Effect="Deny", Principal=None, NotPrincipal={"AWS": listed})

    assert (says(policy) is Decision.DENY) == denied


def test_not_principal_spares_an_account_and_a_service() -> None:
    named = {"AWS": "999999999999", "Service": LOGS.service}
    policy = document(Effect="Deny", Principal=None, NotPrincipal=named)

    assert says(policy, ROOT) is Decision.SILENT
    assert says(policy, LOGS) is Decision.SILENT


CONDITIONS: list[tuple[dict[str, Any], Context, bool]] = [
    ({"StringEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": "b"}, True),
    ({"StringEquals": {"S3:Prefix": "b"}}, {"s3:prefix": "b"}, True),
    ({"StringEquals": {"s3:prefix": "B"}}, {"s3:prefix": "b"}, False),
    ({"StringEquals": {"s3:prefix": "b"}}, {}, False),
    ({"StringEqualsIfExists": {"s3:prefix": "b"}}, {}, True),
    ({"StringEqualsIgnoreCase": {"s3:prefix": "B"}}, {"s3:prefix": "b"}, True),
    ({"StringLike": {"s3:prefix": "a/*"}}, {"s3:prefix": "a/b/c"}, True),
    ({"StringLike": {"s3:prefix": "a/${*}"}}, {"s3:prefix": "a/b"}, False),
    ({"StringEquals": {"s3:prefix": "a/${*}"}}, {"s3:prefix": "a/*"}, True),
    ({"StringNotLike": {"s3:prefix": ["a*", "b*"]}}, {"s3:prefix": "c"}, True),
    ({"StringNotLike": {"s3:prefix": ["a*", "c*"]}}, {"s3:prefix": "c"}, False),
    ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
    ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:*:*:logs"}}, SOURCE, True),
    ({"ArnLike": {"aws:SourceArn": "arn:aws:s3*"}}, SOURCE, False),
    ({"ArnNotEquals": {"aws:SourceArn": "arn:aws:s3:::x"}}, SOURCE, True),
    ({"Bool": {"aws:SecureTransport": False}}, {"aws:securetransport": "false"}, True),
    ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": "true"}, False),
    ({"BoolIfExists": {"aws:SecureTransport": "false"}}, {}, True),
    ({"Null": {"s3:prefix": "true"}}, {}, True),
    ({"Null": {"s3:prefix": "false"}}, {}, False),
    ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3:max-keys": "9"}, True),
    ({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}}, {"aws:currenttime": LATER}, True),
    ({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, {"aws:sourceip": "192.0.2.7"}, True),
    ({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, {"aws:sourceip": "192.0.2.7"}, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:tagkeys": ("a",)}, True),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, TAGS, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, TAGS, True),
    ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}, {}, False),
    ({"StringEquals": {"a": "1"}, "Bool": {"b": "true"}}, {"a": "1", "b": "false"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "context", "held"), CONDITIONS)
def test_a_condition_holds(condition: dict[str, Any], context: Context, held: bool) -> None:
    assert (says(document(Condition=condition), context=context) is Decision.ALLOW) == held


@pytest.mark.parametrize(
    ("elements", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": "999999999999"}}, False),
        ({"Principal": {"Service": LOGS.service}}, False),
        ({"Principal": None, "NotPrincipal": {"AWS": "999999999999"}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}}}, False),
        ({"Condition": {"StringLike": {"aws:SourceAccount": "1*"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}}, True),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
    ],
)
def test_what_s3_takes_for_public(elements: dict[str, Any], public: bool) -> None:
    assert is_public(document(**elements)) == public


def test_policies_that_mean_the_same_are_equal() -> None:
    single = document(
        Principal={"AWS": "arn:aws:iam::999999999999:root"},
        Action="s3:GetObject",
        Resource=OBJECT,
        Condition={"Bool": {"aws:SecureTransport": True}},
    )
    lists = document(
        Condition={"Bool": {"aws:securetransport": ["true"]}},
        Resource=[OBJECT],
        Action=["s3:GetObject", "s3:GetObject"],
        Principal={"AWS": ["999999999999"]},
    )
    (statement,) = json.loads(single)["Statement"]
    bare = json.dumps({"Statement": statement, "Version": "2012-10-17"})

    assert canonical(single) == canonical(lists) == canonical(bare)


def test_the_order_of_statements_is_kept() -> None:
    one, other = ({"Sid": sid, "Effect": "Deny"} for sid in "ab")
    orders = ([one, other], [other, one])

    forth, back = (canonical(json.dumps({"Statement": each})) for each in orders)

    assert forth != back
