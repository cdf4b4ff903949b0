"""The schedule's event restores what others overwrote, and does nothing that was not asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from support.looks import logging_of, reads
from support.verdicts import can_read

from dt_logs_handler.request import SERVICE_TIMEOUT
from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new, three
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import VENDOR, Clients, Stack, properties
from lifecycle.failure_points import MODES, Faults, Killed
from lifecycle.scenarios import clients_of

Change = Callable[[Account, list[str]], None]


class World:
    """An account with one stack, and the calls that its function has made."""

    def __init__(self, prepare: Callable[[Account], list[str]], *named: str) -> None:
        self.clock = Clock()
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.arns = prepare(self.account)
        self.initial = self.account.snapshot()
        self.stack = Stack(self.clock, seed=1)
        self.faults = Faults()
        answer = self.stack.create(properties(*(named or self.arns)), self.clients())
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        self.start = self.account.snapshot()

    def clients(self, faults: Faults | None = None) -> Clients:
        hooks = {"before": faults.before, "after": faults.after} if faults else {}
        return lambda: clients_of(self.account, **hooks)

    def refresh(self, **event: Any) -> dict[str, Any]:
        """Send the schedule's event an hour later, and return its log line."""
        self.clock.sleep(3600)
        self.faults = Faults()
        return self.stack.refresh(self.clients(self.faults), **event)

    @property
    def writes(self) -> list[str]:
        reading = ("Describe", "Get", "List", "Head")
        return [e for e in self.faults.calls if not e.partition(":")[2].startswith(reading)]

    def differs(self) -> list[str]:
        return differences(self.start, self.account.snapshot())


def _wiped(account: Account, arns: list[str]) -> None:
    account.s3.put_bucket_notification_configuration(
        Bucket=logging_of(account, arns[0])[1], NotificationConfiguration={}
    )


def _topic_gone(account: Account, arns: list[str]) -> None:
    (topic,) = account.world.topics
    account.sns.delete_topic(TopicArn=topic)


def _switched_off(account: Account, arns: list[str]) -> None:
    account.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=arns[0], Attributes=[{"Key": "access_logs.s3.enabled", "Value": "false"}]
    )


def _opened(account: Account, arns: list[str]) -> None:
    bucket = logging_of(account, arns[0])[1]
    account.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={})
    account.s3.delete_bucket_lifecycle(Bucket=bucket)


OVERWRITTEN = (_wiped, _topic_gone, _switched_off, _opened)


@pytest.mark.parametrize("change", OVERWRITTEN, ids=lambda each: each.__name__)
def test_what_was_overwritten_comes_back(change: Change) -> None:
    world = World(new)
    change(world.account, world.arns)
    assert world.differs()

    line = world.refresh()

    assert (line["event"], line["outcome"], line["FailedRefreshes"]) == ("refreshed", "in step", 0)
    assert not world.differs()
    assert world.stack.delete(world.clients())["Status"] == "SUCCESS"
    assert not differences(world.initial, world.account.snapshot())


@pytest.mark.parametrize(
    ("prepare", "where"),
    [(new, {}), (logging, {}), (logging, {"bucket": CUSTOMERS, "prefix": "another"})],
    ids=["beside its own", "beside the customer's", "that logs elsewhere"],
)
def test_a_new_load_balancer_joins(
    prepare: Callable[[Account], list[str]], where: dict[str, Any]
) -> None:
    world = World(prepare, "*")
    later = world.account.add_load_balancer("later", **where)

    line = world.refresh()

    assert line["outcome"] == "in step"
    assert logging_of(world.account, later)[0] == "true"
    assert reads(world.account, later)
    assert world.stack.delete(world.clients())["Status"] == "SUCCESS"
    del world.account.world.load_balancers[later]
    assert not differences(world.initial, world.account.snapshot())


@pytest.mark.parametrize("named", [(), ("*",)], ids=["named", "all"])
def test_a_refresh_with_nothing_to_do_writes_nothing_and_reads_once(named: tuple[str, ...]) -> None:
    world = World(three, *named)
    read = len(_update_reads(world))

    assert world.refresh()["outcome"] == "in step"

    assert world.writes == []
    assert len(world.faults.calls) <= read
    assert not world.differs()


def _update_reads(world: World) -> list[str]:
    """Return the calls of an Update with nothing to do, which looks at everything once."""
    faults = Faults()
    again = properties(*world.stack.parameters["LoadBalancerArns"], RunToken="again")  # type: ignore[misc]
    assert world.stack.update(again, world.clients(faults))["Status"] == "SUCCESS"
    return faults.calls


