"""Pure functions for announcing log files: notifications, topics and filters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import quote_plus, unquote_plus

from .documents import compact, listed, parsed, texts
from .errors import Refused
from .names import Location, is_own_notification
from .request import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .documents import Configuration, Json
    from .model import Subscription
    from .names import Stack

SUFFIX = ".log.gz"
EVENT = "s3:ObjectCreated:*"
KINDS = ("TopicConfigurations", "QueueConfigurations", "LambdaFunctionConfigurations")
# SNS allows 100 retries and 3,600 s for https; it does not document how it adds up the delays.
RETRIES = (
    '{"http":{"defaultHealthyRetryPolicy":'
    '{"minDelayTarget":40,"maxDelayTarget":40,"numRetries":85}}}'
)
TOPIC_SID = "S3PublishesNewLogObjects"


@dataclass(frozen=True)
class NotificationEdit:
    """Entries to put, and the Ids of entries to drop; every entry with another Id stays."""

    put: tuple[dict[str, Json], ...] = ()
    drop: frozenset[str] = frozenset()

    def applied(self, configuration: Configuration) -> Configuration:
        """Return the whole configuration after the edit. Repeatable."""
        put = {str(each["Id"]): each for each in self.put}
        going = {*put, *self.drop}
        result = dict(configuration)
        for kind in KINDS:
            kept: list[Json] = []
            for item in listed(result.pop(kind, None)):
                identifier = _id(item)
                if kind == KINDS[0] and identifier in put:
                    new = put.pop(identifier)
                    kept.append(item if _same(item, new) else new)
                elif identifier not in going:
                    kept.append(item)
            if kept:
                result[kind] = kept
        if put:
            result[KINDS[0]] = [*listed(result.get(KINDS[0])), *put.values()]
        return result


def entry(location: Location, topic: str, stack: Stack) -> dict[str, Json]:
    """Return our notification for a location's log files of this account and region."""
    return {
        "Id": location.notification_id,
        "TopicArn": topic,
        "Events": [EVENT],
        "Filter": {
            "Key": {
                "FilterRules": [
                    {"Name": "prefix", "Value": encoded(location.log_prefix(stack))},
                    {"Name": "suffix", "Value": SUFFIX},
                ]
            }
        },
    }


def entries(configuration: Configuration) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield each entry's kind (the name of its list), and the entry."""
    for kind in KINDS:
        for item in listed(configuration.get(kind)):
            if isinstance(item, dict):
                yield kind, item


def own(configuration: Configuration) -> dict[str, dict[str, Json]]:
    """Return our entries, of any stack and format, by Id."""
    return {_id(item): item for _, item in entries(configuration) if is_own_notification(_id(item))}


def location_digest(identifier: str) -> str:
    """Return the location's digest from the Id of one of our notifications."""
    return identifier[-16:-8]


def covering_topic(
    configuration: Configuration, location: Location, stack: Stack, *, share: bool
) -> str | None:
    """Return the foreign topic that already announces a location, or None.

    None means that our own notification can be put. S3 refuses two entries that share an event type
    if both prefix and suffix overlap (the error `ambiguously defined`). If foreign entries overlap
    ours, `share` must be true, which means that the role may use foreign topics. There must then be
    only one such entry, and it must announce every log file there to one of `foreign_topics`.
    Otherwise, this raises a Refused that names an entry.
    """
    ours = location.log_prefix(stack)
    in_the_way = []
    for kind, item in _others(configuration):
        events, prefix, suffix = _rule(item)
        if (
            any(fnmatchcase(EVENT, each) or fnmatchcase(each, EVENT) for each in events)
            and (ours.startswith(prefix) or prefix.startswith(ours))
            and (SUFFIX.endswith(suffix) or suffix.endswith(SUFFIX))
        ):
            covers = EVENT in events and ours.startswith(prefix) and SUFFIX.endswith(suffix)
            in_the_way.append((kind, item, covers))
    for kind, item, covers in in_the_way:
        topic = str(item.get("TopicArn"))
        sole = share and covers and len(in_the_way) == 1
        if sole and topic in foreign_topics(configuration, stack):
            return topic
        raise Refused(
            f"Bucket {location.bucket} announces objects below {location.prefix or 'its root'} by"
            f" the notification {_named(item)} ({kind}), and S3 does not allow a second one for"
            " them.",
            "Give it a prefix or suffix that excludes the load balancer's logs, or send it to an"
            " SNS topic for all created objects, then run the stack again."
            if share
            else "Give it a prefix or suffix that excludes the load balancer's logs, then run the"
            " stack again.",
            location.bucket,
        )
    return None


def foreign_topics(configuration: Configuration, stack: Stack) -> set[str]:
    """Return the topics to which foreign entries send all events about created objects.

    Only standard topics of this account and region count.
    """
    local = f"arn:{stack.partition}:sns:{stack.region}:{stack.account}:"
    return {
        topic
        for _, item in _others(configuration)
        if EVENT in _rule(item)[0]
        for topic in texts(item.get("TopicArn"))
        if topic.startswith(local) and not topic.endswith(".fifo")
    }


