"""Find what a stack has set up in an account, by its marks and the handler's own plan of a Delete.

Everything is read with the operator's permissions, and nothing is written. What may not be read is
reported, and never taken for clean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate import account
from dt_logs_cfn.operate.account import Denied, Noting, observed, reading
from dt_logs_cfn.operate.stacks.marks import (
    Hints,
    MarkedBucket,
    MarkedLoadBalancer,
    MarkedTopic,
    Marks,
)
from dt_logs_handler import notifications
from dt_logs_handler.aws import code, denied
from dt_logs_handler.buckets import ABSENT, POLICY, OwnedBucket, read_bucket
from dt_logs_handler.errors import HandlerError
from dt_logs_handler.main import Clients
from dt_logs_handler.model import (
    Bucket,
    DeleteBucket,
    LoadBalancer,
    SetLogging,
    State,
    Step,
    Unreadable,
)
from dt_logs_handler.names import LEFT_TAG, TEST_FILE, Stack
from dt_logs_handler.observe import bucket_names
from dt_logs_handler.plan import plan
from dt_logs_handler.register import Registration, registrations
from dt_logs_handler.request import Request, Traces

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_logs import CloudWatchLogsClient

T = TypeVar("T")
_LONGEST = 600.0  # seconds that a search may take
_KEYS = 1000  # keys that are looked at for one that is a log


@dataclass(frozen=True)
class Access:
    """Clients with the operator's permissions, and a clock in seconds."""

    handler: Clients  # those that the handler uses
    logs: CloudWatchLogsClient
    clock: Callable[[], float]


def read_marks(access: Access, stack: Stack, hints: Hints) -> Marks:
    """Return what is in the account of a stack. Raises botocore's errors other than denials."""
    search = _Search(access, stack, hints)
    found = search.noting("load balancers and buckets", search.found, None)
    marked: list[MarkedBucket] = []
    topics: list[MarkedTopic] = []
    if found is not None:
        marked = [search.looked_into(found.bucket(each)) for each in found.buckets.values()]
        # Who uses a topic is in its bucket's policy: without the policies, no topic is unused.
        arns = found.topics(marked) - {stack.topic_arn(name) for name in search.closed}
        topics = list(filter(None, map(search.topic, sorted(arns))))
    group = search.noting("log groups", lambda: _log_group(access.logs, hints.function), "")
    load_balancers = tuple(found.load_balancers()) if found else ()
    matter = tuple(each for each in marked if _matters(each, hints))
    return Marks(load_balancers, matter, tuple(topics), group, search.unread)


def _matters(found: MarkedBucket, hints: Hints) -> bool:
    """Return whether to report a bucket: not if it only holds the logs of a stack that is gone."""
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


@dataclass(frozen=True)
class _Found:
    """A stack, the load balancers of the region that have a bucket, and the buckets read.

    The last stack that uses something inherits it from the stack that set it up. The handler's plan
    of a Delete decides which stack that is.
    """

    stack: Stack
    hints: Hints
    logging: Sequence[LoadBalancer]
    buckets: Mapping[str, Bucket]

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        # Without topics: the buckets tell whose they are, and reading them needs more permissions.
        state = State({each.arn: each for each in self.logging}, self.buckets, None)
        return plan(Request("Delete", self.stack, 0, None, Traces()), state).steps

    @cached_property
    def _off(self) -> frozenset[str]:
        """The ARNs of the load balancers whose logging a Delete turns off."""
        return frozenset(each.load_balancer for each in self._steps if isinstance(each, SetLogging))

    @cached_property
    def _deleted(self) -> frozenset[str]:
        """The buckets that a Delete deletes if they are empty."""
        return frozenset(each.bucket for each in self._steps if isinstance(each, DeleteBucket))

    def load_balancers(self) -> Iterator[MarkedLoadBalancer]:
        """Yield the load balancers whose logging goes with the stack, if nobody else uses it."""
        for each in self.logging:
            location = each.logging.location
            own = location.mark == self.stack.tag
            hinted = location.mark is not None and each.name in self.hints.load_balancers
            if own or hinted or each.arn in self._off:
                others = self._claims(location.bucket, others=True)
                shared = any(claim.covers(location, each.name) for claim in others)
                yield MarkedLoadBalancer(each.name, shared, not own)

    def _claims(self, bucket: str, *, others: bool) -> list[Registration]:
        """Return the registrations in a bucket, of the stack or of all others."""
        found, tag = self.buckets.get(bucket), self.stack.tag
        claims = found.register(self.stack) if found else []
        return [each for each in claims if (each.stack != tag) is others]

    def bucket(self, bucket: Bucket) -> MarkedBucket:
        """Return what of the stack's is in a bucket; whether it holds logs is not known here."""
        name = bucket.name
        mine = self._claims(name, others=False)
        theirs = {each.location_digest for each in self._claims(name, others=True)}
        own = notifications.own(bucket.notifications)
        made = bucket.maker == self.stack.tag or name in self.stack.own_buckets
        goes = name in self._deleted
        # A Delete is still to come, or may have left the bucket.
        reached = not self.hints.deleted or name in self.hints.buckets
        return MarkedBucket(
            name,
            made,
            len(mine),
            sum(each.inert(self.stack) for each in mine),
            sum(notifications.location_digest(each) not in theirs for each in own),
            "another stack" if theirs else "" if goes or not made else self._user(name),
            inherited=goes and not made and (bool(mine) or reached),
            note=bucket.tags.get(LEFT_TAG, ""),
        )

    def _user(self, bucket: str) -> str:
        """Name a load balancer that logs to a bucket and keeps using it."""
        names = (
            each.name
            for each in self.logging
            if each.logging.enabled and each.logging.bucket == bucket and each.arn not in self._off
        )
        return next((f"load balancer {each}" for each in names), "")

    def topics(self, marked: Iterable[MarkedBucket]) -> set[str]:
        """Return the ARNs of the stack's topics that no other stack uses."""
        names = {name for name in self.buckets if self._claims(name, others=False)}
        names |= {each.name for each in marked if each.inherited}
        names |= {*self.hints.buckets, *self.stack.own_buckets}
        used = {name for name in self.buckets if self._claims(name, others=True)}
        wanted = {*map(self.stack.topic_arn, names), *self.hints.topics}
        return wanted - {*map(self.stack.topic_arn, used)}


