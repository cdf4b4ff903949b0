"""A public bucket like the vendor's, and a release to publish there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from support.s3_server import OWNER, Server, s3_server

from dt_logs_cfn import Vendor
from dt_logs_cfn.publish.plan import Plan, destination, publication_plan
from dt_logs_cfn.publish.store import Store
from dt_logs_cfn.release.build import Release

BUCKET = "vendor-releases"
BASE_URL = f"https://{BUCKET}.s3.us-east-1.amazonaws.com/logs-analysis"
TARGET = destination(Vendor("aws", "111122223333", base_url=BASE_URL))
NOON = datetime(2027, 1, 31, 12, tzinfo=timezone.utc)


def small(mark: str = "", version: str = "0.1.0") -> Release:
    """Return a release of a few small files that contain the mark, with their checksums."""
    names = ("dt-logs-analysis.template.json", "handler.zip", "policies/trust.json", "index.html")
    files = {name: f"{name} of this version{mark}\n".encode() for name in names}
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in sorted(files.items()))
    return Release(version, {**files, "SHA256SUMS": sums.encode()})


RELEASE = small()


@pytest.fixture
def server() -> Iterator[Server]:
    with s3_server() as found:
        make_bucket(found, BUCKET)
        yield found


def make_bucket(server: Server, name: str, public: bool = True) -> None:
    """Make a bucket; everybody may get its objects only if it is `public`."""
    s3 = server.s3
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Allow" if public else "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=name, Policy=policy)


def there(server: Server, bucket: str = BUCKET) -> dict[str, bytes]:
    """Return every object by its key, read as an administrator."""
    s3 = server.s3
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    of = {"Bucket": bucket, "ExpectedBucketOwner": OWNER}
    return {key: s3.get_object(Key=key, **of)["Body"].read() for key in keys}


def put(server: Server, key: str, content: bytes) -> None:
    """Overwrite an object, as anybody with the bucket account's credentials could."""
    server.s3.put_object(
        Bucket=BUCKET,
        Key=f"logs-analysis/{key}",
        Body=content,
        ChecksumAlgorithm="SHA256",
        ExpectedBucketOwner=OWNER,
    )


def store_of(server: Server) -> Store:
    """Return the destination's bucket as the publisher uses it."""
    url = f"{server.url}/{BUCKET}/{TARGET.prefix}"
    return Store(server.s3, TARGET, OWNER, url, lambda seconds: None)


def planned(release: Release = RELEASE, **more: Any) -> Plan:
    """Return the plan of a release's publication with the defaults of these tests."""
    signature, at = more.pop("signature", None), more.pop("at", NOON)
    return publication_plan(release, signature, "f00d", at, **more)
