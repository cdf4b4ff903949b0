"""Run each command with each of its calls denied in turn; a first run records the calls.

If a call is denied, the command names the operation or the permission. It never reports a denied
action as done, or an unread setting as fine.
"""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import boto3
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
)
from support.emulated import ENDPOINT, emulated
from support.emulated import STACK as NAME

from dt_logs_cfn import aws
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.commands import deploy, plan, remove, replay, status
from dt_logs_rehearsal.account import Account, Refused
from dt_logs_rehearsal.account.iam.rights import needed
from dt_logs_rehearsal.account.world import Call

ACCOUNT, VENDOR = "123456789012", "999988887777"
LOGS = "logs-of-shop"  # the customer's bucket, with a public policy and a topic for all objects
PARAMETERS = (
    *("--parameter", f"DataTheoremAccountId={VENDOR}"),
    *("--parameter", f"NotificationEndpoint={ENDPOINT}"),
)
EVERYTHING = f"arn:aws:sns:us-east-1:{ACCOUNT}:everything"
ONCE = aws.Config(retries={"mode": "standard", "total_max_attempts": 1})
Verdicts = dict[tuple[str, str], set[str]]
# A service's code for a denied call, if AWS documents a code other than AccessDenied.
_CODES = {
    "elbv2": "UnauthorizedOperation",
    "logs": "AccessDeniedException",
    "sns": "AuthorizationError",
}
_CHANGES = ("DeleteStack", "ExecuteChangeSet")
THROTTLED, LOST = "Throttling", "no answer"


class Operation(NamedTuple):
    """An operation of a service, and the permissions that it needs."""

    service: str
    name: str
    rights: tuple[str, ...] = ()

    def named_in(self, text: str) -> bool:
        """Return whether a message names the operation, or a permission that it needs."""
        return any(each in text for each in (self.name, *self.rights))


@dataclass(frozen=True)
class Denial:
    """An operation that fails with a code; with `after`, it fails only after that operation.

    The code LOST means that the connection is closed without an answer.
    """

    operation: Operation
    code: str
    after: Operation | None = None

    def __str__(self) -> str:
        late = f" after {self.after.name}" if self.after else ""
        return f"{self.operation.service}:{self.operation.name}{late} ({self.code})"


@dataclass
class Gate:
    """Intercepts calls to the account: records an administrator's calls, and refuses some of them.

    It ignores the calls of the stack's role and of the vendor.
    """

    account: str
    heard: list[Operation] = field(default_factory=list)
    refused: int = 0
    _denial: Denial | None = None

    def __call__(self, call: Call) -> None:
        if not call.caller.arn.endswith(f":{self.account}:root"):
            return
        rights = tuple(sorted({each.action for each in needed(call, "aws")}))
        found = Operation(call.service, call.operation, rights)
        self.heard.append(found)
        if self._denial is None or found != self._denial.operation or self._denial.code == LOST:
            return
        if self._denial.after is None or self._denial.after in self.heard:
            self.refused += 1
            raise _error(self._denial)

    def lose(self, request: Any, event_name: str, **more: object) -> None:
        """Handle botocore's event before-send: close a lost call's connection without an answer."""
        lost = self._denial if self._denial and self._denial.code == LOST else None
        if lost and event_name.endswith(f".{lost.operation.name}"):
            self.refused += 1
            raise ConnectionClosedError(endpoint_url=request.url)

    def refuse(self, denial: Denial | None) -> None:
        """Forget the recorded calls; from now on, refuse this denial's operation, if any."""
        self.heard.clear()
        self.refused, self._denial = 0, denial


def denials(heard: list[Operation], *, both: bool = False) -> Iterator[Denial]:
    """Yield a denial of each recorded operation, and of each operation after the first change.

    A denial has the service's own code; with `both`, each of the service's codes gets one. The
    first denials omit STS: GetCallerIdentity is always permitted [STS API, GetCallerIdentity].
    """
    for each in dict.fromkeys(heard):
        if each.service != "sts":
            yield from (Denial(each, code) for code in codes(each)[0 if both else 1 :])
    changed = next((each for each in heard if each.name in _CHANGES), None)
    if changed:
        late = dict.fromkeys(heard[heard.index(changed) + 1 :])
        yield from (Denial(each, codes(each)[-1], changed) for each in late)


