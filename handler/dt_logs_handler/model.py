"""What is observed of the account: plain, comparable data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .documents import Json
from .marks import BUCKET_TAG, Location, Stack
from .notifications import Configuration
from .register import Registration, registrations


@dataclass(frozen=True)
class Logging:
    """An ALB's access-log attributes."""

    enabled: bool = False
    bucket: str = ""
    prefix: str = ""

    @property
    def location(self) -> Location:
        return Location(self.bucket, self.prefix)


@dataclass(frozen=True)
class LoadBalancer:
    """An application load balancer; `name` is the `app/NAME/ID` that ends its ARN."""

    arn: str
    logging: Logging

    @property
    def name(self) -> str:
        return self.arn.partition(":loadbalancer/")[2]


@dataclass(frozen=True)
class Bucket:
    """A bucket of this account, with all of its configuration that matters here."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    notifications: Configuration = field(default_factory=dict)
    encryption: str = "AES256"
    ownership: str = "BucketOwnerEnforced"
    public_access_block: Mapping[str, bool] = field(default_factory=dict)
    public: bool = False  # S3 deems the policy public
    region: str = ""  # read only where no ALB logs to it yet
    lifecycle: tuple[Mapping[str, Json], ...] = ()  # read only for a bucket that we made

    @property
    def maker(self) -> str | None:
        """The tag of the stack that made the bucket, if one of ours did."""
        return self.tags.get(BUCKET_TAG)

    def register(self, stack: Stack) -> list[Registration]:
        return registrations(self.policy, self.name, stack)


@dataclass(frozen=True)
class Absent:
    """A bucket that does not exist."""


@dataclass(frozen=True)
class Unreadable:
    """A bucket that we may not read, and what AWS said."""

    why: str

    def told(self, name: str) -> str:
        return f"bucket {name} could not be read ({self.why})"


@dataclass(frozen=True)
class Subscription:
    """A subscription to a topic; `arn` is AWS's word for it while it awaits confirmation."""

    arn: str
    topic: str
    protocol: str
    endpoint: str
    filter_policy: str | None = None  # read only on topics that are not ours

    @property
    def confirmed(self) -> bool:
        return self.arn.startswith("arn:")


@dataclass(frozen=True)
class Topic:
    """A topic that exists, its policy (read only for ours) and its subscriptions."""

    arn: str
    policy: str
    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True)
class State:
    """All that a plan is made from.

    `load_balancers` holds None for an ARN that does not exist. `topics` is None where the role
    may not look, and holds None for a topic that does not exist. `regional` tells whether the
    boto3 in use knows the account-regional namespace for buckets. `known` are the ARNs that the
    stack had registered when the run began, and that may therefore have vanished. `failed` says
    why the logging of some could not be turned on, by ARN.
    """

    load_balancers: Mapping[str, LoadBalancer | None]
    buckets: Mapping[str, Bucket | Absent | Unreadable]
    topics: Mapping[str, Topic | None] | None
    regional: bool = True
    known: frozenset[str] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[str, ...] = ()  # what a search could not read, in words

    def present(self) -> list[Bucket]:
        """Return the buckets that exist and can be read."""
        return [each for each in self.buckets.values() if isinstance(each, Bucket)]
