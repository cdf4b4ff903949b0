"""Topics and subscriptions: what they are to be, and reading what they are."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from botocore.exceptions import ClientError

from .aws import Aws, code, pages
from .documents import Json, compact, listed, parsed, texts
from .marks import Location, Stack, digest, is_own_bucket_name
from .model import Absent, Bucket, Subscription, Topic, Unreadable
from .notifications import encoded, foreign_topics, own
from .request import Privileges, Request

T = TypeVar("T")
Buckets = Mapping[str, Bucket | Absent | Unreadable]


def topic_policy(bucket: str, stack: Stack) -> str:
    """Return the policy of a bucket's topic: S3 may publish, for this account's bucket alone.

    It is fixed for the marks' format: CreateTopic with another one fails on a topic that exists.
    """
    return compact(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "S3PublishesNewLogObjects",
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


def filter_policy(bucket: str, locations: Iterable[Location], stack: Stack) -> str:
    """Return the filter for a subscription to a topic that is not ours: log objects, no others.

    For the scope MessageBody, since S3's events carry no attributes; their keys are encoded.
    """
    return compact(_filter(bucket, {encoded(each.log_prefix(stack)) for each in locations}))


def _filter(bucket: str, keys: Iterable[str]) -> dict[str, Json]:
    prefixes: list[Json] = [{"prefix": key} for key in sorted(keys)]
    return {"Records": {"s3": {"bucket": {"name": [bucket]}, "object": {"key": prefixes}}}}


def filtered(subscription: Subscription, stack: Stack) -> tuple[str, frozenset[str]] | None:
    """Return the bucket and the key prefixes of a filter that has exactly our form, else None."""
    try:
        found = parsed(subscription.filter_policy or "")
    except ValueError:
        return None
    items = listed(_at(found, "Records", "s3", "object", "key"))
    keys = [key for item in items for key in texts(_at(item, "prefix"))]
    bucket = "".join(texts(_at(found, "Records", "s3", "bucket", "name")))
    ours = f"AWSLogs/{stack.account}/elasticloadbalancing/{stack.region}/"
    if not keys or found != _filter(bucket, keys) or not all(key.endswith(ours) for key in keys):
        return None
    return bucket, frozenset(keys)


def _at(value: Json, *names: str) -> Json:
    """Return what is below these names, None where there is nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def narrowed_filter(bucket: str, keys: Iterable[str]) -> str:
    """Return our filter with these key prefixes alone."""
    return compact(_filter(bucket, keys))


def same_filter(one: str | None, other: str | None) -> bool:
    """Tell whether two filter policies mean the same."""
    return (json.loads(one) if one else None) == (json.loads(other) if other else None)


def read_topics(aws: Aws, request: Request, buckets: Buckets) -> dict[str, Topic | None] | None:
    """Read the topics that announce, or may come to announce, these buckets' objects.

    Returns None where the role may not read topics. Raises ClientError.
    """
    if request.privileges is Privileges.DOCUMENTED:
        return None
    stack = request.stack
    present = [each for each in buckets.values() if isinstance(each, Bucket)]
    names = [*(each.name for each in present), *_to_be_made(request, buckets)]
    topics = {arn: _topic(aws, arn) for arn in map(stack.topic_arn, names)}
    ours = _endpoints(request, present)
    for each in present:
        for arn in foreign_topics(each.notifications, stack) - set(topics):
            topics[arn] = _foreign_topic(aws, arn, ours)
    if request.kind != "Create" and _somewhere_else(present, stack):
        for found in _filtered(aws, _all(aws), ours):
            if found.topic not in topics:
                topics[found.topic] = Topic(found.topic, "", (found,))
    return topics


def _to_be_made(request: Request, buckets: Buckets) -> list[str]:
    """Return the bucket that may be made: its topic may be there from an earlier life.

    Not that of a bucket with the tag of a stack that is being created: the topic goes first.
    """
    named = request.properties.bucket if request.properties else ""
    if request.properties is None or (request.kind == "Create" and not named):
        return []
    missing = [name for name, each in buckets.items() if isinstance(each, Absent)]
    return [name for name in missing if (name == named if named else is_own_bucket_name(name))]


def _endpoints(request: Request, buckets: Iterable[Bucket]) -> set[str]:
    """Return the digests of the endpoints that the stack subscribes now, or did before."""
    found = {
        each.endpoint
        for bucket in buckets
        for each in bucket.register(request.stack)
        if each.stack == request.stack.tag
    }
    return found | ({request.properties.endpoint.digest} if request.properties else set())


def _somewhere_else(buckets: Iterable[Bucket], stack: Stack) -> bool:
    """Tell whether a location of the stack is announced by no notification of ours."""
    return any(
        each.stack == stack.tag and each.location.notification_id not in own(bucket.notifications)
        for bucket in buckets
        for each in bucket.register(stack)
    )


def _unless_gone(read: Callable[[], T]) -> T | None:
    """Read something of SNS's that may be gone, or may go while it is read."""
    try:
        return read()
    except ClientError as error:
        if code(error) in ("NotFound", "NotFoundException"):
            return None
        raise


def _topic(aws: Aws, arn: str) -> Topic | None:
    def read() -> Topic:
        attributes = aws.call(lambda: aws.sns.get_topic_attributes(TopicArn=arn))["Attributes"]
        return Topic(arn, attributes.get("Policy", ""), tuple(of_topic(aws, arn)))

    return _unless_gone(read)


def _foreign_topic(aws: Aws, arn: str, endpoints: set[str]) -> Topic | None:
    return _unless_gone(lambda: Topic(arn, "", _filtered(aws, of_topic(aws, arn), endpoints)))


def of_topic(aws: Aws, arn: str) -> Iterator[Subscription]:
    """Yield a topic's subscriptions, without their filters."""
    for page in pages(
        aws,
        lambda token: aws.sns.list_subscriptions_by_topic(
            TopicArn=arn, **({"NextToken": token} if token else {})
        ),
        lambda page: page.get("NextToken", ""),
    ):
        for each in page["Subscriptions"]:
            yield Subscription(each["SubscriptionArn"], arn, each["Protocol"], each["Endpoint"])


def _all(aws: Aws) -> Iterator[Subscription]:
    for page in pages(
        aws,
        lambda token: aws.sns.list_subscriptions(**({"NextToken": token} if token else {})),
        lambda page: page.get("NextToken", ""),
    ):
        for each in page["Subscriptions"]:
            yield Subscription(
                each["SubscriptionArn"], each["TopicArn"], each["Protocol"], each["Endpoint"]
            )


def _filtered(
    aws: Aws, found: Iterable[Subscription], endpoints: set[str]
) -> tuple[Subscription, ...]:
    """Read the filters of the subscriptions of ours among these; the others' are not read."""
    read = (
        _with_filter(aws, each)
        if each.confirmed and digest(each.endpoint, 8) in endpoints
        else each
        for each in found
    )
    return tuple(each for each in read if each)


def _with_filter(aws: Aws, found: Subscription) -> Subscription | None:
    def read() -> Subscription:
        answer = aws.call(lambda: aws.sns.get_subscription_attributes(SubscriptionArn=found.arn))
        return replace(found, filter_policy=answer["Attributes"].get("FilterPolicy"))

    return _unless_gone(read)
