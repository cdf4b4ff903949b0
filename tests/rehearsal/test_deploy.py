"""`deploy`, against an emulated account over HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from rehearsal.shell import Shell
from rehearsal.stacks import given
from support.drifts import EVERYTHING, add_statement, log_bucket
from support.emulated import BOTH, ENDPOINT
from support.emulated import STACK as NAME

from dt_logs_cfn import __version__
from dt_logs_cfn.commands import deploy
from dt_logs_handler.names import load_balancer_name
from dt_logs_rehearsal.account.world import Call

PATIENCE = 300  # seconds that a process may take on a busy machine


def outputs(out: str, name: str) -> list[str]:
    """Return the lines that show an output; the first one begins with the output's name."""
    lines = out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(f"  {name} "))
    rest = (line for line in lines[at + 1 :] if not line.startswith(" " * 20))
    return lines[at : lines.index(next(rest))]


def test_a_stack_is_shown_confirmed_made_updated_and_then_left_alone(shell: Shell) -> None:
    web, api = shell.emulated.load_balancers
    assert shell.deploy(*shell.first(), answers=["no"]).failure.startswith("It was not confirmed")
    assert shell.stacks() == []
    ran = shell.deploy(*shell.first(), "--tag", "team=edge", answers=["y"])
    assert (ran.code, ran.failure) == (0, "")
    assert shell.asked == ["Go ahead? [y/N]"] * 2
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
    found, before = shell.stack(), shell.parameters()
    assert (found["StackStatus"], found["RoleARN"]) == ("CREATE_COMPLETE", shell.emulated.role)
    assert found["Tags"] == [{"Key": "team", "Value": "edge"}]
    assert shell.logs() == [True, False]

    ran = shell.deploy(
        *("--load-balancer", web, "--load-balancer", api, "--tag", "cost=7"),
        *("--parameter", f"NotificationEndpoint={ENDPOINT}2"),
    )

    assert (ran.code, ran.failure) == (0, "")
    assert f"    LoadBalancerArns: {web} -> {web},{api}" in ran.told.splitlines()
    hidden = "https://logs.example.com/… -> https://logs.example.com/…"
    assert f"    NotificationEndpoint: {hidden} (the hidden part changes)" in ran.told
    assert "    ~ InvokeLambdaFunction  Custom::DTLogsAnalysis  (LoadBalancerArns" in ran.told
    changed = {"LoadBalancerArns": f"{web},{api}", "NotificationEndpoint": f"{ENDPOINT}2"}
    assert shell.parameters() == {**before, **changed}
    assert shell.stack()["RoleARN"] == shell.emulated.role
    assert sorted(each["Key"] for each in shell.stack()["Tags"]) == ["cost", "team"]

    stack = shell.emulated.sandbox.cloudformation.stacks[found["StackId"]]
    json_fix = 'add {"Bool":{"a":"b"},"Null":{"c":["d","e"]}} to it, then run the stack again'
    stack.outputs["Warnings"] = f"app/web/1 stays: {json_fix},Note: bucket b stays,… and 2 more"
    ran = shell.deploy()
    assert (ran.code, ran.out.splitlines()[0]) == (0, f"{NAME}: nothing to do, UPDATE_COMPLETE")
    assert outputs(ran.out, "Warnings") == [
        f"  Warnings          app/web/1 stays: {json_fix}",
        "                    Note: bucket b stays",
        "                    … and 2 more",
    ]
    data = json.loads(shell.deploy("--json").out)
    assert (data["result"], data["outputs"]["TemplateVersion"]) == ("unchanged", __version__)
    left = shell.emulated.client("cloudformation").list_change_sets(StackName=NAME)["Summaries"]
    assert {each["ExecutionStatus"] for each in left} == {"EXECUTE_COMPLETE"}


LEAVE = (
    "These load balancers leave the stack. Data Theorem no longer gets their logs, and the access"
    " logging that the stack turned on stops:"
)
NOT_AGREED = (
    "Load balancers would leave the stack, so nothing was changed."
    " Add --allow-removal to --yes, or keep them in the list."
)


