"""Compare how long a replay of 100,000 log files takes with how long bare calls take.

    python benchmarks/replay.py [OBJECTS]

boto3's own clients list and publish; an emulated network answers each call after 50 ms. For the
bare PublishBatch calls, 8 concurrent callers publish batches of ten identical events. The goal is a
ratio of at most 1.3. The exit code is 1 if the goal is missed, or if the replay does not announce
each log file exactly once.
"""

import contextlib
import hashlib
import io
import os
import re
import resource
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit

from botocore.awsrequest import AWSResponse
from build import compile_package

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.operate.replay.replaying import AT_ONCE, ENTRIES, Wanted, replay
from dt_logs_cfn.operate.replay.sources import LogObject, Source, event
from dt_logs_cfn.operate.replay.window import Window
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.intrinsics import complete
from dt_logs_cfn.template.templates import stack_template
from dt_logs_handler.aws import Aws
from dt_logs_handler.names import Location
from dt_logs_handler.run import run
from dt_logs_rehearsal.account import Account

OBJECTS = 100_000
LATENCY = 0.05
GOAL = 1.3
PAGE = 1000  # keys [S3 API, ListObjectsV2]
REGION, NUMBER = "eu-west-1", "123456789012"
STACK = new_stack("aws", REGION, NUMBER)
ENDPOINT = "https://logs.example.com/in"
NOW = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)


class Network:
    """A network that answers listings of one day's folder, and counts the published events."""

    def __init__(self, folder: str, load_balancer: str, objects: int) -> None:
        self.published = 0
        self.calls = 0
        self._seen = 0  # the sum of the announced keys' digests, so that keys need not be stored
        self._lock = threading.Lock()
        name = load_balancer.partition(":loadbalancer/")[2].replace("/", ".")
        self._start = f"{folder}{NUMBER}_elasticloadbalancing_{REGION}_{name}_20261128T1000Z_"
        self._objects = objects

    def key(self, number: int) -> str:
        return f"{self._start}192.0.2.1_{number:08}.log.gz"

    @property
    def complete(self) -> bool:
        """Return whether each log file was announced exactly once."""
        keys = (quote(self.key(number), safe="") for number in range(self._objects))
        wanted = sum(map(_digest, keys))
        return (self.published, self._seen) == (self._objects, wanted)

    def client(self, service: Any) -> Any:
        """Return boto3's client for a service, connected to this network."""
        made: Any = aws.session(None, REGION).client(service)
        made.meta.events.register(f"before-send.{service}", self._answer)
        return made

    def _answer(self, request: Any, **given: object) -> AWSResponse:
        time.sleep(LATENCY)
        listing = "list-type=2" in request.url
        body = self._listed(request.url) if listing else self._taken(str(request.body))
        headers: Any = {"Content-Type": "text/xml"}
        return AWSResponse(request.url, 200, headers, _Raw(body.encode()))

    def _listed(self, url: str) -> str:
        query = {name: each[0] for name, each in parse_qs(urlsplit(url).query).items()}
        begin = int(query.get("continuation-token", 0))
        here = self._start.startswith(query["prefix"])
        end = min(begin + PAGE, self._objects) if here else begin
        more = (
            f"<NextContinuationToken>{end}</NextContinuationToken>" if end < self._objects else ""
        )
        keys = "".join(
            f"<Contents><Key>{quote(self.key(number))}</Key><Size>2048</Size>"
            '<LastModified>2026-11-28T10:05:00.000Z</LastModified><ETag>"d41d8cd98f00b204"</ETag>'
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for number in range(begin, end)
        )
        truncated = str(bool(more) and here).lower()
        return (
            f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>"
            f"<EncodingType>url</EncodingType>{more if here else ''}{keys}</ListBucketResult>"
        )

    def _taken(self, body: str) -> str:
        found = re.findall("%22key%22%3A%22(.+?)%22", body)
        with self._lock:
            self.calls += 1
            self.published += len(found)
            self._seen += sum(map(_digest, found))
        members = "".join(
            f"<member><Id>{number}</Id><MessageId>m</MessageId></member>"
            for number in range(len(found))
        )
        return (
            "<PublishBatchResponse><PublishBatchResult><Failed/>"
            f"<Successful>{members}</Successful></PublishBatchResult></PublishBatchResponse>"
        )


class _Raw(io.BytesIO):
    """A response body, as urllib3 returns it."""

    def stream(self, *given: object, **more: object) -> Iterator[bytes]:
        yield self.read()


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


