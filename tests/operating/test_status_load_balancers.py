"""`status` of a load balancer: every check, with each of its verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from typing import Any, cast

import pytest
from operating.account import ACCOUNT, ENDPOINT, REGION, STACK, TAG, VENDOR, carry_out
from operating.looking import DELIVERY, LOGS, POLICY, Looking
from support.drifts import (
    add_statement,
    announce,
    announcements,
    edit_policy,
    encrypted_by_kms,
    owned_by_writers,
    set_logging,
)
from support.looks import logging_of

from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.stacks.stack import made_from, parsed
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, Caller, Clock

NAME = f"dt-logs-analysis-1-{LOGS}"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}"
NOTHING = "nothing announces new logs"
AGAIN = "Run the stack again: update it with another RunToken."
Change = Callable[[Account], object]


# A statement for a customer's topic.
MAY = ["sns:Publish", "sns:Subscribe", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"]
OPEN: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": MAY}
OPEN["Resource"] = f"arn:aws:sns:{REGION}:{ACCOUNT}:everything"


def denies(action: str, bucket: str = LOGS, **more: Any) -> dict[str, Any]:
    """Return a statement that denies everybody an action in a bucket."""
    denied = {"Sid": "NotYou", "Effect": "Deny", "Principal": "*", "Action": action}
    return {**denied, "Resource": f"arn:aws:s3:::{bucket}/*", **more}


def test_all_is_ok_where_logs_flow(looking: Looking) -> None:
    arn = looking.onboarded()
    looking.account.write_log(arn)
    found = looking.of(arn)
    verdicts = {name: each.verdict for (_, name), each in found.items()}
    assert verdicts.pop("organisation's policies") == "unknown"
    assert (len(verdicts), set(verdicts.values())) == (18, {"ok"})
    name = load_balancer_name(arn)
    assert found[name, "logging"].saw == f"access logs go to s3://{LOGS}/"
    assert found[name, "read grant"].saw == f"account {VENDOR} may read its logs (stack dt-logs)"
    assert found[name, "subscription"].saw == "https://logs.example.com/… is subscribed"


@pytest.mark.parametrize(
    ("right", "name"),
    [
        ("elasticloadbalancing:DescribeLoadBalancerAttributes", "logging"),
        ("elasticloadbalancing:DescribeLoadBalancers", "outpost"),
        ("s3:GetBucketNotification", "notification"),
        ("s3:GetBucketPolicy", "read grant"),
        ("sns:GetTopicAttributes", "topic"),
    ],
)
def test_what_may_not_be_read_is_unknown(looking: Looking, right: str, name: str) -> None:
    """`tests/rehearsal/test_denied.py` denies every call."""
    found = looking.check(name, looking.onboarded(), denied=(right,))
    assert (found.verdict, right in found.saw) == ("unknown", True)


def test_a_bucket_of_another_account_is_unknown_throughout(looking: Looking) -> None:
    found = looking.of(looking.logging(owner="444455556666"))
    names = [name for (of, name), each in found.items() if each.verdict != "unknown"]
    assert names == ["logging", "vended logs"]


def test_logging_that_is_off_and_what_is_gone(looking: Looking) -> None:
    off, gone = (looking.account.add_load_balancer(name) for name in ("off", "gone"))
    del looking.account.world.load_balancers[gone]
    assert looking.told("logging", off) == ("finding", "access logs are off")
    assert looking.check("logging", off).fix == (
        "Onboard it: `dt-logs-cfn plan --add-load-balancer ARN` shows the changes, and `deploy`"
        " with the same options makes them."
        " If a stack has it already, `dt-logs-cfn status` shows the command that runs it again."
    )
    assert looking.told("logging", gone) == ("finding", "the load balancer does not exist")
    astray = looking.account.add_load_balancer("astray", bucket=LOGS)
    assert looking.told("bucket", astray) == ("finding", f"bucket {LOGS} does not exist")


ELB = DELIVERY["Principal"]
ELSEWHERE = {**DELIVERY, "Resource": f"arn:aws:s3:::{LOGS}/elsewhere/*"}
BY_ACCOUNT = {**DELIVERY, "Principal": {"AWS": "arn:aws:iam::127311923021:root"}}
CONDITIONAL = {**DELIVERY, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}
FROM = {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ([DELIVERY], "ok"),
        ([], "finding"),
        ([ELSEWHERE], "finding"),
        ([BY_ACCOUNT], "unknown"),
        ([CONDITIONAL], "unknown"),
        ([DELIVERY, denies("s3:PutObject", Principal=ELB)], "finding"),
        ([DELIVERY, denies("s3:PutObject", Principal=ELB, Condition=FROM)], "unknown"),
    ],
)
def test_whether_elb_may_write_there(looking: Looking, statements: list[Any], verdict: str) -> None:
    """A stored log proves that ELB may write; without a log, the statements decide."""
    policy = {"Version": "2012-10-17", "Statement": statements} if statements else None
    arn, nothing = looking.logging(policy=policy), "no log since yesterday"
    assert looking.check("delivery grant", arn).verdict == verdict
    objects = "unknown" if verdict == "ok" else "finding"
    assert looking.told("log objects", arn) == (objects, f"no test file, {nothing}")
    key = f"AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    looking.account.s3.put_object(Bucket=LOGS, Key=key, Body=b"")
    assert looking.told("log objects", arn) == ("unknown", f"test file there, {nothing}")
    written = looking.account.write_log(arn) is not None
    assert not (written and verdict == "finding")
    if written:
        told = ("ok", "Elastic Load Balancing writes there")
        assert looking.told("delivery grant", arn) == told


def test_logging_that_somebody_turned_off_is_the_stack_s_to_mend(looking: Looking) -> None:
    arn = looking.onboarded()
    set_logging(looking.account, arn, enabled="false")
    command = "`dt-logs-cfn deploy --stack dt-logs --parameter RunToken=1`"
    found = looking.of(stacks=("dt-logs",))[load_balancer_name(arn), "logging"]
    assert (found.saw, found.fix) == ("access logs are off", f"Run the stack again: {command}.")


def test_both_fixes_of_one_statement_are_enough(looking: Looking) -> None:
    """All conditions must hold, so one that never holds for a caller exempts that caller."""
    arn, names = looking.onboarded(), ("explicit deny", "delivery grant")
    add_statement(looking.account, LOGS, denies("s3:*", Condition={}))
    fixes = [looking.check(name, arn).fix for name in names]
    read, write = (json.loads(fix[fix.index("{") : fix.rindex("}") + 1]) for fix in fixes)
    for condition, verdicts in (
        (read, ["ok", "unknown"]),
        (write, ["finding", "ok"]),
        (read | write, ["ok", "ok"]),
        (FROM | write, ["unknown", "ok"]),
    ):
        looking.edit_policy(LOGS, lambda found, to=condition: found[-1].update(Condition=to))
        assert [looking.check(name, arn).verdict for name in names] == verdicts


def test_earlier_logs_do_not_stand_for_a_statement(looking: Looking) -> None:
    arn = looking.logging()
    assert looking.account.write_log(arn)
    looking.account.s3.delete_bucket_policy(Bucket=LOGS)

    verdict, saw = looking.told("delivery grant", arn)

    nothing = "no statement of the bucket's policy lets Elastic Load Balancing write there"
    assert (verdict, saw) == ("finding", nothing)
    assert looking.check("log objects", arn).verdict == "ok"


def test_a_statement_for_the_logs_alone_is_enough_once_they_arrive(looking: Looking) -> None:
    """ELB writes the test file only when a load balancer's logging is turned on."""
    arn, folder = looking.logging(), f"arn:aws:s3:::{LOGS}/AWSLogs/{ACCOUNT}/elasticloadbalancing/*"
    looking.edit_policy(LOGS, lambda found: found[0].update(Resource=folder))
    assert looking.account.write_log(arn)
    told = ("ok", "Elastic Load Balancing writes there")
    assert looking.told("delivery grant", arn) == told


