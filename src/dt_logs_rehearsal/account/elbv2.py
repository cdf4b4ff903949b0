"""Elastic Load Balancing: load balancers, their attributes, and the logs that they write."""

import gzip
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.access import bucket_says, request
from dt_logs_rehearsal.account.iam.policy import Decision, Principal
from dt_logs_rehearsal.account.s3.objects import store
from dt_logs_rehearsal.account.world import (
    Bucket,
    Call,
    LoadBalancer,
    Response,
    World,
    moment,
    page,
    present,
)

LogKind = Literal["access", "connection", "health check"]


@dataclass(frozen=True)
class Log:
    """One kind of log: its attributes' prefix, its test file's name, and its file names' prefix."""

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
_ARN = re.compile(
    r"arn:[\w-]+:elasticloadbalancing:[\w-]+:\d{12}:loadbalancer/(app|net|gwy)/[\w-]+/[0-9a-f]+"
)
_KINDS = {"application": "app", "network": "net"}
# A new load balancer's attributes [botocore, elbv2 LoadBalancerAttribute$Key].
_COMMON = {"deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "true"}


def _logging(log: Log) -> dict[str, str]:
    """Return the attributes that turn off one kind of log."""
    start = log.attributes
    return {f"{start}enabled": "false", f"{start}bucket": "", f"{start}prefix": ""}


_APPLICATION = {
    "idle_timeout.timeout_seconds": "60",
    "client_keep_alive.seconds": "3600",
    "routing.http2.enabled": "true",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.desync_mitigation_mode": "defensive",
    "waf.fail_open.enabled": "false",
    **_logging(LOGS["connection"]),
    **_logging(LOGS["health check"]),
}


def new_load_balancer(
    world: World, name: str, kind: str, account: str, region: str
) -> LoadBalancer:
    """Return a new `application` or `network` load balancer."""
    unique = world.unique().replace("-", "")[:16]
    arn = (
        f"arn:{world.partition}:elasticloadbalancing:{region}:{account}:loadbalancer/"
        f"{_KINDS[kind]}/{name}/{unique}"
    )
    attributes = {**_COMMON, **_logging(LOGS["access"])}
    if kind == "application":
        attributes |= _APPLICATION
    return LoadBalancer(arn, name, kind, account, region, attributes)


def describe_load_balancers(world: World, call: Call) -> Response:
    """Describe the caller's load balancers in the region, or the given ones; fail if one is absent.

    [botocore, elbv2 DescribeLoadBalancers: up to 20 by ARN, PageSize up to 400]
    """
    params = call.params
    arns = params.get("LoadBalancerArns", [])
    if len(arns) > 20:
        raise _invalid("Up to 20 load balancers can be described in a single call")
    every = world.load_balancers.values()
    here = (call.caller.account, call.region)
    own = [each for each in every if (each.account, each.region) == here]
    if arns:
        own = [_found(world, call, arn) for arn in dict.fromkeys(arns)]
    shown, marker = page(own, params.get("Marker"), min(params.get("PageSize", 400), 400))
    return {"LoadBalancers": [_described(world, e) for e in shown], **present(NextMarker=marker)}


def _invalid(text: str) -> Refused:
    return Refused("ValidationError", text, Type="Sender")


def _found(world: World, call: Call, arn: str) -> LoadBalancer:
    if not _ARN.fullmatch(arn):
        raise _invalid(f"'{arn}' is not a valid load balancer ARN")
    found = world.load_balancers.get(arn)
    if found is None or (found.account, found.region) != (call.caller.account, call.region):
        raise Refused("LoadBalancerNotFound", "One or more load balancers not found", Type="Sender")
    return found


def _described(world: World, found: LoadBalancer) -> dict[str, Any]:
    outpost = present(OutpostId=found.outpost)
    return {
        "LoadBalancerArn": found.arn,
        "LoadBalancerName": found.name,
        "DNSName": f"{found.name}-1234567890.{found.region}.elb.{world.domain}",
        "CanonicalHostedZoneId": "Z0000000000000",
        "Scheme": "internet-facing",
        "VpcId": "vpc-00000000000000000",
        "State": {"Code": "active"},
        "Type": found.kind,
        "IpAddressType": "ipv4",
        "SecurityGroups": [],
        "AvailabilityZones": [{"ZoneName": f"{found.region}a", **outpost}],
    }


def describe_load_balancer_attributes(world: World, call: Call) -> Response:
    """Return all attributes; a log bucket or prefix that was never set is empty."""
    return _attributes(_found(world, call, call.params["LoadBalancerArn"]))


def _attributes(found: LoadBalancer) -> Response:
    return {
        "Attributes": [{"Key": key, "Value": found.attributes[key]} for key in found.attributes]
    }


def modify_load_balancer_attributes(world: World, call: Call) -> Response:
    """Set all attributes in the call, or none; first check the bucket of each enabled log in it.

    [botocore, elbv2 ModifyLoadBalancerAttributes: attributes that are not sent keep their values]
    """
    found = _found(world, call, call.params["LoadBalancerArn"])
    given = {each["Key"]: each.get("Value", "") for each in call.params["Attributes"]}
    if len(given) != len(call.params["Attributes"]):
        raise _invalid("Load balancer attribute keys must be unique")
    for key, value in given.items():
        _check_attribute(found, key, value)
    new = {**found.attributes, **given}
    for log in LOGS.values():
        sent = any(key.startswith(log.attributes) for key in given)
        if sent and new[f"{log.attributes}enabled"] == "true":
            _check_logging(world, found, log, new)
    found.attributes = new
    return _attributes(found)


def _check_attribute(found: LoadBalancer, key: str, value: str) -> None:
    if key not in found.attributes:
        raise _invalid(f"Load balancer attribute key '{key}' is not recognized")
    if len(value) > 1024:  # [botocore, LoadBalancerAttributeValue]
        raise _invalid(f"The value of '{key}' is too long")
    if key.endswith(".s3.bucket") and not value:
        raise _invalid(f"The value of '{key}' cannot be empty")
    if key.endswith(".enabled") and value not in ("true", "false"):
        raise _invalid(f"The value of '{key}' must be 'true' or 'false'")
    if not key.endswith(".s3.prefix"):
        return
    if value.startswith("/") or value.endswith("/"):  # [GH ansible/ansible#55147]
        raise _invalid(f"The value of '{key}' cannot start or end with '/'")
    if "AWSLogs" in value:  # [ELB guide, enable-access-logging.md; the message is unverified]
        raise _invalid(f"The value of '{key}' cannot contain 'AWSLogs'")


def _check_logging(world: World, found: LoadBalancer, log: Log, new: Mapping[str, str]) -> None:
    """Write the test file, as ELB does before it turns on logging; raise Refused if this fails."""
    name, prefix = new[f"{log.attributes}bucket"], new[f"{log.attributes}prefix"]
    if not name:
        raise _invalid(f"The value of '{log.attributes}bucket' cannot be empty")
    bucket = world.buckets.get(name)
    if bucket is None:  # the message that users report for classic load balancers
        raise _rejected(f"S3Bucket: {name} does not exist")
    if bucket.region != found.region:  # [GH hashicorp/terraform#12010]
        raise _rejected(
            f"S3Bucket: {name} is not located in the same region with ELB: {found.name}"
        )
    key, body = log_key(found, prefix, log.test_file), f"Enable {log.test_file[3:-8]} for ELB"
    # [ELB guide: only SSE-S3; GH aws/aws-cdk#5758, #22031: one message for every cause]
    if not deliver(world, bucket, found, key, body.encode()):
        raise _rejected(f"Access Denied for bucket: {name}. Please check S3bucket permission")


def _rejected(text: str) -> Refused:
    return Refused("InvalidConfigurationRequest", text, Type="Sender")


_SERVICE = Principal(service="logdelivery.elasticloadbalancing.amazonaws.com")
_OUTPOSTS = Principal(service="logdelivery.elb.amazonaws.com")
# The accounts as which ELB writes logs in regions opened before 2022; in newer regions, it writes
# only as a service. [ELB guide, enable-access-logging.md; China: hashicorp/terraform-provider-aws,
# service account data source]
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
    """Return the key of a file at a load balancer's log location."""
    return f"{prefix}{'/' if prefix else ''}AWSLogs/{found.account}/{name}"


def deliver(world: World, bucket: Bucket, found: LoadBalancer, key: str, body: bytes) -> bool:
    """Write a file as Elastic Load Balancing; return whether the policy and encryption allow it.

    ELB writes as a service and, if the region has an ELB account, as that account; in China, only
    as the account [GH terraform-aws-modules/terraform-aws-s3-bucket#263]. On an Outpost, it writes
    as another service, with an ACL [ELB guide, enable-access-logging.md]. AWS does not document
    that ELB sends aws:SourceAccount or aws:SourceArn, so this emulation does not send them.
    """
    account = ELB_ACCOUNTS.get(found.region, "")
    if found.outpost:
        writers = [_OUTPOSTS]
    else:
        writers = [_SERVICE] if world.partition != "aws-cn" else []
        writers += [world.root(account)] if account else []
    if bucket.algorithm() != "AES256" or not any(_may(world, bucket, e, key) for e in writers):
        return False
    # Under ObjectWriter, the writer owns the object, even if ELB sends the ACL
    # bucket-owner-full-control.
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
    """A client's request for `path`, and the answer's status."""

    client: str
    path: str
    status: int = 200


def log_file(load_balancer: str, visits: Sequence[Visit], now: float) -> bytes:
    """Return the access log of these visits, as the load balancer with this ARN would write it.

    The file is gzipped, and has a line for each request, with fields in a fixed order, separated by
    spaces [ELB guide, load-balancer-access-logs.md].
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
