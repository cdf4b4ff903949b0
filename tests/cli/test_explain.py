"""`explain` shows every right with its reason, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.altered import NAME
from cli.running import Run

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


def test_a_program_gets_the_same_and_how_much_of_the_documented_role_is_used(run: Run) -> None:
    least = json.loads(run("explain", "--json").out)
    text = run("explain", "--privileges", "documented").out
    documented = json.loads(run("explain", "--privileges", "documented", "--json").out)

    granted = [action for grant in GRANTS for action in grant.actions]
    assert sorted(each["action"] for each in least["rights"]) == sorted(granted)
    assert least["refused"] and least["open"]
    used = len({each for each in granted if each.startswith("s3:")})
    assert documented["s3_actions"]["used"] == used
    assert f"on every bucket; {used} are used." in text
    assert "  sns:CreateTopic on " in text
    assert "sns:CreateTopic" in [each["action"] for each in documented["rights"]]


STATEMENT = {
    "Effect": "Allow",
    "Principal": {"AWS": "111122223333"},
    "Action": "s3:GetObject",
    "Resource": {"Fn::Sub": "arn:${AWS::Partition}:s3:::audit/*"},
    "Condition": {"Bool": {"aws:SecureTransport": "true"}},
}
READABLE = {"Effect": "Allow", "Action": "iam:*", "Resource": "arn:${AWS::Partition}:iam::*"}
POWER_USER = "arn:${AWS::Partition}:iam::aws:policy/PowerUser"
ODD = {"Fn::Sub": ['{"Effect": "Allow", "Action": ${A}}', {"A": '"iam:*"'}]}


def test_what_a_template_allows_beyond_ours_however_it_is_written(run: Run, here: Path) -> None:
    template = json.loads(build_release(Settings()).templates[NAME])
    (here / "t.json").write_text(json.dumps(template))
    ours = run("explain", "--added-in", "t.json").out
    managed = [{"Fn::Sub": POWER_USER}, {"Ref": "Text"}]
    template["Resources"] |= {
        "Audit": policy({"Statement": STATEMENT}, "S3::BucketPolicy"),
        "Attached": {"Type": "AWS::IAM::Role", "Properties": {"ManagedPolicyArns": managed}},
        "Text": policy({"Fn::Sub": json.dumps({"Statement": [READABLE]})}),
        "OddText": policy(ODD),
    }
    (here / "t.json").write_text(json.dumps(template))

    as_text = run("explain", "--added-in", "t.json").out.partition("Added in t.json:\n")[2]
    as_data = json.loads(run("explain", "--added-in", "t.json", "--json").out)["added"]

    assert ours.endswith("\nt.json adds no policy statement.\n")
    assert as_text.startswith(
        '  Audit allows {"AWS": "111122223333"} s3:GetObject\n'
        "    on arn:${AWS::Partition}:s3:::audit/*\n"
        '    if {"Bool": {"aws:SecureTransport": "true"}}\n'
    )
    assert " ".join(as_text.partition("  Attached")[2].split()) == (
        f"allows what managed policy {POWER_USER} allows"
        " Text allows iam:* on arn:${AWS::Partition}:iam::*"
        f" OddText allows what this text says: {json.dumps(ODD)}"
    )
    assert [each["actions"] for each in as_data][::2] == [["s3:GetObject"], ["iam:*"]]


def policy(document: dict[str, Any], kind: str = "IAM::ManagedPolicy") -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": {"PolicyDocument": document}}
