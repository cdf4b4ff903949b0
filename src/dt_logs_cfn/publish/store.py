"""Write to a destination's bucket: most objects once, and two by compare-and-swap."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.publish.plan import FOR_EVER, FRESH, Upload, content_type
from dt_logs_cfn.release.catalogue import LIMIT
from dt_logs_cfn.verify.signature import LIMIT as SIGNATURE_LIMIT
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

Result = Literal["created", "there already", "changed"]

# S3's error codes if a write's condition does not hold: the object exists, or somebody else wrote
# at the same time [AWS, "Conditional writes"].
_TAKEN = frozenset(("PreconditionFailed", "412"))
# NoSuchKey: the object that If-Match names was deleted.
_CONFLICT = frozenset(("ConditionalRequestConflict", "OperationAborted", "409", "NoSuchKey"))
_TRIES = 20
_LONGEST_PAUSE = 2.0  # seconds


@dataclass(frozen=True)
class Store:
    """A destination's bucket, and the public URL below which customers find its objects.

    Every call names the account that owns the bucket.
    """

    s3: S3Client
    bucket: str
    owner: str
    public_url: str
    sleep: Callable[[float], None]
    random: Random

    def create(self, upload: Upload, as_good: Callable[[bytes], bool] | None = None) -> Result:
        """Write an object unless it exists; repeatable.

        S3 checks the SHA-256 before it stores anything. An existing object is never overwritten.
        Raises ClientError, and PublishError for other bytes that `as_good` does not accept.
        """
        request = self._request(upload.key, upload.content, FOR_EVER)
        request["IfNoneMatch"] = "*"
        if upload.retain_until is not None:
            request["ObjectLockMode"] = "COMPLIANCE"
            request["ObjectLockRetainUntilDate"] = upload.retain_until
        for number in range(_TRIES):
            try:
                self.s3.put_object(**request)
                return "created"
            except ClientError as error:
                if code(error) in _TAKEN:
                    return self._there(upload, as_good)
                if code(error) not in _CONFLICT:
                    raise
            self._pause(number)
        raise self._contended(upload.key)

    def change(
        self, key: str, change: Callable[[bytes | None], bytes | None]
    ) -> tuple[Result, bytes | None]:
        """Replace an object's content with the result of `change`; return the outcome and content.

        If somebody else writes the object meanwhile, it is read and changed again. None means that
        there is no object. If `change` returns None or the same content, nothing is written. Raises
        ClientError, and PublishError if others keep writing.
        """
        for number in range(_TRIES):
            there = self._index(key)
            found = there.content if there else None
            wanted = change(found)
            if wanted is None or wanted == found:
                return "there already", found
            request = self._request(key, wanted, FRESH)
            if there is None:
                request["IfNoneMatch"] = "*"
            else:
                request["IfMatch"] = there.tag
            try:
                self.s3.put_object(**request)
                return ("created" if there is None else "changed"), wanted
            except ClientError as error:
                if code(error) not in _TAKEN | _CONFLICT:
                    raise
            self._pause(number)
        raise self._contended(key)

    def read(self, key: str) -> bytes | None:
        """Return the content of `versions.json` or `latest.json`, or None if it does not exist."""
        found = self._index(key)
        return found.content if found else None

    def _there(self, upload: Upload, as_good: Callable[[bytes], bool] | None) -> Result:
        limit = max(len(upload.content), SIGNATURE_LIMIT)
        found = aws.read_object(self.s3, self.bucket, upload.key, self.owner, limit)
        content = found.content if found else b""
        if content != upload.content and not (as_good and as_good(content)):
            raise PublishError(
                f"s3://{self.bucket}/{upload.key} exists with other contents.",
                "Raise __version__ in src/dt_logs_cfn/__init__.py: published objects never change.",
            )
        until = upload.retain_until
        if until is None or (found and found.retained and found.retained >= until):
            return "there already"
        self.s3.put_object_retention(
            Bucket=self.bucket,
            Key=upload.key,
            ExpectedBucketOwner=self.owner,
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until},
        )
        return "changed"

    def _index(self, key: str) -> aws.S3Object | None:
        """Return `versions.json` or `latest.json`. Raises PublishError if it is too large."""
        found = aws.read_object(self.s3, self.bucket, key, self.owner, LIMIT)
        if found and len(found.content) > LIMIT:
            raise PublishError(
                f"s3://{self.bucket}/{key} has over {LIMIT:,} bytes.",
                "This program did not write it. Correct it.",
            )
        return found

    def _request(self, key: str, content: bytes, cache: str) -> PutObjectRequestTypeDef:
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        return {
            "Bucket": self.bucket,
            "Key": key,
            "Body": content,
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": digest,
            "ContentType": content_type(key),
            "CacheControl": cache,
            "ExpectedBucketOwner": self.owner,
        }

    def _pause(self, number: int) -> None:
        self.sleep(self.random.uniform(0, min(0.05 * 2.0**number, _LONGEST_PAUSE)))

    def _contended(self, key: str) -> PublishError:
        return PublishError(
            f"Others keep writing s3://{self.bucket}/{key}.", "Publish again when they are done."
        )
