"""The AWS SDK's failures are one line without secrets; `--debug` shows its log without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import SSLError
from support.commands import Run

from dt_logs_cfn import aws
from dt_logs_cfn.errors import AwsError

NO_SETUP = (
    "The AWS SDK cannot be set up (ValueError)."
    " Check AWS_ENDPOINT_URL, the other AWS settings and ~/.aws/config, then try again."
)
NO_REGION = "The region {!r}, from {}, is not valid. Give a region like eu-west-1 with --region."
NO_PROFILE = (
    "The config profile ({}) could not be found."
    " Name a --profile that `aws configure list-profiles` shows."
)
NO_FILE = "The AWS SDK failed: Unable to parse config file: {path}. Correct that, and try again."
NO_KEYS = (
    "There are no AWS credentials ({})."
    " Sign in (`aws sso login` or `aws configure`), or name another --profile."
)
CHECK_PROXY = "Check the proxy's address, AWS_CA_BUNDLE and the network, then try again."
Environment = dict[str, str | None]  # None: not set
SHELL: Environment = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "SECRET",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "NO_PROXY": "*",
}
KEYLESS: Environment = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
PROXIED: Environment = {"AWS_ENDPOINT_URL": "https://aws.example.com"}
PROXIED |= {"NO_PROXY": None, "no_proxy": None}
TOKEN_FILE = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/SECRET", "AWS_ROLE_ARN": "arn:aws:iam::1:r"}
ROLE = "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = keys\nexternal_id = SECRET\n"
KEYS = "[profile keys]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = SECRET\n"
ENDED = '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "SECRET", "SessionToken": "c",'
# The changed environment, the SDK's configuration file, and the beginning of the failure.
UNUSABLE: list[tuple[Environment, str, str]] = [
    *(
        ({"AWS_ENDPOINT_URL": f"{url}"}, "", NO_SETUP)
        for url in ("SECRET", "http://[SECRET", "http://127.0.0.1:SECRET", "http://", "http://a..X")
    ),
    ({"AWS_REGION": "US_EAST_1"}, "", NO_REGION.format("US_EAST_1", "AWS_REGION")),
    ({"AWS_DEFAULT_REGION": "us east"}, "", NO_REGION.format("us east", "AWS_DEFAULT_REGION")),
    ({"AWS_DEFAULT_REGION": "us\neast"}, "", NO_REGION.format("us\neast", "AWS_DEFAULT_REGION")),
    ({"AWS_PROFILE": ""}, "", NO_PROFILE.format("")),
    ({"AWS_PROFILE": "nobody"}, "", NO_PROFILE.format("nobody")),
    ({}, "SECRET", NO_FILE),
    ({}, "[default]\n[default]\n", NO_FILE),
    ({}, "[default]\ns3 =\n  SECRET\n", NO_FILE),
    *(
        (KEYLESS, f"[default]\ncredential_process = {process}", NO_KEYS.format(error))
        for process, error in {
            "sh -c 'echo SECRET >&2; exit 1'": "CredentialRetrievalError",
            "echo SECRET": "JSONDecodeError",
            "echo []": "AttributeError",
            "printf '\\377'": "UnicodeDecodeError",
            "/nowhere/SECRET": "FileNotFoundError",
            "'SECRET": "ValueError",
            f'echo \'{ENDED} "Expiration": "2001-01-01T00:00:00Z"}}\'': "RuntimeError",
            f'echo \'{ENDED} "Expiration": "SECRET"}}\'': "ParserError",
        }.items()
    ),
    (
        KEYLESS | {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[SECRET/"},
        "",
        NO_KEYS.format("ValueError"),
    ),
    (KEYLESS | {"AWS_METADATA_SERVICE_TIMEOUT": "SECRET"}, "", NO_KEYS.format("ValueError")),
    (KEYLESS | TOKEN_FILE, "", NO_KEYS.format("FileNotFoundError")),
    (KEYLESS, f"{KEYS}[default]\n{ROLE}", "127.0.0.1 cannot be reached (EndpointConnectionError)."),
    *(
        (PROXIED | {"https_proxy": proxy}, "", "AWS cannot be reached (")
        for proxy in (
            "http://SECRET:SECRET@127.0.0.1:9",
            "http://SECRET:SEC/SECRET@127.0.0.1:9",
            "http://SECRET:SECRET@[127.0.0.1:9",
            "http://SECRET:SECRET@127.0.0.1:SECRET",
            "socks5://SECRET:SECRET@127.0.0.1:9",
        )
    ),
]


@pytest.mark.parametrize(("changed", "config", "failure"), UNUSABLE)
def test_what_the_sdk_cannot_use_is_told_in_a_line_without_secrets(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    changed: Environment,
    config: str,
    failure: str,
) -> None:
    path = tmp_path / "config"
    path.write_text(config)
    files = {"AWS_CONFIG_FILE": str(path), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}
    for name, value in {**SHELL, **files, **changed}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    once = Config(retries={"total_max_attempts": 1})
    monkeypatch.setattr(aws, "CONFIG", aws.CONFIG.merge(once))

    told = run("status").refusal

    assert told.startswith(failure.format(path=path))
    assert "SECRET" not in told


def test_certificates_that_cannot_be_used() -> None:
    error = SSLError(endpoint_url="https://a.example.com/SECRET", error=ValueError("SECRET"))
    with pytest.raises(AwsError) as found, aws.errors():
        raise error
    assert str(found.value) == f"a.example.com cannot be reached (SSLError). {CHECK_PROXY}"


def test_every_client_tries_five_times_unless_a_call_matters_less() -> None:
    session = aws.session(None, "us-east-1")
    less = Config(retries={"mode": "standard", "total_max_attempts": 2})
    for given, attempts in ((None, 5), (less, 2)):
        config = session.client("s3", config=given).meta.config
        assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
        assert (config.read_timeout, config.user_agent_extra) == (60, "dt-logs-cfn")


class Raw(io.BytesIO):
    """A response body that can be read like urllib3's."""

    def stream(self, **given: object) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture
