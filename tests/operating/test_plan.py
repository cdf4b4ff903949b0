"""`plan` shows what a run would do, in words, as a diff and as data, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace as Namespace
from typing import Any

import pytest
from hypothesis import given
from lifecycle.cloudformation import Stack as Sender
from lifecycle.scenarios import SCENARIOS, Scenario, clients_of
from operating.accounts import (
    ASKED,
    EVERYTHING,
    LOGS,
    RUN,
    TOPIC,
    Looking,
    Served,
    Stacks,
    carry_out,
    shut,
    template,
    values,
)
from support.drifts import encrypted_by_kms
from support.events import ACCOUNT, ENDPOINT, HERE, REGION, SECRET, STACK, VENDOR
from support.strategies import STEADY, configurations, policies

from dt_logs_cfn.commands.plan import data, told
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.diff import changes
from dt_logs_cfn.operate.plans.planned import Planned, Preview, planned
from dt_logs_cfn.operate.stacks.deployment import template_changes
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription
from dt_logs_cfn.operate.status.reads import VendedLogs, vended_logs
from dt_logs_handler import model, notifications
from dt_logs_handler.documents import Json, parsed, same_statement, statements
from dt_logs_handler.names import Location, load_balancer_name
from dt_logs_handler.register import PolicyEdit
from dt_logs_handler.request import Endpoint, Request, parse
from dt_logs_rehearsal.account import Account, Clock, LogDelivery

KMS = "Set its default encryption to SSE-S3 (AES256), or set another bucket."
STAYING = [each for each in SCENARIOS if "elete" not in each.name and "eave" not in each.name]


def plan(account: Account, request: Request) -> Planned:
    """Plan a request, and check that the account does not change."""
    before, clients = account.snapshot(), (account.elbv2, account.s3, account.sns)
    found = planned(request, clients, account.clock)
    assert account.snapshot() == before
    return found


def update(account: Account, before: list[str], after: list[str]) -> tuple[Request, Existing]:
    """Return the request that changes a stack's list of load balancers, and that stack."""
    given = values(*before)
    stack = StackDescription(STACK, "dt-logs", "CREATE_COMPLETE", "", given, {}, {})
    made = Existing(stack, template())
    return asked.update(template(), values(*after), made, account.clock()), made


def updated(account: Account, before: list[str], after: list[str]) -> tuple[Preview, list[str]]:
    """Return the plan of an update that runs the function, and the lines that show it."""
    request, made = update(account, before, after)
    preview = Preview(plan(account, request), None, made.stack, True)
    return preview, told(preview, "An update").splitlines()


def creation(account: Account, *arns: str, **changed: str) -> Request:
    return asked.creation(template(), values(*arns, **changed), STACK, account.clock())


def as_data(served: Served, *words: str) -> Any:
    return json.loads(served.run(*words, "--json").out)


@pytest.mark.parametrize("scenario", STAYING, ids=lambda each: each.name)
def test_the_plan_is_what_the_run_does(scenario: Scenario) -> None:
    """The accounts are like customers'. After the run, one check is unknown; all others are ok."""
    clock = Clock()
    account = Account(ACCOUNT, "eu-west-1", clock=clock)
    arns, stack = scenario.prepare(account), Sender(clock)
    given, old = scenario.after(arns), scenario.before(arns)
    assert given is not None
    if old:
        answer = stack.create(old, lambda: clients_of(account))
        assert answer["Status"] == "SUCCESS", answer["Reason"]
    request = parse(stack.event("Update" if old else "Create", given, old), account.clock())
    found = plan(account, request)
    assert found.plan is not None
    assert found.plan.changes
    assert all(each.diff for each in changes(found.plan, found.state, request.stack))

    taken, outcome = carry_out(request, account)

    assert tuple(taken[: len(found.plan.steps)]) == found.plan.steps
    assert outcome.placements == found.plan.placements
    again = plan(account, request).plan
    assert again is not None
    assert again.changes == ()
    for subscription in account.world.subscriptions.values():
        subscription.confirmed = True
    arns = [each.load_balancer for each in outcome.placements]
    assert all(map(account.write_log, arns))
    known = {"StackName": "s", "StackStatus": "CREATE_COMPLETE"}
    other = Sender(clock, seed=99)  # some scenarios already have this stack
    looking = Looking(account, Stacks([{**known, "StackId": each.id} for each in (stack, other)]))
    wrong = [each for each in looking.of(*arns).values() if each.verdict != "ok"]
    assert [each.name for each in wrong] == ["organisation's policies"], wrong


