"""Many load balancers in one run: the calls, failures of single ones, and the time limits.

tests/lifecycle tests many more accounts, and a failure of each call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from lifecycle.cloudformation import Properties, properties
from lifecycle.faults import error, on, once
from lifecycle.scenarios import Case
from support.looks import logging_of

from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Hook
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.report.changes import differences
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket

DESCRIBE, MODIFY = "DescribeLoadBalancerAttributes", "ModifyLoadBalancerAttributes"
EVERY = properties("*")
AGAIN = properties("*", RunToken="2")


class Fleet(Case):
    """An account with ALBs, and a network load balancer, which `*` does not include."""

    def __init__(self, count: int, workers: int = 8, **more: Any) -> None:
        names = [f"web{each}" for each in range(count)]
        super().__init__(lambda account: [account.add_load_balancer(e) for e in names], **more)
        self.stack.workers = workers
        self.customer(lambda account: account.add_load_balancer("net", "network"))

    def told(
        self, kind: str, given: Properties, old: Properties | None = None, *seconds: float
    ) -> dict[str, str]:
        """Send an event that must succeed; return the outputs' values."""
        found: dict[str, str] = self.sent(kind, given, old, *seconds)["Data"]
        return found

    def fails(self, given: Properties, *seconds: float) -> str:
        """Send a Create that must fail, and the Delete that follows; return the Create's reason."""
        answer = self.send("Create", given, None, *seconds)
        assert answer["Status"] == "FAILED"
        self.leaves(given, *seconds)
        return str(answer["Reason"])

    def leaves(self, given: Properties, *seconds: float) -> None:
        """Send a Delete without faults; the account must then be as if no stack had existed."""
        self.before = self.after = no_hook
        self.ends(given, *seconds)

    def calls(self, *event: Any) -> list[str]:
        """Send an event, which must succeed; return the operations that were called."""
        calls: list[str] = []
        self.before = lambda service, operation, params: calls.append(operation)
        self.sent(*event)
        return calls

    @property
    def new_boto3(self) -> bool:
        """Return whether boto3 knows the account-regional namespace, and tags at creation."""
        known: Any = self.account.s3.meta.service_model.shape_for("CreateBucketRequest")
        return "BucketNamespace" in known.members

    def logs(self) -> list[bool]:
        """Return whether each load balancer logs."""
        return [logging_of(self.account, arn)[0] == "true" for arn in self.arns]

    def set(self, number: int, bucket: str, prefix: str, enabled: bool = True) -> None:
        """Set a load balancer's logging as the customer, also in the untouched account."""
        for account in (self.account, self.untouched):
            account.world.load_balancers[self.arns[number]].attributes |= {
                "access_logs.s3.enabled": str(enabled).lower(),
                "access_logs.s3.bucket": bucket,
                "access_logs.s3.prefix": prefix,
            }


# The exact calls to AWS; docs/how-it-works.md gives each call's purpose.

CALLS = (  # of a Create that turns on one load balancer's logging to a new bucket
    "DescribeLoadBalancerAttributes GetBucketTagging CreateBucket GetBucketTagging"
    " GetBucketLifecycleConfiguration PutBucketLifecycleConfiguration GetBucketPolicy"
    " PutBucketPolicy CreateTopic Subscribe GetBucketNotificationConfiguration"
    " PutBucketNotificationConfiguration DescribeLoadBalancerAttributes"
    " ModifyLoadBalancerAttributes GetBucketTagging GetBucketPolicy"
    " GetBucketNotificationConfiguration GetPublicAccessBlock GetBucketEncryption"
    " GetBucketOwnershipControls GetBucketPolicyStatus GetBucketLifecycleConfiguration"
    " GetTopicAttributes ListSubscriptionsByTopic"
)
TOPIC_READS = ["GetTopicAttributes", "ListSubscriptionsByTopic"]
# A run looks up the stack's own bucket under each of its names, before and after the changes.
OWN = ["GetBucketTagging"] * 2
# The number of load balancers, the account's settings, some properties, and the calls that are
# added or left out.
CREATES: dict[str, tuple[int, dict[str, Any], Any, list[str], list[str]]] = {
    "one": (1, {}, {}, [], []),
    "many": (45, {}, {}, [], []),
    "all of an account": (45, {}, EVERY, ["DescribeLoadBalancers"], []),
    "more than 400": (401, {}, EVERY, ["DescribeLoadBalancers"] * 2, []),
    "us-east-1": (1, {"region": "us-east-1"}, {}, [], []),
    "an older boto3": (1, {"old_boto3": True}, {}, [], []),
    "the documented role may not read topics": (
        1,
        {},
        {"Privileges": "documented"},
        [],
        TOPIC_READS,
    ),
    # Others may know this bucket's name, so its settings, topic and region are read first.
    "named": (
        1,
        {},
        {"LogBucketName": "customers-own-name"},
        [*OWN, "GetTopicAttributes", "GetBucketLocation"],
        [],
    ),
}


