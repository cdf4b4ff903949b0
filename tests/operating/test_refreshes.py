"""`status` reports, from the function's metrics, whether a schedule keeps a stack in step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lifecycle.cloudformation import Stack as Sender
from lifecycle.cloudformation import properties
from lifecycle.scenarios import clients_of

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.stacks.stack import StackDescription
from dt_logs_cfn.operate.status.checks import schedule
from dt_logs_cfn.operate.status.metrics import refreshes
from dt_logs_cfn.operate.status.seen import Check
from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.account.small_services import embedded_metrics


class World:
    """An account with a stack whose function refreshes when a test requests it."""

    def __init__(self, rate: str = "rate(6 hours)") -> None:
        self.clock = Clock()
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.sender = Sender(self.clock, seed=1)
        arn = self.account.add_load_balancer("web")
        self.sender.create(properties(arn), lambda: clients_of(self.account))
        parameters = {"RefreshSchedule": rate}
        self.stack = StackDescription(
            self.sender.id, "s", "CREATE_COMPLETE", "", parameters, {}, {}
        )

    def refresh(self, hours: float, fails: bool = False) -> None:
        """Let hours pass, then refresh the stack; the refresh's log line becomes a metric."""
        self.clock.sleep(hours * 3600)

        def before(service: str, operation: str, params: object) -> None:
            if fails:
                raise RuntimeError("a fault")

        line = self.sender.refresh(lambda: clients_of(self.account, before=before))
        self.account.world.metrics += embedded_metrics(json.dumps(line))
        self.clock.sleep(60)

    def check(self) -> Check | None:
        client: Any = self.account.client("cloudwatch")
        found = refreshes(client, self.stack, self.clock())
        return schedule(found, self.clock()) if found else None


def hour(world: World) -> str:
    return f"{world.clock() % 86400 // 3600:02.0f}h UTC"


def test_it_says_since_when_the_stack_is_in_step() -> None:
    assert World("").check() is None  # there is no schedule
    world = World()
    before = world.check()
    assert before is not None and before.verdict == "unknown"
    world.refresh(6)
    since = hour(world)
    world.refresh(6)

    check = world.check()

    assert check is not None and check.verdict == "ok"
    assert since in check.saw.partition(",")[0]
    assert hour(world) in check.saw.partition(",")[2]
    unread = schedule(Unread.lacking("cloudwatch:GetMetricData"), 0)
    assert unread is not None and unread.verdict == "unknown"
    assert "cloudwatch:GetMetricData" in str(unread)


def test_a_failed_refresh_is_a_finding_until_one_succeeds() -> None:
    world = World()
    world.refresh(6)
    world.refresh(6, fails=True)

    failed = world.check()
    world.refresh(6)
    again = world.check()

    assert failed is not None and again is not None
    assert (failed.verdict, "failed" in failed.saw) == ("finding", True)
    assert (again.verdict, f"in step since {again.saw[-18:]}" in again.saw) == ("ok", True)


@pytest.mark.parametrize("rate", ["rate(1 hour)", "rate(6 hours)", "rate(1 day)"])
def test_a_schedule_that_has_stopped_is_a_finding(rate: str) -> None:
    world = World(rate)
    world.refresh(1)
    fine = world.check()
    world.clock.sleep(3 * 24 * 3600)
    stopped = world.check()

    assert fine is not None and stopped is not None
    assert (fine.verdict, stopped.verdict) == ("ok", "finding")
    assert "DTLogsAnalysisRefreshRule" in (stopped.fix or "")
