"""Stacks that run at once on one bucket, interleaved at every call, on a clock of their own.

S3 has no compare-and-swap, so a put may undo another stack's that came after its read. The handler
waits, looks, and repairs. Here each call takes up to LATENCY seconds, reads of bucket configuration
are up to STALE seconds old, and whoever is to go on first in that time goes on first.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from functools import partial
from random import Random

from dt_logs_rehearsal.account import Account, Clock, Consistency
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import VENDOR, Stack, properties
from lifecycle.scenarios import clients_of

LATENCY = 0.1
STALE = 1.5  # the bound that the handler's settling time is made for


class Turns(Clock):
    """A clock on which threads take turns: the one that sleeps least long goes on first."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self._waiting: list[tuple[float, int, int]] = []
        self._number = itertools.count()
        self._turn = -1
        self._mine = threading.local()
        self._changed = threading.Condition()

    def run(self, tasks: list[Callable[[], object]]) -> list[BaseException]:
        """Run the tasks, begun within two seconds of each other; return what they raised."""
        raised: list[BaseException] = []
        threads = []
        for task in tasks:
            ready = threading.Event()
            thread = threading.Thread(target=self._task, args=(task, ready, raised), daemon=True)
            threads.append(thread)
            thread.start()
            ready.wait()
        with self._changed:
            self._next()
        for thread in threads:
            thread.join()
        return raised

    def _task(
        self, task: Callable[[], object], ready: threading.Event, raised: list[BaseException]
    ) -> None:
        with self._changed:
            me = self._mine.number = next(self._number)
            moment = self.now + self.random.uniform(0, 2)
            heapq.heappush(self._waiting, (moment, next(self._number), me))
            ready.set()
            self._changed.wait_for(lambda: self._turn == me)
        try:
            task()
        except BaseException as error:
            raised.append(error)
        with self._changed:
            self._next()

    def sleep(self, seconds: float) -> None:
        """Let others go on until the time has passed."""
        with self._changed:
            me = self._mine.number
            heapq.heappush(self._waiting, (self.now + seconds, next(self._number), me))
            self._next()
            self._changed.wait_for(lambda: self._turn == me)

    def _next(self) -> None:
        if self._waiting:
            moment, _, self._turn = heapq.heappop(self._waiting)
            self.now = max(self.now, moment)
            self._changed.notify_all()

    def call(self, service: str, operation: str, params: object) -> None:
        """Let a call take its time; a hook."""
        self.sleep(self.random.uniform(0, LATENCY / 2))


class Race:
    """Stacks at once, each with an ALB of its own on one location of the customer's bucket."""

    def __init__(self, stacks: int, seed: int, stale: float = STALE) -> None:
        self.turns = Turns(seed)
        consistency = Consistency(stale_reads=stale)
        self.account = Account(
            "123456789012", "eu-west-1", clock=self.turns, seed=seed, consistency=consistency
        )
        customers_bucket(self.account)
        self.arns = [
            self.account.add_load_balancer(f"web{each}", bucket=CUSTOMERS, prefix="alb")
            for each in range(stacks)
        ]
        self.stacks = [Stack(self.turns, seed=seed * 1000 + each) for each in range(stacks)]
        self.start = self.account.snapshot()

    def clients(self) -> tuple[object, object, object]:
        return clients_of(self.account, before=self.turns.call, after=self.turns.call)

    def create(self) -> None:
        """Create all stacks at once; CloudFormation deletes after a failure."""
        self._at_once(
            [
                partial(stack.create, properties(arn), self.clients)
                for arn, stack in zip(self.arns, self.stacks, strict=True)
            ]
        )

    def again(self) -> None:
        """Run all stacks again at once, changing nothing; those that failed are deleted again."""
        self._at_once(
            [
                partial(stack.update, properties(arn, RunToken="again"), self.clients)
                if stack.properties
                else partial(self._delete_again, stack, arn)
                for arn, stack in zip(self.arns, self.stacks, strict=True)
            ]
        )

    def _delete_again(self, stack: Stack, arn: str) -> None:
        stack.send(stack.event("Delete", properties(arn)), self.clients)

    def delete(self) -> None:
        """Delete all stacks at once."""
        self._at_once(
            [partial(stack.delete, self.clients) for stack in self.stacks if stack.properties]
        )

    def _at_once(self, tasks: list[Callable[[], object]]) -> None:
        for error in self.turns.run(tasks):
            raise error

    def lost(self) -> list[str]:
        """Return what stacks that succeeded miss, and what others left."""
        found = []
        for arn, stack in zip(self.arns, self.stacks, strict=True):
            name = arn.partition(":loadbalancer/")[2].replace("/", ".")
            key = (
                "alb/AWSLogs/123456789012/elasticloadbalancing/eu-west-1/2026/11/23/"
                f"123456789012_elasticloadbalancing_eu-west-1_{name}_20261123T2340Z_1_x.log.gz"
            )
            reads = self.account.can_read(VENDOR, CUSTOMERS, key)
            if reads != (stack.properties is not None):
                found.append(f"{name}: reads {reads}, stack {stack.properties is not None}")
        listed = self.account.snapshot()["buckets"][CUSTOMERS]["notifications"]
        succeeded = any(stack.properties for stack in self.stacks)
        if any(key.startswith("TopicConfigurations dt-") for key in listed) != succeeded:
            found.append("the notification")
        return found

    def left(self) -> list[str]:
        """Return what differs from before, once all stacks are gone."""
        return differences(self.start, self.account.snapshot())
