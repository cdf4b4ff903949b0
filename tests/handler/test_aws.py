"""Calls to AWS: temporary errors are retried for a limited time; other errors are not."""

import threading
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from lifecycle.faults import error
from support.events import NOON
from support.running import Clock

from dt_logs_handler.aws import (
    BUCKET_SPREADS,
    PATIENCE,
    POLICY_SPREADS,
    Aws,
    Passing,
    failure,
    pages,
)
from dt_logs_handler.errors import CallFailed, HandlerError, OutOfTime, Refused

PASSING = [
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "ServiceUnavailable",
    "InternalError",
    "OperationAborted",
    "503",
]
DENIED = ["AccessDenied", "AccessDeniedException", "AuthorizationError", "403"]
UNREACHABLE = EndpointConnectionError(endpoint_url="https://s3.amazonaws.com")
UNANSWERED = ReadTimeoutError(endpoint_url="https://s3.amazonaws.com")
PERMANENT = ["NoSuchBucketPolicy", "MalformedPolicy", "InvalidArgument", "NoSuchBucket", ""]


def aws(clock: Clock, *, deadline: float = 900.0, fresh: float = 0.0) -> Aws:
    """Return an Aws without clients; `deadline` and `fresh` are seconds from now."""
    nobody: Any = None
    return Aws(
        elbv2=nobody,
        s3=nobody,
        sns=nobody,
        clock=clock,
        sleep=clock.sleep,
        random=Random(7),
        deadline=NOON + deadline,
        fresh_until=NOON + fresh,
    )


class Operation:
    """Raises the given errors, one per call, and then returns; or raises `always` at every call."""

    def __init__(self, *errors: Exception, always: Exception | None = None) -> None:
        self.errors = iter(errors)
        self.always = always
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        for each in self.errors:
            raise each
        if self.always:
            raise self.always
        return "done"


def waited(always: Exception, *passing: Passing, fresh: float = 0) -> float:
    """Return after how many seconds a persistent error is raised."""
    clock = Clock()
    operation = Operation(always=always)
    with pytest.raises(type(always)):
        aws(clock, fresh=fresh).call(operation, *passing)
    assert operation.calls == len(clock.slept) + 1
    return sum(clock.slept)


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_is_called_again_for_a_limited_time(code: str) -> None:
    operation = Operation(error(code), error(code))
    assert aws(Clock()).call(operation) == "done"
    assert operation.calls == 3
    assert PATIENCE / 2 < waited(error(code)) <= PATIENCE == 60


def test_pauses_grow_and_are_jittered() -> None:
    """Many stacks that are throttled together must not retry at the same moment."""
    clock, other = Clock(), Clock()
    for each in (clock, other):
        with pytest.raises(ClientError):
            aws(each).call(Operation(always=error("SlowDown")))
    assert clock.slept == other.slept  # both have the same seed
    assert len(set(clock.slept)) == len(clock.slept)
    assert clock.slept[0] < 1 < clock.slept[4] <= max(clock.slept) <= 8


@pytest.mark.parametrize("code", [*PERMANENT, *DENIED])
def test_permanent_error_does_not_wait(code: str) -> None:
    assert waited(error(code)) == 0


@pytest.mark.parametrize("trouble", [UNREACHABLE, UNANSWERED], ids=repr)
def test_broken_connection_is_tried_again(trouble: Exception) -> None:
    clock = Clock()
    assert aws(clock).call(Operation(trouble, trouble)) == "done"
    with pytest.raises(CallFailed) as failed:
        aws(clock).call(Operation(always=trouble))
    assert "could not be reached" in failed.value.what
    assert "network" in failed.value.fix


