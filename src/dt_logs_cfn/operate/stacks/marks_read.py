"""Looking for a stack's marks in an account, with the operator's rights, by the handler's code.

What may not be read is said, and never taken for clean. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from botocore.exceptions import ClientError

from dt_logs_cfn.operate import account
from dt_logs_cfn.operate.account import Denied, Noting, observed, reading
from dt_logs_cfn.operate.stacks.marked import Found
from dt_logs_cfn.operate.stacks.marks import Hints, MarkedBucket, MarkedTopic, Marks
from dt_logs_handler.aws import code, denied
from dt_logs_handler.buckets import ABSENT, POLICY, read_bucket
from dt_logs_handler.errors import HandlerError
from dt_logs_handler.main import Clients
from dt_logs_handler.model import Bucket, LoadBalancer, Unreadable
from dt_logs_handler.names import TEST_FILE, Stack
from dt_logs_handler.observe import bucket_names
from dt_logs_handler.register import registrations
from dt_logs_handler.request import Request, Traces

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_logs import CloudWatchLogsClient

T = TypeVar("T")
_LONGEST = 600.0  # seconds that a search may take
_KEYS = 1000  # keys that are looked at for one that is a log


@dataclass(frozen=True)
class Access:
    """Clients with the operator's rights, and a clock in seconds."""

    handler: Clients  # those that the handler uses
    logs: CloudWatchLogsClient
    clock: Callable[[], float]


def read_marks(access: Access, stack: Stack, hints: Hints) -> Marks:
    """Return what is in the account of a stack. Raises botocore's errors other than denials."""
    search = _Search(access, stack, hints)
    seen = search.noting("load balancers and buckets", search.buckets, None)
    there = Found(stack, hints, search.logging, seen or {})
    marked = [search.looked_into(there.bucket(each)) for each in there.buckets.values()]
    # Who uses a topic stands in its bucket's policy: without that, none counts as unused.
    listed = tuple(search.topics(there.buckets, marked)) if seen is not None else ()
    group = search.noting("log groups", lambda: _log_group(access.logs, hints.function), "")
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

    def __init__(self, access: Access, stack: Stack, hints: Hints) -> None:
        elbv2, s3, sns = access.handler
        self._denied: list[Denied] = []  # of load balancers, of which the rest does not hang
        lenient = cast("ElasticLoadBalancingv2Client", Noting(elbv2, self._denied, lenient=True))
        through = reading((lenient, s3, sns), [], access.clock)
        self._aws = through.until(access.clock() + _LONGEST)
        self._stack = stack
        self._hints = hints
        self._unread: list[str] = []
        self.logging: tuple[LoadBalancer, ...] = ()  # load balancers with a bucket for their logs
        self._closed: set[str] = set()  # buckets whose policy, and so whose users, nobody can tell

    @property
    def unread(self) -> tuple[str, ...]:
        operations = dict.fromkeys(each.operation for each in self._denied)
        lost = (f"load balancers could not be read (AWS denies {each})" for each in operations)
        return (*lost, *self._unread)

    def noting(self, what: str, read: Callable[[], T], otherwise: T) -> T:
        """Read something; where that is denied, or the time is over, note it."""
        try:
            return read()
        except ClientError as error:
            if not denied(error):
                raise
            self._unread.append(f"{what} could not be read (AWS denies {error.operation_name})")
        except HandlerError as error:
            self._unread.append(f"{what} could not all be read ({error.what.rstrip('.')})")
        return otherwise

    def buckets(self) -> dict[str, Bucket]:
        """Return the buckets that may have marks, by name: logged to, or with the stack's claim.

        What the handler's Delete would see is read as it reads it; then all other buckets.
        """
        traces = Traces(buckets=self._hints.buckets)
        state = observed(Request("Delete", self._stack, 0, None, traces), self._aws)
        load_balancers = filter(None, state.load_balancers.values())
        self.logging = tuple(each for each in load_balancers if each.logging.bucket)
        read = dict(state.buckets)
        for name in self.noting("the list of buckets", self._all_buckets, list[str]()):
            if name not in read and self._claimed(name):
                read[name] = read_bucket(self._aws, name, self._stack.account, settings=False)
        for name, each in sorted(read.items()):
            if isinstance(each, Unreadable):
                self._unread.append(each.told(name))
                self._closed.add(name)
        return {name: each for name, each in sorted(read.items()) if isinstance(each, Bucket)}

    def _claimed(self, name: str) -> bool:
        """Tell whether the stack is registered in a bucket's policy; note one that denies it."""
        try:
            policy = POLICY.read(self._aws, name, self._stack.account)
        except ClientError as error:
            if denied(error):
                self._unread.append(
                    f"the policy of bucket {name} could not be read (AWS denies GetBucketPolicy)"
                )
                self._closed.add(name)
            elif code(error) not in ABSENT:
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
        topic = account.topic(self._aws, arn)
        if topic is None:
            return None
        found = topic.subscriptions
        ours = [each for each in found if each.endpoint == self._hints.endpoint]
        confirmed = tuple(each.arn for each in ours if each.confirmed)
        pending = sum(not each.confirmed for each in found)
        return MarkedTopic(arn, confirmed, len(found) - len(confirmed) - pending)
