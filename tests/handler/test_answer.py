"""The entry point accepts any event; each answer is valid, small and free of secrets."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Thread
from typing import Any, ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lifecycle.faults import error, on
from lifecycle.scenarios import PRIVILEGES, Answer, Case, clients_of, data
from support.drifts import adopted, announced_elsewhere
from support.events import (
    ENDPOINT,
    HERE,
    PHYSICAL_ID,
    SECRET,
    SIGNATURE,
    alb_arn,
    event,
    properties,
    recorded,
)
from support.running import Clock, Lambda, answers
from support.strategies import STEADY, json_values

from dt_logs_handler import main
from dt_logs_handler.answer import LIMIT, Hide, cut, deliver, failed, may_answer, success, told
from dt_logs_handler.errors import Refused
from dt_logs_handler.main import Clients, World, handle
from dt_logs_handler.model import Placement
from dt_logs_handler.names import Location
from dt_logs_handler.request import properties_of
from dt_logs_handler.run import Outcome
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new

PROPERTIES = properties_of(properties(alb_arn("web")), HERE)
EVENT = recorded("create")
URL = "https://answers.example.com/a?X-Amz-Date=20260301T120000Z&X-Amz-Signature=5ecret"

words = st.text(max_size=300)
lists = st.lists(words, max_size=8).map(tuple)
pairs = st.lists(st.tuples(words, words), max_size=8).map(tuple)
outcomes = st.builds(
    Outcome,
    st.lists(st.builds(Placement, words, st.builds(Location, words, words)), max_size=8).map(tuple),
    topics=lists,
    subscriptions=lists,
    refused=pairs,
    kept=lists,
    unread=lists,
    warnings=lists,
)
LONG = tuple(f"{each:0200} Größer geht nicht \U0001f4e6." for each in range(400))
MANY = Outcome(
    tuple(Placement(each, Location(each, "web")) for each in LONG),
    refused=tuple((alb_arn("ü" * 32, number), each) for number, each in enumerate(LONG)),
    **dict.fromkeys(("topics", "subscriptions", "kept", "unread", "warnings"), LONG),
)
LISTS = ("LogBuckets", "TopicArns", "SubscriptionArns", "NotOnboarded", "Warnings")
SAME = {"TemplateVersion": "0.1.0", "HandlerSha256": "0" * 64}


def checked(body: bytes) -> dict[str, Any]:
    """Check an answer against CloudFormation's requirements, and return the parsed answer."""
    assert len(body) <= LIMIT == 4096
    answer: dict[str, Any] = json.loads(body)
    echoed = ("StackId", "RequestId", "LogicalResourceId")
    assert answer.keys() == {"Status", "Reason", "PhysicalResourceId", *echoed, "NoEcho", "Data"}
    assert [answer[name] for name in echoed] == [EVENT[name] for name in echoed]
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    assert all(isinstance(value, str) and value for value in answer["Data"].values())
    return answer


def outputs(outcome: Outcome, hide: Hide = str) -> dict[str, str]:
    """Return the output values of a success, whose reason must be empty."""
    answer = checked(success(EVENT, PHYSICAL_ID, outcome, PROPERTIES, hide))
    assert (answer["Status"], answer["Reason"]) == ("SUCCESS", "")
    found: dict[str, str] = answer["Data"]
    return found


@STEADY
@given(outcomes)
def test_success_fits_whatever_was_done(outcome: Outcome) -> None:
    """Every success has a value for each output, because the template refers to all of them."""
    assert outputs(outcome).keys() == {*LISTS, *SAME}


def test_long_lists_are_cut_each_with_its_count() -> None:
    for name, text in outputs(MANY).items():
        assert name in SAME or (len(text) > 100 and re.search(r"… and \d+ more$", text))
    assert len(success(EVENT, PHYSICAL_ID, MANY, PROPERTIES)) > LIMIT - 200  # the room is used


