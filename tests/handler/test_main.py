"""The entry point: it takes any event, sends at most one answer, and logs nothing secret."""

import json
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifecycle.faults import error
from lifecycle.scenarios import PRIVILEGES, Case, clients_of, data
from support.events import SECRET, SIGNATURE, alb_arn, event, properties, recorded
from support.running import Clock, Lambda, answers
from support.strategies import STEADY, json_values

from dt_logs_handler.main import Clients, World, handle
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new

WEB = alb_arn("web")
FIELDS = [*recorded("update"), "Unknown"]


@st.composite
def malformed_events(draw: st.DrawFn) -> dict[str, object]:
    """Draw an event with some fields changed or missing, but with its answer URL."""
    found: dict[str, Any] = recorded(draw(st.sampled_from(["create", "update", "delete"])))
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        if name != "ResponseURL":
            found[name] = draw(json_values)
    for name in draw(st.lists(st.sampled_from(FIELDS), max_size=2)):
        if name != "ResponseURL":
            found.pop(name, None)
    for name in ("ResourceProperties", "OldResourceProperties"):
        given = found.get(name)
        if isinstance(given, dict) and draw(st.booleans()):
            changed = draw(st.dictionaries(st.sampled_from(sorted(properties())), json_values))
            found[name] = {**given, **changed}
    return found


@STEADY
@given(malformed_events())
def test_any_event_with_an_answer_url_gets_one_answer(given_event: dict[str, object]) -> None:
    """The account has no load balancers, so nothing is created."""
    account = Account("123456789012")
    before = account.snapshot()
    (answer,) = answers(given_event, partial(clients_of, account), Clock())
    assert account.snapshot() == before
    if given_event.get("RequestType") == "Create":
        assert answer["Status"] == "FAILED"


@pytest.mark.parametrize("url", [None, 7, "", "file:///tmp/answer", ["https://a.example.com/"]])
def test_event_without_an_answer_url_gets_none(url: object) -> None:
    """test_answer.py has the accepted URLs."""
    assert answers({**recorded("create"), "ResponseURL": url}, _no_clients, Clock()) == []


@STEADY
@given(json_values | st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_no_event_raises(given_event: object) -> None:
    """After an exception, Lambda would retry the event."""
    assert answers(given_event, _no_clients, Clock()) == []


def _no_clients() -> Clients:
    raise AssertionError("nothing is to be called")


@PRIVILEGES
def test_log_has_a_json_object_a_line_and_nothing_secret_like_the_answers(
    capsys: pytest.CaptureFixture[str], privileges: str
) -> None:
    """The log has neither the endpoint's token nor the URL's signature, even if a run fails."""
    case = Case(new)
    given = properties(*case.arns, Privileges=privileges)
    moved = {**given, "NotificationEndpoint": f"https://other.example.com/{SECRET}"}
    wrong = {**given, "NotificationEndpoint": f"ftp://{SECRET}"}
    told = []
    for kind, wanted, old, status in (
        ("Create", given, None, "SUCCESS"),
        ("Update", moved, given, "SUCCESS"),
        ("Update", wrong, moved, "FAILED"),
        ("Update", {**given, "LoadBalancerArns": [f"{case.arns[0][:-1]}x"]}, moved, "FAILED"),
        ("Delete", moved, None, "SUCCESS"),
    ):
        told.append(case.send(kind, wanted, old))
        assert told[-1]["Status"] == status
    output = capsys.readouterr()
    text = output.out + output.err + json.dumps(told)
    for secret in (SECRET, SIGNATURE, "X-Amz-Credential"):
        assert secret not in text
    assert "other.example.com" in output.out
    lines = [json.loads(line) for line in output.out.splitlines()]
    assert all(isinstance(line["event"], str) for line in lines)
    assert lines[0]["event"] == "Create" and lines[-1] == {"event": "answered", "arrived": True}
    assert {"bucket", "topic"} <= {key for line in lines for key in line}
    assert case.arns[0] in [line.get("load_balancer") for line in lines]


def test_resource_keeps_its_id_where_its_event_is_refused() -> None:
    """CloudFormation would treat a new ID as a replacement, and send a Delete for the old one."""
    case = Case(new)
    given = properties(*case.arns)
    there = case.sent("Create", given)["PhysicalResourceId"]
    elsewhere, gone = (case.arns[0].replace(*each) for each in (("west-1", "west-2"), ("web", "x")))
    answers = [
        case.send(kind, {**given, "LoadBalancerArns": arns}, given)
        for arns in ([elsewhere], [gone], "nonsense")
        for kind in ("Create", "Update")
    ]
    late = [case.stack.event(kind, given, given) for kind in ("Create", "Update", "Delete")]
    case.clock.sleep(1300)
    answers += [case.stack.send(each, case.clients) for each in late]
    for answer in answers:
        assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", there)


def test_what_was_left_out_of_a_success_is_logged_too(capsys: pytest.CaptureFixture[str]) -> None:
    case = Case(logging)
    case.account.add_load_balancer("shop")
    case.delete_bucket(CUSTOMERS)
    answer = case.sent("Create", properties("*"))
    assert data(answer, "NotOnboarded").startswith("app/api/")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (told,) = (line["what"] for line in lines if line["event"] == "told")
    assert told.startswith("Not onboarded (2): arn:aws:elastic") and CUSTOMERS in told


def failing(cause: Exception) -> Case:
    """Return an account in which every call fails with the same error."""
    case = Case(new)

    def fail(service: str, operation: str, params: object) -> None:
        raise cause

    case.before = fail
    return case


def test_fault_is_answered_and_its_traceback_logged(capsys: pytest.CaptureFixture[str]) -> None:
    case = failing(RuntimeError("nobody expected this"))
    answer = case.send("Create", properties(*case.arns))
    assert answer["Status"] == "FAILED"
    assert "fault (RuntimeError)" in answer["Reason"]
    assert "/aws/lambda/dt-logs" in answer["Reason"]
    assert "nobody expected this" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_denied_call_is_answered_with_what_to_do(kind: str) -> None:
    case = failing(error("AccessDenied", "DescribeLoadBalancerAttributes"))
    answer = case.send(kind, properties(*case.arns), properties())
    assert answer["Status"] == "FAILED"
    assert "DescribeLoadBalancerAttributes failed with AccessDenied" in answer["Reason"]
    assert "execution role" in answer["Reason"]


@pytest.mark.parametrize(
    ("waited", "seconds", "limit"),
    [(0, 900, 880), (0, 120, 100), (0, 45, 25), (0, 5, 2), (1150, 900, 1200)],
)
def test_answer_comes_in_time_even_if_every_call_is_throttled(
    waited: float, seconds: float, limit: float
) -> None:
    """An event that waited in Lambda's queue has less time than the function's timeout."""
    case = failing(error("Throttling", "DescribeLoadBalancers"))
    event = case.stack.event("Create", properties(*case.arns))
    sent = case.clock()
    case.clock.sleep(waited)
    answer = case.stack.send(event, case.clients, seconds)
    assert answer["Status"] == "FAILED"
    assert case.clock() - sent < limit


def test_answer_that_does_not_arrive_raises_nothing() -> None:
    clock = Clock()
    world = World(_no_clients, lambda url, body: 0, clock, clock.sleep, Random(7))
    handle(event("Create", properties(WEB)), Lambda(clock, clock() + 900), world)
    assert clock.slept
