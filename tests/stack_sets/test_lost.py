"""Roll-outs through a network that fails, and that somebody interrupts: nothing is done twice."""

from collections.abc import Callable
from itertools import count

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from support.seat import Seat
from support.stack_sets import FakeCloudFormation, FakeOperation, FakeOrganizations, error

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.stack_sets import report
from dt_logs_cfn.operate.stack_sets.calls import StackSet
from dt_logs_cfn.operate.stack_sets.course import Course
from dt_logs_cfn.operate.stack_sets.following import settle
from dt_logs_cfn.operate.stack_sets.targets import ServiceManaged
from stack_sets.rollouts import IRELAND, OHIO, ONE, TWO, planned, rolled_out, rollout

SHOW = (
    "`aws cloudformation describe-stack-set-operation --stack-set-name dt-logs-analysis"
    " --operation-id"
)
WANTED = rollout(f"account,RunToken\n{ONE},1\n{TWO},2\n")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://cloudformation.eu-west-1.example/")
REPEATED = ("", "OperationIdAlreadyExistsException", "OperationInProgressException")
BEGINNINGS = ("CreateStackSet", "UpdateStackSet", "CreateStackInstances", "UpdateStackInstances")


def failing(name: str, *failures: Exception | None) -> Callable[[str], None]:
    """Return what raises at the calls of this name, one after the other."""
    left = iter(failures)

    def call(called: str) -> None:
        if called == name and (failure := next(left, None)):
            raise failure

    return call


def raised(failure: Exception | None) -> None:
    if failure:
        raise failure


def retried(failure: ClientError) -> ClientError:
    """Return it as the last answer of several."""
    failure.response["ResponseMetadata"]["RetryAttempts"] = 1
    return failure


LOST = [
    UNREACHABLE,
    ReadTimeoutError(endpoint_url="https://cloudformation.eu-west-1.example/"),
    ResponseParserError("no XML"),
    error("InternalFailure", "any", status=500),
    error("Throttling", "any", "Rate exceeded"),
]


@pytest.mark.parametrize("lost", LOST, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("name", ["DescribeStackSetOperation", "ListStackSetOperationResults"])
def test_a_lost_connection_is_waited_for(name: str, lost: Exception) -> None:
    client, seat = FakeCloudFormation(), Seat()
    client.before = failing(name, lost, lost, None, lost)
    rolled_out(client, WANTED, operator=seat.operator)
    assert planned(client, WANTED) == ()
    again = f"AWS does not answer ({type(lost).__name__}); trying again"
    assert seat.lines.count(again) == 3


@pytest.mark.parametrize("repeated", REPEATED)
@pytest.mark.parametrize("lost", LOST, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("name", BEGINNINGS)
def test_what_began_and_was_not_answered_begins_once(
    name: str, lost: Exception, repeated: str
) -> None:
    client, seat = FakeCloudFormation(), Seat()
    client.repeated = repeated
    if name.startswith("Update"):
        rolled_out(client, rollout(f"account,RunToken\n{ONE},3\n{TWO},4\n"))
    wanted = rollout(f"account,RunToken\n{ONE},1\n{TWO},2\n", tags={"team": "logs"})
    expected = planned(client, wanted)
    begun = len(client.calls)
    client.after = failing(name, lost, lost)
    done = rolled_out(client, wanted, operator=seat.operator)
    assert tuple(each.operation for each in done) == expected
    assert len(client.calls) == begun + len(expected)
    assert {each.progress.status for each in done} == {"SUCCEEDED"}
    assert planned(client, wanted) == ()


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (UNREACHABLE, "cloudformation.eu-west-1.example cannot be reached"),
        (error("ExpiredToken", "any"), "The credentials have expired."),
        (error("AccessDenied", "DescribeStackSetOperation", "no"), "AWS denies Describe"),
    ],
)
def test_what_cannot_be_followed_any_more_goes_on(failure: Exception, cause: str) -> None:
    client, seat, course = FakeCloudFormation(), Seat(), Course()
    client.before = failing("DescribeStackSetOperation", None, *[failure] * 3)
    with pytest.raises(OperatingError) as lost:
        rolled_out(client, WANTED, operator=seat.operator, course=course)
    (operation,) = client.sets[WANTED.name].operations
    assert operation.status == "RUNNING"
    assert lost.value.what.startswith(f"Operation {operation.id} goes on, and cannot be followed:")
    assert cause in lost.value.what
    assert lost.value.fix.endswith(" The same command follows it again.")
    assert course.under_way == operation.id


