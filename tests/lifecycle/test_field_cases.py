"""Customers' accounts in which onboarding went wrong, and the correct results.

`test_accounts.py` tests more cases: see `KINDS` in `accounts.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from support.drifts import add_statement, announce, announcements, log_bucket, statement
from support.looks import reads

from dt_logs_rehearsal.account import Account, Hook, Refused
from dt_logs_rehearsal.account.errors import client_error
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, new
from lifecycle.accounts import KINDS
from lifecycle.faults import on
from lifecycle.scenarios import PRIVILEGES, Case, Prepare, balancers, data

BUCKET = "team-logs"
NOTIFY = "PutBucketNotificationConfiguration"
web_logs = balancers(True, web="alb")


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn"), ("eusc-de-east-1", "aws-eusc")],
)
def test_stack_comes_and_goes_in_each_partition(region: str, partition: str) -> None:
    case = Case(new, region, partition)

    case.create()

    assert reads(case.account, case.arns[0])
    topics = f"arn:{partition}:sns:{region}:123456789012:"
    assert case.topics() and all(each.startswith(topics) for each in case.topics())
    case.ends()


def unreachable(destination: str, why: str, times: int) -> tuple[Hook, list[object]]:
    """Return a hook that makes S3 refuse notifications `times` times, and a list of the calls.

    The error names a destination, like an error recorded on AWS.
    """
    calls: list[object] = []

    def refuse(params: Mapping[str, Any]) -> None:
        calls.append(params)
        if len(calls) <= times:
            text = "Unable to validate the following destination configurations"
            named = {"ArgumentName1": destination, "ArgumentValue1": why}
            raise client_error(NOTIFY, Refused("InvalidArgument", text, **named))

    return on(NOTIFY, refuse), calls


def test_destination_that_is_gone_is_named_at_once() -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:gone"
    case = Case(web_logs)
    case.before, calls = unreachable(queue, "The destination queue does not exist", 1_000)

    assert case.fails("Create").startswith(
        "S3 does not accept the notifications of bucket customers-logs: Unable to validate the"
        f" following destination configurations: {queue}: The destination queue does not exist."
    )
    assert len(calls) == 1


def test_topic_that_s3_does_not_see_yet_is_waited_for() -> None:
    topic = f"arn:aws:sns:eu-west-1:123456789012:dt-logs-analysis-1-{CUSTOMERS}"
    case = Case(web_logs)
    case.before, _ = unreachable(topic, "Permissions on the destination topic", 3)

    case.create()

    assert reads(case.account, case.arns[0])


def test_vendor_that_does_not_exist_is_named_with_the_other_candidates() -> None:
    case = Case(web_logs)
    who = {"AWS": ["arn:aws:iam::555566667777:root", "123456789012"]}
    others = statement(CUSTOMERS, "Allow", who, "s3:GetObject", Sid="Others")
    case.customer(partial(add_statement, bucket=CUSTOMERS, added=others))
    case.account.world.unknown_principals.add("arn:aws:iam::999988887777:root")

    assert case.fails("Create") == (
        "S3 does not accept the policy of bucket customers-logs: Invalid principal in policy."
        " Correct DataTheoremAccountId, or remove the principal that does not exist"
        " (arn:aws:iam::123456789012:root, arn:aws:iam::222233334444:root,"
        " arn:aws:iam::333344445555:root, arn:aws:iam::555566667777:root,"
        " arn:aws:iam::999988887777:root), then run the stack again."
        " What this run has set up stays until the stack is rolled back or deleted."
    )
    assert case.left() == []


def announced_below(count: int) -> Prepare:
    """Return a function that adds ALBs with `count` prefixes, announced to the customer's topic."""

    def prepare(account: Account) -> list[str]:
        announced(account)
        below = [
            account.add_load_balancer(f"alb{number}", bucket=CUSTOMERS, prefix=str(number))
            for number in range(count)
        ]
        return [*below, account.add_load_balancer("shop")]

    return prepare


