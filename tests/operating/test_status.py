"""`status` and `plan --stack` against an account behind an endpoint, with real stacks in it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from botocore.config import Config
from operating.account import ASKED, ENDPOINT, SECRET, TRUST, Served, template, values

from dt_logs_cfn import aws, canonical
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.commands.status import data, told
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks.deploying import settled
from dt_logs_cfn.operate.stacks.removing import remove
from dt_logs_cfn.operate.status.seen import Check
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.cloudformation.stack import Asked
from dt_logs_rehearsal.sandbox import ADMINISTRATOR

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
NET = ARN.replace("/app/", "/net/")
NAME, END = "dt-logs-analysis", "NotificationEndpoint"
AT = "account 123456789012, us-east-1"
CHECKS = [
    Check("logging", "app/web/1", "access logs are off", "finding", "Onboard it."),
    Check("encryption", "app/web/1", "AES256", "ok"),
    Check("organisation's policies", "account", "not readable", "unknown", "Ask."),
]


def test_a_stack_that_works_has_no_finding(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    served.create(NAME, arn)
    served.account.write_log(arn)
    ran = served.run("status", "--stack", NAME)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == f"24 checks in {AT}: 22 ok, no findings, 2 unknown."
    assert "\x1b" not in ran.out
    assert served.run("status").out == ran.out
    # `plan` for an update agrees, and so does `status` for the load balancer alone.
    same = served.run("plan", "--stack", NAME)
    assert (same.code, "Nothing to do" in same.out) == (0, True)
    assert served.run("status", "--load-balancer", arn).code == 0


def test_a_finding_is_told_with_its_fix(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    bucket = served.create(NAME, arn).outputs["LogBuckets"]
    served.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={}
    )
    ran = served.run("status", "--json")
    found = json.loads(ran.out)
    findings = [e for e in found["checks"] if e["verdict"] == "finding"]
    assert (ran.code, found["findings"]) == (1, 2)
    assert [(each["subject"], each["name"]) for each in findings] == [
        (load_balancer_name(arn), "notification"),
        (f"stack {NAME}", "drift"),
    ]
    # Unless a value changes, neither CloudFormation nor `deploy` would run the function.
    drift = served.run("plan", "--stack", NAME)
    assert (drift.code, "  + notification {" in drift.out) == (0, True)
    assert "with `--parameter RunToken=1` it would do this" in drift.out
    found = json.loads(served.run("plan", "--json").out)
    assert (found["runs"], found["changes"]) == (False, [])
    # The policy also changes, unless the account's clock, which is faster, shows the same second.
    assert found["drift"][-1]["step"] == "EditNotifications"
    changes = served.run("plan", "--stack", NAME, "--parameter", "RunToken=2")
    assert (changes.code, "  + notification {" in changes.out) == (1, True)


def test_what_somebody_else_wrote_is_told_without_tokens(served: Served) -> None:
    bucket = served.create(NAME, served.account.add_load_balancer("web")).outputs["LogBuckets"]
    s3 = served.client("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    deny = {
        "Sid": f"https://u:{SECRET}@h.example.com/{SECRET}?t={SECRET}",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/a": "b"}},
    }
    policy["Statement"].append(deny)
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    text, as_data = served.run("status").out, served.run("status", "--json").out

    assert "statement https://h.example.com/… denies reading, under a condition" in text
    assert f"access logs go to s3://{bucket}/" in text
    saw = [each["saw"] for each in json.loads(as_data)["checks"]]
    assert any("statement https://h.example.com/… denies" in each for each in saw)


def test_what_aws_says_is_told_in_a_line_and_whole_for_a_program() -> None:
    check = Check("stack status", "stack a", f"{ENDPOINT} {'x' * 3000}", "finding", ENDPOINT)
    lines = told([check], "here").splitlines()
    assert "  https://logs.example.com/… xxx" in lines[1]
    assert len(lines[1]) < 1600
    for text in (*lines, str(data([check]))):
        assert SECRET not in text
    assert "x" * 3000 in str(data([check]))
    check = Check("logging", "app/web/1", "off\x1b[2J\u202e", "finding", "See \x1b[8m.")
    assert "finding  logging  off [2J\n" in told([check], "here")
    assert "\x1b" not in told([check], "here")


def test_all_load_balancers_are_looked_at(served: Served) -> None:
    for name in ("one", "two"):
        served.account.add_load_balancer(name)
    served.account.add_load_balancer("net", kind="network")
    ran = served.run("status", "--load-balancer", "*")
    assert ran.code == 1
    assert ran.out.count("access logs are off") == 2
    plan = served.run("plan", "--load-balancer", "*", *ASKED).out
    assert (plan.count("load balancer app/"), plan.count("~ access_logs.s3.enabled")) == (2, 1)
    for number in range(399):
        served.account.add_load_balancer(f"web-{number}")
    found = json.loads(served.run("status", "--load-balancer", "*", "--json").out)
    assert found["findings"] == 401


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            (),
            f"There is no stack of Data Theorem's Logs Analysis in {AT}. To onboard load balancers"
            " there, start with `dt-logs-cfn plan --load-balancer '*'`; for another place,",
        ),
        (
            ("--region", "eu-west-1"),
            "There is no stack of Data Theorem's Logs Analysis in account 123456789012,"
            " eu-west-1. To onboard load balancers there, start with `dt-logs-cfn plan"
            " --load-balancer '*' --region eu-west-1`",
        ),
        (
            ("--load-balancer", ARN, "--region", "eu-west-1"),
            f"{ARN} is not in account 123456789012, region eu-west-1. Use credentials of",
        ),
        (("--load-balancer", "*"), "There is no application load balancer in this account"),
        (("--stack", "nope"), "There is no stack nope in this account and region."),
    ],
)
def test_what_is_not_there_is_told(served: Served, arguments: tuple[str, ...], told: str) -> None:
    assert served.run("status", *arguments).failure.startswith(told)


@pytest.mark.parametrize("arn", ["web", NET, f'"{ARN}"'])
def test_what_is_not_the_arn_of_an_application_load_balancer_is_told(
    served: Served, arn: str
) -> None:
    ran = served.run("status", "--load-balancer", arn)
    assert (ran.code, ran.out) == (2, "")
    assert f"{arn!r} is not the ARN of an application load balancer. Give one like" in ran.err


def test_a_stack_that_cannot_be_updated_or_is_deleted_is_told(served: Served) -> None:
    made = served.create(NAME, served.account.add_load_balancer("web"))
    for status, fix in (
        ("ROLLBACK_FAILED", f"`dt-logs-cfn remove --stack {NAME}`"),
        ("UPDATE_ROLLBACK_FAILED", f"continue-update-rollback --stack-name {NAME}"),
        ("UPDATE_IN_PROGRESS", "Wait until it is done"),
    ):
        made.status = status
        failure = served.run("plan", "--stack", NAME).failure
        assert failure.startswith(f"The stack {NAME} is in {status} and cannot be updated. ")
        assert fix in failure
    made.status = "UPDATE_COMPLETE"
    served.sandbox.cloudformation.begin_delete(made)()
    assert served.run("status", "--stack", made.id).failure == (
        f"The stack {NAME} is deleted. Check load balancers with --load-balancer, or name"
        " another stack."
    )


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST)}}
LIKE_OURS = {"InvokeLambdaFunction": ROLE, "Precious": ROLE}


@pytest.mark.parametrize(
    "body",
    [
        {"Resources": {"Log": {"Type": "AWS::Logs::LogGroup"}}},
        {"Parameters": template()["Parameters"], "Resources": LIKE_OURS},
    ],
    ids=["of another kind", "that looks like ours"],
)
def test_a_stack_that_is_not_ours_is_left_alone_and_not_followed(
    served: Served, body: dict[str, Any]
) -> None:
    client, lines = served.client("cloudformation"), list[str]()
    given = values(served.account.add_load_balancer("web")) if "Parameters" in body else {}
    client.create_stack(
        StackName=NAME,
        TemplateBody=json.dumps(body),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": key, "ParameterValue": each} for key, each in given.items()],
    )
    served.sandbox.cloudformation.join()
    told = f"The stack {NAME} does not onboard load balancers."
    for command in (("plan",), ("deploy", "--yes"), ("remove", "--yes"), ("status",)):
        assert served.run(*command, "--stack", NAME).failure.startswith(told)
    assert served.run("status").failure.startswith("There is no stack of Data Theorem's")
    (stack,) = served.sandbox.cloudformation.stacks.values()
    stack.status = "UPDATE_IN_PROGRESS"
    operator = Operator(tell=lines.append, sleep=lambda seconds: pytest.fail("it is followed"))
    nothing: Any = None  # without clients, because `remove` must not read the account
    with pytest.raises(OperatingError, match=told):
        settled(client, NAME, operator)
    with pytest.raises(OperatingError, match=told):
        remove(client, nothing, NAME, operator)
    assert lines == []


def test_a_failure_is_a_line_that_says_what_happened_and_what_to_do(served: Served) -> None:
    """`tests/cli/test_sdk_failures.py` tests failures that the SDK's settings cause."""
    once = Config(retries={"total_max_attempts": 1})

    def throttle(call: Call) -> None:
        if call.operation == "DescribeLoadBalancers":
            raise Refused("Throttling", "Rate exceeded")

    def fails(failure: str) -> None:
        for command in (("status",), ("plan", *ASKED)):
            assert served.run(*command, "--load-balancer", "*").failure.startswith(failure)

    with served.shell.context() as shell:
        shell.setattr(aws, "CONFIG", aws.CONFIG.merge(once))
        shell.setattr(served.endpoint, "before", throttle)
        fails("AWS cannot do DescribeLoadBalancers now (Throttling). Wait")
    credentials = served.endpoint.session(ADMINISTRATOR)
    served.sign_in(credentials)
    served.endpoint.expire(credentials)
    fails("The credentials have expired. Sign in")
    served.shell.setenv("AWS_ACCESS_KEY_ID", "ASIAUNKNOWN")
    fails("AWS does not know the credentials (InvalidClientTokenId).")
    for name in credentials:
        served.shell.delenv(name.upper())
    fails("There are no AWS credentials (NoCredentialsError). Sign in")


