"""The account's answers have botocore's shapes; in one plain scenario, they agree with moto's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator, ValidationErrors
from moto import mock_aws
from rehearsal.account.helpers import (
    ACCOUNT,
    notify,
    statement,
    topic_policy,
)
from support.drifts import document
from support.moto_account import Account as MotoAccount
from support.moto_account import make_clients
from support.moto_disagreements import MEMBERS, agreed, members

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.account.client import SERVICES, answers
from dt_logs_rehearsal.account.models import operations

REGION = "eu-west-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
NOBODY = "00000000-0000-4000-8000-000000000000"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
LOGS = {"Bucket": "logs-conformance"}
WHERE = {"CreateBucketConfiguration": {"LocationConstraint": REGION}}
Calls = Iterator[tuple[str, str, dict[str, Any]]]


def emulated() -> Account:
    account = Account(region=REGION)
    account.add_destination(QUEUE)
    account.add_load_balancer("web")
    return account


def moto() -> str:
    """Create the resources of `emulated` in moto, and return the load balancer's ARN."""
    boto3.client("sqs", REGION).create_queue(QueueName="q")
    return MotoAccount(make_clients(None, REGION), REGION).add_load_balancer("web")


def scenario(balancer: str) -> Calls:
    """Yield valid and invalid calls to which moto and the emulated account must answer alike."""
    yield from buckets()
    yield from topics()
    yield "elbv2", "describe_load_balancers", {"LoadBalancerArns": [balancer]}
    yield "elbv2", "describe_load_balancers", {"LoadBalancerArns": [balancer[:-8] + "0" * 8]}
    yield "elbv2", "describe_load_balancer_attributes", {"LoadBalancerArn": balancer}
    key = {**LOGS, "Key": "a/b"}
    yield "s3", "put_object", {**key, "Body": b"x"}
    yield "s3", "get_object", {**LOGS, "Key": "none"}
    yield "s3", "get_object", key
    yield "s3", "list_objects_v2", {**LOGS, "Prefix": "none"}
    yield "s3", "delete_bucket", LOGS
    yield "s3", "delete_object", key
    yield "s3", "delete_object", key
    yield "s3", "delete_bucket", LOGS
    yield "s3", "delete_bucket", LOGS


def buckets() -> Calls:
    yield "s3", "get_bucket_policy", LOGS
    for where in (LOGS, {"Bucket": "x", **WHERE}, {**LOGS, **WHERE}, {**LOGS, **WHERE}):
        yield "s3", "create_bucket", where
    yield "s3", "get_bucket_location", LOGS
    yield "s3", "list_buckets", {}
    policy = json.dumps(document(statement(LOGS["Bucket"], Sid="elb")))
    yield "s3", "get_bucket_policy", LOGS
    yield "s3", "put_bucket_policy", {**LOGS, "Policy": policy}
    yield "s3", "get_bucket_policy", LOGS
    yield "s3", "delete_bucket_policy", LOGS
    yield "s3", "get_bucket_policy", LOGS
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
    ownership = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    lifecycle = "bucket_lifecycle_configuration"
    yield "s3", f"get_{lifecycle}", LOGS
    yield "s3", "get_bucket_tagging", LOGS
    for name, parameter, value in (
        ("bucket_tagging", "Tagging", {"TagSet": [{"Key": "a", "Value": "b"}]}),
        (lifecycle, "LifecycleConfiguration", {"Rules": [rule]}),
        ("public_access_block", "PublicAccessBlockConfiguration", {"BlockPublicAcls": True}),
        ("bucket_ownership_controls", "OwnershipControls", ownership),
    ):
        yield "s3", f"put_{name}", {**LOGS, parameter: value}
        yield "s3", f"get_{name}", LOGS
    yield "s3", "delete_bucket_lifecycle", LOGS
    yield "s3", f"get_{lifecycle}", LOGS
    yield "s3", "get_bucket_notification_configuration", LOGS


def topics() -> Calls:
    attributes = {"Policy": json.dumps(topic_policy(TOPIC, LOGS["Bucket"]))}
    yield "sns", "create_topic", {"Name": "t", "Attributes": attributes}
    yield "sns", "create_topic", {"Name": "t"}
    yield "sns", "create_topic", {"Name": "not good"}
    for wanted in ({"TopicConfigurations": [notify(TOPIC, "p/", Id="n")]}, {}):
        put = {**LOGS, "NotificationConfiguration": wanted}
        yield "s3", "put_bucket_notification_configuration", put
        yield "s3", "get_bucket_notification_configuration", LOGS
    sqs = {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE}
    body = {"FilterPolicy": '{"a":{"b":["c"]}}', "FilterPolicyScope": "MessageBody"}
    yield "sns", "subscribe", {**sqs, "Attributes": body}
    yield "sns", "subscribe", sqs
    yield "sns", "list_subscriptions_by_topic", {"TopicArn": TOPIC}
    yield "sns", "list_subscriptions", {}
    missing = f"{TOPIC}x"
    yield "sns", "get_topic_attributes", {"TopicArn": missing}
    yield "sns", "subscribe", {**sqs, "TopicArn": missing}
    yield "sns", "get_subscription_attributes", {"SubscriptionArn": f"{missing}:{NOBODY}"}
    yield "sns", "unsubscribe", {"SubscriptionArn": f"{missing}:{NOBODY}"}
    yield "sns", "delete_topic", {"TopicArn": TOPIC}


