"""What `verify` reads: a deployed stack, to compare it with its template, and files by URL.

Fetching limits the size, does not follow redirects, and accepts only allowed URLs.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.errors import FetchError, VerifyError
from dt_logs_cfn.operate.deployed import Deployed, changes, read
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.verify.fetching import fetch, optional, shown_url

STACK_ID = (
    "arn:aws-us-gov:cloudformation:us-gov-west-1:123456789012:stack/dt-logs-analysis/6f1b2c34"
)
ROLE_ARN = "arn:aws-us-gov:iam::123456789012:role/dt-logs-analysis-Role-1X"
ROLE, FUNCTION, GROUP = (
    f"DTLogsAnalysisLambda{each}" for each in ("ExecutionRole", "Function", "LogGroup")
)
RESOURCES = {ROLE: "dt-logs-analysis-Role-1X", FUNCTION: "dt-logs-analysis-Fn-2Y", GROUP: "group"}
PARAMETERS = {
    "LoadBalancerArns": "*",
    "DataTheoremAccountId": "111122223333",
    "NotificationEndpoint": "https://logs.example.com/alb",
    "ExistingLogBucketNames": "one,two",
}
NAMES = ["dt-logs-analysis.template.json", "dt-logs-analysis-documented.template.json"]


def deployed(name: str = NAMES[0]) -> Deployed:
    """Return a stack as CloudFormation creates it."""
    text = build_release(Settings()).files[name].decode()
    made = {each: {"Ref": identifier} for each, identifier in RESOURCES.items()}
    made[ROLE]["Arn"] = ROLE_ARN
    made[GROUP]["Arn"] = "arn:aws-us-gov:logs:us-gov-west-1:123456789012:log-group:group:*"
    pseudo = {"AWS::StackName": "dt-logs-analysis", "AWS::StackId": STACK_ID}
    place = ("aws-us-gov", "us-gov-west-1", "123456789012")
    stack = ResolvedTemplate(json.loads(text), PARAMETERS, *place, made, pseudo)
    function, role = stack.properties(FUNCTION), stack.properties(ROLE)
    code = function.pop("Code")["ZipFile"].encode()
    return Deployed(
        STACK_ID,
        text,
        PARAMETERS,
        RESOURCES,
        code,
        {**function, "FunctionArn": "x", "Layers": [], "VpcConfig": {"SubnetIds": [], "VpcId": ""}},
        {
            "Arn": ROLE_ARN,
            "Trust": role["AssumeRolePolicyDocument"],
            "Boundary": None,
            "Policies": {each["PolicyName"]: each["PolicyDocument"] for each in role["Policies"]},
            "Attached": [],
        },
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_the_template_makes_is_no_change_but_other_code_is(name: str) -> None:
    found = deployed(name)

    assert changes(found) == ()
    assert changes(replace(found, code=found.code + b"\nimport os\n")) == (
        "the function's code differs from the template",
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("Handler", "evil.handler", 'the function\'s Handler is "evil.handler"'),
        ("Runtime", "python3.8", 'the function\'s Runtime is "python3.8"'),
        ("Timeout", 3, "the function's Timeout is 3"),
        ("Role", "arn:aws:iam::1:role/admin", "the function runs under arn:aws:iam::1:role/admin"),
        ("Layers", [{"Arn": "a"}], 'the function has Layers: [{"Arn": "a"}]'),
        (
            "Environment",
            {"Variables": {"PYTHONPATH": "/opt"}},
            'the function has Environment: {"Variables": {"PYTHONPATH": "/opt"}}',
        ),
    ],
)
def test_how_code_or_rights_come_in_otherwise(name: str, value: object, told: str) -> None:
    found = deployed()

    assert changes(replace(found, configuration={**found.configuration, name: value})) == (told,)


def edited(found: Deployed, logical: str, **properties: Any) -> Deployed:
    """Return a stack after these changes to a resource's properties; None removes a property."""
    template = json.loads(found.template)
    resource = template["Resources"].setdefault(logical, {"Type": "AWS::IAM::Policy"})
    changed = {**resource.get("Properties", {}), **properties}
    resource["Properties"] = {key: each for key, each in changed.items() if each is not None}
    return replace(found, template=json.dumps(template))


def test_what_a_customized_template_gives_function_and_role_is_no_change() -> None:
    document = {"Version": "2012-10-17", "Statement": []}
    given = {"PolicyName": "Vpc", "Roles": [{"Ref": ROLE}], "PolicyDocument": document}
    found = edited(deployed(), "Vpc", **given)
    found = edited(found, FUNCTION, Environment={"Variables": {"TEAM": "edge"}})

    def changed(team: str, **policies: object) -> tuple[str, ...]:
        configuration = {**found.configuration, "Environment": {"Variables": {"TEAM": team}}}
        role = {**found.role, "Policies": {**found.role["Policies"], **policies}}
        return changes(replace(found, configuration=configuration, role=role))

    assert changed("edge", Vpc=document) == ()
    assert changed("x") == (
        'the function has Environment: {"Variables": {"TEAM": "x"}}',
        "the role has no policy Vpc",
    )


