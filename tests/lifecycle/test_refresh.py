"""The schedule's event restores overwritten settings, and does nothing that was not requested."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from support.drifts import set_logging
from support.looks import can_read, logging_of, reads

from dt_logs_handler.request import SERVICE_TIMEOUT
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new, three
from lifecycle.cloudformation import VENDOR, Stack, properties
from lifecycle.faults import MODES, Faults, Killed, on
from lifecycle.scenarios import Case, Prepare

Change = Callable[[Account, list[str]], None]


class Scheduled(Case):
    """A stack that onboarded load balancers, and the calls of its last refresh."""

    def __init__(self, prepare: Prepare, *named: str) -> None:
        super().__init__(prepare)
        self.calls: list[str] = []
        self.given = properties(*(named or self.arns))
        answer = self.stack.create(self.given, self.clients)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        self.start = self.account.snapshot()

    def refresh(self, **event: Any) -> dict[str, Any]:
        """Send the schedule's event an hour later, and return its log line."""
        self.clock.sleep(3600)
        faults = Faults()
        self.calls = faults.calls
        return self.stack.refresh(self.failing(faults), **event)

    def refresh_fails(self, faults: Faults) -> None:
        """Send the schedule's event, and make one of its calls fail."""
        with suppress(Killed):
            self.stack.refresh(self.failing(faults))

    def updated(self, **changes: object) -> list[str]:
        """Send an Update, and return the calls that it makes."""
        faults, given = Faults(), {**self.given, **changes}
        answer = self.stack.update(given, self.failing(faults))
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return faults.calls

    def without(self, *arns: str) -> None:
        """Delete load balancers that were added later, so that the rest can be compared."""
        for arn in arns:
            del self.account.world.load_balancers[arn]

    @property
    def changed(self) -> list[str]:
        """Return how the account differs from its state after the Create."""
        return self.differs(self.start)


def _wiped(account: Account, arns: list[str]) -> None:
    account.s3.put_bucket_notification_configuration(
        Bucket=logging_of(account, arns[0])[1], NotificationConfiguration={}
    )


def _topic_gone(account: Account, arns: list[str]) -> None:
    (topic,) = account.world.topics
    account.sns.delete_topic(TopicArn=topic)


def _switched_off(account: Account, arns: list[str]) -> None:
    set_logging(account, arns[0], enabled="false")


def _opened(account: Account, arns: list[str]) -> None:
    bucket = logging_of(account, arns[0])[1]
    account.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={})
    account.s3.delete_bucket_lifecycle(Bucket=bucket)


@pytest.mark.parametrize(
    "change", [_wiped, _topic_gone, _switched_off, _opened], ids=lambda each: each.__name__
)
def test_what_was_overwritten_comes_back(change: Change) -> None:
    case = Scheduled(new)
    change(case.account, case.arns)
    assert case.changed

    line = case.refresh()

    assert (line["event"], line["outcome"], line["FailedRefreshes"]) == ("refreshed", "in step", 0)
    assert not case.changed
    case.ends(case.given)


@pytest.mark.parametrize(
    ("prepare", "where"),
    [(new, {}), (logging, {}), (logging, {"bucket": CUSTOMERS, "prefix": "another"})],
    ids=["beside its own", "beside the customer's", "that logs elsewhere"],
)
def test_a_new_load_balancer_joins(prepare: Prepare, where: dict[str, Any]) -> None:
    case = Scheduled(prepare, "*")
    later = case.account.add_load_balancer("later", **where)

    assert case.refresh()["outcome"] == "in step"

    assert logging_of(case.account, later)[0] == "true"
    assert reads(case.account, later)
    case.sent("Delete", case.given)
    case.without(later)
    assert case.left() == []


@pytest.mark.parametrize("named", [(), ("*",)], ids=["named", "all"])
def test_a_refresh_with_nothing_to_do_writes_nothing_and_reads_once(named: tuple[str, ...]) -> None:
    """An Update with nothing to do reads everything once."""
    case = Scheduled(three, *named)
    once = len(case.updated(RunToken="again"))

    assert case.refresh()["outcome"] == "in step"

    assert len(case.calls) <= once
    assert _writes(case.calls) == []
    assert not case.changed