def test_the_age_of_the_newest_log(looking: Looking) -> None:
    """Another load balancer's logs do not count."""
    clock, arn = cast(Clock, looking.account.clock), looking.logging()
    noon = clock.now = 1_800_000_000.0 - 1_800_000_000.0 % 86400 + 12 * 3600
    looking.account.write_log(arn)
    other = looking.account.add_load_balancer("web-two", bucket=LOGS)
    for hours, verdict, saw in (
        (0.5, "ok", "newest log 30 min old"),
        (5, "unknown", "newest log 5 h old; it is unknown whether there was traffic since then"),
        (26, "unknown", "newest log 26 h old; it is unknown whether there was traffic since then"),
        (72, "unknown", "no log since yesterday"),
    ):
        clock.now = noon + hours * 3600
        looking.account.write_log(other)
        assert looking.told("log objects", arn) == (verdict, f"no test file, {saw}")
    found = {name: each for (_, name), each in looking.of(arn).items()}
    # No stack has onboarded the load balancer.
    assert found["read grant"].verdict == "finding"
    assert found["notification"].saw == NOTHING
    assert not {"subscription", "marks without a stack"} & found.keys()


def test_a_bucket_with_many_logs_costs_few_calls(looking: Looking) -> None:
    arn, account = looking.logging(), looking.account
    for _ in range(1500):
        account.write_log(arn)
        account.clock.sleep(20)  # 1,500 logs in more than eight hours
    saw = "no test file, newest log 0 min old"
    assert looking.told("log objects", arn) == ("ok", saw)
    assert looking.calls.count("ListObjectsV2") == 2 + 4  # two more kinds of logs, in two folders