def codes(operation: Operation) -> tuple[str, str]:
    """Return the codes with which a service may deny a call, its own code last."""
    return "AccessDenied", _CODES.get(operation.service, "AccessDeniedException")


@dataclass
class Kept:
    """A session that reuses its clients, because making one takes longer than a command runs."""

    gate: Gate
    region_name: str
    credentials: dict[str, str]
    endpoint: str
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: Any, config: Any = None) -> Any:
        """Return the client of a service."""
        if service not in self._clients:
            made: Any = boto3.Session(region_name=self.region_name).client(
                service, config=config, endpoint_url=self.endpoint, **self.credentials
            )
            made.meta.events.register("before-send", self.gate.lose)
            self._clients[service] = made
        return self._clients[service]


def _error(denial: Denial) -> Exception:
    operation = denial.operation
    if denial.code == THROTTLED:
        return Refused(denial.code, "Rate exceeded", 400)
    if denial.code == "AccessDenied":
        return Refused(denial.code, "Access Denied", 403)  # the shortest message of any service
    right = next(iter(operation.rights), operation.name)
    who = "User: arn:aws:iam::123456789012:user/op"
    return Refused(denial.code, f"{who} is not authorized to perform: {right}", 403)


@dataclass(frozen=True)
class Tried(Shell):
    """An account, and a gate that can refuse calls of the commands that run in the account."""

    gate: Gate = field(default_factory=lambda: Gate(ACCOUNT))

    def tried(self, command: ModuleType, *argv: str) -> Ran:
        """Run a command, with --yes unless `--ask` is given."""
        if command is replay:
            assert self.account.write_log(self.web)
            argv = ("--since", (datetime.now(timezone.utc) - timedelta(hours=1)).isoformat(), *argv)
        if command is deploy:
            argv = ("--release", str(self.release), "--role-arn", self.emulated.role, *argv)
        if command in (deploy, remove, replay):
            argv = (*argv, "--yes") if "--ask" not in argv else argv[:-1]

        def edge(arguments: Namespace, operator: Operator) -> int:
            more = {plan: [], status: [], deploy: [operator], remove: [hurried(operator)]}
            pace = self.emulated.sandbox.pace
            return command.run(arguments, *more.get(command, [hurried(operator), pace]))

        ran = Runner(command.configure, edge, self.printed)(*argv)
        assert "SECRET" not in ran.out + ran.told + ran.failure
        return ran

    def heard(self, command: ModuleType, *argv: str) -> list[Operation]:
        """Run a command as an administrator, and return the operations that it called."""
        self.gate.refuse(None)
        self.tried(command, *argv)
        return list(self.gate.heard)

    def without(self, denial: Denial, command: ModuleType, *argv: str) -> Ran:
        """Run a command with one call refused, and wait until CloudFormation has finished."""
        self.gate.refuse(denial)
        found = self.tried(command, *argv)
        assert self.gate.refused, f"{denial} was not called"
        self.gate.refuse(None)
        self.emulated.sandbox.cloudformation.join()
        return found

    def create(self) -> None:
        """Create the stack, and confirm its subscriptions."""
        shop = next(each for each in self.account.world.load_balancers if "/shop/" in each)
        self.emulated.create_stack(LoadBalancerArns=f"{self.web},{shop}")
        self.account.confirm(ENDPOINT)
        assert self.status() == "CREATE_COMPLETE", self.emulated.sandbox.events

    def delete(self) -> None:
        """Delete the stack, if there is one."""
        self.emulated.client("cloudformation").delete_stack(StackName=NAME)
        assert self.stacks() == []


