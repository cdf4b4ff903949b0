"""`deploy`, against an emulated account over HTTP."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from rehearsal.stacks import given
from support.commands import Runner
from support.drifts import add_statement, log_bucket
from support.emulated import BOTH, ENDPOINT, Emulated

from dt_logs_cfn import __version__
from dt_logs_cfn.commands import deploy, remove
from dt_logs_rehearsal.account.world import Call

NAME = "dt-logs-analysis"
ActAs = Callable[..., None]
PATIENCE = 300  # seconds that a process may take on a busy machine


@pytest.fixture
def run(account: Emulated, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(deploy.configure, deploy.run, capsys)


def options(account: Emulated, *load_balancers: str) -> list[str]:
    """Return the arguments that a first deployment needs."""
    return [
        *("--release", str(account.release), "--role-arn", account.role),
        *("--parameter", "DataTheoremAccountId=999988887777"),
        *("--parameter", f"NotificationEndpoint={ENDPOINT}"),
        *(w for a in load_balancers or account.load_balancers[:1] for w in ("--load-balancer", a)),
    ]


def again(account: Emulated, *more: str) -> list[str]:
    return ["--release", str(account.release), "--yes", *more]


def stack(account: Emulated) -> Any:
    return account.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]


def stacks(account: Emulated) -> list[str]:
    found = account.client("cloudformation").describe_stacks()["Stacks"]
    return [each["StackName"] for each in found if each["StackName"] != "service-role"]


def parameters(account: Emulated) -> dict[str, str]:
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack(account)["Parameters"]}


def logs(account: Emulated, arn: str) -> bool:
    """Return whether a load balancer's access logging is on."""
    found = account.sandbox.account.world.load_balancers[arn].attributes
    return found["access_logs.s3.enabled"] == "true"


def test_a_stack_is_shown_confirmed_made_and_followed(account: Emulated, run: Runner) -> None:
    ran = run.answering("y")(*options(account), "--tag", "team=edge")
    assert (ran.code, ran.failure) == (0, "")
    assert run.asked == ["Go ahead? [y/N]"]
    lines = ran.told.splitlines()
    assert lines[0] == f"create stack {NAME} in account 123456789012, us-east-1"
    assert "    + InvokeLambdaFunction  Custom::DTLogsAnalysis" in lines
    assert "    NotificationEndpoint = https://logs.example.com/…" in lines
    assert [line.split()[1:3] for line in lines if "COMPLETE" in line] == [
        ["CREATE_COMPLETE", "DTLogsAnalysisLambdaLogGroup"],
        ["CREATE_COMPLETE", "DTLogsAnalysisLambdaExecutionRole"],
        ["CREATE_COMPLETE", "DTLogsAnalysisLambdaFunction"],
        ["CREATE_COMPLETE", "InvokeLambdaFunction"],
        ["CREATE_COMPLETE", NAME],
    ]
    assert ran.out.startswith(f"{NAME}: created, CREATE_COMPLETE\n  HandlerSha256     ")
    assert ran.out.endswith(
        f"\nNext: `dt-logs-cfn status --stack {NAME}` checks whether logs flow.\n"
    )
    assert "SECRET" not in ran.told + ran.out
    found = stack(account)
    assert (found["StackStatus"], found["RoleARN"]) == ("CREATE_COMPLETE", account.role)
    assert found["Tags"] == [{"Key": "team", "Value": "edge"}]
    assert logs(account, account.load_balancers[0])


def test_an_update_keeps_what_is_left_out_and_shows_old_and_new(
    account: Emulated, run: Runner
) -> None:
    web, api = account.load_balancers
    run(*options(account), "--yes", "--tag", "team=edge")
    before = parameters(account)
    ran = run(
        *again(account, "--load-balancer", web, "--load-balancer", api),
        *("--parameter", f"NotificationEndpoint={ENDPOINT}2", "--tag", "cost=7"),
    )
    assert (ran.code, ran.failure) == (0, "")
    assert f"    LoadBalancerArns: {web} -> {web},{api}" in ran.told.splitlines()
    hidden = "https://logs.example.com/… -> https://logs.example.com/…"
    assert f"    NotificationEndpoint: {hidden} (the hidden part changes)" in ran.told
    assert "    ~ InvokeLambdaFunction  Custom::DTLogsAnalysis  (LoadBalancerArns" in ran.told
    assert "SECRET" not in ran.told + ran.out
    assert parameters(account) == {
        **before,
        "LoadBalancerArns": f"{web},{api}",
        "NotificationEndpoint": f"{ENDPOINT}2",
    }
    assert stack(account)["RoleARN"] == account.role
    assert sorted(each["Key"] for each in stack(account)["Tags"]) == ["cost", "team"]


