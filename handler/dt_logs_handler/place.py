"""Deciding where each load balancer logs, and what the stack registers there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .errors import Refused
from .marks import Location, Stack, is_kept, is_own_bucket_name, marked
from .model import Absent, Bucket, LoadBalancer, Logging, State
from .register import NONE, Registration, members_digest
from .request import Properties, ReadScope, Request
from .steps import Placement
from .usable import can_receive, usable

_SHOWN = 5  # reasons, where there may be hundreds


@dataclass(frozen=True)
class Placed:
    """A load balancer, and how it is to log."""

    load_balancer: LoadBalancer
    to: Logging


def place(request: Request, state: State) -> tuple[list[Placed], dict[str, str]]:
    """Decide for each load balancer asked for where it logs; pure.

    Returns those, and for `*` the reasons for those left out. Raises Refused for a load balancer
    that was named and cannot be onboarded, or for `*` if none can.
    """
    properties = request.properties
    if properties is None:
        return [], {}
    placed: list[Placed] = []
    refused: dict[str, str] = {}
    for arn in _asked(request, properties, state):
        if state.load_balancers[arn] is None:
            refused[arn] = "It does not exist any more."
            continue
        if arn in state.failed:
            refused[arn] = state.failed[arn]
            continue
        try:
            placed.append(_place(arn, request, properties, state))
        except Refused as why:
            if not properties.every:
                raise Refused(f"{_short(arn)}: {why.what}", why.fix) from why
            refused[arn] = str(why)
    if properties.every and not placed:
        raise Refused(
            "No load balancer can be onboarded. "
            + " ".join([f"{_short(arn)}: {why}" for arn, why in refused.items()][:_SHOWN]),
            "Correct that, or name load balancers that can.",
        )
    return placed, refused


def _asked(request: Request, properties: Properties, state: State) -> list[str]:
    """Return the ARNs to onboard; only those that were registered may have vanished since."""
    if properties.every:
        return [arn for arn, found in state.load_balancers.items() if found]
    asked = []
    for arn in properties.load_balancers:
        asked.append(arn)
        vanished = state.load_balancers[arn] is None
        if vanished and (request.kind == "Create" or arn not in state.known):
            raise Refused(
                f"Load balancer {_short(arn)} does not exist.",
                "Correct LoadBalancerArns; the name and the id at the end must be those of a load"
                " balancer of this account and region.",
            )
    return asked


def known(request: Request, state: State) -> frozenset[str]:
    """Return the ARNs that may have been registered by this stack, and have vanished since.

    A rollback asks for what was there before, known by the digest of its list in the register. A
    stack that has no registration left has lost all load balancers, so nothing can be told apart.
    """
    asked = request.properties.load_balancers if request.properties else ()
    mine = registered(state, request.stack)
    digest = members_digest(asked)
    if not mine or any(digest in (each.members, each.previous) for each in mine):
        return frozenset((*request.traces.load_balancers, *asked))
    named = {name for each in mine for name in each.load_balancers}
    return frozenset(
        (
            *request.traces.load_balancers,
            *(arn for arn in asked if arn.partition(":loadbalancer/")[2] in named),
        )
    )


def _place(arn: str, request: Request, properties: Properties, state: State) -> Placed:
    found = state.load_balancers[arn]
    if found is None:
        raise AssertionError(f"{arn} was asked for and does not exist")
    now = found.logging
    stack = request.stack
    ours = now.location.mark == stack.tag
    if now.enabled and (not ours or _needed_there(found, state, stack)):
        _check(now.location, found, properties, state, stack)
        return Placed(found, now)
    kept = _is_customers(now, ours, state)
    bucket = now.bucket if kept else _bucket(properties, state, stack)
    to = Logging(True, bucket, marked(now.prefix, stack.tag, kept=kept))
    existing = state.buckets.get(bucket, Absent())
    if not isinstance(existing, Absent):
        can_receive(_check(to.location, found, properties, state, stack), to.location, stack)
    return Placed(found, to)


def _needed_there(found: LoadBalancer, state: State, stack: Stack) -> bool:
    return any(
        each.stack != stack.tag and each.covers(found.logging.location, found.name)
        for each in registered(state, stack, others=True)
    )


def _is_customers(now: Logging, ours: bool, state: State) -> bool:
    """Tell whether the bucket of an ALB whose logging is off, or that we turned on, stays.

    A bucket that the customer set stays. One that we set, or that is gone, is as good as unset:
    AWS refuses to empty the attribute again.
    """
    if isinstance(state.buckets.get(now.bucket, Absent()), Absent):
        return False
    return is_kept(now.prefix) if ours else not is_own_bucket_name(now.bucket)


def _bucket(properties: Properties, state: State, stack: Stack) -> str:
    """Return the bucket for load balancers that have none."""
    if properties.bucket:
        return properties.bucket
    regional, plain = stack.own_buckets
    made = (name for name in stack.own_buckets if isinstance(state.buckets.get(name), Bucket))
    return next(made, regional if state.regional else plain)


def _check(
    location: Location,
    found: LoadBalancer,
    properties: Properties,
    state: State,
    stack: Stack,
) -> Bucket:
    claim = Registration(
        stack.tag,
        location,
        properties.vendor,
        properties.endpoint.digest,
        frozenset((found.name,)),
        0,
        NONE,
    )
    return usable(state.buckets.get(location.bucket, Absent()), location, claim, stack)


def registered(state: State, stack: Stack, others: bool = False) -> list[Registration]:
    """Return this stack's registrations, or with `others` every stack's."""
    return [
        each
        for bucket in state.present()
        for each in bucket.register(stack)
        if others or each.stack == stack.tag
    ]


def claims(
    request: Request, placed: Sequence[Placed], state: State, time: int | None
) -> list[Registration]:
    """Return the registrations that the stack is to have, one a location.

    With `time` None, one that is there keeps its time. At the stack's own location it claims all,
    since nothing else logs there, unless another stack has a load balancer there that this one
    does not; elsewhere it names its load balancers, unless asked for the whole location.
    """
    properties = request.properties
    if properties is None:
        return []
    members = members_digest(properties.load_balancers)
    locations: dict[Location, set[str]] = {}
    for each in placed:
        locations.setdefault(each.to.location, set()).add(each.load_balancer.name)
    everyone = registered(state, request.stack, others=True)
    result = []
    for location, names in sorted(locations.items()):
        others = [
            each for each in everyone if each.stack != request.stack.tag and each.covers(location)
        ]
        apart = any(not each.load_balancers or each.load_balancers - names for each in others)
        whole = properties.read_scope is ReadScope.LOCATION or (
            location.mark == request.stack.tag and not apart
        )
        claim = Registration(
            request.stack.tag,
            location,
            properties.vendor,
            properties.endpoint.digest,
            frozenset() if whole else frozenset(names),
            request.time,
            members,
        )
        result.append(_carried_on(claim, everyone, time))
    return result


def _carried_on(
    claim: Registration, everyone: Sequence[Registration], time: int | None
) -> Registration:
    """Give a claim the time and the previous members that the register calls for."""
    before = next(
        (
            each
            for each in everyone
            if each.stack == claim.stack and each.location == claim.location
        ),
        None,
    ) or next((each for each in everyone if each.stack == claim.stack), None)
    if before is None:
        return claim
    previous = before.previous if before.members == claim.members else before.members
    return replace(claim, previous=previous, time=before.time if time is None else time)


def placements(placed: Sequence[Placed]) -> tuple[Placement, ...]:
    """Return what an answer tells of the load balancers."""
    return tuple(Placement(each.load_balancer.arn, each.to.location) for each in placed)


def _short(arn: str) -> str:
    return arn.partition(":loadbalancer/")[2] or arn
