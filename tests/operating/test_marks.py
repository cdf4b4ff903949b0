"""The things that a stack's Delete removes or keeps, and the leftovers that are unexpected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from lifecycle.cloudformation import properties
from lifecycle.scenarios import Prepare, Shared
from support.events import HERE, THERE, alb_arn

from dt_logs_cfn.operate.stacks.marks import Hints, Left, Leftovers, Marked
from dt_logs_handler.aws import Aws
from dt_logs_handler.model import Bucket, LoadBalancer, Logging, State
from dt_logs_handler.names import LEFT_TAG
from dt_logs_handler.observe import observe
from dt_logs_handler.register import disarming
from dt_logs_handler.request import parse
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import new


def after(prepare: Prepare, *events: str) -> State:
    """Return the state that our stack observes after its own and the `other` stack's events."""
    case = Shared(prepare)
    given = properties(*case.arns)
    for each in events:
        kind = each.removeprefix("other ")
        answer = case.send(kind, given) if kind == each else case.other(kind, given)
        assert answer["Status"] == "SUCCESS"
    request = parse(case.stack.event("Delete", given), case.clock())
    clients: Any = case.clients()
    sleep, until = case.clock.sleep, case.clock() + 900
    return observe(Aws(*clients, case.clock, sleep, Random(7), until), request)


def reset(found: State, bucket: Bucket, **settings: Any) -> State:
    """Return the state after somebody changed settings of a bucket."""
    changed = replace(bucket, **settings)
    return replace(found, buckets={**found.buckets, bucket.name: changed})


def theirs(account: Account) -> list[str]:
    """Add a customer's bucket, and an ALB that logs there."""
    account.add_bucket("theirs")
    return [account.add_load_balancer("web", bucket="theirs", prefix="web")]


NOTE = "holds logs or earlier versions of objects"
# In OWN, our stack has turned logging on, to its own bucket. In SHARED, another stack uses the same
# load balancer. In INHERITED, our stack is deleted, and the other one takes over.
OWN = after(new, "Create")
(BUCKET,) = OWN.present()
TAGGED = reset(OWN, BUCKET, tags={**BUCKET.tags, LEFT_TAG: NOTE})
OTHERS = LoadBalancer(alb_arn("api", 2), Logging(True, BUCKET.name))
SHARED = after(new, "Create", "other Create")
INHERITED = after(new, "Create", "other Create", "Delete")
DELETED = replace(
    reset(INHERITED, BUCKET, policy=None, notifications={}),
    load_balancers={
        arn: LoadBalancer(arn, Logging(False, BUCKET.name)) for arn in INHERITED.load_balancers
    },
)
THEIRS = after(theirs, "Create")


def disarmed() -> State:
    """Return the state after a Delete that made our statement grant nothing, and then failed."""
    (there,) = THEIRS.present()
    policy = disarming(there.register(HERE), HERE).applied(there.policy)
    return reset(THEIRS, there, policy=policy, notifications={})


NO_HINTS, AFTER = Hints(), Hints(deleted=True)


def left(
    found: State, hints: Hints = NO_HINTS, logs: bool | None = False, *, heir: bool = False
) -> list[Left]:
    """Return the leftovers of our stack, or of its `heir`, in load balancers and buckets."""
    logging = [each for each in found.load_balancers.values() if each and each.logging.bucket]
    present: Mapping[str, Bucket] = {each.name: each for each in found.present()}
    marked = Marked(THERE if heir else HERE, hints, logging, present)
    return [*marked.load_balancers(), *marked.in_buckets(lambda _: logs)]


def shown(found: list[Left]) -> tuple[list[str], list[str]]:
    """Return the things that a Delete should remove, and those that it should keep."""
    goes, stays = (
        [f"{e.what}: {e.why}" for e in found if e.expected is expected]
        for expected in (False, True)
    )
    return goes, stays


