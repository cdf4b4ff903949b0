"""Bucket settings: policy, versioning, Requester Pays, attribute-based access control."""

import json
from typing import Any

import pytest
from rehearsal.account.helpers import ACCOUNT, VENDOR, put_policy, refused, statement
from support.drifts import document
from support.looks import can_read, forget_principal

from dt_logs_rehearsal.account import Account

OAI = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1ABCDEFGHIJKL"


def turn_on_versioning(account: Account, status: Any = "Enabled") -> None:
    account.s3.put_bucket_versioning(Bucket="logs", VersioningConfiguration={"Status": status})


def pictured(account: Account) -> tuple[list[str], dict[str, list[Any]]]:
    """Return the keys that a listing shows, and the versions that it does not show."""
    found = account.snapshot()["buckets"]["logs"]
    return list(found["objects"]), found["versions"]


def test_versioning_is_turned_on_and_suspended(account: Account) -> None:
    assert "Status" not in account.s3.get_bucket_versioning(Bucket="logs")
    turn_on_versioning(account)
    assert account.s3.get_bucket_versioning(Bucket="logs")["Status"] == "Enabled"
    turn_on_versioning(account, "Suspended")
    found = account.snapshot()["buckets"]["logs"]["settings"]
    assert found == {"versioning": "Suspended", "payer": "BucketOwner", "abac": "Disabled"}


def test_a_picture_shows_old_versions_and_delete_markers(account: Account) -> None:
    account.s3.put_object(Bucket="logs", Key="k", Body=b"0")
    assert pictured(account) == (["k"], {})
    turn_on_versioning(account)
    account.s3.put_object(Bucket="logs", Key="k", Body=b"1")
    first, second = (["111122223333", etag, "AES256"] for etag in (ETAG_0, ETAG_1))
    assert pictured(account) == (["k"], {"k": [first]})
    account.s3.delete_object(Bucket="logs", Key="k")
    assert pictured(account) == ([], {"k": [first, second, ["delete marker"]]})


ETAG_0, ETAG_1 = "cfcd208495d565ef66e7dff9f98764da", "c4ca4238a0b923820dcc509a6f75849b"


def test_while_versioning_is_suspended_only_what_has_no_id_is_replaced(account: Account) -> None:
    turn_on_versioning(account)
    version = account.s3.put_object(Bucket="logs", Key="k", Body=b"0")["VersionId"]
    turn_on_versioning(account, "Suspended")
    for body in (b"1", b"2"):
        assert "VersionId" not in account.s3.put_object(Bucket="logs", Key="k", Body=body)
    assert len(account.world.buckets["logs"].objects["k"]) == 2
    assert account.s3.delete_object(Bucket="logs", Key="k")["VersionId"] == "null"
    assert pictured(account)[1]["k"] == [["111122223333", ETAG_0, "AES256"], ["delete marker"]]
    account.s3.delete_object(Bucket="logs", Key="k", VersionId="null")
    assert [each.version for each in account.world.buckets["logs"].objects["k"]] == [version]


def test_where_the_requester_pays_another_account_reads_nothing(account: Account) -> None:
    account.s3.put_object(Bucket="logs", Key="k", Body=b"0")
    put_policy(account, statement(Principal={"AWS": VENDOR}, Action="s3:GetObject"))
    vendor = account.client("s3", caller=account.caller(account=VENDOR))
    assert account.s3.get_bucket_request_payment(Bucket="logs")["Payer"] == "BucketOwner"

    paying: Any = {"Payer": "Requester"}
    account.s3.put_bucket_request_payment(Bucket="logs", RequestPaymentConfiguration=paying)

    assert account.s3.get_bucket_request_payment(Bucket="logs")["Payer"] == "Requester"
    with refused("AccessDenied", "Access Denied", 403):
        vendor.get_object(Bucket="logs", Key="k")
    assert not can_read(account, VENDOR, "logs", "k")
    assert account.s3.get_object(Bucket="logs", Key="k")["Body"].read() == b"0"


def test_a_bucket_with_abac_takes_no_tags_by_the_old_calls(account: Account) -> None:
    tags: Any = {"TagSet": [{"Key": "a", "Value": "b"}]}
    s3: Any = account.s3
    if not hasattr(s3, "put_bucket_abac"):
        pytest.skip("the installed boto3 is an old one")
    account.s3.put_bucket_tagging(Bucket="logs", Tagging=tags)
    assert s3.get_bucket_abac(Bucket="logs")["AbacStatus"] == {"Status": "Disabled"}

    s3.put_bucket_abac(Bucket="logs", AbacStatus={"Status": "Enabled"})

    assert s3.get_bucket_abac(Bucket="logs")["AbacStatus"] == {"Status": "Enabled"}
    with refused("InvalidRequest", "ABAC"):
        account.s3.put_bucket_tagging(Bucket="logs", Tagging=tags)
    assert account.s3.get_bucket_tagging(Bucket="logs")["TagSet"] == tags["TagSet"]


@pytest.mark.parametrize("principal", [{"AWS": OAI}, {"CanonicalUser": "79a59df900b949e5" * 4}])
def test_cloudfront_and_canonical_users_may_be_named(
    account: Account, principal: dict[str, str]
) -> None:
    put_policy(account, statement(Principal=principal, Action="s3:GetObject"))
    text = account.s3.get_bucket_policy(Bucket="logs")["Policy"]
    assert next(iter(principal.values())) in text


def test_the_limit_counts_no_white_space(account: Account) -> None:
    text = json.dumps(document(*[statement(Sid=f"s{number}") for number in range(100)]), indent=4)
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
