"""Make the policies of the Lambda's role, and of the service role that CloudFormation uses.

Each role's documented policy is the one that customers were promised. The service role's documented
policy cannot run the stack on AWS, because it lacks `iam:PassRole`, `lambda:InvokeFunction` and
other permissions. The lifecycle policy can run the stack, from Create to Delete.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal

from awacs.aws import Action, Allow, Condition, PolicyDocument, Principal, Statement, StringEquals
from troposphere import GetAtt, If, Join, NoValue, Ref, Split, Sub, encode_to_dict

from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.grants import GRANTS, NEEDS, Grant, Scope
from dt_logs_cfn.template.parsing import statements_in
from dt_logs_handler.names import NAME, TEST_FILE

# A string, a troposphere function that resolves to one, or a list; troposphere does not ship types.
Resource = Any

LOG_GROUP = "DTLogsAnalysisLambdaLogGroup"
# Matches the 12 hexadecimal digits that identify a stack in a name that the handler chooses.
_TAG = "?" * 12
# The actions that customers were promised, on the role and on the function.
_PROMISED = (
    "iam:CreateRole iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies"
    " iam:ListRolePolicies iam:PutRolePolicy",
    "lambda:CreateFunction lambda:GetFunction lambda:GetFunctionCodeSigningConfig"
    " lambda:GetRuntimeManagementConfig",
)


@dataclass(frozen=True)
class PolicyTarget:
    """The partition, region and account of a policy's ARNs.

    `text` turns an ARN, which may have placeholders, into a value of the policy, such as a `Sub`.
    """

    partition: str
    region: str
    account: str
    text: Callable[[str], Resource] = str

    def arn(self, service: str, resource: str) -> Resource:
        """Return an ARN, with a region and an account if ARNs of this service have them."""
        scopes = {"s3": ":", "iam": f":{self.account}"}
        scope = scopes.get(service, f"{self.region}:{self.account}")
        return self.text(f"arn:{self.partition}:{service}:{scope}:{resource}")


# CloudFormation fills in the stack's values.
STACK = PolicyTarget("${AWS::Partition}", "${AWS::Region}", "${AWS::AccountId}", Sub)


def allow(
    names: Iterable[str], on: Resource, condition: Condition | None = None, sid: str = ""
) -> Statement:
    """Return a statement that allows actions like `s3:GetObject` on resources.

    A typo fails the build: an action that awacs does not know raises AttributeError, and an unknown
    service raises ImportError.
    """
    optional = {"Condition": condition, "Sid": sid}
    return Statement(
        Effect=Allow,
        Action=[_action(name) for name in names],
        Resource=on,
        **{name: value for name, value in optional.items() if value},
    )


class CompactPolicy(PolicyDocument):
    """A policy document that writes an Action or Resource of one item without a list."""

    def JSONrepr(self) -> dict[str, Any]:
        """Return the document as plain data."""
        policy: dict[str, Any] = encode_to_dict(super().JSONrepr())
        for _, statement in statements_in(policy):
            for name in ("Action", "Resource"):
                value = statement.get(name)
                if isinstance(value, list) and len(value) == 1:
                    statement[name] = value[0]
        return policy


def document(statements: Iterable[Statement]) -> PolicyDocument:
    """Return a policy document of these statements."""
    return CompactPolicy(Version="2012-10-17", Statement=list(statements))


def plain(policy: PolicyDocument) -> dict[str, Any]:
    """Return a policy document as plain data."""
    data: dict[str, Any] = encode_to_dict(policy)
    return data


def own_bucket(place: PolicyTarget) -> str:
    """Return the ARN pattern of the buckets that a stack may create under generated names."""
    return f"arn:{place.partition}:s3:::{NAME}-{_TAG}-{place.account}-{place.region}*"


@dataclass(frozen=True)
class PolicyLimits:
    """The resources, account and endpoint that the least-privilege policy names.

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
    """Return the policy that the least-privilege role also needs for a RefreshSchedule.

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
        *("s3:*", "sns:CreateTopic", "sns:Subscribe"),
    )
    return document([allow(logs, [everywhere.arn("logs", "*")]), allow(others, ["*"])])


def least_privilege(
    place: PolicyTarget, limits: PolicyLimits, grants: Sequence[Grant] = GRANTS
) -> PolicyDocument:
    """Return the smallest policy that allows the steps of these grants.

    A statement has a condition only if AWS documents the condition key for the actions:
    `aws:ResourceAccount` for log buckets and test files, and `sns:Endpoint` and `sns:Protocol` for
    Subscribe.
    """
    ours = Condition(StringEquals("aws:ResourceAccount", limits.account))
    vendor = {"sns:Endpoint": limits.endpoint, "sns:Protocol": ["https", "sqs"]}
    test_file = f"*/{NAME}/{_TAG}/AWSLogs/{place.account}/{TEST_FILE}"
    places = {
        Scope.EVERYTHING: (["*"], None),
        Scope.LOAD_BALANCERS: ([place.arn("elasticloadbalancing", "loadbalancer/app/*")], None),
        Scope.OWN_BUCKET: (limits.own_buckets, None),
        Scope.LOG_BUCKETS: (limits.log_buckets, ours),
        Scope.TEST_FILE: ([place.arn("s3", test_file)], ours),
        Scope.OWN_TOPIC: ([place.arn("sns", f"{NAME}-*")], None),
        Scope.FOREIGN_TOPIC: ([place.arn("sns", "*")], None),
        Scope.SUBSCRIBE: ([place.arn("sns", "*")], Condition(StringEquals(vendor))),
        Scope.LOG_GROUP: ([limits.log_group], None),
        Scope.OWN_STACK: ([limits.stack], None),
    }
    return _of_grants(grants, places)


def service_role_trust() -> PolicyDocument:
    """Return the service role's trust policy: CloudFormation may assume the role.

    >>> service_role_trust().Statement[0].Principal.JSONrepr()
    {'Service': 'cloudformation.amazonaws.com'}
    """
    return trust("cloudformation.amazonaws.com", Sid="")


def trust(service: str, **optional: str) -> PolicyDocument:
    """Return the trust policy of a role that an AWS service may assume."""
    principal = Principal("Service", service)
    actions = [_action("sts:AssumeRole")]
    return document([Statement(Effect=Allow, Principal=principal, Action=actions, **optional)])


def service_role_policy(
    kind: Literal["documented", "lifecycle"],
    role: Resource,
    function: Resource,
    log_groups: Sequence[Resource] = (),
    rules: Sequence[Resource] = (),
) -> PolicyDocument:
    """Return a policy for the service role, through which CloudFormation runs the stack.

    All arguments except `kind` are ARNs: strings, or troposphere functions that return one. These
    may end in `*`. "documented" is the policy that customers were promised. It cannot run the stack
    on AWS, and ignores log groups and rules. "lifecycle" can create, read, update, delete and roll
    back each of our resources, with stack tags and a permissions boundary. It may pass the role
    only to Lambda. It needs `log_groups` for the least-privilege template, and `rules` for a
    RefreshSchedule.

    >>> policy = service_role_policy(
    ...     "lifecycle",
    ...     "arn:aws:iam::111122223333:role/dt-logs-analysis*",
    ...     "arn:aws:lambda:eu-west-1:111122223333:function:dt-logs-analysis*",
    ...     ["arn:aws:logs:eu-west-1:111122223333:log-group:dt-logs-analysis*"],
    ... )
    >>> [statement.Sid for statement in policy.Statement]
    ['Role', 'PassedRole', 'Function', 'LogGroup', 'Everything']
    """
    if kind == "documented":
        on_role, on_function = (each.split() for each in _PROMISED)
        return document([allow(on_role, [role]), allow(on_function, [function])])
    to_lambda = Condition(StringEquals("iam:PassedToService", "lambda.amazonaws.com"))
    places = {
        Scope.ROLE: ([role], None),
        Scope.PASSED_ROLE: ([role], to_lambda),
        Scope.FUNCTION: ([function], None),
        Scope.LOG_GROUP: ([*log_groups], None),
        Scope.RULE: ([*rules], None),
        Scope.EVERYTHING: (["*"], None),
    }
    return _of_grants(NEEDS, places)


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
    partition is a wildcard. This does not widen the policy: its condition names the account, which
    belongs to only one partition.
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


def _of_grants(
    grants: Iterable[Grant], places: Mapping[Scope, tuple[Resource, Condition | None]]
) -> PolicyDocument:
    """Return a policy with a statement for each scope that has grants and a resource."""
    actions: dict[Scope, set[str]] = {scope: set() for scope in places}
    for grant in grants:
        actions[grant.on].update(grant.actions)
    return document(
        allow(sorted(actions[scope]), on, condition, scope.value)
        for scope, (on, condition) in places.items()
        if actions[scope] and on
    )


def _action(name: str) -> Action:
    service, _, verb = name.partition(":")
    module = "awslambda" if service == "lambda" else service
    known = import_module(f"awacs.{module}")
    found: Action = known.Action(verb) if verb == "*" else getattr(known, verb)
    return found
