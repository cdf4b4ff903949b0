"""Run each command with its calls denied in turn; a first run records the calls.

If a call is denied, the command names the operation or the permission. It never reports a denied
action as done, or an unread setting as fine.
"""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ConnectionClosedError
from rehearsal.shell import Shell
from support.commands import Ran, Runner
from support.drifts import (
    add_statement,
    announce,
    document,
    encrypted_by_kms,
    log_bucket,
    owned_by_writers,
    statement,
)
from support.emulated import ENDPOINT, Emulated
from support.emulated import STACK as NAME

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.commands import deploy, plan, remove, replay, status
from dt_logs_rehearsal.account import Account, Refused
from dt_logs_rehearsal.account.iam.rights import needed
from dt_logs_rehearsal.account.world import Call

ACCOUNT, VENDOR = "123456789012", "999988887777"
LOGS = "logs-of-shop"  # the customer's bucket, with a public policy and a topic for all objects
EVERYTHING = f"arn:aws:sns:us-east-1:{ACCOUNT}:everything"
ONCE = aws.Config(retries={"mode": "standard", "total_max_attempts": 1})
Verdicts = dict[tuple[str, str], set[str]]
# A service's code for a denied call, if AWS documents a code other than AccessDenied.
_CODES = {
    "elbv2": "UnauthorizedOperation",
    "logs": "AccessDeniedException",
    "sns": "AuthorizationError",
}
THROTTLED, LOST = "Throttling", "no answer"
# Texts that may replace an unanswered operation's name; `_UNREAD` has those, by service, for reads
# on which nothing depends.
_UNREACHABLE = ("cannot be reached", "could not be reached")
_UNREAD = {
    "logs": "CloudWatch Logs' deliveries cannot be read (",
    "elbv2": "Unknown whether a load balancer is on an Outpost:"
    "|The load balancers cannot be read (",
}


class Operation(NamedTuple):
    """An operation of a service, and the permissions that it needs."""

    service: str
    name: str
    rights: tuple[str, ...] = ()

    def named_in(self, text: str) -> bool:
        """Return whether a message names the operation, or a permission that it needs."""
        return any(each in text for each in (self.name, *self.rights))


class Denial(NamedTuple):
    """An operation that fails with a code; with `after`, it fails only after that operation.

    The code LOST means that the connection is closed without an answer.
    """

    operation: Operation
    code: str
    after: Operation | None = None

    def error(self) -> Refused:
        if self.code == THROTTLED:
            return Refused(self.code, "Rate exceeded", 400)
        if self.code == "AccessDenied":
            return Refused(self.code, "Access Denied", 403)  # the shortest message of any service
        right = next(iter(self.operation.rights), self.operation.name)
        who = f"User: arn:aws:iam::{ACCOUNT}:user/op"
        return Refused(self.code, f"{who} is not authorized to perform: {right}", 403)


def denials(heard: list[Operation], *, both: bool = False) -> Iterator[Denial]:
    """Yield a denial of each recorded operation, and of each operation after the first change.

    A denial has the service's own code; with `both`, AccessDenied is also tried. The first
    denials omit STS: GetCallerIdentity is always permitted [STS API, GetCallerIdentity].
    """

    def codes(operation: Operation) -> tuple[str, str]:
        return "AccessDenied", _CODES.get(operation.service, "AccessDeniedException")

    for each in dict.fromkeys(heard):
        if each.service != "sts":
            yield from (Denial(each, code) for code in codes(each)[0 if both else 1 :])
    changed = next((e for e in heard if e.name in ("DeleteStack", "ExecuteChangeSet")), None)
    if changed:
        late = dict.fromkeys(heard[heard.index(changed) + 1 :])
        yield from (Denial(each, codes(each)[-1], changed) for each in late)


