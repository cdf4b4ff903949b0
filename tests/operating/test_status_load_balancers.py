"""`status` of a load balancer: its checks and their verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, cast

import pytest
from operating.accounts import (
    AGAIN,
    DELIVERY,
    LOGS,
    RUN,
    TOPIC,
    Looking,
    carry_out,
    denies,
    shut,
)
from support.drifts import (
    add_statement,
    announce,
    announcements,
    edit_policy,
    encrypted_by_kms,
    owned_by_writers,
    set_logging,
)
from support.events import ACCOUNT, ENDPOINT, STACK, TAG, VENDOR
from support.looks import logging_of

from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.stacks.stack import made_from, parsed
from dt_logs_cfn.operate.status.seen import Check
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, Caller, Clock

Change = Callable[[Account], object]
ELB = DELIVERY["Principal"]
FROM = {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
NOTHING = "nothing announces new logs"
WRITES = "Elastic Load Balancing writes there"


def grant_now(**changed: Any) -> Change:
    """Return a change of the statement with which the stack lets the vendor read."""

    def change(policy: dict[str, Any]) -> None:
        (ours,) = (e for e in policy["Statement"] if e["Sid"].startswith("DTLogsAnalysis1Read"))
        ours.update(changed)

    return lambda account: edit_policy(account, LOGS, change)


def narrow(account: Account) -> None:
    (entry,) = announcements(account, LOGS)["TopicConfigurations"]
    entry["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "elsewhere/"}]}}
    announce(account, LOGS, {"TopicConfigurations": [entry]})


def requester_pays(account: Account) -> None:
    payer: Any = {"Payer": "Requester"}
    account.s3.put_bucket_request_payment(Bucket=LOGS, RequestPaymentConfiguration=payer)


def made_again(account: Account) -> None:
    """Create our topic with SNS's default policy."""
    account.add_topic(TOPIC.rpartition(":")[2])


def turn_off(account: Account) -> None:
    set_logging(account, next(iter(account.world.load_balancers)), enabled="false")


def deny(operator: str, key: str, value: Any) -> Change:
    """Return a change that denies everybody the logs under a condition."""
    statement = denies("s3:GetObject", Condition={operator: {key: value}})
    return lambda account: add_statement(account, LOGS, statement)


def unlisted(account: Account) -> None:
    """Make the policy deny everybody s3:ListBucket, which locks nobody out."""
    add_statement(account, LOGS, denies("s3:ListBucket", Resource=f"arn:aws:s3:::{LOGS}"))


def logged_once(account: Account) -> None:
    """Store a log, then delete the policy; an earlier log does not replace a grant."""
    assert account.write_log(next(iter(account.world.load_balancers)))
    account.s3.delete_bucket_policy(Bucket=LOGS)


def logs_alone(account: Account) -> None:
    """Let ELB write logs but no test file, which it writes only when logging is turned on."""
    folder = f"arn:aws:s3:::{LOGS}/AWSLogs/{ACCOUNT}/elasticloadbalancing/*"
    edit_policy(account, LOGS, lambda found: found["Statement"][0].update(Resource=folder))
    assert account.write_log(next(iter(account.world.load_balancers)))


def retry(text: str | None = None, **changed: Any) -> Change:
    """Return a change of our topic's whole delivery policy, or of its retries over https."""

    def change(account: Account) -> None:
        attributes = account.world.topics[TOPIC].attributes
        policy = json.loads(attributes["DeliveryPolicy"])
        policy["http"]["defaultHealthyRetryPolicy"] |= changed
        attributes["DeliveryPolicy"] = json.dumps(policy) if text is None else text

    return change


WIDENED = grant_now(Resource=f"arn:aws:s3:::{LOGS}/*")
DENIED, RETRIES, GRANT = "explicit deny", "delivery retries", "delivery grant"
FINE = "no statement denies Data Theorem's reads"
RETRIED = "failed announcements are retried for an hour"
FEW = "failed announcements are not retried for as long as SNS allows"
NOT_THERE = "the endpoint of stack dt-logs is not subscribed"
ENDED = "the owner of the endpoint of stack dt-logs has ended its subscription"
PAYS = f"Requester Pays is on in bucket {LOGS}, so S3 refuses Data Theorem's requests"
SET_RETRIES = f"aws sns set-topic-attributes --topic-arn {TOPIC} "
UNLISTED = f"not readable: the policy of arn:aws:s3:::{LOGS} denies you s3:ListBucket"
NOBODY = "no statement of the bucket's policy lets Elastic Load Balancing write there"
NEW = "no test file, newest log 0 min old"


