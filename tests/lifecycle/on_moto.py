"""The scenarios' account in moto, set up and read by the same calls as the emulated account."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from support.events import ACCOUNT
from support.moto_account import Account as MotoAccount
from support.moto_account import make_clients
from support.moto_disagreements import agreed_settings

from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.account.iam.documents import canonical

REGION = "eu-west-1"


class OnMoto:
    """The part of the emulated account that scenarios use, implemented with moto's API."""

    account_id, region, partition = ACCOUNT, REGION, "aws"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._clients = make_clients(None, REGION)
        self._made = MotoAccount(self._clients)
        self.s3 = self._clients["s3"]

    @property
    def topics(self) -> list[str]:
        return self._made.topics()

    def client(self, service: str, **hooks: object) -> Any:
        return self._clients[service]

    def add_destination(self, arn: str) -> None:
        """Do nothing: moto does not check whether destinations exist."""

    def add_load_balancer(
        self, name: str, *, bucket: str = "", prefix: str = "", enabled: bool | None = None
    ) -> str:
        subnets = [each["SubnetId"] for each in self._clients["ec2"].describe_subnets()["Subnets"]]
        made = self._clients["elbv2"].create_load_balancer(Name=name, Subnets=subnets[:2])
        arn: str = made["LoadBalancers"][0]["LoadBalancerArn"]
        if bucket:
            self._made.set_logging(arn, bucket, prefix, enabled is not False)
        return arn

    def add_bucket(
        self,
        name: str,
        *,
        block: Mapping[str, bool],
        policy: Mapping[str, Any],
        notifications: Mapping[str, Any],
        tags: Mapping[str, str],
    ) -> None:
        s3, found = self.s3, {"Bucket": name}
        where = {"LocationConstraint": REGION}
        s3.create_bucket(
            **found, CreateBucketConfiguration=where, ObjectOwnership="BucketOwnerEnforced"
        )
        s3.put_public_access_block(**found, PublicAccessBlockConfiguration=block)
        s3.put_bucket_policy(**found, Policy=json.dumps(policy))
        as_moto_takes_it = json.loads(json.dumps(notifications).replace('"Prefix"', '"prefix"'))
        s3.put_bucket_notification_configuration(
            **found, NotificationConfiguration=as_moto_takes_it
        )
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        s3.put_bucket_tagging(**found, Tagging={"TagSet": pairs})

    def add_topic(self, name: str, policy: Mapping[str, Any]) -> str:
        made = self._clients["sns"].create_topic(
            Name=name, Attributes={"Policy": json.dumps(policy)}
        )
        return str(made["TopicArn"])


class Twin(Account):
    """The emulated account, with the same load balancer ARNs as in moto."""

    def __init__(self, clock: Clock, arns: list[str]) -> None:
        super().__init__(ACCOUNT, REGION, clock=clock)
        self._arns = list(arns)

    @property
    def topics(self) -> list[str]:
        return list(self.world.topics)

    def add_load_balancer(self, name: str, *args: Any, **given: Any) -> str:
        made = super().add_load_balancer(name, *args, **given)
        found = self.world.load_balancers.pop(made)
        found.arn = self._arns.pop(0)
        self.world.load_balancers[found.arn] = found
        return found.arn


def read(clients: Mapping[str, Any], topics: Iterable[str]) -> dict[str, Any]:
    """Return an account as its API shows it, with policies in canonical form."""
    found = MotoAccount({"ec2": None, "sqs": None, **clients})
    balancers = found.elbv2.describe_load_balancers()["LoadBalancers"]
    buckets = {name: agreed_settings(found.settings(name)) for name in found.buckets()}
    for settings in buckets.values():
        settings["policy"] = settings["policy"] and canonical(json.dumps(settings["policy"]))
    return {
        "logging": {arn: found.logging(arn) for arn in (e["LoadBalancerArn"] for e in balancers)},
        "buckets": buckets,
        "topics": {
            arn: (
                canonical(found.sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]),
                found.subscriptions(arn),
            )
            for arn in topics
        },
    }
