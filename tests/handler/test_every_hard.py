"""Failures in a run over many load balancers: buckets are not lost, nor rollbacks refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from handler.fleet import MODIFY, Fleet, refused
from lifecycle.cloudformation import properties
from lifecycle.faults import error, on, once

from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, Hook
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.report.changes import differences

EVERY = properties("*")
ONE, TWO = (properties("*", LogBucketName=f"bucket-{each}") for each in ("one", "two"))


@pytest.mark.parametrize("workers", [1, 8])
def test_a_bucket_does_not_go_while_one_that_could_not_move_logs_there(workers: int) -> None:
    fleet = Fleet(4, workers)
    fleet.send("Create", ONE)
    seen: list[tuple[str, bool]] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation in ("DeleteBucket", "DeleteTopic"):
            seen.append((operation, fleet.logs()[2]))
        moved = {"Key": "access_logs.s3.bucket", "Value": "bucket-two"}
        mine = params.get("LoadBalancerArn") == fleet.arns[2]
        if operation == MODIFY and mine and moved in params["Attributes"]:
            raise error("OperationNotPermitted", operation)

    fleet.before = hook
    told = fleet.succeed("Update", TWO, ONE)

    assert told["NotOnboarded"].startswith(f"{load_balancer_name(fleet.arns[2])}: ")
    assert seen == [("DeleteTopic", False), ("DeleteBucket", False)]
    assert list(fleet.account.world.buckets) == ["bucket-two"]


def throttled(fleet: Fleet, name: str) -> Hook:
    """Return a hook that throttles an operation on one load balancer for a minute."""
    first: list[float] = []

    def throttle(params: Mapping[str, Any]) -> None:
        mine = params["LoadBalancerArn"] == fleet.arns[2]
        if mine and "bucket-two" in fleet.account.world.buckets:
            first or first.append(fleet.clock())
            if fleet.clock() - first[0] < 62:
                raise error("Throttling", name, "Rate exceeded")

    return on(name, throttle)


@pytest.mark.parametrize("operation", ["", MODIFY, "DescribeLoadBalancerAttributes"])
def test_one_that_works_is_not_given_up_and_the_update_goes_back(operation: str) -> None:
    """One load balancer cannot be changed at all, or is only throttled."""
    fleet = Fleet(4)
    fleet.send("Create", ONE)
    before = fleet.account.snapshot()
    denied = refused(fleet, 2, code="AccessDenied", text="with an explicit deny")
    fleet.before = throttled(fleet, operation) if operation else denied

    answer = fleet.send("Update", TWO, ONE)

    assert answer["Status"] == "FAILED"
    assert ("Throttling" if operation else "explicit deny") in answer["Reason"]
    assert (fleet.logs()[2], fleet.location(2)[0]) == (True, "bucket-one")
    assert "bucket-one" in fleet.account.world.buckets
    if operation:
        assert list(fleet.account.world.buckets) == ["bucket-one"]  # the old role covers only this
    else:
        fleet.before = no_hook
    fleet.succeed("Update", ONE, TWO)
    assert differences(before, fleet.account.snapshot()) == []


RULE = {"ID": "org", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 2555}}


def remediated(account: Account, bucket: str) -> None:
    """Configure a bucket as an account's automation configures every new bucket."""
    rules: Any = {"Rules": [RULE]}
    account.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)
    account.s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def kept(account: Account) -> tuple[bool, bool]:
    """Return whether the automation's lifecycle rule and EventBridge setting are still there."""
    (name,) = account.world.buckets
    rules = account.s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    found = account.s3.get_bucket_notification_configuration(Bucket=name)
    return "org" in [each["ID"] for each in rules], "EventBridgeConfiguration" in found


def test_what_automation_puts_on_a_new_bucket_later_is_read() -> None:
    fleet = Fleet(1)

    def later(params: Mapping[str, Any]) -> None:
        fleet.clock.sleep(45)  # for example because of throttling
        (name,) = fleet.account.world.buckets
        fleet.account.s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )

    fleet.before = once("CreateTopic", later)
    fleet.succeed("Create", EVERY)
    assert kept(fleet.account)[1]


