"""Calls and steps: what is retried and for how long, what is tolerated, and what others need."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from lifecycle.faults import error
from support.events import ENDPOINT, HERE, NOON, OTHER_TAG, QUEUE, alb_arn, registration
from support.running import Clock

from dt_logs_handler import model
from dt_logs_handler.apply import Effects, carry_out, carry_out_all
from dt_logs_handler.aws import (
    BUCKET_SPREADS,
    PATIENCE,
    POLICY_SPREADS,
    Aws,
    Passing,
    failure,
    pages,
)
from dt_logs_handler.errors import CallFailed, OutOfTime, Refused
from dt_logs_handler.names import Location
from dt_logs_handler.register import PolicyEdit, Registration
from dt_logs_handler.request import Endpoint


def aws(clock: Clock, *, s3: Any = None, until: float = 900, fresh: float = 0, **more: int) -> Aws:
    """Return an Aws; `until` and `fresh` are seconds from now."""
    nobody: Any = None
    limits = {"deadline": NOON + until, "fresh_until": NOON + fresh}
    return Aws(nobody, s3, nobody, clock, clock.sleep, Random(7), **limits, **more)


def raising(count: float, cause: Exception) -> Callable[[], str]:
    """Return an operation that raises an error at its first `count` calls."""
    calls: list[Exception] = []

    def operation() -> str:
        calls.append(cause)
        if len(calls) <= count:
            raise cause
        return "done"

    return operation


PASSING = (
    "InternalError InternalFailure OperationAborted RequestLimitExceeded RequestTimeout"
    " ServiceUnavailable SlowDown Throttled Throttling ThrottlingException"
    " TooManyRequestsException 500 503"
)
DENIED = "AccessDenied AccessDeniedException AuthorizationError UnauthorizedOperation 403"
PERMANENT = ["NoSuchBucketPolicy", "MalformedPolicy", "InvalidArgument", "NoSuchBucket", ""]
UNREACHABLE = EndpointConnectionError(endpoint_url="https://s3.amazonaws.com")
UNANSWERED = ReadTimeoutError(endpoint_url="https://s3.amazonaws.com")
ELSEWHERE = error("InvalidConfigurationRequest", text="The bucket is in another region")
CLOSED = error("InvalidConfigurationRequest", text="Access Denied for bucket: logs.")
EXPLICIT = error("AccessDenied", text="is not authorized with an explicit deny in a policy")
# An error, the errors that may pass for this operation, the seconds for which the role is still
# new, and the most seconds for which the operation is repeated.
RETRIED: list[tuple[Exception, tuple[Passing, ...], float, float]] = [
    *((error(code), (), 0, PATIENCE) for code in PASSING.split()),
    *((error(code), (), 0, 0) for code in [*PERMANENT, *DENIED.split()]),
    *((error(code), (), 28, 30) for code in DENIED.split()),
    (EXPLICIT, (), 60, 0),
    (UNREACHABLE, (), 0, PATIENCE),
    (UNANSWERED, (), 0, PATIENCE),
    (CLOSED, (), 0, 0),
    (CLOSED, (POLICY_SPREADS,), 0, PATIENCE),
    (ELSEWHERE, (POLICY_SPREADS,), 0, 0),
    (error("ValidationError", text="Access Denied for bucket"), (POLICY_SPREADS,), 0, 0),
    (error("NoSuchBucket"), (BUCKET_SPREADS,), 0, PATIENCE),
    (error("InvalidArgument", text="is not Unable"), (Passing("InvalidArgument", "Una"),), 0, 0),
]


@pytest.mark.parametrize(("cause", "passing", "fresh", "longest"), RETRIED, ids=repr)
def test_failure_is_retried_for_as_long_as_it_can_pass(
    cause: Exception, passing: tuple[Passing, ...], fresh: float, longest: float
) -> None:
    assert PATIENCE == 60
    clock = Clock()
    expected = type(cause) if isinstance(cause, ClientError) else CallFailed
    with pytest.raises(expected):
        aws(clock, fresh=fresh).call(raising(900, cause), *passing)
    assert longest / 2 <= sum(clock.slept) <= longest
    if longest:
        assert aws(Clock(), fresh=fresh).call(raising(2, cause), *passing) == "done"


def test_pauses_grow_and_are_jittered_and_none_goes_over_the_deadline() -> None:
    """Many stacks that are throttled together must not retry at the same moment."""
    clock = Clock()
    with pytest.raises(ClientError):
        aws(clock).call(raising(900, error("SlowDown")))
    assert len(set(clock.slept)) == len(clock.slept)
    assert clock.slept[0] < 1 < clock.slept[4] <= max(clock.slept) <= 8

    done: list[str] = []
    with pytest.raises(OutOfTime):
        aws(Clock(), until=0).call(partial(done.append, "called"))
    assert done == []
    clock = Clock()
    with pytest.raises(OutOfTime):
        aws(clock, until=5).call(raising(900, error("SlowDown")))
    assert clock.now < NOON + 5
    with pytest.raises(OutOfTime):
        aws(clock).until(clock.now + 5).pause(5)


@pytest.mark.parametrize(
    ("name", "following"), [("NextToken", ""), ("Marker", "NextMarker")], ids=["one name", "two"]
)
def test_every_page_is_read_through_throttling(name: str, following: str) -> None:
    content = {"": ("ab", "2"), "2": ("c", "3"), "3": ("", "")}
    throttled = iter([True, False, True, False, False])

    def listing(**given: str) -> dict[str, Any]:
        if next(throttled):
            raise error("Throttling")
        items, token = content[given.pop(name, "")]
        assert given == {}
        return {"Items": items, **({following or name: token} if token else {})}

    found = pages(aws(Clock()), listing, name, following)
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
        (UNANSWERED, "could not be reached: ReadTimeoutError", "network"),
        (ClientError({}, "PutBucketPolicy"), "PutBucketPolicy failed", "again"),
    ],
)
def test_failure_says_what_and_what_to_do(cause: Exception, what: str, fix: str) -> None:
    told = failure(cause)
    assert what in told.what and told.what.endswith(".")
    assert fix in told.fix and told.fix.endswith(".")


def test_no_more_are_begun_at_once_than_there_are_workers_or_time_for() -> None:
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

    aws(Clock(), workers=3).each(counted, range(12))
    assert most == 3
    for until, fit in ((100.02, 200), (-5, 0)):
        calls = aws(Clock(), until=until)
        calls.admit(fit, "load balancers", 0.5)
        told = f"^{fit + 1} load balancers are too many for one run: {fit} fit "
        with pytest.raises(Refused, match=told):
            calls.admit(fit + 1, "load balancers", 0.5)


# Steps

WEB, API, SHOP = (alb_arn(name, number) for number, name in enumerate(("web", "api", "shop"), 1))
LOCATION = Location("logs", "web")
ON, OFF = model.Logging(True, "logs", "web"), model.Logging(False, "logs", "web")
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


@dataclass
class Bench:
    """Records each step; the steps in `failing` fail. A bench also serves as the S3 client."""

    failing: dict[model.Step, Exception] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    taken: list[model.Step] = field(default_factory=list)

    def effects(self) -> Effects:
        calls = aws(Clock(), s3=self, workers=self.workers)
        return Effects(calls, HERE, int(NOON), lambda step, outcome: None)

    def take(self, step: model.Step, effects: Effects) -> str:
        self.taken.append(step)
        if step in self.failing:
            raise self.failing[step]
        return "done"

    def get_bucket_policy(self, Bucket: str, ExpectedBucketOwner: str) -> dict[str, str]:
        assert ExpectedBucketOwner == "123456789012"
        if Bucket not in self.policies:
            raise error("NoSuchBucket", "GetBucketPolicy")
        return {"Policy": self.policies[Bucket]}


@pytest.mark.parametrize("workers", [1, 8])
def test_load_balancers_that_follow_each_other_are_taken_together_each_once(workers: int) -> None:
    on = [model.SetLogging(arn, model.Logging(), ON) for arn in (WEB, API, SHOP)]
    steps = [*on[:2], model.SetLogging(WEB, ON, OFF), UNMADE, on[2]]
    bench = Bench(workers=workers)
    carry_out(steps, bench.effects(), bench.take)
    assert sorted(map(str, bench.taken[:2])) == sorted(map(str, steps[:2]))
    assert bench.taken[2:] == steps[2:]


OUT = model.SetLogging(WEB, ON, OFF)
DROP = model.EditPolicy("logs", PolicyEdit(drop=frozenset({"sid"})))
UNMADE = model.DeleteBucket("logs")
FILE = model.DeleteTestFile(LOCATION)
UNMADE_TOPIC = model.DeleteTopic(TOPIC, "logs")
END = Endpoint("https", ENDPOINT)
ENDED, LIVE = (
    model.Unsubscribe(f"{TOPIC}:1", TOPIC, END, "logs", live=live) for live in (False, True)
)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (FILE, "s3://logs/web/AWSLogs/123456789012/ELBAccessLogTestFile"),
        (UNMADE_TOPIC, f"aws sns delete-topic --topic-arn {TOPIC}"),
        (ENDED, f"aws sns unsubscribe --subscription-arn {TOPIC}:1"),
        (LIVE, ""),  # the subscription still gets announcements
    ],
)
def test_worthless_thing_that_may_not_be_deleted_is_kept_and_reported(
    step: model.Step, told: str
) -> None:
    """A test file is also not deleted again in a bucket whose registration cannot be removed."""
    bench = Bench({step: error("AuthorizationError", text="explicit deny")})
    effects = bench.effects()
    failures = carry_out_all([step, DROP], effects, bench.take)
    assert bench.taken == ([step, DROP] if told else [step])
    assert (len(failures), len(effects.kept)) == ((0, 1) if told else (1, 0))
    assert all(told in kept and "explicit deny" in kept for kept in effects.kept)
    assert effects.possible([step, DROP]) == ((DROP,) if told else (step, DROP))
    effects.keep(DROP, "the statement")
    other = model.DeleteTestFile(Location("more", ""))
    assert effects.possible([FILE, other, DROP, OUT]) == (other, OUT)


def claims(*found: Registration) -> str:
    return json.dumps({"Statement": [each.statement(HERE) for each in found]})


THEIRS = partial(registration, stack=OTHER_TAG, endpoint=END.digest)
NAME, OTHER = "app/web/0000000000000001", "app/x/0000000000000009"
ELSE = Endpoint("sqs", QUEUE).digest
STEPS: dict[str, model.Step] = {
    "logging": OUT,
    "file": FILE,
    "subscription": ENDED,
    "topic": UNMADE_TOPIC,
    "bucket": UNMADE,
}


@pytest.mark.parametrize(
    ("found", "needed"),
    [
        (None, set()),
        ([], set()),
        ([registration("web")], set()),
        ([registration("web", endpoint=END.digest, time=int(NOON) + 1)], set(STEPS)),
        ([THEIRS("web")], set(STEPS)),
        ([THEIRS("web", NAME, OTHER)], set(STEPS)),
        ([THEIRS("web", OTHER)], set(STEPS) - {"logging"}),
        ([THEIRS("api")], {"subscription", "topic", "bucket"}),
        ([THEIRS("api", endpoint=ELSE)], {"topic", "bucket"}),
        ([THEIRS("web", endpoint=ELSE)], set(STEPS) - {"subscription"}),
    ],
)
def test_what_another_stack_or_a_later_event_needs_stays(
    found: list[Registration] | None, needed: set[str]
) -> None:
    """No stack needs a deleted bucket. A policy that was read within two seconds is reused."""
    bench = Bench(policies={} if found is None else {"logs": claims(*found)})
    effects = bench.effects()
    assert {name for name, step in STEPS.items() if effects.needed(step)} == needed
    if found == []:
        bench.policies = {"logs": claims(THEIRS("web"))}
        assert effects.others("logs") == []
        effects.aws.sleep(2.1)
        assert effects.others("logs") == [THEIRS("web")]
