"""The exact calls to AWS that a run makes; docs/how-it-works.md gives each call's purpose."""

from collections import Counter
from typing import Any

import pytest
from handler.fleet import Fleet
from lifecycle.cloudformation import Properties, properties

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


class World(Fleet):
    """A stack, and a count of the calls that its events make."""

    def count(self, kind: str, given: Properties, old: Properties | None = None) -> Counter[str]:
        """Send an event, which must succeed; return each operation's number of calls."""
        calls: Counter[str] = Counter()
        self.before = lambda service, operation, params: calls.update([operation])
        self.sent(kind, given, old)
        return calls

    def fixed(self) -> Counter[str]:
        """Return the calls for one new bucket, however many load balancers log to it.

        With an older boto3, a separate call puts the tags, and the bucket is also looked up twice
        under its other name.
        """
        older = [*["GetBucketTagging"] * 2, "PutBucketTagging"]
        return Counter(FIXED if self.new_boto3 else [*FIXED, *older])


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
    calls = found.count("Create", properties(*found.arns, **given))
    less = TOPIC_READS if given == DOCUMENTED else []
    assert calls == found.fixed() + Counter(EACH * count) + Counter(more) - Counter(less)
    older = 0 if found.new_boto3 else 3
    assert calls.total() == 21 + older + 3 * count + len(more) - len(less)


def test_a_named_bucket_may_be_somebody_elses_by_now() -> None:
    """Others may know the bucket's name, so its settings, topic and region are read first."""
    world = World(1)
    calls = world.count("Create", properties(*world.arns, LogBucketName="customers-own-name"))
    # A run looks up the stack's own bucket under each of its names, before and after the changes.
    own = ["GetBucketTagging"] * (2 if world.new_boto3 else 4)
    tags = [] if world.new_boto3 else ["PutBucketTagging"]
    safety = ["GetTopicAttributes", "GetBucketLocation"]
    assert calls == Counter(FIXED + own + tags + safety) + Counter(EACH)


@pytest.mark.parametrize("count", [1, 9])
def test_one_that_logs_already_is_read_twice(count: int) -> None:
    world = World(count)
    customers_bucket(world.account)
    for number in range(count):
        world.set(number, CUSTOMERS, "alb", enabled=True)
    calls = world.count("Create", properties(*world.arns))
    assert (calls[DESCRIBE], calls[MODIFY]) == (2 * count, 0)


@pytest.mark.parametrize("count", [1, 9])
def test_nothing_to_do_is_read_once_and_the_way_out_reads_back(count: int) -> None:
    world = World(count)
    given = properties(*world.arns)
    again = {**given, "RunToken": "2"}
    world.count("Create", given)
    calls = world.count("Update", again, given)
    assert calls[DESCRIBE] == count
    assert not any(name.startswith(("Put", "Modify", "Create", "Delete")) for name in calls)
    calls = world.count("Delete", again)
    assert (calls[DESCRIBE], calls[MODIFY]) == (4 * count, count)