def test_checks_are_grouped_aligned_and_counted() -> None:
    assert told(CHECKS, AT).splitlines() == [
        "app/web/1",
        "  finding  logging                  access logs are off",
        "                                    fix: Onboard it.",
        "  ok       encryption               AES256",
        "",
        "account",
        "  unknown  organisation's policies  not readable",
        "                                    fix: Ask.",
        "",
        f"3 checks in {AT}: 1 ok, 1 finding, 1 unknown.",
    ]


def test_of_many_subjects_what_is_the_same_is_told_once() -> None:
    off = [replace(CHECKS[0], subject=f"app/web/{number}") for number in range(30)]
    fine = [replace(CHECKS[1], subject=f"app/api/{number}") for number in range(30)]
    assert told([*off, *fine], AT).splitlines() == [
        "app/web/0, app/web/1, app/web/2, app/web/3, app/web/4 and 25 more",
        "  finding  logging     access logs are off",
        "                       fix: Onboard it.",
        "",
        "app/api/0, app/api/1, app/api/2, app/api/3, app/api/4 and 25 more",
        "  ok       all         30 checks, see --json",
        "",
        f"60 checks in {AT}: 30 ok, 30 findings, 0 unknown.",
    ]


def test_what_waits_is_counted_and_is_a_finding_only_if_that_is_asked_for(served: Served) -> None:
    """An endpoint has an hour to confirm."""
    waiting = replace(CHECKS[0], verdict="waiting")
    lines = told([waiting, CHECKS[1]], AT).splitlines()
    assert lines[1].startswith("  waiting  logging ")
    assert lines[-1] == f"2 checks in {AT}: 1 ok, 1 waiting, no findings, 0 unknown."
    arn = served.account.add_load_balancer("web")
    served.create(NAME, arn)
    served.account.write_log(arn)
    for each in served.account.world.subscriptions.values():
        each.confirmed = False
    ran = served.run("status")
    assert ran.code == 0
    assert "  waiting  subscription " in ran.out
    assert served.run("status", "--strict").code == 1


