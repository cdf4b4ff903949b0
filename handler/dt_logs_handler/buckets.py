"""Read a bucket's configuration, and replace single settings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from botocore.exceptions import ClientError

from .aws import code, denied, message
from .model import PRIVATE, Absent, Bucket, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias, TypedDict

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import ObjectOwnershipType, ServerSideEncryptionType
    from mypy_boto3_s3.type_defs import (
        NotificationConfigurationTypeDef,
        PublicAccessBlockConfigurationTypeDef,
        PutBucketLifecycleConfigurationRequestTypeDef,
    )

    from .aws import Aws, Passing
    from .documents import Configuration

    class At(TypedDict):
        """A call's bucket, and the account that must own it."""

        Bucket: str
        ExpectedBucketOwner: str

    Operation: TypeAlias = Callable[[S3Client, At], "T"]


T = TypeVar("T")

ABSENT = ("NoSuchBucket", "404")


@dataclass(frozen=True)
class OwnedBucket:
    """A bucket for calls to S3; each call names the account that must own the bucket.

    `passing` lists the errors that are temporary for this bucket.
    """

    aws: Aws
    name: str
    owner: str
    passing: tuple[Passing, ...] = ()

    def call(self, operation: Operation[T], *passing: Passing) -> T:
        """Make a call about the bucket, as `Aws.call` does."""
        at: At = {"Bucket": self.name, "ExpectedBucketOwner": self.owner}
        return self.aws.call(lambda: operation(self.aws.s3, at), *self.passing, *passing)


@dataclass(frozen=True)
class Reading(Generic[T]):
    """How to read one part of a bucket's configuration.

    If S3 answers with the error code `unset`, the value is `default`.
    """

    unset: str | None
    default: T
    get: Operation[T]

    def read(self, bucket: OwnedBucket) -> T:
        """Return the value. Raises ClientError, CallFailed, OutOfTime."""
        try:
            return bucket.call(self.get)
        except ClientError as error:
            if code(error) == self.unset:
                return self.default
            raise


@dataclass(frozen=True)
class Setting(Reading[T]):
    """One setting of a bucket: how to read it, and how to replace it."""

    put: Callable[[S3Client, At, T], object]

    def write(self, bucket: OwnedBucket, value: T, *passing: Passing) -> None:
        """Replace the value. Raises ClientError, CallFailed, OutOfTime."""
        bucket.call(lambda s3, at: self.put(s3, at, value), *passing)


def _body(answer: Mapping[str, object]) -> Configuration:
    return cast(
        "Configuration", {key: each for key, each in answer.items() if key != "ResponseMetadata"}
    )


def _algorithm(s3: S3Client, at: At) -> ServerSideEncryptionType:
    rules = s3.get_bucket_encryption(**at)["ServerSideEncryptionConfiguration"]["Rules"]
    found = (rule.get("ApplyServerSideEncryptionByDefault") for rule in rules)
    return next((each["SSEAlgorithm"] for each in found if each), "AES256")


def _region(answer: Mapping[str, object]) -> str:
    """Return the bucket's region; S3 returns null for us-east-1 and can return EU for eu-west-1."""
    named = answer.get("LocationConstraint")
    return "eu-west-1" if named == "EU" else str(named or "us-east-1")


def _put_policy(s3: S3Client, at: At, policy: str | None) -> object:
    if policy is None:
        return s3.delete_bucket_policy(**at)
    return s3.put_bucket_policy(**at, Policy=policy)


def _put_lifecycle(s3: S3Client, at: At, value: Configuration) -> object:
    request: dict[str, object] = {**at, **value}
    request["LifecycleConfiguration"] = {"Rules": request.pop("Rules")}
    return s3.put_bucket_lifecycle_configuration(
        **cast("PutBucketLifecycleConfigurationRequestTypeDef", request)
    )


def _notifications(unchecked: bool) -> Setting[Configuration]:
    return Setting(
        None,
        {},
        lambda s3, at: _body(s3.get_bucket_notification_configuration(**at)),
        lambda s3, at, value: s3.put_bucket_notification_configuration(
            **at,
            NotificationConfiguration=cast("NotificationConfigurationTypeDef", value),
            SkipDestinationValidation=unchecked,
        ),
    )


