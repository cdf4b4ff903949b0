"""In accounts like customers', a run does what `plan` predicts; then no check has a finding."""

from __future__ import annotations

from typing import Any

import pytest
from lifecycle.cloudformation import Stack
from lifecycle.scenarios import SCENARIOS, Scenario, clients_of
from operating.account import carry_out
from operating.looking import Looking, Stacks

from dt_logs_cfn.operate.plans.diff import changes
from dt_logs_cfn.operate.plans.planned import Planned, planned
from dt_logs_handler.request import parse
from dt_logs_rehearsal.account import Account, Clock

REGION, ACCOUNT = "eu-west-1", "123456789012"
STAYING = [each for each in SCENARIOS if "elete" not in each.name and "eave" not in each.name]


def plan(account: Account, request: Any) -> Planned:
    before = account.snapshot()
    clients: Any = clients_of(account)
    found = planned(request, clients, account.clock)
    assert account.snapshot() == before
    return found


@pytest.mark.parametrize("scenario", STAYING, ids=lambda each: each.name)
def test_the_plan_is_what_the_run_does(scenario: Scenario) -> None:
    clock = Clock()
    account = Account(ACCOUNT, REGION, clock=clock)
    arns = scenario.prepare(account)
    stack = Stack(clock)
    given, old = scenario.after(arns), scenario.before(arns)
    assert given is not None
    if old:
        answer = stack.create(old, lambda: clients_of(account))
        assert answer["Status"] == "SUCCESS", answer["Reason"]
    event = stack.event("Update" if old else "Create", given, old)
    request = parse(event, account.clock())
    found = plan(account, request)
    assert found.plan is not None
    assert found.plan.changes
    assert all(each.diff for each in changes(found.plan, found.state, request.stack))

    taken, outcome = carry_out(request, account)

    assert tuple(taken[: len(found.plan.steps)]) == found.plan.steps
    assert outcome.placements == found.plan.placements
    again = plan(account, request).plan
    assert again is not None
    assert again.changes == ()
    other = Stack(clock, seed=99)  # some scenarios already have this stack
    _all_is_well(account, [each.load_balancer for each in outcome.placements], stack.id, other.id)


def _all_is_well(account: Account, arns: list[str], *stacks: str) -> None:
    for each in account.world.subscriptions.values():
        each.confirmed = True
    for arn in arns:
        assert account.write_log(arn)
    known = {"StackName": "s", "StackStatus": "CREATE_COMPLETE"}
    looking = Looking(account, Stacks([{**known, "StackId": each} for each in stacks]))
    found = [each for each in looking.of(*arns).values() if each.verdict != "ok"]
    assert [each.name for each in found] == ["organisation's policies"], found
