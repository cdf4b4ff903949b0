"""Hand-written states of an account, and the states after the steps of a plan."""

from dataclasses import replace
from typing import Any

from dt_logs_handler.model import (
    Absent,
    Bucket,
    CreateBucket,
    DeleteBucket,
    DeleteTopic,
    EditNotifications,
    EditPolicy,
    EnsureTopic,
    LoadBalancer,
    Logging,
    Plan,
    SecureBucket,
    SetFilter,
    SetLogging,
    SetRetention,
    SetTags,
    State,
    Step,
    Subscribe,
    Subscription,
    Topic,
    Unreadable,
    Unsubscribe,
)
from dt_logs_handler.names import Stack
from dt_logs_handler.notifications import topic_policy
from dt_logs_handler.place import recognised
from dt_logs_handler.plan import plan
from dt_logs_handler.request import Request, parse

from .events import (
    ACCOUNT,
    GLOBAL_BUCKET,
    NOON,
    OTHER_STACK,
    OWN_BUCKET,
    REGION,
    STACK,
    alb_arn,
    event,
    properties,
    topic_arn,
)

HERE = Stack(STACK, "aws", REGION, ACCOUNT)
THERE = Stack(OTHER_STACK, "aws", REGION, ACCOUNT)
CHINA = Stack.of(STACK.replace(":aws:", ":aws-cn:").replace(REGION, "cn-north-1"))
PRIVATE = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def alb(
    name: str = "web",
    number: int = 1,
    *,
    bucket: str = "",
    prefix: str = "",
    enabled: bool | None = None,
) -> LoadBalancer:
    """Return a load balancer; it logs if it has a bucket, unless `enabled` says otherwise."""
    logging = Logging(bool(bucket) if enabled is None else enabled, bucket, prefix)
    return LoadBalancer(alb_arn(name, number), logging)


def state(
    *load_balancers: LoadBalancer,
    buckets: tuple[Bucket, ...] = (),
    unreadable: tuple[str, ...] = (),
    absent: tuple[str, ...] = (),
    gone: tuple[str, ...] = (),
    topics: tuple[Topic, ...] = (),
    documented: bool = False,
    regional: bool = True,
) -> State:
    """Return an observed state; `gone` has the ARNs of load balancers that do not exist."""
    found: dict[str, Bucket | Absent | Unreadable] = {
        OWN_BUCKET: Absent(),
        GLOBAL_BUCKET: Absent(),
        **{name: Absent() for name in absent},
        **{each.name: each for each in buckets},
        **{name: Unreadable("GetBucketTagging: Access Denied") for name in unreadable},
    }
    known: dict[str, Topic | None] = {topic_arn(each.name): None for each in buckets}
    return State(
        load_balancers={**{each.arn: each for each in load_balancers}, **dict.fromkeys(gone)},
        buckets=found,
        topics=None if documented else {**known, **{each.arn: each for each in topics}},
        regional=regional,
    )


def bucket(found: State, name: str) -> Bucket:
    """Return a bucket that must exist."""
    there = found.buckets[name]
    assert isinstance(there, Bucket)
    return there


def topic(found: State, arn: str) -> Topic:
    """Return a topic that must exist."""
    there = (found.topics or {})[arn]
    assert there is not None
    return there


def reset(found: State, name: str, **settings: Any) -> State:
    """Return the state after somebody changed settings of a bucket."""
    return _with_bucket(found, replace(bucket(found, name), **settings))


def moved(found: State, arn: str, logging: Logging | None) -> State:
    """Return the state after a load balancer's logging changed; None means that it was deleted."""
    there = LoadBalancer(arn, logging) if logging else None
    return replace(found, load_balancers={**found.load_balancers, arn: there})


def request(
    kind: str,
    *arns: str,
    old: dict[str, object] | None = None,
    at: float = NOON,
    stack: Stack = HERE,
    **values: object,
) -> Request:
    """Return a checked request for load balancers, with `values` for some properties."""
    given = properties(*arns, **values)
    return parse(event(kind, given, old, at=at, stack=stack.id), at)


def planned(asked: Request, before: State) -> tuple[Plan, State]:
    """Plan a request; return the plan, and the state after its steps."""
    known, again = recognised(asked, before)
    found = plan(asked, replace(before, known=known, again=again))
    after = before
    for step in found.steps:
        after = taken(step, after, asked.stack)
    return found, after


def after(asked: Request, before: State) -> State:
    """Return the state after the plan for a request."""
    return planned(asked, before)[1]


def taken(step: Step, before: State, stack: Stack = HERE) -> State:
    """Return the state after a step."""
    match step:
        case SetLogging():
            return moved(before, step.load_balancer, step.to)
        case EnsureTopic():
            return _with_topic(before, Topic(step.topic, topic_policy(step.bucket, stack), ()))
        case DeleteTopic() if before.topics is not None:
            return replace(before, topics={**before.topics, step.topic: None})
        case Subscribe() | Unsubscribe() | SetFilter():
            return _subscribed(step, before)
        case CreateBucket():
            made = Bucket(
                step.bucket,
                tags=dict(step.tags),
                public_access_block=PRIVATE,
                region=stack.region,
            )
            return _with_bucket(before, made)
        case DeleteBucket():
            return replace(before, buckets={**before.buckets, step.bucket: Absent()})
        case SecureBucket() | SetTags() | SetRetention() | EditPolicy() | EditNotifications():
            found = before.buckets[step.bucket]
            if isinstance(found, Bucket):
                return reset(before, step.bucket, **_changes(step, found))
    return before


def _changes(step: Step, bucket: Bucket) -> dict[str, Any]:
    match step:
        case SecureBucket():
            secure = {"encryption": "AES256", "ownership": "BucketOwnerEnforced"}
            return {**secure, "public_access_block": PRIVATE}
        case SetTags():
            return {"tags": step.applied(bucket.tags)}
        case SetRetention():
            return {"lifecycle": step.applied(bucket.lifecycle)}
        case EditPolicy():
            return {"policy": step.edit.applied(bucket.policy)}
        case EditNotifications():
            return {"notifications": step.edit.applied(bucket.notifications)}
    raise AssertionError(step)


def _subscribed(step: Subscribe | Unsubscribe | SetFilter, before: State) -> State:
    for topic in (before.topics or {}).values():
        if topic is None:
            continue
        found = list(topic.subscriptions)
        match step:
            case Subscribe() if step.topic == topic.arn:
                protocol, address = step.endpoint.protocol, step.endpoint.address
                arn = f"{topic.arn}:{address}"
                found.append(Subscription(arn, topic.arn, protocol, address, step.filter_policy))
            case Unsubscribe() if step.topic == topic.arn:
                found = [each for each in found if each.arn != step.subscription]
            case SetFilter():
                found = [
                    replace(each, filter_policy=step.filter_policy)
                    if each.arn == step.subscription
                    else each
                    for each in found
                ]
        before = _with_topic(before, replace(topic, subscriptions=tuple(found)))
    return before


def _with_bucket(before: State, bucket: Bucket) -> State:
    return replace(before, buckets={**before.buckets, bucket.name: bucket})


def _with_topic(before: State, topic: Topic) -> State:
    if before.topics is None:
        return before
    return replace(before, topics={**before.topics, topic.arn: topic})
