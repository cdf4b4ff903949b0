"""Carrying out steps: failures, things kept and reported, and things that others need."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import pytest
from lifecycle.faults import error
from support.events import ENDPOINT, NOON, OTHER_TAG, QUEUE, alb_arn
from support.running import Clock
from support.states import HERE, registration

from dt_logs_handler import model
from dt_logs_handler.apply import Effects, carry_out, carry_out_all
from dt_logs_handler.aws import Aws
from dt_logs_handler.errors import CallFailed
from dt_logs_handler.names import Location
from dt_logs_handler.notifications import NotificationEdit
from dt_logs_handler.register import PolicyEdit, Registration
from dt_logs_handler.request import Endpoint

WEB, API, SHOP = (alb_arn(name, number) for number, name in enumerate(("web", "api", "shop"), 1))
LOCATION = Location("logs", "web")
ON, OFF = model.Logging(True, "logs", "web"), model.Logging(False, "logs", "web")
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


@dataclass
class Bench:
    """Records each step that is taken; those in `failing` fail. A bench is also the S3 client."""

    failing: dict[model.Step, Exception] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    workers: int = 1
    taken: list[model.Step] = field(default_factory=list)
    logged: list[tuple[model.Step, str]] = field(default_factory=list)

    def effects(self, time: float = NOON) -> Effects:
        nobody: Any = None
        s3: Any = self
        clock = Clock()
        aws = Aws(
            nobody, s3, nobody, clock, clock.sleep, Random(7), NOON + 900, workers=self.workers
        )
        return Effects(aws, HERE, int(time), lambda step, what: self.logged.append((step, what)))

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


def turned_on(arn: str) -> model.SetLogging:
    return model.SetLogging(arn, model.Logging(), ON)


FIRST, SECOND, THIRD = model.SecureBucket("a"), model.SecureBucket("b"), model.SecureBucket("c")


def test_steps_are_taken_in_order_until_one_fails() -> None:
    bench = Bench({SECOND: error("MalformedXML")})
    effects = bench.effects()
    with pytest.raises(CallFailed, match="PutBucketPolicy failed with MalformedXML"):
        carry_out([FIRST, SECOND, THIRD], effects, bench.take)
    assert bench.taken == [FIRST, SECOND]
    assert bench.logged == [(FIRST, "done"), (SECOND, "failed")]
    assert effects.began


@pytest.mark.parametrize("workers", [1, 8])
def test_load_balancers_that_follow_each_other_are_taken_together_each_once(workers: int) -> None:
    steps = [turned_on(WEB), turned_on(API), model.SetLogging(WEB, ON, OFF), FIRST, turned_on(SHOP)]
    bench = Bench(workers=workers)
    carry_out(steps, bench.effects(), bench.take)
    assert sorted(map(str, bench.taken[:2])) == sorted(map(str, steps[:2]))
    assert bench.taken[2:] == steps[2:]


OUT = model.SetLogging(WEB, ON, OFF)
QUIET = model.EditNotifications("logs", NotificationEdit(drop=frozenset({"x"})))
DISARM = model.EditPolicy("logs", PolicyEdit(disarm=frozenset({"sid"}), owner="o"))
DROP = model.EditPolicy("logs", PolicyEdit(drop=frozenset({"sid"})))
UNMADE = model.DeleteBucket("logs")
WAY_OUT: list[model.Step] = [DISARM, OUT, QUIET, FIRST, UNMADE, DROP]


@pytest.mark.parametrize(
    ("failing", "left"),
    [
        ([], []),
        ([FIRST], [UNMADE, DROP]),
        ([OUT], [UNMADE, DROP]),
        ([QUIET], [UNMADE, DROP]),
        ([DISARM], []),
        ([DISARM, OUT], [UNMADE, DROP]),
        ([UNMADE], [DROP]),
        ([DROP], []),
    ],
)
def test_way_out_goes_on_after_a_failure_and_keeps_the_register(
    failing: list[model.Step], left: list[model.Step]
) -> None:
    """If a policy cannot be changed, the other steps follow; other failures keep the register."""
    bench = Bench({each: error("MalformedXML") for each in failing})
    failures = carry_out_all(WAY_OUT, bench.effects(), bench.take)
    assert len(failures) == len(failing)
    assert bench.taken == [each for each in WAY_OUT if each not in left]
    assert [each for each, what in bench.logged if "next try" in what] == left


FILE = model.DeleteTestFile(LOCATION)
END = Endpoint("https", ENDPOINT)
WORTHLESS: list[tuple[model.Step, str]] = [
    (FILE, "s3://logs/web/AWSLogs/123456789012/ELBAccessLogTestFile"),
    (model.DeleteTopic(TOPIC, "logs"), f"aws sns delete-topic --topic-arn {TOPIC}"),
    (
        model.Unsubscribe(f"{TOPIC}:1", TOPIC, END, "logs", live=False),
        f"aws sns unsubscribe --subscription-arn {TOPIC}:1",
    ),
]


@pytest.mark.parametrize(("step", "told"), WORTHLESS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("code", ["AccessDenied", "AuthorizationError"])
def test_worthless_thing_that_may_not_be_deleted_is_kept_and_reported(
    step: model.Step, told: str, code: str
) -> None:
    bench = Bench({step: error(code, text="explicit deny")})
    effects = bench.effects()
    assert carry_out_all([step, DROP], effects, bench.take) == []
    assert bench.taken == [step, DROP]
    (kept,) = effects.kept
    assert told in kept and "explicit deny" in kept
    assert effects.possible([step, DROP]) == (DROP,)


@pytest.mark.parametrize(
    ("step", "code"),
    [
        *((step, "InternalError") for step, _ in WORTHLESS),
        (model.Unsubscribe(f"{TOPIC}:1", TOPIC, END, "logs", live=True), "AuthorizationError"),
        (OUT, "AccessDenied"),
        (QUIET, "AccessDenied"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_failure_that_matters_or_is_temporary_fails_the_way_out(
    step: model.Step, code: str
) -> None:
    """A live subscription matters, because its topic still gets announcements."""
    bench = Bench({step: error(code)})
    effects = bench.effects()
    assert len(carry_out_all([step, DROP], effects, bench.take)) == 1
    assert (effects.kept, effects.possible([step])) == ([], (step,))
    assert bench.taken == [step]


def test_policy_that_went_with_its_bucket_is_no_failure() -> None:
    bench = Bench({DISARM: error("MalformedPolicy")})
    effects = bench.effects()
    effects.gone.add("logs")
    assert carry_out_all(WAY_OUT, effects, bench.take) == []


def test_test_file_is_not_tried_again_where_its_registration_cannot_go() -> None:
    effects = Bench().effects()
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
    "subscription": WORTHLESS[2][0],
    "topic": WORTHLESS[1][0],
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
    """No stack needs a deleted bucket."""
    effects = Bench(policies={} if found is None else {"logs": claims(*found)}).effects()
    assert {name for name, step in STEPS.items() if effects.needed(step)} == needed


def test_policy_is_reused_for_a_moment_to_look_for_others() -> None:
    bench = Bench(policies={"logs": claims()})
    effects = bench.effects()
    assert effects.others("logs") == []
    bench.policies = {"logs": claims(THEIRS("web"))}
    assert effects.others("logs") == []
    effects.aws.sleep(2.1)
    assert effects.others("logs") == [THEIRS("web")]
