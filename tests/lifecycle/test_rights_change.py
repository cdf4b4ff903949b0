"""An Update that changes which buckets the role may touch fails at each of its calls.

CloudFormation changes the role before it sends the Update, and changes it back before it sends the
Update back. So only the failed Update itself, before it answers, can undo its changes to a bucket
that the old parameters do not cover. If rollback is disabled, its changes remain until the operator
sends the same Update again or rolls back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import pytest
from support.drifts import log_bucket
from support.looks import TEST_FILE, granted

from dt_logs_rehearsal.account import Account, Snapshot
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from lifecycle.cloudformation import ENDPOINT, Properties, properties
from lifecycle.faults import MODES, NEVER, Faults
from lifecycle.scenarios import Answer, Scenario, World, data, role

OTHER = "customers-other-logs"
EACH = {True: 1, False: 23}  # at the full and the small size, try every n-th point
SOME = {True: 5, False: 29}  # fewer points, for tests that send more events


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
    def made(self) -> str:
        """Return the name of the bucket that the Update makes for LogBucketName, if any."""
        return self.after[1] if self.after[1].startswith("named-") else ""

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
# Steps after which the role covers every bucket that the stack leaves.
INSIDE = pytest.mark.parametrize("step", [each for each in STEPS if not each.beyond], ids=str)


class Run(World):
    """A run of a step in which a call may fail; each event has the role for its properties."""

    def __init__(self, step: Step, at: int = NEVER, mode: str = "") -> None:
        super().__init__(step.scenario, confirms=True)
        assert self.old and self.new
        self.step, self.at, self.faults = step, (at, mode), Faults(at, mode)
        self.first: Properties = self.old
        self.second: Properties = self.new
        self.answer = self._updated()

    def _updated(self) -> Answer:
        """Handle the Update under test; if the function is killed, Lambda repeats the event."""
        self.role = role(self.second, self.account)
        event = self.stack.event("Update", self.second, self.first)
        answer = self.attempt(event, self.faults)
        if answer is None:
            self.clock.sleep(60)
            answer = self.stack.send(event, self.clients)
        self.account.confirm(ENDPOINT)
        return answer

    def send(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        self.role = role(given, self.account)
        return super().send(kind, given, old)

    def rolled_back(self) -> Answer:
        """Send the Update back, and return its answer."""
        return self.send("Update", self.first, self.second)

    @property
    def lasting(self) -> bool:
        """Return whether the failure stops the function from undoing its work in the same event."""
        return self.at[1] in ("denied", "throttled", "unanswered")

    def untold(self, *answers: Answer, lasting: bool = False) -> list[str]:
        """Return the differences, except those in a new bucket that an answer reports as kept."""
        texts = " ".join(_shown(each) for each in answers)
        made = self.step.made
        before, after = self.step.before, self.step.after
        new = {made, *after[2], after[1]} - {before[1], *before[2], ""}
        told = {each for each in new if each in texts}
        return [
            each
            for each in self.differs(self.start)
            if not (
                (lasting or (made and f"S3 bucket {made}:" in each))
                and any(name in each for name in told)
            )
        ]


def _shown(answer: Answer) -> str:
    """Return the part of an answer that CloudFormation shows."""
    return str(answer["Reason"]) if answer["Status"] == "FAILED" else data(answer, "Warnings")


@cache
def undisturbed(step: Step) -> tuple[Snapshot, int]:
    """Return the account after a step without failures, and the number of the step's calls."""
    run = Run(step)
    return run.account.snapshot(), len(run.faults.calls)


def points(step: Step, each: int) -> list[tuple[int, str]]:
    """Return every `each`-th failure point of a step."""
    return [(at, mode) for at in range(undisturbed(step)[1]) for mode in MODES][::each]


def failures(step: Step, tried: Iterable[tuple[int, str]]) -> Iterator[Run]:
    """Yield each run whose Update fails when a call fails at one of these points."""
    runs = (Run(step, at, mode) for at, mode in tried)
    return (each for each in runs if each.answer["Status"] != "SUCCESS")


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_it_is_done_and_can_be_taken_back(step: Step) -> None:
    """If the stack cannot leave a bucket, the Update warns, or fails and changes nothing."""
    run = Run(step)

    if not step.beyond:
        assert run.answer["Status"] == "SUCCESS", run.answer["Reason"]
    elif run.answer["Status"] == "SUCCESS":
        assert step.beyond in data(run.answer, "Warnings")
    else:
        assert step.beyond in run.answer["Reason"]
        assert "ExistingLogBucketNames" in run.answer["Reason"]
        assert run.differs(run.start) == []

    back = run.rolled_back()
    assert back["Status"] == "SUCCESS", back
    assert run.untold(back, lasting=True) == []


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_it_fails_and_is_rolled_back(
    step: Step, full: bool, record_property: Callable[[str, object], None]
) -> None:
    wrong: dict[tuple[int, str], list[str]] = {}
    tried = points(step, EACH[full])
    for run in failures(step, tried):
        back = run.rolled_back()
        found = run.untold(run.answer, back, lasting=run.lasting)
        if back["Status"] != "SUCCESS":
            found.append(f"not rolled back: {back['Reason']}")
        if found:
            wrong[run.at] = found

    record_property("changes of rights failed", len(tried))
    record_property("changes of rights failed wrong", len(wrong))
    assert wrong == {}


@INSIDE
def test_it_fails_where_rollback_is_disabled_and_is_sent_again(step: Step, full: bool) -> None:
    """If the failed Update has changed the account, its reason names the rollback."""
    inert = ("+ topics", "+ subscriptions")  # the Delete removes these
    wrong: dict[tuple[int, str], list[str]] = {}
    for run in failures(step, points(step, SOME[full])):
        silent = "roll" not in run.answer["Reason"].lower()
        found = [f"not told: {each}" for each in run.differs(run.start) if silent]
        again = run.send("Update", run.second, run.first)
        if again["Status"] == "SUCCESS":
            left = run.differs(undisturbed(step)[0])
            found += [e for e in left if TEST_FILE not in e and not e.startswith(inert)]
        else:
            found.append(f"not done: {again['Reason']}")
        run.send("Delete", run.second, run.second)
        found += [f"left: {topic}" for topic in run.topics()]
        if found:
            wrong[run.at] = found

    assert wrong == {}


@INSIDE
def test_the_operator_rolls_back_much_later_and_deletes_the_stack(step: Step) -> None:
    """The operator rolls back an hour after the Update failed; a Delete then ends all access."""
    for run in failures(step, ((at, "lost") for at in range(undisturbed(step)[1]))):
        run.clock.sleep(3600)
        back = run.rolled_back()
        assert back["Status"] == "SUCCESS", back
        assert run.untold(run.answer, back) == [], run.at
        run.sent("Delete", run.first)
        assert granted(run.account) == [], run.at
