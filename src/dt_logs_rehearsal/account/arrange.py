"""What tests put into the world before, and do to it besides the handler."""

import json
from collections.abc import Mapping
from typing import Any

from dt_logs_rehearsal.account.elbv2.delivery import LogKind, write_log
from dt_logs_rehearsal.account.elbv2.load_balancers import new_load_balancer
from dt_logs_rehearsal.account.s3.notifications import kept
from dt_logs_rehearsal.account.sns.topics import default_policy
from dt_logs_rehearsal.account.spreading import Spreading
from dt_logs_rehearsal.account.world import BLOCK_ALL, SSE_S3, Bucket, Subscription, Topic, World


class Arrangement:
    """The helpers of an Account that change what there is, unchecked, or let logs be written."""

    account_id: str
    region: str
    partition: str
    world: World

    def add_load_balancer(
        self,
        name: str,
        kind: str = "application",
        *,
        bucket: str = "",
        prefix: str = "",
        enabled: bool | None = None,
        outpost: str = "",
    ) -> str:
        """Add a load balancer and return its ARN; with a bucket it logs there, unchecked."""
        found = new_load_balancer(self.world, name, kind, self.account_id, self.region)
        found.outpost = outpost
        if bucket:
            on = str(enabled is not False).lower()
            found.attributes |= {
                "access_logs.s3.enabled": on,
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
        versioned: bool = False,
    ) -> None:
        """Add a bucket as it may have come to be over the years: nothing is checked.

        `ownership` and `block` None were never set, which means ObjectWriter and public.
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
            versioning="Enabled" if versioned else "",
        )

    def add_topic(self, name: str, policy: Mapping[str, Any] | None = None) -> str:
        """Add a topic and return its ARN; without a policy it has SNS's default."""
        arn = f"arn:{self.partition}:sns:{self.region}:{self.account_id}:{name}"
        text = default_policy(arn) if policy is None else json.dumps(policy)
        attributes = {} if policy is None else {"Policy": text}
        self.world.topics[arn] = Topic(arn, self.account_id, attributes, {}, Spreading(text))
        return arn

    def add_destination(self, arn: str) -> None:
        """Let a queue or a function be there, admitting S3, for notifications to name."""
        self.world.destinations.add(arn)

    def confirm(self, subscription: str) -> None:
        """Confirm a subscription as its endpoint would; by ARN, or by endpoint for all of its."""
        for each in self._subscriptions(subscription):
            each.confirmed = True

    def unsubscribe(self, subscription: str) -> None:
        """End a subscription as its endpoint's owner would; by ARN, or by endpoint."""
        for each in self._subscriptions(subscription):
            self.world.ended[each.arn] = self.world.subscriptions.pop(each.arn), self.world.clock()

    def _subscriptions(self, wanted: str) -> list[Subscription]:
        found = self.world.subscriptions.values()
        return [each for each in found if wanted in (each.arn, each.endpoint)]

    def write_log(
        self, load_balancer: str, body: bytes = b"log", kind: LogKind = "access"
    ) -> str | None:
        """Let a load balancer write a log object and S3 announce it; return its key.

        None if logging is off or the bucket does not accept it: ELB drops such logs silently.
        """
        with self.world.lock:
            return write_log(self.world, self.world.load_balancers[load_balancer], kind, body)
