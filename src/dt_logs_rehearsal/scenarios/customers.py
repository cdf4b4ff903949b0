"""Set up customers' accounts: load balancers, and buckets that other tools use."""

from dt_logs_rehearsal.account import Account

CUSTOMERS = "customers-logs"


def new(account: Account) -> list[str]:
    """One ALB that never logged."""
    return [account.add_load_balancer("web")]


def three(account: Account) -> list[str]:
    """Three ALBs that never logged."""
    return [account.add_load_balancer(name) for name in ("web", "api", "shop")]


def customers_bucket(account: Account) -> None:
    """A bucket that the customer's other tools use."""
    queue = f"arn:aws:sqs:{account.region}:{account.account_id}:audit"
    function = f"arn:aws:lambda:{account.region}:{account.account_id}:function:index"
    account.add_destination(queue)
    account.add_destination(function)
    account.add_bucket(
        CUSTOMERS,
        block={"BlockPublicAcls": True, "IgnorePublicAcls": True},
        policy={
            "Version": "2008-10-17",
            "Id": "customers",
            "Statement": [
                {
                    "Sid": "delivery",
                    "Effect": "Allow",
                    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                    "Action": "s3:PutObject",
                    "Resource": f"arn:aws:s3:::{CUSTOMERS}/*",
                },
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": ["s3:*"],
                    "Resource": [f"arn:aws:s3:::{CUSTOMERS}/*"],
                    "Condition": {"Bool": {"aws:SecureTransport": False}},
                },
                {
                    "Sid": "auditors",
                    "Effect": "Allow",
                    "Principal": {"AWS": ["arn:aws:iam::222233334444:root", "333344445555"]},
                    "Action": "s3:Get*",
                    "Resource": [f"arn:aws:s3:::{CUSTOMERS}/audit/*"],
                },
            ],
        },
        notifications={
            "QueueConfigurations": [
                {
                    "Id": "audit",
                    "QueueArn": queue,
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": "audit/"}]}},
                }
            ],
            "LambdaFunctionConfigurations": [
                {
                    "Id": "index",
                    "LambdaFunctionArn": function,
                    "Events": ["s3:ObjectRemoved:*"],
                }
            ],
            "EventBridgeConfiguration": {},
        },
        tags={"team": "edge"},
    )


def logging(account: Account) -> list[str]:
    """Two ALBs that log to one prefix of the customer's bucket."""
    customers_bucket(account)
    return [
        account.add_load_balancer(name, bucket=CUSTOMERS, prefix="alb") for name in ("web", "api")
    ]


def announced(account: Account) -> list[str]:
    """An ALB whose log objects are already announced to one of the customer's topics."""
    arns = logging(account)
    topic = account.add_topic(
        "everything",
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "s3.amazonaws.com"},
                    "Action": "sns:Publish",
                    "Resource": "*",
                    "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{CUSTOMERS}"}},
                }
            ],
        },
    )
    account.s3.put_bucket_notification_configuration(
        Bucket=CUSTOMERS,
        NotificationConfiguration={
            "TopicConfigurations": [
                {"Id": "everything", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )
    return arns