def test_nine_locations_fit_into_one_filter() -> None:
    case = Case(announced_below(9))
    case.create()
    assert all(reads(case.account, each) for each in case.arns)


def test_too_many_locations_for_one_filter_are_refused_by_name() -> None:
    case = Case(announced_below(10))

    assert case.fails("Create").startswith(f"Bucket {CUSTOMERS} has 10 access-log prefixes, and a")

    assert case.left() == []
    told = data(case.create("*"), "NotOnboarded")
    assert "has 11 access-log prefixes" in told  # another load balancer also logs there
    assert [each for each in case.arns if reads(case.account, each)] == case.arns[-1:]
    case.ends()


def test_a_bucket_with_abac_keeps_its_tags_and_fails_nothing() -> None:
    """With ABAC, S3 refuses the only call with which the role may set tags."""
    case = Case(new)
    case.create(ResourceTags=["team=a"])
    (bucket,) = case.account.world.buckets.values()
    bucket.abac = "Enabled"

    assert "ABAC" in data(case.update(ResourceTags=["team=b"]), "Warnings")

    assert dict(bucket.tags)["team"] == "a"
    case.back()
    case.ends()


def test_rules_and_the_minimum_size_that_somebody_set_at_our_bucket_stay() -> None:
    """S3 refuses rules with Prefix beside rules with Filter; a put resets an omitted size."""
    case = Case(new)
    case.create()
    (name,) = case.account.world.buckets
    old: Any = {"ID": "old", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 3}}
    case.account.s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={"Rules": [old]},
        TransitionDefaultMinimumObjectSize="varies_by_storage_class",
    )

    case.update(LogRetentionDays="60")

    found = case.account.s3.get_bucket_lifecycle_configuration(Bucket=name)
    theirs, ours = found["Rules"]
    assert (theirs, ours["Expiration"]) == (old, {"Days": 60})
    assert found["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"
    case.ends()


def web_in(kind: str) -> Callable[[Account], object]:
    """Return a function that adds a load balancer with a log bucket of this kind."""

    def change(account: Account) -> None:
        log_bucket(account, BUCKET)
        account.add_load_balancer("web", bucket=BUCKET)
        KINDS[kind](account, BUCKET)

    return change


@pytest.mark.parametrize("there", [True, False], ids=["there before", "comes later"])
@pytest.mark.parametrize("kind", ["dead destination", "closed account", "topic of our name"])
def test_with_all_a_bucket_that_is_refused_only_at_the_put_keeps_no_other_out(
    kind: str, there: bool
) -> None:
    """The documented role cannot read topics in advance. A failed Update would block the stack."""
    case = Case(lambda account: [account.add_load_balancer("shop")])
    if there:
        case.customer(web_in(kind))
    answers = [case.create("*", Privileges="documented")]
    if not there:
        case.customer(web_in(kind))
        answers = [case.update(), case.back()]

    assert all(BUCKET in data(each, "NotOnboarded") for each in answers)
    assert reads(case.account, case.arns[0])


@PRIVILEGES
def test_a_topic_for_all_objects_cures_an_overlap_where_that_is_advised(privileges: str) -> None:
    """Only the least-privilege role can share a topic."""
    case = Case(balancers(False, web="alb"))
    case.customer(lambda account: announce(account, CUSTOMERS, {}))
    case.customer(partial(KINDS["queue for all"], bucket=CUSTOMERS))
    refused = case.fails("Create", Privileges=privileges)
    advised = "or send it to an SNS topic for all created objects" in refused
    assert advised == (privileges == "least-privilege")

    def by_a_topic(account: Account) -> None:
        found = announcements(account, CUSTOMERS)
        announce(account, CUSTOMERS, {**found, "QueueConfigurations": []})
        KINDS["topic for all"](account, CUSTOMERS)

    case.customer(by_a_topic)

    assert case.ask("Create")["Status"] == ("SUCCESS" if advised else "FAILED")
