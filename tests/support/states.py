"""Hand-written states of an account, queries about them, and the states after a plan's steps."""

import json
from dataclasses import replace
from functools import reduce
from typing import Any

from dt_logs_handler import model
from dt_logs_handler.documents import compact
from dt_logs_handler.names import Location, Stack
from dt_logs_handler.notifications import topic_policy
from dt_logs_handler.place import recognised
from dt_logs_handler.plan import plan
from dt_logs_handler.register import Registration
from dt_logs_handler.request import Request, parse

from .events import (
    ACCOUNT,
    GLOBAL_BUCKET,
    NOON,
    OTHER_STACK,
    OWN_BUCKET,
    REGION,
    STACK,
    TAG,
    VENDOR,
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
) -> model.LoadBalancer:
    """Return a load balancer; it logs if it has a bucket, unless `enabled` says otherwise."""
    logging = model.Logging(bool(bucket) if enabled is None else enabled, bucket, prefix)
    return model.LoadBalancer(alb_arn(name, number), logging)


def state(
    *load_balancers: model.LoadBalancer,
    buckets: tuple[model.Bucket, ...] = (),
    unreadable: tuple[str, ...] = (),
    absent: tuple[str, ...] = (),
    gone: tuple[str, ...] = (),
    topics: tuple[model.Topic, ...] = (),
    documented: bool = False,
    regional: bool = True,
) -> model.State:
    """Return an observed state; `gone` has the ARNs of load balancers that do not exist."""
    found: dict[str, model.Bucket | model.Absent | model.Unreadable] = {
        OWN_BUCKET: model.Absent(),
        GLOBAL_BUCKET: model.Absent(),
        **{name: model.Absent() for name in absent},
        **{each.name: each for each in buckets},
        **{name: model.Unreadable("GetBucketTagging: Access Denied") for name in unreadable},
    }
    known: dict[str, model.Topic | None] = {topic_arn(each.name): None for each in buckets}
    return model.State(
        load_balancers={**{each.arn: each for each in load_balancers}, **dict.fromkeys(gone)},
        buckets=found,
        topics=None if documented else {**known, **{each.arn: each for each in topics}},
        regional=regional,
    )


def bucket(found: model.State, name: str) -> model.Bucket:
    """Return a bucket that must exist."""
    there = found.buckets[name]
    assert isinstance(there, model.Bucket)
    return there


def topic(found: model.State, arn: str) -> model.Topic:
    """Return a topic that must exist."""
    there = (found.topics or {})[arn]
    assert there is not None
    return there


def reset(found: model.State, name: str, **settings: Any) -> model.State:
    """Return the state after somebody changed settings of a bucket."""
    changed = replace(bucket(found, name), **settings)
    return replace(found, buckets={**found.buckets, name: changed})


def moved(found: model.State, arn: str, logging: model.Logging | None) -> model.State:
    """Return the state after a load balancer's logging changed; None means that it was deleted."""
    there = model.LoadBalancer(arn, logging) if logging else None
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


def planned(asked: Request, before: model.State) -> tuple[model.Plan, model.State]:
    """Plan a request; return the plan, and the state after its steps."""
    known, again = recognised(asked, before)
    found = plan(asked, replace(before, known=known, again=again))
    return found, reduce(lambda state, step: taken(step, state, asked.stack), found.steps, before)


def after(asked: Request, before: model.State) -> model.State:
    """Return the state after the plan for a request."""
    return planned(asked, before)[1]


def taken(step: model.Step, before: model.State, stack: Stack = HERE) -> model.State:
    """Return the state after a step."""
    topics = before.topics or {}
    match step:
        case model.SetLogging():
            return moved(before, step.load_balancer, step.to)
        case model.EnsureTopic():
            made = model.Topic(step.topic, topic_policy(step.bucket, stack), ())
            topics = {**topics, step.topic: made}
        case model.DeleteTopic():
            topics = {**topics, step.topic: None}
        case model.Subscribe() | model.Unsubscribe() | model.SetFilter():
            topics = {arn: each and _subscribed(step, each) for arn, each in topics.items()}
        case _:
            changed = _changed(step, before.buckets.get(step.bucket), stack)
            return replace(before, buckets={**before.buckets, step.bucket: changed})
    return before if before.topics is None else replace(before, topics=topics)


