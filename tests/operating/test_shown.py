"""Values are shown so that one recognises them, but without what may be a token."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import STEADY

from dt_logs_cfn.cli.terminal import changes, shown_line, shown_text, shown_value
from dt_logs_cfn.operate.stacks.review import template_changes


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


def test_a_place_in_s3_hides_nothing() -> None:
    assert shown_text("logs go to s3://bucket/a:b/c, now") == "logs go to s3://bucket/a:b/c, now"
    assert shown_text("s3://b/https://h.example.com/x") == "s3://b/…"


def test_somebody_elses_text_is_one_line_of_no_more_than_is_read() -> None:
    assert shown_line("a\n  b https://h/SEC\x07RET c") == "a b https://h/… c"
    assert shown_line("x" * 1500) == "x" * 1500
    assert shown_line("x" * 1501) == "x" * 1499 + "…"


def test_values_are_told_from_old_to_new() -> None:
    old = {"Same": "1", "Other": "1", "Emptied": "x", "Gone": "1", "Url": "https://h/ONE"}
    new = {"Same": "1", "Other": "2", "Emptied": "", "Url": "https://h/TWO", "New": "", "More": "z"}
    assert list(changes(old, new)) == [
        "Other: 1 -> 2",
        "Emptied: x -> empty",
        "Url: https://h/… -> https://h/… (the hidden part changes)",
        "New = empty (new)",
        "More = z (new)",
        "Gone goes",
    ]


def test_an_endpoint_in_a_template_is_shown_by_scheme_and_host() -> None:
    def template(default: str) -> dict[str, Any]:
        endpoint = {"Type": "String", "Default": default}
        return {"Parameters": {"NotificationEndpoint": endpoint}, "Resources": {}}

    told = template_changes(template("https://h.example.com/ONE"), template("https://h/TWO"))
    assert told == [
        'parameter NotificationEndpoint: Default was "https://h.example.com/… is now "https://h/…'
    ]
