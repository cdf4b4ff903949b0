"""Deletes, and Updates that leave a bucket, if something cannot be removed or is already gone.

The vendor's access ends first. A denied write fails a Delete only if it would undo logging, a
notification or the vendor's access. The Delete reports other leftovers in the log, and in a tag on
a bucket that remains.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from support.drifts import (
    add_statement,
    adopted,
    denies,
    log_bucket,
    remove_statement,
    set_logging,
    statement,
    write_once,
)
from support.looks import TEST_FILE, forget_principal, granted, logging_of, reads, told_by_tag

from dt_logs_rehearsal.account import Account, Hook
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket, new
from lifecycle.cloudformation import Stack, properties
from lifecycle.faults import error, on, once
from lifecycle.scenarios import PRIVILEGES, Case, Prepare, data, told

FROZEN = denies("s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
KEPT = "log-archive"  # the customer's bucket, from which nothing may be deleted


def named(account: Account) -> list[str]:
    """Make an ALB that has never logged, and a write-once bucket for LogBucketName."""
    log_bucket(account, KEPT, write_once(KEPT))
    return [account.add_load_balancer("web")]


def set_there(account: Account) -> list[str]:
    """Make an ALB whose logging is off, although a write-once bucket is set."""
    log_bucket(account, KEPT, write_once(KEPT))
    return [account.add_load_balancer("web", bucket=KEPT, prefix="alb", enabled=False)]


def off_there(account: Account) -> list[str]:
    """Make an ALB whose logging is off, although the customer's bucket is set."""
    customers_bucket(account)
    return [account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb", enabled=False)]


def logs_there(account: Account) -> list[str]:
    """Make an ALB that logs to the customer's bucket."""
    customers_bucket(account)
    return [account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb")]


class Leaving(Case):
    """A stack that has onboarded one ALB."""

    def __init__(self, prepare: Prepare, privileges: str = "least-privilege") -> None:
        super().__init__(prepare)
        (self.web,) = self.arns
        bucket = KEPT if prepare is named else ""
        self.given = properties(self.web, Privileges=privileges, LogBucketName=bucket)
        self.sent("Create", self.given)
        assert reads(self.account, self.web)
        self.place = logging_of(self.account, self.web)[1:]
        self.bucket = self.place[0]

    def forget(self, bucket: str, *endings: str) -> None:
        """Remove objects that may remain in a bucket, so that the rest can be compared."""
        objects = self.account.world.buckets[bucket].objects
        for key in [key for key in objects if key.endswith(endings)]:
            del objects[key]


# Harmless things that the function may not delete


@PRIVILEGES
@pytest.mark.parametrize("prepare", [named, set_there])
def test_a_test_file_that_may_not_be_deleted_stays_and_is_told(
    prepare: Prepare, privileges: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The vendor's access ends first. The same stack can be created and deleted again."""
    case = Leaving(prepare, privileges)
    could: list[bool] = []

    seen = on("DeleteObject", lambda params: could.append(reads(case.account, case.web, at=place)))
    place, case.before = case.place, seen

    answer = case.sent("Delete", case.given)

    assert could and not any(could)
    (key,) = (each for each in case.account.world.buckets[KEPT].objects if TEST_FILE in each)
    assert key in told(answer, capsys.readouterr().out)
    assert told_by_tag(case.account) == {}  # the customer's bucket is not tagged
    case.sent("Create", case.given)
    assert reads(case.account, case.web)
    case.sent("Delete", case.given)
    assert granted(case.account) == []
    case.forget(KEPT, TEST_FILE)
    assert case.left() == []


@PRIVILEGES
@pytest.mark.parametrize(
    ("prepare", "bucket"),
    [(named, ""), (set_there, ""), (new, "elsewhere")],
    ids=["LogBucketName unset", "the load balancer leaves", "an empty bucket of ours"],
)
def test_an_update_leaves_a_bucket_from_which_nothing_may_be_deleted(
    prepare: Prepare, bucket: str, privileges: str
) -> None:
    case = Leaving(prepare, privileges)
    case.forbidden = [denies("s3:DeleteBucket")] if prepare is new else []
    case.customer(partial(log_bucket, name="elsewhere"))
    shop = case.account.add_load_balancer("shop")
    staying = shop if prepare is set_there else case.web
    wanted = {**case.given, "LogBucketName": bucket, "LoadBalancerArns": [staying]}

    answer = case.sent("Update", wanted, case.given)

    assert case.bucket in data(answer, "Warnings")
    assert not reads(case.account, case.web, at=case.place)
    assert logging_of(case.account, staying)[1] != case.bucket
    assert reads(case.account, staying)
    case.sent("Delete", wanted)
    del case.account.world.load_balancers[shop]
    if prepare is new:
        case.delete_bucket(case.bucket)
    else:
        case.forget(KEPT, TEST_FILE)
    assert case.left() == []


STAYS = {
    "empty, may not be deleted": denies("s3:DeleteBucket"),
    "holds logs": denies("s3:Nothing"),
    "holds logs, may not be tagged": denies("s3:PutBucketTagging", "s3:TagResource"),
}


@PRIVILEGES
@pytest.mark.parametrize("why", STAYS)
def test_a_bucket_that_stays_is_told_also_by_its_tag(
    why: str, privileges: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tag also names a topic that the role may not delete.

    A denied tagging call does not fail the Delete.
    """
    case = Leaving(new, privileges)
    (topic,) = case.topics()
    key = case.account.write_log(case.web) if "logs" in why else None
    case.forbidden = [STAYS[why]]

    answer = case.sent("Delete", case.given)

    tags = told_by_tag(case.account)
    assert list(tags) == ([] if "tagged" in why else [case.bucket])
    if key and tags:
        assert (topic.rpartition(":")[2] in tags[case.bucket]) == (privileges == "documented")
    assert case.bucket in told(answer, capsys.readouterr().out)
    assert granted(case.account) == []
    assert not reads(case.account, case.web, at=case.place)
    assert list(case.account.world.buckets[case.bucket].objects) == ([key] if key else [])
    case.delete_bucket(case.bucket)
    assert case.left() == []


@PRIVILEGES
def test_a_failed_create_leaves_an_empty_bucket_that_may_not_be_deleted(privileges: str) -> None:
    """CloudFormation's rollback succeeds, and names any topic that the role may not delete."""
    case = Case(new)
    given = properties(*case.arns, Privileges=privileges)
    case.forbidden = [
        denies("s3:DeleteBucket"),
        denies("elasticloadbalancing:ModifyLoadBalancerAttributes"),
    ]
    assert case.send("Create", given)["Status"] == "FAILED"

    answer = case.sent("Delete", given)

    commands = [f"aws sns delete-topic --topic-arn {each}" for each in case.topics()]
    assert len(commands) == (privileges == "documented")
    assert all(each in answer["Reason"] for each in commands)
    assert granted(case.account) == []
    (own,) = case.account.world.buckets
    assert told_by_tag(case.account)[own]
    case.delete_bucket(own)
    assert case.left() == []


def test_a_topic_that_had_our_name_before_stays() -> None:
    """The Create fails, and the Delete after it leaves the customer's topic alone."""
    case = Case(logs_there)
    name = f"dt-logs-analysis-1-{CUSTOMERS}"
    case.customer(lambda account: account.add_topic(name))
    given = properties(*case.arns)
    assert name in case.send("Create", given)["Reason"]

    case.sent("Delete", given)

    assert case.left() == []


def test_a_topic_that_is_not_ours_any_more_stays_and_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = Leaving(logs_there)
    (topic,) = case.topics()
    case.customer(lambda account: account.add_topic(topic.rpartition(":")[2]))

    answer = case.sent("Delete", case.given)

    assert topic in told(answer, capsys.readouterr().out)
    assert case.left() == []


# Whatever fails, the vendor's access ends.

# A Delete that may not make these calls leaves only harmless things.
WORTHLESS = ("DeleteBucket", "DeleteObject", "DeleteTopic", "Unsubscribe")
# A Delete that may not make these calls fails.
LOGGING, ANNOUNCING = "ModifyLoadBalancerAttributes", "PutBucketNotificationConfiguration"
EACH = pytest.mark.parametrize(
    "prepare", [off_there, logs_there, new], ids=lambda each: each.__name__
)


def refusing(operation: str, code: str) -> Hook:
    """Return a hook that makes an operation fail at every call."""

    def refuse(params: Mapping[str, Any]) -> None:
        raise error(code, operation, "with an explicit deny in a service control policy")

    return on(operation, refuse)


@EACH
@pytest.mark.parametrize("operation", [*WORTHLESS, LOGGING, ANNOUNCING])
@pytest.mark.parametrize("code", ["AccessDenied", "InternalError"])
def test_every_delete_ends_the_vendors_right(prepare: Prepare, operation: str, code: str) -> None:
    """A failed Delete keeps a registration that grants nothing, for the next Delete."""
    case = Leaving(prepare)
    case.before = refusing(operation, code)

    answer = case.send("Delete", case.given)

    assert granted(case.account) == []
    if code == "AccessDenied":
        logged = prepare is logs_there  # the customer's own logging stays on
        fails = operation == ANNOUNCING or (operation == LOGGING and not logged)
        assert answer["Status"] == ("FAILED" if fails else "SUCCESS"), answer["Reason"]
        assert not fails or operation in answer["Reason"]
    case.before = no_hook
    case.sent("Delete", case.given)
    assert granted(case.account) == []
    if answer["Status"] == "FAILED":  # the second Delete has removed everything that the first left
        assert case.left() == []


@EACH
@pytest.mark.parametrize(
    "operation",
    [
        "DescribeLoadBalancers",
        "GetBucketNotificationConfiguration",
        "GetBucketPolicy",
        "GetBucketTagging",
        "GetTopicAttributes",
        "ListBuckets",
        "ListSubscriptionsByTopic",
    ],
)
def test_a_delete_that_may_not_look_ends_the_right_or_tells(
    prepare: Prepare, operation: str, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Leaving(prepare)
    case.before = refusing(operation, "AccessDenied")
    capsys.readouterr()

    answer = case.send("Delete", case.given)

    told_so = case.bucket in told(answer, capsys.readouterr().out)
    assert granted(case.account) == [] or answer["Status"] == "FAILED" or told_so
    case.before = no_hook
    case.sent("Delete", case.given)
    assert granted(case.account) == []


# A policy that can no longer be changed


@PRIVILEGES
@pytest.mark.parametrize("prepare", [logs_there, new], ids=["the customer's", "with logs"])
@pytest.mark.parametrize("cure", ["allowed", "removed by hand"])
def test_a_right_that_cannot_be_taken_away_fails_with_the_statement(
    prepare: Prepare, cure: str, privileges: str
) -> None:
    case = Leaving(prepare, privileges)
    assert case.account.write_log(case.web)
    (sid,) = granted(case.account)
    case.forbidden = [FROZEN]

    answer = case.send("Delete", case.given)

    assert answer["Status"] == "FAILED"
    assert sid in answer["Reason"]
    assert case.bucket in answer["Reason"]
    assert "remove" in answer["Reason"].lower()
    assert granted(case.account) == [sid]

    if cure == "allowed":
        case.forbidden = []
    else:
        remove_statement(case.account, case.bucket, sid)
    case.sent("Delete", case.given)
    assert granted(case.account) == []
    if prepare is new:
        case.delete_bucket(case.bucket)  # it holds the customer's logs
    else:
        case.forget(CUSTOMERS, ".log.gz")
    assert case.left() == []


def test_a_bucket_that_goes_takes_the_right_with_it() -> None:
    """The policy is frozen, but the empty bucket may be deleted."""
    case = Leaving(new)
    case.forbidden = [FROZEN]

    case.ends(case.given)


def test_a_policy_that_names_nobody_is_frozen_too() -> None:
    """S3 refuses a policy that names a deleted role, even if only our statement is removed."""
    role = "arn:aws:iam::123456789012:role/gone"
    case = Leaving(logs_there)
    reader = statement(CUSTOMERS, "Allow", {"AWS": role}, "s3:GetObject", Sid="Gone")
    case.customer(partial(add_statement, bucket=CUSTOMERS, added=reader))
    case.customer(lambda account: forget_principal(account, role, "AROAEXAMPLEEXAMPLE123"))
    (sid,) = granted(case.account)

    answer = case.send("Delete", case.given)

    assert answer["Status"] == "FAILED"
    assert sid in answer["Reason"]
    case.customer(partial(remove_statement, bucket=CUSTOMERS, sid="Gone"))
    case.ends(case.given)


@pytest.mark.parametrize("operation", [LOGGING, ANNOUNCING, "DeleteTopic", "DeleteObject"])
def test_a_statement_that_comes_while_the_stack_leaves_is_kept(operation: str) -> None:
    """The policy was read in the search for other stacks, so it is too old to be written back."""
    case = Leaving(off_there)
    added = write_once(CUSTOMERS, "s3:PutObjectAcl")
    came: list[object] = []

    def comes(params: Mapping[str, Any]) -> None:
        came.append(params)
        case.clock.sleep(0.1)
        case.customer(partial(add_statement, bucket=CUSTOMERS, added=added))

    case.before = once(operation, comes)

    case.sent("Delete", case.given)

    assert came
    assert case.left() == []


def test_what_is_inert_never_fails_a_delete() -> None:
    """A first Delete ends the vendor's access; then the policy is frozen."""
    case = Leaving(off_there)
    case.forbidden = [denies("elasticloadbalancing:ModifyLoadBalancerAttributes")]
    assert case.send("Delete", case.given)["Status"] == "FAILED"
    assert granted(case.account) == []
    case.forbidden = [FROZEN]

    case.sent("Delete", case.given)

    assert logging_of(case.account, case.web) == ("false", CUSTOMERS, "alb")
    assert granted(case.account) == []
    assert case.topics() == []


def test_another_stacks_right_in_a_frozen_policy_fails_nothing() -> None:
    """One stack's Delete does not end another stack's access."""
    case = Case(adopted)
    web, _, api = case.arns
    first, second = case.stack, Stack(case.clock, seed=2)
    one, two = properties(web), properties(api)
    for case.stack, given in ((second, two), (first, one)):
        case.sent("Create", given)
    case.sent("Delete", one)
    case.forbidden = [FROZEN]

    case.sent("Delete", one)

    assert reads(case.account, api)
    case.forbidden = []
    case.stack = second
    case.sent("Delete", two)
    assert case.left() == []


@PRIVILEGES
def test_an_update_that_cannot_take_a_right_away_fails(privileges: str) -> None:
    """The first vendor must not silently keep its access."""
    case = Leaving(logs_there, privileges)
    case.forbidden = [FROZEN]
    wanted = {**case.given, "DataTheoremAccountId": "888877776666"}

    answer = case.send("Update", wanted, case.given)

    assert answer["Status"] == "FAILED"
    assert granted(case.account) != []
    case.sent("Update", case.given, wanted)
    case.forbidden = []
    case.ends(case.given)


# A bucket that was deleted before the stack


THEN = ("still set", "switched off", "deleted", "moved")
# If the load balancer no longer names the customer's deleted bucket, nothing names it.
GONE = [
    *((logs_there, then) for then in THEN[:2]),
    *((prepare, then) for prepare in (new, named) for then in THEN),
]


@PRIVILEGES
@pytest.mark.parametrize(("prepare", "then"), GONE)
def test_of_a_bucket_that_is_gone_topic_and_subscription_go(
    prepare: Prepare, then: str, privileges: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the role may not delete them, the function reports the commands that delete them."""
    case = Leaving(prepare, privileges)
    (topic,) = case.topics()
    case.delete_bucket(case.bucket)
    match then:
        case "switched off":
            set_logging(case.account, case.web, enabled="false")
        case "deleted":
            del case.account.world.load_balancers[case.web]
        case "moved":
            log_bucket(case.account, "elsewhere")
            set_logging(case.account, case.web, bucket="elsewhere", prefix="theirs")

    answer = case.sent("Delete", case.given)

    if privileges == "documented":
        command = f"aws sns delete-topic --topic-arn {topic}"
        assert command in told(answer, capsys.readouterr().out)
    else:
        assert case.topics() == []
        assert case.account.world.subscriptions == {}
    if then == "moved":
        assert logging_of(case.account, case.web) == ("true", "elsewhere", "theirs")
    if then == "still set":
        # If it still logged to our deleted bucket, whoever took the name would get its logs.
        was = prepare is logs_there
        assert logging_of(case.account, case.web)[0] == ("true" if was else "false")


def test_of_a_bucket_that_is_gone_a_topic_to_which_others_are_subscribed_stays() -> None:
    case = Leaving(logs_there)
    (topic,) = case.topics()
    queue = "arn:aws:sqs:eu-west-1:123456789012:theirs"
    case.account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    case.delete_bucket(CUSTOMERS)

    case.sent("Delete", case.given)

    assert case.topics() == [topic]
    assert [each.endpoint for each in case.account.world.subscriptions.values()] == [queue]
