"""`lint` finds nothing in our release; each rule and each linter finds its kind of fault."""

import copy
import json
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cli.altered import FUNCTION, NAME, ROLE, SETTINGS, Template, statements_of
from support.commands import Run

from dt_logs_cfn import Finding, build_release, lint_templates
from dt_logs_cfn.release import lint
from dt_logs_cfn.release.build import installed_templates
from dt_logs_cfn.release.lint import check, unscoped_actions

FILES = build_release(SETTINGS).files
TODAY = date(2026, 11, 23)
ENDS = {"python3.13": date(2029, 6, 30)}

Change = Callable[[dict[str, Any]], object]


def changed(change: Change, name: str = NAME) -> dict[str, Any]:
    template = json.loads(FILES[name])
    change(template)
    return template


def found(change: Change, name: str = NAME, today: date = TODAY) -> list[tuple[str, str, str]]:
    """Change one of our templates, and return our rules' findings, apart from those on its size."""
    template = changed(change, name)
    findings = check("t", json.dumps(template), template, today, ENDS)
    return [(each.rule, each.severity, each.path) for each in findings if each.rule != "size"]


def put(path: str, value: object) -> Change:
    """Return a change that sets the value at a path, or removes it if the value is None."""
    *parents, name = path.split("/")

    def change(template: Any) -> None:
        for each in parents:
            template = template[each]
        template.pop(name, None)
        template.update({} if value is None else {name: value})

    return change


def statement(**parts: Any) -> Change:
    """Return a change that adds a statement to the execution role's policy."""
    given = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*", **parts}
    return lambda template: statements_of(template).insert(0, given)


def added(kind: str, **properties: Any) -> Change:
    """Return a change that adds an IAM resource."""
    return put("Resources/Added", {"Type": f"AWS::IAM::{kind}", "Properties": properties})


def sub(text: str) -> dict[str, str]:
    return {"Fn::Sub": text}


NOTHING = {"Ref": "AWS::NoValue"}
CONDITIONAL = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
ALL = '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
OUTPUT, PATTERN = "Outputs/LogBuckets/Value", "Parameters/LogBucketName/AllowedPattern"
FIRST = f"Resources/{ROLE}/Properties/Policies/0/PolicyDocument/Statement/0"


def test_our_templates_have_no_finding_with_a_vendor_or_without(run: Run) -> None:
    ran = run("lint")

    assert (ran.code, ran.out) == (0, "")
    for name, text in installed_templates().items():
        assert f"{name}: {len(text):,} of 51,200 bytes, no finding" in ran.err
        assert found(lambda t: None, name) == []


def either(value: object) -> Any:
    return {"Fn::If": ["A", value, NOTHING]}


ADDED, MACRO = "Resources/Added/Properties", "Outputs/Fn::Transform"
POLICY, POWER_USER = f"{ADDED}/PolicyDocument", sub("arn:${P}:iam::aws:policy/PowerUser")
DESCRIPTION = "Parameters/RunToken/Description"
TOPICS, OURS = "arn:${P}:sns:${R}:*:*", "arn:${P}:sns:${AWS::Region}:${AWS::AccountId}:*"
BUCKET, BUCKETS = "arn:${P}:s3:::b", "arn:${P}:s3:::*"


