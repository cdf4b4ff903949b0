"""One customer's account with one stack, for tests that send one event after another.

A second account receives only the customer's own changes. Once the stack is gone, the two accounts
must be the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from support.drifts import EVERYTHING
from support.looks import changed

from dt_logs_rehearsal.account import Account, Clock, Hook
from dt_logs_rehearsal.account.client import no_hook
from lifecycle.cloudformation import ENDPOINT, Properties, Stack
from lifecycle.scenarios import clients_of

Answer = dict[str, Any]


class Case:
    """An account that `prepare` sets up, and a stack whose events are handled in it.

    `forbidden` are policies that deny the function something, as service control policies do.
    `before` is called before each of the function's calls takes effect, and may raise.
    """

    def __init__(
        self,
        prepare: Callable[[Account], list[str]],
        region: str = "eu-west-1",
        partition: str = "aws",
    ) -> None:
        self.clock = Clock()
        self.account, self.untouched = (
            Account("123456789012", region, partition, clock=self.clock) for _ in range(2)
        )
        self.arns = prepare(self.account)
        assert prepare(self.untouched) == self.arns
        self.stack = Stack(self.clock, region=region, partition=partition, seed=1)
        self.forbidden: Sequence[Mapping[str, Any]] = ()
        self.before: Hook = no_hook

    def customer(self, *changes: Callable[[Account], object]) -> None:
        """Let the customer change the account."""
        for change in changes:
            change(self.account)
            change(self.untouched)

    def clients(self) -> tuple[object, object, object]:
        """Return the function's clients."""
        caller = None
        if self.forbidden:
            caller = self.account.caller([EVERYTHING, *self.forbidden])
        return clients_of(self.account, caller=caller, before=self.before)

    def send(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        """Send an event, confirm every subscription, and return the answer."""
        answer: Answer = self.stack.send(self.stack.event(kind, given, old), self.clients)
        self.account.confirm(ENDPOINT)
        return answer

    def sent(self, kind: str, given: Properties, old: Properties | None = None) -> Answer:
        """Send an event that has to succeed, and return its answer."""
        answer = self.send(kind, given, old)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return answer

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket and everything in it, in the stack's account only."""
        del self.account.world.buckets[name]

    def left(self) -> list[str]:
        """Return how the account differs from the one that never had a stack."""
        documented = self.stack.privileges == "documented"
        return changed(self.untouched.snapshot(), self.account.snapshot(), documented=documented)

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
