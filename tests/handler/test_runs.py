"""A stack's buckets and topics in the emulated account, and what others do to them meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from lifecycle.accounts import encrypted, setting
from lifecycle.cloudformation import ENDPOINT, properties
from lifecycle.faults import once
from lifecycle.scenarios import PRIVILEGES, Case, data
from support.drifts import WEB, adopted, announce
from support.looks import TEST_FILE, granted, logging_of, statements, told_by_tag
from support.moto_account import PRIVATE

from dt_logs_handler.notifications import RETRIES
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, new


@PRIVILEGES
def test_a_new_bucket_is_private_and_announced_and_what_was_changed_is_put_right(
    privileges: str,
) -> None:
    """The documented role may not tag topics."""
    case = Case(new)
    given = properties(*case.arns, Privileges=privileges, ResourceTags=["team=logs"])
    told = case.sent("Create", given)["Data"]
    ((name, bucket),) = case.account.snapshot()["buckets"].items()
    ((arn, topic),) = case.account.snapshot()["topics"].items()
    assert (told["LogBuckets"], told["TopicArns"]) == (name, arn)
    assert told["SubscriptionArns"] == f"{arn} awaits confirmation"
    assert told["NotOnboarded"] == told["Warnings"] == "none"
    assert bucket["Block Public Access"] == PRIVATE
    assert bucket["Object Ownership"] == "BucketOwnerEnforced"
    assert "AES256" in str(bucket["default encryption"])
    tag = name.split("-")[3]
    assert bucket["tags"] == {"team": "logs", "dt-logs-analysis:stack": tag}
    (rule,) = map(json.loads, bucket["lifecycle"])
    assert (rule["Status"], rule["Expiration"]) == ("Enabled", {"Days": 30})
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    sids = [each["Sid"][15:22] for each in statements(case.account, name)]
    assert sids == [f"Read{tag[:3]}", "Deliver", "TlsOnly"]
    assert topic["tags"] == ({} if privileges == "documented" else {"team": "logs"})
    assert topic["attributes"]["DeliveryPolicy"] == RETRIES
    assert logging_of(case.account, case.arns[0]) == ("true", name, f"dt-logs-analysis/{tag}")

    before = case.account.snapshot()
    for tags in ({}, {"team": "other", "dt-logs-analysis:stack": tag}, bucket["tags"]):
        changed = setting(tags=tags, ownership="ObjectWriter", lifecycle=None)
        for change in (changed, setting(public_access_block=None), encrypted("aws:kms")):
            change(case.account, name)
        if not tags:
            case.account.s3.delete_bucket_policy(Bucket=name)
        announce(case.account, name, {})
        # SNS may return our delivery policy in another form, so a different policy is kept.
        case.account.world.topics[arn].attributes["DeliveryPolicy"] = '{"http":{}}'
        before["topics"][arn]["attributes"]["DeliveryPolicy"] = '{"http":{}}'
        answer = case.sent("Update", {**given, "RunToken": "2"}, given)
        assert not tags or data(answer, "Warnings") == "none"
        assert case.differs(before) == []
    case.ends(given)


RULE = {"ID": "org", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 2555}}


def test_bucket_with_logs_or_versions_keeps_them_and_the_rules_of_others() -> None:
    """With versioning, the deleted test file and its marker expire after LogRetentionDays."""
    case = Case(new)
    given, sixty = (properties(*case.arns, LogRetentionDays=days) for days in ("30", "60"))
    case.sent("Create", given)
    ((name, bucket),) = case.account.world.buckets.items()
    case.account.s3.put_bucket_versioning(
        Bucket=name, VersioningConfiguration={"Status": "Enabled"}
    )
    test_file = f"{logging_of(case.account, case.arns[0])[2]}/AWSLogs/123456789012/{TEST_FILE}"
    case.account.s3.put_object(Bucket=name, Key=test_file, Body=b"x")
    log = case.account.write_log(case.arns[0])
    rules: Any = {"Rules": [RULE]}
    case.account.s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=rules)
    case.sent("Update", sixty, given)

    reason = case.sent("Delete", sixty)["Reason"]

    assert f"bucket {name}, which holds logs or earlier versions of objects" in reason
    assert "holds logs" in told_by_tag(case.account)[name]
    left = case.account.snapshot()["buckets"][name]
    assert list(left["objects"]) == [log] and test_file in left["versions"]
    assert left["notifications"] == {"EventBridge": False}
    assert granted(case.account) == []
    ours, theirs = map(json.loads, left["lifecycle"])
    assert (theirs, ours["Expiration"]) == (RULE, {"Days": 60})
    assert ours["NoncurrentVersionExpiration"] == {"NoncurrentDays": 60}
    # A Delete notes the leftovers in a tag on the bucket, but S3 allows only 50 tags.
    bucket.tags |= {f"key{number}": "" for number in range(50 - len(bucket.tags))}
    case.sent("Create", sixty)
    case.sent("Delete", sixty)
    assert granted(case.account) == []


BRIDGE: Any = {"EventBridgeConfiguration": {}}


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
@pytest.mark.parametrize("appears", [True, False], ids=["appears", "is changed later"])
def test_what_automation_puts_on_a_new_bucket_is_kept(appears: bool, region: str) -> None:
    """A bucket that somebody creates under our own name must not be treated as empty."""
    case = Case(new, region)
    s3 = case.account.s3

    def configured(params: Mapping[str, Any]) -> None:
        if appears:
            s3.create_bucket(**{key: params[key] for key in params if key != "ObjectOwnership"})
        else:
            case.clock.sleep(45)  # for example because of throttling
        (name,) = case.account.world.buckets
        rules: Any = {"Rules": [RULE]}
        if appears:
            s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=rules)
        s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=BRIDGE)

    case.before = once("CreateBucket" if appears else "CreateTopic", configured)
    case.sent("Create", properties("*"))

    (found,) = case.account.snapshot()["buckets"].values()
    assert found["notifications"]["EventBridge"]
    assert not appears or any('"org"' in rule for rule in found["lifecycle"])


def test_a_customers_bucket_that_appears_in_us_east_1_is_left_alone() -> None:
    case = Case(new, "us-east-1")
    name = "customers-own-name"
    add = partial(case.account.add_bucket, name, tags={"team": "a"})
    case.before = once("CreateBucket", lambda params: add())

    answer = case.send("Create", properties("*", LogBucketName=name))

    assert answer["Status"] == "FAILED"
    assert "appeared before the stack could create it" in answer["Reason"]
    assert case.account.world.buckets[name].tags == {"team": "a"}


def with_a_subscriber(account: Account) -> list[str]:
    """Announce all new logs to a customer's topic that already has a subscription."""
    arns = announced(account)
    (topic,) = account.world.topics
    account.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://team.example.com/")
    account.confirm("https://team.example.com/")
    return arns


def test_subscription_is_found_by_itself_among_others_to_its_topic() -> None:
    """Before the Delete, the customer's notification is removed, so no bucket names the topic."""
    case = Case(with_a_subscriber)
    given = properties(*case.arns)
    case.sent("Create", given)
    ends = [each.endpoint for each in case.account.world.subscriptions.values()]
    assert ends == ["https://team.example.com/", ENDPOINT]
    case.customer(lambda account: announce(account, CUSTOMERS, {}))
    case.ends(given)


def test_subscription_that_its_owner_ended_is_made_again() -> None:
    """SNS lists the ended subscription as Deleted for three days."""
    case = Case(adopted)
    given = properties(case.arns[WEB])
    case.sent("Create", given)
    case.account.unsubscribe(ENDPOINT)

    case.sent("Update", {**given, "RunToken": "2"}, given)

    (again,) = case.account.world.subscriptions.values()
    assert (again.endpoint, again.confirmed) == (ENDPOINT, True)
    case.ends(given)
