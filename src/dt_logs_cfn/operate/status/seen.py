"""What `status` has read of an account, and what it could not read; plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dt_logs_cfn.operate.account import Denied, TopicSeen, Unread
from dt_logs_cfn.operate.plans.planned import Planned
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_cfn.operate.status.refreshes import Refreshes
from dt_logs_cfn.template.templates import Origin
from dt_logs_handler.model import Absent, Bucket, LoadBalancer, Subscription, Topic, Unreadable
from dt_logs_handler.names import Location, Stack, digest
from dt_logs_handler.register import Registration
from dt_logs_handler.topics import ENDED

Verdict = Literal["ok", "waiting", "finding", "unknown"]


@dataclass(frozen=True)
class Check:
    """One check: its subject, what was seen, the verdict, and the fix.

    `waiting` will be ok by itself, and `unknown` could not be read. Only an ok check has no fix.
    """

    name: str
    subject: str
    saw: str
    verdict: Verdict
    fix: str = ""

    def __post_init__(self) -> None:
        if self.verdict != "ok" and not self.fix:
            raise ValueError(f"{self.name} has no fix")


@dataclass(frozen=True)
class LogObjects:
    """What ELB wrote: its test file, and the load balancer's newest log since yesterday."""

    test_file: bool
    newest: float | None  # seconds since 1970
    owner: str = ""  # the newest log's: a canonical user ID


@dataclass(frozen=True, order=True)
class VendedLogs:
    """One delivery of a load balancer's access logs by CloudWatch Logs."""

    load_balancer: str  # its ARN
    destination: str  # the ARN of a bucket, a log group or a stream


@dataclass(frozen=True)
class Announced:
    """SNS's counts for one topic over the last day, over all of its subscriptions.

    For an https endpoint `failed` counts attempts, including those that were repeated; for a queue
    it counts messages that were lost [SNS guide, sns-monitoring-using-cloudwatch.md].
    """

    delivered: int = 0
    failed: int = 0
    gap: Window | None = None  # in which the logs were stored whose deliveries failed


@dataclass(frozen=True)
class StackSeen:
    """One of our stacks, and what its parameters would change now."""

    stack: StackDescription
    marks: Stack
    origin: Origin | Unread
    planned: Planned | Unread
    versions: bytes | Unread  # the versions.json beside its release
    refreshes: Refreshes | Unread | None = None  # None without a schedule

    @property
    def subject(self) -> str:
        return f"stack {self.stack.name}"


@dataclass(frozen=True)
class Seen:
    """All that was read. What was denied is missing from the rest, so ask `denial` first.

    `stack_names` are those of every stack of the account and region, by tag.
    """

    marks: Stack  # of the account and region, for names that depend on no stack
    now: float
    load_balancers: Mapping[str, LoadBalancer | None] = field(default_factory=dict)
    buckets: Mapping[str, Bucket | Absent | Unreadable] = field(default_factory=dict)
    topics: Mapping[str, TopicSeen | None] = field(default_factory=dict)
    objects: Mapping[str, LogObjects] = field(default_factory=dict)  # by load balancer
    other_logs: Mapping[Location, tuple[str, ...]] = field(default_factory=dict)
    public: frozenset[str] = frozenset()  # buckets whose policy S3 considers public
    requester_pays: frozenset[str] = frozenset()  # buckets
    on_outposts: frozenset[str] = frozenset()  # load balancers
    account_block: Mapping[str, bool] | Unread = field(default_factory=dict)
    stacks: tuple[StackSeen, ...] = ()
    stack_names: Mapping[str, str] | Unread = field(default_factory=dict)
    announced: Mapping[str, Announced] | Unread = field(default_factory=dict)  # by topic
    owner: str = ""  # the account's canonical user ID, where a bucket's ownership asks for it
    vended: tuple[VendedLogs, ...] | Unread = ()
    denied: frozenset[Denied] = frozenset()

    def denial(self, named: str, *operations: str) -> Denied | None:
        """Return the first of these reads that was denied for this name or ARN."""
        found = (each for each in sorted(self.denied) if each.named == named)
        return next((each for each in found if each.operation in operations), None)

    def vended_to(self, arn: str) -> list[str]:
        """Return where CloudWatch Logs delivers a load balancer's access logs, as far as known."""
        known = () if isinstance(self.vended, Unread) else self.vended
        return [each.destination for each in known if each.load_balancer == arn]

    def bucket(self, name: str) -> Bucket | None:
        """Return a bucket, or None if it does not exist or could not be read."""
        found = self.buckets.get(name)
        return found if isinstance(found, Bucket) else None

    def claims(self, found: LoadBalancer) -> list[Registration]:
        """Return the registrations of a load balancer where it logs.

        An interrupted Delete leaves statements that name the account itself. They grant nothing
        and are not included.
        """
        bucket = self.bucket(found.logging.bucket)
        return [
            each
            for each in (bucket.register(self.marks) if bucket else [])
            if each.vendor != self.marks.account and each.covers(found.logging.location, found.name)
        ]

    def changed(self, tag: str) -> float:
        """Return when the stack with a tag was created or updated; 0 if it was not looked at."""
        return max((e.stack.changed for e in self.stacks if e.marks.tag == tag), default=0.0)

    def called(self, tag: str) -> str:
        """Return the name of the stack with a tag, or the tag if the name is unknown."""
        known = self.stack_names if not isinstance(self.stack_names, Unread) else {}
        return known.get(tag, f"with the tag {tag}")


@dataclass(frozen=True)
class Logs:
    """One load balancer that logs to an existing bucket."""

    seen: Seen
    load_balancer: LoadBalancer
    bucket: Bucket

    @property
    def subject(self) -> str:
        return self.load_balancer.name

    @property
    def location(self) -> Location:
        return self.load_balancer.logging.location

    def topic(self) -> tuple[str, TopicSeen | None]:
        """Return the ARN of our topic for the bucket, and the topic if it exists."""
        arn = self.seen.marks.topic_arn(self.bucket.name)
        return arn, self.seen.topics.get(arn)

    def subscribed(self, topic: Topic, claim: Registration) -> Subscription | None:
        """Return the subscription of a claim's endpoint to a topic; one that ended comes last."""
        found = [e for e in topic.subscriptions if digest(e.endpoint, 8) == claim.endpoint]
        return min(found, key=lambda each: each.arn == ENDED, default=None)


def denied_check(name: str, subject: str, denied: Denied) -> Check:
    """Return a check that needs a permission that is missing."""
    return unread_check(name, subject, denied.unread)


def unread_check(name: str, subject: str, unread: Unread) -> Check:
    """Return a check that could not be made."""
    return Check(name, subject, unread.why, "unknown", unread.fix)
