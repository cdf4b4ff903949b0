"""`status` of a load balancer: every check, with each of its verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from operating.account import ACCOUNT, ENDPOINT, REGION, STACK, VENDOR
from operating.looking import DELIVERY, LOGS, POLICY, Looking

from dt_logs_cfn.operate.account import reading
from dt_logs_cfn.operate.status.reads import log_objects
from dt_logs_handler.names import Stack, load_balancer_name
from dt_logs_handler.observe import read_load_balancer

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:dt-logs-analysis-1-{LOGS}"
SECOND = STACK.replace("/dt-logs/", "/second/")
STRAY = f"bucket {LOGS}", "marks without a stack"


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
    assert found[name, "payer"].verdict == "ok"


@pytest.mark.parametrize(
    ("right", "names"),
    [
        ("elasticloadbalancing:DescribeLoadBalancerAttributes", "logging"),
        ("s3:GetBucketPolicy", "delivery grant, read grant, explicit deny"),
        ("s3:GetBucketPolicy", "public access block, subscription"),
        ("s3:ListBucket", "log objects, other logs"),
        ("s3:GetEncryptionConfiguration", "encryption"),
        ("s3:GetBucketOwnershipControls", "ownership"),
        ("s3:GetBucketPublicAccessBlock", "public access block"),
        ("s3:GetBucketPolicyStatus", "public access block"),
        ("s3:GetBucketNotification", "notification"),
        ("s3:GetBucketRequestPayment", "payer"),
        ("sns:GetTopicAttributes", "topic"),
        ("sns:ListSubscriptionsByTopic", "subscription"),
    ],
)
def test_what_may_not_be_read_is_unknown_and_names_the_right(
    looking: Looking, right: str, names: str
) -> None:
    arn = looking.onboarded()
    looking.account.write_log(arn)
    found = looking.of(arn, denied=(right,))
    for name in names.split(", "):
        check = found[load_balancer_name(arn), name]
        assert check.verdict == "unknown"
        assert right.lower() in check.saw.lower()
        assert right.lower() in check.fix.lower()
    assert all(each.verdict != "finding" for each in found.values())


def test_a_bucket_of_another_account_is_unknown_throughout(looking: Looking) -> None:
    found = looking.of(looking.logging(owner="444455556666"))
    names = [name for (of, name), each in found.items() if each.verdict != "unknown"]
    assert names == ["logging", "vended logs"]


def test_logging_that_is_off_and_what_is_gone(looking: Looking) -> None:
    off, gone = (looking.account.add_load_balancer(name) for name in ("off", "gone"))
    del looking.account.world.load_balancers[gone]
    assert looking.told("logging", off) == ("finding", "access logs are off")
    assert looking.told("logging", gone) == ("finding", "the load balancer does not exist")
    astray = looking.account.add_load_balancer("astray", bucket=LOGS)
    assert looking.told("bucket", astray) == ("finding", f"bucket {LOGS} does not exist")


ELSEWHERE = {**DELIVERY, "Resource": f"arn:aws:s3:::{LOGS}/elsewhere/*"}
BY_ACCOUNT = {**DELIVERY, "Principal": {"AWS": "arn:aws:iam::127311923021:root"}}
CONDITIONAL = {**DELIVERY, "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}
FROM = {"Condition": {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}}


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        ([DELIVERY], "ok"),
        ([], "finding"),
        ([ELSEWHERE], "finding"),
        ([BY_ACCOUNT], "unknown"),
        ([CONDITIONAL], "unknown"),
        ([DELIVERY, denies("s3:PutObject", Principal=DELIVERY["Principal"])], "finding"),
        ([DELIVERY, denies("s3:PutObject", **FROM)], "unknown"),
    ],
)
def test_whether_elb_may_write_there(looking: Looking, statements: list[Any], verdict: str) -> None:
    policy = {"Version": "2012-10-17", "Statement": statements} if statements else None
    arn = looking.logging(policy=policy)
    assert looking.check("delivery grant", arn).verdict == verdict


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [(POLICY, "unknown"), ({**POLICY, "Statement": [BY_ACCOUNT]}, "finding"), (None, "finding")],
)
def test_nothing_written_is_a_finding_unless_elb_may(
    looking: Looking, policy: Any, verdict: str
) -> None:
    arn, nothing = looking.logging(policy=policy), "no log since yesterday"
    assert looking.told("log objects", arn) == (verdict, f"no test file, {nothing}")
    if policy is None:
        return
    key = f"AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"
    looking.account.s3.put_object(Bucket=LOGS, Key=key, Body=b"")
    assert looking.told("log objects", arn) == ("unknown", f"test file there, {nothing}")
    assert looking.account.write_log(arn)
    grant = looking.told("delivery grant", arn)
    if policy is not POLICY:  # only a stored log proves that ELB may write
        assert grant == ("ok", "Elastic Load Balancing writes there")


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
    arn = looking.logging()
    looking.account.write_log(arn)
    clock.sleep(hours * 3600)
    found = looking.check("log objects", arn)
    assert found.verdict == verdict
    assert found.saw.startswith(saw)


def test_another_load_balancers_logs_are_not_taken_for_its_own(looking: Looking) -> None:
    arn = looking.logging()
    other = looking.account.add_load_balancer("web-two", bucket=LOGS)
    looking.account.write_log(other)
    assert "no log since yesterday" in looking.check("log objects", arn).saw
    assert looking.check("log objects", other).verdict == "ok"


def test_a_bucket_with_many_logs_costs_few_calls(looking: Looking) -> None:
    arn, account = looking.logging(), looking.account
    for _ in range(1500):
        account.write_log(arn)
        account.clock.sleep(20)  # 1,500 logs in more than eight hours
    calls = []

    def count(service: str, operation: str, params: Any) -> None:
        calls.append(operation)

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
        (ACCOUNT, "ok", "your account owns the newest log"),
        ("127311923021", "finding", "another account owns the newest log, so Data Theorem cannot"),
        (None, "unknown", "no log since yesterday shows who owns the logs"),
    ],
)
def test_ownership_is_told_by_the_newest_log(
    looking: Looking, owner: str | None, verdict: str, saw: str
) -> None:
    arn = looking.logging(ownership="BucketOwnerPreferred")
    if owner is not None:
        looking.account.write_log(arn)
        looking.account.clock.sleep(300)
        newest = looking.account.write_log(arn)
        assert newest is not None
        versions = looking.account.world.buckets[LOGS].objects[newest]
        versions[-1] = replace(versions[-1], owner=owner)
        for right in ("s3:ListBucket", "s3:ListAllMyBuckets"):
            unread = looking.check("ownership", arn, denied=(right,))
            assert (unread.verdict, right in unread.saw) == ("unknown", True)
    found = looking.check("ownership", arn)
    assert found.verdict == verdict
    assert found.saw.startswith(f"BucketOwnerPreferred, and {saw}")


def test_what_shuts_out_logs_or_their_reader(looking: Looking) -> None:
    arn = looking.logging(kms=True, ownership="ObjectWriter")
    looking.account.s3.put_bucket_request_payment(
        Bucket=LOGS, RequestPaymentConfiguration={"Payer": "Requester"}
    )
    found = {name: each for (_, name), each in looking.of(arn).items()}
    for name, fix in (("encryption", "SSE-S3"), ("ownership", "BucketOwnerEnforced")):
        assert (found[name].verdict, fix in found[name].fix) == ("finding", True)
    saw = f"Requester Pays is on in bucket {LOGS}, so S3 refuses Data Theorem's requests"
    assert (found["payer"].verdict, found["payer"].saw) == ("finding", saw)
    # No stack has onboarded the load balancer.
    assert found["read grant"].verdict == "finding"
    assert found["notification"].saw == "nothing announces new logs"
    assert "subscription" not in found


def test_a_read_grant_that_somebody_widened(looking: Looking) -> None:
    arn = looking.onboarded()

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
    arn = looking.logging() if of_the_customer else account.add_load_balancer("web")
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
    assert found[load_balancer_name(arn), "read grant"].fix == again
    # A run restores ELB's grant only in a bucket that a run has made.
    assert (found[load_balancer_name(arn), "delivery grant"].fix == again) is not of_the_customer


def test_a_deny_that_replaced_the_policy_is_said_first(looking: Looking) -> None:
    account = looking.account
    arn = account.add_load_balancer("web")
    looking.create(arn)
    bucket = account.world.load_balancers[arn].attributes["access_logs.s3.bucket"]
    policy = {"Version": "2012-10-17", "Statement": [denies("s3:GetObject", bucket)]}
    account.s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    found = looking.of(stacks=("dt-logs",))

    first, *_ = (each for each in found.values() if each.verdict == "finding")
    assert first == found[load_balancer_name(arn), "explicit deny"]
    assert "NotYou" in first.saw


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
    arn = looking.onboarded()
    deny = denies("s3:GetObject", **({"Condition": condition} if condition else {}))
    looking.edit_policy(LOGS, lambda statements: statements.append(deny))
    found = looking.check("explicit deny", arn)
    assert found.verdict == verdict
    assert ("NotYou" in found.saw) is (verdict != "ok")


@pytest.mark.parametrize("by", ["bucket", "account", "nothing"])
def test_what_restricts_a_public_policy(looking: Looking, by: str) -> None:
    account = looking.account
    arn = looking.onboarded(block=None)
    public = denies("s3:GetObject", Sid="Web", Effect="Allow")
    looking.edit_policy(LOGS, lambda statements: statements.append(public))
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
    arn = looking.onboarded()
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
        assert looking.told("notification", arn) == ("finding", saw)


def announced_to_a_queue(looking: Looking, prefix: str) -> tuple[str, dict[str, Any]]:
    """Add a queue; return its ARN, and a customer's notifications that announce objects to it."""
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"
    looking.account.add_destination(queue)
    only = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
    entry = {"Id": "theirs", "QueueArn": queue, "Events": ["s3:ObjectCreated:*"], "Filter": only}
    return queue, {"QueueConfigurations": [entry], "EventBridgeConfiguration": {}}


