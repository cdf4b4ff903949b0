"""Define the data of `status`: the results of its reads, the denied reads, and a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dt_logs_cfn.operate.account import Denied, TopicSeen, Unread
from dt_logs_cfn.operate.plans.planned import Planned
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_cfn.operate.status.metrics import Announced, Refreshes
from dt_logs_cfn.operate.status.reads import LogObjects, VendedLogs
from dt_logs_cfn.release.catalogue import Catalogue
from dt_logs_handler import notifications
from dt_logs_handler.model import Absent, Bucket, LoadBalancer, Step, Unreadable
from dt_logs_handler.names import EVERY_LOAD_BALANCER, Location, Stack
from dt_logs_handler.register import Registration

Verdict = Literal["ok", "waiting", "finding", "unknown"]
ASK = "Ask Data Theorem whether this release may still be used."
RUN_AGAIN = "Run the stack again: update it with another RunToken."
# This fix does not name a load balancer, so that equal checks of several are shown once.
ONBOARD = (
    "Onboard it: `dt-logs-cfn plan --add-load-balancer ARN` shows the changes, and `deploy` with"
    " the same options makes them."
)


@dataclass(frozen=True)
class Check:
    """One check: its name, subject, observation, verdict and fix.

    A judging function omits the name and subject; `checks` adds them. A `waiting` check becomes ok
    by itself. An `unknown` check could not be read or decided. Every check has a fix unless it is
    ok.
    """

    name: str
    subject: str
    saw: str
    verdict: Verdict
    fix: str = ""

    def __post_init__(self) -> None:
        if self.verdict != "ok" and not self.fix:
            raise ValueError(f"{self.saw!r} has no fix")


Named = tuple[str, Check]  # a check's name, and the check, in which the name is still empty


def ok(saw: str) -> Check:
    """Return a check that is ok."""
    return Check("", "", saw, "ok")


def finding(saw: str, fix: str) -> Check:
    """Return a check with a fault that somebody has to correct."""
    return Check("", "", saw, "finding", fix)


def unknown(saw: str, fix: str) -> Check:
    """Return a check with an inconclusive observation; `fix` says how to find out."""
    return Check("", "", saw, "unknown", fix)


def unread(found: Unread) -> Check:
    """Return an unknown check for a failed read."""
    return unknown(found.why, found.fix)


@dataclass(frozen=True)
class StackSeen:
    """One of our stacks, with the plan for a run now."""

    stack: StackDescription
    planned: Planned | Unread
    catalogue: tuple[str, Catalogue] | Unread  # the stack's version, and the list of all versions
    refreshes: Refreshes | Unread | None = None  # None without a schedule
    failure: str = ""  # why the stack's last operation failed, if known

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that a run of the stack would take now; empty if they are unknown."""
        found = None if isinstance(self.planned, Unread) else self.planned.plan
        return found.steps if found else ()


