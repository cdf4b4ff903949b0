"""Create the resources that the scenes need; record each in the ledger before creating it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_check.plan import TAG, Names, Thing
from aws_check.run import MINUTES, Run, outputs
from dt_logs_cfn.errors import OperatingError

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
_ANSWER = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": "ok"}


@dataclass(frozen=True)
class Made:
    """The resources that every scene uses: ARNs, the load balancer's address, the queue's URL."""

    role: str
    load_balancer: str
    address: str
    queue: str
    queue_url: str


def make(run: Run, release: Path, source: str) -> Made:
    """Create the service role, load balancer and queue; admit requests from the CIDR `source` only.

    Raises OperatingError and botocore's errors.
    """
    vpc, subnets = _subnets(run)
    role = _role(run, release)
    group = _security_group(run, vpc, source)
    balancer, address = _load_balancer(run, subnets, group)
    queue = run.arn("sqs", run.names.base)
    return Made(role, balancer, address, queue, _queue(run, queue))


def _subnets(run: Run) -> tuple[str, list[str]]:
    """Return the IDs of the default VPC and of its default subnets in two zones.

    Raises OperatingError if they do not exist.
    """
    ec2 = run.client("ec2")
    for vpc in ec2.describe_vpcs(Filters=_where("is-default", "true"))["Vpcs"]:
        mine = _where("vpc-id", vpc["VpcId"]) + _where("default-for-az", "true")
        found = ec2.describe_subnets(Filters=mine)["Subnets"]
        by_zone = {each["AvailabilityZone"]: each["SubnetId"] for each in found}
        if len(by_zone) > 1:
            return vpc["VpcId"], sorted(by_zone.values())[:2]
    raise OperatingError(
        f"Region '{run.region}' does not have a default VPC with default subnets in two zones.",
        "Use a region that has one, or create one: `aws ec2 create-default-vpc`.",
    )


def _where(name: str, value: str) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": [value]}]


def role_template(release: Path) -> str:
    """Return the template of the service role's stack."""
    return (release / "cloudformation-role.template.json").read_text("utf-8")


def role_parameters(names: Names) -> list[dict[str, str]]:
    """Return the parameters that let the role act only on the run's stacks."""
    return [{"ParameterKey": "StackNamePrefix", "ParameterValue": names.base}]


def _role(run: Run, release: Path) -> str:
    """Create the service role with the release's own template; return its ARN."""
    name = run.names.role_stack
    run.make(
        Thing("service role stack", name),
        lambda: run.client("cloudformation").create_stack(
            StackName=name,
            TemplateBody=role_template(release),
            Parameters=role_parameters(run.names),
            Capabilities=CAPABILITIES,
            Tags=run.tags,
        ),
    )

    def done() -> str | None:
        stack = run.stack(name) or {}
        if stack.get("StackStatus") == "CREATE_IN_PROGRESS":
            return None
        return outputs(stack).get("RoleArn", "")

    if role := run.until(done, 10 * MINUTES, "Making the service role"):
        return role
    raise OperatingError(f"Stack '{name}' did not create a role.", "Look at its events.")


def _security_group(run: Run, vpc: str, source: str) -> str:
    name, ec2 = run.names.base, run.client("ec2")
    group: str = run.make(
        Thing("security group", name),
        lambda: ec2.create_security_group(
            GroupName=name,
            Description="Admits requests to the load balancer of a check",
            VpcId=vpc,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": run.tags}],
        ),
    )["GroupId"]
    port = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": source}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[port])
    return group


def _load_balancer(run: Run, subnets: list[str], group: str) -> tuple[str, str]:
    """Create a load balancer with a fixed response; return its ARN and address.

    Waits some minutes, until the load balancer is active.
    """
    name, elbv2 = run.names.base, run.client("elbv2")
    made = run.make(
        Thing("load balancer", name),
        lambda: elbv2.create_load_balancer(
            Name=name, Subnets=subnets, SecurityGroups=[group], Type="application", Tags=run.tags
        ),
    )
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    action = {"Type": "fixed-response", "FixedResponseConfig": _ANSWER}
    elbv2.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[action])

    def active() -> str | None:
        (found,) = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return found["DNSName"] if found["State"]["Code"] == "active" else None

    return arn, run.until(active, 15 * MINUTES, "Making the load balancer")


def _queue(run: Run, arn: str) -> str:
    """Create a queue for messages from the account's topics and the run's buckets; return its URL.

    [SQS guide, subscribe a queue; S3 guide, grant-destinations-permissions-to-s3.md: aws:SourceArn]
    """
    topics, buckets = run.arn("sns", "*"), f"arn:{run.partition}:s3:::{run.names.named('*')}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnLike": {"aws:SourceArn": [topics, buckets]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url: str = run.make(
        Thing("queue", run.names.base),
        lambda: run.client("sqs").create_queue(
            QueueName=run.names.base, Attributes={"Policy": policy}, tags={TAG: run.names.run}
        ),
    )["QueueUrl"]
    return url


def make_bucket(run: Run, name: str) -> None:
    """Record a bucket, and create it with its tags. Raises botocore's errors."""
    configuration = bucket_configuration(run.region, run.tags)
    run.make(
        Thing("bucket", name),
        lambda: run.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration=configuration
        ),
    )


def bucket_configuration(region: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    """Return a new bucket's tags and region; CreateBucket must not name us-east-1."""
    return {"Tags": tags} | ({} if region == "us-east-1" else {"LocationConstraint": region})
