"""Topics and subscriptions: what they should be, and reading what they are."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .aws import code, denied, pages
from .documents import compact, listed, parsed, texts
from .errors import Refused
from .model import Absent, Bucket, Subscription, Topic
from .names import Location
from .notifications import encoded, foreign_topics, own
from .request import Endpoint, Privileges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeVar

    from mypy_boto3_sns.type_defs import ListSubscriptionsResponseTypeDef

    from .aws import Aws
    from .documents import Json
    from .model import Unreadable
    from .names import Stack
    from .request import Request

    T = TypeVar("T")
    Buckets = Mapping[str, Bucket | Absent | Unreadable]

# SNS allows 100 retries and 3,600 s for https, and does not document how it sums a backoff.
RETRIES = (
    '{"http":{"defaultHealthyRetryPolicy":'
    '{"minDelayTarget":40,"maxDelayTarget":40,"numRetries":85}}}'
)
TOPIC_SID = "S3PublishesNewLogObjects"
ENDED = "Deleted"  # what SNS lists as the ARN of an ended subscription for 72 hours


def topic_policy(bucket: str, stack: Stack) -> str:
    """Return the policy of a bucket's topic: S3 may publish, for this account's bucket only.

    It must not change within a format of the marks: CreateTopic fails if the topic exists with
    another policy.
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
    """Return the failure for a topic that is not as we made it."""
    return Refused(
        f"Topic {topic} exists with a policy or tags that are not those it was made with.",
        f"Delete it (aws sns delete-topic --topic-arn {topic}), then run the stack again.",
        bucket,
    )


def taken(topic: str, bucket: str, command: str = "") -> Refused:
    """Return the failure for a topic to which the endpoint is subscribed in another way."""
    return Refused(
        f"The endpoint is subscribed to topic {topic} already, with other attributes.",
        f"End it{command}, then run the stack again.",
        bucket,
    )


def endpoint_of(subscription: Subscription) -> Endpoint:
    """Return the endpoint of a subscription."""
    return Endpoint("sqs" if subscription.protocol == "sqs" else "https", subscription.endpoint)


def filter_policy(bucket: str, locations: Iterable[Location], stack: Stack) -> str:
    """Return the filter for a subscription to a foreign topic: these locations' log objects.

    Its scope is MessageBody, because S3's events have no attributes; their keys are encoded.
    """
    return narrowed_filter(bucket, {encoded(each.log_prefix(stack)) for each in locations})


def narrowed_filter(bucket: str, keys: Iterable[str]) -> str:
    """Return our filter for these key prefixes."""
    prefixes = [{"prefix": key} for key in sorted(keys)]
    return compact({"Records": {"s3": {"bucket": {"name": [bucket]}, "object": {"key": prefixes}}}})


def filtered(subscription: Subscription, stack: Stack) -> tuple[str, frozenset[str]] | None:
    """Return the bucket and key prefixes of a filter in exactly our form, or None."""
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
    """Return the value below these names, or None."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def same_filter(one: str | None, other: str | None) -> bool:
    """Tell whether two filter policies mean the same."""
    return bool(json.loads(one or "null") == json.loads(other or "null"))


def read_topics(aws: Aws, request: Request, buckets: Buckets) -> dict[str, Topic | None] | None:
    """Read the topics that announce, or may come to announce, these buckets' objects.

    Returns None if the role may not read topics. Raises ClientError.
    """
    if request.privileges is Privileges.DOCUMENTED:
        return None
    try:
        return _read_topics(aws, request, buckets)
    except ClientError as error:
        if request.kind != "Delete" or not denied(error):
            raise
        return None


def _read_topics(aws: Aws, request: Request, buckets: Buckets) -> dict[str, Topic | None]:
    stack = request.stack
    present = [each for each in buckets.values() if isinstance(each, Bucket)]
    mine = [(b, e) for b in present for e in b.register(stack) if e.stack == stack.tag]
    ours = request.endpoints | {each.endpoint for _, each in mine}
    topics = {
        arn: _unless_gone(lambda: _own_topic(aws, arn))
        for name, each in buckets.items()
        if isinstance(each, Bucket)
        # A bucket that is gone may have left its topic, but not for a stack that is being created:
        # a Delete removes the topic before the bucket.
        or (isinstance(each, Absent) and (request.kind != "Create" or name == request.bucket))
        for arn in [stack.topic_arn(name)]
    }
    for bucket in present:
        for arn in foreign_topics(bucket.notifications, stack) - set(topics):
            topics[arn] = _unless_gone(
                lambda: Topic(arn, "", (*_filtered(aws, of_topic(aws, arn), ours),))
            )
    # If our notification for a location is missing, any topic may announce it.
    if request.kind != "Create" and any(
        each.location.notification_id not in own(bucket.notifications) for bucket, each in mine
    ):
        elsewhere: dict[str, list[Subscription]] = {}
        for found in _filtered(aws, of_topic(aws), ours):
            elsewhere.setdefault(found.topic, []).append(found)
        for arn, subscriptions in elsewhere.items():
            topics.setdefault(arn, Topic(arn, "", (*subscriptions,)))
    return topics


def _unless_gone(read: Callable[[], T]) -> T | None:
    """Read something of SNS that may not exist, or may be deleted during the read."""
    try:
        return read()
    except ClientError as error:
        if code(error) in ("NotFound", "NotFoundException"):
            return None
        raise


def _own_topic(aws: Aws, arn: str) -> Topic:
    attributes = aws.call(lambda: aws.sns.get_topic_attributes(TopicArn=arn))["Attributes"]
    return Topic(arn, attributes.get("Policy", ""), tuple(of_topic(aws, arn)))


def of_topic(aws: Aws, arn: str = "", left_out: str = ENDED) -> Iterator[Subscription]:
    """Yield the subscriptions of a topic, or of the whole region, without their filters.

    Those with the ARN `left_out` are skipped: their endpoint can be subscribed again.
    """
    listing: Callable[..., ListSubscriptionsResponseTypeDef] = aws.sns.list_subscriptions
    if arn:
        listing = partial(aws.sns.list_subscriptions_by_topic, TopicArn=arn)
    for page in pages(aws, listing, "NextToken"):
        for each in page["Subscriptions"]:
            if (found := each["SubscriptionArn"]) != left_out:
                yield Subscription(found, each["TopicArn"], each["Protocol"], each["Endpoint"])


def _filtered(
    aws: Aws, found: Iterable[Subscription], endpoints: set[str]
) -> Iterator[Subscription]:
    """Yield subscriptions, ours with their filters."""
    for each in found:
        read = partial(aws.sns.get_subscription_attributes, SubscriptionArn=each.arn)
        if not each.confirmed or endpoint_of(each).digest not in endpoints:
            yield each
        elif answer := _unless_gone(lambda: aws.call(read)):
            yield replace(each, filter_policy=answer["Attributes"].get("FilterPolicy"))