def hurried(operator: Operator) -> Operator:
    """Return the operator with a clock that advances only while the command sleeps."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        operator.sleep(seconds)

    return replace(operator, clock=lambda: now[0], sleep=sleep)


def statement(sid: str, effect: str, principal: Any, action: Any, resource: str) -> dict[str, Any]:
    named = {"Sid": sid, "Effect": effect, "Principal": principal}
    return {**named, "Action": action, "Resource": resource}


WEB = statement("Web", "Allow", "*", "s3:GetObject", f"arn:aws:s3:::{LOGS}/public/*")
OWNER = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
OWN = ["sns:Subscribe", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
SHARED = document(
    statement("S3", "Allow", {"Service": "s3.amazonaws.com"}, "sns:Publish", EVERYTHING),
    statement("Own", "Allow", OWNER, OWN, EVERYTHING),
)


@pytest.fixture
def tried(
    tmp_path: Path,
    release: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Tried]:
    """Yield an account with a load balancer that does not log, and one that does."""
    with emulated(tmp_path, release) as account:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(aws, "CONFIG", aws.CONFIG.merge(ONCE))
        found = Tried(account, monkeypatch, capsys)
        account.sandbox.endpoint.before = found.gate
        kept = Kept(
            found.gate, "us-east-1", dict(account.credentials), account.sandbox.endpoint.url
        )
        monkeypatch.setattr(aws, "session", lambda profile, region: kept)
        inside = account.sandbox.account
        inside.add_topic("everything", SHARED)
        entry = {"Id": "all", "TopicArn": EVERYTHING, "Events": ["s3:ObjectCreated:*"]}
        log_bucket(inside, LOGS, WEB)
        inside.world.buckets[LOGS].public_access_block = None
        announce(inside, LOGS, {"TopicConfigurations": [entry]})
        inside.add_load_balancer("shop", bucket=LOGS)
        inside.add_bucket("attic", policy=document())
        yield found


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
        deny = statement("NotYou", "Deny", vendor, "s3:*", f"arn:aws:s3:::{name}/*")
        add_statement(account, name, deny)
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


@pytest.mark.parametrize(
    ("state", "subject"),
    [(fine, ()), (fine, EVERY), (silent, ()), (shut, ()), (cut, STACK), (cut, EVERY)],
)
def test_status_takes_nothing_for_ok_or_wrong_that_it_may_not_read(
    tried: Tried, state: Callable[[Account], None], subject: tuple[str, ...]
) -> None:
    """The states need different verdicts, so that a guess is wrong in at least one of them."""
    tried.create()
    state(tried.account)
    argv = (*subject, "--json")
    before, was = tried.snapshot(), verdicts(tried.tried(status, *argv))
    wrong = []
    for denial in denials(tried.heard(status, *argv), both=state is fine and not subject):
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


@pytest.mark.parametrize(
    "argv",
    [
        (*EVERY, *PARAMETERS),
        STACK,
        (*STACK, *EVERY),
    ],
    ids=["new", "unchanged", "update"],
)
def test_plan_says_what_it_may_not_read(tried: Tried, argv: tuple[str, ...]) -> None:
    if "--stack" in argv:
        tried.create()
    before, wrong = tried.snapshot(), []
    for denial in denials(tried.heard(plan, *argv)):
        ran = tried.without(denial, plan, *argv)
        unread = re.split("You may not read|Unknown whether", ran.out, maxsplit=1)[1:]
        told = ran.failure or "".join(unread)
        # `deploy` would not change an unchanged stack, whichever reads are denied.
        fine = (0, 3) if argv == STACK else (1, 3)
        if ran.code not in fine or not denial.operation.named_in(told):
            wrong.append(f"{denial}: exit {ran.code}, {told}")
    assert not wrong, "\n".join(wrong)
    assert tried.snapshot() == before


@pytest.mark.parametrize("change", ["create", "update", "nothing"])
def test_deploy_does_what_it_says_or_says_what_it_may_not(tried: Tried, change: str) -> None:
    first = ("--load-balancer", tried.web, *PARAMETERS)
    argv = {"create": first, "update": EVERY, "nothing": ()}[change]
    wrong = []
    renew(tried, change)
    for denial in denials(tried.heard(deploy, *argv)):
        before = renew(tried, change)
        ran = tried.without(denial, deploy, *argv)
        told = f"{ran.failure}\n{ran.told}"
        if ran.code != 3 and "left behind" not in told:
            wrong.append(f"{denial}: exit {ran.code}")
        if not denial.operation.named_in(told) and "left behind" not in told:
            wrong.append(f"{denial}: {ran.failure or 'not told'} {ran.told}")
        if tried.snapshot() != before and "continues" not in ran.failure:
            wrong.append(f"{denial}: changed in silence: {ran.failure} {ran.told}")
        held = change == "create" and tried.stacks() and "continues" not in ran.failure
        if held and "left behind" not in ran.told:
            wrong.append(f"{denial}: a stack is left behind in silence: {ran.failure}")
    assert not wrong, "\n".join(wrong)


def renew(tried: Tried, change: str) -> dict[str, Any]:
    """Restore the account to its state before a deployment, and return its snapshot."""
    found = tried.stacks()
    if change == "create":
        if found:
            tried.delete()
    elif not found or tried.status() != "CREATE_COMPLETE":
        tried.delete()
        tried.create()
    return tried.snapshot()


def test_remove_tells_what_it_may_not_look_at_before_it_asks(tried: Tried) -> None:
    tried.create()
    before, wrong = tried.snapshot(), []
    for denial in denials(tried.heard(remove, "--ask")):
        ran = tried.without(denial, remove, "--ask")
        told = f"{ran.failure}\n{ran.told}"
        if ran.code != 3 or not denial.operation.named_in(told):
            wrong.append(f"{denial}: not told: exit {ran.code}, {told}")
    assert not wrong, "\n".join(wrong)
    assert tried.snapshot() == before


def test_remove_tells_what_it_may_not_look_at_afterwards(tried: Tried) -> None:
    empty = tried.snapshot()
    tried.create()
    wrong = []
    late = [each for each in denials(tried.heard(remove)) if each.after or _deletes(each)]
    # The test above denies the same reads before the Delete, so deny one per service here.
    ours = [each for each in late if each.operation.service == "cloudformation"]
    for denial in (*ours, *{d.operation.service: d for d in late if d not in ours}.values()):
        before = renew(tried, "nothing")
        ran = tried.without(denial, remove)
        if not denial.operation.named_in(f"{ran.failure}\n{ran.told}\n{ran.out}"):
            wrong.append(f"{denial}: not told: exit {ran.code}, {ran.failure or ran.out}")
        if ran.code == 0 and not same(tried.snapshot(), empty):
            wrong.append(f"{denial}: {ran.out}")
        if ran.code < 3 and tried.stacks():
            wrong.append(f"{denial}: not removed, and not said")
        if ran.code == 3 and tried.snapshot() != before and "continues" not in ran.failure:
            wrong.append(f"{denial}: removed in silence: {ran.failure}")
    assert not wrong, "\n".join(wrong)


def _deletes(denial: Denial) -> bool:
    return denial.operation.name == "DeleteStack"


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two snapshots have the same buckets, topics and functions."""
    return all(one[each] == other[each] for each in ("buckets", "topics", "functions"))