def _others(configuration: Configuration) -> list[tuple[str, dict[str, Json]]]:
    """Return the foreign entries, each with its kind."""
    found = entries(configuration)
    return [(kind, item) for kind, item in found if not is_own_notification(_id(item))]


def _named(item: dict[str, Json]) -> str:
    target = next((item[key] for key in item if key.endswith("Arn")), "its destination")
    return f"{_id(item) or '(no Id)'} to {target}"


def encoded(key: str) -> str:
    """Encode a key as S3 does in notification filters and events."""
    return quote_plus(key, safe="/!-_.*'()")


def _rule(item: Mapping[str, Json]) -> tuple[list[str], str, str]:
    """Return an entry's events, prefix and suffix; S3 may capitalise filter names."""
    found = {"prefix": "", "suffix": ""}
    rules: Json = item.get("Filter")
    for key in ("Key", "FilterRules"):
        rules = rules.get(key) if isinstance(rules, dict) else None
    for rule in listed(rules):
        if isinstance(rule, dict):
            found[str(rule.get("Name")).lower()] = unquote_plus(str(rule.get("Value", "")))
    return texts(item.get("Events")), found["prefix"], found["suffix"]


def _same(item: Json, new: Mapping[str, Json]) -> bool:
    return (
        isinstance(item, dict)
        and _rule(item) == _rule(new)
        and item.get("TopicArn") == new.get("TopicArn")
    )


def _id(item: Json) -> str:
    identifier = item.get("Id") if isinstance(item, dict) else None
    return identifier if isinstance(identifier, str) else ""


def topic_policy(bucket: str, stack: Stack) -> str:
    """Return the policy of a bucket's topic: S3 may publish, for this account's bucket only.

    The policy must not change within a format version of the marks, because CreateTopic fails if
    the topic exists with another policy.
    """
    return compact(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": TOPIC_SID,
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": stack.topic_arn(bucket),
                    "Condition": {
                        "ArnEquals": {"aws:SourceArn": f"arn:{stack.partition}:s3:::{bucket}"},
                        "StringEquals": {"aws:SourceAccount": stack.account},
                    },
                }
            ],
        }
    )


def tampered(topic: str, bucket: str) -> Refused:
    """Return the failure for a topic that differs from the one we made."""
    return Refused(
        f"Topic {topic} exists, but its policy or tags are not the ones that we set.",
        f"Delete it (aws sns delete-topic --topic-arn {topic}), then run the stack again.",
        bucket,
    )


def taken(topic: str, bucket: str, subscription: str = "…") -> Refused:
    """Return the failure for an endpoint that is already subscribed, with other attributes."""
    return Refused(
        f"The endpoint is subscribed to topic {topic} already, with other attributes.",
        f"End it (aws sns unsubscribe --subscription-arn {subscription}), then run the stack"
        " again.",
        bucket,
    )


def endpoint_of(subscription: Subscription) -> Endpoint:
    """Return the endpoint of a subscription."""
    return Endpoint("sqs" if subscription.protocol == "sqs" else "https", subscription.endpoint)


def filter_policy(bucket: str, locations: Iterable[Location], stack: Stack) -> str:
    """Return the filter for a subscription to a foreign topic: these locations' log files.

    The filter's scope is MessageBody, because S3's events do not have attributes. Keys are encoded
    as in the events.
    """
    return narrowed_filter(bucket, {encoded(each.log_prefix(stack)) for each in locations})


def narrowed_filter(bucket: str, keys: Iterable[str]) -> str:
    """Return our filter for a bucket's objects with these key prefixes."""
    prefixes = [{"prefix": key} for key in sorted(keys)]
    return compact({"Records": {"s3": {"bucket": {"name": [bucket]}, "object": {"key": prefixes}}}})


def filtered(subscription: Subscription, stack: Stack) -> tuple[str, frozenset[str]] | None:
    """Return a filter's bucket and key prefixes, or None if it does not have exactly our form."""
    policy = subscription.filter_policy
    try:
        found = parsed(policy or "")
    except ValueError:
        return None
    items = listed(_at(found, "Records", "s3", "object", "key"))
    keys = [key for item in items for key in texts(_at(item, "prefix"))]
    bucket = "".join(texts(_at(found, "Records", "s3", "bucket", "name")))
    ours = all(key.endswith(Location("", "").log_prefix(stack)) for key in keys)
    if keys and ours and same_filter(policy, narrowed_filter(bucket, keys)):
        return bucket, frozenset(keys)
    return None


def _at(value: Json, *names: str) -> Json:
    """Return the value at a path of names, or None."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def same_filter(one: str | None, other: str | None) -> bool:
    """Return whether two filter policies mean the same."""
    return bool(json.loads(one or "null") == json.loads(other or "null"))