def test_ownership_is_told_by_the_newest_log(looking: Looking) -> None:
    arn, setting = looking.logging(ownership="BucketOwnerPreferred"), "BucketOwnerPreferred, and "
    saw = f"{setting}no log since yesterday shows who owns the logs"
    assert looking.told("ownership", arn) == ("unknown", saw)
    looking.account.write_log(arn)
    looking.account.clock.sleep(300)
    newest = looking.account.write_log(arn)
    assert newest is not None
    versions = looking.account.world.buckets[LOGS].objects[newest]
    for owner, verdict, saw in (
        (ACCOUNT, "ok", "your account owns the newest log"),
        ("127311923021", "finding", "another account owns the newest log, so Data Theorem cannot"),
    ):
        versions[-1] = replace(versions[-1], owner=owner)
        found = looking.check("ownership", arn)
        assert (found.verdict, f"{setting}{saw}" in found.saw) == (verdict, True)
        for right in ("s3:ListBucket", "s3:ListAllMyBuckets"):
            unread = looking.check("ownership", arn, denied=(right,))
            assert (unread.verdict, right in unread.saw) == ("unknown", True)


@pytest.mark.parametrize("of_the_customer", [True, False])
@pytest.mark.parametrize("stacks", [("dt-logs",), ()])
def test_what_restores_an_overwritten_policy_is_said_first(
    looking: Looking, of_the_customer: bool, stacks: tuple[str, ...]
) -> None:
    account = looking.account
    arn = looking.logging() if of_the_customer else account.add_load_balancer("web")
    looking.create(arn)
    bucket = logging_of(account, arn)[1]
    account.s3.delete_bucket_policy(Bucket=bucket)

    found = looking.of(*([] if stacks else [arn]), stacks=stacks)

    first, *_ = (each for each in found.values() if each.verdict == "finding")
    command = "`dt-logs-cfn deploy --stack dt-logs --parameter RunToken=1`"
    again = f"Run the stack again: {command}." if stacks else AGAIN
    assert first.fix == again
    assert found[load_balancer_name(arn), "read grant"].fix == again
    # A run restores ELB's grant only in a bucket that a run has made.
    assert (found[load_balancer_name(arn), "delivery grant"].fix == again) is not of_the_customer


ANNOUNCED = ("notification", "topic", "delivery retries", "subscription", "announcements")