@pytest.mark.parametrize("prepare", [new, three], ids=lambda each: each.__name__)
def test_a_named_load_balancer_that_was_deleted_stops_no_refresh(prepare: Prepare) -> None:
    """The refreshes after the deletion and after an Update restore what remains."""
    case = Scheduled(prepare)
    later = case.account.add_load_balancer("later")
    case.updated(LoadBalancerArns=[*case.arns, later])
    case.given = properties(*case.arns, later)
    case.without(later)

    for _ in range(2):
        before = case.account.snapshot()
        _wiped(case.account, case.arns)
        assert case.refresh()["outcome"] == "in step"
        assert case.differs(before) == []
        case.updated(RunToken="again")


def _writes(calls: list[str]) -> list[str]:
    reading = ("Describe", "Get", "List", "Head")
    return [each for each in calls if not each.partition(":")[2].startswith(reading)]


def test_a_policy_without_the_stack_is_told_and_not_written() -> None:
    case = Scheduled(new)
    case.account.s3.delete_bucket_policy(Bucket=logging_of(case.account, case.arns[0])[1])

    line = case.refresh()

    assert (line["outcome"], line["FailedRefreshes"]) == ("failed", 1)
    assert "RunToken" in line["what"]
    assert _writes(case.calls) == []


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("CREATE_IN_PROGRESS", "stopped"),
        ("UPDATE_IN_PROGRESS", "stopped"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "stopped"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "stopped"),
        ("DELETE_IN_PROGRESS", "stopped"),
        ("REVIEW_IN_PROGRESS", "stopped"),
        ("UPDATE_FAILED", "failed"),
        ("UPDATE_ROLLBACK_FAILED", "failed"),
        ("DELETE_FAILED", "failed"),
        ("ROLLBACK_COMPLETE", "failed"),
        ("IMPORT_COMPLETE", "in step"),
        ("IMPORT_ROLLBACK_COMPLETE", "in step"),
    ],
)
def test_only_a_stack_at_rest_is_refreshed(status: str, outcome: str) -> None:
    """A status that lasts until somebody acts counts as a failure, and so triggers an alarm."""
    case = Scheduled(new)
    _wiped(case.account, case.arns)
    case.stack.status = status

    line = case.refresh()

    assert (line["outcome"], line["FailedRefreshes"]) == (outcome, outcome == "failed")
    assert bool(case.calls) == (outcome == "in step")


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "UPDATE_IN_PROGRESS"), ("parameters", properties("*")), ("updated", 1.0)],
)
def test_a_stack_that_changes_meanwhile_stops_it_before_the_next_step(
    name: str, value: object
) -> None:
    case = Scheduled(new)
    _topic_gone(case.account, case.arns)

    calls: list[str] = []
    case.before = on("CreateTopic", lambda params: setattr(case.stack, name, value))
    case.after = lambda service, operation, params: calls.append(operation)

    assert case.stack.refresh(case.clients)["outcome"] == "stopped"
    assert calls[-1] == "CreateTopic"  # its partial work is not undone


@pytest.mark.parametrize("updated", [True, False], ids=["before an Update", "long ago"])
def test_an_event_of_the_past_does_nothing(updated: bool) -> None:
    case = Scheduled(new)
    case.clock.sleep(3600)
    at = case.clock() - (0 if updated else SERVICE_TIMEOUT)
    if updated:
        case.clock.sleep(5)
        case.updated(LogRetentionDays="90")
    _wiped(case.account, case.arns)
    before = case.account.snapshot()

    assert case.stack.refresh(case.clients, at=at)["outcome"] == "stopped"

    assert case.account.snapshot() == before


def test_a_forged_event_can_name_no_other_stack_and_no_later_time() -> None:
    case = Scheduled(new)
    other = Stack(case.clock, seed=2)
    assert other.create(case.given, case.clients)["Status"] == "SUCCESS"
    before = case.account.snapshot()

    assert case.refresh(stack=other.id)["outcome"] == "failed"
    nowhere = case.refresh(stack="arn:aws:s3:::x")
    assert (nowhere["outcome"], "_aws" in nowhere) == ("failed", False)
    assert case.account.snapshot() == before

    _switched_off(case.account, case.arns)
    assert case.refresh(at=case.clock() + 10**8)["outcome"] == "in step"
    case.updated(RunToken="later")
    assert other.delete(case.clients)["Status"] == "SUCCESS"
    case.ends(case.given)


