"""Read an account as the handler does, but with the caller's credentials.

A denied read is noted, but it does not prove a fault: the Lambda may have the permission.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar, cast

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.settings import FunctionSettings
from dt_logs_handler.aws import Aws, Passing, code, denied, message
from dt_logs_handler.errors import CallFailed, HandlerError
from dt_logs_handler.main import ANSWER_RESERVE, Clients
from dt_logs_handler.model import State, Topic
from dt_logs_handler.names import Stack, digest
from dt_logs_handler.observe import observe, of_topic
from dt_logs_handler.request import Request

T = TypeVar("T")

AT_ONCE = 8  # the number of load balancers that are read concurrently
_FUNCTION_SECONDS = FunctionSettings().timeout - ANSWER_RESERVE
# A lenient client answers a denied read with one of these values, so that reading continues.
_NOTHING: Mapping[str, Mapping[str, object]] = {
    "describe_load_balancer_attributes": {"Attributes": []},
    "describe_load_balancers": {"LoadBalancers": []},
    "get_bucket_encryption": {"ServerSideEncryptionConfiguration": {"Rules": []}},
    "get_bucket_lifecycle_configuration": {"Rules": []},
    "get_bucket_location": {},
    "get_bucket_notification_configuration": {},
    "get_bucket_ownership_controls": {
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    },
    "get_bucket_policy": {"Policy": None},
    "get_bucket_policy_status": {"PolicyStatus": {"IsPublic": False}},
    "get_bucket_request_payment": {"Payer": "BucketOwner"},
    "get_bucket_tagging": {"TagSet": []},
    "get_public_access_block": {"PublicAccessBlockConfiguration": {}},
    "get_subscription_attributes": {"Attributes": {}},
    "get_topic_attributes": {"Attributes": {}},
    "list_buckets": {"Buckets": []},
    "list_objects_v2": {},
    "list_subscriptions": {"Subscriptions": []},
    "list_subscriptions_by_topic": {"Subscriptions": []},
}
# S3 operations whose permissions have other names [Service Authorization Reference].
_RIGHTS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectsV2": "ListBucket",
}
_WRITTEN = ("GetBucketNotificationConfiguration", "GetBucketPolicy")
DELETED = "After a deletion, run the stack again."
_SERVICES = {"elbv2": "elasticloadbalancing", "s3control": "s3"}


@dataclass(frozen=True)
class Unread:
    """A failed read: the reason, and what to do about it."""

    why: str
    fix: str

    @classmethod
    def lacking(cls, right: str, on: str = "") -> Unread:
        """Return an Unread that names the missing permission and, if given, the resource."""
        what = f"{right} on {on}" if on else right
        fix = f"Get the permission {right}, and check again."
        return cls(f"not readable: you lack {what}", fix)


def optional(read: Callable[[], T], service: str, what: str, right: str = "") -> T | Unread:
    """Call `read`, which no other read depends on; return its result, or an Unread if it fails.

    `service` is the permission's prefix. `right` is the permission's name if that differs from the
    operation's. `what` names the data to read. Raises botocore's error for expired credentials.
    """
    try:
        return read()
    except ClientError as error:
        if aws.expired(error):
            raise
        if denied(error):
            return Unread.lacking(f"{service}:{right or error.operation_name}")
        why = code(error)
    except BotoCoreError as error:
        why = type(error).__name__
    return Unread(f"{what} cannot be read ({why})", "Check the network, then try again.")


@dataclass(frozen=True, order=True)
class Denied:
    """A denied read: the missing permission, and the resource.

    `named` is the bucket or ARN that the call named. `by_policy` is true if the resource's own
    policy explicitly denies the read.
    """

    right: str
    on: str
    operation: str
    named: str
    by_policy: bool = False

    @property
    def unread(self) -> Unread:
        """The denial as an Unread, with a reason and a fix."""
        if not self.by_policy:
            return Unread.lacking(self.right, self.on)
        fix = "Correct that policy, or use credentials that it allows."
        return Unread(f"not readable: the policy of {self.on} denies you {self.right}", fix)

    def __str__(self) -> str:
        found = f"{self.right} on {self.on}" if self.on else self.right
        return f"{found} (denied by its policy)" if self.by_policy else found


def locked(denied: Iterable[Denied]) -> dict[str, Unread]:
    """Return an Unread for each bucket whose policy denies reads of its policy or notifications.

    A stack writes both. Such a policy probably denies these reads to everybody. The root user of
    the bucket's account may always get, put and delete the policy, whatever it says [S3 API,
    PutBucketPolicy].
    """
    rights: dict[str, set[str]] = {}
    for each in denied:
        if each.by_policy and each.operation in _WRITTEN:
            rights.setdefault(each.named, set()).add(each.right)
    return {
        bucket: Unread(
            f"the policy of bucket {bucket} denies you {', '.join(sorted(found))}",
            "If it denies everybody, delete it as the account's root user:"
            f" `aws s3api delete-bucket-policy --bucket {bucket}`. Otherwise use credentials that"
            f" it allows. {DELETED}",
        )
        for bucket, found in rights.items()
    }


def noting(client: T, noted: list[Denied], *, lenient: bool = False) -> T:
    """Return a client that adds denied reads to `noted`.

    If `lenient`, the client answers a denied read as if nothing existed; otherwise the read fails.
    """
    return cast(T, _Noting(client, noted, lenient))


class _Noting:
    def __init__(self, client: object, noted: list[Denied], lenient: bool) -> None:
        self._client = client
        self._noted = noted
        self._lenient = lenient

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name not in _NOTHING:
            return found
        method = cast(Callable[..., object], found)

        def call(**given: object) -> object:
            try:
                return method(**given)
            except ClientError as error:
                if not denied(error):
                    raise
                service = self._client.meta.service_model.service_name  # type: ignore[attr-defined]  # every client has it
                self._noted.append(_denial(error, service, given))
                if not self._lenient:
                    raise
                return deepcopy(_NOTHING[name])

        return call


class Reading(Aws):
    """The handler's `Aws` without its own retries; the clients here retry transient errors."""

    def fit(self, seconds: float) -> int:
        """Return how many items the function can process in its full time, at `seconds` each."""
        return int(_FUNCTION_SECONDS / seconds)

    def call(self, operation: Callable[[], T], *passing: Passing) -> T:
        """Make a call. Raises botocore's errors, and OutOfTime after the deadline."""
        self.pause(0)
        return operation()


