"""The answer: valid and small whatever happened, retried, and silent about its URL."""

import json
import socket
from collections.abc import Iterator
from threading import Thread

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.events import PHYSICAL_ID, STACK, alb_arn, properties, recorded
from support.running import Clock
from support.strategies import STEADY

from dt_logs_handler import main
from dt_logs_handler.answer import LIMIT, cut, deliver, failed, may_answer, success
from dt_logs_handler.errors import Refused
from dt_logs_handler.marks import Location, Stack
from dt_logs_handler.request import properties_of
from dt_logs_handler.run import Outcome
from dt_logs_handler.steps import Placement

HERE = Stack(STACK, "aws", "us-east-1", "123456789012")
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
)
MANY = Outcome(
    placements=tuple(
        Placement(alb_arn("x" * 32, number), Location(f"logs-{number:050}", "web"))
        for number in range(400)
    ),
    topics=tuple(f"arn:aws:sns:us-east-1:123456789012:{number:0200}" for number in range(400)),
    subscriptions=tuple(f"arn:aws:sns:us-east-1:123456789012:{n:0200}:x" for n in range(400)),
    refused=tuple((alb_arn("ü" * 32, number), "Größer geht nicht." * 9) for number in range(400)),
    kept=tuple(f"bucket {number}, which holds logs" for number in range(400)),
    unread=("\U0001f4e6 " * 2000,),
)


def checked(body: bytes) -> dict[str, object]:
    """Check what CloudFormation demands, and return the answer."""
    assert len(body) <= LIMIT == 4096
    answer: dict[str, object] = json.loads(body)
    assert set(answer) == {
        "Status",
        "Reason",
        "PhysicalResourceId",
        "StackId",
        "RequestId",
        "LogicalResourceId",
        "NoEcho",
        "Data",
    }
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == EVENT[name]
    assert answer["PhysicalResourceId"] == PHYSICAL_ID
    assert isinstance(answer["Data"], dict)
    assert all(isinstance(value, str) for value in answer["Data"].values())
    return answer


@STEADY
@given(outcomes)
@example(MANY)
def test_success_fits_whatever_was_done(outcome: Outcome) -> None:
    answer = checked(success(EVENT, PHYSICAL_ID, outcome, PROPERTIES))
    assert answer["Status"] == "SUCCESS"
    data = answer["Data"]
    assert isinstance(data, dict)
    assert set(data) == {
        "LogBuckets",
        "TopicArns",
        "SubscriptionArns",
        "TemplateVersion",
        "HandlerSha256",
    }


@STEADY
@given(words, words)
@example("ü" * 5000, "x" * 5000)
@example('"\\' * 5000, "\0" * 5000)
@example("\U0001f4e6" * 5000, "")
@example("x" * 3000, "y" * 3000)
def test_failure_fits_whatever_the_reason(what: str, fix: str) -> None:
    answer = checked(failed(EVENT, PHYSICAL_ID, Refused(what, fix)))
    assert answer["Status"] == "FAILED"
    reason = answer["Reason"]
    assert isinstance(reason, str)
    whole = f"{what} {fix}"
    assert reason == whole or (reason.endswith(" …") and whole.startswith(reason[:-2]))


def test_long_reason_uses_the_room_that_there_is() -> None:
    """What is cut is the end; the first sentence says what failed."""
    body = failed(EVENT, PHYSICAL_ID, Refused("It failed.", "Do " + "this and " * 2000))
    assert LIMIT - 30 <= len(body) <= LIMIT
    assert json.loads(body)["Reason"].startswith("It failed. Do this and this")


def test_success_tells_what_was_left_out_and_what_stays() -> None:
    outcome = Outcome(
        placements=(Placement(alb_arn("web"), Location("logs", "")),),
        refused=((alb_arn("api"), "Its bucket is gone."),),
        kept=("bucket old, which holds logs", "topic t"),
        unread=("bucket x could not be read",),
    )
    reason = checked(success(EVENT, PHYSICAL_ID, outcome, PROPERTIES))["Reason"]
    assert isinstance(reason, str)
    for part in (alb_arn("api"), "bucket is gone", "bucket old, which holds logs", "bucket x"):
        assert part in reason


