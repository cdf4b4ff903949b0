"""The account's endpoint: admission, decisions, and refusals as boto3 sees them."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from rehearsal.stacks import PLAIN, refusal
from support.drifts import document, statement

from dt_logs_rehearsal.sandbox import ADMINISTRATOR, LAMBDA, Sandbox
from dt_logs_rehearsal.vendor import VENDOR

ROLE = "arn:aws:iam::123456789012:role/r"
TRUST = '{"Version":"2012-10-17","Statement":[]}'


def client(sandbox: Sandbox, service: str, role: str = "") -> Any:
    name = LAMBDA if role else ADMINISTRATOR
    return sandbox.client(service, sandbox.endpoint.session(name, role=role))


def may(sandbox: Sandbox, *statements: dict[str, Any]) -> None:
    """Create a role with these permissions."""
    iam = client(sandbox, "iam")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    policy = json.dumps(document(*statements))
    iam.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=policy)


def test_whoever_is_not_known_is_not_let_in(sandbox: Sandbox) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(f"{sandbox.endpoint.url}/logs")
    assert error.value.code == 403
    error.value.close()


def test_services_refuse_in_their_own_words(sandbox: Sandbox) -> None:
    may(sandbox, {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"})
    client(sandbox, "s3").create_bucket(Bucket="logs-of-web")
    who = "User: arn:aws:sts::123456789012:assumed-role/r/Lambda is not authorized to perform:"
    found = refusal(client(sandbox, "s3", ROLE).get_bucket_policy, Bucket="logs-of-web")
    assert (found[0], found[1].startswith(f"{who} s3:GetBucketPolicy")) == ("AccessDenied", True)
    found = refusal(client(sandbox, "sns", ROLE).create_topic, Name="t")
    assert (found[0], found[1].startswith(f"{who} SNS:Create")) == ("AuthorizationError", True)
    assert refusal(client(sandbox, "iam", ROLE).get_role, RoleName="r") == (
        "AccessDenied",
        f"{who} iam:GetRole on resource: {ROLE} because no identity-based policy allows the"
        " iam:GetRole action",
    )
    found = refusal(client(sandbox, "logs", ROLE).create_log_group, logGroupName="/g")
    assert (found[0], "log-group:/g" in found[1]) == ("AccessDeniedException", True)
    assert refusal(client(sandbox, "sns").list_topics) == (
        "NotImplemented",
        "ListTopics of sns is not emulated",
    )


def test_a_role_is_passed_only_by_those_who_may_and_to_whom(sandbox: Sandbox) -> None:
    passing = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": ROLE,
        "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    }
    may(sandbox, {"Effect": "Allow", "Action": "lambda:*", "Resource": "*"}, passing)
    code, text = refusal(
        client(sandbox, "lambda", ROLE).create_function,
        FunctionName="f",
        Role=ROLE,
        Runtime="python3.13",
        Handler="index.handler",
        Code={"ZipFile": b"x"},
    )
    assert code == "AccessDeniedException"
    assert f"iam:PassRole on resource: {ROLE}" in text


def test_a_role_may_what_its_policies_say_at_each_call(sandbox: Sandbox) -> None:
    may(sandbox, {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"})
    s3 = client(sandbox, "s3", ROLE)
    assert refusal(s3.list_buckets)[0] == "AccessDenied"
    policy = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*", "Sid": "Look"}
    client(sandbox, "iam").put_role_policy(
        RoleName="r", PolicyName="p", PolicyDocument=json.dumps(document(policy))
    )
    assert s3.list_buckets()["Buckets"] == []
    (decided,) = sandbox.calls[-1].decisions
    assert (decided.allowed, decided.by) == (True, "Look")


def test_another_account_needs_the_resources_policy_too(sandbox: Sandbox) -> None:
    s3 = client(sandbox, "s3")
    s3.create_bucket(Bucket="logs-of-web")
    s3.put_object(Bucket="logs-of-web", Key="a b+c/d", Body=b"text")
    vendor = sandbox.client("s3", sandbox.endpoint.session("vendor", VENDOR))
    wanted = {"Bucket": "logs-of-web", "Key": "a b+c/d"}
    assert refusal(vendor.get_object, **wanted)[0] == "AccessDenied"
    root = {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    objects = "arn:aws:s3:::logs-of-web/a*"
    grant = statement("", "Allow", root, "s3:GetObject", Sid="Read", Resource=objects)
    s3.put_bucket_policy(Bucket="logs-of-web", Policy=json.dumps(document(grant)))
    assert vendor.get_object(**wanted)["Body"].read() == b"text"
    assert "Read of the resource's policy" in sandbox.calls[-1].decisions[0].by


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
