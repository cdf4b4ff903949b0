"""The evaluator decides as AWS documents and, except for listed differences, as a simulator does.

Each file in `cases` is a list of cases, each with its source page. `tox -e iam` installs the
independent simulator, and runs it on these cases and on our own policies.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from dt_logs_handler.documents import listed
from dt_logs_handler.names import Location, Stack
from dt_logs_handler.notifications import topic_policy
from dt_logs_handler.register import Registration, delivery_statement, tls_statement
from dt_logs_rehearsal.account import Decision, Principal, Request, evaluate

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/session"
FOLDER = Path(__file__).parent / "cases"


def cases() -> list[dict[str, Any]]:
    """Return every case, with its file's name (without `.json`) as `file`."""
    return [
        {"file": path.stem, **case}
        for path in sorted(FOLDER.glob("*.json"))
        for case in json.loads(path.read_text("utf-8"))
    ]


def policy(statements: list[dict[str, Any]]) -> str:
    """Return a policy with these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allowed(case: dict[str, Any]) -> bool:
    """Return whether the case's request is allowed.

    Within an account, one policy must allow the request; across accounts, both must. A Deny always
    wins.
    """
    name = case.get("principal", SESSION)
    service = name if not name.startswith("arn:") else ""
    account = "" if service else name.split(":")[4]
    given = case.get("context", {}).items()
    request = Request(
        Principal(account, "" if service else name, service),
        case.get("action", "s3:GetObject"),
        case.get("target", "arn:aws:s3:::logs/a/b"),
        {key: value if isinstance(value, str) else tuple(value) for key, value in given},
    )
    identity, resource = (
        evaluate((policy(case.get(side, [])),), request) for side in ("identity", "resource_policy")
    )
    if service:  # a service does not have identity policies
        return resource is Decision.ALLOW
    if Decision.DENY in (identity, resource):
        return False
    enough = any if case.get("owner", ACCOUNT) == account else all
    return enough(side is Decision.ALLOW for side in (identity, resource))


# Our own policies, with requests inside and just outside each of their statements

VENDOR = "999999999999"
READER = f"arn:aws:sts::{VENDOR}:assumed-role/reader/session"
ELB = "logdelivery.elasticloadbalancing.amazonaws.com"
STACK = Stack.of(
    f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/logs/11111111-2222-3333-4444-555555555555"
)
_FILL = {
    "Account": ACCOUNT,
    "Region": "eu-west-1",
    "RoleNameWithPath": "dt/logs",
    "FunctionName": "dt-logs",
    "LogGroupName": "/aws/lambda/dt-logs",
    "NotificationEndpoint": "https://example.com/notify",
}
_OTHERS = (
    "iam:DeleteUser",
    "lambda:DeleteFunction",
    "logs:DeleteLogGroup",
    "s3:GetObject",
    "s3:DeleteBucket",
    "sns:Publish",
    "elasticloadbalancing:DeleteLoadBalancer",
)

# Resources of each type that our actions use, because a statement's pattern may match several
# types.
_HERE = f"eu-west-1:{ACCOUNT}"
_REAL = (
    f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/dt-logs",
    f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/dt-logs:log-stream:a",
    f"arn:aws:logs:{_HERE}:log-group:/aws/lambda/other:log-stream:a",
    f"arn:aws:elasticloadbalancing:{_HERE}:loadbalancer/app/web/1",
    f"arn:aws:elasticloadbalancing:{_HERE}:loadbalancer/net/web/1",
    f"arn:aws:sns:{_HERE}:dt-logs-analysis-a",
    f"arn:aws:sns:{_HERE}:other",
    "arn:aws:s3:::logs",
    "arn:aws:s3:::logs/web/a",
)


def identity_requests() -> Iterator[dict[str, Any]]:
    """Yield requests that test the roles' policies of every committed release."""
    build = Path(__file__).parents[2] / "build"
    for path in sorted(build.glob("*/policies/*.json")):
        text = path.read_text("utf-8")
        for name, value in _FILL.items():
            text = text.replace(f"${{{name}}}", value)
        policy = json.loads(text)["Statement"]
        if any("Principal" in statement for statement in policy):
            continue  # a trust policy, whose resource is the role itself
        for statement in policy:
            for request in _around(statement):
                yield {"file": path.stem, "identity": policy, **request}