def test_outputs_are_told_once_each_and_in_order() -> None:
    places = [Location("b", ""), Location("a", "x"), Location("b", "y")]
    outcome = Outcome(
        placements=tuple(Placement(alb_arn(f"n{i}"), each) for i, each in enumerate(places)),
        topics=("t1", "t2"),
        subscriptions=("s1", "t2 awaits confirmation"),
    )
    assert checked(success(EVENT, PHYSICAL_ID, outcome, PROPERTIES))["Data"] == {
        "LogBuckets": "a,b",
        "TopicArns": "t1,t2",
        "SubscriptionArns": "s1,t2 awaits confirmation",
        "TemplateVersion": "0.1.0",
        "HandlerSha256": "0" * 64,
    }


def test_deletion_is_told_without_data() -> None:
    answer = checked(success(recorded("create"), PHYSICAL_ID, Outcome(), None))
    assert (answer["Status"], answer["Data"], answer["Reason"]) == ("SUCCESS", {}, "")


@pytest.mark.parametrize(
    ("items", "limit", "text"),
    [
        ([], 10, ""),
        (["abc", "def"], 7, "abc,def"),
        (["abc", "defgh", "i"], 17, "abc,defgh,i"),
        (["a" * 20, "b" * 20, "c" * 20], 40, "a" * 20 + ",… and 2 more"),
        (["a" * 50, "b"], 20, "… and 2 more"),
    ],
)
def test_what_does_not_fit_is_counted(items: list[str], limit: int, text: str) -> None:
    assert cut(items, limit) == text


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


class CloudFormation:
    """Receives answers with the statuses given, the last one for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.received: list[tuple[str, bytes]] = []

    def __call__(self, url: str, body: bytes) -> int:
        self.received.append((url, body))
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@pytest.mark.parametrize("status", [200, 201, 204])
def test_answer_that_arrives_is_sent_once(status: int) -> None:
    there, clock = CloudFormation(status), Clock()
    assert deliver(URL, b"{}", there, clock.sleep)
    assert there.received == [(URL, b"{}")]
    assert clock.slept == []


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503])
def test_answer_is_sent_again_after_what_may_pass(status: int) -> None:
    there, clock = CloudFormation(status, status, 200), Clock()
    assert deliver(URL, b"{}", there, clock.sleep)
    assert len(there.received) == 3
    assert len(clock.slept) == 2 and min(clock.slept) > 0


@pytest.mark.parametrize("status", [400, 403, 404, 412])
def test_answer_that_is_refused_is_not_sent_again(status: int) -> None:
    """An expired or foreign URL stays so."""
    there, clock = CloudFormation(status), Clock()
    assert not deliver(URL, b"{}", there, clock.sleep)
    assert len(there.received) == 1 and clock.slept == []


def test_sending_comes_to_an_end(capsys: pytest.CaptureFixture[str]) -> None:
    there, clock = CloudFormation(503), Clock()
    assert not deliver(URL, b"{}", there, clock.sleep)
    assert 3 <= len(there.received) <= 10
    assert sum(clock.slept) <= 120
    assert capsys.readouterr() == ("", "")


class Server:
    """Answers each connection on the loopback with fixed bytes."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/a"
        self.thread = Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.socket.accept()
        with connection:
            self.requests.append(connection.recv(65536))
            connection.sendall(self.answer)

    def close(self) -> None:
        self.thread.join(5)
        self.socket.close()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve the bytes that the test is parametrised with."""
    server = Server(request.param)
    yield server
    server.close()


@pytest.mark.parametrize(
    ("server", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", 403),
        (b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n", 503),
        (b"HTTP/1.1 307 There\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n", 307),
        (b"", 0),
        (b"no HTTP at all\r\n\r\n", 0),
    ],
    indirect=["server"],
)
def test_status_is_the_servers_and_nothing_is_raised(server: Server, status: int) -> None:
    assert main._send(server.url, b"{}") == status
    server.thread.join(5)
    head, _, _ = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /a HTTP/1.1\r\n")
    # S3 checks the signature with the content type; CloudFormation signs none.
    assert b"content-type: \r\n" in head.lower() + b"\r\n"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a", "https://a\x7f/a", "https:///a", "https://127.0.0.1:x/ü"]
)
def test_url_that_leads_nowhere_is_no_answer(url: str) -> None:
    assert main._send(url, b"{}") == 0
