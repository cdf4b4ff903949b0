"""The parts of an account that a rehearsal adds: stacks, functions and the endpoint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rehearsal.stacks import IAM, PLAIN, refusal, template
from support.drifts import document, statement

from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import in_order
from dt_logs_rehearsal.functions.processes import Function, Functions
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, LAMBDA, Sandbox
from dt_logs_rehearsal.vendor import VENDOR


def create(sandbox: Sandbox, do: str = "well") -> Stack:
    return sandbox.cloudformation.create("stack", Asked(template(), {"Do": do}), tuple(IAM))


def update(sandbox: Sandbox, stack: Stack, do: str) -> None:
    sandbox.cloudformation.begin_update(stack, Asked(template(), {"Do": do}), tuple(IAM))()


def test_a_stack_is_made_in_order_and_unmade_in_reverse(sandbox: Sandbox) -> None:
    """Events carry values as strings. A success has no reason, as in a recorded CDK deployment."""
    stack = create(sandbox)
    assert (stack.status, stack.outputs) == ("CREATE_COMPLETE", {"A": "b"})
    update(sandbox, stack, "well")
    assert (stack.status, len(sandbox.logged)) == ("UPDATE_COMPLETE", 1)  # nothing changed
    update(sandbox, stack, "more")
    assert stack.status == "UPDATE_COMPLETE"
    created, updated = (json.loads(each) for each in sandbox.logged)
    assert created["ResourceProperties"]["Flag"] == "true"
    assert created["ResourceProperties"]["Numbers"] == ["1", "2.5"]
    assert created["ResourceType"] == "Custom::Thing"
    assert "PhysicalResourceId" not in created
    assert updated["PhysicalResourceId"] == "thing"
    assert updated["OldResourceProperties"]["Do"] == "well"
    update(sandbox, stack, "fail")
    assert stack.status == "UPDATE_ROLLBACK_COMPLETE"
    last = json.loads(sandbox.logged[-1])
    assert (last["RequestType"], last["ResourceProperties"]["Do"]) == ("Update", "more")
    sandbox.cloudformation.begin_delete(stack)()
    complete = [each for each in sandbox.events if each.status.endswith("_COMPLETE")]
    done = [f"{each.logical_id} {each.status}" for each in complete]
    assert [each for each in done if "UPDATE" not in each] == [
        *(f"{each} CREATE_COMPLETE" for each in ("Role", "Function", "Thing", "stack")),
        *(f"{each} DELETE_COMPLETE" for each in ("Thing", "Function", "Role", "stack")),
    ]
    assert sandbox.endpoint.deployed()["roles"] == sandbox.endpoint.deployed()["functions"] == {}
    answers = [json.loads(each) for each in sandbox.mailbox.answers()]
    assert [each["Reason"] for each in answers if each["Status"] == "SUCCESS"] == ["done"] * 4
    assert {each.reason for each in complete} == {""}


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (
            "fail",
            "Received response status [FAILED] from custom resource. Message returned: because",
        ),
        ("long", "Response object is too long."),
        ("other stack", "Invalid response object"),
        ("no id", "Invalid response object"),
        ("raise", "CloudFormation did not receive a response from your Custom Resource."),
    ],
)
def test_an_answer_that_is_none_rolls_back(sandbox: Sandbox, do: str, reason: str) -> None:
    stack = create(sandbox, do)
    failed = [each.reason for each in sandbox.events if each.status.endswith("_FAILED")]
    assert failed[0].startswith(reason)
    assert stack.status == "ROLLBACK_COMPLETE"
    assert json.loads(sandbox.logged[-1])["RequestType"] == "Delete"
    assert sandbox.endpoint.deployed()["roles"] == {}


def test_a_delete_without_an_answer_fails_the_rollback(tmp_path: Path) -> None:
    with Sandbox(tmp_path, pace=Pace(200)) as sandbox:
        stack = create(sandbox, "nothing")
        assert stack.status == "ROLLBACK_FAILED"
        assert set(stack.resources) == {"Thing", "Function", "Role"}


def test_a_function_that_may_not_log_runs_all_the_same(sandbox: Sandbox) -> None:
    asked = Asked(template(Policies=[]), {})
    assert sandbox.cloudformation.create("s", asked, tuple(IAM)).status == "CREATE_COMPLETE"
    assert sandbox.logged == []


def test_a_circle_is_refused() -> None:
    circle = {"Resources": {"A": {"P": {"Ref": "B"}}, "B": {"P": {"Fn::Sub": "${A.Arn}"}}}}
    with pytest.raises(Refused, match="Circular"):
        in_order(ResolvedTemplate(circle, {}))


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Functions]:
    with Functions(tmp_path, "http://127.0.0.1:1", Pace()) as found:
        yield found


def code(body: str) -> Function:
    return replace(PLAIN, code=f"import os, time\n\ndef handler(event, context):\n    {body}\n")


SLEEP = "time.sleep(100000)"


@pytest.mark.parametrize(
    ("function", "outcome", "output", "error"),
    [
        (PLAIN, "returned", "got {'a': 1}\n", ""),
        (code("raise ValueError('no')"), "raised", "", "ValueError: no"),
        (code("os._exit(3)"), "exited", "", "Runtime exited with error: exit status 3"),
        # print() might write a line in parts
        (
            replace(code(f"os.write(1, b'%d ' % (os.fork() or os.getpid())); {SLEEP}"), timeout=60),
            *("timed out", "", "Task timed out after 60.00 seconds"),
        ),
    ],
    ids=["returns", "raises", "ends its process", "takes too long"],
)
def test_how_it_ends_is_told_as_lambda_tells_it(
    functions: Functions, function: Function, outcome: str, output: str, error: str
) -> None:
    """After a timeout, the function's child processes end, too."""
    done = functions.invoke(function, {"a": 1})
    assert (done.outcome, output in done.output) == (outcome, True)
    assert (bool(done.error), done.error.endswith(error)) == (bool(error), True)
    if outcome == "timed out":
        pids = [int(each) for each in done.output.split()]
        assert (len(pids), [each for each in pids if runs(each)]) == (2, [])


