"""Create, Update and Delete in ordinary cases, each checked by reading back the account in moto.

tests/lifecycle has many more cases, in our own emulated account.
"""

import json
from typing import Any

import pytest
from support.events import (
    ACCOUNT,
    ENDPOINT,
    PHYSICAL_ID,
    REGION,
    TAG,
    VENDOR,
    Properties,
    event,
    properties,
    topic_arn,
)
from support.moto_account import Account
from support.running import Clock, run_event
from support.states import PRIVATE

BELOW = f"AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/"
TEST_FILE = f"dt-logs-analysis/{TAG}/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
PRIVILEGES = pytest.mark.parametrize("privileges", ["least-privilege", "documented"])


class Stack:
    """One stack in an account; its events come a minute apart."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self.account, self.clock = account, clock

    def succeed(
        self, kind: str, given: Properties, old: Properties | None = None
    ) -> tuple[dict[str, str], str]:
        """Send an event that must succeed; return the outputs' values and the reason."""
        self.clock.sleep(60)
        sent = event(kind, given, old, at=self.clock.now)
        answer = run_event(sent, self.account.clients, self.clock)
        data, reason = answer["Data"], str(answer["Reason"])
        assert answer["Status"] == "SUCCESS", reason
        assert answer["PhysicalResourceId"] == PHYSICAL_ID
        assert isinstance(data, dict)
        return data, reason


@pytest.fixture
def stack(account: Account, clock: Clock) -> Stack:
    return Stack(account, clock)


