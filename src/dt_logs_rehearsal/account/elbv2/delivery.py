"""How Elastic Load Balancing writes access logs into a bucket."""

from dt_logs_rehearsal.account.iam.access import account_context, bucket_says, service_context
from dt_logs_rehearsal.account.iam.policy import Decision, Principal, Request
from dt_logs_rehearsal.account.s3.objects import store
from dt_logs_rehearsal.account.world import Bucket, LoadBalancer, World

SERVICE = Principal(service="logdelivery.elasticloadbalancing.amazonaws.com")
# The accounts that write in the regions opened before 2022; others know the service alone.
# [ELB guide, enable-access-logging.md; China: hashicorp/terraform-provider-aws, service account
# data source]
ELB_ACCOUNTS = {
    "af-south-1": "098369216593",
    "ap-east-1": "754344448648",
    "ap-northeast-1": "582318560864",
    "ap-northeast-2": "600734575887",
    "ap-northeast-3": "383597477331",
    "ap-south-1": "718504428378",
    "ap-southeast-1": "114774131450",
    "ap-southeast-2": "783225319266",
    "ap-southeast-3": "589379963580",
    "ca-central-1": "985666609251",
    "cn-north-1": "638102146993",
    "cn-northwest-1": "037604701340",
    "eu-central-1": "054676820928",
    "eu-north-1": "897822967062",
    "eu-south-1": "635631232127",
    "eu-west-1": "156460612806",
    "eu-west-2": "652711504416",
    "eu-west-3": "009996457667",
    "me-south-1": "076674570225",
    "sa-east-1": "507241528517",
    "us-east-1": "127311923021",
    "us-east-2": "033677994240",
    "us-gov-east-1": "190560391635",
    "us-gov-west-1": "048591011584",
    "us-west-1": "027434742980",
    "us-west-2": "797873946194",
}


def log_key(found: LoadBalancer, prefix: str, name: str) -> str:
    """Return a key below a load balancer's log location."""
    return f"{prefix}{'/' if prefix else ''}AWSLogs/{found.account}/{name}"


def deliver(world: World, bucket: Bucket, found: LoadBalancer, key: str, body: bytes) -> bool:
    """Write an object as Elastic Load Balancing, if the bucket lets it.

    [ELB guide, enable-access-logging.md]: by the service principal, in China not [GH
    terraform-aws-modules/terraform-aws-s3-bucket#263]; by the region's ELB account where there is
    one. Whether ELB sends aws:SourceAccount and aws:SourceArn is not documented: it does not here.
    """
    account = ELB_ACCOUNTS.get(found.region, "")
    by_service = world.partition != "aws-cn" and _may(world, bucket, SERVICE, key)
    by_account = bool(account) and _may(world, bucket, world.root(account), key)
    if bucket.algorithm() != "AES256" or not (by_service or by_account):
        return False
    # ELB hands its objects over with bucket-owner-full-control, which ObjectWriter disregards.
    store(world, bucket, key, body, account or "elasticloadbalancing")
    return True


def _may(world: World, bucket: Bucket, principal: Principal, key: str) -> bool:
    context = service_context() if principal.service else account_context(principal)
    acl = {} if principal.service else {"s3:x-amz-acl": "bucket-owner-full-control"}
    request = Request(
        principal,
        "s3:PutObject",
        f"arn:{world.partition}:s3:::{bucket.name}/{key}",
        {**context, **acl, "aws:resourceaccount": bucket.owner},
    )
    policy = bucket.policy.effective(world.clock())
    return bucket_says(world, bucket, policy, request) is Decision.ALLOW
