"""Buckets and objects."""

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
from support.looks import can_read

from dt_logs_rehearsal.account import Account, Caller


def test_a_new_bucket_has_the_defaults_of_2023_and_an_old_one_nothing(
    account: Account,
) -> None:
    create(account, "new")
    account.add_bucket("old", ownership=None, block=None)

    encryption = account.s3.get_bucket_encryption(Bucket="new")
    rule = encryption["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    block = account.s3.get_public_access_block(Bucket="new")["PublicAccessBlockConfiguration"]
    assert len(block) == 4 and all(block.values())
    ownership = account.s3.get_bucket_ownership_controls(Bucket="new")["OwnershipControls"]
    assert ownership == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert account.s3.get_bucket_location(Bucket="new")["LocationConstraint"] is None
    with refused("OwnershipControlsNotFoundError", status=404):
        account.s3.get_bucket_ownership_controls(Bucket="old")
    with refused("NoSuchPublicAccessBlockConfiguration", status=404):
        account.s3.get_public_access_block(Bucket="old")


def test_a_location_constraint_of_elsewhere() -> None:
    account = Account(region="eu-west-1")
    for location in ("us-east-1", "eu-west-2", ""):
        with refused("IllegalLocationConstraintException", location or "unspecified"):
            create(account, "logs", location)
    create(account, "logs", "eu-west-1")
    assert account.s3.get_bucket_location(Bucket="logs")["LocationConstraint"] == "eu-west-1"


# [localstack s3/test_s3_api]
@needs_new_boto3
def test_a_bucket_is_created_again_only_in_us_east_1_and_without_tags() -> None:
    east, west = Account(), Account(region="eu-west-1")
    create(west, "new", "eu-west-1")
    create(east, "new", tags={"a": "b"})

    create(east, "new")
    for tags in ({"a": "b"}, {"a": "c"}):
        with refused("BucketAlreadyOwnedByYou", "you already own it", 409):
            create(east, "new", tags=tags)
    with refused("BucketAlreadyOwnedByYou", status=409):
        create(west, "new", "eu-west-1")


# [localstack s3/test_s3_api]
@needs_new_boto3
def test_tags_at_creation_have_errors_of_their_own() -> None:
    account = Account()
    reserved = (
        'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags.'
        ' Remove "aws:" from your tag keys and try again.'
    )
    tags: Any = [{"Key": "a", "Value": "b"}] * 2

    with refused("InvalidTag", reserved, TagKey="aws:a"):
        create(account, "new", tags={"aws:a": "b"})
    with refused("InternalError", "We encountered an internal error. Please try again.", 500):
        account.s3.create_bucket(Bucket="new", CreateBucketConfiguration={"Tags": tags})


@needs_new_boto3
@pytest.mark.parametrize(
    ("name", "namespace", "code"),
    [
        (f"logs-{ACCOUNT}-us-east-1-an", "account-regional", None),
        (f"logs-{ACCOUNT}-us-east-1-an", "global", "MissingNamespaceHeader"),
        (f"logs-{VENDOR}-us-east-1-an", "account-regional", "InvalidBucketNamespace"),
        (f"logs-{ACCOUNT}-eu-west-1-an", "account-regional", "InvalidBucketNamespace"),
        ("logs", "account-regional", "InvalidNamespaceHeader"),
        ("logs", "global", None),
    ],
)
def test_the_accounts_regional_namespace(name: str, namespace: str, code: str | None) -> None:
    with refused(code) if code else nullcontext():
        create(Account(), name, BucketNamespace=namespace)


@needs_new_boto3
def test_two_regions_have_no_such_namespace() -> None:
    for region in ("me-south-1", "me-central-1"):
        account = Account(region=region)
        name = f"logs-{ACCOUNT}-{region}-an"
        with refused("InvalidBucketNamespace"):
            create(account, name, region, BucketNamespace="account-regional")
        create(account, "logs", region)


@needs_new_boto3
def test_an_old_boto3_knows_no_namespace_and_no_tags_on_create() -> None:
    account = Account(old_boto3=True)

    with pytest.raises(ParamValidationError, match="BucketNamespace"):
        create(account, "logs", BucketNamespace="global")
    with pytest.raises(ParamValidationError, match="Tags"):
        create(account, "logs", tags={"a": "b"})
    assert [knows_namespaces(each) for each in (account, Account())] == [False, True]


# [localstack s3/test_s3_api]
def test_a_bucket_whose_versions_are_left_says_so(account: Account) -> None:
    account.add_bucket("old")
    account.world.buckets["old"].versioning = "Enabled"
    text = (
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
    )
    marker = account.s3.put_object(Bucket="old", Key="k")["VersionId"]
    deleted = account.s3.delete_object(Bucket="old", Key="k")
    assert deleted["DeleteMarker"] is True and deleted["VersionId"] != marker
    with refused("BucketNotEmpty", text, 409, BucketName="old"):
        account.s3.delete_bucket(Bucket="old")
    found = account.s3.delete_object(Bucket="old", Key="k", VersionId=deleted["VersionId"])
    assert (found["DeleteMarker"], found["VersionId"]) == (True, deleted["VersionId"])
    assert account.s3.get_object(Bucket="old", Key="k")
    found = account.s3.delete_object(Bucket="old", Key="k", VersionId=marker)
    assert "DeleteMarker" not in found
    account.s3.delete_bucket(Bucket="old")


def test_buckets_are_listed_in_pages_and_regions_when_asked() -> None:
    account = Account()
    for name in ("b-1", "a-1", "b-2"):
        account.add_bucket(name)
    account.add_bucket("b-far", region="eu-west-1")
    account.add_bucket("b-theirs", owner=VENDOR)

    plain = account.s3.list_buckets()["Buckets"]
    near = account.s3.list_buckets(BucketRegion="us-east-1", MaxBuckets=2)
    rest = account.s3.list_buckets(
        BucketRegion="us-east-1", MaxBuckets=2, ContinuationToken=near["ContinuationToken"]
    )

    assert [each["Name"] for each in plain] == ["a-1", "b-1", "b-2", "b-far"]
    assert "BucketRegion" not in plain[0]
    assert [each["Name"] for each in near["Buckets"] + rest["Buckets"]] == ["a-1", "b-1", "b-2"]
    assert near["Buckets"][0]["BucketRegion"] == "us-east-1"
    assert "ContinuationToken" not in rest


def test_objects_are_listed_in_pages_and_from_a_key_on(account: Account) -> None:
    for key in ("a/1", "a/2", "b"):
        account.s3.put_object(Bucket="logs", Key=key, Body=key.encode())

    one = account.s3.list_objects_v2(Bucket="logs", MaxKeys=1)
    token = one["NextContinuationToken"]
    rest = account.s3.list_objects_v2(Bucket="logs", StartAfter="a/1", ContinuationToken=token)

    assert [each["Key"] for found in (one, rest) for each in found["Contents"]] == ["a/1", "b"]


def test_ownership_decides_who_reads_what_elb_wrote() -> None:
    reader = statement(Principal={"AWS": VENDOR}, Action="s3:GetObject")
    for ownership, read in (("BucketOwnerEnforced", True), ("ObjectWriter", False), (None, False)):
        account = Account()
        account.add_bucket("logs", ownership=ownership)
        put_policy(account, statement(), reader)
        key = account.write_log(account.add_load_balancer("web", bucket="logs"))

        assert key and can_read(account, VENDOR, "logs", key) == read
        assert can_read(account, ACCOUNT, "logs", key)


def test_restricting_public_buckets_cuts_off_other_accounts(account: Account) -> None:
    reader = statement(Principal={"AWS": VENDOR}, Action="s3:GetObject")
    public = statement(Principal="*", Action="s3:GetObject", path="/www/*")
    account.add_bucket(
        "logs", block={"RestrictPublicBuckets": True}, policy={"Statement": [reader]}
    )
    assert can_read(account, VENDOR, "logs", "k")

    put_policy(account, reader, public)

    assert not can_read(account, VENDOR, "logs", "k")


def test_an_account_level_block_counts(account: Account) -> None:
    account.add_bucket("logs", block=None)
    flags = {"BlockPublicPolicy": True}
    account.world.account_blocks[ACCOUNT] = flags

    with refused("AccessDenied", "BlockPublicPolicy", 403):
        put_policy(account, statement(Principal="*"))
    found = account.client("s3control").get_public_access_block(AccountId=ACCOUNT)
    assert found["PublicAccessBlockConfiguration"] == flags


def test_tags_are_replaced_but_the_systems(account: Account) -> None:
    account.add_bucket("logs", tags={"aws:cloudformation:stack-name": "s", "a": "b"})
    system = {"Key": "aws:cloudformation:stack-name", "Value": "s"}

    def put(*tags: Any) -> None:
        account.s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": list(tags)})

    with refused("InvalidTag", "System tags"):
        put({"Key": "c", "Value": "d"})
    put(system, {"Key": "c", "Value": "d"})

    assert account.snapshot()["buckets"]["logs"]["tags"] == {system["Key"]: "s", "c": "d"}


# [localstack s3/test_s3]
def test_lifecycle_rules_are_named_and_a_put_without_the_minimum_size_resets_it(
    account: Account,
) -> None:
    def put(size: str = "", **rule: Any) -> None:
        entry: Any = {"Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
        more: Any = {"TransitionDefaultMinimumObjectSize": size} if size else {}
        account.s3.put_bucket_lifecycle_configuration(
            Bucket="logs", LifecycleConfiguration={"Rules": [entry]}, **more
        )

    def found() -> Any:
        return account.s3.get_bucket_lifecycle_configuration(Bucket="logs")

    put("varies_by_storage_class", Expiration={"Days": 30})
    (rule,) = found()["Rules"]
    assert rule["ID"] and rule["Expiration"] == {"Days": 30}
    assert found()["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    kept = account.snapshot()
    put(ID=rule["ID"], Expiration={"Days": 30})
    assert found()["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    assert account.snapshot() != kept
    put(NoncurrentVersionExpiration={"NoncurrentDays": 1})
    account.s3.delete_bucket_lifecycle(Bucket="logs")
    account.s3.delete_bucket_lifecycle(Bucket="logs")


def test_what_may_not_be_listed_may_not_be_told_missing(account: Account) -> None:
    may_get = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    caller: Caller = account.caller([may_get])

    with refused("AccessDenied", status=403):
        account.client("s3", caller=caller).get_object(Bucket="logs", Key="none")
