"""Read what `status` judges: each thing once; a denial does not stop the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operate.account import (
    Denied,
    Reading,
    TopicSeen,
    Unread,
    observed,
    reading,
    topic,
)
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.asked import expected
from dt_logs_cfn.operate.plans.planned import Planned, decided
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription, made_from
from dt_logs_cfn.operate.stacks.states import REVIEW, made
from dt_logs_cfn.operate.status.account_reads import (
    account_block,
    is_public,
    load_balancer_arns,
    on_outposts,
    requester_pays,
    stack_names,
)
from dt_logs_cfn.operate.status.announcement_counts import announcement_counts
from dt_logs_cfn.operate.status.log_objects import log_objects, other_logs
from dt_logs_cfn.operate.status.seen import LogObjects, Seen, StackSeen
from dt_logs_cfn.operate.status.vended_logs import vended_logs
from dt_logs_cfn.release.catalogue import LIMIT, VERSIONS
from dt_logs_cfn.template.templates import Origin, origin
from dt_logs_handler.aws import denied
from dt_logs_handler.buckets import read_bucket
from dt_logs_handler.main import Clients
from dt_logs_handler.model import Absent, Bucket, LoadBalancer, Unreadable
from dt_logs_handler.names import EVERY_LOAD_BALANCER, LOAD_BALANCER_ARN, Location, Stack
from dt_logs_handler.notifications import foreign_topics
from dt_logs_handler.observe import read_load_balancer

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3control import S3ControlClient

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Reach:
    """The means of reading: AWS's clients, a function that fetches a URL, and the time."""

    clients: Clients
    s3control: S3ControlClient
    logs: CloudWatchLogsClient
    cloudwatch: CloudWatchClient
    cloudformation: CloudFormationClient
    fetch: Callable[[str, int], bytes]
    clock: Callable[[], float]


def look(
    reach: Reach,
    here: Stack,
    stacks: Sequence[StackDescription],
    load_balancers: Sequence[str],
) -> Seen:
    """Read stacks with their load balancers, and load balancers by ARN or `*`.

    Raises botocore's errors, other than a denial; OperatingError.
    """
    found = _Look(reach, here)
    seen = [each for each in map(found.stack, stacks) if each is not None]
    found.load_balancers_of(load_balancers)
    found.settle()
    return Seen(
        here,
        found.now,
        found.load_balancers,
        found.buckets,
        found.topics,
        found.objects,
        found.other_logs,
        frozenset(found.public),
        frozenset(found.requester_pays),
        frozenset(found.on_outposts),
        account_block(reach.s3control, here.account) if found.public else {},
        tuple(seen),
        stack_names(reach.cloudformation),
        announcement_counts(
            reach.cloudwatch, [arn for arn, topic in found.topics.items() if topic], found.now
        ),
        found.owner(),
        vended_logs(reach.logs),
        frozenset(found.noted),
    )


