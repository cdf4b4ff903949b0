"""`policy` prints our policies with a customer's values; `explain` gives each right a reason."""

import json
from pathlib import Path
from typing import Any

from cli.altered import NAME
from support.commands import Run

from dt_logs_cfn import Settings, build_release
from dt_logs_cfn.template.grants import GRANTS
from dt_logs_cfn.template.policies import POLICY_NAMES


def test_values_take_the_place_of_placeholders_and_the_rest_is_named(run: Run) -> None:
    documented = ("policy", "cloudformation-role-documented", "--account", "111122223333")
    names = ("--role-name", "/teams/logs/dt-*", "--function-name", "dt-*")
    filled, partly = run(*documented, "--region", "cn-north-1", *names), run(*documented)

    assert run("policy").out.split() == [*POLICY_NAMES]
    assert (filled.code, filled.err) == (0, "")
    assert [statement["Resource"] for statement in json.loads(filled.out)["Statement"]] == [
        "arn:aws-cn:iam::111122223333:role/teams/logs/dt-*",
        "arn:aws-cn:lambda:cn-north-1:111122223333:function:dt-*",
    ]
    assert "${Account}" not in partly.out
    assert partly.err == (
        "Fill in before you use it: ${FunctionName}, ${Region}, ${RoleNameWithPath}\n"
    )
    for region, partition in {
        "us-east-1": "aws",
        "us-gov-west-1": "aws-us-gov",
        "cn-northwest-1": "aws-cn",
        "eusc-de-east-1": "aws-eusc",
    }.items():
        ran = run("policy", "lambda-execution-documented", "--region", region)
        assert json.loads(ran.out)["Statement"][0]["Resource"] == f"arn:{partition}:logs:*:*:*"
        assert ran.err == ""


def test_every_right_is_told_with_its_step_and_its_reason(run: Run) -> None:
    least, as_data = run("explain"), json.loads(run("explain", "--json").out)
    documented = ("explain", "--privileges", "documented")
    text, data = run(*documented).out, json.loads(run(*documented, "--json").out)

    granted = [action for grant in GRANTS for action in grant.actions]
    flat = " ".join(least.out.split())
    assert least.code == 0
    assert all(f"{grant.step}: {grant.why}" in flat for grant in GRANTS)
    assert all(action in flat for action in granted)
    assert "if aws:ResourceAccount is ${Account}" in flat
    assert max(map(len, least.out.splitlines())) <= 100
    assert sorted(each["action"] for each in as_data["rights"]) == sorted(granted)
    assert as_data["refused"] and as_data["open"]
    used = len({each for each in granted if each.startswith("s3:")})
    assert data["s3_actions"]["used"] == used
    assert f"on every bucket; {used} are used." in text
    assert "  sns:CreateTopic on " in text
    assert "sns:CreateTopic" in [each["action"] for each in data["rights"]]


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

    assert ours.endswith("\nt.json does not add policy statements.\n")
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
