"""The parts of `replay`: its window, a bucket's retention, an event's size, and sending."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from support.commands import Runner

from dt_logs_cfn.commands import replay
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.replay.replaying import AT_ONCE, ENTRIES, sent
from dt_logs_cfn.operate.replay.sources import LogObject, Source, event
from dt_logs_cfn.operate.replay.window import Window, check_kept, window
from dt_logs_handler.names import Location, Stack

NOW = datetime(2026, 11, 28, 12, 30, 15, tzinfo=timezone.utc)
NOWADAYS = "--until 2026-11-28T12:30:15Z"
STACK = Stack(
    "arn:aws:cloudformation:us-east-1:123456789012:stack/a/b", "aws", "us-east-1", "1" * 12
)
LOGS = "p/AWSLogs/1/elasticloadbalancing/us-east-1/"


def of(since: str, until: str | None = None) -> str:
    return str(window(since, until, NOW.timestamp() + 0.9))


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-11-28T10:00Z", None, f"--since 2026-11-28T10:00:00Z {NOWADAYS}"),
        (
            "2026-11-28T10:00:07.500+01:00",
            "2026-11-28t10:00:00z",
            "--since 2026-11-28T09:00:07Z --until 2026-11-28T10:00:00Z",
        ),
        ("2026-11-28T10:00Z", "2027-01-01T00:00Z", f"--since 2026-11-28T10:00:00Z {NOWADAYS}"),
        ("0002-01-01T00:00Z", None, f"--since 2016-08-11T00:00:00Z {NOWADAYS}"),
    ],
)
def test_a_window_is_in_utc_and_ends_now_at_the_latest(
    since: str, until: str | None, expected: str
) -> None:
    assert of(since, until) == expected


@pytest.mark.parametrize(
    ("since", "until", "code", "text"),
    [
        ("2026-11-28T13:00Z", None, 3, "--since 2026-11-28T13:00Z is in the future."),
        ("2026-11-28T12:30:15Z", None, 3, "It is 2026-11-28T12:30:15Z now."),
        ("2026-11-28T10:00", None, 3, "--since 2026-11-28T10:00 has no time zone."),
        ("2026-11-28", None, 3, "has no time zone. Give a time such as 2026-11-28T10:00Z."),
        ("2026-11-28T10:00Z", "2026-11-28T11:00", 3, "--until 2026-11-28T11:00 has no"),
        ("yesterday", None, 2, "--since 'yesterday' is not a time."),
        ("", None, 2, "--since '' is not a time."),
        ("2026-02-30T00:00Z", None, 2, "is not a time."),
        ("0001-01-01T00:00+14:00", None, 2, "is not a time."),
        ("2026-11-28T10:00Z", "2026-11-28T10:00Z", 2, "is not after --since"),
    ],
)
def test_a_wrong_window_is_one_line_before_any_call(
    capsys: pytest.CaptureFixture[str], since: str, until: str | None, code: int, text: str
) -> None:
    edge = partial(replay.run, clock=lambda: NOW.timestamp() + 0.9)
    run = Runner(replay.configure, edge, capsys)
    ran = run("--since", since, *(["--until", until] if until else []))
    assert (ran.code, ran.out) == (code, "")
    assert text in ran.failure


def test_the_days_of_a_window_begin_with_that_of_the_hour_before() -> None:
    def days(*times: str) -> list[str]:
        return [str(each) for each in window(*times, NOW.timestamp()).days()]

    assert days("2026-11-27T01:00Z", "2026-11-27T23:59Z") == ["2026-11-27"]
    whole = ["2026-11-26", "2026-11-27", "2026-11-28"]
    assert days("2026-11-27T00:59Z", "2026-11-28T00:00Z") == whole


def rule(**changed: Any) -> dict[str, Any]:
    return {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 7}, **changed}


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        (rule(), False),
        (rule(Filter={"Prefix": "p/AWSLogs/"}), False),
        (rule(Filter={}), False),
        ({"Status": "Enabled", "Prefix": "p/", "Expiration": {"Days": 7}}, False),
        (rule(Expiration={"Days": 8}), True),
        (rule(Expiration={"Date": NOW}), True),
        (rule(Status="Disabled"), True),
        (rule(Filter={"Prefix": "other/"}), True),
        (rule(Filter={"Prefix": LOGS + "2026/"}), True),
        ({"Status": "Enabled", "Prefix": "other/", "Expiration": {"Days": 7}}, True),
        (rule(Filter={"Tag": {"Key": "a", "Value": "b"}}), True),
        (rule(Filter={"And": {"Prefix": "", "ObjectSizeGreaterThan": 1}}), True),
        (rule(Expiration={"ExpiredObjectDeleteMarker": True}), True),
    ],
)
def test_a_lifecycle_rule_that_took_logs_of_the_window(found: dict[str, Any], kept: bool) -> None:
    asked = Window(NOW - timedelta(days=7, hours=1), NOW)
    given: Any = {"Rules": [rule(Status="Disabled"), found]}
    if kept:
        check_kept("b", given, LOGS, asked, NOW.timestamp())
        return
    with pytest.raises(OperatingError) as caught:
        check_kept("b", given, LOGS, asked, NOW.timestamp())
    assert str(caught.value) == (
        "Bucket b keeps logs for 7 days, and --since 2026-11-21T11:30:15Z is longer ago."
        " Give --since 2026-11-21T12:31:15Z or later."
    )
    later = Window(NOW - timedelta(days=7) + timedelta(minutes=1), NOW)
    check_kept("b", given, LOGS, later, NOW.timestamp())


def test_ten_events_of_the_longest_keys_fit_into_a_batch() -> None:
    found = LogObject("é" * 512, "app/web/1", 2**40, "0" * 32, NOW)  # a key of 1,024 bytes
    source = Source(Location("b" * 255, "p" * 512), "arn:aws:sns:us-east-1:1:t")
    assert ENTRIES * len(event(found, source, STACK).encode()) < 262_144 / 5


def test_batches_come_back_in_order_whichever_is_done_first() -> None:
    lock, busy, most = threading.Lock(), 0, 0

    def send(batch: Sequence[int]) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02 if batch[0] % 20 else 0.001)
        with lock:
            busy -= 1

    batches = list(sent(range(305), send))

    assert [each for batch in batches for each in batch] == list(range(305))
    assert {len(each) for each in batches} == {10, 5}
    assert most == AT_ONCE


def test_a_million_items_are_not_all_in_memory() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(1, 1_000_001):
            taken = number
            yield number

    batches = sent(items(), lambda batch: None)
    ahead = 0
    for number, _ in zip(range(500), batches, strict=False):
        ahead = max(ahead, taken - ENTRIES * number)
    batches.close()
    assert ENTRIES <= ahead <= 50 * ENTRIES


def test_after_a_failure_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def send(batch: Sequence[int]) -> None:
        begun.append(batch[0])
        if batch[0] == 30:
            raise ValueError("no")
        time.sleep(0.01)

    found: list[Sequence[int]] = []
    with pytest.raises(ValueError):
        found.extend(sent(range(10_000), send))
    assert len(begun) < 40
