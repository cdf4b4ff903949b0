"""Our own policies, with requests inside and just outside each of their statements."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dt_logs_handler.documents import listed
from dt_logs_handler.names import Location, Stack
from dt_logs_handler.notifications import topic_policy
from dt_logs_handler.register import Registration, delivery_statement, tls_statement

from .cases import ACCOUNT, SESSION

VENDOR = "999999999999"
READER = f"arn:aws:sts::{VENDOR}:assumed-role/reader/session"
ELB = "logdelivery.elasticloadbalancing.amazonaws.com"
STACK = Stack.of(
    f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/logs/11111111-2222-3333-4444-555555555555"
)
_FILL = {
    "Account": ACCOUNT,
    "Region": "eu-west-1",
    "RoleNameWithPath": "dt/logs",
    "FunctionName": "dt-logs",
    "LogGroupName": "/aws/lambda/dt-logs",
    "NotificationEndpoint": "https://example.com/notify",
}
_POLICIES = Path(__file__).parents[2] / "build"
_OTHERS = (
    "iam:DeleteUser",
    "lambda:DeleteFunction",
    "logs:DeleteLogGroup",
    "s3:GetObject",
    "s3:DeleteBucket",
    "sns:Publish",
    "elasticloadbalancing:DeleteLoadBalancer",
)

# A resource of each type that our actions use, for statements with a pattern that spans types.
_HERE = f"eu-west-1:{ACCOUNT}"
_REAL = (
    f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/dt-logs",
    f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/dt-logs:log-stream:a",
    f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/other:log-stream:a",
    f"arn:aws:elasticloadbalancing:{_HERE}:loadbalancer/app/web/1",
    f"arn:aws:elasticloadbalancing:{_HERE}:loadbalancer/net/web/1",
    f"arn:aws:sns:{_HERE}:dt-logs-analysis-a",
    f"arn:aws:sns:{_HERE}:other",
    "arn:aws:s3:::logs",
    "arn:aws:s3:::logs/web/a",
)


def identity_requests() -> Iterator[dict[str, Any]]:
    """Yield requests about the roles' policies of every committed release."""
    for path in sorted(_POLICIES.glob("*/policies/*.json")):
        text = path.read_text("utf-8")
        for name, value in _FILL.items():
            text = text.replace(f"${{{name}}}", value)
        policy = json.loads(text)["Statement"]
        if any("Principal" in statement for statement in policy):
            continue  # a trust policy, whose resource is the role itself
        for statement in policy:
            for request in _around(statement):
                yield {"file": path.stem, "identity": policy, **request}


def resource_requests() -> Iterator[dict[str, Any]]:
    """Yield requests about the policies of a bucket with our statements, and of its topic."""
    location = Location("logs", "web")
    some = Registration(
        STACK.tag, location, VENDOR, "0" * 8, frozenset({"app/a/1"}), 1, asked="1" * 8
    )
    policy = [
        some.statement(STACK),
        delivery_statement(location, STACK),
        tls_statement("logs", STACK),
    ]
    everything = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    for statement in policy:
        for request in _around({**statement, "Condition": {}}):
            for principal, owner in ((READER, ACCOUNT), (SESSION, ACCOUNT), (ELB, ACCOUNT)):
                both = {"identity": everything, "resource_policy": policy}
                asked = {**request, **both, "file": "bucket", "principal": principal}
                for tls in ("true", "false"):
                    yield {**asked, "owner": owner, "context": {"aws:securetransport": tls}}
    topic = json.loads(topic_policy("logs", STACK))["Statement"]
    for request in _around(topic[0]):
        for principal in ("s3.amazonaws.com", "events.amazonaws.com", READER):
            both = {"identity": everything, "resource_policy": topic}
            yield {**request, **both, "file": "topic", "principal": principal}


def _around(statement: dict[str, Any]) -> Iterator[dict[str, Any]]:
    contexts = [*_contexts(statement.get("Condition", {}))]
    for pattern in listed(statement["Resource"]):
        inside = pattern.replace("?", "a").replace("*", "x") if pattern != "*" else "*"
        moved = inside.replace(ACCOUNT, "444455556666")
        targets = {inside, inside + "/more", inside[:-1] or "*", moved, *_REAL}
        for target in sorted(targets):
            for action in (*listed(statement["Action"]), *_OTHERS):
                called = "s3:PutObject" if action == "s3:*" else action
                for context in contexts:
                    yield {"action": called, "target": target, "context": context}


def _contexts(condition: dict[str, Any]) -> Iterator[dict[str, str]]:
    right = {
        key.lower(): listed(value)[0] for keys in condition.values() for key, value in keys.items()
    }
    yield right
    for key in right:
        yield {name: value for name, value in right.items() if name != key}
        yield {**right, key: right[key] + "0"}
