"""However calls fail, and whenever events arrive, the next event restores the expected state.

Each scenario's calls are recorded first, so that no call is missed. Then the scenario runs once for
each call and each way in which the call can fail, and later events run without failures.
CloudFormation sends a Delete after a failed Create, an Update back after a failed Update, and
another Delete after a failed Delete. After a kill, Lambda repeats the event, or CloudFormation
sends its next event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from typing import Any

import pytest
from support.drifts import log_bucket
from support.looks import TEST_FILE, granted

from dt_logs_rehearsal.account import Account, Snapshot
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, announced, logging, new, three
from lifecycle.cloudformation import ENDPOINT
from lifecycle.faults import MODES, NEVER, Faults
from lifecycle.scenarios import (
    SCENARIOS,
    Answer,
    Case,
    Prepare,
    Scenario,
    World,
    balancers,
    data,
    given,
    switched_off,
)

EACH = {True: 1, False: 11}  # at the full and the small size, try every n-th point


def named(scenarios: list[Scenario] | tuple[Scenario, ...]) -> pytest.MarkDecorator:
    """Parametrize a test with scenarios."""
    return pytest.mark.parametrize("scenario", scenarios, ids=lambda each: each.name)


def recorded(scenario: Scenario) -> list[str]:
    """Return the calls that a scenario's event makes without failures."""
    world, faults = World(scenario), Faults()
    answer = world.attempt(world.event(), faults)
    assert answer and answer["Status"] == "SUCCESS", answer
    return faults.calls


def points(scenario: Scenario) -> Iterator[tuple[int, str, bool]]:
    """Yield failure points: a call's number, a mode, and whether Lambda repeats the event."""
    for number, _ in enumerate(recorded(scenario)):
        for mode in MODES:
            yield number, mode, False
            if mode.startswith("killed"):
                yield number, mode, True


def violations(
    scenario: Scenario, number: int, mode: str, repeated: bool, workers: int = 1
) -> list[str]:
    """Try one failure point, and return the violations afterwards."""
    world = World(scenario)
    world.stack.workers = workers
    event = world.event()
    answer = world.attempt(event, Faults(number, mode)) or {"Status": "KILLED"}
    status, reason = answer["Status"], str(answer.get("Reason"))
    if mode == "denied" and status == "SUCCESS":
        if "could not be read" in reason:
            return []  # a Delete succeeds, and reports anything that it may not read
        if any(each in reason for each in ("may not be deleted", "read nothing", "if they exist")):
            tag = hashlib.sha256(world.stack.id.encode()).hexdigest()[:12]
            if readers := [each for each in granted(world.account) if f"Read{tag}" in each]:
                return [f"the vendor still reads: {readers}"]
            status = "KEPT"  # harmless leftovers are only reported; the customer removes them
            _without_test_files(world, reason)
    world.clock.sleep(60)
    if status == "KILLED" and repeated:
        status = world.stack.send(event, world.clients)["Status"]
        if status != "SUCCESS":
            return [f"the repeated event failed: {status}"]
    return _settled(world, status)


def _settled(world: World, status: str) -> list[str]:
    """Send CloudFormation's next event; return how the account differs from its expected state."""
    if world.old and world.new:
        back = world.rolled_back()
        return world.differs(world.start) + _unless(back)
    if not world.new and status == "SUCCESS":
        return world.left()
    answer = world.send("Delete", world.old or world.new)
    return world.left() + _unless(answer)


def _without_test_files(world: World, reason: str) -> None:
    """Remove the test files that the reason names, as the customer would."""
    for name, bucket in world.account.snapshot()["buckets"].items():
        for key in bucket["objects"]:
            if f"s3://{name}/{key}" in reason and key.endswith(TEST_FILE):
                world.account.s3.delete_object(Bucket=name, Key=key)


def _unless(answer: Answer) -> list[str]:
    return [] if answer["Status"] == "SUCCESS" else [f"not followed up: {answer['Reason']}"]


@named(SCENARIOS)
def test_every_failure_is_made_good(
    scenario: Scenario, full: bool, try_all: Callable[..., None]
) -> None:
    tried = list(points(scenario))[:: EACH[full]]
    try_all("failure points tried", tried, lambda point: violations(scenario, *point))


