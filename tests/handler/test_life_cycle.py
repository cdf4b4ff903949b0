"""Create, Update and Delete in ordinary cases, each checked by reading the account back."""

import json
from typing import Any

import pytest
from support.events import (
    ACCOUNT,
    ENDPOINT,
    PHYSICAL_ID,
    REGION,
    STACK,
    TAG,
    VENDOR,
    Properties,
    alb_arn,
    event,
    properties,
    topic_arn,
)
from support.moto_account import Account
from support.running import Answer, Clock, run_event
from support.states import PRIVATE

BELOW = f"AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/"
ANY = f"{BELOW}*/{ACCOUNT}_elasticloadbalancing_{REGION}_"  # followed by the load balancer's name
PRIVILEGES = ["least-privilege", "documented"]


class Stack:
    """One stack in an account; its events come a minute apart."""

    def __init__(self, account: Account, clock: Clock, identifier: str = STACK) -> None:
        self.account, self.clock, self.id = account, clock, identifier

    def send(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        self.clock.sleep(60)
        sent = event(kind, given, old, at=self.clock.now, stack=self.id)
        return run_event(sent, self.account.clients, self.clock)

    def succeed(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        answer = self.send(kind, given, old)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return answer


@pytest.fixture
def stack(account: Account, clock: Clock) -> Stack:
    return Stack(account, clock)


def data(answer: Answer) -> dict[str, str]:
    found = answer["Data"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("privileges", PRIVILEGES)
def test_one_load_balancer_without_logging(account: Account, stack: Stack, privileges: str) -> None:
    web = account.add_load_balancer()
    before = account.snapshot()
    given = properties(web, Privileges=privileges)

    answer = stack.succeed("Create", given)
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    assert data(answer)["LogBuckets"] == account.own_bucket
    assert data(answer)["TopicArns"] == topic_arn(account.own_bucket)
    assert data(answer)["SubscriptionArns"].startswith(topic_arn(account.own_bucket))
    assert data(answer)["NotOnboarded"] == data(answer)["Warnings"] == "none"
    assert account.logging(web) == {
        "enabled": "true",
        "bucket": account.own_bucket,
        "prefix": f"dt-logs-analysis/{TAG}",
    }
    made = account.snapshot()["buckets"][account.own_bucket]
    assert made["public access block"] == PRIVATE
    assert made["ownership"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    (rule,) = made["encryption"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    (rule,) = made["lifecycle"]
    assert rule["Expiration"] == {"Days": 30} and rule["Status"] == "Enabled"
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert {"Key": "dt-logs-analysis:stack", "Value": TAG} in made["tags"]
    read, deliver, tls = made["policy"]["Statement"]
    assert read["Principal"] == {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    assert read["Action"] == "s3:GetObject"
    assert read["Resource"] == [
        f"arn:aws:s3:::{account.own_bucket}/dt-logs-analysis/{TAG}/{ANY}app.*"
    ]
    assert deliver["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (entry,) = made["notifications"]["TopicConfigurations"]
    assert entry["TopicArn"] == topic_arn(account.own_bucket)
    assert account.subscriptions(topic_arn(account.own_bucket)) == [("https", ENDPOINT)]

    deleted = stack.succeed("Delete", given)
    after = account.snapshot()
    if privileges == "documented":  # its role may delete neither topics nor subscriptions
        assert set(after.pop("topics")) == {topic_arn(account.own_bucket)}
        assert f"aws sns delete-topic --topic-arn {topic_arn(account.own_bucket)}" in str(
            deleted["Reason"]
        )
        del before["topics"]
    assert after == before


def test_every_load_balancer_of_the_account_and_region(account: Account, stack: Stack) -> None:
    arns = [account.add_load_balancer(name) for name in ("web", "api")]
    network = account.add_load_balancer("net", "network")
    before = account.snapshot()
    stack.succeed("Create", properties("*"))
    assert {account.logging(arn)["bucket"] for arn in arns} == {account.own_bucket}
    assert account.logging(network) == {}
    stack.succeed("Delete", properties("*"))
    assert account.snapshot() == before


@pytest.mark.parametrize("privileges", PRIVILEGES)
def test_star_takes_in_load_balancers_made_since(
    account: Account, stack: Stack, privileges: str
) -> None:
    account.add_load_balancer("web")
    given = properties("*", Privileges=privileges)
    stack.succeed("Create", given)
    api = account.add_load_balancer("api")
    answer = stack.succeed("Update", {**given, "RunToken": "2"}, given)
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    assert account.logging(api)["bucket"] == account.own_bucket
    stack.succeed("Delete", given)
    assert set(map(str, account.snapshot()["logging"].values())) == {"{}"}
    assert account.buckets() == []


@pytest.fixture
def logging(account: Account) -> str:
    """Give a load balancer that logs to a bucket with everything that others may have there."""
    arn = account.add_load_balancer("busy")
    account.add_bucket("company-logs")
    s3, name = account.s3, "company-logs"
    statements: list[dict[str, Any]] = [
        {
            "Sid": "ELB",
            "Effect": "Allow",
            "Principal": {"AWS": ["arn:aws:iam::127311923021:root"]},
            "Action": ["s3:PutObject"],
            "Resource": f"arn:aws:s3:::{name}/web/AWSLogs/{ACCOUNT}/*",
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:role/auditor"},
            "NotAction": "s3:Delete*",
            "Resource": "arn:aws:s3:::company-logs/ünïcode/*",
        },
    ]
    document = {"Version": "2008-10-17", "Id": "theirs", "Statement": statements}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(document, indent=4, ensure_ascii=False))
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "team", "Value": "web"}]})
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "x/"},
                    "Expiration": {"Days": 7},
                }
            ]
        },
    )
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "TopicConfigurations": [
                {
                    "Id": "removed",
                    "TopicArn": account.add_topic("removed"),
                    "Events": ["s3:ObjectRemoved:*"],
                }
            ],
            "QueueConfigurations": [
                {
                    "Id": "images",
                    "QueueArn": account.add_queue("images"),
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "images/"}]}},
                }
            ],
            "EventBridgeConfiguration": {},
        },
    )
    s3.put_object(Bucket=name, Key=f"web/{BELOW}2026/02/28/x.log.gz", Body=b"log")
    account.set_logging(arn, name, "web")
    return arn


