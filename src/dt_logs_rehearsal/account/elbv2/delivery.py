"""The contents of Elastic Load Balancing's logs, and their delivery to a bucket."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dt_logs_rehearsal.account.iam.access import bucket_says, request
from dt_logs_rehearsal.account.iam.policy import Decision, Principal
from dt_logs_rehearsal.account.s3.objects import store
from dt_logs_rehearsal.account.world import Bucket, LoadBalancer, World, moment

LogKind = Literal["access", "connection", "health check"]


@dataclass(frozen=True)
class Log:
    """One kind of log: the prefix of its attributes, its test file, and its file names' prefix."""

    attributes: str
    test_file: str
    name: str


# [ELB guide, load-balancer-access-logs.md, -connection-logs.md, -health-check-logs.md and the
# guides on enabling them; GH grafana/lambda-promtail#23 for the underscore after conn_log]
LOGS: Mapping[LogKind, Log] = {
    "access": Log("access_logs.s3.", "ELBAccessLogTestFile", ""),
    "connection": Log("connection_logs.s3.", "ELBConnectionLogTestFile", "conn_log_"),
    "health check": Log("health_check_logs.s3.", "ELBHealthCheckLogTestFile", "health_check_log_"),
}
_SERVICE = Principal(service="logdelivery.elasticloadbalancing.amazonaws.com")
_OUTPOSTS = Principal(service="logdelivery.elb.amazonaws.com")
# The accounts that write logs in regions opened before 2022; in newer ones, only the service.
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
    """Write an object as Elastic Load Balancing; return whether the bucket allowed it.

    ELB writes as a service, except in China [GH terraform-aws-modules/terraform-aws-s3-bucket#263],
    and as the region's ELB account, if the region has one. On an Outpost, ELB writes as another
    service, with an ACL [ELB guide, enable-access-logging.md]. AWS does not document that ELB sends
    aws:SourceAccount or aws:SourceArn, so this emulation does not.
    """
    account = ELB_ACCOUNTS.get(found.region, "")
    if found.outpost:
        writers = [_OUTPOSTS]
    else:
        writers = [_SERVICE] if world.partition != "aws-cn" else []
        writers += [world.root(account)] if account else []
    if bucket.algorithm() != "AES256" or not any(_may(world, bucket, e, key) for e in writers):
        return False
    # ELB sends the ACL bucket-owner-full-control; under ObjectWriter, it does not change the owner.
    store(world, bucket, key, body, account or "elasticloadbalancing")
    return True


def write_log(world: World, found: LoadBalancer, kind: LogKind, body: bytes) -> str | None:
    """Write a log file as a load balancer; return its key, or None if nothing was written."""
    log = LOGS[kind]
    bucket = world.buckets.get(found.attributes.get(f"{log.attributes}bucket", ""))
    on = found.attributes.get(f"{log.attributes}enabled") == "true"
    if not on or bucket is None or bucket.region != found.region:
        return None
    now = moment(world.clock())
    balancer = found.arn.partition(":loadbalancer/")[2].replace("/", ".")
    name = (
        f"elasticloadbalancing/{found.region}/{now:%Y/%m/%d}/{log.name}{found.account}"
        f"_elasticloadbalancing_{found.region}_{balancer}_{now:%Y%m%dT%H%MZ}_192.0.2.1"
        f"_{world.unique()[:8]}.log.gz"
    )
    key = log_key(found, found.attributes[f"{log.attributes}prefix"], name)
    return key if deliver(world, bucket, found, key, body) else None


def _may(world: World, bucket: Bucket, principal: Principal, key: str) -> bool:
    acl = {} if principal is _SERVICE else {"s3:x-amz-acl": "bucket-owner-full-control"}
    arn = f"arn:{world.partition}:s3:::{bucket.name}/{key}"
    asked = request(world, principal, "s3:PutObject", arn, acl, bucket.owner)
    policy = bucket.policy.effective(world.clock())
    return bucket_says(world, bucket, policy, asked) is Decision.ALLOW


@dataclass(frozen=True)
class Visit:
    """A client's request for a `path`."""

    client: str
    path: str
    status: int = 200


def log_file(load_balancer: str, visits: Sequence[Visit], now: float) -> bytes:
    """Return a log file in which a load balancer, given by its ARN, reports visits.

    The gzipped file has a line for each request, with fields in a fixed order, separated by spaces
    [ELB guide, load-balancer-access-logs.md].
    """
    lines = "".join(f"{_line(load_balancer, visit, now)}\n" for visit in visits)
    return gzip.compress(lines.encode(), mtime=0)


def _line(load_balancer: str, visit: Visit, now: float) -> str:
    stamp = f"{moment(now):%Y-%m-%dT%H:%M:%S.%fZ}"
    scope, _, name = load_balancer.partition(":loadbalancer/")
    short = name.split("/")[1]
    host, certificate = f"{short}.example.com", scope.replace("elasticloadbalancing", "acm")
    return (
        f"https {stamp} {name} {visit.client}:49152 10.0.0.10:8080 0.001 0.024 0.000"
        f" {visit.status} {visit.status} 218 1043"
        f' "GET https://{host}:443{visit.path} HTTP/1.1" "curl/8.9.1"'
        f" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {scope}:targetgroup/{short}/0123456789abcdef"
        f' "Root=1-{int(now):08x}-{0x5EED:024x}" "{host}" "{certificate}:certificate/0"'
        f' 0 {stamp} "forward" "-" "-" "10.0.0.10:8080" "{visit.status}" "-" "-" TID_0000'
    )
