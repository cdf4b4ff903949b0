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

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, new
from lifecycle.cloudformation import Stack
from lifecycle.faults import error, on, once
from lifecycle.scenarios import PRIVILEGES, Case, Prepare, balancers, data, told

FROZEN = denies("s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
KEPT = "log-archive"  # the customer's bucket, from which nothing may be deleted
ROLE = "arn:aws:iam::123456789012:role/gone"
LOGGING, ANNOUNCING = "ModifyLoadBalancerAttributes", "PutBucketNotificationConfiguration"
off_there, logs_there = (balancers(enabled, web="alb") for enabled in (False, True))


def _keeping(**alb: Any) -> Prepare:
    """Return a function that makes an ALB and a write-once bucket."""

    def prepare(account: Account) -> list[str]:
        log_bucket(account, KEPT, write_once(KEPT))
        return [account.add_load_balancer("web", **alb)]

    return prepare


named = _keeping()  # an ALB that has never logged; the bucket is for LogBucketName
set_there = _keeping(bucket=KEPT, prefix="alb", enabled=False)


class Leaving(Case):
    """A stack that has onboarded one ALB."""

    def __init__(self, prepare: Prepare, privileges: str = "least-privilege") -> None:
        super().__init__(prepare)
        (self.web,) = self.arns
        self.create(Privileges=privileges, LogBucketName=KEPT if prepare is named else "")
        assert reads(self.account, self.web)
        self.place = logging_of(self.account, self.web)[1:]
        self.bucket = self.place[0]

    def leaves_its_bucket(self) -> None:
        """Remove the stack's bucket, or logs in the customer's; check that only these were left."""
        assert granted(self.account) == []
        assert not reads(self.account, self.web, at=self.place)
        if self.bucket in self.untouched.world.buckets:
            objects = self.account.world.buckets[self.bucket].objects
            for key in [key for key in objects if key.endswith((TEST_FILE, ".log.gz"))]:
                del objects[key]
        else:
            self.delete_bucket(self.bucket)
        assert self.left() == []


# Harmless things that the function may not delete


@PRIVILEGES
@pytest.mark.parametrize("prepare", [named, set_there])
def test_a_test_file_that_may_not_be_deleted_stays_and_is_told(
    prepare: Prepare, privileges: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The vendor's access ends first. The same stack can be created and deleted again."""
    case = Leaving(prepare, privileges)
    could: list[bool] = []
    place = case.place
    case.before = on(
        "DeleteObject", lambda params: could.append(reads(case.account, case.web, at=place))
    )

    answer = case.delete()

    assert could and not any(could)
    (key,) = (each for each in case.account.world.buckets[KEPT].objects if TEST_FILE in each)
    assert key in told(answer, capsys.readouterr().out)
    assert told_by_tag(case.account) == {}  # the customer's bucket is not tagged
    case.create()
    assert reads(case.account, case.web)
    case.delete()
    case.leaves_its_bucket()


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

    answer = case.update(LogBucketName=bucket, LoadBalancerArns=[staying])

    assert case.bucket in data(answer, "Warnings")
    assert not reads(case.account, case.web, at=case.place)
    assert logging_of(case.account, staying)[1] != case.bucket
    assert reads(case.account, staying)
    case.delete()
    del case.account.world.load_balancers[shop]
    case.leaves_its_bucket()


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

    answer = case.delete()

    tags = told_by_tag(case.account)
    assert list(tags) == ([] if "tagged" in why else [case.bucket])
    if key and tags:
        assert (topic.rpartition(":")[2] in tags[case.bucket]) == (privileges == "documented")
    assert case.bucket in told(answer, capsys.readouterr().out)
    assert list(case.account.world.buckets[case.bucket].objects) == ([key] if key else [])
    case.leaves_its_bucket()


@PRIVILEGES
def test_a_failed_create_leaves_an_empty_bucket_that_may_not_be_deleted(privileges: str) -> None:
    """CloudFormation's rollback succeeds, and names any topic that the role may not delete."""
    case = Case(new)
    case.forbidden = [denies("s3:DeleteBucket"), denies(f"elasticloadbalancing:{LOGGING}")]
    case.fails("Create", Privileges=privileges)

    answer = case.delete()

    commands = [f"aws sns delete-topic --topic-arn {each}" for each in case.topics()]
    assert len(commands) == (privileges == "documented")
    assert all(each in answer["Reason"] for each in commands)
    assert granted(case.account) == []
    (own,) = case.account.world.buckets
    assert told_by_tag(case.account)[own]
    case.delete_bucket(own)
    assert case.left() == []


@pytest.mark.parametrize("there", [True, False], ids=["before the stack", "instead of ours"])
def test_a_topic_of_the_customers_with_our_name_stays(
    there: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the topic exists before the stack, the Create fails."""
    case = Case(logs_there) if there else Leaving(logs_there)
    name = f"dt-logs-analysis-1-{CUSTOMERS}"
    case.customer(lambda account: account.add_topic(name))
    if there:
        assert name in case.fails("Create")

    answer = case.delete()

    assert there or name in told(answer, capsys.readouterr().out)
    assert case.left() == []


# A Delete ends the vendor's access, or reports that it could not.

# A Delete that may not make these calls leaves only harmless things.
WORTHLESS = ("DeleteBucket", "DeleteObject", "DeleteTopic", "Unsubscribe")
LOOKING = (
    "DescribeLoadBalancers",
    "GetBucketNotificationConfiguration",
    "GetBucketPolicy",
    "GetBucketTagging",
    "GetTopicAttributes",
    "ListBuckets",
    "ListSubscriptionsByTopic",
)


@pytest.mark.parametrize("prepare", [off_there, logs_there, new], ids=["off", "logs", "new"])
@pytest.mark.parametrize(
    ("code", "operation"),
    [
        *(("AccessDenied", each) for each in (*WORTHLESS, LOGGING, ANNOUNCING, *LOOKING)),
        *(("InternalError", each) for each in (*WORTHLESS, LOGGING, ANNOUNCING)),
    ],
)
def test_every_delete_ends_the_vendors_right(
    prepare: Prepare, operation: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed Delete keeps a registration that grants nothing, for the next Delete.

    A Delete that may not read ends the vendor's access, or reports that it could not.
    """
    case = Leaving(prepare)
    looking = operation in LOOKING

    def refuse(params: Mapping[str, Any]) -> None:
        raise error(code, operation, "with an explicit deny in a service control policy")

    case.before = on(operation, refuse)
    capsys.readouterr()

    answer = case.ask("Delete")

    failed, reason = answer["Status"] == "FAILED", answer["Reason"]
    told_so = failed or case.bucket in told(answer, capsys.readouterr().out)
    assert granted(case.account) == [] or (looking and told_so)
    if code == "AccessDenied" and not looking:
        logged = prepare is logs_there  # the customer's own logging stays on
        assert failed == (operation == ANNOUNCING or (operation == LOGGING and not logged)), reason
        assert not failed or operation in reason
    case.before = no_hook
    case.delete()
    assert granted(case.account) == []
    if failed:  # the second Delete has removed everything that the first left
        assert case.left() == []


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

    reason = case.fails("Delete")

    assert sid in reason
    assert case.bucket in reason
    assert "remove" in reason.lower()
    assert granted(case.account) == [sid]

    if cure == "allowed":
        case.forbidden = []
    else:
        remove_statement(case.account, case.bucket, sid)
    case.delete()
    case.leaves_its_bucket()


def test_a_bucket_that_goes_takes_the_right_with_it() -> None:
    """The policy is frozen, but the empty bucket may be deleted."""
    case = Leaving(new)
    case.forbidden = [FROZEN]

    case.ends()


@pytest.mark.parametrize("ours", ["Read", "Deliver"])
def test_a_policy_that_names_nobody_is_frozen_too(ours: str) -> None:
    """S3 refuses a policy that names a deleted role, even if only our statement is removed.

    The function names what is left. Here, a Delete fails only if the vendor still has access.
    """
    case = Leaving(off_there if ours == "Deliver" else logs_there)
    reader = statement(CUSTOMERS, "Allow", {"AWS": ROLE}, "s3:GetObject", Sid="Gone")
    case.customer(partial(add_statement, bucket=CUSTOMERS, added=reader))
    if ours == "Deliver":
        remove_statement(case.account, CUSTOMERS, *granted(case.account))
    case.customer(lambda account: forget_principal(account, ROLE, "AROAEXAMPLEEXAMPLE123"))

    answer = case.ask("Delete")

    assert answer["Status"] == ("SUCCESS" if ours == "Deliver" else "FAILED")
    assert f"DTLogsAnalysis1{ours}" in answer["Reason"]
    assert "which grants nothing" not in answer["Reason"]
    if ours == "Read":
        case.customer(partial(remove_statement, bucket=CUSTOMERS, sid="Gone"))
        case.ends()


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

    case.ends()

    assert came


def test_what_is_inert_never_fails_a_delete() -> None:
    """A first Delete ends the vendor's access; then the policy is frozen."""
    case = Leaving(off_there)
    case.forbidden = [denies(f"elasticloadbalancing:{LOGGING}")]
    case.fails("Delete")
    assert granted(case.account) == []
    case.forbidden = [FROZEN]

    case.delete()

    assert logging_of(case.account, case.web) == ("false", CUSTOMERS, "alb")
    assert granted(case.account) == []
    assert case.topics() == []


def test_another_stacks_right_in_a_frozen_policy_fails_nothing() -> None:
    """One stack's Delete does not end another stack's access."""
    case = Case(adopted)
    web, _, api = case.arns
    first, second = case.stack, Stack(case.clock, seed=2)
    for case.stack, arn in ((second, api), (first, web)):
        case.create(arn)
    case.delete()
    case.forbidden = [FROZEN]

    case.delete()

    assert reads(case.account, api)
    case.forbidden = []
    case.stack = second
    case.ends({**case.given, "LoadBalancerArns": [api]})


@PRIVILEGES
def test_an_update_that_cannot_take_a_right_away_fails(privileges: str) -> None:
    """The first vendor must not silently keep its access."""
    case = Leaving(logs_there, privileges)
    case.forbidden = [FROZEN]

    case.fails("Update", DataTheoremAccountId="888877776666")

    assert granted(case.account) != []
    case.back()
    case.forbidden = []
    case.ends()


# A bucket that was deleted before the stack


THEN = ("still set", "switched off", "deleted", "moved")
# The stack finds the customer's deleted bucket only if the load balancer still names it.
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

    answer = case.delete()

    if privileges == "documented":
        command = f"aws sns delete-topic --topic-arn {topic}"
        assert command in told(answer, capsys.readouterr().out)
    else:
        assert case.topics() == []
        assert case.account.world.subscriptions == {}
    if then == "moved":
        assert logging_of(case.account, case.web) == ("true", "elsewhere", "theirs")
    if then == "still set":
        # If the ALB still logged to our deleted bucket, whoever took the name would get the logs.
        was = prepare is logs_there
        assert logging_of(case.account, case.web)[0] == ("true" if was else "false")


def test_of_a_bucket_that_is_gone_a_topic_to_which_others_are_subscribed_stays() -> None:
    case = Leaving(logs_there)
    (topic,) = case.topics()
    queue = "arn:aws:sqs:eu-west-1:123456789012:theirs"
    case.account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    case.delete_bucket(CUSTOMERS)

    case.delete()

    assert case.topics() == [topic]
    assert [each.endpoint for each in case.account.world.subscriptions.values()] == [queue]
