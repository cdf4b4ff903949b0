"""Reading one bucket's configuration."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar, cast

from botocore.exceptions import ClientError
from botocore.model import StructureShape

from .aws import Aws, Passing, code, denied, message
from .documents import Json
from .model import Absent, Bucket, Unreadable
from .notifications import Configuration

T = TypeVar("T")

ABSENT = ("NoSuchBucket", "404")


def read_bucket(
    aws: Aws,
    name: str,
    account: str,
    *,
    settings: bool = True,
    region: bool = False,
    made: bool = False,
    known: Bucket | None = None,
) -> Bucket | Absent | Unreadable:
    """Read a bucket that belongs to the account; with `region`, also where it is.

    `settings` are those that decide whether logs can flow, which the way out does not need. S3 is
    not asked whether the policy is public where the bucket was `made` since the last look: made
    with Block Public Access, it takes no public one. Of one that is `known`, only where it is.
    A bucket of another account is Unreadable, like one that denies us. Any other error than the
    documented ways of saying "not configured" is raised as ClientError or CallFailed.
    """
    try:
        found = known or _read(aws, name, account)
        if settings and not known:
            found = _with_settings(aws, found, account, made)
        return replace(found, region=_region(aws, name, account)) if region else found
    except ClientError as error:
        if code(error) in ABSENT:
            return Absent()
        if denied(error):
            return Unreadable(f"{error.operation_name}: {message(error).rstrip('.')}")
        raise


def supports(aws: Aws, member: str) -> bool:
    """Tell whether the boto3 in use knows a parameter; a Lambda runtime's own is older."""
    model = aws.s3.meta.service_model
    names = {"CreateBucketRequest", "CreateBucketConfiguration", "ListBucketsRequest"}
    return any(
        isinstance(shape, StructureShape) and member in shape.members
        for shape in map(model.shape_for, names.intersection(model.shape_names))
    )


def _read(aws: Aws, name: str, owner: str) -> Bucket:
    tags = read_tags(aws, name, owner)
    return Bucket(
        name=name,
        tags=tags,
        policy=read_policy(aws, name, owner),
        notifications=read_notifications(aws, name, owner),
    )


def _with_settings(aws: Aws, found: Bucket, owner: str, made: bool) -> Bucket:
    name = found.name
    block = _public_access_block(aws, name, owner)
    restricted = found.policy is not None and block.get("RestrictPublicBuckets", False)
    refused = made and block.get("BlockPublicPolicy", False)
    return replace(
        found,
        encryption=_encryption(aws, name, owner),
        ownership=_ownership(aws, name, owner),
        public_access_block=block,
        public=restricted and not refused and _public(aws, name, owner),
        lifecycle=read_lifecycle(aws, name, owner) if found.maker else (),
    )


def _call(aws: Aws, operation: Callable[[], T], unset: str, default: T, *passing: Passing) -> T:
    """Make a call, taking the error `unset`, and no other, for the default."""
    try:
        return aws.call(operation, *passing)
    except ClientError as error:
        if code(error) == unset:
            return default
        raise


def read_tags(aws: Aws, bucket: str, owner: str, *passing: Passing) -> dict[str, str]:
    """Return the bucket's tags."""
    return _call(
        aws,
        lambda: {
            tag["Key"]: tag["Value"]
            for tag in aws.s3.get_bucket_tagging(Bucket=bucket, ExpectedBucketOwner=owner)["TagSet"]
        },
        "NoSuchTagSet",
        {},
        *passing,
    )


def read_policy(aws: Aws, bucket: str, owner: str, *passing: Passing) -> str | None:
    """Return the bucket's policy as S3 has it; only NoSuchBucketPolicy means that there is none."""
    return _call(
        aws,
        lambda: aws.s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=owner)["Policy"],
        "NoSuchBucketPolicy",
        None,
        *passing,
    )


def read_notifications(aws: Aws, bucket: str, owner: str, *passing: Passing) -> Configuration:
    """Return all of the bucket's notification configuration, EventBridge included."""
    answer = aws.call(
        lambda: aws.s3.get_bucket_notification_configuration(
            Bucket=bucket, ExpectedBucketOwner=owner
        ),
        *passing,
    )
    return {key: cast(Json, value) for key, value in answer.items() if key != "ResponseMetadata"}


def read_lifecycle(aws: Aws, bucket: str, owner: str) -> tuple[Mapping[str, Json], ...]:
    """Return the bucket's lifecycle rules."""
    return _call(
        aws,
        lambda: tuple(
            cast(Mapping[str, Json], rule)
            for rule in aws.s3.get_bucket_lifecycle_configuration(
                Bucket=bucket, ExpectedBucketOwner=owner
            )["Rules"]
        ),
        "NoSuchLifecycleConfiguration",
        (),
    )


def _encryption(aws: Aws, bucket: str, owner: str) -> str:
    return _call(
        aws,
        lambda: next(
            (
                rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"]
                for rule in aws.s3.get_bucket_encryption(Bucket=bucket, ExpectedBucketOwner=owner)[
                    "ServerSideEncryptionConfiguration"
                ]["Rules"]
                if "ApplyServerSideEncryptionByDefault" in rule
            ),
            "AES256",
        ),
        "ServerSideEncryptionConfigurationNotFoundError",
        "AES256",  # since 2023 S3 encrypts with SSE-S3 whatever is configured
    )


def _ownership(aws: Aws, bucket: str, owner: str) -> str:
    return _call(
        aws,
        lambda: aws.s3.get_bucket_ownership_controls(Bucket=bucket, ExpectedBucketOwner=owner)[
            "OwnershipControls"
        ]["Rules"][0]["ObjectOwnership"],
        "OwnershipControlsNotFoundError",
        "ObjectWriter",  # what a bucket has that was made before the setting existed
    )


def _public_access_block(aws: Aws, bucket: str, owner: str) -> dict[str, bool]:
    return _call(
        aws,
        lambda: {
            key: bool(value)
            for key, value in aws.s3.get_public_access_block(
                Bucket=bucket, ExpectedBucketOwner=owner
            )["PublicAccessBlockConfiguration"].items()
        },
        "NoSuchPublicAccessBlockConfiguration",
        {},
    )


def _public(aws: Aws, bucket: str, owner: str) -> bool:
    return _call(
        aws,
        lambda: aws.s3.get_bucket_policy_status(Bucket=bucket, ExpectedBucketOwner=owner)[
            "PolicyStatus"
        ]["IsPublic"],
        "NoSuchBucketPolicy",
        False,
    )


def _region(aws: Aws, bucket: str, owner: str) -> str:
    """Return the bucket's region; S3 answers us-east-1 as null and old eu-west-1 as EU."""
    answer = aws.call(lambda: aws.s3.get_bucket_location(Bucket=bucket, ExpectedBucketOwner=owner))
    named: str | None = answer.get("LocationConstraint")
    return "eu-west-1" if named == "EU" else named or "us-east-1"
