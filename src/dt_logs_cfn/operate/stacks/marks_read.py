"""Looking for a stack's marks in an account, with the operator's rights, by the handler's code.

What may not be read is said, and never taken for clean. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.stacks.marked import Found
from dt_logs_cfn.operate.stacks.marks import Hints, MarkedBucket, MarkedTopic, Marks
from dt_logs_handler import topics
from dt_logs_handler.aws import Aws, pages
from dt_logs_handler.buckets import ABSENT, POLICY, read_bucket
from dt_logs_handler.errors import HandlerError
from dt_logs_handler.model import Bucket, LoadBalancer, Unreadable
from dt_logs_handler.names import TEST_FILE, Stack
from dt_logs_handler.observe import bucket_names, read_load_balancer
from dt_logs_handler.register import registrations

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_logs import CloudWatchLogsClient

T = TypeVar("T")
_LONGEST = 600.0  # seconds that a search may take
_KEYS = 1000  # keys that are looked at for one that is a log


@dataclass(frozen=True)
class Clients:
    """Clients with the operator's rights."""

    aws: Aws
    logs: CloudWatchLogsClient


def clients(session: boto3.Session, operator: Operator) -> Clients:
    """Make the clients; the handler's own bounds do not matter here."""
    made = Aws(
        session.client("elbv2", config=aws.CONFIG),
        session.client("s3", config=aws.CONFIG),
        session.client("sns", config=aws.CONFIG),
        operator.clock,
        operator.sleep,
        Random(),
        deadline=float("inf"),
    )
    return Clients(made, session.client("logs", config=aws.CONFIG))


def read_marks(found: Clients, stack: Stack, hints: Hints) -> Marks:
    """Return what is in the account of a stack. Raises botocore's errors other than denials."""
    bounded = found.aws.until(found.aws.clock() + _LONGEST)
    search = _Search(bounded, stack, hints)
    logging = search.noting(
        "load balancers", lambda: tuple(search.load_balancers()), tuple[LoadBalancer, ...]()
    )
    seen = search.noting("buckets", search.buckets, None)
    there = Found(stack, hints, logging, seen or {})
    marked = [search.looked_into(there.bucket(each)) for each in there.buckets.values()]
    # Who uses a topic stands in its bucket's policy: without that, none counts as unused.
    listed = tuple(search.topics(there.buckets, marked)) if seen is not None else ()
    group = search.noting("log groups", lambda: _log_group(found.logs, hints.function), "")
    matter = tuple(each for each in marked if _matters(each, hints))
    return Marks(tuple(there.load_balancers()), matter, listed, group, search.unread)


def _matters(found: MarkedBucket, hints: Hints) -> bool:
    """Tell whether a bucket is to be told of; one with a gone stack's logs alone is as before."""
    inherited = found.inherited and (found.name in hints.buckets or not found.logs)
    return found.made or inherited or bool(found.statements) or bool(found.notifications)


def _log_group(logs: CloudWatchLogsClient, function: str) -> str:
    name = f"/aws/lambda/{function}"
    if not function:
        return ""
    for page in logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
        if any(each.get("logGroupName") == name for each in page["logGroups"]):
            return name
    return ""


