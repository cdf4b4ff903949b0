"""Exactly which calls to AWS a run makes; docs/how-it-works.md says what each is for."""

from collections import Counter
from typing import Any

import pytest
from lifecycle.cloudformation import Properties, Stack, properties
from lifecycle.scenarios import clients_of

from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket

FIXED = [
    "GetBucketTagging",
    "CreateBucket",
    "GetBucketTagging",
    "GetBucketLifecycleConfiguration",
    "PutBucketLifecycleConfiguration",
    "GetBucketPolicy",
    "PutBucketPolicy",
    "CreateTopic",
    "Subscribe",
    "GetBucketNotificationConfiguration",
    "PutBucketNotificationConfiguration",
    "GetBucketTagging",
    "GetBucketPolicy",
    "GetBucketNotificationConfiguration",
    "GetPublicAccessBlock",
    "GetBucketPolicyStatus",
    "GetBucketEncryption",
    "GetBucketOwnershipControls",
    "GetBucketLifecycleConfiguration",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
]
EACH = [
    "DescribeLoadBalancerAttributes",
    "DescribeLoadBalancerAttributes",
    "ModifyLoadBalancerAttributes",
]
TOPIC_READS = ["GetTopicAttributes", "ListSubscriptionsByTopic"]


class World:
    """An account with load balancers that do not log, and a stack whose calls are counted."""

    def __init__(self, count: int, region: str = "eu-west-1", old_boto3: bool = False) -> None:
        self.account = Account(
            "123456789012", region, clock=(clock := Clock()), old_boto3=old_boto3
        )
        self.arns = [self.account.add_load_balancer(f"web{each}") for each in range(count)]
        self.stack = Stack(clock, region=region, seed=1)

    def send(self, kind: str, given: Properties, old: Properties | None = None) -> Counter[str]:
        """Send an event, which must succeed; return how often each operation was called."""
        calls: Counter[str] = Counter()

        def heard(service: str, operation: str, params: object) -> None:
            calls[operation] += 1

        answer = self.stack.send(
            self.stack.event(kind, given, old), lambda: clients_of(self.account, before=heard)
        )
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return calls

    @property
    def tells_new_buckets(self) -> bool:
        """Whether the installed boto3 knows the account-regional namespace and tags at creation."""
        known: Any = self.account.s3.meta.service_model.shape_for("CreateBucketRequest")
        return "BucketNamespace" in known.members


def fixed(world: World) -> list[str]:
    """Return the calls for one new bucket, however many load balancers log to it."""
    if world.tells_new_buckets:
        return FIXED
    # The tags are put after creation. The bucket's other name is read twice.
    return [*FIXED, *["GetBucketTagging"] * 2, "PutBucketTagging"]


@pytest.mark.parametrize("count", [1, 2, 45])
def test_a_new_bucket_takes_21_calls_and_each_load_balancer_3(count: int) -> None:
    world = World(count)
    calls = world.send("Create", properties(*world.arns))
    assert calls == Counter(fixed(world)) + Counter(EACH * count)
    if world.tells_new_buckets:
        assert calls.total() == 21 + 3 * count


@pytest.mark.parametrize(("count", "listings"), [(1, 1), (45, 1), (401, 2)])
def test_all_of_an_account_take_one_call_more_for_400(count: int, listings: int) -> None:
    world = World(count)
    calls = world.send("Create", properties("*"))
    listed = ["DescribeLoadBalancers"] * listings
    assert calls == Counter(fixed(world)) + Counter(EACH * count) + Counter(listed)


def test_the_documented_role_may_not_read_topics() -> None:
    world = World(1)
    calls = world.send("Create", properties(*world.arns, Privileges="documented"))
    assert calls == Counter(fixed(world)) + Counter(EACH) - Counter(TOPIC_READS)


def test_an_older_boto3_takes_3_calls_more() -> None:
    world = World(1, old_boto3=True)
    calls = world.send("Create", properties(*world.arns))
    assert calls == Counter(fixed(world)) + Counter(EACH)
    assert calls.total() == 21 + 3 + 3


def test_a_named_bucket_may_be_somebody_elses_by_now() -> None:
    """Others may know its name, so its settings, topic and region are read before it is changed."""
    world = World(1)
    calls = world.send("Create", properties(*world.arns, LogBucketName="customers-own-name"))
    # The stack's own bucket is looked for under each of its names, before and after the changes.
    own = ["GetBucketTagging"] * (2 if world.tells_new_buckets else 4)
    tags = [] if world.tells_new_buckets else ["PutBucketTagging"]
    safety = [
        "GetTopicAttributes",
        "GetBucketLocation",
    ]
    assert calls == Counter(FIXED + own + tags + safety) + Counter(EACH)


def logging(world: World) -> None:
    customers_bucket(world.account)
    for arn in world.arns:
        world.account.world.load_balancers[arn].attributes |= {
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": CUSTOMERS,
            "access_logs.s3.prefix": "alb",
        }


@pytest.mark.parametrize("count", [1, 9])
def test_one_that_logs_already_is_read_twice(count: int) -> None:
    world = World(count)
    logging(world)
    calls = world.send("Create", properties(*world.arns))
    assert calls["DescribeLoadBalancerAttributes"] == 2 * count
    assert calls["ModifyLoadBalancerAttributes"] == 0


def test_nothing_to_do_is_read_once() -> None:
    world = World(3)
    given = properties(*world.arns)
    world.send("Create", given)
    calls = world.send("Update", {**given, "RunToken": "2"}, given)
    assert calls["DescribeLoadBalancerAttributes"] == 3
    assert not any(name.startswith(("Put", "Modify", "Create", "Delete")) for name in calls)


@pytest.mark.parametrize("count", [1, 9])
def test_the_way_out_reads_each_load_balancer_back(count: int) -> None:
    world = World(count)
    given = properties(*world.arns)
    world.send("Create", given)
    calls = world.send("Delete", given)
    assert calls["ModifyLoadBalancerAttributes"] == count
    assert calls["DescribeLoadBalancerAttributes"] == 4 * count
