"""Read what a plan depends on in the account, without changing anything."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from .aws import code, denied, failure, pages
from .buckets import read_bucket, supports
from .errors import CallFailed, OutOfTime
from .model import (
    Absent,
    Bucket,
    LoadBalancer,
    Logging,
    State,
    Subscription,
    Topic,
    Unreadable,
)
from .names import Location, load_balancer_name, marked
from .notifications import endpoint_of, foreign_topics, own
from .place import recognised
from .request import Privileges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TypeVar

    from mypy_boto3_elbv2.type_defs import LoadBalancerAttributeTypeDef
    from mypy_boto3_sns.type_defs import ListSubscriptionsResponseTypeDef

    from .aws import Aws
    from .names import Stack
    from .request import Request

    T = TypeVar("T")
    Buckets = Mapping[str, Bucket | Absent | Unreadable]

ENDED = "Deleted"  # for 72 hours, SNS lists an ended subscription with this ARN
# Seconds to read a load balancer three times, as ELB allows an account 10 calls a second.
LOOK_EACH = 0.3
_SWEEP_SHARE = 0.25  # the share of the remaining time that searching the buckets may take
# The regions without the account-regional namespace for bucket names.
_NO_NAMESPACE = ("me-south-1", "me-central-1")


def observe(
    aws: Aws,
    request: Request,
    before: State | None = None,
    answered: Mapping[str, LoadBalancer] | None = None,
) -> State:
    """Read a request's load balancers, their log buckets, and the topics of these buckets.

    `before` is the State from earlier in the run; if it is given, load balancers and buckets are
    not searched for again. `answered` holds load balancers as ELB returned them after this run
    changed them; they are not read again. Raises CallFailed if AWS fails, Refused if there are too
    many load balancers for the time, and OutOfTime.
    """
    try:
        return _observe(aws, request, before, answered or {})
    except ClientError as error:
        raise failure(error) from error


def _observe(
    aws: Aws, request: Request, before: State | None, answered: Mapping[str, LoadBalancer]
) -> State:
    stack = request.stack
    named = _named(request)
    load_balancers = _load_balancers(aws, request, named, before, answered)
    loggings = [
        found.logging
        for found in load_balancers.values()
        if found
        and (request.every or found.logging.location.mark == stack.tag or found.arn in named)
    ]
    regional = stack.region not in _NO_NAMESPACE and supports(aws, "BucketNamespace")
    chosen = (request.bucket, *request.traces.buckets)
    names = [
        *(each.name for each in (before.present() if before else ())),
        # Unless this is a Create, an earlier run with an older boto3 may have used the other name.
        *stack.own_buckets[: 1 if request.kind == "Create" and regional else 2],
        *chosen,
        *(each.bucket for each in loggings),
    ]
    coming = {request.bucket, *(each.bucket for each in loggings if not each.enabled)}
    settings = request.properties is not None  # a Delete does not need them
    buckets = {
        name: read_bucket(
            aws,
            name,
            stack.account,
            settings=settings,
            region=settings and name in coming,
        )
        for name in dict.fromkeys(filter(None, names))
    }
    first = State({}, {}, None, regional)
    state = replace(before or first, load_balancers=load_balancers, buckets=buckets)
    if not before:
        lost = _lost(request, state)
        unread = _sweep(aws, request, buckets) if lost else ()
        known, again = recognised(request, state)
        state = replace(state, lost=lost, unread=unread, known=known, again=again)
    mark = marked("", stack.tag, kept=False)
    given = frozenset(Location(name, mark) for name in chosen if name)
    topics = read_topics(aws, request, buckets)
    return replace(state, topics=topics, ours=given.union(request.turned_on))


def _named(request: Request) -> dict[str, None]:
    """Return the ARNs that a request's properties name, those of the old properties first."""
    named = dict.fromkeys(request.traces.load_balancers)
    if request.properties and not request.properties.every:
        named.update(dict.fromkeys(request.properties.load_balancers))
    return named


