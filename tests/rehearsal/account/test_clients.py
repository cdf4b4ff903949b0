"""Clients: boto3's shapes, hooks, threads, and each caller's permissions."""

import json
from collections.abc import Mapping
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError, ReadTimeoutError
from rehearsal.account.helpers import (
    ACCOUNT,
    ELB,
    VENDOR,
    needs_new_boto3,
    policy,
    put_policy,
    refused,
    statement,
)

from dt_logs_rehearsal.account import Account

TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:t"


def test_unknown_and_missing_parameters_are_boto3s_own_error() -> None:
    s3: Any = Account().s3

    with pytest.raises(ParamValidationError, match="Unknown parameter"):
        s3.get_bucket_policy(Bucket="logs", Owner="x")
    with pytest.raises(ParamValidationError, match="Missing required parameter"):
        s3.put_bucket_policy(Bucket="logs")
    with pytest.raises(ParamValidationError, match="Invalid type"):
        s3.get_bucket_policy(Bucket=1)
    with pytest.raises(ParamValidationError, match="Invalid bucket name"):
        s3.get_bucket_policy(Bucket="")
    with pytest.raises(AttributeError):
        _ = s3.get_bucket_nothing


def test_what_is_not_emulated_fails_at_once() -> None:
    account = Account()
    account.add_bucket("logs")

    with pytest.raises(NotImplementedError, match="GetBucketCors"):
        account.s3.get_bucket_cors(Bucket="logs")
    with pytest.raises(NotImplementedError, match="Names"):
        account.elbv2.describe_load_balancers(Names=["web"])
    with pytest.raises(NotImplementedError, match="Tagging"):
        account.s3.put_object(Bucket="logs", Key="k", Tagging="a=b")


def test_hooks_run_and_may_fail_before_and_after_the_effect() -> None:
    account = Account()
    seen: list[tuple[object, ...]] = []

    def note(service: str, operation: str, params: Mapping[str, Any]) -> None:
        seen.append((service, operation, params["Bucket"], len(account.world.buckets)))

    def fail(service: str, operation: str, params: Mapping[str, Any]) -> None:
        raise ReadTimeoutError(endpoint_url="https://s3.example")

    account.client("s3", before=note, after=note).create_bucket(Bucket="logs")
    assert seen == [("s3", "CreateBucket", "logs", number) for number in (0, 1)]
    with pytest.raises(ReadTimeoutError):
        account.client("s3", before=fail).create_bucket(Bucket="before")
    with pytest.raises(ReadTimeoutError):
        account.client("s3", after=fail).create_bucket(Bucket="after")
    assert set(account.world.buckets) == {"logs", "after"}


def test_threads_may_call_at_once_and_from_hooks() -> None:
    account = Account()
    failures: list[BaseException] = []

    def nested(service: str, operation: str, params: Mapping[str, Any]) -> None:
        Thread(target=account.s3.list_buckets).run()

    def work(number: int) -> None:
        try:
            for step in range(20):
                client = account.client("s3", before=nested)
                client.create_bucket(Bucket=f"logs-{number}-{step}")
        except BaseException as error:
            failures.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(account.world.buckets) == 160


def allow(action: Any, resource: str = "*", condition: Any = None) -> dict[str, Any]:
    found = {"Effect": "Allow", "Action": action, "Resource": resource}
    return policy({**found, **({"Condition": condition} if condition else {})})


def test_a_denial_is_in_awss_words() -> None:
    account = Account()
    arn = account.add_load_balancer("web")
    account.add_bucket("logs")
    nobody = account.caller([])
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/handler/session is not authorized to perform:"
    because = "because no identity-based policy allows the"

    with refused(
        "AccessDenied",
        f'{who} s3:GetBucketPolicy on resource: "arn:aws:s3:::logs" {because} s3:GetBucketPolicy'
        " action",
        403,
    ):
        account.client("s3", caller=nobody).get_bucket_policy(Bucket="logs")
    with refused("AuthorizationError", f"{who} SNS:Subscribe on resource: {TOPIC} {because}", 403):
        account.client("sns", caller=nobody).subscribe(TopicArn=TOPIC, Protocol="https")
    describe = "elasticloadbalancing:DescribeLoadBalancers"
    with refused("AccessDenied", f"{who} {describe} {because} {describe} action", 403):
        account.client("elbv2", caller=nobody).describe_load_balancers(LoadBalancerArns=[arn])


def test_an_explicit_deny_says_so() -> None:
    account = Account()
    account.add_bucket("logs")
    deny = policy({"Effect": "Deny", "Action": "s3:*", "Resource": "*"})
    denied = account.caller([allow("*"), deny])

    with refused("AccessDenied", "with an explicit deny in an identity-based policy", 403):
        account.client("s3", caller=denied).get_bucket_tagging(Bucket="logs")
    put_policy(
        account, statement(path="", Effect="Deny", Principal="*", Action="s3:GetBucketTagging")
    )
    with refused("AccessDenied", "with an explicit deny in a resource-based policy", 403):
        account.s3.get_bucket_tagging(Bucket="logs")


