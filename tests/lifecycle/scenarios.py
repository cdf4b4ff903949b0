"""One customer's account with one stack, for tests that send one event after another.

A second account receives only the customer's own changes. Once the stack is gone, the two accounts
must be equal. Each of SCENARIOS is a typical customer's account, and one event to test in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from support import events
from support.drifts import EVERYTHING
from support.looks import logging_of

from dt_logs_cfn.canonical import dumps
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.templates import stack_template
from dt_logs_handler.register import Registration, registrations
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

Prepare = Callable[[Account], list[str]]
Given = Callable[[list[str]], Properties | None]
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
    before: Given
    after: Given


def balancers(enabled: bool, **prefixes: str | None) -> Prepare:
    """Return a function that makes ALBs that have these prefixes in the customer's bucket.

    An ALB whose prefix is None has never logged. If not `enabled`, the other ALBs' logging is off.
    """

    def prepare(account: Account) -> list[str]:
        customers_bucket(account)
        return [
            account.add_load_balancer(name)
            if prefix is None
            else account.add_load_balancer(name, bucket=CUSTOMERS, prefix=prefix, enabled=enabled)
            for name, prefix in prefixes.items()
        ]

    return prepare


switched_off = balancers(False, web="alb", api="")


def clients_of(account: Account, **hooks: Any) -> tuple[object, object, object]:
    """Return the handler's three clients, for ELB, S3 and SNS."""
    return (
        account.client("elbv2", **hooks),
        account.client("s3", **hooks),
        account.client("sns", **hooks),
    )


class Case:
    """An account that `prepare` sets up, and a stack whose events are handled in it.

    The policies in `role` limit the function; if there are none, it may do everything. The
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
        self.given = self.was = properties(*self.arns)
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
        self, kind: str, given: Properties, old: Properties | None = None, *seconds: float
    ) -> Answer:
        """Send an event, confirm the subscriptions if `confirms`, and return the answer.

        The function times out after `seconds`, by default as in the template.
        """
        answer = self.stack.run(kind, given, self.clients, old, *seconds)
        if self.confirms:
            self.customer(lambda account: account.confirm(ENDPOINT))
        return answer

    def sent(
        self, kind: str, given: Properties, old: Properties | None = None, *seconds: float
    ) -> Answer:
        """Send an event that must succeed, and return its answer."""
        return _succeeded(self.send(kind, given, old, *seconds))

    def ask(self, kind: str, **changes: object) -> Answer:
        """Send an event with these changes to the stack's last properties; it may fail."""
        self.given, self.was = {**self.given, **changes}, self.given
        return self.send(kind, self.given, self.was)

    def create(self, *arns: str, **changes: object) -> Answer:
        """Create the stack for these load balancers, or for all; it must succeed."""
        named = {"LoadBalancerArns": list(arns)} if arns else {}
        return _succeeded(self.ask("Create", **named, **changes))

    def update(self, **changes: object) -> Answer:
        """Update the stack, which must succeed; by default, only run it again."""
        return _succeeded(self.ask("Update", **(changes or {"RunToken": "again"})))

    def back(self) -> Answer:
        """Send the Update back, which must succeed."""
        return _succeeded(self.ask("Update", **self.was))

    def delete(self) -> Answer:
        """Delete the stack, which must succeed."""
        return _succeeded(self.ask("Delete"))

    def fails(self, kind: str, **changes: object) -> str:
        """Send an event that must fail, and return its reason."""
        answer = self.ask(kind, **changes)
        assert answer["Status"] == "FAILED"
        return str(answer["Reason"])

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

    def ends(self, given: Properties | None = None, *seconds: float) -> None:
        """Delete the stack, and check that it leaves nothing."""
        self.sent("Delete", given or self.given, None, *seconds)
        assert self.left() == []

    def topics(self) -> list[str]:
        """Return the ARNs of our topics."""
        return [each for each in self.account.world.topics if ":dt-logs-analysis-" in each]


def _succeeded(answer: Answer) -> Answer:
    assert answer["Status"] == "SUCCESS", answer["Reason"]
    return answer


class Shared(Case):
    """An account with the stack `HERE`, in which another stack, `THERE`, can have events too."""

    def __init__(self, prepare: Prepare) -> None:
        super().__init__(prepare, events.REGION)
        self.stack.id = events.STACK
        self.neighbour = Stack(self.clock, region=events.REGION, id=events.OTHER_STACK, seed=2)

    def other(self, *event: Any) -> Answer:
        """Send an event of the other stack, and return its answer."""
        self.stack, self.neighbour = self.neighbour, self.stack
        answer = self.send(*event)
        self.stack, self.neighbour = self.neighbour, self.stack
        return answer

    def claims(self, bucket: str) -> list[Registration]:
        """Return all stacks' registrations in a bucket."""
        return registrations(self.account.world.buckets[bucket].policy.latest, bucket, events.HERE)

    def ends_at(self, topic: str) -> list[str]:
        """Return the endpoints that are subscribed to a topic."""
        return [e.endpoint for e in self.account.world.subscriptions.values() if e.topic == topic]

    def logging(self, number: int = 0) -> tuple[str, str, str]:
        """Return a load balancer's access-log attributes: enabled, bucket, prefix."""
        return logging_of(self.account, self.arns[number])

    def vanishes(self, arn: str) -> None:
        """Delete a load balancer, as the customer."""
        self.customer(lambda account: account.world.load_balancers.pop(arn))


