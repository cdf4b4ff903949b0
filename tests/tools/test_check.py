"""The check on AWS, run as its users run it, but against the emulated account."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.checked_account import Checked, checked

from aws_check.ledger import Ledger
from aws_check.plan import TAG, Thing, planned
from aws_check.texts import PROBES
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call

ROOT = Path(__file__).parents[2]
SOURCE = "203.0.113.7/32"


@pytest.fixture
def account(tmp_path: Path, release: Path) -> Iterator[Checked]:
    with checked(tmp_path, release) as found:
        yield found


def command(account: Checked, folder: Path, *words: str) -> list[str]:
    return [
        *(sys.executable, "-m", "aws_check", "--account", "123456789012"),
        *("--aws-region", "us-east-1", "--folder", str(folder), "--from", SOURCE, "--yes"),
        *("--release", str(account.account.release), *words),
    ]


def environment(account: Checked) -> Mapping[str, str]:
    return {**account.environment, "PYTHONPATH": str(ROOT / "tools"), "PYTHONUNBUFFERED": "1"}


def run(account: Checked, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(account, folder, *words),
        env=environment(account),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def resources(account: Checked) -> dict[str, Any]:
    """Return everything in the account, by kind."""
    world, sandbox = account.world, account.account.sandbox
    groups = account.ec2.describe_security_groups()["SecurityGroups"]
    return {
        "load balancers": sorted(each.name for each in world.load_balancers.values()),
        "buckets": sorted(world.buckets),
        "topics": sorted(world.topics),
        "deployed": sandbox.endpoint.deployed(),
        "stacks": sorted(
            each.name
            for each in sandbox.cloudformation.stacks.values()
            if each.status != "DELETE_COMPLETE"
        ),
        "groups": sorted(e["GroupName"] for e in groups),
        "queues": account.sqs.list_queues().get("QueueUrls", []),
    }


def transcript(folder: Path) -> list[dict[str, Any]]:
    (found,) = folder.glob("*.transcript.jsonl")
    return [json.loads(line) for line in found.read_text().splitlines()]


def test_a_run_checks_everything_and_leaves_nothing(account: Checked, tmp_path: Path) -> None:
    before, folder = resources(account), tmp_path / "runs"
    done = run(account, folder, "--vendor-profile", "vendor")
    assert (done.returncode, "0 findings, 0 left" in done.stdout) == (0, True), done.stderr
    assert resources(account) == before
    (ledger,) = Ledger.all(folder)
    made = [tuple(json.loads(line)[1:]) for line in ledger.path.read_text().splitlines()[1:]]
    first = dict.fromkeys(made)
    assert [(each.kind, each.name) for each in planned(ledger.names)] == [
        each for each in first if ledger.names.run in each[1] and "analysis" not in each[1]
    ]
    theirs = [kind for kind, name in first if "dt-logs-analysis" in name]
    assert theirs == ["bucket", "topic", "topic"]
    assert ledger.left() == []
    assert (ledger.path.stat().st_mode & 0o777) == 0o600
    lines = transcript(folder)
    assert all(each["same"] for each in lines if "probe" in each)
    vendors = [each["operation"] for each in lines if each.get("by") == "vendor"]
    assert vendors == [
        *("GetObject", "ListObjectsV2", "GetBucketPolicy", "GetObject", "PutObject"),
        "DeleteObject",
    ]
    text = json.dumps(lines)
    assert {"UPDATE_COMPLETE", "DELETE_COMPLETE"} <= set(re.findall("[A-Z]+_COMPLETE", text))
    for secret in ("123456789012", "999988887777", "203.0.113.7", "ASIA", ledger.names.run):
        assert secret not in text
    assert not re.search("(?i)signature=[^<]", text)


def start(account: Checked, folder: Path, until: str) -> tuple[subprocess.Popen[str], str]:
    """Start a run, and wait for a line with `until`; return the process and its output so far."""
    process = subprocess.Popen(
        command(account, folder),
        env=environment(account),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    told = ""
    for line in process.stderr:
        told += line
        if until in line:
            break
    return process, told


def test_ctrl_c_removes_everything_and_findings_are_told(account: Checked, tmp_path: Path) -> None:
    before, hook = resources(account), account.account.sandbox.endpoint.before

    def otherwise(call: Call) -> None:
        hook(call)
        if call.operation == "PutBucketPolicy" and call.params["Policy"] == "{bad":
            raise Refused("MalformedPolicy", "Not in account 123456789012")

    account.account.sandbox.endpoint.before = otherwise
    process, _ = start(account, tmp_path / "runs", "CREATE_IN_PROGRESS")
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 130, err
    assert "Interrupted: removing what was made." in err
    (finding,) = [line for line in out.splitlines() if line.startswith("finding: ")]
    assert finding.startswith(
        "finding: To put a policy that is not JSON: AWS answers"
        " ('MalformedPolicy', 'Not in account <account>'), our account ('MalformedPolicy',"
    )
    assert resources(account) == before
    probes = {e["probe"]: e["same"] for e in transcript(tmp_path / "runs") if "probe" in e}
    assert [name for name, same in probes.items() if not same] == ["put a policy that is not JSON"]
    assert set(probes) == set(PROBES)


def test_a_killed_run_is_swept_by_what_it_recorded(account: Checked, tmp_path: Path) -> None:
    before, folder = resources(account), tmp_path / "runs"
    process, _ = start(account, folder, "CREATE_IN_PROGRESS")
    process.kill()
    process.communicate()
    (ledger,) = Ledger.all(folder)
    kinds = {each.kind for each in ledger.left()}
    assert kinds >= {"service role stack", "security group", "load balancer", "queue", "stack"}
    # The sweep must not delete somebody else's bucket, even if its name begins like the run's
    # names, or a queue that lost its tag.
    account.account.sandbox.account.add_bucket(f"{ledger.names.base}-precious")
    (url,) = account.sqs.list_queues()["QueueUrls"]
    account.sqs.untag_queue(QueueUrl=url, TagKeys=[TAG])
    first = run(account, folder, "--sweep")
    assert first.returncode == 1
    assert first.stdout == (
        f"queue '{ledger.names.base}' does not carry the tag {TAG}={ledger.names.run}. It was left"
        " alone. Look at it, and remove it yourself if it is not needed.\n"
    )
    assert ledger.left() == [Thing("queue", ledger.names.base)]
    account.sqs.tag_queue(QueueUrl=url, Tags={TAG: ledger.names.run})
    second = run(account, folder, "--sweep")
    assert (second.returncode, second.stdout) == (0, "Nothing is left.\n")
    left = resources(account)
    assert left.pop("buckets") == [f"{ledger.names.base}-precious"]
    assert left == {kind: value for kind, value in before.items() if kind != "buckets"}


def test_nothing_is_made_in_another_account_or_without_a_default_vpc(
    account: Checked, tmp_path: Path
) -> None:
    before, folder = resources(account), tmp_path / "runs"
    done = run(account, folder, "--account", "111122223333")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "aws-check: The credentials are not of account '111122223333'. Set AWS_PROFILE to a profile"
        " of that account, or correct --account.\n"
    )
    assert resources(account) == before
    assert not folder.exists()
    for each in account.ec2.describe_subnets()["Subnets"][1:]:
        account.ec2.delete_subnet(SubnetId=each["SubnetId"])
    done = run(account, folder)
    assert done.returncode == 1
    assert done.stdout.startswith(
        "finding: Region 'us-east-1' has no default VPC with default subnets in two zones. Use a"
        " region that has one, or make one: `aws ec2 create-default-vpc`.\n"
    )
    assert resources(account) == before
