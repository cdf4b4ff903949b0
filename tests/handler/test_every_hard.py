"""Failures during a run over many load balancers: no bucket is lost, no rollback is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from handler.test_every import Fleet, Hook, refused, silent
from lifecycle.cloudformation import Stack, properties

from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from dt_logs_rehearsal.scenarios.differences import differences

ONE, TWO = (properties("*", LogBucketName=f"bucket-{each}") for each in ("one", "two"))
MODIFY = "ModifyLoadBalancerAttributes"


def error(code: str, operation: str, text: str = "x") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, operation)


def fleet_in(region: str, count: int = 1) -> Fleet:
    fleet = Fleet(count)
    fleet.account = Account("123456789012", region, clock=fleet.clock)
    fleet.arns = [fleet.account.add_load_balancer(f"web{each}") for each in range(count)]
    fleet.stack = Stack(fleet.clock, region=region, seed=1)
    return fleet


def logs_to(fleet: Fleet, number: int) -> tuple[str, str]:
    found = fleet.account.world.load_balancers[fleet.arns[number]].attributes
    return found["access_logs.s3.enabled"], found["access_logs.s3.bucket"]


@pytest.mark.parametrize("workers", [1, 8])
def test_a_bucket_does_not_go_while_one_that_could_not_move_logs_there(workers: int) -> None:
    fleet = Fleet(4, workers)
    fleet.send("Create", ONE)
    seen: list[tuple[str, str]] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation in ("DeleteBucket", "DeleteTopic"):
            seen.append((operation, logs_to(fleet, 2)[0]))
        moved = {"Key": "access_logs.s3.bucket", "Value": "bucket-two"}
        mine = params.get("LoadBalancerArn") == fleet.arns[2]
        if operation == MODIFY and mine and moved in params["Attributes"]:
            raise error("OperationNotPermitted", operation)

    fleet.before = hook
    told = fleet.succeed("Update", TWO, ONE)

    assert told["NotOnboarded"].startswith(f"{load_balancer_name(fleet.arns[2])}: ")
    assert seen == [("DeleteTopic", "false"), ("DeleteBucket", "false")]
    assert list(fleet.account.world.buckets) == ["bucket-two"]


def test_one_that_cannot_be_changed_at_all_leaves_everything_as_it_was() -> None:
    fleet = Fleet(4)
    fleet.send("Create", ONE)
    before = fleet.account.snapshot()

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == MODIFY and params["LoadBalancerArn"] == fleet.arns[2]:
            raise error("AccessDenied", operation, "with an explicit deny")

    fleet.before = hook
    answer = fleet.send("Update", TWO, ONE)

    assert answer["Status"] == "FAILED"
    assert logs_to(fleet, 2) == ("true", "bucket-one")
    assert "bucket-one" in fleet.account.world.buckets
    fleet.before = silent
    fleet.succeed("Update", ONE, TWO)
    assert not differences(before, fleet.account.snapshot())


def test_the_way_back_from_all_to_one_is_not_refused() -> None:
    fleet = Fleet(241)
    named = properties(fleet.arns[0])
    fleet.send("Create", named)

    assert fleet.send("Update", properties("*"), named, seconds=150)["Status"] == "FAILED"
    fleet.succeed("Update", named, properties("*"), seconds=150)


def test_an_update_takes_what_fits_and_tells_the_rest() -> None:
    """Of 120 s, 30 s are kept for the answer, 60 s for leaving. So 75 fit, at 0.4 s each."""
    fleet = Fleet(5)
    fleet.send("Create", properties("*"))
    fleet.arns += [fleet.account.add_load_balancer(f"new{each}") for each in range(78)]

    told = fleet.succeed("Update", properties("*", RunToken="2"), properties("*"), seconds=120)

    assert told["NotOnboarded"].count("does not fit into this run: run the stack again") == 3
    assert sum(fleet.logs()) == 80
    again = properties("*", RunToken="3")
    told = fleet.succeed("Update", again, properties("*", RunToken="2"))
    assert told["NotOnboarded"] == "none"
    assert all(fleet.logs())


def test_leaving_many_is_not_refused() -> None:
    fleet = Fleet(200)
    fleet.send("Create", properties("*"))

    named = properties(fleet.arns[0])
    fleet.succeed("Update", named, properties("*"), seconds=250)
    assert sum(fleet.logs()) == 1


@pytest.mark.parametrize("kind", ["refused", "changed by the customer"])
def test_one_odd_load_balancer_costs_a_thousand_no_time(kind: str) -> None:
    """Calls take as long as ELB's documented rates imply: ten a second, three of them changes."""
    fleet = Fleet(1000)
    customers_bucket(fleet.account)
    fleet.set(7, CUSTOMERS, "alb", enabled=False)
    odd = refused(fleet, 7)

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if service == "elbv2":
            fleet.clock.sleep(0.2333 if operation == MODIFY else 0.1)
        if kind == "refused":
            odd(service, operation, params)
        elif operation == "CreateTopic":
            fleet.set(7, CUSTOMERS, "mine", enabled=True)

    fleet.before = hook
    fleet.succeed("Create", properties("*"))

    assert sum(fleet.logs()) >= 999