class World(Case):
    """One run of a scenario, prepared up to the event under test.

    If `roles` is true, each event runs under the role for its properties, because CloudFormation
    changes the role first. Subscriptions are then confirmed, too.
    """

    def __init__(self, scenario: Scenario, confirms: bool = False, roles: bool = False) -> None:
        super().__init__(scenario.prepare)
        self.scenario, self.confirms, self.roles = scenario, confirms or roles, roles
        self.old, self.new = scenario.before(self.arns) or {}, scenario.after(self.arns) or {}
        if self.old:
            self.sent("Create", self.old)
        self.start = self.account.snapshot()

    def event(self) -> dict[str, object]:
        """Return the event under test."""
        kind = "Create" if not self.old else "Update" if self.new else "Delete"
        self._has_role(self.new)
        return self.stack.event(kind, self.new or self.old, self.old)

    def send(
        self, kind: str, given: Properties, old: Properties | None = None, *seconds: float
    ) -> Answer:
        self._has_role(given)
        return super().send(kind, given, old, *seconds)

    def _has_role(self, given: Properties) -> None:
        if self.roles:
            self.role = role(given, self.account)

    def rolled_back(self) -> Answer:
        """Send the Update back, and return its answer."""
        return self.send("Update", self.old, self.new)


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


def nothing(arns: list[str]) -> None:
    """Return None, because there is no stack."""


def given(*numbers: int, **changed: object) -> Callable[[list[str]], Properties]:
    """Return a function that makes a stack's properties, with these ALBs (by number) or all."""
    return lambda arns: properties(*([arns[each] for each in numbers] or arns), **changed)


ALL, EVERY = given(), given(LoadBalancerArns=["*"])


def _with_another_stack(prepare: Prepare) -> Prepare:
    """Extend `prepare`, so that another stack has onboarded the first two ALBs."""

    def prepared(account: Account) -> list[str]:
        arns = prepare(account)
        other = Stack(account.clock, seed=99)
        _succeeded(other.create(properties(*arns[:2]), lambda: clients_of(account)))
        return arns

    return prepared


NAMED = given(LogBucketName="customers-own-name")
QUEUED = given(NotificationEndpoint=QUEUE)
OF_DOCUMENTED = given(Privileges="documented")
SCENARIOS: tuple[Scenario, ...] = (
    Scenario("new bucket", new, nothing, ALL),
    Scenario("three load balancers", three, nothing, ALL),
    Scenario("delete", new, ALL, nothing),
    Scenario("delete three", three, ALL, nothing),
    Scenario("exchange", three, given(0, 1), given(1, 2)),
    Scenario(
        "another vendor, endpoint and retention",
        new,
        ALL,
        given(
            DataTheoremAccountId="888877776666",
            NotificationEndpoint=QUEUE,
            LogRetentionDays="90",
            ResourceTags=["team=edge"],
        ),
    ),
    Scenario("back to the first endpoint", new, QUEUED, ALL),
    Scenario("another bucket", new, ALL, NAMED),
    Scenario("adopted", logging, nothing, QUEUED),
    Scenario("delete adopted", logging, QUEUED, nothing),
    Scenario("another scope", logging, ALL, given(VendorReadScope="Location")),
    Scenario("switched off", switched_off, nothing, ALL),
    Scenario("delete switched off", switched_off, ALL, nothing),
    Scenario("named bucket", new, nothing, NAMED),
    Scenario("delete named bucket", new, NAMED, nothing),
    Scenario("a topic that is there", announced, nothing, QUEUED),
    Scenario("leave a topic", announced, QUEUED, nothing),
    Scenario("join a stack", _with_another_stack(three), nothing, ALL),
    Scenario("leave a stack", _with_another_stack(three), ALL, nothing),
    Scenario("join on adopted", _with_another_stack(logging), nothing, given(0)),
    Scenario("leave on adopted", _with_another_stack(logging), given(0), nothing),
    Scenario("documented", new, nothing, OF_DOCUMENTED),
    Scenario("delete documented", new, OF_DOCUMENTED, nothing),
    Scenario("documented, adopted", logging, nothing, OF_DOCUMENTED),
    Scenario("all load balancers", logging, nothing, EVERY),
    Scenario("all new load balancers", three, nothing, EVERY),
    Scenario("delete all load balancers", three, EVERY, nothing),
)
