"""Output for people: values whose possible tokens are hidden, questions, and progress."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY

from dt_logs_cfn.cli.terminal import (
    EVERY,
    Here,
    Operator,
    at_terminal,
    shown_line,
    shown_text,
    shown_value,
    watch,
)
from dt_logs_cfn.operate.stacks.deployment import template_changes


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://u:p@a.example.com:8443/x?t=1", "https://a.example.com/…"),
        ("https://a.example.com", "https://a.example.com/…"),
        ("https://a.example.com?t=1", "https://a.example.com/…"),
        ("https://a.example.com\\token", "https://a.example.com/…"),
        ("https://[::1]:8443/token", "https://[::1]/…"),
        ("https://[token", "https:///…"),
        ("amqp://a.example.com/token", "amqp://a.example.com/…"),
        (
            "team=logs,hook=https://a.example.com/token,b=c",
            "team=logs,hook=https://a.example.com/…",
        ),
        ("arn:aws:sqs:us-east-1:123456789012:q", "arn:aws:sqs:us-east-1:123456789012:q"),
        ("7", "7"),
        ("", ""),
    ],
)
def test_an_address_is_shown_by_scheme_and_host(value: str, shown: str) -> None:
    assert shown_value(value) == shown


@STEADY
@given(st.text(), st.sampled_from("/?#\\ \n"))
def test_nothing_behind_a_host_is_shown(text: str, sign: str) -> None:
    assert shown_value(f"https://a.example.com{sign}{text}") == "https://a.example.com/…"


def test_each_address_in_a_text_is_shown_by_scheme_and_host() -> None:
    text = "Endpoint (https://a.example.com/x?t=1) refuses, and https://b.example.com/y\ntoo"
    assert shown_text(text) == (
        "Endpoint (https://a.example.com/… refuses, and https://b.example.com/…\ntoo"
    )
    text = "logs go to s3://bucket/a:b/c, now"  # an S3 location is shown in full
    assert shown_text(text) == text
    assert shown_text("s3://b/https://h.example.com/x") == "s3://b/…"


def test_somebody_elses_text_is_one_line_of_no_more_than_is_read() -> None:
    assert shown_line("a\n  b https://h/SEC\x07RET c") == "a b https://h/… c"
    assert shown_line("x" * 1500) == "x" * 1500
    assert shown_line("x" * 1501) == "x" * 1499 + "…"


def test_an_endpoint_in_a_template_is_shown_by_scheme_and_host() -> None:
    def template(default: str) -> dict[str, Any]:
        endpoint = {"Type": "String", "Default": default}
        return {"Parameters": {"NotificationEndpoint": endpoint}, "Resources": {}}

    told = template_changes(template("https://h.example.com/ONE"), template("https://h/TWO"))
    assert told == [
        'parameter NotificationEndpoint: Default was "https://h.example.com/… is now "https://h/…'
    ]


def interrupted(question: str) -> str:
    raise KeyboardInterrupt


def test_whoever_interrupts_a_question_is_told_how_things_are() -> None:
    lines = list[str]()
    operator = Operator(tell=lines.append, ask=interrupted)
    for unless in ("nothing was changed", "they stay"):
        with pytest.raises(KeyboardInterrupt):
            operator.confirm("Go ahead?", yes=False, unless=unless)
    assert lines == [
        "It was not confirmed, so nothing was changed.",
        "It was not confirmed, so they stay.",
    ]


def test_only_our_own_words_get_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    operator = at_terminal(Here("mine"))
    operator.tell("CREATE_FAILED  run `aws s3 ls`")  # a message that somebody else wrote
    operator.advise("So does `aws s3 ls`")
    assert capsys.readouterr().err.splitlines() == [
        "CREATE_FAILED  run `aws s3 ls`",
        "So does `aws s3 ls --profile mine`",
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
