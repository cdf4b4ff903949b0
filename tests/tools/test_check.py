"""The check on AWS, run as its users run it, but against the emulated account.

The check also needs EC2, SQS and new load balancers. moto emulates EC2, with a default VPC, and
SQS. The load balancer's address leads to a loopback server, which logs each request and delivers
S3's announcements to the queue.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto.backends import get_backend
from moto.server import ThreadedMotoServer
from support.emulated import Emulated, emulated

from aws_check.ledger import Ledger
from aws_check.plan import TAG, Thing, planned
from aws_check.texts import PROBES
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.client import answers
from dt_logs_rehearsal.account.elbv2 import Visit, log_file, new_load_balancer
from dt_logs_rehearsal.account.world import Call, Response, World
from dt_logs_rehearsal.http import loopback
from dt_logs_rehearsal.sandbox import ACCOUNT, DATA_THEOREM, REGION, Sandbox
from dt_logs_rehearsal.vendor import VENDOR

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

ROOT = Path(__file__).parents[2]
SOURCES = os.pathsep.join(str(ROOT / each) for each in ("src", "handler", "tools"))


@dataclass
class Check:
    """The check in its own process, the account that it checks, and the folder of its files."""

    account: Emulated
    ec2: Any
    sqs: Any
    folder: Path
    environment: dict[str, str]

    @property
    def sandbox(self) -> Sandbox:
        return self.account.sandbox

    def start(self, *words: str, until: str = "") -> subprocess.Popen[str]:
        """Start a run, and return its process after a line of progress that contains `until`."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "aws_check", "--account", ACCOUNT, "--yes"),
                *("--aws-region", REGION, "--folder", str(self.folder)),
                *("--from", "203.0.113.7/32", "--release", str(self.account.release), *words),
            ],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        while until and until not in process.stderr.readline():
            assert process.poll() is None
        return process

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run the check, and return its exit code and its output on stdout and stderr."""
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def resources(self) -> dict[str, Any]:
        """Return the account's resources, by kind."""
        stacks = self.sandbox.cloudformation.stacks.values()
        groups = self.ec2.describe_security_groups()["SecurityGroups"]
        return {
            **self.sandbox.account.snapshot(),
            "deployed": self.sandbox.endpoint.deployed(),
            "stacks": sorted(each.name for each in stacks if each.status != "DELETE_COMPLETE"),
            "groups": sorted(each["GroupName"] for each in groups),
            "queues": self.sqs.list_queues().get("QueueUrls", []),
        }

    def transcript(self) -> list[dict[str, Any]]:
        (found,) = self.folder.glob("*.transcript.jsonl")
        return [json.loads(line) for line in found.read_text().splitlines()]


@pytest.fixture
def check(tmp_path: Path, release: Path) -> Iterator[Check]:
    for service in ("ec2", "sqs"):
        get_backend(service).reset()
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    url = "http://{}:{}".format(*moto.get_host_and_port())
    try:
        with emulated(tmp_path, release) as account, answering(account.sandbox) as address:
            add_operations(account.sandbox, address)
            profiles = tmp_path / "credentials"
            vendor = account.sandbox.endpoint.session(DATA_THEOREM, VENDOR)
            lines = ("[vendor]", *(f"{key} = {value}" for key, value in vendor.items()))
            profiles.write_text("\n".join(lines))
            ec2, sqs = (
                boto3.client(name, REGION, endpoint_url=url, **account.credentials)
                for name in ("ec2", "sqs")
            )
            environment = {
                **account.environment,
                "AWS_ENDPOINT_URL_EC2": url,
                "AWS_ENDPOINT_URL_SQS": url,
                "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
                "PYTHONPATH": SOURCES,
                "PYTHONUNBUFFERED": "1",
            }
            yield Check(account, ec2, sqs, tmp_path / "runs", environment)
    finally:
        moto.stop()


