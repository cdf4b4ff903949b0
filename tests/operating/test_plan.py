"""`plan` against an account behind an endpoint: it prints the plan, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from operating.account import (
    ACCOUNT,
    ASKED,
    ENDPOINT,
    REGION,
    STACK,
    VENDOR,
    Served,
    carry_out,
    template,
    values,
)
from operating.looking import LOGS, Looking
from support.drifts import encrypted_by_kms

from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.planned import Planned, Preview, planned
from dt_logs_cfn.operate.plans.shown import data, told
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription
from dt_logs_handler.names import load_balancer_name
from dt_logs_handler.request import Request
from dt_logs_rehearsal.account import Account

KMS = "Set its default encryption to SSE-S3 (AES256), or set another bucket."


def plan(account: Account, request: Request) -> Planned:
    clients = account.elbv2, account.s3, account.sns
    return planned(request, clients, account.clock)


def update(account: Account, before: list[str], after: list[str]) -> Request:
    given = values(*before)
    stack = StackDescription(STACK, "dt-logs", "CREATE_COMPLETE", "", given, {}, {})
    made = Existing(stack, template())
    return asked.update(template(), values(*after), made, account.clock())


def creation(account: Account, *arns: str, **changed: str) -> Request:
    return asked.creation(template(), values(*arns, **changed), STACK, account.clock())


def as_data(served: Served, *words: str) -> Any:
    return json.loads(served.run(*words, "--json").out)


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
        "  + the bucket itself, private and with SSE-S3, as S3 makes them",
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
    request = update(account, [one], [one, two])
    preview = Preview(plan(account, request), None, True, True)
    lines = told(preview, "An update").splitlines()
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
    carry_out(request, account)
    account.clock.sleep(5)
    back = plan(account, update(account, [one, two], [one]))
    lines = told(Preview(back, None, True, True), "An update").splitlines()
    assert [line[:14] for line in lines if "   resource " in line] == ["  -   resource"]


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
    assert "Unknown whether it can work, because you may not read everything:" in ran.out
    assert "You may not read these, so the plan may be wrong about them" in ran.out
    denied = "s3:GetBucketPolicy on arn:aws:s3:::logs-of-web"
    assert f"  {denied}\n" in ran.out
    assert denied in as_data(served, *words)["denied"]

    # If nothing can be planned, all missing permissions are named at once.
    may = ["s3:*", "cloudformation:DescribeStacks"]
    served.sign_in_as({"Effect": "Allow", "Action": may, "Resource": "*"})
    failure = served.run(*words, "--parameter", "LogBucketName=our-own-name-for-logs").failure
    assert "elasticloadbalancing:DescribeLoadBalancerAttributes" in failure
    assert "sns:gettopicattributes" in failure.lower()
    assert "Get the permission" in failure
    served.sign_in_as({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    assert "AWS denies DescribeStacks" in served.run(*words).failure


def test_a_bucket_policy_that_locks_everybody_out_is_told(served: Served) -> None:
    name = "logs-of-web"
    both = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    shut = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": both}
    served.account.add_bucket(name, policy={"Version": "2012-10-17", "Statement": [shut]})
    arn = served.account.add_load_balancer("web", bucket=name)
    ran = served.run("plan", "--load-balancer", arn, *ASKED)
    assert ran.code == 3
    denied = f"  s3:GetBucketTagging on arn:aws:s3:::{name} (denied by its policy)\n"
    assert denied in ran.out
    assert (
        "The policies of these buckets deny you that, and may deny the Lambda as well:\n"
        f"  {name}: If it denies everybody, delete it as the account's root user:"
        f" `aws s3api delete-bucket-policy --bucket {name}`. Otherwise use credentials that it"
        " allows.\n"
    ) in ran.out


def test_a_load_balancer_of_another_region_is_told(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    failure = served.run("plan", "--load-balancer", arn, *ASKED, "--region", "eu-west-1").failure
    told = f"'{arn}' is in us-east-1, but you work in eu-west-1. Give --region us-east-1."
    assert failure == told


def test_what_has_become_unusable_is_a_warning(looking: Looking) -> None:
    """The stack keeps its load balancer, and an update that leaves it unchanged succeeds."""
    account, arn = looking.account, looking.logging()
    carry_out(creation(account, arn), account)
    encrypted_by_kms(account, LOGS)
    found = plan(account, update(account, [arn], [arn]))
    assert found.works
    preview = Preview(found, None, exists=True, runs=True)
    (warning,) = data(preview)["warnings"]
    assert warning.startswith("app/web/") and "encrypts with aws:kms" in warning
    assert f"\nUnusable, and left as it is:\n  {warning}\n" in told(preview, "An update")


def test_a_bucket_that_the_role_may_not_touch_is_in_the_way(looking: Looking) -> None:
    account, arn = looking.account, looking.logging()
    other = creation(account, arn, ExistingLogBucketNames="logs-of-api")
    (conflict,) = plan(account, other).conflicts
    assert "ExistingLogBucketNames leaves it out" in conflict.what
    assert plan(account, creation(account, arn, ExistingLogBucketNames=LOGS)).works


def test_a_stack_of_another_kind_is_none_of_ours() -> None:
    with pytest.raises(OperatingError, match="has no resource InvokeLambdaFunction"):
        asked.properties({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}, {})


def test_what_does_not_fit_into_a_run_is_told_with_its_number(account: Account) -> None:
    for number in range(2176):
        account.add_load_balancer(f"web-{number}")
    found = plan(account, creation(account, "*"))
    (conflict,) = found.conflicts
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
    expected = served.run("plan", "--stack", "dt-logs-analysis-2", *ASKED, *words)
    (tmp_path / "dt-logs-cfn.cfg").write_text(
        f"[options]\nstack = dt-logs-analysis-2\nregion = {REGION}\n[parameters]\n"
        f"LoadBalancerArns = {arn}\nDataTheoremAccountId = {VENDOR}\n"
        f"NotificationEndpoint = {ENDPOINT}\nLogBucketName = other-logs\n"
    )

    ran = served.run("plan", "--parameter", "LogBucketName=named-logs")

    assert (ran.code, ran.out) == (expected.code, expected.out)
    assert "bucket named-logs" in ran.out
    assert ran.err.startswith("dt-logs-cfn.cfg sets stack, region, LoadBalancerArns, ")


def test_no_release_cfg_of_the_folder_is_read(served: Served, tmp_path: Path) -> None:
    arn = served.account.add_load_balancer("web")
    evil = "vendor_account_id = 666677778888\nnotification_endpoint = https://a.example.com/\n"
    (tmp_path / "release.cfg").write_text(f"[aws]\n{evil}")

    ran = served.run("plan", "--load-balancer", arn)

    assert ran.failure.startswith(
        "These parameters must have values: DataTheoremAccountId, NotificationEndpoint."
    )
