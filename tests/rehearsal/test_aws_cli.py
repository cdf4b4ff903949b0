"""The AWS CLI as an independent client of the emulated account and of our stacks."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from support.commands import Runner, aws_cli
from support.emulated import Emulated

from dt_logs_cfn.commands import deploy, remove

NAME = "dt-logs-analysis"
Cli = Ours = Callable[..., Any]


@pytest.fixture
def cloudformation(account: Emulated) -> Cli:
    """Return a function that runs `aws cloudformation` and returns its parsed answer."""
    found = aws_cli()

    def run(*argv: str) -> Any:
        command = [found, "cloudformation", *argv, "--output", "json"]
        done = subprocess.run(command, env=account.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    return run


@pytest.fixture
def ours(account: Emulated, capsys: pytest.CaptureFixture[str]) -> Ours:
    """Return a function that runs one of our commands and returns its parsed result."""
    edges = {deploy: deploy.run, remove: remove.run}

    def run(command: Any, *argv: str) -> Any:
        done = Runner(command.configure, edges[command], capsys)(*argv, "--yes", "--json")
        assert done.code == 0, done.failure
        return json.loads(done.out)

    return run


def test_a_stack_that_the_aws_cli_deployed_is_updated_and_removed(
    account: Emulated, cloudformation: Cli, ours: Ours
) -> None:
    template = account.release / "dt-logs-analysis.template.json"
    proposed = cloudformation(
        *("deploy", "--no-execute-changeset"),
        *("--stack-name", NAME, "--template-file", str(template)),
        *("--role-arn", account.role, "--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"),
        "--parameter-overrides",
        f"LoadBalancerArns={account.load_balancers[0]}",
        "DataTheoremAccountId=999988887777",
        "NotificationEndpoint=https://logs.example.com/in",
    )
    cloudformation("execute-change-set", "--change-set-name", proposed.split()[-1])
    # The AWS CLI polls only every 30 seconds, so finish the creation before its first poll.
    account.sandbox.cloudformation.join()
    cloudformation("wait", "stack-create-complete", "--stack-name", NAME)
    updated = ours(deploy, "--release", str(account.release), "--parameter", "RunToken=2")
    assert (updated["result"], updated["stack"]["status"]) == ("updated", "UPDATE_COMPLETE")
    events = cloudformation("describe-stack-events", "--stack-name", NAME)["StackEvents"]
    assert events[0]["ResourceStatus"] == "UPDATE_COMPLETE"
    removed = ours(remove)
    assert (removed["clean"], removed["left"]) == (True, [])
    gone = cloudformation("list-stacks", "--stack-status-filter", "DELETE_COMPLETE")
    assert [each["StackName"] for each in gone["StackSummaries"]] == [NAME]


def test_the_aws_cli_deletes_a_stack_that_we_deployed(
    account: Emulated, cloudformation: Cli, ours: Ours
) -> None:
    made = ours(
        deploy,
        *("--release", str(account.release), "--role-arn", account.role),
        *("--load-balancer", account.load_balancers[0]),
        *("--parameter", "DataTheoremAccountId=999988887777"),
        *("--parameter", "NotificationEndpoint=https://logs.example.com/in"),
    )
    cloudformation("delete-stack", "--stack-name", NAME)
    account.sandbox.cloudformation.join()
    cloudformation("wait", "stack-delete-complete", "--stack-name", made["stack"]["id"])
    assert ours(remove, "--stack-name", made["stack"]["id"])["left"] == []