class _Look:
    """Reads each thing once."""

    def __init__(self, reach: Reach, here: Stack) -> None:
        self.now = reach.clock()
        self.noted: list[Denied] = []
        self.load_balancers: dict[str, LoadBalancer | None] = {}
        self.buckets: dict[str, Bucket | Absent | Unreadable] = {}
        self.topics: dict[str, TopicSeen | None] = {}
        self.objects: dict[str, LogObjects] = {}
        self.other_logs: dict[Location, tuple[str, ...]] = {}
        self.public: set[str] = set()
        self.requester_pays: set[str] = set()
        self.on_outposts: set[str] = set()
        self._reach = reach
        self._through = reading(reach.clients, self.noted, reach.clock, lenient=True)
        self._marks = here

    def stack(self, stack: StackDescription) -> StackSeen | None:
        """Read a stack, and what its parameters would change now; None if it is not one of ours."""
        tagged = Stack.of(stack.id)
        record: Origin | Unread
        planned: Planned | Unread
        record = planned = Unread("the stack was not created", "Launch it, and look again.")
        if stack.status == REVIEW:
            return StackSeen(stack, tagged, record, planned, record)
        try:
            existing = made_from(self._reach.cloudformation, stack)
        except OperatingError:
            return None
        except ClientError as error:
            if not denied(error):
                raise
            record = planned = Unread.lacking("cloudformation:GetTemplate")
        else:
            if made(stack.status):
                record, planned = _origin(existing), self._planned(existing, tagged)
        return StackSeen(stack, tagged, record, planned, self._versions(record))

    def _planned(self, existing: Existing, tagged: Stack) -> Planned | Unread:
        try:
            request = asked.update(
                existing.template, existing.stack.parameters, existing, self._reach.clock()
            )
        except OperatingError as error:
            return Unread(error.what, error.fix)
        noted: list[Denied] = []
        through = reading(self._reach.clients, noted, self._reach.clock, lenient=True)
        with expected():
            state = observed(request, through)
        self.noted += noted
        self.buckets.update(
            (name, each) for name, each in state.buckets.items() if isinstance(each, Bucket)
        )
        mine = state.registered(tagged)
        for arn, found in state.load_balancers.items():
            if arn in request.traces.load_balancers or (
                found and any(each.covers(found.logging.location, found.name) for each in mine)
            ):
                self.load_balancers[arn] = found
        with expected():
            return decided(request, state, through, tuple(sorted(set(noted))))

    def _versions(self, record: Origin | Unread) -> bytes | Unread:
        if isinstance(record, Unread):
            return record
        base = record.settings.vendor(self._marks.partition).base_url
        if not base:
            return Unread(
                "the template does not say where its releases are",
                "Ask Data Theorem whether this release may still be used.",
            )
        try:
            return self._reach.fetch(f"{base}/{VERSIONS}", LIMIT)
        except DtLogsError as error:
            return Unread(error.what, error.fix)

    def load_balancers_of(self, named: Iterable[str]) -> None:
        """Read load balancers by ARN; `*` is every application load balancer of the region."""
        wanted: dict[str, None] = {}
        for arn in named:
            if arn != EVERY_LOAD_BALANCER:
                _check_local(arn, self._marks)
                wanted[arn] = None
            else:
                wanted |= dict.fromkeys(load_balancer_arns(self._reach.clients[0]))
        self.load_balancers |= self._each(read_load_balancer, wanted)

    def settle(self) -> None:
        """Read what depends on the load balancers: buckets, topics, log objects."""
        logging = {
            arn: found
            for arn, found in self.load_balancers.items()
            if found and found.logging.enabled
        }
        account = self._marks.account
        names = {found.logging.bucket: None for found in logging.values()}
        unread = [each for each in names if each not in self.buckets]
        self.buckets |= self._each(lambda aws, name: read_bucket(aws, name, account), unread)
        there = {
            arn: found
            for arn, found in logging.items()
            if isinstance(self.buckets[found.logging.bucket], Bucket)
        }
        self.objects |= self._each(
            lambda aws, arn: log_objects(aws, there[arn], self._marks, self.now), there
        )
        self.other_logs |= self._each(
            lambda aws, location: other_logs(aws, location, self._marks, self.now),
            {found.logging.location: None for found in there.values()},
        )
        buckets = {name: each for name, each in self.buckets.items() if isinstance(each, Bucket)}
        public = self._each(lambda aws, name: is_public(aws, buckets[name], account), buckets)
        self.public |= {name for name, found in public.items() if found}
        pays = self._each(lambda aws, name: requester_pays(aws, name, account), buckets)
        self.requester_pays |= {name for name, found in pays.items() if found}
        if self.load_balancers:
            self.on_outposts |= {*on_outposts(self._through)}
        for each in buckets.values():
            self._topics_of(each)

    def owner(self) -> str:
        """Return the account's canonical user ID if a bucket may hold objects of others.

        Every bucket here is the account's own, so it owns them all.
        """
        found = (each for each in self.buckets.values() if isinstance(each, Bucket))
        if not any(each.ownership == "BucketOwnerPreferred" for each in found):
            return ""
        return self._through.s3.list_buckets(MaxBuckets=1).get("Owner", {}).get("ID", "")

    def _each(self, read: Callable[[Reading, K], T], names: Iterable[K]) -> dict[K, T]:
        """Read things by name, several at once."""
        listed = list(names)
        found = self._through.each(lambda name: read(self._through, name), listed)
        return dict(zip(listed, found, strict=True))

    def _topics_of(self, bucket: Bucket) -> None:
        ends = {each.endpoint for each in bucket.register(self._marks)}
        own = self._marks.topic_arn(bucket.name)
        for arn in {own, *foreign_topics(bucket.notifications, self._marks)}:
            self.topics[arn] = topic(self._through, arn, ends if arn != own else set())


def _check_local(arn: str, here: Stack) -> None:
    if not re.fullmatch(LOAD_BALANCER_ARN, arn):
        raise OperatingError(
            f"{arn[:200]!r} is not the ARN of an application load balancer.",
            "Give one like arn:…:loadbalancer/app/NAME/ID, or * for all.",
        )
    if not here.has(arn):
        _, _, _, region, account, _ = arn.split(":")
        raise OperatingError(
            f"{arn[:200]} is not in account {here.account}, region {here.region}.",
            f"Use credentials of account {account}, and --region {region[:30]}.",
        )


def _origin(existing: Existing) -> Origin | Unread:
    try:
        return origin(existing.template)
    except DtLogsError as error:
        return Unread(error.what, error.fix)