TAGS: Setting[Mapping[str, str]] = Setting(
    "NoSuchTagSet",
    {},
    lambda s3, at: {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(**at)["TagSet"]},
    lambda s3, at, tags: s3.put_bucket_tagging(
        **at, Tagging={"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}
    ),
)
POLICY: Setting[str | None] = Setting(
    "NoSuchBucketPolicy", None, lambda s3, at: s3.get_bucket_policy(**at)["Policy"], _put_policy
)
NOTIFICATIONS = _notifications(False)
# Without validation, our entries can be removed even if a foreign entry's destination is gone.
NOTIFICATIONS_UNCHECKED = _notifications(True)
LIFECYCLE: Setting[Configuration] = Setting(
    "NoSuchLifecycleConfiguration",
    {},
    lambda s3, at: _body(s3.get_bucket_lifecycle_configuration(**at)),
    _put_lifecycle,
)
_ENCRYPTION: Setting[ServerSideEncryptionType] = Setting(
    "ServerSideEncryptionConfigurationNotFoundError",
    "AES256",  # S3 has encrypted with SSE-S3 by default since 2023
    _algorithm,
    lambda s3, at, value: s3.put_bucket_encryption(
        **at,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": value}}]
        },
    ),
)
_OWNERSHIP: Setting[ObjectOwnershipType] = Setting(
    "OwnershipControlsNotFoundError",
    "ObjectWriter",  # the behaviour of buckets that are older than this setting
    lambda s3, at: s3.get_bucket_ownership_controls(**at)["OwnershipControls"]["Rules"][0][
        "ObjectOwnership"
    ],
    lambda s3, at, value: s3.put_bucket_ownership_controls(
        **at, OwnershipControls={"Rules": [{"ObjectOwnership": value}]}
    ),
)
_PUBLIC_ACCESS_BLOCK: Setting[PublicAccessBlockConfigurationTypeDef] = Setting(
    "NoSuchPublicAccessBlockConfiguration",
    {},
    lambda s3, at: s3.get_public_access_block(**at)["PublicAccessBlockConfiguration"],
    lambda s3, at, value: s3.put_public_access_block(**at, PublicAccessBlockConfiguration=value),
)


_PUBLIC: Reading[bool] = Reading(
    "NoSuchBucketPolicy",
    False,
    lambda s3, at: s3.get_bucket_policy_status(**at)["PolicyStatus"]["IsPublic"],
)
_REGION: Reading[str] = Reading(None, "", lambda s3, at: _region(s3.get_bucket_location(**at)))


def secure(bucket: OwnedBucket) -> None:
    """Give a bucket the security settings that new buckets have had since 2023. Repeatable."""
    block = cast("PublicAccessBlockConfigurationTypeDef", PRIVATE)
    _PUBLIC_ACCESS_BLOCK.write(bucket, block)
    _ENCRYPTION.write(bucket, "AES256")
    _OWNERSHIP.write(bucket, "BucketOwnerEnforced")


def read_bucket(
    aws: Aws,
    name: str,
    account: str,
    *,
    settings: bool = True,
    region: bool = False,
) -> Bucket | Absent | Unreadable:
    """Read a bucket of the account; with `region`, also read the bucket's region.

    With `settings`, this also reads the settings that decide whether logs can flow; a removal does
    not need them. Returns Absent if the bucket does not exist, and Unreadable if we are denied
    access, for example because another account owns the bucket. A setting that is not configured
    has its default value. Raises CallFailed, OutOfTime, and ClientError for any other error.
    """
    bucket, policy = OwnedBucket(aws, name, account), None
    try:
        found = Bucket(name, TAGS.read(bucket), POLICY.read(bucket), NOTIFICATIONS.read(bucket))
        if settings:
            found = _with_settings(bucket, found)
        return replace(found, region=_REGION.read(bucket)) if region else found
    except ClientError as error:
        if code(error) in ABSENT:
            return Absent()
        if denied(error):
            with suppress(ClientError):
                policy = POLICY.read(bucket)
            return Unreadable(f"{error.operation_name}: {message(error).rstrip('.')}", policy)
        raise


def _with_settings(bucket: OwnedBucket, found: Bucket) -> Bucket:
    block = cast("Mapping[str, bool]", _PUBLIC_ACCESS_BLOCK.read(bucket))
    matters = found.policy is not None and block.get("RestrictPublicBuckets", False)
    return replace(
        found,
        encryption=_ENCRYPTION.read(bucket),
        ownership=_OWNERSHIP.read(bucket),
        public_access_block=block,
        public=matters and _PUBLIC.read(bucket),
        lifecycle=LIFECYCLE.read(bucket) if found.maker else {},
    )


def supports(aws: Aws, member: str) -> bool:
    """Return whether boto3 can create or list buckets with a parameter.

    Lambda may have an older boto3.
    """
    model = aws.s3.meta.service_model
    names = {"CreateBucketRequest", "CreateBucketConfiguration", "ListBucketsRequest"}
    return any(
        member in getattr(model.shape_for(name), "members", ())
        for name in names.intersection(model.shape_names)
    )
