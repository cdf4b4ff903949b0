"""States of an account made by hand, and what they are once the steps of a plan were taken."""

from dataclasses import replace
from typing import Any

from dt_logs_handler.marks import Stack
from dt_logs_handler.model import (
    Absent,
    Bucket,
    LoadBalancer,
    Logging,
    State,
    Subscription,
    Topic,
    Unreadable,
)
from dt_logs_handler.place import known
from dt_logs_handler.plan import plan
from dt_logs_handler.request import Request, parse
from dt_logs_handler.steps import (
    CreateBucket,
    DeleteBucket,
    DeleteTopic,
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
    Unsubscribe,
)
from dt_logs_handler.topics import topic_policy

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
    """Return a load balancer; it logs where a bucket is given, unless told otherwise."""
    logging = Logging(bool(bucket) if enabled is None else enabled, bucket, prefix)
    return LoadBalancer(alb_arn(name, number), logging)


def state(
    *load_balancers: LoadBalancer,
    buckets: tuple[Bucket, ...] = (),
    unreadable: tuple[str, ...] = (),
    gone: tuple[str, ...] = (),
    topics: tuple[Topic, ...] = (),
    documented: bool = False,
    regional: bool = True,
) -> State:
    """Return what is observed of an account; `gone` are ARNs of load balancers that are not."""
    found: dict[str, Bucket | Absent | Unreadable] = {
        OWN_BUCKET: Absent(),
        GLOBAL_BUCKET: Absent(),
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


def request(
    kind: str,
    *arns: str,
    old: dict[str, object] | None = None,
    at: float = NOON,
    stack: Stack = HERE,
    **changed: object,
) -> Request:
    """Return a checked request for load balancers, with properties changed."""
    given = properties(*arns, **changed)
    return parse(event(kind, given, old, at=at, stack=stack.id), at)


def planned(asked: Request, before: State) -> tuple[Plan, State]:
    """Plan, and return the plan with the state that its steps lead to."""
    found = plan(asked, replace(before, known=known(asked, before)))
    after = before
    for step in found.steps:
        after = _taken(step, after, asked.stack)
    return found, after


def after(asked: Request, before: State) -> State:
    """Return the state to which the plan for a request leads."""
    return planned(asked, before)[1]


def _taken(step: Step, before: State, stack: Stack) -> State:
    match step:
        case SetLogging():
            changed = LoadBalancer(step.load_balancer, step.to)
            load_balancers = {**before.load_balancers, step.load_balancer: changed}
            return replace(before, load_balancers=load_balancers)
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
            bucket = before.buckets[step.bucket]
            if isinstance(bucket, Bucket):
                return _with_bucket(before, replace(bucket, **_changes(step, bucket)))
    return before


def _changes(step: Step, bucket: Bucket) -> dict[str, Any]:
    match step:
        case SecureBucket():
            secure = {"encryption": "AES256", "ownership": "BucketOwnerEnforced"}
            return {**secure, "public_access_block": PRIVATE}
        case SetTags():
            kept = {key: value for key, value in bucket.tags.items() if key not in step.drop}
            return {"tags": {**kept, **step.tags}}
        case SetRetention():
            rule = {"Status": "Enabled", "Expiration": {"Days": step.days}}
            return {"lifecycle": ({"ID": "dt-logs-analysis", **rule},)}
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