def test_a_policy_without_the_stack_is_told_and_not_written() -> None:
    world = World(new)
    bucket = logging_of(world.account, world.arns[0])[1]
    world.account.s3.delete_bucket_policy(Bucket=bucket)

    line = world.refresh()

    assert (line["outcome"], line["FailedRefreshes"]) == ("failed", 1)
    assert "RunToken" in line["what"]
    assert world.writes == []


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "DELETE_IN_PROGRESS",
        "REVIEW_IN_PROGRESS",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "DELETE_FAILED",
        "ROLLBACK_COMPLETE",
    ],
)
def test_a_stack_that_is_not_at_rest_is_left_alone(status: str) -> None:
    """A status that lasts until somebody acts counts as a failure, so that an alarm reports it."""
    world = World(new)
    _wiped(world.account, world.arns)
    world.stack.status = status
    passes = status.endswith("_IN_PROGRESS")

    line = world.refresh()

    assert (line["outcome"], line["FailedRefreshes"]) == (
        "stopped" if passes else "failed",
        not passes,
    )
    assert world.faults.calls == []


@pytest.mark.parametrize("change", ["status", "parameters", "updated"])
def test_a_stack_that_changes_meanwhile_stops_it_before_the_next_step(change: str) -> None:
    world = World(new)
    _topic_gone(world.account, world.arns)

    def changing(service: str, operation: str, params: object) -> None:
        if operation == "CreateTopic":
            changed: dict[str, Any] = {
                "status": "UPDATE_IN_PROGRESS",
                "parameters": properties(*world.arns, RunToken="again"),
                "updated": 1.0,
            }
            setattr(world.stack, change, changed[change])

    calls: list[str] = []
    line = world.stack.refresh(
        lambda: clients_of(
            world.account,
            before=changing,
            after=lambda service, operation, params: calls.append(operation),
        )
    )

    assert line["outcome"] == "stopped"
    assert calls[-1] == "CreateTopic"  # what it has begun is not undone


def test_an_old_event_does_nothing() -> None:
    world = World(new)
    _wiped(world.account, world.arns)

    line = world.refresh(at=world.clock() - SERVICE_TIMEOUT + 3600)

    assert (line["outcome"], world.faults.calls) == ("stopped", [])


def test_an_event_from_before_the_last_update_does_nothing() -> None:
    world = World(new)
    at = world.clock()
    world.clock.sleep(5)
    world.stack.update(properties(*world.arns, LogRetentionDays="90"), world.clients())
    _wiped(world.account, world.arns)
    before = world.account.snapshot()

    line = world.stack.refresh(world.clients(), at=at)

    assert line["outcome"] == "stopped"
    assert world.account.snapshot() == before


def test_a_forged_event_can_name_no_other_stack_and_no_later_time() -> None:
    world = World(new)
    other = Stack(world.clock, seed=2)
    answer = other.create(properties(*world.arns), world.clients())
    assert answer["Status"] == "SUCCESS"
    before = world.account.snapshot()

    assert world.refresh(stack=other.id)["outcome"] == "failed"
    nowhere = world.refresh(stack="arn:aws:s3:::x")
    assert (nowhere["outcome"], "_aws" in nowhere) == ("failed", False)
    assert world.account.snapshot() == before

    _switched_off(world.account, world.arns)
    assert world.refresh(at=world.clock() + 10**8)["outcome"] == "in step"
    world.stack.update(properties(*world.arns, RunToken="later"), world.clients())
    assert other.delete(world.clients())["Status"] == "SUCCESS"
    assert world.stack.delete(world.clients())["Status"] == "SUCCESS"
    assert not differences(world.initial, world.account.snapshot())


def test_what_failed_is_told_without_the_endpoints_token() -> None:
    world = World(new)
    _topic_gone(world.account, world.arns)

    def failing(service: str, operation: str, params: Any) -> None:
        if operation == "Subscribe":
            raise RuntimeError(params["Endpoint"])

    line = world.stack.refresh(lambda: clients_of(world.account, before=failing))

    assert (line["outcome"], line["FailedRefreshes"]) == ("failed", 1)
    assert "s3cr3t" not in str(line)
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "dt-logs-analysis",
            "Dimensions": [["Stack"]],
            "Metrics": [{"Name": "FailedRefreshes", "Unit": "Count"}],
        }
    ]
    assert line["_aws"]["Timestamp"] == int(world.clock() * 1000)
    assert line["Stack"] == world.stack.id