def test_what_failed_is_told_without_the_endpoints_token() -> None:
    case = Scheduled(new)
    _topic_gone(case.account, case.arns)

    def failing(params: Any) -> None:
        raise RuntimeError(params["Endpoint"])

    case.before = on("Subscribe", failing)
    line = case.stack.refresh(case.clients)

    assert (line["outcome"], line["FailedRefreshes"]) == ("failed", 1)
    assert "s3cr3t" not in str(line)
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "dt-logs-analysis",
            "Dimensions": [["Stack"]],
            "Metrics": [{"Name": "FailedRefreshes", "Unit": "Count"}],
        }
    ]
    assert line["_aws"]["Timestamp"] == int(case.clock() * 1000)
    assert line["Stack"] == case.stack.id


def _to_do(change: Change) -> tuple[Scheduled, str]:
    """Return a stack whose refresh has something to restore, and a new load balancer to onboard."""
    case = Scheduled(three, "*")
    change(case.account, case.arns)
    return case, case.account.add_load_balancer("later")


def _points(change: Change, full: bool) -> range:
    case, _ = _to_do(change)
    assert case.refresh()["outcome"] == "in step"
    return range(0, len(case.calls), 1 if full else 7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", [_wiped, _topic_gone], ids=lambda each: each.__name__)
def test_whichever_call_fails_the_next_refresh_or_a_delete_makes_it_good(
    change: Change, mode: str, full: bool, record_property: Callable[[str, object], None]
) -> None:
    points = _points(change, full)
    wrong = {each: found for each in points if (found := _violations(change, mode, each))}

    record_property("failure points tried", len(points))
    record_property("failure points tried wrong", len(wrong))
    assert wrong == {}


def _violations(change: Change, mode: str, at: int) -> list[str]:
    case, later = _to_do(change)
    case.refresh_fails(Faults(at, mode))
    line = case.refresh()
    found = [] if line["outcome"] == "in step" else [str(line["what"])]
    if logging_of(case.account, later)[0] != "true" or not reads(case.account, later):
        found.append("the new load balancer did not join")
    found += _after_delete(case, later)
    case, later = _to_do(change)
    case.refresh_fails(Faults(at, mode))
    case.clock.sleep(60)
    return found + _after_delete(case, later)


def _after_delete(case: Scheduled, later: str) -> list[str]:
    answer = case.send("Delete", case.given)
    case.without(later)
    return case.left() + ([] if answer["Status"] == "SUCCESS" else [answer["Reason"]])


def test_one_empty_listing_takes_nothing_away() -> None:
    case = Scheduled(three, "*")
    there = dict(case.account.world.load_balancers)
    answers = iter([{}])  # one stale answer

    def show(found: dict[str, Any]) -> None:
        case.account.world.load_balancers = dict(found)

    case.before = on("DescribeLoadBalancers", lambda params: show(next(answers, there)))
    case.after = lambda service, operation, params: show(there)
    case.clock.sleep(3600)
    case.stack.refresh(case.clients)

    assert next(answers, None) is None
    assert not case.changed


@pytest.mark.parametrize("prepare", [new, logging], ids=["own", "customers"])
def test_who_removes_all_and_adds_one_is_onboarded(prepare: Prepare) -> None:
    case = Scheduled(prepare, "*")
    case.without(*case.arns)
    case.refresh()
    where = {"bucket": CUSTOMERS} if prepare is logging else {}
    morning = case.account.add_load_balancer("morning", **where)

    assert case.refresh()["outcome"] == "in step"

    assert reads(case.account, morning)


def test_logs_of_a_deleted_load_balancer_can_still_be_read() -> None:
    case = Scheduled(logging, "*")
    other = case.account.add_load_balancer("other", bucket=CUSTOMERS)
    case.refresh()
    key = case.account.write_log(other)
    assert key and can_read(case.account, VENDOR, CUSTOMERS, key)
    case.without(other)

    case.refresh()

    assert can_read(case.account, VENDOR, CUSTOMERS, key)


def test_a_date_in_the_future_blocks_no_later_event() -> None:
    case = Scheduled(three)
    another = {**case.given, "DataTheoremAccountId": "666666666666"}
    forged = case.stack.event("Update", another, case.given)
    forged["ResponseURL"] = "https://answers.example.com/a?X-Amz-Date=20990101T000000Z"
    case.stack.send(forged, case.clients)

    case.sent("Delete", case.given)


def test_a_fight_that_is_lost_is_a_failed_refresh() -> None:
    case = Scheduled(new)
    _wiped(case.account, case.arns)

    wipe = partial(_wiped, case.account, case.arns)
    case.after = on("PutBucketNotificationConfiguration", lambda params: wipe())

    assert case.stack.refresh(case.clients)["FailedRefreshes"] == 1
