"""Elastic Load Balancing: load balancers and their attributes."""

import re
from collections.abc import Mapping
from typing import Any

from dt_logs_rehearsal.account.elbv2.delivery import LOGS, Log, deliver, log_key
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.world import Call, LoadBalancer, Response, World, page, present

_ARN = re.compile(
    r"arn:[\w-]+:elasticloadbalancing:[\w-]+:\d{12}:loadbalancer/(app|net|gwy)/[\w-]+/[0-9a-f]+"
)
_KINDS = {"application": "app", "network": "net"}
# A new load balancer's attributes [botocore, elbv2 LoadBalancerAttribute$Key].
_COMMON = {"deletion_protection.enabled": "false", "load_balancing.cross_zone.enabled": "true"}


def _logging(log: Log) -> dict[str, str]:
    """Return the attributes of one kind of log, turned off."""
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
    """List all load balancers, or the named ones; the call fails if one of these is missing.

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
    """Set all attributes that are sent, or none; check the bucket if they turn on logs.

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
    """Write the test file, as ELB does before it turns on logging."""
    name, prefix = new[f"{log.attributes}bucket"], new[f"{log.attributes}prefix"]
    if not name:
        raise _invalid(f"The value of '{log.attributes}bucket' cannot be empty")
    bucket = world.buckets.get(name)
    if bucket is None:  # message as reported for classic load balancers
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