@pytest.mark.parametrize(
    ("change", "name", "verdict", "saw", "fix"),
    [
        # A permission that the operator lacks; tests/rehearsal/test_denied.py denies every call.
        ("elasticloadbalancing:DescribeLoadBalancerAttributes", "logging", "unknown", "", ""),
        ("elasticloadbalancing:DescribeLoadBalancers", "outpost", "unknown", "", ""),
        ("s3:GetBucketNotification", "notification", "unknown", "", ""),
        ("s3:GetBucketPolicy", "read grant", "unknown", "", ""),
        ("sns:GetTopicAttributes", "topic", "unknown", "", ""),
        # What somebody changed after the onboarding.
        (Account.snapshot, "logging", "ok", f"access logs go to s3://{LOGS}/", ""),
        (turn_off, "logging", "finding", "access logs are off", AGAIN),
        (logged_once, GRANT, "finding", NOBODY, "Allow logdelivery.elasticloadbalancing.amazonaws"),
        (logged_once, "log objects", "ok", NEW, ""),
        (logs_alone, GRANT, "ok", WRITES, ""),
        (unlisted, "log objects", "unknown", UNLISTED, "Correct that policy"),
        (lambda a: encrypted_by_kms(a, LOGS), "encryption", "finding", "*aws:kms*", "SSE-S3"),
        (lambda a: owned_by_writers(a, LOGS), "ownership", "finding", "*", "BucketOwnerEnforced"),
        (requester_pays, "payer", "finding", PAYS, "Payer=BucketOwner"),
        (
            grant_now(Resource=f"arn:aws:s3:::{LOGS}/*"),
            "read grant",
            "finding",
            "*is not as the stack dt-logs wrote it",
            AGAIN,
        ),
        (deny("StringNotEquals", "aws:PrincipalOrgID", "o-1"), DENIED, "finding", "*NotYou*", ""),
        (deny("NotIpAddress", "aws:SourceIp", "192.0.2.0/24"), DENIED, "unknown", "*NotYou*", ""),
        # We do not know the ID of the role with which the vendor reads.
        (deny("StringNotLike", "aws:userId", ["A:*", ACCOUNT]), DENIED, "unknown", "*NotYou*", ""),
        (deny("Bool", "aws:SecureTransport", "false"), DENIED, "ok", FINE, ""),
        (deny("StringNotEquals", "aws:PrincipalAccount", VENDOR), DENIED, "ok", FINE, ""),
        (narrow, "notification", "finding", "the notification * was changed", AGAIN),
        (lambda a: announce(a, LOGS, {}), "notification", "finding", NOTHING, AGAIN),
        (made_again, "topic", "finding", f"*{TOPIC} was changed", "delete-topic"),
        (lambda a: a.world.topics.clear(), "topic", "finding", f"*{TOPIC} does not exist", AGAIN),
        (retry(backoffFunction="linear"), RETRIES, "ok", RETRIED, ""),
        (retry(numRetries=3), RETRIES, "finding", FEW, SET_RETRIES),
        *((retry(each), RETRIES, "finding", FEW, SET_RETRIES) for each in ("", "{", "{}")),
        (lambda a: a.unsubscribe(ENDPOINT), "subscription", "finding", ENDED, AGAIN),
        (lambda a: a.world.subscriptions.clear(), "subscription", "finding", NOT_THERE, AGAIN),
        (Account.snapshot, "subscription", "ok", "https://logs.example.com/… is subscribed", ""),
    ],
)
def test_each_check_of_an_onboarded_load_balancer(
    looking: Looking, change: str | Change, name: str, verdict: str, saw: str, fix: str
) -> None:
    arn = looking.onboarded()
    lacking = [change] if isinstance(change, str) else []
    if not isinstance(change, str):
        change(looking.account)
    stacks = [] if lacking else ["dt-logs"]
    found = looking.of(arn, stacks=stacks, denied=lacking)[load_balancer_name(arn), name]
    assert (found.verdict, fix in found.fix) == (verdict, True), found
    assert fnmatchcase(found.saw, f"*{lacking[0]}*" if lacking else saw)
    assert ENDPOINT not in found.saw + found.fix


