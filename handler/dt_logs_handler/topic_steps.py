"""Carrying out the steps that change topics and subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .aws import Passing, code, message
from .effects import Effects
from .errors import Refused
from .steps import DeleteTopic, EnsureTopic, Guard, SetFilter, Subscribe, Unsubscribe
from .topics import of_topic, topic_policy

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import TagTypeDef

_TOPIC_SPREADS = Passing("NotFound")  # a topic that was just made is not there everywhere at once


def ensure(step: EnsureTopic, effects: Effects) -> str:
    """Make the topic with its policy; the same call again changes nothing."""
    aws, stack = effects.aws, effects.stack
    if step.known_absent:
        effects.journal.append(DeleteTopic(step.topic, step.bucket, Guard(step.bucket)))
    elif not effects.undoing:
        effects.lasting.append(
            f"topic {step.topic} with its subscription, if nothing else uses it (the documented"
            f" role may not delete it: aws sns delete-topic --topic-arn {step.topic})"
        )
    name = step.topic.rpartition(":")[2]
    attributes = {"Policy": topic_policy(step.bucket, stack)}
    tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in step.tags.items()]
    try:
        if tags:
            aws.call(lambda: aws.sns.create_topic(Name=name, Attributes=attributes, Tags=tags))
        else:
            aws.call(lambda: aws.sns.create_topic(Name=name, Attributes=attributes))
    except ClientError as error:
        if "already exists with different" not in message(error):
            raise
        raise Refused(
            f"Topic {step.topic} exists with a policy or tags that are not those it was made with.",
            f"Delete it (aws sns delete-topic --topic-arn {step.topic}) and run the stack again.",
            step.bucket,
        ) from error
    return "made sure of"


def subscribe(step: Subscribe, effects: Effects) -> str:
    """Subscribe the endpoint; AWS answers with the subscription that is there, if there is one."""
    aws, endpoint = effects.aws, step.endpoint
    attributes = {}
    if step.filter_policy is not None:
        attributes = {"FilterPolicy": step.filter_policy, "FilterPolicyScope": "MessageBody"}
    if step.known_absent:
        guard = Guard(step.bucket, endpoint=endpoint.digest)
        effects.journal.append(Unsubscribe("", step.topic, endpoint, step.filter_policy, guard))
    try:
        answer = aws.call(
            lambda: aws.sns.subscribe(
                TopicArn=step.topic,
                Protocol=endpoint.protocol,
                Endpoint=endpoint.address,
                Attributes=attributes,
            ),
            _TOPIC_SPREADS,
        )
    except ClientError as error:
        if "already exists with different attributes" not in message(error):
            raise
        raise Refused(
            f"The endpoint is subscribed to topic {step.topic} already, with other attributes.",
            "End that subscription and run the stack again.",
            step.bucket,
        ) from error
    arn = answer["SubscriptionArn"]
    effects.subscriptions[step.topic, endpoint.address] = arn
    return "subscribed" if arn.startswith("arn:") else "awaits confirmation"


def set_filter(step: SetFilter, effects: Effects) -> str:
    aws = effects.aws
    if step.was:
        effects.journal.append(SetFilter(step.subscription, step.was, step.filter_policy))
    aws.call(
        lambda: aws.sns.set_subscription_attributes(
            SubscriptionArn=step.subscription,
            AttributeName="FilterPolicy",
            AttributeValue=step.filter_policy,
        )
    )
    return "set"


def unsubscribe(step: Unsubscribe, effects: Effects) -> str:
    """End the subscription; one that awaits confirmation cannot be ended, and expires."""
    aws, endpoint = effects.aws, step.endpoint
    if effects.guarded(step.guard):
        return "kept for another stack"
    arn = step.subscription or _find(step, effects)
    if not arn.startswith("arn:"):
        return "nothing to end"
    bucket = step.guard.bucket
    effects.journal.append(Subscribe(bucket, step.topic, endpoint, step.filter_policy, False))
    try:
        aws.call(lambda: aws.sns.unsubscribe(SubscriptionArn=arn))
    except ClientError as error:
        if code(error) not in ("NotFound", "NotFoundException"):
            raise
    return "ended"


def _find(step: Unsubscribe, effects: Effects) -> str:
    try:
        for each in of_topic(effects.aws, step.topic):
            if (each.protocol, each.endpoint) == (step.endpoint.protocol, step.endpoint.address):
                return each.arn
    except ClientError as error:
        if code(error) not in ("NotFound", "NotFoundException"):
            raise
    return ""


def delete(step: DeleteTopic, effects: Effects) -> str:
    """Delete the topic, its subscriptions with it, unless another stack uses the bucket."""
    aws = effects.aws
    if effects.guarded(step.guard):
        return "kept for another stack"
    effects.journal.append(EnsureTopic(step.bucket, step.topic, {}, False))
    aws.call(lambda: aws.sns.delete_topic(TopicArn=step.topic))
    return "deleted"
