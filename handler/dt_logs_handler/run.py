"""Carry out one request: observe, plan and apply until nothing is left to do.

Reading back is part of the same loop: a run has succeeded when a plan from AWS's current answers
has no changes. S3 does not offer compare-and-swap for a bucket's policy and notifications, so
another writer may overwrite our change. After changing one of them, the run waits at least SETTLE
seconds, looks again, and restores what was lost. If something is lost after the run, the next run
restores it.

A run that fails leaves the rest to CloudFormation, which sends a Delete after a failed Create, and
rolls back a failed Update with another Update. The run itself removes only what those events cannot
remove.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .apply import Effects, carry_out, carry_out_all
from .aws import Aws
from .documents import same
from .errors import Contested, HandlerError, OutOfTime, Overtaken, Refused, Vanished
from .leave import leaving
from .model import Bucket, Placement, Plan, SetLogging, State, Unreadable
from .names import Stack, is_kept
from .observe import observe
from .place import Placed
from .plan import plan
from .register import PolicyEdit, registrations, sids
from .request import Request
from .steps import take

if TYPE_CHECKING:
    from .apply import Log

SETTLE = 4.0  # seconds after which writes that others began before ours are visible
AGREEING = 3  # plans in a row, a moment apart, that must agree before a loss is repaired
_ROUNDS = 10
_LONGEST_APART = 20.0  # seconds
# Seconds to turn on one load balancer's logging, as ELB allows an account 3 changes a second.
TURN_EACH = 0.4
LEAVE_RESERVE = 60.0  # seconds that an Update reserves for cleanup that its rollback cannot do


@dataclass(frozen=True)
class Outcome:
    """The result of a request; `subscriptions` holds ARNs, or `TOPIC awaits confirmation`."""

    placements: tuple[Placement, ...] = ()
    topics: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def run(request: Request, aws: Aws, log: Log) -> Outcome:
    """Carry out a request; repeatable. Raises HandlerError, and leaves the rest to CloudFormation.

    If the stack is deleted during a Create or Update, the run removes all that is the stack's. An
    Update that fails cleans up the buckets that its rollback, under the old role, cannot clean up.
    A Refresh does not undo anything, and needs an existing registration.
    """
    if request.kind == "Delete":
        return _delete(request, aws, log)
    reserve = LEAVE_RESERVE if request.kind == "Update" else 0.0
    effects = Effects(aws.until(aws.deadline - reserve), request.stack, request.time, log)
    try:
        return _converge(request, effects.aws, effects)
    except Exception as error:
        passed = isinstance(error, Overtaken) and not isinstance(error, Vanished)
        if not effects.began or passed or request.kind == "Refresh":
            raise
        found = _after_failure(request, replace(effects, aws=aws))
        if not found or not isinstance(error, HandlerError):
            raise
        if isinstance(found, Outcome):
            return found
        more = (each for each in found if each != str(error))
        raise HandlerError(error.what, " ".join([error.fix, *more])) from error


def _after_failure(request: Request, effects: Effects) -> Outcome | list[str]:
    """Examine what a failed run left; return sentences about it, or the outcome if all is done.

    If the setup is as requested, another run of the same event has succeeded, or only reading back
    failed. If the stack was deleted, this removes all that is the stack's. Otherwise, this cleans
    up the buckets that an Update's rollback cannot clean up.
    """
    try:
        state = observe(effects.aws, request)
        _check_order(request, state)
        _check_claimed(request, state, effects)
        try:
            planned = plan(request, state)
            if not effects.possible(planned.changes):
                carry_out(effects.possible(planned.steps), effects, take)
                return _outcome(request, state, planned, effects)
        except Refused:
            pass  # the run failed for the same reason and reports it
        failures = _leave_strays(request, state, effects)
    except Vanished:
        _delete(_remembering(request, effects).deleted(), effects.aws, effects.log)
        return []
    except HandlerError as failure:
        failures = [] if isinstance(failure, OutOfTime) else [failure]
    stays = "What this run has set up stays until the stack is rolled back or deleted."
    return [stays, *map(str, failures)]


def _converge(request: Request, aws: Aws, effects: Effects) -> Outcome:
    state = _first_look(request, aws)
    effects.before = {each.location.bucket for each in state.registered(request.stack)}
    _check_order(request, state)
    if request.kind == "Refresh" and (state.lost or not effects.before):
        raise Refused(
            "This stack's statements are missing where its load balancers log.",
            "Change RunToken, so that the stack sets everything up again.",
        )
    planned = plan(request, state)
    steps, effects.plan = planned.steps, planned
    if not planned.changes:
        carry_out(steps, effects, take)
        return _outcome(request, state, planned, effects)
    planned = fitting(request, aws, state, planned, effects.failed)
    steps, effects.plan = planned.steps, planned
    kept = planned.kept
    doubts = 0
    for number in range(_ROUNDS):
        known = len(effects.failed)
        carry_out(steps, effects, take)
        request = _remembering(request, effects)
        if effects.shared:
            _settle(aws, number)
            effects.shared = False
        state = _look(request, aws, state, effects)
        planned = plan(request, state)
        if effects.possible(planned.changes):
            aws.pause(SETTLE)
            state, planned = _agreed(request, aws, state, planned, effects)
        _check_order(request, state)
        _check_claimed(request, state, effects)
        # After a tolerated failure, `changes` would omit the topics that this role may not read.
        cut = len(effects.failed) > known
        steps = effects.possible(planned.steps if cut else planned.changes)
        effects.plan = planned
        if not steps and doubts < AGREEING and _doubtful(state, request.stack):
            doubts += 1  # another stack may still be repairing its registration
            effects.shared = True
        elif not steps:
            return _outcome(request, state, replace(planned, kept=kept + planned.kept), effects)
    raise Contested(
        "Somebody else keeps changing what this run sets.",
        "Find out who changes the bucket's policy or notifications, then run the stack again.",
    )


def fitting(
    request: Request, aws: Aws, state: State, planned: Plan, failed: dict[str, str]
) -> Plan:
    """Return a plan that fits into the remaining time; refuse a Create if its plan does not fit.

    An Update may be a rollback, which must succeed. So an Update or Refresh instead leaves out load
    balancers, and adds them to `failed`. `planned` is the plan for the whole state. Raises Refused.
    """
    new = [s.load_balancer for s in planned.steps if isinstance(s, SetLogging) and s.to.enabled]
    if request.kind == "Create":
        aws.admit(len(new), "load balancers to turn on", TURN_EACH)
    for arn in new[aws.fit(TURN_EACH) :]:
        failed[arn] = "It does not fit into this run: run the stack again."
    return plan(request, replace(state, failed=failed)) if failed else planned


def _settle(aws: Aws, number: int) -> None:
    """Wait until others' writes are visible, plus a random time, so that runs drift apart."""
    aws.pause(SETTLE + aws.random.uniform(0, min(2.0**number, _LONGEST_APART)))