class _Search:
    """Reads step by step, and notes what cannot be read."""

    def __init__(self, access: Access, stack: Stack, hints: Hints) -> None:
        elbv2, s3, sns = access.handler
        self._denied: list[Denied] = []  # of load balancers, on which nothing else depends
        lenient = cast("ElasticLoadBalancingv2Client", Noting(elbv2, self._denied, lenient=True))
        through = reading((lenient, s3, sns), [], access.clock)
        self._aws = through.until(access.clock() + _LONGEST)
        self._stack = stack
        self._hints = hints
        self._unread: list[str] = []
        self.closed: set[str] = set()  # buckets whose policy cannot be read

    @property
    def unread(self) -> tuple[str, ...]:
        """What could not be read, in words."""
        operations = dict.fromkeys(each.operation for each in self._denied)
        lost = (f"load balancers could not be read (AWS denies {each})" for each in operations)
        return (*lost, *self._unread)

    def noting(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        """Read something; if that is denied, or the time is over, note it."""
        try:
            return read()
        except ClientError as error:
            if not denied(error):
                raise
            self._unread.append(f"{what} could not be read (AWS denies {error.operation_name})")
        except (HandlerError, OperatingError) as error:
            self._unread.append(f"{what} could not all be read ({error.what.rstrip('.')})")
        return otherwise

    def found(self) -> _Found:
        """Read the load balancers, and the buckets that may have marks of the stack.

        The handler's code reads what its Delete would see; then all other buckets are searched.
        """
        stack, traces = self._stack, Traces(buckets=self._hints.buckets)
        state = observed(Request("Delete", stack, 0, None, traces), self._aws)
        read = dict(state.buckets)
        every = self.noting("the list of buckets", self._bucket_names, list[str]())
        for name in every:
            if name not in read and self._claimed(name):
                read[name] = read_bucket(self._aws, name, stack.account, settings=False)
        for name, each in sorted(read.items()):
            if isinstance(each, Unreadable):
                self._unread.append(each.told(name))
                self.closed.add(name)
        present = {name: each for name, each in sorted(read.items()) if isinstance(each, Bucket)}
        load_balancers = filter(None, state.load_balancers.values())
        logging = [each for each in load_balancers if each.logging.bucket]
        return _Found(stack, self._hints, logging, present)

    def _bucket_names(self) -> list[str]:
        return list(bucket_names(self._aws, self._stack))

    def _claimed(self, name: str) -> bool:
        """Return whether the stack is registered in a bucket's policy; note a denied read."""
        try:
            policy = POLICY.read(OwnedBucket(self._aws, name, self._stack.account))
        except ClientError as error:
            if denied(error):
                self._unread.append(
                    f"the policy of bucket {name} could not be read (AWS denies GetBucketPolicy)"
                )
                self.closed.add(name)
            elif code(error) not in ABSENT:
                raise
            return False
        claims = registrations(policy, name, self._stack)
        return any(each.stack == self._stack.tag for each in claims)

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

    def topic(self, arn: str) -> MarkedTopic | None:
        """Read a topic, None if it does not exist."""
        topic = self.noting(f"topic {arn}", lambda: account.topic(self._aws, arn), None)
        if topic is None:
            return None
        found = topic.subscriptions
        ours = [each for each in found if each.endpoint == self._hints.endpoint]
        confirmed = tuple(each.arn for each in ours if each.confirmed)
        pending = sum(not each.confirmed for each in found)
        return MarkedTopic(arn, confirmed, len(found) - len(confirmed) - pending)