@dataclass(frozen=True)
class Tried(Shell):
    """An account; `heard` has the calls of an administrator, and `denial` makes some calls fail."""

    heard: list[Operation] = field(default_factory=list)
    denial: list[Denial] = field(default_factory=list)  # at most one
    failed: list[str] = field(default_factory=list)

    def before(self, call: Call) -> None:
        """Record an administrator's call, and refuse it if it is denied."""
        if not call.caller.arn.endswith(f":{ACCOUNT}:root"):
            return
        rights = tuple(sorted({each.action for each in needed(call, "aws")}))
        found = Operation(call.service, call.operation, rights)
        self.heard.append(found)
        for denial in self.denial:
            now = denial.after is None or denial.after in self.heard
            if now and denial.operation == found and denial.code != LOST:
                self.failed.append(found.name)
                raise denial.error()

    def lose(self, request: Any, event_name: str, **more: object) -> None:
        """Handle botocore's event before-send: close a lost call's connection without an answer."""
        for denial in self.denial:
            if denial.code == LOST and event_name.endswith(f".{denial.operation.name}"):
                self.failed.append(denial.operation.name)
                raise ConnectionClosedError(endpoint_url=request.url)

    def run(self, command: ModuleType, *argv: str, answers: Any = None) -> Ran:
        """Run a command with the options that it needs, and with --yes unless `--ask` is given."""
        if command is replay:
            assert self.account.write_log(self.web)
            argv = ("--since", (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat(), *argv)
        if command is deploy:
            argv = ("--release", str(self.release), "--role-arn", self.emulated.role, *argv)
        if command in (deploy, remove, replay):
            argv = (*argv, "--yes") if "--ask" not in argv else argv[:-1]

        def edge(arguments: Namespace, operator: Operator) -> int:
            hurried = in_a_hurry(operator)
            more = {plan: [], status: [], replay: [hurried, self.emulated.sandbox.pace]}
            return command.run(arguments, *more.get(command, [hurried]))

        ran = Runner(command.configure, edge, self.printed)(*argv)
        assert "SECRET" not in ran.out + ran.told + ran.failure
        return ran

    def calls(self, command: ModuleType, *argv: str) -> list[Operation]:
        """Run a command as an administrator, and return the operations that it called."""
        self.heard.clear()
        self.run(command, *argv)
        return list(self.heard)

    def without(self, denial: Denial, command: ModuleType, *argv: str) -> Ran:
        """Run a command in which an operation fails, and wait until CloudFormation has finished."""
        for each in (self.heard, self.failed):
            each.clear()
        self.denial.append(denial)
        found = self.run(command, *argv)
        self.denial.clear()
        assert self.failed, f"{denial} was not called"
        self.emulated.sandbox.cloudformation.join()
        return found

    def renew(self, there: bool = True) -> dict[str, Any]:
        """Let there be an unchanged stack or none, and return a snapshot of the account."""
        found = self.stacks()
        if found and not (there and self.status() == "CREATE_COMPLETE"):
            self.emulated.client("cloudformation").delete_stack(StackName=NAME)
            found = self.stacks()
            assert found == []
        if there and not found:
            shop = next(each for each in self.account.world.load_balancers if "/shop/" in each)
            self.emulated.create_stack(LoadBalancerArns=f"{self.web},{shop}")
            self.account.confirm(ENDPOINT)
            assert self.status() == "CREATE_COMPLETE", self.emulated.sandbox.events
        return self.snapshot()


def in_a_hurry(operator: Operator) -> Operator:
    """Return the operator with a clock that advances only while the command sleeps."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        operator.sleep(seconds)

    return replace(operator, clock=lambda: now[0], sleep=sleep)


@pytest.fixture
def tried(
    account: Emulated,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Tried:
    """Return an account with load balancers that do not log, and one that does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(aws, "CONFIG", aws.CONFIG.merge(ONCE))
    found = Tried(account, monkeypatch, capsys)
    account.sandbox.endpoint.before = found.before
    # All runs share their clients, because making one takes longer than a command runs.
    session = aws.session(None, "us-east-1")
    session.events.register("before-send", found.lose)
    monkeypatch.setattr(session, "client", cache(session.client))
    monkeypatch.setattr(aws, "session", lambda profile, region: session)
    publishes = {"Effect": "Allow", "Action": "sns:Publish", "Resource": EVERYTHING}
    owner = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    reads = ["sns:Subscribe", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
    policy = document(
        {**publishes, "Principal": {"Service": "s3.amazonaws.com"}},
        {**publishes, "Principal": owner, "Action": reads},
    )
    inside = account.sandbox.account
    inside.add_topic("everything", policy)
    entry = {"Id": "all", "TopicArn": EVERYTHING, "Events": ["s3:ObjectCreated:*"]}
    web = f"arn:aws:s3:::{LOGS}/public/*"
    log_bucket(inside, LOGS, statement(LOGS, "Allow", "*", "s3:GetObject", Resource=web))
    inside.world.buckets[LOGS].public_access_block = None
    announce(inside, LOGS, {"TopicConfigurations": [entry]})
    inside.add_load_balancer("shop", bucket=LOGS)
    inside.add_bucket("attic", policy=document())
    return found


def fine(account: Account) -> None:
    """Leave everything as it is."""


def silent(account: Account) -> None:
    """Remove all event notifications."""
    for bucket in account.world.buckets:
        announce(account, bucket, {})


def shut(account: Account) -> None:
    """Deny the vendor access, and change settings of the buckets, account and subscriptions."""
    vendor = {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    for name in account.world.buckets:
        add_statement(account, name, statement(name, "Deny", vendor, "s3:*", Sid="NotYou"))
        encrypted_by_kms(account, name)
        owned_by_writers(account, name)
    account.world.account_blocks[ACCOUNT] = {"RestrictPublicBuckets": True}
    for each in account.world.subscriptions.values():
        each.confirmed = False


def cut(account: Account) -> None:
    """Remove policies and subscriptions, and tag buckets as another stack's."""
    for name, bucket in account.world.buckets.items():
        account.s3.delete_bucket_policy(Bucket=name)
        bucket.tags |= {"dt-logs-analysis:stack": "0123456789ab"}  # a stack that does not exist
    account.world.subscriptions.clear()


STACK, EVERY = ("--stack", NAME), ("--load-balancer", "*")
PARAMETERS = (
    *("--parameter", f"DataTheoremAccountId={VENDOR}"),
    *("--parameter", f"NotificationEndpoint={ENDPOINT}"),
)
NEW = (*EVERY, *PARAMETERS)


@pytest.mark.parametrize(
    ("state", "subject"),
    [(fine, ()), (fine, EVERY), (silent, ()), (shut, ()), (cut, STACK), (cut, EVERY)],
)
def test_status_takes_nothing_for_ok_or_wrong_that_it_may_not_read(
    tried: Tried, state: Callable[[Account], None], subject: tuple[str, ...]
) -> None:
    """The states need different verdicts, so that a guess is wrong in at least one of them."""
    tried.renew()
    state(tried.account)
    argv = (*subject, "--json")
    before, was = tried.snapshot(), verdicts(tried.run(status, *argv))
    wrong = []
    for denial in denials(tried.calls(status, *argv), both=state is fine and not subject):
        ran = tried.without(denial, status, *argv)
        if ran.code == 3:
            if not denial.operation.named_in(ran.failure):
                wrong.append(f"{denial}: {ran.failure}")
            continue
        found = verdicts(ran)
        wrong += [
            f"{denial}: {key} is {now}, and was {was.get(key)}"
            for key, now in found.items()
            if not now <= {*was.get(key, {"ok"}), "unknown"}
        ]
        unknown = [each for each in json.loads(ran.out)["checks"] if each["verdict"] == "unknown"]
        said = any(denial.operation.named_in(each["saw"]) for each in unknown)
        if found != was and not said:  # a call that changes no verdict may go unmentioned
            wrong.append(f"{denial}: nothing says so")
    assert not wrong, "\n".join(wrong)
    assert tried.snapshot() == before


def verdicts(ran: Ran) -> Verdicts:
    """Return the verdicts by subject and check."""
    found: Verdicts = {}
    for each in json.loads(ran.out)["checks"]:
        found.setdefault((each["subject"], each["name"]), set()).add(each["verdict"])
    return found


class Case(NamedTuple):
    """A command, whether there is a stack, and the exit codes if a call is denied."""

    command: ModuleType
    argv: tuple[str, ...] = ()
    there: bool = True
    codes: tuple[int, ...] = (3,)

    def __str__(self) -> str:
        return f"{self.command.__name__.rpartition('.')[2]} {' '.join(self.argv[:4])}"

    def denials(self, tried: Tried) -> Iterable[Denial]:
        """Return the calls to deny; `remove --ask` denies what `remove` calls before its Delete."""
        tried.renew(self.there)
        found = list(denials(tried.calls(self.command, *self.argv)))
        if self.command is not remove or self.argv:
            return found
        late = [each for each in found if each.after or each.operation.name == "DeleteStack"]
        ours = [each for each in late if each.operation.service == "cloudformation"]
        return (*ours, *{e.operation.service: e for e in late if e not in ours}.values())

    def objections(self, tried: Tried, denial: Denial, empty: Any, before: Any) -> Iterator[str]:
        """Run the command with a call denied, and yield what it then does wrong."""
        ran = tried.without(denial, self.command, *self.argv)
        # `plan` names operations elsewhere, too: the calls of the stack's function.
        unread = re.split("You may not read|Unknown whether", ran.out, maxsplit=1)[1:]
        out = ran.failure or "".join(unread) if self.command is plan else ran.out
        told = f"{ran.failure}\n{ran.told}\n{out}"
        left = self.command is deploy and "left behind" in told
        goes_on = "continues" in ran.failure
        if not (left or ran.code in self.codes):
            yield f"exit {ran.code}"
        if not (left or denial.operation.named_in(told)):
            yield "not named"
        if ran.code == 3 and tried.snapshot() != before and not goes_on:
            yield "changed in silence"
        if not (self.there or left or goes_on) and tried.stacks():
            yield "a stack is left behind in silence"
        if self.command is remove and ran.code < 3 and tried.stacks():
            yield "not removed in silence"
        if ran.code == 0 and self.command is remove and not same(tried.snapshot(), empty):
            yield "something is left in silence"
        if self.command is plan and tried.snapshot() != before:
            yield "changed"


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two snapshots have the same buckets, topics and functions."""
    return all(one[each] == other[each] for each in ("buckets", "topics", "functions"))


CASES = (
    Case(plan, NEW, there=False, codes=(1, 3)),
    Case(plan, STACK, codes=(0, 3)),  # the stack is unchanged, whichever reads are denied
    Case(plan, (*STACK, *EVERY), codes=(1, 3)),
    Case(deploy, NEW, there=False),
    Case(deploy, EVERY),
    Case(deploy),
    Case(remove, ("--ask",)),
    Case(remove, codes=(0, 1, 3)),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_command_names_what_it_may_not_do_and_changes_nothing_in_silence(
    tried: Tried, case: Case
) -> None:
    wrong, empty = [], tried.snapshot()
    for denial in case.denials(tried):
        before = tried.renew(case.there)
        wrong += [f"{denial}: {e}" for e in case.objections(tried, denial, empty, before)]
    assert not wrong, "\n".join(wrong)


COMMANDS = {plan: STACK, status: STACK, deploy: EVERY, remove: (), replay: ()}


@pytest.mark.parametrize("code", [THROTTLED, LOST])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_aws_does_not_answer_is_one_line(tried: Tried, command: ModuleType, code: str) -> None:
    argv, wrong = COMMANDS[command], []
    tried.renew()
    heard = list(dict.fromkeys(tried.calls(command, *argv)))
    some = heard[:: max(1, len(heard) // (2 if command is remove else 6))]
    for operation in dict.fromkeys((*some, heard[-1])):
        tried.renew()
        ran = tried.without(Denial(operation, code), command, *argv)
        told = f"{ran.failure}\n{ran.told + ran.out if command is remove else ''}"
        done = command is remove and ran.code == 0 and not tried.stacks()  # even if a read failed
        unread = _UNREAD.get(operation.service, "").split("|")
        if any(each and each in " ".join(ran.out.split()) for each in unread):
            continue
        named = operation.name in told or any(each in told for each in _UNREACHABLE)
        if not named or not (done or ran.code in (1, 3)):
            wrong.append(f"{operation.name}: exit {ran.code}, {told}")
    assert not wrong, "\n".join(wrong)
