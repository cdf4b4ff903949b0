"""The account's time, consistency and snapshots."""

import json
from typing import Any

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
from support.drifts import set_logging

from dt_logs_rehearsal.account import Account, Consistency


def test_reads_may_be_stale_for_a_while_and_no_longer() -> None:
    account = Account(consistency=Consistency(stale_reads=10))
    account.add_bucket("logs", policy={"Statement": [statement()]})
    account.clock.sleep(100)
    before = account.s3.get_bucket_policy(Bucket="logs")["Policy"]
    put_policy(account, statement(path="/new/*"))

    early = set()
    for _ in range(20):
        account.clock.sleep(0.4)
        early.add(account.s3.get_bucket_policy(Bucket="logs")["Policy"])
    account.clock.sleep(2.1)
    late = {account.s3.get_bucket_policy(Bucket="logs")["Policy"] for _ in range(20)}

    assert before in early and len(early) == 2
    assert late == early - {before}


def test_notifications_may_be_stale_too() -> None:
    account = Account(consistency=Consistency(stale_reads=10))
    account.add_bucket("logs")
    account.add_topic("t", topic_policy(TOPIC))
    put_notifications(account, notify(TOPIC, Id="x"))

    shown = ["TopicConfigurations" in _read(account) for _ in range(20)]
    account.clock.sleep(11)

    assert not any(shown)
    assert "TopicConfigurations" in _read(account)


def _read(account: Account) -> Any:
    return account.s3.get_bucket_notification_configuration(Bucket="logs")


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


def test_the_same_seed_gives_the_same_world() -> None:
    def run(seed: int) -> list[str]:
        account = Account(seed=seed, consistency=Consistency(stale_reads=5))
        account.add_bucket("logs", policy={"Statement": [statement()]})
        put_policy(account, statement(path="/new/*"))
        account.clock.sleep(2)
        return [account.s3.get_bucket_policy(Bucket="logs")["Policy"] for _ in range(30)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_snapshot_leaves_out_what_means_nothing() -> None:
    one, other = Account(), Account(seed=5)
    role = f"arn:aws:iam::{VENDOR}:root"
    for account, principal, action in ((one, VENDOR, "s3:Get*"), (other, [role], ["s3:Get*"])):
        account.clock.sleep(account.world.random.random())
        account.add_bucket("logs")
        put_policy(account, statement(Principal={"AWS": principal}, Action=action))

    assert one.snapshot() == other.snapshot()


def test_snapshots_and_answers_are_copies() -> None:
    account = Account()
    account.add_bucket("logs", tags={"a": "b"})
    account.add_topic("t", topic_policy(TOPIC))
    put_notifications(account, notify(TOPIC, "a/"))
    before, again = account.snapshot(), account.snapshot()

    answer = _read(account)
    answer["TopicConfigurations"][0]["Events"].clear()
    rules = account.s3.get_bucket_encryption(Bucket="logs")["ServerSideEncryptionConfiguration"]
    rules["Rules"].clear()
    assert account.snapshot() == before
    account.s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": []})
    account.s3.put_public_access_block(Bucket="logs", PublicAccessBlockConfiguration={})

    assert before == again