@pytest.mark.parametrize(("count", "world", "given", "more", "less"), CREATES.values(), ids=CREATES)
def test_a_new_bucket_takes_21_calls_and_each_load_balancer_3(
    count: int, world: dict[str, Any], given: Any, more: list[str], less: list[str]
) -> None:
    """With an older boto3, a separate call puts the tags, and our bucket has two possible names."""
    fleet = Fleet(count, 1, **world)
    calls = fleet.calls("Create", {**properties(*fleet.arns), **given})
    expected = CALLS.split()
    older = [] if fleet.new_boto3 else [*OWN, "PutBucketTagging"]
    each = [DESCRIBE, DESCRIBE, MODIFY] * (count - 1)
    more = [*each, *more, *older]
    assert len(expected) == 21 + 3
    assert Counter(calls) == Counter(expected) + Counter(more) - Counter(less)
    assert more or calls == [name for name in expected if name not in less]


@pytest.mark.parametrize("count", [1, 9])
def test_what_logs_already_is_read_twice_and_nothing_to_do_once(count: int) -> None:
    for logs in (True, False):
        fleet = Fleet(count, 1)
        if logs:
            customers_bucket(fleet.account)
        for number in range(count if logs else 0):
            fleet.set(number, CUSTOMERS, "alb")
        given = properties(*fleet.arns)
        calls = Counter(fleet.calls("Create", given))
        assert (calls[DESCRIBE], calls[MODIFY]) == (2 * count, 0 if logs else count)
        again = {**given, "RunToken": "2"}
        calls = Counter(fleet.calls("Update", again, given))
        assert calls[DESCRIBE] == count
        assert not any(name.startswith(("Put", "Modify", "Create", "Delete")) for name in calls)
    calls = Counter(fleet.calls("Delete", again))  # a Delete also reads what it has set
    assert (calls[DESCRIBE], calls[MODIFY]) == (4 * count, count)


