"""An emulated AWS account: its clients, and the world around it that tests set up and inspect."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, cast

from dt_logs_rehearsal.account.client import Client, Hook, no_hook
from dt_logs_rehearsal.account.delivery import entries, filters
from dt_logs_rehearsal.account.elbv2 import LogKind, new_load_balancer, write_log
from dt_logs_rehearsal.account.iam.policy import canonical
from dt_logs_rehearsal.account.s3.notifications import kept
from dt_logs_rehearsal.account.s3.objects import etag
from dt_logs_rehearsal.account.sns.topics import default_policy
from dt_logs_rehearsal.account.world import (
    BLOCK_ALL,
    SSE_S3,
    Bucket,
    Caller,
    Consistency,
    Spreading,
    StoredObject,
    Subscription,
    Topic,
    World,
)

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient


Snapshot = dict[str, Any]


class Time(Protocol):
    """A clock with a `sleep` that waits until the clock has advanced by this number of seconds."""

    def __call__(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


@dataclass
class Clock:
    """A clock, in seconds since 1970, that only `sleep` moves forward."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the clock forward."""
        self.now += seconds


class Account:
    """One account in one region, in a world that may also hold other accounts' buckets and topics.

    Several threads may use the clients. Methods like `add_bucket` change the world without checks.
    `old_boto3` makes S3 clients reject newer parameters, as a two-year-old boto3 does.
    """

    def __init__(
        self,
        account_id: str = "111122223333",
        region: str = "us-east-1",
        partition: str = "aws",
        *,
        clock: Time | None = None,
        seed: int = 0,
        consistency: Consistency | None = None,
        old_boto3: bool = False,
    ) -> None:
        self.account_id = account_id
        self.region = region
        self.partition = partition
        self.clock: Time = clock or Clock()
        self.world = World(partition, self.clock, Random(seed), consistency or Consistency())
        self._old = old_boto3

    @property
    def s3(self) -> S3Client:
        """Return an administrator's S3 client."""
        return cast("S3Client", self.client("s3"))

    @property
    def sns(self) -> SNSClient:
        """Return an administrator's SNS client."""
        return cast("SNSClient", self.client("sns"))

    @property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """Return an administrator's Elastic Load Balancing client."""
        return cast("ElasticLoadBalancingv2Client", self.client("elbv2"))

    def client(
        self,
        service: str,
        *,
        caller: Caller | None = None,
        region: str | None = None,
        before: Hook = no_hook,
        after: Hook = no_hook,
    ) -> Any:
        """Return a service's client, with hooks that run as `Client` describes.

        The default caller is an administrator of this account.
        """
        who = caller or self.caller()
        where = region or self.region
        return Client(self.world, service, who, where, before, after, self._old)

    def caller(
        self,
        policies: Sequence[Mapping[str, Any]] | None = None,
        *,
        account: str | None = None,
        role: str = "handler",
    ) -> Caller:
        """Return a role's session as a caller: an administrator if `policies` is None."""
        owner = account or self.account_id
        arn = f"arn:{self.partition}:sts::{owner}:assumed-role/{role}/session"
        own = None if policies is None else tuple(json.dumps(each) for each in policies)
        return Caller(owner, arn, own)

    def snapshot(self) -> Snapshot:
        """Return the state of load balancers, S3 and SNS as comparable data, for `changes.diff`."""
        with self.world.lock:
            return _snapshot(self.world)

    def add_load_balancer(
        self,
        name: str,
        kind: str = "application",
        *,
        bucket: str = "",
        prefix: str = "",
        enabled: bool = True,
        outpost: str = "",
    ) -> str:
        """Add a load balancer and return its ARN; `bucket` sets access logging without checks."""
        found = new_load_balancer(self.world, name, kind, self.account_id, self.region)
        found.outpost = outpost
        if bucket:
            found.attributes |= {
                "access_logs.s3.enabled": str(enabled).lower(),
                "access_logs.s3.bucket": bucket,
                "access_logs.s3.prefix": prefix,
            }
        self.world.load_balancers[found.arn] = found
        return found.arn

    def add_bucket(
        self,
        name: str,
        *,
        owner: str | None = None,
        region: str | None = None,
        ownership: str | None = "BucketOwnerEnforced",
        kms: bool = False,
        block: Mapping[str, bool] | None = BLOCK_ALL,
        policy: Mapping[str, Any] | None = None,
        notifications: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add a bucket in any state that an old bucket may have; nothing is checked.

        By default, the bucket is in this account and region. A setting that is None was never
        configured. Without `ownership`, the bucket behaves as with ObjectWriter; without `block`,
        every Block Public Access setting is off.
        """
        text = None if policy is None else json.dumps(policy, separators=(",", ":"))
        encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
        self.world.buckets[name] = Bucket(
            name=name,
            owner=owner or self.account_id,
            region=region or self.region,
            created=self.world.clock(),
            ownership=ownership,
            encryption=[encryption] if kms else list(SSE_S3),
            public_access_block=None if block is None else dict(block),
            policy=Spreading(text),
            notifications=Spreading(kept(self.world, dict(notifications or {}))),
            tags=dict(tags or {}),
        )

    def add_topic(self, name: str, policy: Mapping[str, Any] | None = None) -> str:
        """Add a topic and return its ARN; without `policy`, it has SNS's default policy."""
        arn = f"arn:{self.partition}:sns:{self.region}:{self.account_id}:{name}"
        text = default_policy(arn) if policy is None else json.dumps(policy)
        attributes = {} if policy is None else {"Policy": text}
        self.world.topics[arn] = Topic(arn, self.account_id, attributes, {}, Spreading(text))
        return arn

    def add_destination(self, arn: str) -> None:
        """Add a notification destination: a queue or function to which S3 may send events."""
        self.world.destinations.add(arn)

    def confirm(self, subscription: str) -> None:
        """Confirm the subscriptions with this ARN or endpoint, as the endpoint would."""
        for each in self._subscriptions(subscription):
            each.confirmed = True

    def unsubscribe(self, subscription: str) -> None:
        """End the subscriptions with this ARN or endpoint, as the endpoint's owner would."""
        for each in self._subscriptions(subscription):
            self.world.ended[each.arn] = self.world.subscriptions.pop(each.arn), self.world.clock()

    def _subscriptions(self, wanted: str) -> list[Subscription]:
        found = self.world.subscriptions.values()
        return [each for each in found if wanted in (each.arn, each.endpoint)]

    def write_log(
        self, load_balancer: str, body: bytes = b"log", kind: LogKind = "access"
    ) -> str | None:
        """Let a load balancer write a log file and S3 announce it; return the file's key.

        Return None if logging is off or ELB cannot write to the bucket: ELB then drops the file
        silently.
        """
        with self.world.lock:
            return write_log(self.world, self.world.load_balancers[load_balancer], kind, body)


def _snapshot(world: World) -> Snapshot:
    """Return the state of load balancers, S3 and SNS as data, without meaningless differences.

    Times, and the IDs of subscriptions and versions, are left out. `versions` holds what a plain
    list does not show: old versions and delete markers.
    """
    return {
        "load_balancers": {arn: dict(lb.attributes) for arn, lb in world.load_balancers.items()},
        "buckets": {name: _bucket(each) for name, each in world.buckets.items()},
        "topics": {
            arn: {
                "policy": canonical(each.policy.latest),
                "attributes": {k: v for k, v in each.attributes.items() if k != "Policy"},
                "tags": dict(each.tags),
            }
            for arn, each in world.topics.items()
        },
        "subscriptions": {
            " ".join((each.topic, each.protocol, each.endpoint)): _subscription(each)
            for each in world.subscriptions.values()
        },
        "account_blocks": {account: dict(each) for account, each in world.account_blocks.items()},
    }


def _bucket(bucket: Bucket) -> Snapshot:
    lifecycle = bucket.lifecycle or {"Rules": []}
    return {
        "owner": bucket.owner,
        "region": bucket.region,
        "Object Ownership": bucket.ownership,
        "default encryption": json.loads(json.dumps(bucket.encryption)),
        "Block Public Access": bucket.public_access_block and dict(bucket.public_access_block),
        "policy": canonical(bucket.policy.latest),
        "notifications": _notifications(bucket.notifications.latest),
        "tags": dict(bucket.tags),
        "lifecycle": sorted(json.dumps(each, sort_keys=True) for each in lifecycle["Rules"]),
        "TransitionDefaultMinimumObjectSize": lifecycle.get("TransitionDefaultMinimumObjectSize"),
        "settings": {each: getattr(bucket, each) for each in ("versioning", "payer", "abac")},
        "objects": {key: _version(bucket.objects[key][-1]) for key in bucket.listing()},
        "versions": {
            key: [_version(each) for each in found if each is not bucket.current(key)]
            for key, found in bucket.objects.items()
            if found != [bucket.current(key)]
        },
    }


def _version(stored: StoredObject) -> list[str]:
    marker = stored.body is None
    return ["delete marker"] if marker else [stored.owner, etag(stored), stored.encryption]


def _notifications(configuration: dict[str, Any]) -> Snapshot:
    """Return whether EventBridge is on, and the entries by kind and Id: order has no meaning."""
    found: Snapshot = {"EventBridge": "EventBridgeConfiguration" in configuration}
    for kind, arn, entry in entries(configuration):
        prefix, suffix = filters(entry)
        about = {"events": sorted(entry["Events"]), "prefix": prefix, "suffix": suffix}
        found[f"{kind} {entry['Id']}"] = {"to": arn, **about}
    return found


def _subscription(subscription: Subscription) -> Snapshot:
    attributes: Snapshot = dict(subscription.attributes)
    if "FilterPolicy" in attributes:
        attributes["FilterPolicy"] = json.loads(attributes["FilterPolicy"])
    own = {"owner": subscription.owner, "confirmed": subscription.confirmed}
    return {**own, "attributes": attributes}