@pytest.mark.parametrize(
    ("rule", "path", "change"),
    [
        ("transform", "Transform", put("Transform", "AWS::Serverless-2016-10-31")),
        ("transform", MACRO, put(MACRO, {"Name": "AWS::Include"})),
        ("partition", OUTPUT, put(OUTPUT, "arn:aws-us-gov:s3:::bucket")),
        ("partition", PATTERN, put(PATTERN, "^arn:aws:s3:::.*$")),
        ("account", f"{OUTPUT}/Fn::Sub", put(OUTPUT, sub("444455556666-${A}"))),
        ("description", "Parameters/RunToken", put(DESCRIPTION, None)),
        ("description", "Parameters/RunToken", put(DESCRIPTION, " ")),
        ("wildcard", FIRST, statement()),
        ("wildcard", FIRST, statement(Resource=["*"], Action="sns:Publish")),
        ("wildcard", FIRST, statement(Resource={"Fn::If": ["A", "arn:x", "*"]})),
        ("wildcard", FIRST, statement(Action="s3:Get*", Resource=sub(BUCKET))),
        ("wildcard", FIRST, statement(Resource=sub(BUCKETS))),
        ("wildcard", FIRST, statement(Resource=sub(TOPICS))),
        ("wildcard", FIRST, statement(NotAction="s3:GetObject", Resource=[])),
        ("wildcard", FIRST, statement(Action=either(["s3:Get*"]), Resource=sub(BUCKET))),
        ("wildcard", FIRST, statement(Action=[{"Fn::If": ["A", "s3:GetObject", "x"]}])),
        ("wildcard", FIRST, statement(Principal={"AWS": "*"}, Resource=sub(BUCKET))),
        (
            "wildcard",
            f"{FIRST}/Fn::If/1",
            lambda t: statements_of(t).insert(0, {"Fn::If": ["HasX", CONDITIONAL, NOTHING]}),
        ),
        ("wildcard", f"{ADDED}/ManagedPolicyArns", added("Role", ManagedPolicyArns=[POWER_USER])),
        ("wildcard", POLICY, added("ManagedPolicy", PolicyDocument=sub(ALL))),
        # Twelve digits within a digest are not an account ID.
        ("", "", put(OUTPUT, "a123456789012-123456789012f")),
        ("", "", statement(Action=["s3:ListAllMyBuckets"])),
        ("", "", statement(Action=either("s3:ListAllMyBuckets"))),
        ("", "", statement(Resource=sub(f"{BUCKET}/*"))),
        ("", "", statement(Resource=sub(OURS))),
        ("", "", statement(Resource=sub(BUCKETS), Condition={"StringEquals": {}})),
        # The rules check only statements of policies that the template defines.
        ("", "", added("Role", ManagedPolicyArns=[{"Ref": ROLE}])),
    ],
)
def test_a_rule_finds_what_it_is_for_and_leaves_alone_what_has_its_reason(
    rule: str, path: str, change: Change
) -> None:
    assert {*found(change)} == ({(rule, "error", path)} if rule else set())


def test_what_was_documented_is_exempt_there_and_elsewhere_is_not() -> None:
    template = json.loads(FILES["dt-logs-analysis-documented.template.json"])
    policy = template["Resources"][ROLE]["Properties"]["Policies"][0]["PolicyDocument"]
    wider = copy.deepcopy(policy["Statement"][1])
    wider["Action"].append("sns:Publish")

    assert found(statement(**policy["Statement"][1])) == []
    assert set(found(statement(**wider))) == {("wildcard", "error", FIRST)}
    assert all(why.strip() for why in unscoped_actions().values())


def test_a_runtime_is_warned_of_half_a_year_before_its_end_and_if_it_is_unknown() -> None:
    path = f"Resources/{FUNCTION}/Properties/Runtime"
    warning = [("runtime", "warning", path)]
    today = {date(2028, 12, 28): [], date(2028, 12, 29): warning, date(2029, 7, 1): warning}

    assert {each: found(lambda t: None, today=each) for each in today} == today
    assert found(put(path, "python4.0")) == warning


def test_size_counts_bytes() -> None:
    for length, expected in ((51_200, []), (51_201, ["error"])):
        text = "é" * 1_000 + "x" * (length - 2_000)
        assert [each.severity for each in check("t", text, {}, TODAY, ENDS)] == expected