def more(account: Account) -> Calls:
    """Yield calls of the operations that moto lacks or answers differently."""
    yield "s3", "create_bucket", {**LOGS, **WHERE}
    policy = json.dumps(document(statement(LOGS["Bucket"])))
    yield "s3", "put_bucket_policy", {**LOGS, "Policy": policy}
    yield "s3", "get_bucket_policy_status", LOGS
    sse = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    yield "s3", "put_bucket_encryption", {**LOGS, "ServerSideEncryptionConfiguration": sse}
    yield "s3", "get_bucket_encryption", LOGS
    for name, parameter, value in (
        ("versioning", "VersioningConfiguration", {"Status": "Suspended"}),
        ("request_payment", "RequestPaymentConfiguration", {"Payer": "BucketOwner"}),
        ("abac", "AbacStatus", {"Status": "Disabled"}),
    ):
        yield "s3", f"get_bucket_{name}", LOGS
        yield "s3", f"put_bucket_{name}", {**LOGS, parameter: value}
    yield "sns", "create_topic", {"Name": "t"}
    yield "sns", "get_topic_attributes", {"TopicArn": TOPIC}
    entries = [{"Id": "1", "Message": "{}"}]
    yield "sns", "publish_batch", {"TopicArn": TOPIC, "PublishBatchRequestEntries": entries}
    https = {"Protocol": "https", "Endpoint": "https://a.example.com"}
    yield "sns", "subscribe", {"TopicArn": TOPIC, **https}
    (asked,) = account.world.deliveries[https["Endpoint"]]
    yield "sns", "confirm_subscription", {"TopicArn": TOPIC, "Token": asked["Token"]}
    (subscription,) = account.world.subscriptions
    raw = {"AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    yield "sns", "set_subscription_attributes", {"SubscriptionArn": subscription, **raw}
    yield "sns", "get_subscription_attributes", {"SubscriptionArn": subscription}
    yield "sns", "unsubscribe", {"SubscriptionArn": subscription}
    (balancer,) = account.world.load_balancers
    logging = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": LOGS["Bucket"]}
    attributes = [{"Key": key, "Value": value} for key, value in logging.items()]
    named = {"LoadBalancerArn": balancer, "Attributes": attributes}
    yield "elbv2", "modify_load_balancer_attributes", named
    yield "s3", "list_objects_v2", LOGS
    account.world.account_blocks[ACCOUNT] = {"BlockPublicPolicy": True}
    yield "s3control", "get_public_access_block", {"AccountId": ACCOUNT}
    yield "sts", "get_caller_identity", {}
    for name in ("delivery_sources", "delivery_destinations", "deliveries"):
        yield "logs", f"describe_{name}", {}
    metric = {"Namespace": "AWS/SNS", "MetricName": "NumberOfNotificationsFailed", "Dimensions": []}
    query = {"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    day: dict[str, Any] = {"StartTime": datetime(2027, 1, 15), "EndTime": datetime(2027, 1, 16)}
    yield "cloudwatch", "get_metric_data", {"MetricDataQueries": [query], **day}


def outcome(client: Any, method: str, params: dict[str, Any]) -> Any:
    """Return the part of a call's answer that moto must match, or the error's code and status."""
    try:
        answer = getattr(client, method)(**params)
    except ClientError as error:
        response: Any = error.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
    if method == "get_bucket_policy":
        return json.loads(answer["Policy"])
    if method == "get_object":
        return answer["Body"].read()
    if method == "describe_load_balancer_attributes":
        found = {each["Key"]: each["Value"] for each in answer["Attributes"]}
        return {name: found[f"access_logs.s3.{name}"] for name in ("bucket", "prefix")}
    return answer


@mock_aws
def test_the_same_answers_as_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
    account = emulated()
    (balancer,) = account.world.load_balancers
    ours = [outcome(account.client(s), m, p) for s, m, p in scenario(balancer)]  # type: ignore[call-overload]  # not a literal name
    theirs = [outcome(boto3.client(s, REGION), m, p) for s, m, p in scenario(moto())]  # type: ignore[call-overload]  # not a literal name

    pairs = list(zip(ours, theirs, strict=True))
    assert [pair for pair in pairs if agreed(pair[0]) != agreed(pair[1])] == []
    found = {name for pair in pairs for name in members(*pair)}
    assert {name for names in MEMBERS.values() for name in names} <= found


def test_every_answer_fits_botocores_shape() -> None:
    account = emulated()
    (balancer,) = account.world.load_balancers
    answered: set[tuple[str, str]] = set()

    def record(service: str, operation: str, params: Mapping[str, Any]) -> None:
        answered.add((service, operation))

    for calls in (scenario(balancer), more(account)):
        for service, method, params in calls:
            client: Any = account.client(service, after=record)  # type: ignore[call-overload]  # not a literal name
            try:
                answer = getattr(client, method)(**params)
            except ClientError:
                continue
            assert answer.pop("ResponseMetadata")["HTTPStatusCode"] == 200
            shape = operations(service)[method].output_shape
            errors = ParamValidator().validate(answer, shape) if shape else ValidationErrors()
            assert not errors.has_errors(), f"{service} {method}: {errors.generate_report()}"

    assert answered == {(service, name) for service in SERVICES for name in answers(service)}