def test_load_balancers_that_would_leave_are_listed_and_leave_only_if_agreed(shell: Shell) -> None:
    web, api = shell.emulated.load_balancers
    names = [f"  {load_balancer_name(each)}" for each in (web, api)]

    def refused(*argv: str) -> list[str]:
        """Check that `deploy` refuses and changes nothing; return the lines before the refusal."""
        before = shell.account.snapshot(), shell.parameters()
        ran = shell.deploy(*argv)
        assert (ran.code, ran.out, ran.failure) == (3, "", NOT_AGREED)
        assert (shell.account.snapshot(), shell.parameters()) == before
        return ran.told.splitlines()

    shell.deploy(*shell.first("*"))
    assert refused("--load-balancer", web) == [LEAVE, names[1]]
    shell.deploy("--load-balancer", web, "--allow-removal")
    assert (shell.parameters()["LoadBalancerArns"], shell.logs()) == (web, [True, False])
    assert shell.deploy("--add-load-balancer", api).code == 0
    assert (shell.parameters()["LoadBalancerArns"], shell.logs()) == (f"{web},{api}", [True] * 2)
    assert refused("--remove-load-balancer", web) == [LEAVE, names[0]]

    ran = shell.deploy("--load-balancer", api, answers=["y"])

    assert (ran.code, shell.asked, ran.told.splitlines()[1]) == (0, ["Go ahead? [y/N]"], names[0])
    assert (shell.parameters()["LoadBalancerArns"], shell.logs()) == (api, [False, True])
    shell.deploy("--load-balancer", "*")
    shell.act_as({"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"})
    unnamed = "  every other load balancer in this region (you are not allowed to list them)"
    assert shell.deploy("--load-balancer", web).told.splitlines()[1:] == [unnamed]
    assert shell.logs() == [True, True]


def test_load_balancer_that_was_left_out_is_named_and_fails(shell: Shell) -> None:
    shell.account.add_bucket("kms", kms=True)
    name = load_balancer_name(shell.account.add_load_balancer("kms", bucket="kms"))

    ran = shell.deploy(*shell.first("*"))

    assert (ran.code, ran.failure) == (1, "")
    lines = ran.out.splitlines()
    assert lines[0] == f"{NAME}: created, CREATE_COMPLETE"
    (told,) = outputs(ran.out, "NotOnboarded")
    assert told.startswith(f"  NotOnboarded      {name}: Bucket kms encrypts with aws:kms")
    assert lines[-2] == "Some load balancers were not onboarded: NotOnboarded, above, says why."
    assert shell.deploy().code == 1