@dataclass(frozen=True)
class Seen:
    """The results of all reads. The result of a denied read is empty, so call `denial` first.

    `here` stands for the account and region. `stack_names` names every stack there, by tag.
    """

    here: Stack
    now: float
    load_balancers: Mapping[str, LoadBalancer | None]
    buckets: Mapping[str, Bucket | Absent | Unreadable]
    topics: Mapping[str, TopicSeen | None]
    objects: Mapping[str, LogObjects]  # by load balancer
    other_logs: Mapping[Location, tuple[str, ...]]
    public: Mapping[str, bool]  # whether S3 considers a bucket's policy public
    requester_pays: Mapping[str, bool]  # by bucket
    on_outposts: frozenset[str] | Unread  # load balancers
    account_block: Mapping[str, bool] | Unread
    stacks: tuple[StackSeen, ...]
    stack_names: Mapping[str, str] | Unread
    announced: Mapping[str, Announced] | Unread  # by topic
    owner: str  # the account's canonical user ID, if a bucket's ownership requires it
    vended: tuple[VendedLogs, ...] | Unread
    denied: frozenset[Denied]

    def denial(self, named: str, *operations: str) -> Unread | None:
        """Return the first denial of these operations on a name or ARN; None if there is none."""
        found = (each for each in sorted(self.denied) if each.named == named)
        return next((each.unread for each in found if each.operation in operations), None)

    @property
    def known_names(self) -> Mapping[str, str]:
        """The names of the stacks by tag, as far as known."""
        return {} if isinstance(self.stack_names, Unread) else self.stack_names

    def stacks_of(self, arn: str) -> list[StackSeen]:
        """Return the stacks whose list contains this load balancer or `*`."""
        wanted = {arn, EVERY_LOAD_BALANCER}
        return [each for each in self.stacks if wanted.intersection(each.stack.load_balancers)]

    def vended_to(self, arn: str) -> list[str]:
        """Return where CloudWatch Logs delivers a load balancer's access logs, as far as known."""
        known = () if isinstance(self.vended, Unread) else self.vended
        return [each.destination for each in known if each.load_balancer == arn]

    def claims(self, found: LoadBalancer) -> list[Registration]:
        """Return a load balancer's registrations at the location to which it logs.

        Omits registrations that do not grant anything, which an interrupted Delete leaves.
        """
        bucket = self.buckets.get(found.logging.bucket)
        return [
            each
            for each in (bucket.register(self.here) if isinstance(bucket, Bucket) else [])
            if not each.inert(self.here) and each.covers(found.logging.location, found.name)
        ]

    def changed(self, tag: str) -> float:
        """Return when the stack with a tag was created or last updated; 0 if it was not read."""
        return max(
            (e.stack.changed for e in self.stacks if e.stack.identity.tag == tag), default=0.0
        )

    def called(self, tag: str) -> str:
        """Return the name of the stack with a tag, or the tag if the name is unknown."""
        return self.known_names.get(tag, f"with the tag {tag}")


@dataclass(frozen=True)
class Logs:
    """One load balancer that logs to an existing bucket."""

    seen: Seen
    load_balancer: LoadBalancer
    bucket: Bucket

    @property
    def location(self) -> Location:
        return self.load_balancer.logging.location

    @property
    def claims(self) -> list[Registration]:
        """The registrations that let Data Theorem read these logs."""
        return self.seen.claims(self.load_balancer)

    @property
    def stacks(self) -> Sequence[StackSeen]:
        """The stacks that list the load balancer; if none does, all stacks that were read."""
        return self.seen.stacks_of(self.load_balancer.arn) or self.seen.stacks

    @property
    def vendors(self) -> list[str]:
        """Data Theorem's accounts from the statements or, if they name none, from the stacks."""
        named = [each.vendor for each in self.claims if each.vendor]
        given = (each.stack.vendor for each in self.stacks)
        return list(dict.fromkeys(named or filter(None, given)))

    @property
    def endpoints(self) -> Mapping[str, str]:
        """The stacks' tags by endpoint digest, from the statements or, without any, the stacks.

        Several stacks may share an endpoint; one of them then stands for all.
        """
        claimed = {each.endpoint: each.stack for each in self.claims}
        listed = (each.stack for each in self.seen.stacks_of(self.load_balancer.arn))
        return claimed or {each.endpoint: each.identity.tag for each in listed}

    @property
    def was_onboarded(self) -> bool:
        """True if a stack should let Data Theorem read these logs; checked if no statement does.

        The evidence is an existing stack's mark in the prefix, a stack's list, or our notification.
        The notification counts only if no stack has a statement for the location. A statement that
        does not grant anything shows that a deleted stack left the notification.
        """
        named = bool(self.seen.stacks_of(self.load_balancer.arn))
        marked = self.location.mark in self.seen.known_names
        own = notifications.own(self.bucket.notifications)
        announced = self.location.notification_id in own
        claims = self.bucket.register(self.seen.here)
        return marked or named or (announced and not any(e.covers(self.location) for e in claims))

    def check(self, name: str, judge: Callable[[Logs], Check], *operations: str) -> Named:
        """Judge these logs; return an unknown check instead if one of `operations` was denied."""
        denied = self.seen.denial(self.bucket.name, *operations)
        return name, unread(denied) if denied else judge(self)