LOGGING = "load balancer: it logs to one of our locations; turn its access logs off"
INHERITS = (
    "load balancer: a stack that no longer uses it turned its logging on; turn its access logs off"
)
STATEMENT = "bucket: 1 statement of the stack in its policy; remove from the policy"
NOTIFICATION = "bucket: 1 of our notifications; remove from the bucket"
INERT = "bucket: 1 inert statement of the stack in its policy"
LOGS = "bucket: it holds logs, which are yours; empty and delete it when you like"
EMPTY = "bucket: it is empty, and nobody uses it; delete it"
MADE = "a stack that no longer uses it created it"
SAYS = f" (its tag dt-logs-analysis:left says: {NOTE})"
BOTH = [STATEMENT, NOTIFICATION]


@pytest.mark.parametrize(
    ("found", "hints", "logs", "goes", "stays"),
    [
        (OWN, NO_HINTS, False, [LOGGING, EMPTY], []),
        (OWN, NO_HINTS, True, [LOGGING, *BOTH], [LOGS]),
        (
            *(OWN, NO_HINTS, None, [LOGGING, *BOTH]),
            ["bucket: it is unknown whether it holds logs"],
        ),
        (OWN, AFTER, False, [LOGGING, *BOTH, EMPTY], []),
        (
            *(
                replace(OWN, load_balancers={**OWN.load_balancers, OTHERS.arn: OTHERS}),
                NO_HINTS,
                False,
            ),
            *([LOGGING, *BOTH], [f"bucket: load balancer {OTHERS.name} uses it"]),
        ),
        (TAGGED, NO_HINTS, False, [LOGGING, EMPTY + SAYS], []),
        (TAGGED, NO_HINTS, True, [LOGGING, *BOTH], [LOGS + SAYS]),
        (
            *(SHARED, NO_HINTS, False, [STATEMENT]),
            [
                "load balancer: it keeps logging, because another stack uses it",
                "bucket: another stack uses it",
            ],
        ),
        (THEIRS, NO_HINTS, False, BOTH, []),
        (disarmed(), NO_HINTS, False, [INERT], []),
        (disarmed(), AFTER, False, [], [INERT]),
        (after(theirs), NO_HINTS, False, [], []),
    ],
    ids=[
        *("empty", "full", "unreadable", "deleted", "in use", "empty with a tag"),
        *("full with a tag", "shared", "theirs", "inert", "inert and deleted", "no mark"),
    ],
)
def test_what_goes_with_a_stack_and_what_stays(
    found: State, hints: Hints, logs: bool | None, goes: list[str], stays: list[str]
) -> None:
    """The names of leftovers are not compared, because they contain digests."""
    assert shown(left(found, hints, logs)) == (goes, stays)


def test_only_the_part_of_a_thing_that_goes_is_listed() -> None:
    listed = [each.described.replace(each.name, "NAME") for each in left(OWN, logs=True)]
    assert listed == [
        "the access logging of load balancer NAME",
        "1 statement in the policy of bucket NAME",
        "1 notification of bucket NAME",
        "bucket NAME: it holds logs, which are yours",
    ]
    (inert,) = left(disarmed())
    assert inert.described == "1 inert statement in the policy of bucket theirs"


def test_the_last_stack_inherits_what_one_that_is_gone_had_made() -> None:
    """After the last stack's Delete, only the leftovers that the hints name are found."""
    empty = EMPTY.replace("; delete", f"; {MADE}; delete")
    assert shown(left(INHERITED, logs=False, heir=True)) == ([INHERITS, empty], [])
    full = left(INHERITED, logs=True, heir=True)
    assert shown(full) == ([INHERITS, *BOTH], [LOGS])
    hints = Hints().after(Leftovers((*full,)))
    assert shown(left(DELETED, hints, True, heir=True)) == ([], [LOGS])
    assert left(DELETED, AFTER, logs=True, heir=True) == []


def test_topics_that_no_other_stack_uses_are_the_stack_s() -> None:
    def topics(found: State) -> set[str]:
        return Marked(HERE, Hints(), [], {each.name: each for each in found.present()}).topics()

    assert HERE.topic_arn(BUCKET.name) in topics(OWN)
    assert HERE.topic_arn(BUCKET.name) not in topics(SHARED)
