"""Measure runs with 1, 10, 100 and 1,000 load balancers, the cold start, and planning.

    python benchmarks/fleet.py [--quick] [--plot FILE.svg]

The account is emulated in memory; the threads are real. Each call waits for 50 ms, and calls beyond
the rate limits of Elastic Load Balancing and S3 are throttled. Time passes twenty times as fast for
the function and for the account. The machine's own computing time therefore counts twenty times, so
the seconds shown are never too low. Each size runs in its own process. The exit code is 1 if a
bound is missed. `--quick` leaves out the largest size and measures fewer cold starts.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from build import compile_package
from curve import draw

from dt_logs_cfn.operate.account import AT_ONCE, observed, reading
from dt_logs_cfn.operate.plans.planned import decided
from dt_logs_cfn.settings import FunctionSettings
from dt_logs_cfn.template.embedding import bootstrap, handler_zip
from dt_logs_handler import main as function
from dt_logs_handler.request import parse
from dt_logs_rehearsal.account import Account

SIZES = (1, 10, 100, 1000)
LATENCY = 0.05
PACE = 20.0
TIMEOUT = FunctionSettings().timeout
MOST_MEMORY = 128.0  # the MiB by which the largest fleet may need more memory than the smallest
MOST_COLD = 1.15  # relative to importing boto3 and creating three clients
CALLS_EACH = 3
# Relative to the shortest time that ELB's limits allow for reading and changing a fleet.
MOST_ABOVE_LIMITS = 1.15
# (capacity, tokens added per second) [ELB user guide, "Request throttling for the ELB API"]
LIMITS = {"account": (40, 10), "Describe": (40, 10), "Modify": (20, 3)}
# AWS does not document a limit for bucket changes; users report far higher limits than this.
S3_LIMIT = (20, 10)


class Clock:
    """A clock that runs PACE times as fast as real time."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()

    def __call__(self) -> float:
        return 1_800_000_000 + (time.perf_counter() - self._begin) * PACE

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / PACE)


