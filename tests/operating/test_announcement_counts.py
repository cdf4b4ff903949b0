"""What `status` says about announcements that SNS delivered, or could not, in the last day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from operating.account import ACCOUNT, ENDPOINT, REGION
from operating.looking import Looking

from dt_logs_cfn.operate.replay.window import Window, window
from dt_logs_cfn.operate.status.metrics import Announced, announcement_counts
from dt_logs_rehearsal.account import Account

QUEUE = f"arn:aws:sqs:{REGION}:999988887777:logs"
DAY = 24 * 3600
# The window for failures from 12:00 to 12:05. S3 may have stored the logs a little earlier.
GAP = Window(*(datetime(2026, 11, 28, *each, tzinfo=timezone.utc) for each in ((11, 55), (12, 5))))


@pytest.fixture
def looking(account: Account) -> Looking:
    return Looking(account)


def onboarded(looking: Looking, endpoint: str = ENDPOINT) -> str:
    arn = looking.account.add_load_balancer("web")
    looking.create(arn, NotificationEndpoint=endpoint)
    looking.account.clock.sleep(2 * DAY)  # the test file's announcement is then too old to count
    return arn


def write(looking: Looking, arn: str, count: int, *, arrives: bool = True) -> None:
    """Write logs, and then let a minute pass."""
    looking.account.world.unreachable = set() if arrives else {ENDPOINT, QUEUE}
    for _ in range(count):
        assert looking.account.write_log(arn)
    looking.account.clock.sleep(60)


def test_what_was_delivered_in_the_last_day_is_counted(looking: Looking) -> None:
    arn = onboarded(looking)
    write(looking, arn, 7)
    looking.account.clock.sleep(DAY)
    write(looking, arn, 2)
    looking.account.clock.sleep(5 * 3600)
    write(looking, arn, 3)

    found = looking.check("announcements", arn)

    assert (found.verdict, found.saw) == ("ok", "5 delivered in the last day, 0 failed")


@pytest.mark.parametrize(("delivered", "verdict"), [(2, "unknown"), (0, "finding")])
def test_attempts_over_https_that_failed(looking: Looking, delivered: int, verdict: str) -> None:
    arn = onboarded(looking)
    write(looking, arn, delivered)
    write(looking, arn, 1, arrives=False)

    found = looking.check("announcements", arn)

    assert found.verdict == verdict
    assert found.saw == f"{delivered} delivered in the last day, 1 failed"
    assert found.fix.startswith("Over https these are attempts, which SNS repeats unless")


def test_what_a_queue_did_not_take_is_lost(looking: Looking) -> None:
    looking.account.add_destination(QUEUE)
    arn = onboarded(looking, QUEUE)
    write(looking, arn, 2)
    write(looking, arn, 1, arrives=False)

    found = looking.check("announcements", arn)

    assert (found.verdict, found.saw) == ("finding", "2 delivered in the last day, 1 failed")
    assert found.fix.startswith("The failed announcements are lost.")


def test_the_window_in_which_announcements_failed_is_offered_for_a_replay(looking: Looking) -> None:
    arn = onboarded(looking)
    write(looking, arn, 2)
    looking.account.clock.sleep(1800)
    begin = looking.account.clock()
    write(looking, arn, 3, arrives=False)
    looking.account.clock.sleep(2 * 3600)
    write(looking, arn, 3, arrives=False)
    end = looking.account.clock()
    looking.account.clock.sleep(1800)
    write(looking, arn, 2)

    fix = looking.check("announcements", arn).fix

    found = re.search("`dt-logs-cfn replay --stack dt-logs --since (\\S+) --until (\\S+)`", fix)
    assert found
    gap = window(found[1], found[2], looking.account.clock())
    first, last = (datetime.fromtimestamp(each, timezone.utc) for each in (begin, end - 60))
    assert first - timedelta(minutes=10) <= gap.since <= first
    assert last < gap.until <= last + timedelta(minutes=5)


def test_no_replay_is_offered_where_nothing_failed_or_no_stack_is_known(looking: Looking) -> None:
    arn = onboarded(looking)
    write(looking, arn, 2)
    assert "replay" not in looking.check("announcements", arn).fix
    write(looking, arn, 2, arrives=False)
    assert "replay" in looking.check("announcements", arn).fix
    looking.cloudformation.denied = ("ListStacks",)
    assert "replay" not in looking.check("announcements", arn).fix


def test_without_the_right_it_is_unknown(looking: Looking) -> None:
    arn = onboarded(looking)
    found = looking.check("announcements", arn, denied=("cloudwatch:GetMetricData",))
    assert (found.verdict, found.saw) == (
        "unknown",
        "not readable: you lack cloudwatch:GetMetricData",
    )


class Metrics:
    """CloudWatch with a message per query, and one more for the first query on a second page."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def get_paginator(self, name: str) -> Metrics:
        assert name == "get_metric_data"
        return self

    def paginate(self, **given: Any) -> list[dict[str, Any]]:
        queries = given["MetricDataQueries"]
        self.sizes.append(len(queries))
        noon = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
        found = {"Values": [1.0], "Timestamps": [noon]}
        results = [{"Id": each["Id"], **found} for each in queries]
        return [{"MetricDataResults": results}, {"MetricDataResults": results[:1]}]


def test_many_topics_are_asked_for_in_calls_that_cloudwatch_takes() -> None:
    topics = [f"arn:aws:sns:{REGION}:{ACCOUNT}:t{number:03}" for number in range(251)]
    client: Any = Metrics()

    found = announcement_counts(client, topics, 1e9)

    assert isinstance(found, dict)
    assert client.sizes == [500, 2]
    assert (len(found), found[topics[0]], found[topics[1]]) == (
        251,
        Announced(2, 1, GAP),
        Announced(1, 1, GAP),
    )
