"""SNS: topics, and the messages that accounts publish to them."""

import json
import re
from typing import Any

from dt_logs_rehearsal.account import delivery
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.policy import listed, texts
from dt_logs_rehearsal.account.world import Call, Response, Spreading, Topic, World

# The policy that S3 sees until a new topic's own policy has spread.
_NOBODY = '{"Version":"2012-10-17","Statement":[]}'
# [SNS API, CreateTopic, SetTopicAttributes]
_SETTABLE = frozenset(
    (
        "ArchivePolicy",
        "ContentBasedDeduplication",
        "DataProtectionPolicy",
        "DeliveryPolicy",
        "DisplayName",
        "FifoThroughputScope",
        "FifoTopic",
        "KmsMasterKeyId",
        "Policy",
        "SignatureVersion",
        "TracingConfig",
    )
)
# The actions that a topic's default policy allows the owner to take.
_OWNERS = (
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
)
_LARGEST_BATCH = 10  # messages
_LARGEST = 262_144  # bytes in a batch
_ACTIONS = frozenset(f"sns:{each.lower()}" for each in (*_OWNERS, "Receive", "*"))


def invalid(text: str) -> Refused:
    """Return SNS's refusal of a parameter."""
    return Refused("InvalidParameter", f"Invalid parameter: {text}", Type="Sender")


def found_topic(world: World, arn: str) -> Topic:
    """Return the topic with an ARN. Raises Refused for an invalid ARN or a missing topic."""
    if (count := len(arn.split(":"))) != 6:
        raise invalid(f"TopicArn Reason: An ARN must have at least 6 elements, not {count}")
    if arn not in world.topics:
        raise Refused("NotFound", "Topic does not exist", 404, Type="Sender")
    return world.topics[arn]


def create_topic(world: World, call: Call) -> Response:
    """Create a topic, or return the caller's topic of that name if attributes and tags match.

    Policies are compared as strings. [localstack tests/aws/services/sns/test_sns; GH
    MassTransit#3720 for attributes]
    """
    name, attributes, tags = _checked(call)
    arn = f"arn:{world.partition}:sns:{call.region}:{call.caller.account}:{name}"
    existing = world.topics.get(arn)
    if existing is None:
        policy = Spreading(_NOBODY)
        world.change(policy, attributes.get("Policy", default_policy(arn)))
        world.topics[arn] = Topic(arn, call.caller.account, attributes, tags, policy)
    elif not _attributes(existing).items() >= attributes.items():
        raise invalid("Attributes Reason: Topic already exists with different attributes")
    elif tags and tags != existing.tags:
        raise invalid("Tags Reason: Topic already exists with different tags")
    return {"TopicArn": arn}


def _checked(call: Call) -> tuple[str, dict[str, str], dict[str, str]]:
    """Check and return a new topic's name, attributes and tags."""
    name, attributes = call.params["Name"], dict(call.params.get("Attributes", {}))
    given = call.params.get("Tags", ())
    tags = {tag["Key"]: tag["Value"] for tag in given}
    fifo = attributes.get("FifoTopic", "false").lower() == "true"
    form = r"[A-Za-z0-9_-]{1,256}" + (r"\.fifo" if fifo else "")
    if not re.fullmatch(form, name):
        raise invalid("Topic Name")
    if not fifo:
        attributes.pop("FifoTopic", None)
    if len(tags) != len(given):
        raise invalid("Duplicated keys are not allowed.")
    for key in attributes.keys() - _SETTABLE:
        raise invalid(f"Attributes Reason: Unknown attribute {key}")
    if "Policy" in attributes:
        _check_policy(attributes["Policy"])
    return name, attributes, tags


def _check_policy(text: str) -> None:
    """Check a topic's policy; SNS refuses actions that topics do not have."""
    try:
        statements = listed(json.loads(text)["Statement"])
        actions = {action.lower() for each in statements for action in texts(each["Action"])}
        known = all(e["Effect"] in ("Allow", "Deny") and e["Principal"] for e in statements)
    except (ValueError, KeyError, TypeError):
        statements, actions, known = [], set(), False
    if not statements or not known:
        raise invalid("Attributes Reason: Policy Error: null")
    if not actions <= _ACTIONS:
        raise invalid("Policy statement action out of service scope!")


def default_policy(arn: str) -> str:
    """Return a topic's default policy: the owner may publish to the topic, and S3 may not.

    [localstack tests/aws/services/sns/test_sns; GH aws/aws-cdk#28915]
    """
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{each}" for each in _OWNERS],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": arn.split(":")[4]}},
    }
    document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    return json.dumps(document, separators=(",", ":"))


def _attributes(topic: Topic) -> dict[str, Any]:
    """Return the attributes that were set or that have a default."""
    return {"Policy": topic.policy.latest, "DisplayName": "", **topic.attributes}


def get_topic_attributes(world: World, call: Call) -> Response:
    """Describe a topic."""
    topic = found_topic(world, call.params["TopicArn"])
    states = [each.confirmed for each in world.subscriptions.values() if each.topic == topic.arn]
    return {
        "Attributes": {
            **_attributes(topic),
            "TopicArn": topic.arn,
            "Owner": topic.owner,
            "SubscriptionsConfirmed": str(states.count(True)),
            "SubscriptionsPending": str(states.count(False)),
            "SubscriptionsDeleted": "0",
            "EffectiveDeliveryPolicy": "{}",
        }
    }


def delete_topic(world: World, call: Call) -> Response:
    """Delete a topic and its subscriptions, even pending ones; a repeat succeeds too [SNS API]."""
    arn = call.params["TopicArn"]
    world.topics.pop(arn, None)
    world.subscriptions = {k: v for k, v in world.subscriptions.items() if v.topic != arn}
    world.ended = {k: v for k, v in world.ended.items() if v[0].topic != arn}
    return {}


def publish_batch(world: World, call: Call) -> Response:
    """Publish up to 10 messages, or none of them if the batch is malformed.

    [SNS API, PublishBatch, with its error texts, and PublishBatchRequestEntry; localstack
    tests/aws/services/sns/test_sns for a topic that does not exist]
    """
    topic = found_topic(world, call.params["TopicArn"])
    entries = call.params["PublishBatchRequestEntries"]
    if not entries:
        raise _wrong("EmptyBatchRequest", "The batch request doesn't contain any entries.")
    if len(entries) > _LARGEST_BATCH:
        text = "The batch request contains more entries than permissible (more than 10)."
        raise _wrong("TooManyEntriesInBatchRequest", text)
    identifiers = [each["Id"] for each in entries]
    if not all(re.fullmatch("[A-Za-z0-9_-]{1,80}", each) for each in identifiers):
        text = "The Id of a batch entry in a batch request doesn't abide by the specification."
        raise _wrong("InvalidBatchEntryId", text)
    if len(set(identifiers)) < len(entries):
        text = "Two or more batch entries in the request have the same Id."
        raise _wrong("BatchEntryIdsNotDistinct", text)
    if sum(len(each["Message"].encode()) for each in entries) > _LARGEST:
        text = "The length of all the batch messages put together is more than the limit."
        raise _wrong("BatchRequestTooLong", text)
    if not all(
        each.keys() == {"Id", "Message"} and _is_object(each["Message"]) for each in entries
    ):
        raise Refused("NotImplemented", "Only plain messages of JSON objects are emulated", 501)
    for each in entries:
        delivery.publish(world, topic, each["Message"])
    return {"Successful": [{"Id": each, "MessageId": world.unique()} for each in identifiers]}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _wrong(code: str, text: str) -> Refused:
    return Refused(code, text, Type="Sender")
