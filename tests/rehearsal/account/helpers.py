"""Helpers that several tests of the emulated account share."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.drifts import document

from dt_logs_rehearsal.account import Account

ACCOUNT = "111122223333"
VENDOR = "999999999999"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"


def knows_namespaces(account: Account) -> bool:
    """Return whether the account's boto3 knows CreateBucket's BucketNamespace."""
    shape = account.s3.meta.service_model.operation_model("CreateBucket").input_shape
    return shape is not None and "BucketNamespace" in shape.members


needs_new_boto3 = pytest.mark.skipif(
    not knows_namespaces(Account()), reason="the installed boto3 is an old one"
)
ELB = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}


def create(account: Account, name: str, region: str = "", **params: Any) -> None:
    """Create a bucket as an administrator; `tags` is a mapping."""
    tags = params.pop("tags", {})
    configuration: Any = {"LocationConstraint": region} if region else {}
    if tags:
        configuration["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    if configuration:
        params["CreateBucketConfiguration"] = configuration
    account.s3.create_bucket(Bucket=name, **params)


@contextmanager
def refused(code: str, text: str = "", status: int = 400, **details: str) -> Iterator[None]:
    """Expect a ClientError with this code, status and details, and this text in its message."""
    with pytest.raises(ClientError) as caught:
        yield
    response: Any = caught.value.response
    found = response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
    assert found == (code, status), response
    assert text in response["Error"]["Message"]
    assert details.items() <= response["Error"].items()


def statement(bucket: str = "logs", path: str = "/*", **elements: Any) -> dict[str, Any]:
    """Return a statement that by default lets ELB write to the bucket."""
    raw = {
        "Effect": "Allow",
        "Principal": ELB,
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}{path}",
        **elements,
    }
    return {key: value for key, value in raw.items() if value is not None}


def allow(action: str, resource: str = "*", **elements: Any) -> dict[str, Any]:
    """Return an identity's policy that allows an action."""
    return document({"Effect": "Allow", "Action": action, "Resource": resource, **elements})


def put_policy(account: Account, *statements: dict[str, Any], bucket: str = "logs") -> None:
    """Put a bucket policy as an administrator."""
    account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document(*statements)))


def topic_policy(arn: str, bucket: str = "logs", **elements: Any) -> dict[str, Any]:
    """Return a topic policy that lets S3 publish a bucket's events."""
    return document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": arn,
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:s3:*:*:{bucket}"},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
            **elements,
        }
    )


def notify(topic: str, prefix: str = "", suffix: str = "", **elements: Any) -> dict[str, Any]:
    """Return an event notification for new objects."""
    rules = [{"Name": "prefix", "Value": prefix}] if prefix else []
    rules += [{"Name": "suffix", "Value": suffix}] if suffix else []
    entry: dict[str, Any] = {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    return {**entry, **({"Filter": {"Key": {"FilterRules": rules}}} if rules else {}), **elements}


def put_notifications(
    account: Account, *entries: dict[str, Any], skip: bool = False, **others: Any
) -> None:
    """Replace the notifications of the bucket `logs` as an administrator."""
    configuration: Any = {**({"TopicConfigurations": list(entries)} if entries else {}), **others}
    account.s3.put_bucket_notification_configuration(
        Bucket="logs", NotificationConfiguration=configuration, SkipDestinationValidation=skip
    )
