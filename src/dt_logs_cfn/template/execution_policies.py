"""What the Lambda may do: as documented, or as little as its steps need."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import awacs.s3
from awacs.aws import Allow, Condition, Statement, StringEquals

from dt_logs_cfn.template.statements import (
    EVERYTHING,
    PolicyTarget,
    Resource,
    actions,
    allow,
    document,
)
from dt_logs_handler.grants import GRANTS, Grant, Scope
from dt_logs_handler.names import NAME, TEST_FILE

# A stack's tag, as it is in names that the handler gives: 12 hex digits.
_TAG = "?" * 12
_SUBSCRIBE = "sns:Subscribe"


@dataclass(frozen=True)
class Limits:
    """What the least-privilege role is narrowed to, as far as the stack or parameters decide it."""

    account: Resource
    log_group: Resource
    endpoint: Resource
    own_buckets: Resource
    log_buckets: Resource
    stack: Resource


def documented(place: PolicyTarget) -> dict[str, Any]:
    """Return the policy that customers were promised, exactly."""
    everywhere = PolicyTarget(place.partition, "*", "*", place.text)
    return document(
        [
            allow(
                ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
                [everywhere.arn("logs", "*")],
            ),
            Statement(
                Effect=Allow,
                Action=[
                    *actions(
                        (
                            "elasticloadbalancing:DescribeLoadBalancers",
                            "elasticloadbalancing:ModifyLoadBalancerAttributes",
                            "elasticloadbalancing:DescribeLoadBalancerAttributes",
                        )
                    ),
                    awacs.s3.Action("*"),
                    *actions(("sns:CreateTopic", _SUBSCRIBE)),
                ],
                Resource=EVERYTHING,
            ),
        ]
    )


def own_bucket(place: PolicyTarget) -> str:
    """Return the ARN, with placeholders, of each bucket that a stack may create and name itself."""
    return f"arn:{place.partition}:s3:::{NAME}-{_TAG}-{place.account}-{place.region}*"


def least_privilege(
    place: PolicyTarget, limits: Limits, grants: Iterable[Grant] = GRANTS
) -> dict[str, Any]:
    """Return the smallest policy under which every step of the handler runs.

    A statement for each scope. Conditions only where AWS documents that the action has the key:
    `aws:ResourceAccount` for buckets that exist, `sns:Endpoint` and `sns:Protocol` for Subscribe.
    """
    by_scope: dict[Scope, list[str]] = {scope: [] for scope in Scope}
    for grant in grants:
        by_scope[grant.on].extend(grant.actions)
    return document(
        statement
        for scope, names in by_scope.items()
        if names
        for statement in _statements(scope, sorted(set(names)), place, limits)
    )


def _statements(
    scope: Scope, names: list[str], place: PolicyTarget, limits: Limits
) -> list[Statement]:
    ours = Condition(StringEquals("aws:ResourceAccount", limits.account))
    sid = "".join(word.title() for word in scope.value.split("-"))
    match scope:
        case Scope.EVERYTHING:
            return [allow(names, EVERYTHING, sid=sid)]
        case Scope.LOAD_BALANCERS:
            every = [place.arn("elasticloadbalancing", "loadbalancer/app/*")]
            return [allow(names, every, sid=sid)]
        case Scope.OWN_BUCKET:
            return [allow(names, limits.own_buckets, sid=sid)]
        case Scope.LOG_BUCKETS:
            return [allow(names, limits.log_buckets, ours, sid)]
        case Scope.TEST_FILE:
            below = f"{NAME}/{_TAG}/AWSLogs/{place.account}/{TEST_FILE}"
            return [allow(names, [place.arn("s3", f"*/{below}")], ours, sid)]
        case Scope.OWN_TOPIC:
            return [allow(names, [place.arn("sns", f"{NAME}-*")], sid=sid)]
        case Scope.FOREIGN_TOPIC:
            return _topics(names, place, limits, sid)
        case Scope.LOG_GROUP:
            return [allow(names, [limits.log_group], sid=sid)]
        case Scope.OWN_STACK:
            return [allow(names, [limits.stack], sid=sid)]


def _topics(names: list[str], place: PolicyTarget, limits: Limits, sid: str) -> list[Statement]:
    """Let the handler look at any topic, but subscribe the vendor's endpoint alone."""
    every = [place.arn("sns", "*")]
    endpoint: Mapping[str, Any] = {
        "sns:Endpoint": limits.endpoint,
        "sns:Protocol": ["https", "sqs"],
    }
    vendor = Condition(StringEquals(dict(endpoint)))
    others = [name for name in names if name != _SUBSCRIBE]
    return [
        *([allow(others, every, sid=sid)] if others else []),
        *([allow([_SUBSCRIBE], every, vendor, "Subscribe")] if _SUBSCRIBE in names else []),
    ]
