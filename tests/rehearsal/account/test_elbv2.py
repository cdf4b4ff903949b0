"""Load balancers, and the requirements for turning on their access logs."""

import gzip
import shlex
from contextlib import nullcontext
from typing import Any

import pytest
from rehearsal.account.helpers import ACCOUNT, put_policy, refused, statement
from support.looks import logging_of

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.account.elbv2 import Visit, log_file

DENIED = "Access Denied for bucket: logs. Please check S3bucket permission"
TLS = {"Bool": {"aws:SecureTransport": "true"}}
ACL = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
LEGACY = {"AWS": "arn:aws:iam::127311923021:root"}  # ELB's account for us-east-1


def enable(
    account: Account, arn: str, bucket: str = "logs", prefix: str = "p", log: str = "access_logs"
) -> None:
    values = {"enabled": "true", "bucket": bucket, "prefix": prefix}
    named: Any = [{"Key": f"{log}.s3.{key}", "Value": value} for key, value in values.items()]
    account.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=named)


def keys(account: Account) -> list[str]:
    return [each["Key"] for each in account.s3.list_objects_v2(Bucket="logs")["Contents"]]


def described(account: Account, arn: str) -> Any:
    """Return a load balancer as AWS describes it."""
    (one,) = account.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    return one


@pytest.fixture
def arn(account: Account) -> str:
    return account.add_load_balancer("web")


PUBLIC = statement(Principal="*", Action="s3:GetObject")
# Statements, and whether ELB may then write to the prefix `p`.
GRANTS: list[tuple[list[dict[str, Any]], bool]] = [
    ([statement(path=f"/p/AWSLogs/{ACCOUNT}/*")], True),
    ([statement(Principal=LEGACY)], True),
    ([statement(Condition=TLS)], True),
    ([statement(), PUBLIC], True),
    ([], False),
    ([statement(path=f"/other/AWSLogs/{ACCOUNT}/*")], False),
    ([statement(path=f"/p/AWSLogs/{ACCOUNT}")], False),
    ([statement(Principal={"Service": "delivery.logs.amazonaws.com"})], False),
    ([statement(Principal={"AWS": "156460612806"})], False),  # ELB's account for eu-west-1
    ([statement(), statement(Effect="Deny", Principal="*")], False),
    ([statement(Condition=ACL)], False),
    ([statement(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})], False),
    ([statement(Principal=LEGACY), PUBLIC], False),  # this cuts off accounts, but not services
]


@pytest.mark.parametrize(("statements", "granted"), GRANTS)
def test_only_a_grant_for_the_exact_path_lets_elb_write_its_test_file(
    account: Account, arn: str, statements: list[dict[str, Any]], granted: bool
) -> None:
    account.add_bucket("logs", block={"RestrictPublicBuckets": True})
    if statements:
        put_policy(account, *statements)
    before = account.snapshot()

    with nullcontext() if granted else refused("InvalidConfigurationRequest", DENIED):
        enable(account, arn)

    assert (account.snapshot() != before) == granted
    put_policy(account, statement())
    for prefix, folder in (("p", "p/AWSLogs"), ("", "AWSLogs")):
        enable(account, arn, prefix=prefix)
        assert logging_of(account, arn) == ("true", "logs", prefix)
        assert f"{folder}/{ACCOUNT}/ELBAccessLogTestFile" in keys(account)


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("us-east-1", "aws", "amazonaws.com"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ],
)
def test_each_partition_has_its_arns_domain_and_grantee(
    region: str, partition: str, suffix: str
) -> None:
    account = Account(region=region, partition=partition)
    arn = account.add_load_balancer("web")
    assert arn.startswith(f"arn:{partition}:elasticloadbalancing:{region}:{ACCOUNT}:loadbalancer/")
    assert described(account, arn)["DNSName"].endswith(f".{region}.elb.{suffix}")
    topic = account.sns.create_topic(Name="t")["TopicArn"]
    account.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://a")
    url = account.world.deliveries["https://a"][0]["SubscribeURL"]
    assert url.startswith(f"https://sns.{region}.{suffix}/?Action=ConfirmSubscription&")
    if region.startswith("cn"):  # in China, ELB writes as an AWS account
        path = "arn:aws-cn:s3:::logs/*"
        account.add_bucket("logs", policy={"Statement": [statement(Resource=path)]})
        with refused("InvalidConfigurationRequest"):
            enable(account, arn)
        put_policy(account, statement(Resource=path, Principal={"AWS": "638102146993"}))
        enable(account, arn)


