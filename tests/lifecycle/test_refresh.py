"""The schedule's event restores overwritten settings, and does nothing that was not requested."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from support.drifts import announce, set_logging
from support.looks import can_read, logging_of, reads

from dt_logs_handler.request import SERVICE_TIMEOUT
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new, three
from lifecycle.cloudformation import ENDPOINT, VENDOR, Stack, properties
from lifecycle.faults import MODES, Faults, Killed, on
from lifecycle.scenarios import Case, Prepare

Change = Callable[[Account, list[str]], object]


class Scheduled(Case):
    """A stack that onboarded load balancers, and the calls of its last event."""

    def __init__(self, prepare: Prepare, *named: str) -> None:
        super().__init__(prepare)
        self.calls: list[str] = []
        self.create(*named)
        self.start = self.account.snapshot()

    def clients(self, **hooks: Any) -> tuple[object, object, object]:
        """Return clients that record their calls in a new list, `calls`."""
        calls = self.calls = []
        given = hooks.pop("before", self.before)

        def before(service: str, operation: str, params: Any) -> None:
            calls.append(operation)
            given(service, operation, params)

        return super().clients(before=before, **hooks)

    def refresh(self, after: float = 3600, **event: Any) -> tuple[str, int]:
        """Send the schedule's event, by default an hour later; return its outcome and metric."""
        self.clock.sleep(after)
        self.calls = []
        self.line = self.stack.refresh(self.clients, **event)
        self.account.confirm(ENDPOINT)
        return self.line["outcome"], self.line["FailedRefreshes"]

    def writes(self) -> list[str]:
        """Return the last event's calls, except those that only read."""
        reading = ("Describe", "Get", "List", "Head")
        return [each for each in self.calls if not each.startswith(reading)]

    def without(self, *arns: str) -> None:
        """Delete load balancers, only from the account with the stack."""
        for arn in arns:
            del self.account.world.load_balancers[arn]

    @property
    def changed(self) -> list[str]:
        """Return how the account differs from its state after the Create."""
        return self.differs(self.start)


IN_STEP, FAILED = ("in step", 0), ("failed", 1)


def _bucket(account: Account, arns: list[str]) -> str:
    return logging_of(account, arns[0])[1]


def _wiped(account: Account, arns: list[str]) -> None:
    announce(account, _bucket(account, arns), {})


def _topic_gone(account: Account, arns: list[str]) -> None:
    (topic,) = account.world.topics
    account.sns.delete_topic(TopicArn=topic)


def _switched_off(account: Account, arns: list[str]) -> None:
    set_logging(account, arns[0], enabled="false")


def _opened(account: Account, arns: list[str]) -> None:
    bucket = _bucket(account, arns)
    account.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={})
    account.s3.delete_bucket_lifecycle(Bucket=bucket)


@pytest.mark.parametrize("change", [_wiped, _topic_gone, _switched_off, _opened])
def test_what_was_overwritten_comes_back(change: Change) -> None:
    case = Scheduled(new)
    change(case.account, case.arns)
    assert case.changed

    assert case.refresh() == IN_STEP

    assert case.line["event"] == "refreshed"
    assert not case.changed
    case.ends()


@pytest.mark.parametrize(
    ("prepare", "where", "alone"),
    [
        (new, {}, False),
        (logging, {}, False),
        (logging, {"bucket": CUSTOMERS, "prefix": "another"}, False),
        (new, {}, True),
        (logging, {"bucket": CUSTOMERS}, True),
    ],
)
def test_a_new_load_balancer_joins(prepare: Prepare, where: dict[str, Any], alone: bool) -> None:
    """The new ALB joins others, or is `alone` because the customer has deleted all others."""
    case = Scheduled(prepare, "*")
    if alone:
        case.without(*case.arns)
        case.refresh()
    later = case.account.add_load_balancer("later", **where)

    assert case.refresh() == IN_STEP

    assert logging_of(case.account, later)[0] == "true"
    assert reads(case.account, later)
    case.delete()
    case.without(later)
    assert alone or case.left() == []


@pytest.mark.parametrize("named", [(), ("*",)], ids=["named", "all"])
def test_a_refresh_with_nothing_to_do_writes_nothing_and_reads_once(named: tuple[str, ...]) -> None:
    """The comparison is an Update with nothing to do, which reads everything once."""
    case = Scheduled(three, *named)
    case.update()
    once = len(case.calls)

    assert case.refresh() == IN_STEP

    assert len(case.calls) <= once
    assert case.writes() == []
    assert not case.changed


@pytest.mark.parametrize("prepare", [new, three])
def test_a_named_load_balancer_that_was_deleted_stops_no_refresh(prepare: Prepare) -> None:
    """A refresh restores the other load balancers, before and after an Update."""
    case = Scheduled(prepare)
    later = case.account.add_load_balancer("later")
    case.update(LoadBalancerArns=[*case.arns, later])
    case.without(later)

    for _ in range(2):
        before = case.account.snapshot()
        _wiped(case.account, case.arns)
        assert case.refresh() == IN_STEP
        assert case.differs(before) == []
        case.update()


