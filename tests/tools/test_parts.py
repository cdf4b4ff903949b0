"""The parts of the check on AWS that do not need an account."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_check.cli import main
from aws_check.guard import changed
from aws_check.ledger import Ledger
from aws_check.plan import Names, Thing
from aws_check.transcript import Scrubber, Transcript
from dt_logs_cfn.errors import OperatingError

NAMES = Names("0a1b2c")
HERE = ("--account", "123456789012", "--aws-region", "eu-central-1")
BUCKET, QUEUE = Thing("bucket", "dt-logs-check-0a1b2c-x"), Thing("queue", "dt-logs-check-0a1b2c")


def test_the_plan_says_what_is_made_and_what_it_costs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # so that any call fails
    monkeypatch.chdir(tmp_path)
    assert main([*HERE, "--plan", "--from", "203.0.113.7/32"]) == 0
    first, *rows, tagged, more, others, source, cost = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        "Run [0-9a-f]{6} in account 123456789012, eu-central-1, creates and later removes:", first
    )
    assert [row[2:20].strip() for row in rows] == [
        *("service role stack", "security group", "load balancer", "queue", "bucket", "topic"),
        *("bucket", "stack", "bucket", "stack"),
    ]
    assert source == "Only 203.0.113.7/32 can reach the load balancer."
    assert cost == (
        "This takes about 30 minutes and costs about $0.09. Resources that stay cost about"
        " $0.78 a day; --sweep removes those of a killed run."
    )
    assert (tagged[:13], more[:10], others[:8]) == ("Each has the ", "The stacks", "No other")
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words, text in (
        (("--account", "1234"), "'1234' is not an AWS account ID. Give 12 digits."),
        (("--from", "here"), "'here' is not an IPv4 CIDR. Give one like 192.0.2.7/32."),
        (("--from", "0.0.0.0/0"), "'0.0.0.0/0' admits more than 256 addresses."),
    ):
        assert main([*HERE, "--plan", *words]) == 2
        (told,) = capsys.readouterr().err.splitlines()
        assert told.startswith(f"aws-check: {text}")


def test_a_ledger_tells_what_is_left_even_after_half_a_line_but_not_if_it_is_damaged(
    tmp_path: Path,
) -> None:
    ledger = Ledger.begin(tmp_path, NAMES, "123456789012", "eu-central-1")
    ledger.making(BUCKET)
    ledger.making(QUEUE)
    ledger.removed(BUCKET)
    with ledger.path.open("a") as file:
        file.write('["making", "buck')
    (again,) = Ledger.all(tmp_path)
    assert (again, again.left()) == (ledger, [QUEUE])
    again.removed(QUEUE)
    assert ledger.left() == []
    run, *lines = ledger.path.read_text().splitlines()
    assert lines == [
        '["making", "bucket", "dt-logs-check-0a1b2c-x"]',
        '["making", "queue", "dt-logs-check-0a1b2c"]',
        '["removed", "bucket", "dt-logs-check-0a1b2c-x"]',
        '["removed", "queue", "dt-logs-check-0a1b2c"]',
    ]
    for text in ("", "{}\n", '["run"]\n', '["*", "1", "r"]\n', f'{run}\n["x", "y", "z"]\n'):
        ledger.path.write_text(text)
        with pytest.raises(OperatingError, match="is not the ledger of a run"):
            Ledger.all(tmp_path)


def test_a_call_names_what_it_would_change() -> None:
    web = {"LoadBalancerArn": "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/n/1"}
    for service, operation, params, thing in (
        ("s3", "PutBucketPolicy", {"Bucket": "b"}, ("bucket", "b")),
        ("s3", "DeleteObject", {"Bucket": "b", "Key": "k"}, ("bucket", "b")),
        ("s3", "GetObject", {"Bucket": "b", "Key": "k"}, None),
        ("elbv2", "CreateLoadBalancer", {"Name": "n"}, ("load balancer", "n")),
        ("elbv2", "ModifyLoadBalancerAttributes", web, ("load balancer", "n")),
        ("elbv2", "DeleteListener", {"ListenerArn": "x"}, ("load balancer", "")),
        ("elbv2", "DescribeLoadBalancers", {}, None),
    ):
        assert changed(service, operation, params) == (thing and Thing(*thing))


def test_a_secret_is_replaced_wherever_it_stands(tmp_path: Path) -> None:
    transcript = Transcript(tmp_path / "t", Scrubber({"0a1b2c": "<run>"}))
    for text in (
        "arn:aws:sts::123456789012:assumed-role/Admin/jane@example.com is",
        "https://x/?X-Amz-Signature=abc%2F&X-Amz-Security-Token=def",
        *("key ASIAIOSFODNN7EXAMPLE", "from 198.51.100.4"),
        "123e4567-e89b-42d3-a456-426614174000",
    ):
        transcript.write({"a": [{"b": text}], text: 1, "NextToken": "opaque", "run": "0a1b2c"})
    written = (tmp_path / "t").read_text()
    for secret in ("jane", "abc", "def", "ASIA", "198.51", "123", "opaque", "0a1b2c"):
        assert secret not in written
    for kept in ("is", "https://x/", "key", "from"):
        assert written.count(kept) >= 2
    assert written.count("\n") == 5


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text()), max_size=4))
def test_whatever_is_written_is_json_without_account_ids(value: dict[str, object]) -> None:
    text = json.dumps(Scrubber().data({"x": "at 123456789012.", **value}))
    assert not re.search(r"(?<!\d)123456789012(?!\d)", text)
    assert json.loads(text)