@pytest.mark.parametrize("own_topic", [True, False])
def test_a_deleted_policy_hides_no_announcements(looking: Looking, own_topic: bool) -> None:
    looking.account.add_topic("everything", {"Version": "2012-10-17", "Statement": [OPEN]})
    entry = {"Id": "all", "TopicArn": OPEN["Resource"], "Events": ["s3:ObjectCreated:*"]}
    shared = {} if own_topic else {"notifications": {"TopicConfigurations": [entry]}}
    arn = looking.onboarded(**shared)
    name, before = load_balancer_name(arn), looking.of(stacks=("dt-logs",))
    looking.account.s3.delete_bucket_policy(Bucket=LOGS)

    found = looking.of(stacks=("dt-logs",))

    expected = [
        each for each in ANNOUNCED if own_topic or each not in ("topic", "delivery retries")
    ]
    assert [each for each in ANNOUNCED if (name, each) in found] == expected
    assert all(found[name, each] == before[name, each] for each in expected)
    (subscription,) = looking.account.world.subscriptions.values()
    subscription.confirmed = False
    saw = "https://logs.example.com/… awaits confirmation"
    assert looking.of(stacks=("dt-logs",))[name, "subscription"].saw == saw
    if own_topic:  # the notification has our name, but the stack is not read
        saw = "the endpoint to subscribe is unknown, as the bucket policy names no stack"
        assert looking.told("subscription", arn) == ("unknown", saw)


def test_a_deny_that_replaced_the_policy_is_said_first(looking: Looking) -> None:
    account = looking.account
    arn = account.add_load_balancer("web")
    looking.create(arn)
    bucket = logging_of(account, arn)[1]
    policy = {"Version": "2012-10-17", "Statement": [denies("s3:GetObject", bucket)]}
    account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    found = looking.of(stacks=("dt-logs",))

    first, *_ = (each for each in found.values() if each.verdict == "finding")
    assert first == found[load_balancer_name(arn), "explicit deny"]
    assert f"NotYou of the policy of bucket {bucket} denies" in first.saw
    assert f"account {VENDOR}" in first.saw
    assert VENDOR in first.fix
    alone = looking.check("explicit deny", arn)  # the stack was not read
    assert alone.verdict == "unknown"
    assert alone.saw == "Data Theorem's account is unknown, as no statement here names it"

    excepted = {"StringNotEquals": {"aws:PrincipalAccount": VENDOR}}
    policy["Statement"] = [denies("s3:GetObject", bucket, Condition=excepted)]
    account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    found = looking.of(stacks=("dt-logs",))
    assert found[load_balancer_name(arn), "explicit deny"].saw == FINE


def test_a_policy_that_locks_everybody_out_is_one_finding(looking: Looking) -> None:
    arn, account = looking.onboarded(), looking.account
    both = [f"arn:aws:s3:::{LOGS}", f"arn:aws:s3:::{LOGS}/*"]
    add_statement(account, LOGS, denies("s3:*", Resource=both))

    found = looking.of(stacks=("dt-logs",))

    name = load_balancer_name(arn)
    locked = found.pop((name, "bucket policy"))
    assert locked.verdict == "finding"
    assert locked.saw == (
        f"the policy of bucket {LOGS} denies you s3:GetBucketNotification, s3:GetBucketPolicy"
    )
    assert locked.fix == (
        "If it denies everybody, delete it as the account's root user:"
        f" `aws s3api delete-bucket-policy --bucket {LOGS}`. Otherwise use credentials that it"
        " allows. After a deletion, run the stack again:"
        " `dt-logs-cfn deploy --stack dt-logs --parameter RunToken=1`."
    )
    assert [each for of, each in found if of == name] == ["logging", "other checks"]
    assert {each.verdict for each in found.values()} == {"ok", "unknown"}
    assert not any("lack" in each.saw for each in found.values())
    drift = f"not readable: the policy of arn:aws:s3:::{LOGS} denies you s3:GetBucketNotification"
    assert found["stack dt-logs", "drift"].saw == drift