def test_what_stops_logs_is_a_warning_and_fails(shell: Shell) -> None:
    log_bucket(shell.account, "named-logs")
    web = shell.account.add_load_balancer("other", bucket="named-logs")
    assert shell.deploy(*shell.first(web)).code == 0
    before = shell.account.s3.get_bucket_policy(Bucket="named-logs")["Policy"]
    deny = {"Sid": "OursAlone", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject"}
    add_statement(shell.account, "named-logs", {**deny, "Resource": "arn:aws:s3:::named-logs/*"})

    ran = shell.deploy("--parameter", "RunToken=2")

    assert (ran.code, ran.failure) == (1, "")
    *_, warning, status = ran.out.splitlines()
    assert warning == "WARNING: logs may not flow: Warnings, above, says why."
    told = outputs(ran.out, "Warnings")[0]
    assert told.startswith("  Warnings          app/other/")
    assert "Statement OursAlone of the policy of bucket named-logs denies" in told
    assert "OursAlone" not in ran.out.replace(told, "")
    assert status == f"Next: `dt-logs-cfn status --stack {NAME}` shows what to fix."

    shell.account.s3.put_bucket_policy(Bucket="named-logs", Policy=before)
    for change in ((), ("--tag", "team=edge")):  # neither change runs the function
        ran = shell.deploy(*change)

        assert (ran.code, ran.failure) == (0, "")
        *_, warning, status = ran.out.splitlines()
        assert warning.startswith("The function did not run, so Warnings is from its last run.")
        assert re.search(r" The stack last changed on 20\d\d-\d\d-\d\d at \d\d:\d\d UTC", warning)
        assert status.endswith("` checks whether logs flow.")


def test_privileges_stay_unless_told_otherwise_and_what_stays_behind_is_fine(shell: Shell) -> None:
    assert shell.deploy(*shell.first(), "--privileges", "documented").code == 0
    shell.account.add_bucket("other-logs")

    ran = shell.deploy("--parameter", "LogBucketName=other-logs")

    assert (ran.code, ran.failure) == (0, "")
    (told,) = outputs(ran.out, "Warnings")
    assert told.startswith("  Warnings          Note: the unused topic arn:aws:sns:")
    assert "WARNING" not in ran.out
    ran = shell.deploy("--parameter", "RunToken=a\x9b31m")
    assert (ran.code, "documented" in ran.told) == (0, True)
    ran = shell.deploy("--privileges", "least-privilege", "--parameter", "RunToken=c")
    assert (ran.code, "\x9b" in ran.told) == (0, False)


def test_another_role_is_used_only_with_an_update(shell: Shell) -> None:
    shell.deploy(*shell.first())
    mine, iam = shell.emulated.role, shell.emulated.client("iam")
    trust = iam.get_role(RoleName=mine.rpartition("/")[2])["Role"]["AssumeRolePolicyDocument"]
    other = iam.create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps(trust))
    other = other["Role"]["Arn"]
    allowed = {"RoleName": "other", "PolicyName": "p", "PolicyDocument": json.dumps(EVERYTHING)}
    iam.put_role_policy(**allowed)

    ran = shell.deploy("--role-arn", other)

    command = f"dt-logs-cfn deploy --stack {NAME} --parameter RunToken=1 --role-arn {other}"
    assert (ran.code, shell.stack()["RoleARN"]) == (1, mine)
    assert (
        f"The stack keeps its service role, {mine}, because CloudFormation changes it only"
        f" with an update. To change it: `{command}`."
    ) in ran.out.splitlines()
    assert shell.deploy("--role-arn", mine).code == 0

    ran = shell.deploy("--parameter", "RunToken=1", "--role-arn", other)

    assert (ran.code, shell.stack()["RoleARN"]) == (0, other)
    assert f"  through   {other}" in ran.told.splitlines()


def test_a_stack_that_another_client_made_is_followed_and_updated(shell: Shell) -> None:
    shell.emulated.create_stack(wait=False)
    ran = shell.deploy("--parameter", "RunToken=2")  # the stack is still being created
    assert (ran.code, ran.failure) == (0, "")
    assert f"Stack {NAME} is being changed (CREATE_IN_PROGRESS); following that first." in ran.told
    assert "RunToken: empty -> 2" in ran.told
    assert shell.status() == "UPDATE_COMPLETE"


DELETE_IT = f"Delete it: `dt-logs-cfn remove --stack {NAME}`"