def test_a_policy_without_the_stack_is_told_and_not_written() -> None:
    case = Scheduled(new)
    case.account.s3.delete_bucket_policy(Bucket=_bucket(case.account, case.arns))

    assert case.refresh() == FAILED

    assert "RunToken" in case.line["what"]
    assert case.writes() == []


MOVING = ("CREATE", "UPDATE", "UPDATE_COMPLETE_CLEANUP", "UPDATE_ROLLBACK", "DELETE", "REVIEW")
STUCK = ("UPDATE_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "ROLLBACK_COMPLETE")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        *(("stopped", f"{each}_IN_PROGRESS") for each in MOVING),
        *(("failed", each) for each in STUCK),
        *(("in step", each) for each in ("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")),
    ],
)
def test_only_a_stack_at_rest_is_refreshed(status: str, outcome: str) -> None:
    """A status that lasts until somebody acts counts as a failure, and so triggers an alarm."""
    case = Scheduled(new)
    _wiped(case.account, case.arns)
    case.stack.status = status

    assert case.refresh() == (outcome, outcome == "failed")

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
    case.before = on("CreateTopic", lambda params: setattr(case.stack, name, value))

    assert case.refresh(0)[0] == "stopped"
    assert case.calls[-1] == "CreateTopic"  # the refresh does not undo its work


@pytest.mark.parametrize("updated", [True, False], ids=["before an Update", "long ago"])
def test_an_event_of_the_past_does_nothing(updated: bool) -> None:
    case = Scheduled(new)
    case.clock.sleep(3600)
    at = case.clock() - (0 if updated else SERVICE_TIMEOUT)
    if updated:
        case.clock.sleep(5)
        case.update(LogRetentionDays="90")
    _wiped(case.account, case.arns)
    before = case.account.snapshot()

    assert case.refresh(0, at=at)[0] == "stopped"

    assert case.account.snapshot() == before


def test_a_forged_event_can_name_no_other_stack_and_no_later_time() -> None:
    case = Scheduled(new)
    other = Stack(case.clock, seed=2)
    assert other.create(case.given, case.clients)["Status"] == "SUCCESS"
    before = case.account.snapshot()

    assert case.refresh(stack=other.id)[0] == "failed"
    line = case.stack.refresh(case.clients, stack="arn:aws:s3:::x")
    assert (line["outcome"], "_aws" in line) == ("failed", False)
    assert case.account.snapshot() == before

    _switched_off(case.account, case.arns)
    assert case.refresh(at=case.clock() + 10**8) == IN_STEP
    case.update()
    assert other.delete(case.clients)["Status"] == "SUCCESS"
    case.ends()


def test_what_failed_is_told_without_the_endpoints_token() -> None:
    case = Scheduled(new)
    _topic_gone(case.account, case.arns)

    def failing(params: Any) -> None:
        raise RuntimeError(params["Endpoint"])

    case.before = on("Subscribe", failing)

    assert case.refresh() == FAILED
    assert "s3cr3t" not in str(case.line)
    assert case.line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "dt-logs-analysis",
            "Dimensions": [["Stack"]],
            "Metrics": [{"Name": "FailedRefreshes", "Unit": "Count"}],
        }
    ]
    assert case.line["_aws"]["Timestamp"] == int(case.clock() * 1000)
    assert case.line["Stack"] == case.stack.id


def _to_do(change: Change) -> tuple[Scheduled, str]:
    """Return a stack whose refresh has something to restore, and a new load balancer to onboard."""
    case = Scheduled(three, "*")
    change(case.account, case.arns)
    return case, case.account.add_load_balancer("later")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("change", [_wiped, _topic_gone])
def test_whichever_call_fails_the_next_refresh_or_a_delete_makes_it_good(
    change: Change, mode: str, full: bool, try_all: Callable[..., None]
) -> None:
    first, _ = _to_do(change)
    assert first.refresh() == IN_STEP

    def wrong(at: int) -> list[str]:
        found: list[str] = []
        for again in (True, False):
            case, later = _to_do(change)
            with suppress(Killed):
                case.stack.refresh(case.failing(Faults(at, mode)))
            if again and (case.refresh() != IN_STEP or not reads(case.account, later)):
                found.append(f"not restored: {case.line}")
            case.clock.sleep(60)
            answer = case.ask("Delete")
            case.without(later)
            found += case.left() + [answer["Reason"]] * (answer["Status"] != "SUCCESS")
        return found

    try_all("failure points tried", range(0, len(first.calls), 1 if full else 7), wrong)


def test_one_empty_listing_takes_nothing_away() -> None:
    case = Scheduled(three, "*")
    there = dict(case.account.world.load_balancers)
    answers = iter([{}])  # one stale answer

    def show(found: dict[str, Any]) -> None:
        case.account.world.load_balancers = dict(found)

    case.before = on("DescribeLoadBalancers", lambda params: show(next(answers, there)))
    case.after = lambda service, operation, params: show(there)
    case.refresh()

    assert next(answers, None) is None
    assert not case.changed


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

    case.delete()


def test_a_fight_that_is_lost_is_a_failed_refresh() -> None:
    case = Scheduled(new)
    _wiped(case.account, case.arns)

    wipe = partial(_wiped, case.account, case.arns)
    case.after = on("PutBucketNotificationConfiguration", lambda params: wipe())

    assert case.refresh() == FAILED
