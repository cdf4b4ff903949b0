"""One customer's account with one stack, for tests that send one event after another.

A second account receives only the customer's own changes. Once the stack is gone, the two accounts
must be equal. Each of SCENARIOS is an account like a customer's, and one event to test in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from support.drifts import EVERYTHING
from support.running import FUNCTION_SECONDS

from dt_logs_cfn.canonical import dumps
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.templates import stack_template
from dt_logs_rehearsal.account import Account, Clock, Hook, Snapshot
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.report.changes import differences
from dt_logs_rehearsal.scenarios.customers import (
    CUSTOMERS,
    announced,
    customers_bucket,
    logging,
    new,
    three,
)
from lifecycle.cloudformation import ENDPOINT, Answer, Clients, Properties, Stack, properties
from lifecycle.faults import Faults, Killed

DOCUMENTED = {"Privileges": "documented"}
Prepare = Callable[[Account], list[str]]
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:logs"


Policies = Sequence[Mapping[str, Any]]
PRIVILEGES = pytest.mark.parametrize("privileges", ["least-privilege", "documented"])


@dataclass(frozen=True)
class Scenario:
    """An account, and the event under test, which takes the stack from one state to another.

    `prepare` sets up the account, including other stacks, and returns the ALBs' ARNs. `before` and
    `after` are the stack's properties before and after the event, or None if there is no stack.
    """

    name: str
    prepare: Prepare
    before: Callable[[list[str]], Properties | None]
    after: Callable[[list[str]], Properties | None]


def switched_off(account: Account) -> list[str]:
    """Make two ALBs whose logging is off, although a bucket is still set."""
    customers_bucket(account)
    return [
        account.add_load_balancer("web", bucket=CUSTOMERS, prefix="alb", enabled=False),
        account.add_load_balancer("api", bucket=CUSTOMERS, enabled=False),
    ]


def clients_of(account: Account, **hooks: Any) -> tuple[object, object, object]:
    """Return the handler's three clients, for ELB, S3 and SNS."""
    return (
        account.client("elbv2", **hooks),
        account.client("s3", **hooks),
        account.client("sns", **hooks),
    )