def test_who_else_listens(looking: Looking) -> None:
    queue, theirs = announced_to_a_queue(looking, "img/")
    arn = looking.onboarded(notifications=theirs)
    assert looking.told("who else listens", arn) == ("ok", f"{queue}, EventBridge")
    assert looking.check("notification", arn).verdict == "ok"


def test_an_entry_in_the_way_is_named(looking: Looking) -> None:
    _, theirs = announced_to_a_queue(looking, "")
    found = looking.check("notification", looking.logging(notifications=theirs))
    assert found.verdict == "finding"
    assert "theirs" in found.saw


def allows(principal: Any, *actions: str) -> dict[str, Any]:
    """Return a policy statement for the customer's topic."""
    resource = f"arn:aws:sns:{REGION}:{ACCOUNT}:everything"
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": resource}


def shared(looking: Looking) -> tuple[str, str]:
    """Onboard a load balancer whose bucket announces all objects to the customer's topic."""
    own = "sns:Subscribe", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic"
    s3 = allows({"Service": "s3.amazonaws.com"}, "sns:Publish")
    root = allows({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, *own)
    policy = {"Version": "2012-10-17", "Statement": [s3, root]}
    topic = looking.account.add_topic("everything", policy)
    entry = {"Id": "all", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    return looking.onboarded(notifications={"TopicConfigurations": [entry]}), topic


def test_a_topic_of_the_customers_is_shared(looking: Looking) -> None:
    arn, topic = shared(looking)
    saw = f"your own topic {topic} gets all new objects"
    assert looking.told("notification", arn) == ("ok", saw)
    assert looking.check("subscription", arn).verdict == "ok"
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
    """`status` reports whether a run helps; a run never changes a filter of another form."""
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
    arn = looking.onboarded()
    looking.account.add_topic(TOPIC.rpartition(":")[2])  # with SNS's default policy
    verdict, saw = looking.told("topic", arn)
    assert (verdict, TOPIC in saw) == ("finding", True)
    looking.account.sns.delete_topic(TopicArn=TOPIC)
    assert looking.told("topic", arn) == ("finding", f"topic {TOPIC} does not exist")


def test_a_topic_that_gives_up_early_is_found(looking: Looking) -> None:
    arn = looking.onboarded()
    attributes = looking.account.world.topics[TOPIC].attributes
    policy = json.loads(attributes["DeliveryPolicy"])
    policy["http"]["defaultHealthyRetryPolicy"]["backoffFunction"] = "linear"  # this change is fine
    attributes["DeliveryPolicy"] = json.dumps(policy)
    assert looking.check("delivery retries", arn).verdict == "ok"
    policy["http"]["defaultHealthyRetryPolicy"]["numRetries"] = 3
    for few in ("", "{", "{}", json.dumps(policy)):
        attributes["DeliveryPolicy"] = few
        found = looking.check("delivery retries", arn)
        assert found.verdict == "finding"
        assert f"set-topic-attributes --topic-arn {TOPIC}" in found.fix


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
    denied = looking.check("outpost", edge, ("elasticloadbalancing:DescribeLoadBalancers",))
    assert denied.verdict == "unknown"


def test_a_subscription_that_is_pending_or_gone(looking: Looking) -> None:
    """A pending subscription waits until an hour after the last change; then it is a finding."""
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
    looking.account.world.subscriptions.clear()
    found = looking.check("subscription", arn)
    assert found.verdict == "finding"
    assert found.saw == "the endpoint of stack dt-logs is not subscribed"
    assert ENDPOINT not in found.fix


def test_a_subscription_that_its_owner_ended(looking: Looking) -> None:
    arn = looking.onboarded()
    looking.account.unsubscribe(ENDPOINT)
    saw = "the owner of the endpoint of stack dt-logs has ended its subscription"
    assert looking.told("subscription", arn) == ("finding", saw)


def test_marks_of_a_stack_that_is_not_there(looking: Looking) -> None:
    arn = looking.onboarded()
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    found = looking.of(arn)[STRAY]
    assert found.verdict == "finding"
    assert "statement DTLogsAnalysis1Read558d71137e72" in found.saw
    found = looking.of(new := looking.account.add_load_balancer("new"))  # it has no marks
    assert not [name for _, name in found if name == "marks without a stack"]
    looking.account.world.load_balancers[new].attributes |= {
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": LOGS,
        "access_logs.s3.prefix": "_/dt-logs-analysis/0123456789ab",
    }
    assert looking.of(new)[STRAY].verdict == "finding"
    looking.cloudformation.denied = ("ListStacks",)
    found = looking.of(arn)[STRAY]
    assert found.verdict == "unknown"
    assert "cloudformation:ListStacks" in found.fix


def test_what_another_stack_takes_over_is_no_stray(looking: Looking) -> None:
    """The bucket's stack is gone, but another uses the bucket, and needs its tag to delete it.

    While the first stack's statement exists, no other stack's Delete removes shared things.
    """
    arn = looking.account.add_load_balancer("web")
    looking.create(arn)
    looking.create(arn, name="second", stack=SECOND)
    (bucket,) = looking.account.world.buckets
    first = Stack(STACK, "aws", REGION, ACCOUNT).tag
    stray = f"bucket {bucket}", "marks without a stack"
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    found = looking.of(arn)[stray]
    assert found.verdict == "finding"
    assert found.saw.startswith("statement DTLogsAnalysis1Read")

    def unregister(statements: list[Any]) -> None:
        statements[:] = [each for each in statements if f"Read{first}" not in each["Sid"]]

    looking.edit_policy(bucket, unregister)
    found = looking.of(arn)[stray]
    assert found.verdict == "ok"
    assert found.saw == "stack second takes over what a deleted stack has set up"


def test_what_no_stack_takes_over_is_a_stray(looking: Looking) -> None:
    """Another stack uses the bucket, but not the prefix to which this load balancer logs."""
    looking.onboarded()
    prefix = "_/dt-logs-analysis/0123456789ab"
    other = looking.account.add_load_balancer("other", bucket=LOGS, prefix=prefix)
    found = looking.of(other)[STRAY]
    name = load_balancer_name(other)
    assert found.verdict == "finding"
    assert found.saw == (
        f"the prefix of {name} belongs to a stack that does not exist (tag 0123456789ab)"
    )


def test_statements_that_a_delete_disarmed_grant_nothing(looking: Looking) -> None:
    """Their stack is gone, and their principal is now the customer's own account."""
    arn = looking.onboarded()

    def disarm(statements: list[Any]) -> None:
        (ours,) = (each for each in statements if each.get("Sid", "").startswith("DTLogs"))
        ours["Principal"] = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}

    looking.edit_policy(LOGS, disarm)
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    found = looking.of(arn)
    grant, stray = found[load_balancer_name(arn), "read grant"], found[STRAY]
    assert (grant.verdict, grant.saw) == ("finding", "nothing lets Data Theorem read its logs")
    assert grant.fix.startswith("Onboard it")
    assert stray.verdict == "finding"
    assert stray.saw.startswith("statement DTLogsAnalysis1Read")
    assert ", which grants nothing, belongs to a stack that does not exist (tag " in stray.saw


def test_what_a_delete_has_left_is_told_by_the_buckets_tag(looking: Looking) -> None:
    arn, s3 = looking.account.add_load_balancer("web"), looking.account.s3
    looking.create(arn)
    (bucket,) = looking.account.world.buckets
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    tags.append({"Key": "dt-logs-analysis:left", "Value": "holds logs - topic t"})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    looking.cloudformation.stacks[0]["StackStatus"] = "DELETE_COMPLETE"
    found = looking.of(arn)[f"bucket {bucket}", "marks without a stack"]
    assert found.saw.endswith("; it left: holds logs - topic t")
