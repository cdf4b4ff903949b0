"""The answer is always valid and small, is retried, and never shows its URL."""

import json
import re
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import PHYSICAL_ID, alb_arn, properties, recorded
from support.running import Clock
from support.states import HERE
from support.strategies import STEADY

from dt_logs_handler import main
from dt_logs_handler.answer import LIMIT, Hide, cut, deliver, failed, may_answer, success, told
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Placement
from dt_logs_handler.names import Location
from dt_logs_handler.request import properties_of
from dt_logs_handler.run import Outcome

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
NUMBERS = range(400)
MANY = Outcome(
    placements=tuple(
        Placement(alb_arn("x" * 32, each), Location(f"logs-{each:050}", "web")) for each in NUMBERS
    ),
    topics=tuple(f"arn:aws:sns:us-east-1:123456789012:{each:0200}" for each in NUMBERS),
    subscriptions=tuple(f"arn:aws:sns:us-east-1:123456789012:{each:0200}:x" for each in NUMBERS),
    refused=tuple((alb_arn("ü" * 32, each), "Größer geht nicht." * 9) for each in NUMBERS),
    kept=tuple(f"bucket {each}, which holds logs" for each in NUMBERS),
    unread=("\U0001f4e6 " * 2000,),
    warnings=tuple(f"app/web/{each} stays as it is: {'ü' * 90}" for each in NUMBERS),
)
LISTS = ("LogBuckets", "TopicArns", "SubscriptionArns", "NotOnboarded", "Warnings")
SAME = {"TemplateVersion": "0.1.0", "HandlerSha256": "0" * 64}


def checked(body: bytes) -> dict[str, Any]:
    """Check what CloudFormation requires, and return the answer."""
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
@example(MANY)
def test_success_fits_whatever_was_done(outcome: Outcome) -> None:
    """Every success has a value for each output, because the template refers to all of them."""
    assert outputs(outcome).keys() == {*LISTS, *SAME}


def test_long_lists_are_cut_each_with_its_count() -> None:
    for name, text in outputs(MANY).items():
        assert name in SAME or (len(text) > 100 and re.search(r"… and \d+ more$", text))


@STEADY
@given(words, words)
@example("ü" * 5000, "x" * 5000)
@example('"\\' * 5000, "\0" * 5000)
@example("\U0001f4e6" * 5000, "")
@example("x" * 3000, "y" * 3000)
def test_failure_fits_whatever_the_reason(what: str, fix: str) -> None:
    answer = checked(failed(EVENT, PHYSICAL_ID, Refused(what, fix)))
    assert answer["Status"] == "FAILED"
    reason: str = answer["Reason"]
    whole = f"{what} {fix}"
    assert reason == whole or (reason.endswith(" …") and whole.startswith(reason[:-2]))


def test_long_reason_uses_the_room_that_there_is() -> None:
    """The end is cut, because the first sentence says what failed."""
    body = failed(EVENT, PHYSICAL_ID, Refused("It failed.", "Do " + "this and " * 2000))
    assert LIMIT - 30 <= len(body) <= LIMIT
    assert json.loads(body)["Reason"].startswith("It failed. Do this and this")


LEFT_OUT = Outcome(
    placements=tuple(
        Placement(alb_arn(f"n{i}"), Location(name, "x")) for i, name in enumerate("bab")
    ),
    topics=("t1", "t2"),
    subscriptions=("s1", "t2 awaits confirmation"),
    refused=((alb_arn("api", 2), "Its bucket is gone."), (alb_arn("x", 3), "It vanished.")),
    kept=("bucket old, which holds logs", "topic t"),
    unread=("bucket x could not be read",),
    warnings=("app/web/1 stays as it is.",),
)


def test_outputs_tell_each_thing_once_and_what_was_left_out_and_what_stays() -> None:
    assert outputs(LEFT_OUT) == {
        **SAME,
        "LogBuckets": "a,b",
        "TopicArns": "t1,t2",
        "SubscriptionArns": "s1,t2 awaits confirmation",
        "NotOnboarded": "app/api/0000000000000002: Its bucket is gone,"
        "app/x/0000000000000003: It vanished",
        "Warnings": "app/web/1 stays as it is,Note: bucket old, which holds logs,Note: topic t,"
        "Note: bucket x could not be read",
    }
    assert outputs(Outcome()) == {**SAME, **dict.fromkeys(LISTS, "none")}


def test_secret_is_hidden_in_outputs_before_they_are_cut() -> None:
    """If outputs were cut first, part of the secret could remain at the end."""
    outcome = Outcome(warnings=("x" * 450 + "s3cr3t" * 200,), refused=(("arn", "to s3cr3t"),))
    data = outputs(outcome, lambda text: text.replace("s3cr3t" * 200, "…").replace("s3cr3t", "…"))
    assert data["NotOnboarded"] == "arn: to …"
    assert data["Warnings"] == "x" * 450 + "…"


def test_deletion_is_told_without_data() -> None:
    """Only the function's log shows a Delete's reason, which names load balancers by their ARNs."""
    stays = replace(LEFT_OUT, refused=(), warnings=())
    reason = (
        "Left in place (2): bucket old, which holds logs; topic t."
        " Not looked into (1): bucket x could not be read."
    )
    for outcome, text in ((Outcome(), ""), (stays, reason)):
        answer = checked(success(EVENT, PHYSICAL_ID, outcome, None))
        assert (answer["Status"], answer["Data"], answer["Reason"]) == ("SUCCESS", {}, text)
        assert told(outcome) == text
    assert f"Not onboarded (2): {alb_arn('api', 2)}: Its bucket is gone; arn:" in told(LEFT_OUT)
    assert "Warnings (1): app/web/1 stays as it is." in told(LEFT_OUT)


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


@pytest.mark.parametrize(
    ("statuses", "sent"),
    [
        *(((status,), 1) for status in (200, 201, 204)),
        *(((status, status, 200), 3) for status in (0, 408, 429, 500, 502, 503)),
        *(((status,), 1) for status in (400, 403, 404, 412)),
        *(((status,) * 4, 4) for status in (300, 503)),
    ],
    ids=str,
)
def test_answer_is_sent_again_after_what_may_pass_until_that_is_hopeless(
    statuses: tuple[int, ...], sent: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A URL that has expired, or belongs to somebody else, never becomes valid."""
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


class Server(ThreadingHTTPServer):
    """Responds to each answer with fixed bytes; keeps the answer's path, content type and body."""

    def __init__(self, response: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Receive)
        self.response = response
        self.answers: list[tuple[str, str | None, bytes]] = []


class Receive(BaseHTTPRequestHandler):
    server: Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.append((self.path, self.headers.get("Content-Type"), body))
        self.wfile.write(self.server.response)

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
    with Server(response) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        assert main._send(f"http://127.0.0.1:{server.server_port}/a", b"{}") == status
        thread.join()
    assert server.answers == [("/a", "", b"{}")]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a", "https://a\x7f/a", "https:///a", "https://127.0.0.1:x/ü"]
)
def test_url_that_leads_nowhere_is_no_answer(url: str) -> None:
    assert main._send(url, b"{}") == 0