def add_operations(sandbox: Sandbox, address: str) -> None:
    """Add operations that only the check on AWS needs, and prepare each call for them."""
    elbv2 = dict(answers("elbv2"))
    tags: dict[str, list[dict[str, str]]] = {}

    def create(world: World, call: Call) -> Response:
        name, where = call.params["Name"], (call.caller.account, call.region)
        found = new_load_balancer(world, name, "application", *where)
        world.load_balancers[found.arn] = found
        tags[found.arn] = call.params["Tags"]
        return describe(world, replace(call, params={"LoadBalancerArns": [found.arn]}))

    def describe(world: World, call: Call) -> Response:
        names = call.params.get("Names")
        if names:
            arns = [each.arn for each in world.load_balancers.values() if each.name in names]
            if not arns:
                text = f"Load balancers '[{', '.join(names)}]' not found"
                raise Refused("LoadBalancerNotFound", text, Type="Sender")
            call = replace(call, params={"LoadBalancerArns": arns})
        found = elbv2["DescribeLoadBalancers"](world, call)
        more = {"DNSName": address, "State": {"Code": "active"}}
        return {**found, "LoadBalancers": [{**each, **more} for each in found["LoadBalancers"]]}

    def delete(world: World, call: Call) -> Response:
        world.load_balancers.pop(call.params["LoadBalancerArn"], None)
        return {}

    def describe_tags(world: World, call: Call) -> Response:
        arns = call.params["ResourceArns"]
        return {"TagDescriptions": [{"ResourceArn": e, "Tags": tags.get(e, [])} for e in arns]}

    def list_tags(world: World, call: Call) -> Response:
        topic = world.topics.get(call.params["ResourceArn"])
        if topic is None:
            raise Refused("ResourceNotFound", "Resource does not exist", 404, Type="Sender")
        return {"Tags": [{"Key": key, "Value": value} for key, value in topic.tags.items()]}

    sandbox.endpoint.operations["elbv2"] = {
        **elbv2,
        "CreateListener": lambda world, call: {"Listeners": []},
        "CreateLoadBalancer": create,
        "DeleteLoadBalancer": delete,
        "DescribeLoadBalancers": describe,
        "DescribeTags": describe_tags,
    }
    sandbox.endpoint.operations["sns"] = {**answers("sns"), "ListTagsForResource": list_tags}
    sandbox.endpoint.before = lambda call: prepare(sandbox, call)


def queues() -> list[Any]:
    return list(get_backend("sqs")[ACCOUNT][REGION].queues.values())


def prepare(sandbox: Sandbox, call: Call) -> None:
    """Add the queues to S3's known destinations, and tell IAM which topic's tags a call lists."""
    if call.operation == "ListTagsForResource" and isinstance(call.params, dict):
        call.params["TopicArn"] = call.params["ResourceArn"]
    for queue in queues():
        sandbox.account.add_destination(queue.queue_arn)


