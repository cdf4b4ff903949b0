"""The emulated cloud's state, as plain data."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from math import inf
from random import Random
from threading import RLock
from typing import Any, Generic, TypeVar

from dt_logs_cfn.settings import DNS_SUFFIXES
from dt_logs_rehearsal.account.iam.policy import Principal

T = TypeVar("T")
Params = Mapping[str, Any]
Response = dict[str, Any]

# [S3 guide, "Default settings for new S3 buckets", since April 2023]
BLOCK_ALL = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
SSE_S3: list[dict[str, Any]] = [
    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
]


@dataclass(frozen=True)
class Consistency:
    """How long changes take to spread, in seconds.

    A read of a bucket's policy or notifications may return a state that is up to `stale_reads`
    seconds old. ELB sees a new bucket policy, and S3 a new topic policy, within `spreading`
    seconds. If roles are emulated, a new role does not have its permissions for the first
    `new_rights` seconds.
    """

    stale_reads: float = 0.0
    spreading: float = 0.0
    new_rights: float = 0.0


class Spreading(Generic[T]):
    """A value that spreads over time; the service that keeps it uses `latest` at once."""

    def __init__(self, value: T) -> None:
        self.latest = value
        self._puts = [(-inf, -inf, value)]

    def put(self, value: T, now: float, effective: float) -> None:
        """Change the value; other services see the new one from `effective` on."""
        self._puts.append((now, effective, value))
        self.latest = value

    def as_of(self, moment: float) -> T:
        """Return the value that was the latest at a given time."""
        return next(value for put, _, value in reversed(self._puts) if put <= moment)

    def effective(self, now: float) -> T:
        """Return the value that another service sees now."""
        return next(value for _, known, value in reversed(self._puts) if known <= now)


@dataclass(frozen=True)
class Caller:
    """A caller: an identity and its own policies, which are None for an administrator."""

    account: str
    arn: str
    policies: tuple[str, ...] | None = None

    @property
    def principal(self) -> Principal:
        """Return the caller as a principal, as policies name it."""
        return Principal(self.account, self.arn)


@dataclass
class StoredObject:
    """One version of an object; the body of a delete marker is None."""

    version: str
    body: bytes | None
    owner: str
    modified: float
    encryption: str = "AES256"
    for_bucket_owner: bool = True  # true if the ACL lets the bucket's owner read it


@dataclass
class Bucket:
    """A bucket as S3 keeps it."""

    name: str
    owner: str
    region: str
    created: float
    ownership: str | None = "BucketOwnerEnforced"
    encryption: list[dict[str, Any]] = field(default_factory=lambda: list(SSE_S3))
    public_access_block: dict[str, bool] | None = field(default_factory=lambda: dict(BLOCK_ALL))
    policy: Spreading[str | None] = field(default_factory=lambda: Spreading(None))
    notifications: Spreading[dict[str, Any]] = field(default_factory=lambda: Spreading({}))
    tags: dict[str, str] = field(default_factory=dict)
    lifecycle: dict[str, Any] | None = None  # as GetBucketLifecycleConfiguration returns it
    versioning: str = ""  # `Enabled` or `Suspended`; empty if never set
    payer: str = "BucketOwner"  # `Requester` if the requester pays
    abac: str = "Disabled"  # or `Enabled`
    objects: dict[str, list[StoredObject]] = field(default_factory=dict)

    def current(self, key: str) -> StoredObject | None:
        """Return the version that a plain GET returns, or None."""
        versions = self.objects.get(key)
        return versions[-1] if versions and versions[-1].body is not None else None

    def listing(self) -> list[str]:
        """Return the keys that a plain list shows, in S3's order."""
        return sorted((key for key in self.objects if self.current(key)), key=str.encode)

    def algorithm(self) -> str:
        """Return the algorithm of the default encryption."""
        rule = self.encryption[0].get("ApplyServerSideEncryptionByDefault", {})
        return str(rule.get("SSEAlgorithm", "AES256"))


@dataclass
class LoadBalancer:
    """A load balancer and its attributes."""

    arn: str
    name: str
    kind: str
    account: str
    region: str
    attributes: dict[str, str]
    outpost: str = ""  # the ID of the Outpost that it is on, if any


@dataclass
class Topic:
    """A topic; `attributes` are those that were set, including its policy."""

    arn: str
    owner: str
    attributes: dict[str, str]
    tags: dict[str, str]
    policy: Spreading[str]


