"""`status` and `plan --stack` for stacks in an account behind an endpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from operating.accounts import ASKED, Served, denies, template, values
from support.drifts import add_statement, announce, document
from support.events import ENDPOINT, SECRET

from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.commands.status import data, told
from dt_logs_cfn.errors import OperatingError
from dt_logs_cfn.operate.stacks.deploying import settled
from dt_logs_cfn.operate.stacks.removing import remove
from dt_logs_cfn.operate.status.seen import Check
from dt_logs_handler.names import load_balancer_name

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
NAME, END = "dt-logs-analysis", "NotificationEndpoint"
AT = "account 123456789012, us-east-1"
OFF = Check("logging", "app/web/1", "access logs are off", "finding", "Onboard it.")
FINE = Check("encryption", "app/web/1", "AES256", "ok")
UNREAD = Check("organisation's policies", "account", "not readable", "unknown", "Ask.")


def test_a_stack_that_works_and_what_is_changed_then(served: Served) -> None:
    arn = served.account.add_load_balancer("web")
    made = served.create(NAME, arn)
    bucket = made.outputs["LogBuckets"]
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

    # An endpoint has an hour to confirm.
    (subscription,) = served.account.world.subscriptions.values()
    subscription.confirmed = False
    ran = served.run("status")
    assert (ran.code, "  waiting  subscription " in ran.out) == (0, True)
    assert served.run("status", "--strict").code == 1
    subscription.confirmed = True

    announce(served.account, bucket, {})
    found = json.loads(served.run("status", "--json").out)
    findings = [e for e in found["checks"] if e["verdict"] == "finding"]
    assert found["findings"] == 2
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

    # Somebody else's policy may hold tokens.
    sid = f"https://u:{SECRET}@h.example.com/{SECRET}?t={SECRET}"
    unjudged = {"StringEquals": {"aws:PrincipalTag/a": "b"}}
    deny = denies("s3:GetObject", bucket, Sid=sid, Condition=unjudged)
    add_statement(served.account, bucket, deny)
    ran, found = served.run("status"), json.loads(served.run("status", "--json").out)
    saw = "statement https://h.example.com/… denies reading, under a condition"
    assert (ran.code, saw in ran.out) == (1, True)
    assert f"access logs go to s3://{bucket}/" in ran.out
    assert any(saw in each["saw"] for each in found["checks"])

    for status, fix in (
        ("ROLLBACK_FAILED", f"`dt-logs-cfn remove --stack {NAME}`"),
        ("UPDATE_ROLLBACK_FAILED", f"continue-update-rollback --stack-name {NAME}"),
        ("UPDATE_IN_PROGRESS", "Wait until it is done"),
    ):
        made.status = status
        failure = served.run("plan", "--stack", NAME).refusal
        assert failure.startswith(f"The stack {NAME} is in {status} and cannot be updated. ")
        assert fix in failure
    made.status = "UPDATE_COMPLETE"
    served.sandbox.cloudformation.begin_delete(made)()
    assert served.run("status", "--stack", made.id).refusal == (
        f"The stack {NAME} is deleted. Check load balancers with --load-balancer, or name"
        " another stack."
    )


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


NONE = "There is no stack of Data Theorem's Logs Analysis in"
PLAN = "To onboard load balancers there, start with `dt-logs-cfn plan --load-balancer '*'"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", f"{NONE} {AT}. {PLAN}`; for another place,"),
        (
            "--region eu-west-1",
            f"{NONE} account 123456789012, eu-west-1. {PLAN} --region eu-west-1`",
        ),
        (
            f"--load-balancer {ARN} --region eu-west-1",
            f"'{ARN}' is in us-east-1, but you work in eu-west-1. Give --region us-east-1.",
        ),
        ("--load-balancer *", "There is no application load balancer in this account"),
        ("--stack nope", "There is no stack nope in this account and region."),
    ],
)
def test_what_is_not_there_is_told(served: Served, arguments: str, told: str) -> None:
    assert served.run("status", *arguments.split()).refusal.startswith(told)


def test_wrong_usage(served: Served) -> None:
    for arn in ("web", ARN.replace("/app/", "/net/"), f'"{ARN}"'):
        ran = served.run("status", "--load-balancer", arn)
        assert (ran.code, ran.out) == (2, "")
        assert f"{arn!r} is not the ARN of an application load balancer. Give one like" in ran.err
    for name in ("", "a\x1b[2J", "a b", "x" * 129):
        for command in ("plan", "status", "remove", "deploy"):
            ran = served.run(command, "--stack", name)
            assert (ran.code, ran.out) == (2, "")
            assert "is not a stack name." in ran.err
            assert "\x1b" not in ran.err


ROLE = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document()}}
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
    client, lines = served.emulated.client("cloudformation"), list[str]()
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
        assert served.run(*command, "--stack", NAME).refusal.startswith(told)
    assert served.run("status").refusal.startswith("There is no stack of Data Theorem's")
    (stack,) = served.sandbox.cloudformation.stacks.values()
    stack.status = "UPDATE_IN_PROGRESS"
    operator = Operator(tell=lines.append, sleep=lambda seconds: pytest.fail("it is followed"))
    nothing: Any = None  # without clients, because `remove` must not read the account
    with pytest.raises(OperatingError, match=told):
        settled(client, NAME, operator)
    with pytest.raises(OperatingError, match=told):
        remove(client, nothing, NAME, operator)
    assert lines == []


def test_credentials_that_have_expired_or_are_unknown(served: Served) -> None:
    """`tests/cli/test_sdk.py` tests failures that the SDK's settings cause."""
    served.sandbox.endpoint.expire(served.emulated.credentials)
    for failure in (
        "The credentials have expired. Sign in",
        "AWS does not know the credentials (InvalidClientTokenId).",
    ):
        for command in (("status",), ("plan", *ASKED)):
            ran = served.run(*command, "--load-balancer", "*")
            assert ran.refusal.startswith(failure)
        served.shell.setenv("AWS_ACCESS_KEY_ID", "ASIAUNKNOWN")