def test_a_bucket_policy_may_let_in_what_the_identity_does_not() -> None:
    account = Account()
    account.add_bucket("logs")
    put_policy(account, statement(path="", Principal={"AWS": ACCOUNT}, Action="s3:GetBucketPolicy"))
    theirs = account.caller([], account=VENDOR)

    assert account.client("s3", caller=account.caller([])).get_bucket_policy(Bucket="logs")
    with refused("AccessDenied", "no identity-based policy", 403):
        account.client("s3", caller=theirs).get_bucket_policy(Bucket="logs")


def test_conditions_on_endpoint_owner_prefix_and_tags() -> None:
    account = Account()
    account.add_bucket("logs")
    account.add_bucket("theirs", owner=VENDOR, block=None)
    put_policy(account, statement(Principal=ELB))
    account.add_topic("t")
    owner = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    endpoint = {"StringEquals": {"sns:Endpoint": "https://a", "sns:Protocol": "https"}}
    prefix = {"StringLike": {"s3:prefix": "p/*"}}
    caller = account.caller(
        [
            allow("s3:GetBucketPolicy", condition=owner),
            allow("sns:Subscribe", TOPIC, endpoint),
            allow("s3:ListBucket", "arn:aws:s3:::logs", prefix),
        ]
    )
    s3 = account.client("s3", caller=caller)
    sns = account.client("sns", caller=caller)

    assert s3.get_bucket_policy(Bucket="logs")
    with refused("AccessDenied", status=403):
        s3.get_bucket_policy(Bucket="theirs")
    assert sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint="https://a")
    with refused("AuthorizationError", status=403):
        sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint="https://b")
    assert s3.list_objects_v2(Bucket="logs", Prefix="p/x")
    with refused("AccessDenied", status=403):
        s3.list_objects_v2(Bucket="logs")


@pytest.mark.parametrize(
    ("service", "method", "action", "code"),
    [
        ("sns", "list_subscriptions", "sns:ListSubscriptions", "AuthorizationError"),
        ("s3", "list_buckets", "s3:ListAllMyBuckets", "AccessDenied"),
        ("elbv2", "describe_load_balancers", "elasticloadbalancing:Describe*", "AccessDenied"),
    ],
)
def test_what_has_no_resource_level_needs_a_star(
    service: Any, method: str, action: str, code: str
) -> None:
    account = Account()
    narrow, wide = (
        account.client(service, caller=account.caller([allow(action, resource)]))
        for resource in ("arn:aws:*", "*")
    )
    with refused(code, status=403):
        getattr(narrow, method)()
    getattr(wide, method)()


@needs_new_boto3
def test_creating_with_tags_and_ownership_needs_more() -> None:
    account = Account()
    tags: Any = {"Tags": [{"Key": "a", "Value": "b"}]}
    only = account.client("s3", caller=account.caller([allow("s3:CreateBucket")]))

    with refused("AccessDenied", "s3:TagResource", 403):
        only.create_bucket(Bucket="logs", CreateBucketConfiguration=tags)
    with refused("AccessDenied", "s3:PutBucketOwnershipControls", 403):
        only.create_bucket(Bucket="logs", ObjectOwnership="ObjectWriter")
    only.create_bucket(Bucket="logs")
    topics = account.client("sns", caller=account.caller([allow("sns:CreateTopic")]))
    with refused("AuthorizationError", "SNS:TagResource", 403):
        topics.create_topic(Name="t", Tags=tags["Tags"])


def test_the_organisations_of_caller_and_owner_are_known() -> None:
    account = Account()
    account.world.organisations[ACCOUNT] = "o-a1b2c3d4e5"
    account.add_bucket("logs")
    condition = {"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    perimeter = statement(
        path="", Effect="Deny", Principal="*", Action="s3:GetBucket*", Condition=condition
    )
    reader = statement(path="", Principal={"AWS": VENDOR}, Action="s3:GetBucket*")
    put_policy(account, perimeter, reader)

    assert account.s3.get_bucket_policy(Bucket="logs")
    with refused("AccessDenied", "with an explicit deny in a resource-based policy", 403):
        account.client("s3", caller=account.caller(account=VENDOR)).get_bucket_policy(Bucket="logs")
    account.add_bucket("theirs", owner=VENDOR)
    owned = {"StringEquals": {"aws:ResourceOrgID": "o-a1b2c3d4e5"}}
    s3 = account.client("s3", caller=account.caller([allow("s3:*", condition=owned)]))
    assert s3.get_bucket_policy(Bucket="logs")
    with refused("AccessDenied", "no identity-based policy", 403):
        s3.get_bucket_policy(Bucket="theirs")


def test_a_service_control_policy_denies_roles_and_not_who_arranges() -> None:
    account = Account()
    account.add_bucket("logs")
    deny = {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "*"}
    account.world.control_policies = (json.dumps(policy(deny)),)
    role = account.client("s3", caller=account.caller([allow("*")]))

    with refused("AccessDenied", "with an explicit deny in a service control policy", 403):
        role.delete_bucket(Bucket="logs")
    assert role.get_bucket_encryption(Bucket="logs")
    account.s3.delete_bucket(Bucket="logs")
