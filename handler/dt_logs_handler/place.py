"""Pure functions that decide where each load balancer logs and what the stack registers there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .errors import Refused
from .model import Absent, Bucket, LoadBalancer, Logging, State
from .names import is_kept, is_own_bucket_name, load_balancer_name, marked
from .register import Registration
from .request import Properties, ReadScope, Request
from .usable import can_receive, usable

_SHOWN = 5  # the number of reasons to show; there may be hundreds


@dataclass(frozen=True)
class Placed:
    """A load balancer, how it will log, and whether the stack onboarded it `before`.

    If `claimed` is false, the bucket does not exist or cannot be read, so nothing is changed.
    """

    load_balancer: LoadBalancer
    to: Logging
    before: bool = False
    claimed: bool = True


@dataclass(frozen=True)
class Placing:
    """The decision: load balancers to onboard, reasons for those left out, and warnings."""

    placed: tuple[Placed, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def place(request: Request, state: State) -> Placing:
    """Decide where each requested load balancer logs.

    An Update or Refresh keeps load balancers that the stack has onboarded before, even if their
    logs cannot be used any more, because a rollback asks for them again. Raises Refused if a load
    balancer that is named for the first time cannot be onboarded, or if a Create of `*` cannot
    onboard any.
    """
    properties = request.properties
    if properties is None:
        return Placing()
    placed: list[Placed] = []
    refused = dict(state.failed)
    warnings: list[str] = []
    every = [arn for arn, found in state.load_balancers.items() if found]
    for arn in every if properties.every else properties.load_balancers:
        found, name = state.load_balancers[arn], load_balancer_name(arn)
        if found is None:
            if request.kind == "Create" or arn not in state.known:
                raise Refused(
                    f"Load balancer {name} does not exist.",
                    "Correct LoadBalancerArns, then run the stack again.",
                )
            refused[arn] = "It does not exist any more."
        if found is None or arn in refused:
            continue
        to = target(found, request, state)
        # If somebody overwrote the register, the mark shows which logging the stack turned on.
        mark = state.turned_on(found.logging, request.stack)
        claimed = mark == request.stack.tag or is_claimed(found, request, state)
        there = state.buckets.get(to.bucket)
        gone = isinstance(there, Absent)
        # `*` also covers new load balancers, so a repeated request proves an earlier onboarding
        # only if the bucket is gone.
        again = state.again and (gone or not properties.every)
        known = (claimed or arn in state.known) and to.location == found.logging.location
        before = request.kind != "Create" and (again or known)
        try:
            _check(found, to, request, properties, state)
            placed.append(Placed(found, to, before))
        except Refused as why:
            closed = not isinstance(there, Bucket)
            if before and found.logging.enabled and (claimed or closed):
                placed.append(Placed(found, found.logging, before, claimed and not closed))
                warnings.append(f"{name} stays as it is: {why}")
            elif before or properties.every:
                refused[arn] = str(why)
            else:
                raise Refused(f"{name}: {why.what}", why.fix) from why
    if properties.every and not placed and request.kind == "Create":
        reasons = [f"{load_balancer_name(arn)}: {why}" for arn, why in refused.items()]
        raise Refused(
            "No load balancer can be onboarded. " + " ".join(reasons[:_SHOWN]),
            "Correct that, or name other load balancers.",
        )
    return Placing(tuple(placed), refused, tuple(warnings))


def recognised(request: Request, state: State) -> tuple[frozenset[str], bool]:
    """Return the ARNs that this stack may have registered, and whether the request is a repeat.

    A rollback repeats an earlier request, and the register holds the digest of that request. If the
    stack has no registration left, any of its load balancers may have been registered.
    """
    known, properties = set(request.traces.load_balancers), request.properties
    if properties is None:
        return frozenset(known), False
    mine = state.registered(request.stack)
    again = any(properties.digest in (each.asked, each.previous) for each in mine)
    names = {name for each in mine for name in each.load_balancers}
    for arn in properties.load_balancers:
        if again or not mine or load_balancer_name(arn) in names:
            known.add(arn)
    return frozenset(known), again


def is_claimed(
    found: LoadBalancer, request: Request, state: State, *, others: bool = False
) -> bool:
    """Return whether this stack claims a load balancer at its current location.

    If `others` is true, return whether another stack does.
    """
    bucket = state.buckets.get(found.logging.bucket)
    return isinstance(bucket, Bucket) and any(
        (each.stack != request.stack.tag) is others
        and each.covers(found.logging.location, found.name)
        for each in bucket.register(request.stack)
    )


def target(found: LoadBalancer, request: Request, state: State) -> Logging:
    """Return how a load balancer will log.

    Does not change logging that others turned on or claim. Otherwise, a bucket that the customer
    set stays. A bucket that we set or that does not exist counts as unset, because AWS refuses to
    empty the attribute.
    """
    now, stack = found.logging, request.stack
    ours = state.turned_on(now, stack) == stack.tag
    if now.enabled and (not ours or is_claimed(found, request, state, others=True)):
        return now
    kept = is_kept(now.prefix) if ours else not is_own_bucket_name(now.bucket)
    kept &= not isinstance(state.buckets.get(now.bucket, Absent()), Absent)
    bucket = now.bucket if kept else _bucket(request, state)
    return Logging(True, bucket, marked(now.prefix, stack.tag, kept=kept))


def _bucket(request: Request, state: State) -> str:
    """Return the bucket for load balancers that do not have one."""
    if request.bucket:
        return request.bucket
    regional, plain = request.stack.own_buckets
    made = (n for n in request.stack.own_buckets if isinstance(state.buckets.get(n), Bucket))
    return next(made, regional if state.regional else plain)


def _check(
    found: LoadBalancer, to: Logging, request: Request, properties: Properties, state: State
) -> None:
    """Raise Refused unless logs can reach the load balancer's location and the vendor."""
    stack = request.stack
    bucket = state.buckets.get(to.bucket, Absent())
    stays = to == found.logging and state.turned_on(to, stack) != stack.tag
    if isinstance(bucket, Absent) and not stays:
        return  # the bucket will be created
    checked = usable(bucket, to.location, properties.vendor, stack)
    if not stays:
        can_receive(checked, to.location, stack)


