"""An AWS account in moto with real boto3 clients, and its state as plain data to compare."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket
from moto.s3.responses import S3Response

from dt_logs_handler.main import Clients

from .events import ACCOUNT, GLOBAL_BUCKET, OWN_BUCKET, REGION

Snapshot = dict[str, Any]
PRIVATE = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)
# A bucket's settings: the operation that reads each, and the member of its answer.
_SETTINGS = {
    "policy": ("bucket_policy", "Policy"),
    "tags": ("bucket_tagging", "TagSet"),
    "ownership": ("bucket_ownership_controls", "OwnershipControls"),
    "public access block": ("public_access_block", "PublicAccessBlockConfiguration"),
    "encryption": ("bucket_encryption", "ServerSideEncryptionConfiguration"),
    "lifecycle": ("bucket_lifecycle_configuration", "Rules"),
}


@cache
def make_clients(url: str | None = None, region: str = REGION) -> Any:
    """Return clients that all tests can share; moto answers them only while it is active."""
    session: Any = boto3.Session("id", "key", region_name=region)
    names = ("ec2", "elbv2", "s3", "sns")
    return {name: session.client(name, endpoint_url=url) for name in names}


class Account:
    """The account, set up and read back only through its public API.

    It has the methods of the emulated account that the scenarios use.
    """

    account_id, partition = ACCOUNT, "aws"

    def __init__(self, clients: Mapping[str, Any], region: str = REGION) -> None:
        self.ec2, self.elbv2, self.s3, self.sns = map(clients.get, ("ec2", "elbv2", "s3", "sns"))
        self.region = region
        self._clients = clients
        self._subnets: list[str] = []

    def client(self, service: str) -> Any:
        return self._clients[service]

    @property
    def own_bucket(self) -> str:
        """The name of the stack's own bucket, which depends on the installed boto3."""
        known = self.s3.meta.service_model.shape_for("CreateBucketRequest").members
        return OWN_BUCKET if "BucketNamespace" in known else GLOBAL_BUCKET

    def clients(self) -> Clients:
        """Return the clients that the handler uses."""
        return self.elbv2, self.s3, self.sns

    def add_load_balancer(
        self,
        name: str = "web",
        kind: str = "application",
        *,
        bucket: str = "",
        prefix: str = "",
        enabled: bool = True,
    ) -> str:
        """Make a load balancer, and return its ARN; it logs if it has a bucket and is `enabled`."""
        made = self.elbv2.create_load_balancer(Name=name, Subnets=self._subnet_ids(), Type=kind)
        arn: str = made["LoadBalancers"][0]["LoadBalancerArn"]
        values = {"enabled": str(enabled).lower(), "bucket": bucket, "prefix": prefix}
        attributes = [{"Key": f"access_logs.s3.{key}", "Value": values[key]} for key in values]
        if bucket:
            self.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)
        return arn

    def add_bucket(
        self,
        name: str,
        *,
        block: Mapping[str, bool] = PRIVATE,
        policy: Mapping[str, Any] | None = None,
        notifications: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Make a bucket with AWS's defaults since 2023, which moto does not set."""
        s3, found = self.s3, {"Bucket": name}
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        here = {} if self.region == "us-east-1" else where
        s3.create_bucket(**found, **here, ObjectOwnership="BucketOwnerEnforced")
        s3.put_public_access_block(**found, PublicAccessBlockConfiguration=block)
        if policy:
            s3.put_bucket_policy(**found, Policy=json.dumps(policy))
        if notifications:
            taken = json.loads(json.dumps(notifications).replace('"Prefix"', '"prefix"'))
            s3.put_bucket_notification_configuration(**found, NotificationConfiguration=taken)
        if tags:
            pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
            s3.put_bucket_tagging(**found, Tagging={"TagSet": pairs})

    def add_destination(self, arn: str) -> None:
        """Do nothing, because moto does not check whether destinations exist."""

    def add_topic(self, name: str, policy: Mapping[str, Any] | None = None) -> str:
        attributes = {"Policy": json.dumps(policy)} if policy else {}
        arn: str = self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        return arn

    def logging(self, arn: str) -> dict[str, str]:
        """Return an ALB's access-log attributes, without empty and false ones."""
        found = self.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        start = "access_logs.s3."
        return {
            each["Key"].removeprefix(start): each["Value"]
            for each in found
            if each["Key"].startswith(start) and each["Value"] not in ("", "false")
        }

    def subscriptions(self, topic: str) -> list[tuple[str, str]]:
        found = self.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        return [(each["Protocol"], each["Endpoint"]) for each in found]

    def buckets(self) -> list[str]:
        return [each["Name"] for each in self.s3.list_buckets()["Buckets"]]

    def topics(self) -> list[str]:
        return [each["TopicArn"] for each in self.sns.list_topics()["Topics"]]

    def snapshot(self) -> Snapshot:
        """Return all ALBs' logging, topics and buckets, even what the handler must not change.

        If an ALB does not log, its bucket attribute is omitted, because AWS refuses to empty it.
        """
        found = self.elbv2.describe_load_balancers()["LoadBalancers"]
        logging = {each["LoadBalancerArn"]: self.logging(each["LoadBalancerArn"]) for each in found}
        return {
            "logging": {arn: each if "enabled" in each else {} for arn, each in logging.items()},
            "buckets": {name: self.settings(name) | self._kept(name) for name in self.buckets()},
            "topics": {
                arn: (
                    self.sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"],
                    self.sns.list_tags_for_resource(ResourceArn=arn)["Tags"],
                    self.subscriptions(arn),
                )
                for arn in self.topics()
            },
        }

    def settings(self, name: str) -> Snapshot:
        """Return the part of a bucket's configuration that the handler can change."""
        found = {setting: self._setting(name, *how) for setting, how in _SETTINGS.items()}
        notifications = self.s3.get_bucket_notification_configuration(Bucket=name)
        del notifications["ResponseMetadata"]
        policy = found["policy"] and json.loads(found["policy"])
        return {**found, "policy": policy, "notifications": notifications}

    def _setting(self, bucket: str, setting: str, member: str) -> Any:
        """Return a bucket's setting, or None if it is unset."""
        try:
            return getattr(self.s3, f"get_{setting}")(Bucket=bucket)[member]
        except ClientError as error:
            if re.match("NoSuch(?!Bucket$)|.*NotFoundError", error.response["Error"]["Code"]):
                return None
            raise

    def _kept(self, bucket: str) -> Snapshot:
        """Return what the handler must not change: a bucket's other settings and its objects."""
        listed = self.s3.list_object_versions(Bucket=bucket)
        found = [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]
        return {
            "acl": self.s3.get_bucket_acl(Bucket=bucket)["Grants"],
            "versioning": self.s3.get_bucket_versioning(Bucket=bucket).get("Status"),
            "objects": sorted(each["Key"] for each in found),
        }

    def _subnet_ids(self) -> list[str]:
        if not self._subnets:
            vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
            for number, zone in enumerate("ab"):
                where = {"VpcId": vpc, "AvailabilityZone": f"{self.region}{zone}"}
                made = self.ec2.create_subnet(CidrBlock=f"10.0.{number}.0/24", **where)
                self._subnets.append(made["Subnet"]["SubnetId"])
        return self._subnets


@contextmanager
def emulated_account() -> Iterator[Account]:
    """Turn moto on with an empty account, and correct its S3."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        put_right(patch)
        yield Account(make_clients())


def put_right(patch: pytest.MonkeyPatch) -> None:
    """Correct moto's S3 where it would hide what the handler does.

    moto ignores the conditions in a bucket's policy, so a statement that denies access without TLS
    denies everybody. It also stores the switch for EventBridge, but does not return it.
    """

    def get_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
        document = json.loads(bucket.policy or b'{"Statement": []}')
        found = document["Statement"]
        document["Statement"] = [
            each
            for each in (found if isinstance(found, list) else [found])
            if each["Effect"] != "Deny" or "Condition" not in each
        ]
        return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)

    whole = S3Response.get_bucket_notification

    def get_bucket_notification(response: S3Response) -> Any:
        status, headers, body = whole(response)
        found = response.backend.get_bucket(response.bucket_name).notification_configuration
        end = "</NotificationConfiguration>"
        more = "<EventBridgeConfiguration/>" if found and found.event_bridge is not None else ""
        return status, headers, body.replace(end, more + end)

    patch.setattr(FakeBucket, "get_permission", get_permission)
    patch.setattr(S3Response, "get_bucket_notification", get_bucket_notification)
