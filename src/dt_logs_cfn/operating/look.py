"""Reading what `status` judges: each thing once, and on where something is denied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operating import asked
from dt_logs_cfn.operating.asked import Existing, Place, expected
from dt_logs_cfn.operating.log_objects import log_objects
from dt_logs_cfn.operating.planned import Planned, decided
from dt_logs_cfn.operating.reads import Denied, observed, reading
from dt_logs_cfn.operating.seen import LogObjects, Seen, StackSeen, Unread
from dt_logs_cfn.operating.stack_read import made_from
from dt_logs_cfn.templates import Origin, origin
from dt_logs_handler.buckets import read_bucket
from dt_logs_handler.main import Clients
from dt_logs_handler.marks import Stack, digest
from dt_logs_handler.model import Absent, Bucket, LoadBalancer, Topic, Unreadable
from dt_logs_handler.notifications import foreign_topics
from dt_logs_handler.observe import read_load_balancer
from dt_logs_handler.place import registered
from dt_logs_handler.request import EVERY_LOAD_BALANCER
from dt_logs_handler.topics import of_topic

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ListStacksInputTypeDef, StackTypeDef
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_s3control import S3ControlClient

_VERSIONS_LIMIT = 1_000_000


@dataclass(frozen=True)
class Reach:
    """What is read through: AWS's clients, a way to fetch a URL, and the time."""

    clients: Clients
    s3control: S3ControlClient
    cloudformation: CloudFormationClient
    fetch: Callable[[str, int], bytes]
    clock: Callable[[], float]


def look(
    reach: Reach, place: Place, stacks: Sequence[StackTypeDef], load_balancers: Sequence[str]
) -> Seen:
    """Read stacks with their load balancers, and load balancers by ARN or `*`.

    Raises botocore's errors, other than a denial; OperatingError.
    """
    found = _Look(reach, place)
    seen = [found.stack(each) for each in stacks]
    found.load_balancers_of(load_balancers)
    found.settle()
    return Seen(
        place,
        found.now,
        found.load_balancers,
        found.buckets,
        found.topics,
        found.objects,
        frozenset(found.public),
        found.account_block(),
        tuple(seen),
        stack_names(reach.cloudformation),
        frozenset(found.noted),
    )


def stack_names(client: CloudFormationClient) -> dict[str, str] | Unread:
    """Return the name of every stack of the account and region by its tag."""
    found = {}
    request: ListStacksInputTypeDef = {}
    while True:
        try:
            page = client.list_stacks(**request)
        except ClientError as error:
            if not aws.denied(error):
                raise
            return Unread(
                "not readable: you lack cloudformation:ListStacks",
                "Have cloudformation:ListStacks allowed for you, and look again.",
            )
        for each in page["StackSummaries"]:
            if each["StackStatus"] != "DELETE_COMPLETE":
                found[digest(each.get("StackId", ""), 12)] = each["StackName"]
        token = page.get("NextToken")
        if not token:
            return found
        request["NextToken"] = token


