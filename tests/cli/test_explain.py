"""`explain` shows every right with its reason, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import Run

from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.template.grants import GRANTS


def test_every_right_is_told_with_its_step_and_its_reason(run: Run) -> None:
    ran = run("explain")
    assert ran.code == 0
    flat = " ".join(ran.out.split())
    for grant in GRANTS:
        assert f"{grant.step}: {grant.why}" in flat
        for action in grant.actions:
            assert action in flat
    assert "if aws:ResourceAccount is ${Account}" in flat
    assert max(map(len, ran.out.splitlines())) <= 100


def test_a_program_gets_the_same(run: Run) -> None:
    found = json.loads(run("explain", "--json").out)
    granted = [action for grant in GRANTS for action in grant.actions]
    assert sorted(each["action"] for each in found["rights"]) == sorted(granted)
    assert found["refused"] and found["open"]


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_the_documented_role_is_measured_against_what_is_used(
    run: Run, option: tuple[str, ...]
) -> None:
    ran = run("explain", "--privileges", "documented", *option)
    used = {a for grant in GRANTS for a in grant.actions if a.startswith("s3:")}
    assert ran.code == 0
    assert "sns:CreateTopic" in ran.out
    assert str(len(used)) in ran.out


STATEMENT = {
    "Effect": "Allow",
    "Principal": {"AWS": "111122223333"},
    "Action": "s3:GetObject",
    "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::audit/*"},
    "Condition": {"Bool": {"aws:SecureTransport": "true"}},
}
BUCKET_POLICY = {
    "Type": "AWS::S3::BucketPolicy",
    "Properties": {"Bucket": "audit", "PolicyDocument": {"Statement": STATEMENT}},
}


@pytest.mark.parametrize("added", [{}, {"AuditPolicy": BUCKET_POLICY}])
def test_what_a_template_allows_beyond_ours(run: Run, here: Path, added: dict[str, Any]) -> None:
    template = json.loads(build_release(Settings()).templates["dt-logs-analysis.template.json"])
    template["Resources"] |= added
    (here / "t.json").write_text(json.dumps(template))

    as_text = run("explain", "--added-in", "t.json").out.partition("t.json")[2]
    as_data = json.loads(run("explain", "--added-in", "t.json", "--json").out)["added"]

    if not added:
        assert (as_text, as_data) == (" adds no policy statement.\n", [])
        return
    assert as_text == (
        ":\n"
        '  AuditPolicy allows {"AWS": "111122223333"} s3:GetObject\n'
        "    on arn:${AWS::Partition}:s3:::audit/*\n"
        '    if {"Bool": {"aws:SecureTransport": "true"}}\n'
    )
    assert [each["actions"] for each in as_data] == [["s3:GetObject"]]


def test_managed_policies_and_policies_as_text_are_explained_too(run: Run, here: Path) -> None:
    template = json.loads(build_release(Settings()).templates["dt-logs-analysis.template.json"])
    readable = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:${AWS::Partition}:iam::*"}
    managed = [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/PowerUser"}, {"Ref": "Text"}]
    odd = {"Fn::Sub": ['{"Effect": "Allow", "Action": ${A}}', {"A": '"iam:*"'}]}
    template["Resources"] |= {
        "Attached": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": managed}},
        "Text": policy({"Fn::Sub": json.dumps({"Statement": [readable]})}),
        "OddText": policy(odd),
    }
    (here / "t.json").write_text(json.dumps(template))

    ran = run("explain", "--added-in", "t.json")

    assert " ".join(ran.out.partition("Added in t.json:")[2].split()) == (
        f"Attached allows what managed policy {managed[0]['Fn::Sub']} allows"
        " Text allows iam:* on arn:${AWS::Partition}:iam::*"
        f" OddText allows what this text says: {json.dumps(odd)}"
    )


def policy(document: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