@pytest.mark.parametrize("privileges", PRIVILEGES)
@pytest.mark.parametrize("scope", ["LoadBalancer", "Location"])
def test_load_balancer_that_logs_already(
    account: Account, stack: Stack, logging: str, privileges: str, scope: str
) -> None:
    before = account.snapshot()
    given = properties(logging, Privileges=privileges, VendorReadScope=scope)

    answer = stack.succeed("Create", given)
    assert data(answer)["LogBuckets"] == "company-logs"
    there = account.snapshot()
    assert there["logging"] == before["logging"]
    old, new = before["buckets"]["company-logs"], there["buckets"]["company-logs"]
    *theirs, read = new["policy"]["Statement"]
    assert {**new["policy"], "Statement": theirs} == old["policy"]
    name = logging.partition(":loadbalancer/")[2].replace("/", ".")
    tail = "app." if scope == "Location" else f"{name}_"
    assert read["Resource"] == [f"arn:aws:s3:::company-logs/web/{ANY}{tail}*"]
    notifications = new["notifications"]
    assert notifications["QueueConfigurations"] == old["notifications"]["QueueConfigurations"]
    assert notifications["EventBridgeConfiguration"] == {}
    first, ours = notifications["TopicConfigurations"]
    assert [first] == old["notifications"]["TopicConfigurations"]
    assert ours["TopicArn"] == topic_arn("company-logs")
    for name in ("tags", "lifecycle", "public access block", "ownership", "acl", "objects"):
        assert new[name] == old[name]

    stack.succeed("Delete", given)
    after = account.snapshot()
    if privileges == "documented":
        del after["topics"][topic_arn("company-logs")]
    assert after == before


def test_logging_that_was_switched_off_comes_back_as_it_was(account: Account, stack: Stack) -> None:
    web = account.add_load_balancer()
    account.add_bucket("company-logs")
    account.set_logging(web, "company-logs", "web", enabled=False)
    before, attributes = account.snapshot(), account.logging(web)
    stack.succeed("Create", properties(web))
    now = account.logging(web)
    assert (now["enabled"], now["bucket"]) == ("true", "company-logs")
    assert now["prefix"].startswith("web/") and now["prefix"].endswith(TAG)
    stack.succeed("Delete", properties(web))
    assert account.snapshot() == before
    assert account.logging(web) == attributes


