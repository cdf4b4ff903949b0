"""Retry calls over an unreliable network: which may be repeated, and what AWS did."""

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.errors import AwsError, OperatingError
from dt_logs_handler.aws import PASSING, code

# What boto3 may raise for a call.
FAILURES = (ClientError, BotoCoreError, ResponseParserError)
LOOKS = 3  # failures in a row; the SDK has retried each of them
PAUSE = 4.0  # seconds after the first failure; doubled after each further one
_LOST = (ConnectionError, HTTPClientError, ResponseParserError)

T = TypeVar("T")


def patiently(look: Callable[[], T], operator: Operator, what: str) -> T:
    """Return what `look` returns; repeat it after a lost connection or throttling.

    `what` names what is followed, such as "The stack". Raises OperatingError, which says that it
    goes on, if it can no longer be followed.
    """
    try:
        return looked_at(look, operator)
    except FAILURES as error:
        found = failure(error)
        raise OperatingError(
            f"{what} goes on, and cannot be followed: {found.what}",
            f"{found.fix} The same command follows it again.",
        ) from error


def looked_at(look: Callable[[], T], operator: Operator) -> T:
    """Return what `look` returns; repeat it after a lost connection or throttling.

    Raises the last of FAILURES if AWS does not answer again.
    """
    for failures in range(LOOKS):
        try:
            return look()
        except FAILURES as error:
            if failures == LOOKS - 1 or not passes(error):
                raise
            operator.tell(f"AWS does not answer ({type(error).__name__}); trying again")
            operator.sleep(PAUSE * 2**failures)
    raise AssertionError("unreachable")


def passes(error: Exception) -> bool:
    """Return whether the same call may succeed later, or has succeeded despite the error."""
    if not isinstance(error, ClientError):
        return isinstance(error, _LOST)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return code(error) in PASSING or status >= 500


def refused(error: Exception) -> bool:
    """Return whether AWS certainly did nothing; an earlier attempt may have succeeded."""
    if not isinstance(error, ClientError):
        return False
    found = error.response.get("ResponseMetadata", {})
    return found.get("RetryAttempts", 0) == 0 and found.get("HTTPStatusCode", 400) < 500


def failure(error: Exception) -> AwsError:
    """Describe one of FAILURES: what happened, and what to do."""
    try:
        with aws.errors():
            raise error
    except AwsError as found:
        return found