def test_what_may_have_begun_is_told_as_that() -> None:
    client, seat, course = FakeCloudFormation(), Seat(), Course()
    client.before = failing("CreateStackInstances", *[UNREACHABLE] * 3)
    with pytest.raises(OperatingError) as lost:
        rolled_out(client, WANTED, operator=seat.operator, course=course)
    assert lost.value.what.startswith(
        f"If operation {course.under_way} has begun, it goes on, and cannot be followed: cloudform"
    )
    client, course = FakeCloudFormation(), Course()
    client.after = failing("CreateStackSet", *[UNREACHABLE] * 3)
    with pytest.raises(OperatingError) as lost:
        rolled_out(client, WANTED, operator=seat.operator, course=course)
    assert lost.value.what.startswith("If the stack set is being made, it goes on, and cannot be")
    assert course.under_way == ""  # no operation


@pytest.mark.parametrize(
    "failure", [error("AccessDenied", "CreateStackInstances"), NoCredentialsError()]
)
def test_what_is_refused_for_good_did_not_begin(failure: Exception) -> None:
    client, course = FakeCloudFormation(), Course()
    client.before = failing("CreateStackInstances", failure)
    with pytest.raises(type(failure)):
        rolled_out(client, WANTED, course=course)
    assert course.told(WANTED) == (
        "1 of 3 operations are over, and nothing goes on. The same command does what is left."
    )


@pytest.mark.parametrize(
    ("failures", "cause"),
    [
        ((UNREACHABLE, error("ExpiredToken", "any")), "The credentials have expired."),
        ((UNREACHABLE, error("AccessDenied", "any", "no")), "AWS denies any: no."),
        ((UNREACHABLE, NoCredentialsError()), "There are no AWS credentials"),
        ((LOST[2], error("AccessDenied", "any", "no")), "AWS denies any: no."),
        ((retried(error("ExpiredToken", "any")),), "The credentials have expired."),
    ],
)
def test_who_loses_their_right_after_an_answer_was_lost_learns_what_may_go_on(
    failures: tuple[Exception, ...], cause: str
) -> None:
    client, course = FakeCloudFormation(), Course()
    client.after = failing("CreateStackInstances", failures[0])
    later = iter((None, *failures[1:]))
    client.before = lambda name: (
        raised(next(later, None)) if name == "CreateStackInstances" else None
    )
    with pytest.raises(OperatingError) as lost:
        rolled_out(client, WANTED, course=course)
    assert lost.value.what.startswith(f"If operation {course.under_way} has begun, it goes on, and")
    assert cause in lost.value.what
    assert client.sets[WANTED.name].operations[0].id == course.under_way


def test_what_may_have_begun_is_told_where_nobody_may_look_for_it() -> None:
    client, course = FakeCloudFormation(), Course()
    client.repeated = "OperationInProgressException"
    client.after = failing("CreateStackInstances", UNREACHABLE)
    client.before = failing("ListStackSetOperations", error("AccessDenied", "any"))
    with pytest.raises(ClientError):
        rolled_out(client, WANTED, course=course)
    assert course.told(WANTED).startswith(f"Operation {course.ours} may have been started, and th")
    assert client.sets[WANTED.name].operations[0].id == course.ours


def test_what_came_of_it_is_told_without_reasons_that_cannot_be_read() -> None:
    client, seat = FakeCloudFormation(), Seat()
    client.fails = lambda place, values: f"instance: {place}"
    failures = [UNREACHABLE, None, *[UNREACHABLE] * 3]
    wanted = rollout(preferences=rollout().preferences)
    client.before = failing("DescribeStackInstance", *failures)
    client.at_once = 4
    done = rolled_out(client, wanted, operator=seat.operator)
    assert [each.reason for each in report.failures(done)] == [
        f"instance: {(ONE, IRELAND)}",
        "",
        "",
        "",
    ]
    assert seat.lines[-1] == "      reasons cannot be read (EndpointConnectionError)"


def test_somebody_elses_operation_that_never_ends_is_told_of_now_and_then() -> None:
    client, seat, course = FakeCloudFormation(), Seat(), Course()
    rolled_out(client, WANTED)
    client.at_once = 0
    theirs = FakeOperation("theirs", {}, [(ONE, OHIO)])
    client.sets[WANTED.name].operations.append(theirs)
    client.before = lambda name: stop() if seat.now > 130 else None
    with pytest.raises(KeyboardInterrupt):
        settle(StackSet(client, WANTED), course, seat.operator)
    assert seat.lines[1:] == [
        "1:00  still RUNNING: 0 of 1 done, 1 pending",
        "2:00  still RUNNING: 0 of 1 done, 1 pending",
    ]
    assert course.told(WANTED) == (
        "Operation theirs, which was under way already, goes on; nothing of this roll-out was"
        f" started. The same command waits for it again, and this shows it: {SHOW} theirs`"
    )


