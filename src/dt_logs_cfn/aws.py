"""Make clients with the caller's credentials, and turn each AWS error into one line with a fix.

Also show the SDK's log without secrets.

with aws.errors():
    session = aws.session(profile, region)
    session.client("s3")
"""

from __future__ import annotations

import argparse
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as botocore
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp

from dt_logs_cfn.cli.parsing import REGION, matching
from dt_logs_cfn.cli.terminal import cut, one_line, printable, shown_text, tell
from dt_logs_cfn.errors import AwsError
from dt_logs_handler.aws import PASSING, code, denied, message

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Retry with exponential backoff, as AWS recommends for throttling.
CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
    user_agent_extra="dt-logs-cfn",
)
_SIGN_IN = "Sign in (`aws sso login` or `aws configure`), or name another --profile."
_EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired"))
_UNKNOWN = frozenset(
    (
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
_LONGEST = 300
# The environment variables that name a region, in the AWS CLI's order.
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
_LOGGERS = ("boto3", "botocore", "urllib3")
_NOISY = ("botocore.hooks", "botocore.loaders", "botocore.regions")
# A secret's name and its value, in a header, a query, JSON, XML or a Python literal.
_SECRET = re.compile(
    r"""(?ix) ([\w-]*(?:authorization|token|secret|signature|password|credential|assertion
              |access-?_?key(?:-?_?id)?) (?:\\*["'])? \s* (?:[:=>]|%3D|(?<=["']),) \s* )
        (?: (?:Bearer|Basic)\s+\S+ | b?\\*'[^']* | b?\\*"[^"]* | [^\s&<,;'"})]+ )"""
)
_ENCODED_ADDRESS = re.compile(r"""(?i)(?:%(?:25)*3A(?:%(?:25)*2F){2}|:(?:\\+/){2})[^\s&<>"']*""")
_PATH = re.compile(r'"([A-Z]{3,7}) /\S+')  # the form in which urllib3 logs requests


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--profile`, `--region` and `--debug`, as in the AWS CLI, and `--show-settings`."""
    parser.add_argument("--profile", metavar="NAME", help="the AWS CLI profile to use")
    region = matching(*REGION)
    parser.add_argument("--region", type=region, metavar="REGION", help="the AWS region to work in")
    parser.add_argument(
        "--show-settings",
        action="store_true",
        help="print where each setting comes from (an option, dt-logs-cfn.cfg in this folder, or a"
        " default), and do nothing else",
    )
    add_debug(parser)


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Declare `--debug`."""
    parser.add_argument(
        "--debug", action="store_true", help="show the AWS SDK's log on stderr, without secrets"
    )


def show_log() -> None:
    """Show the SDK's log on stderr from now on; hide values that look like secrets."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(_Handler())
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        for line in without_secrets(self.format(record)).splitlines():
            tell(printable(f"{record.name}: {line}"))


def without_secrets(text: str) -> str:
    """Return a text without secrets; each URL, except an S3 location, is cut after the host."""
    text = _ENCODED_ADDRESS.sub("://…", shown_text(text))
    return _PATH.sub(r'"\1 /…', _SECRET.sub(r"\1…", text))


def session(profile: str | None, region: str | None) -> boto3.Session:
    """Return the session that the AWS CLI would use; its clients retry as AWS recommends.

    Raises botocore's errors.
    """
    # The CLI reads AWS_REGION, which boto3 does not.
    return _Session(profile_name=profile, region_name=region or os.environ.get("AWS_REGION"))


def usual_region(profile: str | None) -> tuple[str, str]:
    """Return the region that applies without `--region`, and its source, or two empty strings."""
    for name in _REGION_VARIABLES:
        if found := os.environ.get(name):
            return found, name
    with suppress(botocore.ProfileNotFound):
        if found := boto3.Session(profile_name=profile).region_name:
            return found, "the profile"
    return "", ""


class _Session(boto3.Session):
    """A session that makes usable clients, or raises AwsError or botocore's errors.

    For unusable settings, the SDK raises errors of many types, such as ValueError for an endpoint
    and OSError for a credential process. `client` turns all but botocore's own errors into
    AwsError. The first call of `client` also loads the credentials, and fails if it cannot.
    """

    _signed_in = False

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._session.set_default_client_config(CONFIG)
        # botocore parses times with dateutil, which is slow for a long listing.
        parsers = self._session.get_component("response_parser_factory")
        parsers.set_parser_defaults(timestamp_parser=_time)

    def client(self, *args: Any, **given: Any) -> Any:
        """Return a client. Raises botocore's errors and AwsError."""
        failure = _no_credentials
        try:
            if not self._signed_in and (found := self.get_credentials()):
                found.get_frozen_credentials()
            self._signed_in = True
            failure = _no_setup
            made: Any = super().client(*args, **given)
            _ = urlsplit(made.meta.endpoint_url).port  # raises for an invalid port
            return made
        except (botocore.BotoCoreError, botocore.ClientError):
            raise
        except Exception as error:
            raise failure(error) from error


def _time(value: Any) -> datetime:
    """Parse a time from AWS: ISO 8601 ending in Z directly, any other format with botocore."""
    if isinstance(value, str) and value.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(f"{value[:-1]}+00:00")
    return parse_timestamp(value)


@contextmanager
def errors() -> Iterator[None]:
    """Turn boto3's errors into AwsError; cut AWS's message to a few hundred characters."""
    try:
        yield
    except botocore.ClientError as error:
        raise _refused(error) from error
    except botocore.BotoCoreError as error:
        raise _failed(error) from error
    except ResponseParserError as error:
        raise AwsError(
            "The answer is not from AWS.", "Check the network, the proxy and AWS_ENDPOINT_URL."
        ) from error


@dataclass(frozen=True)
class S3Object:
    """An object read from S3; `tag` is its ETag.

    If `retained` is set, S3 locks the object until then.
    """

    content: bytes
    tag: str
    retained: datetime | None


def read_object(s3: S3Client, bucket: str, key: str, owner: str, limit: int) -> S3Object | None:
    """Return an object from a bucket of the account `owner`; None if the object does not exist.

    At most `limit` + 1 bytes of the content are read; more than `limit` bytes mean that the object
    is too large. Raises ClientError.
    """
    try:
        answer = s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)
    except botocore.ClientError as error:
        if code(error) == "NoSuchKey":
            return None
        raise
    with answer["Body"] as body:
        content = body.read(limit + 1)
    return S3Object(content, answer["ETag"], answer.get("ObjectLockRetainUntilDate"))


def expired(error: botocore.ClientError) -> bool:
    """Return whether the call was refused because the credentials have expired."""
    return code(error) in _EXPIRED


def _refused(error: botocore.ClientError) -> AwsError:
    name, found = error.operation_name, code(error)
    text = cut(one_line(message(error)), _LONGEST)
    if expired(error):
        return AwsError("The credentials have expired.", _SIGN_IN)
    if found in _UNKNOWN:
        fix = f"Check that they are for this partition and region. {_SIGN_IN}"
        return AwsError(f"AWS does not know the credentials ({found}).", fix)
    if denied(error):
        fix = "Ask for the permission, or use credentials that have it, then try again."
        return AwsError(f"AWS denies {name}: {text.rstrip('.') or 'it gives no reason'}.", fix)
    if found in PASSING:
        return AwsError(f"AWS cannot do {name} now ({found}).", "Wait a minute, then try again.")
    return AwsError(
        f"{name} failed with {found}: {text.rstrip('.')}.",
        "Correct what AWS reports, then try again.",
    )


def _failed(error: botocore.BotoCoreError) -> AwsError:
    match error:
        case botocore.ProfileNotFound():
            return AwsError(
                f"{error}.", "Name a --profile that `aws configure list-profiles` shows."
            )
        case botocore.NoRegionError():
            return AwsError("No region is set.", "Give one with --region.")
        case botocore.InvalidRegionError():
            name = error.kwargs["region_name"]
            named = (each for each in _REGION_VARIABLES if os.environ.get(each) == name)
            source = next(named, "the profile")
            return AwsError(
                f"The region {name!r}, from {source}, is not valid.",
                f"Give {REGION[1]} with --region.",
            )
        case botocore.ConnectionError() | botocore.HTTPClientError():
            return _unreachable(error)
        case (
            botocore.NoCredentialsError()
            | botocore.PartialCredentialsError()
            | botocore.CredentialRetrievalError()
            | botocore.SSOError()
            | botocore.TokenRetrievalError()
        ):
            return _no_credentials(error)
    text = " ".join(str(error).split())[:_LONGEST]
    return AwsError(f"The AWS SDK failed: {text.rstrip('.')}.", "Correct that, and try again.")


def _unreachable(error: botocore.BotoCoreError) -> AwsError:
    """Return an error that names the unreachable host, if known, without the rest of its URL."""
    host, why = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname, type(error).__name__
    fix = "Check the network, the proxy and the region, then try again."
    if type(error) is botocore.HTTPClientError:
        why += f", {type(error.kwargs.get('error')).__name__}"
    if type(error) in (botocore.HTTPClientError, botocore.SSLError):
        fix = "Check the proxy's address, AWS_CA_BUNDLE and the network, then try again."
    return AwsError(f"{host or 'AWS'} cannot be reached ({why}).", fix)


def _no_credentials(error: Exception) -> AwsError:
    return AwsError(f"There are no AWS credentials ({type(error).__name__}).", _SIGN_IN)


def _no_setup(error: Exception) -> AwsError:
    """Return an error without the SDK's message, which may quote an endpoint with a secret."""
    return AwsError(
        f"The AWS SDK cannot be set up ({type(error).__name__}).",
        "Check AWS_ENDPOINT_URL, the other AWS settings and ~/.aws/config, then try again.",
    )
