"""List the scenarios, one function each; the program shows the functions' docstrings."""

from __future__ import annotations

import json
from typing import Any

from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, logging, new, three
from dt_logs_rehearsal.scenarios.play import Play, Scenario


def _fresh(play: Play, arns: list[str]) -> None:
    """A load balancer that does not log yet."""
    with play.stack(*arns):
        play.overstep(arns[0], play.log(arns[0]))
    play.expect(play.logging(arns[0])["enabled"] == "false", "logging is still on")
    play.log(arns[0], reads=False)


def _already(play: Play, arns: list[str]) -> None:
    """A load balancer that already logs to the same bucket and prefix as another."""
    before = play.logging(arns[0])
    with play.stack(arns[0]):
        play.expect(play.logging(arns[0]) == before, "the existing logging was changed")
        key = play.log(arns[0])
        play.log(arns[1], reads=False)  # logs to the same location, but is not onboarded
        play.overstep(arns[0], key)
    play.expect(play.logging(arns[0]) == before, "the existing logging was changed")
    play.log(arns[0], reads=False)


def _shared(play: Play, arns: list[str]) -> None:
    """A bucket with other tools' policy statements, notifications and EventBridge."""
    before = play.snapshot()["buckets"][CUSTOMERS]
    with play.stack(*arns):
        now = play.snapshot()["buckets"][CUSTOMERS]
        kept = all(each in now["policy"]["Statement"] for each in before["policy"]["Statement"])
        play.expect(kept, "the customer's statements were changed")
        kept = before["notifications"].items() <= now["notifications"].items()
        play.expect(kept, "the customer's notifications were changed")
        _read(play, arns)


def _read(play: Play, arns: list[str]) -> None:
    for arn in arns:
        play.log(arn)


def _overlap(play: Play, arns: list[str]) -> None:
    """A topic that already gets the notifications of all new objects."""
    if not play.documented:
        with play.stack(*arns):
            play.log(arns[0])
        return
    stack = play.create(*arns)
    play.expect(stack.status == "ROLLBACK_COMPLETE", f"the stack is {stack.status}")
    play.expect("everything" in play.reason(), "the reason does not name the customer's topic")
    play.delete(stack)


def _three(play: Play, arns: list[str]) -> None:
    """Three load balancers in one stack."""
    with play.stack(*arns):
        _read(play, arns)


def _two_stacks(play: Play, arns: list[str]) -> None:
    """Two stacks for one load balancer."""
    first = play.create(*arns)
    play.expect_status(first, "CREATE_COMPLETE")
    with play.stack(*arns, name="dt-logs-analysis-2"):
        play.log(arns[0])
        play.delete(first)
        play.expect(play.logging(arns[0])["enabled"] == "true", "the Delete turned logging off")
        play.log(arns[0])
    play.log(arns[0], reads=False)


def _update(play: Play, arns: list[str]) -> None:
    """An update that exchanges load balancers and changes the retention."""
    web, api, shop = arns
    with play.stack(web, api) as stack:
        play.log(web)
        play.update(stack, api, shop, LogRetentionDays="90")
        play.expect_status(stack, "UPDATE_COMPLETE")
        play.expect(play.logging(web)["enabled"] == "false", "the removed load balancer still logs")
        _read(play, [api, shop])


def _rollback(play: Play, arns: list[str]) -> None:
    """The organisation denies the change to the last of three load balancers."""
    denied = {
        "Sid": "ProtectedLoadBalancer",
        "Effect": "Deny",
        "Action": "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "Resource": arns[-1],
    }
    policy = {"Version": "2012-10-17", "Statement": [denied]}
    play.account.world.control_policies = (json.dumps(policy),)
    stack = play.create(*arns)
    rolled_back = stack.status == "ROLLBACK_COMPLETE"
    play.expect(rolled_back, f"the stack is {stack.status}: {play.reason()}")
    play.expect("ModifyLoadBalancerAttributes" in play.reason(), "the reason omits the denied call")
    play.delete(stack)


def _delete(play: Play, arns: list[str]) -> None:
    """A stack deleted before anything was logged."""
    with play.stack(*arns):
        pass
    play.expect(len(play.account.world.buckets) == 0, "the new empty bucket stays")


def _joined(play: Play, arns: list[str]) -> None:
    """A new load balancer under `*` joins by the schedule."""
    with play.stack("*", **play.schedule) as stack:
        later = play.account.add_load_balancer("later")
        play.refresh(stack, "*")
        _read(play, [*arns, later])
    del play.account.world.load_balancers[later]


def _overwritten(play: Play, arns: list[str]) -> None:
    """Another tool overwrites the notifications, and the schedule puts ours back."""
    s3 = play.account.s3
    before: Any = s3.get_bucket_notification_configuration(Bucket=CUSTOMERS)
    del before["ResponseMetadata"]
    with play.stack(*arns, **play.schedule) as stack:
        s3.put_bucket_notification_configuration(Bucket=CUSTOMERS, NotificationConfiguration=before)
        play.log(arns[0], reads=False)
        play.refresh(stack, *arns)
        _read(play, arns)


SCENARIOS = tuple(
    Scenario(name, play.__doc__ or "", prepare, play)
    for name, prepare, play in (
        ("fresh", new, _fresh),
        ("logging", logging, _already),
        ("shared", logging, _shared),
        ("overlap", announced, _overlap),
        ("three", three, _three),
        ("two-stacks", new, _two_stacks),
        ("update", three, _update),
        ("rollback", three, _rollback),
        ("delete", new, _delete),
        ("refresh", new, _joined),
        ("overwritten", logging, _overwritten),
    )
)
