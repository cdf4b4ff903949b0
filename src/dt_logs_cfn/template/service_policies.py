"""What CloudFormation may do for the stack, through its service role.

The documented policy is published as it was promised. It cannot run the stack on AWS, because it
lacks `iam:PassRole` and `lambda:InvokeFunction`. The lifecycle policy can, from Create to Delete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import awacs.sts
from awacs.aws import Allow, Condition, PolicyDocument, Principal, Statement, StringEquals

from dt_logs_cfn.template.statements import EVERYTHING, Resource, allow, document

ROLE, FUNCTION, LOG_GROUP, RULE, PERMISSION, CUSTOM = (
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::Events::Rule",
    "AWS::Lambda::Permission",
    "Custom::DTLogsAnalysis",
)


class On(Enum):
    """The kind of resource that a permission is for."""

    ROLE = "Role"
    PASSED_ROLE = "PassedRole"
    FUNCTION = "Function"
    LOG_GROUP = "LogGroup"
    RULE = "Rule"
    EVERYTHING = "Everything"  # AWS has no resource level for the action


@dataclass(frozen=True)
class Need:
    """Actions that CloudFormation uses for one of our resource types, and what for."""

    resource_type: str
    actions: tuple[str, ...]
    on: On
    why: str


# What the handlers in CloudFormation's registry schemas declare, as far as our properties or
# the stack's tags lead to it, and what the schemas declare for tagging. A read handler reads
# every property, set or not.
NEEDS: tuple[Need, ...] = (
    Need(ROLE, ("iam:CreateRole",), On.ROLE, "create the execution role"),
    Need(
        ROLE,
        (
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
        ),
        On.ROLE,
        "read it",
    ),
    Need(ROLE, ("iam:UpdateAssumeRolePolicy",), On.ROLE, "update AssumeRolePolicyDocument"),
    Need(ROLE, ("iam:PutRolePolicy", "iam:DeleteRolePolicy"), On.ROLE, "update Policies"),
    Need(
        ROLE,
        ("iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"),
        On.ROLE,
        "update PermissionsBoundary",
    ),
    Need(
        ROLE,
        ("iam:ListRoleTags", "iam:TagRole", "iam:UntagRole"),
        On.ROLE,
        "give it the stack's tags",
    ),
    Need(ROLE, ("iam:DeleteRole",), On.ROLE, "delete it"),
    Need(FUNCTION, ("iam:PassRole",), On.PASSED_ROLE, "give the function its Role"),
    Need(FUNCTION, ("lambda:CreateFunction",), On.FUNCTION, "create the function"),
    Need(
        FUNCTION,
        (
            "lambda:GetFunction",
            "lambda:GetFunctionCodeSigningConfig",
            "lambda:GetFunctionRecursionConfig",
            "lambda:GetFunctionScalingConfig",
            "lambda:GetRuntimeManagementConfig",
        ),
        On.FUNCTION,
        "read it",
    ),
    Need(FUNCTION, ("lambda:UpdateFunctionCode",), On.FUNCTION, "update Code"),
    Need(
        FUNCTION,
        ("lambda:UpdateFunctionConfiguration",),
        On.FUNCTION,
        "update Runtime, MemorySize, Timeout, LoggingConfig",
    ),
    Need(
        FUNCTION,
        ("lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"),
        On.FUNCTION,
        "give it the stack's tags, and CloudFormation's own",
    ),
    Need(FUNCTION, ("lambda:DeleteFunction",), On.FUNCTION, "delete it"),
    Need(CUSTOM, ("lambda:InvokeFunction",), On.FUNCTION, "create, update, delete what it makes"),
    Need(LOG_GROUP, ("logs:CreateLogGroup",), On.LOG_GROUP, "create the function's log group"),
    Need(
        LOG_GROUP,
        ("logs:DescribeIndexPolicies", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
        On.EVERYTHING,
        "read it",
    ),
    Need(
        LOG_GROUP,
        ("logs:GetDataProtectionPolicy", "logs:ListTagsForResource"),
        On.LOG_GROUP,
        "read it",
    ),
    Need(
        LOG_GROUP,
        ("logs:DeleteRetentionPolicy", "logs:PutRetentionPolicy"),
        On.LOG_GROUP,
        "update RetentionInDays",
    ),
    Need(
        LOG_GROUP,
        ("logs:TagResource", "logs:UntagResource"),
        On.LOG_GROUP,
        "give it the stack's tags, and CloudFormation's own",
    ),
    Need(LOG_GROUP, ("logs:DeleteLogGroup",), On.LOG_GROUP, "delete it"),
    Need(RULE, ("events:PutRule", "events:PutTargets"), On.RULE, "create or update the schedule"),
    Need(RULE, ("events:DescribeRule", "events:ListTargetsByRule"), On.RULE, "read it"),
    Need(
        RULE,
        ("events:ListTagsForResource", "events:TagResource", "events:UntagResource"),
        On.RULE,
        "give it the stack's tags, and CloudFormation's own",
    ),
    Need(RULE, ("events:DeleteRule", "events:RemoveTargets"), On.RULE, "delete it"),
    Need(PERMISSION, ("lambda:AddPermission",), On.FUNCTION, "let the schedule run the function"),
    Need(PERMISSION, ("lambda:GetPolicy",), On.FUNCTION, "read that"),
    Need(PERMISSION, ("lambda:RemovePermission",), On.FUNCTION, "delete it"),
)


def service_role_trust() -> PolicyDocument:
    """Return the service role's trust policy: CloudFormation may assume the role.

    >>> service_role_trust().Statement[0].Principal.JSONrepr()
    {'Service': 'cloudformation.amazonaws.com'}
    """
    return document([_assumed_by("cloudformation.amazonaws.com", Sid="")])


def function_trust() -> PolicyDocument:
    """Return the execution role's trust policy: Lambda takes the role."""
    return document([_assumed_by("lambda.amazonaws.com")])