def _load_balancers(
    aws: Aws,
    request: Request,
    named: Iterable[str],
    before: State | None,
    answered: Mapping[str, LoadBalancer],
) -> dict[str, LoadBalancer | None]:
    """Read the load balancers that matter; later in a run, only those that the run may change.

    All load balancers matter for `*`, and if our bucket may be deleted. If a load balancer
    still logged to a deleted bucket, whoever took the bucket's name would get the logs.
    """
    every = request.properties is not None and request.properties.every
    known = {**before.load_balancers, **answered} if before else {}
    arns = [
        arn
        for arn, found in known.items()
        if found and arn not in answered and (every or arn in named or found.logging.location.mark)
    ]
    if not before:
        arns = [*named]
        leaves = set(request.traces.load_balancers) - set(request.asked.load_balancers)
        if request.every or leaves or request.traces.buckets != request.asked.buckets:
            arns = [*dict.fromkeys([*named, *_all_load_balancers(aws)])]
        if every:
            aws.admit(len(arns), "load balancers", LOOK_EACH)
    read = aws.each(partial(read_load_balancer, aws), arns)
    return known | dict(zip(arns, read, strict=True))


def _all_load_balancers(aws: Aws) -> Iterator[str]:
    listing = partial(aws.elbv2.describe_load_balancers, PageSize=400)
    for page in pages(aws, listing, "Marker", "NextMarker"):
        for found in page["LoadBalancers"]:
            if found.get("Type") == "application":
                yield found["LoadBalancerArn"]


def read_load_balancer(aws: Aws, arn: str) -> LoadBalancer | None:
    """Read where an ALB logs; return None if it does not exist."""
    try:
        answer = aws.call(lambda: aws.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn))
    except ClientError as error:
        if code(error) in ("LoadBalancerNotFound", "LoadBalancerNotFoundException"):
            return None
        raise
    return LoadBalancer(arn, logging_of(answer["Attributes"]))


def logging_of(attributes: Iterable[LoadBalancerAttributeTypeDef]) -> Logging:
    """Return the access-log settings among an ALB's attributes."""
    values = {each.get("Key", ""): each.get("Value", "") for each in attributes}
    return Logging(
        values.get("access_logs.s3.enabled") == "true",
        values.get("access_logs.s3.bucket", ""),
        values.get("access_logs.s3.prefix", ""),
    )


def _sweep(
    aws: Aws, request: Request, buckets: dict[str, Bucket | Absent | Unreadable]
) -> tuple[str, ...]:
    """Add to `buckets` the region's buckets with registrations; describe what was not read.

    The search is limited in time. If the role may access only some buckets, only those are
    searched.
    """
    stack = request.stack
    unread = []
    bounded = aws.until(aws.clock() + (aws.deadline - aws.clock()) * _SWEEP_SHARE)
    try:
        for name in request.narrowed or bucket_names(bounded, stack):
            if name in buckets:
                continue
            found = read_bucket(bounded, name, stack.account, settings=False)
            if isinstance(found, Unreadable):
                unread.append(found.told(name))
            elif isinstance(found, Bucket) and found.register(stack):
                buckets[name] = found
    except OutOfTime:
        unread.append("there was not enough time to search all buckets")
    except (CallFailed, ClientError) as error:
        unread.append(f"the search through the buckets failed ({error})")
    return tuple(unread)


def bucket_names(aws: Aws, stack: Stack) -> Iterator[str]:
    """Yield the names of the region's buckets; with an older boto3, of all regions' buckets."""
    listing = aws.s3.list_buckets
    if supports(aws, "BucketRegion"):
        listing = partial(listing, BucketRegion=stack.region, MaxBuckets=1000)
    for page in pages(aws, listing, "ContinuationToken"):
        yield from (each["Name"] for each in page["Buckets"])


def _lost(request: Request, state: State) -> bool:
    """Return whether this stack may be registered where none of its load balancers logs now.

    If somebody moved an onboarded load balancer to another bucket, this stack is not registered
    where the load balancer logs now. A registration of a whole location does not name load
    balancers, so it does not show which ones were moved.
    """
    if request.kind == "Create":
        return False
    mine, tag = state.registered(request.stack), request.stack.tag
    if request.kind == "Delete" and any(
        not each.load_balancers and each.location.mark != tag for each in mine
    ):
        return True
    for arn in request.traces.load_balancers:
        found, name = state.load_balancers.get(arn), load_balancer_name(arn)
        if request.kind == "Refresh" and not found:
            continue  # it was deleted, so there is nothing to restore
        if not any(
            name in each.load_balancers or (found and each.covers(found.logging.location, name))
            for each in mine
        ):
            return True
    return request.traces.every and (request.properties is None or not mine)


