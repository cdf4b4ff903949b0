"""An Update that changes which buckets the role may touch fails at each of its calls.

CloudFormation changes the role before it sends the Update, and changes it back before it sends the
Update back. So only the failed Update itself, before it answers, can leave a bucket that the old
parameters do not cover. If rollback is disabled, what it did stays until the operator sends the
same Update again or rolls back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from support.drifts import TOPICS, log_bucket
from support.looks import TEST_FILE, changed, granted

from dt_logs_rehearsal.account import Account, Snapshot
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from lifecycle.cases import data
from lifecycle.cloudformation import ENDPOINT, Properties, properties
from lifecycle.failure_points import MODES, Killed, World
from lifecycle.scenarios import Scenario
from lifecycle.test_privileges import role

OTHER = "customers-other-logs"
EACH = {True: 1, False: 23}  # the full and the small size try one of this many points
SOME = {True: 5, False: 29}  # fewer, for tests that send more events
NEVER = -1
Answer = dict[str, object]


def two_buckets(account: Account) -> list[str]:
    """Make two ALBs that log to different buckets of the customer, and one that does not log."""
    customers_bucket(account)
    log_bucket(account, OTHER)
    return [
        account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb"),
        account.add_load_balancer("api", bucket=OTHER, prefix="alb"),
        account.add_load_balancer("shop"),
    ]


@dataclass(frozen=True)
class Step:
    """A stack's ALBs, LogBucketName and ExistingLogBucketNames before and after the Update.

    `beyond` is a bucket that the stack should leave, but that the new role does not cover.
    """

    name: str
    before: tuple[tuple[int, ...], str, tuple[str, ...]]
    after: tuple[tuple[int, ...], str, tuple[str, ...]]
    beyond: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def scenario(self) -> Scenario:
        """Return the step as a scenario of the life cycle suite."""
        return Scenario(
            self.name,
            two_buckets,
            lambda arns: _given(arns, *self.before),
            lambda arns: _given(arns, *self.after),
        )


def _given(
    arns: list[str], numbers: tuple[int, ...], bucket: str, existing: tuple[str, ...]
) -> Properties:
    return properties(
        *(arns[each] for each in numbers),
        LogBucketName=bucket,
        ExistingLogBucketNames=list(existing) or [""],
    )


WEB, API, SHOP = range(3)
BOTH = (CUSTOMERS, OTHER)
STEPS = (
    Step("narrowed", ((WEB,), "", ()), ((WEB,), "", (CUSTOMERS,))),
    Step("narrowed by what is unused", ((WEB,), "", BOTH), ((WEB,), "", (CUSTOMERS,))),
    Step("narrowed by what leaves", ((WEB, API), "", BOTH), ((WEB,), "", (CUSTOMERS,)), OTHER),
    Step("widened", ((WEB,), "", (CUSTOMERS,)), ((WEB, API), "", BOTH)),
    Step("exchanged", ((WEB,), "", (CUSTOMERS,)), ((API,), "", (OTHER,)), CUSTOMERS),
    Step("exchanged inside both", ((WEB,), "", BOTH), ((API,), "", BOTH)),
    Step("a named bucket", ((SHOP,), "", ()), ((SHOP,), "named-two", ())),
    Step("another named bucket", ((SHOP,), "named-one", ()), ((SHOP,), "named-two", ())),
    Step("no named bucket", ((SHOP,), "named-one", ()), ((SHOP,), "", ())),
    Step("the customer's bucket", ((SHOP,), "", ()), ((SHOP,), OTHER, ())),
    Step("another one of the customer's", ((SHOP,), CUSTOMERS, ()), ((SHOP,), OTHER, ())),
    Step(
        "a bucket more, and narrowed",
        ((WEB, SHOP), "", ()),
        ((WEB, SHOP), OTHER, (CUSTOMERS,)),
    ),
)


class Run(World):
    """One run of a step, in which each event is handled under the role for its properties."""

    def send(
        self, kind: str, given: Properties, old: Properties, failing: bool = False
    ) -> Answer | None:
        """Send an event, repeat it if the function was killed, and return the answer."""
        event = self.stack.event(kind, given, old)
        answer = self._handled(event, given, failing)
        if answer is None:  # Lambda repeats the event
            self.clock.sleep(60)
            answer = self._handled(event, given, False)
        self.account.confirm(ENDPOINT)
        return answer

    def _handled(self, event: dict[str, object], given: Properties, failing: bool) -> Answer | None:
        caller = self.account.caller(role(given, self.account))
        hooks = {"before": self.faults.before, "after": self.faults.after} if failing else {}

        def clients() -> tuple[object, object, object]:
            return (
                self.account.client("elbv2", caller=caller, **hooks),
                self.account.client("s3", caller=caller, **hooks),
                self.account.client("sns", caller=caller, **hooks),
            )

        try:
            return self.stack.send(event, clients)
        except Killed:
            return None

    @property
    def given(self) -> tuple[Properties, Properties]:
        """Return the properties before and after the Update."""
        before, after = self.scenario.before(self.arns), self.scenario.after(self.arns)
        assert before and after
        return before, after


def updated(step: Step, at: int = NEVER, mode: str = "") -> tuple[Run, Answer]:
    """Handle the Update of a step in a new run; return the run and the answer."""
    run = Run(step.scenario)
    run.account.confirm(ENDPOINT)
    run.start = run.account.snapshot()
    before, after = run.given
    run.faults.at, run.faults.mode = at, mode
    answer = run.send("Update", after, before, failing=True)
    assert answer
    return run, answer


@cache
def done(step: Step) -> Snapshot:
    """Return the account after a step's Update in which no call fails."""
    run, answer = updated(step)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    return run.account.snapshot()