class _Search:
    """Reads step by step, and notes what cannot be read."""

    def __init__(self, aws_: Aws, stack: Stack, hints: Hints) -> None:
        self._aws = aws_
        self._stack = stack
        self._hints = hints
        self._unread: list[str] = []
        self._logged_to: set[str] = set()
        self._closed: set[str] = set()  # buckets whose policy, and so whose users, nobody can tell

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(self._unread)

    def noting(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        """Read something; where that is denied, or the time is over, note it."""
        try:
            return read()
        except ClientError as error:
            if not aws.denied(error):
                raise
            self._unread.append(f"{what} could not be read (AWS denies {error.operation_name})")
        except HandlerError as error:
            self._unread.append(f"{what} could not all be read ({error.what.rstrip('.')})")
        return otherwise

    def load_balancers(self) -> Iterator[LoadBalancer]:
        """Yield the application load balancers that have a bucket for their logs."""
        listing = partial(self._aws.elbv2.describe_load_balancers, PageSize=400)
        for page in pages(self._aws, listing, "Marker", "NextMarker"):
            for each in page["LoadBalancers"]:
                if each.get("Type") != "application":
                    continue
                found = read_load_balancer(self._aws, each["LoadBalancerArn"])
                if found and found.logging.bucket:
                    self._logged_to.add(found.logging.bucket)
                    yield found

    def buckets(self) -> dict[str, Bucket]:
        """Return the buckets that may have marks, by name: logged to, or with the stack's claim."""
        account = self._stack.account
        likely = {*self._logged_to, *self._stack.own_buckets, *self._hints.buckets}
        others = set(self.noting("the list of buckets", self._all_buckets, list[str]())) - likely
        likely |= {name for name in others if self._claimed(name)}
        found: dict[str, Bucket] = {}
        for name in sorted(likely):
            read = read_bucket(self._aws, name, account, settings=False)
            if isinstance(read, Bucket):
                found[name] = read
            elif isinstance(read, Unreadable):
                self._unread.append(read.told(name))
                self._closed.add(name)
        return found

    def _claimed(self, name: str) -> bool:
        """Tell whether the stack is registered in a bucket's policy; note one that denies it."""
        try:
            policy = POLICY.read(self._aws, name, self._stack.account)
        except ClientError as error:
            if aws.denied(error):
                self._unread.append(
                    f"the policy of bucket {name} could not be read (AWS denies GetBucketPolicy)"
                )
                self._closed.add(name)
            elif aws.code(error) not in ABSENT:
                raise
            return False
        claims = registrations(policy, name, self._stack)
        return any(each.stack == self._stack.tag for each in claims)

    def _all_buckets(self) -> list[str]:
        return [*bucket_names(self._aws, self._stack)]

    def looked_into(self, found: MarkedBucket) -> MarkedBucket:
        """Return a bucket with whether it holds logs, if it is to go."""
        if not found.ours:
            return found
        logs = self.noting(f"bucket {found.name}", lambda: self._holds_logs(found.name), None)
        return replace(found, logs=logs)

    def _holds_logs(self, bucket: str) -> bool | None:
        page = self._aws.call(
            lambda: self._aws.s3.list_objects_v2(
                Bucket=bucket, MaxKeys=_KEYS, ExpectedBucketOwner=self._stack.account
            )
        )
        keys = [each["Key"] for each in page.get("Contents", ())]
        return page["IsTruncated"] or any(not key.endswith(f"/{TEST_FILE}") for key in keys)

    def topics(
        self, buckets: Mapping[str, Bucket], marked: Iterable[MarkedBucket]
    ) -> Iterator[MarkedTopic]:
        """Yield the stack's topics that no other stack uses, as far as that can be told."""
        mine = [each for each in buckets.values() if self._registered(each, others=False)]
        wanted = {self._stack.topic_arn(each.name) for each in mine}
        wanted |= {self._stack.topic_arn(each.name) for each in marked if each.inherited}
        wanted |= {self._stack.topic_arn(name) for name in self._hints.buckets}
        wanted |= {*self._hints.topics, *map(self._stack.topic_arn, self._stack.own_buckets)}
        used = {
            self._stack.topic_arn(each.name)
            for each in buckets.values()
            if self._registered(each, others=True)
        }
        used |= {*map(self._stack.topic_arn, self._closed)}
        for arn in sorted(wanted - used):
            found = self.noting(f"topic {arn}", partial(self._topic, arn), None)
            if found is not None:
                yield found

    def _registered(self, bucket: Bucket, *, others: bool) -> bool:
        tag = self._stack.tag
        return any((each.stack != tag) is others for each in bucket.register(self._stack))

    def _topic(self, arn: str) -> MarkedTopic | None:
        """Read a topic, None if it does not exist."""
        try:
            self._aws.call(lambda: self._aws.sns.get_topic_attributes(TopicArn=arn))
            found = list(topics.of_topic(self._aws, arn))
        except ClientError as error:
            if aws.code(error) in ("NotFound", "NotFoundException"):
                return None
            raise
        ours = [each for each in found if each.endpoint == self._hints.endpoint]
        confirmed = tuple(each.arn for each in ours if each.confirmed)
        pending = sum(not each.confirmed for each in found)
        return MarkedTopic(arn, confirmed, len(found) - len(confirmed) - pending)
