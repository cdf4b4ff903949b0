"""A scenario being played: what a customer does, step by step, and what is written down of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Account, Consistency, Snapshot, diff
from dt_logs_rehearsal.account.elbv2.access_log import Visit, log_file
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.report.data import Attempt, Report, StackEvent, Stage
from dt_logs_rehearsal.sandbox import Sandbox
from dt_logs_rehearsal.scenarios.differences import differences
from dt_logs_rehearsal.scenarios.released import Released
from dt_logs_rehearsal.vendor import ENDPOINT, VENDOR

STACK = "dt-logs-analysis"
_CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")


@dataclass
class Play:
    """What a scenario uses; everything that it does is told in the report."""

    sandbox: Sandbox
    released: Released
    role: str
    stages: list[Stage] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    _visits: int = 0

    @property
    def account(self) -> Account:
        """The emulated account, to arrange and to look at."""
        return self.sandbox.account

    @property
    def documented(self) -> bool:
        """Whether the stack runs under the documented privileges."""
        return self.released.privileges is Privileges.DOCUMENTED

    def create(self, *load_balancers: str, name: str = STACK, **parameters: str) -> Stack:
        """Create a stack for load balancers."""
        asked = self._asked(load_balancers, parameters)

        def create() -> Stack:
            return self.sandbox.cloudformation.create(name, asked, _CAPABILITIES, self.role)

        return self._stage(f"Create {name}", create)

    def update(self, stack: Stack, *load_balancers: str, **parameters: str) -> None:
        """Update a stack to other load balancers, or other parameters."""
        asked = self._asked(load_balancers, parameters)

        def update() -> Stack:
            self.sandbox.cloudformation.update(stack, asked, _CAPABILITIES)
            return stack

        self._stage(f"Update {stack.name}", update)

    def delete(self, stack: Stack) -> None:
        """Delete a stack."""

        def delete() -> Stack:
            self.sandbox.cloudformation.delete(stack)
            return stack

        self._stage(f"Delete {stack.name}", delete)

    def _asked(self, load_balancers: tuple[str, ...], parameters: Mapping[str, str]) -> Asked:
        given = {
            "LoadBalancerArns": ",".join(load_balancers),
            "DataTheoremAccountId": VENDOR,
            "NotificationEndpoint": ENDPOINT,
            **parameters,
        }
        # The documented service role may not tag anything: its stacks have no tags.
        tags = {"owner": "edge-team"} if self.released.role_kind == "lifecycle" else {}
        return Asked(self.released.stack, given, tags)

    def _stage(self, title: str, action: Callable[[], Stack]) -> Stack:
        sandbox = self.sandbox
        events, calls, before = len(sandbox.events), len(sandbox.calls), self.snapshot()
        stack = action()
        sandbox.vendor.receive()
        self.stages.append(
            Stage(
                title,
                stack.status,
                tuple(sandbox.events[events:]),
                tuple(sandbox.calls[calls:]),
                tuple(diff(before, self.snapshot())),
            )
        )
        return stack

    def log(self, load_balancer: str, reads: bool = True) -> str:
        """Let a load balancer write a log file; the vendor is to read it, or not to be able to."""
        self._visits += 1
        path = f"/visit/{self._visits}"
        body = log_file(load_balancer, [Visit("192.0.2.7", path)], self.sandbox.pace())
        key = self.account.write_log(load_balancer, body)
        calls = len(self.sandbox.calls)
        self.sandbox.vendor.receive()
        if self.stages:
            last = self.stages.pop()
            more = tuple(self.sandbox.calls[calls:])
            self.stages.append(replace(last, calls=last.calls + more))
        got = any(path in line for line in self.sandbox.vendor.received)
        self.expect(got is reads, f"the vendor {'did not read' if reads else 'read'} {key}")
        return key or ""

    def overstep(self, load_balancer: str, key: str) -> None:
        """Let the vendor try what it may not."""
        bucket = self.logging(load_balancer)["bucket"]
        self.account.s3.put_object(Bucket=bucket, Key="elsewhere/secret.txt", Body=b"secret")
        tried = self.sandbox.vendor.attempts(bucket, key)
        self.account.s3.delete_object(Bucket=bucket, Key="elsewhere/secret.txt")
        self.attempts += tried
        for each in tried:
            self.expect(each.refused, f"the vendor could {each.what}")

    def logging(self, load_balancer: str) -> dict[str, str]:
        """Return a load balancer's access-log attributes: enabled, bucket, prefix."""
        found = self.account.world.load_balancers[load_balancer].attributes
        return {each: found[f"access_logs.s3.{each}"] for each in ("enabled", "bucket", "prefix")}

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note what was not as it should be."""
        if not holds:
            self.unexpected.append(otherwise)

    def expect_status(self, stack: Stack, status: str) -> None:
        """End the scenario if a stack is not in this status, with the first reason of why."""
        if stack.status != status:
            self.unexpected.append(f"{stack.name} is {stack.status}: {self.reason()}")
            raise Over

    def reason(self) -> str:
        """Return the first reason of a failure in the last stage."""
        failed = (each for each in self.stages[-1].events if each.status.endswith("_FAILED"))
        return next((each.reason for each in failed), "")

    def snapshot(self) -> Snapshot:
        """Return the account as data: roles, functions and log groups by name, and the rest."""
        return {**self.account.snapshot(), **self.sandbox.endpoint.deployed()}

    def tidy(self, before: Snapshot) -> list[str]:
        """Do what the answers say remains to be done, note it, and return what still differs."""
        told = " ".join(each.reason for stage in self.stages for each in stage.events)
        after = self.snapshot()
        for name in after["buckets"].keys() - before["buckets"].keys():
            self.expect(name in told, f"{name} stays, and no answer says so")
            self.exceptions.append(f"bucket {name} holds logs: it stays, and the answer names it")
            del after["buckets"][name]
        if self.documented:
            for kind in ("topics", "log_groups"):
                for name in after[kind].keys() - before[kind].keys():
                    self.expect(kind != "topics" or name in told, f"{name} stays, unsaid")
                    self.exceptions.append(f"{name}: the documented role may not remove it")
                    del after[kind][name]
        for each in (before, after):
            for bucket in each["buckets"].values():
                objects = bucket["objects"]
                bucket["objects"] = {k: v for k, v in objects.items() if not k.endswith(".log.gz")}
        return differences(before, after, documented=self.documented)


class Over(Exception):
    """What comes next in the scenario makes no sense any more."""


@dataclass(frozen=True)
class Scenario:
    """Something that customers do.

    `prepare` sets an account up and returns load balancers; `play` does it, and notes what is not
    as it should be.
    """

    name: str
    summary: str
    prepare: Callable[[Account], list[str]]
    play: Callable[[Play, list[str]], None]


def rehearse(
    scenario: Scenario,
    released: Released,
    folder: Path,
    tell: Callable[[StackEvent], None] = lambda event: None,
    consistency: Consistency | None = None,
) -> Report:
    """Play a scenario in an account of its own and return what was seen."""
    began = time.monotonic()
    with Sandbox(folder, consistency) as sandbox:
        load_balancers = scenario.prepare(sandbox.account)
        play = Play(sandbox, released, released.service_role(sandbox))
        if consistency is not None:  # the service role was made some time before
            sandbox.pace.sleep(consistency.new_rights)
        sandbox.tell = tell
        before = play.snapshot()
        with suppress(Over):
            scenario.play(play, load_balancers)
        left = play.tidy(before)
    secret = any("X-Amz-Signature" in each for each in sandbox.logged)
    play.expect(not secret, "the function logged a signed URL")
    play.expect(not left, "the account is not as it was before")
    return Report(
        scenario=scenario.name,
        summary=scenario.summary,
        privileges=released.privileges.value,
        service_role=released.role_kind,
        runtime=sandbox.runtime,
        stages=tuple(play.stages),
        vendor_received=tuple(sandbox.vendor.received),
        attempts=tuple(play.attempts),
        restored=not left,
        left=tuple(left),
        exceptions=tuple(play.exceptions),
        unexpected=tuple(play.unexpected),
        missing=released.missing,
        seconds=time.monotonic() - began,
    )
