"""Stacks that run at once and share buckets, interleaved at every call on a simulated clock.

S3 does not offer compare-and-swap for a bucket's configuration, so a stack may undo a write that
followed its own read. The handler waits, reads again, and repairs. Here, each call takes up to
LATENCY seconds, and reads are up to STALE seconds old. The clock decides which stack continues
first. Within these bounds, concurrent stacks lose nothing; beyond them, the next run repairs the
losses.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from support.drifts import announce, announcements, log_bucket
from support.looks import granted, logging_of, reads

from dt_logs_rehearsal.account import Account, Clock, Consistency
from dt_logs_rehearsal.report.changes import differences
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, logging, new
from lifecycle.cloudformation import ENDPOINT, Stack, properties
from lifecycle.scenarios import Prepare, balancers, clients_of

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

    def run(self, tasks: tuple[Callable[[], object], ...]) -> None:
        """Run tasks, started within two seconds of each other, and raise their first exception."""
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
        for error in raised:
            raise error

    def _task(
        self, task: Callable[[], object], ready: threading.Event, raised: list[BaseException]
    ) -> None:
        with self._changed:
            self._mine.number = next(self._number)
            self._wait(self.random.uniform(0, 2), ready.set)
        try:
            task()
        except BaseException as error:
            raised.append(error)
        with self._changed:
            self._next()

    def sleep(self, seconds: float) -> None:
        """Let other threads run until the time has passed."""
        with self._changed:
            self._wait(seconds, self._next)

    def _wait(self, seconds: float, meanwhile: Callable[[], object]) -> None:
        me = self._mine.number
        heapq.heappush(self._waiting, (self.now + seconds, next(self._number), me))
        meanwhile()
        self._changed.wait_for(lambda: self._turn == me)

    def _next(self) -> None:
        if self._waiting:
            moment, _, self._turn = heapq.heappop(self._waiting)
            self.now = max(self.now, moment)
            self._changed.notify_all()

    def call(self, service: str, operation: str, params: object) -> None:
        """Make a call take a random time; for use as a hook."""
        self.sleep(self.random.uniform(0, LATENCY / 2))


class Race:
    """Stacks that run at once, one for each of the ALBs that `prepare` returns."""

    def __init__(self, seed: int, prepare: Prepare, stale: float = STALE) -> None:
        self.turns = Turns(seed)
        self.account = Account(
            "123456789012",
            "eu-west-1",
            clock=self.turns,
            seed=seed,
            consistency=Consistency(stale_reads=stale),
        )
        self.arns = prepare(self.account)
        self.given = [properties(arn) for arn in self.arns]
        self.stacks = [Stack(self.turns, seed=seed * 1000 + n) for n in range(len(self.given))]
        self.start = self.account.snapshot()

    def clients(self) -> tuple[object, object, object]:
        return clients_of(self.account, before=self.turns.call, after=self.turns.call)

    def at_once(self, *tasks: Callable[[Callable[[], object]], object]) -> None:
        """Run functions at once; each gets a function that makes clients."""
        self.turns.run(tuple(partial(task, self.clients) for task in tasks))

    def creations(self) -> list[Callable[..., object]]:
        """For each stack, return a function that creates it, and deletes it after a failure."""
        pairs = zip(self.stacks, self.given, strict=True)
        return [partial(stack.create, given) for stack, given in pairs]

    def create(self) -> None:
        """Create all stacks at once."""
        self.at_once(*self.creations())

    def create_in_turn(self) -> None:
        """Create one stack after another, each of which must succeed; confirm all subscriptions."""
        for creation in self.creations():
            self.at_once(creation)
        assert not self.failed()
        self.account.confirm(ENDPOINT)

    def again(self) -> None:
        """Re-run all stacks at once, unchanged; send another Delete for those that failed."""
        self.at_once(
            *(
                partial(stack.update, {**given, "RunToken": "again"})
                if stack.properties
                else partial(stack.run, "Delete", given)
                for stack, given in zip(self.stacks, self.given, strict=True)
            )
        )

    def delete(self) -> None:
        """Delete all stacks at once."""
        self.at_once(*(stack.delete for stack in self.stacks if stack.properties))

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


def one_location(stacks: int) -> Prepare:
    """Return a function that makes ALBs that all log to one location."""
    return balancers(True, **{f"web{number}": "alb" for number in range(stacks)})


def the_same(account: Account) -> list[str]:
    """Give two stacks the same ALB, which has never logged."""
    return [account.add_load_balancer("web")] * 2


def the_same_switched_off(account: Account) -> list[str]:
    """Give two stacks the same ALB, whose logging to the customer's bucket is off."""
    return balancers(False, web="alb")(account) * 2


def in_pairs(account: Account) -> list[str]:
    """Make six ALBs; two ALBs share each bucket, with different prefixes."""
    arns = []
    for each in range(6):
        bucket = f"team-{each // 2}-logs"
        if each % 2 == 0:
            log_bucket(account, bucket)
        arns.append(account.add_load_balancer(f"web{each}", bucket=bucket, prefix=f"alb{each}"))
    return arns


Run = Callable[[Race], list[str]]  # runs a race, and returns what is wrong afterwards
Each = Callable[..., None]


@pytest.fixture
def each_seed(full: bool, try_all: Callable[..., None]) -> Each:
    """Return a function that runs a race with each seed."""

    def run_all(stacks: int, prepare: Prepare, run: Run, seeds: int = 100 if full else 25) -> None:
        try_all("stacks raced", range(seeds), lambda seed: run(Race(seed, prepare)), stacks)

    return run_all


