"""List the permissions of both roles and their uses: the tables from which we make the policies.

GRANTS lists the actions that each of the handler's steps needs. The privilege tests fail for a call
that GRANTS lacks, and for an entry that no step needs. NEEDS lists the actions that CloudFormation
uses to manage the stack's resources.
"""

from dataclasses import dataclass
from enum import Enum

ROLE, FUNCTION, LOG_GROUP, RULE, PERMISSION, CUSTOM = (
    "AWS::IAM::Role",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::Events::Rule",
    "AWS::Lambda::Permission",
    "Custom::DTLogsAnalysis",
)


class Scope(Enum):
    """The resources that a grant covers; the value is the Sid of the grant's policy statement.

    `role_policies` has the ARN patterns and the conditions of each scope.
    """

    EVERYTHING = "Everything"  # the action does not have resource-level permissions
    LOAD_BALANCERS = "LoadBalancers"  # application load balancers in the account and region
    OWN_BUCKET = "OwnBucket"  # the buckets that the stack may create
    LOG_BUCKETS = "LogBuckets"  # log buckets in the account: any, or those that parameters name
    TEST_FILE = "TestFile"  # ELBAccessLogTestFile below one of our prefixes
    OWN_TOPIC = "OwnTopic"  # topics that the handler names
    FOREIGN_TOPIC = "ForeignTopic"  # any topic: an existing topic may announce a log location
    SUBSCRIBE = "Subscribe"  # any topic, but only for the vendor's endpoint
    OWN_STACK = "OwnStack"  # the function's own stack, if it has a RefreshSchedule
    LOG_GROUP = "LogGroup"  # the function's log group
    ROLE = "Role"  # the function's role
    PASSED_ROLE = "PassedRole"  # the function's role, passed to Lambda
    FUNCTION = "Function"
    RULE = "Rule"  # the rule of a RefreshSchedule


@dataclass(frozen=True)
class Grant:
    """The IAM actions that one step needs, with their scope and the reason.

    In NEEDS, the step is the type of the resource that CloudFormation manages.
    """

    step: str
    actions: tuple[str, ...]
    on: Scope
    why: str


