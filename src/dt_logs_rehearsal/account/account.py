"""An emulated AWS account: its clients, and the world around it that tests arrange and look at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, cast

from dt_logs_rehearsal.account.arrange import Arrangement
from dt_logs_rehearsal.account.client import Client, Hook, Hooks, no_hook
from dt_logs_rehearsal.account.snapshot import Snapshot, snapshot
from dt_logs_rehearsal.account.spreading import Consistency
from dt_logs_rehearsal.account.world import Caller, World

if TYPE_CHECKING:
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3control import S3ControlClient
    from mypy_boto3_sns import SNSClient


class Time(Protocol):
    """A clock, and a way to wait by it."""

    def __call__(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


@dataclass
class Clock:
    """A clock that only `sleep` moves; seconds since 1970."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


class Account(Arrangement):
    """One account in one region, in a world that may hold others' buckets and topics too.

    Calls are safe from several threads. `old_boto3` gives S3 clients that are two years old.
    """

    def __init__(
        self,
        account_id: str = "111122223333",
        region: str = "us-east-1",
        partition: str = "aws",
        *,
        clock: Time | None = None,
        seed: int = 0,
        consistency: Consistency | None = None,
        old_boto3: bool = False,
    ) -> None:
        self.account_id = account_id
        self.region = region
        self.partition = partition
        self.clock: Time = clock or Clock()
        self.world = World(partition, self.clock, Random(seed), consistency or Consistency())
        self._old = old_boto3

    @property
    def s3(self) -> S3Client:
        """Return an administrator's client."""
        return cast("S3Client", self.client("s3"))

    @property
    def sns(self) -> SNSClient:
        """Return an administrator's client."""
        return cast("SNSClient", self.client("sns"))

    @property
    def elbv2(self) -> ElasticLoadBalancingv2Client:
        """Return an administrator's client."""
        return cast("ElasticLoadBalancingv2Client", self.client("elbv2"))

    @property
    def s3control(self) -> S3ControlClient:
        """Return an administrator's client."""
        return cast("S3ControlClient", self.client("s3control"))

    def client(
        self,
        service: str,
        *,
        caller: Caller | None = None,
        region: str | None = None,
        before: Hook = no_hook,
        after: Hook = no_hook,
    ) -> Any:
        """Return a client; hooks run around each of its calls, outside every lock.

        `caller` is an administrator of this account unless given.
        """
        who = caller or self.caller()
        where = region or self.region
        return Client(self.world, service, who, where, Hooks(before, after), self._old)

    def caller(
        self,
        policies: Sequence[Mapping[str, Any]] | None = None,
        *,
        account: str | None = None,
        role: str = "handler",
    ) -> Caller:
        """Return a role's session; with policies it may do what they allow, without, everything."""
        owner = account or self.account_id
        arn = f"arn:{self.partition}:sts::{owner}:assumed-role/{role}/session"
        own = None if policies is None else tuple(json.dumps(each) for each in policies)
        return Caller(owner, arn, own)

    def snapshot(self) -> Snapshot:
        """Return everything as comparable data; see `diff`."""
        with self.world.lock:
            return snapshot(self.world)
