"""What `status` says about a load balancer: every check with each of its verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from operating.account import ACCOUNT, ENDPOINT, REGION, STACK, VENDOR
from operating.looking import Looking

from dt_logs_cfn.operate.account import reading
from dt_logs_cfn.operate.status.reads import log_objects
from dt_logs_handler.names import Stack
from dt_logs_handler.observe import read_load_balancer
from dt_logs_rehearsal.account import Account

LOGS = "logs-of-web"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:dt-logs-analysis-1-{LOGS}"
DELIVERY: dict[str, Any] = {
    "Sid": "Delivery",
    "Effect": "Allow",
    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": f"arn:aws:s3:::{LOGS}/*",
}
POLICY = {"Version": "2012-10-17", "Statement": [DELIVERY]}
PRIVATE = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy"), True)


@pytest.fixture
def looking(account: Account) -> Looking:
    return Looking(account)


def logging(account: Account, **bucket: Any) -> str:
    """Add a load balancer that already logs to a bucket of the customer."""
    account.add_bucket(LOGS, **{"policy": POLICY, **bucket})
    return account.add_load_balancer("web", bucket=LOGS)


def onboarded(looking: Looking) -> str:
    """Onboard a load balancer that already logs."""
    arn = logging(looking.account)
    looking.create(arn)
    return arn


def subject(arn: str) -> str:
    return arn.partition(":loadbalancer/")[2]


def test_all_is_ok_where_logs_flow(looking: Looking) -> None:
    arn = onboarded(looking)
    looking.account.write_log(arn)
    found = looking.of(arn)
    assert {name: each.verdict for (_, name), each in found.items()} == {
        "logging": "ok",
        "delivery grant": "ok",
        "log objects": "ok",
        "encryption": "ok",
        "ownership": "ok",
        "read grant": "ok",
        "explicit deny": "ok",
        "public access block": "ok",
        "payer": "ok",
        "delivery retries": "ok",
        "notification": "ok",
        "who else listens": "ok",
        "other logs": "ok",
        "topic": "ok",
        "subscription": "ok",
        "announcements": "ok",
        "marks without a stack": "ok",
        "vended logs": "ok",
        "organisation's policies": "unknown",
    }
    assert found[subject(arn), "logging"].saw == f"access logs go to s3://{LOGS}/"
    assert found[subject(arn), "read grant"].saw == (
        f"account {VENDOR} may read its logs (stack dt-logs)"
    )
    assert found[subject(arn), "subscription"].saw == "https://logs.example.com/… is subscribed"


@pytest.mark.parametrize(
    ("right", "names"),
    [
        ("elasticloadbalancing:DescribeLoadBalancerAttributes", ("logging",)),
        (
            "s3:GetBucketPolicy",
            (
                "delivery grant",
                "read grant",
                "explicit deny",
                "public access block",
                "subscription",
            ),
        ),
        ("s3:ListBucket", ("log objects", "other logs")),
        ("s3:GetEncryptionConfiguration", ("encryption",)),
        ("s3:GetBucketOwnershipControls", ("ownership",)),
        ("s3:GetBucketPublicAccessBlock", ("public access block",)),
        ("s3:GetBucketPolicyStatus", ("public access block",)),
        ("s3:GetBucketNotification", ("notification",)),
        ("sns:GetTopicAttributes", ("topic",)),
        ("sns:ListSubscriptionsByTopic", ("subscription",)),
    ],
)
def test_what_may_not_be_read_is_unknown_and_names_the_right(
    looking: Looking, right: str, names: tuple[str, ...]
) -> None:
    arn = onboarded(looking)
    looking.account.write_log(arn)
    found = looking.of(arn, denied=(right,))
    for name in names:
        check = found[subject(arn), name]
        assert check.verdict == "unknown"
        assert right.lower() in check.saw.lower()
        assert right.lower() in check.fix.lower()
    others = [each for (_, name), each in found.items() if name not in names]
    assert all(each.verdict != "finding" for each in others)


def test_a_bucket_of_another_account_is_unknown_throughout(looking: Looking) -> None:
    arn = logging(looking.account, owner="444455556666")
    found = looking.of(arn)
    names = [name for (of, name), each in found.items() if each.verdict != "unknown"]
    assert names == ["logging", "vended logs"]


@pytest.mark.parametrize("there", [True, False])
def test_logging_that_is_off_and_a_load_balancer_that_is_gone(
    looking: Looking, there: bool
) -> None:
    arn = looking.account.add_load_balancer("web")
    if not there:
        del looking.account.world.load_balancers[arn]
    found = looking.check("logging", arn)
    assert found.verdict == "finding"
    assert found.saw == ("access logs are off" if there else "the load balancer does not exist")


def test_a_bucket_that_is_gone(looking: Looking) -> None:
    arn = looking.account.add_load_balancer("web", bucket=LOGS)
    found = looking.check("bucket", arn)
    assert (found.verdict, found.saw) == ("finding", f"bucket {LOGS} does not exist")


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ([DELIVERY], "ok"),
        ([], "finding"),
        ([{**DELIVERY, "Resource": f"arn:aws:s3:::{LOGS}/elsewhere/*"}], "finding"),
        ([{**DELIVERY, "Principal": {"AWS": "arn:aws:iam::127311923021:root"}}], "unknown"),
        (
            [{**DELIVERY, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}],
            "unknown",
        ),
        ([DELIVERY, {**DELIVERY, "Sid": "No", "Effect": "Deny"}], "finding"),
        (
            [
                DELIVERY,
                {
                    **DELIVERY,
                    "Effect": "Deny",
                    "Principal": "*",
                    "Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
                },
            ],
            "unknown",
        ),
    ],
)
def test_whether_elb_may_write_there(looking: Looking, statements: list[Any], verdict: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": statements} if statements else None
    arn = logging(looking.account, policy=policy)
    assert looking.check("delivery grant", arn).verdict == verdict


def test_what_elb_has_written_says_that_it_may(looking: Looking) -> None:
    by_account = {**DELIVERY, "Principal": {"AWS": "arn:aws:iam::127311923021:root"}}
    policy = {"Version": "2012-10-17", "Statement": [by_account]}
    arn = logging(looking.account, policy=policy)
    assert looking.account.write_log(arn)
    found = looking.check("delivery grant", arn)
    assert (found.verdict, found.saw) == ("ok", "Elastic Load Balancing writes there")


@pytest.mark.parametrize("may", [True, False])
def test_nothing_written_is_a_finding_unless_elb_surely_may(looking: Looking, may: bool) -> None:
    found = looking.check("log objects", logging(looking.account, policy=POLICY if may else None))
    assert found.saw == "no test file, no log since yesterday"
    assert found.verdict == ("unknown" if may else "finding")


def test_a_test_file_alone_says_too_little(looking: Looking) -> None:
    arn = logging(looking.account)
    key = f"AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    looking.account.s3.put_object(Bucket=LOGS, Key=key, Body=b"")
    found = looking.check("log objects", arn)
    assert (found.verdict, found.saw) == ("unknown", "test file there, no log since yesterday")


@pytest.mark.parametrize(
    ("hours", "verdict", "saw"),
    [
        (0.5, "ok", "no test file, newest log 30 min old"),
        (5, "unknown", "no test file, newest log 5 h old; whether there was traffic since is not"),
        (26, "unknown", "no test file, newest log 26 h old"),
        (72, "unknown", "no test file, no log since yesterday"),
    ],
)
def test_the_age_of_the_newest_log(looking: Looking, hours: float, verdict: str, saw: str) -> None:
    clock: Any = looking.account.clock
    clock.now = 1_800_000_000.0 - 1_800_000_000.0 % 86400 + 12 * 3600  # noon
    arn = logging(looking.account)
    looking.account.write_log(arn)
    clock.sleep(hours * 3600)
    found = looking.check("log objects", arn)
    assert found.verdict == verdict
    assert found.saw.startswith(saw)


def test_another_load_balancers_logs_are_not_taken_for_its_own(looking: Looking) -> None:
    arn = logging(looking.account)
    other = looking.account.add_load_balancer("web-two", bucket=LOGS)
    looking.account.write_log(other)
    assert "no log since yesterday" in looking.check("log objects", arn).saw
    assert looking.check("log objects", other).verdict == "ok"


def test_a_bucket_with_many_logs_costs_few_calls(looking: Looking) -> None:
    arn = logging(looking.account)
    for _ in range(1500):
        looking.account.write_log(arn)
        looking.account.clock.sleep(20)  # 1,500 logs in more than eight hours
    calls = []

    def count(service: str, operation: str, params: Any) -> None:
        calls.append(operation)

    account = looking.account
    clients = account.elbv2, account.client("s3", before=count), account.sns
    through = reading(clients, [], account.clock)
    found = read_load_balancer(through, arn)
    assert found is not None
    marks = Stack(STACK, "aws", REGION, ACCOUNT)
    assert log_objects(through, found, marks, account.clock()).newest == account.clock() - 20
    assert calls == ["ListObjectsV2"] * 2


@pytest.mark.parametrize(
    ("owner", "verdict", "saw"),
    [
        ("", "ok", "BucketOwnerPreferred, and your account owns the newest log"),
        (
            "127311923021",
            "finding",
            "BucketOwnerPreferred, and another account owns the newest log,"
            " so Data Theorem cannot read it",
        ),
        (
            None,
            "unknown",
            "BucketOwnerPreferred, and no log since yesterday shows who owns the logs",
        ),
    ],
)
def test_ownership_is_told_by_the_newest_log(
    looking: Looking, owner: str | None, verdict: str, saw: str
) -> None:
    arn = logging(looking.account, ownership="BucketOwnerPreferred")
    if owner is not None:
        looking.account.write_log(arn)
        looking.account.clock.sleep(300)
        newest = looking.account.write_log(arn)
        assert newest is not None
        versions = looking.account.world.buckets[LOGS].objects[newest]
        versions[-1] = replace(versions[-1], owner=owner or ACCOUNT)
    found = looking.check("ownership", arn)
    assert (found.verdict, found.saw) == (verdict, saw)


@pytest.mark.parametrize("right", ["s3:ListBucket", "s3:ListAllMyBuckets"])
def test_owner_that_may_not_be_read_is_unknown(looking: Looking, right: str) -> None:
    arn = logging(looking.account, ownership="BucketOwnerPreferred")
    looking.account.write_log(arn)
    found = looking.check("ownership", arn, denied=(right,))
    assert (found.verdict, right in found.saw) == ("unknown", True)


def test_encryption_and_ownership_that_shut_logs_out(looking: Looking) -> None:
    arn = logging(looking.account, kms=True, ownership="ObjectWriter")
    found = looking.of(arn)
    assert found[subject(arn), "encryption"].verdict == "finding"
    assert "SSE-S3" in found[subject(arn), "encryption"].fix
    assert found[subject(arn), "ownership"].verdict == "finding"
    assert "BucketOwnerEnforced" in found[subject(arn), "ownership"].fix


def test_what_nobody_onboarded(looking: Looking) -> None:
    found = looking.of(arn := logging(looking.account))
    assert found[subject(arn), "read grant"].verdict == "finding"
    assert found[subject(arn), "notification"].saw == "nothing announces new logs"
    assert (subject(arn), "subscription") not in found


def test_a_read_grant_that_somebody_widened(looking: Looking) -> None:
    arn = onboarded(looking)

    def widen(statements: list[Any]) -> None:
        (ours,) = (each for each in statements if each["Sid"].startswith("DTLogsAnalysis1Read"))
        ours["Resource"] = f"arn:aws:s3:::{LOGS}/*"

    looking.edit_policy(LOGS, widen)
    found = looking.check("read grant", arn)
    assert found.verdict == "finding"
    assert "is not as the stack dt-logs wrote it" in found.saw


@pytest.mark.parametrize("of_the_customer", [True, False])
@pytest.mark.parametrize("stacks", [("dt-logs",), ()])
def test_what_restores_an_overwritten_policy_is_said_first(
    looking: Looking, of_the_customer: bool, stacks: tuple[str, ...]
) -> None:
    account = looking.account
    arn = logging(account) if of_the_customer else account.add_load_balancer("web")
    looking.create(arn)
    bucket = account.world.load_balancers[arn].attributes["access_logs.s3.bucket"]
    account.s3.delete_bucket_policy(Bucket=bucket)

    found = looking.of(*([] if stacks else [arn]), stacks=stacks)

    wrong = [each for each in found.values() if each.verdict == "finding"]
    again = (
        "Run the stack again: `dt-logs-cfn deploy --stack dt-logs --parameter RunToken=1`."
        if stacks
        else "Run the stack again: update it with another RunToken."
    )
    assert wrong[0].fix == again
    assert found[subject(arn), "read grant"].fix == again
    # A run restores ELB's grant only in a bucket where a run has made it.
    assert (found[subject(arn), "delivery grant"].fix == again) is not of_the_customer


def test_a_deny_that_replaced_the_policy_is_said_first(looking: Looking) -> None:
    account = looking.account
    arn = account.add_load_balancer("web")
    looking.create(arn)
    bucket = account.world.load_balancers[arn].attributes["access_logs.s3.bucket"]
    deny = {"Sid": "NoReads", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    policy = {
        "Version": "2012-10-17",
        "Statement": [{**deny, "Resource": f"arn:aws:s3:::{bucket}/*"}],
    }
    account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    found = looking.of(stacks=("dt-logs",))

    first, *_ = (each for each in found.values() if each.verdict == "finding")
    assert first == found[subject(arn), "explicit deny"]
    assert "NoReads" in first.saw


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        (None, "finding"),
        ({"Bool": {"aws:SecureTransport": "false"}}, "ok"),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, "finding"),
        ({"StringNotEquals": {"aws:PrincipalAccount": VENDOR}}, "ok"),
        ({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, "unknown"),
        # We do not know the ID of the role with which the vendor reads.
        ({"StringNotLike": {"aws:userId": ["AROAEXAMPLEID0000001:*", ACCOUNT]}}, "unknown"),
    ],
)
def test_a_statement_that_denies_the_vendor(looking: Looking, condition: Any, verdict: str) -> None:
    arn = onboarded(looking)
    deny = {
        "Sid": "NotYou",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{LOGS}/*",
        **({"Condition": condition} if condition else {}),
    }
    looking.edit_policy(LOGS, lambda statements: statements.append(deny))
    found = looking.check("explicit deny", arn)
    assert found.verdict == verdict
    assert ("NotYou" in found.saw) is (verdict != "ok")


PUBLIC = {
    "Sid": "Web",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": f"arn:aws:s3:::{LOGS}/public/*",
}


@pytest.mark.parametrize("by", ["bucket", "account", "nothing"])
def test_what_restricts_a_public_policy(looking: Looking, by: str) -> None:
    account = looking.account
    arn = logging(account, block=None)
    looking.create(arn)
    looking.edit_policy(LOGS, lambda statements: statements.append(PUBLIC))
    block = {"RestrictPublicBuckets": True}
    if by == "bucket":
        account.s3.put_public_access_block(Bucket=LOGS, PublicAccessBlockConfiguration=block)
    elif by == "account":
        account.world.account_blocks[ACCOUNT] = block
    found = looking.check("public access block", arn)
    assert found.verdict == ("ok" if by == "nothing" else "finding")
    right = "s3:GetAccountPublicAccessBlock"
    unread = looking.check("public access block", arn, denied=(right,))
    assert unread.verdict == ("finding" if by == "bucket" else "unknown")


def test_a_notification_that_somebody_took_away_or_changed(looking: Looking) -> None:
    arn = onboarded(looking)
    s3 = looking.account.s3
    (entry,) = s3.get_bucket_notification_configuration(Bucket=LOGS)["TopicConfigurations"]
    changed: Any = {**entry, "Events": ["s3:ObjectCreated:Put"]}
    changed["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "elsewhere/"}]}}
    for configuration, saw in (
        ({"TopicConfigurations": [changed]}, f"the notification {entry['Id']} was changed"),
        ({}, "nothing announces new logs"),
    ):
        s3.put_bucket_notification_configuration(
            Bucket=LOGS, NotificationConfiguration=configuration
        )
        found = looking.check("notification", arn)
        assert (found.verdict, found.saw) == ("finding", saw)


def test_who_else_listens(looking: Looking) -> None:
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"
    looking.account.add_destination(queue)
    entry = {
        "Id": "theirs",
        "QueueArn": queue,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "img/"}]}},
    }
    arn = logging(
        looking.account,
        notifications={"QueueConfigurations": [entry], "EventBridgeConfiguration": {}},
    )
    looking.create(arn)
    found = looking.of(arn)
    assert found[subject(arn), "who else listens"].saw == f"{queue}, EventBridge"
    assert found[subject(arn), "notification"].verdict == "ok"


def test_an_entry_in_the_way_is_named(looking: Looking) -> None:
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"
    looking.account.add_destination(queue)
    entry = {"Id": "all-of-it", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}
    arn = logging(looking.account, notifications={"QueueConfigurations": [entry]})
    found = looking.check("notification", arn)
    assert found.verdict == "finding"
    assert "all-of-it" in found.saw


def shared(looking: Looking) -> tuple[str, str]:
    """Onboard a load balancer whose bucket announces all objects to the customer's topic."""
    topic = looking.account.add_topic("everything", EVERY_BUCKET)
    entry = {"Id": "all", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    arn = logging(looking.account, notifications={"TopicConfigurations": [entry]})
    looking.create(arn)
    return arn, topic


EVERY_BUCKET = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": f"arn:aws:sns:{REGION}:{ACCOUNT}:everything",
        },
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": ["sns:Subscribe", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"],
            "Resource": f"arn:aws:sns:{REGION}:{ACCOUNT}:everything",
        },
    ],
}


