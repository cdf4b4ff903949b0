"""The release's stack in situations that the scenarios do not have.

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
from support.drifts import DRIFTS, Drift, denies, log_bucket, set_logging, write_once
from support.looks import TEST_FILE, granted, logging_of, reads, told_by_tag

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
TEAM = "team-logs"


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


def nothing_of_ours(play: Play) -> None:
    """Check that the stack left no grant or notification, and no topic that its role may delete."""
    assert granted(play.account) == []
    for name, bucket in play.snapshot()["buckets"].items():
        assert not any("dt-logs-analysis" in each for each in bucket["notifications"]), name
        sids = [each.get("Sid", "") for each in (bucket["policy"] or {}).get("Statement", [])]
        ours = [each for each in sids if each.startswith("DTLogsAnalysis")]
        assert [each for each in ours if not each.endswith("TlsOnly")] == [], name
    if not play.documented:
        assert play.snapshot()["topics"] == play.snapshot()["subscriptions"] == {}


both = pytest.mark.parametrize("play", list(Privileges), ids=lambda each: each.value, indirect=True)


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


@both
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
    nothing_of_ours(play)
    play.log(web, reads=False)
    now = play.snapshot()["buckets"][CUSTOMERS]
    assert (now["policy"], now["notifications"]) == (before["policy"], before["notifications"])
    assert play.report.unexpected == []


@both
@pytest.mark.parametrize("named", [True, False], ids=["LogBucketName", "set but off"])
def test_a_bucket_from_which_nothing_may_be_deleted(play: Play, named: bool) -> None:
    log_bucket(play.account, TEAM, write_once(TEAM))
    set_there = {} if named else {"bucket": TEAM, "prefix": "alb", "enabled": False}
    web = play.account.add_load_balancer("web", **set_there)
    stack = play.create(web, LogBucketName=TEAM if named else "")
    ended(play, "CREATE_COMPLETE", stack)
    play.log(web)

    play.delete(stack)

    ended(play, "DELETE_COMPLETE", stack)
    nothing_of_ours(play)
    assert logging_of(play.account, web)[0] == "false"
    assert any(TEST_FILE in each for each in play.account.world.buckets[TEAM].objects)
    assert TEST_FILE in " ".join(play.sandbox.logged)
    assert TEST_FILE in told_by_tag(play.account).get(TEAM, TEST_FILE)


@both
@pytest.mark.parametrize("prefix", [None, "alb"], ids=["our bucket", "the customer's bucket"])
def test_a_bucket_that_was_deleted_before_the_stack(play: Play, prefix: str | None) -> None:
    customers_bucket(play.account)
    where = {"bucket": CUSTOMERS, "prefix": prefix} if prefix else {}
    web = play.account.add_load_balancer("web", **where)
    stack = play.create(web)
    ended(play, "CREATE_COMPLETE", stack)
    (topic,) = play.account.world.topics
    del play.account.world.buckets[logging_of(play.account, web)[1]]

    play.delete(stack)

    ended(play, "DELETE_COMPLETE", stack)
    if play.documented:
        assert f"aws sns delete-topic --topic-arn {topic}" in " ".join(play.sandbox.logged)
    nothing_of_ours(play)


@both
def test_all_load_balancers_but_one_that_cannot_be_onboarded(play: Play) -> None:
    """CloudFormation does not show the reason of a success, so an output names the ALB."""
    customers_bucket(play.account)
    play.account.world.buckets[CUSTOMERS].ownership = "ObjectWriter"
    web = play.account.add_load_balancer("web")
    play.account.add_load_balancer("shop", bucket=CUSTOMERS, prefix="alb")

    stack = play.create("*")

    ended(play, "CREATE_COMPLETE", stack)
    told = stack.outputs["NotOnboarded"]
    assert "app/shop/" in told and CUSTOMERS in told and "app/web/" not in told
    assert stack.outputs["Warnings"] == "none"
    play.log(web)
    play.delete(stack)
    ended(play, "DELETE_COMPLETE", stack)
    nothing_of_ours(play)
    assert play.report.unexpected == []


@both
def test_the_logging_stays_where_a_controller_sent_it(play: Play) -> None:
    """A controller sets `enabled` and `bucket`, but not the prefix; `api` is not in the stack."""
    log_bucket(play.account, TEAM)
    web, api = (play.account.add_load_balancer(each) for each in ("web", "api"))
    stack = play.create(web)
    ended(play, "CREATE_COMPLETE", stack)
    play.log(web)
    own = logging_of(play.account, web)[1:]
    for arn in (web, api):
        set_logging(play.account, arn, enabled="true", bucket=TEAM)
    logging = logging_of(play.account, web)
    team = play.snapshot()["buckets"][TEAM]

    play.update(stack, web, RunToken="again")

    ended(play, "UPDATE_COMPLETE", stack)
    assert logging_of(play.account, web) == logging
    assert TEAM in stack.outputs["LogBuckets"]
    play.log(web)
    play.log(api, reads=False)
    assert not reads(play.account, web, at=own)

    play.delete(stack)

    ended(play, "DELETE_COMPLETE", stack)
    assert logging_of(play.account, web) == logging
    assert granted(play.account) == []
    play.log(web, reads=False)
    now = play.snapshot()["buckets"][TEAM]
    for each in (team, now):  # the load balancers have written logs there meanwhile
        each["objects"] = {key: v for key, v in each["objects"].items() if "log.gz" not in key}
        each["tags"] = {}
    assert now == team
    assert play.report.unexpected == []
