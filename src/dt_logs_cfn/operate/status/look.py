"""Read everything that `status` judges, each thing once; a denial does not stop other reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from dt_logs_cfn.errors import DtLogsError, OperatingError, PublishError, UsageError
from dt_logs_cfn.operate.account import (
    Denied,
    TopicSeen,
    Unread,
    observed,
    optional,
    reading,
    topic,
)
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.planned import Planned, decided
from dt_logs_cfn.operate.stacks.following import last_failure
from dt_logs_cfn.operate.stacks.stack import (
    REVIEW,
    SETTLED,
    Existing,
    StackDescription,
    at_rest,
    made,
    made_from,
)
from dt_logs_cfn.operate.status import reads
from dt_logs_cfn.operate.status.metrics import announcement_counts, refreshes
from dt_logs_cfn.operate.status.seen import ASK, Seen, StackSeen
from dt_logs_cfn.operate.values import check_place
from dt_logs_cfn.release.catalogue import LIMIT, VERSIONS, Catalogue
from dt_logs_cfn.template.templates import origin
from dt_logs_handler.aws import denied
from dt_logs_handler.buckets import read_bucket
from dt_logs_handler.main import Clients
from dt_logs_handler.model import Absent, Bucket, LoadBalancer, Unreadable
from dt_logs_handler.names import EVERY_LOAD_BALANCER, LOAD_BALANCER_ARN, Stack
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
    """The means of reading: AWS's clients, a function that fetches a URL, and a clock."""

    clients: Clients
    s3control: S3ControlClient
    logs: CloudWatchLogsClient
    cloudwatch: CloudWatchClient
    cloudformation: CloudFormationClient
    fetch: Callable[[str, int], bytes]
    clock: Callable[[], float]


def look(
    reach: Reach, here: Stack, stacks: Sequence[StackDescription], load_balancers: Sequence[str]
) -> Seen:
    """Read stacks with their load balancers, and load balancers by ARN or `*`.

    Raises OperatingError, UsageError, and botocore's errors other than denials.
    """
    it = _Look(reach, here)
    seen = tuple(filter(None, map(it.stack, stacks)))
    it.named(load_balancers)
    logging = {arn: e for arn, e in it.load_balancers.items() if e and e.logging.enabled}
    present = it.present(each.logging.bucket for each in logging.values())
    there = {arn: each for arn, each in logging.items() if each.logging.bucket in present}
    endpoints = {each.stack.endpoint for each in seen}
    topics = {arn: e for bucket in present.values() for arn, e in it.topics(bucket, endpoints)}
    public = it.each(lambda name: reads.is_public(it.through, present[name], here.account), present)
    # The account owns all of these buckets, so one ID is enough.
    shared = any(each.ownership == "BucketOwnerPreferred" for each in present.values())
    owner = it.through.s3.list_buckets(MaxBuckets=1).get("Owner", {}) if shared else {}
    return Seen(
        here=here,
        now=it.now,
        load_balancers=it.load_balancers,
        buckets=it.buckets,
        topics=topics,
        objects=it.each(lambda arn: reads.log_objects(it.through, there[arn], here, it.now), there),
        other_logs=it.each(
            lambda location: reads.other_logs(it.through, location, here, it.now),
            {each.logging.location: None for each in there.values()},
        ),
        public=public,
        requester_pays=it.each(
            lambda name: reads.requester_pays(it.through, name, here.account), present
        ),
        on_outposts=reads.on_outposts(lambda: it.listed) if it.load_balancers else frozenset(),
        account_block=(
            reads.account_block(reach.s3control, here.account) if any(public.values()) else {}
        ),
        stacks=seen,
        stack_names=reads.stack_names(reach.cloudformation, it.through),
        announced=announcement_counts(
            reach.cloudwatch, [arn for arn, each in topics.items() if each], it.now
        ),
        owner=owner.get("ID", ""),
        vended=reads.vended_logs(reach.logs),
        denied=frozenset(it.noted),
    )


