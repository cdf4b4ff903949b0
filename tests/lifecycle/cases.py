"""One customer's account with one stack, for tests that send one event after another.

A second account receives only the customer's own changes. Once the stack is gone, the two accounts
must be the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from support.drifts import EVERYTHING

from dt_logs_rehearsal.account import Account, Clock, Hook, Snapshot
from dt_logs_rehearsal.account.client import no_hook
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import ENDPOINT, Clients, Properties, Stack
from lifecycle.faults import Faults, Killed
from lifecycle.scenarios import Prepare, clients_of

Answer = dict[str, Any]
Policies = Sequence[Mapping[str, Any]]
PRIVILEGES = pytest.mark.parametrize("privileges", ["least-privilege", "documented"])


class Case:
    """An account that `prepare` sets up, and a stack whose events are handled in it.

    The function may do what the policies of its `role` allow, or everything without any, except
    what is `forbidden`, as by service control policies. `before` and `after` are called around each
    of the function's calls, and may raise.
    """

    def __init__(self, prepare: Prepare, region: str = "eu-west-1", partition: str = "aws") -> None:
        self.clock = Clock()
        self.account, self.untouched = (
            Account("123456789012", region, partition, clock=self.clock) for _ in range(2)
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
        """Let the customer change the account."""
        for change in changes:
            change(self.account)
            change(self.untouched)

    def clients(self, **hooks: Hook) -> tuple[object, object, object]:
        """Return the function's clients, maybe with other hooks."""
        caller = None
        if self.role or self.forbidden:
            caller = self.account.caller([*(self.role or [EVERYTHING]), *self.forbidden])
        hooks = {"before": self.before, "after": self.after, **hooks}
        return clients_of(self.account, caller=caller, **hooks)

    def failing(self, faults: Faults) -> Clients:
        """Return a function that makes clients, one of whose calls may fail."""
        return lambda: self.clients(before=faults.before, after=faults.after)

    def send(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        """Send an event, let the endpoint confirm its subscriptions, and return the answer."""
        answer: Answer = self.stack.send(self.stack.event(kind, given, old), self.clients)
        if self.confirms:
            self.customer(lambda account: account.confirm(ENDPOINT))
        return answer

    def sent(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        """Send an event that has to succeed, and return its answer."""
        answer = self.send(kind, given, old)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return answer

    def attempt(self, event: Mapping[str, object], faults: Faults) -> Answer | None:
        """Handle an event while a call may fail; return no answer if the process was killed."""
        try:
            return self.stack.send(event, self.failing(faults))
        except Killed:
            return None

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket and everything in it, in the stack's account only."""
        del self.account.world.buckets[name]

    def differs(self, since: Snapshot) -> list[str]:
        """Return how the account differs from a snapshot."""
        documented = self.stack.privileges == "documented"
        return differences(since, self.account.snapshot(), documented=documented)

    def left(self) -> list[str]:
        """Return how the account differs from the one that never had a stack."""
        return self.differs(self.untouched.snapshot())

    def ends(self, given: Properties) -> None:
        """Delete the stack, and check that nothing of it is left."""
        self.sent("Delete", given)
        assert self.left() == []

    def topics(self) -> list[str]:
        """Return the ARNs of our topics."""
        return [each for each in self.account.world.topics if ":dt-logs-analysis-" in each]


def data(answer: Answer, key: str) -> str:
    """Return an answer's value for an output of the stack, or an empty string without one."""
    found: dict[str, str] = answer["Data"]
    return found.get(key, "")


def told(answer: Answer, printed: str) -> str:
    """Return everything that a run reported: its reason, its output values, its log."""
    return " ".join((str(answer["Reason"]), json.dumps(answer["Data"]), printed))
