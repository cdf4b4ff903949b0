"""`plan` against an account behind an endpoint: what it prints, and that it writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
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

from dt_logs_cfn import aws
from dt_logs_cfn.errors import AwsError, OperatingError
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.diff import changes
from dt_logs_cfn.operate.plans.planned import Planned, Preview, planned
from dt_logs_cfn.operate.plans.shown import data, told
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription
from dt_logs_cfn.settings import Privileges
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account import Account, client_error
from dt_logs_rehearsal.account.errors import Refused

ONCE = Config(retries={"total_max_attempts": 1})
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::logs/*",
        }
    ],
}
KMS = "Set its default encryption to SSE-S3 (AES256), or set another bucket."


def plan(account: Account, request: Any) -> Planned:
    clients = account.elbv2, account.s3, account.sns
    return planned(request, clients, account.clock)


def made(*arns: str) -> Existing:
    stack = StackDescription(STACK, "dt-logs", "CREATE_COMPLETE", "", values(*arns), {}, {})
    return Existing(stack, template())


def creation(account: Account, *arns: str, **changed: str) -> Any:
    return asked.creation(template(), values(*arns, **changed), STACK, account.clock())


def test_a_new_load_balancer_is_told_as_a_diff(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    ran = served.run("plan", "--load-balancer", arn, *ASKED)
    assert (ran.code, ran.err) == (1, "")
    bucket = f"dt-logs-analysis-<tag>-{ACCOUNT}-{REGION}-an"
    for line in (
        f"A new stack dt-logs-analysis in account {ACCOUNT}, region {REGION}. Nothing was changed.",
        f"bucket {bucket}",
        "  + the bucket itself, private and with SSE-S3, as S3 makes them",
        "  ~ days until logs expire: (none) -> 30",
        f"load balancer {arn.partition(':loadbalancer/')[2]}",
        "  ~ access_logs.s3.enabled: false -> true",
        f"  ~ access_logs.s3.bucket: (none) -> {bucket}",
        "  ~ access_logs.s3.prefix: (none) -> dt-logs-analysis/<tag>",
        "  + subscription of https://logs.example.com/…",
        "13 changes.",
    ):
        assert line in ran.out.splitlines()
    found = json.loads(served.run("plan", "--load-balancer", arn, *ASKED, "--json").out)
    statements = [
        json.loads(line.removeprefix("+ policy "))
        for change in found["changes"]
        for line in change["diff"]
        if line.startswith("+ policy ")
    ]
    first, *_ = (line for line in ran.out.splitlines() if line.startswith("  + policy "))
    assert first == "  + policy {"  # a document is printed on several lines
    assert [each["Effect"] for each in statements] == ["Allow", "Allow", "Deny"]
    assert statements[0]["Principal"] == {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    assert "only if the boto3 of Lambda's runtime knows" in ran.out
    assert "Whether the Lambda's role, a permissions boundary or an organisation's" in ran.out
    assert "\x1b" not in ran.out


def test_load_balancer_on_an_outpost_is_not_supported(served: Served) -> None:
    edge = served.account.add_load_balancer("edge", outpost="op-0123456789abcdef0")
    ran = served.run("plan", "--load-balancer", edge, *ASKED)
    title = "On an Outpost, which is not supported: take these out of LoadBalancerArns."
    lines = ran.out.splitlines()
    assert lines[lines.index(title) + 1] == f"  {load_balancer_name(edge)}"
    found = json.loads(served.run("plan", "--load-balancer", edge, *ASKED, "--json").out)
    assert found["on_outposts"] == [edge]
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


def test_what_happens_to_a_load_balancer_is_said_before_anything_else(served: Served) -> None:
    web = served.account.add_load_balancer("web")
    ran = served.run("plan", "--load-balancer", web, *ASKED)
    lines = ran.out.splitlines()
    at = lines.index(f"load balancer {web.partition(':loadbalancer/')[2]}")
    assert lines[at + 1 : at + 5] == [
        f"  Turn on access logs to s3://dt-logs-analysis-<tag>-{ACCOUNT}-{REGION}-an"
        "/dt-logs-analysis/<tag>",
        f"  Let Data Theorem's account {VENDOR} read them",
        "  Announce new ones to its endpoint",
        "  ~ access_logs.s3.enabled: false -> true",
    ]
    kinds = [line.split()[0] for line in lines[2:] if line and line[0] not in " <"]
    assert kinds[:4] == ["stack", "load", "bucket", "topic"]


def test_a_load_balancer_that_joins_a_grant_adds_its_pattern_alone(account: Account) -> None:
    account.add_bucket("logs", policy=POLICY)
    one, two = (account.add_load_balancer(name, bucket="logs") for name in ("one", "two"))
    carry_out(creation(account, one), account)
    request = asked.update(template(), values(one, two), made(one), account.clock() + 5)
    preview = Preview(plan(account, request), None, True, True)
    lines = told(preview, "An update").splitlines()
    at = lines.index(f"load balancer {two.partition(':loadbalancer/')[2]}")
    assert lines[at : at + 4] == [
        f"load balancer {two.partition(':loadbalancer/')[2]}",
        "  Leave access logs on, to s3://logs/",
        f"  Let Data Theorem's account {VENDOR} read them",
        "  Announce new ones to its endpoint",
    ]
    assert one.partition(":loadbalancer/")[2] not in "".join(lines)
    name = two.partition(":loadbalancer/")[2].replace("/", ".")
    changed = [line for line in lines if line.startswith(("  +", "  -"))]
    assert [line.split("_app.")[0][:14] for line in changed] == ["  +   resource"]
    assert f"{ACCOUNT}_elasticloadbalancing_{REGION}_{name}_*" in changed[0]
    assert sum(line.startswith("  ~ policy statement DTLogsAnalysis1Read") for line in lines) == 1
    # Removing the load balancer from the list only removes its pattern again.
    carry_out(request, account)
    back = asked.update(template(), values(one), made(one, two), account.clock() + 9)
    lines = told(Preview(plan(account, back), None, True, True), "An update").splitlines()
    assert [line[:14] for line in lines if "   resource " in line] == ["  -   resource"]


def test_a_program_gets_the_same(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    ran = served.run("plan", "--load-balancer", arn, *ASKED, "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["works"], found["conflicts"], found["denied"]) == (1, True, [], [])
    assert found["changes"][-1] == {
        "step": "SetLogging",
        "subject": f"load balancer {arn.partition(':loadbalancer/')[2]}",
        "diff": [
            "~ access_logs.s3.enabled: false -> true",
            f"~ access_logs.s3.bucket: (none) -> dt-logs-analysis-<tag>-{ACCOUNT}-{REGION}-an",
            "~ access_logs.s3.prefix: (none) -> dt-logs-analysis/<tag>",
        ],
    }
    assert found["log_locations"][0]["prefix"] == "dt-logs-analysis/<tag>"


def test_parameters_come_from_options_or_a_file_in_either_form(
    served: Served, tmp_path: Path
) -> None:
    arn = served.account.add_load_balancer("web")
    given = values(arn, LogBucketName="logs-of-web")
    plain, listed = tmp_path / "plain.json", tmp_path / "listed.json"
    plain.write_text(json.dumps(given))
    listed.write_text(
        json.dumps([{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()])
    )
    options = [word for k, v in given.items() for word in ("--parameter", f"{k}={v}")]
    named = ("--parameter", "LogBucketName=logs-of-web")
    expected = served.run("plan", "--load-balancer", arn, *ASKED, *named)
    assert "bucket logs-of-web" in expected.out
    for arguments in (("--parameters", str(plain)), ("--parameters", str(listed)), options):
        assert served.run("plan", *arguments).out == expected.out
    narrower = served.run(
        "plan", "--parameters", str(plain), "--parameter", "LogBucketName=other-logs"
    )
    assert "bucket other-logs" in narrower.out


@pytest.mark.parametrize("content", ["[1]", "{", '{"A": {}}', '"A"', '{"Parameters": {"A": null}}'])
def test_a_file_that_is_none_of_parameters_is_refused(
    served: Served, tmp_path: Path, content: str
) -> None:
    (tmp_path / "p.json").write_text(content)
    ran = served.run("plan", "--parameters", str(tmp_path / "p.json"))
    assert "p.json is not a file of parameters. Write it as the AWS CLI takes it" in ran.failure


def test_every_conflict_is_told_before_anything_is_touched(served: Served) -> None:
    account = served.account
    account.add_bucket("with-kms", kms=True)
    one = account.add_load_balancer("one", bucket="with-kms")
    two = account.add_load_balancer("two", bucket="gone-logs")
    three = account.add_load_balancer("three")
    arguments = [word for arn in (one, two, three) for word in ("--load-balancer", arn)]
    ran = served.run("plan", *arguments, *ASKED)
    assert (ran.code, ran.err) == (3, "")
    assert "It cannot work:" in ran.out
    assert "Bucket with-kms encrypts with aws:kms by default" in ran.out
    assert f"  fix: {KMS}" in ran.out
    assert "Bucket gone-logs, to which the load balancer logs, does not exist." in ran.out
    assert "three" not in ran.out
    found = json.loads(served.run("plan", *arguments, *ASKED, "--json").out)
    assert [each["load_balancers"] for each in found["conflicts"]] == [[one], [two]]
    assert (found["works"], found["changes"]) == (False, [])


def test_of_all_load_balancers_those_that_cannot_be_are_left_out(served: Served) -> None:
    served.account.add_bucket("with-kms", kms=True)
    served.account.add_load_balancer("one", bucket="with-kms")
    served.account.add_load_balancer("two")
    ran = served.run("plan", "--load-balancer", "*", *ASKED)
    assert ran.code == 1
    assert "Left out:\n  app/one/" in ran.out
    assert "access_logs.s3.enabled: false -> true" in ran.out


def test_rights_that_are_missing_are_all_named(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    may = ["s3:*", "cloudformation:DescribeStacks"]
    served.sign_in_as({"Effect": "Allow", "Action": may, "Resource": "*"})
    named = ("--parameter", "LogBucketName=our-own-name-for-logs")
    ran = served.run("plan", "--load-balancer", arn, *ASKED, *named)
    assert "elasticloadbalancing:DescribeLoadBalancerAttributes" in ran.failure
    assert "sns:gettopicattributes" in ran.failure.lower()
    assert "Have it allowed for you" in ran.failure


def test_a_bucket_that_the_caller_may_not_read_is_told_apart_from_a_conflict(
    served: Served,
) -> None:
    served.account.add_bucket("logs-of-web")
    arn = served.account.add_load_balancer("web", bucket="logs-of-web")
    deny = {"Effect": "Deny", "Action": "s3:GetBucketPolicy", "Resource": "*"}
    served.sign_in_as(EVERYTHING, deny)
    ran = served.run("plan", "--load-balancer", arn, *ASKED)
    assert ran.code == 3
    assert "You may not read these, so the plan may be wrong about them" in ran.out
    assert "s3:GetBucketPolicy on arn:aws:s3:::logs-of-web" in ran.out
    found = json.loads(served.run("plan", "--load-balancer", arn, *ASKED, "--json").out)
    assert found["denied"] == ["s3:GetBucketPolicy on arn:aws:s3:::logs-of-web"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ("--load-balancer", "web", *ASKED),
            "LoadBalancerArns 'web' is not valid. It takes",
        ),
        (ASKED, "These parameters must have values: LoadBalancerArns."),
        (("--load-balancer", "*"), "These parameters must have values: DataTheoremAccountId"),
        (("--parameter", "Nope=1"), "The template has no parameter 'Nope'."),
        (("--parameters", "nowhere.json"), "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_one_line(
    served: Served, arguments: tuple[str, ...], told: str
) -> None:
    assert told in served.run("plan", *arguments).failure


def test_a_parameter_without_its_value_is_wrong_usage(served: Served) -> None:
    ran = served.run("plan", "--parameter", "Nope")
    assert (ran.code, ran.out) == (2, "")
    assert "--parameter 'Nope' has no value." in ran.err


def test_a_load_balancer_of_another_region_is_told(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    failure = served.run("plan", "--load-balancer", arn, *ASKED, "--region", "eu-west-1").failure
    assert "in this account and region (123456789012, eu-west-1)" in failure


def test_a_load_balancer_that_is_not_there_is_in_the_way(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    del served.account.world.load_balancers[arn]
    ran = served.run("plan", "--load-balancer", arn, *ASKED)
    assert ran.code == 3
    assert "does not exist" in ran.out


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("ExpiredToken", "The credentials have expired."),
        ("Throttling", "AWS cannot do DescribeLoadBalancerAttributes now (Throttling)."),
        ("InvalidClientTokenId", "AWS does not know the credentials"),
    ],
)
def test_what_aws_refuses_is_told_in_one_line(account: Account, code: str, told: str) -> None:
    def refuse(service: str, operation: str, params: Any) -> None:
        raise client_error(operation, Refused(code, "no"))

    arn = account.add_load_balancer("web")
    clients = account.client("elbv2", before=refuse), account.s3, account.sns
    with pytest.raises(AwsError) as error, aws.errors():
        planned(creation(account, arn), clients, account.clock)
    assert error.value.what.startswith(told)


@pytest.mark.parametrize("privileges", list(Privileges))
def test_the_run_takes_the_steps_that_were_planned(
    account: Account, privileges: Privileges
) -> None:
    account.add_bucket("logs-of-api")
    arns = [
        account.add_load_balancer("web"),
        account.add_load_balancer("api", bucket="logs-of-api", prefix="api"),
    ]
    request = asked.creation(template(privileges), values(*arns), STACK, account.clock())
    before = account.snapshot()
    found = plan(account, request)
    assert account.snapshot() == before
    taken, _ = carry_out(request, account)
    assert found.plan is not None
    assert tuple(taken[: len(found.plan.steps)]) == found.plan.steps
    told = changes(found.plan, found.state, request.stack)
    added = [
        json.loads(line.removeprefix("+ policy "))
        for each in told
        for line in each.diff
        if line.startswith("+ policy ")
    ]
    there = [
        statement
        for bucket in account.snapshot()["buckets"].values()
        for statement in (bucket["policy"] or {"Statement": []})["Statement"]
    ]
    assert sorted(each["Sid"] for each in added) == sorted(each["Sid"] for each in there)


def test_after_the_run_nothing_is_to_be_done(account: Account) -> None:
    arn = account.add_load_balancer("web")
    carry_out(creation(account, arn), account)
    existing = made(arn)
    found = plan(account, asked.update(template(), values(arn), existing, account.clock()))
    assert found.plan is not None
    assert (found.plan.changes, found.works) == ((), True)


def test_an_update_tells_what_goes_and_what_comes(account: Account) -> None:
    one, two = account.add_load_balancer("one"), account.add_load_balancer("two")
    carry_out(creation(account, one), account)
    existing = made(one)
    request = asked.update(template(), values(two), existing, account.clock() + 5)
    found = plan(account, request)
    assert found.plan is not None
    logging = {
        each.subject: each.diff[0]
        for each in changes(found.plan, found.state, request.stack)
        if each.step == "SetLogging"
    }
    assert logging == {
        f"load balancer {two.partition(':loadbalancer/')[2]}": (
            "~ access_logs.s3.enabled: false -> true"
        ),
        f"load balancer {one.partition(':loadbalancer/')[2]}": (
            "~ access_logs.s3.enabled: true -> false"
        ),
    }
    taken, _ = carry_out(request, account)
    assert tuple(taken[: len(found.plan.steps)]) == found.plan.steps


def test_what_has_become_unusable_is_a_warning(account: Account) -> None:
    """The stack keeps its load balancer, and an update that does not change it works."""
    account.add_bucket("logs-of-web")
    arn = account.add_load_balancer("web", bucket="logs-of-web")
    carry_out(creation(account, arn), account)
    kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    account.s3.put_bucket_encryption(
        Bucket="logs-of-web", ServerSideEncryptionConfiguration={"Rules": [kms]}
    )
    found = plan(account, asked.update(template(), values(arn), made(arn), account.clock()))
    assert found.works
    preview = Preview(found, None, exists=True, runs=True)
    (warning,) = data(preview)["warnings"]
    assert warning.startswith("app/web/") and "encrypts with aws:kms" in warning
    assert f"\nUnusable, and left as it is:\n  {warning}\n" in told(preview, "An update")


def test_a_bucket_that_the_role_may_not_touch_is_in_the_way(account: Account) -> None:
    account.add_bucket("logs-of-web")
    account.add_bucket("logs-of-api")
    arn = account.add_load_balancer("web", bucket="logs-of-web")
    other = creation(account, arn, ExistingLogBucketNames="logs-of-api")
    (conflict,) = plan(account, other).conflicts
    assert "ExistingLogBucketNames leaves it out" in conflict.what
    assert plan(account, creation(account, arn, ExistingLogBucketNames="logs-of-web")).works


def test_a_stack_of_another_kind_is_none_of_ours() -> None:
    with pytest.raises(OperatingError, match="has no resource InvokeLambdaFunction"):
        asked.properties({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}, {})


def test_the_endpoint_is_shown_without_its_token(account: Account) -> None:
    arn = account.add_load_balancer("web")
    found = plan(account, creation(account, arn))
    assert found.plan is not None
    told = changes(found.plan, found.state, found.request.stack)
    assert not any(ENDPOINT in line for each in told for line in each.diff)


def test_what_does_not_fit_into_a_run_is_told_with_its_number(account: Account) -> None:
    for number in range(2176):
        account.add_load_balancer(f"web-{number}")
    found = plan(account, creation(account, "*"))
    (conflict,) = found.conflicts
    assert conflict.what.startswith(
        "2176 load balancers to turn on are too many for one run: 2175 fit into its time"
    )
    # An Update does what fits and names the rest, because a rollback is an Update, too.
    request = asked.update(template(), values("*"), made(), account.clock())
    left = plan(account, request)
    assert left.plan is not None
    assert left.plan.refused is not None
    assert list(left.plan.refused.values()) == [
        "It does not fit into this run: run the stack again."
    ]


def test_a_bucket_that_is_full_of_notifications_is_in_the_way(account: Account) -> None:
    topic = account.add_topic("theirs")
    entries = [
        {"Id": f"{n}", "TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]} for n in range(100)
    ]
    account.add_bucket("logs-of-web", notifications={"TopicConfigurations": entries})
    arn = account.add_load_balancer("web", bucket="logs-of-web")
    (conflict,) = plan(account, creation(account, arn)).conflicts
    assert (
        conflict.what == "Bucket logs-of-web has 100 notifications already, the most that S3 takes."
    )


def test_what_the_caller_may_not_read_is_not_said_of_the_function(served: Served) -> None:
    served.account.add_bucket("logs-of-web")
    arn = served.account.add_load_balancer("web", bucket="logs-of-web")
    may = ["cloudformation:*", "elasticloadbalancing:*", "sns:*"]
    served.sign_in_as({"Effect": "Allow", "Action": may, "Resource": "*"})
    ran = served.run("plan", "--load-balancer", arn, *ASKED)
    assert (ran.code, "It cannot work" in ran.out) == (3, False)
    assert "Unknown whether it can work, because you may not read everything:" in ran.out
    assert "You may not read these, so the plan may be wrong about them" in ran.out


def test_load_balancers_that_leave_are_named_first(served: Served) -> None:
    ours = served.account.add_load_balancer("ours")
    served.account.add_bucket("own-logs")
    theirs = served.account.add_load_balancer("theirs", bucket="own-logs")
    stays = served.account.add_load_balancer("stays")
    served.create("dt-logs-analysis", ours, theirs, stays)
    words = ("plan", "--remove-load-balancer", ours, "--remove-load-balancer", theirs)

    ran, found = served.run(*words), json.loads(served.run(*words, "--json").out)

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


def test_of_every_load_balancer_all_that_leave_are_named(served: Served) -> None:
    web, api = (served.account.add_load_balancer(name) for name in ("web", "api"))
    served.create("dt-logs-analysis", "*")

    found = json.loads(served.run("plan", "--load-balancer", web, "--json").out)

    assert found["leaving"] == [{"load_balancer": api, "logging_stops": True}]
    again = json.loads(served.run("plan", "--load-balancer", "*", "--json").out)
    assert again["leaving"] == []


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
    evil = (
        "[aws]\nvendor_account_id = 666677778888\nnotification_endpoint = https://a.example.com/\n"
    )
    (tmp_path / "release.cfg").write_text(evil)

    ran = served.run("plan", "--load-balancer", arn)

    assert ran.failure.startswith(
        "These parameters must have values: DataTheoremAccountId, NotificationEndpoint."
    )
