"""The release's stack where something fails that does not fail in the scenarios.

The stack has one resource more than the template: a log group, which CloudFormation creates and
updates after the custom resource. If the log group's update fails, CloudFormation rolls back an
Update that the function has already carried out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.drifts import DRIFTS, Drift, denies
from support.looks import granted, logging_of, reads

from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.cloudformation.stack import Stack
from dt_logs_rehearsal.report.changes import differences
from dt_logs_rehearsal.report.data import Report
from dt_logs_rehearsal.sandbox import Sandbox
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from dt_logs_rehearsal.scenarios.play import Play
from dt_logs_rehearsal.scenarios.released import load

OTHER = "Other"
FAILURE = "The log group cannot be changed"


@pytest.fixture(params=[Privileges.LEAST_PRIVILEGE], ids=lambda each: each.value)
def play(request: pytest.FixtureRequest, tmp_path: Path, release: Path) -> Iterator[Play]:
    found = load(release, request.param, "lifecycle")
    report = Report("played", "", request.param.value, found.role_kind, "")
    template = json.loads(found.stack)
    template["Resources"][OTHER] = {
        "Type": "AWS::Logs::LogGroup",
        "DependsOn": "InvokeLambdaFunction",
        "Properties": {"RetentionInDays": {"Ref": "LogRetentionDays"}},
    }
    body = json.dumps(template, separators=(",", ":"))
    with Sandbox(tmp_path) as sandbox:
        yield Play(sandbox, replace(found, stack=body), found.service_role(sandbox), report)


def fail_after(play: Play, days: str) -> None:
    """Make setting the log group's retention to `days` fail; an empty string ends this."""

    def before(call: Call) -> None:
        change = (call.operation, str(call.params.get("retentionInDays")))
        group = str(call.params.get("logGroupName"))
        if change == ("PutRetentionPolicy", days) and f"-{OTHER}-" in group:
            raise Refused("InvalidParameterException", FAILURE)

    play.sandbox.endpoint.before = before


def ended(play: Play, status: str, stack: Stack) -> None:
    """Check the stack's status after the last operation; if it is wrong, show what failed."""
    assert stack.status == status, play.reason()


def warned(play: Play, stack: Stack, web: str) -> bool:
    """Return whether the outputs name the bucket, or the load balancer now logs elsewhere."""
    moved = logging_of(play.account, web)[1] != CUSTOMERS
    return moved or CUSTOMERS in stack.outputs.get("Warnings", "")


@pytest.mark.parametrize("drift", DRIFTS, ids=str)
def test_updates_and_rollbacks_complete_and_what_is_added_there_is_refused(
    drift: Drift, play: Play
) -> None:
    web, shop, api = drift.prepare(play.account)
    stack = play.create(web, shop)
    ended(play, "CREATE_COMPLETE", stack)
    assert (stack.outputs.get("Warnings"), stack.outputs.get("NotOnboarded")) == ("none", "none")
    drift.happen(play.account)
    if not drift.adds:
        before = play.snapshot()
        play.update(stack, web, shop, api)
        ended(play, "UPDATE_ROLLBACK_COMPLETE", stack)
        assert CUSTOMERS in play.reason()
        assert differences(before, play.snapshot()) == []

    play.update(stack, web, shop, LogRetentionDays="60")

    ended(play, "UPDATE_COMPLETE", stack)
    assert warned(play, stack, web), stack.outputs
    assert reads(play.account, shop)
    fail_after(play, "90")

    play.update(stack, shop, LogRetentionDays="90")  # removes the first load balancer

    ended(play, "UPDATE_ROLLBACK_COMPLETE", stack)
    assert FAILURE in play.reason()
    assert reads(play.account, shop)
    fail_after(play, "")
    play.update(stack, web, shop, RunToken="again")
    ended(play, "UPDATE_COMPLETE", stack)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    assert granted(play.account) == []


@pytest.mark.parametrize("play", list(Privileges), ids=lambda each: each.value, indirect=True)
def test_a_frozen_policy_fails_a_delete_with_the_statement_to_remove(play: Play) -> None:
    customers_bucket(play.account)
    web = play.account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb")
    before = play.snapshot()["buckets"][CUSTOMERS]
    stack = play.create(web)
    ended(play, "CREATE_COMPLETE", stack)
    play.log(web)
    (sid,) = granted(play.account)
    frozen = denies("s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
    play.account.world.control_policies = (json.dumps(frozen),)

    play.delete(stack)

    ended(play, "DELETE_FAILED", stack)
    assert sid in play.reason()
    assert CUSTOMERS in play.reason()
    assert granted(play.account) == [sid]

    play.account.world.control_policies = ()
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    play.log(web, reads=False)
    now = play.snapshot()["buckets"][CUSTOMERS]
    assert (now["policy"], now["notifications"]) == (before["policy"], before["notifications"])
    if not play.documented:
        assert play.snapshot()["topics"] == play.snapshot()["subscriptions"] == {}
    assert play.report.unexpected == []