def test_a_failure_tells_the_function_s_own_reason_and_what_to_do(shell: Shell) -> None:
    gone = shell.web.replace("/web/", "/wob/")
    ran = shell.deploy(*shell.first(gone))
    assert (ran.code, "RequestId" in ran.failure) == (3, False)
    assert ran.failure.startswith("InvokeLambdaFunction failed: ")
    assert "Load balancer app/wob/00000001d82c4000 does not exist." in ran.failure
    assert ran.failure.endswith(
        f" The stack {NAME} is in ROLLBACK_COMPLETE. Correct that. {DELETE_IT}; then deploy it"
        " again."
    )
    assert shell.deploy(*shell.first()).failure == (
        f"The stack {NAME} is in ROLLBACK_COMPLETE and cannot be updated. {DELETE_IT}; then deploy"
        " it again."
    )
    assert shell.remove().code == 0
    shell.deploy(*shell.first())
    ran = shell.deploy("--load-balancer", gone, "--allow-removal")
    assert ran.failure.startswith("InvokeLambdaFunction failed: ")
    assert ran.failure.endswith(
        f"The stack {NAME} is in UPDATE_ROLLBACK_COMPLETE. Correct that, and deploy again."
    )
    assert shell.deploy().code == 0
    stack = shell.emulated.sandbox.cloudformation.stacks[shell.stack()["StackId"]]
    for status, fix in (
        ("ROLLBACK_FAILED", DELETE_IT),
        ("DELETE_FAILED", DELETE_IT),
        ("UPDATE_ROLLBACK_FAILED", f"continue-update-rollback --stack-name {NAME}"),
    ):
        stack.status = status
        failure = shell.deploy().failure
        assert failure.startswith(f"The stack {NAME} is in {status} and cannot be updated. ")
        assert fix in failure


def test_a_template_is_taken_by_url_only_if_it_is_this_release_s(
    shell: Shell, tmp_path: Path
) -> None:
    good = shell.emulated.template()
    (tmp_path / "good.json").write_text(good)
    (tmp_path / "bad.json").write_text(good.replace('"Timeout":900', '"Timeout":899'))
    folder = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), folder) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for name, told in (
            (
                "bad.json?X-Amz-Signature=SECRET",
                f"{url}/bad.json differs from the template that this release builds: "
                "Resources/DTLogsAnalysisLambdaFunction/Properties/Timeout changed.",
            ),
            ("good.json --privileges documented", "has least-privilege privileges, not documented"),
            ("good.json", ""),
        ):
            ran = shell.run(deploy, *shell.first(), "--template-url", *f"{url}/{name}".split())
            assert (told in ran.failure, bool(ran.failure)) == (True, bool(told))
            assert shell.stacks() == ([] if told else [NAME])
        server.shutdown()


def test_what_is_wrong_is_told_before_anything_is_asked_of_aws(shell: Shell) -> None:
    before, role, folder = len(shell.emulated.sandbox.calls), shell.emulated.role, shell.release
    form = "Give the service role's: arn:…:iam::ACCOUNT:role/NAME."
    for option, value, failure in (
        ("--role-arn", f"'{role}'", f"\"'{role}'\" contains quotes or blanks. Give {role}."),
        ("--role-arn", "role/x", f"'role/x' is not the ARN of a role. {form}"),
    ):
        ran = shell.deploy(*shell.first(), option, value)
        assert (ran.code, ran.out, ran.failure) == (2, "", failure)
    assert len(shell.emulated.sandbox.calls) == before
    ran = shell.deploy(*shell.first(), "--release", str(folder.parent))
    assert ran.failure.endswith(f"is not the folder of a release. Give {folder}.")


def review(shell: Shell, name: str) -> None:
    """Let another client create a change set for a stack that does not exist yet."""
    shell.emulated.client("cloudformation").create_change_set(
        StackName=NAME,
        ChangeSetName=name,
        ChangeSetType="CREATE",
        TemplateBody=shell.emulated.template(),
        Capabilities=list(BOTH),
        Parameters=given(
            LoadBalancerArns="*",
            DataTheoremAccountId="999988887777",
            NotificationEndpoint=ENDPOINT,
        ),
    )


