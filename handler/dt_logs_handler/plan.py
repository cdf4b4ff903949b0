"""Pure functions that plan the steps from the observed state to the requested state.

The Lambda function carries out the plan that the command line shows. Onboarding writes the register
before it changes topics and notifications, and turns on logging last. Removal ends the vendor's
read access first and removes the register last. The next run therefore finds whatever an
interrupted run has left.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from . import model, notifications
from .documents import same
from .errors import Refused
from .leave import leaving
from .names import BUCKET_TAG, LEFT_TAG, Location, load_balancer_name
from .notifications import (
    NotificationEdit,
    covering_topic,
    endpoint_of,
    filter_policy,
    filtered,
    same_filter,
    taken,
    tampered,
    topic_policy,
)
from .place import Placing, claims, place
from .register import (
    PolicyEdit,
    Registration,
    check_policy,
    delivery_statement,
    registrations,
    tls_statement,
)
from .request import Privileges, Properties, Request


def plan(request: Request, state: model.State) -> model.Plan:
    """Return the steps from the observed state to the requested state.

    A plan that is made after these steps were taken has no changes. Raises Refused if the request
    cannot be carried out. For `*`, this first tries to leave out the load balancers that cannot be
    onboarded.
    """
    _check_readable(request, state)
    placing = place(request, state)
    while True:
        try:
            result = _plan(request, state, placing, None)
            timeless = request.kind == "Refresh" or not result.changes
            return result if timeless else _plan(request, state, placing, request.time)
        except Refused as why:
            left = tuple(p for p in placing.placed if p.to.bucket != why.bucket or p.before)
            out = {p.load_balancer.arn: str(why) for p in placing.placed if p not in left}
            every = request.properties is not None and request.properties.every
            if not every or not out or not (left or request.kind != "Create"):
                raise
            placing = Placing(left, {**placing.refused, **out}, placing.warnings)


def _check_readable(request: Request, state: model.State) -> None:
    """Refuse an Update that could not clean up after a load balancer that it no longer names."""
    properties = request.properties
    if request.kind != "Update" or properties is None or properties.every or state.again:
        return
    for arn in set(request.traces.load_balancers).difference(properties.load_balancers):
        found = state.load_balancers.get(arn)
        name = found.logging.bucket if found else ""
        bucket = state.buckets.get(name)
        if isinstance(bucket, model.Unreadable):
            raise Refused(
                f"Nothing can be removed where {load_balancer_name(arn)} logs:"
                f" {bucket.told(name)}.",
                "Let the function read it, and keep it in ExistingLogBucketNames for this update.",
                name,
            )


def _plan(request: Request, state: model.State, placing: Placing, time: int | None) -> model.Plan:
    claimed = claims(request, placing.placed, state, time)
    warnings = [*placing.warnings]
    entered = [*_entering(request, state, placing, claimed, warnings)]
    staying = [*claimed, *_of_unseen(request, state, claimed)]
    left, kept = leaving(request, state, placing.placed, staying)
    # Do not end a subscription if a step sets its filter to the stack's remaining claims.
    changed = {step.subscription for step, _ in entered if isinstance(step, model.SetFilter)}
    left = [step for step in left if getattr(step, "subscription", None) not in changed]
    return model.Plan(
        (*(step for step, _ in entered), *left),
        tuple(model.Placement(each.load_balancer.arn, each.to.location) for each in placing.placed),
        placing.refused,
        kept,
        tuple(dict.fromkeys(warnings)),
        tuple((step, arns) for step, arns in entered if arns is not None),
    )


def _of_unseen(
    request: Request, state: model.State, claimed: Sequence[Registration]
) -> Iterator[Registration]:
    """Yield the registrations that a Refresh keeps for load balancers that it may not have seen.

    One look may miss load balancers, and the vendor may not have read their last logs. An Update
    removes these registrations.
    """
    digests = {each.location_digest for each in claimed}
    for each in state.registered(request.stack) if request.kind == "Refresh" else ():
        unseen = not each.load_balancers or each.load_balancers - state.names
        if unseen and each.location_digest not in digests:
            yield each


def _entering(
    request: Request,
    state: model.State,
    placing: Placing,
    claimed: Sequence[Registration],
    warnings: list[str],
) -> Iterator[tuple[model.Step, tuple[str, ...] | None]]:
    """Yield each onboarding step, with the load balancers that fail if it fails.

    Yields None instead of the load balancers if the step must not fail. Adds to `warnings`.
    """
    properties = request.properties
    if properties is None:
        return
    shared: dict[str, str] = {}
    for bucket in sorted({each.location.bucket for each in claimed}):
        found = state.buckets.get(bucket)
        entry = _Entry(
            request,
            properties,
            state,
            bucket,
            found if isinstance(found, model.Bucket) else None,
            [each for each in claimed if each.location.bucket == bucket],
            all(each.before for each in placing.placed if each.to.bucket == bucket),
            warnings,
            shared,
        )
        here = [e for e in placing.placed if properties.every and e.to.bucket == bucket]
        new = tuple(each.load_balancer.arn for each in here if not each.before)
        for step in (*entry.bucket_steps(), *entry.policy_steps(), *entry.announcement_steps()):
            # A bucket with ABAC refuses our tags; if we named the bucket, we do not need them.
            nothing = isinstance(step, model.SetTags) or (
                entry.kept and not (isinstance(step, model.EditPolicy) and entry.narrows)
            )
            yield step, () if nothing else new or None
    for each in placing.placed:
        now = each.load_balancer.logging
        if now != each.to:
            arn = each.load_balancer.arn
            alone = properties.every or each.before
            yield model.SetLogging(arn, now, each.to), (arn,) if alone else None


@dataclass(frozen=True)
class _Entry:
    """The onboarding steps of one bucket.

    `kept` means that the stack has onboarded all of the bucket's load balancers before; an obstacle
    is then only a warning. `shared` maps each foreign topic that we use to the bucket for
    which we use it.
    """

    request: Request
    properties: Properties
    state: model.State
    bucket: str
    found: model.Bucket | None
    claimed: Sequence[Registration]
    kept: bool
    warnings: list[str]
    shared: dict[str, str]

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Let a Refused from the `with` block pass, or record it as a warning if `kept`."""
        try:
            yield
        except Refused as why:
            if not self.kept:
                raise
            self.warnings.append(str(why))

    def bucket_steps(self) -> Iterator[model.Step]:
        stack, found, name = self.request.stack, self.found, self.bucket
        tags = {**dict(self.properties.tags), BUCKET_TAG: stack.tag}
        # Under least privilege, the role may tag and secure only these buckets and LogBucketName.
        ours = name in stack.own_buckets
        if found is None:
            yield model.CreateBucket(name, tags)
        elif (found.maker == stack.tag and (ours or name == self.request.bucket)) or (
            found.maker is None and ours
        ):
            drop = {LEFT_TAG, *self.request.traces.tags}.intersection(found.tags) - set(tags)
            edit = model.SetTags(name, tags, frozenset(drop))
            if edit.applied(found.tags) != found.tags:
                yield edit
            if not found.secure:
                yield model.SecureBucket(name)
        else:
            return
        if found is None or found.retention != self.properties.retention_days:
            yield model.SetRetention(name, self.properties.retention_days)

    @property
    def replaced(self) -> list[Registration]:
        """The stack's current registrations at the claimed locations."""
        stack, locations = self.request.stack, {each.location for each in self.claimed}
        now = registrations(self.found.policy, self.bucket, stack) if self.found else []
        return [each for each in now if each.stack == stack.tag and each.location in locations]

    @property
    def narrows(self) -> bool:
        """True if the claims end an earlier vendor's access or narrow the current vendor's."""
        stack, vendor = self.request.stack, self.properties.vendor
        named = {each.location for each in self.claimed if each.load_balancers}
        return any(
            each.vendor not in (vendor, stack.account)
            or (not each.load_balancers and each.location in named)
            for each in self.replaced
        )

    def policy_steps(self) -> Iterator[model.Step]:
        """Yield the policy edit, if it changes anything.

        The edit replaces the stack's registrations at the claimed locations. It also lets ELB write
        where we turn on logging and, in a bucket that this stack made, requires TLS.
        """
        stack, found = self.request.stack, self.found
        now = found.policy if found else None
        put = [each.statement(stack) for each in self.claimed]
        put += [delivery_statement(e.location, stack) for e in self.claimed if e.turned_on]
        if found is None or found.maker == stack.tag:
            put.append(tls_statement(self.bucket, stack))
        drop = {each.sid for each in self.replaced} - {each.sid for each in self.claimed}
        edit = PolicyEdit(tuple(put), frozenset(drop))
        after = edit.applied(now)
        if after != now:
            with self._refusing():
                if not self.narrows:  # narrowing is tried even if S3 might refuse it
                    check_policy(after, self.bucket)
                yield model.EditPolicy(self.bucket, edit)

    def announcement_steps(self) -> Iterator[model.Step]:
        """Yield the steps for our topic and its notifications, and for the foreign topics."""
        bucket, stack = self.bucket, self.request.stack
        now = self.found.notifications if self.found else {}
        share = self.request.privileges is Privileges.LEAST_PRIVILEGE
        own = stack.topic_arn(bucket)
        topics: dict[str, list[Location]] = {}
        for each in self.claimed:
            with self._refusing():
                topic = covering_topic(now, each.location, stack, share=share)
                topics.setdefault(topic or own, []).append(each.location)
        ours = topics.pop(own, [])
        if ours:
            yield from self._own_topic_steps(own)
            put = tuple(notifications.entry(each, own, stack) for each in ours)
            edit = NotificationEdit(put)
            after = edit.applied(now)
            with self._refusing():
                if len([*notifications.entries(after)]) > 100:
                    raise Refused(
                        f"Bucket {bucket} already has 100 event notifications, S3's limit.",
                        "Remove some, then run the stack again.",
                        bucket,
                    )
                if after != now:
                    yield model.EditNotifications(bucket, edit)
        for topic, locations in sorted(topics.items()):
            with self._refusing():
                yield from self._foreign_topic_steps(topic, locations)

    def _own_topic_steps(self, topic: str) -> Iterator[model.Step]:
        known = self.state.topics
        found = known.get(topic) if known is not None else None
        tags = dict(self.properties.tags) if known is not None else {}
        endpoint = self.properties.endpoint
        if found is None:
            yield model.EnsureTopic(self.bucket, topic, tags, known is not None, self.kept)
        elif not _same_policy(found.policy, topic_policy(self.bucket, self.request.stack)):
            with self._refusing():
                raise tampered(topic, self.bucket)
        if not found or endpoint not in map(endpoint_of, found.subscriptions):
            yield model.Subscribe(self.bucket, topic, endpoint, None, known is not None)

    def _foreign_topic_steps(
        self, topic: str, locations: Sequence[Location]
    ) -> Iterator[model.Step]:
        """Yield the steps that subscribe to a foreign topic, for our locations' log files only.

        An endpoint has only one subscription to a topic, so the filter names the locations of all
        stacks with that endpoint.
        """
        bucket, stack, endpoint = self.bucket, self.request.stack, self.properties.endpoint
        registered = [
            each
            for each in self.state.register(stack)
            if each.endpoint == endpoint.digest and each.location.bucket == bucket
        ]
        keeps = self.request.kind == "Refresh"
        others = {each.location for each in registered if keeps or each.stack != stack.tag}
        # SNS allows 150 combinations; each value counts four times, because its depth is 4.
        if len(others := others.union(locations)) > 9:
            raise Refused(
                f"Bucket {bucket} has {len(others)} access-log prefixes, and a filter of topic"
                f" {topic} takes 9 at most.",
                "Let load balancers share a prefix, then run the stack again.",
                bucket,
            )
        target = filter_policy(bucket, others, stack)
        found = (self.state.topics or {}).get(topic)
        subscriptions = (
            [e for e in found.subscriptions if endpoint_of(e) == endpoint] if found else []
        )
        if not subscriptions:
            self._take(topic, bucket)
            yield model.Subscribe(bucket, topic, endpoint, target, True)
            return
        each = subscriptions[0]
        ours = filtered(each, stack)
        if not each.confirmed:
            # The filter cannot be read or changed yet; it covers locations that are already
            # registered.
            if not set(locations) <= {claim.location for claim in registered}:
                raise Refused(
                    f"The endpoint's subscription to topic {topic} awaits confirmation, and cannot"
                    " be changed until then.",
                    "Have Data Theorem confirm it, then run the stack again.",
                    bucket,
                )
        elif ours is None:
            raise taken(topic, bucket, each.arn)
        else:
            self._take(topic, ours[0])
            if not same_filter(each.filter_policy, target):
                yield model.SetFilter(bucket, each.arn, target)

    def _take(self, topic: str, bucket: str) -> None:
        """Reserve a foreign topic for a bucket; raise Refused if we use it for another bucket."""
        other = self.shared.setdefault(topic, bucket)
        if other != self.bucket:
            raise Refused(
                f"The endpoint is subscribed to topic {topic} already, for the logs in"
                f" bucket {other}.",
                f"Send bucket {self.bucket}'s objects to a topic of its own, then run the stack"
                " again.",
                self.bucket,
            )


def _same_policy(one: str, other: str) -> bool:
    try:
        return same(one, other)
    except ValueError:
        return False
