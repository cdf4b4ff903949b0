"""Who may do what: the policy evaluator, and the decisions about callers' calls.

`tests/iam/cases` has the documented cases of the evaluator; this module has other cases.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from rehearsal.account.helpers import (
    ACCOUNT,
    ELB,
    TOPIC,
    VENDOR,
    allow,
    needs_new_boto3,
    put_policy,
    refused,
    statement,
)
from support.drifts import document

from dt_logs_rehearsal.account import Account, Caller, Decision, Principal, Request, evaluate
from dt_logs_rehearsal.account.iam.conditions import Context
from dt_logs_rehearsal.account.iam.policy import canonical, is_public

ROLE = Principal(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/session")
ROOT = Principal(VENDOR, f"arn:aws:iam::{VENDOR}:root")
LOGS = Principal(service="logdelivery.elasticloadbalancing.amazonaws.com")
OBJECT = "arn:aws:s3:::logs/a/b"
OWN_ROOT, OWN_ROLE = f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{ACCOUNT}:role/deploy"
SOURCE = {"aws:sourcearn": "arn:aws:s3:::logs"}


def policy(**elements: Any) -> str:
    """Return a policy with one statement, which by default allows everyone all S3 actions."""
    return json.dumps(document(statement(path="", **{**PUBLIC, **elements})))


PUBLIC = {"Principal": "*", "Action": "s3:*", "Resource": "*"}


def condition(operator: str, key: str, value: object) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


def silent(elements: dict[str, Any], who: Principal, context: Context) -> bool:
    """Return whether a statement with these elements says nothing about reading an object."""
    request = Request(who, "s3:GetObject", OBJECT, context)
    return evaluate((policy(**elements),), request) is Decision.SILENT


def without(*named: str) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": None, "NotPrincipal": {"AWS": list(named)}}


@pytest.mark.parametrize(
    ("elements", "context", "speaks"),
    [
        ({"Principal": {"AWS": [OWN_ROOT]}}, {}, True),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/path/deploy"}}, {}, True),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}}, {}, False),
        ({"Principal": {"AWS": f"arn:aws:iam::{VENDOR}:role/deploy"}}, {}, False),
        ({"Principal": {"AWS": ROLE.arn}}, {}, True),
        ({"Principal": {"Service": LOGS.service}}, {}, False),
        (without(OWN_ROOT), {}, True),
        (without(OWN_ROLE), {}, True),
        (without(OWN_ROOT, OWN_ROLE), {}, False),
        (without("*"), {}, False),
        (condition("StringLike", "s3:prefix", "a/${*}"), {"s3:prefix": "a/b"}, False),
        (condition("StringEquals", "S3:Prefix", "a/${*}"), {"s3:prefix": "a/*"}, True),
        (condition("StringNotLike", "s3:prefix", ["a*", "b*"]), {"s3:prefix": "c"}, True),
        (condition("ArnLike", "aws:SourceArn", "arn:aws:s3*"), SOURCE, False),
        (condition("Bool", "aws:SecureTransport", False), {"aws:securetransport": "false"}, True),
        (condition("ForAnyValue:StringNotEquals", "aws:TagKeys", ["a"]), {}, False),
        (
            {"Condition": {"StringEquals": {"a": "1"}, "Bool": {"b": "true"}}},
            {"a": "1", "b": "false"},
            False,
        ),
    ],
)
def test_a_statement_speaks_of_a_request(
    elements: dict[str, Any], context: Context, speaks: bool
) -> None:
    assert silent(elements, ROLE, context) != speaks


def test_not_principal_spares_an_account_and_a_service() -> None:
    elements = without() | {"NotPrincipal": {"AWS": VENDOR, "Service": LOGS.service}}
    assert [silent(elements, each, {}) for each in (ROOT, LOGS, ROLE)] == [True, True, False]


@pytest.mark.parametrize(
    ("elements", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Effect": "Deny"}, False),
        ({"Principal": {"AWS": VENDOR}}, False),
        ({"Principal": {"Service": LOGS.service}}, False),
        ({"Principal": None, "NotPrincipal": {"AWS": VENDOR}}, True),
        (condition("StringEquals", "aws:SourceAccount", ACCOUNT), False),
        (condition("StringLike", "aws:SourceAccount", "1*"), True),
        (condition("IpAddress", "aws:SourceIp", "0.0.0.0/1"), True),
        (condition("IpAddress", "aws:SourceIp", "192.0.2.0/24"), False),
        (condition("Bool", "aws:SecureTransport", "true"), True),
    ],
)
def test_what_s3_takes_for_public(elements: dict[str, Any], public: bool) -> None:
    assert is_public(policy(**elements)) == public


def test_policies_that_mean_the_same_are_equal_unless_their_statements_order_differs() -> None:
    single = policy(
        Principal={"AWS": ROOT.arn},
        Action="s3:GetObject",
        Resource=OBJECT,
        **condition("Bool", "aws:SecureTransport", True),
    )
    lists = policy(
        **condition("Bool", "aws:securetransport", ["true"]),
        Resource=[OBJECT],
        Action=["s3:GetObject", "s3:GetObject"],
        Principal={"AWS": [VENDOR]},
    )
    bare = json.dumps({"Statement": json.loads(single)["Statement"][0], "Version": "2012-10-17"})
    assert canonical(single) == canonical(lists) == canonical(bare)

    one, other = ({"Sid": sid, "Effect": "Deny"} for sid in "ab")
    forth, back = (canonical(json.dumps(document(*each))) for each in ([one, other], [other, one]))
    assert forth != back


ORGANISATION = "o-a1b2c3d4e5"
WHO = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/handler/session is not authorized to perform:"
DENIES, LACKS = "with an explicit deny in", "because no identity-based policy"
Statement = dict[str, Any]


def of_bucket(principal: object, effect: str = "Allow", **elements: object) -> Statement:
    """Return a statement about reading the policy of the bucket `logs`."""
    about = {"Principal": principal, "Action": "s3:GetBucketPolicy", "Effect": effect}
    return statement(path="", **about, **elements)


ALL, LET_IN = allow("*"), of_bucket({"AWS": ACCOUNT})
PERIMETER = [
    of_bucket("*", "Deny", **condition("StringNotEquals", "aws:PrincipalOrgID", ORGANISATION)),
    of_bucket({"AWS": VENDOR}),
]
OWNED = allow("s3:*", **condition("StringEquals", "aws:ResourceOrgID", ORGANISATION))
# The caller's account and policies (None for an administrator), the bucket's statements, and the
# reason for the denial (empty if the call succeeds).
DECISIONS: dict[str, tuple[str, Any, list[Statement], str]] = {
    "own Deny": (
        ACCOUNT,
        [ALL, allow("s3:*", Effect="Deny")],
        [LET_IN],
        f"{DENIES} an identity-based policy",
    ),
    "its Deny": (ACCOUNT, None, [of_bucket("*", "Deny")], f"{DENIES} a resource-based policy"),
    "its Allow": (ACCOUNT, [], [LET_IN], ""),
    "its Allow for another": (VENDOR, [], PERIMETER[1:], LACKS),
    "a member": (ACCOUNT, None, PERIMETER, ""),
    "a stranger": (VENDOR, None, PERIMETER, f"{DENIES} a resource-based policy"),
    "a member's bucket": (ACCOUNT, [OWNED], PERIMETER, ""),
}


@pytest.mark.parametrize(("owner", "own", "bucket", "why"), DECISIONS.values(), ids=DECISIONS)
def test_who_may_read_a_bucket_s_policy(
    account: Account, owner: str, own: Any, bucket: list[Statement], why: str
) -> None:
    account.world.organisations[ACCOUNT] = ORGANISATION
    put_policy(account, *bucket)
    s3 = account.client("s3", caller=account.caller(own, account=owner))
    with refused("AccessDenied", why, 403) if why else nullcontext():
        assert s3.get_bucket_policy(Bucket="logs")


def test_a_bucket_policy_never_keeps_its_account_s_root_from_repairing_it(account: Account) -> None:
    everything = ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]
    put_policy(account, statement(Effect="Deny", **{**PUBLIC, "Resource": everything}))
    root = account.client("s3", caller=Caller(ACCOUNT, OWN_ROOT))
    for call in (
        account.s3.get_bucket_policy,
        account.s3.delete_bucket_policy,
        root.get_bucket_encryption,
    ):
        with refused("AccessDenied", f"{DENIES} a resource-based policy", 403):
            call(Bucket="logs")

    found = root.get_bucket_policy(Bucket="logs")["Policy"]
    root.put_bucket_policy(Bucket="logs", Policy=found)
    root.delete_bucket_policy(Bucket="logs")

    assert account.s3.get_bucket_encryption(Bucket="logs")


def test_a_service_control_policy_denies_roles_and_not_who_arranges(account: Account) -> None:
    account.world.control_policies = (json.dumps(allow("s3:DeleteBucket", Effect="Deny")),)
    role = account.client("s3", caller=account.caller([ALL]))

    with refused("AccessDenied", f"{DENIES} a service control policy", 403):
        role.delete_bucket(Bucket="logs")
    assert role.get_bucket_encryption(Bucket="logs")
    account.s3.delete_bucket(Bucket="logs")


def may(action: str, resource: str = "*", owner: str = ACCOUNT, **elements: Any) -> Caller:
    """Return a caller that has only this permission."""
    return Account().caller([allow(action, resource, **elements)], account=owner)


LOG_BUCKET, THEIRS, NEW = {"Bucket": "logs"}, {"Bucket": "theirs"}, {"Bucket": "new"}
TAGS = [{"Key": "a", "Value": "b"}]
HTTPS = {"TopicArn": TOPIC, "Protocol": "https"}
BATCH = {"TopicArn": TOPIC, "PublishBatchRequestEntries": [{"Id": "1", "Message": "{}"}]}
TO_A = {"StringEquals": {"sns:Endpoint": "https://a", "sns:Protocol": "https"}}
NOBODY = Account().caller([])
HERE = may("s3:GetBucketPolicy", **condition("StringEquals", "aws:ResourceAccount", ACCOUNT))
OURS = may("s3:*", **condition("StringEquals", "aws:ResourceOrgID", ORGANISATION))
BELOW_P = may("s3:ListBucket", "arn:aws:s3:::logs", **condition("StringLike", "s3:prefix", "p/*"))
SUBSCRIBER = may("sns:Subscribe", TOPIC, Condition=TO_A)
S3_DENIES, SNS_DENIES = "AccessDenied: ", "AuthorizationError: "
# Operations without resource types, which only `*` covers.
STARS = (
    ("sns list_subscriptions", "sns:ListSubscriptions", SNS_DENIES),
    ("s3 list_buckets", "s3:ListAllMyBuckets", S3_DENIES),
    ("elbv2 describe_load_balancers", "elasticloadbalancing:Describe*", S3_DENIES),
)
DESCRIBE = "elasticloadbalancing:DescribeLoadBalancers"
# A caller, a call, its parameters, and the denial's code and text (empty if the call succeeds).
CALLS: list[Any] = [
    (HERE, "s3 get_bucket_policy", LOG_BUCKET, ""),
    (HERE, "s3 get_bucket_policy", THEIRS, S3_DENIES + LACKS),
    (OURS, "s3 get_bucket_policy", THEIRS, S3_DENIES + LACKS),
    (BELOW_P, "s3 list_objects_v2", {**LOG_BUCKET, "Prefix": "p/x"}, ""),
    (BELOW_P, "s3 list_objects_v2", LOG_BUCKET, S3_DENIES),
    # A caller that may not list a bucket does not learn that an object is missing.
    (may("s3:GetObject"), "s3 get_object", {**LOG_BUCKET, "Key": "none"}, S3_DENIES),
    (SUBSCRIBER, "sns subscribe", {**HTTPS, "Endpoint": "https://a"}, ""),
    (SUBSCRIBER, "sns subscribe", {**HTTPS, "Endpoint": "https://b"}, SNS_DENIES),
    (may("s3:CreateBucket"), "s3 create_bucket", NEW, ""),
    (
        *(may("s3:CreateBucket"), "s3 create_bucket", {**NEW, "ObjectOwnership": "ObjectWriter"}),
        f"{S3_DENIES}s3:PutBucketOwnershipControls",
    ),
    pytest.param(
        *(may("s3:CreateBucket"), "s3 create_bucket"),
        {**NEW, "CreateBucketConfiguration": {"Tags": TAGS}},
        f"{S3_DENIES}s3:TagResource",
        marks=needs_new_boto3,
    ),
    (
        *(may("sns:CreateTopic"), "sns create_topic", {"Name": "new", "Tags": TAGS}),
        f"{SNS_DENIES}SNS:TagResource",
    ),
    (may("sns:Publish", TOPIC), "sns publish_batch", BATCH, ""),
    (may("sns:PublishBatch", TOPIC), "sns publish_batch", BATCH, f"{SNS_DENIES}SNS:Publish on"),
    (may("sns:Publish", TOPIC, VENDOR), "sns publish_batch", BATCH, f"{SNS_DENIES}SNS:Publish on"),
    *((may(action), call, {}, "") for call, action, _ in STARS),
    *((may(action, "arn:aws:*"), call, {}, code) for call, action, code in STARS),
    # Each service denies a call in its own words.
    (
        *(NOBODY, "s3 get_bucket_policy", LOG_BUCKET),
        f'{S3_DENIES}{WHO} s3:GetBucketPolicy on resource: "arn:aws:s3:::logs" {LACKS} allows the'
        " s3:GetBucketPolicy action",
    ),
    (
        *(NOBODY, "sns subscribe", HTTPS),
        f"{SNS_DENIES}{WHO} SNS:Subscribe on resource: {TOPIC} {LACKS} allows the",
    ),
    (
        *(NOBODY, "elbv2 describe_load_balancers", {}),
        f"{S3_DENIES}{WHO} {DESCRIBE} {LACKS} allows the {DESCRIBE} action",
    ),
]


@pytest.mark.parametrize(("caller", "call", "params", "denial"), CALLS)
def test_what_a_caller_s_own_policy_allows(
    account: Account, caller: Caller, call: str, params: dict[str, Any], denial: str
) -> None:
    account.world.organisations[ACCOUNT] = ORGANISATION
    account.add_bucket("theirs", owner=VENDOR, block=None)
    put_policy(account, statement(Principal=ELB))
    service, method = call.split()
    code, _, text = denial.partition(": ")
    with refused(code, text, 403) if denial else nullcontext():
        getattr(account.client(service, caller=caller), method)(**params)
