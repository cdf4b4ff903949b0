"""The vendor's stand-in: what it takes for a log file."""

from __future__ import annotations

import gzip

import pytest

from dt_logs_rehearsal.account.elbv2.delivery import Visit, log_file
from dt_logs_rehearsal.vendor import lines

WEB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"


def test_it_reads_the_lines_of_a_log_file() -> None:
    body = log_file(WEB, [Visit("192.0.2.7", "/a"), Visit("192.0.2.8", "/b", 500)], 0.0)
    assert [line.split()[2] for line in lines(body)] == ["app/web/0123456789abcdef"] * 2


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"plain", "not gzip"),
        (gzip.compress(b"x" * 2_000_000, mtime=0), "too large"),
        (gzip.compress(b"a line of a few words\n", mtime=0), "fewer fields"),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], "not gzip"),
    ],
)
def test_it_takes_nothing_else(body: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        list(lines(body))
