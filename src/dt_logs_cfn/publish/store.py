"""Write a version's objects to a bucket once, and change two others by compare-and-swap."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from random import uniform
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.release.catalogue import LIMIT
from dt_logs_cfn.verify.provenance import SIGNATURE_LIMIT
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

Result = Literal["created", "there already", "changed"]
Signer = Callable[[bytes, bytes], "str | None"]  # (content, signature): the signer, or None

# A version's objects never change. `versions.json` and `latest.json` do, so caches must revalidate
# them.
_FOR_EVER = "public, max-age=31536000, immutable"
_FRESH = "no-cache"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "zip": "application/zip",
}
_TEXT = "text/plain; charset=utf-8"

# S3's error codes for a conditional write [AWS, "Conditional writes"]. _TAKEN: the object exists or
# has changed. _CONFLICT: others write it at the same time.
_TAKEN = frozenset(("PreconditionFailed", "412"))
# NoSuchKey: the object that If-Match expects was deleted.
_CONFLICT = frozenset(("ConditionalRequestConflict", "OperationAborted", "409", "NoSuchKey"))
_TRIES = 20
_LONGEST_PAUSE = 2.0  # seconds


@dataclass(frozen=True)
class Upload:
    """An object to write unless it exists; an existing object with equal bytes is accepted.

    For a signature, `signs` has the signed bytes. Any valid signature of these bytes is also
    accepted, because with some kinds of keys, no two signatures are equal.
    """

    name: str
    content: bytes = field(repr=False)
    retain_until: datetime | None = None
    signs: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Store:
    """A destination's bucket, and the public URL below which customers find its objects.

    Every call names the account that owns the bucket.
    """

    s3: S3Client
    destination: Destination
    owner: str
    public_url: str
    sleep: Callable[[float], None]

    def create(self, upload: Upload, signer: Signer) -> Result:
        """Write an object unless it exists; repeatable.

        S3 checks the SHA-256 before it stores anything. An existing object is never overwritten,
        but its lock may be extended. Raises ClientError, and PublishError if the existing bytes
        differ and are not a valid signature, or if others keep writing the object.
        """
        request = self._request(upload.name, upload.content, _FOR_EVER)
        request["IfNoneMatch"] = "*"
        if upload.retain_until is not None:
            request["ObjectLockMode"] = "COMPLIANCE"
            request["ObjectLockRetainUntilDate"] = upload.retain_until
        for _ in self._tries():
            refused = self._put(request)
            if refused is None:
                return "created"
            if refused in _TAKEN:
                return self._there(upload, signer)
        raise self._contended(upload.name)

    def change(
        self, name: str, change: Callable[[bytes | None], bytes | None]
    ) -> tuple[Result, bytes | None]:
        """Replace an object's content with the result of `change`; return the outcome and content.

        If somebody else writes the object in the meantime, it is read and changed again. The
        content is None if the object does not exist. If `change` returns None or the same content,
        nothing is written. Raises ClientError, and PublishError if the object is too large or if
        others keep writing it.
        """
        for _ in self._tries():
            there = self._index(name)
            found = there.content if there else None
            wanted = change(found)
            if wanted is None or wanted == found:
                return "there already", found
            request = self._request(name, wanted, _FRESH)
            if there is None:
                request["IfNoneMatch"] = "*"
            else:
                request["IfMatch"] = there.tag
            if self._put(request) is None:
                return ("created" if there is None else "changed"), wanted
        raise self._contended(name)

    def read(self, name: str) -> bytes | None:
        """Return the content of `versions.json` or `latest.json`, or None if it does not exist."""
        found = self._index(name)
        return found.content if found else None

    def _there(self, upload: Upload, signer: Signer) -> Result:
        found = self._object(upload.name, max(len(upload.content), SIGNATURE_LIMIT))
        content = found.content if found else b""
        signed = upload.signs is not None and signer(upload.signs, content)
        if content != upload.content and not signed:
            raise PublishError(
                f"{self._shown(upload.name)} exists with other contents.",
                "Raise __version__ in src/dt_logs_cfn/__init__.py: published objects never change.",
            )
        until = upload.retain_until
        if until is None or (found and found.retained and found.retained >= until):
            return "there already"
        self.s3.put_object_retention(
            Bucket=self.destination.bucket,
            Key=self.destination.key(upload.name),
            ExpectedBucketOwner=self.owner,
            Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until},
        )
        return "changed"

    def _index(self, name: str) -> aws.S3Object | None:
        """Return `versions.json` or `latest.json`. Raises PublishError if it is too large."""
        found = self._object(name, LIMIT)
        if found and len(found.content) > LIMIT:
            raise PublishError(
                f"{self._shown(name)} has over {LIMIT:,} bytes.",
                "This program did not write it. Correct it.",
            )
        return found

    def _object(self, name: str, limit: int) -> aws.S3Object | None:
        at = self.destination
        return aws.read_object(self.s3, at.bucket, at.key(name), self.owner, limit)

    def _request(self, name: str, content: bytes, cache: str) -> PutObjectRequestTypeDef:
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        return {
            "Bucket": self.destination.bucket,
            "Key": self.destination.key(name),
            "Body": content,
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": digest,
            "ContentType": content_type(name),
            "CacheControl": cache,
            "ExpectedBucketOwner": self.owner,
        }

    def _put(self, request: PutObjectRequestTypeDef) -> str | None:
        """Write an object; return S3's error code if the request's condition does not hold."""
        try:
            self.s3.put_object(**request)
        except ClientError as error:
            if code(error) in _TAKEN | _CONFLICT:
                return code(error)
            raise
        return None

    def _tries(self) -> Iterator[None]:
        """Yield once for each attempt, and pause after each attempt."""
        for number in range(_TRIES):
            yield
            self.sleep(uniform(0, min(0.05 * 2.0**number, _LONGEST_PAUSE)))

    def _contended(self, name: str) -> PublishError:
        return PublishError(
            f"Others keep writing {self._shown(name)}.", "Publish again when they are done."
        )

    def _shown(self, name: str) -> str:
        return f"s3://{self.destination.bucket}/{self.destination.key(name)}"


def content_type(name: str) -> str:
    """Return the media type of a release file, from its name."""
    return _TYPES.get(name.rpartition(".")[2], _TEXT)