class _Look:
    """Reads each thing once, and several things concurrently."""

    def __init__(self, reach: Reach, here: Stack) -> None:
        self.now = reach.clock()
        self.noted: list[Denied] = []
        self.through = reading(reach.clients, self.noted, reach.clock, lenient=True)
        self.load_balancers: dict[str, LoadBalancer | None] = {}
        self.buckets: dict[str, Bucket | Absent | Unreadable] = {}
        self._reach = reach
        self._here = here

    def each(self, read: Callable[[K], T], names: Iterable[K]) -> dict[K, T]:
        """Call `read` for each name, several at a time; return the results by name."""
        listed = list(names)
        return dict(zip(listed, self.through.each(read, listed), strict=True))

    def stack(self, stack: StackDescription) -> StackSeen | None:
        """Read a stack, and plan a run of it now; return None if it is not one of ours.

        Also records the buckets and the stack's load balancers that were read for the plan.
        """
        catalogue: tuple[str, Catalogue] | Unread
        planned: Planned | Unread
        catalogue = planned = Unread("the stack was not created", "Launch it, and check again.")
        if stack.status == REVIEW:
            return StackSeen(stack, planned, catalogue)
        try:
            existing = made_from(self._reach.cloudformation, stack)
        except OperatingError:
            return None
        except ClientError as error:
            if not denied(error):
                raise
            catalogue = planned = Unread.lacking("cloudformation:GetTemplate")
        else:
            if made(stack.status):
                catalogue, planned = self._catalogue(existing), self._planned(existing)
        refreshed = refreshes(self._reach.cloudwatch, stack, self.now)
        return StackSeen(stack, planned, catalogue, refreshed, self._failure(stack))

    def _failure(self, stack: StackDescription) -> str:
        """Return why the stack's last operation failed; empty if it did not fail, or if unknown."""
        if stack.status in SETTLED or not at_rest(stack.status):
            return ""
        client = self._reach.cloudformation
        found = optional(lambda: last_failure(client, stack.id), "cloudformation", "The events")
        return found if isinstance(found, str) else ""

    def _planned(self, existing: Existing) -> Planned | Unread:
        noted: list[Denied] = []
        through = reading(self._reach.clients, noted, self._reach.clock, lenient=True)
        try:
            request = asked.again(existing, self._reach.clock())
        except OperatingError as error:
            return Unread(error.what, error.fix)
        state = observed(request, through)
        self.noted += noted
        self.buckets.update((each.name, each) for each in state.present())
        mine = state.registered(request.stack)
        for arn, found in state.load_balancers.items():
            if arn in request.traces.load_balancers or (
                found and any(each.covers(found.logging.location, found.name) for each in mine)
            ):
                self.load_balancers[arn] = found
        return decided(request, state, through, tuple(sorted(set(noted))))

    def _catalogue(self, existing: Existing) -> tuple[str, Catalogue] | Unread:
        """Return a stack's version, and the list of versions beside its published release."""
        try:
            record = origin(existing.template)
            base = record.settings.vendor(self._here.partition).base_url
            if not base:
                return Unread("the template does not say where releases are", ASK)
            listed = self._reach.fetch(f"{base}/{VERSIONS}", LIMIT)
            return record.version, Catalogue.parse(listed, lenient=True)
        except PublishError as error:  # the error's fix is for the vendor
            return Unread(error.what, ASK)
        except DtLogsError as error:
            return Unread(error.what, error.fix)

    def named(self, arns: Sequence[str]) -> None:
        """Read load balancers by ARN; `*` is every application load balancer in the region."""
        wanted: dict[str, object] = {}
        for arn in arns:
            if arn != EVERY_LOAD_BALANCER and not re.fullmatch(LOAD_BALANCER_ARN, arn):
                raise UsageError(
                    f"{arn[:200]!r} is not the ARN of an application load balancer.",
                    "Give one like arn:…:loadbalancer/app/NAME/ID, or * for all.",
                )
            check_place(arn, self._here)
            wanted |= self.listed if arn == EVERY_LOAD_BALANCER else {arn: None}
        if arns and not wanted:
            raise OperatingError(
                "There is no application load balancer in this account and region.",
                "Give another --region, or use other credentials.",
            )
        self.load_balancers |= self.each(lambda arn: read_load_balancer(self.through, arn), wanted)

    @cached_property
    def listed(self) -> Mapping[str, bool]:
        """The region's application load balancers; the values say which are on an Outpost."""
        return reads.load_balancers(self._reach.clients[0])

    def present(self, logged_to: Iterable[str]) -> dict[str, Bucket]:
        """Read the buckets that load balancers log to; return all buckets that could be read."""
        unread = [each for each in dict.fromkeys(logged_to) if each not in self.buckets]
        account = self._here.account
        self.buckets |= self.each(lambda name: read_bucket(self.through, name, account), unread)
        return {name: each for name, each in self.buckets.items() if isinstance(each, Bucket)}

    def topics(self, bucket: Bucket, endpoints: set[str]) -> Iterable[tuple[str, TopicSeen | None]]:
        """Yield the topics that may announce a bucket's logs, by ARN; None for a missing topic.

        At a customer's topic, reads filters for `endpoints` and the statements' endpoints.
        """
        ends = endpoints | {each.endpoint for each in bucket.register(self._here)}
        own = self._here.topic_arn(bucket.name)
        for arn in {own, *foreign_topics(bucket.notifications, self._here)}:
            yield arn, topic(self.through, arn, ends if arn != own else set())