def test_chosen_bucket_is_made_and_goes(account: Account, stack: Stack) -> None:
    web = account.add_load_balancer()
    before = account.snapshot()
    given = properties(web, LogBucketName="my.logs", ResourceTags=["team=web", "cost=12"])
    answer = stack.succeed("Create", given)
    assert data(answer)["LogBuckets"] == "my.logs"
    assert account.topics() == [topic_arn("my.logs")]
    tags = account.s3.get_bucket_tagging(Bucket="my.logs")["TagSet"]
    assert {each["Key"]: each["Value"] for each in tags} == {
        "team": "web",
        "cost": "12",
        "dt-logs-analysis:stack": TAG,
    }
    stack.succeed("Delete", given)
    assert account.snapshot() == before


@pytest.mark.parametrize("privileges", PRIVILEGES)
def test_bucket_with_logs_stays_and_the_answer_says_so(
    account: Account, stack: Stack, privileges: str
) -> None:
    web = account.add_load_balancer()
    given = properties(web, Privileges=privileges)
    stack.succeed("Create", given)
    test_file = f"dt-logs-analysis/{TAG}/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    log = f"dt-logs-analysis/{TAG}/{BELOW}2026/03/01/x.log.gz"
    for key in (test_file, log):
        account.s3.put_object(Bucket=account.own_bucket, Key=key, Body=b"x")
    answer = stack.succeed("Delete", given)
    assert f"bucket {account.own_bucket}, which holds logs" in str(answer["Reason"])
    left = account.snapshot()["buckets"][account.own_bucket]
    assert left["objects"] == [log]
    (told,) = (each["Value"] for each in left["tags"] if each["Key"] == "dt-logs-analysis:left")
    assert "holds logs" in told
    assert "TopicConfigurations" not in account.notifications(account.own_bucket)
    policy = account.policy(account.own_bucket)
    assert all("s3:GetObject" not in each["Action"] for each in policy["Statement"])


def test_versions_of_the_test_file_keep_the_bucket_and_are_told(
    account: Account, stack: Stack
) -> None:
    """With versioning, deleting the file only adds a marker; both expire after LogRetentionDays."""
    web = account.add_load_balancer()
    stack.succeed("Create", properties(web))
    test_file = f"dt-logs-analysis/{TAG}/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    account.s3.put_bucket_versioning(
        Bucket=account.own_bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    account.s3.put_object(Bucket=account.own_bucket, Key=test_file, Body=b"x")
    answer = stack.succeed("Delete", properties(web))
    assert "holds logs or earlier versions of objects" in str(answer["Reason"])
    left = account.snapshot()["buckets"][account.own_bucket]
    assert left["objects"] == [test_file] * 2
    (rule,) = left["lifecycle"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}


