"""Carry out a plan's steps: tolerate some failures, and record the outcomes.

The plan decides what to do. A step does not change anything if its goal is already reached. Most
steps preserve what others have changed since we looked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from . import model
from .aws import (
    BUCKET_SPREADS,
    PASSING,
    POLICY_SPREADS,
    Aws,
    code,
    denied,
    failure,
    message,
)
from .buckets import ABSENT, POLICY, OwnedBucket
from .errors import HandlerError, Refused
from .names import Stack, load_balancer_name
from .register import Registration, registrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Take = Callable[[model.Step, "Effects"], str]  # takes a step; returns its outcome
    Log = Callable[[model.Step, str], None]  # receives each step and its outcome

_FRESH = 2.0  # seconds after a read during which the policy counts as current


@dataclass
class Effects:
    """The only mutable state of a run: what it has done and learnt so far.

    `log` is called with each step and its outcome.
    """

    aws: Aws
    stack: Stack
    time: int  # when the event was sent; `others` includes this stack's later registrations
    log: Log
    began: bool = False  # true once a step has begun
    shared: bool = False  # true if others' writes must become visible before the next look
    kept: list[str] = field(default_factory=list)  # descriptions of what stays behind
    warnings: list[str] = field(default_factory=list)  # problems that were not corrected
    hopeless: list[model.Step] = field(default_factory=list)  # steps that are not tried again
    made: set[str] = field(default_factory=set)  # buckets that this run created
    gone: set[str] = field(default_factory=set)  # buckets that this run deleted
    closed: set[str] = field(default_factory=set)  # buckets that denied ELB access
    before: set[str] = field(default_factory=set)  # buckets registered by the stack before the run
    plan: model.Plan = field(default_factory=model.Plan)  # the current plan
    put: dict[str, str | None] = field(default_factory=dict)  # the last policy put, by bucket
    failed: dict[str, str] = field(default_factory=dict)  # why a load balancer failed, by ARN
    answered: dict[str, model.LoadBalancer] = field(default_factory=dict)  # as ELB returned them
    subscriptions: dict[tuple[str, str], str] = field(default_factory=dict)
    _policies: dict[str, tuple[float, str | None]] = field(default_factory=dict)

    def policy(self, bucket: str, age: float = 0.0) -> str | None:
        """Return a bucket's policy, read at most `age` seconds ago, or None if it has none."""
        read_at, known = self._policies.get(bucket, (float("-inf"), None))
        if self.aws.clock() - read_at > age:
            known = POLICY.read(self.at(bucket))
            self._policies[bucket] = (self.aws.clock(), known)
        return known

    def forget(self, bucket: str) -> None:
        """Forget a bucket's policy, so that the next use reads it again."""
        self._policies.pop(bucket, None)

    def at(self, bucket: str) -> OwnedBucket:
        """Return a bucket for calls to S3; if this run created it, retry NoSuchBucket."""
        passing = (BUCKET_SPREADS,) if bucket in self.made else ()
        return OwnedBucket(self.aws, bucket, self.stack.account, passing)

    def keep(self, step: model.Step, what: str, harmless: bool = True) -> str:
        """Give up a step, and record `what` for the report; return the outcome."""
        self.hopeless.append(step)
        (self.kept if harmless else self.warnings).append(what)
        return "kept"

    def tolerate(self, step: model.Step, why: HandlerError) -> str:
        """Record a step's failure if it is tolerated; return the outcome, or an empty string."""
        for each, arns in self.plan.tolerated:
            if each == step:
                if not arns:
                    return self.keep(step, str(why), isinstance(step, model.SetTags))
                self.failed |= dict.fromkeys(arns, str(why))
                return "failed"
        return ""

    def possible(self, steps: Iterable[model.Step]) -> tuple[model.Step, ...]:
        """Return the steps, except those that this run has found to be hopeless.

        Also leaves out the deletion of a test file if its registration cannot be removed, because
        each plan would repeat the deletion.
        """
        frozen = {each.bucket for each in self.hopeless if isinstance(each, model.EditPolicy)}
        return tuple(
            step
            for step in steps
            if step not in self.hopeless
            and not (isinstance(step, model.DeleteTestFile) and step.bucket in frozen)
        )

    def needed(self, step: model.Step) -> bool:
        """Return whether another registration needs what a step would remove."""
        match step:
            case model.SetLogging(arn, was):
                name = load_balancer_name(arn)
                return any(each.covers(was.location, name) for each in self.others(was.bucket))
            case model.DeleteTestFile(location):
                return any(each.covers(location) for each in self.others(location.bucket))
            case model.Unsubscribe(bucket=bucket):
                end = step.endpoint.digest
                return any(each.endpoint == end for each in self.others(bucket))
        return bool(self.others(step.bucket))

    def others(self, bucket: str) -> list[Registration]:
        """Return others' registrations in a bucket; none if the bucket does not exist.

        These are the registrations of this stack's later events, and other stacks' registrations
        that grant something.
        """
        try:
            policy = self.policy(bucket, _FRESH)
        except ClientError as error:
            if code(error) in ABSENT:
                return []
            raise
        found = registrations(policy, bucket, self.stack)
        return [
            each
            for each in found
            if (
                each.time > self.time
                if each.stack == self.stack.tag
                else not each.inert(self.stack)
            )
        ]