@STEADY
@given(words, words)
@example("ü" * 5000, "x" * 5000)
@example('"\\' * 5000, "\0" * 5000)
@example("\U0001f4e6" * 5000, "")
@example("x" * 3000, "y" * 3000)
def test_failure_fits_and_uses_the_room_that_there_is(what: str, fix: str) -> None:
    """The end of a long reason is cut, because its first sentence says what failed."""
    body = failed(EVENT, PHYSICAL_ID, Refused(what, fix))
    answer = checked(body)
    assert answer["Status"] == "FAILED"
    reason: str = answer["Reason"]
    whole = f"{what} {fix}"
    cut_off = reason.endswith(" …") and whole.startswith(reason[:-2]) and len(body) > LIMIT - 30
    assert reason == whole or cut_off


LEFT = Outcome(kept=("bucket old, which holds logs", "topic t"), unread=("bucket x was not read",))
LEFT_OUT = Outcome(
    tuple(Placement(alb_arn(f"n{i}"), Location(name, "x")) for i, name in enumerate("bab")),
    topics=("t1", "t2"),
    subscriptions=("s1", "t2 awaits confirmation"),
    refused=((alb_arn("api", 2), "Its bucket is gone."), (alb_arn("x", 3), "It vanished.")),
    kept=LEFT.kept,
    unread=LEFT.unread,
    warnings=("app/web/1 stays as it is.",),
)


def test_outputs_tell_each_thing_once_and_the_reason_of_a_deletion_what_stays() -> None:
    """A Delete returns no outputs. The function's log shows its reason, and has whole ARNs."""
    assert outputs(LEFT_OUT) == {
        **SAME,
        "LogBuckets": "a,b",
        "TopicArns": "t1,t2",
        "SubscriptionArns": "s1,t2 awaits confirmation",
        "NotOnboarded": "app/api/0000000000000002: Its bucket is gone,"
        "app/x/0000000000000003: It vanished",
        "Warnings": "app/web/1 stays as it is,Note: bucket old, which holds logs,Note: topic t,"
        "Note: bucket x was not read",
    }
    assert outputs(Outcome()) == {**SAME, **dict.fromkeys(LISTS, "none")}
    reason = (
        "Left in place (2): bucket old, which holds logs; topic t."
        " Not looked into (1): bucket x was not read."
    )
    for outcome, text in ((Outcome(), ""), (LEFT, reason)):
        answer = checked(success(EVENT, PHYSICAL_ID, outcome, None))
        assert (answer["Status"], answer["Data"], answer["Reason"]) == ("SUCCESS", {}, text)
    assert told(LEFT_OUT) == (
        f"{reason} Not onboarded (2): {alb_arn('api', 2)}: Its bucket is gone;"
        f" {alb_arn('x', 3)}: It vanished. Warnings (1): app/web/1 stays as it is."
    )


def test_secret_is_hidden_in_outputs_before_they_are_cut() -> None:
    """If outputs were cut first, part of the secret could remain at the end."""
    outcome = Outcome(warnings=("x" * 450 + "s3cr3t" * 200,), refused=(("arn", "to s3cr3t"),))
    data = outputs(outcome, lambda text: text.replace("s3cr3t" * 200, "…").replace("s3cr3t", "…"))
    assert data["NotOnboarded"] == "arn: to …"
    assert data["Warnings"] == "x" * 450 + "…"


@pytest.mark.parametrize(
    ("items", "limit", "text"),
    [
        ([], 10, ""),
        (["abc", "def"], 7, "abc,def"),
        (["abc", "defgh", "i"], 17, "abc,defgh,i"),
        (["a" * 20, "b" * 20, "c" * 20], 40, "a" * 20 + ",… and 2 more"),
        (["a" * 50, "b"], 20, "aa … and 1 more"),
        (["a" * 50], 20, "a" * 13 + " …"),
        (["ü" * 50], 20, "üü …"),
        ([""], 10, ""),
    ],
)
def test_what_does_not_fit_is_counted(items: list[str], limit: int, text: str) -> None:
    """At least part of the first item is shown; an ellipsis takes six bytes in JSON."""
    assert cut(items, limit) == text