@pytest.mark.parametrize("mode", MODES)
@named(
    [
        e
        for e in SCENARIOS
        if e.name in ("three load balancers", "all new load balancers", "exchange")
    ]
)
def test_every_failure_is_made_good_among_several_at_once(
    scenario: Scenario, mode: str, full: bool
) -> None:
    """Calls run in parallel, so the failing call is random, but the result must not be."""
    for number in range(0, len(recorded(scenario)), 1 if full else 3):
        assert violations(scenario, number, mode, False, workers=3) == [], number


# An event that arrives twice, late, or before its stack is deleted
#
# Lambda's queue may deliver an event again during or after its first run. CloudFormation takes the
# first answer and ignores the second, so the account must stay as the first run left it. The whole
# first run takes place before call number `inside` of the second run, whose call number `at` fails.

COMING = [each for each in SCENARIOS if not each.name.startswith(("delete", "leave"))]


def _alone(world: World, event: dict[str, object]) -> Snapshot:
    """Run the event once without failures, and return the account after it."""
    answer = world.stack.send(event, world.clients)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    world.account.confirm(ENDPOINT)
    return world.account.snapshot()


@cache
def result(scenario: Scenario) -> Snapshot:
    """Return the account after a single run of a scenario's event."""
    world = World(scenario, confirms=True)
    return _alone(world, world.event())


def twice(
    scenario: Scenario, inside: int, at: int = NEVER, mode: str = ""
) -> tuple[str, int, list[str]]:
    """Run an event twice; return the second run's outcome, its number of calls, and its damage.

    An Update also removes things that the stack no longer needs. If the second run has already
    changed the register, the first run misses some of these, and the second run may remove them. So
    after an Update, only missing things count.
    """
    world = World(scenario, confirms=True)
    event = world.event()
    first: list[Snapshot] = []

    def meanwhile(number: int) -> None:
        if number == inside:
            first.append(_alone(world, event))

    faults = Faults(at, mode, meanwhile)
    answer = world.attempt(event, faults) or {"Status": "KILLED"}
    if not world.old:
        damaged = [line for each in first for line in world.differs(each)]
    else:
        damaged = [each for each in world.differs(result(scenario)) if each.startswith("-")]
    return answer["Status"], len(faults.calls), damaged


def points_of_two(scenario: Scenario) -> Iterator[tuple[int, int, str]]:
    """Yield each point: when the first run happens, which call of the second run fails, and how."""
    for inside in range(twice(scenario, NEVER)[1]):
        yield inside, NEVER, ""
        for at in range(inside, twice(scenario, inside)[1]):
            yield from ((inside, at, mode) for mode in MODES)


@named(COMING)
def test_a_second_run_that_fails_damages_nothing(
    scenario: Scenario, full: bool, try_all: Callable[..., None]
) -> None:
    ends = set()

    def damaged(point: tuple[int, int, str]) -> list[str]:
        ended, _, found = twice(scenario, *point)
        ends.add(ended)
        return found

    tried = list(points_of_two(scenario))[:: 11 if full else 97]
    try_all("second runs failed", tried, damaged)
    assert ends == {"SUCCESS", "FAILED", "KILLED"}


def deleted_at(number: int, prepare: Prepare, **changes: object) -> list[str] | None:
    """Send a Delete right after call `number`; return what is left, or None if no such call exists.

    The endpoint confirms at once, so that the Delete has a confirmed subscription to end, too.
    """
    case = Case(prepare)
    calls: list[str] = []

    def after(service: str, operation: str, params: object) -> None:
        case.account.confirm(ENDPOINT)
        if calls or operation == "PutBucketPolicy":
            calls.append(operation)
            if len(calls) == number:
                case.after = no_hook
                case.delete()

    case.after = after
    case.ask("Create", **changes)
    if len(calls) < number:
        return None
    return case.left() + [f"{each} may still read" for each in granted(case.account)]