def test_a_module_that_cannot_be_imported_is_an_error_of_its_start(functions: Functions) -> None:
    done = functions.invoke(replace(PLAIN, code="import nothing_like_it"), {})
    assert done.outcome in ("raised", "exited")
    assert "nothing_like_it" in done.error + done.output


def runs(pid: int) -> bool:
    """Return whether a process runs; a zombie does not count."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return state != "" and not state.startswith("Z")


def test_a_failed_event_is_repeated_twice_or_until_it_succeeds(tmp_path: Path) -> None:
    flag = str(tmp_path / "flag")
    once = code(f"p = {flag!r}; os.path.exists(p) or (open(p, 'w').close(), 1 / 0)")
    with Functions(tmp_path, "http://127.0.0.1:1", Pace(), retry_after=(1, 2)) as functions:
        failed = functions.invoke_async(code("raise ValueError(event)"), 7).result()
        repeated = functions.invoke_async(once, None).result()
    assert [each.error for each in failed] == ["ValueError: 7"] * 3
    assert [each.outcome for each in repeated] == ["raised", "returned"]


def test_it_stays_warm_in_lambda_s_environment_with_the_template_s_copy(
    functions: Functions, release: Path, tmp_path: Path
) -> None:
    """A changed function starts anew. The project is installed, but the embedded copy must run."""
    told = code("t = time.time(); time.sleep(20); print(os.getpid(), time.time() - t, *os.environ)")
    (pid, seconds, *names), (again, *_) = (
        functions.invoke(told, {}).output.split() for _ in range(2)
    )
    assert pid == again
    assert not functions.invoke(replace(told, memory=256), {}).output.startswith(pid)
    assert 20 <= float(seconds) < 200  # in the account's time
    assert {"AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT"} <= {*names}
    assert not {name for name in names if name.startswith(("PYTEST", "VIRTUAL", "HTTP"))}

    found = json.loads((release / "dt-logs-analysis.template.json").read_text())
    copy = found["Resources"]["DTLogsAnalysisLambdaFunction"]["Properties"]["Code"]["ZipFile"]
    shown = "import dt_logs_handler.plan as p\nhandler = lambda event, context: print(p.__file__)\n"
    path = Path(functions.invoke(replace(PLAIN, code=f"{copy}\n{shown}"), {}).output.strip())
    assert tmp_path in path.parents
    assert path.parts[-2:] == ("dt_logs_handler", "plan.py")


def test_those_that_sleep_hold_up_no_other_and_closing_leaves_no_process(tmp_path: Path) -> None:
    """Closing discards queued events, too, and does not wait for running functions."""
    with Functions(tmp_path, "http://127.0.0.1:1", Pace()) as functions:
        first, *others = (replace(code(SLEEP), name=f"f{number}") for number in range(9))
        running = [functions.invoke_async(first, {})]
        pid = int(functions.invoke(code("print(os.getpid())"), {}).output)
        assert (runs(pid), running[0].done()) == (True, False)
        running += [functions.invoke_async(each, {}) for each in others]
    assert not runs(pid)
    assert {each.outcome for future in running for each in future.result()} == {"exited"}


ROLE = "arn:aws:iam::123456789012:role/r"


def client(sandbox: Sandbox, service: str, role: str = "") -> Any:
    name = LAMBDA if role else ADMINISTRATOR
    return sandbox.client(service, sandbox.endpoint.session(name, role=role))


def may(sandbox: Sandbox, *statements: dict[str, Any]) -> None:
    """Give the role a policy with these statements only."""
    policy = json.dumps(document(*statements))
    client(sandbox, "iam").put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)


@pytest.fixture
def served(sandbox: Sandbox) -> Sandbox:
    """Return an account with a bucket, an object, and a role that may list buckets."""
    trust = '{"Version":"2012-10-17","Statement":[]}'
    client(sandbox, "iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)
    may(sandbox, {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})
    client(sandbox, "s3").create_bucket(Bucket="logs-of-web")
    client(sandbox, "s3").put_object(**OBJECT, Body=b"text")
    return sandbox


OBJECT = {"Bucket": "logs-of-web", "Key": "a b+c/d"}


def test_services_refuse_in_their_own_words(served: Sandbox) -> None:
    """`account/test_access.py` has the texts of S3, SNS and Elastic Load Balancing."""
    who = "User: arn:aws:sts::123456789012:assumed-role/r/Lambda is not authorized to perform:"
    iam, logs = (client(served, each, ROLE) for each in ("iam", "logs"))
    text = f"iam:GetRole on resource: {ROLE} because no identity-based policy allows the"
    assert refusal(iam.get_role, RoleName="r") == (
        "AccessDenied",
        f"{who} {text} iam:GetRole action",
    )
    code, text = refusal(logs.create_log_group, logGroupName="/g")
    assert (code, text.startswith(f"{who} logs:Create")) == ("AccessDeniedException", True)
    assert refusal(client(served, "sns").list_topics) == (
        "NotImplemented",
        "ListTopics of sns is not emulated",
    )
    with pytest.raises(urllib.error.HTTPError) as error:  # an unknown caller
        urllib.request.urlopen(f"{served.endpoint.url}/logs")
    assert error.value.code == 403
    error.value.close()


def test_a_role_is_passed_only_by_those_who_may_and_to_whom(served: Sandbox) -> None:
    passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE}
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    create = {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}
    may(served, create, {**passing, "Condition": to_ec2})
    function = {"FunctionName": "f", "Role": ROLE, "Runtime": "python3.13", "Handler": "i.handler"}
    made = client(served, "lambda", ROLE).create_function
    code, text = refusal(made, **function, Code={"ZipFile": b"x"})
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {ROLE}" in text


def test_policies_count_at_each_call_and_of_another_account_the_bucket_s_too(
    served: Sandbox,
) -> None:
    s3, vendor = (
        client(served, "s3", ROLE),
        served.client("s3", served.endpoint.session("vendor", VENDOR)),
    )
    for each in (s3, vendor):
        assert refusal(each.get_object, **OBJECT)[0] == "AccessDenied"
    may(served, {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Sid": "Look"})
    root = {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    objects = "arn:aws:s3:::logs-of-web/a*"
    grant = statement("", "Allow", root, "s3:GetObject", Sid="Read", Resource=objects)
    policy = json.dumps(document(grant))
    client(served, "s3").put_bucket_policy(Bucket="logs-of-web", Policy=policy)
    for each, by in ((s3, "Look"), (vendor, "Read of the resource's policy")):
        assert each.get_object(**OBJECT)["Body"].read() == b"text"
        (decided,) = served.calls[-1].decisions
        assert (decided.allowed, by in decided.by) == (True, True)


def listening() -> set[str]:
    """Return the addresses on which this process listens."""
    found = set()
    inodes = {
        os.readlink(each.path)
        for each in os.scandir("/proc/self/fd")
        if os.path.islink(each.path) and os.path.exists(each.path)
    }
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in inodes:
                found.add(local.partition(":")[0])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's tables of sockets are Linux's")
def test_nothing_listens_elsewhere_and_afterwards_nothing_listens(tmp_path: Path) -> None:
    before = listening()
    with Sandbox(tmp_path) as sandbox:
        sandbox.functions.invoke(PLAIN, {})
        assert listening() - before == {"0100007F"}  # 127.0.0.1
    assert listening() == before