@dataclass(frozen=True)
class Failed:
    """An Update that failed because a call did, and the properties before and after it."""

    at: tuple[int, str]
    run: Run
    answer: Answer
    before: Properties
    after: Properties


def failures(step: Step, tried: Iterable[tuple[int, str]]) -> Iterator[Failed]:
    """Yield each Update that fails when a call fails at one of these points."""
    for at, mode in tried:
        run, answer = updated(step, at, mode)
        if answer["Status"] != "SUCCESS":
            yield Failed((at, mode), run, answer, *run.given)


def points(step: Step, each: int) -> list[tuple[int, str]]:
    """Return every n-th failure point of a step, where `each` is n."""
    run, _ = updated(step)
    every = [(at, mode) for at in range(len(run.faults.calls)) for mode in MODES]
    return every[::each]


def _made(step: Step) -> str:
    """Return the name of the bucket that the Update makes for LogBucketName, if any."""
    return step.after[1] if step.after[1].startswith("named-") else ""


def _unless_told(step: Step, left: list[str], *answers: Answer, lasting: bool = False) -> list[str]:
    """Return the differences, except in a new bucket that an answer says could not be left.

    A `lasting` failure stops the function from undoing its work in the same event.
    """
    texts = " ".join(_shown(each) for each in answers)
    new = {_made(step), *step.after[2], step.after[1]} - {step.before[1], *step.before[2], ""}
    told = {each for each in new if each in texts}
    return [
        each
        for each in left
        if not (
            (lasting or (_made(step) and f"S3 bucket {_made(step)}:" in each))
            and any(name in each for name in told)
        )
    ]


