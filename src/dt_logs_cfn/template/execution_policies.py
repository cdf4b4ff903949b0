"""Make the Lambda's policy: as documented, or the least that its steps need."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import awacs.s3
from awacs.aws import Allow, Condition, PolicyDocument, Statement, StringEquals
from troposphere import GetAtt, If, Join, NoValue, Ref, Split, Sub

from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.statements import (
    EVERYTHING,
    STACK,
    PolicyTarget,
    Resource,
    actions,
    allow,
    document,
)
from dt_logs_handler.grants import GRANTS, Grant, Scope
from dt_logs_handler.names import NAME, TEST_FILE

# A stack's tag in names that the handler chooses: 12 hexadecimal digits.
_TAG = "?" * 12
_SUBSCRIBE = "sns:Subscribe"


LOG_GROUP = "DTLogsAnalysisLambdaLogGroup"


def own_bucket(place: PolicyTarget) -> str:
    """Return the ARN pattern of the buckets that a stack may create and name itself."""
    return f"arn:{place.partition}:s3:::{NAME}-{_TAG}-{place.account}-{place.region}*"


@dataclass(frozen=True)
class PolicyLimits:
    """The resources that the least-privilege policy names.

    Each is a text, a troposphere function that makes one, or a list of either. `log_group` is the
    ARN of the function's log group, ending in `:*`. `endpoint` is the vendor's https URL or SQS
    queue ARN. The defaults fit any stack: its own account, the buckets that the handler names
    itself, and every bucket of the account for existing logs.

    >>> limits = PolicyLimits("arn:aws:logs:eu-west-1:111122223333:log-group:audit:*", "https://x.test/")
    >>> limits.account.to_dict()
    {'Ref': 'AWS::AccountId'}
    """

    log_group: Resource
    endpoint: Resource
    account: Resource = field(default_factory=lambda: Ref("AWS::AccountId"))
    own_buckets: Resource = field(default_factory=lambda: Sub(own_bucket(STACK)))
    log_buckets: Resource = field(default_factory=lambda: Sub("arn:${AWS::Partition}:s3:::*"))
    stack: Resource = field(default_factory=lambda: Ref("AWS::StackId"))


def execution_policy(privileges: Privileges, limits: PolicyLimits | None = None) -> PolicyDocument:
    """Return the policy of the Lambda's role.

    Without `limits` it refers to the stack template's parameters and conditions. With them it
    works in any stack. The documented policy has no limits.

    >>> policy = execution_policy(Privileges.DOCUMENTED)
    >>> [len(statement.Action) for statement in policy.Statement]
    [3, 6]
    """
    match privileges:
        case Privileges.DOCUMENTED:
            return documented(STACK)
        case Privileges.LEAST_PRIVILEGE:
            always = [grant for grant in GRANTS if grant.on is not Scope.OWN_STACK]
            return least_privilege(STACK, limits or _by_parameters(), always)


def refresh_policy(limits: PolicyLimits | None = None) -> PolicyDocument:
    """Return the least-privilege role's additional permissions if a schedule runs the function.

    >>> [statement.Sid for statement in refresh_policy().Statement]
    ['OwnStack']
    """
    scheduled = [grant for grant in GRANTS if grant.on is Scope.OWN_STACK]
    return least_privilege(STACK, limits or _by_parameters(), scheduled)


def documented(place: PolicyTarget) -> PolicyDocument:
    """Return exactly the policy that customers were promised."""
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
                Resource=[*EVERYTHING],
            ),
        ]
    )


def least_privilege(
    place: PolicyTarget, limits: PolicyLimits, grants: Iterable[Grant] = GRANTS
) -> PolicyDocument:
    """Return the smallest policy under which every step of the handler runs.

    It has a statement for each scope. A statement has a condition only if AWS documents the key for
    its actions: `aws:ResourceAccount` for existing buckets, and `sns:Endpoint` and `sns:Protocol`
    for Subscribe.
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


def _by_parameters() -> PolicyLimits:
    """Return the limits that the stack template's parameters decide."""
    own = own_bucket(STACK)
    named = Sub("arn:${AWS::Partition}:s3:::${LogBucketName}")
    return PolicyLimits(
        log_group=GetAtt(LOG_GROUP, "Arn"),
        endpoint=Ref("NotificationEndpoint"),
        own_buckets=[Sub(own), If("HasLogBucketName", named, NoValue)],
        log_buckets=If(
            "HasExistingLogBucketNames", _only_named(own), Sub("arn:${AWS::Partition}:s3:::*")
        ),
    )


def _only_named(own: str) -> Resource:
    """Return the ARNs of the buckets that parameters name, and of the stack's own.

    CloudFormation has no loop, but a delimiter can hold the start of an ARN. It must be a literal,
    so the partition is a wildcard; the account in the condition exists in only one.
    """
    before = ",arn:*:s3:::"
    return Split(
        ",",
        Sub(
            f"{own}${{LogBucket}}{before}${{Existing}}",
            LogBucket=If("HasLogBucketName", Sub(f"{before}${{LogBucketName}}"), ""),
            Existing=Join(before, Ref("ExistingLogBucketNames")),
        ),
    )


def _statements(
    scope: Scope, names: list[str], place: PolicyTarget, limits: PolicyLimits
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


def _topics(
    names: list[str], place: PolicyTarget, limits: PolicyLimits, sid: str
) -> list[Statement]:
    """Let the handler read any topic, but subscribe only the vendor's endpoint."""
    every = [place.arn("sns", "*")]
    vendor = {"sns:Endpoint": limits.endpoint, "sns:Protocol": ["https", "sqs"]}
    others = [name for name in names if name != _SUBSCRIBE]
    found = [allow(others, every, sid=sid)] if others else []
    if _SUBSCRIBE in names:
        found.append(allow([_SUBSCRIBE], every, Condition(StringEquals(vendor)), "Subscribe"))
    return found