class Through:
    """A client of the emulated account that takes some methods from another client."""

    def __init__(self, client: object, other: object, *names: str) -> None:
        self._client, self._other, self._names = client, other, names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other if name in self._names else self._client, name)


class Stacks:
    """A CloudFormation client that knows a single stack."""

    def __init__(self, template: object, values: dict[str, str]) -> None:
        self._template, self._values = template, values

    def describe_stacks(self, **given: object) -> object:
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in self._values.items()]
        state = {"StackStatus": "CREATE_COMPLETE", "CreationTime": datetime.now(timezone.utc)}
        named = {"StackName": "dt-logs-analysis", "StackId": STACK.id}
        return {"Stacks": [{**named, **state, "Parameters": parameters}]}

    def get_template(self, **given: object) -> object:
        return {"TemplateBody": self._template}


def onboarded(account: Account) -> tuple[str, Stacks]:
    """Let the handler onboard a load balancer; return its ARN and a client for its stack."""
    arn = account.add_load_balancer("web")
    template = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()
    given = {"LoadBalancerArns": arn, "DataTheoremAccountId": "999988887777"}
    values = complete(template, {**given, "NotificationEndpoint": ENDPOINT}, {})
    request = asked.creation(template, values, STACK.id, account.clock())
    clients = account.elbv2, account.s3, account.sns
    clock = account.clock
    way = Aws(*clients, clock, clock.sleep, Random(1), clock() + 800)
    with contextlib.redirect_stdout(io.StringIO()):
        run(request, way, lambda step, result: None)
    account.confirm(ENDPOINT)
    return arn, Stacks(template, values)


def bare(client: Any, topic: str, message: str, objects: int) -> float:
    """Make the bare calls (8 callers, batches of ten copies of a message); return the seconds."""
    entries = [{"Id": str(number), "Message": message} for number in range(ENTRIES)]

    def call(number: int) -> None:
        client.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)

    begin = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(call, range(-(-objects // ENTRIES))):
            pass
    return time.perf_counter() - begin


@dataclass(frozen=True)
class Measured:
    """The seconds that a replay and bare calls took; the replay's memory (MiB) and completeness."""

    seconds: float
    bare: float
    memory: float
    complete: bool


def replayed(objects: int) -> Measured:
    """Measure a replay of `objects` log files, between two halves of the bare calls."""
    account = Account(NUMBER, REGION)
    arn, stacks = onboarded(account)
    prefix = account.world.load_balancers[arn].attributes["access_logs.s3.prefix"]
    folder = f"{prefix}/AWSLogs/{NUMBER}/elasticloadbalancing/{REGION}/2026/11/28/"
    network = Network(folder, arn, objects)
    clients: Any = (
        account.elbv2,
        Through(account.s3, network.client("s3"), "get_paginator"),
        Through(account.sns, network.client("sns"), "publish_batch"),
    )
    wanted = Wanted(STACK.id, Window(NOW - timedelta(hours=3), NOW), yes=True)
    operator = Operator(tell=lambda line: None)
    (topic,) = account.world.topics
    alone = Network(folder, arn, 0).client("sns")
    log = LogObject(network.key(0), "app/web/1", 2048, "d41d8cd98f00b204", NOW)
    message = event(log, Source(Location("logs", prefix), topic), STACK)
    calls = bare(alone, topic, message, objects // 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    replay(cast(Any, stacks), clients, wanted, operator, NOW.timestamp)
    seconds = time.perf_counter() - begin
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / unit
    calls += bare(alone, topic, message, objects - objects // 2)
    return Measured(seconds, calls, memory, network.complete)


def main(objects: int) -> int:
    """Measure, and print the measurements; return the exit code."""
    for package in ("boto3", "botocore", "dt_logs_cfn", "dt_logs_handler", "urllib3"):
        compile_package(package)
    os.environ |= {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    found = replayed(objects)
    print(f"{objects:,} log objects, {LATENCY * 1000:.0f} ms a call, {AT_ONCE} at once")
    least = -(-objects // ENTRIES) / AT_ONCE * LATENCY
    rows = {"nothing but waiting": least, "PublishBatch": found.bare, "replay": found.seconds}
    for name, seconds in rows.items():
        print(f"{name:<20} {seconds:8.1f} s   {seconds / found.bare:5.2f}")
    print(f"replay, goal {GOAL}; {found.memory:.1f} MiB more than at its start")
    if not found.complete:
        print("MISSED  each object is announced once")
    return 0 if found.complete and found.seconds <= found.bare * GOAL else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS))