def test_rules_that_somebody_added_to_our_bucket_stay_as_they_are(
    account: Account, stack: Stack
) -> None:
    web = account.add_load_balancer()
    stack.succeed("Create", properties(web))
    theirs = {"ID": "org", "Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 7}}
    account.s3.put_bucket_lifecycle_configuration(
        Bucket=account.own_bucket, LifecycleConfiguration={"Rules": [theirs]}
    )
    stack.succeed("Update", properties(web, LogRetentionDays="60"), properties(web))
    first, ours = account.snapshot()["buckets"][account.own_bucket]["lifecycle"]
    assert first == theirs
    assert (ours["Expiration"], ours["Prefix"], "Filter" in ours) == ({"Days": 60}, "", False)


def test_test_file_alone_does_not_keep_the_bucket(account: Account, stack: Stack) -> None:
    web = account.add_load_balancer()
    stack.succeed("Create", properties(web))
    test_file = f"dt-logs-analysis/{TAG}/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    account.s3.put_object(Bucket=account.own_bucket, Key=test_file, Body=b"x")
    stack.succeed("Delete", properties(web))
    assert account.buckets() == []


@pytest.mark.parametrize("privileges", PRIVILEGES)
def test_create_with_one_bad_arn_leaves_nothing(
    account: Account, stack: Stack, logging: str, privileges: str
) -> None:
    web = account.add_load_balancer("web")
    before = account.snapshot()
    for bad in (alb_arn("gone"), logging.replace("us-east-1", "eu-west-1"), "nonsense"):
        given = properties(web, logging, bad, Privileges=privileges)
        answer = stack.send("Create", given)
        assert answer["Status"] == "FAILED"
        assert bad.partition(":loadbalancer/")[2] in str(answer["Reason"])
        assert account.snapshot() == before
        stack.succeed("Delete", given)
        assert account.snapshot() == before


@pytest.mark.parametrize("kind", ["Delete", "Update"])
def test_vanished_load_balancer_strands_no_stack(account: Account, stack: Stack, kind: str) -> None:
    web = account.add_load_balancer("web")
    given = properties(web)
    stack.succeed("Create", given)
    account.elbv2.delete_load_balancer(LoadBalancerArn=web)
    stack.succeed(kind, given)
    assert account.buckets() == [] and account.topics() == []


def test_deleting_twice_or_what_never_was_succeeds(account: Account, stack: Stack) -> None:
    web = account.add_load_balancer("web")
    before = account.snapshot()
    stack.succeed("Delete", properties(web))
    stack.succeed("Delete", {})
    stack.succeed("Create", properties(web))
    for _ in range(2):
        stack.succeed("Delete", properties(web))
        assert account.snapshot() == before


def test_outdated_event_changes_nothing(account: Account, stack: Stack) -> None:
    """A later event has overtaken it, or it is older than CloudFormation waits for an answer."""
    web, api = account.add_load_balancer("web"), account.add_load_balancer("api")
    started = stack.clock.now
    stack.succeed("Create", properties(web))
    there = account.snapshot()
    late = event("Update", properties(api), properties(web), at=started)
    assert run_event(late, account.clients, stack.clock)["Status"] == "FAILED"
    assert account.snapshot() == there
    stack.clock.sleep(1300)
    late = event("Delete", properties(web), at=started + 61)
    assert run_event(late, account.clients, stack.clock)["Status"] == "FAILED"
    assert account.snapshot() == there


@pytest.mark.parametrize("privileges", PRIVILEGES)
@pytest.mark.parametrize("narrowed", [[""], ["company-logs", "new-logs"]], ids=["any", "narrowed"])
def test_load_balancer_that_was_moved_since_leaves_nothing_behind(
    account: Account, stack: Stack, logging: str, privileges: str, narrowed: list[str]
) -> None:
    """The register is not in the bucket where it logs now; a search of all buckets finds it."""
    given = properties(logging, Privileges=privileges, ExistingLogBucketNames=narrowed)
    account.add_bucket("new-logs")
    before = account.snapshot()
    stack.succeed("Create", given)
    account.set_logging(logging, "new-logs", "moved")
    moved = account.snapshot()["logging"]
    stack.succeed("Delete", given)
    after = account.snapshot()
    assert after["logging"] == moved
    assert after["buckets"] == before["buckets"]


def test_load_balancer_that_was_moved_since_is_onboarded_where_it_logs(
    account: Account, stack: Stack, logging: str
) -> None:
    account.add_bucket("new-logs")
    before = account.snapshot()
    stack.succeed("Create", properties(logging))
    account.set_logging(logging, "new-logs", "moved")
    moved = account.snapshot()["logging"]
    stack.succeed("Update", properties(logging, RunToken="2"), properties(logging))
    now = account.snapshot()
    assert now["logging"] == moved
    assert now["buckets"]["company-logs"] == before["buckets"]["company-logs"]
    (read,) = now["buckets"]["new-logs"]["policy"]["Statement"]
    assert read["Resource"][0].startswith("arn:aws:s3:::new-logs/moved/AWSLogs/")


@pytest.mark.parametrize("setting", ["encryption", "ownership", "another region"])
def test_bucket_that_cannot_be_used_fails_without_a_trace(
    account: Account, stack: Stack, setting: str
) -> None:
    web, api = account.add_load_balancer("web"), account.add_load_balancer("api")
    s3, name = account.s3, "company-logs"
    account.add_bucket(name)
    match setting:
        case "encryption":
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
            s3.put_bucket_encryption(
                Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]}
            )
            fix = "SSE-S3"
        case "ownership":
            s3.delete_bucket_ownership_controls(Bucket=name)
            fix = "BucketOwnerEnforced"
        case _:
            s3.delete_bucket(Bucket=name)
            where = {"LocationConstraint": "eu-west-1"}
            s3.create_bucket(
                Bucket=name,
                CreateBucketConfiguration=where,
                ObjectOwnership="BucketOwnerEnforced",
            )
            fix = "bucket of that region"
    account.set_logging(web, name, "web", enabled=False)
    before = account.snapshot()
    answer = stack.send("Create", properties(api, web))
    assert answer["Status"] == "FAILED"
    assert name in str(answer["Reason"]) and fix in str(answer["Reason"])
    assert account.snapshot() == before
