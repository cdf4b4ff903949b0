"""The AWS SDK's errors about unusable settings become one line without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import HTTPClientError, SSLError
from cli.running import Run

from dt_logs_cfn import aws
from dt_logs_cfn.errors import AwsError

ONCE = Config(retries={"total_max_attempts": 1})


@pytest.fixture(autouse=True)
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set up an environment with credentials and an endpoint that does not answer."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "SECRET",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "NO_PROXY": "*",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return monkeypatch


SETTINGS = "Check AWS_ENDPOINT_URL, the other AWS settings and ~/.aws/config, then try again."
NO_SETUP = f"The AWS SDK cannot be set up (ValueError). {SETTINGS}"
NO_REGION = "The region {!r}, from {}, is not valid. Give a region like eu-west-1 with --region."
NO_PROFILE = (
    "The config profile ({}) could not be found."
    " Name a --profile that `aws configure list-profiles` shows."
)
NO_FILE = "The AWS SDK failed: Unable to parse config file: {}. Correct that, and try again."


@pytest.mark.parametrize(
    ("name", "value", "failure"),
    [
        ("AWS_ENDPOINT_URL", "SECRET", NO_SETUP),
        ("AWS_ENDPOINT_URL", "http://[SECRET", NO_SETUP),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:SECRET", NO_SETUP),
        ("AWS_ENDPOINT_URL", "http://", NO_SETUP),
        ("AWS_ENDPOINT_URL", "http://a..SECRET", NO_SETUP),
        ("AWS_REGION", "US_EAST_1", NO_REGION.format("US_EAST_1", "AWS_REGION")),
        ("AWS_DEFAULT_REGION", "us east", NO_REGION.format("us east", "AWS_DEFAULT_REGION")),
        ("AWS_DEFAULT_REGION", "us\neast", NO_REGION.format("us\neast", "AWS_DEFAULT_REGION")),
        ("AWS_PROFILE", "", NO_PROFILE.format("")),
        ("AWS_PROFILE", "nobody", NO_PROFILE.format("nobody")),
        ("config", "SECRET", NO_FILE),
        ("config", "[default]\n[default]\n", NO_FILE),
        ("config", "[default]\ns3 =\n  SECRET\n", NO_FILE),
    ],
)
def test_a_setting_or_a_file_that_the_sdk_cannot_use(
    run: Run, shell: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str, failure: str
) -> None:
    if name == "config":
        (tmp_path / "config").write_text(value)
    else:
        shell.setenv(name, value)
    assert run("status").failure == failure.format(tmp_path / "config")


def test_every_client_tries_five_times_unless_a_call_matters_less() -> None:
    session = aws.session(None, None)
    less = Config(retries={"mode": "standard", "total_max_attempts": 2})
    for given, attempts in ((None, 5), (less, 2)):
        config = session.client("s3", config=given).meta.config
        assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
        assert (config.read_timeout, config.user_agent_extra) == (60, "dt-logs-cfn")


ENDED = '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "SECRET", "SessionToken": "c",'
ROLE = "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = keys\nexternal_id = SECRET\n"
KEYS = "[profile keys]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = SECRET\n"
TOKEN_FILE = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/SECRET", "AWS_ROLE_ARN": "arn:aws:iam::1:r"}
PROCESS = "[default]\ncredential_process = "


@pytest.mark.parametrize(
    ("settings", "config", "error"),
    [
        ({}, f"{PROCESS}sh -c 'echo SECRET >&2; exit 1'", "CredentialRetrievalError"),
        ({}, f"{PROCESS}echo SECRET", "JSONDecodeError"),
        ({}, f"{PROCESS}echo []", "AttributeError"),
        ({}, f"{PROCESS}printf '\\377'", "UnicodeDecodeError"),
        ({}, f"{PROCESS}/nowhere/SECRET", "FileNotFoundError"),
        ({}, f"{PROCESS}'SECRET", "ValueError"),
        ({}, f'{PROCESS}echo \'{ENDED} "Expiration": "2001-01-01T00:00:00Z"}}\'', "RuntimeError"),
        ({}, f'{PROCESS}echo \'{ENDED} "Expiration": "SECRET"}}\'', "ParserError"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://[SECRET/"}, "", "ValueError"),
        ({"AWS_METADATA_SERVICE_TIMEOUT": "SECRET"}, "", "ValueError"),
        (TOKEN_FILE, "", "FileNotFoundError"),
        ({}, f"{KEYS}[default]\n{ROLE}", "EndpointConnectionError"),
    ],
)
def test_a_source_that_has_no_credentials(
    run: Run,
    shell: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: dict[str, str],
    config: str,
    error: str,
) -> None:
    shell.delenv("AWS_ACCESS_KEY_ID")
    shell.delenv("AWS_SECRET_ACCESS_KEY")
    for name, value in settings.items():
        shell.setenv(name, value)
    (tmp_path / "config").write_text(config)
    failure = run("status").failure
    no_keys = (
        f"There are no AWS credentials ({error}). Sign in (`aws sso login` or `aws configure`)"
    )
    assert failure.startswith((no_keys, f"127.0.0.1 cannot be reached ({error})."))
    assert "SECRET" not in failure


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:SECRET@127.0.0.1:9",
        "http://user:SEC/SECRET@127.0.0.1:9",
        "http://user:SECRET@[127.0.0.1:9",
        "http://user:SECRET@127.0.0.1:SECRET",
        "socks5://user:SECRET@127.0.0.1:9",
    ],
)
def test_a_proxy_that_cannot_be_used(run: Run, shell: pytest.MonkeyPatch, proxy: str) -> None:
    shell.setenv("AWS_ENDPOINT_URL", "https://aws.example.com")
    shell.delenv("NO_PROXY")
    shell.delenv("no_proxy", raising=False)
    shell.setenv("https_proxy", proxy)
    shell.setattr(aws, "CONFIG", aws.CONFIG.merge(ONCE))
    failure = run("status").failure
    assert "cannot be reached (" in failure
    assert "SECRET" not in failure and "user" not in failure


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (
            HTTPClientError(error=OSError("invalid path: /nowhere/SECRET")),
            "AWS cannot be reached (HTTPClientError, OSError).",
        ),
        (
            SSLError(endpoint_url="https://a.example.com/SECRET", error=ValueError("SECRET")),
            "a.example.com cannot be reached (SSLError).",
        ),
    ],
)
def test_certificates_that_cannot_be_used(error: Exception, what: str) -> None:
    with pytest.raises(AwsError) as found, aws.errors():
        raise error
    assert found.value.what == what
    assert found.value.fix == (
        "Check the proxy's address, AWS_CA_BUNDLE and the network, then try again."
    )
