"""docs/operations.md lists every reason that the handler can give for a failure.

cog checks the list itself (`tox -e checks`).
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
from support.generators import generator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def failures() -> ModuleType:
    return generator("failures")


def test_every_place_that_makes_an_error_is_read(failures: ModuleType) -> None:
    """Count the places again in the source: every call of an error class outside errors.py."""
    names = "HandlerError|InvalidRequest|Refused|CallFailed|OutOfTime|Overtaken"
    made = {
        path.stem: len(re.findall(rf"(?:raise|return|=) (?:{names})\(", path.read_text("utf-8")))
        for path in (ROOT / "handler" / "dt_logs_handler").glob("*.py")
        if path.stem != "errors"
    }

    found = {each.module for each in failures.failures()}

    assert {name for name, count in made.items() if count} <= found
    assert sum(made.values()) <= len(failures.failures())


def test_every_property_that_may_be_refused_is_read(failures: ModuleType) -> None:
    refused = {each.what for each in failures.failures() if each.module == "request"}

    lists = ("LoadBalancerArns", "ResourceTags")
    for name in (*lists, "DataTheoremAccountId", "NotificationEndpoint", "LogBucketName"):
        assert f"{name} <value> is not valid." in refused


def test_both_sentences_are_sentences(failures: ModuleType) -> None:
    for each in failures.failures():
        assert each.what.endswith((".", ">")), each
        assert each.fix.endswith((".", ">", ")")), each
    days = "LogRetentionDays &lt;value&gt; is not valid. | Give a number from 1 to 36500."
    assert days in failures.table()