def read_topics(aws: Aws, request: Request, buckets: Buckets) -> dict[str, Topic | None] | None:
    """Read the topics that announce, or may later announce, these buckets' objects.

    Returns None for the documented role, and for a Delete if the role may not read topics. Raises
    ClientError.
    """
    if request.privileges is Privileges.DOCUMENTED:
        return None
    try:
        return _read_topics(aws, request, buckets)
    except ClientError as error:
        if request.kind != "Delete" or not denied(error):
            raise
        return None


def _read_topics(aws: Aws, request: Request, buckets: Buckets) -> dict[str, Topic | None]:
    stack = request.stack
    present = [each for each in buckets.values() if isinstance(each, Bucket)]
    mine = [(b, e) for b in present for e in b.register(stack) if e.stack == stack.tag]
    ours = request.endpoints | {each.endpoint for _, each in mine}
    topics = {
        arn: _unless_gone(lambda: _own_topic(aws, arn))
        for name, each in buckets.items()
        if isinstance(each, Bucket)
        # The topic of a bucket that does not exist may still exist. Before a Create, this is
        # possible only for LogBucketName's bucket, because a Delete removes the topic before the
        # bucket.
        or (isinstance(each, Absent) and (request.kind != "Create" or name == request.bucket))
        for arn in [stack.topic_arn(name)]
    }
    for bucket in present:
        for arn in foreign_topics(bucket.notifications, stack) - set(topics):
            topics[arn] = _unless_gone(
                lambda: Topic(arn, "", (*_filtered(aws, of_topic(aws, arn), ours),))
            )
    # If our notification for a location is missing, any topic may announce its objects.
    if request.kind != "Create" and any(
        each.location.notification_id not in own(bucket.notifications) for bucket, each in mine
    ):
        elsewhere: dict[str, list[Subscription]] = {}
        for found in _filtered(aws, of_topic(aws), ours):
            elsewhere.setdefault(found.topic, []).append(found)
        for arn, subscriptions in elsewhere.items():
            topics.setdefault(arn, Topic(arn, "", (*subscriptions,)))
    return topics


def _unless_gone(read: Callable[[], T]) -> T | None:
    """Read from SNS; return None if the topic or subscription does not exist."""
    try:
        return read()
    except ClientError as error:
        if code(error) in ("NotFound", "NotFoundException"):
            return None
        raise


def _own_topic(aws: Aws, arn: str) -> Topic:
    attributes = aws.call(lambda: aws.sns.get_topic_attributes(TopicArn=arn))["Attributes"]
    return Topic(arn, attributes.get("Policy", ""), tuple(of_topic(aws, arn)))


def of_topic(aws: Aws, arn: str = "", left_out: str = ENDED) -> Iterator[Subscription]:
    """Yield the subscriptions of a topic, or of the whole region, without their filters.

    Skips subscriptions with the ARN `left_out`, by default the ended ones, because their endpoints
    can be subscribed again.
    """
    listing: Callable[..., ListSubscriptionsResponseTypeDef] = aws.sns.list_subscriptions
    if arn:
        listing = partial(aws.sns.list_subscriptions_by_topic, TopicArn=arn)
    for page in pages(aws, listing, "NextToken"):
        for each in page["Subscriptions"]:
            if (found := each["SubscriptionArn"]) != left_out:
                yield Subscription(found, each["TopicArn"], each["Protocol"], each["Endpoint"])


def _filtered(
    aws: Aws, found: Iterable[Subscription], endpoints: set[str]
) -> Iterator[Subscription]:
    """Yield the subscriptions; add the filters to our endpoints' confirmed subscriptions.

    Leaves out a subscription that has ended by the time its filter is read.
    """
    for each in found:
        read = partial(aws.sns.get_subscription_attributes, SubscriptionArn=each.arn)
        if not each.confirmed or endpoint_of(each).digest not in endpoints:
            yield each
        elif answer := _unless_gone(lambda: aws.call(read)):
            yield replace(each, filter_policy=answer["Attributes"].get("FilterPolicy"))
