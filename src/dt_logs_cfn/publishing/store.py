"""The bucket of a destination: objects written once, and two that change, by compare and swap."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from dt_logs_cfn.aws import code
from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.publishing.catalogue import LIMIT
from dt_logs_cfn.publishing.plan import FOR_EVER, FRESH, Upload, content_type

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

Result = Literal["created", "there already", "changed"]

# S3's answers where the condition of a write does not hold: something is there, or another writer
# was at it at the same time [AWS, "Conditional writes"].
_TAKEN = frozenset(("PreconditionFailed", "412"))
_CONFLICT = frozenset(("ConditionalRequestConflict", "409", "NoSuchKey"))
_TRIES = 50
_LONGEST_PAUSE = 4.0  # seconds


@dataclass(frozen=True)
class Store:
    """A bucket that one account owns; every call names that account."""

    s3: S3Client
    bucket: str
    owner: str
    sleep: Callable[[float], None]
    random: Random

    def create(self, upload: Upload) -> Result:
        """Write an object unless it is there; repeatable.

        S3 checks the SHA-256 before it keeps anything. Raises PublishError where other bytes are
        there: those are not overwritten. Raises ClientError.
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
                    return self._same(upload)
                if code(error) not in _CONFLICT:
                    raise
            self._pause(number)
        raise self._contended(upload.key)

    def change(
        self, key: str, change: Callable[[bytes | None], bytes | None]
    ) -> tuple[Result, bytes | None]:
        """Replace an object by what `change` makes of what is there; returns what it then is.

        Written only if it is still what was read; else it is read again. None stands for no
        object; where `change` returns it, or what is there, nothing is written. Raises
        PublishError if others write all the time, and ClientError.
        """
        for number in range(_TRIES):
            found, tag = self._read(key, LIMIT)
            wanted = change(found)
            if wanted is None or wanted == found:
                return "there already", found
            request = self._request(key, wanted, FRESH)
            if tag is None:
                request["IfNoneMatch"] = "*"
            else:
                request["IfMatch"] = tag
            try:
                self.s3.put_object(**request)
                return ("created" if tag is None else "changed"), wanted
            except ClientError as error:
                if code(error) not in _TAKEN | _CONFLICT:
                    raise
            self._pause(number)
        raise self._contended(key)

    def read(self, key: str) -> bytes | None:
        """Return one of the two objects that change, or None if it is not there."""
        return self._read(key, LIMIT)[0]

    def _same(self, upload: Upload) -> Result:
        found, _ = self._read(upload.key, len(upload.content))
        if found != upload.content:
            raise PublishError(
                f"s3://{self.bucket}/{upload.key} is there with other contents.",
                upload.if_other,
            )
        return "there already"

    def _read(self, key: str, limit: int) -> tuple[bytes | None, str | None]:
        """Return an object, a byte more than `limit` at most, and its ETag; None if not there."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key, ExpectedBucketOwner=self.owner)
        except ClientError as error:
            if code(error) == "NoSuchKey":
                return None, None
            raise
        with answer["Body"] as body:
            content = body.read(limit + 1)
        if len(content) > limit and limit == LIMIT:
            raise PublishError(
                f"s3://{self.bucket}/{key} has over {limit:,} bytes.",
                "It is none of ours: mend it.",
            )
        return content, answer["ETag"]

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