def _remembering(request: Request, effects: Effects) -> Request:
    """Return the request with the locations that this run registered as turned on.

    Another writer may remove these registrations from the register.
    """
    stack = request.stack
    put = [
        each for name, policy in effects.put.items() for each in registrations(policy, name, stack)
    ]
    mine = (each.location for each in put if each.stack == stack.tag and each.turned_on)
    return replace(request, turned_on=tuple(mine))


def _first_look(request: Request, aws: Aws) -> State:
    """Observe; repeat this if a load balancer's prefix has a mark that no stack claims.

    One look may be stale, so it takes AGREEING looks to conclude that the logging is not ours.
    """
    state = observe(aws, request)
    for _ in range(AGREEING - 1):
        if not _doubtful(state, request.stack):
            break
        aws.pause(aws.random.uniform(0.5, 1))
        state = observe(aws, request)
    return state


def _doubtful(state: State, stack: Stack) -> bool:
    """Return whether logging is on with a mark in the prefix, but no known stack turned it on."""
    return any(
        each
        and each.logging.enabled
        and each.logging.location.mark
        and not state.turned_on(each.logging, stack)
        for each in state.load_balancers.values()
    )


def _look(request: Request, aws: Aws, state: State, effects: Effects) -> State:
    """Observe again, and note what failed; ELB's answer to a change counts as reading it back."""
    return replace(observe(aws, request, state, effects.answered), failed={**effects.failed})


def _agreed(
    request: Request, aws: Aws, state: State, planned: Plan, effects: Effects
) -> tuple[State, Plan]:
    """Observe again until AGREEING plans agree or one has no changes; a read may be stale."""
    agreeing = 1
    while agreeing < AGREEING and planned.changes:
        aws.pause(aws.random.uniform(0.5, 1))
        state = _look(request, aws, state, effects)
        again = plan(request, state)
        agreeing = agreeing + 1 if again.steps == planned.steps else 1
        planned = again
    return state, planned


def _check_order(request: Request, state: State) -> None:
    """Raise Overtaken if a later event of the stack was handled."""
    if any(each.time > request.time for each in state.registered(request.stack)):
        raise Overtaken.by_later_event()