def test_what_was_not_onboarded_or_is_gone(looking: Looking) -> None:
    off, gone = (looking.account.add_load_balancer(name) for name in ("off", "gone"))
    del looking.account.world.load_balancers[gone]
    check = looking.check("logging", off)
    assert (check.verdict, check.saw) == ("finding", "access logs are off")
    assert check.fix == (
        "Onboard it: `dt-logs-cfn plan --add-load-balancer ARN` shows the changes, and `deploy`"
        " with the same options makes them."
        " If a stack already has it, `dt-logs-cfn status` shows the command that runs the stack."
    )
    assert looking.told("logging", gone) == ("finding", "the load balancer does not exist")
    astray = looking.account.add_load_balancer("astray", bucket=LOGS)
    assert looking.told("bucket", astray) == ("finding", f"bucket {LOGS} does not exist")
    theirs = looking.of(looking.logging(owner="444455556666"))
    names = [name for (of, name), each in theirs.items() if each.verdict != "unknown"]
    assert names == ["logging", "vended logs"]


def test_a_load_balancer_on_an_outpost_is_found(looking: Looking) -> None:
    arn = looking.logging()
    edge = looking.account.add_load_balancer("edge", outpost="op-0123456789abcdef0")
    assert (load_balancer_name(arn), "outpost") not in looking.of(arn, edge)
    check = looking.check("outpost", edge)
    fix = "Take it out of LoadBalancerArns; if that is *, list the others there."
    assert (check.verdict, check.fix) == ("finding", fix)


ELSEWHERE = {**DELIVERY, "Resource": f"arn:aws:s3:::{LOGS}/elsewhere/*"}
BY_ACCOUNT = {**DELIVERY, "Principal": {"AWS": "arn:aws:iam::127311923021:root"}}
CONDITIONAL = {**DELIVERY, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}


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
    """If the statements do not decide, a stored log shows that ELB may write."""
    policy = {"Version": "2012-10-17", "Statement": statements} if statements else None
    arn, nothing = looking.logging(policy=policy), "no log since yesterday"
    assert looking.check(GRANT, arn).verdict == verdict
    objects = "unknown" if verdict == "ok" else "finding"
    assert looking.told("log objects", arn) == (objects, f"no test file, {nothing}")
    key = f"AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    looking.account.s3.put_object(Bucket=LOGS, Key=key, Body=b"")
    assert looking.told("log objects", arn) == ("unknown", f"test file there, {nothing}")
    written = looking.account.write_log(arn) is not None
    assert not (written and verdict == "finding")
    if written:
        assert looking.told(GRANT, arn) == ("ok", WRITES)


def test_both_fixes_of_one_statement_are_enough(looking: Looking) -> None:
    """All conditions must hold, so one that never holds for a caller exempts that caller."""
    arn, names = looking.onboarded(), (DENIED, GRANT)
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


def test_the_age_of_the_newest_log(looking: Looking) -> None:
    """Another load balancer's logs do not count, and many logs cost few calls."""
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
    for _ in range(1500):
        looking.account.write_log(arn)
        clock.sleep(20)  # 1,500 logs in more than eight hours
    looking.calls.clear()
    assert looking.told("log objects", arn) == ("ok", NEW)
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
    account.s3.delete_bucket_policy(Bucket=logging_of(account, arn)[1])

    found = looking.of(*([] if stacks else [arn]), stacks=stacks)

    first, *_ = (each for each in found.values() if each.verdict == "finding")
    again = AGAIN if stacks else "Run the stack again: update it with another RunToken."
    assert first.fix == found[load_balancer_name(arn), "read grant"].fix == again
    # A run restores ELB's grant only in a bucket that a run has made.
    assert (found[load_balancer_name(arn), GRANT].fix == again) is not of_the_customer