@dataclass
class Subscription:
    """A subscription, pending until its endpoint confirms."""

    arn: str
    topic: str
    protocol: str
    endpoint: str
    owner: str
    attributes: dict[str, str]
    confirmed: bool


@dataclass(frozen=True)
class LogDelivery:
    """A delivery of a load balancer's logs by CloudWatch Logs; S3 attributes do not affect it.

    [ELB guide, load-balancer-cloudwatch-logs.md]
    """

    load_balancer: str
    log_type: str  # ALB_ACCESS_LOGS, ALB_CONNECTION_LOGS, ALB_HEALTH_CHECK_LOGS
    destination_type: str  # S3, CWL, FH
    destination: str


@dataclass(frozen=True)
class Metric:
    """A CloudWatch metric's value for one dimension, and its time."""

    at: float
    namespace: str
    name: str
    of: str
    value: float = 1.0


@dataclass
class World:
    """The state of all accounts; calls change it under `lock`."""

    partition: str
    clock: Callable[[], float]
    random: Random
    consistency: Consistency
    lock: RLock = field(default_factory=RLock)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    topics: dict[str, Topic] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    ended: dict[str, tuple[Subscription, float]] = field(default_factory=dict)  # with the end times
    log_deliveries: list[LogDelivery] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)  # endpoints that answer with a 4xx status
    account_blocks: dict[str, dict[str, bool]] = field(default_factory=dict)
    destinations: set[str] = field(default_factory=set)
    unknown_principals: set[str] = field(default_factory=set)
    organisations: dict[str, str] = field(default_factory=dict)  # organisation IDs by account
    # Service control policies as JSON, with Deny statements; they do not apply to administrators.
    control_policies: tuple[str, ...] = ()
    deliveries: defaultdict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _count: int = 0

    @property
    def domain(self) -> str:
        """The domain of the partition's endpoints."""
        return DNS_SUFFIXES[self.partition]

    def unique(self) -> str:
        """Return a new UUID; the same seed yields the same sequence."""
        self._count += 1
        return f"{self._count:08x}-{self.random.getrandbits(16):04x}-4000-8000-{self._count:012x}"

    def lag(self, longest: float) -> float:
        """Return a random time up to `longest`."""
        return self.random.uniform(0, longest) if longest else 0.0

    def change(self, value: Spreading[T], new: T) -> None:
        """Change a value; the change spreads within the time that `consistency` sets."""
        now = self.clock()
        value.put(new, now, now + self.lag(self.consistency.spreading))

    def seen(self, value: Spreading[T]) -> T:
        """Return the value that a client reads now, which may be stale."""
        if not self.consistency.stale_reads:
            return value.latest
        return value.as_of(self.clock() - self.lag(self.consistency.stale_reads))

    def restricts(self, bucket: Bucket, flag: str) -> bool:
        """Return whether a Block Public Access setting is on, for the bucket or its account."""
        of_account = self.account_blocks.get(bucket.owner, {})
        return (bucket.public_access_block or {}).get(flag, False) or of_account.get(flag, False)

    def root(self, account: str) -> Principal:
        """Return the principal that stands for a whole account: the account's root ARN."""
        return Principal(account, f"arn:{self.partition}:iam::{account}:root")


@dataclass(frozen=True)
class Call:
    """One API call; `roles` maps the names of existing roles to their ARNs, for calls to IAM."""

    service: str
    operation: str
    params: Params
    caller: Caller
    region: str
    roles: Mapping[str, str] = field(default_factory=dict)


Operation = Callable[[World, Call], Response]
Operations = Mapping[str, Operation]


def canonical_id(account: str) -> str:
    """Return the canonical user ID by which S3 names an account as an owner."""
    return account.rjust(64, "0")


def page(items: Sequence[T], token: str | None, size: int) -> tuple[Sequence[T], str | None]:
    """Return one page and the next page's token; tokens are offsets."""
    start = int(token) if token else 0
    end = start + size
    return items[start:end], str(end) if end < len(items) else None


def present(**members: Any) -> Response:
    """Return the members that are not empty; AWS leaves out empty members of its answers."""
    return {name: value for name, value in members.items() if value}


def moment(at: float) -> datetime:
    """Return a time, given in seconds since 1970, as the datetime that boto3 returns."""
    return datetime.fromtimestamp(at, timezone.utc)
