"""The exact calls to AWS that a run makes; docs/how-it-works.md gives each call's purpose."""

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
DESCRIBE, MODIFY = "DescribeLoadBalancerAttributes", "ModifyLoadBalancerAttributes"
EACH = [DESCRIBE, DESCRIBE, MODIFY]
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
        """Send an event, which must succeed; return each operation's number of calls."""
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

    def fixed(self) -> Counter[str]:
        """Return the calls for one new bucket, however many load balancers log to it.

        With an older boto3, a separate call puts the tags, and the bucket is also looked up twice
        under its other name.
        """
        older = [*["GetBucketTagging"] * 2, "PutBucketTagging"]
        return Counter(FIXED if self.tells_new_buckets else [*FIXED, *older])


DOCUMENTED = {"Privileges": "documented"}
CREATES: dict[str, tuple[int, dict[str, Any], dict[str, object], list[str]]] = {
    "one": (1, {}, {}, []),
    "many": (45, {}, {}, []),
    "all of an account": (45, {}, {"LoadBalancerArns": ["*"]}, ["DescribeLoadBalancers"]),
    "more than 400": (401, {}, {"LoadBalancerArns": ["*"]}, ["DescribeLoadBalancers"] * 2),
    "us-east-1": (1, {"region": "us-east-1"}, {}, []),
    "an older boto3": (1, {"old_boto3": True}, {}, []),
    "the documented role may not read topics": (1, {}, {**DOCUMENTED}, []),
}


@pytest.mark.parametrize(("count", "world", "given", "more"), CREATES.values(), ids=CREATES)
def test_a_new_bucket_takes_21_calls_and_each_load_balancer_3(
    count: int, world: dict[str, Any], given: dict[str, object], more: list[str]
) -> None:
    found = World(count, **world)
    calls = found.send("Create", properties(*found.arns, **given))
    less = TOPIC_READS if given == DOCUMENTED else []
    assert calls == found.fixed() + Counter(EACH * count) + Counter(more) - Counter(less)
    older = 0 if found.tells_new_buckets else 3
    assert calls.total() == 21 + older + 3 * count + len(more) - len(less)


def test_a_named_bucket_may_be_somebody_elses_by_now() -> None:
    """Others may know the bucket's name, so its settings, topic and region are read first."""
    world = World(1)
    calls = world.send("Create", properties(*world.arns, LogBucketName="customers-own-name"))
    # The stack's own bucket is looked for under each of its names, before and after the changes.
    own = ["GetBucketTagging"] * (2 if world.tells_new_buckets else 4)
    tags = [] if world.tells_new_buckets else ["PutBucketTagging"]
    safety = ["GetTopicAttributes", "GetBucketLocation"]
    assert calls == Counter(FIXED + own + tags + safety) + Counter(EACH)


@pytest.mark.parametrize("count", [1, 9])
def test_one_that_logs_already_is_read_twice(count: int) -> None:
    world = World(count)
    customers_bucket(world.account)
    for arn in world.arns:
        world.account.world.load_balancers[arn].attributes |= {
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": CUSTOMERS,
            "access_logs.s3.prefix": "alb",
        }
    calls = world.send("Create", properties(*world.arns))
    assert (calls[DESCRIBE], calls[MODIFY]) == (2 * count, 0)


@pytest.mark.parametrize("count", [1, 9])
def test_nothing_to_do_is_read_once_and_the_way_out_reads_back(count: int) -> None:
    world = World(count)
    given = properties(*world.arns)
    again = {**given, "RunToken": "2"}
    world.send("Create", given)
    calls = world.send("Update", again, given)
    assert calls[DESCRIBE] == count
    assert not any(name.startswith(("Put", "Modify", "Create", "Delete")) for name in calls)
    calls = world.send("Delete", again)
    assert (calls[DESCRIBE], calls[MODIFY]) == (4 * count, count)