@pytest.mark.skipif(
    find_spec(lint.VALIDATOR) is None,
    reason="cloudformation-validate, which finds faults that cfn-lint misses, is not installed",
)
def test_cloudformation_validate_finds_errors_and_none_in_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = changed(put(f"Resources/{FUNCTION}/Properties/MemorySize", "much"))
    (found,) = lint.validate({NAME: json.dumps(wrong)})
    assert (found.template, found.severity, "MemorySize" in found.path) == (NAME, "error", True)
    wrong = changed(lambda t: statements_of(t).append({"Fn::If": ["HasLogBucketName"]}))
    *_, found = lint_templates({NAME: json.dumps(wrong)}, TODAY)
    assert (found.template, found.rule, found.severity) == (NAME, "validator", "error")
    assert found.message.startswith("cloudformation-validate cannot check the template: ")
    assert "Statement" in found.message and "Fn::If" in found.message

    templates = {name: FILES[name].decode() for name in FILES if ".template." in name}
    assert len(templates) == 3
    assert lint.validate(templates) == []
    # An explanation must be removed once its rule no longer finds anything.
    monkeypatch.setattr(lint, "EXPLAINED", {})
    assert {each.rule for each in lint.validate(templates)} == {"W1030"}


def test_findings_of_every_linter_are_printed_and_cannot_be_silenced(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a template nor a file in the home directory can turn off cfn-lint's checks."""
    silence = {"cfn-lint": {"config": {"ignore_checks": ["E"]}}}
    image = {"ImageIdentifier": "public.ecr.aws/a/app:1", "ImageRepositoryType": "ECR_PUBLIC"}
    source = {"SourceConfiguration": {"ImageRepository": image}}

    def change(template: Template) -> None:
        for path, value in {
            "Metadata/cfn-lint": silence["cfn-lint"],
            f"Resources/{FUNCTION}/Metadata": silence,
            f"Resources/{FUNCTION}/Properties/Timeout": 9_000,
            "Resources/App": {"Type": "AWS::AppRunner::Service", "Properties": source},
            "Parameters/RunToken/Description": None,
        }.items():
            put(path, value)(template)

    monkeypatch.setenv("HOME", str(here))
    (here / ".cfnlintrc").write_text("ignore_checks: [E, W]\n")
    (here / "t.json").write_text(json.dumps(changed(change)))

    plain, for_programs = run("lint", "t.json"), run("lint", "t.json", "--json")

    findings = [Finding(**each) for each in json.loads(for_programs.out)]
    assert plain.code == for_programs.code == 1
    assert plain.out.splitlines() == list(map(str, findings))
    assert "t.json:Parameters/RunToken: error description: Describe the parameter." in plain.out
    assert f"t.json:Resources/{FUNCTION}/Properties/Timeout: error E3034: " in plain.out
    assert any(each.rule == "E3006" and "cn-north-1" in each.message for each in findings)


@pytest.mark.parametrize("command", ["lint", "verify", "diff", "explain --added-in"])
def test_what_is_not_a_template_is_told_in_a_line(run: Run, here: Path, command: str) -> None:
    words, path = command.split(), here / "t.json"
    for content, complaint in (
        (FILES[NAME][:20_000], "not a JSON template, or it is truncated"),
        (b"AWSTemplateFormatVersion: '2010-09-09'\n", "not a JSON template"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"[1, 2]", "not a CloudFormation template"),
        (b'{"Resources": {}, "Resources": {}}', "not a JSON template"),
        (b'{"Resources": {"a": NaN}}', "not a JSON template"),
        (b'{"Resources": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nests deeper|not a JSON"),
        (b'{"Resources": {}' + b" " * 1_000_000 + b"}", "more than 1,000,000 bytes"),
    ):
        path.write_bytes(content)
        failure = run(*words, "t.json").refusal
        assert failure.startswith("t.json ")
        assert any(each in failure for each in complaint.split("|"))
    assert "missing.json cannot be read: No such file" in run(*words, "missing.json").refusal
    if command in ("lint", "verify"):
        path.write_text('{"Resources": {}}')
        assert "does not name its release" in run(command, "t.json").refusal
        assert "cannot be read: Is a directory" in run(command, here).refusal