def test_a_stack_that_nothing_tells_the_owner_of_is_not_removed(served: Served) -> None:
    cloudformation, change_set = served.emulated.client("cloudformation"), {"StackName": NAME}
    change_set["ChangeSetName"] = "mine"
    body, capabilities = json.dumps({"Resources": {"Role": ROLE}}), ["CAPABILITY_IAM"]
    cloudformation.create_change_set(
        **change_set, ChangeSetType="CREATE", TemplateBody=body, Capabilities=capabilities
    )
    waiter = cloudformation.get_waiter("change_set_create_complete")
    waiter.wait(**change_set, WaiterConfig={"Delay": 0, "MaxAttempts": 99})
    cloudformation.delete_change_set(**change_set)
    failure = served.run("remove", "--yes").refusal
    assert "is still empty, and nothing shows who created it." in failure
    assert len(cloudformation.describe_stacks()["Stacks"]) == 1


def test_checks_are_grouped_aligned_and_counted() -> None:
    found = [OFF, FINE, UNREAD]
    assert told(found, AT).splitlines() == [
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
    counts = {"ok": 1, "waiting": 0, "findings": 1, "unknown": 1}
    assert data(found) == {"checks": [asdict(each) for each in found], **counts}
    lines = told([replace(OFF, verdict="waiting"), FINE], AT).splitlines()
    assert lines[1].startswith("  waiting  logging ")
    assert lines[-1] == f"2 checks in {AT}: 1 ok, 1 waiting, no findings, 0 unknown."
    with pytest.raises(ValueError, match="has no fix"):
        replace(OFF, fix="")

    # Equal checks of many subjects are shown once.
    off = [replace(OFF, subject=f"app/web/{number}") for number in range(30)]
    fine = [replace(FINE, subject=f"app/api/{number}") for number in range(30)]
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

    # A text from AWS is shown on one line and cut, but is complete in the data.
    check = replace(OFF, saw=f"{ENDPOINT} {'x' * 3000}", fix=ENDPOINT)
    lines, whole = told([check], "here").splitlines(), str(data([check]))
    assert "  https://logs.example.com/… xxx" in lines[1]
    assert len(lines[1]) < 1600
    assert ("x" * 3000 in whole, SECRET in "".join((*lines, whole))) == (True, False)
    shown = told([replace(OFF, saw="off\x1b[2J\u202e", fix="See \x1b[8m.")], "here")
    assert ("finding  logging  off [2J\n" in shown, "\x1b" in shown) == (True, False)