def test_a_new_load_balancer_is_told_as_a_diff(served: Served) -> None:
    """The changes to a load balancer are shown before those to buckets and topics."""
    web = served.account.add_load_balancer("web")
    words = ("plan", "--load-balancer", web, *ASKED)
    ran, found = served.run(*words), as_data(served, *words)
    assert (ran.code, ran.err) == (1, "")
    bucket, lines = f"dt-logs-analysis-<tag>-{ACCOUNT}-{REGION}-an", ran.out.splitlines()
    logging = [
        "~ access_logs.s3.enabled: false -> true",
        f"~ access_logs.s3.bucket: (none) -> {bucket}",
        "~ access_logs.s3.prefix: (none) -> dt-logs-analysis/<tag>",
    ]
    at = lines.index(f"load balancer {load_balancer_name(web)}")
    assert lines[at + 1 : at + 7] == [
        f"  Turn on access logs to s3://{bucket}/dt-logs-analysis/<tag>",
        f"  Let Data Theorem's account {VENDOR} read them",
        "  Announce new ones to its endpoint",
        *(f"  {each}" for each in logging),
    ]
    kinds = [line.split()[0] for line in lines[2:] if line and line[0] not in " <"]
    assert kinds[:4] == ["stack", "load", "bucket", "topic"]
    for line in (
        f"A new stack dt-logs-analysis in account {ACCOUNT}, region {REGION}. Nothing was changed.",
        f"bucket {bucket}",
        "  + the bucket itself, private and with SSE-S3 (the defaults of S3)",
        "  ~ days until logs expire: (none) -> 30",
        "  + subscription of https://logs.example.com/…",
        "13 changes.",
    ):
        assert line in lines
    first, *_ = (line for line in lines if line.startswith("  + policy "))
    assert first == "  + policy {"  # a document is printed on several lines
    assert "only if the boto3 of Lambda's runtime knows" in ran.out
    assert "Only a run shows whether the Lambda's role, a permissions boundary" in ran.out
    assert "\x1b" not in ran.out

    assert (found["works"], found["conflicts"], found["denied"]) == (True, [], [])
    shown = [line for each in found["changes"] for line in each["diff"]]
    statements = [json.loads(each[9:]) for each in shown if each.startswith("+ policy ")]
    assert [each["Effect"] for each in statements] == ["Allow", "Allow", "Deny"]
    assert statements[0]["Principal"] == {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    subject = f"load balancer {load_balancer_name(web)}"
    assert found["changes"][-1] == {"step": "SetLogging", "subject": subject, "diff": logging}
    assert found["log_locations"][0]["prefix"] == "dt-logs-analysis/<tag>"


def test_load_balancer_on_an_outpost_is_not_supported(served: Served) -> None:
    edge = served.account.add_load_balancer("edge", outpost="op-0123456789abcdef0")
    words = ("plan", "--load-balancer", edge, *ASKED)
    lines = served.run(*words).out.splitlines()
    title = "On an Outpost, which is not supported: take these out of LoadBalancerArns."
    assert lines[lines.index(title) + 1] == f"  {load_balancer_name(edge)}"
    assert as_data(served, *words)["on_outposts"] == [edge]
    at = lines.index(f"load balancer {load_balancer_name(edge)}")
    said = (
        "  It is on an Outpost, so AWS will probably refuse access logs to s3://dt-logs-analysis-"
    )
    assert lines[at + 1].startswith(said)
    assert not any("Turn on" in each or "Let Data Theorem" in each for each in lines)

    served.account.add_load_balancer("web")
    every = served.run("plan", "--load-balancer", "*", *ASKED).out.splitlines()
    title = "On an Outpost, which is not supported: instead of *, list the others."
    assert every[every.index(title) + 1] == f"  {load_balancer_name(edge)}"
    assert any(each.startswith("  Turn on access logs to ") for each in every)


def test_a_load_balancer_that_joins_a_grant_adds_its_pattern_alone(looking: Looking) -> None:
    account, one = looking.account, looking.logging()
    two = account.add_load_balancer("two", bucket=LOGS)
    carry_out(creation(account, one), account)
    account.clock.sleep(5)
    _, lines = updated(account, [one], [one, two])
    at = lines.index(f"load balancer {load_balancer_name(two)}")
    assert lines[at + 1 : at + 4] == [
        f"  Leave access logs on, to s3://{LOGS}/",
        f"  Let Data Theorem's account {VENDOR} read them",
        "  Announce new ones to its endpoint",
    ]
    assert load_balancer_name(one) not in "".join(lines)
    name = load_balancer_name(two).replace("/", ".")
    changed = [line for line in lines if line.startswith(("  +", "  -"))]
    assert [line.split("_app.")[0][:14] for line in changed] == ["  +   resource"]
    assert f"{ACCOUNT}_elasticloadbalancing_{REGION}_{name}_*" in changed[0]
    assert sum(line.startswith("  ~ policy statement DTLogsAnalysis1Read") for line in lines) == 1
    # Removing the load balancer from the list removes its pattern, and nothing else.
    carry_out(update(account, [one], [one, two])[0], account)
    account.clock.sleep(5)
    _, lines = updated(account, [one, two], [one])
    assert [line[:14] for line in lines if "   resource " in line] == ["  -   resource"]
    # The stack keeps a load balancer if its bucket has become unusable.
    encrypted_by_kms(account, LOGS)
    preview, lines = updated(account, [one], [one])
    (warning,) = data(preview)["warnings"]  # type: ignore[index]  # it is a dict
    assert preview.planned.works
    assert warning.startswith("app/web/") and "encrypts with aws:kms" in warning
    assert lines[lines.index("Unusable, and left as it is:") + 1] == f"  {warning}"


def test_every_conflict_is_told_before_anything_is_touched(served: Served) -> None:
    account = served.account
    account.add_bucket("with-kms", kms=True)
    one = account.add_load_balancer("one", bucket="with-kms")
    two = account.add_load_balancer("two", bucket="gone-logs")
    gone = account.add_load_balancer("gone")
    del account.world.load_balancers[gone]
    account.add_load_balancer("three")
    named = [word for arn in (one, two, gone) for word in ("--load-balancer", arn)]
    words = ("plan", *named, *ASKED)
    ran, found = served.run(*words), as_data(served, *words)
    assert (ran.code, ran.err) == (3, "")
    assert "It cannot work:" in ran.out
    assert "Bucket with-kms encrypts with aws:kms by default" in ran.out
    assert f"  fix: {KMS}" in ran.out
    assert "Bucket gone-logs, to which the load balancer logs, does not exist." in ran.out
    assert "three" not in ran.out
    conflicts = [each["load_balancers"] for each in found["conflicts"]]
    assert sorted(conflicts) == sorted([[one], [two], [gone]])
    assert (found["works"], found["changes"]) == (False, [])

    # With `*`, load balancers that cannot be onboarded are omitted.
    del account.world.load_balancers[two]
    ran = served.run("plan", "--load-balancer", "*", *ASKED)
    assert ran.code == 1
    assert "Left out:\n  app/one/" in ran.out
    assert "access_logs.s3.enabled: false -> true" in ran.out


def test_what_the_caller_may_not_read_is_told_apart_from_a_conflict(served: Served) -> None:
    served.account.add_bucket("logs-of-web")
    arn = served.account.add_load_balancer("web", bucket="logs-of-web")
    words = ("plan", "--load-balancer", arn, *ASKED)
    may = ["cloudformation:*", "elasticloadbalancing:*", "sns:*"]
    served.sign_in_as({"Effect": "Allow", "Action": may, "Resource": "*"})
    ran = served.run(*words)
    assert (ran.code, "It cannot work" in ran.out) == (3, False)
    assert "Unknown whether the stack would work, because you may not read everything:" in ran.out
    assert "You may not read these, so the plan may be wrong about them" in ran.out
    denied = "s3:GetBucketPolicy on arn:aws:s3:::logs-of-web"
    assert f"  {denied}\n" in ran.out
    assert denied in as_data(served, *words)["denied"]

    # If nothing can be planned, all missing permissions are named at once.
    may = ["s3:*", "cloudformation:DescribeStacks"]
    served.sign_in_as({"Effect": "Allow", "Action": may, "Resource": "*"})
    failure = served.run(*words, "--parameter", "LogBucketName=our-own-name-for-logs").refusal
    assert "elasticloadbalancing:DescribeLoadBalancerAttributes" in failure
    assert "sns:gettopicattributes" in failure.lower()
    assert "Get the permission" in failure
    served.sign_in_as({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    assert "AWS denies DescribeStacks" in served.run(*words).refusal


def test_a_bucket_policy_that_locks_everybody_out_is_told_as_by_status(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    bucket = served.create("dt-logs", arn).outputs["LogBuckets"]
    policy = json.dumps(shut(bucket))
    served.account.s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    served.sign_in_as(EVERYTHING)

    checks = json.loads(served.run("status", "--json").out)["checks"]
    (locked,) = (each for each in checks if each["verdict"] == "finding")
    assert locked["name"] == "bucket policy"
    assert locked["fix"].endswith(f" After a deletion, run the stack again: {RUN}.")
    for words, code in (((), 1), (("--parameter", "RunToken=1"), 3)):
        found = served.run("plan", "--stack", "dt-logs", *words)
        lines = found.out.splitlines()
        name = load_balancer_name(arn)
        assert f"  {name} stays as it is: {locked['saw']}. {locked['fix']}" in lines
        assert (found.code, "execution role" in found.out) == (code, False)
        assert lines[-1].startswith("This was read with your permissions.")

    # The fix for a new stack does not include another run.
    fix, _, _ = locked["fix"].partition(" After a deletion")
    found = served.run("plan", "--load-balancer", arn, *ASKED)
    at = found.out.splitlines().index(f"! {name}: {locked['saw']}.")
    assert (found.code, found.out.splitlines()[at + 1]) == (3, f"  fix: {fix}")
    assert f"  s3:GetBucketTagging on arn:aws:s3:::{bucket} (denied by its policy)\n" in found.out
    every = served.run("plan", "--load-balancer", "*", *ASKED)
    assert (every.code, f"{name}: {locked['saw']}. {fix}\n" in every.out) == (3, True)


def test_what_the_role_may_not_touch_or_does_not_fit_into_a_run_is_in_the_way(
    looking: Looking,
) -> None:
    account, arn = looking.account, looking.logging()
    other = creation(account, arn, ExistingLogBucketNames="logs-of-api")
    (conflict,) = plan(account, other).conflicts
    assert "ExistingLogBucketNames leaves it out" in conflict.what
    assert plan(account, creation(account, arn, ExistingLogBucketNames=LOGS)).works
    with pytest.raises(OperatingError, match="has no resource InvokeLambdaFunction"):
        asked.properties({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}, {})
    for number in range(2176):
        account.add_load_balancer(f"web-{number}")
    (conflict,) = plan(account, creation(account, "*")).conflicts
    assert conflict.what.startswith(
        "2176 load balancers to turn on are too many for one run: 2175 fit into its time"
    )


def test_load_balancers_that_leave_are_named_first(served: Served) -> None:
    ours = served.account.add_load_balancer("ours")
    served.account.add_bucket("own-logs")
    theirs = served.account.add_load_balancer("theirs", bucket="own-logs")
    stays = served.account.add_load_balancer("stays")
    served.create("dt-logs-analysis", ours, theirs, stays)
    words = ("plan", "--remove-load-balancer", ours, "--remove-load-balancer", theirs)

    ran, found = served.run(*words), as_data(served, *words)

    assert ran.code == 1
    assert ran.out.splitlines()[2:5] == [
        "These load balancers leave the stack. Data Theorem no longer gets their logs:",
        f"  {load_balancer_name(ours)}: its access logging stops",
        f"  {load_balancer_name(theirs)}: its access logging does not change",
    ]
    assert found["leaving"] == [
        {"load_balancer": ours, "logging_stops": True},
        {"load_balancer": theirs, "logging_stops": False},
    ]
    served.create("all", "*")
    every = as_data(served, "plan", "--stack", "all", "--load-balancer", stays)["leaving"]
    assert [each["load_balancer"] for each in every] == sorted([ours, theirs])
    assert as_data(served, "plan", "--stack", "all", "--load-balancer", "*")["leaving"] == []


def test_the_folder_s_settings_are_what_is_planned(served: Served, tmp_path: Path) -> None:
    arn = served.account.add_load_balancer("web")
    words = ("--load-balancer", arn, "--parameter", "LogBucketName=named-logs")
    named = ("--stack", "dt-logs-analysis-2", "--region", REGION)
    expected = served.run("plan", *named, *ASKED, *words)
    # No command that uses an account reads a vendor's release.cfg.
    evil = "vendor_account_id = 666677778888\nnotification_endpoint = https://a.example.com/\n"
    (tmp_path / "release.cfg").write_text(f"[aws]\n{evil}")
    assert served.run("plan", "--load-balancer", arn).refusal.startswith(
        "These parameters must have values: DataTheoremAccountId, NotificationEndpoint."
    )
    (tmp_path / "dt-logs-cfn.cfg").write_text(
        f"[options]\nstack = dt-logs-analysis-2\nregion = {REGION}\n[parameters]\n"
        f"LoadBalancerArns = {arn}\nDataTheoremAccountId = {VENDOR}\n"
        f"NotificationEndpoint = {ENDPOINT}\nLogBucketName = other-logs\n"
    )

    ran = served.run("plan", "--parameter", "LogBucketName=named-logs")

    assert (ran.code, ran.out) == (expected.code, expected.out)
    assert "bucket named-logs" in ran.out
    assert ran.err.startswith("dt-logs-cfn.cfg sets stack, region, LoadBalancerArns, ")


STREAM = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/aws-waf-logs"


def test_plan_tells_what_cloudwatch_logs_delivers_already(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    for each in (arn, served.account.add_load_balancer("other")):
        delivery = LogDelivery(each, "ALB_ACCESS_LOGS", "FH", STREAM)
        served.account.world.log_deliveries.append(delivery)
    words = ("plan", "--load-balancer", arn, *ASKED)

    ran = served.run(*words)
    found = as_data(served, *words)

    assert ran.code == 1
    assert (
        "CloudWatch Logs already delivers access logs of these, and continues (both can be on):\n"
        f"  {load_balancer_name(arn)}: to {STREAM}\n"
    ) in ran.out
    assert "  ~ access_logs.s3.enabled: false -> true" in ran.out.splitlines()
    assert found["vended_logs"] == [{"load_balancer": arn, "destination": STREAM}]

    deny = {"Effect": "Deny", "Action": "logs:DescribeDeliverySources", "Resource": "*"}
    served.sign_in_as(EVERYTHING, deny)
    ran = served.run(*words)
    assert ran.code == 1
    assert (
        "Unknown whether CloudWatch Logs delivers access logs, too:\n"
        "  not readable: you lack logs:DescribeDeliverySources\n"
    ) in ran.out
    assert as_data(served, *words)["vended_logs"] is None


def test_destination_in_another_account_is_named_by_its_delivery_destination() -> None:
    theirs = f"arn:aws:logs:{REGION}:444455556666:delivery-destination:central"
    source = {"name": "web", "resourceArns": ["arn:web"], "logType": "ALB_ACCESS_LOGS"}
    idle = {"name": "idle", "resourceArns": ["arn:idle"], "logType": "ALB_ACCESS_LOGS"}
    deliveries = [
        {"deliverySourceName": each, "deliveryDestinationArn": theirs}
        for each in ("web", "another")
    ]
    pages: dict[str, Any] = {
        "describe_delivery_sources": {"deliverySources": [source, idle]},
        "describe_delivery_destinations": {},
        "describe_deliveries": {"deliveries": deliveries},
    }
    client: Any = Namespace(get_paginator=lambda name: Namespace(paginate=lambda: [pages[name]]))
    assert vended_logs(client) == (VendedLogs("arn:web", theirs),)


SHOWN = "https://logs.example.com/…"  # the endpoint
WEB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/web/0123456789abcdef"


def diff(*steps: model.Step, **bucket: Any) -> list[tuple[str, ...]]:
    """Return each step's subject and diff, in an account with one bucket and one topic."""
    there = model.Topic(TOPIC, "", (model.Subscription("arn:s", TOPIC, "https", ENDPOINT, "old"),))
    state = model.State({}, {"logs": model.Bucket("logs", **bucket)}, {TOPIC: there})
    found = changes(model.Plan(steps), state, HERE)
    assert SECRET not in "".join(line for each in found for line in each.diff)
    return [(each.subject, *each.diff) for each in found]


def test_each_step_is_told_one_after_the_other() -> None:
    expiring: Json = {
        "ID": "dt-logs-analysis",
        "Status": "Enabled",
        "Expiration": {"Days": 30},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    }
    end, other = Endpoint("https", ENDPOINT), f"{ENDPOINT}2"
    tags = {"old": "2", "team": "web", "kept": ENDPOINT, "url": ENDPOINT}
    on, off = model.Logging(True, "logs", "a/dt"), model.Logging(False, "logs", "a")
    told = diff(
        model.SetTags("logs", {**tags, "team": "edge", "url": other}, frozenset({"old"})),
        model.SecureBucket("logs"),
        model.SetRetention("logs", 7),
        model.DeleteTestFile(Location("logs", "a")),
        model.DeleteBucket("logs"),
        model.EnsureTopic("logs", TOPIC, {"team": "edge"}, False),
        model.EnsureTopic("logs", TOPIC, {"url": ENDPOINT}, True),
        model.Subscribe("logs", TOPIC, end, '{"Records":1}', True),
        model.Unsubscribe("arn:s", TOPIC, end, "logs", False),
        model.DeleteTopic(TOPIC, "logs"),
        model.SetFilter("logs", "arn:s", "new"),
        model.SetLogging(WEB, on, off),
        tags=tags,
        encryption="aws:kms",
        public_access_block={"BlockPublicAcls": True},
        lifecycle={"Rules": [expiring]},
    )
    hidden = f"~ tag url: {SHOWN} -> {SHOWN} (the hidden part changes)"
    block = '~ public access block: {"BlockPublicAcls":true} -> all on'
    turned_off = "~ access_logs.s3.enabled: true -> false", "~ access_logs.s3.prefix: a/dt -> a"
    assert told == [
        ("bucket logs", "- tag old=2", "~ tag team: web -> edge", hidden),
        ("bucket logs", "~ encryption: aws:kms -> AES256", block),
        ("bucket logs", "~ days until logs expire: 30 -> 7"),
        ("bucket logs", f"- object a/AWSLogs/{ACCOUNT}/ELBAccessLogTestFile"),
        ("bucket logs", "- the bucket itself, unless it holds logs"),
        (f"topic {TOPIC}", "+ the topic itself, unless it is there", "+ tag team=edge"),
        (f"topic {TOPIC}", "+ the topic itself", f"+ tag url={SHOWN}"),
        (f"topic {TOPIC}", f'+ subscription of {SHOWN}, for {{"Records":1}} only'),
        (f"topic {TOPIC}", f"- subscription of {SHOWN}"),
        (f"topic {TOPIC}", "- the topic itself, with its subscriptions"),
        ("subscription arn:s", "- filter old", "+ filter new"),
        (f"load balancer {load_balancer_name(WEB)}", *turned_off),
    ]
    gone = diff(model.SetTags("logs", {"new": ENDPOINT}, frozenset({"url"})), tags=tags)
    assert gone == [("bucket logs", f"- tag url={SHOWN}", f"~ tag new: (none) -> {SHOWN}")]
    put = {"Sid": "DTLogsAnalysis9", "Effect": "Allow", "Action": "s3:GetObject"}
    edits = PolicyEdit((put,)), PolicyEdit((), frozenset({"DTLogsAnalysis9"}))
    both = diff(*(model.EditPolicy("logs", each) for each in edits))
    assert [each[1][:8] for each in both] == ["+ policy", "- policy"]
    # A template's default may hold a token, too.
    declared = [{"Type": "String", "Default": each} for each in (ENDPOINT, other)]
    old, new = ({"Parameters": {"NotificationEndpoint": e}, "Resources": {}} for e in declared)
    default = f'parameter NotificationEndpoint: Default was "{SHOWN} is now "{SHOWN}'
    assert template_changes(old, new) == [default]


@STEADY
@given(policies(), configurations())
def test_an_edit_s_diff_is_what_it_changes(
    text: str | None, configuration: notifications.Configuration
) -> None:
    """A changed statement is shown whole, with URLs and long values; others' entries are not."""
    ours = {"Sid": "https://h.example.com/a/b?c=d", "Effect": "Deny", "Resource": "x" * 900}
    edit = PolicyEdit((ours,), frozenset({"AllowTrail"}))
    ((_, *lines),) = diff(model.EditPolicy("logs", edit), policy=text)
    before = list(statements(parsed(text))) if text else []
    gone = [json.loads(line[9:]) for line in lines if line.startswith("- policy ")]
    come = [json.loads(line[9:]) for line in lines if line.startswith("+ policy ")]
    assert come == [ours]
    dropped = [each for each in before if each.get("Sid") == "AllowTrail"]
    assert len(gone) == len(dropped)
    assert all(same_statement(one, other) for one, other in zip(gone, dropped, strict=True))
    entry = notifications.entry(Location("logs", ""), TOPIC, HERE)
    step = model.EditNotifications("logs", notifications.NotificationEdit((entry,)))
    ((_, *lines),) = diff(step, notifications=configuration)
    assert [json.loads(line.removeprefix("+ notification ")) for line in lines] == [entry]