def _check_claimed(request: Request, state: State, effects: Effects) -> None:
    """Raise Vanished if a Delete of this stack has removed its claims.

    Claims that another writer has overwritten are repaired instead. This assumes a Delete if the
    bucket does not exist, or if exactly this stack's statements are missing from the policy that
    this run put.
    """
    tag = request.stack.tag
    for name, put in effects.put.items():
        found = state.buckets.get(name)
        now = found.policy if isinstance(found, Bucket) else None
        claims = registrations(put, name, request.stack)
        mine = frozenset(each.sid for each in claims if each.stack == tag)
        if not mine or isinstance(found, Unreadable):
            continue
        gone = not isinstance(found, Bucket)
        if not mine & sids(now) and (gone or same(now, PolicyEdit(drop=mine).applied(put))):
            raise Vanished(
                "This stack's statements were removed while it was being set up.",
                "If the stack is not being deleted, run it again.",
            )


def _outcome(request: Request, state: State, planned: Plan, effects: Effects) -> Outcome:
    subscribed = dict(effects.subscriptions)
    end = request.properties.endpoint if request.properties else None
    for topic in (state.topics or {}).values():
        for each in topic.subscriptions if topic else ():
            if end and (each.protocol, each.endpoint) == (end.protocol, end.address):
                subscribed[each.topic, each.endpoint] = each.arn
    return Outcome(
        placements=planned.placements,
        topics=tuple(sorted({topic for topic, _ in subscribed})),
        subscriptions=tuple(
            arn if arn.startswith("arn:") else f"{topic} awaits confirmation"
            for (topic, _), arn in sorted(subscribed.items())
        ),
        refused=tuple(sorted(planned.refused.items())),
        kept=tuple(dict.fromkeys((*planned.kept, *effects.kept))),
        unread=_unread(state),
        warnings=tuple(dict.fromkeys((*planned.warnings, *effects.warnings))),
    )


def _unread(state: State) -> tuple[str, ...]:
    closed = (e.told(n) for n, e in state.buckets.items() if isinstance(e, Unreadable))
    return (*closed, *state.unread)


def _leave_strays(request: Request, state: State, effects: Effects) -> list[HandlerError]:
    """Clean up the run's new buckets that the old role may not access; return the failures.

    Logging to these buckets is turned off. If we chose the bucket, our prefix stays, so that the
    rollback knows that the customer did not choose the bucket.
    """
    strays = {name for name in state.buckets if request.strays(name)} - effects.before
    claimed = [
        each for each in state.registered(request.stack) if each.location.bucket not in strays
    ]
    placed = [
        Placed(each, each.logging)
        for each in state.load_balancers.values()
        if each and each.logging.bucket not in strays
    ]
    steps = [
        replace(step, to=replace(step.to, prefix=step.was.prefix))
        if isinstance(step, SetLogging) and not is_kept(step.was.prefix)
        else step
        for step in leaving(request, state, placed, claimed)[0]
        if step.bucket in strays
    ]
    return carry_out_all(steps, effects, take)


def _delete(request: Request, aws: Aws, log: Log) -> Outcome:
    """Remove the stack's setup until two looks, at least SETTLE seconds apart, find nothing left.

    A Create that is still running may put something back in between. It then finds its statements
    removed, and removes the rest itself. After a step has failed, other steps are still tried (see
    `carry_out_all`); then this raises the first failure. Raises Refused if an unreadable bucket
    still has this stack's registration.
    """
    effects = Effects(aws, request.stack, request.time, log)
    state = _first_look(request, aws)
    quiet = 0
    for number in range(_ROUNDS):
        _check_order(request, state)
        planned = plan(request, state)
        effects.kept += [each for each in planned.kept if each not in effects.kept]
        steps = effects.possible(planned.steps)
        failures = carry_out_all(steps, effects, take)
        if failures:
            raise failures[0]
        quiet = 0 if steps else quiet + 1
        if quiet == 2:
            for name, each in state.buckets.items():
                if isinstance(each, Unreadable) and each.registered(name, request.stack):
                    raise Refused(
                        f"A notification may stay: {each.told(name)}.",
                        "Let the function's role read it, then delete the stack again.",
                    )
            return Outcome(kept=tuple(effects.kept), unread=_unread(state))
        _settle(aws, 0 if quiet else number)
        state = observe(aws, request, state)
    raise Overtaken(
        "Somebody else keeps restoring what this stack removes.",
        "Find out who does (another stack of this kind, or one of your tools), then delete"
        " the stack again.",
    )