def claims(
    request: Request, placed: Sequence[Placed], state: State, time: int | None
) -> list[Registration]:
    """Return the registrations that the stack will have, one for each location.

    If `time` is None, existing registrations keep their times. The stack claims the whole of its
    own location, unless another stack has registered the whole of it, or a load balancer there that
    this stack does not have. Otherwise, the registration names the stack's load balancers, unless
    VendorReadScope is Location.
    """
    properties = request.properties
    if properties is None:
        return []
    stack = request.stack
    everyone = state.register(stack)
    mine = [each for each in everyone if each.stack == stack.tag]
    result = []
    for location in sorted({each.to.location for each in placed if each.claimed}):
        here = [each for each in placed if each.to.location == location]
        names = frozenset(each.load_balancer.name for each in here)
        if request.kind == "Refresh":  # a Refresh keeps load balancers that it did not find
            found = (each.load_balancers for each in mine if each.covers(location))
            names |= frozenset().union(*found) - state.names
        turned_on = any(
            each.to != each.load_balancer.logging or state.turned_on(each.to, stack) is not None
            for each in here
        )
        apart = any(
            not each.load_balancers or each.load_balancers - names
            for each in everyone
            if each.stack != stack.tag and each.covers(location)
        )
        whole = properties.read_scope is ReadScope.LOCATION or (
            location.mark == stack.tag and turned_on and not apart
        )
        claim = Registration(
            stack.tag,
            location,
            properties.vendor,
            properties.endpoint.digest,
            frozenset() if whole else names,
            request.time,
            properties.digest,
            turned_on=turned_on,
        )
        if mine:
            # Prefer the registration for this location.
            before = min(mine, key=lambda each: each.location != location)
            previous = before.previous if before.asked == claim.asked else before.asked
            claim = replace(claim, previous=previous, time=before.time if time is None else time)
        result.append(claim)
    return result