@pytest.mark.parametrize(
    ("region", "ending"),
    [
        ("eu-west-1", "-123456789012-eu-west-1-an"),
        ("us-east-1", "-123456789012-us-east-1-an"),
        ("me-south-1", "-123456789012-me-south-1"),
        ("me-central-1", "-123456789012-me-central-1"),
    ],
)
def test_a_new_bucket_is_named_as_its_region_allows_and_may_not_be_there_everywhere_yet(
    region: str, ending: str
) -> None:
    """Two regions lack the account-regional namespace, and an older boto3 does not know it."""
    fleet = Fleet(1, region=region)
    born: dict[str, float] = {}

    def after(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation == "CreateBucket":
            born.setdefault(params["Bucket"], fleet.clock())

    def before(service: str, operation: str, params: Mapping[str, Any]) -> None:
        since = fleet.clock() - born.get(params.get("Bucket", ""), 0)
        if service == "s3" and operation != "CreateBucket" and since < 3:
            raise error("NoSuchBucket", operation)

    fleet.before, fleet.after = before, after
    told = fleet.told("Create", EVERY)
    ending = ending if fleet.new_boto3 else ending.removesuffix("-an")
    assert told["LogBuckets"].endswith(ending)
    fleet.leaves(EVERY)


# Many load balancers: handled in parallel, failing separately


def refused(
    fleet: Fleet, *numbers: int, code: str = "OperationNotPermitted", text: str = "for bucket: x"
) -> Hook:
    """Return a hook that makes ELB refuse to change some load balancers."""

    def refuse(params: Mapping[str, Any]) -> None:
        arn = params["LoadBalancerArn"]
        if arn in [fleet.arns[each] for each in numbers]:
            raise error(code, MODIFY, f"Access Denied {text}: {arn}")

    return on(MODIFY, refuse)


@pytest.mark.parametrize("changed", [False, True], ids=["refused", "changed all the same"])
def test_one_that_cannot_be_changed_is_left_out_and_told(changed: bool) -> None:
    """The claim is removed, with the bucket, topic and notification that only this ALB needs."""
    fleet = Fleet(5)
    fleet.customer(customers_bucket)
    for number in (0, 1, 3, 4):
        fleet.set(number, CUSTOMERS, "alb")
    refuse = refused(fleet, 2)
    if changed:
        fleet.after = once(MODIFY, partial(refuse, "elbv2", MODIFY))
    else:
        fleet.before = refuse

    told = fleet.told("Create", EVERY)

    assert fleet.logs() == [True, True, False, True, True]
    assert told["NotOnboarded"].startswith(f"{load_balancer_name(fleet.arns[2])}: ")
    assert "OperationNotPermitted" in told["NotOnboarded"]
    assert (told["Warnings"], told["LogBuckets"]) == ("none", CUSTOMERS)
    assert list(fleet.account.world.buckets) == [CUSTOMERS]
    fleet.leaves(EVERY)


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("every", [True, False])
def test_one_reason_is_told_if_nothing_can_be_onboarded(every: bool, workers: int) -> None:
    """The first failed load balancer in order gives the reason, even if another failed sooner.

    The Delete undoes the changes.
    """
    fleet = Fleet(20, workers)
    fleet.before = refused(fleet, *(range(20) if every else (3, 4, 17)))
    reason = fleet.fails(EVERY if every else properties(*fleet.arns))
    if every:
        assert reason.startswith("No load balancer can be onboarded.") and "Correct that" in reason
    else:
        assert reason.startswith(f"{MODIFY} failed with OperationNotPermitted: ")
        assert fleet.arns[3] in reason
    assert "stays until the stack is rolled back or deleted" in reason


def test_a_bucket_that_elb_may_not_write_to_is_waited_for_once() -> None:
    """The bucket's policy gets one minute to take effect, not one for each load balancer."""
    fleet = Fleet(40, 1)
    fleet.before = refused(fleet, *range(39), code="InvalidConfigurationRequest")
    started = fleet.clock()
    fleet.told("Create", EVERY)
    assert fleet.logs() == [False] * 39 + [True]
    assert fleet.clock() - started < 2 * 60


def test_an_odd_text_does_not_stop_the_waiting_for_others() -> None:
    fleet = Fleet(6, 1)
    start = fleet.clock()

    def refuse(params: Mapping[str, Any]) -> None:
        if params["LoadBalancerArn"] == fleet.arns[0]:
            raise error("InvalidConfigurationRequest", MODIFY, "cannot be changed")
        if fleet.clock() - start < 10:
            raise error("InvalidConfigurationRequest", MODIFY, "Access Denied for bucket: b")

    fleet.before = on(MODIFY, refuse)
    fleet.told("Create", EVERY)
    assert fleet.logs() == [False] + [True] * 5


class Deaf:
    """An ELB client that ignores the first change; the response shows the old attributes."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.heard = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def modify_load_balancer_attributes(self, **params: Any) -> Any:
        self.heard += 1
        if self.heard == 1:
            arn = params["LoadBalancerArn"]
            return self.client.describe_load_balancer_attributes(LoadBalancerArn=arn)
        return self.client.modify_load_balancer_attributes(**params)


def test_an_answer_that_does_not_show_the_change_is_not_believed() -> None:
    """The function reads the load balancer again, and repeats the change."""
    fleet = Fleet(2, 1)
    deaf = Deaf(fleet.account.elbv2)
    fleet.clients = lambda: (deaf, fleet.account.s3, fleet.account.sns)
    fleet.told("Create", properties(*fleet.arns))
    assert fleet.logs() == [True, True]
    assert deaf.heard == 3


@pytest.mark.parametrize("kind", ["refused", "changed by the customer"])
def test_one_odd_load_balancer_costs_a_thousand_no_time(kind: str) -> None:
    """Calls run at ELB's documented rates: ten a second, at most three of them changes.

    Each load balancer is read again right before it is changed, so that logging that the customer
    turns on meanwhile is not moved.
    """
    fleet = Fleet(1000, 1)
    customers_bucket(fleet.account)
    if kind == "refused":
        fleet.set(7, CUSTOMERS, "alb", enabled=False)
    turned_on = on("CreateTopic", lambda params: fleet.set(7, CUSTOMERS, "mine"))
    odd = refused(fleet, 7) if kind == "refused" else turned_on

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if service == "elbv2":
            fleet.clock.sleep(0.2333 if operation == MODIFY else 0.1)
        odd(service, operation, params)

    fleet.before = hook
    told = fleet.told("Create", EVERY)
    assert sum(fleet.logs()) == 999 + (kind != "refused")
    if kind != "refused":
        assert logging_of(fleet.account, fleet.arns[7]) == ("true", CUSTOMERS, "mine")
        assert CUSTOMERS in told["LogBuckets"] and CUSTOMERS in told["TopicArns"]


# More load balancers than the time allows. A run of 60 s keeps 30 s for the answer. An Update keeps
# another 60 s for leaving buckets. Reading an ALB takes 0.3 s, and changing it takes 0.4 s.


def test_more_than_fit_are_refused_with_a_number_and_as_many_as_fit_are_taken() -> None:
    """If ALBs that already log counted, an onboarded account could not be updated again."""
    for count, told in (
        (101, "101 load balancers are too many for one run: 100 fit"),
        (76, "76 load balancers to turn on are too many for one run: 75 fit"),
    ):
        assert told in Fleet(count).fails(EVERY, 60)
    fleet = Fleet(75)
    fleet.told("Create", EVERY, None, 60)
    assert all(fleet.logs())
    assert fleet.told("Update", AGAIN, EVERY, 113)["NotOnboarded"] == "none"


def test_an_update_takes_what_fits_and_tells_the_rest() -> None:
    fleet = Fleet(5)
    fleet.send("Create", EVERY)
    fleet.arns += [fleet.account.add_load_balancer(f"new{each}") for each in range(78)]

    told = fleet.told("Update", AGAIN, EVERY, 120)

    assert told["NotOnboarded"].count("does not fit into this run: run the stack again") == 3
    assert sum(fleet.logs()) == 80
    assert fleet.told("Update", EVERY, AGAIN)["NotOnboarded"] == "none"
    assert all(fleet.logs())


def test_neither_leaving_nor_the_way_back_is_refused() -> None:
    """The failed Update does not even have time to read all load balancers.

    A Delete also covers load balancers that its parameters do not name.
    """
    fleet = Fleet(241)
    named = properties(fleet.arns[0])
    fleet.send("Create", named)
    assert fleet.send("Update", EVERY, named, 150)["Status"] == "FAILED"
    fleet.told("Update", named, EVERY, 150)
    fleet.told("Update", EVERY, named)
    assert all(fleet.logs())
    fleet.told("Update", named, EVERY, 250)
    assert sum(fleet.logs()) == 1
    fleet.told("Update", EVERY, named)
    fleet.leaves(named, 60)


# Load balancers that cannot move from one bucket to another

FIRST, SECOND = (properties("*", LogBucketName=f"bucket-{each}") for each in ("one", "two"))


def test_a_bucket_does_not_go_while_one_that_could_not_move_logs_there() -> None:
    fleet = Fleet(4)
    fleet.send("Create", FIRST)
    seen: list[tuple[str, bool]] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        if operation in ("DeleteBucket", "DeleteTopic"):
            seen.append((operation, fleet.logs()[2]))
        moved = {"Key": "access_logs.s3.bucket", "Value": "bucket-two"}
        mine = params.get("LoadBalancerArn") == fleet.arns[2]
        if operation == MODIFY and mine and moved in params["Attributes"]:
            raise error("OperationNotPermitted", operation)

    fleet.before = hook
    told = fleet.told("Update", SECOND, FIRST)

    assert told["NotOnboarded"].startswith(f"{load_balancer_name(fleet.arns[2])}: ")
    assert seen == [("DeleteTopic", False), ("DeleteBucket", False)]
    assert list(fleet.account.world.buckets) == ["bucket-two"]


def throttled(fleet: Fleet, name: str) -> Hook:
    """Return a hook that throttles one load balancer for a minute, once `bucket-two` exists."""
    first: list[float] = []

    def throttle(params: Mapping[str, Any]) -> None:
        mine = params["LoadBalancerArn"] == fleet.arns[2]
        if mine and "bucket-two" in fleet.account.world.buckets:
            first or first.append(fleet.clock())
            if fleet.clock() - first[0] < 62:
                raise error("Throttling", name, "Rate exceeded")

    return on(name, throttle)


@pytest.mark.parametrize("operation", ["", MODIFY, DESCRIBE])
def test_one_that_works_is_not_given_up_and_the_update_goes_back(operation: str) -> None:
    """Changing one load balancer is denied, or calls about it are throttled."""
    fleet = Fleet(4, 1)
    fleet.send("Create", FIRST)
    before = fleet.account.snapshot()
    denied = refused(fleet, 2, code="AccessDenied", text="with an explicit deny")
    fleet.before = throttled(fleet, operation) if operation else denied

    answer = fleet.send("Update", SECOND, FIRST)

    assert answer["Status"] == "FAILED"
    assert ("Throttling" if operation else "explicit deny") in answer["Reason"]
    assert logging_of(fleet.account, fleet.arns[2])[:2] == ("true", "bucket-one")
    # After a rollback, the role covers only the first bucket.
    assert operation == "" or list(fleet.account.world.buckets) == ["bucket-one"]
    if not operation:
        fleet.before = no_hook
    fleet.told("Update", FIRST, SECOND)
    assert differences(before, fleet.account.snapshot()) == []


def test_a_fault_is_logged_even_if_all_is_as_requested(capsys: pytest.CaptureFixture[str]) -> None:
    """After a failure, the run reads the account again, which must not hide unexpected errors."""
    fleet = Fleet(1)
    done: list[str] = []

    def hook(service: str, operation: str, params: Mapping[str, Any]) -> None:
        done.append(operation)
        if operation == "GetBucketEncryption" and done.count(operation) == 1 and MODIFY in done:
            raise RuntimeError("a fault of ours")

    fleet.before = hook
    fleet.send("Create", properties(*fleet.arns))

    assert done.count("GetBucketEncryption") == 2
    assert "a fault of ours" in capsys.readouterr().out