def test_a_stack_that_waits_for_review_is_made_or_removed_only_if_it_is_ours(shell: Shell) -> None:
    review(shell, "mine")
    for ran in (shell.deploy(*shell.first()), shell.remove()):
        assert ran.failure == (
            f"Another change set, mine, is about to create the stack {NAME}. Execute or delete it"
            " first, or choose another name with --stack."
        )
    cfn = shell.emulated.client("cloudformation")
    (left,) = cfn.list_change_sets(StackName=NAME)["Summaries"]
    assert (left["ChangeSetName"], shell.status()) == ("mine", "REVIEW_IN_PROGRESS")
    cfn.delete_stack(StackName=NAME)

    review(shell, "dt-logs-cfn-of-before")
    ran = shell.remove()
    assert (ran.code, ran.out) == (0, f"{NAME}: deleted, and the account is clean\n")
    assert shell.stacks() == []
    review(shell, "dt-logs-cfn-of-before")
    assert shell.deploy(*shell.first(), answers=["no"]).code == 3
    assert shell.status() == "REVIEW_IN_PROGRESS"
    assert shell.deploy(*shell.first()).code == 0
    assert shell.status() == "CREATE_COMPLETE"


def test_who_is_overtaken_by_another_change_is_told(shell: Shell) -> None:
    shell.deploy(*shell.first())
    cfn, endpoint = shell.emulated.client("cloudformation"), shell.emulated.sandbox.endpoint

    def overtaking(call: Call) -> None:
        if call.operation == "ExecuteChangeSet":
            endpoint.before = lambda call: None
            (waiting,) = [
                each["ChangeSetName"]
                for each in cfn.list_change_sets(StackName=NAME)["Summaries"]
                if each["ExecutionStatus"] == "AVAILABLE"
            ]
            cfn.delete_change_set(StackName=NAME, ChangeSetName=waiting)

    endpoint.before = overtaking
    assert shell.deploy("--parameter", "RunToken=2").failure == (
        f"Another change to stack {NAME} ran first and replaced this one. Run the same"
        " command again to see the remaining changes."
    )


def process(shell: Shell, *more: str, **how: Any) -> subprocess.Popen[bytes]:
    """Start `deploy` in a new process."""
    words = ("deploy", "--release", str(shell.release), *shell.first(), *more)
    pipe = subprocess.PIPE
    environment = {**shell.emulated.environment, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "dt_logs_cfn", *words]
    return subprocess.Popen(command, env=environment, **{"stdout": pipe, "stderr": pipe, **how})


def test_an_interrupt_leaves_the_stack_going_on_and_says_how_to_follow(shell: Shell) -> None:
    over = Event()

    def before(call: Call) -> None:
        """Hold the creation, because on a busy machine it might end before the interrupt."""
        if call.operation == "CreateRole":
            over.wait(PATIENCE)

    shell.emulated.sandbox.endpoint.before = before
    running = process(shell, "--yes")
    assert running.stderr is not None
    told = b""
    while b"CREATE_IN_PROGRESS" not in told:
        told += os.read(running.stderr.fileno(), 65536)
    os.kill(running.pid, signal.SIGINT)
    out, rest = running.communicate(timeout=PATIENCE)
    over.set()
    err = rest.decode()
    assert (running.returncode, out) == (130, b"")
    assert "The stack continues by itself." in err
    assert "`aws cloudformation describe-stack-events --stack-name arn:aws:cloudformation:" in err
    assert err.endswith("dt-logs-cfn: interrupted\n")
    assert shell.stacks() == [NAME]
    assert shell.status() == "CREATE_COMPLETE"


def test_without_a_reader_nothing_is_asked_and_a_stack_is_followed_to_its_end(
    shell: Shell,
) -> None:
    """If stderr is closed, the progress is dropped."""
    reader, writer = os.pipe()
    os.close(reader)
    keyboard, stdin = os.openpty()
    os.write(keyboard, b"y\n")
    assert process(shell, stdin=stdin, stdout=writer, stderr=writer).wait() == 3
    assert shell.stacks() == []
    assert process(shell, "--yes", stdout=writer, stderr=writer).wait() == 0
    assert shell.status() == "CREATE_COMPLETE"
    for each in (writer, keyboard, stdin):
        os.close(each)
    again = ("--yes", "--json", "--parameter", "RunToken=2")
    closed = process(shell, *again, stderr=None, preexec_fn=partial(os.close, 2))
    out, _ = closed.communicate()
    assert (closed.returncode, json.loads(out)["result"]) == (0, "updated")
