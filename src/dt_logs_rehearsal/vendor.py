"""The vendor's side: a small stand-in for the Logs Analysis service, in its own account.

It confirms subscriptions, reads announced log files, and tries to exceed its permissions.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.report.data import Attempt

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

VENDOR = "999988887777"
ENDPOINT = "https://logs.example.com/in"


class Vendor:
    """The receiver of SNS's messages; `received` holds the log lines that the vendor has read."""

    def __init__(self, account: Account, s3: S3Client, sns: SNSClient) -> None:
        """Use clients with the vendor's own credentials."""
        self.received: list[str] = []
        self._account = account
        self._s3 = s3
        self._sns = sns
        self._seen = 0

    def receive(self) -> None:
        """Handle every new message."""
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
        """Confirm a subscription, unless its topic has been deleted meanwhile."""
        with suppress(self._sns.exceptions.NotFoundException):
            self._sns.confirm_subscription(TopicArn=topic, Token=token)

    def _notified(self, message: dict[str, Any]) -> None:
        for record in message.get("Records", ()):  # a test event does not have records
            bucket = record["s3"]["bucket"]["name"]
            key = unquote_plus(record["s3"]["object"]["key"])
            # S3 also announces other load balancers' files, which the vendor may not read.
            _refused(partial(self._read, bucket, key))

    def _read(self, bucket: str, key: str) -> None:
        body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        self.received += gzip.decompress(body).decode().splitlines()

    def attempts(self, bucket: str, key: str) -> list[Attempt]:
        """Try calls that the vendor may not make; `key` is the key of a log file."""
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