def resource_requests() -> Iterator[dict[str, Any]]:
    """Yield requests that test a bucket's policy with our statements, and its topic's policy."""
    location = Location("logs", "web")
    some = Registration(
        STACK.tag, location, VENDOR, "0" * 8, frozenset({"app/a/1"}), 1, asked="1" * 8
    )
    everything = {"identity": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    policy = [
        some.statement(STACK),
        delivery_statement(location, STACK),
        tls_statement("logs", STACK),
    ]
    about = {**everything, "file": "bucket", "owner": ACCOUNT, "resource_policy": policy}
    for statement in policy:
        for request in _around({**statement, "Condition": {}}):
            for principal, tls in product((READER, SESSION, ELB), ("true", "false")):
                asked = {"principal": principal, "context": {"aws:securetransport": tls}}
                yield {**request, **about, **asked}
    topic = json.loads(topic_policy("logs", STACK))["Statement"]
    about = {**everything, "file": "topic", "resource_policy": topic}
    for request in _around(topic[0]):
        for principal in ("s3.amazonaws.com", "events.amazonaws.com", READER):
            yield {**request, **about, "principal": principal}


def _around(statement: dict[str, Any]) -> Iterator[dict[str, Any]]:
    contexts = [*_contexts(statement.get("Condition", {}))]
    for pattern in listed(statement["Resource"]):
        inside = pattern.replace("?", "a").replace("*", "x") if pattern != "*" else "*"
        moved = inside.replace(ACCOUNT, "444455556666")
        targets = {inside, inside + "/more", inside[:-1] or "*", moved, *_REAL}
        for target in sorted(targets):
            for action in (*listed(statement["Action"]), *_OTHERS):
                called = "s3:PutObject" if action == "s3:*" else action
                for context in contexts:
                    yield {"action": called, "target": target, "context": context}


def _contexts(condition: dict[str, Any]) -> Iterator[dict[str, str]]:
    right = {
        key.lower(): listed(value)[0] for keys in condition.values() for key, value in keys.items()
    }
    yield right
    for key in right:
        yield {name: value for name, value in right.items() if name != key}
        yield {**right, key: right[key] + "0"}


SIMULATOR = pytest.mark.skipif(
    "IAM_SIMULATE" not in os.environ, reason="needs Node 20 and npm: run `tox -e iam`"
)
DIFFERENCES = {
    (each["file"], each["name"])
    for each in json.loads(Path(__file__).with_name("differences.json").read_text("utf-8"))
}


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case['file']}: {case['name']}")
def test_the_decision_is_the_documented_one(case: dict[str, Any]) -> None:
    assert case["source"].startswith("https://docs.aws.amazon.com/")
    assert allowed(case) == case["allowed"]


def simulation(case: dict[str, Any]) -> dict[str, Any]:
    """Return a case in the form that the simulator takes."""
    principal = case.get("principal", SESSION)
    own = [{"name": "own", "policy": json.loads(policy(case.get("identity", [])))}]
    asked: dict[str, Any] = {
        "request": {
            "principal": principal,
            "action": case.get("action", "s3:GetObject"),
            "resource": {
                "resource": case.get("target", "arn:aws:s3:::logs/a/b"),
                "accountId": case.get("owner", ACCOUNT),
            },
            "contextVariables": case.get("context", {}),
        },
        "identityPolicies": own if principal.startswith("arn:") and case.get("identity") else [],
        "serviceControlPolicies": [],
        "resourceControlPolicies": [],
    }
    if case.get("resource_policy"):
        asked["resourcePolicy"] = json.loads(policy(case["resource_policy"]))
    return asked


@SIMULATOR
@pytest.mark.parametrize(
    ("asked", "at_least"), [(cases, 90), (identity_requests, 600), (resource_requests, 500)]
)
def test_an_independent_simulator_decides_alike(
    asked: Callable[[], Iterable[dict[str, Any]]], at_least: int
) -> None:
    """The test is meaningful only if the simulator judges enough of the cases."""
    every = [*asked()]
    done = subprocess.run(
        ["node", str(Path(__file__).with_name("simulate.mjs"))],
        input=json.dumps([simulation(case) for case in every]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pairs = [*zip(every, json.loads(done.stdout), strict=True)]
    judged = [(case, each["decision"]) for case, each in pairs if "decision" in each]
    different = [
        {**case, "theirs": theirs}
        for case, theirs in judged
        if allowed(case) != (theirs == "Allowed")
        and (case["file"], case.get("name", "")) not in DIFFERENCES
    ]
    print(len(judged), "judged:", Counter(theirs for _, theirs in judged))
    print("not judged:", Counter(each["unjudged"] for _, each in pairs if "unjudged" in each))

    assert len(judged) >= at_least
    assert not different, json.dumps(different[:5])