RULE = {"ID": "org", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 2555}}


def remediated(fleet: Fleet, bucket: str) -> None:
    """Configure a bucket as an account's automation configures every new one."""
    s3 = fleet.account.s3
    rules: Any = {"Rules": [RULE]}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )


def kept(fleet: Fleet) -> tuple[bool, bool]:
    """Tell whether the automation's lifecycle rule and EventBridge setting are still there."""
    (name,) = fleet.account.world.buckets
    s3 = fleet.account.s3
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    found = s3.get_bucket_notification_configuration(Bucket=name)
    return "org" in [each["ID"] for each in rules], "EventBridgeConfiguration" in found


def test_what_automation_puts_on_a_new_bucket_later_is_read() -> None:
    fleet = fleet_in("eu-west-1")

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "CreateTopic":
            fleet.clock.sleep(45)  # for example because of throttling
            (name,) = fleet.account.world.buckets
            fleet.account.s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )

    fleet.before = hook

    fleet.succeed("Create", properties("*"))
    assert kept(fleet)[1]


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_a_bucket_of_our_own_name_that_appears_is_not_taken_for_empty(region: str) -> None:
    fleet = fleet_in(region)
    done: list[str] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "CreateBucket" and not done:
            done.append(operation)
            given = {key: params[key] for key in params if key != "ObjectOwnership"}
            fleet.account.s3.create_bucket(**given)
            remediated(fleet, params["Bucket"])

    fleet.before = hook

    fleet.succeed("Create", properties("*"))
    assert kept(fleet) == (True, True)


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
    fleet = fleet_in(region)
    start = fleet.account.snapshot()
    known: Any = fleet.account.s3.meta.service_model.shape_for("CreateBucketRequest")
    told = fleet.succeed("Create", properties("*"))
    ending = ending if "BucketNamespace" in known.members else ending.removesuffix("-an")
    assert told["LogBuckets"].endswith(ending)
    fleet.leave(properties("*"), start)


def test_a_customers_bucket_that_appears_in_us_east_1_is_left_alone() -> None:
    fleet = fleet_in("us-east-1")
    done: list[str] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "CreateBucket" and not done:
            done.append(operation)
            fleet.account.s3.create_bucket(Bucket=params["Bucket"])
            fleet.account.s3.put_bucket_tagging(
                Bucket=params["Bucket"], Tagging={"TagSet": [{"Key": "team", "Value": "a"}]}
            )

    fleet.before = hook
    answer = fleet.send("Create", properties("*", LogBucketName="customers-own-name"))

    assert answer["Status"] == "FAILED"
    assert "appeared while it was to be made" in answer["Reason"]
    tags = fleet.account.s3.get_bucket_tagging(Bucket="customers-own-name")["TagSet"]
    assert tags == [{"Key": "team", "Value": "a"}]


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_a_new_bucket_that_is_not_there_everywhere_yet(region: str) -> None:
    fleet = fleet_in(region)
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


