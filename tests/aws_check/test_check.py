"""The check on AWS, run as whoever has an account runs it, against the emulated account."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aws_check.ledger import read, runs
from aws_check.plan import TAG, Thing, planned
from support.checked_account import Checked, checked

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call

ROOT = Path(__file__).parents[2]
SOURCE = "203.0.113.7/32"


@pytest.fixture
def account(tmp_path: Path, release: Path) -> Iterator[Checked]:
    with checked(tmp_path, release) as found:
        yield found


def command(account: Checked, folder: Path, *words: str) -> list[str]:
    return [
        *(sys.executable, "-m", "aws_check", "--account", "123456789012"),
        *("--aws-region", "us-east-1", "--folder", str(folder), "--from", SOURCE, "--yes"),
        *("--release", str(account.account.release), *words),
    ]


def environment(account: Checked) -> Mapping[str, str]:
    return {**account.environment, "PYTHONPATH": str(ROOT / "tools"), "PYTHONUNBUFFERED": "1"}


def run(account: Checked, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(account, folder, *words),
        env=environment(account),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def resources(account: Checked) -> dict[str, Any]:
    """Return everything that there is in the account, by kind."""
    world, sandbox = account.world, account.account.sandbox
    return {
        "load balancers": sorted(each.name for each in world.load_balancers.values()),
        "buckets": sorted(world.buckets),
        "topics": sorted(world.topics),
        "deployed": sandbox.endpoint.deployed(),
        "stacks": sorted(
            each.name
            for each in sandbox.cloudformation.stacks.values()
            if each.status != "DELETE_COMPLETE"
        ),
        "groups": sorted(e["GroupName"] for e in account.ec2.describe_security_groups()["SecurityGroups"]),
        "queues": account.sqs.list_queues().get("QueueUrls", []),
    }


def transcript(folder: Path) -> list[dict[str, Any]]:
    (found,) = folder.glob("*.transcript.jsonl")
    return [json.loads(line) for line in found.read_text().splitlines()]


def test_a_run_checks_everything_and_leaves_nothing(account: Checked, tmp_path: Path) -> None:
    before, folder = resources(account), tmp_path / "runs"
    done = run(account, folder, "--vendor-profile", "vendor")
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stderr)
