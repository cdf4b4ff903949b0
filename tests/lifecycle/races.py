"""Stacks that run at once and share buckets, interleaved at every call on a simulated clock.

S3 has no compare-and-swap for a bucket's configuration, so a stack may undo a write that followed
its own read. The handler waits, reads again, and repairs. Here, each call takes up to LATENCY
seconds, and reads are up to STALE seconds old. The clock decides which stack continues first.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable
from functools import partial
from random import Random

from support.drifts import log_bucket
from support.looks import logging_of, reads

from dt_logs_rehearsal.account import Account, Clock, Consistency
from dt_logs_rehearsal.report.changes import differences
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from lifecycle.cloudformation import ENDPOINT, Stack, properties
from lifecycle.scenarios import clients_of

Prepare = Callable[[Account, int], list[str]]
LATENCY = 0.1
STALE = 1.5  # the maximum that the handler's settling time covers


class Turns(Clock):
    """A clock by which threads take turns: the thread whose sleep ends first continues first."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = Random(seed)
        self._waiting: list[tuple[float, int, int]] = []
        self._number = itertools.count()
        self._turn = -1
        self._mine = threading.local()
        self._changed = threading.Condition()

    def run(self, tasks: list[Callable[[], object]]) -> list[BaseException]:
        """Run the tasks, started within two seconds of each other, and return their exceptions."""
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
        """Let other threads run until the time has passed."""
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
        """Make a call take a random time; for use as a hook."""
        self.sleep(self.random.uniform(0, LATENCY / 2))


def _in_the_customers_bucket(
    account: Account, prefixes: Iterable[str], enabled: bool = True
) -> list[str]:
    customers_bucket(account)
    return [
        account.add_load_balancer(f"web{number}", bucket=CUSTOMERS, prefix=each, enabled=enabled)
        for number, each in enumerate(prefixes)
    ]


def one_location(account: Account, stacks: int) -> list[str]:
    """Make an ALB for each stack, all logging to one location in the customer's bucket."""
    return _in_the_customers_bucket(account, ["alb"] * stacks)


def locations_of_a_bucket(account: Account, stacks: int) -> list[str]:
    """Make an ALB for each stack, each logging to its own prefix in the customer's bucket."""
    return _in_the_customers_bucket(account, [f"alb{each}" for each in range(stacks)])


def switched_off(account: Account, stacks: int) -> list[str]:
    """Make an ALB for each stack, with logging off although the customer's bucket is set."""
    return _in_the_customers_bucket(account, ["alb"] * stacks, enabled=False)


def the_same(account: Account, stacks: int) -> list[str]:
    """Give all stacks the same ALB, which has never logged."""
    return [account.add_load_balancer("web")] * stacks


def the_same_switched_off(account: Account, stacks: int) -> list[str]:
    """Give all stacks the same ALB, whose logging to the customer's bucket is off."""
    return switched_off(account, 1) * stacks


def in_pairs(account: Account, stacks: int) -> list[str]:
    """Make an ALB for each stack; two ALBs share each bucket, with different prefixes."""
    arns = []
    for each in range(stacks):
        bucket = f"team-{each // 2}-logs"
        if each % 2 == 0:
            log_bucket(account, bucket)
        arns.append(account.add_load_balancer(f"web{each}", bucket=bucket, prefix=f"alb{each}"))
    return arns


class Race:
    """Stacks that run at once, each for one of the ALBs that `prepare` returns."""

    def __init__(
        self,
        stacks: int,
        seed: int,
        stale: float = STALE,
        prepare: Prepare = one_location,
    ) -> None:
        self.turns = Turns(seed)
        consistency = Consistency(stale_reads=stale)
        self.account = Account(
            "123456789012", "eu-west-1", clock=self.turns, seed=seed, consistency=consistency
        )
        self.arns = prepare(self.account, stacks)
        self.stacks = [Stack(self.turns, seed=seed * 1000 + each) for each in range(stacks)]
        self.start = self.account.snapshot()

    def clients(self) -> tuple[object, object, object]:
        return clients_of(self.account, before=self.turns.call, after=self.turns.call)

    def create(self) -> None:
        """Create all stacks at once; after a failure, CloudFormation sends a Delete."""
        self.at_once(
            [
                partial(stack.create, properties(arn), self.clients)
                for arn, stack in zip(self.arns, self.stacks, strict=True)
            ]
        )

    def create_in_turn(self) -> None:
        """Create one stack after another, each of which must succeed; confirm all subscriptions."""
        for arn, stack in zip(self.arns, self.stacks, strict=True):
            self.at_once([partial(stack.create, properties(arn), self.clients)])
            assert stack.properties is not None
        self.account.confirm(ENDPOINT)

    def again(self) -> None:
        """Re-run all stacks at once, unchanged; send another Delete for those that failed."""
        self.at_once(
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
        self.at_once(
            [partial(stack.delete, self.clients) for stack in self.stacks if stack.properties]
        )

    def at_once(self, tasks: list[Callable[[], object]]) -> None:
        """Run tasks at once, and raise the first exception."""
        for error in self.turns.run(tasks):
            raise error

    def lost(self) -> list[str]:
        """Return what the existing stacks lack, and what the failed stacks left."""
        found = []
        announced: dict[str, bool] = {}
        for arn, stack in zip(self.arns, self.stacks, strict=True):
            there, bucket = stack.properties is not None, logging_of(self.account, arn)[1]
            if reads(self.account, arn) != there:
                found.append(f"{arn}: reads {not there}, stack {there}")
            announced[bucket] = announced.get(bucket, False) or there
        for bucket, wanted in announced.items():
            listed = self.account.snapshot()["buckets"][bucket]["notifications"]
            if any(key.startswith("TopicConfigurations dt-") for key in listed) != wanted:
                found.append(f"the notification of {bucket}")
        return found

    def failed(self) -> list[str]:
        """Return the IDs of the stacks that do not exist."""
        return [stack.id for stack in self.stacks if stack.properties is None]

    def left(self) -> list[str]:
        """Return how the account differs from its state before the stacks were created."""
        return differences(self.start, self.account.snapshot())