def test_a_bucket_that_takes_no_more_tags_fails_no_delete() -> None:
    """A Delete writes what stays into a tag of the bucket, but S3 allows only 50 tags."""
    fleet = Fleet(1)
    given = properties(*fleet.arns)
    fleet.succeed("Create", given)
    ((name, bucket),) = fleet.account.world.buckets.items()
    bucket.tags |= {f"key{number}": "" for number in range(50 - len(bucket.tags))}
    fleet.account.s3.put_object(Bucket=name, Key="AWSLogs/x", Body=b"x")
    fleet.succeed("Delete", given)
    assert "DTLogsAnalysis1Read" not in fleet.account.s3.get_bucket_policy(Bucket=name)["Policy"]


def test_an_odd_text_does_not_stop_the_waiting_for_others() -> None:
    fleet = Fleet(6)
    start = fleet.clock()

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation != MODIFY:
            return
        if params["LoadBalancerArn"] == fleet.arns[0]:
            raise error("InvalidConfigurationRequest", operation, "cannot be changed")
        if fleet.clock() - start < 10:
            raise error("InvalidConfigurationRequest", operation, "Access Denied for bucket: b")

    fleet.before = hook
    fleet.succeed("Create", properties("*"))

    assert fleet.logs() == [False] + [True] * 5


def test_a_fault_is_logged_even_if_all_is_as_requested(capsys: pytest.CaptureFixture[str]) -> None:
    """After a failure the run looks once more; that must not hide an unexpected exception."""
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


def throttled(fleet: Fleet, name: str) -> Hook:
    first: list[float] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        mine = params.get("LoadBalancerArn") == fleet.arns[2]
        if mine and operation == name and "bucket-two" in fleet.account.world.buckets:
            first or first.append(fleet.clock())
            if fleet.clock() - first[0] < 62:
                raise error("Throttling", operation, "Rate exceeded")

    return hook


@pytest.mark.parametrize("operation", [MODIFY, "DescribeLoadBalancerAttributes"])
def test_throttling_of_a_load_balancer_that_works_is_not_a_refusal(operation: str) -> None:
    fleet = Fleet(4)
    fleet.send("Create", ONE)
    before = fleet.account.snapshot()
    fleet.before = throttled(fleet, operation)

    answer = fleet.send("Update", TWO, ONE)

    assert answer["Status"] == "FAILED"
    assert "Throttling" in answer["Reason"]
    assert list(fleet.account.world.buckets) == ["bucket-one"]  # the old role covers no other
    fleet.succeed("Update", ONE, TWO)
    assert fleet.logs() == [True] * 4
    assert not differences(before, fleet.account.snapshot())


def test_the_fix_is_told_however_many_are_refused() -> None:
    fleet = Fleet(60)
    fleet.before = refused(fleet, *range(60))
    reason = fleet.fail(properties("*"))
    assert "Correct that" in reason
    assert "stays until the stack is rolled back or deleted" in reason


def test_what_stays_is_told_however_many_are_refused() -> None:
    fleet = Fleet(61)
    for number in range(60):
        fleet.set(number, f"gone-{number}", "x", enabled=True)
    fleet.succeed("Create", ONE)
    fleet.account.s3.put_object(Bucket="bucket-one", Key="AWSLogs/x", Body=b"x")
    told = fleet.succeed("Update", TWO, ONE)
    assert "bucket-one, which holds logs" in told["Warnings"]
    shown = told["NotOnboarded"].count("app/web")
    assert told["NotOnboarded"].endswith(f"… and {60 - shown} more")
