"""Lines fit a terminal's width and may be coloured; elsewhere, they are unwrapped and plain."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY

from dt_logs_cfn.cli.main import main
from dt_logs_cfn.cli.terminal import (
    EVERY,
    Here,
    Operator,
    at_terminal,
    columns,
    meaning,
    result,
    show,
    shown_line,
    shown_text,
    shown_value,
    watch,
    wrapped,
)

_END = "(end)"
ARN = f"arn:aws:s3:::{'logs-of-a-customer/' * 12}*"


class Terminal:
    """A terminal of a given width, and the lines that it has shown."""

    def __init__(self, width: int) -> None:
        self._screen, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self.stream = os.fdopen(end, "w")

    def shown(self) -> list[str]:
        print(_END, file=self.stream, flush=True)
        found = b""
        while not found.endswith(f"{_END}\r\n".encode()):  # the output may arrive in parts
            found += os.read(self._screen, 65536)
        return found.decode().removesuffix(f"{_END}\r\n").splitlines()

    def close(self) -> None:
        self.stream.close()
        os.close(self._screen)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    found = Terminal(60)
    yield found
    found.close()


RUN = "dt-logs-cfn deploy --stack dt-logs-analysis --parameter RunToken=1"
LOOK = "dt-logs-cfn plan --stack dt-logs-analysis"
JSON = '{"Sid":"Logs of a \\"customer\\"","Action":["s3:GetObject","s3:PutObject"]}'


CHECK = "  ok       drift                    everything is as the stack has set it up"
TWO_COMMANDS = f"{' ' * 36}fix: See `{LOOK}`. Run it again: `{RUN}`. Then wait."
REQUESTS = f"{' ' * 36}fix: {'Send a request. ' * 3}"


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        # A long line hangs below its beginning.
        (f"  + {'Bucket ' * 7}", 40, [f"  +{' Bucket' * 5}", "      Bucket Bucket"]),
        # A row of columns continues in the last column, if that leaves half of the width.
        (CHECK, 72, [CHECK[:-6], f"{' ' * 36}it up"]),
        (CHECK, 71, ["  ok       drift", f"      {CHECK[36:]}"]),
        # What begins in the right half is moved to the left.
        (REQUESTS, 60, [f"      fix:{' Send a request.' * 3}"]),
        (
            TWO_COMMANDS,
            80,
            [
                "                                    fix: See",
                f"      `{LOOK}`.",
                "                                        Run it again:",
                f"      `{RUN}`.",
                "                                        Then wait.",
            ],
        ),
        # A piece that does not fit has its own line, but a sign or a title stays beside it.
        (f"    - Function  {'f' * 53}", 60, ["    - Function", f"      {'f' * 53}"]),
        (f'  +     "{ARN}"]}}', 60, [f'  +     "{ARN}"]}}']),
        (f"  through   {ARN}", 60, [f"  through   {ARN}"]),
        (f"    Bucket: {ARN} -> {ARN}", 60, ["    Bucket:", f"      {ARN}", f"      -> {ARN}"]),
        # A line has at most one command.
        (f"Run `{LOOK}`, or `{RUN}`.", 200, [f"Run `{LOOK}`, or", f"    `{RUN}`."]),
        ("Use `plan` or `deploy`.", 80, ["Use `plan` or `deploy`."]),
        # A value in quotes is one piece; an apostrophe is not a quote.
        (
            "The 'a b' of us isn't ('c d').",
            10,
            ["The 'a b'", "    of us", "    isn't", "    ('c d')."],
        ),
    ],
)
def test_a_line_is_wrapped_to_the_width(line: str, width: int, shown: list[str]) -> None:
    assert wrapped(line, width) == shown
    for narrow in (1, 5, 10):  # no text is lost
        assert "".join("".join(wrapped(line, narrow)).split()) == "".join(line.split())


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("indent", [0, 4, 36])
@pytest.mark.parametrize("piece", [f"`{RUN}`.", f"({JSON})", f"{ARN}."])
def test_commands_json_and_arns_can_be_copied(piece: str, indent: int, width: int) -> None:
    text = f"To correct that, and the rest of it: {piece} Then look {'again ' * 30}and wait."

    found = wrapped(f"{' ' * indent}{text}", width)

    assert " ".join(each.strip() for each in found) == text
    (line,) = (each for each in found if piece in each)
    assert len(line) <= width or line.strip() == piece
    assert all(len(each) <= width for each in found if each is not line)


def test_a_result_fits_a_terminal_in_colours_and_is_whole_and_plain_elsewhere(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    added = f"  + policy {'ListBucket ' * 20}".rstrip()
    states = "as expected, DENIED, UPDATE_ROLLBACK_COMPLETE"
    lines = ["head\n  ok  \x1b[2J", states, "  - gone", added]
    result(False, {}, lines)
    assert capsys.readouterr().out == "\n".join((*lines, ""))
    show(lines[1:], file := io.StringIO())
    assert (file.getvalue().splitlines(), columns(file)) == (lines[1:], None)

    monkeypatch.setattr("sys.stdout", terminal.stream)
    result(False, {}, lines)

    head, check, good, gone, *parts = terminal.shown()
    assert (head, check) == ("head", "\x1b[32m  ok\x1b[0m   [2J")
    assert good == (
        "\x1b[32mas expected\x1b[0m, \x1b[31mDENIED\x1b[0m, \x1b[33mUPDATE_ROLLBACK_COMPLETE\x1b[0m"
    )
    assert gone == "\x1b[31m  - gone\x1b[0m"
    assert len(parts) > 3  # every line of a change is coloured
    assert all(each.startswith("\x1b[32m  ") and each.endswith("\x1b[0m") for each in parts)
    assert max(map(len, parts)) <= 60 + len("\x1b[32m\x1b[0m")
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as shell:
            shell.setenv(name, value)
            show(["as expected"], terminal.stream)
        assert terminal.shown() == ["as expected"]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (
            ["status", "--stack", "1"],
            [
                "dt-logs-cfn: '1' is not a stack name. Use up to 128 letters,",
                "    digits and hyphens; the first is a letter.",
            ],
        ),
        (
            ["policy", "--role-name", "a role of ours"],  # found by argparse
            [
                "dt-logs-cfn policy: error: argument --role-name:",
                "    'a role of ours' is not valid. Give a name that IAM",
                "    accepts.",
            ],
        ),
    ],
)
def test_an_error_fits_a_terminal_and_no_value_is_cut_apart(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, argv: list[str], told: list[str]
) -> None:
    monkeypatch.setattr("sys.stderr", terminal.stream)

    with suppress(SystemExit):
        main(argv)

    assert terminal.shown()[-len(told) :] == told


def test_what_is_told_stands_above_what_is_waited_for(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", terminal.stream)
    operator = at_terminal(Here())
    assert operator.wait is not None
    operator.wait("x" * 100)
    operator.tell(f"00:03  CREATE_FAILED       Invoke: {'why ' * 20}")
    operator.wait("")
    monkeypatch.setenv("TERM", "dumb")
    assert at_terminal(Here()).wait is None

    head, *event = terminal.shown()

    assert head == ""
    assert event[0] == f"\x1b[K{'x' * 58}…"
    assert event[1].startswith("\x1b[K00:03  \x1b[31mCREATE_FAILED\x1b[0m       Invoke: why")
    assert event[2].startswith(f"{' ' * 27}why") and max(map(len, event[2:])) <= 60
    assert event[-1] == "\x1b[K"


def test_what_words_mean() -> None:
    for meant, texts in {
        "good": ("as expected", "CREATE_COMPLETE", "  ok       topic"),
        "bad": ("NOT AS EXPECTED", "UPDATE_ROLLBACK_FAILED", "  finding  topic"),
        "warm": ("ROLLBACK_COMPLETE", "~ tags", "  waiting  topic", "  unknown  topic"),
        "": ("CREATE_IN_PROGRESS", "it is ok", "not allowed"),
    }.items():
        assert [meaning(each) for each in texts] == [meant] * len(texts)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://u:p@a.example.com:8443/x?t=1", "https://a.example.com/…"),
        ("https://a.example.com", "https://a.example.com/…"),
        ("https://[::1]:8443/token", "https://[::1]/…"),
        ("https://[token", "https:///…"),
        ("amqp://a.example.com/token", "amqp://a.example.com/…"),
        ("team=a,hook=https://a.example.com/token,b=c", "team=a,hook=https://a.example.com/…"),
        ("arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sqs:us-east-1:123456789012:q"),
        ("", ""),
    ],
)
def test_an_address_is_shown_by_scheme_and_host(value: str, shown: str) -> None:
    assert shown_value(value) == shown


@STEADY
@given(st.text(), st.sampled_from("/?#\\ \n"))
def test_nothing_behind_a_host_is_shown(text: str, sign: str) -> None:
    assert shown_value(f"https://a.example.com{sign}{text}") == "https://a.example.com/…"


def test_somebody_elses_text_is_shown_without_what_may_be_a_token() -> None:
    text = "Endpoint (https://a.example.com/x?t=1) refuses, and https://b.example.com/y\ntoo"
    shown = "Endpoint (https://a.example.com/… refuses, and https://b.example.com/…\ntoo"
    assert shown_text(text) == shown
    text = "logs go to s3://bucket/a:b/c, now"  # an S3 location is shown in full
    assert shown_text(text) == text
    assert shown_text("s3://b/https://h.example.com/x") == "s3://b/…"
    assert shown_line("a\n  b https://h/SEC\x07RET c") == "a b https://h/… c"
    assert shown_line("x" * 1500) == "x" * 1500
    assert shown_line("x" * 1501) == "x" * 1499 + "…"


def test_whoever_interrupts_a_question_is_told_and_only_our_own_words_get_the_profile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(question: str) -> str:
        raise KeyboardInterrupt

    operator = replace(at_terminal(Here("mine")), ask=interrupted)
    operator.tell("CREATE_FAILED  run `aws s3 ls`")  # a message that somebody else wrote
    operator.advise("So does `aws s3 ls`")
    with pytest.raises(KeyboardInterrupt):
        operator.confirm("Go?", yes=False)
    with pytest.raises(KeyboardInterrupt):
        operator.confirm("Go?", yes=False, unless="they stay")
    assert capsys.readouterr().err.splitlines() == [
        "CREATE_FAILED  run `aws s3 ls`",
        "So does `aws s3 ls --profile mine`",
        "It was not confirmed, so nothing was changed.",
        "It was not confirmed, so they stay.",
    ]


def test_a_long_look_tells_now_and_then_how_far_it_is() -> None:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    clients = [boto3.client("sns", **keys), boto3.client("s3", **keys)]
    now, lines = 100.0, list[str]()
    watch(clients, Operator(clock=lambda: now, tell=lines.append))
    for seconds in (1.0, 1.0, EVERY, 1.0, EVERY):
        now += seconds
        for client, operation in zip(clients, ("list_topics", "list_buckets"), strict=True):
            with Stubber(client) as stub:
                stub.add_response(operation, {})
                getattr(client, operation)()
    assert lines == [f"{number} answers from AWS so far" for number in (5, 9)]