class Tokens:
    """A token bucket, like those that AWS uses for throttling."""

    def __init__(self, clock: Clock, capacity: float, rate: float) -> None:
        self._clock, self._capacity, self._rate = clock, capacity, rate
        self._left, self._at = capacity, clock()

    def refill(self) -> bool:
        """Refill the bucket, and return whether it holds a token."""
        now = self._clock()
        self._left = min(self._capacity, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left >= 1

    def take(self) -> None:
        self._left -= 1


class Service:
    """The network to AWS: it delays calls and, if `throttled`, refuses those above the limits."""

    def __init__(self, clock: Clock, *, throttled: bool) -> None:
        self.calls: Counter[str] = Counter()
        self._clock = clock
        self._lock = threading.Lock()
        self._throttled = throttled
        self._tokens = {name: Tokens(clock, *limit) for name, limit in LIMITS.items()}
        self._tokens["s3"] = Tokens(clock, *S3_LIMIT)

    def __call__(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        self._clock.sleep(LATENCY)
        kind = "Modify" if operation.startswith("Modify") else "Describe"
        names = {"elbv2": ("account", kind), "s3": ("s3",)}
        with self._lock:
            tokens = [self._tokens[each] for each in names.get(service, ())]
            if self._throttled and not all(each.refill() for each in tokens):
                self.calls["throttled"] += 1
                code = "ThrottlingException" if service == "elbv2" else "SlowDown"
                raise ClientError({"Error": {"Code": code, "Message": "Rate exceeded"}}, operation)
            for each in tokens:
                each.take()
            self.calls[operation] += 1


@dataclass
class Context:
    """The context that Lambda passes to an invocation."""

    clock: Clock
    end: float
    log_group_name: str = "/aws/lambda/benchmark"

    def get_remaining_time_in_millis(self) -> int:
        return int((self.end - self.clock()) * 1000)


class Fleet:
    """An account with load balancers, and a stack that onboards all of them."""

    def __init__(self, count: int, *, throttled: bool = True, workers: int) -> None:
        self.clock = Clock()
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        for number in range(count):
            self.account.add_load_balancer(f"web{number}")
        self.throttled, self.workers = throttled, workers

    def send(self, kind: str) -> tuple[float, Counter[str]]:
        """Let the function handle an event; return the seconds that it took, and its calls.

        Raises SystemExit unless it succeeds and onboards all load balancers.
        """
        service = Service(self.clock, throttled=self.throttled)
        bodies: list[bytes] = []
        account = self.account

        def clients() -> function.Clients:
            return (
                account.client("elbv2", before=service),
                account.client("s3", before=service),
                account.client("sns", before=service),
            )

        def receive(url: str, body: bytes) -> int:
            bodies.append(body)
            return 200

        world = function.World(
            clients, receive, self.clock, self.clock.sleep, random.Random(1), self.workers
        )
        begin = self.clock()
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            function.handle(self.event(kind), Context(self.clock, begin + TIMEOUT), world)
        seconds = self.clock() - begin
        (answer,) = map(json.loads, bodies)
        if answer["Status"] != "SUCCESS" or "Not onboarded" in answer["Reason"]:
            raise SystemExit(f"{kind} did not succeed: {answer['Reason']}")
        return seconds, service.calls

    def event(self, kind: str) -> dict[str, object]:
        """Return a CloudFormation event of this kind."""
        date = datetime.fromtimestamp(self.clock(), timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        return {
            "RequestType": kind,
            "ResponseURL": f"https://answers.example.com/?X-Amz-Date={date}",
            "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/fleet/1",
            "RequestId": "1",
            "LogicalResourceId": "InvokeLambdaFunction",
            "ResourceProperties": {
                "LoadBalancerArns": ["*"],
                "DataTheoremAccountId": "999988887777",
                "NotificationEndpoint": "https://logs.example.com/in",
                "LogRetentionDays": "30",
                "VendorReadScope": "LoadBalancer",
                "Privileges": "least-privilege",
            },
        }


def measured(count: int) -> dict[str, float]:
    """Measure one size; must run in its own process, because it measures the process's memory."""
    fleet = Fleet(count, workers=function.WORKERS)
    seconds, calls = fleet.send("Create")
    deleting, _ = fleet.send("Delete")
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    unthrottled, _ = Fleet(count, throttled=False, workers=function.WORKERS).send("Create")
    alone, _ = Fleet(count, throttled=False, workers=1).send("Create")
    return {
        "count": count,
        "seconds": seconds,
        "deleting": deleting,
        "calls": calls.total() - calls["throttled"],
        "throttled": calls["throttled"],
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
        "unthrottled": unthrottled,
        "alone": alone,
    }


def least(count: float) -> float:
    """Return the shortest time, in seconds, in which ELB's limits let a caller change a fleet."""
    (burst, rate), (changes, changing) = LIMITS["Describe"], LIMITS["Modify"]
    return max(0.0, count - burst) / rate + max(0.0, count - changes) / changing


def planned(count: int, at_once: int) -> tuple[float, int]:
    """Plan for a fleet without throttling; return the emulated seconds and the number of calls."""
    fleet = Fleet(count, throttled=False, workers=at_once)
    service = Service(fleet.clock, throttled=False)
    clients = (
        fleet.account.client("elbv2", before=service),
        fleet.account.client("s3", before=service),
        fleet.account.client("sns", before=service),
    )
    request = parse(fleet.event("Create"), fleet.clock())
    through = replace(reading(clients, [], fleet.clock), workers=at_once)
    begin = fleet.clock()
    found = decided(request, observed(request, through), through, ())
    assert found.works
    return fleet.clock() - begin, service.calls.total()


CLIENTS = "import boto3; s = boto3.Session(); [s.client(name) for name in ('elbv2', 's3', 'sns')]"
EMBEDDED = "import index; from dt_logs_handler import main; main._clients()"


def cold_start(runs: int) -> dict[str, float]:
    """Return the median CPU seconds that each way of creating the clients takes."""
    for package in ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3"):
        compile_package(package)
    times: dict[str, list[float]] = {CLIENTS: [], EMBEDDED: []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "index.py").write_text(bootstrap(handler_zip()), "utf-8")
        settings = {
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "PYTHONPATH": folder,
            "TMPDIR": folder,
        }
        for _ in range(runs):
            for code, taken in times.items():
                taken.append(_cpu_seconds([sys.executable, "-c", code], settings))
    return {code: statistics.median(taken) for code, taken in times.items()}


def _cpu_seconds(command: Sequence[str], settings: Mapping[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, env={**os.environ, **settings})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def run(sizes: Sequence[int]) -> Iterator[dict[str, float]]:
    """Measure each size in its own process, and yield its measurements."""
    for count in sizes:
        command = [sys.executable, __file__, "--one", str(count)]
        yield json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def report(rows: Sequence[Mapping[str, float]], cold: Mapping[str, float]) -> list[str]:
    """Measure planning, and print all measurements; return the bounds that were missed."""
    first, last = rows[0], rows[-1]
    print(f"Python {sys.version.split()[0]}, {LATENCY * 1000:.0f} ms a call; emulated seconds")
    print(
        f"{'load':>9} {'':>6} {'':>9} {'':>8} {'of one,':>8} {'of ELBs':>8} {'':>7}"
        f" {'not throttled':>18} {'':>7}"
    )
    print(
        f"{'balancers':>9} {'calls':>6} {'throttled':>9} {'Create':>8} {'for each':>8}"
        f" {'limits':>8} {'Delete':>7} {'8 at once':>9} {'1 by 1':>8} {'MiB':>7}"
    )
    for row in rows:
        count, seconds = row["count"], row["seconds"]
        limits = seconds / least(count) if least(count) else float("nan")
        print(
            f"{count:>9,.0f} {row['calls']:>6,.0f} {row['throttled']:>9,.0f} {seconds:>6.1f} s"
            f" {seconds / count / first['seconds']:>8.3f} {limits:>8.2f} {row['deleting']:>5.0f} s"
            f" {row['unthrottled']:>7.1f} s {row['alone']:>6.1f} s {row['memory']:>7.1f}"
        )
    (quick, calls), (slow, _) = planned(1000, AT_ONCE), planned(1000, 1)
    print(
        f"plan for 1,000: {calls:,} calls, {quick:.0f} s with {AT_ONCE} at once, {slow:.0f} s one"
        " by one; not throttled"
    )
    ratio = cold[EMBEDDED] / cold[CLIENTS]
    print(
        f"cold start: {cold[EMBEDDED]:.3f} s of processor time, boto3 and three clients"
        f" {cold[CLIENTS]:.3f} s, ratio {ratio:.2f}"
    )
    each = (last["calls"] - first["calls"]) / (last["count"] - first["count"])
    memory = last["memory"] - first["memory"]
    bounds = {
        f"at most {CALLS_EACH} calls for each load balancer, plus listing": (
            each <= CALLS_EACH + 0.05
        ),
        f"within half of {TIMEOUT} s": last["seconds"] <= TIMEOUT / 2,
        f"linear: within {MOST_ABOVE_LIMITS} times ELB's limits": (
            last["seconds"] <= least(last["count"]) * MOST_ABOVE_LIMITS + first["seconds"]
        ),
        f"at most {MOST_MEMORY:.0f} MiB more than for one: {memory:.0f}": memory <= MOST_MEMORY,
        f"cold start at most {MOST_COLD} times boto3's": ratio <= MOST_COLD,
    }
    for bound, kept in bounds.items():
        print(f"{'kept  ' if kept else 'MISSED'}  {bound}")
    return [bound for bound, kept in bounds.items() if not kept]


def main() -> int:
    """Carry out the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="up to 100 load balancers")
    parser.add_argument("--plot", type=Path, help="write the growth curve there, as SVG")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measured(given.one)))
        return 0
    rows = list(run(SIZES[:-1] if given.quick else SIZES))
    missed = report(rows, cold_start(7 if given.quick else 21))
    if given.plot:
        given.plot.write_text(draw(rows, least), "utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