@STEADY
@given(st.lists(words), st.integers(30, 2000))
@example(["\U0001f4e6" * 100] * 3, 30)
def test_what_is_cut_fits_in_its_encoding(items: list[str], limit: int) -> None:
    text, whole = cut(items, limit), ",".join(items)
    assert len(json.dumps(text)) - 2 <= limit
    assert text == whole or len(json.dumps(whole)) - 2 > limit


# Sending answers to CloudFormation


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        (URL, True),
        ("http://localhost:8000/a", True),
        ("http://127.0.0.1:8000/a", True),
        ("http://answers.example.com/a", False),
        ("http://localhost.example.com/a", False),
        ("ftp://answers.example.com/a", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://[half", False),
        ("answers.example.com", False),
        ("", False),
    ],
)
def test_answer_goes_only_where_cloudformation_can_be(url: str, allowed: bool) -> None:
    assert may_answer(url) is allowed
    assert allowed or answers({**EVENT, "ResponseURL": url}, _no_clients, Clock()) == []


@pytest.mark.parametrize(
    ("statuses", "sent"),
    [
        *(((status,), 1) for status in (200, 201, 204)),
        *(((status, status, 200), 3) for status in (0, 408, 429, 500, 502, 503)),
        *(((status,), 1) for status in (400, 403, 404, 412)),
        *(((status,) * 4, 4) for status in (0, 300, 503)),
    ],
    ids=str,
)
def test_answer_is_sent_again_after_what_may_pass_until_that_is_hopeless(
    statuses: tuple[int, ...], sent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer is not sent again to a URL that has expired or belongs to somebody else."""
    received: list[tuple[str, bytes]] = []

    def send(url: str, body: bytes) -> int:
        received.append((url, body))
        return statuses[len(received) - 1]

    clock = Clock()
    arrived = deliver(URL, b"{}", send, clock.sleep)
    assert arrived is (statuses[-1] in (200, 201, 204))
    assert received == [(URL, b"{}")] * sent
    assert clock.slept == [1, 2, 4][: sent - 1]
    assert capsys.readouterr() == ("", "")


class Receive(BaseHTTPRequestHandler):
    """Keeps each answer's path, content type and body, and responds with fixed bytes."""

    response = b""
    answers: ClassVar[list[tuple[str, str | None, bytes]]] = []

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answers.append((self.path, self.headers.get("Content-Type"), body))
        self.wfile.write(self.response)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.mark.parametrize(
    ("response", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
        (b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", 503),
        (b"HTTP/1.1 307 There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 307),
        (b"", 0),
        (b"no HTTP at all\r\n\r\n", 0),
    ],
)
def test_status_is_the_servers_and_nothing_is_raised(response: bytes, status: int) -> None:
    """S3 includes the content type in the signature, and CloudFormation signs an empty one."""
    Receive.response = response
    with ThreadingHTTPServer(("127.0.0.1", 0), Receive) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        assert main._send(f"http://127.0.0.1:{server.server_port}/a", b"{}") == status
        thread.join()
    assert Receive.answers.pop() == ("/a", "", b"{}")


def test_url_that_leads_nowhere_is_no_answer() -> None:
    for nowhere in (
        "http://127.0.0.1:1/a",
        "https://a\x7f/a",
        "https:///a",
        "https://127.0.0.1:x/ü",
    ):
        assert main._send(nowhere, b"{}") == 0


# Events

FIELDS = [*recorded("update"), "Unknown"]


@st.composite
def malformed_events(draw: st.DrawFn) -> dict[str, object]:
    """Draw an event with some fields changed, added or missing; its answer URL is unchanged."""
    found: dict[str, Any] = recorded(draw(st.sampled_from(["create", "update", "delete"])))
    others = st.sampled_from([each for each in FIELDS if each != "ResponseURL"])
    found.update(draw(st.dictionaries(others, json_values, max_size=3)))
    for name in draw(st.lists(others, max_size=2)):
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


@STEADY
@given(json_values | st.dictionaries(st.sampled_from(FIELDS), json_values))
@example({**EVENT, "ResponseURL": None})
@example({**EVENT, "ResponseURL": ["https://a.example.com/"]})
def test_no_event_raises(given_event: object) -> None:
    """After an exception, Lambda would retry the event."""
    assert answers(given_event, _no_clients, Clock()) == []


def _no_clients() -> Clients:
    raise AssertionError("nothing is to be called")


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
    handle(event("Create", properties(alb_arn("web"))), Lambda(clock, clock() + 900), world)
    assert clock.slept


# Secrets, and the log


@PRIVILEGES
def test_log_has_a_json_object_a_line_and_nothing_secret_like_the_answers(
    capsys: pytest.CaptureFixture[str], privileges: str
) -> None:
    """Neither the answers nor the log have the endpoint's token or the answer URL's signature."""
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


def test_what_was_left_out_of_a_success_is_logged_too(capsys: pytest.CaptureFixture[str]) -> None:
    case = Case(logging)
    case.account.add_load_balancer("shop")
    case.delete_bucket(CUSTOMERS)
    answer = case.sent("Create", properties("*"))
    assert data(answer, "NotOnboarded").startswith("app/api/")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (told,) = (line["what"] for line in lines if line["event"] == "told")
    assert told.startswith("Not onboarded (2): arn:aws:elastic") and CUSTOMERS in told


def without_secrets(answer: Answer) -> Answer:
    text = json.dumps(answer, ensure_ascii=False)
    assert "s3cr3t" not in text and "X-Amz-Signature" not in text and "5ecret" not in text
    return answer


Change = Callable[[Case, dict[str, object]], None]


def named(identifier: str) -> Change:
    """Return the change that replaces all notifications with one that has this ID."""
    return lambda case, event: announced_elsewhere(case.account, identifier)


def refused_with_the_url(case: Case, event: dict[str, object]) -> None:
    """Make ELB refuse to change the second ALB, with the answer URL and endpoint in the error."""

    def refuse(params: Mapping[str, Any]) -> None:
        if params["LoadBalancerArn"] == case.arns[1]:
            text = f"cannot answer {event['ResponseURL']} or {ENDPOINT}"
            raise error("OperationNotPermitted", "ModifyLoadBalancerAttributes", text)

    case.before = on("ModifyLoadBalancerAttributes", refuse)


ELSEWHERE = {"NotificationEndpoint": "https://other.example.com/in"}
EVERY = {"LoadBalancerArns": ["*"]}
SECRETS: dict[str, tuple[Change, dict[str, object], str, str]] = {
    "endpoint": (named(ENDPOINT), {}, "Warnings", CUSTOMERS),
    "token": (named(ENDPOINT.partition("?")[2]), {}, "Warnings", CUSTOMERS),
    "in a text": (named(f"to {ENDPOINT} since May"), {}, "Warnings", CUSTOMERS),
    "old endpoint": (named(ENDPOINT), ELSEWHERE, "Warnings", CUSTOMERS),
    "of one left out": (named(ENDPOINT), EVERY, "NotOnboarded", "app/api/"),
    "answer's URL": (refused_with_the_url, EVERY, "NotOnboarded", "app/shop/"),
}


@pytest.mark.parametrize(("change", "given", "output", "told"), SECRETS.values(), ids=SECRETS)
def test_secret_that_aws_or_the_customer_repeats_is_hidden(
    change: Change, given: dict[str, object], output: str, told: str
) -> None:
    case = Case(adopted)
    first = properties(case.arns[0])
    without_secrets(case.sent("Create", first))
    event = case.stack.event("Update", {**first, "RunToken": "2", **given}, first)
    change(case, event)

    answer = without_secrets(case.stack.send(event, case.clients))

    assert (answer["Status"], told in data(answer, output)) == ("SUCCESS", True)
    if change is not refused_with_the_url:
        case.sent("Delete", first)
        refused = without_secrets(case.send("Create", first))
        assert refused["Status"] == "FAILED" and CUSTOMERS in refused["Reason"]
