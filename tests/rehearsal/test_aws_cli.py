"""The AWS CLI as an independent client of the emulated account, and of stacks that we operate."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from support.aws_cli import aws_cli
from support.emulated import Emulated

NAME = "dt-logs-analysis"
Cli = Callable[..., Any]


@pytest.fixture
def cloudformation(account: Emulated) -> Cli:
    """Run `aws cloudformation`; its answer comes back as data."""
    found = aws_cli()

    def run(*argv: str) -> Any:
        command = [found, "cloudformation", *argv, "--output", "json"]
        done = subprocess.run(command, env=account.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    return run


def ours(account: Emulated, *argv: str) -> Any:
    """Run a command of ours in a process; its `--json` comes back as data."""
    done = subprocess.run(
        [sys.executable, "-m", "dt_logs_cfn", *argv, "--yes", "--json"],
        env=account.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_stack_that_the_aws_cli_deployed_is_updated_and_removed(
    account: Emulated, cloudformation: Cli
) -> None:
    template = account.release / "dt-logs-analysis.template.json"
    cloudformation(
        *("deploy", "--stack-name", NAME, "--template-file", str(template)),
        *("--role-arn", account.role, "--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"),
        "--parameter-overrides",
        f"LoadBalancerArns={account.load_balancers[0]}",
        "DataTheoremAccountId=999988887777",
        "NotificationEndpoint=https://logs.example.com/in",
    )
    updated = ours(
        account, "deploy", "--release", str(account.release), "--parameter", "RunToken=2"
    )
    assert (updated["result"], updated["stack"]["status"]) == ("updated", "UPDATE_COMPLETE")
    events = cloudformation("describe-stack-events", "--stack-name", NAME)["StackEvents"]
    assert events[0]["ResourceStatus"] == "UPDATE_COMPLETE"
    removed = ours(account, "remove")
    assert (removed["clean"], removed["left"]) == (True, [])
    gone = cloudformation("list-stacks", "--stack-status-filter", "DELETE_COMPLETE")
    assert [each["StackName"] for each in gone["StackSummaries"]] == [NAME]


def test_the_aws_cli_deletes_a_stack_that_we_deployed(
    account: Emulated, cloudformation: Cli
) -> None:
    made = ours(
        account,
        *("deploy", "--release", str(account.release), "--role-arn", account.role),
        *("--load-balancer", account.load_balancers[0]),
        *("--parameter", "DataTheoremAccountId=999988887777"),
        *("--parameter", "NotificationEndpoint=https://logs.example.com/in"),
    )
    cloudformation("delete-stack", "--stack-name", NAME)
    cloudformation("wait", "stack-delete-complete", "--stack-name", made["stack"]["id"])
    assert ours(account, "remove", "--stack-name", made["stack"]["id"])["left"] == []