def test_a_topic_of_the_customers_is_shared(looking: Looking) -> None:
    arn, topic = shared(looking)
    found = looking.of(arn)
    saw = f"your own topic {topic} gets all new objects"
    assert found[subject(arn), "notification"].saw == saw
    assert found[subject(arn), "subscription"].verdict == "ok"
    denied = looking.check("subscription", arn, denied=("sns:GetSubscriptionAttributes",))
    assert denied.verdict == "unknown"


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
def test_a_subscription_of_the_endpoint_that_is_not_the_stacks(
    looking: Looking, filter_policy: dict[str, Any] | None, saw: str, fix: str | None
) -> None:
    """Status says whether a run helps: a run never changes a filter in another form."""
    arn, topic = shared(looking)
    sns = looking.account.sns
    (found,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])
    policy = json.dumps({"Records": {"s3": filter_policy}})
    attributes = {"FilterPolicy": policy, "FilterPolicyScope": "MessageBody"}
    own = sns.subscribe(
        TopicArn=topic,
        Protocol=found["Protocol"],
        Endpoint=found["Endpoint"],
        Attributes=attributes if filter_policy else {},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    looking.account.world.subscriptions[own].confirmed = True

    check = looking.check("subscription", arn)

    assert (check.verdict, saw in check.saw) == ("finding", True)
    if fix is None:
        assert check.fix == "Run the stack again: update it with another RunToken."
        return
    assert check.fix.startswith(f"A run does not change that. {fix}")
    assert check.fix.endswith(", then run the stack again.")
    assert own in check.fix or fix != "End it"


def test_a_topic_whose_policy_was_changed_or_that_is_gone(looking: Looking) -> None:
    arn = onboarded(looking)
    looking.account.add_topic(TOPIC.rpartition(":")[2])  # with SNS's default policy
    found = looking.check("topic", arn)
    assert (found.verdict, TOPIC in found.saw) == ("finding", True)
    looking.account.sns.delete_topic(TopicArn=TOPIC)
    found = looking.check("topic", arn)
    assert (found.verdict, found.saw) == ("finding", f"topic {TOPIC} does not exist")


@pytest.mark.parametrize(
    "policy", ["", "{", "{}", '{"http":{"defaultHealthyRetryPolicy":{"numRetries":3}}}']
)
def test_topic_that_gives_up_early_is_found(looking: Looking, policy: str) -> None:
    arn = onboarded(looking)
    looking.account.world.topics[TOPIC].attributes["DeliveryPolicy"] = policy
    found = looking.check("delivery retries", arn)
    assert found.verdict == "finding"
    assert f"set-topic-attributes --topic-arn {TOPIC}" in found.fix


def test_delivery_policy_with_further_settings_is_fine(looking: Looking) -> None:
    arn = onboarded(looking)
    attributes = looking.account.world.topics[TOPIC].attributes
    policy = json.loads(attributes["DeliveryPolicy"])
    policy["http"]["defaultHealthyRetryPolicy"]["backoffFunction"] = "linear"
    attributes["DeliveryPolicy"] = json.dumps(policy)
    assert looking.check("delivery retries", arn).verdict == "ok"


def test_requester_pays_is_found(looking: Looking) -> None:
    arn = onboarded(looking)
    assert looking.check("payer", arn).verdict == "ok"
    assert looking.check("payer", arn, ("s3:GetBucketRequestPayment",)).verdict == "unknown"
    looking.account.s3.put_bucket_request_payment(
        Bucket=LOGS, RequestPaymentConfiguration={"Payer": "Requester"}
    )
    found = looking.check("payer", arn)
    assert (found.verdict, found.saw) == (
        "finding",
        f"Requester Pays is on in bucket {LOGS}, so S3 refuses Data Theorem's requests",
    )


def test_load_balancer_on_an_outpost_is_found(looking: Looking) -> None:
    arn = logging(looking.account)
    edge = looking.account.add_load_balancer("edge", outpost="op-0123456789abcdef0")
    found = looking.of(arn, edge)
    assert (arn.partition(":loadbalancer/")[2], "outpost") not in found
    on_outpost = found[edge.partition(":loadbalancer/")[2], "outpost"]
    assert (on_outpost.verdict, on_outpost.fix) == (
        "finding",
        "Take it out of LoadBalancerArns; if that is *, list the others there.",
    )
    denied = looking.check("outpost", edge, ("elasticloadbalancing:DescribeLoadBalancers",))
    assert denied.verdict == "unknown"


def test_a_subscription_that_its_owner_ended(looking: Looking) -> None:
    arn = onboarded(looking)
    looking.account.unsubscribe(ENDPOINT)
    found = looking.check("subscription", arn)
    assert (found.verdict, found.saw) == (
        "finding",
        "the owner of the endpoint of stack dt-logs has ended its subscription",
    )


def test_a_subscription_that_is_pending_or_gone(looking: Looking) -> None:
    arn = onboarded(looking)
    (subscription,) = looking.account.world.subscriptions.values()
    subscription.confirmed = False
    found = looking.check("subscription", arn)
    assert (found.verdict, found.saw) == (
        "finding",
        "https://logs.example.com/… awaits confirmation",
    )
    stack = looking.cloudformation.stacks[0]
    for name, age, verdict in (
        ("CreationTime", 3599, "waiting"),
        ("CreationTime", 3601, "finding"),
        ("LastUpdatedTime", 10, "waiting"),
        ("LastUpdatedTime", 3601, "finding"),
    ):
        at = looking.account.clock() - age
        stack[name] = datetime.fromtimestamp(at, timezone.utc)
        found = looking.of(arn, stacks=("dt-logs",))[subject(arn), "subscription"]
        assert (found.verdict, found.saw) == (
            verdict,
            "https://logs.example.com/… awaits confirmation",
        )
    looking.account.world.subscriptions.clear()
    found = looking.check("subscription", arn)
    assert (found.verdict, found.saw) == (
        "finding",
        "the endpoint of stack dt-logs is not subscribed",
    )
    assert ENDPOINT not in found.fix


def test_marks_of_a_stack_that_is_not_there(looking: Looking) -> None:
    arn = onboarded(looking)
    looking.cloudformation.stacks.clear()
    looking.cloudformation.stacks.append(
        {"StackName": "dt-logs", "StackId": STACK, "StackStatus": "DELETE_COMPLETE"}
    )
    found = looking.of(arn)[f"bucket {LOGS}", "marks without a stack"]
    assert found.verdict == "finding"
    assert "statement DTLogsAnalysis1Read558d71137e72" in found.saw
    found = looking.of(new := looking.account.add_load_balancer("new"))  # it has no marks
    assert not [name for _, name in found if name == "marks without a stack"]
    looking.account.world.load_balancers[new].attributes |= {
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": LOGS,
        "access_logs.s3.prefix": "_/dt-logs-analysis/0123456789ab",
    }
    assert looking.of(new)[f"bucket {LOGS}", "marks without a stack"].verdict == "finding"
    looking.cloudformation.denied = ("ListStacks",)
    found = looking.of(arn)[f"bucket {LOGS}", "marks without a stack"]
    assert found.verdict == "unknown"
    assert "cloudformation:ListStacks" in found.fix


def test_what_another_stack_takes_over_is_no_stray(looking: Looking) -> None:
    """The bucket's stack is gone, but another uses it and needs the tag for its own removal."""
    arn = looking.account.add_load_balancer("web")
    looking.create(arn)
    looking.create(arn, name="second", stack=STACK.replace("/dt-logs/", "/second/"))
    (bucket,) = looking.account.world.buckets
    first = Stack(STACK, "aws", REGION, ACCOUNT).tag

    def unregister(statements: list[Any]) -> None:
        statements[:] = [each for each in statements if f"Read{first}" not in each["Sid"]]

    looking.edit_policy(bucket, unregister)
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    found = looking.of(arn)[f"bucket {bucket}", "marks without a stack"]
    assert (found.verdict, found.saw) == (
        "ok",
        "stack second takes over what a deleted stack has set up",
    )


def test_what_no_stack_takes_over_is_a_stray(looking: Looking) -> None:
    """Another stack uses the bucket, but not the prefix to which this load balancer logs."""
    onboarded(looking)
    prefix = "_/dt-logs-analysis/0123456789ab"
    other = looking.account.add_load_balancer("other", bucket=LOGS, prefix=prefix)
    found = looking.of(other)[f"bucket {LOGS}", "marks without a stack"]
    assert (found.verdict, found.saw) == (
        "finding",
        f"the prefix of {subject(other)} belongs to a stack that does not exist (tag 0123456789ab)",
    )


def test_a_gone_stack_s_statement_is_a_stray_beside_those_of_others(looking: Looking) -> None:
    """As long as the statement exists, no other stack's deletion removes what they shared."""
    arn = looking.account.add_load_balancer("web")
    looking.create(arn)
    looking.create(arn, name="second", stack=STACK.replace("/dt-logs/", "/second/"))
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    (bucket,) = looking.account.world.buckets
    found = looking.of(arn)[f"bucket {bucket}", "marks without a stack"]
    assert found.verdict == "finding"
    assert found.saw.startswith("statement DTLogsAnalysis1Read")


def test_statements_that_a_delete_disarmed_grant_nothing(looking: Looking) -> None:
    """Their stack is gone, and they now name the customer's own account as principal."""
    arn = onboarded(looking)

    def disarm(statements: list[Any]) -> None:
        (ours,) = (each for each in statements if each.get("Sid", "").startswith("DTLogs"))
        ours["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}

    looking.edit_policy(LOGS, disarm)
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    found = looking.of(arn)
    grant = found[subject(arn), "read grant"]
    assert (grant.verdict, grant.saw) == ("finding", "nothing lets Data Theorem read its logs")
    assert grant.fix.startswith("Onboard it")
    stray = found[f"bucket {LOGS}", "marks without a stack"]
    assert stray.verdict == "finding"
    assert stray.saw.startswith("statement DTLogsAnalysis1Read")
    assert ", which grants nothing, belongs to a stack that does not exist (tag " in stray.saw


def test_what_a_delete_has_left_is_told_by_the_buckets_tag(looking: Looking) -> None:
    arn = looking.account.add_load_balancer("web")
    looking.create(arn)
    (bucket,) = looking.account.world.buckets
    tags = looking.account.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    tags.append({"Key": "dt-logs-analysis:left", "Value": "holds logs - topic t"})
    looking.account.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    found = looking.of(arn)[f"bucket {bucket}", "marks without a stack"]
    assert found.saw.endswith("; it left: holds logs - topic t")
