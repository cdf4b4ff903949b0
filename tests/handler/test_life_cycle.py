"""Stacks' whole lives with real boto3 clients, checked by reading the account in moto.

tests/lifecycle has many more cases, and compares moto's account with our own emulated account.
"""

import json
from collections.abc import Iterator

import pytest
from lifecycle.cloudformation import Stack
from support.events import (
    ACCOUNT,
    ENDPOINT,
    REGION,
    STACK,
    TAG,
    VENDOR,
    Properties,
    properties,
    topic_arn,
)
from support.moto_account import PRIVATE, Account, emulated_account
from support.running import Clock

# An older botocore causes this warning on a newer Python.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:datetime.datetime.utcnow\(\):DeprecationWarning:botocore"
)
BELOW = f"AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/"
PREFIX = f"dt-logs-analysis/{TAG}"


class Life(Stack):
    """One stack in an account; its events come a minute apart."""

    def __init__(self, account: Account) -> None:
        super().__init__(Clock(), region=REGION, id=STACK)
        self.moto = account

    def succeed(
        self, kind: str, given: Properties, old: Properties | None = None
    ) -> tuple[dict[str, str], str]:
        """Send an event that must succeed; return the outputs' values and the reason."""
        self.clock.sleep(60)
        answer = self.send(self.event(kind, given, old), self.moto.clients)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return answer["Data"], answer["Reason"]


@pytest.fixture
def stack() -> Iterator[Life]:
    with emulated_account() as account:
        yield Life(account)


@pytest.mark.parametrize("privileges", ["least-privilege", "documented"])
def test_one_load_balancer_without_logging(stack: Life, privileges: str) -> None:
    account = stack.moto
    web, own = account.add_load_balancer(), account.own_bucket
    topic = topic_arn(own)
    before = account.snapshot()
    given = properties(web, Privileges=privileges)

    data, _ = stack.succeed("Create", given)

    assert (data["LogBuckets"], data["TopicArns"]) == (own, topic)
    assert data["SubscriptionArns"].startswith(topic)
    assert data["NotOnboarded"] == data["Warnings"] == "none"
    assert account.logging(web) == {"enabled": "true", "bucket": own, "prefix": PREFIX}
    assert account.subscriptions(topic) == [("https", ENDPOINT)]
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
    assert read["Resource"] == [f"arn:aws:s3:::{own}/{PREFIX}/{logs}"]
    assert deliver["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (entry,) = made["notifications"]["TopicConfigurations"]
    assert entry["TopicArn"] == topic

    _, reason = stack.succeed("Delete", given)

    after = account.snapshot()
    if privileges == "documented":  # this role may not delete topics or subscriptions
        assert f"aws sns delete-topic --topic-arn {topic}" in reason
        del after["topics"][topic]
    assert after == before


def test_bucket_with_logs_or_versions_keeps_them(stack: Life) -> None:
    """With versioning, the deleted test file and its marker expire after LogRetentionDays."""
    account = stack.moto
    own, given = account.own_bucket, properties(account.add_load_balancer())
    stack.succeed("Create", given)
    log = f"{PREFIX}/{BELOW}2026/03/01/x.log.gz"
    test_file = f"{PREFIX}/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    account.s3.put_bucket_versioning(Bucket=own, VersioningConfiguration={"Status": "Enabled"})
    for key in (log, test_file):
        account.s3.put_object(Bucket=own, Key=key, Body=b"x")
    sixty = {**given, "LogRetentionDays": "60"}
    stack.succeed("Update", sixty, given)

    _, reason = stack.succeed("Delete", sixty)

    assert f"bucket {own}, which holds logs or earlier versions of objects" in reason
    left = account.snapshot()["buckets"][own]
    assert left["objects"] == [test_file, test_file, log]
    (told,) = (each["Value"] for each in left["tags"] if each["Key"] == "dt-logs-analysis:left")
    assert "holds logs" in told
    assert "TopicConfigurations" not in left["notifications"]
    assert all("s3:GetObject" not in each["Action"] for each in left["policy"]["Statement"])
    (rule,) = left["lifecycle"]
    assert rule["Expiration"] == {"Days": 60}
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 60}