def log() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (*aws._LOGGERS, *aws._NOISY)]
    before = [(each.level, list(each.handlers)) for each in loggers]
    aws.show_log()
    yield
    for each, (each.level, each.handlers) in zip(loggers, before, strict=True):
        each.setLevel(each.level)


@pytest.mark.usefixtures("log")
def test_calls_are_shown_without_credentials_endpoints_and_signatures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    endpoint = "https://logs.example.com/alb/SECRET?key=SECRET"
    session = boto3.Session("AKIASECRET0000000000", "SECRETa/key+", "SECRETtoken+==", "eu-west-1")
    sns, s3 = session.client("sns"), session.client("s3")
    answer = f"<a><SubscribeResult><Endpoint>{endpoint}</Endpoint></SubscribeResult></a>"
    for client in (sns, s3):
        client.meta.events.register(
            "before-send", lambda **given: AWSResponse("", 200, {}, Raw(answer.encode()))
        )
    topic = "arn:aws:sns:eu-west-1:123456789012:t"
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint=endpoint)
    s3.get_bucket_policy(Bucket="logs")
    s3.generate_presigned_url("get_object", Params={"Bucket": "logs", "Key": "k"})

    told = capsys.readouterr()
    assert told.out == ""
    for each in ("(name=Subscribe)", "GetBucketPolicy", "sns.eu-west-1.amazonaws.com"):
        assert each in told.err
    assert "SECRET" not in told.err


def test_what_is_secret_is_hidden_and_the_rest_stays() -> None:
    for text in (
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
        # These have no secret, and stay.
        "Found credentials in shared credentials file: ~/.aws/credentials",
        "Making request for OperationModel(name=DescribeStacks) with params: {'a': 'b'}",
    ):
        shown = aws.without_secrets(text)
        assert "SECRET" not in shown.replace("Secret", "")
        assert ("SECRET" in text) or shown == text
