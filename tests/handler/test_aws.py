"""Calls to AWS: temporary errors are retried for a limited time, other errors are not."""

import threading
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
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
SPREADING = [
    (POLICY_SPREADS, "InvalidConfigurationRequest", "Access Denied for bucket: logs. Please"),
    (BUCKET_SPREADS, "NoSuchBucket", "The specified bucket does not exist"),
]


def error(code: str, message: str = "Rate exceeded") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "PutBucketPolicy")


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
    """Raises the given errors, one for each call, and then returns; or always raises `always`."""

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


@pytest.mark.parametrize("code", PASSING)
def test_what_passes_is_called_again(code: str) -> None:
    clock = Clock()
    operation = Operation(error(code), error(code))
    assert aws(clock).call(operation) == "done"
    assert operation.calls == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("code", PASSING)
def test_waiting_is_bounded(code: str) -> None:
    clock = Clock()
    with pytest.raises(ClientError) as failed:
        aws(clock).call(Operation(always=error(code)))
    assert PATIENCE / 2 < sum(clock.slept) <= PATIENCE == 60
    assert f"PutBucketPolicy failed with {code}: Rate exceeded." in failure(failed.value).what


def test_pauses_grow_and_are_jittered() -> None:
    """Many stacks that are throttled together must not retry at the same moment."""
    clock, other = Clock(), Clock()
    for each in (clock, other):
        with pytest.raises(ClientError):
            aws(each).call(Operation(always=error("SlowDown")))
    assert clock.slept == other.slept  # because their seeds are the same
    assert len(set(clock.slept)) == len(clock.slept)
    assert clock.slept[0] < 1 < clock.slept[4] <= max(clock.slept) <= 8


@pytest.mark.parametrize("code", [*PERMANENT, *DENIED])
def test_permanent_error_does_not_wait(code: str) -> None:
    clock = Clock()
    operation = Operation(always=error(code))
    with pytest.raises(ClientError):
        aws(clock).call(operation)
    assert operation.calls == 1
    assert clock.slept == []


@pytest.mark.parametrize("trouble", [UNREACHABLE, UNANSWERED], ids=repr)
def test_broken_connection_is_tried_again(trouble: Exception) -> None:
    clock = Clock()
    assert aws(clock).call(Operation(trouble, trouble)) == "done"
    with pytest.raises(CallFailed) as failed:
        aws(clock).call(Operation(always=trouble))
    assert "could not be reached" in failed.value.what
    assert "network" in failed.value.fix


@pytest.mark.parametrize(("passing", "code", "text"), SPREADING)
def test_spreading_is_waited_for_if_expected(passing: Passing, code: str, text: str) -> None:
    spreading = error(code, text)
    assert aws(Clock()).call(Operation(spreading, spreading), passing) == "done"
    with pytest.raises(ClientError):
        aws(Clock()).call(Operation(spreading))
    with pytest.raises(ClientError):
        aws(Clock()).call(Operation(always=spreading), passing)


@pytest.mark.parametrize(
    ("passing", "code", "text"),
    [
        (POLICY_SPREADS, "InvalidConfigurationRequest", "The S3 bucket is in another region"),
        (Passing("InvalidArgument", "Unable"), "InvalidArgument", "The ARN is not Unable"),
        (POLICY_SPREADS, "ValidationError", "Access Denied for bucket: logs."),
    ],
)
def test_another_text_of_the_same_operation_does_not_wait(
    passing: Passing, code: str, text: str
) -> None:
    clock = Clock()
    with pytest.raises(ClientError):
        aws(clock).call(Operation(error(code, text)), passing)
    assert clock.slept == []


@pytest.mark.parametrize("code", DENIED)
def test_fresh_role_is_given_time(code: str) -> None:
    operation = Operation(error(code), error(code), error(code))
    assert aws(Clock(), fresh=60).call(operation) == "done"


@pytest.mark.parametrize("code", DENIED)
def test_denial_is_final_after_the_first_minute(code: str) -> None:
    clock = Clock()
    with pytest.raises(ClientError):
        aws(clock, fresh=20).call(Operation(always=error(code)))
    assert 10 < sum(clock.slept) < 30


def test_explicit_deny_is_final_at_once() -> None:
    clock = Clock()
    text = (
        "User: x is not authorized to perform: y with an explicit deny in a resource-based policy"
    )
    with pytest.raises(ClientError):
        aws(clock, fresh=60).call(Operation(error("AccessDenied", text)))
    assert clock.slept == []


def test_nothing_begins_after_the_deadline() -> None:
    clock = Clock()
    operation = Operation()
    with pytest.raises(OutOfTime):
        aws(clock, deadline=0).call(operation)
    assert operation.calls == 0


def test_no_pause_goes_over_the_deadline() -> None:
    clock = Clock()
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
            error("AccessDenied", "User: x is not authorized."),
            "PutBucketPolicy failed with AccessDenied: User: x is not authorized.",
            "execution role",
        ),
        (
            error("InvalidConfigurationRequest", "Access Denied for bucket: logs."),
            "PutBucketPolicy failed with InvalidConfigurationRequest: Access Denied for bucket",
            "SSE-S3",
        ),
        (error("MalformedPolicy", "x"), "PutBucketPolicy failed with MalformedPolicy: x.", "again"),
        (UNANSWERED, "ReadTimeoutError", "network"),
        (ClientError({}, "PutBucketPolicy"), "PutBucketPolicy failed", "again"),
    ],
)
def test_failure_says_what_and_what_to_do(cause: Exception, what: str, fix: str) -> None:
    told = failure(cause)
    assert isinstance(told, HandlerError)
    assert what in told.what and told.what.endswith(".")
    assert fix in told.fix and told.fix.endswith(".")


def several(workers: int) -> Aws:
    return replace(aws(Clock()), workers=workers)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_results_come_in_the_order_of_their_items(workers: int) -> None:
    """With several workers, some items wait for the next one, so results arrive out of order."""
    begun = [threading.Event() for _ in range(20)]

    def late(number: int) -> int:
        begun[number].set()
        if workers > 1 and number % workers == 0 and number + 1 < len(begun):
            assert begun[number + 1].wait(10)
        return number * number

    assert several(workers).each(late, range(20)) == [number * number for number in range(20)]


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

    several(3).each(counted, range(12))
    assert most == 3


@pytest.mark.parametrize("workers", [1, 8])
def test_of_several_errors_the_first_in_order_is_raised(workers: int) -> None:
    def failing(number: int) -> int:
        if number in (3, 5, 11):
            raise ValueError(str(number))
        return number

    with pytest.raises(ValueError, match=r"^3$"):
        several(workers).each(failing, range(12))


def test_what_does_not_fit_is_refused_with_the_number_that_does() -> None:
    calls = aws(Clock(), deadline=100.02)
    calls.admit(200, "load balancers", 0.5)
    with pytest.raises(Refused, match=r"^201 load balancers are too many for one run: 200 fit "):
        calls.admit(201, "load balancers", 0.5)


def test_nothing_fits_once_time_is_over() -> None:
    calls = aws(Clock(), deadline=-5)
    calls.admit(0, "load balancers", 0.5)
    with pytest.raises(Refused, match=": 0 fit "):
        calls.admit(1, "load balancers", 0.5)
