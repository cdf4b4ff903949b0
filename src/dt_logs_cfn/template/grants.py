"""List the permissions of each step of the handler: the table behind the least-privilege role.

The privilege tests fail for a call that is not listed here, and for an entry that no step needs.
"""

from dataclasses import dataclass
from enum import Enum


class Scope(Enum):
    """The scope of a grant; `execution_policies` turns it into ARNs and conditions."""

    EVERYTHING = "everything"  # the action has no resource-level permissions
    LOAD_BALANCERS = "load-balancers"  # application load balancers in the account and region
    OWN_BUCKET = "own-bucket"  # the bucket that this stack may create
    LOG_BUCKETS = "log-buckets"  # any bucket in the account that an ALB may log to
    TEST_FILE = "test-file"  # ELBAccessLogTestFile below one of our prefixes
    OWN_TOPIC = "own-topic"  # topics that the handler names
    FOREIGN_TOPIC = "foreign-topic"  # any topic; an existing one may cover a log location
    LOG_GROUP = "log-group"  # the function's own log group
    OWN_STACK = "own-stack"  # the function's own stack, if it has a RefreshSchedule


@dataclass(frozen=True)
class Grant:
    """The IAM actions that one step needs, with their scope and the reason."""

    step: str
    actions: tuple[str, ...]
    on: Scope
    why: str


GRANTS: tuple[Grant, ...] = (
    Grant(
        "log",
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        Scope.LOG_GROUP,
        "Lambda writes the function's own log, one line per step.",
    ),
    Grant(
        "observe load balancers",
        (
            "elasticloadbalancing:DescribeLoadBalancers",
            "elasticloadbalancing:DescribeLoadBalancerAttributes",
        ),
        Scope.EVERYTHING,
        "See which load balancers exist and where they log now.",
    ),
    Grant(
        "set logging",
        ("elasticloadbalancing:ModifyLoadBalancerAttributes",),
        Scope.LOAD_BALANCERS,
        "Turn access logs on where they are off, and off when a load balancer leaves the stack.",
    ),
    Grant(
        "find buckets",
        ("s3:ListAllMyBuckets",),
        Scope.EVERYTHING,
        "Find our statements again after a load balancer was moved to another bucket.",
    ),
    Grant(
        "observe buckets",
        (
            "s3:GetBucketLocation",
            "s3:GetBucketNotification",
            "s3:GetBucketOwnershipControls",
            "s3:GetBucketPolicy",
            "s3:GetBucketPolicyStatus",
            "s3:GetBucketPublicAccessBlock",
            "s3:GetBucketTagging",
            "s3:GetEncryptionConfiguration",
            "s3:GetLifecycleConfiguration",
        ),
        Scope.LOG_BUCKETS,
        "Read a log bucket's settings, so that existing entries are kept; read back our changes.",
    ),
    Grant(
        "edit policy",
        ("s3:PutBucketPolicy", "s3:DeleteBucketPolicy"),
        Scope.LOG_BUCKETS,
        "Add the vendor's read statement, and remove it later.",
    ),
    Grant(
        "edit notifications",
        ("s3:PutBucketNotification",),
        Scope.LOG_BUCKETS,
        "Make S3 announce new log objects to the topic, and end this later.",
    ),
    Grant(
        "create bucket",
        (
            "s3:CreateBucket",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:TagResource",
        ),
        Scope.OWN_BUCKET,
        "Create a bucket for load balancers that have none, and keep it private and encrypted.",
    ),
    Grant(
        "delete bucket",
        ("s3:DeleteBucket",),
        Scope.OWN_BUCKET,
        "Remove the bucket that we created, if it holds no logs.",
    ),
    Grant(
        "delete test file",
        ("s3:DeleteObject",),
        Scope.TEST_FILE,
        "Remove the test file that Elastic Load Balancing wrote when logging was turned on.",
    ),
    Grant(
        "create topic",
        ("sns:CreateTopic", "sns:GetTopicAttributes", "sns:TagResource"),
        Scope.OWN_TOPIC,
        "Create the topic that announces new log objects.",
    ),
    Grant(
        "delete topic",
        ("sns:DeleteTopic",),
        Scope.OWN_TOPIC,
        "Remove the topic when no stack uses it any more.",
    ),
    Grant(
        "observe subscriptions",
        ("sns:ListSubscriptionsByTopic",),
        Scope.FOREIGN_TOPIC,
        "See who is subscribed, so that nothing is subscribed twice.",
    ),
    Grant(
        "observe subscription filters",
        ("sns:GetSubscriptionAttributes",),
        Scope.EVERYTHING,
        "Recognise our subscription to somebody else's topic by its filter.",
    ),
    Grant(
        "find subscriptions",
        ("sns:ListSubscriptions",),
        Scope.EVERYTHING,
        "Find our subscriptions to somebody else's topics if our event notification is missing.",
    ),
    Grant(
        "subscribe",
        ("sns:Subscribe",),
        Scope.FOREIGN_TOPIC,
        "Subscribe the vendor's endpoint, and no other, to the announcements.",
    ),
    Grant(
        "change subscription",
        ("sns:SetSubscriptionAttributes", "sns:Unsubscribe"),
        Scope.EVERYTHING,
        "Narrow or end our own subscription; IAM cannot limit this to one subscription.",
    ),
    Grant(
        "read own stack",
        ("cloudformation:DescribeStacks",),
        Scope.OWN_STACK,
        "Read the stack's parameters and status when the schedule runs the function.",
    ),
)
