"""What is rehearsed: one function a scenario, in the order of `SCENARIOS`."""

from __future__ import annotations

import json

from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, logging, new, three
from dt_logs_rehearsal.scenarios.play import Play, Scenario

_DONE, _ROLLED_BACK, _GONE = "CREATE_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"


def _fresh(play: Play, arns: list[str]) -> None:
    stack = play.create(*arns)
    play.expect_status(stack, _DONE)
    key = play.log(arns[0])
    play.overstep(arns[0], key)
    play.delete(stack)
    play.expect_status(stack, _GONE)
    play.expect(play.logging(arns[0])["enabled"] == "false", "logging is still on")
    play.log(arns[0], reads=False)


def _already(play: Play, arns: list[str]) -> None:
    before = play.logging(arns[0])
    stack = play.create(arns[0])
    play.expect_status(stack, _DONE)
    play.expect(play.logging(arns[0]) == before, "logging that was on was changed")
    key = play.log(arns[0])
    play.log(arns[1], reads=False)  # a neighbour in the same place, which was not onboarded
    play.overstep(arns[0], key)
    play.delete(stack)
    play.expect_status(stack, _GONE)
    play.expect(play.logging(arns[0]) == before, "logging that was on was changed")
    play.log(arns[0], reads=False)


def _shared(play: Play, arns: list[str]) -> None:
    before = play.snapshot()["buckets"][CUSTOMERS]
    stack = play.create(*arns)
    play.expect_status(stack, _DONE)
    now = play.snapshot()["buckets"][CUSTOMERS]
    kept = all(each in now["policy"]["Statement"] for each in before["policy"]["Statement"])
    play.expect(kept, "a statement of the customer's was changed")
    play.expect(
        before["notifications"].items() <= now["notifications"].items(),
        "a notification of the customer's was changed",
    )
    for arn in arns:
        play.log(arn)
    play.delete(stack)
    play.expect_status(stack, _GONE)


def _overlap(play: Play, arns: list[str]) -> None:
    stack = play.create(*arns)
    if play.documented:
        play.expect(stack.status == _ROLLED_BACK, f"the stack is {stack.status}")
        play.expect("everything" in play.reason(), "the reason does not name what is in the way")
    else:
        play.expect_status(stack, _DONE)
        play.log(arns[0])
    play.delete(stack)
    play.expect_status(stack, _GONE)


def _three(play: Play, arns: list[str]) -> None:
    stack = play.create(*arns)
    play.expect_status(stack, _DONE)
    for arn in arns:
        play.log(arn)
    play.delete(stack)
    play.expect_status(stack, _GONE)


def _two_stacks(play: Play, arns: list[str]) -> None:
    first = play.create(*arns)
    play.expect_status(first, _DONE)
    second = play.create(*arns, name="dt-logs-analysis-2")
    play.expect_status(second, _DONE)
    play.log(arns[0])
    play.delete(first)
    play.expect_status(first, _GONE)
    play.expect(play.logging(arns[0])["enabled"] == "true", "the second stack's logging went")
    play.log(arns[0])
    play.delete(second)
    play.expect_status(second, _GONE)
    play.log(arns[0], reads=False)


def _update(play: Play, arns: list[str]) -> None:
    web, api, shop = arns
    stack = play.create(web, api)
    play.expect_status(stack, _DONE)
    play.log(web)
    play.update(stack, api, shop, LogRetentionDays="90")
    play.expect_status(stack, "UPDATE_COMPLETE")
    play.expect(play.logging(web)["enabled"] == "false", "what left the stack still logs")
    play.log(api)
    play.log(shop)
    play.delete(stack)
    play.expect_status(stack, _GONE)


def _rollback(play: Play, arns: list[str]) -> None:
    denied = {
        "Sid": "ProtectedLoadBalancer",
        "Effect": "Deny",
        "Action": "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "Resource": arns[-1],
    }
    policy = {"Version": "2012-10-17", "Statement": [denied]}
    play.sandbox.endpoint.control_policies = (json.dumps(policy),)
    stack = play.create(*arns)
    play.expect(stack.status == _ROLLED_BACK, f"the stack is {stack.status}: {play.reason()}")
    play.expect("ModifyLoadBalancerAttributes" in play.reason(), "the reason is not named")
    play.delete(stack)
    play.expect_status(stack, _GONE)


def _delete(play: Play, arns: list[str]) -> None:
    stack = play.create(*arns)
    play.expect_status(stack, _DONE)
    play.delete(stack)
    play.expect_status(stack, _GONE)
    play.expect(len(play.account.world.buckets) == 0, "the bucket that was made and is empty stays")


SCENARIOS = (
    Scenario("fresh", "A load balancer that does not log yet.", new, _fresh),
    Scenario(
        "logging",
        "A load balancer that already logs, beside another one in the same place.",
        logging,
        _already,
    ),
    Scenario(
        "shared",
        "A bucket with statements, notifications and EventBridge of others.",
        logging,
        _shared,
    ),
    Scenario("overlap", "A topic that is told of all new objects already.", announced, _overlap),
    Scenario("three", "Three load balancers in one stack.", three, _three),
    Scenario("two-stacks", "Two stacks on one load balancer.", new, _two_stacks),
    Scenario("update", "Load balancers exchanged, and the retention changed.", three, _update),
    Scenario(
        "rollback",
        "The organisation denies a change of the last of three load balancers.",
        three,
        _rollback,
    ),
    Scenario("delete", "A stack deleted before anything was logged.", new, _delete),
)
