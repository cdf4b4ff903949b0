"""Which bucket policies S3 accepts."""

import json

from rehearsal.account.helpers import ACCOUNT, VENDOR, policy, put_policy, refused, statement
from support.looks import forget_principal

from dt_logs_rehearsal.account import Account


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
