"""One request from beginning to end: observe, plan, apply, and again until nothing is left to do.

Reading again after writing is part of the same circle: a run has succeeded when a plan made from
what AWS answers then has no changes. S3 has no compare-and-swap for a bucket's policy and
notifications, so another writer may undo our change with its own; after such a change the run waits
SETTLE seconds before it looks, and repairs what was lost. What is lost later than that is found by
the next run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from .apply import carry_out, carry_out_all, undo
from .aws import Aws
from .documents import same
from .effects import Effects
from .errors import HandlerError, Overtaken
from .model import Bucket, State, Unreadable
from .notifications import own
from .observe import observe
from .place import registered
from .plan import plan
from .policy import Edit, sids
from .register import registrations
from .request import Request
from .steps import Placement, Plan, SetLogging, Step

SETTLE = 4.0  # seconds in which writes that others began before ours have come through
AGREEING = 3  # equal plans in a row, from reads a moment apart, before something lost is repaired
_ROUNDS = 10
_LONGEST_APART = 20.0  # seconds
# Seconds for turning one on: ELB lets an account change 3 load balancers a second.
TURN_EACH = 0.4
UNDO_SHARE = 0.4  # of the time left at the start that is kept for undoing: as much as for setting
Log = Callable[[Step, str], None]


@dataclass(frozen=True)
class Outcome:
    """What a request came to; `subscriptions` are ARNs, or AWS's word for one not confirmed."""

    placements: tuple[Placement, ...] = ()
    topics: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    kept: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def run(request: Request, aws: Aws, log: Log) -> Outcome:
    """Carry out a request; repeatable. Raises HandlerError, after undoing what it did."""
    if request.kind == "Delete":
        return _delete(request, aws, log)
    now = aws.clock()
    working = aws.until(aws.deadline - (aws.deadline - now) * UNDO_SHARE)
    effects = Effects(working, request.stack, request.time, request.bucket, log)
    effects.apart = request.properties is not None and request.properties.every
    try:
        return _converge(request, working, effects)
    except Exception as error:
        effects.aws = aws
        effects.undoing = True
        left = [str(failure) for failure in undo(effects)] + effects.kept + effects.lasting
        if isinstance(error, HandlerError) and left:
            raise _not_undone(error, left) from error
        raise


def _not_undone(error: HandlerError, left: list[str]) -> HandlerError:
    return HandlerError(
        error.what,
        f"{error.fix} Not all of this run could be undone; deleting the stack tries again: "
        + "; ".join(left),
    )


def _converge(request: Request, aws: Aws, effects: Effects) -> Outcome:
    state = observe(aws, request)
    _check_order(request, state)
    planned = plan(request, state)
    steps = planned.steps
    if not planned.changes:
        carry_out(steps, effects)
        return _outcome(request, state, planned, effects)
    planned = fitting(request, aws, state, planned, effects.failed)
    steps = planned.steps
    kept = planned.kept
    for number in range(_ROUNDS):
        carry_out(steps, effects)
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
        steps = effects.possible(planned.changes)
        if not steps:
            return _outcome(request, state, replace(planned, kept=kept + planned.kept), effects)
    raise Overtaken(
        "Somebody else keeps changing what this run sets.",
        "Find out who changes the bucket's policy or notifications, then run the stack again.",
    )


def fitting(
    request: Request, aws: Aws, state: State, planned: Plan, failed: dict[str, str]
) -> Plan:
    """Refuse a Create for which the time is too short; leave out of an Update what does not fit.

    An Update may be CloudFormation's way back, which has to succeed. What is left out is added to
    `failed`; `planned` is what the state alone would come to. Raises Refused.
    """
    new = [s.load_balancer for s in planned.steps if isinstance(s, SetLogging) and s.to.enabled]
    if request.kind == "Create":
        aws.admit(len(new), "load balancers to turn on", TURN_EACH)
    for arn in new[aws.fit(TURN_EACH) :]:
        failed[arn] = "It does not fit into this run: run the stack again."
    return plan(request, replace(state, failed=failed)) if failed else planned


def _settle(aws: Aws, number: int) -> None:
    """Wait until others' writes have come through; longer each time, so that two get apart."""
    aws.pause(SETTLE + aws.random.uniform(0, min(2.0**number, _LONGEST_APART)))


def _look(request: Request, aws: Aws, state: State, effects: Effects) -> State:
    """Look again; what ELB has answered to a change is its reading back."""
    return replace(observe(aws, request, state, effects.answered), failed={**effects.failed})


def _agreed(
    request: Request, aws: Aws, state: State, planned: Plan, effects: Effects
) -> tuple[State, Plan]:
    """Look again until plans agree: a read may be older than what it is a reading of."""
    agreeing = 1
    while agreeing < AGREEING and planned.changes:
        aws.pause(aws.random.uniform(0.5, 1))
        state = _look(request, aws, state, effects)
        again = plan(request, state)
        agreeing = agreeing + 1 if again.steps == planned.steps else 1
        planned = again
    return state, planned


def _check_order(request: Request, state: State) -> None:
    """Stop where an event that CloudFormation sent later has been handled."""
    if any(each.time > request.time for each in registered(state, request.stack)):
        raise Overtaken.by_later_event()


def _check_claimed(request: Request, state: State, effects: Effects) -> None:
    """Stop where a Delete of this stack has taken its claims away.

    It is told from another writer's lost update, which has the other's change in it and concerns
    the policy alone: by what it leaves, exactly the policy that this run put without this stack's
    statements; by what else is gone; and by the time, if the statements had been there since.
    """
    tag = request.stack.tag
    for name, put in effects.put.items():
        found = state.buckets.get(name)
        now = found.policy if isinstance(found, Bucket) else None
        claims = registrations(put, name, request.stack)
        mine = frozenset(each.sid for each in claims if each.stack == tag)
        if not mine:
            continue
        if mine & sids(now):
            effects.seen.add(name)
            continue
        if (
            not isinstance(found, Bucket)
            or name in effects.seen
            or same(now, Edit(drop=mine).applied(put))
            or not effects.notified.get(name, frozenset()) <= own(found.notifications).keys()
        ):
            raise Overtaken(
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
        refused=tuple(sorted((planned.refused or {}).items())),
        kept=tuple(dict.fromkeys((*planned.kept, *effects.kept))),
        unread=state.unread,
    )


def _delete(request: Request, aws: Aws, log: Log) -> Outcome:
    """Take away what is the stack's, until two looks, SETTLE apart, find nothing of it.

    A Create that still runs may put something back in between; it finds its statements gone then,
    and takes the rest back itself. Every step is tried, also after one has failed.
    """
    effects = Effects(aws, request.stack, request.time, request.bucket, log)
    state = observe(aws, request)
    kept: dict[str, None] = {}
    quiet = 0
    for number in range(_ROUNDS):
        _check_order(request, state)
        planned = plan(request, state)
        kept.update(dict.fromkeys(planned.kept))
        steps = effects.possible(planned.steps)
        failures = carry_out_all(steps, effects)
        if failures:
            raise failures[0]
        quiet = 0 if steps else quiet + 1
        if quiet == 2:
            break
        _settle(aws, 0 if quiet else number)
        state = observe(aws, request, state)
    else:
        raise Overtaken(
            "What this stack leaves comes back each time.",
            "Find out who puts it back (another stack of ours, or a tool of yours), then delete"
            " the stack again.",
        )
    unread = [
        each.told(name) for name, each in state.buckets.items() if isinstance(each, Unreadable)
    ]
    return Outcome(
        kept=tuple(dict.fromkeys((*kept, *effects.kept))), unread=(*unread, *state.unread)
    )
