"""Make the policy of the Lambda's role, as documented or with least privilege."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from awacs.aws import Condition, PolicyDocument, StringEquals
from troposphere import GetAtt, If, Join, NoValue, Ref, Split, Sub

from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.grants import GRANTS, Grant, Scope
from dt_logs_cfn.template.statements import (
    EVERYTHING,
    STACK,
    PolicyTarget,
    Resource,
    allow,
    document,
)
from dt_logs_handler.names import NAME, TEST_FILE

# Matches a stack's tag, 12 hexadecimal digits, in a name that the handler chooses.
_TAG = "?" * 12
_SUBSCRIBE = "sns:Subscribe"


LOG_GROUP = "DTLogsAnalysisLambdaLogGroup"


def own_bucket(place: PolicyTarget) -> str:
    """Return the ARN pattern of the buckets that a stack may create under generated names."""
    return f"arn:{place.partition}:s3:::{NAME}-{_TAG}-{place.account}-{place.region}*"


@dataclass(frozen=True)
class PolicyLimits:
    """The resources that the least-privilege policy names.

    Each is a string or a troposphere function that returns one; for buckets, a list is also
    accepted. `log_group` is the ARN of the function's log group, ending in `:*`. `endpoint` is the
    vendor's https URL or SQS queue ARN. The defaults fit any stack: its own account and ID, the
    buckets that the handler names itself, and every bucket in the account for existing logs.

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

    Without `limits`, the least-privilege policy refers to the stack template's parameters and
    conditions. With `limits`, it works in any stack. The documented policy ignores `limits`.

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
    """Return the permissions that the least-privilege role also needs for a RefreshSchedule.

    >>> [statement.Sid for statement in refresh_policy().Statement]
    ['OwnStack']
    """
    scheduled = [grant for grant in GRANTS if grant.on is Scope.OWN_STACK]
    return least_privilege(STACK, limits or _by_parameters(), scheduled)


def documented(place: PolicyTarget) -> PolicyDocument:
    """Return exactly the policy that customers were promised."""
    everywhere = replace(place, region="*", account="*")
    logs = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
    others = (
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        *("s3:*", "sns:CreateTopic", _SUBSCRIBE),
    )
    return document([allow(logs, [everywhere.arn("logs", "*")]), allow(others, EVERYTHING)])


def least_privilege(
    place: PolicyTarget, limits: PolicyLimits, grants: Sequence[Grant] = GRANTS
) -> PolicyDocument:
    """Return the smallest policy under which the steps of these grants run.

    It has a statement for each of their scopes, and one for Subscribe. A statement has a condition
    only if AWS documents the key for its actions: `aws:ResourceAccount` for log buckets and test
    files, and `sns:Endpoint` and `sns:Protocol` for Subscribe.
    """
    found = []
    for scope, (resource, condition) in _resources(place, limits).items():
        names = {name for grant in grants if grant.on is scope for name in grant.actions}
        sid = "".join(word.title() for word in scope.value.split("-"))
        if others := sorted(names - {_SUBSCRIBE}):
            found.append(allow(others, resource, condition, sid))
        if _SUBSCRIBE in names:  # allow only the vendor's endpoint
            vendor = {"sns:Endpoint": limits.endpoint, "sns:Protocol": ["https", "sqs"]}
            only = Condition(StringEquals(vendor))
            found.append(allow([_SUBSCRIBE], resource, only, "Subscribe"))
    return document(found)


def _by_parameters() -> PolicyLimits:
    """Return the limits that the stack template's parameters set."""
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
    """Return the ARNs of the stack's own buckets, and of the buckets that parameters name.

    CloudFormation cannot loop over a list without a transform. So the names are joined by a comma
    and the beginning of an ARN, and then split at the commas. A delimiter must be a literal, so the
    partition is a wildcard. The policy's condition names the account, which belongs to only one
    partition.
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


def _resources(
    place: PolicyTarget, limits: PolicyLimits
) -> dict[Scope, tuple[Resource, Condition | None]]:
    """Return the resources of each scope, and the condition under which they may be used."""
    ours = Condition(StringEquals("aws:ResourceAccount", limits.account))
    test_file = f"*/{NAME}/{_TAG}/AWSLogs/{place.account}/{TEST_FILE}"
    return {
        Scope.EVERYTHING: (EVERYTHING, None),
        Scope.LOAD_BALANCERS: ([place.arn("elasticloadbalancing", "loadbalancer/app/*")], None),
        Scope.OWN_BUCKET: (limits.own_buckets, None),
        Scope.LOG_BUCKETS: (limits.log_buckets, ours),
        Scope.TEST_FILE: ([place.arn("s3", test_file)], ours),
        Scope.OWN_TOPIC: ([place.arn("sns", f"{NAME}-*")], None),
        Scope.FOREIGN_TOPIC: ([place.arn("sns", "*")], None),
        Scope.LOG_GROUP: ([limits.log_group], None),
        Scope.OWN_STACK: ([limits.stack], None),
    }
