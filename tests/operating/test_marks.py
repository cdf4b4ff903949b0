"""The things that a stack's Delete removes or keeps, and the leftovers that are unexpected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from support.events import OWN_BUCKET, alb_arn
from support.states import HERE, THERE, after, alb, bucket, moved, request, reset, state

from dt_logs_cfn.operate.stacks.marks import Hints, Left, Leftovers, Marked
from dt_logs_handler.model import Bucket, Logging, State
from dt_logs_handler.names import LEFT_TAG
from dt_logs_handler.register import disarming

WEB, API = alb_arn("web", 1), alb_arn("api", 2)
THEIRS = state(alb(bucket="theirs", prefix="web"), buckets=(Bucket("theirs"),))


def own() -> State:
    """Return an account in which our stack has turned logging on, to its own bucket."""
    return after(request("Create", WEB), state(alb()))


def shared() -> State:
    """Return the account of `own` with another stack that uses the same load balancer."""
    return after(request("Create", WEB, stack=THERE), own())


def inherited() -> State:
    """Return the account of `shared` after our stack's Delete; the other stack inherits."""
    return after(request("Delete", WEB, stack=HERE), shared())


NO_HINTS = Hints()


def left(
    found: State, hints: Hints = NO_HINTS, logs: bool | None = False, *, inheriting: bool = False
) -> list[Left]:
    """Return the leftovers in load balancers and buckets, of our stack or of the heir."""
    logging = [each for each in found.load_balancers.values() if each and each.logging.bucket]
    present: Mapping[str, Bucket] = {each.name: each for each in found.present()}
    marked = Marked(THERE if inheriting else HERE, hints, logging, present)
    return [*marked.load_balancers(), *marked.in_buckets(lambda _: logs)]


def told(found: list[Left]) -> list[tuple[str, str, bool]]:
    """Return each leftover without its name, which contains digests."""
    return [(each.what, each.why, each.expected) for each in found]


TURNED_ON = ("load balancer", "it logs to one of our locations; turn its access logs off", False)
STATEMENT = "1 statement of the stack in its policy; remove from the policy"
NOTIFICATION = "1 notification of ours; remove from the bucket"
LOGS = "it holds logs, which are yours; empty and delete it when you like"
GOES = ("bucket", "it is empty, and nobody uses it; delete it", False)


@pytest.mark.parametrize(
    ("logs", "bucket_left"),
    [
        (False, [GOES]),
        (
            True,
            [
                ("bucket", STATEMENT, False),
                ("bucket", NOTIFICATION, False),
                ("bucket", LOGS, True),
            ],
        ),
        (
            None,
            [
                ("bucket", STATEMENT, False),
                ("bucket", NOTIFICATION, False),
                ("bucket", "whether it holds logs could not be read", True),
            ],
        ),
    ],
    ids=["empty", "full", "dark"],
)
def test_what_goes_with_a_stack_and_what_stays(
    logs: bool | None, bucket_left: list[tuple[str, str, bool]]
) -> None:
    assert told(left(own(), logs=logs)) == [TURNED_ON, *bucket_left]


def test_what_is_left_in_an_empty_bucket_is_told_once_the_stack_is_deleted() -> None:
    assert told(left(own(), Hints(deleted=True))) == [
        TURNED_ON,
        ("bucket", STATEMENT, False),
        ("bucket", NOTIFICATION, False),
        GOES,
    ]


def test_a_bucket_of_the_customer_s_loses_only_what_is_ours() -> None:
    found = after(request("Create", WEB), THEIRS)
    entries = [("bucket", STATEMENT, False), ("bucket", NOTIFICATION, False)]
    assert told(left(found)) == entries


def test_what_another_stack_uses_stays() -> None:
    assert told(left(shared())) == [
        ("load balancer", "it keeps logging, because another stack uses it", True),
        ("bucket", STATEMENT, False),
        ("bucket", "another stack uses it", True),
    ]


def test_what_a_load_balancer_of_somebody_else_s_logs_to_stays() -> None:
    other = alb("api", 2, bucket=OWN_BUCKET)
    found = own()
    found = replace(found, load_balancers={**found.load_balancers, API: other})
    assert told(left(found))[-1] == ("bucket", f"load balancer {other.name} uses it", True)


@pytest.mark.parametrize("logs", [True, False])
def test_the_last_stack_inherits_what_one_that_is_gone_had_made(logs: bool) -> None:
    found = left(inherited(), logs=logs, inheriting=True)
    other = "a stack that no longer uses it turned its logging on; turn its access logs off"
    assert told(found)[0] == ("load balancer", other, False)
    assert [(each.found, each.expected) for each in found[1:]][-1] == (
        ("it holds logs, which are yours", True)
        if logs
        else ("it is empty, and nobody uses it; a stack that no longer uses it created it", False)
    )


def test_what_was_inherited_is_found_once_the_stack_is_deleted_only_if_it_was_named() -> None:
    """Without its statements, nothing in the account names the stack that inherited."""
    hints = Hints().after(Leftovers((*left(inherited(), logs=True, inheriting=True),)))
    found = reset(inherited(), OWN_BUCKET, policy=None, notifications={})
    found = moved(found, WEB, Logging(False, OWN_BUCKET, ""))
    assert told(left(found, hints, True, inheriting=True)) == [("bucket", LOGS, True)]
    assert left(found, Hints(deleted=True), logs=True, inheriting=True) == []


def test_statements_that_grant_nothing_are_left_by_the_rules() -> None:
    """A Delete first makes statements grant nothing; it may lack the right to remove them."""
    found = after(request("Create", WEB), THEIRS)
    there = bucket(found, "theirs")
    policy = disarming(there.register(HERE), HERE).applied(there.policy)
    found = reset(found, "theirs", policy=policy, notifications={})
    why = "1 statement of the stack, which grant nothing"
    assert told(left(found)) == [("bucket", why, False)]
    assert told(left(found, Hints(deleted=True))) == [("bucket", why, True)]


@pytest.mark.parametrize(("logs", "why"), [(True, LOGS), (False, GOES[1])])
def test_a_bucket_that_stays_says_what_a_delete_has_left(logs: bool, why: str) -> None:
    note = "holds logs or earlier versions of objects"
    tags = {**bucket(own(), OWN_BUCKET).tags, LEFT_TAG: note}
    found = left(reset(own(), OWN_BUCKET, tags=tags), logs=logs)
    assert found[-1].why == f"{why} (its tag dt-logs-analysis:left says: {note})"


def test_topics_that_no_other_stack_uses_are_the_stack_s() -> None:
    def topics(found: State) -> set[str]:
        return Marked(HERE, Hints(), [], {each.name: each for each in found.present()}).topics()

    assert HERE.topic_arn(OWN_BUCKET) in topics(own())
    assert HERE.topic_arn(OWN_BUCKET) not in topics(shared())


def test_nothing_marked_is_nothing_left() -> None:
    assert left(state(alb(bucket="theirs"), buckets=(Bucket("theirs"),))) == []
