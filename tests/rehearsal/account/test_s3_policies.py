"""Which bucket policies S3 accepts."""

import json
from typing import Any

import pytest
from rehearsal.account.helpers import ACCOUNT, VENDOR, policy, put_policy, refused, statement
from support.verdicts import forget_principal

from dt_logs_rehearsal.account import Account


@pytest.fixture
def account() -> Account:
    account = Account()
    account.add_bucket("logs")
    return account


WRONG: list[tuple[dict[str, Any], str]] = [
    (statement(Resource="arn:aws:s3:::other/*"), "Policy has invalid resource"),
    (statement(Resource="*"), "Policy has invalid resource"),
    (statement(Resource="arn:aws-cn:s3:::logs/*"), "Policy has invalid resource"),
    (statement(Action="sns:Publish"), "Policy has invalid action"),
    (statement(path=""), "Action does not apply to any resource(s) in statement"),
    (statement(Action="s3:ListBucket"), "Action does not apply to any resource(s) in statement"),
    (statement(Principal={"AWS": "AROAEXAMPLEEXAMPLE123"}), "Invalid principal in policy"),
    (statement(Principal={"AWS": "arn:aws:iam::1:root"}), "Invalid principal in policy"),
    (statement(Principal={"AWS": f"arn:aws-cn:iam::{VENDOR}:root"}), "Invalid principal in policy"),
    (statement(Principal={"Service": "elb"}), "Invalid principal in policy"),
    (statement(Principal={}), "Invalid principal in policy"),
    (statement(Principal=None), "Missing required field Principal"),
    (statement(Effect=None), "Missing required field Effect"),
    (statement(Extra="x"), "Unknown field Extra"),
    (statement(Condition={"StringIs": {"a": "b"}}), "Invalid Condition type : StringIs"),
    (statement(Condition={"Bool": {"what": "b"}}), "Policy has an invalid condition key"),
    (
        statement(
            path="",
            Action=["s3:ListBucket", "s3:GetBucketLocation"],
            Condition={"StringLike": {"s3:prefix": "p/*"}},
        ),
        "Conditions do not apply to combination of actions and resources in statement",
    ),
]


@pytest.mark.parametrize(("wrong", "text"), WRONG)
def test_a_malformed_statement_is_refused(
    account: Account, wrong: dict[str, Any], text: str
) -> None:
    put_policy(account, statement())
    before = account.snapshot()
    with refused("MalformedPolicy", text):
        put_policy(account, statement(), wrong)
    assert account.snapshot() == before


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("{bad", "Policies must be valid JSON and the first byte must be '{'"),
        ("[]", "Policies must be valid JSON and the first byte must be '{'"),
        ('{"Version":"2012-10-17"}', "Missing required field Statement"),
        ('{"Statement":[]}', "Statement is empty!"),
        ('{"Version":"2020-01-01","Statement":[]}', "valid version string"),
        (json.dumps(policy(*[statement(Sid="a")] * 2)), "must be unique"),
    ],
)
def test_a_malformed_document_is_refused(account: Account, document: str, text: str) -> None:
    with refused("MalformedPolicy", text):
        account.s3.put_bucket_policy(Bucket="logs", Policy=document)


def test_the_limit_counts_no_white_space(account: Account) -> None:
    text = json.dumps(policy(*[statement(Sid=f"s{number}") for number in range(100)]), indent=4)
    assert len(text) > 20_480

    account.s3.put_bucket_policy(Bucket="logs", Policy=text)
    with refused("PolicyTooLarge"):
        put_policy(account, *[statement(Sid=f"s{number}") for number in range(140)])


def test_an_account_number_comes_back_as_its_root(account: Account) -> None:
    put_policy(account, statement(Principal={"AWS": [VENDOR]}))

    text = account.s3.get_bucket_policy(Bucket="logs")["Policy"]

    kept = json.loads(text)["Statement"][0]["Principal"]
    assert kept == {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    account.s3.delete_bucket_policy(Bucket="logs")
    account.s3.delete_bucket_policy(Bucket="logs")


def test_a_deleted_role_can_not_be_put_again(account: Account) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/app"
    put_policy(account, statement(Principal={"AWS": role}))

    forget_principal(account, role, "AROAEXAMPLEEXAMPLE123")

    text = account.s3.get_bucket_policy(Bucket="logs")["Policy"]
    assert "AROAEXAMPLEEXAMPLE123" in text
    with refused("MalformedPolicy", "Invalid principal in policy"):
        account.s3.put_bucket_policy(Bucket="logs", Policy=text)


def test_an_account_that_does_not_exist_is_refused(account: Account) -> None:
    account.world.unknown_principals.add(VENDOR)

    with refused("MalformedPolicy", "Invalid principal in policy"):
        put_policy(account, statement(Principal={"AWS": f"arn:aws:iam::{VENDOR}:root"}))


def test_public_policies_may_be_blocked(account: Account) -> None:
    with refused("AccessDenied", "blocked by the BlockPublicPolicy", 403):
        put_policy(account, statement(Principal="*"))

    account.add_bucket("logs", block=None)
    put_policy(account, statement(Principal="*"))

    status = account.s3.get_bucket_policy_status(Bucket="logs")
    assert status["PolicyStatus"] == {"IsPublic": True}
