"""What a plan consists of: steps as plain data, in the order in which they are taken.

A step says what is to be so, not how: `apply` reads again before it writes, and a step whose end is
already reached changes nothing. `Guard` keeps what another stack uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from . import notifications, policy
from .marks import Location
from .model import Logging
from .request import Endpoint


@dataclass(frozen=True)
class Guard:
    """Leave it, if another stack's registration in the bucket claims this much of it."""

    bucket: str
    location: Location | None = None
    load_balancer: str | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class CreateBucket:
    """Make the bucket with the tags that say whose it is."""

    bucket: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class SecureBucket:
    """Block public access, encrypt with SSE-S3 and enforce the owner's ownership."""

    bucket: str


@dataclass(frozen=True)
class SetTags:
    """Set and drop some of the bucket's tags, keeping the others."""

    bucket: str
    tags: Mapping[str, str]
    drop: frozenset[str]


@dataclass(frozen=True)
class SetRetention:
    """Let objects expire after some days, keeping other lifecycle rules."""

    bucket: str
    days: int


@dataclass(frozen=True)
class EditPolicy:
    """Put and drop statements of ours in a bucket's policy."""

    bucket: str
    edit: policy.Edit


@dataclass(frozen=True)
class EnsureTopic:
    """Make the bucket's topic; `known_absent` tells that it was not there when we looked."""

    bucket: str
    topic: str
    tags: Mapping[str, str]
    known_absent: bool


@dataclass(frozen=True)
class Subscribe:
    """Subscribe the endpoint; `known_absent` tells that it was not there when we looked."""

    bucket: str
    topic: str
    endpoint: Endpoint
    filter_policy: str | None
    known_absent: bool


@dataclass(frozen=True)
class SetFilter:
    """Change the filter of our own subscription to a topic that is not ours."""

    subscription: str
    filter_policy: str
    was: str


@dataclass(frozen=True)
class EditNotifications:
    """Put and drop notifications of ours in a bucket's configuration."""

    bucket: str
    edit: notifications.Edit


@dataclass(frozen=True)
class SetLogging:
    """Change where an ALB logs; only if it is still as it was seen."""

    load_balancer: str
    was: Logging
    to: Logging
    guard: Guard | None = None


@dataclass(frozen=True)
class Unsubscribe:
    """End our subscription."""

    subscription: str  # empty where it is found by topic and endpoint
    topic: str
    endpoint: Endpoint
    filter_policy: str | None
    guard: Guard


@dataclass(frozen=True)
class DeleteTopic:
    """Delete the bucket's topic."""

    topic: str
    bucket: str
    guard: Guard


@dataclass(frozen=True)
class DeleteTestFile:
    """Delete the object that ELB wrote when logging was turned on."""

    location: Location
    guard: Guard


@dataclass(frozen=True)
class DeleteBucket:
    """Delete the bucket, unless it holds anything; only if `maker` made it, where one is given."""

    bucket: str
    guard: Guard
    maker: str | None = None


Step: TypeAlias = (
    CreateBucket
    | SecureBucket
    | SetTags
    | SetRetention
    | EditPolicy
    | EnsureTopic
    | Subscribe
    | SetFilter
    | EditNotifications
    | SetLogging
    | Unsubscribe
    | DeleteTopic
    | DeleteTestFile
    | DeleteBucket
)


@dataclass(frozen=True)
class Placement:
    """Where one ALB logs once the plan is carried out."""

    load_balancer: str
    location: Location


@dataclass(frozen=True)
class Plan:
    """Steps in order, where each ALB will log, and what could not or will not be done.

    `refused` has a reason for each ALB left out (only ever with `*`); `kept` says in words what
    stays behind.
    """

    steps: tuple[Step, ...] = ()
    placements: tuple[Placement, ...] = ()
    refused: Mapping[str, str] | None = None
    kept: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that are known to change something.

        Where the role may not look at topics, making sure of them is part of every plan.
        """
        return tuple(
            step
            for step in self.steps
            if not isinstance(step, (EnsureTopic, Subscribe)) or step.known_absent
        )