def _points(change: Change) -> list[int]:
    world = World(three, "*")
    change(world.account, world.arns)
    world.account.add_load_balancer("later")
    assert world.refresh()["outcome"] == "in step"
    return list(range(len(world.faults.calls)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", [_wiped, _topic_gone], ids=lambda each: each.__name__)
def test_whichever_call_fails_the_next_refresh_makes_it_good(
    change: Change, mode: str, full: bool, record_property: Callable[[str, object], None]
) -> None:
    points = _points(change)[:: 1 if full else 7]
    wrong = {each: found for each in points if (found := _violations(change, mode, each))}

    record_property("failure points tried", len(points))
    record_property("failure points tried wrong", len(wrong))
    assert wrong == {}


def _violations(change: Change, mode: str, at: int) -> list[str]:
    world = World(three, "*")
    change(world.account, world.arns)
    later = world.account.add_load_balancer("later")
    with suppress(Killed):
        world.stack.refresh(world.clients(Faults(at, mode)))
    line = world.refresh()
    found = [] if line["outcome"] == "in step" else [str(line["what"])]
    if logging_of(world.account, later)[0] != "true" or not reads(world.account, later):
        found.append("the new load balancer did not join")
    answer = world.stack.delete(world.clients())
    if answer["Status"] != "SUCCESS":
        found.append(str(answer["Reason"]))
    del world.account.world.load_balancers[later]
    return found + differences(world.initial, world.account.snapshot())


@pytest.mark.parametrize("mode", MODES)
def test_whichever_call_of_a_refresh_fails_a_delete_leaves_nothing(mode: str, full: bool) -> None:
    wrong = {}
    for at in _points(_topic_gone)[:: 1 if full else 7]:
        world = World(three, "*")
        _topic_gone(world.account, world.arns)
        later = world.account.add_load_balancer("later")
        with suppress(Killed):
            world.stack.refresh(world.clients(Faults(at, mode)))
        world.clock.sleep(60)
        answer = world.stack.delete(world.clients())
        del world.account.world.load_balancers[later]
        left = differences(world.initial, world.account.snapshot())
        if answer["Status"] != "SUCCESS" or left:
            wrong[at] = (answer["Reason"], left)
    assert wrong == {}


def test_one_empty_listing_takes_nothing_away() -> None:
    world = World(three, "*")
    there = dict(world.account.world.load_balancers)
    answers = iter([{}])  # one stale answer

    def before(service: str, operation: str, params: object) -> None:
        if operation == "DescribeLoadBalancers":
            found = next(answers, there)
            world.account.world.load_balancers.clear()
            world.account.world.load_balancers.update(found)

    def after(service: str, operation: str, params: object) -> None:
        world.account.world.load_balancers.update(there)

    world.clock.sleep(3600)
    world.stack.refresh(lambda: clients_of(world.account, before=before, after=after))

    assert not world.differs()


@pytest.mark.parametrize("prepare", [new, logging], ids=["own", "customers"])
def test_who_removes_all_and_adds_one_is_onboarded(
    prepare: Callable[[Account], list[str]],
) -> None:
    world = World(prepare, "*")
    for arn in world.arns:
        del world.account.world.load_balancers[arn]
    world.refresh()
    where = {"bucket": CUSTOMERS} if prepare is logging else {}
    morning = world.account.add_load_balancer("morning", **where)

    line = world.refresh()

    assert (line["outcome"], reads(world.account, morning)) == ("in step", True)


def test_logs_of_a_deleted_load_balancer_can_still_be_read() -> None:
    world = World(logging, "*")
    other = world.account.add_load_balancer("other", bucket=CUSTOMERS)
    world.refresh()
    key = world.account.write_log(other)
    assert key and can_read(world.account, VENDOR, CUSTOMERS, key)
    del world.account.world.load_balancers[other]

    world.refresh()

    assert can_read(world.account, VENDOR, CUSTOMERS, key)


def test_a_date_in_the_future_blocks_no_later_event() -> None:
    world = World(three)
    forged = world.stack.event(
        "Update",
        properties(*world.arns, DataTheoremAccountId="666666666666"),
        world.stack.properties,
    )
    forged["ResponseURL"] = "https://answers.example.com/a?X-Amz-Date=20990101T000000Z"
    world.stack.send(forged, world.clients())

    assert world.stack.delete(world.clients())["Status"] == "SUCCESS"


@pytest.mark.parametrize("status", ["IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"])
def test_a_stack_after_an_import_is_at_rest(status: str) -> None:
    world = World(new)
    world.stack.status = status

    assert world.refresh()["outcome"] == "in step"


def test_a_fight_that_is_lost_is_a_failed_refresh() -> None:
    world = World(new)
    bucket = logging_of(world.account, world.arns[0])[1]

    def wipe(
        service: str = "",
        operation: str = "PutBucketNotificationConfiguration",
        params: object = None,
    ) -> None:
        if operation == "PutBucketNotificationConfiguration":
            world.account.s3.put_bucket_notification_configuration(
                Bucket=bucket, NotificationConfiguration={}
            )

    wipe()
    line = world.stack.refresh(lambda: clients_of(world.account, after=wipe))

    assert line["FailedRefreshes"] == 1
