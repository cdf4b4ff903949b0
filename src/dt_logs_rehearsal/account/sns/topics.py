"""SNS: topics."""

import json
import re
from typing import Any

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.policy import listed, texts
from dt_logs_rehearsal.account.spreading import Spreading
from dt_logs_rehearsal.account.world import Call, Response, Topic, World

# What S3 knows of a topic's policy before it has spread.
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
_ACTIONS = frozenset(
    (
        "sns:*",
        "sns:addpermission",
        "sns:deletetopic",
        "sns:gettopicattributes",
        "sns:listsubscriptionsbytopic",
        "sns:publish",
        "sns:receive",
        "sns:removepermission",
        "sns:settopicattributes",
        "sns:subscribe",
    )
)


def invalid(text: str) -> Refused:
    """Return SNS's refusal of a parameter."""
    return Refused("InvalidParameter", f"Invalid parameter: {text}", Type="Sender")


def found_topic(world: World, arn: str) -> Topic:
    """Find a topic; raises Refused."""
    if len(arn.split(":")) != 6:
        raise invalid(
            f"TopicArn Reason: An ARN must have at least 6 elements, not {len(arn.split(':'))}"
        )
    topic = world.topics.get(arn)
    if topic is None:
        raise Refused("NotFound", "Topic does not exist", 404, Type="Sender")
    return topic


def create_topic(world: World, call: Call) -> Response:
    """Make a topic, or find the caller's one of that name.

    What is sent must then be as it is. Only what is sent is compared; policies as texts.
    [localstack tests/aws/services/sns/test_sns; GH MassTransit#3720 for attributes]
    """
    params = call.params
    name, attributes = params["Name"], dict(params.get("Attributes", {}))
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
    fifo = attributes.get("FifoTopic", "false").lower() == "true"
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", name.removesuffix(".fifo" if fifo else "")) or (
        fifo and not name.endswith(".fifo")
    ):
        raise invalid("Topic Name")
    if not fifo:
        attributes.pop("FifoTopic", None)
    if len(tags) != len(params.get("Tags", ())):
        raise invalid("Duplicated keys are not allowed.")
    arn = f"arn:{world.partition}:sns:{call.region}:{call.caller.account}:{name}"
    _check_attributes(attributes)
    existing = world.topics.get(arn)
    if existing is None:
        policy = Spreading(_NOBODY)
        world.change(policy, attributes.get("Policy", default_policy(arn)))
        add_topic(world, arn, attributes, tags, policy)
        return {"TopicArn": arn}
    shown = topic_attributes(existing)
    if any(shown.get(key) != value for key, value in attributes.items()):
        raise invalid("Attributes Reason: Topic already exists with different attributes")
    if tags and tags != existing.tags:
        raise invalid("Tags Reason: Topic already exists with different tags")
    return {"TopicArn": arn}


def add_topic(
    world: World,
    arn: str,
    attributes: dict[str, str],
    tags: dict[str, str],
    policy: Spreading[str],
) -> None:
    """Put a topic into the world."""
    world.topics[arn] = Topic(arn, arn.split(":")[4], attributes, tags, policy)


def default_policy(arn: str) -> str:
    """Return the policy of a topic made without one: its owner, which S3 is not.

    [GH aws/aws-cdk#28915]
    """
    owner = arn.split(":")[4]
    return json.dumps(
        {
            "Version": "2008-10-17",
            "Id": "__default_policy_ID",
            "Statement": [
                {
                    "Sid": "__default_statement_ID",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": [
                        "SNS:GetTopicAttributes",
                        "SNS:SetTopicAttributes",
                        "SNS:AddPermission",
                        "SNS:RemovePermission",
                        "SNS:DeleteTopic",
                        "SNS:Subscribe",
                        "SNS:ListSubscriptionsByTopic",
                        "SNS:Publish",
                    ],
                    "Resource": arn,
                    "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
                }
            ],
        },
        separators=(",", ":"),
    )


def _check_attributes(attributes: dict[str, str]) -> None:
    for key in attributes:
        if key not in _SETTABLE:
            raise invalid(f"Attributes Reason: Unknown attribute {key}")
    if "Policy" in attributes:
        _check_policy(attributes["Policy"])


def _check_policy(text: str) -> None:
    """Check a topic's policy; SNS refuses actions that a topic does not know."""
    try:
        document: Any = json.loads(text)
        statements = listed(document["Statement"])
        actions = [action for each in statements for action in texts(each["Action"])]
        well_formed = bool(statements) and all(
            each["Effect"] in ("Allow", "Deny") and each["Principal"] for each in statements
        )
    except (ValueError, KeyError, TypeError):
        well_formed, actions = False, []
    if not well_formed:
        raise invalid("Attributes Reason: Policy Error: null")
    if not _ACTIONS.issuperset(action.lower() for action in actions):
        raise invalid("Policy statement action out of service scope!")


def topic_attributes(topic: Topic) -> dict[str, str]:
    """Return the attributes that were set, or have a default."""
    defaults = {"Policy": topic.policy.latest, "DisplayName": ""}
    return {**defaults, **topic.attributes}


def get_topic_attributes(world: World, call: Call) -> Response:
    """Describe a topic."""
    topic = found_topic(world, call.params["TopicArn"])
    states = [each.confirmed for each in world.subscriptions.values() if each.topic == topic.arn]
    return {
        "Attributes": {
            **topic_attributes(topic),
            "TopicArn": topic.arn,
            "Owner": topic.owner,
            "SubscriptionsConfirmed": str(states.count(True)),
            "SubscriptionsPending": str(states.count(False)),
            "SubscriptionsDeleted": "0",
            "EffectiveDeliveryPolicy": "{}",
        }
    }


def delete_topic(world: World, call: Call) -> Response:
    """Delete a topic and all its subscriptions, pending ones too; repeatable [SNS API]."""
    arn = call.params["TopicArn"]
    if world.topics.pop(arn, None) is not None:
        world.subscriptions = {k: v for k, v in world.subscriptions.items() if v.topic != arn}
        world.ended = {k: v for k, v in world.ended.items() if v[0].topic != arn}
    return {}
