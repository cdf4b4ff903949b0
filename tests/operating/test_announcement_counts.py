"""How `status` reports announcements that SNS delivered, or failed to deliver, in the last day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace as Namespace
from typing import Any

import pytest
from operating.account import ACCOUNT, ENDPOINT, REGION
from operating.looking import Looking

from dt_logs_cfn.operate.replay.window import Window, window
from dt_logs_cfn.operate.status.metrics import Announced, announcement_counts

QUEUE = f"arn:aws:sqs:{REGION}:999988887777:logs"
DAY = 24 * 3600
# Logs that SNS failed to announce from 12:00 to 12:05; S3 may have stored them a little earlier.
GAP = Window(*(datetime(2026, 11, 28, *each, tzinfo=timezone.utc) for each in ((11, 55), (12, 5))))


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

    saw = "5 delivered in the last day, 0 failed"
    assert looking.told("announcements", arn) == ("ok", saw)
    right = "cloudwatch:GetMetricData"
    lack = f"not readable: you lack {right}"
    assert "replay" not in looking.check("announcements", arn).fix
    assert looking.told("announcements", arn, denied=(right,)) == ("unknown", lack)


HTTPS = "Over https these are attempts, which SNS repeats unless"
LOST = "The failed announcements are lost."


@pytest.mark.parametrize(
    ("endpoint", "delivered", "verdict", "fix"),
    [
        (ENDPOINT, 2, "unknown", HTTPS),
        (ENDPOINT, 0, "finding", HTTPS),
        (QUEUE, 2, "finding", LOST),
    ],
)
def test_announcements_that_failed(
    looking: Looking, endpoint: str, delivered: int, verdict: str, fix: str
) -> None:
    looking.account.add_destination(QUEUE)
    arn = onboarded(looking, endpoint)
    write(looking, arn, delivered)
    write(looking, arn, 1, arrives=False)

    found = looking.check("announcements", arn)

    assert found.verdict == verdict
    assert found.saw == f"{delivered} delivered in the last day, 1 failed"
    assert found.fix.startswith(fix)


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
    looking.cloudformation.denied = ("ListStacks",)
    assert "replay" not in looking.check("announcements", arn).fix  # the stack is unknown

    found = re.search("`dt-logs-cfn replay --stack dt-logs --since (\\S+) --until (\\S+)`", fix)
    assert found
    gap = window(found[1], found[2], looking.account.clock())
    first, last = (datetime.fromtimestamp(each, timezone.utc) for each in (begin, end - 60))
    assert first - timedelta(minutes=10) <= gap.since <= first
    assert last < gap.until <= last + timedelta(minutes=5)


def test_many_topics_are_asked_for_in_calls_that_cloudwatch_takes() -> None:
    topics = [f"arn:aws:sns:{REGION}:{ACCOUNT}:t{number:03}" for number in range(251)]
    sizes = []

    def paginate(**given: Any) -> list[dict[str, Any]]:
        """Return a count for each query, and another for the first one on a second page."""
        queries = given["MetricDataQueries"]
        sizes.append(len(queries))
        found = {"Values": [1.0], "Timestamps": [datetime(2026, 11, 28, 12, tzinfo=timezone.utc)]}
        results = [{"Id": each["Id"], **found} for each in queries]
        return [{"MetricDataResults": results}, {"MetricDataResults": results[:1]}]

    client: Any = Namespace(get_paginator=lambda name: Namespace(paginate=paginate))

    found = announcement_counts(client, topics, 1e9)

    assert isinstance(found, dict)
    assert sizes == [500, 2]
    first, second = Announced(2, 1, GAP), Announced(1, 1, GAP)
    assert (len(found), found[topics[0]], found[topics[1]]) == (251, first, second)
