"""Find a stack's locations with their topics, and the logs there that may be announced again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dt_logs_cfn.operate.account import Reading, topic
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_cfn.operate.status.bucket_checks import as_written
from dt_logs_cfn.operate.status.seen import RUN_AGAIN
from dt_logs_handler.documents import compact
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Bucket, State, Unreadable
from dt_logs_handler.names import Location, Stack, digest, load_balancer_name
from dt_logs_handler.notifications import SUFFIX, covering_topic, encoded, own
from dt_logs_handler.register import Registration
from dt_logs_handler.request import Request

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Source:
    """A location, its topic, and the load balancers whose logs the vendor may read there.

    `load_balancers` holds names like `app/NAME/ID`; empty means all that log to the location.
    """

    location: Location
    topic: str
    load_balancers: frozenset[str] = frozenset()

    def covers(self, load_balancer: str) -> bool:
        """Return whether the vendor may read this load balancer's logs in the location."""
        return not self.load_balancers or load_balancer in self.load_balancers

    def __str__(self) -> str:
        return f"s3://{self.location.bucket}/{self.location.prefix}"


@dataclass(frozen=True)
class LeftOut:
    """Logs that are not announced again; `why` has the reason and the fix."""

    what: str
    why: str


def sources(through: Reading, request: Request, state: State) -> Iterator[Source | LeftOut]:
    """Yield the stack's locations in order, and what is left out. Raises botocore's errors."""
    claims = sorted(state.registered(request.stack), key=lambda each: each.location)
    if not claims:
        yield LeftOut("all", f"No bucket's policy has a statement of this stack. {RUN_AGAIN}")
    for claim in claims:
        bucket = state.buckets[claim.location.bucket]
        assert isinstance(bucket, Bucket)  # because its policy was read
        source = Source(claim.location, _topic(claim, bucket, request.stack), claim.load_balancers)
        why = _in_the_way(through, source, claim, bucket, request.stack)
        yield LeftOut(str(source), why) if why else source
    for name, found in state.buckets.items():
        if isinstance(found, Unreadable):
            yield LeftOut(f"bucket {name}", f"It could not be read: {found.why}.")
    yield from (LeftOut("other buckets", f"Not all were searched: {why}.") for why in state.unread)
    yield from _left(request, state, claims)


def _topic(claim: Registration, bucket: Bucket, stack: Stack) -> str:
    """Return the topic for a location's logs.

    This is ours, unless we have no notification there and a customer's topic covers the logs.
    """
    found = None
    if claim.location.notification_id not in own(bucket.notifications):
        with suppress(Refused):
            found = covering_topic(bucket.notifications, claim.location, stack, share=True)
    return found or stack.topic_arn(bucket.name)


def _in_the_way(
    through: Reading, source: Source, claim: Registration, bucket: Bucket, stack: Stack
) -> str:
    """Return why a source's logs cannot be announced; empty if they can."""
    if claim.vendor == stack.account or not as_written(claim, bucket, stack):
        return f"The statement {claim.sid} is not as the stack wrote it. {RUN_AGAIN}"
    found = topic(through, source.topic)
    if found is None:
        return f"Topic {source.topic} does not exist. {RUN_AGAIN}"
    confirmed = {digest(each.endpoint, 8) for each in found.subscriptions if each.confirmed}
    if claim.endpoint in confirmed:
        return ""
    why = f"The stack's endpoint has no confirmed subscription to topic {source.topic}."
    return f"{why} See `dt-logs-cfn status`."


def _left(request: Request, state: State, claims: list[Registration]) -> Iterator[LeftOut]:
    """Yield a LeftOut for each of the stack's load balancers that does not log as registered."""
    found = {load_balancer_name(arn): each for arn, each in state.load_balancers.items()}
    names = {name for each in claims for name in each.load_balancers}
    names |= {load_balancer_name(arn) for arn in request.asked.load_balancers}
    for name in sorted(names):
        there, fix = found.get(name), RUN_AGAIN
        if there is None:
            now, fix = "no longer exists", "Remove it from the stack's LoadBalancerArns."
        elif not there.logging.enabled:
            now = "no longer logs"
        elif any(each.covers(there.logging.location, name) for each in claims):
            continue
        else:
            place = f"s3://{there.logging.bucket}/{there.logging.prefix}"
            now = f"logs to {place}, which is not registered"
        yield LeftOut(f"later logs of {name}", f"It {now}. {fix}")


@dataclass(frozen=True)
class LogObject:
    """An access log file in S3; `load_balancer` is a name like `app/NAME/ID`."""

    key: str
    load_balancer: str
    size: int
    etag: str
    stored: datetime


def log_objects(
    s3: S3Client, source: Source, stack: Stack, window: Window, after: str
) -> Iterator[LogObject]:
    """Yield the window's logs that the stack lets the vendor read, in the order of their keys.

    With `after`, yields only logs with greater keys. Raises botocore's errors.
    """
    begin = f"{stack.account}_elasticloadbalancing_{stack.region}_"
    for day in window.days():
        prefix = f"{source.location.log_prefix(stack)}{day:%Y/%m/%d}/{begin}app."
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=source.location.bucket,
            Prefix=prefix,
            StartAfter=max(after, prefix),
            ExpectedBucketOwner=stack.account,
        )
        for each in (each for page in pages for each in page.get("Contents", ())):
            key, stored = each["Key"], each["LastModified"]
            name = key.rpartition("/")[2].removeprefix(begin).partition("_")[0].replace(".", "/")
            inside = window.since <= stored < window.until and key.endswith(SUFFIX)
            if inside and source.covers(name):
                yield LogObject(key, name, each["Size"], each["ETag"].strip('"'), stored)


def event(found: LogObject, source: Source, stack: Stack) -> str:
    """Return the message that S3 would send to announce an object.

    Fields that only S3 knows are empty. The sequencer is lower than any that S3 sends, so an
    announcement that arrived earlier counts as newer [S3 guide,
    notification-content-structure.md].
    """
    bucket, key = source.location.bucket, encoded(found.key)
    arn = f"arn:{stack.partition}:s3:::{bucket}"
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": stack.region,
        "eventTime": f"{found.stored:%Y-%m-%dT%H:%M:%S}.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "dt-logs-cfn replay"},
        "requestParameters": {"sourceIPAddress": ""},
        "responseElements": {"x-amz-request-id": "", "x-amz-id-2": ""},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": source.location.notification_id,
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": ""}, "arn": arn},
            "object": {"key": key, "size": found.size, "eTag": found.etag, "sequencer": "00"},
        },
    }
    return compact({"Records": [record]})
