"""What tests put into the world before, and do to it besides the handler."""

import json
from collections.abc import Mapping
from typing import Any

from dt_logs_rehearsal.account.elbv2.load_balancers import new_load_balancer
from dt_logs_rehearsal.account.s3.notifications import kept
from dt_logs_rehearsal.account.sns.topics import add_topic, default_policy
from dt_logs_rehearsal.account.spreading import Spreading
from dt_logs_rehearsal.account.world import BLOCK_ALL, SSE_S3, Bucket, World


class Arrangement:
    """The helpers of an Account that change what there is, unchecked."""

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
    ) -> str:
        """Add a load balancer and return its ARN; with a bucket it logs there, unchecked."""
        found = new_load_balancer(self.world, name, kind, self.account_id, self.region)
        if bucket:
            on = str(enabled is not False).lower()
            found.attributes |= {
                "access_logs.s3.enabled": on,
                "access_logs.s3.bucket": bucket,
                "access_logs.s3.prefix": prefix,
            }
        self.world.load_balancers[found.arn] = found
        return found.arn

    def delete_load_balancer(self, arn: str) -> None:
        """Take a load balancer away."""
        del self.world.load_balancers[arn]

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
            versioned=versioned,
        )

    def add_topic(self, name: str, policy: Mapping[str, Any] | None = None) -> str:
        """Add a topic and return its ARN; without a policy it has SNS's default."""
        arn = f"arn:{self.partition}:sns:{self.region}:{self.account_id}:{name}"
        text = default_policy(arn) if policy is None else json.dumps(policy)
        attributes = {} if policy is None else {"Policy": text}
        add_topic(self.world, arn, attributes, {}, Spreading(text))
        return arn

    def add_destination(self, arn: str) -> None:
        """Let a queue or a function be there, admitting S3, for notifications to name."""
        self.world.destinations.add(arn)

    def forget_principal(self, arn: str, unique_id: str) -> None:
        """Delete a role or user: bucket policies show its unique id from now on.

        No policy with that id, or the ARN, can be put again.
        """
        self.world.unknown_principals.add(arn)
        for bucket in self.world.buckets.values():
            if bucket.policy.latest is not None:
                text = bucket.policy.latest.replace(json.dumps(arn), json.dumps(unique_id))
                self.world.change(bucket.policy, text)

    def confirm(self, subscription: str) -> None:
        """Confirm a subscription as its endpoint would; by ARN, or by endpoint for all of its."""
        for each in self.world.subscriptions.values():
            if subscription in (each.arn, each.endpoint):
                each.confirmed = True