class Case:
    """An account that `prepare` sets up, and a stack whose events are handled in it.

    The policies of its `role` limit the function; without any, the function may do everything. The
    service control policies in `forbidden` always apply. `before` and `after` are called around
    each of the function's calls, and may raise.
    """

    def __init__(
        self, prepare: Prepare, region: str = "eu-west-1", partition: str = "aws", **more: Any
    ) -> None:
        self.clock = Clock()
        self.account, self.untouched = (
            Account("123456789012", region, partition, clock=self.clock, **more) for _ in range(2)
        )
        self.arns = prepare(self.account)
        assert prepare(self.untouched) == self.arns
        self.stack = Stack(self.clock, region=region, partition=partition, seed=1)
        self.role: Policies = ()
        self.forbidden: Policies = ()
        self.before: Hook = no_hook
        self.after: Hook = no_hook
        self.confirms = True

    def customer(self, *changes: Callable[[Account], object]) -> None:
        """Make a customer's changes, in the account and in its copy without a stack."""
        for change in changes:
            change(self.account)
            change(self.untouched)

    def clients(self, **hooks: Hook) -> tuple[object, object, object]:
        """Return the function's clients; `hooks` replace `before` and `after`."""
        caller = None
        if self.role or self.forbidden:
            caller = self.account.caller([*(self.role or [EVERYTHING]), *self.forbidden])
        hooks = {"before": self.before, "after": self.after, **hooks}
        return clients_of(self.account, caller=caller, **hooks)

    def failing(self, faults: Faults) -> Clients:
        """Return a function that makes clients with the hooks of `faults`."""
        return lambda: self.clients(before=faults.before, after=faults.after)

    def send(
        self,
        kind: str,
        given: Properties,
        old: Properties | None = None,
        seconds: float = FUNCTION_SECONDS,
    ) -> Answer:
        """Send an event, confirm the subscriptions if `confirms`, and return the answer.

        The function times out after `seconds`.
        """
        answer = self.stack.send(self.stack.event(kind, given, old), self.clients, seconds)
        if self.confirms:
            self.customer(lambda account: account.confirm(ENDPOINT))
        return answer

    def sent(
        self, kind: str, given: Properties, old: Properties | None = None, *seconds: float
    ) -> Answer:
        """Send an event that must succeed, and return its answer."""
        answer = self.send(kind, given, old, *seconds)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return answer

    def attempt(self, event: Mapping[str, object], faults: Faults) -> Answer | None:
        """Handle an event in which a call may fail; return None if the process is killed."""
        try:
            return self.stack.send(event, self.failing(faults))
        except Killed:
            return None

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket and its objects, but only in the account with the stack."""
        del self.account.world.buckets[name]

    def differs(self, since: Snapshot) -> list[str]:
        """Return how the account differs from a snapshot."""
        documented = self.stack.privileges == "documented"
        return differences(since, self.account.snapshot(), documented=documented)

    def left(self) -> list[str]:
        """Return how the account differs from its copy that never had a stack."""
        return self.differs(self.untouched.snapshot())

    def ends(self, given: Properties, *seconds: float) -> None:
        """Delete the stack, and check that it leaves nothing."""
        self.sent("Delete", given, None, *seconds)
        assert self.left() == []

    def topics(self) -> list[str]:
        """Return the ARNs of our topics."""
        return [each for each in self.account.world.topics if ":dt-logs-analysis-" in each]


class World(Case):
    """One run of a scenario, prepared up to the event under test."""

    def __init__(self, scenario: Scenario, confirms: bool = False) -> None:
        super().__init__(scenario.prepare)
        self.scenario, self.confirms = scenario, confirms
        self.old, self.new = scenario.before(self.arns), scenario.after(self.arns)
        if self.old is not None:
            self.sent("Create", self.old)
        self.start = self.account.snapshot()

    def event(self) -> dict[str, object]:
        """Return the event under test."""
        if self.new is None:
            assert self.old is not None
            return self.stack.event("Delete", self.old)
        return self.stack.event("Update" if self.old else "Create", self.new, self.old)


def data(answer: Answer, key: str) -> str:
    """Return the value of a stack output in an answer, or an empty string if it is missing."""
    found: dict[str, str] = answer["Data"]
    return found.get(key, "")


def told(answer: Answer, printed: str) -> str:
    """Return everything that a run reported: its reason, its output values and its log."""
    return " ".join((str(answer["Reason"]), json.dumps(answer["Data"]), printed))


@cache
def _template(privileges: str) -> Any:
    return json.loads(dumps(stack_template(Settings(()), Privileges(privileges)).to_dict()))


def role(given: Mapping[str, Any], account: Account, stack_id: str = "") -> list[Any]:
    """Return the policies of the execution role of a stack with these properties."""
    document = _template(given["Privileges"])
    values = {
        name: ",".join(given[name]) if isinstance(given[name], list) else str(given[name])
        for name in document["Parameters"]
        if name in given
    }
    here = (account.partition, account.region, account.account_id)
    stack = ResolvedTemplate(document, values, *here, pseudo={"AWS::StackId": stack_id})
    policies = stack.properties("DTLogsAnalysisLambdaExecutionRole")["Policies"]
    return [each["PolicyDocument"] for each in policies]


def _nothing(arns: list[str]) -> None:
    return None


def _all(**changed: object) -> Callable[[list[str]], Properties]:
    return lambda arns: properties(*arns, **changed)


def _one(number: int, **changed: object) -> Callable[[list[str]], Properties]:
    return lambda arns: properties(arns[number], **changed)


def _every(arns: list[str]) -> Properties:
    return properties("*")


def _with_another_stack(prepare: Prepare, *numbers: int, **changed: object) -> Prepare:
    """Extend `prepare`, so that another stack onboards some of the ALBs first."""

    def prepared(account: Account) -> list[str]:
        arns = prepare(account)
        other = Stack(account.clock, seed=99)
        clients: Clients = lambda: clients_of(account)  # noqa: E731
        answer = other.create(properties(*(arns[each] for each in numbers), **changed), clients)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return arns

    return prepared


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("new bucket", new, _nothing, _all()),
    Scenario("three load balancers", three, _nothing, _all()),
    Scenario("delete", new, _all(), _nothing),
    Scenario("delete three", three, _all(), _nothing),
    Scenario(
        "exchange", three, lambda arns: properties(*arns[:2]), lambda arns: properties(*arns[1:])
    ),
    Scenario(
        "another vendor, endpoint and retention",
        new,
        _all(),
        _all(
            DataTheoremAccountId="888877776666",
            NotificationEndpoint=QUEUE,
            LogRetentionDays="90",
            ResourceTags=["team=edge"],
        ),
    ),
    Scenario("back to the first endpoint", new, _all(NotificationEndpoint=QUEUE), _all()),
    Scenario("another bucket", new, _all(), _all(LogBucketName="customers-own-name")),
    Scenario("adopted", logging, _nothing, _all(NotificationEndpoint=QUEUE)),
    Scenario("delete adopted", logging, _all(NotificationEndpoint=QUEUE), _nothing),
    Scenario("another scope", logging, _all(), _all(VendorReadScope="Location")),
    Scenario("switched off", switched_off, _nothing, _all()),
    Scenario("delete switched off", switched_off, _all(), _nothing),
    Scenario("named bucket", new, _nothing, _all(LogBucketName="customers-own-name")),
    Scenario("delete named bucket", new, _all(LogBucketName="customers-own-name"), _nothing),
    Scenario("a topic that is there", announced, _nothing, _all(NotificationEndpoint=QUEUE)),
    Scenario("leave a topic", announced, _all(NotificationEndpoint=QUEUE), _nothing),
    Scenario("join a stack", _with_another_stack(three, 0, 1), _nothing, _all()),
    Scenario("leave a stack", _with_another_stack(three, 0, 1), _all(), _nothing),
    Scenario("join on adopted", _with_another_stack(logging, 0, 1), _nothing, _one(0)),
    Scenario("leave on adopted", _with_another_stack(logging, 0, 1), _one(0), _nothing),
    Scenario("documented", new, _nothing, _all(**DOCUMENTED)),
    Scenario("delete documented", new, _all(**DOCUMENTED), _nothing),
    Scenario("documented, adopted", logging, _nothing, _all(**DOCUMENTED)),
    Scenario("all load balancers", logging, _nothing, _every),
    Scenario("all new load balancers", three, _nothing, _every),
    Scenario("delete all load balancers", three, _every, _nothing),
)