@pytest.mark.parametrize(
    ("prepare", "changes"),
    [
        (new, {}),
        (logging, {}),
        (three, {}),
        (three, {"LoadBalancerArns": ["*"]}),
        (switched_off, {}),
        (announced, {}),
        (new, {"LogBucketName": "customers-own-name"}),
        (new, {"Privileges": "documented"}),
        (logging, {"Privileges": "documented"}),
    ],
)
def test_delete_during_create(prepare: Prepare, changes: dict[str, object]) -> None:
    """Calls are counted from the stack's registration; earlier, a Delete would find nothing."""
    for number in count(1):
        left = deleted_at(number, prepare, **changes)
        if left is None:
            assert number > 11
            return
        assert left == [], number


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("seconds", [0, 1300], ids=["after a later one", "after its time"])
def test_an_event_that_comes_too_late_changes_nothing(kind: str, seconds: int) -> None:
    """Either a later event was handled, or CloudFormation no longer waits for the answer."""
    case = Case(three)
    case.create(*case.arns[:2])
    wanted = {**case.given, "LoadBalancerArns": case.arns[1:]}
    late = case.stack.event(kind, wanted, case.given)
    if not seconds:
        case.update(LogRetentionDays="60")
    case.clock.sleep(seconds)
    before = case.account.snapshot()

    assert case.stack.send(late, case.clients)["Status"] == "FAILED"

    assert case.account.snapshot() == before


# An Update that changes which buckets the role may touch
#
# CloudFormation changes the role before it sends the Update, and changes it back before it sends
# the Update back. So only the failed Update itself, before it answers, can undo its changes to a
# bucket that the old parameters do not cover. If rollback is disabled, its changes remain until the
# operator sends the same Update again or rolls back.

OTHER = "customers-other-logs"


def two_buckets(account: Account) -> list[str]:
    """Make two ALBs that log to different buckets of the customer, and one that does not log."""
    web, shop = balancers(True, web="alb", shop=None)(account)
    log_bucket(account, OTHER)
    return [web, account.add_load_balancer("api", bucket=OTHER, prefix="alb"), shop]


def _step(name: str, before: Callable[..., Any], after: Callable[..., Any]) -> Scenario:
    return Scenario(name, two_buckets, before, after)


def _within(*numbers: int, to: tuple[str, ...] = (CUSTOMERS, OTHER), bucket: str = "") -> Any:
    return given(*numbers, ExistingLogBucketNames=list(to), LogBucketName=bucket)


WEB, API, SHOP = range(3)
INTO_OTHER = given(SHOP, LogBucketName=OTHER)
ONE, TWO = (given(SHOP, LogBucketName=f"named-{each}") for each in ("one", "two"))
STEPS = (
    _step("narrowed", given(WEB), _within(WEB, to=(CUSTOMERS,))),
    _step("narrowed by what is unused", _within(WEB), _within(WEB, to=(CUSTOMERS,))),
    _step("narrowed by what leaves", _within(WEB, API), _within(WEB, to=(CUSTOMERS,))),
    _step("widened", _within(WEB, to=(CUSTOMERS,)), _within(WEB, API)),
    _step("exchanged", _within(WEB, to=(CUSTOMERS,)), _within(API, to=(OTHER,))),
    _step("exchanged inside both", _within(WEB), _within(API)),
    _step("a named bucket", given(SHOP), TWO),
    _step("another named bucket", ONE, TWO),
    _step("no named bucket", ONE, given(SHOP)),
    _step("the customer's bucket", given(SHOP), INTO_OTHER),
    _step("another one of the customer's", given(SHOP, LogBucketName=CUSTOMERS), INTO_OTHER),
    _step(
        "a bucket more, and narrowed",
        given(WEB, SHOP),
        _within(WEB, SHOP, to=(CUSTOMERS,), bucket=OTHER),
    ),
)
# Buckets that the stack should leave, but that the new role does not cover
BEYOND = {"narrowed by what leaves": OTHER, "exchanged": CUSTOMERS}
INSIDE = named([each for each in STEPS if each.name not in BEYOND])


class Run(World):
    """A run of a step in which a call may fail; after a kill, Lambda repeats the event."""

    def __init__(self, step: Scenario, at: int = NEVER, mode: str = "") -> None:
        super().__init__(step, roles=True)
        self.mode, self.faults = mode, Faults(at, mode)
        event = self.event()
        answer = self.attempt(event, self.faults)
        if answer is None:
            self.clock.sleep(60)
            answer = self.stack.send(event, self.clients)
        self.answer = answer
        self.account.confirm(ENDPOINT)

    def untold(self, *answers: Answer, lasting: bool = False) -> list[str]:
        """Return the differences, except those in a new bucket that an answer reports as kept.

        If the failure is `lasting`, the function cannot undo its work in the same event.
        """
        texts = " ".join(_shown(each) for each in answers)
        new = _covered(self.new) - _covered(self.old)
        told = [each for each in new if each in texts]
        made = [f"S3 bucket {each}:" for each in new if each.startswith("named-")]
        return [
            each
            for each in self.differs(self.start)
            if not any(name in each for name in told)
            or not (lasting or any(name in each for name in made))
        ]