class _Look:
    """Reads each thing once."""

    def __init__(self, reach: Reach, place: Place) -> None:
        self.now = reach.clock()
        self.noted: list[Denied] = []
        self.load_balancers: dict[str, LoadBalancer | None] = {}
        self.buckets: dict[str, Bucket | Absent | Unreadable] = {}
        self.topics: dict[str, Topic | None] = {}
        self.objects: dict[str, LogObjects] = {}
        self.public: set[str] = set()
        self._reach = reach
        self._place = place
        self._through = reading(reach.clients, self.noted, reach.clock, lenient=True)
        self._marks = Stack(place.example_stack(), place.partition, place.region, place.account)

    def stack(self, described: StackTypeDef) -> StackSeen:
        """Read a stack, and what its own parameters would change now."""
        reach = self._reach
        existing = made_from(reach.cloudformation, described)
        record = _origin(existing)
        marks = Stack(existing.id, self._place.partition, self._place.region, self._place.account)
        return StackSeen(
            described["StackName"],
            described["StackStatus"],
            described.get("StackStatusReason", ""),
            {
                each.get("OutputKey", ""): each.get("OutputValue", "")
                for each in described.get("Outputs", [])
            },
            marks,
            record,
            self._planned(existing, marks),
            self._versions(record),
        )

    def _planned(self, existing: Existing, marks: Stack) -> Planned | Unread:
        try:
            request = asked.update(
                existing.template, existing.parameters, existing, self._reach.clock()
            )
        except OperatingError as error:
            return Unread(error.what, error.fix)
        noted: list[Denied] = []
        through = reading(self._reach.clients, noted, self._reach.clock, lenient=True)
        with expected():
            state = observed(request, through)
        self.noted += noted
        self.buckets.update(
            (name, each) for name, each in state.buckets.items() if isinstance(each, Bucket)
        )
        mine = registered(state, marks)
        for arn, found in state.load_balancers.items():
            if arn in request.traces.load_balancers or (
                found and any(each.covers(found.logging.location, found.name) for each in mine)
            ):
                self.load_balancers[arn] = found
        with expected():
            return decided(request, state, tuple(sorted(set(noted))))

    def _versions(self, record: Origin | Unread) -> bytes | Unread:
        if isinstance(record, Unread):
            return record
        base = record.settings.vendor(self._place.partition).base_url
        if not base:
            return Unread(
                "the template does not say where its releases are",
                "Ask Data Theorem whether its release is still to be used.",
            )
        try:
            return self._reach.fetch(f"{base}/versions.json", _VERSIONS_LIMIT)
        except DtLogsError as error:
            return Unread(error.what, error.fix)

    def load_balancers_of(self, named: Iterable[str]) -> None:
        """Read load balancers by ARN; `*` is every application load balancer of the region."""
        for arn in named:
            found = [arn] if arn != EVERY_LOAD_BALANCER else _every(self._reach.clients[0])
            for each in found:
                if each not in self.load_balancers:
                    self.load_balancers[each] = read_load_balancer(self._through, each)

    def settle(self) -> None:
        """Read what hangs on the load balancers: buckets, topics, log objects."""
        for arn, found in self.load_balancers.items():
            if not found or not found.logging.enabled:
                continue
            name = found.logging.bucket
            if name not in self.buckets:
                self.buckets[name] = read_bucket(self._through, name, self._place.account)
            if isinstance(self.buckets[name], Bucket):
                self.objects[arn] = log_objects(self._through, found, self._marks, self.now)
        for bucket in self.buckets.values():
            if isinstance(bucket, Bucket):
                self._topics_of(bucket)
                if bucket.public or self._is_public(bucket):
                    self.public.add(bucket.name)

    def _topics_of(self, bucket: Bucket) -> None:
        ends = {each.endpoint for each in bucket.register(self._marks)}
        own = self._marks.topic_arn(bucket.name)
        for arn in {own, *foreign_topics(bucket.notifications, self._marks)}:
            self.topics[arn] = self._topic(arn, ends if arn != own else set())

    def _topic(self, arn: str, filtered: set[str]) -> Topic | None:
        """Read a topic with its subscriptions; of those of these endpoints the filters, too."""
        sns = self._through.sns
        try:
            policy = sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("Policy", "")
            found = []
            for each in of_topic(self._through, arn):
                if each.confirmed and digest(each.endpoint, 8) in filtered:
                    answer = sns.get_subscription_attributes(SubscriptionArn=each.arn)
                    each = replace(each, filter_policy=answer["Attributes"].get("FilterPolicy"))
                found.append(each)
            return Topic(arn, policy, tuple(found))
        except ClientError as error:
            if aws.code(error) in ("NotFound", "NotFoundException"):
                return None
            raise

    def _is_public(self, bucket: Bucket) -> bool:
        if bucket.policy is None or bucket.public_access_block.get("RestrictPublicBuckets"):
            return False  # the handler has asked for it
        answer = self._through.s3.get_bucket_policy_status(
            Bucket=bucket.name, ExpectedBucketOwner=self._place.account
        )
        return answer["PolicyStatus"]["IsPublic"]

    def account_block(self) -> dict[str, bool] | Unread:
        """Return the account's own public access block, if any bucket's policy is public."""
        if not self.public:
            return {}
        try:
            answer = self._reach.s3control.get_public_access_block(AccountId=self._place.account)
        except ClientError as error:
            if aws.code(error) == "NoSuchPublicAccessBlockConfiguration":
                return {}
            if not aws.denied(error):
                raise
            return Unread(
                "not readable: you lack s3:GetAccountPublicAccessBlock",
                "Have s3:GetAccountPublicAccessBlock allowed for you, and look again.",
            )
        except BotoCoreError as error:
            return Unread(
                f"the account's public access block is not readable ({type(error).__name__})",
                "Check the network, and look again.",
            )
        return {key: bool(value) for key, value in answer["PublicAccessBlockConfiguration"].items()}


def _origin(existing: Existing) -> Origin | Unread:
    try:
        return origin(existing.template)
    except DtLogsError as error:
        return Unread(error.what, error.fix)


def _every(elbv2: ElasticLoadBalancingv2Client) -> list[str]:
    """List the region's application load balancers; without the right to, there is no answer."""
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
