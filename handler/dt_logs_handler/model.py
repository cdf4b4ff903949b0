"""The data that the stages of a run exchange: the observed state, and the plan made from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from .documents import Configuration, Json, listed
from .names import BUCKET_TAG, Location, Stack, is_own_bucket_name, load_balancer_name
from .notifications import NotificationEdit
from .register import PolicyEdit, Registration, registrations
from .request import Endpoint

RETENTION_RULE = "dt-logs-analysis"
PRIVATE = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


@dataclass(frozen=True)
class Logging:
    """A load balancer's access-log attributes."""

    enabled: bool = False
    bucket: str = ""
    prefix: str = ""

    @property
    def location(self) -> Location:
        return Location(self.bucket, self.prefix)


@dataclass(frozen=True)
class LoadBalancer:
    """An application load balancer; `name` is the `app/NAME/ID` at the end of its ARN."""

    arn: str
    logging: Logging

    @property
    def name(self) -> str:
        return load_balancer_name(self.arn)


@dataclass(frozen=True)
class Bucket:
    """A bucket of this account, with the parts of its configuration that a plan depends on."""

    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None
    notifications: Configuration = field(default_factory=dict)
    encryption: str = "AES256"
    ownership: str = "BucketOwnerEnforced"
    public_access_block: Mapping[str, bool] = field(default_factory=dict)
    public: bool = False  # true if S3 considers the policy public; read only if needed
    region: str = ""  # read only if logging to the bucket may be turned on
    lifecycle: Configuration = field(default_factory=dict)  # read only for buckets that we made

    @property
    def maker(self) -> str | None:
        """The tag of the stack that made the bucket, or None if none of our stacks did."""
        return self.tags.get(BUCKET_TAG)

    @property
    def secure(self) -> bool:
        """True if the bucket blocks public access, encrypts with SSE-S3 and disables ACLs."""
        return (
            all(self.public_access_block.get(key) for key in PRIVATE)
            and self.encryption == "AES256"
            and self.ownership == "BucketOwnerEnforced"
        )

    @property
    def retention(self) -> int | None:
        """The days after which our lifecycle rule expires objects and old versions, or None.

        None means that the rule is missing or disabled, or that the two numbers of days differ.
        """
        for rule in map(_fields, listed(self.lifecycle.get("Rules"))):
            if rule.get("ID") == RETENTION_RULE and rule.get("Status") == "Enabled":
                days = _fields(rule.get("Expiration")).get("Days")
                old = _fields(rule.get("NoncurrentVersionExpiration")).get("NoncurrentDays")
                return days if isinstance(days, int) and days == old else None
        return None

    def register(self, stack: Stack) -> list[Registration]:
        return registrations(self.policy, self.name, stack)


