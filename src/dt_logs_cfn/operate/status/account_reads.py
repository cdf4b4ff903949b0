"""Read what does not depend on a single load balancer; Unread if denied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from dt_logs_cfn.aws import expired
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.account import Reading, Unread
from dt_logs_handler.aws import code, denied, pages
from dt_logs_handler.model import Bucket
from dt_logs_handler.names import digest

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ListStacksInputTypeDef
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_s3control import S3ControlClient

T = TypeVar("T")


def stack_names(client: CloudFormationClient) -> dict[str, str] | Unread:
    """Return the name of every stack of the account and region by its tag."""
    found = {}
    request: ListStacksInputTypeDef = {}
    while True:
        try:
            page = client.list_stacks(**request)
        except ClientError as error:
            if not denied(error):
                raise
            return Unread.lacking("cloudformation:ListStacks")
        for each in page["StackSummaries"]:
            if each["StackStatus"] != "DELETE_COMPLETE":
                found[digest(each.get("StackId", ""), 12)] = each["StackName"]
        token = page.get("NextToken")
        if not token:
            return found
        request["NextToken"] = token


def load_balancer_arns(elbv2: ElasticLoadBalancingv2Client) -> list[str]:
    """List the region's application load balancers. Raises OperatingError if there are none."""
    found = [
        each["LoadBalancerArn"]
        for page in elbv2.get_paginator("describe_load_balancers").paginate()
        for each in page["LoadBalancers"]
        if each.get("Type") == "application"
    ]
    if not found:
        raise OperatingError(
            "There is no application load balancer in this account and region.",
            "Name another --region, or other credentials.",
        )
    return found


def requester_pays(through: Reading, bucket: str, account: str) -> bool:
    """Tell whether the readers of a bucket's objects pay for requests. Raises botocore's errors."""
    s3 = through.s3
    return (
        s3.get_bucket_request_payment(Bucket=bucket, ExpectedBucketOwner=account)["Payer"]
        == "Requester"
    )


def on_outposts(through: Reading) -> Iterator[str]:
    """Yield the region's load balancers that are on an Outpost. Raises botocore's errors."""
    for page in pages(through, through.elbv2.describe_load_balancers, "Marker", "NextMarker"):
        for each in page["LoadBalancers"]:
            if any("OutpostId" in zone for zone in each.get("AvailabilityZones", ())):
                yield each["LoadBalancerArn"]


def is_public(through: Reading, bucket: Bucket, account: str) -> bool:
    """Tell whether S3 considers a bucket's policy public. Raises botocore's errors."""
    if bucket.public:
        return True
    if bucket.policy is None or bucket.public_access_block.get("RestrictPublicBuckets"):
        return False  # the handler has read it
    answer = through.s3.get_bucket_policy_status(Bucket=bucket.name, ExpectedBucketOwner=account)
    return answer["PolicyStatus"]["IsPublic"]


def account_block(client: S3ControlClient, account: str) -> dict[str, bool] | Unread:
    """Return the account's own public access block."""
    try:
        answer = client.get_public_access_block(AccountId=account)
    except ClientError as error:
        if code(error) == "NoSuchPublicAccessBlockConfiguration":
            return {}
        if not denied(error):
            raise
        return Unread.lacking("s3:GetAccountPublicAccessBlock")
    except BotoCoreError as error:
        return Unread(
            f"the account's public access block is not readable ({type(error).__name__})",
            "Check the network, and look again.",
        )
    return {key: bool(value) for key, value in answer["PublicAccessBlockConfiguration"].items()}


def optional(read: Callable[[], T], service: str, what: str) -> T | Unread:
    """Call a read that nothing else depends on; return its result, or why there is none.

    `service` is the prefix of its rights, and `what` names what is read. Raises botocore's error if
    the credentials have expired.
    """
    try:
        return read()
    except ClientError as error:
        if expired(error):
            raise
        if denied(error):
            return Unread.lacking(f"{service}:{error.operation_name}")
        why = code(error)
    except BotoCoreError as error:
        why = type(error).__name__
    return Unread(f"{what} cannot be read ({why})", "Check the network, and look again.")
