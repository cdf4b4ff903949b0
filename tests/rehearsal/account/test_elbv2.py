"""Load balancers, and the requirements for turning on their access logs."""

import gzip
import shlex
from typing import Any

import pytest
from rehearsal.account.helpers import ACCOUNT, put_policy, refused, statement

from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.account.elbv2 import Visit, log_file

DENIED = "Access Denied for bucket: logs. Please check S3bucket permission"


def enable(
    account: Account, arn: str, bucket: str = "logs", prefix: str = "p", log: str = "access_logs"
) -> None:
    values = {"enabled": "true", "bucket": bucket, "prefix": prefix}
    modify(account, arn, **{f"{log}.s3.{key}": value for key, value in values.items()})


def modify(account: Account, arn: str, **values: str) -> None:
    attributes: Any = [{"Key": key, "Value": value} for key, value in values.items()]
    account.elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)


def attributes(account: Account, arn: str) -> dict[str, str]:
    found = account.elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    return {each["Key"]: each["Value"] for each in found}


@pytest.fixture
def arn(account: Account) -> str:
    return account.add_load_balancer("web")


@pytest.mark.parametrize(
    ("prefix", "folder", "elements"),
    [
        ("p", "p/AWSLogs", {}),
        ("", "AWSLogs", {}),
        ("p", "p/AWSLogs", {"Principal": {"AWS": "arn:aws:iam::127311923021:root"}}),
        ("p", "p/AWSLogs", {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}),
    ],
)
def test_enabling_writes_the_test_file(
    account: Account, arn: str, prefix: str, folder: str, elements: dict[str, Any]
) -> None:
    put_policy(account, statement(path=f"/{folder}/{ACCOUNT}/*", **elements))

    enable(account, arn, prefix=prefix)

    found = attributes(account, arn)
    assert (found["access_logs.s3.enabled"], found["access_logs.s3.bucket"]) == ("true", "logs")
    listed = account.s3.list_objects_v2(Bucket="logs")["Contents"]
    assert [each["Key"] for each in listed] == [f"{folder}/{ACCOUNT}/ELBAccessLogTestFile"]


