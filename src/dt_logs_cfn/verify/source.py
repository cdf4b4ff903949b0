"""Load a file to verify, and its neighbours, from disk, a URL or S3, within a limit of bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.template.parsing import LIMIT, read_bytes
from dt_logs_cfn.verify.fetching import fetch, optional, shown_url
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.{1,1024})")


@dataclass(frozen=True)
class Source:
    """A file to verify, which is not trusted: its path or URL for display, and its bytes.

    `beside` returns a file by its name relative to the file's folder, or None; it raises the same
    errors as reading the file. `remote` means that others may have put it there.
    """

    name: str
    content: bytes
    beside: Callable[[str], bytes | None]
    remote: bool = True


def from_file(path: Path) -> Source:
    """Return a file on disk. Raises VerifyError."""

    def beside(name: str) -> bytes | None:
        other = path.parent / name
        return read_bytes(other) if other.is_file() else None

    return Source(shown_url(str(path)), read_bytes(path), beside, remote=False)


def from_url(url: str) -> Source:
    """Return the public content of a URL. Raises FetchError."""
    folder = url.partition("?")[0].rpartition("/")[0]
    return Source(shown_url(url), fetch(url, LIMIT), below_url(folder))


def below_url(folder: str) -> Callable[[str], bytes | None]:
    """Return a function that fetches a file by its name relative to a URL, or returns None."""
    return lambda name: optional(_joined(folder, name), LIMIT)


def from_s3(path: str, s3: S3Client, owner: str) -> Source:
    """Return an object `s3://BUCKET/KEY` of an account's bucket.

    Raises VerifyError, and ClientError.
    """
    found = _S3.fullmatch(path)
    if found is None:
        raise VerifyError(
            f"{shown_url(path)} is not an S3 object.", "Give one like s3://BUCKET/KEY."
        )
    bucket, key = found[1], found[2]
    folder = key.rpartition("/")[0]

    def get(name: str) -> bytes | None:
        try:
            answer = s3.get_object(Bucket=bucket, Key=name, ExpectedBucketOwner=owner)
        except ClientError as error:
            if code(error) == "NoSuchKey":
                return None
            raise
        with answer["Body"] as body:
            content = body.read(LIMIT + 1)
        if len(content) > LIMIT:
            raise VerifyError(f"s3://{bucket}/{name} has more than {LIMIT:,} bytes.", "Check it.")
        return content

    content = get(key)
    if content is None:
        raise VerifyError(f"{path} is not there.", "Check the bucket and the key.")
    return Source(shown_url(path), content, lambda name: get(_joined(folder, name)))


def _joined(folder: str, name: str) -> str:
    """Join a folder and a relative name, which may begin with `../`."""
    while name.startswith("../"):
        folder, name = folder.rpartition("/")[0], name.removeprefix("../")
    return f"{folder}/{name}" if folder else name