@contextmanager
def answering(sandbox: Sandbox) -> Iterator[str]:
    """Serve the load balancers' address: log each request at once, and announce the log."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        now = sandbox.pace()
        for arn in list(sandbox.account.world.load_balancers):
            body = log_file(arn, [Visit("192.0.2.7", environ["PATH_INFO"])], now)
            sandbox.account.write_log(arn, body)
        for queue in queues():
            waiting = sandbox.account.world.deliveries[queue.queue_arn]
            while waiting:
                text = json.dumps(waiting.pop(0))
                get_backend("sqs")[ACCOUNT][REGION].send_message(queue.name, text)
        start("200 OK", [("Content-Length", "0")])
        return []

    with closing(loopback.Server(answer)) as server:
        server.start()
        yield server.address


def test_a_run_checks_everything_and_leaves_nothing(check: Check) -> None:
    before = check.resources()
    code, out, err = check.run("--vendor-profile", "vendor")
    assert (code, "0 findings, 0 left" in out) == (0, True), err
    assert check.resources() == before
    (ledger,) = Ledger.all(check.folder)
    made = [tuple(json.loads(line)[1:]) for line in ledger.path.read_text().splitlines()[1:]]
    first = dict.fromkeys(made)
    assert [(each.kind, each.name) for each in planned(ledger.names)] == [
        each for each in first if ledger.names.run in each[1] and "analysis" not in each[1]
    ]
    theirs = [kind for kind, name in first if "dt-logs-analysis" in name]
    assert theirs == ["bucket", "topic", "topic"]
    assert ledger.left() == []
    assert (ledger.path.stat().st_mode & 0o777) == 0o600
    lines = check.transcript()
    assert all(each["same"] for each in lines if "probe" in each)
    vendors = [each["operation"] for each in lines if each.get("by") == "vendor"]
    assert vendors == [
        *("GetObject", "ListObjectsV2", "GetBucketPolicy", "GetObject", "PutObject"),
        "DeleteObject",
    ]
    text = json.dumps(lines)
    assert {"UPDATE_COMPLETE", "DELETE_COMPLETE"} <= set(re.findall("[A-Z]+_COMPLETE", text))
    for secret in (ACCOUNT, "999988887777", "203.0.113.7", "ASIA", ledger.names.run):
        assert secret not in text
    assert not re.search("(?i)signature=[^<]", text)


def test_ctrl_c_removes_everything_and_findings_are_told(check: Check) -> None:
    before, hook = check.resources(), check.sandbox.endpoint.before

    def otherwise(call: Call) -> None:
        hook(call)
        if call.operation == "PutBucketPolicy" and call.params["Policy"] == "{bad":
            raise Refused("MalformedPolicy", "Not in account 123456789012")

    check.sandbox.endpoint.before = otherwise
    process = check.start(until="CREATE_IN_PROGRESS")
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 130, err
    assert "Interrupted: removing what the run created." in err
    (finding,) = [line for line in out.splitlines() if line.startswith("finding: ")]
    assert finding.startswith(
        "finding: To put a policy that is not JSON: AWS answers"
        " ('MalformedPolicy', 'Not in account <account>'), our account ('MalformedPolicy',"
    )
    assert check.resources() == before
    probes = {each["probe"]: each["same"] for each in check.transcript() if "probe" in each}
    assert [name for name, same in probes.items() if not same] == ["put a policy that is not JSON"]
    assert set(probes) == set(PROBES)


def test_a_killed_run_is_swept_by_what_it_recorded(check: Check) -> None:
    before = check.resources()
    process = check.start(until="CREATE_IN_PROGRESS")
    process.kill()
    process.communicate()
    (ledger,) = Ledger.all(check.folder)
    kinds = {each.kind for each in ledger.left()}
    assert kinds >= {"service role stack", "security group", "load balancer", "queue", "stack"}
    # The sweep must not delete a queue that lost its tag. Nor may it delete somebody else's bucket,
    # even if the bucket's name begins like the run's names.
    precious = f"{ledger.names.base}-precious"
    check.sandbox.account.add_bucket(precious)
    (url,) = check.sqs.list_queues()["QueueUrls"]
    check.sqs.untag_queue(QueueUrl=url, TagKeys=[TAG])
    assert check.run("--sweep")[:2] == (
        1,
        f"queue '{ledger.names.base}' does not carry the tag {TAG}={ledger.names.run}. It was left"
        " alone. Look at it, and remove it yourself if it is not needed.\n",
    )
    assert ledger.left() == [Thing("queue", ledger.names.base)]
    check.sqs.tag_queue(QueueUrl=url, Tags={TAG: ledger.names.run})
    assert check.run("--sweep")[:2] == (0, "Nothing is left.\n")
    left = check.resources()
    del left["buckets"][precious]
    assert left == before


def test_nothing_is_made_in_another_account_or_without_a_default_vpc(check: Check) -> None:
    before = check.resources()
    assert check.run("--account", "111122223333") == (
        3,
        "",
        "aws-check: The credentials do not belong to account '111122223333'. Set AWS_PROFILE to a"
        " profile of that account, or correct --account.\n",
    )
    assert check.resources() == before
    assert not check.folder.exists()
    for each in check.ec2.describe_subnets()["Subnets"][1:]:
        check.ec2.delete_subnet(SubnetId=each["SubnetId"])
    code, out, _ = check.run()
    assert code == 1
    assert out.startswith(
        "finding: Region 'us-east-1' does not have a default VPC with default subnets in two zones."
        " Use a region that has one, or create one: `aws ec2 create-default-vpc`.\n"
    )
    assert check.resources() == before


def test_the_printed_lines_let_a_shell_deploy_into_the_account(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dt_logs_cfn", "deploy", "--yes", "--load-balancer"]
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    with subprocess.Popen(
        [sys.executable, "-m", "cloudformation_api"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as served:
        try:
            assert served.stdout is not None
            lines = [served.stdout.readline() for _ in range(15)]
            named = [line.split()[-1] for line in lines if line.startswith("# load balancer")]
            options = [
                word for each in lines if each.startswith("# --") for word in each[1:].split()
            ]
            (tmp_path / "lines").write_text("".join(lines))
            deployed = subprocess.run(
                ["sh", "-c", '. ./lines; exec "$@"', "sh", *command, named[0], *options],
                env=environment,
                cwd=tmp_path,
                capture_output=True,
                text=True,
            )
        finally:
            served.send_signal(signal.SIGINT)
    assert "dt-logs-analysis: created, CREATE_COMPLETE" in deployed.stdout, deployed.stderr
    assert served.returncode == 130
