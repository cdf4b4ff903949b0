"""What becomes of logs: who gets them, who may read them."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from dt_logs_rehearsal.account.elbv2.delivery import deliver, log_key
from dt_logs_rehearsal.account.iam.access import account_context, bucket_says
from dt_logs_rehearsal.account.iam.policy import Decision, Request
from dt_logs_rehearsal.account.s3.objects import readable
from dt_logs_rehearsal.account.world import Bucket, LoadBalancer, World


class Verdicts:
    """The helpers of an Account that try out what was set up."""

    partition: str
    world: World

    def write_log(self, load_balancer: str, body: bytes = b"log") -> str | None:
        """Let a load balancer write a log object and S3 announce it; return its key.

        None where logging is off, or the bucket does not take it: ELB drops such logs in silence.
        """
        with self.world.lock:
            found = self.world.load_balancers[load_balancer]
            bucket = self.world.buckets.get(found.attributes.get("access_logs.s3.bucket", ""))
            on = found.attributes.get("access_logs.s3.enabled") == "true"
            if not on or bucket is None or bucket.region != found.region:
                return None
            key = log_key(found, found.attributes["access_logs.s3.prefix"], self._log_name(found))
            return key if deliver(self.world, bucket, found, key, body) else None

    def _log_name(self, found: LoadBalancer) -> str:
        """Return a name as [ELB guide, load-balancer-access-logs.md] has it."""
        now = datetime.fromtimestamp(self.world.clock(), timezone.utc)
        balancer = found.arn.partition(":loadbalancer/")[2].replace("/", ".")
        return (
            f"elasticloadbalancing/{found.region}/{now:%Y/%m/%d}/{found.account}"
            f"_elasticloadbalancing_{found.region}_{balancer}_{now:%Y%m%dT%H%MZ}_192.0.2.1"
            f"_{self.world.unique()[:8]}.log.gz"
        )

    def can_read(self, account: str, bucket: str, key: str) -> bool:
        """Tell whether an account may get an object; one that is missing as if S3 owned it well."""
        found = self.world.buckets[bucket]
        allowed = self._allowed(account, found, "s3:GetObject", key)
        return allowed and readable(found, found.current(key), account)

    def can_write(self, account: str, bucket: str, key: str) -> bool:
        """Tell whether an account may put an object."""
        return self._allowed(account, self.world.buckets[bucket], "s3:PutObject", key)

    def can_list(self, account: str, bucket: str, prefix: str = "") -> bool:
        """Tell whether an account may list the keys below a prefix."""
        found = self.world.buckets[bucket]
        return self._allowed(account, found, "s3:ListBucket", "", {"s3:prefix": prefix})

    def _allowed(
        self,
        account: str,
        bucket: Bucket,
        action: str,
        key: str,
        context: Mapping[str, str] | None = None,
    ) -> bool:
        principal = self.world.root(account)
        arn = f"arn:{self.partition}:s3:::{bucket.name}"
        request = Request(
            principal,
            action,
            f"{arn}/{key}" if key else arn,
            {**account_context(principal), "aws:resourceaccount": bucket.owner, **(context or {})},
        )
        decision = bucket_says(self.world, bucket, bucket.policy.latest, request)
        own = account == bucket.owner and decision is not Decision.DENY
        return own or decision is Decision.ALLOW

    def delivered(self, endpoint: str) -> list[dict[str, Any]]:
        """Return the messages that an endpoint, a queue or a function got, S3's as it sent them."""
        return [
            json.loads(each["Message"]) if each.get("Type") == "Notification" else each
            for each in self.world.deliveries[endpoint]
            if each.get("Type") != "SubscriptionConfirmation"
        ]