def _shown(answer: Answer) -> str:
    """Return the part of an answer that CloudFormation shows."""
    failed = answer["Status"] == "FAILED"
    return str(answer["Reason"]) if failed else data(answer, "Warnings")


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_it_is_done_and_can_be_taken_back(step: Step) -> None:
    """If the stack cannot leave a bucket, the Update warns, or fails and changes nothing."""
    run, answer = updated(step)
    before, after = run.given

    if not step.beyond:
        assert answer["Status"] == "SUCCESS", answer["Reason"]
    elif answer["Status"] == "SUCCESS":
        assert step.beyond in data(answer, "Warnings")
    else:
        assert step.beyond in str(answer["Reason"])
        assert "ExistingLogBucketNames" in str(answer["Reason"])
        assert changed(run.start, run.account.snapshot()) == []

    back = run.send("Update", before, after)
    assert back and back["Status"] == "SUCCESS", back
    left = changed(run.start, run.account.snapshot())
    assert _unless_told(step, left, back, lasting=True) == []


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_it_fails_and_is_rolled_back(
    step: Step, full: bool, record_property: Callable[[str, object], None]
) -> None:
    wrong: dict[tuple[int, str], list[str]] = {}
    tried = points(step, EACH[full])
    for each in failures(step, tried):
        back = each.run.send("Update", each.before, each.after)
        assert back
        left = changed(each.run.start, each.run.account.snapshot())
        lasting = each.at[1] in ("denied", "throttled", "unanswered")
        found = _unless_told(step, left, each.answer, back, lasting=lasting)
        if back["Status"] != "SUCCESS":
            found.append(f"not rolled back: {back['Reason']}")
        if found:
            wrong[each.at] = found

    record_property("changes of rights failed", len(tried))
    record_property("changes of rights failed wrong", len(wrong))
    assert wrong == {}


@pytest.mark.parametrize("step", [each for each in STEPS if not each.beyond], ids=str)
def test_it_fails_where_rollback_is_disabled_and_is_sent_again(step: Step, full: bool) -> None:
    wrong: dict[tuple[int, str], list[str]] = {}
    for each in failures(step, points(step, SOME[full])):
        run, after = each.run, each.after
        found = list(_silent(run, each.answer))
        again = run.send("Update", after, each.before)
        assert again
        if again["Status"] == "SUCCESS":
            found += _but_for_what_is_inert(changed(done(step), run.account.snapshot()))
        else:
            found.append(f"not done: {again['Reason']}")
        run.send("Delete", after, after)
        found += [f"left: {topic}" for topic in run.account.world.topics if TOPICS in topic]
        if found:
            wrong[each.at] = found

    assert wrong == {}


def _but_for_what_is_inert(left: list[str]) -> list[str]:
    """Leave out test files, and topics and subscriptions that the Delete will remove."""
    more = ("+ topics", "+ subscriptions")
    return [each for each in left if TEST_FILE not in each and not each.startswith(more)]


def _silent(run: Run, answer: Answer) -> Iterator[str]:
    """Yield a complaint if an Update changed the account and its reason names no rollback."""
    differs = changed(run.start, run.account.snapshot())
    if differs and "roll" not in str(answer["Reason"]).lower():
        yield f"what was done is not told: {answer['Reason']}"


@pytest.mark.parametrize("step", [each for each in STEPS if not each.beyond], ids=str)
def test_the_operator_rolls_back_much_later(step: Step) -> None:
    """The operator decides an hour after the Update failed."""
    calls = len(updated(step)[0].faults.calls)
    for each in failures(step, ((at, "lost") for at in range(calls // 3, calls))):
        each.run.clock.sleep(3600)
        back = each.run.send("Update", each.before, each.after)
        assert back and back["Status"] == "SUCCESS", back
        left = changed(each.run.start, each.run.account.snapshot())
        assert _unless_told(step, left, each.answer, back) == [], each.at


@pytest.mark.parametrize("step", [each for each in STEPS if not each.beyond], ids=str)
def test_no_right_is_left_where_the_role_no_longer_reaches(step: Step) -> None:
    """After a failed Update, the rollback and the Delete leave no right."""
    calls = len(updated(step)[0].faults.calls)
    for each in failures(step, ((at, "lost") for at in range(0, calls, 3))):
        each.run.send("Update", each.before, each.after)
        answer = each.run.send("Delete", each.before, each.before)
        assert answer and answer["Status"] == "SUCCESS", answer
        assert granted(each.run.account) == [], each.at