NOT_AGREED = (
    "Load balancers would leave the stack, so nothing was changed."
    " Add --allow-removal to --yes, or keep them in the list."
)


def test_load_balancers_are_added_and_removed(account: Emulated, run: Runner) -> None:
    web, api = account.load_balancers
    assert run(*options(account), "--yes").code == 0

    assert run(*again(account, "--add-load-balancer", api)).code == 0
    assert parameters(account)["LoadBalancerArns"] == f"{web},{api}"
    assert (logs(account, web), logs(account, api)) == (True, True)
    before = account.sandbox.account.snapshot()
    ran = run(*again(account, "--remove-load-balancer", web))
    assert (ran.code, ran.out, ran.failure) == (3, "", NOT_AGREED)
    assert ran.told.splitlines() == [
        "These load balancers leave the stack. Data Theorem no longer gets their logs, and the"
        " access logging that the stack turned on stops:",
        f"  {web.partition(':loadbalancer/')[2]}",
    ]
    assert account.sandbox.account.snapshot() == before
    assert parameters(account)["LoadBalancerArns"] == f"{web},{api}"
    wanted = ("--release", str(account.release), "--load-balancer", api)
    assert run(*wanted, "--yes").failure == NOT_AGREED

    ran = run.answering("y")(*wanted)

    assert (ran.code, run.asked) == (0, ["Go ahead? [y/N]"])
    assert ran.told.splitlines()[1] == f"  {web.partition(':loadbalancer/')[2]}"
    assert parameters(account)["LoadBalancerArns"] == api
    assert (logs(account, web), logs(account, api)) == (False, True)
    assert run(*again(account, "--add-load-balancer", web)).code == 0
    removal = ("--remove-load-balancer", web, "--allow-removal")
    assert run(*again(account, *removal)).code == 0
    assert parameters(account)["LoadBalancerArns"] == api


def test_of_every_load_balancer_those_that_leave_are_listed(
    account: Emulated, run: Runner, act_as: ActAs
) -> None:
    web, api = account.load_balancers
    run(*options(account, "*"), "--yes")

    ran = run(*again(account, "--load-balancer", web))

    assert (ran.failure, ran.told.splitlines()[1:]) == (
        NOT_AGREED,
        [f"  {api.partition(':loadbalancer/')[2]}"],
    )
    may = {"Effect": "Allow", "Action": list(RIGHTS), "Resource": "*"}
    act_as(may)
    ran = run(*again(account, "--load-balancer", web))
    assert (ran.failure, ran.told.splitlines()[1:]) == (
        NOT_AGREED,
        ["  every other load balancer in this region (you are not allowed to list them)"],
    )
    assert (logs(account, web), logs(account, api)) == (True, True)


def test_load_balancer_that_was_left_out_is_named_and_fails(account: Emulated, run: Runner) -> None:
    account.sandbox.account.add_bucket("kms", kms=True)
    api = account.sandbox.account.add_load_balancer("kms", bucket="kms")
    name = api.partition(":loadbalancer/")[2]

    ran = run(*options(account, "*"), "--yes")

    assert (ran.code, ran.failure) == (1, "")
    lines = ran.out.splitlines()
    assert lines[0] == f"{NAME}: created, CREATE_COMPLETE"
    (told,) = (line for line in lines if line.startswith("  NotOnboarded "))
    assert told.startswith(f"  NotOnboarded      {name}: Bucket kms encrypts with aws:kms")
    assert lines[-2] == "Some load balancers were not onboarded: NotOnboarded, above, says why."
    assert run(*again(account)).code == 1


