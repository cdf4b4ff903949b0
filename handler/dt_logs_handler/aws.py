"""Call AWS, retry temporary failures, and stop when the time is used up."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from .errors import ALLOW, CallFailed, OutOfTime, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from random import Random
    from typing import Any, TypeVar

    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

    S = TypeVar("S")
    T = TypeVar("T")
    P = TypeVar("P", bound=Mapping[str, Any])

PATIENCE = 60.0  # seconds for which a temporary failure is retried
_DENIED = frozenset(
    ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403")
)
# Temporary errors: throttling, faults at AWS, and S3's conflict of two changes to one bucket.
PASSING = frozenset(
    (
        "InternalError",
        "InternalFailure",
        "OperationAborted",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttled",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "500",
        "503",
    )
)


@dataclass(frozen=True)
class Passing:
    """A temporary error of one operation: its code, and a pattern for the start of its message."""

    code: str
    text: str = ""


# ELB does not see a new bucket policy at once. Until then, ELB returns the same error as for a
# policy that denies access.
POLICY_SPREADS = Passing("InvalidConfigurationRequest", "Access Denied for bucket")
# A new bucket is not visible everywhere at once.
BUCKET_SPREADS = Passing("NoSuchBucket")


@dataclass(frozen=True)
class Aws:
    """The clients and their limits; times are seconds since 1970.

    A call that would begin after `deadline`, or a pause that would end after it, raises OutOfTime.
    Until `fresh_until`, a call that is denied without an explicit Deny is retried, because a new
    role's permissions do not take effect at once. `workers` is the number of load balancers handled
    at the same time. `proceed` raises an error if no further step may be taken.
    """

    elbv2: ElasticLoadBalancingv2Client
    s3: S3Client
    sns: SNSClient
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Random
    deadline: float
    fresh_until: float = 0.0
    workers: int = 1
    proceed: Callable[[], None] = lambda: None

    def until(self, deadline: float) -> Aws:
        """Return a copy with another deadline."""
        return replace(self, deadline=deadline)

    def pause(self, seconds: float) -> None:
        """Wait, or raise OutOfTime at once if the wait would end after the deadline."""
        if self.clock() + seconds >= self.deadline:
            raise OutOfTime(
                "The function's time is used up.",
                "Run the stack again, with fewer load balancers if it happens again.",
            )
        if seconds:
            self.sleep(seconds)

    def each(self, operation: Callable[[S], T], items: Sequence[S]) -> list[T]:
        """Apply an operation to items, `workers` at a time; return the results in the items' order.

        Raises the error of the first item that failed, once all operations that began have ended.
        """
        if self.workers == 1 or len(items) < 2:
            return [operation(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor  # imported here, as it slows a cold start

        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(operation, items))

    def fit(self, seconds: float) -> int:
        """Return how many items fit into the remaining time, at `seconds` each."""
        return max(0, int((self.deadline - self.clock()) / seconds))

    def admit(self, count: int, what: str, seconds: float) -> None:
        """Raise Refused if `count` items do not fit into the remaining time, at `seconds` each."""
        fit = self.fit(seconds)
        if count > fit:
            raise Refused(
                f"{count} {what} are too many for one run: {fit} fit into its time, at {seconds} s"
                " each.",
                "Name fewer in LoadBalancerArns, in several stacks.",
            )

    def call(self, operation: Callable[[], T], *passing: Passing) -> T:
        """Make a call, and retry it while its failure is temporary.

        Throttling, faults at AWS, missing answers, the errors in `passing` and, until
        `fresh_until`, denials are retried for PATIENCE seconds, with jittered pauses. Raises
        ClientError if AWS refuses the call or the failure lasts, CallFailed if AWS does not answer,
        OutOfTime, and what `proceed` raises.
        """
        patient_until = self.clock() + PATIENCE
        longest = 1.0
        while True:
            self.pause(0)
            pause = self.random.uniform(longest / 2, longest)
            try:
                return operation()
            except ClientError as error:
                if self.clock() + pause > patient_until or not self._passes(error, passing):
                    raise
            except (ConnectionError, HTTPClientError) as error:
                if self.clock() + pause > patient_until:
                    raise failure(error) from error
            self.pause(pause)
            self.proceed()
            longest = 2.0  # longer pauses would starve one of several throttled calls

    def _passes(self, error: ClientError, passing: tuple[Passing, ...]) -> bool:
        text = message(error)
        if denied(error):
            return self.clock() < self.fresh_until and "explicit deny" not in text
        return code(error) in PASSING or any(
            code(error) == each.code and re.match(each.text, text) for each in passing
        )


def pages(aws: Aws, listing: Callable[..., P], name: str, following: str = "") -> Iterator[P]:
    """Yield every page of a listing.

    `name` is the page token's name in the request, and in the response unless `following` gives
    another name there.
    """
    page = aws.call(listing)
    yield page
    while token := page.get(following or name):
        page = aws.call(partial(listing, **{name: token}))
        yield page


def code(error: ClientError) -> str:
    """Return AWS's error code."""
    return error.response.get("Error", {}).get("Code", "")


def message(error: ClientError) -> str:
    """Return AWS's error message, followed by the argument to which the error applies, if any."""
    found = error.response.get("Error", {}).items()
    return ": ".join(str(each) for key, each in found if key[:3] in ("Mes", "Arg"))


def denied(error: ClientError) -> bool:
    """Return whether an error means that the call was denied."""
    return code(error) in _DENIED


def failure(error: Exception) -> CallFailed:
    """Return a CallFailed that describes a call's error and how to correct it."""
    if not isinstance(error, ClientError):
        return CallFailed(
            f"AWS could not be reached: {type(error).__name__}.",
            "Check the function's network, then run the stack again.",
        )
    if denied(error):
        fix = f"{ALLOW}, then run the stack again."
    elif code(error) == POLICY_SPREADS.code:
        fix = (
            "Use a bucket of the load balancer's region, with SSE-S3 and a policy that lets"
            " Elastic Load Balancing write, then run the stack again."
        )
    else:
        fix = "Run the stack again; if it fails in the same way, send this text to Data Theorem."
    return CallFailed(
        f"{error.operation_name} failed with {code(error)}: {message(error).rstrip('.')}.", fix
    )
