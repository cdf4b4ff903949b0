"""Set up customers' accounts: load balancers, and buckets that other tools use."""

from dt_logs_rehearsal.account import Account

CUSTOMERS = "customers-logs"


def new(account: Account) -> list[str]:
    """Add one ALB that has never logged."""
    return [account.add_load_balancer("web")]


def three(account: Account) -> list[str]:
    """Add three ALBs that have never logged."""
    return [account.add_load_balancer(name) for name in ("web", "api", "shop")]


def customers_bucket(account: Account) -> None:
    """Add a bucket that the customer's other tools use."""
    queue = f"arn:aws:sqs:{account.region}:{account.account_id}:audit"
    function = f"arn:aws:lambda:{account.region}:{account.account_id}:function:index"
    account.add_destination(queue)
    account.add_destination(function)
    tls_only = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:*"],
        "Resource": [f"arn:aws:s3:::{CUSTOMERS}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": False}},
    }
    delivery = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    auditors = {"AWS": ["arn:aws:iam::222233334444:root", "333344445555"]}
    audit = {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "audit/"}]}}
    created, removed = ["s3:ObjectCreated:*"], ["s3:ObjectRemoved:*"]
    account.add_bucket(
        CUSTOMERS,
        block={"BlockPublicAcls": True, "IgnorePublicAcls": True},
        policy={
            "Version": "2008-10-17",
            "Id": "customers",
            "Statement": [
                _allow(delivery, "s3:PutObject", f"arn:aws:s3:::{CUSTOMERS}/*", Sid="delivery"),
                tls_only,
                _allow(auditors, "s3:Get*", [f"arn:aws:s3:::{CUSTOMERS}/audit/*"], Sid="auditors"),
            ],
        },
        notifications={
            "QueueConfigurations": [
                {"Id": "audit", "QueueArn": queue, "Events": created, "Filter": audit}
            ],
            "LambdaFunctionConfigurations": [
                {"Id": "index", "LambdaFunctionArn": function, "Events": removed}
            ],
            "EventBridgeConfiguration": {},
        },
        tags={"team": "edge"},
    )


def logging(account: Account) -> list[str]:
    """Add the customer's bucket, and two ALBs that log to one prefix in it."""
    customers_bucket(account)
    return [
        account.add_load_balancer(name, bucket=CUSTOMERS, prefix="alb") for name in ("web", "api")
    ]


def announced(account: Account) -> list[str]:
    """Add what `logging` adds; let S3 announce all new objects to a customer's topic."""
    arns = logging(account)
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{CUSTOMERS}"}}
    publish = _allow({"Service": "s3.amazonaws.com"}, "sns:Publish", "*", Condition=condition)
    topic = account.add_topic("everything", {"Version": "2012-10-17", "Statement": [publish]})
    account.s3.put_bucket_notification_configuration(
        Bucket=CUSTOMERS,
        NotificationConfiguration={
            "TopicConfigurations": [
                {"Id": "everything", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    return arns


def _allow(principal: object, action: str, resource: object, **more: object) -> dict[str, object]:
    allowed = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return {**allowed, **more}