COMMANDS = {plan: STACK, status: STACK, deploy: EVERY, remove: (), replay: ()}


@pytest.mark.parametrize("code", [THROTTLED, LOST])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_aws_does_not_answer_is_one_line(tried: Tried, command: ModuleType, code: str) -> None:
    argv, wrong = COMMANDS[command], []
    tried.create()
    heard = list(dict.fromkeys(tried.heard(command, *argv)))
    some = heard[:: max(1, len(heard) // (2 if command is remove else 6))]
    for operation in dict.fromkeys((*some, heard[-1])):
        renew(tried, "nothing")
        ran = tried.without(Denial(operation, code), command, *argv)
        told = f"{ran.failure}\n{ran.told + ran.out if command is remove else ''}"
        done = command is remove and ran.code == 0 and not tried.stacks()  # even if a read failed
        # Nothing depends on these reads, so the command only reports their results as unknown.
        if "CloudWatch Logs' deliveries cannot be read (" in " ".join(ran.out.split()):
            assert operation.service == "logs"
            continue
        outposts = ("Unknown whether one is on an Outpost:", "The load balancers cannot be read (")
        if any(each in " ".join(ran.out.split()) for each in outposts):
            assert operation.name == "DescribeLoadBalancers"
            continue
        if not (done or ran.code in (1, 3)) or not (
            operation.name in told or "cannot be reached" in told or "could not be reached" in told
        ):
            wrong.append(f"{operation.name}: exit {ran.code}, {told}")
    assert not wrong, "\n".join(wrong)
