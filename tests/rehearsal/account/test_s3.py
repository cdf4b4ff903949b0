"""Buckets, their settings, and objects."""

import json
from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError
from rehearsal.account.helpers import (
    ACCOUNT,
    VENDOR,
    create,
    knows_namespaces,
    needs_new_boto3,
    put_policy,
    refused,
    statement,
)
from support.drifts import document
from support.looks import can_read, forget_principal

from dt_logs_rehearsal.account import Account

READER = statement(Principal={"AWS": VENDOR}, Action="s3:GetObject")


def test_a_new_bucket_has_the_defaults_of_2023(account: Account) -> None:
    create(account, "new")

    found = account.snapshot()["buckets"]["new"]
    (rule,) = found["default encryption"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert [*found["Block Public Access"].values()] == [True] * 4
    assert found["Object Ownership"] == "BucketOwnerEnforced"
    assert account.s3.get_bucket_location(Bucket="new")["LocationConstraint"] is None


# [localstack s3/test_s3_api]
@needs_new_boto3
def test_a_bucket_is_created_in_its_region_and_again_only_in_us_east_1_without_tags() -> None:
    east, west = Account(), Account(region="eu-west-1")
    for location in ("us-east-1", "eu-west-2", ""):
        with refused("IllegalLocationConstraintException", location or "unspecified"):
            create(west, "new", location)
    create(west, "new", "eu-west-1")
    assert west.s3.get_bucket_location(Bucket="new")["LocationConstraint"] == "eu-west-1"
    reserved = (
        'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags.'
        ' Remove "aws:" from your tag keys and try again.'
    )
    with refused("InvalidTag", reserved, TagKey="aws:a"):
        create(east, "new", tags={"aws:a": "b"})
    twice: Any = {"Tags": [{"Key": "a", "Value": "b"}] * 2}
    with refused("InternalError", "We encountered an internal error. Please try again.", 500):
        east.s3.create_bucket(Bucket="new", CreateBucketConfiguration=twice)
    create(east, "new", tags={"a": "b"})

    create(east, "new")
    for account, region, tags in (
        *((east, "", {"a": "b"}), (east, "", {"a": "c"})),
        (west, "eu-west-1", {}),
    ):
        with refused("BucketAlreadyOwnedByYou", "you already own it", 409):
            create(account, "new", region, tags=tags)


REGIONAL, NEITHER = "account-regional", "InvalidBucketNamespace"


@needs_new_boto3
@pytest.mark.parametrize(
    ("name", "namespace", "region", "code"),
    [
        (f"logs-{ACCOUNT}-us-east-1-an", REGIONAL, "", ""),
        (f"logs-{ACCOUNT}-us-east-1-an", "global", "", "MissingNamespaceHeader"),
        (f"logs-{VENDOR}-us-east-1-an", REGIONAL, "", NEITHER),
        (f"logs-{ACCOUNT}-eu-west-1-an", REGIONAL, "", NEITHER),
        ("logs", REGIONAL, "", "InvalidNamespaceHeader"),
        ("logs", "global", "", ""),
        # These regions do not have the account-regional namespace.
        (f"logs-{ACCOUNT}-me-south-1-an", REGIONAL, "me-south-1", NEITHER),
        (f"logs-{ACCOUNT}-me-central-1-an", REGIONAL, "me-central-1", NEITHER),
        ("logs", "global", "me-south-1", ""),
    ],
)
def test_the_accounts_regional_namespace(name: str, namespace: str, region: str, code: str) -> None:
    with refused(code) if code else nullcontext():
        create(Account(region=region or "us-east-1"), name, region, BucketNamespace=namespace)


@needs_new_boto3
def test_an_old_boto3_knows_no_namespace_and_no_tags_on_create() -> None:
    account, params = Account(old_boto3=True), ({"BucketNamespace": "global"}, {"tags": {"a": "b"}})
    for named, each in zip(("BucketNamespace", "Tags"), params, strict=True):
        with pytest.raises(ParamValidationError, match=named):
            create(account, "logs", **each)
    assert [knows_namespaces(each) for each in (account, Account())] == [False, True]


def test_buckets_and_objects_are_listed_in_pages_regions_when_asked_and_from_a_key_on(
    account: Account,
) -> None:
    for name, where in (
        *(("b-1", {}), ("a-1", {}), ("b-far", {"region": "eu-west-1"})),
        ("b-theirs", {"owner": VENDOR}),
    ):
        account.add_bucket(name, **where)
    for key in ("a/1", "a/2", "b"):
        account.s3.put_object(Bucket="logs", Key=key, Body=key.encode())

    plain = account.s3.list_buckets()["Buckets"]
    here: Any = {"BucketRegion": "us-east-1", "MaxBuckets": 2}
    near = account.s3.list_buckets(**here)
    rest = account.s3.list_buckets(**here, ContinuationToken=near["ContinuationToken"])

    assert [each["Name"] for each in plain] == ["a-1", "b-1", "b-far", "logs"]
    assert "BucketRegion" not in plain[0]
    assert [each["Name"] for each in near["Buckets"] + rest["Buckets"]] == ["a-1", "b-1", "logs"]
    assert near["Buckets"][0]["BucketRegion"] == "us-east-1"
    assert "ContinuationToken" not in rest
    one = account.s3.list_objects_v2(Bucket="logs", MaxKeys=1)
    token = one["NextContinuationToken"]
    other = account.s3.list_objects_v2(Bucket="logs", StartAfter="a/1", ContinuationToken=token)
    assert [each["Key"] for found in (one, other) for each in found["Contents"]] == ["a/1", "b"]


def version(account: Account, status: Any) -> None:
    account.s3.put_bucket_versioning(Bucket="logs", VersioningConfiguration={"Status": status})
    assert account.s3.get_bucket_versioning(Bucket="logs")["Status"] == status


def pictured(account: Account) -> tuple[list[str], dict[str, list[Any]]]:
    """Return the keys that a listing shows, and the versions that it does not show."""
    found = account.snapshot()["buckets"]["logs"]
    return list(found["objects"]), found["versions"]


ETAG_0, ETAG_1 = "cfcd208495d565ef66e7dff9f98764da", "c4ca4238a0b923820dcc509a6f75849b"
FIRST, SECOND = ([ACCOUNT, etag, "AES256"] for etag in (ETAG_0, ETAG_1))
OBJECT: Any = {"Bucket": "logs", "Key": "k"}


# [localstack s3/test_s3_api]
def test_a_picture_shows_old_versions_and_delete_markers(account: Account) -> None:
    """A bucket with either of them cannot be deleted."""
    assert "Status" not in account.s3.get_bucket_versioning(Bucket="logs")
    account.s3.put_object(**OBJECT, Body=b"0")
    assert pictured(account) == (["k"], {})
    version(account, "Enabled")
    second = account.s3.put_object(**OBJECT, Body=b"1")["VersionId"]
    assert pictured(account) == (["k"], {"k": [FIRST]})
    marker = account.s3.delete_object(**OBJECT)
    assert marker["DeleteMarker"] is True and marker["VersionId"] != second
    assert pictured(account) == ([], {"k": [FIRST, SECOND, ["delete marker"]]})
    text = (
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
    )
    with refused("BucketNotEmpty", text, 409, BucketName="logs"):
        account.s3.delete_bucket(Bucket="logs")
    found = account.s3.delete_object(**OBJECT, VersionId=marker["VersionId"])
    assert (found["DeleteMarker"], found["VersionId"]) == (True, marker["VersionId"])
    assert account.s3.get_object(**OBJECT)["Body"].read() == b"1"
    assert "DeleteMarker" not in account.s3.delete_object(**OBJECT, VersionId=second)
    account.s3.delete_object(**OBJECT, VersionId="null")
    account.s3.delete_bucket(Bucket="logs")


def test_while_versioning_is_suspended_only_what_has_no_id_is_replaced(account: Account) -> None:
    version(account, "Enabled")
    kept = account.s3.put_object(**OBJECT, Body=b"0")["VersionId"]
    version(account, "Suspended")
    settings = account.snapshot()["buckets"]["logs"]["settings"]
    assert settings == {"versioning": "Suspended", "payer": "BucketOwner", "abac": "Disabled"}
    for body in (b"1", b"2"):
        assert "VersionId" not in account.s3.put_object(**OBJECT, Body=body)
    assert len(account.world.buckets["logs"].objects["k"]) == 2
    assert account.s3.delete_object(**OBJECT)["VersionId"] == "null"
    assert pictured(account)[1]["k"] == [FIRST, ["delete marker"]]
    account.s3.delete_object(**OBJECT, VersionId="null")
    assert [each.version for each in account.world.buckets["logs"].objects["k"]] == [kept]


@pytest.mark.parametrize(
    ("settings", "policy", "read"),
    [
        ({}, [READER], True),
        ({"ownership": "ObjectWriter"}, [READER], False),
        ({"ownership": None}, [READER], False),
        ({"block": {"RestrictPublicBuckets": True}}, [READER], True),
        (
            {"block": {"RestrictPublicBuckets": True}},
            [READER, statement(Principal="*", Action="s3:GetObject", path="/www/*")],
            False,
        ),
    ],
)
def test_who_reads_what_elb_wrote(settings: Any, policy: list[dict[str, Any]], read: bool) -> None:
    """Object Ownership decides; if the policy is public, RestrictPublicBuckets does, too."""
    account = Account()
    account.add_bucket("logs", **settings)
    put_policy(account, statement(), *policy)
    key = account.write_log(account.add_load_balancer("web", bucket="logs"))

    assert key and can_read(account, VENDOR, "logs", key) == read
    assert can_read(account, ACCOUNT, "logs", key)


def test_where_the_requester_pays_another_account_reads_nothing(account: Account) -> None:
    account.s3.put_object(**OBJECT, Body=b"0")
    put_policy(account, READER)
    vendor = account.client("s3", caller=account.caller(account=VENDOR))
    assert vendor.get_object(**OBJECT)
    assert account.s3.get_bucket_request_payment(Bucket="logs")["Payer"] == "BucketOwner"

    paying: Any = {"Payer": "Requester"}
    account.s3.put_bucket_request_payment(Bucket="logs", RequestPaymentConfiguration=paying)

    assert account.s3.get_bucket_request_payment(Bucket="logs")["Payer"] == "Requester"
    with refused("AccessDenied", "Access Denied", 403):
        vendor.get_object(**OBJECT)
    assert not can_read(account, VENDOR, "logs", "k")
    assert account.s3.get_object(**OBJECT)["Body"].read() == b"0"


def test_public_policies_may_be_blocked_by_a_bucket_or_the_account(account: Account) -> None:
    flags = {"BlockPublicPolicy": True}
    for bucket, whole in ((flags, {}), (None, flags), (None, {})):
        account.add_bucket("logs", block=bucket)
        account.world.account_blocks[ACCOUNT] = whole
        denied = refused("AccessDenied", "blocked by the BlockPublicPolicy", 403)
        with denied if bucket or whole else nullcontext():
            put_policy(account, statement(Principal="*"))
        if whole:
            found = account.client("s3control").get_public_access_block(AccountId=ACCOUNT)
            assert found["PublicAccessBlockConfiguration"] == flags

    status = account.s3.get_bucket_policy_status(Bucket="logs")
    assert status["PolicyStatus"] == {"IsPublic": True}


def test_tags_are_replaced_but_the_systems_and_under_abac_not_at_all(account: Account) -> None:
    system, own = {"Key": "aws:cloudformation:stack-name", "Value": "s"}, {"Key": "c", "Value": "d"}
    account.add_bucket("logs", tags={system["Key"]: "s", "a": "b"})
    s3: Any = account.s3

    def put(*tags: Any) -> None:
        s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": list(tags)})

    with refused("InvalidTag", "System tags"):
        put(own)
    put(system, own)

    assert account.snapshot()["buckets"]["logs"]["tags"] == {system["Key"]: "s", "c": "d"}
    if not hasattr(s3, "put_bucket_abac"):
        pytest.skip("the installed boto3 is an old one")
    assert s3.get_bucket_abac(Bucket="logs")["AbacStatus"] == {"Status": "Disabled"}
    s3.put_bucket_abac(Bucket="logs", AbacStatus={"Status": "Enabled"})
    assert s3.get_bucket_abac(Bucket="logs")["AbacStatus"] == {"Status": "Enabled"}
    with refused("InvalidRequest", "ABAC"):
        put(system)
    assert s3.get_bucket_tagging(Bucket="logs")["TagSet"] == [system, own]


# [localstack s3/test_s3]
def test_lifecycle_rules_are_named_and_a_put_without_the_minimum_size_resets_it(
    account: Account,
) -> None:
    def put(size: str = "", **rule: Any) -> Any:
        entry: Any = {"Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
        more: Any = {"TransitionDefaultMinimumObjectSize": size} if size else {}
        account.s3.put_bucket_lifecycle_configuration(
            Bucket="logs", LifecycleConfiguration={"Rules": [entry]}, **more
        )
        return account.s3.get_bucket_lifecycle_configuration(Bucket="logs")

    found = put("varies_by_storage_class", Expiration={"Days": 30})
    (rule,), kept = found["Rules"], account.snapshot()
    assert rule["ID"] and rule["Expiration"] == {"Days": 30}
    assert found["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    found = put(ID=rule["ID"], Expiration={"Days": 30})
    assert found["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    assert account.snapshot() != kept
    put(NoncurrentVersionExpiration={"NoncurrentDays": 1})
    for _ in range(2):
        account.s3.delete_bucket_lifecycle(Bucket="logs")


OAI = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1ABCDEFGHIJKL"
USER = {"CanonicalUser": "79a59df900b949e5" * 4}


@pytest.mark.parametrize(
    ("principal", "kept"),
    [
        ({"AWS": [VENDOR]}, {"AWS": f"arn:aws:iam::{VENDOR}:root"}),
        ({"AWS": OAI}, {"AWS": OAI}),
        (USER, USER),
    ],
)
def test_a_policy_s_principals_are_shown_as_s3_keeps_them(
    account: Account, principal: dict[str, Any], kept: dict[str, str]
) -> None:
    put_policy(account, statement(Principal=principal, Action="s3:GetObject"))
    text = account.s3.get_bucket_policy(Bucket="logs")["Policy"]
    assert json.loads(text)["Statement"][0]["Principal"] == kept
    for _ in range(2):
        account.s3.delete_bucket_policy(Bucket="logs")


def test_a_policy_names_no_principal_that_is_gone_and_is_not_too_long(account: Account) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/app"
    put_policy(account, statement(Principal={"AWS": role}))

    forget_principal(account, role, "AROAEXAMPLEEXAMPLE123")

    text = account.s3.get_bucket_policy(Bucket="logs")["Policy"]
    assert "AROAEXAMPLEEXAMPLE123" in text
    account.world.unknown_principals.add(VENDOR)
    gone = document(statement(Principal={"AWS": f"arn:aws:iam::{VENDOR}:root"}))
    for each in (text, json.dumps(gone)):
        with refused("MalformedPolicy", "Invalid principal in policy"):
            account.s3.put_bucket_policy(Bucket="logs", Policy=each)

    text = json.dumps(document(*[statement(Sid=f"s{number}") for number in range(100)]), indent=4)
    assert len(text) > 20_480  # white space does not count
    account.s3.put_bucket_policy(Bucket="logs", Policy=text)
    with refused("PolicyTooLarge"):
        put_policy(account, *[statement(Sid=f"s{number}") for number in range(140)])