def here(session: boto3.Session) -> Stack:
    """Return a stack that stands for the session's account and region.

    The call to STS does not need a permission [STS API, GetCallerIdentity]. Raises botocore's
    errors.
    """
    if not session.region_name:
        raise NoRegionError()
    caller = session.client("sts").get_caller_identity()
    return new_stack(caller["Arn"].split(":")[1], session.region_name, caller["Account"])


def clients(session: boto3.Session) -> Clients:
    """Return the clients that the handler uses."""
    return session.client("elbv2"), session.client("s3"), session.client("sns")


def reading(
    given: Clients, noted: list[Denied], clock: Callable[[], float], *, lenient: bool = False
) -> Reading:
    """Return a `Reading` with these clients, which adds denied reads to `noted`."""
    elbv2, s3, sns = given
    return Reading(
        elbv2=noting(elbv2, noted, lenient=lenient),
        s3=noting(s3, noted, lenient=lenient),
        sns=noting(sns, noted, lenient=lenient),
        clock=clock,
        sleep=lambda seconds: None,
        random=Random(),
        deadline=float("inf"),
        workers=AT_ONCE,
    )


def observed(request: Request, through: Aws) -> State:
    """Read the state that a request concerns, with the handler's own `observe`.

    Raises botocore's errors, and OperatingError for the handler's other errors.
    """
    try:
        return observe(through, request)
    except HandlerError as error:
        if isinstance(error, CallFailed) and isinstance(error.__cause__, ClientError):
            raise error.__cause__ from error
        raise OperatingError(error.what, error.fix) from error


@dataclass(frozen=True)
class TopicSeen(Topic):
    """A topic and its delivery policy, which is empty if nobody set one on the topic."""

    delivery_policy: str = ""


def topic(through: Aws, arn: str, filtered: Container[str] = ()) -> TopicSeen | None:
    """Read a topic with its subscriptions; return None if it does not exist.

    Reads a subscription's filter only if the subscription is confirmed and `filtered` has its
    endpoint's digest. Raises botocore's errors.
    """
    sns = through.sns
    try:
        found_attributes = through.call(lambda: sns.get_topic_attributes(TopicArn=arn))
        attributes = found_attributes["Attributes"]
        found = []
        for each in of_topic(through, arn, left_out=""):
            if each.confirmed and digest(each.endpoint, 8) in filtered:
                answer = sns.get_subscription_attributes(SubscriptionArn=each.arn)
                each = replace(each, filter_policy=answer["Attributes"].get("FilterPolicy"))
            found.append(each)
        return TopicSeen(
            arn, attributes.get("Policy", ""), tuple(found), attributes.get("DeliveryPolicy", "")
        )
    except ClientError as error:
        if code(error) in ("NotFound", "NotFoundException"):
            return None
        raise


def _denial(error: ClientError, service: str, given: Mapping[str, object]) -> Denied:
    """Return the denial; derive the permission from the operation if AWS does not name it."""
    said = re.search(
        r'not authorized to perform: ([A-Za-z0-9-]+:\w+)(?: on resource: "?([^\s"]+))?',
        message(error),
    )
    if said:
        right, on = said[1], said[2] or ""
        prefix, _, action = right.partition(":")
        right = f"{prefix.lower()}:{action}"
    else:
        action = _RIGHTS.get(error.operation_name, error.operation_name)
        right, on = f"{_SERVICES.get(service, service)}:{action}", ""
    names = ("Bucket", "TopicArn", "SubscriptionArn", "LoadBalancerArn")
    named = next((str(given[name]) for name in names if name in given), "")
    by_policy = "explicit deny in a resource-based policy" in message(error)
    return Denied(right, on or named, error.operation_name, named, by_policy)
