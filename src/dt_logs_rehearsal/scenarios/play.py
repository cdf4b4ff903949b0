"""Play a scenario: carry out a customer's steps, and record what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Account, Consistency, Snapshot
from dt_logs_rehearsal.account.elbv2 import Visit, log_file
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.report.changes import diff, differences
from dt_logs_rehearsal.report.data import Report, StackEvent, Stage
from dt_logs_rehearsal.sandbox import Sandbox
from dt_logs_rehearsal.scenarios.released import Released
from dt_logs_rehearsal.vendor import ENDPOINT, VENDOR

STACK = "dt-logs-analysis"
_CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")


class Play:
    """The steps and expectations that scenarios use; `report` records them."""

    def __init__(self, sandbox: Sandbox, released: Released, role: str, report: Report) -> None:
        """Prepare to play a release with a service role; clear the sandbox's events and calls."""
        self.sandbox = sandbox
        self.account = sandbox.account
        self.documented = released.privileges is Privileges.DOCUMENTED
        self.report = report
        self.released = released
        self.role = role
        self._visits = 0
        sandbox.events.clear()
        sandbox.calls.clear()

    @contextmanager
    def stack(self, *load_balancers: str, name: str = STACK, **parameters: str) -> Iterator[Stack]:
        """Create a stack, and delete it at the end; both must succeed."""
        stack = self.create(*load_balancers, name=name, **parameters)
        self.expect_status(stack, "CREATE_COMPLETE")
        yield stack
        self.delete(stack)
        self.expect_status(stack, "DELETE_COMPLETE")

    def create(self, *load_balancers: str, name: str = STACK, **parameters: str) -> Stack:
        """Create a stack that onboards these load balancers."""
        engine, asked = self.sandbox.cloudformation, self._asked(load_balancers, parameters)
        stack = engine.named(name, asked, self.role)
        self._stage(f"Create {name}", stack, engine.begin_create(stack, _CAPABILITIES))
        return stack

    def update(self, stack: Stack, *load_balancers: str, **parameters: str) -> None:
        """Update a stack with other load balancers or parameters."""
        asked = self._asked(load_balancers, parameters)
        begun = self.sandbox.cloudformation.begin_update(stack, asked, _CAPABILITIES)
        self._stage(f"Update {stack.name}", stack, begun)

    @property
    def schedule(self) -> dict[str, str]:
        """The parameter for a scheduled refresh; empty with the documented privileges."""
        return {} if self.documented else {"RefreshSchedule": "rate(6 hours)"}

    def refresh(self, stack: Stack, *load_balancers: str) -> None:
        """Run the stack's schedule or, with documented privileges, change its RunToken."""
        if self.documented:
            self.update(stack, *load_balancers, RunToken="again")
            self.expect_status(stack, "UPDATE_COMPLETE")
        else:
            run = partial(self.sandbox.run_schedule, stack)
            self._stage(f"Refresh {stack.name}", stack, run)

    def delete(self, stack: Stack) -> None:
        """Delete a stack."""
        begun = self.sandbox.cloudformation.begin_delete(stack)
        self._stage(f"Delete {stack.name}", stack, begun)

    def _asked(self, load_balancers: tuple[str, ...], parameters: Mapping[str, str]) -> Asked:
        given = {
            "LoadBalancerArns": ",".join(load_balancers),
            "DataTheoremAccountId": VENDOR,
            "NotificationEndpoint": ENDPOINT,
            **parameters,
        }
        # The documented service role may not add tags, so its stacks do not have any.
        tags = {"owner": "edge-team"} if self.released.role_kind == "lifecycle" else {}
        return Asked(self.released.stack, given, tags)

    def _stage(self, title: str, stack: Stack, work: Callable[[], None]) -> None:
        """Finish an operation, let the vendor handle messages, and add a stage to the report."""
        sandbox, before = self.sandbox, self.snapshot()
        work()
        sandbox.vendor.receive()
        events, calls = tuple(sandbox.events), tuple(sandbox.calls)
        sandbox.events.clear()
        sandbox.calls.clear()
        changes = diff(before, self.snapshot())
        self.report.stages.append(Stage(title, stack.status, events, calls, changes))

    def log(self, load_balancer: str, reads: bool = True) -> str:
        """Let a load balancer write a log file; return its key, or an empty string.

        Expect that the vendor reads the file if `reads`, otherwise not. The calls are added to the
        last stage.
        """
        self._visits += 1
        path = f"/visit/{self._visits}"
        body = log_file(load_balancer, [Visit("192.0.2.7", path)], self.sandbox.pace())
        key = self.account.write_log(load_balancer, body)
        self.sandbox.vendor.receive()
        last = self.report.stages.pop()
        self.report.stages.append(replace(last, calls=last.calls + tuple(self.sandbox.calls)))
        self.sandbox.calls.clear()
        got = any(path in line for line in self.sandbox.vendor.received)
        self.expect(got is reads, f"the vendor {'did not read' if reads else 'read'} {key}")
        return key or ""

    def overstep(self, load_balancer: str, key: str) -> None:
        """Let the vendor try to exceed its permissions, and expect that each attempt is refused."""
        bucket = self.logging(load_balancer)["bucket"]
        self.account.s3.put_object(Bucket=bucket, Key="elsewhere/secret.txt", Body=b"secret")
        tried = self.sandbox.vendor.attempts(bucket, key)
        self.account.s3.delete_object(Bucket=bucket, Key="elsewhere/secret.txt")
        self.sandbox.calls.clear()
        self.report.attempts += tried
        for each in tried:
            self.expect(each.refused, f"the vendor could {each.what}")

    def logging(self, load_balancer: str) -> dict[str, str]:
        """Return a load balancer's access-log attributes: enabled, bucket, prefix."""
        found = self.account.world.load_balancers[load_balancer].attributes
        return {each: found[f"access_logs.s3.{each}"] for each in ("enabled", "bucket", "prefix")}

    def expect(self, holds: bool, otherwise: str) -> None:
        """Record `otherwise` as an unexpected result unless `holds`."""
        if not holds:
            self.report.unexpected.append(otherwise)

    def expect_status(self, stack: Stack, status: str) -> None:
        """If a stack is not in this status, record the reason and end the scenario."""
        if stack.status != status:
            self.report.unexpected.append(f"{stack.name} is {stack.status}: {self.reason()}")
            raise Over

    def reason(self) -> str:
        """Return the reason for the first failure in the last stage, or an empty string."""
        failed = (each for each in self.report.stages[-1].events if each.status.endswith("_FAILED"))
        return next((each.reason for each in failed), "")

    def snapshot(self) -> Snapshot:
        """Return the account as data, including roles, functions, log groups and rules."""
        return {**self.account.snapshot(), **self.sandbox.endpoint.deployed()}

    def tidy(self, before: Snapshot) -> list[str]:
        """Report the expected leftovers, and return the other differences, except log files.

        An answer to CloudFormation must name each bucket and topic that stays.
        """
        told = " ".join(self.sandbox.mailbox.answers())
        after = self.snapshot()
        for name in after["buckets"].keys() - before["buckets"].keys():
            self.expect(name in told, f"{name} stays, and no answer says so")
            text = f"bucket {name} holds logs: it stays, and the answer names it"
            self.report.exceptions.append(text)
            del after["buckets"][name]
        for kind in ("topics", "log_groups") if self.documented else ():
            for name in after[kind].keys() - before[kind].keys():
                self.expect(kind != "topics" or name in told, f"{name} stays, but is not named")
                self.report.exceptions.append(f"{name}: the documented role may not remove it")
                del after[kind][name]
        for each in (before, after):
            for bucket in each["buckets"].values():
                objects = bucket["objects"]
                bucket["objects"] = {k: v for k, v in objects.items() if not k.endswith(".log.gz")}
        return differences(before, after, documented=self.documented)


class Over(Exception):
    """The scenario cannot continue."""


@dataclass(frozen=True)
class Scenario:
    """A customer's actions: `prepare` adds load balancers; `play` uses them and checks results."""

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
    """Play a scenario in its own account and return the report."""
    privileges, kind = released.privileges.value, released.role_kind
    report = Report(scenario.name, scenario.summary, privileges, kind, "")
    report.missing = released.missing
    with Sandbox(folder, consistency) as sandbox:
        load_balancers = scenario.prepare(sandbox.account)
        play = Play(sandbox, released, released.service_role(sandbox), report)
        if consistency is not None:  # wait until the service role has its permissions
            sandbox.pace.sleep(consistency.new_rights)
        sandbox.tell = tell
        before = play.snapshot()
        with suppress(Over):
            scenario.play(play, load_balancers)
        report.left = "\n".join(play.tidy(before)).splitlines()
    secret = any("X-Amz-Signature" in each for each in sandbox.logged)
    play.expect(not secret, "the function logged a signed URL")
    report.restored = not report.left
    play.expect(report.restored, "the account is not as it was before")
    report.runtime, report.vendor_received = sandbox.runtime, sandbox.vendor.received
    return report