@pytest.mark.parametrize(
    "statements",
    [
        [],
        [statement(path=f"/other/AWSLogs/{ACCOUNT}/*")],
        [statement(path=f"/p/AWSLogs/{ACCOUNT}")],
        [statement(Principal={"Service": "delivery.logs.amazonaws.com"})],
        [statement(Principal={"AWS": "156460612806"})],  # ELB's account for eu-west-1
        [statement(), statement(Effect="Deny", Principal="*")],
        [statement(Condition={"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}})],
        [statement(Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})],
    ],
)
def test_no_grant_for_the_exact_path_is_refused(
    account: Account, arn: str, statements: list[dict[str, Any]]
) -> None:
    if statements:
        put_policy(account, *statements)
    before = account.snapshot()

    with refused("InvalidConfigurationRequest", DENIED):
        enable(account, arn)

    assert account.snapshot() == before


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("us-east-1", "aws", "amazonaws.com"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
    ],
)
def test_each_partition_has_its_arns_and_domain(region: str, partition: str, suffix: str) -> None:
    account = Account(region=region, partition=partition)
    arn = account.add_load_balancer("web")
    (found,) = account.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert arn.startswith(f"arn:{partition}:elasticloadbalancing:{region}:{ACCOUNT}:loadbalancer/")
    assert found["DNSName"].endswith(f".{region}.elb.{suffix}")
    topic = account.sns.create_topic(Name="t")["TopicArn"]
    account.sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://a")
    url = account.world.deliveries["https://a"][0]["SubscribeURL"]
    assert url.startswith(f"https://sns.{region}.{suffix}/?Action=ConfirmSubscription&")


def test_china_needs_the_account() -> None:
    account = Account(region="cn-north-1", partition="aws-cn")
    path = "arn:aws-cn:s3:::logs/*"
    account.add_bucket("logs", policy={"Statement": [statement(Resource=path)]})
    arn = account.add_load_balancer("web")

    with refused("InvalidConfigurationRequest"):
        enable(account, arn)
    put_policy(account, statement(Resource=path, Principal={"AWS": "638102146993"}))
    enable(account, arn)


def test_a_public_statement_cuts_off_the_account_but_not_the_service(
    account: Account, arn: str
) -> None:
    public = statement(Principal="*", Action="s3:GetObject")
    restricted = {"RestrictPublicBuckets": True}
    legacy = statement(Principal={"AWS": "127311923021"})
    account.add_bucket("logs", block=restricted, policy={"Statement": [public, legacy]})

    with refused("InvalidConfigurationRequest", DENIED):
        enable(account, arn)
    put_policy(account, public, statement())
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


def test_switching_off_needs_no_grant_and_keeps_the_location(account: Account) -> None:
    arn = account.add_load_balancer("web", bucket="gone", prefix="p")

    modify(account, arn, **{"access_logs.s3.enabled": "false"})

    found = attributes(account, arn)
    assert found["access_logs.s3.enabled"] == "false"
    assert (found["access_logs.s3.bucket"], found["access_logs.s3.prefix"]) == ("gone", "p")


def test_a_missing_load_balancer_fails_the_whole_call(account: Account, arn: str) -> None:
    gone = account.add_load_balancer("gone")
    del account.world.load_balancers[gone]

    with refused("LoadBalancerNotFound", "One or more load balancers not found"):
        account.elbv2.describe_load_balancers(LoadBalancerArns=[arn, gone])
    with refused("ValidationError"):
        account.elbv2.describe_load_balancers(LoadBalancerArns=[arn] * 21)


def test_load_balancers_come_in_pages(account: Account) -> None:
    for number in range(5):
        account.add_load_balancer(f"lb{number}", "network" if number == 3 else "application")

    pages = account.elbv2.get_paginator("describe_load_balancers").paginate(
        PaginationConfig={"PageSize": 2}
    )

    names = [[each["LoadBalancerName"] for each in page["LoadBalancers"]] for page in pages]
    assert names == [["lb0", "lb1"], ["lb2", "lb3"], ["lb4"]]


@pytest.mark.parametrize(
    ("kind", "start", "name", "test_file"),
    [
        (
            "access",
            "access_logs",
            f"{ACCOUNT}_elasticloadbalancing_us-east-1_app.web.",
            "ELBAccessLogTestFile",
        ),
        ("connection", "connection_logs", f"conn_log_{ACCOUNT}_e", "ELBConnectionLogTestFile"),
        ("health check", "health_check_logs", "health_check_log_", "ELBHealthCheckLogTestFile"),
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

    keys = [each["Key"] for each in account.s3.list_objects_v2(Bucket="logs")["Contents"]]
    assert keys == [f"p/AWSLogs/{ACCOUNT}/{test_file}", key]
    day = f"p/AWSLogs/{ACCOUNT}/elasticloadbalancing/us-east-1/2027/01/15/"
    assert str(key).startswith(f"{day}{name}")
    others = {"access", "connection", "health check"} - {kind}
    assert [account.write_log(arn, kind=each) for each in others] == [None, None]
    account.s3.delete_bucket_policy(Bucket="logs")
    assert account.write_log(arn, kind=kind) is None  # the log is dropped silently


def test_a_load_balancer_on_an_outpost_is_delivered_by_another_service(account: Account) -> None:
    arn = account.add_load_balancer("edge", outpost="op-0123456789abcdef0")
    (found,) = account.elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    assert found["AvailabilityZones"][0]["OutpostId"] == "op-0123456789abcdef0"
    put_policy(account, statement())
    with refused("InvalidConfigurationRequest", DENIED):
        enable(account, arn)
    acl = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
    other = {"Service": "logdelivery.elb.amazonaws.com"}
    put_policy(account, statement(Principal=other, Condition=acl))
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
    assert found["elb"] == "app/web/0123456789abcdef"
    assert found["time"] == "2027-01-15T08:00:00.000000Z"
    assert found["client:port"] == "192.0.2.7:49152"
    assert found["elb_status_code"] == "404"
    assert found["request"] == "GET https://web.example.com:443/a?b=c HTTP/1.1"
