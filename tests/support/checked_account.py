"""An emulated account for the check on AWS, which also needs EC2, SQS and new load balancers.

EC2 and SQS are moto's, with a default VPC. The load balancer's address leads to a loopback server,
which logs each request and delivers S3's announcements to the queue.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto.backends import get_backend
from moto.server import ThreadedMotoServer

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.client import answers
from dt_logs_rehearsal.account.elbv2 import Visit, log_file, new_load_balancer
from dt_logs_rehearsal.account.world import Call, Response, World
from dt_logs_rehearsal.http import loopback
from dt_logs_rehearsal.sandbox import ACCOUNT, DATA_THEOREM, REGION, Sandbox
from dt_logs_rehearsal.vendor import VENDOR

from .emulated import Emulated, emulated

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_ACTIVE = {"Code": "active"}


@dataclass
class Checked:
    """The account, and the environment of a program that checks it."""

    account: Emulated
    environment: dict[str, str]
    ec2: Any
    sqs: Any

    @property
    def world(self) -> World:
        return self.account.sandbox.account.world


@contextmanager
def checked(folder: Path, release: Path) -> Iterator[Checked]:
    """Run the account until the block ends."""
    for service in ("ec2", "sqs"):
        get_backend(service).reset()
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    try:
        with emulated(folder, release) as account, _answering(account.sandbox) as address:
            _add_operations(account.sandbox, address)
            url = f"http://{host}:{port}"
            extra = {"AWS_ENDPOINT_URL_EC2": url, "AWS_ENDPOINT_URL_SQS": url}
            profiles = folder / "credentials"
            vendor = account.sandbox.endpoint.session(DATA_THEOREM, VENDOR)
            profiles.write_text(
                "[vendor]\n" + "".join(f"{key} = {value}\n" for key, value in vendor.items())
            )
            files = {"AWS_SHARED_CREDENTIALS_FILE": str(profiles)}
            ec2, sqs = (
                boto3.client(name, REGION, endpoint_url=url, **account.credentials)
                for name in ("ec2", "sqs")
            )
            yield Checked(account, {**account.environment, **extra, **files}, ec2, sqs)
    finally:
        moto.stop()


def _add_operations(sandbox: Sandbox, address: str) -> None:
    """Add operations that only the check on AWS needs."""
    known = dict(answers("elbv2"))
    describe = known["DescribeLoadBalancers"]
    tags: dict[str, list[dict[str, str]]] = {}

    def create(world: World, call: Call) -> Response:
        found = new_load_balancer(
            world, call.params["Name"], "application", call.caller.account, call.region
        )
        world.load_balancers[found.arn] = found
        tags[found.arn] = call.params["Tags"]
        return described(world, call, found.arn)

    def described(world: World, call: Call, *arns: str) -> Response:
        asked = Call("elbv2", call.operation, {"LoadBalancerArns": arns}, call.caller, call.region)
        found = describe(world, asked)["LoadBalancers"] if arns else []
        return {"LoadBalancers": [{**e, "DNSName": address, "State": _ACTIVE} for e in found]}

    def describe_by_name(world: World, call: Call) -> Response:
        names = call.params.get("Names")
        if not names:
            found = describe(world, call)
            listed = [{**each, "DNSName": address} for each in found["LoadBalancers"]]
            return {**found, "LoadBalancers": listed}
        arns = [each.arn for each in world.load_balancers.values() if each.name in names]
        if not arns:
            text = f"Load balancers '[{', '.join(names)}]' not found"
            raise Refused("LoadBalancerNotFound", text, Type="Sender")
        return described(world, call, *arns)

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
        **known,
        "CreateListener": lambda world, call: {"Listeners": []},
        "CreateLoadBalancer": create,
        "DeleteLoadBalancer": delete,
        "DescribeLoadBalancers": describe_by_name,
        "DescribeTags": describe_tags,
    }
    sns = answers("sns")
    sandbox.endpoint.operations["sns"] = {**sns, "ListTagsForResource": list_tags}
    sandbox.endpoint.before = lambda call: _prepare(sandbox, call)


def _queues() -> list[Any]:
    return list(get_backend("sqs")[ACCOUNT][REGION].queues.values())


def _prepare(sandbox: Sandbox, call: Call) -> None:
    """Add the queues to S3's known destinations, and pass IAM the topic whose tags are listed."""
    if call.operation == "ListTagsForResource" and isinstance(call.params, dict):
        call.params["TopicArn"] = call.params["ResourceArn"]
    for queue in _queues():
        sandbox.account.add_destination(queue.queue_arn)


@contextmanager
def _answering(sandbox: Sandbox) -> Iterator[str]:
    """Serve the load balancers' address: log each request at once, and announce the log."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
        now = sandbox.pace()
        for arn in list(sandbox.account.world.load_balancers):
            body = log_file(arn, [Visit("192.0.2.7", environ["PATH_INFO"])], now)
            sandbox.account.write_log(arn, body)
        for queue in _queues():
            waiting = sandbox.account.world.deliveries[queue.queue_arn]
            while waiting:
                text = json.dumps(waiting.pop(0))
                get_backend("sqs")[ACCOUNT][REGION].send_message(queue.name, text)
        start("200 OK", [("Content-Length", "0")])
        return []

    server = loopback.Server(answer)
    server.start()
    try:
        yield server.address
    finally:
        server.close()