# For each step and scope: the reason, and the actions.
_STEPS = {
    ("log", Scope.LOG_GROUP): (
        "Lambda writes the function's own log, one line per step.",
        "logs:CreateLogStream logs:PutLogEvents",
    ),
    ("observe load balancers", Scope.EVERYTHING): (
        "See which load balancers exist and where they log now.",
        "elasticloadbalancing:DescribeLoadBalancers"
        " elasticloadbalancing:DescribeLoadBalancerAttributes",
    ),
    ("set logging", Scope.LOAD_BALANCERS): (
        "Turn access logs on where they are off, and off when a load balancer leaves the stack.",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
    ),
    ("find buckets", Scope.EVERYTHING): (
        "Find our statements again after a load balancer was moved to another bucket.",
        "s3:ListAllMyBuckets",
    ),
    ("observe buckets", Scope.LOG_BUCKETS): (
        "Read a log bucket's settings, so that existing entries are kept; read back our changes.",
        "s3:GetBucketLocation s3:GetBucketNotification s3:GetBucketOwnershipControls"
        " s3:GetBucketPolicy s3:GetBucketPolicyStatus s3:GetBucketPublicAccessBlock"
        " s3:GetBucketTagging s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration",
    ),
    ("edit policy", Scope.LOG_BUCKETS): (
        "Add the vendor's read statement, and remove it later.",
        "s3:PutBucketPolicy s3:DeleteBucketPolicy",
    ),
    ("edit notifications", Scope.LOG_BUCKETS): (
        "Make S3 announce new log files to the topic, and end this later.",
        "s3:PutBucketNotification",
    ),
    ("create bucket", Scope.OWN_BUCKET): (
        "Create a bucket for load balancers that have none, and keep it private and encrypted.",
        "s3:CreateBucket s3:PutBucketOwnershipControls s3:PutBucketPublicAccessBlock"
        " s3:PutBucketTagging s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration"
        " s3:TagResource",
    ),
    ("delete bucket", Scope.OWN_BUCKET): (
        "Remove the bucket that we created, if it holds no logs.",
        "s3:DeleteBucket",
    ),
    ("delete test file", Scope.TEST_FILE): (
        "Remove the test file that Elastic Load Balancing wrote when logging was turned on.",
        "s3:DeleteObject",
    ),
    ("create topic", Scope.OWN_TOPIC): (
        "Create the topic that announces new log files.",
        "sns:CreateTopic sns:GetTopicAttributes sns:TagResource",
    ),
    ("delete topic", Scope.OWN_TOPIC): (
        "Remove the topic when no stack uses it any more.",
        "sns:DeleteTopic",
    ),
    ("observe subscriptions", Scope.FOREIGN_TOPIC): (
        "See who is subscribed, so that nothing is subscribed twice.",
        "sns:ListSubscriptionsByTopic",
    ),
    ("observe subscription filters", Scope.EVERYTHING): (
        "Recognise our subscription to somebody else's topic by its filter.",
        "sns:GetSubscriptionAttributes",
    ),
    ("find subscriptions", Scope.EVERYTHING): (
        "Find our subscriptions to somebody else's topics if our event notification is missing.",
        "sns:ListSubscriptions",
    ),
    ("subscribe", Scope.SUBSCRIBE): (
        "Subscribe the vendor's endpoint, and no other, to the announcements.",
        "sns:Subscribe",
    ),
    ("change subscription", Scope.EVERYTHING): (
        "Narrow or end our own subscription; IAM cannot limit this to one subscription.",
        "sns:SetSubscriptionAttributes sns:Unsubscribe",
    ),
    ("read own stack", Scope.OWN_STACK): (
        "Read the stack's parameters and status when the schedule runs the function.",
        "cloudformation:DescribeStacks",
    ),
}
GRANTS = tuple(
    Grant(step, tuple(actions.split()), on, why) for (step, on), (why, actions) in _STEPS.items()
)

# The actions that CloudFormation's registry schemas declare for the properties that we set, under
# `handlers` and `tagging`. All actions of read handlers are listed, because these read every
# property. A custom resource does not have a schema.
_NEEDS = {
    (ROLE, Scope.ROLE): {
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
    (FUNCTION, Scope.PASSED_ROLE): {
        "give the function its Role": "iam:PassRole",
    },
    (FUNCTION, Scope.FUNCTION): {
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
    (CUSTOM, Scope.FUNCTION): {
        "call the function on create, update and delete": "lambda:InvokeFunction",
    },
    (LOG_GROUP, Scope.LOG_GROUP): {
        "create the function's log group": "logs:CreateLogGroup",
        "read it": "logs:GetDataProtectionPolicy logs:ListTagsForResource",
        "update RetentionInDays": "logs:DeleteRetentionPolicy logs:PutRetentionPolicy",
        "give it the stack's tags, and CloudFormation's own": "logs:TagResource logs:UntagResource",
        "delete it": "logs:DeleteLogGroup",
    },
    (LOG_GROUP, Scope.EVERYTHING): {
        "read it": "logs:DescribeIndexPolicies logs:DescribeLogGroups"
        " logs:DescribeResourcePolicies",
    },
    (RULE, Scope.RULE): {
        "create or update the schedule": "events:PutRule events:PutTargets",
        "read it": "events:DescribeRule events:ListTargetsByRule",
        "give it the stack's tags, and CloudFormation's own": "events:ListTagsForResource"
        " events:TagResource events:UntagResource",
        "delete it": "events:DeleteRule events:RemoveTargets",
    },
    (PERMISSION, Scope.FUNCTION): {
        "let the schedule run the function": "lambda:AddPermission",
        "read it": "lambda:GetPolicy",
        "delete it": "lambda:RemovePermission",
    },
}
NEEDS = tuple(
    Grant(kind, tuple(actions.split()), on, why)
    for (kind, on), needs in _NEEDS.items()
    for why, actions in needs.items()
)
