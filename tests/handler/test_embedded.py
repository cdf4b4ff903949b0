"""The code in the released templates onboards an ALB without anything but boto3.

Each stack template is built in memory. Its function's code is extracted as CloudFormation does it,
and runs in a process that can import neither the project nor its dependencies. moto and the URL
that CloudFormation expects the answer at are servers on the loopback.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from handler.answer_server import answer_server
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from support.events import ENDPOINT, PHYSICAL_ID, REGION, SECRET, VENDOR, event
from support.moto_account import Account, make_clients, put_right

from dt_logs_cfn.release.build import STACK_TEMPLATES, build_release
from dt_logs_cfn.settings import Settings
from dt_logs_cfn.template.intrinsics import ResolvedTemplate

# boto3's packages in a Lambda runtime; the function's process may load these and no others.
BOTO3 = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

# Pauses are cut short before the code is imported, because changes in moto apply at once.
DRIVER = """
import importlib.util, json, sys, time
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.001))
code, boto3, project = sys.argv[1:]
sys.path[:0] = [code, boto3]
assert not [name for name in project.split() if importlib.util.find_spec(name)]
import index

class Context:
    log_group_name = "/aws/lambda/embedded"

    def get_remaining_time_in_millis(self):
        return 900_000

event = json.load(sys.stdin)
if event:
    index.handler(event, Context())
else:
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def release() -> dict[str, Any]:
    """Build a release without settings, and return its stack templates."""
    files = build_release(Settings()).files
    return {name: json.loads(files[name]) for name in STACK_TEMPLATES}


@pytest.fixture(scope="module")
def boto3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with boto3 and its dependencies, and with no other installed package."""
    folder = tmp_path_factory.mktemp("boto3")
    for name in BOTO3:
        spec = find_spec(name)
        assert spec and spec.origin
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
    return folder


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Serve an account in moto, and give its URL."""
    with pytest.MonkeyPatch.context() as patch:
        put_right(patch)
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def account(moto: str) -> Iterator[Account]:
    """Give the served account, and delete its load balancers after the test."""
    account = Account(make_clients(moto))
    yield account
    for each in account.elbv2.describe_load_balancers()["LoadBalancers"]:
        account.elbv2.delete_load_balancer(LoadBalancerArn=each["LoadBalancerArn"])


class Function:
    """A stack template's function; each invocation runs in a new process."""

    def __init__(self, template: Any, folder: Path, boto3: Path, endpoint: str = "") -> None:
        properties = template["Resources"]["DTLogsAnalysisLambdaFunction"]["Properties"]
        assert properties["Handler"] == "index.handler"
        (folder / "index.py").write_text(properties["Code"]["ZipFile"], encoding="utf-8")
        (folder / "tmp").mkdir()
        self._arguments = [sys.executable, "-I", "-S", "-c", DRIVER, str(folder), str(boto3)]
        self._environment = {
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "PATH": os.defpath,
        }

    def __call__(self, event: object) -> str:
        """Invoke the function, and return what it logged."""
        done = subprocess.run(
            [*self._arguments, "dt_logs_cfn dt_logs_handler moto troposphere support"],
            input=json.dumps(event),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout


@pytest.mark.parametrize("name", sorted(STACK_TEMPLATES))
def test_released_code_onboards_a_load_balancer_and_lets_go_of_it(
    name: str, release: dict[str, Any], account: Account, moto: str, tmp_path: Path, boto3: Path
) -> None:
    web = account.add_load_balancer("web")
    before, own = account.snapshot(), account.own_bucket
    parameters = {
        "LoadBalancerArns": web,
        "DataTheoremAccountId": VENDOR,
        "NotificationEndpoint": ENDPOINT,
    }
    found = ResolvedTemplate(release[name], parameters).properties("InvokeLambdaFunction")
    given = {key: each if isinstance(each, list) else str(each) for key, each in found.items()}
    function = Function(release[name], tmp_path, boto3, moto)

    def send(kind: str) -> dict[str, Any]:
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = f"/answer?X-Amz-Date={date}&X-Amz-Signature=5ecret"
        with answer_server() as server:
            output = function({**event(kind, given), "ResponseURL": server.url(path)})
        ((received, content_type, body),) = server.answers
        assert (received, content_type) == (path, "")
        answer: dict[str, Any] = json.loads(body)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        assert answer["PhysicalResourceId"] == PHYSICAL_ID
        assert SECRET not in output and "5ecret" not in output
        return answer

    created = send("Create")
    assert account.logging(web)["bucket"] == created["Data"]["LogBuckets"] == own
    assert created["Data"]["HandlerSha256"] == given["HandlerSha256"]
    (topic,) = account.topics()
    assert account.subscriptions(topic) == [("https", ENDPOINT)]
    (entry,) = account.notifications(own)["TopicConfigurations"]
    assert entry["TopicArn"] == topic == created["Data"]["TopicArns"]
    readers = [each["Principal"] for each in account.policy(own)["Statement"]]
    assert {"AWS": f"arn:aws:iam::{VENDOR}:root"} in readers

    deleted = send("Delete")
    if given["Privileges"] == "documented":
        assert f"aws sns delete-topic --topic-arn {topic}" in deleted["Reason"]
        account.sns.delete_topic(TopicArn=topic)
    assert account.snapshot() == before


def test_released_code_imports_the_standard_library_and_boto3(
    release: dict[str, Any], tmp_path: Path, boto3: Path
) -> None:
    function = Function(release["dt-logs-analysis.template.json"], tmp_path, boto3)
    loaded = set(json.loads(function(None)))
    assert "dt_logs_handler" in loaded
    mains = {"__main__", "__mp_main__", "index"}
    assert loaded - set(sys.stdlib_module_names) - set(BOTO3) - mains == {"dt_logs_handler"}
