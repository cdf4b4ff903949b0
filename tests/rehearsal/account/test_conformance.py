"""The emulated account answers one plain scenario as moto does, where moto is right."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from rehearsal.account.helpers import ACCOUNT, notify, policy, statement, topic_policy
from support.moto_disagreements import MEMBERS, agreed, members

from dt_logs_rehearsal.account import Account

REGION = "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
NOBODY = "00000000-0000-4000-8000-000000000000"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"


class Clients:
    """Three clients and a load balancer, either emulated or in moto."""

    def __init__(self, elbv2: Any, s3: Any, sns: Any, balancer: str) -> None:
        self.elbv2, self.s3, self.sns, self.balancer = elbv2, s3, sns, balancer


def emulated() -> Clients:
    account = Account(region=REGION)
    account.add_destination(QUEUE)
    balancer = account.add_load_balancer("web")
    return Clients(account.elbv2, account.s3, account.sns, balancer)


def moto() -> Clients:
    ec2: Any = boto3.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=REGION + zone
        )
        for number, zone in enumerate("ab")
    ]
    elbv2: Any = boto3.client("elbv2", REGION)
    ids = [each["Subnet"]["SubnetId"] for each in subnets]
    made = elbv2.create_load_balancer(Name="web", Subnets=ids)["LoadBalancers"][0]
    boto3.client("sqs", REGION).create_queue(QueueName="q")
    s3, sns = boto3.client("s3", REGION), boto3.client("sns", REGION)
    return Clients(elbv2, s3, sns, made["LoadBalancerArn"])


def scenario(on: Clients) -> Iterator[Callable[[], Any]]:
    """Yield valid and invalid calls that AWS, moto and the emulated account answer alike."""
    logs = {"Bucket": "logs-conformance"}
    where = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
    s3, sns, elbv2 = on.s3, on.sns, on.elbv2
    bucket = logs["Bucket"]
    yield lambda: s3.get_bucket_policy(**logs)
    yield lambda: s3.create_bucket(**logs)
    yield lambda: s3.create_bucket(Bucket="x", **where)
    yield lambda: s3.create_bucket(**logs, **where)
    yield lambda: s3.create_bucket(**logs, **where)
    yield lambda: s3.get_bucket_location(**logs)
    yield lambda: s3.list_buckets()
    yield lambda: s3.get_bucket_policy(**logs)
    document = json.dumps(policy(statement(bucket, Sid="elb")))
    yield lambda: s3.put_bucket_policy(**logs, Policy=document)
    yield lambda: json.loads(s3.get_bucket_policy(**logs)["Policy"])
    yield lambda: s3.delete_bucket_policy(**logs)
    yield lambda: s3.get_bucket_policy(**logs)
    yield lambda: s3.get_bucket_tagging(**logs)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    yield lambda: s3.put_bucket_tagging(**logs, Tagging=tags)
    yield lambda: s3.get_bucket_tagging(**logs)
    yield lambda: s3.get_bucket_lifecycle_configuration(**logs)
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
    lifecycle = {"LifecycleConfiguration": {"Rules": [rule]}}
    yield lambda: s3.put_bucket_lifecycle_configuration(**logs, **lifecycle)
    yield lambda: s3.get_bucket_lifecycle_configuration(**logs)
    yield lambda: s3.delete_bucket_lifecycle(**logs)
    yield lambda: s3.get_bucket_lifecycle_configuration(**logs)
    block = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}
    yield lambda: s3.put_public_access_block(**logs, **block)
    yield lambda: s3.get_public_access_block(**logs)
    ownership = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}
    yield lambda: s3.put_bucket_ownership_controls(**logs, **ownership)
    yield lambda: s3.get_bucket_ownership_controls(**logs)
    yield lambda: s3.get_bucket_notification_configuration(**logs)
    attributes = {"Policy": json.dumps(topic_policy(TOPIC, bucket))}
    yield lambda: sns.create_topic(Name="t", Attributes=attributes)
    yield lambda: sns.create_topic(Name="t")
    yield lambda: sns.create_topic(Name="not good")
    entry = notify(TOPIC, "p/", Id="n")
    wanted = {"NotificationConfiguration": {"TopicConfigurations": [entry]}}
    yield lambda: s3.put_bucket_notification_configuration(**logs, **wanted)
    yield lambda: s3.get_bucket_notification_configuration(**logs)
    yield lambda: s3.put_bucket_notification_configuration(**logs, NotificationConfiguration={})
    yield lambda: s3.get_bucket_notification_configuration(**logs)
    sqs = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE}
    body = {"FilterPolicy": '{"a":{"b":["c"]}}', "FilterPolicyScope": "MessageBody"}
    yield lambda: sns.subscribe(**sqs, Attributes=body)
    yield lambda: sns.subscribe(**sqs)
    yield lambda: sns.list_subscriptions_by_topic(TopicArn=TOPIC)
    yield lambda: sns.list_subscriptions()
    missing = f"{TOPIC}x"
    yield lambda: sns.get_topic_attributes(TopicArn=missing)
    yield lambda: sns.subscribe(**{**sqs, "TopicArn": missing})
    yield lambda: sns.get_subscription_attributes(SubscriptionArn=f"{missing}:{NOBODY}")
    yield lambda: sns.unsubscribe(SubscriptionArn=f"{missing}:{NOBODY}")
    yield lambda: sns.delete_topic(TopicArn=TOPIC)
    yield lambda: elbv2.describe_load_balancers(LoadBalancerArns=[on.balancer])
    yield lambda: elbv2.describe_load_balancers(LoadBalancerArns=[on.balancer[:-8] + "0" * 8])
    yield lambda: _logging(elbv2.describe_load_balancer_attributes(LoadBalancerArn=on.balancer))
    yield lambda: s3.put_object(**logs, Key="a/b", Body=b"x")
    yield lambda: s3.get_object(**logs, Key="none")
    yield lambda: s3.get_object(**logs, Key="a/b")["Body"].read()
    yield lambda: s3.list_objects_v2(**logs, Prefix="none")
    yield lambda: s3.delete_bucket(**logs)
    yield lambda: s3.delete_object(**logs, Key="a/b")
    yield lambda: s3.delete_object(**logs, Key="a/b")
    yield lambda: s3.delete_bucket(**logs)
    yield lambda: s3.delete_bucket(**logs)


def _logging(answer: Any) -> dict[str, str]:
    """Return the logging attributes of a new load balancer on which moto agrees."""
    found = {each["Key"]: each["Value"] for each in answer["Attributes"]}
    return {
        key: value
        for key, value in found.items()
        if key.startswith("access_logs") and not key.endswith("enabled")
    }


def outcome(call: Callable[[], Any]) -> Any:
    """Return a call's answer, or its error's code and status."""
    try:
        return call()
    except ClientError as error:
        response: Any = error.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture
def moto_account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


@pytest.mark.usefixtures("moto_account")
def test_the_same_answers_as_moto() -> None:
    ours = [outcome(call) for call in scenario(emulated())]
    theirs = [outcome(call) for call in scenario(moto())]

    pairs = list(zip(ours, theirs, strict=True))
    assert [pair for pair in pairs if agreed(pair[0]) != agreed(pair[1])] == []
    found = {name for pair in pairs for name in members(*pair)}
    assert {name for names in MEMBERS.values() for name in names} <= found