def _fields(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Absent:
    """A bucket that does not exist."""


@dataclass(frozen=True)
class Unreadable:
    """A bucket that we cannot read, with AWS's reason, and its policy if that was readable."""

    why: str
    policy: str | None = None

    def told(self, name: str) -> str:
        return f"bucket {name} could not be read ({self.why})"

    def registered(self, name: str, stack: Stack) -> list[Registration]:
        """Return this stack's registrations; none if the policy could not be read."""
        found = registrations(self.policy, name, stack)
        return [each for each in found if each.stack == stack.tag]


@dataclass(frozen=True)
class Subscription:
    """A subscription to a topic; until it is confirmed, `arn` is AWS's placeholder."""

    arn: str
    topic: str
    protocol: str
    endpoint: str
    filter_policy: str | None = None  # read only for our endpoints at foreign topics

    @property
    def confirmed(self) -> bool:
        return self.arn.startswith("arn:")


@dataclass(frozen=True)
class Topic:
    """A topic with its subscriptions; its policy is read for our own topics only."""

    arn: str
    policy: str
    subscriptions: tuple[Subscription, ...]


@dataclass(frozen=True)
class State:
    """The observed state, from which a plan is made.

    `load_balancers` holds None for a load balancer that does not exist. `topics` is None if the
    role may not read topics, and holds None for a topic that does not exist. `regional` is true if
    our bucket's name can be in the account-regional namespace. `known` holds the ARNs of load
    balancers that the stack may have registered before the run. `again` is true if an earlier
    request named the same load balancers and bucket. `ours` holds locations where only this stack
    can have turned on logging. `failed` holds, by ARN, the reason why a load balancer could not be
    onboarded.
    """

    load_balancers: Mapping[str, LoadBalancer | None]
    buckets: Mapping[str, Bucket | Absent | Unreadable]
    topics: Mapping[str, Topic | None] | None
    regional: bool = True
    known: frozenset[str] = frozenset()
    again: bool = False
    ours: frozenset[Location] = frozenset()
    failed: Mapping[str, str] = field(default_factory=dict)
    lost: bool = False  # true if a registered load balancer may now log elsewhere
    unread: tuple[str, ...] = ()  # descriptions of what the search for registrations did not read

    @property
    def names(self) -> frozenset[str]:
        """The names of the load balancers that exist."""
        return frozenset(each.name for each in self.load_balancers.values() if each)

    def present(self) -> list[Bucket]:
        """Return the buckets that exist and can be read."""
        return [each for each in self.buckets.values() if isinstance(each, Bucket)]

    def register(self, stack: Stack) -> list[Registration]:
        """Return this stack's registrations, and others' registrations that grant something."""
        found = (each for bucket in self.present() for each in bucket.register(stack))
        return [each for each in found if each.stack == stack.tag or not each.inert(stack)]

    def registered(self, stack: Stack) -> list[Registration]:
        """Return this stack's registrations."""
        return [each for each in self.register(stack) if each.stack == stack.tag]

    def turned_on(self, logging: Logging, stack: Stack) -> str | None:
        """Return the tag of the stack that turned on this logging, or None if none of ours did.

        A mark in the prefix is not enough, because another tool may have set another bucket and
        kept the prefix. If the bucket no longer exists, the mark is enough.
        """
        location, bucket = logging.location, self.buckets.get(logging.bucket)
        ours = location in self.ours or is_own_bucket_name(location.bucket)
        if isinstance(bucket, Bucket):
            claims = bucket.register(stack)
            claimed = any(each.turned_on and each.covers(location) for each in claims)
            ours |= bucket.maker is not None or claimed
        return location.mark if ours or isinstance(bucket, Absent) else None


@dataclass(frozen=True)
class CreateBucket:
    """Create the bucket with its tags, including the tag that names our stack."""

    bucket: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class SecureBucket:
    """Block public access, encrypt with SSE-S3 and set BucketOwnerEnforced."""

    bucket: str


@dataclass(frozen=True)
class SetTags:
    """Set and remove some of the bucket's tags, and keep the others."""

    bucket: str
    tags: Mapping[str, str]
    drop: frozenset[str] = frozenset()

    def applied(self, tags: Mapping[str, str]) -> Mapping[str, str]:
        return {**{key: tags[key] for key in tags if key not in self.drop}, **self.tags}


@dataclass(frozen=True)
class SetRetention:
    """Expire objects and old versions after `days`, and keep the other lifecycle rules.

    Also ends incomplete uploads after a week.
    """

    bucket: str
    days: int

    def applied(self, lifecycle: Configuration) -> Configuration:
        found = map(_fields, listed(lifecycle.get("Rules")))
        others: list[Json] = [each for each in found if each.get("ID") != RETENTION_RULE]
        rule: dict[str, Json] = {
            "ID": RETENTION_RULE,
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"Days": self.days},
            "NoncurrentVersionExpiration": {"NoncurrentDays": self.days},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
        if any("Prefix" in _fields(each) for each in others):
            rule["Prefix"] = ""  # S3 refuses to mix rules with and without a filter
            del rule["Filter"]
        return {**lifecycle, "Rules": [*others, rule]}


@dataclass(frozen=True)
class EditPolicy:
    """Put, remove and disarm our statements in a bucket's policy."""

    bucket: str
    edit: PolicyEdit


@dataclass(frozen=True)
class EnsureTopic:
    """Create the bucket's topic; `known_absent` means that it did not exist when we looked.

    `before` means that the stack already used the bucket; a topic with another policy or other tags
    then stays as it is.
    """

    bucket: str
    topic: str
    tags: Mapping[str, str]
    known_absent: bool
    before: bool = False


@dataclass(frozen=True)
class Subscribe:
    """Subscribe the endpoint; `known_absent` means that it was not subscribed when we looked."""

    bucket: str
    topic: str
    endpoint: Endpoint
    filter_policy: str | None
    known_absent: bool


@dataclass(frozen=True)
class SetFilter:
    """Change the filter of our subscription to a foreign topic."""

    bucket: str
    subscription: str
    filter_policy: str


@dataclass(frozen=True)
class EditNotifications:
    """Put and remove our notifications in a bucket's configuration."""

    bucket: str
    edit: NotificationEdit


@dataclass(frozen=True)
class SetLogging:
    """Change a load balancer's logging, unless it has changed since we looked."""

    load_balancer: str
    was: Logging
    to: Logging

    @property
    def bucket(self) -> str:
        return self.was.bucket


@dataclass(frozen=True)
class Unsubscribe:
    """End our subscription; `live` means that something may still publish to the topic."""

    subscription: str
    topic: str
    endpoint: Endpoint
    bucket: str
    live: bool


@dataclass(frozen=True)
class DeleteTopic:
    """Delete the bucket's topic."""

    topic: str
    bucket: str


@dataclass(frozen=True)
class DeleteTestFile:
    """Delete the test file that ELB wrote when logging was turned on."""

    location: Location

    @property
    def bucket(self) -> str:
        return self.location.bucket


@dataclass(frozen=True)
class DeleteBucket:
    """Delete the bucket if it is empty."""

    bucket: str


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
    """The location to which a load balancer logs once the plan is carried out."""

    load_balancer: str
    location: Location


@dataclass(frozen=True)
class Plan:
    """The steps in order, each load balancer's location after them, and what is left out.

    `refused` gives the reason for each load balancer that is left out. `warnings` describe what
    cannot be used and stays as it is; `kept` describes what stays behind. `tolerated` lists the
    steps that may fail, each with the load balancers that then fail; if a step has none, no load
    balancer fails.
    """

    steps: tuple[Step, ...] = ()
    placements: tuple[Placement, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    tolerated: tuple[tuple[Step, tuple[str, ...]], ...] = ()

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that are known to change something.

        If the role may not read topics, every plan creates the topics and subscriptions again;
        these steps do not count.
        """
        return tuple(
            step
            for step in self.steps
            if not isinstance(step, (EnsureTopic, Subscribe)) or step.known_absent
        )
