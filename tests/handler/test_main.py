"""The entry point: it takes any event, sends at most one answer, and logs nothing secret."""

import json
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from support.events import (
    NOON,
    PHYSICAL_ID,
    SECRET,
    SIGNATURE,
    alb_arn,
    event,
    properties,
    recorded,
)
from support.moto_account import Account, emulated_account
from support.running import Clock, Lambda, answers, run_event
from support.strategies import STEADY, json_values

from dt_logs_handler.main import Clients, World, handle

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
    with emulated_account() as account:
        (answer,) = answers(given_event, account.clients, Clock())
        assert account.buckets() == [] and account.topics() == []
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


@pytest.mark.parametrize("privileges", ["least-privilege", "documented"])
def test_log_has_a_json_object_a_line_and_nothing_secret_like_the_answers(
    account: Account, clock: Clock, capsys: pytest.CaptureFixture[str], privileges: str
) -> None:
    """Neither the endpoint's token nor the answer URL's signature appears, even after a failure."""
    web = account.add_load_balancer()
    given = properties(web, Privileges=privileges)
    moved = {**given, "NotificationEndpoint": f"https://other.example.com/{SECRET}"}
    told = []
    for kind, new, old, status in (
        ("Create", given, None, "SUCCESS"),
        ("Update", moved, given, "SUCCESS"),
        ("Update", properties(web, NotificationEndpoint=f"ftp://{SECRET}"), moved, "FAILED"),
        ("Update", properties(alb_arn("gone")), moved, "FAILED"),
        ("Delete", moved, None, "SUCCESS"),
    ):
        clock.sleep(60)
        told.append(run_event(event(kind, new, old, at=clock.now), account.clients, clock))
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
    assert web in [line.get("load_balancer") for line in lines]


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_resource_keeps_its_id_where_its_event_is_refused(
    account: Account, clock: Clock, kind: str
) -> None:
    """CloudFormation would treat a new ID as a replacement, and send a Delete for the old one."""
    sent = event(kind, properties(WEB, LoadBalancerArns="nonsense"), at=NOON - 1200)
    refused = [run_event(sent, _no_clients, Clock())]
    web = account.add_load_balancer()
    run_event(event("Create", properties(web), at=clock.now), account.clients, clock)
    elsewhere = web.replace("us-east-1", "eu-west-1")
    for arn in (alb_arn("gone"), elsewhere) if kind != "Delete" else ():
        clock.sleep(60)
        sent = event(kind, properties(arn), properties(web), at=clock.now)
        refused.append(run_event(sent, account.clients, clock))
    for answer in refused:
        assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", PHYSICAL_ID)


def test_what_was_left_out_of_a_success_is_logged_too(
    account: Account, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    account.add_load_balancer("web")
    api = account.add_load_balancer("api")
    account.add_bucket("company-logs")
    account.set_logging(api, "company-logs", "api")
    account.s3.delete_bucket(Bucket="company-logs")
    answer = run_event(event("Create", properties("*")), account.clients, clock)
    assert '"NotOnboarded": "app/api/' in json.dumps(answer["Data"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (told,) = (line["what"] for line in lines if line["event"] == "told")
    assert told.startswith(f"Not onboarded (1): {api}: ") and "company-logs" in told


class Failing:
    """A client whose calls all fail with the same error."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.meta = self

    def __getattr__(self, name: str) -> Any:
        def call(**_: object) -> None:
            raise self._error

        return call


def failing(error: Exception) -> Any:
    return lambda: (Failing(error),) * 3


def test_fault_is_answered_and_its_traceback_logged(capsys: pytest.CaptureFixture[str]) -> None:
    clients = failing(RuntimeError("nobody expected this"))
    answer = run_event(event("Create", properties(WEB)), clients, Clock())
    assert answer["Status"] == "FAILED"
    assert "fault (RuntimeError)" in str(answer["Reason"])
    assert "/aws/lambda/dt-logs" in str(answer["Reason"])
    assert "nobody expected this" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_denied_call_is_answered_with_what_to_do(kind: str) -> None:
    denied = ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "not authorized"}},
        "DescribeLoadBalancerAttributes",
    )
    clock = Clock(NOON + 90)
    answer = run_event(event(kind, properties(WEB)), failing(denied), clock)
    assert answer["Status"] == "FAILED"
    assert "DescribeLoadBalancerAttributes failed with AccessDenied" in str(answer["Reason"])
    assert "execution role" in str(answer["Reason"])


@pytest.mark.parametrize(
    ("waited", "seconds", "limit"),
    [(0, 900, 880), (0, 120, 100), (0, 45, 25), (0, 5, 2), (1150, 900, 1200)],
)
def test_answer_comes_in_time_even_if_every_call_is_throttled(
    waited: float, seconds: float, limit: float
) -> None:
    """An event that waited in Lambda's queue has less time than the function's timeout."""
    throttled = ClientError({"Error": {"Code": "Throttling"}}, "DescribeLoadBalancers")
    clock = Clock(NOON + waited)
    answer = run_event(event("Create", properties(WEB)), failing(throttled), clock, seconds)
    assert answer["Status"] == "FAILED"
    assert clock.now - NOON < limit


def test_answer_that_does_not_arrive_raises_nothing(account: Account, clock: Clock) -> None:
    world = World(account.clients, lambda url, body: 0, clock, clock.sleep, Random(7))
    handle(event("Create", properties(WEB)), Lambda(clock, clock() + 900), world)
    assert clock.slept