def come_and_go(race: Race) -> list[str]:
    """Create all stacks at once, and then delete them at once."""
    race.create()
    found = race.failed() + race.lost()
    race.delete()
    return found + race.left()


def test_nothing_is_lost_inside_the_bounds(full: bool, each_seed: Each) -> None:
    stacks = 20 if full else 5
    each_seed(stacks, one_location(stacks), come_and_go, 10)


@pytest.mark.parametrize(
    "prepare",
    [
        one_location(2),
        balancers(True, web0="alb0", web1="alb1"),
        balancers(False, web0="alb", web1="alb"),
        the_same,
    ],
    ids=["one location", "locations of a bucket", "switched off", "the same"],
)
def test_of_stacks_that_are_deleted_at_once_nothing_stays(
    prepare: Prepare, each_seed: Each
) -> None:
    """The stacks must not rely on each other to remove what they share."""

    def run(race: Race) -> list[str]:
        race.create_in_turn()
        race.delete()
        left = [stack.id for stack in race.stacks if stack.properties]
        return left + race.left() + granted(race.account) + [*race.account.world.subscriptions]

    each_seed(2, prepare, run)


def test_stacks_in_pairs_that_are_created_at_once_all_complete(each_seed: Each) -> None:
    """A registration that was overwritten must not be mistaken for one that a Delete removed."""
    each_seed(6, in_pairs, come_and_go)


@pytest.mark.parametrize("prepare", [the_same, the_same_switched_off])
def test_of_stacks_that_turn_on_the_same_the_last_one_turns_it_off(
    prepare: Prepare, each_seed: Each
) -> None:
    """One stack turns logging on and records that; the other copies the record."""

    def run(race: Race) -> list[str]:
        race.create()
        race.account.confirm(ENDPOINT)
        if prepare is the_same:
            race.again()  # repairs the result if both turned logging on at the same moment
        found = race.failed() + race.lost()
        first, last = race.stacks
        race.at_once(first.delete)
        if not reads(race.account, race.arns[0]):
            found.append("the vendor of the stack that stays does not read")
        race.at_once(last.delete)
        return found + race.left()

    each_seed(2, prepare, run)


def test_a_stack_is_deleted_while_others_are_created(each_seed: Each) -> None:
    """The Delete must not remove anything that the others have begun to use."""

    def run(race: Race) -> list[str]:
        created, *others = race.creations()
        race.at_once(created)
        race.account.confirm(ENDPOINT)
        race.at_once(race.stacks[0].delete, *others)
        found = race.lost() + race.failed()[1:]
        topics = {each.topic for each in race.account.world.subscriptions.values()}
        if topics != set(race.account.world.topics):
            found.append("the subscription")
        race.delete()
        return found + race.left()

    each_seed(3, one_location(3), run)


@pytest.mark.parametrize("meanwhile", ["deleted", "updated"])
def test_refreshes_that_overlap_a_change_of_their_stack_leave_nothing(
    meanwhile: str, each_seed: Each
) -> None:
    def run(race: Race) -> list[str]:
        theirs = announcements(race.account, CUSTOMERS)
        race.create_in_turn()
        (stack,), (given,) = race.stacks, race.given
        announce(race.account, CUSTOMERS, theirs)
        later = {**given, "LogRetentionDays": "90", "VendorReadScope": "Location"}
        change = partial(stack.update, later) if meanwhile == "updated" else stack.delete
        race.at_once(stack.refreshed, stack.refreshed, change)
        found = race.lost() if meanwhile == "updated" else []
        race.delete()
        return found + race.left()

    each_seed(1, one_location(1), run)


@pytest.mark.parametrize("seed", range(3))
def test_a_loss_outside_the_bounds_is_found_by_the_next_run(seed: int) -> None:
    """If reads are older than the handler allows for, it may undo others' settings."""
    race = Race(seed, one_location(8), stale=30)
    race.create()

    race.account.world.consistency = Consistency()
    for _ in race.stacks:
        race.again()

    assert race.lost() == []


def test_without_a_second_look_the_race_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show that these tests detect losses: without a second read, the handler loses statements."""
    monkeypatch.setattr("dt_logs_handler.run.SETTLE", 0.0)
    monkeypatch.setattr("dt_logs_handler.run._LONGEST_APART", 0.0)
    races = [Race(seed, one_location(8)) for seed in range(5)]
    for race in races:
        race.create()

    assert any(race.lost() for race in races)


@pytest.mark.parametrize("prepare", [new, logging])
@pytest.mark.parametrize("seed", range(8))
def test_an_event_that_arrives_twice_at_once(prepare: Prepare, seed: int) -> None:
    """Lambda's queue may deliver an event twice: both runs succeed, and a Delete leaves nothing."""
    race = Race(seed, prepare)
    stack, given = race.stacks[0], properties(*race.arns)
    event = Stack(Clock(race.turns.now), seed=seed * 1000).event("Create", given)
    answers: list[dict[str, object]] = []

    def run(clients: Callable[[], object]) -> None:
        answers.append(stack.send(event, clients))

    race.at_once(run, run)
    assert [each["Status"] for each in answers] == ["SUCCESS", "SUCCESS"]

    race.account.world.consistency = Consistency()
    later = Stack(Clock(race.turns.now), seed=seed * 1000)
    later.run("Delete", given, partial(clients_of, race.account))
    assert race.left() == []