@pytest.mark.parametrize(
    ("passing", "code", "text", "waits"),
    [
        (POLICY_SPREADS, "InvalidConfigurationRequest", "Access Denied for bucket: logs.", True),
        (BUCKET_SPREADS, "NoSuchBucket", "The specified bucket does not exist", True),
        (POLICY_SPREADS, "InvalidConfigurationRequest", "The bucket is in another region", False),
        (Passing("InvalidArgument", "Unable"), "InvalidArgument", "The ARN is not Unable", False),
        (POLICY_SPREADS, "ValidationError", "Access Denied for bucket: logs.", False),
    ],
)
def test_spreading_is_waited_for_if_expected(
    passing: Passing, code: str, text: str, waits: bool
) -> None:
    spreading = error(code, text=text)
    assert waited(spreading) == 0
    assert (waited(spreading, passing) > PATIENCE / 2) is waits
    if waits:
        assert aws(Clock()).call(Operation(spreading, spreading), passing) == "done"


@pytest.mark.parametrize("code", DENIED)
def test_denial_is_final_after_a_fresh_roles_first_minute(code: str) -> None:
    operation = Operation(error(code), error(code), error(code))
    assert aws(Clock(), fresh=60).call(operation) == "done"
    assert 10 < waited(error(code), fresh=20) < 30


def test_explicit_deny_is_final_at_once() -> None:
    text = (
        "User: x is not authorized to perform: y with an explicit deny in a resource-based policy"
    )
    assert waited(error("AccessDenied", text=text), fresh=60) == 0


def test_nothing_begins_after_the_deadline_and_no_pause_goes_over_it() -> None:
    operation, clock = Operation(), Clock()
    with pytest.raises(OutOfTime):
        aws(Clock(), deadline=0).call(operation)
    assert operation.calls == 0
    with pytest.raises(OutOfTime):
        aws(clock, deadline=5).call(Operation(always=error("SlowDown")))
    assert clock.now < NOON + 5
    with pytest.raises(OutOfTime):
        aws(clock, deadline=5).pause(5)
    assert aws(clock).until(NOON + 1).deadline == NOON + 1


@pytest.mark.parametrize(
    ("name", "following"), [("NextToken", ""), ("Marker", "NextMarker")], ids=["one name", "two"]
)
def test_every_page_is_read_through_throttling(name: str, following: str) -> None:
    content: dict[str, tuple[list[str], str]] = {
        "": (["a", "b"], "2"),
        "2": (["c"], "3"),
        "3": ([], ""),
    }
    throttled = iter([True, False, True, False, False])

    def listing(**given: str) -> dict[str, Any]:
        if next(throttled):
            raise error("Throttling")
        items, token = content[given.pop(name, "")]
        assert given == {}
        return {"Items": items, **({following or name: token} if token else {})}

    found = list(pages(aws(Clock()), listing, name, following))
    assert [item for page in found for item in page["Items"]] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("cause", "what", "fix"),
    [
        (
            error("AccessDenied", text="x."),
            "PutBucketPolicy failed with AccessDenied: x.",
            "execution",
        ),
        (error("InvalidConfigurationRequest"), "InvalidConfigurationRequest: x", "SSE-S3"),
        (error("MalformedPolicy"), "PutBucketPolicy failed with MalformedPolicy: x.", "again"),
        (UNANSWERED, "ReadTimeoutError", "network"),
        (ClientError({}, "PutBucketPolicy"), "PutBucketPolicy failed", "again"),
    ],
)
def test_failure_says_what_and_what_to_do(cause: Exception, what: str, fix: str) -> None:
    told = failure(cause)
    assert isinstance(told, HandlerError)
    assert what in told.what and told.what.endswith(".")
    assert fix in told.fix and told.fix.endswith(".")


def test_no_more_are_begun_at_once_than_there_are_workers() -> None:
    lock, running, most = threading.Lock(), 0, 0
    together = threading.Barrier(3)

    def counted(number: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(10)
        with lock:
            running -= 1
        together.wait(10)

    replace(aws(Clock()), workers=3).each(counted, range(12))
    assert most == 3


def test_what_does_not_fit_is_refused_with_the_number_that_does() -> None:
    for deadline, fit in ((100.02, 200), (-5, 0)):
        calls = aws(Clock(), deadline=deadline)
        calls.admit(fit, "load balancers", 0.5)
        told = f"^{fit + 1} load balancers are too many for one run: {fit} fit "
        with pytest.raises(Refused, match=told):
            calls.admit(fit + 1, "load balancers", 0.5)
