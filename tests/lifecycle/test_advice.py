"""The advice in a reason helps, and names everything that is left."""

from __future__ import annotations

import json

import pytest
from support.drifts import log_bucket
from support.verdicts import forget_principal

from dt_logs_rehearsal.account import Account
from lifecycle.accounts import KINDS, announcements
from lifecycle.cases import Case
from lifecycle.cloudformation import properties

BUCKET = "team-logs"
DOCUMENTED = {"Privileges": "documented"}


def switched_off(account: Account) -> list[str]:
    """Make a load balancer whose logging is off, although a bucket is set."""
    log_bucket(account, BUCKET)
    return [account.add_load_balancer("web", bucket=BUCKET, enabled=False)]


def by_a_topic(account: Account) -> None:
    """Replace a queue's notification with a topic for all created objects, as advised."""
    (topic,) = (each for each in KINDS if each.name == "topic for all")
    found = announcements(account, BUCKET)
    del found["QueueConfigurations"]
    account.s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=found)
    topic.apply(account, BUCKET)


@pytest.mark.parametrize(
    "privileges",
    [
        "least-privilege",
        "documented",
    ],
)
def test_a_topic_for_all_objects_cures_an_overlap_where_that_is_advised(privileges: str) -> None:
    (queue,) = (each for each in KINDS if each.name == "queue for all")
    case = Case(switched_off)
    case.customer(lambda account: queue.apply(account, BUCKET))
    given = properties(*case.arns, Privileges=privileges)
    refused = case.send("Create", given)
    assert refused["Status"] == "FAILED"
    if "or send it to an SNS topic for all created objects" not in refused["Reason"]:
        return

    case.customer(by_a_topic)

    case.sent("Create", given)


def test_what_is_left_in_a_frozen_policy_is_named() -> None:
    """The policy is frozen because a statement of others names a role that was deleted."""
    role = "arn:aws:iam::123456789012:role/gone"
    case = Case(switched_off)
    given = properties(*case.arns)
    case.sent("Create", given)
    found = case.account.world.buckets[BUCKET]
    kept = [
        each
        for each in json.loads(found.policy.latest or "{}")["Statement"]
        if "Read" not in each["Sid"]
    ]
    theirs = {**kept[0], "Sid": "Theirs", "Principal": {"AWS": role}}
    policy = {"Version": "2012-10-17", "Statement": [*kept, theirs]}
    case.account.s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    forget_principal(case.account, role, "AROAEXAMPLEEXAMPLE123")

    reason = case.sent("Delete", given)["Reason"]

    assert "DTLogsAnalysis1Deliver" in reason
    assert "which grants nothing" not in reason
