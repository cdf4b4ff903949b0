"""Deliver S3's events to their destinations, and from topics to matching subscriptions."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus

from dt_logs_rehearsal.account.iam.access import request
from dt_logs_rehearsal.account.iam.policy import Decision, Principal, evaluate
from dt_logs_rehearsal.account.sns.filters import passes
from dt_logs_rehearsal.account.world import Bucket, Metric, Params, Topic, World, moment

_S3 = Principal(service="s3.amazonaws.com")
DESTINATIONS = {
    "TopicConfigurations": "TopicArn",
    "QueueConfigurations": "QueueArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
EVENT_BRIDGE = "events.amazonaws.com"


def entries(configuration: Params) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the kind, destination ARN and entry of each notification in a configuration."""
    for kind, name in DESTINATIONS.items():
        for entry in configuration.get(kind, ()):
            yield kind, entry[name], entry


def admits_s3(world: World, topic: Topic, bucket: Bucket) -> bool:
    """Return whether a topic's policy lets S3 publish for the bucket.

    The policy must allow s3.amazonaws.com, with the bucket as aws:SourceArn and its owner as
    aws:SourceAccount [SNS guide, grant-destinations-permissions-to-s3.md].
    """
    arn = f"arn:{world.partition}:s3:::{bucket.name}"
    source = {"aws:sourceaccount": bucket.owner, "aws:sourcearn": arn}
    asked = request(world, _S3, "SNS:Publish", topic.arn, source)
    return evaluate((topic.policy.effective(world.clock()),), asked) is Decision.ALLOW


def announce(
    world: World, bucket: Bucket, key: str, event: str, size: int = 0, etag: str = ""
) -> None:
    """Send an event, with a URL-encoded key, where the notifications and EventBridge want it."""
    encoded = quote_plus(key, safe="/*-._")
    owner = {"principalId": bucket.owner}
    arn = f"arn:{world.partition}:s3:::{bucket.name}"
    stored = {"key": encoded, "size": size, "eTag": etag, "sequencer": "0055AED6DCD90281E5"}
    record: dict[str, Any] = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": _now(world),
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket.name, "ownerIdentity": owner, "arn": arn},
            "object": stored,
        },
    }
    configuration = bucket.notifications.latest
    for _, destination, entry in entries(configuration):
        if matches(entry, f"s3:{event}", encoded):
            found = {**record["s3"], "configurationId": entry["Id"]}
            send(world, bucket, destination, {"Records": [{**record, "s3": found}]})
    if "EventBridgeConfiguration" in configuration:
        world.deliveries[EVENT_BRIDGE].append(record)


def matches(entry: dict[str, Any], event: str, key: str) -> bool:
    """Return whether a notification matches an event for a key."""
    prefix, suffix = filters(entry)
    return (
        any(event == each or event.startswith(each.removesuffix("*")) for each in entry["Events"])
        and key.startswith(prefix)
        and key.endswith(suffix)
    )


def rules(entry: dict[str, Any]) -> list[dict[str, str]]:
    """Return a notification's filter rules."""
    found: list[dict[str, str]] = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return found


def filters(entry: dict[str, Any]) -> tuple[str, str]:
    """Return a notification's prefix and suffix; S3 ignores the case of the rules' names."""
    found = {rule.get("Name", "").lower(): rule.get("Value", "") for rule in rules(entry)}
    return found.get("prefix", ""), found.get("suffix", "")


def test_message(world: World, bucket: Bucket) -> dict[str, Any]:
    """Return the test event that S3 sends to check a destination."""
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": _now(world),
        "Bucket": bucket.name,
        "RequestId": "0000000000000000",
        "HostId": "00000000",
    }


def send(world: World, bucket: Bucket, destination: str, message: dict[str, Any]) -> None:
    """Deliver a message from S3 to a topic, queue or function.

    As on AWS, the message is lost if the destination is missing or the topic does not admit S3.
    """
    topic = world.topics.get(destination)
    if topic is None:
        if destination in world.destinations:
            world.deliveries[destination].append(message)
    elif admits_s3(world, topic, bucket):
        publish(world, topic, json.dumps(message))


def publish(world: World, topic: Topic, text: str) -> None:
    """Deliver a message to the topic's confirmed subscriptions with matching filters; add metrics.

    A subscription without a filter matches every message. The endpoints in `world.unreachable`
    answer with a 4xx status. SNS does not retry after that, so the message is lost [SNS guide,
    sns-message-delivery-retries.md].
    """
    message, name = json.loads(text), topic.arn.rpartition(":")[2]
    for each in world.subscriptions.values():
        if each.topic == topic.arn and each.confirmed and passes(each.attributes, message):
            failed = each.endpoint in world.unreachable
            metric = f"NumberOfNotifications{'Failed' if failed else 'Delivered'}"
            world.metrics.append(Metric(world.clock(), "AWS/SNS", metric, name))
            if failed:
                continue
            raw = each.attributes.get("RawMessageDelivery") == "true"
            envelope = {"Type": "Notification", "TopicArn": topic.arn, "Message": text}
            world.deliveries[each.endpoint].append(message if raw else envelope)


def _now(world: World) -> str:
    return f"{moment(world.clock()):%Y-%m-%dT%H:%M:%S}.000Z"