def carry_out(steps: Iterable[model.Step], effects: Effects, take: Take) -> None:
    """Take the steps in order; raise HandlerError at the first failure that is not tolerated.

    Consecutive changes of load balancers run at the same time. After a tolerated failure
    that leaves out load balancers, this stops; the next plan contains the remaining steps.
    """
    for group in _groups(steps):
        known = len(effects.failed)
        effects.aws.each(partial(_carry_out, effects, take), group)
        if len(effects.failed) > known:
            return  # the remaining steps assume that these succeeded


def carry_out_all(steps: Iterable[model.Step], effects: Effects, take: Take) -> list[HandlerError]:
    """Take the steps, and continue after a failure; return the failures.

    If a step other than a policy edit fails, the remaining registrations and buckets stay, so that
    the next try finds what is left. A policy that cannot be changed does not stop other steps, and
    is not a failure if its bucket was deleted later.
    """
    failures: list[tuple[model.Step, HandlerError]] = []
    for group in _groups(steps):
        step = group[0]
        last = isinstance(step, model.DeleteBucket) or (
            isinstance(step, model.EditPolicy) and step.edit.drop
        )
        if last and any(not isinstance(failed, model.EditPolicy) for failed, _ in failures):
            effects.log(step, "kept for the next try")
            continue
        tried = effects.aws.each(partial(_tried, effects, take), group)
        failures += [(each, error) for each, error in zip(group, tried, strict=True) if error]
    return [
        error
        for step, error in failures
        if not (isinstance(step, model.EditPolicy) and step.bucket in effects.gone)
    ]


def _groups(steps: Iterable[model.Step]) -> Iterator[list[model.Step]]:
    """Group consecutive changes of different load balancers; every other step is its own group."""
    group: dict[str, model.Step] = {}
    for step in steps:
        arn = step.load_balancer if isinstance(step, model.SetLogging) else ""
        if group and (not arn or arn in group or "" in group):
            yield [*group.values()]
            group = {}
        group[arn] = step
    if group:
        yield [*group.values()]


def _tried(effects: Effects, take: Take, step: model.Step) -> HandlerError | None:
    try:
        _carry_out(effects, take, step)
    except HandlerError as error:
        return error
    return None


def _carry_out(effects: Effects, take: Take, step: model.Step) -> None:
    effects.began = True
    effects.aws.proceed()
    try:
        outcome = take(step, effects)
    except Refused as refused:
        if not (outcome := effects.tolerate(step, refused)):
            raise
    except ClientError as error:
        worthless = _worthless(step, effects.stack)
        if not (worthless and denied(error)):
            outcome = _failed(effects, step, error)
        else:
            why = f"{worthless}, which may not be deleted ({message(error)})"
            outcome = effects.keep(step, why)
    effects.log(step, outcome)


def _failed(effects: Effects, step: model.Step, error: ClientError) -> str:
    """Record a tolerated step's failure unless it is temporary; raise any other failure.

    Also records a bucket that denied ELB access.
    """
    failed = failure(error)
    if isinstance(step, model.SetLogging) and POLICY_SPREADS.text in message(error):
        effects.closed.add(step.to.bucket)
    if code(error) not in PASSING and (outcome := effects.tolerate(step, failed)):
        return outcome
    effects.log(step, "failed")
    raise failed from error


def _worthless(step: model.Step, stack: Stack) -> str:
    """Describe what a step removes if leaving it is harmless; otherwise, return an empty string."""
    match step:
        case model.DeleteTestFile(location):
            return f"the test file s3://{location.bucket}/{location.test_file(stack)}"
        case model.DeleteTopic(topic):
            return f"topic {topic} (aws sns delete-topic --topic-arn {topic})"
        case model.Unsubscribe(arn, live=False):
            return f"subscription {arn} (aws sns unsubscribe --subscription-arn {arn})"
    return ""