def test_a_program_gets_the_checks() -> None:
    found = data(CHECKS)
    assert found["checks"] == [asdict(each) for each in CHECKS]
    counts = {"ok": 1, "waiting": 0, "findings": 1, "unknown": 1}
    assert {name: found[name] for name in found if name != "checks"} == counts
    with pytest.raises(ValueError, match="has no fix"):
        Check("logging", "app/web/1", "off", "finding")


def test_what_an_update_changes_of_the_stack_itself_is_planned(served: Served) -> None:
    served.create(NAME, served.account.add_load_balancer("web"), ResourceTags="a=b,c=d")
    ran = served.run("plan", "--parameter", "RunToken=7", "--parameter", f"{END}={ENDPOINT}2")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines()[0].startswith(f"An update of {NAME} in account")
    assert "  ~ parameter RunToken: empty -> 7" in ran.out.splitlines()
    assert "https://logs.example.com/… (the hidden part changes)" in ran.out
    ran = served.run("plan", "--parameter", "RunToken=7")
    assert (ran.code, "Nothing to do in buckets, topics" in ran.out) == (1, True)
    found = json.loads(served.run("plan", "--privileges", "documented", "--json").out)
    step = found["changes"][0]
    assert (step["step"], step["subject"]) == ("UpdateStack", f"stack {NAME}")
    assert any("right added: logs:CreateLogGroup on" in line for line in step["diff"])
    ran = served.run("plan", "--stack", NAME, "--parameter", "LogRetentionDays=7")
    assert (ran.code, "  ~ days until logs expire: 30 -> 7" in ran.out) == (1, True)
    assert "<tag>" not in ran.out
    # CloudFormation does not count a space in a list as a change.
    ran = served.run("plan", "--parameter", "ResourceTags=a=b, c=d")
    assert (ran.code, "~" in ran.out) == (0, False)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"])