def test_the_fix_of_a_lock_out_makes_all_well_again(looking: Looking) -> None:
    account = looking.account
    arn = account.add_load_balancer("web")
    stack = looking.create(arn)
    bucket = logging_of(account, arn)[1]
    shut = denies("s3:*", Resource=[f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"])
    policy = {"Version": "2012-10-17", "Statement": [shut]}
    account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    locked = [each.name for each in looking.of(arn).values() if each.verdict == "finding"]
    assert locked == ["bucket policy"]

    root = account.client("s3", caller=Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"))
    root.delete_bucket_policy(Bucket=bucket)
    existing = made_from(cast(Any, looking.cloudformation), parsed(cast(Any, stack)))
    carry_out(asked.again(existing, account.clock()), account)

    found = looking.of(stacks=("dt-logs",)).values()
    assert [each for each in found if each.verdict == "finding"] == []


def test_a_policy_that_denies_only_a_list_locks_nobody_out(looking: Looking) -> None:
    arn = looking.onboarded()
    deny = denies("s3:ListBucket", Resource=f"arn:aws:s3:::{LOGS}")
    add_statement(looking.account, LOGS, deny)
    denied = f"not readable: the policy of arn:aws:s3:::{LOGS} denies you s3:ListBucket"
    assert looking.told("log objects", arn) == ("unknown", denied)
    assert looking.check("read grant", arn).verdict == "ok"


@pytest.mark.parametrize("by", ["bucket", "account", "nothing"])
def test_what_restricts_a_public_policy(looking: Looking, by: str) -> None:
    account, name = looking.account, "public access block"
    arn = looking.onboarded(block=None)
    add_statement(account, LOGS, denies("s3:GetObject", Sid="Web", Effect="Allow"))
    block = {"RestrictPublicBuckets": True}
    if by == "bucket":
        account.s3.put_public_access_block(Bucket=LOGS, PublicAccessBlockConfiguration=block)
    elif by == "account":
        account.world.account_blocks[ACCOUNT] = block
    assert looking.check(name, arn).verdict == ("ok" if by == "nothing" else "finding")
    unread = looking.check(name, arn, denied=("s3:GetAccountPublicAccessBlock",))
    assert unread.verdict == ("finding" if by == "bucket" else "unknown")


@pytest.mark.parametrize("prefix", ["img/", ""])
def test_who_else_listens_and_whether_that_is_in_the_way(looking: Looking, prefix: str) -> None:
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"
    looking.account.add_destination(queue)
    only = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    entry = {"Id": "theirs", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"], "Filter": only}
    theirs = {"QueueConfigurations": [entry], "EventBridgeConfiguration": {}}
    arn = (looking.onboarded if prefix else looking.logging)(notifications=theirs)
    assert looking.told("who else listens", arn) == ("ok", f"{queue}, EventBridge")
    verdict, saw = looking.told("notification", arn)
    assert (verdict, "theirs" in saw) == (("ok", False) if prefix else ("finding", True))


OTHER_KEYS = {"key": [{"prefix": f"b/AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/"}]}


@pytest.mark.parametrize(
    ("filter_policy", "saw", "fix"),
    [
        (None, "the subscription of https://logs.example.com/… has no filter", "End it"),
        ({"bucket": {"name": ["other"]}}, "has a filter that is not the stack's", "End it"),
        (
            {"bucket": {"name": ["other"]}, "object": OTHER_KEYS},
            "excludes these logs",
            f"Send bucket {LOGS}'s objects to a topic of its own",
        ),
        ({"bucket": {"name": [LOGS]}, "object": OTHER_KEYS}, "excludes these logs", None),
    ],
)
def test_a_topic_of_the_customers_is_shared_by_a_filter(
    looking: Looking, filter_policy: dict[str, Any] | None, saw: str, fix: str | None
) -> None:
    """`status` reports whether a run helps; a run changes only filters of our form."""
    topic = OPEN["Resource"]
    looking.account.add_topic("everything", {"Version": "2012-10-17", "Statement": [OPEN]})
    entry = {"Id": "all", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    arn = looking.onboarded(notifications={"TopicConfigurations": [entry]})
    told = f"your own topic {topic} gets all new objects"
    assert looking.told("notification", arn) == ("ok", told)
    assert looking.check("subscription", arn).verdict == "ok"
    right = ("sns:GetSubscriptionAttributes",)
    assert looking.check("subscription", arn, denied=right).verdict == "unknown"
    (own,) = looking.account.world.subscriptions.values()
    own.attributes["FilterPolicy"] = json.dumps({"Records": {"s3": filter_policy}})
    if filter_policy is None:
        del own.attributes["FilterPolicy"]

    check = looking.check("subscription", arn)

    assert (check.verdict, saw in check.saw) == ("finding", True)
    if fix is None:
        assert check.fix == AGAIN
        return
    assert check.fix.startswith(f"A run does not change that. {fix}")
    assert check.fix.endswith(", then run the stack again.")
    assert own.arn in check.fix or fix != "End it"


def widen(account: Account) -> None:
    def change(policy: dict[str, Any]) -> None:
        (ours,) = (e for e in policy["Statement"] if e["Sid"].startswith("DTLogsAnalysis1Read"))
        ours["Resource"] = f"arn:aws:s3:::{LOGS}/*"

    edit_policy(account, LOGS, change)


def narrow(account: Account) -> None:
    (entry,) = announcements(account, LOGS)["TopicConfigurations"]
    entry["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "elsewhere/"}]}}
    announce(account, LOGS, {"TopicConfigurations": [entry]})


def requester_pays(account: Account) -> None:
    payer: Any = {"Payer": "Requester"}
    account.s3.put_bucket_request_payment(Bucket=LOGS, RequestPaymentConfiguration=payer)


def deny(operator: str, key: str, value: Any) -> Change:
    """Return a change that denies everybody the logs under a condition."""
    statement = denies("s3:GetObject", Condition={operator: {key: value}})
    return lambda account: add_statement(account, LOGS, statement)


def retry(text: str | None = None, **changed: Any) -> Change:
    """Return a change of our topic's whole delivery policy, or of its retries over https."""

    def change(account: Account) -> None:
        attributes = account.world.topics[TOPIC].attributes
        policy = json.loads(attributes["DeliveryPolicy"])
        policy["http"]["defaultHealthyRetryPolicy"] |= changed
        attributes["DeliveryPolicy"] = json.dumps(policy) if text is None else text

    return change


DENIED, RETRIES = "explicit deny", "delivery retries"
FINE = "no statement denies Data Theorem's reads"
MISSING = f"topic {TOPIC} does not exist"
RETRIED = "failed announcements are retried for an hour"
FEW = "failed announcements are not retried for as long as SNS can"
ENDED = "the owner of the endpoint of stack dt-logs has ended its subscription"
GONE = "the endpoint of stack dt-logs is not subscribed"
PAYS = f"Requester Pays is on in bucket {LOGS}, so S3 refuses Data Theorem's requests"
SET_RETRIES = f"aws sns set-topic-attributes --topic-arn {TOPIC} "


@pytest.mark.parametrize(
    ("change", "name", "verdict", "saw", "fix"),
    [
        (lambda a: encrypted_by_kms(a, LOGS), "encryption", "finding", "*aws:kms*", "SSE-S3"),
        (lambda a: owned_by_writers(a, LOGS), "ownership", "finding", "*", "BucketOwnerEnforced"),
        (requester_pays, "payer", "finding", PAYS, "Payer=BucketOwner"),
        (widen, "read grant", "finding", "*is not as the stack dt-logs wrote it", AGAIN),
        (deny("StringNotEquals", "aws:PrincipalOrgID", "o-1"), DENIED, "finding", "*NotYou*", ""),
        (deny("NotIpAddress", "aws:SourceIp", "192.0.2.0/24"), DENIED, "unknown", "*NotYou*", ""),
        # We do not know the ID of the role with which the vendor reads.
        (deny("StringNotLike", "aws:userId", ["A:*", ACCOUNT]), DENIED, "unknown", "*NotYou*", ""),
        (deny("Bool", "aws:SecureTransport", "false"), DENIED, "ok", FINE, ""),
        (deny("StringNotEquals", "aws:PrincipalAccount", VENDOR), DENIED, "ok", FINE, ""),
        (narrow, "notification", "finding", "the notification * was changed", AGAIN),
        (lambda a: announce(a, LOGS, {}), "notification", "finding", NOTHING, AGAIN),
        # The new topic has SNS's default policy.
        (lambda a: a.add_topic(NAME), "topic", "finding", f"*{TOPIC} was changed", "delete-topic"),
        (lambda a: a.world.topics.clear(), "topic", "finding", MISSING, AGAIN),
        (retry(backoffFunction="linear"), RETRIES, "ok", RETRIED, ""),
        (retry(numRetries=3), RETRIES, "finding", FEW, SET_RETRIES),
        *((retry(each), RETRIES, "finding", FEW, SET_RETRIES) for each in ("", "{", "{}")),
        (lambda a: a.unsubscribe(ENDPOINT), "subscription", "finding", ENDED, AGAIN),
        (lambda a: a.world.subscriptions.clear(), "subscription", "finding", GONE, AGAIN),
    ],
)
def test_what_was_changed_after_the_onboarding(
    looking: Looking, change: Change, name: str, verdict: str, saw: str, fix: str
) -> None:
    arn = looking.onboarded()
    change(looking.account)
    found = looking.check(name, arn)
    assert (found.verdict, fix in found.fix) == (verdict, True), found
    assert fnmatchcase(found.saw, saw)
    assert ENDPOINT not in found.saw + found.fix


def test_a_load_balancer_on_an_outpost_is_found(looking: Looking) -> None:
    arn = looking.logging()
    edge = looking.account.add_load_balancer("edge", outpost="op-0123456789abcdef0")
    found = looking.of(arn, edge)
    assert (load_balancer_name(arn), "outpost") not in found
    on_outpost = found[load_balancer_name(edge), "outpost"]
    assert (on_outpost.verdict, on_outpost.fix) == (
        "finding",
        "Take it out of LoadBalancerArns; if that is *, list the others there.",
    )


def test_a_subscription_that_is_pending(looking: Looking) -> None:
    """A pending subscription is `waiting` for an hour after the last change, then a finding."""
    arn = looking.onboarded()
    (subscription,) = looking.account.world.subscriptions.values()
    subscription.confirmed = False
    saw = "https://logs.example.com/… awaits confirmation"
    assert looking.told("subscription", arn) == ("finding", saw)
    stack = looking.cloudformation.stacks[0]
    for name, age, verdict in (
        ("CreationTime", 3599, "waiting"),
        ("CreationTime", 3601, "finding"),
        ("LastUpdatedTime", 10, "waiting"),
        ("LastUpdatedTime", 3601, "finding"),
    ):
        at = looking.account.clock() - age
        stack[name] = datetime.fromtimestamp(at, timezone.utc)
        found = looking.of(arn, stacks=("dt-logs",))[load_balancer_name(arn), "subscription"]
        assert (found.verdict, found.saw) == (verdict, saw)


def also(account: Account, arn: str, kind: str, prefix: str = "alb") -> None:
    """Let a load balancer store another kind of logs in the same bucket."""
    account.world.load_balancers[arn].attributes |= {
        f"{kind}.s3.enabled": "true",
        f"{kind}.s3.bucket": LOGS,
        f"{kind}.s3.prefix": prefix,
    }


def test_other_logs_in_the_same_place_are_announced(looking: Looking) -> None:
    account, announced = looking.account, " and are announced, too; Data Theorem cannot read them"
    account.add_bucket(LOGS, policy=POLICY)
    arn = account.add_load_balancer("web", bucket=LOGS, prefix="alb")
    other = account.add_load_balancer("other")  # its connection logs have the same location
    also(account, other, "connection_logs")
    also(account, arn, "health_check_logs")
    also(account, arn, "connection_logs", prefix="elsewhere")
    assert account.write_log(arn, kind="connection")
    none = ("ok", "none in the same place since yesterday")
    assert looking.told("other logs", arn) == none
    assert account.write_log(other, kind="connection")
    assert looking.told("other logs", arn) == ("ok", "connection logs land in the same place")
    looking.create(arn)
    for hours, kinds in ((0, "connection"), (24, "connection and health check")):
        account.clock.sleep(hours * 3600)
        assert not hours or account.write_log(arn, kind="health check")
        told = f"{kinds} logs land in the same place{announced}"
        assert looking.told("other logs", arn) == ("ok", told)
    account.clock.sleep(24 * 3600)
    told = f"health check logs land in the same place{announced}"
    assert looking.told("other logs", arn) == ("ok", told)
    denied = looking.check("other logs", arn, denied=("s3:ListBucket",))
    lack = f"not readable: you lack s3:ListBucket on arn:aws:s3:::{LOGS}"
    assert (denied.verdict, denied.saw) == ("unknown", lack)
    assert denied.fix == "Get the permission s3:ListBucket, and check again."


def stray(looking: Looking, arn: str, bucket: str = LOGS) -> tuple[str, str]:
    """Return the verdict and the observation about marks of deleted stacks."""
    found = looking.of(arn)[f"bucket {bucket}", "marks without a stack"]
    return found.verdict, found.saw


def test_statements_of_a_stack_that_is_not_there(looking: Looking) -> None:
    """An interrupted Delete leaves statements whose principal is the customer's own account."""
    arn = looking.onboarded()
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    verdict, saw = stray(looking, arn)
    assert (verdict, saw.startswith(f"statement DTLogsAnalysis1Read{TAG}")) == ("finding", True)

    def disarm(statements: list[Any]) -> None:
        (ours,) = (each for each in statements if each.get("Sid", "").startswith("DTLogs"))
        ours["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}

    looking.edit_policy(LOGS, disarm)
    verdict, saw = stray(looking, arn)
    told = f", which grants nothing, belongs to a stack that does not exist (tag {TAG})"
    assert (verdict, saw.endswith(told)) == ("finding", True)
    grant = looking.check("read grant", arn)
    assert (grant.verdict, grant.saw) == ("finding", "nothing lets Data Theorem read its logs")
    assert grant.fix.startswith("Onboard it: `dt-logs-cfn plan --add-load-balancer ARN` shows")
    looking.cloudformation.denied = ("ListStacks",)
    assert stray(looking, arn) == ("unknown", "not readable: you lack cloudformation:ListStacks")


def test_what_another_stack_takes_over_is_no_stray(looking: Looking) -> None:
    """The bucket's stack is gone, but another uses the bucket, and can delete it only by its tag.

    While the first stack's statement exists, other stacks' Deletes do not remove shared things.
    """
    arn, s3 = looking.account.add_load_balancer("web"), looking.account.s3
    looking.create(arn)
    looking.create(arn, name="second", stack=STACK.replace("/dt-logs/", "/second/"))
    (bucket,) = looking.account.world.buckets
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    tags.append({"Key": "dt-logs-analysis:left", "Value": "holds logs - topic t"})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    verdict, saw = stray(looking, arn, bucket)
    assert (verdict, saw.startswith("statement DTLogsAnalysis1Read")) == ("finding", True)
    assert saw.endswith("; it left: holds logs - topic t")

    def unregister(statements: list[Any]) -> None:
        statements[:] = [each for each in statements if f"Read{TAG}" not in each["Sid"]]

    looking.edit_policy(bucket, unregister)
    told = "stack second takes over what a deleted stack has set up"
    assert stray(looking, arn, bucket) == ("ok", told)


def test_what_no_stack_takes_over_is_a_stray(looking: Looking) -> None:
    """Another stack uses the bucket, but not the prefix to which this load balancer logs."""
    looking.onboarded()
    prefix = "_/dt-logs-analysis/0123456789ab"
    other = looking.account.add_load_balancer("other", bucket=LOGS, prefix=prefix)
    assert stray(looking, other) == (
        "finding",
        f"the prefix of {load_balancer_name(other)} belongs to a stack that does not exist"
        " (tag 0123456789ab)",
    )
