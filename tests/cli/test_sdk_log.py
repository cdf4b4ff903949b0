"""`--debug` shows the SDK's log without its secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from dt_logs_cfn import aws

KEY, SECRET, TOKEN = "AKIASECRET0000000000", "SECRETaccess/key+", "SECRETsession/token+=="
ENDPOINT = "https://logs.example.com/alb/SECRET?key=SECRET"


class Raw(io.BytesIO):
    """A response body that can be read like urllib3's."""

    def stream(self, **given: object) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def shown() -> Iterator[None]:
    before = {
        name: (logging.getLogger(name).level, list(logging.getLogger(name).handlers))
        for name in (*aws._LOGGERS, *aws._NOISY)
    }
    aws.show_log()
    yield
    for name, (level, handlers) in before.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).handlers = handlers


@pytest.mark.usefixtures("shown")
def test_calls_are_shown_without_credentials_endpoints_and_signatures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = boto3.Session(KEY, SECRET, TOKEN, "eu-west-1")
    sns, s3 = session.client("sns"), session.client("s3")
    answer = f"<a><SubscribeResult><Endpoint>{ENDPOINT}</Endpoint></SubscribeResult></a>"
    for client in (sns, s3):
        client.meta.events.register(
            "before-send", lambda **given: AWSResponse("", 200, {}, Raw(answer.encode()))
        )
    sns.subscribe(
        TopicArn="arn:aws:sns:eu-west-1:123456789012:t", Protocol="https", Endpoint=ENDPOINT
    )
    s3.get_bucket_policy(Bucket="logs")
    s3.generate_presigned_url("get_object", Params={"Bucket": "logs", "Key": "k"})

    told = capsys.readouterr()
    assert told.out == ""
    for each in ("(name=Subscribe)", "GetBucketPolicy", "sns.eu-west-1.amazonaws.com"):
        assert each in told.err
    assert "SECRET" not in told.err


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer SECRET",
        "headers={'Authorization': b'AWS4-HMAC-SHA256 Credential=SECRET/x, Signature=SECRET'}",
        "x-amz-security-token:SECRET",
        "('X-Amz-Security-Token', 'SECRET')",
        "Signature:\nSECRET",
        'x "GET /v2/credentials/SECRET?X-Amz-Signature=SECRET HTTP/1.1" 200',
        "https://s3.amazonaws.com/b?X-Amz-Credential=SECRET&X-Amz-Signature=SECRET",
        "https://SECRET:SECRET@proxy.example.com",
        json.dumps({"secretAccessKey": "SECRET", "accessToken": "SECRET,SECRET"}),
        json.dumps(json.dumps({"sessionToken": "SECRET", "accessKeyId": "SECRET"})),
        "<SecretAccessKey>SECRET</SecretAccessKey><SessionToken>SECRET</SessionToken>",
        "Endpoint=https%3A%2F%2Fh.example.com%2FSECRET&Version=1",
        "Endpoint=https%253A%252F%252Fh.example.com%252FSECRET",
        r'{"Endpoint":"https:\/\/h.example.com\/SECRET"}',
        "refresh_token=SECRET&client_secret=SECRET",
    ],
)
def test_what_is_secret_is_hidden(text: str) -> None:
    assert "SECRET" in text
    assert "SECRET" not in aws.without_secrets(text).replace("Secret", "")


def test_what_is_not_secret_stays() -> None:
    for text in (
        "Found credentials in shared credentials file: ~/.aws/credentials",
        "Making request for OperationModel(name=DescribeStacks) with params: {'a': 'b'}",
    ):
        assert aws.without_secrets(text) == text