def test_a_stack_that_was_never_made_is_told_with_one_fix(served: Served, status: str) -> None:
    gone = served.account.add_load_balancer("web").replace("/web/", "/wob/")
    asked = Asked(canonical.dumps(template()), values(gone))
    made = served.sandbox.cloudformation.create(NAME, asked, ("CAPABILITY_IAM",))
    made.status = status
    for more in ((), ("--stack", NAME)):
        found = json.loads(served.run("status", *more, "--region", "us-east-1", "--json").out)
        (check,) = (each for each in found["checks"] if each["verdict"] == "finding")
        assert (check["subject"], check["name"]) == (f"stack {NAME}", "stack status")
        assert check["fix"] == (
            f"Correct that. Delete it: `dt-logs-cfn remove --stack {NAME} --region us-east-1`; then"
            " deploy it again."
        )


def proposed(served: Served, name: str) -> Any:
    """Create a change set for a new stack, and return CloudFormation's client."""
    given = values(served.account.add_load_balancer("web"))
    client = served.client("cloudformation")
    client.create_change_set(
        StackName=NAME,
        ChangeSetName=name,
        ChangeSetType="CREATE",
        TemplateBody=canonical.dumps(template()),
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
    )
    return client


@pytest.mark.parametrize(("name", "code"), [("mine", 3), ("dt-logs-cfn-1", 1)])
def test_a_stack_that_waits_for_a_change_set_is_planned_only_if_that_is_ours(
    served: Served, name: str, code: int
) -> None:
    proposed(served, name)
    ran = served.run("plan", "--load-balancer", "*", *ASKED)
    assert ran.code == code
    if code == 3:
        assert "Another change set, mine, is about to create the stack" in ran.failure
    check, *_ = json.loads(served.run("status", "--json").out)["checks"]
    assert (check["verdict"], check["saw"][:18]) == ("finding", "REVIEW_IN_PROGRESS")


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "a b", "x" * 129])
def test_a_name_that_no_stack_can_have_is_wrong_usage(served: Served, name: str) -> None:
    for command in ("plan", "status", "remove", "deploy"):
        ran = served.run(command, "--stack", name)
        assert (ran.code, ran.out) == (2, "")
        assert "is not a stack name." in ran.err
        assert "\x1b" not in ran.err


def test_a_stack_that_nothing_tells_the_owner_of_is_not_removed(served: Served) -> None:
    cloudformation = proposed(served, "mine")
    waiter = cloudformation.get_waiter("change_set_create_complete")
    waiter.wait(StackName=NAME, ChangeSetName="mine", WaiterConfig={"Delay": 0, "MaxAttempts": 99})
    cloudformation.delete_change_set(StackName=NAME, ChangeSetName="mine")
    failure = served.run("remove", "--yes").failure
    assert "is still empty, and nothing shows who created it." in failure
    assert len(cloudformation.describe_stacks()["Stacks"]) == 1
