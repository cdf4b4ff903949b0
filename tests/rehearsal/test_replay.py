"""An outage of the vendor's endpoint, and its replay, against an emulated account over HTTP."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.emulated import STACK, Emulated, emulated

from dt_logs_rehearsal.account.elbv2 import Visit, log_file
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.vendor import ENDPOINT

HOUR = 3600.0
# Runs a command with a clock that is ahead of this machine's, like the account's.
AHEAD = """
import sys, time
clock, ahead = time.time, float(sys.argv.pop(1))
time.time = lambda: clock() + ahead
from dt_logs_cfn.__main__ import run
run()
"""


@dataclass(frozen=True)
class Jumping(Pace):
    """The account's pace, with jumps by which hours pass at once."""

    jumps: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return super().__call__() + sum(self.jumps)

    def jump(self, seconds: float) -> None:
        self.jumps.append(seconds)


@dataclass
class Outage:
    """A stack whose load balancers log, and the vendor that reads their logs."""

    account: Emulated
    pace: Jumping
    visits: int = 0

    def log(self, count: int, every: float = 300.0) -> None:
        """Let both load balancers write logs in turn, each log with a new visit."""
        for _ in range(count):
            self.visits += 1
            arn = self.account.load_balancers[self.visits % 2]
            body = log_file(arn, [Visit("192.0.2.7", f"/visit-{self.visits}")], self.pace())
            assert self.account.sandbox.account.write_log(arn, body)
            self.pace.jump(every)

    def read(self) -> Counter[str]:
        """Let the vendor receive its notifications; count the visits in the logs that it read."""
        vendor = self.account.sandbox.vendor
        vendor.receive()
        return Counter(re.findall(r"/visit-\d+", "\n".join(vendor.received)))

    def visited(self, first: int, last: int) -> Counter[str]:
        return Counter(f"/visit-{number}" for number in range(first, last + 1))

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in its own process, at the account's time."""
        # Add an hour, because the account's time runs faster.
        ahead = str(sum(self.pace.jumps) + HOUR)
        return subprocess.run(
            [sys.executable, "-c", AHEAD, ahead, *argv],
            env=self.account.environment,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def outage(tmp_path: Path, release: Path) -> Iterator[Outage]:
    pace = Jumping()
    with emulated(tmp_path, release, pace=pace) as account:
        arns = ",".join(account.load_balancers)
        account.create_stack(NotificationEndpoint=ENDPOINT, LoadBalancerArns=arns)
        account.sandbox.vendor.receive()
        pace.jump(HOUR)
        yield Outage(account, pace)


def test_an_outage_of_two_hours_is_found_replayed_and_received_once(outage: Outage) -> None:
    unreachable = outage.account.sandbox.account.world.unreachable
    outage.log(4)
    outage.pace.jump(HOUR / 4)
    unreachable.add(ENDPOINT)
    outage.log(24)
    unreachable.clear()
    outage.pace.jump(HOUR / 4)
    outage.log(4)
    assert outage.read() == outage.visited(1, 4) + outage.visited(29, 32)

    looked = json.loads(outage.run("status", "--stack", STACK, "--json").stdout)
    found = [each for each in looked["checks"] if each["name"] == "announcements"]
    assert len(found) == 2  # one for each load balancer
    assert {re.sub(r"^\d+ delivered", "… delivered", each["saw"]) for each in found} == {
        "… delivered in the last day, 24 failed"
    }
    offered = re.search("`dt-logs-cfn (replay [^`]+)`", found[0]["fix"])
    assert offered
    ran = outage.run(*shlex.split(offered[1]), "--yes", "--json")

    assert (ran.returncode, json.loads(ran.stdout)["announced"]) == (0, 24), ran.stderr
    assert outage.read() == outage.visited(1, 32)
