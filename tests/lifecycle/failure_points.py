"""Every failure point: each scenario once for each call it makes and each way that call can fail.

The calls are recorded first, so that a new one is covered at once. A failure hits the k-th call;
`denied`, `throttled` and `unanswered` also every later call of the same operation in that event.
What CloudFormation does next runs without failures: a Delete after a failed Create, an Update back
after a failed Update, another Delete after a failed one; after a kill, Lambda repeats the event, or
CloudFormation goes on to its next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.fakeaws import Account, Clock

from .cloudformation import Properties, Stack, properties
from .snapshots import differences

Clients = Callable[[], tuple[object, object, object]]
MODES = ("denied", "throttled", "lost", "unanswered", "killed before", "killed after")


class Killed(BaseException):
    """The process is gone in the middle of a call."""


@dataclass
class Faults:
    """Lets the call number `at` fail in a mode; counts and names the calls."""

    at: int = -1
    mode: str = ""
    calls: list[str] = field(default_factory=list)
    _failing: str = ""

    def before(self, service: str, operation: str, params: object) -> None:
        number = len(self.calls)
        self.calls.append(f"{service}:{operation}")
        hit = number == self.at or (self._failing == operation and number > self.at)
        if not hit:
            return
        match self.mode:
            case "denied" | "throttled":
                self._failing = operation
                code = {"denied": "AccessDenied", "throttled": "ThrottlingException"}[self.mode]
                text = f"no identity-based policy allows the {operation} action"
                raise ClientError({"Error": {"Code": code, "Message": text}}, operation)
            case "killed before":
                raise Killed
            case "unanswered":
                self._failing = operation

    def after(self, service: str, operation: str, params: object) -> None:
        number = len(self.calls) - 1
        hit = number == self.at or (self._failing == operation and number > self.at)
        if hit and self.mode in ("lost", "unanswered"):
            raise ReadTimeoutError(endpoint_url="https://aws.example.com")
        if hit and self.mode == "killed after":
            raise Killed


@dataclass(frozen=True)
class Scenario:
    """An account as it is before, and the event under test as a step from one state to another.

    `prepare` sets up the account, and the stacks that are there already; `before` and `after` are
    the stack's properties around the event: None where it is not there.
    """

    name: str
    prepare: Callable[[Account, Clock], list[str]]
    before: Callable[[list[str]], Properties | None]
    after: Callable[[list[str]], Properties | None]


@dataclass
class World:
    """One run's account, clock and stack."""

    scenario: Scenario
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.arns = self.scenario.prepare(self.account, self.clock)
        self.stack = Stack(self.clock, seed=1)
        self.initial = self.account.snapshot()
        before = self.scenario.before(self.arns)
        if before is not None:
            answer = self.stack.create(before, self.clients)
            assert answer["Status"] == "SUCCESS", answer["Reason"]
        self.start = self.account.snapshot()

    def clients(self) -> tuple[object, object, object]:
        return (self.account.client("elbv2"), self.account.client("s3"), self.account.client("sns"))

    def failing(self) -> tuple[object, object, object]:
        hooks = {"before": self.faults.before, "after": self.faults.after}
        return (
            self.account.client("elbv2", **hooks),
            self.account.client("s3", **hooks),
            self.account.client("sns", **hooks),
        )

    def event(self) -> dict[str, object]:
        """Return the event under test."""
        old, new = self.stack.properties, self.scenario.after(self.arns)
        if old is None:
            assert new is not None
            return self.stack.event("Create", new)
        return self.stack.event("Delete", old) if new is None else self.stack.event("Update", new, old)


def recorded(scenario: Scenario) -> list[str]:
    """Return the calls that the event makes when nothing fails."""
    world = World(scenario)
    answer = world.stack.send(world.event(), world.failing)
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    return world.faults.calls


def points(scenario: Scenario) -> Iterator[tuple[int, str, bool]]:
    """Yield each failure point: the call's number, the mode, and whether Lambda repeats."""
    for number, _ in enumerate(recorded(scenario)):
        for mode in MODES:
            yield number, mode, False
            if mode.startswith("killed"):
                yield number, mode, True


def violations(scenario: Scenario, number: int, mode: str, repeated: bool) -> list[str]:
    """Try one failure point; return how the account differs from what it should be."""
    world = World(scenario)
    world.faults.at, world.faults.mode = number, mode
    event = world.event()
    try:
        status = world.stack.send(event, world.failing)["Status"]
    except Killed:
        status = "KILLED"
    world.clock.sleep(60)
    if status == "KILLED" and repeated:
        status = world.stack.send(event, world.clients)["Status"]
        if status != "SUCCESS":
            return [f"the repeated event failed: {status}"]
    return _settled(world, str(status))


def _settled(world: World, status: str) -> list[str]:
    """Let CloudFormation go on, and compare the account with what it is to be then."""
    stack, clients = world.stack, world.clients
    old, new = stack.properties, world.scenario.after(world.arns)
    if new is None:
        if status != "SUCCESS":
            assert old is not None
            stack.send(stack.event("Delete", old), clients)
        return differences(world.initial, world.account.snapshot())
    if old is None:
        answer = stack.send(stack.event("Delete", new), clients)
        return differences(world.initial, world.account.snapshot()) + _unless(answer)
    if status == "SUCCESS":
        again = stack.send(stack.event("Update", old, new), clients)
        return differences(world.start, world.account.snapshot()) + _unless(again)
    back = stack.send(stack.event("Update", old, new), clients)
    return differences(world.start, world.account.snapshot()) + _unless(back)


def _unless(answer: dict[str, object]) -> list[str]:
    return [] if answer["Status"] == "SUCCESS" else [f"not followed up: {answer['Reason']}"]


def new_alb(account: Account, clock: Clock) -> list[str]:
    return [account.add_load_balancer("web")]


def three_albs(account: Account, clock: Clock) -> list[str]:
    return [account.add_load_balancer(name) for name in ("web", "api", "shop")]


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("new bucket", new_alb, lambda arns: None, lambda arns: properties(*arns)),
    Scenario(
        "three load balancers", three_albs, lambda arns: None, lambda arns: properties(*arns)
    ),
    Scenario("delete", new_alb, lambda arns: properties(*arns), lambda arns: None),
    Scenario(
        "delete three", three_albs, lambda arns: properties(*arns), lambda arns: None
    ),
    Scenario(
        "exchange",
        three_albs,
        lambda arns: properties(arns[0], arns[1]),
        lambda arns: properties(arns[1], arns[2]),
    ),
    Scenario(
        "another vendor and endpoint",
        new_alb,
        lambda arns: properties(*arns),
        lambda arns: properties(
            *arns,
            DataTheoremAccountId="888877776666",
            NotificationEndpoint="https://logs.example.org/other",
            LogRetentionDays="90",
        ),
    ),
    Scenario(
        "another bucket",
        new_alb,
        lambda arns: properties(*arns),
        lambda arns: properties(*arns, LogBucketName="customers-own-name"),
    ),
)
