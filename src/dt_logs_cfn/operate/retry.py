"""Repeat calls over an unreliable network, and judge whether AWS may have carried them out."""

from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.errors import AwsError, OperatingError
from dt_logs_handler.aws import PASSING, code

FOLLOWS = "To follow it, run the same command again."
# The exceptions that boto3 may raise for a call.
FAILURES = (ClientError, BotoCoreError, ResponseParserError)
LOOKS = 3  # attempts; the SDK also retries each of them
PAUSE = 4.0  # seconds after the first failure; doubled after each further failure
_LOST = (ConnectionError, HTTPClientError, ResponseParserError)

T = TypeVar("T")


def patiently(look: Callable[[], T], operator: Operator, what: str, fix: str) -> T:
    """Call `look` as `looked_at` does, and return its result.

    Raises OperatingError where `looked_at` raises one of FAILURES. The message is `what` and the
    reason; the fix is the failure's own fix, then `fix`.
    """
    try:
        return looked_at(look, operator)
    except FAILURES as error:
        found = failure(error)
        raise OperatingError(f"{what}: {found.what}", f"{found.fix} {fix}") from error


def looked_at(look: Callable[[], T], operator: Operator) -> T:
    """Call `look` and return its result; after a failure that may be temporary, say so and repeat.

    Raises one of FAILURES: after the last attempt, or at once if the failure is permanent.
    """
    for failures in range(LOOKS):
        try:
            return look()
        except FAILURES as error:
            if failures == LOOKS - 1 or not passes(error):
                raise
            operator.tell(f"A call to AWS failed ({type(error).__name__}); trying again")
            operator.sleep(PAUSE * 2**failures)
    raise AssertionError("unreachable")


def passes(error: Exception) -> bool:
    """Return whether the same call may succeed later, or may have succeeded despite the error."""
    if not isinstance(error, ClientError):
        return isinstance(error, _LOST)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    return code(error) in PASSING or status >= 500


def refused(error: Exception) -> bool:
    """Return whether AWS certainly did nothing, because it refused the first attempt."""
    if not isinstance(error, ClientError):
        return False
    found = error.response.get("ResponseMetadata", {})
    return found.get("RetryAttempts", 0) == 0 and found.get("HTTPStatusCode", 400) < 500


def failure(error: Exception) -> AwsError:
    """Return one of FAILURES as an AwsError, which says what happened and what to do."""
    try:
        with aws.errors():
            raise error
    except AwsError as found:
        return found
