"""The vendor's side: a small stand-in for the Logs Analysis service, in an account of its own.

It confirms subscriptions, reads announced log objects, and tries what it is not allowed to do.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.account.elbv2.delivery import FIELDS
from dt_logs_rehearsal.report.data import Attempt

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

VENDOR = "999988887777"
ENDPOINT = "https://logs.example.com/in"
_LARGEST = 1024 * 1024  # bytes of a log file, unpacked
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


class Vendor:
    """Receives what SNS sends to the endpoint.

    `received` are the log lines that it read.
    """

    def __init__(self, account: Account, s3: S3Client, sns: SNSClient) -> None:
        """Use clients that are signed by the vendor's own account."""
        self.received: list[str] = []
        self._account = account
        self._s3 = s3
        self._sns = sns
        self._seen = 0

    def receive(self) -> None:
        """Handle every message that has come since."""
        messages = self._account.world.deliveries[ENDPOINT]
        while self._seen < len(messages):
            message = messages[self._seen]
            self._seen += 1
            match message["Type"]:
                case "SubscriptionConfirmation":
                    self._confirm(message["TopicArn"], message["Token"])
                case "Notification":
                    self._notified(json.loads(message["Message"]))

    def _confirm(self, topic: str, token: str) -> None:
        """Confirm a subscription, unless its topic has gone again meanwhile."""
        with suppress(self._sns.exceptions.NotFoundException):
            self._sns.confirm_subscription(TopicArn=topic, Token=token)

    def _notified(self, message: dict[str, Any]) -> None:
        for record in message.get("Records", ()):  # a test event has none
            bucket = record["s3"]["bucket"]["name"]
            key = unquote_plus(record["s3"]["object"]["key"])
            # S3 also announces other load balancers' files in the same place; reading them is
            # refused.
            _refused(partial(self._read, bucket, key))

    def _read(self, bucket: str, key: str) -> None:
        self.received += lines(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def attempts(self, bucket: str, key: str) -> list[Attempt]:
        """Try what goes beyond reading the log objects; the object at `key` is one of them."""
        outside = "elsewhere/secret.txt"
        tries: dict[str, Callable[[], object]] = {
            f"get {outside}": lambda: self._s3.get_object(Bucket=bucket, Key=outside),
            f"put an object beside {key}": lambda: self._s3.put_object(
                Bucket=bucket, Key=f"{key}.copy", Body=b""
            ),
            f"delete {key}": lambda: self._s3.delete_object(Bucket=bucket, Key=key),
            f"list {bucket}": lambda: self._s3.list_objects_v2(Bucket=bucket),
            f"read the policy of {bucket}": lambda: self._s3.get_bucket_policy(Bucket=bucket),
        }
        return [Attempt(what, _refused(attempt)) for what, attempt in tries.items()]


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return True
    return False


def lines(body: bytes) -> Iterator[str]:
    """Yield the lines of a log file that are access-log lines; others raise ValueError.

    Logs written by others are unpacked to a megabyte at most.
    """
    try:
        with gzip.open(io.BytesIO(body)) as opened:
            text = opened.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError("a log file is not gzip") from error
    if len(text) > _LARGEST:
        raise ValueError("a log file is too large")
    for line in text.decode().splitlines():
        if len(_FIELD.findall(line)) < FIELDS:
            raise ValueError("a line has fewer fields than access logs have")
        yield line
