"""Calls that the account refuses with AWS's errors; a refused call changes nothing.

`test_conformance.py` has the refusals on which moto agrees. Errors with `details` are as
localstack/localstack recorded them on AWS, without other details (`tests/aws/services/...`,
*.snapshot.json).
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from rehearsal.account.helpers import (
    ACCOUNT,
    QUEUE,
    TOPIC,
    VENDOR,
    notify,
    statement,
    topic_policy,
)
from support.drifts import document

from dt_logs_rehearsal.account import Account

FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
NOBODY = "00000000-0000-4000-8000-000000000000"
# The HTTP status of each error that does not have status 400.
STATUS = {
    "AccessDenied": 403,
    "BucketAlreadyExists": 409,
    "NoSuchBucketPolicy": 404,
    "NoSuchPublicAccessBlockConfiguration": 404,
    "NoSuchTagSet": 404,
    "NotFound": 404,
    "NotImplemented": 501,
    "OwnershipControlsNotFoundError": 404,
}


class Refusal(NamedTuple):
    """A call, and the error that it gets: a code, and after ": " a part of the message.

    `details`, if given, are the error's other members; the message is then complete.
    """

    call: str  # the service and boto3's method
    params: dict[str, Any]
    error: str
    details: dict[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.call.split()[1]}: {self.error}"


def bucket(
    method: str, error: str, details: dict[str, str] | None = None, **params: Any
) -> Refusal:
    """Return the refusal of a call on a bucket, by default `logs`."""
    return Refusal(f"s3 {method}", {"Bucket": "logs", **params}, error, details)


def lifecycle(error: str, size: str = "", **rule: Any) -> Refusal:
    rules = [{"Status": "Enabled", "Filter": {"Prefix": ""}, **rule}]
    more = {"TransitionDefaultMinimumObjectSize": size} if size else {}
    method = "put_bucket_lifecycle_configuration"
    return bucket(method, error, LifecycleConfiguration={"Rules": rules}, **more)


def tags(text: str, *pairs: tuple[str, str], **details: str) -> Refusal:
    put: Any = {"TagSet": [{"Key": key, "Value": value} for key, value in pairs]}
    return bucket("put_bucket_tagging", f"InvalidTag: {text}", details, Tagging=put)


def notifications(
    error: str,
    *topics: dict[str, Any],
    details: dict[str, str] | None = None,
    skip: bool = False,
    **others: Any,
) -> Refusal:
    wanted = {**({"TopicConfigurations": [*topics]} if topics else {}), **others}
    more = {"NotificationConfiguration": wanted, "SkipDestinationValidation": skip}
    return bucket("put_bucket_notification_configuration", error, details, **more)


def ambiguous(text: str, topic: dict[str, Any], queue: dict[str, Any]) -> Refusal:
    """Return the refusal of two overlapping entries; their destinations need not exist."""
    entry = {("QueueArn" if key == "TopicArn" else key): value for key, value in queue.items()}
    return notifications(f"InvalidArgument: {text}", topic, skip=True, QueueConfigurations=[entry])


def to(name: str, *arns: str) -> list[dict[str, Any]]:
    """Return one entry per destination, each with its own prefix."""
    made = [notify(arn, f"{number}/") for number, arn in enumerate(arns)]
    return [{name: each.pop("TopicArn"), **each} for each in made]


def policy(text: str, **elements: Any) -> Refusal:
    """Return the refusal of a bucket policy with a good statement, and one with these elements."""
    return malformed(text, json.dumps(document(statement(), statement(**elements))))


def malformed(text: str, document: str) -> Refusal:
    return bucket("put_bucket_policy", f"MalformedPolicy: {text}", Policy=document)


def topic(text: str, Name: str = "a", **params: Any) -> Refusal:
    error = f"InvalidParameter: Invalid parameter: {text}"
    return Refusal("sns create_topic", {"Name": Name, **params}, error)


def batch(code: str, *entries: dict[str, str], to: str = TOPIC) -> Refusal:
    sent = {"TopicArn": to, "PublishBatchRequestEntries": [*entries]}
    return Refusal("sns publish_batch", sent, code)


def entries(*messages: str) -> list[dict[str, str]]:
    return [{"Id": f"m-{n}", "Message": each} for n, each in enumerate(messages)]


def sized(size: int, letter: str = "x") -> str:
    return json.dumps({"a": letter * size})


def attributes(text: str, **values: str) -> Refusal:
    """Return the refusal of access log attributes; the idle timeout is not set, either."""
    named = {"idle_timeout.timeout_seconds": "30"}
    named |= {f"access_logs.s3.{name}": value for name, value in values.items()}
    params = {"LoadBalancerArn": "", "Attributes": pairs(named)}
    return Refusal("elbv2 modify_load_balancer_attributes", params, f"ValidationError: {text}")


def pairs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


SSE = {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "k"}
RULE = {"TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}
OWNER = "The value of the expected bucket owner parameter must be an AWS Account ID..."
UNABLE = "InvalidArgument: Unable to validate the following destination configurations"
GONE = "The destination queue does not exist"
AMBIGUOUS = "Configuration is ambiguously defined."
NOT_JSON = "Policies must be valid JSON and the first byte must be '{'"
REFUSALS = [
    # Buckets and objects
    *(
        bucket("create_bucket", "InvalidBucketName", Bucket=name)
        for name in (
            *("ab", "a" * 64, "UPPER", "a..b", "-ab", "192.168.5.4", "xn--a", "a-s3alias", "a_b"),
        )
    ),
    *(
        bucket(
            *("create_bucket", error),
            Bucket="new",
            CreateBucketConfiguration={"LocationConstraint": region},
        )
        for error, region in (
            ("InvalidLocationConstraint: is not valid", "us-east-1"),
            ("InvalidLocationConstraint: is not valid", "nowhere-1"),
            ("IllegalLocationConstraintException: eu-west-1", "eu-west-1"),
        )
    ),
    bucket("create_bucket", "BucketAlreadyExists", Bucket="theirs"),
    *(
        bucket(f"get_{method}", code, Bucket="old")
        for method, code in (
            ("bucket_policy_status", "NoSuchBucketPolicy"),
            ("bucket_ownership_controls", "OwnershipControlsNotFoundError"),
            ("public_access_block", "NoSuchPublicAccessBlockConfiguration"),
        )
    ),
    bucket(
        *("get_bucket_policy", "AccessDenied: no resource-based policy allows the s3:GetBucketP"),
        Bucket="theirs",
    ),
    bucket("get_bucket_tagging", "AccessDenied", ExpectedBucketOwner=VENDOR),
    *(
        bucket(
            *("get_bucket_tagging", f"InvalidBucketOwnerAWSAccountID: {OWNER} [{owner}]", {}),
            ExpectedBucketOwner=owner,
        )
        for owner in ("logs", "12345678901", "1234567890123")
    ),
    lifecycle("InvalidArgument: positive integer", Expiration={"Days": 0}),
    lifecycle("InvalidRequest: At least one action"),
    lifecycle("MalformedXML", Expiration={"Days": 1}, Prefix=""),
    lifecycle("MalformedXML", NoncurrentVersionExpiration={}),
    lifecycle(
        *("InvalidRequest: Invalid TransitionDefaultMinimumObjectSize found: any", "any"),
        Expiration={"Days": 1},
    ),
    bucket("put_bucket_versioning", "MalformedXML", VersioningConfiguration={"Status": "On"}),
    bucket(
        "put_bucket_encryption",
        "InvalidArgument: a KMSMasterKeyID is not applicable if the default sse algorithm is not"
        " aws:kms or aws:kms:dsse",
        {"ArgumentName": "ApplyServerSideEncryptionByDefault"},
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": SSE}]},
    ),
    tags("Cannot provide multiple Tags with the same key", ("a", "b"), ("a", "b"), TagKey="a"),
    tags("The TagKey you have provided is invalid", ("a,b", "c"), TagKey="a,b"),
    tags("The TagValue you have provided is invalid", ("a", "b,c"), TagKey="a", TagValue="b,c"),
    tags("System tags cannot be added/updated by requester", ("aws:a", "b"), TagKey="aws:a"),
    bucket("get_bucket_tagging", "NoSuchTagSet: The TagSet does not exist", {"BucketName": "logs"}),
    # Bucket policies
    *(
        policy("Policy has invalid resource", Resource=resource)
        for resource in ("arn:aws:s3:::other/*", "*", "arn:aws-cn:s3:::logs/*")
    ),
    policy("Policy has invalid action", Action="sns:Publish"),
    policy("Action does not apply to any resource(s) in statement", path=""),
    policy("Action does not apply to any resource(s) in statement", Action="s3:ListBucket"),
    *(
        policy("Invalid principal in policy", Principal=principal)
        for principal in (
            {"AWS": "AROAEXAMPLEEXAMPLE123"},
            {"AWS": "arn:aws:iam::1:root"},
            {"AWS": f"arn:aws-cn:iam::{VENDOR}:root"},
            {"AWS": "arn:aws:iam::somebody:user/CloudFront Origin Access Identity E1ABCDEFGHIJKL"},
            {"Service": "elb"},
            {},
        )
    ),
    policy("Missing required field Principal", Principal=None),
    policy("Missing required field Effect", Effect=None),
    policy("Unknown field Extra", Extra="x"),
    policy("Invalid Condition type : StringIs", Condition={"StringIs": {"a": "b"}}),
    policy("Policy has an invalid condition key", Condition={"Bool": {"what": "b"}}),
    policy(
        "Conditions do not apply to combination of actions and resources in statement",
        path="",
        Action=["s3:ListBucket", "s3:GetBucketLocation"],
        Condition={"StringLike": {"s3:prefix": "p/*"}},
    ),
    malformed(NOT_JSON, "{bad"),
    malformed(NOT_JSON, "[]"),
    malformed("Missing required field Statement", '{"Version":"2012-10-17"}'),
    malformed("Statement is empty!", '{"Statement":[]}'),
    malformed("valid version string", '{"Version":"2020-01-01","Statement":[]}'),
    malformed("must be unique", json.dumps(document(*[statement(Sid="a")] * 2))),
    # Notifications
    notifications("InvalidArgument", notify(TOPIC, "a/", Id="x"), notify(TOPIC, "b/", Id="x")),
    notifications("MalformedXML", notify(TOPIC, Events=[])),
    notifications("InvalidArgument", notify(TOPIC, Events=["s3:Nothing"])),
    notifications("InvalidArgument", notify(TOPIC, "x" * 1025)),
    notifications("InvalidArgument", *(notify(TOPIC, f"{number}/") for number in range(101))),
    notifications(
        "MalformedXML", {**RULE, "Filter": {"Key": {"FilterRules": [{"Name": "Prefix"}]}}}
    ),
    notifications(
        "InvalidArgument: filter rule name must be either prefix or suffix",
        {**RULE, "Filter": {"Key": {"FilterRules": [{"Name": "INVALID", "Value": "a/"}]}}},
        details={"ArgumentName": "FilterRule.Name", "ArgumentValue": "INVALID"},
    ),
    ambiguous("Configurations overlap.", notify(TOPIC), notify(QUEUE)),
    ambiguous(AMBIGUOUS, notify(TOPIC), notify(QUEUE, "a/")),
    ambiguous(AMBIGUOUS, notify(TOPIC, "a/"), notify(QUEUE, "a/b/")),
    ambiguous(AMBIGUOUS, notify(TOPIC, "a/", ".gz"), notify(QUEUE, "a/")),
    ambiguous(AMBIGUOUS, notify(TOPIC, "a/", ".gz"), notify(QUEUE, "", ".log.gz")),
    ambiguous(AMBIGUOUS, notify(TOPIC, "a/"), notify(QUEUE, "a/", Events=["s3:ObjectCreated:Put"])),
    notifications(UNABLE, notify(TOPIC.replace("us-east-1", "eu-west-1"))),
    *(
        notifications(
            "InvalidArgument: The ARN could not be parsed",
            details={"ArgumentName": argument, "ArgumentValue": "invalid-arn"},
            skip=skip,
            **{kind: to(name, "invalid-arn", "invalid-too")},
        )
        for skip in (False, True)
        for kind, name, argument in (
            ("TopicConfigurations", "TopicArn", "Topic"),
            ("QueueConfigurations", "QueueArn", "Queue"),
            ("LambdaFunctionConfigurations", "LambdaFunctionArn", "CloudFunction"),
        )
    ),
    notifications(
        UNABLE,
        details={
            "ArgumentName1": f"{QUEUE}1",
            "ArgumentValue1": GONE,
            "ArgumentName2": f"{QUEUE}2",
            "ArgumentValue2": GONE,
        },
        QueueConfigurations=to("QueueArn", f"{QUEUE}1", f"{QUEUE}2"),
    ),
    notifications(
        UNABLE,
        details={
            "ArgumentName1": f"{FUNCTION}, null",
            "ArgumentValue1": f"Not authorized to invoke function [{FUNCTION}]",
        },
        LambdaFunctionConfigurations=to("LambdaFunctionArn", FUNCTION),
    ),
    # Topics, subscriptions and messages
    topic("Topic Name", Attributes={"FifoTopic": "true"}),
    topic("Topic Name", Name="a.fifo"),
    topic("Duplicated keys are not allowed.", Tags=pairs({"k": "1"}) * 2),
    topic("Attributes Reason: Policy Error", Attributes={"Policy": "{bad"}),
    topic("Attributes", Attributes={"Nothing": "x"}),
    topic(
        "Policy statement action out of service scope!",
        Attributes={"Policy": json.dumps(topic_policy("a", Action="s3:*"))},
    ),
    topic(
        "Attributes Reason: Topic already exists with different attributes",
        Name="t",
        Attributes={"Policy": json.dumps(topic_policy(TOPIC, bucket="other"))},
    ),
    topic(
        "Tags Reason: Topic already exists with different tags", Name="t", Tags=pairs({"a": "b"})
    ),
    *(
        Refusal(
            "sns subscribe",
            {"TopicArn": TOPIC, "Protocol": protocol, "Endpoint": "http://plain.example"},
            f"InvalidParameter: Invalid parameter: {text}",
        )
        for protocol, text in (
            ("https", "Endpoint"),
            ("telepathy", "Amazon SNS does not support this protocol string: telepathy"),
        )
    ),
    *(
        Refusal(f"sns {method}", {"SubscriptionArn": arn}, error)
        for method, arn, error in (
            (
                *("get_subscription_attributes", f"{TOPIC}:no"),
                "InvalidParameter: Invalid parameter: SubscriptionId",
            ),
            (
                *("get_subscription_attributes", f"{TOPIC}:{NOBODY}"),
                "NotFound: Subscription does not exist",
            ),
            ("unsubscribe", "Pending", "InvalidParameter: must have at least 6 elements, not 1"),
        )
    ),
    batch("EmptyBatchRequest"),
    batch("TooManyEntriesInBatchRequest", *entries(*["{}"] * 11)),
    batch("BatchEntryIdsNotDistinct", *entries("{}"), *entries("{}")),
    batch("InvalidBatchEntryId", {"Id": "a.b", "Message": "{}"}),
    batch("InvalidBatchEntryId", {"Id": "a" * 81, "Message": "{}"}),
    batch("BatchRequestTooLong", *entries(sized(131_072), sized(70_000, "é"))),
    batch("BatchRequestTooLong", *entries(sized(262_144 - 9), "{}")),
    batch("NotImplemented", {"Id": "1", "Message": "plain"}),
    batch("NotImplemented", {"Id": "1", "Message": "{}", "Subject": "s"}),
    batch("NotFound: Topic does not exist", *entries("{}"), to=f"{TOPIC}x"),
    # Load balancers
    attributes("'access_logs.s3.bucket' cannot be empty", bucket=""),
    attributes("'access_logs.s3.bucket' cannot be empty", enabled="true"),
    attributes("cannot start or end with '/'", prefix="/p"),
    attributes("cannot start or end with '/'", prefix="p/"),
    attributes("cannot contain 'AWSLogs'", prefix="p/AWSLogs"),
    attributes("must be 'true' or 'false'", enabled="True"),
    attributes("not recognized", nothing="x"),
    attributes("too long", prefix="x" * 1025),
    Refusal(
        "elbv2 describe_load_balancers",
        {"LoadBalancerArns": ["web"]},
        "ValidationError: not a valid load balancer ARN",
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_a_wrong_call_changes_nothing(account: Account, refusal: Refusal) -> None:
    account.add_bucket("theirs", owner=VENDOR)
    account.add_bucket("old", ownership=None, block=None)
    web = account.add_load_balancer("web")
    params = {**refusal.params}
    if "LoadBalancerArn" in params:
        params["LoadBalancerArn"] = web
    before = account.snapshot()
    service, method = refusal.call.split()

    with pytest.raises(ClientError) as caught:
        getattr(account.client(service), method)(**params)  # type: ignore[call-overload]  # not a literal name

    response: Any = caught.value.response
    status, error = response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]
    code, message = error.pop("Code"), error.pop("Message")
    expected, _, text = refusal.error.partition(": ")
    assert (code, status) == (expected, STATUS.get(expected, 400))
    assert text in message
    if refusal.details is not None:
        assert (message, error) == (text, refusal.details)
    assert account.snapshot() == before
