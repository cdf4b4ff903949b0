"""From what was asked for and what is there to the steps between them; pure.

The same plan is carried out by the Lambda and shown by the command line. On the way in, the
register comes first and logging last; on the way out, logging goes off first and the register last,
so that whatever is interrupted can be found again.
"""

from collections.abc import Iterator, Sequence

from . import notifications, policy
from .documents import same
from .errors import Refused
from .leave import leaving
from .marks import BUCKET_TAG, Location
from .model import Absent, Bucket, State, Unreadable
from .notifications import covering_topic
from .place import Placed, claims, place, placements, registered
from .register import Registration, delivery_statement, registrations, tls_statement
from .request import Privileges, Properties, Request
from .steps import (
    CreateBucket,
    EditNotifications,
    EditPolicy,
    EnsureTopic,
    Plan,
    SecureBucket,
    SetFilter,
    SetLogging,
    SetRetention,
    SetTags,
    Step,
    Subscribe,
)
from .topics import filter_policy, filtered, same_filter, topic_policy

RETENTION_RULE = "dt-logs-analysis"
_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def plan(request: Request, state: State) -> Plan:
    """Return the steps from the state to what the request asks for.

    Planning again after the steps were taken gives a plan without changes. Raises Refused where
    it cannot be done; for `*`, load balancers that cannot be onboarded are left out instead.
    """
    _check_readable(request, state)
    placed, refused = place(request, state)
    while True:
        try:
            return _plan(request, state, placed, refused)
        except Refused as why:
            left = [each for each in placed if each.to.bucket != why.bucket]
            every = request.properties is not None and request.properties.every
            if not every or not left or len(left) == len(placed):
                raise
            refused |= {each.load_balancer.arn: str(why) for each in placed if each not in left}
            placed = left


def _check_readable(request: Request, state: State) -> None:
    """Refuse an Update that could not take away what the stack has left in a bucket."""
    for arn in request.traces.load_balancers if request.kind == "Update" else ():
        found = state.load_balancers.get(arn)
        bucket = state.buckets.get(found.logging.bucket) if found else None
        if found and isinstance(bucket, Unreadable):
            raise Refused(
                f"Bucket {found.logging.bucket}, where {found.name} logs, could not be read"
                f" ({bucket.why}), so nothing in it can be taken away.",
                "Let the function read it, and keep it in ExistingLogBucketNames for this update.",
                found.logging.bucket,
            )


def _plan(
    request: Request, state: State, placed: Sequence[Placed], refused: dict[str, str]
) -> Plan:
    for time in (None, request.time):
        claimed = claims(request, placed, state, time)
        entered = tuple(_entering(request, state, placed, claimed))
        left, kept = leaving(request, state, placed, claimed)
        result = Plan((*entered, *left), placements(placed), refused, kept)
        if not result.changes:
            break
    return result


def _entering(
    request: Request, state: State, placed: Sequence[Placed], claimed: Sequence[Registration]
) -> Iterator[Step]:
    properties = request.properties
    if properties is None:
        return
    shared: dict[str, str] = {}
    for bucket in sorted({each.location.bucket for each in claimed}):
        here = [each for each in claimed if each.location.bucket == bucket]
        found = state.buckets.get(bucket, Absent())
        known = found if isinstance(found, Bucket) else None
        yield from _bucket_steps(bucket, known, request, properties)
        yield from _policy_steps(bucket, known, request, here)
        if known is None:
            yield SetRetention(bucket, properties.retention_days)
        for step in _announcement_steps(bucket, known, request, properties, state, here):
            if isinstance(step, Subscribe) and shared.setdefault(step.topic, bucket) != bucket:
                raise _taken(step.topic, shared[step.topic], bucket)
            yield step
    for each in placed:
        if each.load_balancer.logging != each.to:
            yield SetLogging(each.load_balancer.arn, each.load_balancer.logging, each.to)


def _bucket_steps(
    name: str, found: Bucket | None, request: Request, properties: Properties
) -> Iterator[Step]:
    stack = request.stack
    tags = {**dict(properties.tags), BUCKET_TAG: stack.tag}
    if found is None:
        yield CreateBucket(name, tags)
        return
    named_by_us = name in stack.own_buckets
    if found.maker != stack.tag and not (named_by_us and found.maker is None):
        return
    drop = frozenset(request.traces.tags).intersection(found.tags) - set(tags)
    if drop or any(found.tags.get(key) != value for key, value in tags.items()):
        yield SetTags(name, tags, drop)
    if not secure(found):
        yield SecureBucket(name)
    if retention(found) != properties.retention_days:
        yield SetRetention(name, properties.retention_days)


def secure(bucket: Bucket) -> bool:
    """Tell whether the bucket is private, encrypted by SSE-S3 and its objects its owner's."""
    return (
        all(bucket.public_access_block.get(key) for key in _BLOCK)
        and bucket.encryption == "AES256"
        and bucket.ownership == "BucketOwnerEnforced"
    )


def retention(bucket: Bucket) -> int | None:
    """Return after how many days our own lifecycle rule lets objects expire, if it is on."""
    for rule in bucket.lifecycle:
        expiration = rule.get("Expiration")
        if rule.get("ID") == RETENTION_RULE and rule.get("Status") == "Enabled":
            days = expiration.get("Days") if isinstance(expiration, dict) else None
            return days if isinstance(days, int) else None
    return None