def test_a_policy_that_replaced_ours_is_said_first_and_its_fix_makes_all_well(
    looking: Looking,
) -> None:
    """A policy that denies everybody everything causes only one finding."""
    account = looking.account
    arn = account.add_load_balancer("web")
    stack, name = looking.create(arn), load_balancer_name(arn)
    bucket = logging_of(account, arn)[1]

    def found(policy: dict[str, Any]) -> dict[tuple[str, str], Check]:
        account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        return looking.of(stacks=["dt-logs"])

    def denied(**more: Any) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [denies("s3:GetObject", bucket, **more)]}

    first, *_ = (each for each in found(denied()).values() if each.verdict == "finding")
    assert (first.subject, first.name, VENDOR in first.fix) == (name, DENIED, True)
    assert f"NotYou of the policy of bucket {bucket} denies" in first.saw
    assert f"account {VENDOR}" in first.saw
    saw = "Data Theorem's account is unknown, as no statement in the policy names it"
    assert looking.told(DENIED, arn) == ("unknown", saw)  # the stack was not read
    excepted = {"StringNotEquals": {"aws:PrincipalAccount": VENDOR}}
    assert found(denied(Condition=excepted))[name, DENIED].saw == FINE

    out = found(shut(bucket))

    rights = "s3:GetBucketNotification, s3:GetBucketPolicy"
    locked = out.pop((name, "bucket policy"))
    assert locked.verdict == "finding"
    assert locked.saw == f"the policy of bucket {bucket} denies you {rights}"
    assert locked.fix == (
        "If it denies everybody, delete it as the account's root user:"
        f" `aws s3api delete-bucket-policy --bucket {bucket}`. Otherwise use credentials that it"
        f" allows. After a deletion, run the stack again: {RUN}."
    )
    assert [each for of, each in out if of == name] == ["logging", "other checks"]
    assert {each.verdict for each in out.values()} == {"ok", "unknown"}
    assert not any("lack" in each.saw for each in out.values())
    drift = f"not readable: the policy of arn:aws:s3:::{bucket} denies you s3:GetBucketNotification"
    assert out["stack dt-logs", "drift"].saw == drift
    root = account.client("s3", caller=Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"))
    root.delete_bucket_policy(Bucket=bucket)
    existing = made_from(cast(Any, looking.cloudformation), parsed(cast(Any, stack)))
    carry_out(asked.again(existing, account.clock()), account)
    assert "finding" not in {e.verdict for e in looking.of(stacks=["dt-logs"]).values()}


def test_what_restricts_a_public_policy(looking: Looking) -> None:
    account, name, arn = looking.account, "public access block", looking.onboarded(block=None)
    add_statement(account, LOGS, denies("s3:GetObject", Sid="Web", Effect="Allow"))
    block, right = {"RestrictPublicBuckets": True}, ("s3:GetAccountPublicAccessBlock",)

    def verdicts() -> list[str]:
        return [looking.check(name, arn, denied=each).verdict for each in ((), right)]

    assert verdicts() == ["ok", "unknown"]
    account.world.account_blocks[ACCOUNT] = block
    assert verdicts() == ["finding", "unknown"]
    del account.world.account_blocks[ACCOUNT]
    account.s3.put_public_access_block(Bucket=LOGS, PublicAccessBlockConfiguration=block)
    assert verdicts() == ["finding", "finding"]


def test_marks_of_a_stack_that_is_not_there(looking: Looking) -> None:
    """An interrupted Delete leaves statements whose principal is the customer's own account."""
    arn = looking.onboarded()
    # Another stack uses the bucket, but not the prefix to which this load balancer logs.
    prefix = "_/dt-logs-analysis/0123456789ab"
    other = looking.account.add_load_balancer("other", bucket=LOGS, prefix=prefix)
    gone = "belongs to a stack that does not exist (tag"
    told = f"the prefix of {load_balancer_name(other)} {gone} 0123456789ab)"
    assert looking.stray(other) == ("finding", told)
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    verdict, saw = looking.stray(arn)
    assert (verdict, saw.startswith(f"statement DTLogsAnalysis1Read{TAG}")) == ("finding", True)

    grant_now(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"})(looking.account)
    verdict, saw = looking.stray(arn)
    told = f", which does not grant anything, {gone} {TAG})"
    assert (verdict, saw.endswith(told)) == ("finding", True)
    grant = looking.check("read grant", arn)
    assert (grant.verdict, grant.saw) == ("finding", "nothing lets Data Theorem read its logs")
    assert grant.fix.startswith("Onboard it: `dt-logs-cfn plan --add-load-balancer ARN` shows")
    looking.cloudformation.denied = ("ListStacks",)
    assert looking.stray(arn) == ("unknown", "not readable: you lack cloudformation:ListStacks")


def test_what_another_stack_takes_over_is_no_stray(looking: Looking) -> None:
    """The bucket's stack is gone; another one uses the bucket, and needs its tag to delete it.

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
    verdict, saw = looking.stray(arn, bucket)
    assert (verdict, saw.startswith("statement DTLogsAnalysis1Read")) == ("finding", True)
    assert saw.endswith("; it left: holds logs - topic t")

    def unregister(statements: list[Any]) -> None:
        statements[:] = [each for each in statements if f"Read{TAG}" not in each["Sid"]]

    looking.edit_policy(bucket, unregister)
    told = "stack second takes over what a deleted stack has set up"
    assert looking.stray(arn, bucket) == ("ok", told)