def _changed(step: Any, bucket: Any, stack: Stack) -> model.Bucket | model.Absent:
    match step:
        case model.CreateBucket():
            private = {"public_access_block": PRIVATE, "region": stack.region}
            return model.Bucket(step.bucket, tags=dict(step.tags), **private)
        case model.DeleteBucket():
            return model.Absent()
        case _ if not isinstance(bucket, model.Bucket):
            return bucket
        case model.SecureBucket():
            secure = {"encryption": "AES256", "ownership": "BucketOwnerEnforced"}
            return replace(bucket, **secure, public_access_block=PRIVATE)
        case model.SetTags():
            return replace(bucket, tags=step.applied(bucket.tags))
        case model.SetRetention():
            return replace(bucket, lifecycle=step.applied(bucket.lifecycle))
        case model.EditPolicy():
            return replace(bucket, policy=step.edit.applied(bucket.policy))
        case model.EditNotifications():
            return replace(bucket, notifications=step.edit.applied(bucket.notifications))
    assert isinstance(step, model.DeleteTestFile)
    return bucket


def _subscribed(step: Any, topic: model.Topic) -> model.Topic:
    found = topic.subscriptions
    match step:
        case model.Subscribe() if step.topic == topic.arn:
            end, arn = step.endpoint, f"{topic.arn}:{step.endpoint.address}"
            made = (arn, topic.arn, end.protocol, end.address, step.filter_policy)
            found = (*found, model.Subscription(*made))
        case model.Unsubscribe():
            found = tuple(each for each in found if each.arn != step.subscription)
        case model.SetFilter():
            narrowed = {"filter_policy": step.filter_policy}
            found = tuple(
                replace(e, **narrowed) if e.arn == step.subscription else e for e in found
            )
    return replace(topic, subscriptions=found)


# The load balancers, buckets and topics of the planning tests

WEB, API = alb_arn("web", 1), alb_arn("api", 2)
WEB_NAME, API_NAME = "app/web/0000000000000001", "app/api/0000000000000002"
LATER, LAST = NOON + 60, NOON + 120
THEIRS = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket"}
LOGS = model.Bucket(  # the customer's log bucket
    "logs",
    policy=compact({"Version": "2008-10-17", "Statement": [THEIRS]}),
    notifications={"EventBridgeConfiguration": {}},
    region=REGION,
)
NEW = state(alb())
ADOPTED = state(alb(bucket="logs", prefix="web"), buckets=(LOGS,))
FOREIGN = f"arn:aws:sns:{REGION}:{ACCOUNT}:theirs"


def logging(found: model.State, arn: str = WEB) -> model.Logging:
    """Return the logging of a load balancer, which must exist."""
    there = found.load_balancers[arn]
    assert there is not None
    return there.logging


def registration(prefix: str = "", *names: str, **changed: Any) -> Registration:
    """Return the stack's claim on a location in the bucket `logs`."""
    given: dict[str, Any] = {
        "stack": TAG,
        "location": Location("logs", prefix),
        "vendor": VENDOR,
        "endpoint": "e0e0e0e0",
        "load_balancers": frozenset(names),
        "time": int(NOON),
        "asked": "abababab",
        "previous": "cdcdcdcd",
        **changed,
    }
    return Registration(**given)


def claim(found: model.State, name: str, tag: str = TAG) -> Registration:
    """Return a stack's registration in a bucket; there must be exactly one."""
    (mine,) = (each for each in bucket(found, name).register(HERE) if each.stack == tag)
    return mine


def statements(found: model.State, name: str) -> list[dict[str, Any]]:
    """Return the statements of a bucket's policy."""
    there: list[dict[str, Any]] = json.loads(bucket(found, name).policy or "{}")["Statement"]
    return there


def subscriptions(found: model.State, arn: str) -> list[tuple[str, str]]:
    """Return the protocol and endpoint of each subscription to a topic."""
    return [(each.protocol, each.endpoint) for each in topic(found, arn).subscriptions]


def notified(name: str, topic: str = FOREIGN, **changed: Any) -> model.Bucket:
    """Return a bucket that announces every object to the customer's topic."""
    entry = {"Id": "theirs", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"], **changed}
    return model.Bucket(name, notifications={"TopicConfigurations": [entry]}, region=REGION)


def announced(*prefixes: str) -> model.State:
    """Return a state: `web` and `api` log to prefixes of a bucket with a foreign topic."""
    names = ("web", "api")[: len(prefixes)]
    pairs = enumerate(zip(names, prefixes, strict=True), 1)
    albs = [alb(name, i, bucket="logs", prefix=prefix) for i, (name, prefix) in pairs]
    return state(*albs, buckets=(notified("logs"),), topics=(model.Topic(FOREIGN, "", ()),))


def off(before: model.State, arn: str, found: model.State) -> model.LoadBalancer:
    """Return a load balancer as the stack must leave it when releasing it: in its earlier state.

    If no bucket was set, the stack's stays set, because AWS refuses to empty the attribute.
    """
    was, now = before.load_balancers[arn], found.load_balancers[arn]
    assert was and now
    return replace(
        was, logging=replace(was.logging, bucket=was.logging.bucket or now.logging.bucket)
    )
