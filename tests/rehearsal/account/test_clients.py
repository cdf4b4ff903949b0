"""The account's clients: boto3's shapes, hooks, threads, and each caller's permissions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from threading import Thread
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError, ReadTimeoutError
from rehearsal.account.helpers import (
    ACCOUNT,
    ELB,
    TOPIC,
    VENDOR,
    needs_new_boto3,
    put_policy,
    refused,
    statement,
)
from support.drifts import document

from dt_logs_rehearsal.account import Account, Caller

ORGANISATION = "o-a1b2c3d4e5"
Statement = dict[str, Any]


def test_unknown_and_missing_parameters_are_boto3s_own_error(account: Account) -> None:
    s3: Any = account.s3
    for call, params, text in (
        (s3.get_bucket_policy, {"Bucket": "logs", "Owner": "x"}, "Unknown parameter"),
        (s3.put_bucket_policy, {"Bucket": "logs"}, "Missing required parameter"),
        (s3.get_bucket_policy, {"Bucket": 1}, "Invalid type"),
        (s3.get_bucket_policy, {"Bucket": ""}, "Invalid bucket name"),
    ):
        with pytest.raises(ParamValidationError, match=text):
            call(**params)
    with pytest.raises(AttributeError):
        _ = s3.get_bucket_nothing


def test_what_is_not_emulated_fails_at_once(account: Account) -> None:
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


def allow(action: Any, resource: str = "*", condition: Any = None) -> Statement:
    found = {"Effect": "Allow", "Action": action, "Resource": resource}
    return document({**found, **({"Condition": condition} if condition else {})})


def deny(action: str) -> Statement:
    return document({"Effect": "Deny", "Action": action, "Resource": "*"})


def of_bucket(principal: object, effect: str = "Allow", **elements: object) -> Statement:
    """Return a statement about reading the policy of the bucket `logs`."""
    about = {"Principal": principal, "Action": "s3:GetBucketPolicy", "Effect": effect}
    return statement(path="", **about, **elements)


def test_a_denial_is_in_awss_words(account: Account) -> None:
    arn = account.add_load_balancer("web")
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


ALL, LET_IN = allow("*"), of_bucket({"AWS": ACCOUNT})
OTHERS = {"StringNotEquals": {"aws:PrincipalOrgID": ORGANISATION}}
PERIMETER = [of_bucket("*", "Deny", Condition=OTHERS), of_bucket({"AWS": VENDOR})]
OWNED = allow("s3:*", condition={"StringEquals": {"aws:ResourceOrgID": ORGANISATION}})
DENIES, LACKS = "with an explicit deny in", "because no identity-based policy"
# The caller's account and policies (None for an administrator), the bucket's statements, and the
# reason for the denial.
DECISIONS: dict[str, tuple[str, Any, list[Statement], str]] = {
    "own Deny": (ACCOUNT, [ALL, deny("s3:*")], [LET_IN], f"{DENIES} an identity-based policy"),
    "its Deny": (ACCOUNT, None, [of_bucket("*", "Deny")], f"{DENIES} a resource-based policy"),
    "its Allow": (ACCOUNT, [], [LET_IN], ""),
    "its Allow for another": (VENDOR, [], PERIMETER[1:], LACKS),
    "a member": (ACCOUNT, None, PERIMETER, ""),
    "a stranger": (VENDOR, None, PERIMETER, f"{DENIES} a resource-based policy"),
    "a member's bucket": (ACCOUNT, [OWNED], PERIMETER, ""),
}


@pytest.mark.parametrize(("owner", "own", "bucket", "why"), DECISIONS.values(), ids=DECISIONS)
def test_who_may_read_a_bucket_s_policy(
    account: Account, owner: str, own: Any, bucket: list[Statement], why: str
) -> None:
    account.world.organisations[ACCOUNT] = ORGANISATION
    put_policy(account, *bucket)
    s3 = account.client("s3", caller=account.caller(own, account=owner))
    with refused("AccessDenied", why, 403) if why else nullcontext():
        assert s3.get_bucket_policy(Bucket="logs")


def test_a_bucket_policy_never_keeps_its_account_s_root_from_repairing_it(account: Account) -> None:
    everything = ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*"]
    shut = statement(Effect="Deny", Principal="*", Action="s3:*", Resource=everything)
    put_policy(account, shut)
    root = account.client("s3", caller=Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"))
    for call in (
        account.s3.get_bucket_policy,
        account.s3.delete_bucket_policy,
        root.get_bucket_encryption,
    ):
        with refused("AccessDenied", f"{DENIES} a resource-based policy", 403):
            call(Bucket="logs")

    found = root.get_bucket_policy(Bucket="logs")["Policy"]
    root.put_bucket_policy(Bucket="logs", Policy=found)
    root.delete_bucket_policy(Bucket="logs")

    assert account.s3.get_bucket_encryption(Bucket="logs")


def test_a_service_control_policy_denies_roles_and_not_who_arranges(account: Account) -> None:
    account.world.control_policies = (json.dumps(deny("s3:DeleteBucket")),)
    role = account.client("s3", caller=account.caller([ALL]))

    with refused("AccessDenied", f"{DENIES} a service control policy", 403):
        role.delete_bucket(Bucket="logs")
    assert role.get_bucket_encryption(Bucket="logs")
    account.s3.delete_bucket(Bucket="logs")


def test_conditions_on_endpoint_owner_organisation_prefix_and_tags(account: Account) -> None:
    account.add_bucket("theirs", owner=VENDOR, block=None)
    put_policy(account, statement(Principal=ELB))
    owner = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    endpoint = {"StringEquals": {"sns:Endpoint": "https://a", "sns:Protocol": "https"}}
    prefix = {"StringLike": {"s3:prefix": "p/*"}}
    policies = [
        allow("s3:GetBucketPolicy", condition=owner),
        allow("sns:Subscribe", TOPIC, endpoint),
        allow("s3:ListBucket", "arn:aws:s3:::logs", prefix),
    ]
    s3, sns = (account.client(each, caller=account.caller(policies)) for each in ("s3", "sns"))

    assert s3.get_bucket_policy(Bucket="logs")
    with refused("AccessDenied", LACKS, 403):
        s3.get_bucket_policy(Bucket="theirs")
    assert sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint="https://a")
    with refused("AuthorizationError", status=403):
        sns.subscribe(TopicArn=TOPIC, Protocol="https", Endpoint="https://b")
    assert s3.list_objects_v2(Bucket="logs", Prefix="p/x")
    with refused("AccessDenied", status=403):
        s3.list_objects_v2(Bucket="logs")
    account.world.organisations[ACCOUNT] = ORGANISATION
    with refused("AccessDenied", LACKS, 403):
        account.client("s3", caller=account.caller([OWNED])).get_bucket_policy(Bucket="theirs")


@pytest.mark.parametrize(
    ("service", "method", "action", "code"),
    [
        ("sns", "list_subscriptions", "sns:ListSubscriptions", "AuthorizationError"),
        ("s3", "list_buckets", "s3:ListAllMyBuckets", "AccessDenied"),
        ("elbv2", "describe_load_balancers", "elasticloadbalancing:Describe*", "AccessDenied"),
    ],
)
def test_what_has_no_resource_level_needs_a_star(
    account: Account, service: Any, method: str, action: str, code: str
) -> None:
    narrow, wide = (
        account.client(service, caller=account.caller([allow(action, resource)]))
        for resource in ("arn:aws:*", "*")
    )
    with refused(code, status=403):
        getattr(narrow, method)()
    getattr(wide, method)()


@needs_new_boto3
def test_creating_with_tags_and_ownership_needs_more(account: Account) -> None:
    tags: Any = {"Tags": [{"Key": "a", "Value": "b"}]}
    only = account.client("s3", caller=account.caller([allow("s3:CreateBucket")]))

    with refused("AccessDenied", "s3:TagResource", 403):
        only.create_bucket(Bucket="new", CreateBucketConfiguration=tags)
    with refused("AccessDenied", "s3:PutBucketOwnershipControls", 403):
        only.create_bucket(Bucket="new", ObjectOwnership="ObjectWriter")
    only.create_bucket(Bucket="new")
    topics = account.client("sns", caller=account.caller([allow("sns:CreateTopic")]))
    with refused("AuthorizationError", "SNS:TagResource", 403):
        topics.create_topic(Name="new", Tags=tags["Tags"])