def _policy_steps(
    bucket: str, found: Bucket | None, request: Request, claimed: Sequence[Registration]
) -> Iterator[Step]:
    """Put the claims first of all, with what ELB needs to write where we turn logging on."""
    stack = request.stack
    now = found.policy if found else None
    put = [each.statement(stack) for each in claimed]
    put += [delivery_statement(each.location, stack) for each in claimed if each.location.mark]
    if found is None or found.maker == stack.tag:
        put.append(tls_statement(bucket, stack))
    replaced = {
        each.sid
        for each in registrations(now, bucket, stack)
        if each.stack == stack.tag and each.location in {claim.location for claim in claimed}
    }
    edit = policy.Edit(tuple(put), frozenset(replaced - {each.sid for each in claimed}))
    after = edit.applied(now)
    if after != now:
        policy.check(after, bucket)
        yield EditPolicy(bucket, edit)


def _announcement_steps(
    bucket: str,
    found: Bucket | None,
    request: Request,
    properties: Properties,
    state: State,
    claimed: Sequence[Registration],
) -> Iterator[Step]:
    configuration = found.notifications if found else {}
    share = request.privileges is Privileges.LEAST_PRIVILEGE
    foreign: dict[str, list[Location]] = {}
    own: list[Location] = []
    for each in claimed:
        topic = covering_topic(configuration, each.location, request.stack, share=share)
        if topic is None:
            own.append(each.location)
        else:
            foreign.setdefault(topic, []).append(each.location)
    if own:
        topic = request.stack.topic_arn(bucket)
        yield from _own_topic_steps(bucket, topic, request, properties, state)
        put = tuple(notifications.entry(each, topic, request.stack) for each in own)
        edit = notifications.Edit(put)
        if edit.applied(configuration) != configuration:
            yield EditNotifications(bucket, edit)
    for topic, locations in sorted(foreign.items()):
        yield from _foreign_topic_steps(bucket, topic, locations, request, properties, state)


def _own_topic_steps(
    bucket: str, topic: str, request: Request, properties: Properties, state: State
) -> Iterator[Step]:
    known = state.topics
    found = known.get(topic) if known is not None else None
    tags = dict(properties.tags) if known is not None else {}
    if found is None:
        yield EnsureTopic(bucket, topic, tags, known is not None)
        yield Subscribe(bucket, topic, properties.endpoint, None, known is not None)
        return
    if not _same_policy(found.policy, topic_policy(bucket, request.stack)):
        raise Refused(
            f"Topic {topic} exists with a policy that is not the one it was made with.",
            f"Delete it (aws sns delete-topic --topic-arn {topic}) and run the stack again.",
            bucket,
        )
    endpoint = properties.endpoint
    if not any(
        (each.protocol, each.endpoint) == (endpoint.protocol, endpoint.address)
        for each in found.subscriptions
    ):
        yield Subscribe(bucket, topic, endpoint, None, True)


def _same_policy(one: str, other: str) -> bool:
    try:
        return same(one, other)
    except ValueError:
        return False


def _taken(topic: str, other: str, bucket: str) -> Refused:
    return Refused(
        f"Topic {topic}, which is told of this bucket's objects already, is shared for the logs in"
        f" bucket {other}, and takes one subscription of an endpoint.",
        f"Send bucket {bucket}'s objects to a topic of its own, and run the stack again.",
        bucket,
    )


def _foreign_topic_steps(
    bucket: str,
    topic: str,
    locations: Sequence[Location],
    request: Request,
    properties: Properties,
    state: State,
) -> Iterator[Step]:
    """Subscribe to a topic that is not ours, to these locations' log objects only.

    There is one subscription for an endpoint and topic, so its filter names the locations of all
    stacks that announce to that endpoint.
    """
    endpoint = properties.endpoint
    found = (state.topics or {}).get(topic)
    wanted = {
        each.location
        for each in registered(state, request.stack, others=True)
        if each.stack != request.stack.tag
        and each.endpoint == endpoint.digest
        and each.location.bucket == bucket
    }
    target = filter_policy(bucket, wanted | set(locations), request.stack)
    for each in found.subscriptions if found else ():
        if (each.protocol, each.endpoint) != (endpoint.protocol, endpoint.address):
            continue
        if not each.confirmed:
            # Its filter can be neither read nor changed: it is for what was registered before.
            registered_at = wanted | {
                claim.location
                for claim in registered(state, request.stack)
                if claim.endpoint == endpoint.digest
            }
            if set(locations) <= registered_at:
                return
            raise Refused(
                f"The endpoint's subscription to topic {topic} awaits confirmation, and its filter"
                " cannot be changed before.",
                "Have Data Theorem confirm it, then run the stack again.",
                bucket,
            )
        ours = filtered(each, request.stack)
        if ours and ours[0] != bucket:
            raise _taken(topic, ours[0], bucket)
        if ours is None:
            raise Refused(
                f"The endpoint is subscribed to topic {topic} already, in a way that is not ours"
                f" ({each.arn}).",
                f"End it (aws sns unsubscribe --subscription-arn {each.arn}) and run again.",
                bucket,
            )
        if not same_filter(each.filter_policy, target):
            yield SetFilter(each.arn, target, each.filter_policy or "")
        return
    yield Subscribe(bucket, topic, endpoint, target, True)