@PRIVILEGES
def test_one_load_balancer_without_logging(account: Account, stack: Stack, privileges: str) -> None:
    web, own = account.add_load_balancer(), account.own_bucket
    before = account.snapshot()
    given = properties(web, Privileges=privileges)

    data, _ = stack.succeed("Create", given)

    assert (data["LogBuckets"], data["TopicArns"]) == (own, topic_arn(own))
    assert data["SubscriptionArns"].startswith(topic_arn(own))
    assert data["NotOnboarded"] == data["Warnings"] == "none"
    prefix = f"dt-logs-analysis/{TAG}"
    assert account.logging(web) == {"enabled": "true", "bucket": own, "prefix": prefix}
    assert account.subscriptions(topic_arn(own)) == [("https", ENDPOINT)]
    made = account.snapshot()["buckets"][own]
    assert made["public access block"] == PRIVATE
    assert made["ownership"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert '"SSEAlgorithm": "AES256"' in json.dumps(made["encryption"])
    (rule,) = made["lifecycle"]
    assert rule["Expiration"] == {"Days": 30} and rule["Status"] == "Enabled"
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert {"Key": "dt-logs-analysis:stack", "Value": TAG} in made["tags"]
    read, deliver, tls = made["policy"]["Statement"]
    assert read["Principal"] == {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    assert read["Action"] == "s3:GetObject"
    logs = f"{BELOW}*/{ACCOUNT}_elasticloadbalancing_{REGION}_app.*"
    assert read["Resource"] == [f"arn:aws:s3:::{own}/{prefix}/{logs}"]
    assert deliver["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (entry,) = made["notifications"]["TopicConfigurations"]
    assert entry["TopicArn"] == topic_arn(own)

    _, reason = stack.succeed("Delete", given)

    after = account.snapshot()
    if privileges == "documented":  # its role may delete neither topics nor subscriptions
        assert f"aws sns delete-topic --topic-arn {topic_arn(own)}" in reason
        del after["topics"][topic_arn(own)]
    assert after == before


@PRIVILEGES
def test_star_takes_in_load_balancers_made_since(
    account: Account, stack: Stack, privileges: str
) -> None:
    web, network = account.add_load_balancer("web"), account.add_load_balancer("net", "network")
    given = properties("*", Privileges=privileges)
    stack.succeed("Create", given)
    api = account.add_load_balancer("api")
    stack.succeed("Update", {**given, "RunToken": "2"}, given)
    assert {account.logging(arn)["bucket"] for arn in (web, api)} == {account.own_bucket}
    assert account.logging(network) == {}
    stack.succeed("Delete", given)
    assert account.snapshot()["logging"] == {each: {} for each in (web, network, api)}
    assert account.buckets() == []


def test_bucket_with_logs_or_versions_keeps_them_and_the_rules_of_others(
    account: Account, stack: Stack
) -> None:
    """With versioning, the deleted test file and its marker expire after LogRetentionDays."""
    web, own = account.add_load_balancer(), account.own_bucket
    stack.succeed("Create", properties(web))
    log = f"dt-logs-analysis/{TAG}/{BELOW}2026/03/01/x.log.gz"
    theirs: Any = {"ID": "org", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 7}}
    account.s3.put_bucket_lifecycle_configuration(
        Bucket=own, LifecycleConfiguration={"Rules": [theirs]}
    )
    account.s3.put_object(Bucket=own, Key=log, Body=b"x")
    account.s3.put_bucket_versioning(Bucket=own, VersioningConfiguration={"Status": "Enabled"})
    account.s3.put_object(Bucket=own, Key=TEST_FILE, Body=b"x")
    sixty = properties(web, LogRetentionDays="60")
    stack.succeed("Update", sixty, properties(web))

    _, reason = stack.succeed("Delete", sixty)

    assert f"bucket {own}, which holds logs or earlier versions of objects" in reason
    left = account.snapshot()["buckets"][own]
    assert left["objects"] == sorted([log, TEST_FILE, TEST_FILE])
    (told,) = (each["Value"] for each in left["tags"] if each["Key"] == "dt-logs-analysis:left")
    assert "holds logs" in told
    assert "TopicConfigurations" not in left["notifications"]
    assert all("s3:GetObject" not in each["Action"] for each in left["policy"]["Statement"])
    first, ours = left["lifecycle"]
    assert first == theirs
    assert (ours["Expiration"], ours["NoncurrentVersionExpiration"]) == (
        {"Days": 60},
        {"NoncurrentDays": 60},
    )
    assert (ours["Prefix"], "Filter" in ours) == ("", False)


def test_deleting_twice_or_what_never_was_succeeds(account: Account, stack: Stack) -> None:
    """If the vendor reads a whole location, the statement does not name the load balancer."""
    web, api = account.add_load_balancer("web"), account.add_load_balancer("api")
    account.add_bucket("company-logs")
    account.set_logging(api, "company-logs", "api")
    given = properties(web, api, VendorReadScope="Location")
    before = account.snapshot()
    stack.succeed("Delete", given)
    stack.succeed("Delete", {})
    stack.succeed("Create", given)
    account.s3.put_object(Bucket=account.own_bucket, Key=TEST_FILE, Body=b"x")
    for _ in range(2):
        stack.succeed("Delete", given)
        assert account.snapshot() == before


def test_outdated_event_changes_nothing(account: Account, stack: Stack) -> None:
    """The event was overtaken by a later one, or CloudFormation no longer waits for its answer."""
    web, api = account.add_load_balancer("web"), account.add_load_balancer("api")
    started = stack.clock.now
    stack.succeed("Create", properties(web))
    there = account.snapshot()
    late = event("Update", properties(api), properties(web), at=started)
    assert run_event(late, account.clients, stack.clock)["Status"] == "FAILED"
    stack.clock.sleep(1300)
    late = event("Delete", properties(web), at=started + 61)
    assert run_event(late, account.clients, stack.clock)["Status"] == "FAILED"
    assert account.snapshot() == there


@PRIVILEGES
@pytest.mark.parametrize("narrowed", [[""], ["company-logs", "new-logs"]], ids=["any", "narrowed"])
@pytest.mark.parametrize("kind", ["Update", "Delete"])
def test_load_balancer_that_was_moved_since_leaves_nothing_behind(
    account: Account, stack: Stack, privileges: str, narrowed: list[str], kind: str
) -> None:
    """The load balancer's current bucket has no register; a search of all buckets finds it."""
    web = account.add_load_balancer()
    for name in ("company-logs", "new-logs"):
        account.add_bucket(name)
    account.set_logging(web, "company-logs", "web")
    given = properties(web, Privileges=privileges, ExistingLogBucketNames=narrowed)
    before = account.snapshot()["buckets"]
    stack.succeed("Create", given)
    account.set_logging(web, "new-logs", "moved")
    there = account.logging(web)

    stack.succeed(kind, {**given, "RunToken": "2"}, given)

    assert account.logging(web) == there
    after = account.snapshot()["buckets"]
    assert after["company-logs"] == before["company-logs"]
    if kind == "Delete":
        assert after["new-logs"] == before["new-logs"]
        return
    (read,) = after["new-logs"]["policy"]["Statement"]
    assert read["Resource"][0].startswith("arn:aws:s3:::new-logs/moved/AWSLogs/")
