"""The account answers as recorded on AWS; a comment above the tests names the recording's file.

The recordings are from localstack/localstack, `tests/aws/services/...`, *.snapshot.json.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rehearsal.account.helpers import (
    ACCOUNT,
    VENDOR,
    create,
    needs_new_boto3,
    notify,
    refused,
    topic_policy,
)

from dt_logs_rehearsal.account import Account

TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
UNABLE = "Unable to validate the following destination configurations"


@pytest.fixture
def account() -> Account:
    found = Account()
    found.add_bucket("logs")
    return found


@contextmanager
def error(code: str, message: str, status: int = 400, **details: str) -> Iterator[None]:
    """Expect an S3 error with exactly these details."""
    with pytest.raises(ClientError) as caught:
        yield
    response: Any = caught.value.response
    assert response["Error"] == {"Code": code, "Message": message, **details}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


# s3/test_s3_api: a bucket that is created again in us-east-1.


@needs_new_boto3
@pytest.mark.parametrize("tags", [{"a": "b"}, {"a": "c"}])
def test_us_east_1_refuses_a_bucket_again_where_tags_are_sent(tags: dict[str, str]) -> None:
    account = Account()
    create(account, "new", tags={"a": "b"})

    create(account, "new")
    with refused("BucketAlreadyOwnedByYou", "you already own it", 409):
        create(account, "new", tags=tags)


@needs_new_boto3
def test_tags_at_creation_have_errors_of_their_own() -> None:
    account = Account()
    reserved = (
        'User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags.'
        ' Remove "aws:" from your tag keys and try again.'
    )
    tags: Any = [{"Key": "a", "Value": "b"}] * 2

    with error("InvalidTag", reserved, TagKey="aws:a"):
        create(account, "new", tags={"aws:a": "b"})
    with error("InternalError", "We encountered an internal error. Please try again.", 500):
        account.s3.create_bucket(Bucket="new", CreateBucketConfiguration={"Tags": tags})


# s3/test_s3: location constraints.


@pytest.mark.parametrize(
    ("region", "location", "code"),
    [
        ("us-east-1", "us-east-1", "InvalidLocationConstraint"),
        ("us-east-1", "nowhere-1", "InvalidLocationConstraint"),
        ("us-east-1", "eu-west-1", "IllegalLocationConstraintException"),
        ("eu-west-1", "us-east-1", "IllegalLocationConstraintException"),
        ("eu-west-1", "eu-west-2", "IllegalLocationConstraintException"),
        ("eu-west-1", "", "IllegalLocationConstraintException"),
    ],
)
def test_a_location_constraint_of_elsewhere(region: str, location: str, code: str) -> None:
    with refused(code, location or "unspecified" if code[:2] == "Il" else "is not valid"):
        create(Account(region=region), "new", location)


# s3/test_s3_notifications_sqs, _sns, _lambda: ARNs that cannot be parsed, unreachable destinations.


def put(account: Account, skip: bool = False, **configuration: Any) -> None:
    account.s3.put_bucket_notification_configuration(
        Bucket="logs",
        NotificationConfiguration=configuration,  # type: ignore[arg-type]  # by name
        SkipDestinationValidation=skip,
    )


def entries(name: str, *arns: str) -> list[dict[str, Any]]:
    """Return an entry for each ARN, each with a different prefix."""
    made = [notify(arn, f"{number}/") for number, arn in enumerate(arns)]
    return [{name: each.pop("TopicArn"), **each} for each in made]


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(
    ("kind", "name", "argument"),
    [
        ("TopicConfigurations", "TopicArn", "Topic"),
        ("QueueConfigurations", "QueueArn", "Queue"),
        ("LambdaFunctionConfigurations", "LambdaFunctionArn", "CloudFunction"),
    ],
)
def test_an_arn_that_cannot_be_parsed(
    account: Account, skip: bool, kind: str, name: str, argument: str
) -> None:
    message = "The ARN could not be parsed"
    details = {"ArgumentName": argument, "ArgumentValue": "invalid-arn"}
    with error("InvalidArgument", message, **details):
        put(account, skip, **{kind: entries(name, "invalid-arn", "invalid-too")})


def test_unreachable_destinations_are_named(account: Account) -> None:
    gone = "The destination queue does not exist"
    pair = {
        "ArgumentName1": QUEUE,
        "ArgumentValue1": gone,
        "ArgumentName2": f"{QUEUE}2",
        "ArgumentValue2": gone,
    }
    with error("InvalidArgument", UNABLE, **pair):
        put(account, QueueConfigurations=entries("QueueArn", QUEUE, f"{QUEUE}2"))
    function = {
        "ArgumentName1": f"{FUNCTION}, null",
        "ArgumentValue1": f"Not authorized to invoke function [{FUNCTION}]",
    }
    with error("InvalidArgument", UNABLE, **function):
        put(account, LambdaFunctionConfigurations=entries("LambdaFunctionArn", FUNCTION))
    account.add_topic("t", topic_policy(TOPIC, bucket="other"))
    with pytest.raises(ClientError) as caught:
        put(account, TopicConfigurations=entries("TopicArn", TOPIC))
    found: Any = caught.value.response["Error"]
    assert found["ArgumentName1"] == TOPIC and "ArgumentName2" not in found


# s3/test_s3_notifications_sqs, s3/test_s3_api: filter rules.


def test_a_filter_rule_has_a_known_name_and_a_value(account: Account) -> None:
    entry = {"TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}

    def rule(**given: str) -> list[dict[str, Any]]:
        return [{**entry, "Filter": {"Key": {"FilterRules": [given]}}}]

    text = "filter rule name must be either prefix or suffix"
    details = {"ArgumentName": "FilterRule.Name", "ArgumentValue": "INVALID"}
    with error("InvalidArgument", text, **details):
        put(account, TopicConfigurations=rule(Name="INVALID", Value="a/"))
    with refused("MalformedXML"):
        put(account, TopicConfigurations=rule(Name="Prefix"))


# s3/test_s3: a call's expected owner.


@pytest.mark.parametrize("owner", ["logs", "12345678901", "1234567890123"])
def test_an_expected_owner_that_is_not_an_account_id(account: Account, owner: str) -> None:
    text = (
        f"The value of the expected bucket owner parameter must be an AWS Account ID... [{owner}]"
    )
    with error("InvalidBucketOwnerAWSAccountID", text):
        account.s3.get_bucket_tagging(Bucket="logs", ExpectedBucketOwner=owner)
    with refused("AccessDenied", status=403):
        account.s3.get_bucket_tagging(Bucket="logs", ExpectedBucketOwner=VENDOR)


# s3/test_s3: lifecycle rules.


def put_lifecycle(account: Account, size: str = "", **rule: Any) -> None:
    entry: Any = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **rule}
    more: Any = {"TransitionDefaultMinimumObjectSize": size} if size else {}
    account.s3.put_bucket_lifecycle_configuration(
        Bucket="logs", LifecycleConfiguration={"Rules": [entry]}, **more
    )


def test_an_empty_noncurrent_version_expiration(account: Account) -> None:
    with refused("MalformedXML"):
        put_lifecycle(account, NoncurrentVersionExpiration={})
    put_lifecycle(account, NoncurrentVersionExpiration={"NoncurrentDays": 1})


def test_a_lifecycle_put_without_the_minimum_size_resets_it(account: Account) -> None:
    def size() -> str:
        found = account.s3.get_bucket_lifecycle_configuration(Bucket="logs")
        return found["TransitionDefaultMinimumObjectSize"]

    put_lifecycle(account, "varies_by_storage_class", Expiration={"Days": 1})
    assert size() == "varies_by_storage_class"
    kept = account.snapshot()
    put_lifecycle(account, Expiration={"Days": 1})
    assert size() == "all_storage_classes_128K"
    assert account.snapshot() != kept
    with refused("InvalidRequest", "Invalid TransitionDefaultMinimumObjectSize found: any"):
        put_lifecycle(account, "any", Expiration={"Days": 1})


# s3/test_s3_api: encryption and tagging.


def test_a_kms_key_needs_kms(account: Account) -> None:
    default: Any = {"SSEAlgorithm": "AES256", "KMSMasterKeyID": "k"}
    rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    text = (
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or"
        " aws:kms:dsse"
    )
    with error("InvalidArgument", text, ArgumentName="ApplyServerSideEncryptionByDefault"):
        account.s3.put_bucket_encryption(Bucket="logs", ServerSideEncryptionConfiguration=rules)


@pytest.mark.parametrize(
    ("tags", "message", "details"),
    [
        ([("a", "b")] * 2, "Cannot provide multiple Tags with the same key", {"TagKey": "a"}),
        ([("a,b", "c")], "The TagKey you have provided is invalid", {"TagKey": "a,b"}),
        (
            [("a", "b,c")],
            "The TagValue you have provided is invalid",
            {"TagKey": "a", "TagValue": "b,c"},
        ),
        (
            [("aws:a", "b")],
            "System tags cannot be added/updated by requester",
            {"TagKey": "aws:a"},
        ),
    ],
)
def test_wrong_tags_are_named(
    account: Account, tags: list[tuple[str, str]], message: str, details: dict[str, str]
) -> None:
    tag_set: Any = [{"Key": key, "Value": value} for key, value in tags]
    with error("InvalidTag", message, **details):
        account.s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": tag_set})


def test_a_bucket_without_tags_is_named(account: Account) -> None:
    with error("NoSuchTagSet", "The TagSet does not exist", 404, BucketName="logs"):
        account.s3.get_bucket_tagging(Bucket="logs")


# s3/test_s3_api: buckets with versioning.


def test_a_bucket_whose_versions_are_left_says_so() -> None:
    account = Account()
    account.add_bucket("old")
    account.world.buckets["old"].versioning = "Enabled"
    text = (
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
    )
    marker = account.s3.put_object(Bucket="old", Key="k")["VersionId"]
    deleted = account.s3.delete_object(Bucket="old", Key="k")
    assert deleted["DeleteMarker"] is True and deleted["VersionId"] != marker
    with error("BucketNotEmpty", text, 409, BucketName="old"):
        account.s3.delete_bucket(Bucket="old")
    found = account.s3.delete_object(Bucket="old", Key="k", VersionId=deleted["VersionId"])
    assert (found["DeleteMarker"], found["VersionId"]) == (True, deleted["VersionId"])
    assert account.s3.get_object(Bucket="old", Key="k")
    found = account.s3.delete_object(Bucket="old", Key="k", VersionId=marker)
    assert "DeleteMarker" not in found
    account.s3.delete_bucket(Bucket="old")


# sns/test_sns: topics.


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"Name": "a", "Attributes": {"FifoTopic": "true"}}, "Topic Name"),
        ({"Name": "a.fifo"}, "Topic Name"),
        (
            {"Name": "a", "Tags": [{"Key": "k", "Value": "1"}] * 2},
            "Duplicated keys are not allowed.",
        ),
    ],
)
def test_a_topic_that_sns_refuses(account: Account, params: dict[str, Any], text: str) -> None:
    with refused("InvalidParameter", f"Invalid parameter: {text}"):
        account.sns.create_topic(**params)


def test_fifo_false_is_as_if_not_sent(account: Account) -> None:
    plain: Any = {"FifoTopic": "false"}
    arn = account.sns.create_topic(Name="t", Attributes=plain)["TopicArn"]
    assert account.sns.create_topic(Name="t")["TopicArn"] == arn
    assert account.sns.create_topic(Name="t", Attributes=plain)["TopicArn"] == arn
    assert "FifoTopic" not in account.sns.get_topic_attributes(TopicArn=arn)["Attributes"]


# sns/test_sns, sns/test_sns_filter_policy: subscriptions.


def subscribe(account: Account, protocol: str = "sqs", **attributes: str) -> str:
    account.add_topic("t")
    answer = account.sns.subscribe(
        TopicArn=TOPIC, Protocol=protocol, Endpoint=QUEUE, Attributes=attributes
    )
    return answer["SubscriptionArn"]


def set_attribute(account: Account, arn: str, name: str, value: str) -> None:
    account.sns.set_subscription_attributes(
        SubscriptionArn=arn, AttributeName=name, AttributeValue=value
    )


def test_subscribing_again_compares_what_the_attributes_mean(account: Account) -> None:
    policy = '{"a":["b"]}'
    arn = subscribe(account, RawMessageDelivery="True", FilterPolicy=policy)

    found = account.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    assert found["RawMessageDelivery"] == "true"
    again = {"RawMessageDelivery": "true", "FilterPolicyScope": "MessageAttributes"}
    assert subscribe(account, FilterPolicy=policy, **again) == arn
    text = "Attributes Reason: Subscription already exists with different attributes"
    with refused("InvalidParameter", text):
        subscribe(account, FilterPolicyScope="MessageBody")


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        (
            "RawMessageDelivery",
            "maybe",
            "RawMessageDelivery: Invalid value [maybe]. Must be true or false.",
        ),
        (
            "FilterPolicyScope",
            "All",
            "FilterPolicyScope: Invalid value [All]. Please use either MessageBody or"
            " MessageAttributes",
        ),
        ("FilterPolicy", "{bad", "FilterPolicy: failed to parse JSON."),
        ("FilterPolicy", '{"a":"b"}', 'FilterPolicy: "a" must be an object or an array'),
        (
            "FilterPolicy",
            '{"a":[["b"]]}',
            "FilterPolicy: Match value must be String, number, true,",
        ),
        ("FilterPolicy", '{"a":[{"like":1}]}', "FilterPolicy: Unrecognized match type like"),
        (
            "FilterPolicy",
            '{"a":[{"prefix":"b","suffix":"c"}]}',
            "FilterPolicy: Only one key allowed in match expression",
        ),
        (
            "FilterPolicy",
            '{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}',
            "FilterPolicy: Filter policy can not have more than 5 keys",
        ),
        (
            "FilterPolicy",
            f'{{"a":{[*range(151)]}}}',
            "FilterPolicy: Filter policy is too complex",
        ),
    ],
)
def test_subscribe_says_where_a_wrong_attribute_was_sent(
    account: Account, attribute: str, value: str, text: str
) -> None:
    with refused("InvalidParameter", f"Invalid parameter: Attributes Reason: {text}"):
        subscribe(account, **{attribute: value})
    with refused("InvalidParameter", f"Invalid parameter: {text}"):
        set_attribute(account, subscribe(account), attribute, value)


def test_alternatives_are_known_and_count(account: Account) -> None:
    either: dict[str, Any] = {"$or": [{"a": ["1"]}, {"b": [{"prefix": "2"}]}]}
    arn = subscribe(account, FilterPolicyScope="MessageBody", FilterPolicy=json.dumps(either))
    assert (
        json.loads(
            account.sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"][
                "FilterPolicy"
            ]
        )
        == either
    )
    many = {"$or": [{"a": [*range(50)]}, {"b": [*range(101)]}]}
    with refused("InvalidParameter", "Filter policy is too complex"):
        set_attribute(account, arn, "FilterPolicy", json.dumps(many))


def test_a_protocol_that_sns_does_not_know(account: Account) -> None:
    text = "Invalid parameter: Amazon SNS does not support this protocol string: telepathy"
    with refused("InvalidParameter", text):
        subscribe(account, "telepathy")


def test_a_subscription_id_is_a_uuid(account: Account) -> None:
    account.add_topic("t")
    with refused("InvalidParameter", "Invalid parameter: SubscriptionId"):
        account.sns.get_subscription_attributes(SubscriptionArn=f"{TOPIC}:nothing")
    missing = f"{TOPIC}:00000000-0000-4000-8000-000000000000"
    with refused("NotFound", "Subscription does not exist", 404):
        account.sns.get_subscription_attributes(SubscriptionArn=missing)
