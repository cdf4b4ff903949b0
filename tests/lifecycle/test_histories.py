"""Random histories: stacks and customers change an account in any order, and invariants hold.

A second account receives only the customers' own changes. Once all stacks are gone, both accounts
must be equal. Until then, each invariant below must hold after every step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.drifts import (
    add_statement,
    announce,
    announcements,
    log_bucket,
    remove_statement,
    set_logging,
    statement,
)
from support.looks import logging_of, reads

from dt_logs_handler.aws import Aws
from dt_logs_handler.observe import observe
from dt_logs_handler.plan import plan
from dt_logs_handler.request import parse
from dt_logs_rehearsal.account import Account, Snapshot
from dt_logs_rehearsal.report.changes import differences
from dt_logs_rehearsal.scenarios.customers import CUSTOMERS, customers_bucket
from lifecycle.cloudformation import ENDPOINT, VENDOR, Properties, Stack, properties
from lifecycle.scenarios import QUEUE, Case

VENDORS = (VENDOR, "888877776666")
ELSEWHERE = "customers-other-logs"
STATEMENT = statement(
    CUSTOMERS,
    "Allow",
    {"AWS": "arn:aws:iam::555566667777:root"},
    "s3:GetObject",
    Sid="foreign",
    Resource=f"arn:aws:s3:::{CUSTOMERS}/foreign/*",
)
NAMES = ("web", "api", "shop", "admin")
ALBS = st.integers(0, len(NAMES) - 1)
WHERE: dict[str, dict[str, Any]] = {
    "never": {},
    "logs": {"bucket": CUSTOMERS, "prefix": "alb"},
    "off": {"bucket": CUSTOMERS, "prefix": "alb", "enabled": False},
    "off at root": {"bucket": CUSTOMERS, "enabled": False},
}
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "DataTheoremAccountId": st.sampled_from(VENDORS),
        "NotificationEndpoint": st.sampled_from((ENDPOINT, QUEUE)),
        "VendorReadScope": st.sampled_from(("LoadBalancer", "Location")),
        "LogBucketName": st.sampled_from(("", CUSTOMERS, "named-by-customer")),
        "LogRetentionDays": st.sampled_from(("30", "90")),
        "Privileges": st.sampled_from(("least-privilege", "documented")),
        "ResourceTags": st.sampled_from(([""], ["team=edge"])),
        "RunToken": st.sampled_from(("1", "2")),
    },
)


class History(RuleBasedStateMachine):
    """One account's history; `run` counts the histories."""

    run = 0

    @initialize(kinds=st.lists(st.sampled_from([*WHERE]), min_size=4, max_size=4))
    def begin(self, kinds: list[str]) -> None:
        def prepare(account: Account) -> list[str]:
            customers_bucket(account)
            log_bucket(account, ELSEWHERE)
            pairs = zip(NAMES, kinds, strict=True)
            return [account.add_load_balancer(name, **WHERE[kind]) for name, kind in pairs]

        self.case = Case(prepare)
        self.clock, self.arns, self.clients = self.case.clock, self.case.arns, self.case.clients
        self.account, self.customers = self.case.account, self.case.untouched
        self.gone: set[str] = set()
        self.stacks: dict[int, Stack] = {}
        self.made: dict[int, list[Stack]] = {}  # including deleted ones
        self.unseen: set[tuple[int, str]] = set()  # ALBs that changed after the stack read them
        self.documented = False
        self.places: dict[int, set[tuple[str, str]]] = {}

    def _properties(self, albs: set[int], choices: dict[str, Any]) -> Properties:
        self.documented |= choices.get("Privileges") == "documented"
        return properties(*(self.arns[each] for each in sorted(albs)), **choices)

    def _one(self, data: st.DataObject) -> tuple[int, Stack]:
        """Draw one of the existing stacks."""
        number = data.draw(st.sampled_from(sorted(self.stacks)))
        return number, self.stacks[number]

    def _changed(self, before: Snapshot, documented: bool = False) -> list[str]:
        return differences(before, self.account.snapshot(), documented=documented)

    @rule(number=st.integers(1, 3), albs=st.sets(ALBS, min_size=1), choices=CHOICES)
    def create(self, number: int, albs: set[int], choices: dict[str, Any]) -> None:
        if number in self.stacks:
            return
        made = self.made.setdefault(number, [])
        stack = Stack(self.clock, seed=number + 10 * sum(len(each.sent) for each in made))
        made.append(stack)
        before = self.account.snapshot()
        answer = stack.create(self._properties(albs, choices), self.clients)
        if answer["Status"] == "SUCCESS":
            self.stacks[number] = stack
            self._looked(number)
        else:
            assert not self._changed(before, self.documented)
            assert self._may_fail(albs), answer["Reason"]

    @precondition(lambda self: self.stacks)
    @rule(data=st.data(), albs=st.sets(ALBS, min_size=1), choices=CHOICES)
    def update(self, data: st.DataObject, albs: set[int], choices: dict[str, Any]) -> None:
        number, stack = self._one(data)
        answer = stack.update(self._properties(albs, choices), self.clients)
        assert answer["Status"] == "SUCCESS" or self._may_fail(albs), answer["Reason"]
        self._looked(number)  # after a failure, the Update back has read the ALBs

    @precondition(lambda self: self.stacks)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        number, stack = self._one(data)
        del self.stacks[number]
        self.unseen = {each for each in self.unseen if each[0] != number}
        answer = stack.delete(self.clients)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        before = self.account.snapshot()
        assert stack.send(stack.sent[-1], self.clients)["Status"] == "SUCCESS"
        assert not self._changed(before)

    @precondition(lambda self: self.stacks)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Send a stack's last event again, or an earlier event late.

        A Create searches only the buckets to which its own load balancers log. So only some late
        events find a newer registration, and can tell that they are late.
        """
        number, stack = self._one(data)
        event: Any = data.draw(st.sampled_from(stack.sent))
        asked = set(event["ResourceProperties"]["LoadBalancerArns"])
        if event is not stack.sent[-1] and not asked & set(self._named(stack)) - self.gone:
            return
        if any(each[0] == number for each in self.unseen):
            return  # this run may find the customer's change, which `update` tests
        before = self.account.snapshot()
        stack.send(event, self.clients)
        left = self._changed(before)
        # Once there is another stack, a registration of a whole location may become a list of ALBs.
        named = [each for each in left if "DTLogsAnalysis1Read" not in each]
        assert not (named if len(self.stacks) > 1 else left), left

    @precondition(lambda self: self.stacks)
    @rule(data=st.data(), age=st.sampled_from((0, 30, 1199, 1300)), times=st.integers(1, 2))
    def refresh(self, data: st.DataObject, age: int, times: int) -> None:
        """Send the schedule's event, sometimes late or twice."""
        _, stack = self._one(data)
        if stack.privileges == "documented":  # documented stacks do not have a schedule
            return
        before = self.account.snapshot()
        for _ in range(times):
            stack.refresh(self.clients, at=self.clock() - age)
        assert age < 1200 or not self._changed(before)

    @rule(data=st.data())
    def much_later(self, data: st.DataObject) -> None:
        """Send an event again after CloudFormation has stopped waiting for its answer."""
        if not self.made:
            return
        made = self.made[data.draw(st.sampled_from(sorted(self.made)))]
        event = data.draw(st.sampled_from([event for stack in made for event in stack.sent]))
        self.clock.sleep(1300)
        before = self.account.snapshot()
        Stack(self.clock, seed=7).send(event, self.clients)
        assert self.account.snapshot() == before

    @rule(present=st.booleans())
    def foreign_statement(self, present: bool) -> None:
        self.case.customer(partial(remove_statement, bucket=CUSTOMERS, sid="foreign"))
        if present:
            self.case.customer(partial(add_statement, bucket=CUSTOMERS, added=STATEMENT))

    @rule(prefix=st.sampled_from(("foreign/", "alb2/", None)))
    def foreign_notification(self, prefix: str | None) -> None:
        def change(account: Account) -> None:
            found = announcements(account, CUSTOMERS)
            queues = [one for one in found["QueueConfigurations"] if one["Id"] != "foreign"]
            if prefix:
                rules = [{"Name": "prefix", "Value": prefix}]
                entry = {**queues[0], "Id": "foreign", "Filter": {"Key": {"FilterRules": rules}}}
                queues.append(entry)
            announce(account, CUSTOMERS, {**found, "QueueConfigurations": queues})

        self.case.customer(change)

    @rule(alb=ALBS, prefix=st.sampled_from(("", "moved")))
    def move(self, alb: int, prefix: str) -> None:
        """Let the customer send an ALB's logs elsewhere."""
        self._set(alb, enabled="true", bucket=ELSEWHERE, prefix=prefix)

    @rule(alb=ALBS)
    def switch_off(self, alb: int) -> None:
        """Let the customer switch off an ALB's logging."""
        self._set(alb, enabled="false")

    def _set(self, alb: int, **values: str) -> None:
        arn = self.arns[alb]
        if arn in self.gone:
            return
        self.case.customer(partial(set_logging, arn=arn, **values))
        self.unseen |= {(number, arn) for number in self.stacks}

    @property
    def touched(self) -> set[str]:
        """Return the ARNs of ALBs that changed since the last run of a stack that covers them."""
        return {
            arn
            for number, arn in self.unseen
            if arn in self._named(self.stacks[number])
            or (self.stacks[number].properties or {})["VendorReadScope"] == "Location"
        }

    @precondition(lambda self: len(self.stacks) > 1)
    @rule(alb=ALBS)
    def vanish(self, alb: int) -> None:
        """Let the customer delete an ALB."""
        arn = self.arns[alb]
        if arn not in self.gone and len(self.gone) < 2:
            self.gone.add(arn)
            self.unseen |= {(number, arn) for number in self.stacks}
            self.case.customer(lambda account: account.world.load_balancers.pop(arn))

    def _may_fail(self, albs: set[int]) -> bool:
        return any(self.arns[each] in self.gone for each in albs)

    def _looked(self, number: int) -> None:
        """Record that a stack has read its ALBs, and check that it has nothing left to do."""
        stack = self.stacks[number]
        assert stack.properties is not None
        self.unseen = {each for each in self.unseen if each[0] != number}
        self.places[number] = {
            logging_of(self.account, arn)[1:] for arn in self._named(stack) if arn not in self.gone
        }
        event = stack.event("Update", stack.properties, stack.properties)
        request = parse(event, self.clock())
        elbv2, s3, sns = self.clients()
        aws = Aws(elbv2, s3, sns, self.clock, self.clock.sleep, stack.random, self.clock() + 900)  # type: ignore[arg-type]
        assert not plan(request, observe(aws, request)).changes

    @invariant()
    def the_customers_logging_is_untouched(self) -> None:
        for arn, found in self.customers.world.load_balancers.items():
            if found.attributes["access_logs.s3.enabled"] == "true":
                assert self.account.world.load_balancers[arn].attributes == found.attributes

    @invariant()
    def it_logs_while_a_stack_registers_it(self) -> None:
        for arn in set(self.arns) - self.gone - self.touched:
            if logging_of(self.customers, arn)[0] == "true":
                continue
            logs = logging_of(self.account, arn)[0]
            named = any(arn in self._named(stack) for stack in self.stacks.values())
            assert logs == "true" or not named
            assert logs == "false" or self._readers(arn)

    @invariant()
    def the_vendor_reads_what_is_registered(self) -> None:
        for arn in set(self.arns) - self.gone:
            if logging_of(self.account, arn)[0] != "true":
                continue
            for vendor in VENDORS:
                can = reads(self.account, arn, vendor)
                wanted = vendor in self._readers(arn)
                assert can <= wanted, (arn, vendor, "reads what is not registered")
                if arn not in self.touched:
                    assert can == wanted, (arn, vendor, "does not read what is registered")

    def _named(self, stack: Stack) -> list[str]:
        arns = (stack.properties or {})["LoadBalancerArns"]
        assert isinstance(arns, list)
        return arns

    def _readers(self, arn: str) -> set[object]:
        """Return the vendors of the stacks that name an ALB, or that cover its whole location."""
        here = logging_of(self.account, arn)[1:]
        readers = set()
        for number, stack in self.stacks.items():
            found = stack.properties or {}
            whole = found["VendorReadScope"] == "Location" and here in self.places[number]
            if arn in self._named(stack) or whole:
                readers.add(found["DataTheoremAccountId"])
        return readers

    def teardown(self) -> None:
        if not hasattr(self, "arns"):
            return
        History.run += 1
        for stack in self.stacks.values():
            answer = stack.delete(self.clients)
            assert answer["Status"] == "SUCCESS", answer["Reason"]
        assert not self._changed(self.customers.snapshot(), self.documented)


@pytest.mark.parametrize("chunk", range(8))
def test_random_histories(
    chunk: int, full: bool, record_property: Callable[[str, object], None]
) -> None:
    # Hypothesis derives its choices from the class's name, so each chunk gets different choices.
    machine = type(f"History{chunk}", (History,), {"run": 0})
    run = settings(
        max_examples=125 if full else 10,
        stateful_step_count=30 if full else 15,
        deadline=None,
        derandomize=True,
        # Shrinking would take minutes, and a history that fails is reproducible without it.
        phases=[Phase.generate],
        report_multiple_bugs=False,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    before = History.run
    run_state_machine_as_test(machine, settings=run)
    record_property("random histories run", History.run - before)
