"""AWS with the caller's own credentials: clients, and AWS's errors as one line of what and of fix.

with aws.errors():
    session = aws.session(arguments)
    session.client("s3")
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import boto3
from botocore import exceptions as botocore
from botocore.config import Config
from botocore.parsers import ResponseParserError

from dt_logs_cfn.errors import AwsError
from dt_logs_cfn.printable import one_line

# Retries with a growing pause, as AWS recommends them for throttling.
CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
    user_agent_extra="dt-logs-cfn",
)
_SIGN_IN = "Sign in (`aws sso login`, say, or `aws configure`), or name another --profile."
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
_DENIED = frozenset(
    ("403", "AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
)
_THROTTLED = frozenset(
    (
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    )
)
_LONGEST = 300


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--profile` and `--region`, which mean what they mean in the AWS CLI."""
    parser.add_argument("--profile", metavar="NAME", help="the profile of the AWS CLI to use")
    parser.add_argument("--region", metavar="REGION", help="the AWS region to work in")


def session(profile: str | None, region: str | None) -> boto3.Session:
    """Return a session, as the AWS CLI would have it. Raises botocore's errors."""
    return boto3.Session(profile_name=profile, region_name=region)


@contextmanager
def errors() -> Iterator[None]:
    """Turn what boto3 raises into AwsError; what AWS says is cut to some hundred characters."""
    try:
        yield
    except botocore.ClientError as error:
        raise _refused(error) from error
    except botocore.BotoCoreError as error:
        raise _failed(error) from error
    except ResponseParserError as error:
        raise AwsError(
            "What answers is not AWS.", "Check the network, the proxy and AWS_ENDPOINT_URL."
        ) from error


def code(error: botocore.ClientError) -> str:
    """Return AWS's error code."""
    return error.response.get("Error", {}).get("Code", "")


def denied(error: botocore.ClientError) -> bool:
    """Tell whether the call was refused for want of a right."""
    return code(error) in _DENIED


def expired(error: botocore.ClientError) -> bool:
    """Tell whether the call was refused since the credentials have expired."""
    return code(error) in _EXPIRED


def _refused(error: botocore.ClientError) -> AwsError:
    name, found = error.operation_name, code(error)
    said = error.response.get("Error", {}).get("Message", "")
    text = one_line(said)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    if expired(error):
        return AwsError("The credentials have expired.", _SIGN_IN)
    if found in _UNKNOWN:
        fix = f"Check that they are of this partition and region. {_SIGN_IN}"
        return AwsError(f"AWS does not know the credentials ({found}).", fix)
    if denied(error):
        fix = "Have it allowed for you, or use credentials that may do it, then try again."
        return AwsError(f"AWS denies {name}: {text.rstrip('.') or 'it gives no reason'}.", fix)
    if found in _THROTTLED:
        return AwsError(f"AWS throttles {name}.", "Wait a minute, then try again.")
    return AwsError(
        f"{name} failed with {found}: {text.rstrip('.')}.", "Correct what AWS names, and try again."
    )


def _failed(error: botocore.BotoCoreError) -> AwsError:
    match error:
        case botocore.ProfileNotFound():
            return AwsError(f"{error}.", "Name a --profile that `aws configure list-profiles` has.")
        case botocore.NoRegionError() | botocore.InvalidRegionError():
            return AwsError("No valid region is set.", "Give one with --region.")
        case botocore.ConnectionError() | botocore.HTTPClientError():
            host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).hostname
            return AwsError(
                f"{host or 'AWS'} cannot be reached ({type(error).__name__}).",
                "Check the network, the proxy and the region, then try again.",
            )
        case (
            botocore.NoCredentialsError()
            | botocore.PartialCredentialsError()
            | botocore.CredentialRetrievalError()
            | botocore.SSOError()
            | botocore.TokenRetrievalError()
        ):
            return AwsError(f"There are no AWS credentials ({type(error).__name__}).", _SIGN_IN)
    text = " ".join(str(error).split())[:_LONGEST]
    return AwsError(
        f"The AWS SDK cannot go on: {text.rstrip('.')}.", "Correct that, and try again."
    )