def service_role_policy(
    kind: Literal["documented", "lifecycle"],
    role: Resource,
    function: Resource,
    log_groups: Sequence[Resource] = (),
    rules: Sequence[Resource] = (),
) -> PolicyDocument:
    """Return the policy under which CloudFormation runs the stack.

    `role`, `function`, and each of `log_groups` and `rules` are ARNs, as text or as a troposphere
    function that makes one; they may end in `*`. "documented" is the policy that customers were
    promised. It cannot run the stack on AWS, and has no log group and no rule. "lifecycle" can,
    from Create to Delete; without `rules`, no stack with a RefreshSchedule.

    >>> policy = service_role_policy(
    ...     "lifecycle",
    ...     "arn:aws:iam::111122223333:role/dt-logs-analysis*",
    ...     "arn:aws:lambda:eu-west-1:111122223333:function:dt-logs-analysis*",
    ...     ["arn:aws:logs:eu-west-1:111122223333:log-group:dt-logs-analysis*"],
    ... )
    >>> [statement.Sid for statement in policy.Statement]
    ['Role', 'PassedRole', 'Function', 'LogGroup', 'Everything']
    """
    match kind:
        case "documented":
            return _documented(role, function)
        case "lifecycle":
            return _lifecycle(role, function, log_groups, rules)


def _documented(role: Resource, function: Resource) -> PolicyDocument:
    return document(
        [
            allow(
                (
                    "iam:CreateRole",
                    "iam:GetRole",
                    "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies",
                    "iam:ListRolePolicies",
                    "iam:PutRolePolicy",
                ),
                [role],
            ),
            allow(
                (
                    "lambda:CreateFunction",
                    "lambda:GetFunction",
                    "lambda:GetFunctionCodeSigningConfig",
                    "lambda:GetRuntimeManagementConfig",
                ),
                [function],
            ),
        ]
    )


def _lifecycle(
    role: Resource,
    function: Resource,
    log_groups: Sequence[Resource],
    rules: Sequence[Resource],
) -> PolicyDocument:
    """Allow to create, read, update, delete and roll back each of our resources.

    Stack tags and a permissions boundary are included. The execution role may be passed to Lambda
    and to no other service.
    """
    resources = {
        On.ROLE: [role],
        On.PASSED_ROLE: [role],
        On.FUNCTION: [function],
        On.LOG_GROUP: [*log_groups],
        On.RULE: [*rules],
        On.EVERYTHING: EVERYTHING,
    }
    to_lambda = Condition(StringEquals("iam:PassedToService", "lambda.amazonaws.com"))
    return document(
        allow(
            sorted({name for need in NEEDS if need.on is on for name in need.actions}),
            resource,
            to_lambda if on is On.PASSED_ROLE else None,
            on.value,
        )
        for on, resource in resources.items()
        if resource
    )


def _assumed_by(service: str, **optional: str) -> Statement:
    return Statement(
        Effect=Allow,
        Principal=Principal("Service", service),
        Action=[awacs.sts.AssumeRole],
        **optional,
    )
