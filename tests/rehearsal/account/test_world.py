"""The account's clients, time, consistency and snapshots."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError, ReadTimeoutError
from rehearsal.account.helpers import (
    TOPIC,
    VENDOR,
    notify,
    put_notifications,
    put_policy,
    refused,
    statement,
    topic_policy,
)
from support.drifts import announcements, set_logging

from dt_logs_rehearsal.account import Account, Consistency

OBJECT = {"Bucket": "logs", "Key": "k"}


def test_wrong_parameters_are_boto3s_own_error_and_what_is_not_emulated_fails(
    account: Account,
) -> None:
    policy = {"Bucket": "logs"}
    for call, params, error, text in (
        ("s3 get_bucket_policy", {**policy, "Owner": "x"}, ParamValidationError, "Unknown para"),
        ("s3 put_bucket_policy", policy, ParamValidationError, "Missing required parameter"),
        ("s3 get_bucket_policy", {"Bucket": 1}, ParamValidationError, "Invalid type"),
        ("s3 get_bucket_policy", {"Bucket": ""}, ParamValidationError, "Invalid bucket name"),
        ("s3 get_bucket_nothing", {}, AttributeError, "get_bucket_nothing"),
        ("s3 get_bucket_cors", policy, NotImplementedError, "GetBucketCors"),
        ("s3 put_object", {**OBJECT, "Tagging": "a=b"}, NotImplementedError, "Tagging"),
        ("elbv2 describe_load_balancers", {"Names": ["web"]}, NotImplementedError, "Names"),
    ):
        service, method = call.split()
        with pytest.raises(error, match=text):
            getattr(account.client(service), method)(**params)  # type: ignore[call-overload]  # not a literal name


def test_hooks_run_and_may_fail_before_and_after_the_effect() -> None:
    account = Account()
    seen: list[tuple[object, ...]] = []

    def note(service: str, operation: str, params: Mapping[str, Any]) -> None:
        seen.append((service, operation, params["Bucket"], len(account.world.buckets)))

    def fail(service: str, operation: str, params: Mapping[str, Any]) -> None:
        raise ReadTimeoutError(endpoint_url="https://s3.example")

    account.client("s3", before=note, after=note).create_bucket(Bucket="logs")
    assert seen == [("s3", "CreateBucket", "logs", number) for number in (0, 1)]
    for when in ("before", "after"):
        with pytest.raises(ReadTimeoutError):
            account.client("s3", **{when: fail}).create_bucket(Bucket=when)
    assert set(account.world.buckets) == {"logs", "after"}


def test_threads_may_call_at_once_and_from_hooks() -> None:
    account = Account()

    def nested(service: str, operation: str, params: Mapping[str, Any]) -> None:
        account.s3.list_buckets()

    def work(number: int) -> None:
        for step in range(20):
            client = account.client("s3", before=nested)
            client.create_bucket(Bucket=f"logs-{number}-{step}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))

    assert len(account.world.buckets) == 160


def read(account: Account) -> str:
    return account.s3.get_bucket_policy(Bucket="logs")["Policy"]


def changed(seed: int, stale: float) -> Account:
    """Return an account in which a bucket's new policy and notifications are still spreading."""
    account = Account(seed=seed, consistency=Consistency(stale_reads=stale))
    account.add_bucket("logs", policy={"Statement": [statement()]})
    account.add_topic("t", topic_policy(TOPIC))
    account.clock.sleep(100)
    put_policy(account, statement(path="/new/*"))
    put_notifications(account, notify(TOPIC, Id="x"))
    return account


def test_reads_may_be_stale_for_a_while_and_no_longer() -> None:
    account = changed(0, stale=10)
    before = json.dumps({"Statement": [statement()]}, separators=(",", ":"))

    assert not any(announcements(account, "logs") for _ in range(20))
    early = set()
    for _ in range(20):
        account.clock.sleep(0.4)
        early.add(read(account))
    account.clock.sleep(2.1)
    late = {read(account) for _ in range(20)}

    assert before in early and len(early) == 2
    assert late == early - {before}
    assert announcements(account, "logs")


def test_the_same_seed_gives_the_same_world() -> None:
    def run(seed: int) -> list[str]:
        account = changed(seed, stale=5)
        account.clock.sleep(2)
        return [read(account) for _ in range(30)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_new_policies_spread_to_elb_and_s3_in_time() -> None:
    account = Account(consistency=Consistency(spreading=30))
    account.add_bucket("logs")
    arn = account.add_load_balancer("web")
    put_policy(account, statement())
    account.sns.create_topic(Name="t", Attributes={"Policy": json.dumps(topic_policy(TOPIC))})

    with refused("InvalidConfigurationRequest", "Access Denied for bucket"):
        set_logging(account, arn, enabled="true", bucket="logs")
    with refused("InvalidArgument", "Unable to validate"):
        put_notifications(account, notify(TOPIC))
    account.clock.sleep(30)
    set_logging(account, arn, enabled="true", bucket="logs")
    put_notifications(account, notify(TOPIC))


def test_snapshots_are_copies_without_what_means_nothing() -> None:
    one, other = Account(), Account(seed=5)
    role = f"arn:aws:iam::{VENDOR}:root"
    for account, principal, action in ((one, VENDOR, "s3:Get*"), (other, [role], ["s3:Get*"])):
        account.clock.sleep(account.world.random.random())
        account.add_bucket("logs", tags={"a": "b"})
        account.add_topic("t", topic_policy(TOPIC))
        put_policy(account, statement(Principal={"AWS": principal}, Action=action))
        put_notifications(account, notify(TOPIC, "a/", Id="x"))
    before = one.snapshot()
    assert before == other.snapshot()

    announcements(one, "logs")["TopicConfigurations"][0]["Events"].clear()
    rules = one.s3.get_bucket_encryption(Bucket="logs")["ServerSideEncryptionConfiguration"]
    rules["Rules"].clear()
    assert one.snapshot() == before
    one.s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": []})
    one.s3.put_public_access_block(Bucket="logs", PublicAccessBlockConfiguration={})

    assert before == other.snapshot()
