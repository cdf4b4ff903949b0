"""CloudFormation's events, recorded or built; their requests, stacks and registrations."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from dt_logs_handler.names import Location, Stack
from dt_logs_handler.register import Registration
from dt_logs_handler.request import Request, parse

RECORDED = Path(__file__).parent.parent / "events"

REGION = "us-east-1"
ACCOUNT = "123456789012"
VENDOR = "999988887777"
SECRET = "s3cr3t"  # the token in the endpoint
SIGNATURE = "5ecret5ecret5ecret5ecret5ecret5ecret5ecret5ecret5ecret5ecret5ecr"
ENDPOINT = f"https://logs.example.com/in?token={SECRET}"
QUEUE = "arn:aws:sqs:us-east-1:999988887777:logs"
NOON = 1772366400.0  # 2026-03-01T12:00:00Z, the date in the recorded events

# Two stacks, and the tags, buckets and physical ID derived from their IDs, as literals.
STACK = (
    "arn:aws:cloudformation:us-east-1:123456789012:stack/dt-logs/"
    "6b5d2f40-5c1e-11f0-9a3b-0242ac120002"
)
TAG = "558d71137e72"
OWN_BUCKET = "dt-logs-analysis-558d71137e72-123456789012-us-east-1-an"
GLOBAL_BUCKET = "dt-logs-analysis-558d71137e72-123456789012-us-east-1"
PHYSICAL_ID = "dt-logs-analysis-97b827b9453c4919733248a2"
OTHER_STACK = (
    "arn:aws:cloudformation:us-east-1:123456789012:stack/dt-logs-two/"
    "9f8e7d60-5c1e-11f0-8c4d-0242ac120003"
)
OTHER_TAG = "fb7ba5fdcc1c"
OTHER_BUCKET = "dt-logs-analysis-fb7ba5fdcc1c-123456789012-us-east-1-an"
HERE = Stack(STACK, "aws", REGION, ACCOUNT)
THERE = Stack(OTHER_STACK, "aws", REGION, ACCOUNT)
CHINA = Stack.of(STACK.replace(":aws:", ":aws-cn:").replace(REGION, "cn-north-1"))
WEB_NAME, API_NAME = "app/web/0000000000000001", "app/api/0000000000000002"

Event = dict[str, object]
Properties = dict[str, object]


@cache
def _text(name: str) -> str:
    return (RECORDED / f"{name}.json").read_text(encoding="utf-8")


def recorded(name: str) -> Event:
    """Return a recorded event: create, update or delete."""
    event: Event = json.loads(_text(name))
    return event


def alb_arn(name: str, number: int = 1) -> str:
    """Return the ARN of a load balancer in this account and region."""
    return f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/{name}/{number:016x}"


def topic_arn(bucket: str) -> str:
    """Return the ARN of the topic that the handler makes for a bucket."""
    name = {"my.logs": "my-logs_708feaf211901512"}.get(bucket, bucket)
    return f"arn:aws:sns:{REGION}:{ACCOUNT}:dt-logs-analysis-1-{name}"


def properties(*load_balancers: str, **changed: object) -> Properties:
    """Return the properties as CloudFormation sends them: strings and lists of strings."""
    given = recorded("create")["ResourceProperties"]
    assert isinstance(given, dict)
    return {**given, "LoadBalancerArns": list(load_balancers), **changed}


def event(
    kind: str,
    given: Mapping[str, object],
    old: Mapping[str, object] | None = None,
    *,
    at: float = NOON,
    stack: str = STACK,
) -> Event:
    """Return a recorded event with these properties, this date and this stack."""
    result = recorded(kind.lower())
    date = datetime.fromtimestamp(at, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    result["ResponseURL"] = str(result["ResponseURL"]).replace("20260301T120000Z", date)
    result["StackId"] = stack
    result["ResourceProperties"] = dict(given)
    if kind == "Update":
        result["OldResourceProperties"] = dict(given if old is None else old)
    return result


def request(
    kind: str, *arns: str, old: Mapping[str, object] | None = None, **values: object
) -> Request:
    """Return a checked request for load balancers, with `values` for some properties."""
    return parse(event(kind, properties(*arns, **values), old), NOON)


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
