"""The load balancers, buckets and topics of the planning tests, and queries about a state."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from support.events import ACCOUNT, NOON, REGION, TAG, VENDOR, alb_arn
from support.states import HERE, alb, bucket, state, topic

from dt_logs_handler.documents import compact
from dt_logs_handler.model import Bucket, LoadBalancer, Logging, State, Topic
from dt_logs_handler.names import Location
from dt_logs_handler.register import Registration

WEB, API = alb_arn("web", 1), alb_arn("api", 2)
WEB_NAME, API_NAME = "app/web/0000000000000001", "app/api/0000000000000002"
LATER, LAST = NOON + 60, NOON + 120
THEIRS = {"Sid": "Theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket"}
LOGS = Bucket(  # the customer's log bucket
    "logs",
    policy=compact({"Version": "2008-10-17", "Statement": [THEIRS]}),
    notifications={"EventBridgeConfiguration": {}},
    region=REGION,
)
NEW = state(alb())
ADOPTED = state(alb(bucket="logs", prefix="web"), buckets=(LOGS,))
FOREIGN = f"arn:aws:sns:{REGION}:{ACCOUNT}:theirs"


def logging(found: State, arn: str = WEB) -> Logging:
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


def claim(found: State, name: str, tag: str = TAG) -> Registration:
    """Return a stack's registration in a bucket, which must be its only one."""
    (mine,) = (each for each in bucket(found, name).register(HERE) if each.stack == tag)
    return mine


def statements(found: State, name: str) -> list[dict[str, Any]]:
    """Return the statements of a bucket's policy."""
    there: list[dict[str, Any]] = json.loads(bucket(found, name).policy or "{}")["Statement"]
    return there


def subscriptions(found: State, arn: str) -> list[tuple[str, str]]:
    """Return the protocol and endpoint of each subscription to a topic."""
    return [(each.protocol, each.endpoint) for each in topic(found, arn).subscriptions]


def notified(name: str, topic: str = FOREIGN, **changed: Any) -> Bucket:
    """Return a bucket that announces every object to the customer's topic."""
    entry = {"Id": "theirs", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"], **changed}
    return Bucket(name, notifications={"TopicConfigurations": [entry]}, region=REGION)


def announced(*prefixes: str) -> State:
    """Return `web` and `api` logging to prefixes of a bucket that announces to a foreign topic."""
    names = ("web", "api")[: len(prefixes)]
    pairs = enumerate(zip(names, prefixes, strict=True), 1)
    albs = [alb(name, i, bucket="logs", prefix=prefix) for i, (name, prefix) in pairs]
    return state(*albs, buckets=(notified("logs"),), topics=(Topic(FOREIGN, "", ()),))


def off(before: State, arn: str, found: State) -> LoadBalancer:
    """Return a load balancer as the stack must leave it when releasing it: in its earlier state.

    If no bucket was set, the stack's stays set, because AWS refuses to empty the attribute.
    """
    was, now = before.load_balancers[arn], found.load_balancers[arn]
    assert was and now
    return replace(
        was, logging=replace(was.logging, bucket=was.logging.bucket or now.logging.bucket)
    )
