"""Reading one bucket's configuration."""

from collections.abc import Callable
from typing import TypeVar, cast

from botocore.exceptions import ClientError

from .aws import Aws, Passing, code, denied, message
from .documents import Json
from .marks import BUCKET_TAG
from .model import Absent, Bucket, Unreadable
from .notifications import Configuration

T = TypeVar("T")

ABSENT = ("NoSuchBucket", "404")


def read_bucket(
    aws: Aws, name: str, account: str, *, region: bool = False, passing: tuple[Passing, ...] = ()
) -> Bucket | Absent | Unreadable:
    """Read a bucket that belongs to the account; with `region`, also where it is.

    A bucket of another account is Unreadable, like one that denies us. Any other error than the
    documented ways of saying "not configured" is raised as ClientError or CallFailed.
    """
    try:
        return _read(_Reader(aws, name, account, passing), region)
    except ClientError as error:
        if code(error) in ABSENT:
            return Absent()
        if denied(error):
            return Unreadable(f"{error.operation_name}: {message(error).rstrip('.')}")
        raise


def _read(reader: "_Reader", region: bool) -> Bucket:
    tags = reader.tags()
    block = reader.public_access_block()
    policy = reader.policy()
    return Bucket(
        name=reader.name,
        tags=tags,
        policy=policy,
        notifications=reader.notifications(),
        encryption=reader.encryption(),
        ownership=reader.ownership(),
        public_access_block=block,
        public=policy is not None and block.get("RestrictPublicBuckets", False) and reader.public(),
        region=reader.region() if region else "",
        lifecycle=reader.lifecycle() if BUCKET_TAG in tags else (),
    )


class _Reader:
    """Makes the calls; every one names the expected owner."""

    def __init__(self, aws: Aws, name: str, account: str, passing: tuple[Passing, ...]) -> None:
        self.name = name
        self._aws = aws
        self._s3 = aws.s3
        self._account = account
        self._passing = passing

    def _call(self, operation: Callable[[], T], unset: str, default: T) -> T:
        """Make a call, taking the error `unset`, and no other, for the default."""
        try:
            return self._aws.call(operation, *self._passing)
        except ClientError as error:
            if code(error) == unset:
                return default
            raise

    def tags(self) -> dict[str, str]:
        return self._call(
            lambda: {
                tag["Key"]: tag["Value"]
                for tag in self._s3.get_bucket_tagging(
                    Bucket=self.name, ExpectedBucketOwner=self._account
                )["TagSet"]
            },
            "NoSuchTagSet",
            {},
        )

    def policy(self) -> str | None:
        return self._call(
            lambda: self._s3.get_bucket_policy(
                Bucket=self.name, ExpectedBucketOwner=self._account
            )["Policy"],
            "NoSuchBucketPolicy",
            None,
        )

    def notifications(self) -> Configuration:
        answer = self._aws.call(
            lambda: self._s3.get_bucket_notification_configuration(
                Bucket=self.name, ExpectedBucketOwner=self._account
            ),
            *self._passing,
        )
        return {
            key: cast(Json, value) for key, value in answer.items() if key != "ResponseMetadata"
        }

    def encryption(self) -> str:
        return self._call(
            lambda: self._s3.get_bucket_encryption(
                Bucket=self.name, ExpectedBucketOwner=self._account
            )["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"][
                "SSEAlgorithm"
            ],
            "ServerSideEncryptionConfigurationNotFoundError",
            "AES256",  # since 2023 S3 encrypts with SSE-S3 whatever is configured
        )

    def ownership(self) -> str:
        return self._call(
            lambda: self._s3.get_bucket_ownership_controls(
                Bucket=self.name, ExpectedBucketOwner=self._account
            )["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
            "OwnershipControlsNotFoundError",
            "ObjectWriter",  # what a bucket has that was made before the setting existed
        )

    def public_access_block(self) -> dict[str, bool]:
        return self._call(
            lambda: {
                key: bool(value)
                for key, value in self._s3.get_public_access_block(
                    Bucket=self.name, ExpectedBucketOwner=self._account
                )["PublicAccessBlockConfiguration"].items()
            },
            "NoSuchPublicAccessBlockConfiguration",
            {},
        )

    def public(self) -> bool:
        return self._call(
            lambda: self._s3.get_bucket_policy_status(
                Bucket=self.name, ExpectedBucketOwner=self._account
            )["PolicyStatus"]["IsPublic"],
            "NoSuchBucketPolicy",
            False,
        )

    def region(self) -> str:
        """Return the bucket's region; S3 answers us-east-1 as null and old eu-west-1 as EU."""
        answer = self._aws.call(
            lambda: self._s3.get_bucket_location(
                Bucket=self.name, ExpectedBucketOwner=self._account
            ),
            *self._passing,
        )
        named = answer.get("LocationConstraint")
        return "eu-west-1" if named == "EU" else named or "us-east-1"

    def lifecycle(self) -> tuple[dict[str, Json], ...]:
        return self._call(
            lambda: tuple(
                cast(dict[str, Json], rule)
                for rule in self._s3.get_bucket_lifecycle_configuration(
                    Bucket=self.name, ExpectedBucketOwner=self._account
                )["Rules"]
            ),
            "NoSuchLifecycleConfiguration",
            (),
        )