def _covered(given: Any) -> set[str]:
    return {given["LogBucketName"], *given["ExistingLogBucketNames"]} - {""}


def _shown(answer: Answer) -> str:
    """Return the part of an answer that CloudFormation shows."""
    return str(answer["Reason"]) if answer["Status"] == "FAILED" else data(answer, "Warnings")


@cache
def undisturbed(step: Scenario) -> tuple[Snapshot, int]:
    """Return the account after a step without failures, and the number of the step's calls."""
    run = Run(step)
    return run.account.snapshot(), len(run.faults.calls)


def failing(
    step: Scenario, each: int, wrong: Callable[[Run], list[str]], modes: tuple[str, ...] = MODES
) -> tuple[list[tuple[int, str]], Callable[[tuple[int, str]], list[str]]]:
    """Return every `each`-th failure point of a step, and a function for `try_all`.

    The function returns what is `wrong` with a run whose Update fails.
    """

    def violated(point: tuple[int, str]) -> list[str]:
        run = Run(step, *point)
        return [] if run.answer["Status"] == "SUCCESS" else wrong(run)

    return [(at, mode) for at in range(undisturbed(step)[1]) for mode in modes][::each], violated


@named(STEPS)
def test_it_is_done_and_can_be_taken_back(scenario: Scenario) -> None:
    """If the stack cannot leave a bucket, the Update warns, or fails and changes nothing."""
    run, beyond = Run(scenario), BEYOND.get(scenario.name)

    if not beyond:
        assert run.answer["Status"] == "SUCCESS", run.answer["Reason"]
    elif run.answer["Status"] == "SUCCESS":
        assert beyond in data(run.answer, "Warnings")
    else:
        assert beyond in run.answer["Reason"]
        assert "ExistingLogBucketNames" in run.answer["Reason"]
        assert run.differs(run.start) == []

    back = run.rolled_back()
    assert run.untold(back, lasting=True) + _unless(back) == []


@named(STEPS)
def test_it_fails_and_is_rolled_back(
    scenario: Scenario, full: bool, try_all: Callable[..., None]
) -> None:
    def wrong(run: Run) -> list[str]:
        back = run.rolled_back()
        lasting = run.mode in ("denied", "throttled", "unanswered")
        return run.untold(run.answer, back, lasting=lasting) + _unless(back)

    try_all("changes of rights failed", *failing(scenario, 1 if full else 23, wrong))


@INSIDE
def test_it_fails_where_rollback_is_disabled_and_is_sent_again(
    scenario: Scenario, full: bool, try_all: Callable[..., None]
) -> None:
    """If the failed Update has changed the account, its reason names the rollback."""
    inert = ("+ topics", "+ subscriptions")  # the Delete removes these

    def wrong(run: Run) -> list[str]:
        silent = "roll" not in run.answer["Reason"].lower()
        found = [f"not told: {each}" for each in run.differs(run.start) if silent]
        again = run.send("Update", run.new, run.old)
        if again["Status"] == "SUCCESS":
            left = run.differs(undisturbed(scenario)[0])
            found += [e for e in left if TEST_FILE not in e and not e.startswith(inert)]
        run.send("Delete", run.new)
        return found + _unless(again) + [f"left: {topic}" for topic in run.topics()]

    try_all("changes sent again", *failing(scenario, 5 if full else 29, wrong))


@INSIDE
def test_the_operator_rolls_back_much_later_and_deletes_the_stack(
    scenario: Scenario, try_all: Callable[..., None]
) -> None:
    """The operator rolls back an hour after the Update failed; a Delete then ends all access."""

    def wrong(run: Run) -> list[str]:
        run.clock.sleep(3600)
        back = run.rolled_back()
        found = run.untold(run.answer, back) + _unless(back)
        run.sent("Delete", run.old)
        return found + granted(run.account)

    try_all("changes rolled back later", *failing(scenario, 1, wrong, ("lost",)))