REGIONS = pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])


@REGIONS
def test_a_bucket_of_our_own_name_that_appears_is_not_taken_for_empty(region: str) -> None:
    fleet = Fleet(1, region=region)

    def appear(params: Mapping[str, Any]) -> None:
        given = {key: params[key] for key in params if key != "ObjectOwnership"}
        fleet.account.s3.create_bucket(**given)
        remediated(fleet.account, params["Bucket"])

    fleet.before = once("CreateBucket", appear)
    fleet.succeed("Create", EVERY)
    assert kept(fleet.account) == (True, True)


def test_a_customers_bucket_that_appears_in_us_east_1_is_left_alone() -> None:
    fleet = Fleet(1, region="us-east-1")
    s3, found = fleet.account.s3, {"Bucket": "customers-own-name"}
    tags: Any = [{"Key": "team", "Value": "a"}]

    def appear(params: Mapping[str, Any]) -> None:
        s3.create_bucket(**found)
        s3.put_bucket_tagging(**found, Tagging={"TagSet": tags})

    fleet.before = once("CreateBucket", appear)
    answer = fleet.send("Create", properties("*", LogBucketName="customers-own-name"))

    assert answer["Status"] == "FAILED"
    assert "appeared before the stack could create it" in answer["Reason"]
    assert s3.get_bucket_tagging(**found)["TagSet"] == tags


@REGIONS
def test_a_new_bucket_that_is_not_there_everywhere_yet(region: str) -> None:
    fleet = Fleet(1, region=region)
    born: dict[str, float] = {}

    def after(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "CreateBucket":
            born.setdefault(params["Bucket"], fleet.clock())

    def before(service: str, operation: str, params: Mapping[str, Any]) -> None:
        since = fleet.clock() - born.get(params.get("Bucket", ""), 0)
        if service == "s3" and operation != "CreateBucket" and since < 3:
            raise error("NoSuchBucket", operation)

    fleet.before, fleet.after = before, after
    fleet.succeed("Create", properties(*fleet.arns))


@pytest.mark.parametrize(
    ("region", "ending"),
    [
        ("eu-west-1", "-123456789012-eu-west-1-an"),
        ("me-south-1", "-123456789012-me-south-1"),
        ("me-central-1", "-123456789012-me-central-1"),
    ],
)
def test_a_new_bucket_is_named_as_its_region_allows(region: str, ending: str) -> None:
    """Two regions lack the account-regional namespace, and an older boto3 does not know it."""
    fleet = Fleet(1, region=region)
    told = fleet.succeed("Create", EVERY)
    ending = ending if fleet.new_boto3 else ending.removesuffix("-an")
    assert told["LogBuckets"].endswith(ending)
    fleet.leave(EVERY)


def test_a_bucket_that_takes_no_more_tags_fails_no_delete() -> None:
    """A Delete notes the leftovers in a tag on the bucket, but S3 allows only 50 tags."""
    fleet = Fleet(1)
    fleet.succeed("Create", EVERY)
    ((name, bucket),) = fleet.account.world.buckets.items()
    bucket.tags |= {f"key{number}": "" for number in range(50 - len(bucket.tags))}
    fleet.account.s3.put_object(Bucket=name, Key="AWSLogs/x", Body=b"x")
    fleet.succeed("Delete", EVERY)
    assert "DTLogsAnalysis1Read" not in fleet.account.s3.get_bucket_policy(Bucket=name)["Policy"]


def test_a_fault_is_logged_even_if_all_is_as_requested(capsys: pytest.CaptureFixture[str]) -> None:
    """After a failure, the run reads the account again, which must not hide unexpected errors."""
    fleet = Fleet(1)
    done: list[str] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        done.append(operation)
        if operation == "GetBucketEncryption" and done.count(operation) == 1 and MODIFY in done:
            raise RuntimeError("a fault of ours")

    fleet.before = hook
    fleet.send("Create", properties(*fleet.arns))

    assert done.count("GetBucketEncryption") == 2
    assert "a fault of ours" in capsys.readouterr().out
