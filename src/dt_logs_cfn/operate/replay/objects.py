"""The log objects of a location in S3's order, and the event that announces each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.replay.sources import Source
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_handler.documents import compact
from dt_logs_handler.names import Stack
from dt_logs_handler.notifications import SUFFIX, encoded

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class LogObject:
    """An access log in S3, of a load balancer `app/NAME/ID`."""

    key: str
    load_balancer: str
    size: int
    etag: str
    stored: datetime


def log_objects(
    s3: S3Client, source: Source, stack: Stack, window: Window, after: str
) -> Iterator[LogObject]:
    """Yield the window's logs that the vendor may read by the stack's grant, by key.

    With `after`, only those with greater keys. Raises botocore's errors.
    """
    begin = f"{stack.account}_elasticloadbalancing_{stack.region}_"
    for day in window.days():
        prefix = f"{source.location.log_prefix(stack)}{day:%Y/%m/%d}/{begin}app."
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=source.location.bucket,
            Prefix=prefix,
            StartAfter=max(after, prefix),
            ExpectedBucketOwner=stack.account,
        )
        for each in (each for page in pages for each in page.get("Contents", ())):
            key, stored = each["Key"], each["LastModified"]
            name = key.rpartition("/")[2].removeprefix(begin).partition("_")[0].replace(".", "/")
            inside = window.since <= stored < window.until and key.endswith(SUFFIX)
            if inside and source.covers(name):
                yield LogObject(key, name, each["Size"], each["ETag"].strip('"'), stored)


def event(found: LogObject, source: Source, stack: Stack) -> str:
    """Return the message by which S3 announces an object.

    Fields that only S3 knows are empty. The sequencer is lower than any of S3's, so an announcement
    that arrived before counts as newer [S3 guide, notification-content-structure.md].
    """
    bucket, key = source.location.bucket, encoded(found.key)
    arn = f"arn:{stack.partition}:s3:::{bucket}"
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": stack.region,
        "eventTime": f"{found.stored:%Y-%m-%dT%H:%M:%S}.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "dt-logs-cfn replay"},
        "requestParameters": {"sourceIPAddress": ""},
        "responseElements": {"x-amz-request-id": "", "x-amz-id-2": ""},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": source.location.notification_id,
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": ""}, "arn": arn},
            "object": {"key": key, "size": found.size, "eTag": found.etag, "sequencer": "00"},
        },
    }
    return compact({"Records": [record]})