def test_an_operation_that_aws_does_not_list_is_not_waited_for_for_ever() -> None:
    client, seat = FakeCloudFormation(), Seat()
    busy = error("OperationInProgressException", "CreateStackInstances")
    client.before = failing("CreateStackInstances", *[busy] * 100)
    with pytest.raises(OperatingError, match="says that an operation is in progress, and lists no"):
        rolled_out(client, WANTED, operator=seat.operator)


def test_another_stack_set_of_the_name_is_no_answer_that_was_lost() -> None:
    client = FakeCloudFormation()
    rolled_out(client, WANTED)
    client.before = failing("DescribeStackSet", error("StackSetNotFoundException", "any"))
    with pytest.raises(ClientError, match="NameAlreadyExistsException"):
        rolled_out(client, WANTED)


def test_a_stack_set_that_was_deleted_is_none() -> None:
    client = FakeCloudFormation()
    rolled_out(client, WANTED)
    client.sets[WANTED.name].deleted = True
    expected = planned(FakeCloudFormation(), WANTED)
    assert planned(client, WANTED) == expected
    rolled_out(client, WANTED)
    assert planned(client, WANTED) == ()


def stop() -> None:
    raise KeyboardInterrupt


def begin_again(client: FakeCloudFormation, course: Course, operator: Operator) -> None:
    """Do what the command does."""
    settle(StackSet(client, WANTED), course, operator)
    rolled_out(client, WANTED, operator=operator, course=course)


def prepared() -> FakeCloudFormation:
    client = FakeCloudFormation()
    rolled_out(client, rollout("account,RunToken\n" + f"{ONE},9\n"))
    theirs = FakeOperation("theirs", {}, [(ONE, IRELAND), (ONE, OHIO)])
    client.sets[WANTED.name].operations.append(theirs)
    client.calls.clear()
    return client


def test_ctrl_c_at_any_moment_is_told_truthfully() -> None:
    client, number = prepared(), count()
    client.before = client.after = lambda name: next(number) and None
    begin_again(client, Course(), Seat().operator)
    for moment in range(next(number)):
        interrupted(moment)


def interrupted(moment: int) -> None:
    client, course, number = prepared(), Course(), count()
    client.before = client.after = lambda name: stop() if next(number) == moment else None
    with pytest.raises(KeyboardInterrupt):
        begin_again(client, course, Seat().operator)
    told, operations = course.told(WANTED), client.sets[WANTED.name].operations
    under_way = [each.id for each in operations if each.status == "RUNNING"]
    if under_way and not (moment == 0 and told == "Nothing was started."):
        # At first nobody has looked yet whether somebody else has begun something.
        assert under_way[0] in told
    if told == "Nothing was started." or "nothing of this roll-out was started" in told:
        assert not client.calls
    if "nothing goes on" in told:
        assert not under_way
    client.before = client.after = lambda name: None
    begin_again(client, Course(), Seat().operator)
    assert planned(client, WANTED) == ()
    assert len(client.calls) == len(planned(prepared(), WANTED))


@pytest.mark.parametrize(
    ("name", "where", "told"),
    [
        ("DescribeStackSet", "before", "Nothing was started."),
        (
            "CreateStackSet",
            "before",
            "The stack set may have been made, without any stack. The same command goes on.",
        ),
        (
            "CreateStackInstances",
            "after",
            "Operation ID may have been started, and then goes on by itself; 1 after it is not"
            f" started. The same command follows it again, and so does: {SHOW} ID --call-as"
            " DELEGATED_ADMIN`",
        ),
        (
            "DescribeStackSetOperation",
            "before",
            "Operation ID goes on by itself; 1 after it is not started. The same command follows it"
            f" again, and so does: {SHOW} ID --call-as DELEGATED_ADMIN`",
        ),
    ],
)
def test_ctrl_c_is_told_in_words(name: str, where: str, told: str) -> None:
    client, course = FakeCloudFormation(), Course()
    setattr(client, where, lambda called: stop() if called == name else None)
    delegated = rollout(
        f"account,RunToken\n{ONE},1\n{TWO},2\n",
        targets=ServiceManaged(("r-root",), call_as="DELEGATED_ADMIN"),
    )
    client.organizations = FakeOrganizations({"r-root": [ONE, TWO]})
    with pytest.raises(KeyboardInterrupt):
        rolled_out(client, delegated, client.organizations, course=course)
    assert course.told(delegated).replace(course.ours or "-", "ID") == told