def test_the_roles_rights_and_who_may_assume_it() -> None:
    def role_with(**parts: Any) -> list[str]:
        found = deployed()
        return sorted(changes(replace(found, role={**found.role, **parts})))

    policies, trust = deployed().role["Policies"], deployed().role["Trust"]
    policies["LogsAnalysis"]["Statement"][0]["Action"].append("iam:*")
    trust["Statement"][0]["Principal"] = {"AWS": "*"}

    assert role_with(Policies={**policies, "Other": {"Statement": []}}) == [
        "the role has another policy Other",
        "the role's policy LogsAnalysis: Statement/0/Action/7 added",
    ]
    assert role_with(Policies={}, Attached=["arn:aws:iam::aws:policy/X"], Boundary="b") == [
        "the role has no policy LogsAnalysis",
        "the role has the managed policy arn:aws:iam::aws:policy/X",
        "the role's permissions boundary is b",
    ]
    assert role_with(Trust=trust) == [
        "the role's trust policy: Statement/0/Principal/Service missing",
    ]


@pytest.mark.parametrize(
    ("logical", "name", "value"),
    [
        (FUNCTION, "Role", {"Fn::Transform": {}}),
        (FUNCTION, "Code", {"S3Bucket": "b", "S3Key": "k"}),
        (FUNCTION, "Role", None),
        (ROLE, "Policies", None),
        (ROLE, "Policies", [{}]),
        (ROLE, "AssumeRolePolicyDocument", None),
    ],
)
def test_an_edited_template_is_told_and_no_bug(logical: str, name: str, value: object) -> None:
    told = changes(edited(deployed(), logical, **{name: value}))

    assert any("cannot be determined" in each for each in told)


def read_as(found: Deployed, fetched: bytes) -> Deployed:
    """Read a deployed stack; fetching its code returns these bytes."""
    made = datetime.fromtimestamp(0, timezone.utc)
    stack = {"StackId": STACK_ID, "StackName": "s", "StackStatus": "CREATE_COMPLETE"}
    resources = [
        {"LogicalResourceId": key, "PhysicalResourceId": value}
        for key, value in found.resources.items()
    ]
    client = SimpleNamespace(
        describe_stacks=lambda **_: {"Stacks": [{**stack, "CreationTime": made}]},
        get_template=lambda **_: {"TemplateBody": json.loads(found.template)},
        describe_stack_resources=lambda **_: {"StackResources": resources},
        get_function=lambda **_: {"Code": {"Location": "https://code"}},
    )
    session: Any = SimpleNamespace(client=lambda name, **_: client)
    return read(session, "dt-logs-analysis", lambda url, limit: fetched)


def archive(*names: str, content: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in names:
            opened.writestr(f"{name}.py", content)
    return buffer.getvalue()


def with_impossible_offset() -> bytes:
    """Return a zip whose only file would begin one byte before the zip."""
    changed = bytearray(archive("index"))
    (directory,) = struct.unpack("<I", changed[-6:-2])
    changed[-6:-2] = struct.pack("<I", directory + 1)
    return bytes(changed)


@pytest.mark.parametrize(
    ("fetched", "told"),
    [
        (archive("index", "other"), "more than index.py"),
        (archive("other"), "more than index.py"),
        (b"", "not a valid zip"),
        (with_impossible_offset(), "not a valid zip"),
        (archive("index", content=b"0" * 50_000_000), "more than 1,000,000 bytes"),
    ],
    ids=["two", "another", "none", "offset", "bomb"],
)
def test_a_function_with_other_files_and_a_stack_without_one(fetched: bytes, told: str) -> None:
    with pytest.raises(VerifyError, match=told):
        read_as(deployed(), fetched)
    with pytest.raises(VerifyError, match="does not have our function and role"):
        read_as(replace(deployed(), resources={"Queue": "q"}), b"")


class Handler(BaseHTTPRequestHandler):
    """Answers with the status and the number of bytes that the path gives."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        body = b"0" * int(self.path.split("/")[2])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/200/3")
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def served() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as found:
        yield found


def test_it_gives_the_bytes_as_they_were_stored_up_to_a_limit(url: str) -> None:
    """The body is never decompressed, so that a small answer cannot become a large one."""
    assert fetch(f"{url}/200/100", 100) == b"0" * 100
    with pytest.raises(FetchError, match="has more than 99 bytes"):
        fetch(f"{url}/200/100", 99)


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_not_there(url: str, status: int) -> None:
    assert optional(f"{url}/{status}/0", 10) is None
    with pytest.raises(FetchError, match="does not exist or is not public"):
        fetch(f"{url}/{status}/0", 10)


@pytest.mark.parametrize("status", [302, 401, 501])
def test_any_other_answer_is_told_and_no_redirect_followed(url: str, status: int) -> None:
    with pytest.raises(FetchError, match=f"answers with status {status}"):
        fetch(f"{url}/{status}/0", 10)


def test_nobody_listens() -> None:
    with served() as gone:
        pass
    with pytest.raises(FetchError, match=r"cannot be fetched \(no connection to its host\)"):
        fetch(f"{gone}/200/1", 10)


def test_a_host_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(FetchError, match=r"cannot be fetched \(its host was not found\)"):
        fetch("https://no-such-host.invalid/x", 10)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x",
        "http://127.0.0.1.example.com/x",
        "http://user@127.0.0.1/x",
        "https://user:secret@example.com/x",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "https:///x",
        "https://[x/y",
        "https://example.com:99999/",
        "https://example.com/\x1b[2J",
        "https://ex\xe4mple.com/",
    ],
)
def test_what_is_not_fetched(url: str) -> None:
    with pytest.raises(FetchError):
        fetch(url, 10)


def test_what_may_be_secret_is_not_shown() -> None:
    assert shown_url("https://x/y?X-Amz-Signature=secret#z") == "https://x/y"
    assert "\x1b" not in shown_url("https://x/\x1b[2J")
    assert len(shown_url(f"https://x/{'y' * 999}")) == 200
