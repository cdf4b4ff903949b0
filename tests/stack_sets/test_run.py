"""Carrying a roll-out out: one operation at a time, followed live, failures with their reasons."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.stack_sets import FakeCloudFormation, FakeOperation, error

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.stack_sets import report
from dt_logs_cfn.operate.stack_sets.course import Course
from dt_logs_cfn.operate.stack_sets.following import settle
from dt_logs_cfn.operate.stack_sets.intention import intention
from dt_logs_cfn.operate.stack_sets.plan import plan
from dt_logs_cfn.operate.stack_sets.progress import advice, own_reason
from dt_logs_cfn.operate.stack_sets.rollout import Amount, Preferences
from dt_logs_cfn.operate.stack_sets.run import carry_out
from dt_logs_cfn.operate.stack_sets.starting import advised
from stack_sets.rollouts import (
    IRELAND,
    OHIO,
    ONE,
    TWO,
    VALUES,
    look,
    made,
    planned,
    rolled_out,
    rollout,
)

ROLE = (
    f"Account {TWO} should have 'AWSCloudFormationStackSetExecutionRole' role with trust"
    " relationship to Role 'AWSCloudFormationStackSetAdministrationRole'"
)
OURS = (
    "ResourceLogicalId:InvokeLambdaFunction, ResourceType:Custom::DTLogsAnalysis,"
    " ResourceStatusReason:Received response status [FAILED] from custom resource."
    " Message returned: The bucket logs is encrypted with a KMS key. Use SSE-S3."
    " (RequestId: 8d0bd7a4-0a4f-4f1e-8a51-1f2d1c1c5d7e)."
)


def test_each_change_is_told_as_it_happens_with_counts_and_time() -> None:
    client = FakeCloudFormation()
    told: list[str] = []
    seconds = iter(range(0, 1000, 40))
    wanted = rollout(preferences=Preferences(Amount(1)))
    client.fails = lambda place, values: ROLE if place == (TWO, IRELAND) else ""
    stack_set, present = look(client, wanted)
    operator = Operator(lambda: float(next(seconds)), lambda seconds: None, told.append)
    ids = iter(("token", "operation-1"))
    course = Course(plan(wanted, present))
    carry_out(stack_set, present, course, operator, lambda: next(ids))
    assert told == [
        "2 of 2: operation operation-1",
        f"      {ONE}  {IRELAND}  SUCCEEDED",
        "0:40  RUNNING: 1 of 4 done, 3 pending",
        f"      {ONE}  {OHIO}  SUCCEEDED",
        "1:20  RUNNING: 2 of 4 done, 2 pending",
        f"      {TWO}  {IRELAND}  FAILED: {ROLE}",
        "2:00  RUNNING: 2 of 4 done, 1 pending, 1 failed",
        f"      {TWO}  {OHIO}  SUCCEEDED",
        "2:40  SUCCEEDED: 3 of 4 done, 1 failed",
    ]


def test_failures_are_a_table_with_their_reasons_and_what_to_do() -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: OURS if place == (ONE, OHIO) else ""
    done = rolled_out(client, rollout())
    assert report.outcome(done)[1:] == [
        f"FAILED: create 4 stacks: {ONE}, {TWO} in {IRELAND}, {OHIO}"
        " (1 SUCCEEDED, 1 FAILED, 2 CANCELLED)",
        "",
        "Account       Region          Status     Reason",
        f"{ONE}  {OHIO}       FAILED     The bucket logs is encrypted with a KMS key. Use SSE-S3.",
        f"{TWO}  {IRELAND}       CANCELLED  Cancelled since failure tolerance exceeded",
        f"{TWO}  {OHIO}       CANCELLED  Cancelled since failure tolerance exceeded",
        "",
        "What to do:",
        "- Correct what the reason names, and run the same command again.",
        "- It was not tried: correct the failed ones, or raise --failure-tolerance, and run again.",
    ]


@pytest.mark.parametrize(
    ("tolerance", "what", "fix"),
    [
        (
            0,
            "The roll-out is not complete: 1 failed, 3 not tried.",
            "Make the execution role in that account, AWSCloudFormationStackSetExecutionRole unless"
            " named otherwise, and let it trust the administration role. There is more to do,"
            " listed above.",
        ),
        (
            4,
            "The roll-out is not complete: 2 failed.",
            "Make the execution role in that account, AWSCloudFormationStackSetExecutionRole unless"
            " named otherwise, and let it trust the administration role.",
        ),
    ],
)
def test_failures_are_counted_and_the_first_fix_is_named(
    tolerance: int, what: str, fix: str
) -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: ROLE if place[0] == ONE else ""
    done = rolled_out(client, rollout(preferences=Preferences(Amount(tolerance))))
    with pytest.raises(OperatingError) as failure:
        report.check(done, 2)
    assert (failure.value.what, failure.value.fix) == (what, fix)


def test_an_operation_that_was_stopped_is_no_success() -> None:
    client = FakeCloudFormation()
    done = rolled_out(client, rollout())
    report.check(done, 2)
    stopped = replace(done[1], progress=replace(done[1].progress, status="STOPPED"))
    with pytest.raises(OperatingError, match=r"The last operation ended as STOPPED\."):
        report.check([done[0], stopped], 2)
    with pytest.raises(OperatingError, match=r"The last operation ended as SUCCEEDED\."):
        report.check(done, 3)


def test_the_instance_is_asked_where_the_operation_gives_no_reason() -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: f"instance: {ROLE}" if place == (TWO, OHIO) else ""
    done = rolled_out(client, rollout())
    (failure,) = report.failures(done)
    assert failure.reason == f"instance: {ROLE}"


def test_an_operation_that_fails_is_the_last() -> None:
    client = FakeCloudFormation()
    client.fails = lambda place, values: "no" if place[0] == ONE else ""
    wanted = rollout(f"account,RunToken\n{ONE},1\n{TWO},2\n")
    done = rolled_out(client, wanted)
    assert [each.progress.status for each in done] == ["SUCCEEDED", "FAILED"]
    assert set(made(client)) == {(ONE, IRELAND), (ONE, OHIO)}
    client.fails = lambda place, values: ""
    rolled_out(client, wanted)
    assert planned(client, wanted) == ()


def test_somebody_elses_operation_is_waited_for() -> None:
    client = FakeCloudFormation()
    wanted = rollout()
    rolled_out(client, wanted)
    found = client.sets["dt-logs-analysis"]
    found.operations.append(FakeOperation("theirs", {}, [(ONE, IRELAND), (ONE, OHIO)]))
    stack_set, _ = look(client, wanted)
    told: list[str] = []
    settle(stack_set, Course(), Operator(lambda: 0.0, lambda seconds: None, told.append))
    assert told[0] == (
        "operation theirs is under way, and one is done at a time: waiting (Ctrl-C ends the"
        " waiting, not the operation)"
    )
    assert found.operations[-1].status == "SUCCEEDED"


def test_an_operation_that_comes_between_is_waited_for() -> None:
    class Busy(FakeCloudFormation):
        def create_stack_set(self, **given: Any) -> Any:
            answer = super().create_stack_set(**given)
            found = self.sets[given["StackSetName"]]
            found.operations.append(FakeOperation("theirs", {}, []))
            return answer

    client = Busy()
    wanted = rollout()
    rolled_out(client, wanted)
    assert planned(client, wanted) == ()


def test_what_aws_refuses_comes_with_what_to_do() -> None:
    class Untrusted(FakeCloudFormation):
        def create_stack_set(self, **given: Any) -> Any:
            raise error(
                "ValidationError",
                "CreateStackSet",
                "You must enable organizations access to operate a service managed stack set",
            )

    with pytest.raises(OperatingError) as failure:
        rolled_out(Untrusted(), rollout())
    assert failure.value.what == (
        "CreateStackSet failed: You must enable organizations access to operate a service managed"
        " stack set."
    )
    assert "activate-organizations-access" in failure.value.fix


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ExpiredToken", "The security token included in the request is expired"),
        ("Throttling", "Rate exceeded"),
        ("AccessDenied", "User: x is not authorized to perform: cloudformation:CreateStackSet"),
        (
            "AccessDenied",
            "Not authorized to perform: iam:PassRole on AdministrationRole",
        ),
    ],
)
def test_what_every_call_may_meet_is_told_as_everywhere(code: str, message: str) -> None:
    with pytest.raises(ClientError), advised():
        raise error(code, "CreateStackSet", message)


@pytest.mark.parametrize(
    ("reason", "own", "fix"),
    [
        ("It\nis \x1b[31mred", "It is [31mred", "Correct what the reason names"),
        (ROLE, ROLE, "Make the execution role in that account"),
        (
            OURS,
            "The bucket logs is encrypted with a KMS key. Use SSE-S3.",
            "Correct what the reason names",
        ),
        (
            "ResourceLogicalId:DTLogsAnalysisLambdaExecutionRole, ResourceType:AWS::IAM::Role,"
            " ResourceStatusReason:User: arn:aws:sts::1:assumed-role/x is not authorized to"
            " perform: iam:CreateRole.",
            "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: iam:CreateRole",
            "Give the execution role the rights of cloudformation-role-lifecycle.",
        ),
        (
            "User: x is not authorized to perform: sns:CreateTopic with an explicit deny in a"
            " service control policy",
            "User: x is not authorized to perform: sns:CreateTopic with an explicit deny in a"
            " service control policy",
            "Ask who keeps the organization's policies",
        ),
    ],
)
def test_the_stacks_own_reason_comes_first(reason: str, own: str, fix: str) -> None:
    assert own_reason(reason) == own
    assert advice(reason).startswith(fix)


def test_no_token_of_an_endpoint_is_shown() -> None:
    client = FakeCloudFormation()
    secret = VALUES["NotificationEndpoint"]
    client.fails = lambda place, values: f"{secret} refuses"
    wanted = rollout(f"account,NotificationEndpoint\n{ONE},https://h.example/other-token\n")
    _, present = look(client, wanted)
    lines = intention(wanted, present, plan(wanted, present), "account 1, region 2")
    done = rolled_out(client, wanted)
    lines += report.outcome(done)
    lines.append(str(report.data(wanted, [each.operation for each in done], done)))
    assert "token" not in "\n".join(lines)
    assert "https://logs.example.com/… refuses" in "\n".join(lines)