def test_a_bucket_that_is_gone_elsewhere_or_under_kms_is_refused(
    account: Account, arn: str
) -> None:
    account.add_bucket("far", region="eu-west-1", policy={"Statement": [statement("far")]})
    account.add_bucket("logs", kms=True, policy={"Statement": [statement()]})
    far = "not located in the same region"

    for bucket, text in (("logs", DENIED), ("far", far), ("none", "none does not exist")):
        with refused("InvalidConfigurationRequest", text):
            enable(account, arn, bucket=bucket)


def test_load_balancers_come_in_pages_and_a_missing_one_fails_the_call(account: Account) -> None:
    arns = [
        account.add_load_balancer(f"lb{number}", "network" if number == 3 else "application")
        for number in range(5)
    ]
    paginator = account.elbv2.get_paginator("describe_load_balancers")
    pages = paginator.paginate(PaginationConfig={"PageSize": 2})
    names = [[each["LoadBalancerName"] for each in page["LoadBalancers"]] for page in pages]
    assert names == [["lb0", "lb1"], ["lb2", "lb3"], ["lb4"]]
    del account.world.load_balancers[arns[4]]
    with refused("LoadBalancerNotFound", "One or more load balancers not found"):
        account.elbv2.describe_load_balancers(LoadBalancerArns=arns)
    with refused("ValidationError"):
        account.elbv2.describe_load_balancers(LoadBalancerArns=arns[:1] * 21)


@pytest.mark.parametrize(
    ("kind", "start", "name", "test_file"),
    [
        ("access", "access_logs", f"{ACCOUNT}_elasticloadbalancing_us-east-1_app.web.", "Access"),
        ("connection", "connection_logs", f"conn_log_{ACCOUNT}_e", "Connection"),
        ("health check", "health_check_logs", "health_check_log_", "HealthCheck"),
    ],
)
def test_other_logs_may_go_to_the_same_place(
    account: Account, arn: str, kind: Any, start: str, name: str, test_file: str
) -> None:
    with refused("InvalidConfigurationRequest", DENIED):
        enable(account, arn, log=start)
    put_policy(account, statement())

    enable(account, arn, log=start)
    key = account.write_log(arn, kind=kind)

    assert keys(account) == [f"p/AWSLogs/{ACCOUNT}/ELB{test_file}LogTestFile", key]
    day = f"p/AWSLogs/{ACCOUNT}/elasticloadbalancing/us-east-1/2027/01/15/"
    assert str(key).startswith(f"{day}{name}")
    others: set[Any] = {"access", "connection", "health check"} - {kind}
    assert [account.write_log(arn, kind=each) for each in others] == [None, None]
    account.s3.delete_bucket_policy(Bucket="logs")
    assert account.write_log(arn, kind=kind) is None  # the log is dropped silently


def test_a_load_balancer_on_an_outpost_is_delivered_by_another_service(account: Account) -> None:
    arn = account.add_load_balancer("edge", outpost="op-0123456789abcdef0")
    zones = described(account, arn)["AvailabilityZones"]
    assert zones[0]["OutpostId"] == "op-0123456789abcdef0"
    put_policy(account, statement())
    with refused("InvalidConfigurationRequest", DENIED):
        enable(account, arn)
    other = {"Service": "logdelivery.elb.amazonaws.com"}
    put_policy(account, statement(Principal=other, Condition=ACL))
    enable(account, arn)
    assert account.write_log(arn)


NAMES = (
    *("type", "time", "elb", "client:port", "target:port", "request_processing_time"),
    *("target_processing_time", "response_processing_time", "elb_status_code"),
    *("target_status_code", "received_bytes", "sent_bytes", "request", "user_agent"),
    *("ssl_cipher", "ssl_protocol", "target_group_arn", "trace_id", "domain_name"),
    *("chosen_cert_arn", "matched_rule_priority", "request_creation_time"),
    *("actions_executed", "redirect_url", "error_reason", "target:port_list"),
    *("target_status_code_list", "classification", "classification_reason", "conn_trace_id"),
)
WEB = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"


def test_a_log_line_has_every_field_in_the_documented_order() -> None:
    body, same = (log_file(WEB, [Visit("192.0.2.7", "/a?b=c", 404)], 1.8e9) for _ in range(2))
    assert body == same
    (line,) = gzip.decompress(body).decode().splitlines()
    found = dict(zip(NAMES, shlex.split(line), strict=True))
    expected = {
        "elb": "app/web/0123456789abcdef",
        "time": "2027-01-15T08:00:00.000000Z",
        "client:port": "192.0.2.7:49152",
        "elb_status_code": "404",
        "request": "GET https://web.example.com:443/a?b=c HTTP/1.1",
    }
    assert expected.items() <= found.items()