def test_what_stops_logs_is_a_warning_and_fails(account: Emulated, run: Runner) -> None:
    inside = account.sandbox.account
    log_bucket(inside, "named-logs")
    web = inside.add_load_balancer("other", bucket="named-logs")
    assert run(*options(account, web), "--yes").code == 0
    before = inside.s3.get_bucket_policy(Bucket="named-logs")["Policy"]
    deny = {"Sid": "OursAlone", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    add_statement(inside, "named-logs", {**deny, "Resource": "arn:aws:s3:::named-logs/*"})

    ran = run(*again(account, "--parameter", "RunToken=2"))

    assert (ran.code, ran.failure) == (1, "")
    *_, warning, status = lines = ran.out.splitlines()
    assert warning == "WARNING: logs may not flow: Warnings, above, says why."
    (told,) = (line for line in lines if line.startswith("  Warnings          app/other/"))
    assert "Statement OursAlone of the policy of bucket named-logs denies" in told
    assert "OursAlone" not in ran.out.replace(told, "")
    assert status == f"Next: `dt-logs-cfn status --stack {NAME}` shows what to fix."

    inside.s3.put_bucket_policy(Bucket="named-logs", Policy=before)
    for change in ((), ("--tag", "team=edge")):  # neither change runs the function
        ran = run(*again(account, *change))

        assert (ran.code, ran.failure) == (0, "")
        *_, warning, status = ran.out.splitlines()
        assert warning.startswith("The function did not run, so Warnings is from its last run.")
        assert re.search(r" The stack last changed on 20\d\d-\d\d-\d\d at \d\d:\d\d UTC", warning)
        assert status.endswith("` checks whether logs flow.")


def test_what_only_stays_behind_is_a_note_and_fine(account: Emulated, run: Runner) -> None:
    assert run(*options(account), "--privileges", "documented", "--yes").code == 0
    account.sandbox.account.add_bucket("other-logs")

    ran = run(*again(account, "--parameter", "LogBucketName=other-logs"))

    assert (ran.code, ran.failure) == (0, "")
    (told,) = (line for line in ran.out.splitlines() if line.startswith("  Warnings "))
    assert told.startswith("  Warnings          Note: topic arn:aws:sns:")
    assert "WARNING" not in ran.out


def test_nothing_to_do_is_said_and_fine(account: Emulated, run: Runner) -> None:
    run(*options(account), "--yes")
    ran = run(*again(account))
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{NAME}: nothing to do, CREATE_COMPLETE")
    found = json.loads(run(*again(account, "--json")).out)
    assert (found["result"], found["outputs"]["TemplateVersion"]) == ("unchanged", __version__)
    cfn = account.client("cloudformation")
    left = cfn.list_change_sets(StackName=NAME)["Summaries"]
    assert [each["ExecutionStatus"] for each in left] == ["EXECUTE_COMPLETE"]


def test_each_item_of_a_list_has_its_line(account: Emulated, run: Runner) -> None:
    run(*options(account), "--yes")
    found = account.sandbox.cloudformation.stacks[stack(account)["StackId"]]
    json_fix = 'add {"Bool":{"a":"b"},"Null":{"c":["d","e"]}} to it, then run the stack again'
    found.outputs["Warnings"] = f"app/web/1 stays: {json_fix},Note: bucket b stays,… and 2 more"

    lines = run(*again(account)).out.splitlines()

    at = next(number for number, line in enumerate(lines) if line.startswith("  Warnings "))
    assert lines[at : at + 3] == [
        f"  Warnings          app/web/1 stays: {json_fix}",
        "                    Note: bucket b stays",
        "                    … and 2 more",
    ]


def test_another_role_is_used_only_with_an_update(account: Emulated, run: Runner) -> None:
    run(*options(account), "--yes")
    iam, (name, role) = account.client("iam"), (account.role.rpartition("/")[2], "dt-logs-other")
    document = json.dumps(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
    other = iam.create_role(RoleName=role, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    for each in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        policy = iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
        iam.put_role_policy(RoleName=role, PolicyName=each, PolicyDocument=json.dumps(policy))

    ran = run(*again(account, "--role-arn", other))

    command = f"dt-logs-cfn deploy --stack {NAME} --parameter RunToken=1 --role-arn {other}"
    assert (ran.code, stack(account)["RoleARN"]) == (1, account.role)
    assert (
        f"The stack keeps its service role, {account.role}, because CloudFormation changes it only"
        f" with an update. To change it: `{command}`."
    ) in ran.out.splitlines()
    assert run(*again(account, "--role-arn", account.role)).code == 0

    ran = run(*again(account, "--parameter", "RunToken=1", "--role-arn", other))

    assert (ran.code, stack(account)["RoleARN"]) == (0, other)
    assert f"  through   {other}" in ran.told.splitlines()


def test_a_stack_keeps_its_privileges_unless_told_otherwise(account: Emulated, run: Runner) -> None:
    assert run(*options(account), "--privileges", "documented", "--yes").code == 0

    ran = run(*again(account))

    assert (ran.code, "nothing to do" in ran.out) == (0, True)
    ran = run(*again(account, "--parameter", "RunToken=a\x9b31m"))
    assert (ran.code, "documented" in ran.told) == (0, True)
    ran = run(*again(account, "--privileges", "least-privilege", "--parameter", "RunToken=c"))
    assert (ran.code, "\x9b" in ran.told) == (0, False)


def test_a_stack_that_another_client_made_is_updated(account: Emulated, run: Runner) -> None:
    account.create_stack(wait=False)
    ran = run(*again(account, "--parameter", "RunToken=2"))  # the stack is still being created
    assert (ran.code, ran.failure) == (0, "")
    assert f"Stack {NAME} is being changed (CREATE_IN_PROGRESS); following that first." in ran.told
    assert "RunToken: empty -> 2" in ran.told
    assert stack(account)["StackStatus"] == "UPDATE_COMPLETE"


def test_a_failure_tells_the_function_s_own_reason_first(account: Emulated, run: Runner) -> None:
    gone = account.load_balancers[0].replace("/web/", "/wob/")
    ran = run(*options(account, gone), "--yes")
    assert ran.code == 3
    assert ran.failure.startswith("InvokeLambdaFunction failed: ")
    assert "Load balancer app/wob/00000001d82c4000 does not exist." in ran.failure
    assert ran.failure.endswith(
        f" The stack {NAME} is in ROLLBACK_COMPLETE. Correct that. Delete it: `dt-logs-cfn remove"
        f" --stack {NAME}`; then deploy it again."
    )
    assert "RequestId" not in ran.failure
    second = run(*options(account), "--yes")
    assert second.failure == (
        f"The stack {NAME} is in ROLLBACK_COMPLETE and cannot be updated. Delete it:"
        f" `dt-logs-cfn remove --stack {NAME}`; then deploy it again."
    )


def test_a_failed_update_goes_back_and_says_why(account: Emulated, run: Runner) -> None:
    run(*options(account), "--yes")
    gone = account.load_balancers[0].replace("/web/", "/wob/")
    ran = run(*again(account, "--load-balancer", gone, "--allow-removal"))
    assert ran.failure.startswith("InvokeLambdaFunction failed: ")
    assert ran.failure.endswith(
        f"The stack {NAME} is in UPDATE_ROLLBACK_COMPLETE. Correct that, and deploy again."
    )
    assert run(*again(account)).code == 0
    for status, fix in (
        ("ROLLBACK_FAILED", f"Delete it: `dt-logs-cfn remove --stack {NAME}`"),
        ("DELETE_FAILED", f"Delete it: `dt-logs-cfn remove --stack {NAME}`"),
        ("UPDATE_ROLLBACK_FAILED", f"continue-update-rollback --stack-name {NAME}"),
    ):
        for each in account.sandbox.cloudformation.stacks.values():
            if each.name == NAME:
                each.status = status
        ran = run(*again(account))
        assert ran.failure.startswith(f"The stack {NAME} is in {status} and cannot be updated. ")
        assert fix in ran.failure


def test_a_template_is_taken_by_url_only_if_it_is_this_release_s(
    account: Emulated, run: Runner, tmp_path: Path
) -> None:
    good = account.template()
    (tmp_path / "good.json").write_text(good)
    (tmp_path / "bad.json").write_text(good.replace('"Timeout":900', '"Timeout":899'))
    folder = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), folder) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        more = [*options(account)[2:], "--yes", "--template-url"]
        ran = run(*more, f"{url}/bad.json?X-Amz-Signature=SECRET")
        assert ran.failure.startswith(
            f"{url}/bad.json differs from the template that this release builds: "
            "Resources/DTLogsAnalysisLambdaFunction/Properties/Timeout changed."
        )
        assert stacks(account) == []
        other = run(*more, f"{url}/good.json", "--privileges", "documented")
        assert "has least-privilege privileges, not documented" in other.failure
        assert run(*more, f"{url}/good.json").code == 0
        server.shutdown()


def test_what_is_wrong_is_told_before_anything_is_asked_of_aws(
    account: Emulated, run: Runner
) -> None:
    before = len(account.sandbox.calls)
    wrong = "LogRetentionDays '0' is not valid. It takes 1 to 36500."
    ran = run(*options(account), "--yes", "--parameter", "LogRetentionDays=0")
    assert (ran.code, ran.out, ran.failure) == (2, "", wrong)
    ran = run(*options(account), "--yes", "--role-arn", f"'{account.role}'")
    assert ran.failure == f"\"'{account.role}'\" contains quotes or blanks. Give {account.role}."
    ran = run(*options(account), "--yes", "--role-arn", "role/x")
    assert (ran.code, ran.out) == (2, "")
    assert ran.failure == (
        "'role/x' is not the ARN of a role. Give the service role's: arn:…:iam::ACCOUNT:role/NAME."
    )
    assert len(account.sandbox.calls) == before


def test_a_wrong_region_and_a_folder_of_releases_are_told_with_the_right_ones(
    account: Emulated, run: Runner
) -> None:
    arn = account.load_balancers[0]
    ran = run(*options(account), "--yes", "--region", "eu-west-1")
    assert ran.failure == (
        f"'{arn}' is in us-east-1, but you work in eu-west-1. Give --region us-east-1."
    )
    ran = run(*options(account)[2:], "--yes", "--release", str(account.release.parent))
    assert ran.failure.endswith(f"is not the folder of a release. Give {account.release}.")


RIGHTS = (
    "cloudformation:CreateChangeSet",
    "cloudformation:DeleteChangeSet",
    "cloudformation:DeleteStack",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStacks",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:GetTemplate",
    "cloudformation:ListChangeSets",
)


def test_the_rights_that_the_guide_names_are_enough_and_needed(
    account: Emulated, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}/*"
    credentials = account.person(
        {"Effect": "Allow", "Action": list(RIGHTS), "Resource": here},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": account.role},
    )
    for name, value in credentials.items():
        monkeypatch.setenv(name.upper(), value)
    ran = run.answering("no")(*options(account))
    assert (ran.code, ran.out, "create stack" in ran.told) == (3, "", True)
    assert ran.failure.startswith("It was not confirmed, so nothing was changed.")
    account.sandbox.cloudformation.join()
    assert stacks(account) == []
    assert run(*options(account), "--yes").code == 0
    assert run(*again(account, "--parameter", "RunToken=2")).code == 0
    asked = {
        f"{each.service}:{each.operation}"
        for each in account.sandbox.calls
        if each.caller == "person" and each.service != "sts"
    }
    assert asked == set(RIGHTS)
    text = (Path(__file__).parents[2] / "docs" / "customer.md").read_text("utf-8")
    assert all(f"`{each.partition(':')[2]}`" in text for each in RIGHTS)


def review(account: Emulated, name: str) -> None:
    """Let another client create a change set for a stack that does not exist yet."""
    account.client("cloudformation").create_change_set(
        StackName=NAME,
        ChangeSetName=name,
        ChangeSetType="CREATE",
        TemplateBody=account.template(),
        Capabilities=list(BOTH),
        Parameters=given(
            LoadBalancerArns="*",
            DataTheoremAccountId="999988887777",
            NotificationEndpoint=ENDPOINT,
        ),
    )


def test_a_stack_that_an_earlier_deploy_left_for_review_is_made_or_removed(
    account: Emulated, run: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    review(account, "dt-logs-cfn-of-before")
    ran = Runner(remove.configure, remove.run, capsys)("--yes")
    assert (ran.code, ran.out) == (0, f"{NAME}: deleted, and the account is clean\n")
    assert stacks(account) == []
    review(account, "dt-logs-cfn-of-before")
    assert run.answering("no")(*options(account)).code == 3
    assert stack(account)["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert run(*options(account), "--yes").code == 0
    assert stack(account)["StackStatus"] == "CREATE_COMPLETE"


def test_a_stack_that_somebody_else_is_about_to_make_is_left_alone(
    account: Emulated, run: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    review(account, "mine")
    removal = Runner(remove.configure, remove.run, capsys)
    for ran in (run(*options(account), "--yes"), removal("--yes")):
        assert ran.failure == (
            f"Another change set, mine, is about to create the stack {NAME}. Execute or delete it"
            " first, or choose another name with --stack."
        )
    assert stack(account)["StackStatus"] == "REVIEW_IN_PROGRESS"
    (left,) = account.client("cloudformation").list_change_sets(StackName=NAME)["Summaries"]
    assert left["ChangeSetName"] == "mine"


def test_who_is_overtaken_by_another_change_is_told(account: Emulated, run: Runner) -> None:
    run(*options(account), "--yes")
    cfn = account.client("cloudformation")

    def overtaking(call: Call) -> None:
        if call.operation == "ExecuteChangeSet":
            account.sandbox.endpoint.before = lambda call: None
            (waiting,) = [
                each["ChangeSetName"]
                for each in cfn.list_change_sets(StackName=NAME)["Summaries"]
                if each["ExecutionStatus"] == "AVAILABLE"
            ]
            cfn.delete_change_set(StackName=NAME, ChangeSetName=waiting)

    account.sandbox.endpoint.before = overtaking
    ran = run(*again(account, "--parameter", "RunToken=2"))
    assert ran.failure == (
        f"Another change to stack {NAME} ran first and replaced this one. Run the same"
        " command again to see the remaining changes."
    )


def process(account: Emulated, *more: str, **how: Any) -> subprocess.Popen[bytes]:
    """Begin to deploy in a process."""
    command = [sys.executable, "-m", "dt_logs_cfn", "deploy", *options(account), *more]
    pipe = subprocess.PIPE
    environment = {**account.environment, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, env=environment, **{"stdout": pipe, "stderr": pipe, **how})


def interrupted(process: subprocess.Popen[bytes], text: bytes) -> str:
    """Send an interrupt once a process has shown a text, and return what it still shows."""
    assert process.stderr is not None
    told = b""
    while text not in told:
        told += os.read(process.stderr.fileno(), 65536)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, b"")
    return err.decode()


def test_an_interrupt_leaves_the_stack_going_on_and_says_how_to_follow(account: Emulated) -> None:
    over = Event()

    def before(call: Call) -> None:
        """Hold the creation, because on a busy machine it might end before the interrupt."""
        if call.operation == "CreateRole":
            over.wait(PATIENCE)

    account.sandbox.endpoint.before = before
    err = interrupted(process(account, "--yes"), b"CREATE_IN_PROGRESS")
    over.set()
    assert "The stack continues by itself." in err
    assert "`aws cloudformation describe-stack-events --stack-name arn:aws:cloudformation:" in err
    assert "Traceback" not in err
    account.sandbox.cloudformation.join()
    assert stack(account)["StackStatus"] == "CREATE_COMPLETE"


def unread(account: Emulated, *more: str, stdin: int = subprocess.DEVNULL) -> int:
    """Deploy with a closed pipe as the output, and return the exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return process(account, *more, stdin=stdin, stdout=writer, stderr=writer).wait()
    finally:
        os.close(writer)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Yield a keyboard to write to, and the terminal that it belongs to."""
    keyboard, terminal = os.openpty()
    yield keyboard, terminal
    os.close(keyboard)
    os.close(terminal)


def test_a_stack_is_followed_to_its_end_without_a_reader(account: Emulated) -> None:
    assert unread(account, "--yes") == 0
    assert stack(account)["StackStatus"] == "CREATE_COMPLETE"


def test_a_question_that_nobody_sees_is_not_asked(
    account: Emulated, terminal: tuple[int, int]
) -> None:
    keyboard, stdin = terminal
    os.write(keyboard, b"y\n")
    assert unread(account, stdin=stdin) == 3
    account.sandbox.cloudformation.join()
    assert stacks(account) == []


def test_what_is_told_goes_nowhere_else_where_stderr_is_closed(account: Emulated) -> None:
    words = shlex.join(["-m", "dt_logs_cfn", "deploy", *options(account), "--yes", "--json"])
    done = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} {words} 2>&-"],
        env=account.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, json.loads(done.stdout)["result"]) == (0, "created")


def test_ctrl_c_at_the_question_says_that_nothing_was_changed(
    account: Emulated, terminal: tuple[int, int]
) -> None:
    _, stdin = terminal
    err = interrupted(process(account, stdin=stdin), b"Go ahead? [y/N] ")
    assert err.splitlines() == [
        "",
        "It was not confirmed, so nothing was changed.",
        "dt-logs-cfn: interrupted",
    ]
    account.sandbox.cloudformation.join()
    assert stacks(account) == []
