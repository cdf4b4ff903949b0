"""Make the service role's policies, under which CloudFormation acts for the stack.

The documented policy is published as promised. It cannot run the stack on AWS, because it lacks
`iam:PassRole` and `lambda:InvokeFunction`. The lifecycle policy can run it, from Create to Delete.
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
    """The kind of resource to which a permission applies."""

    ROLE = "Role"
    PASSED_ROLE = "PassedRole"
    FUNCTION = "Function"
    LOG_GROUP = "LogGroup"
    RULE = "Rule"
    EVERYTHING = "Everything"  # the action cannot be limited to our resources


@dataclass(frozen=True)
class Need:
    """Actions that CloudFormation uses for one of our resource types, and their purpose."""

    resource_type: str
    actions: tuple[str, ...]
    on: On
    why: str


# The actions that CloudFormation's registry schemas declare for the properties that we set, under
# `handlers` and `tagging`. A read handler reads every property, so all of its actions are listed. A
# custom resource does not have a schema.
_NEEDS = {
    (ROLE, On.ROLE): {
        "create the execution role": "iam:CreateRole",
        "read it": "iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies"
        " iam:ListRolePolicies",
        "update AssumeRolePolicyDocument": "iam:UpdateAssumeRolePolicy",
        "update Policies": "iam:PutRolePolicy iam:DeleteRolePolicy",
        "update PermissionsBoundary": "iam:PutRolePermissionsBoundary"
        " iam:DeleteRolePermissionsBoundary",
        "give it the stack's tags": "iam:ListRoleTags iam:TagRole iam:UntagRole",
        "delete it": "iam:DeleteRole",
    },
    (FUNCTION, On.PASSED_ROLE): {
        "give the function its Role": "iam:PassRole",
    },
    (FUNCTION, On.FUNCTION): {
        "create the function": "lambda:CreateFunction",
        "read it": "lambda:GetFunction lambda:GetFunctionCodeSigningConfig"
        " lambda:GetFunctionRecursionConfig lambda:GetFunctionScalingConfig"
        " lambda:GetRuntimeManagementConfig",
        "update Code": "lambda:UpdateFunctionCode",
        "update Runtime, MemorySize, Timeout, LoggingConfig": "lambda:UpdateFunctionConfiguration",
        "give it the stack's tags, and CloudFormation's own": "lambda:ListTags lambda:TagResource"
        " lambda:UntagResource",
        "delete it": "lambda:DeleteFunction",
    },
    (CUSTOM, On.FUNCTION): {
        "call the function on create, update and delete": "lambda:InvokeFunction",
    },
    (LOG_GROUP, On.LOG_GROUP): {
        "create the function's log group": "logs:CreateLogGroup",
        "read it": "logs:GetDataProtectionPolicy logs:ListTagsForResource",
        "update RetentionInDays": "logs:DeleteRetentionPolicy logs:PutRetentionPolicy",
        "give it the stack's tags, and CloudFormation's own": "logs:TagResource logs:UntagResource",
        "delete it": "logs:DeleteLogGroup",
    },
    (LOG_GROUP, On.EVERYTHING): {
        "read it": "logs:DescribeIndexPolicies logs:DescribeLogGroups"
        " logs:DescribeResourcePolicies",
    },
    (RULE, On.RULE): {
        "create or update the schedule": "events:PutRule events:PutTargets",
        "read it": "events:DescribeRule events:ListTargetsByRule",
        "give it the stack's tags, and CloudFormation's own": "events:ListTagsForResource"
        " events:TagResource events:UntagResource",
        "delete it": "events:DeleteRule events:RemoveTargets",
    },
    (PERMISSION, On.FUNCTION): {
        "let the schedule run the function": "lambda:AddPermission",
        "read it": "lambda:GetPolicy",
        "delete it": "lambda:RemovePermission",
    },
}
NEEDS = tuple(
    Need(kind, tuple(actions.split()), on, why)
    for (kind, on), needs in _NEEDS.items()
    for why, actions in needs.items()
)


# The actions that customers were promised.
_DOCUMENTED_ON_ROLE = (
    "iam:CreateRole iam:GetRole iam:GetRolePolicy iam:ListAttachedRolePolicies"
    " iam:ListRolePolicies iam:PutRolePolicy"
)
_DOCUMENTED_ON_FUNCTION = (
    "lambda:CreateFunction lambda:GetFunction lambda:GetFunctionCodeSigningConfig"
    " lambda:GetRuntimeManagementConfig"
)


def service_role_trust() -> PolicyDocument:
    """Return the service role's trust policy: CloudFormation may assume the role.

    >>> service_role_trust().Statement[0].Principal.JSONrepr()
    {'Service': 'cloudformation.amazonaws.com'}
    """
    return trust("cloudformation.amazonaws.com", Sid="")


def trust(service: str, **optional: str) -> PolicyDocument:
    """Return the trust policy of a role that an AWS service may assume."""
    principal = Principal("Service", service)
    actions = [awacs.sts.AssumeRole]
    return document([Statement(Effect=Allow, Principal=principal, Action=actions, **optional)])


def service_role_policy(
    kind: Literal["documented", "lifecycle"],
    role: Resource,
    function: Resource,
    log_groups: Sequence[Resource] = (),
    rules: Sequence[Resource] = (),
) -> PolicyDocument:
    """Return the policy under which CloudFormation runs the stack.

    `role`, `function`, and each of `log_groups` and `rules` are ARNs, as strings or troposphere
    functions that return one; they may end in `*`. "documented" is the policy that customers were
    promised. It cannot run the stack on AWS, and ignores log groups and rules. "lifecycle" can
    create, read, update, delete and roll back each of our resources, with stack tags and a
    permissions boundary. It may pass the role only to Lambda. It needs `log_groups` for the
    least-privilege template, and `rules` for a RefreshSchedule.

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
        return document(
            [
                allow(_DOCUMENTED_ON_ROLE.split(), [role]),
                allow(_DOCUMENTED_ON_FUNCTION.split(), [function]),
            ]
        )
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
