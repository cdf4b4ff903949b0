"""`lint` finds nothing in our release; each rule and each linter finds its kind of fault."""

import copy
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cli.altered import FUNCTION, NAME, ROLE, Template, statements_of
from cli.running import Run

from dt_logs_cfn import Finding, Settings, Vendor, build_release, lint_templates
from dt_logs_cfn.release import lint
from dt_logs_cfn.release.build import installed_templates
from dt_logs_cfn.release.lint import check, unscoped_actions

SETTINGS = Settings((Vendor("aws", "111122223333", "https://logs.example.com/alb"),))
FILES = build_release(SETTINGS).files
TEMPLATES = {name: FILES[name].decode() for name in FILES if name.endswith(".template.json")}
TODAY = date(2026, 11, 23)
ENDS = {"python3.13": date(2029, 6, 30)}

Change = Callable[[dict[str, Any]], object]


def changed(change: Change, name: str = NAME) -> dict[str, Any]:
    template = json.loads(FILES[name])
    change(template)
    return template


def found(change: Change, name: str = NAME, today: date = TODAY) -> list[tuple[str, str, str]]:
    """Change one of our templates, and return our rules' findings: rule, severity and path.

    It omits findings about the size, which have their own test.
    """
    template = changed(change, name)
    findings = check("t", json.dumps(template), template, today, ENDS)
    return [(each.rule, each.severity, each.path) for each in findings if each.rule != "size"]


def statement(**parts: Any) -> Change:
    """Return a change that adds a statement to the execution role's policy."""
    given = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*", **parts}

    def change(template: Template) -> None:
        statements_of(template).insert(0, given)

    return change


def added(kind: str, **properties: Any) -> Change:
    """Return a change that adds an IAM resource."""
    resource = {"Type": f"AWS::IAM::{kind}", "Properties": properties}
    return lambda template: template["Resources"].update(Added=resource)


def conditional_statement(template: Template) -> None:
    """Add a statement that applies only if a condition of the template is true."""
    given = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    branches = ["HasLogBucketName", given, {"Ref": "AWS::NoValue"}]
    statements_of(template).insert(0, {"Fn::If": branches})


FIRST = f"Resources/{ROLE}/Properties/Policies/0/PolicyDocument/Statement/0"


def test_the_release_has_no_finding(run: Run) -> None:
    ran = run("lint")

    assert (ran.code, ran.out) == (0, "")
    for name, text in installed_templates().items():
        assert f"{name}: {len(text):,} of 51,200 bytes, no finding" in ran.err


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_rule_of_ours_finds_anything_in_a_template_of_ours(name: str) -> None:
    assert found(lambda t: None, name) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.update(Transform="AWS::Serverless-2016-10-31"), ("transform", "Transform")),
        (
            lambda t: t["Outputs"].update({"Fn::Transform": {"Name": "AWS::Include"}}),
            ("transform", "Outputs/Fn::Transform"),
        ),
        (
            lambda t: t["Outputs"]["LogBuckets"].update(Value="arn:aws-us-gov:s3:::bucket"),
            ("partition", "Outputs/LogBuckets/Value"),
        ),
        (
            lambda t: t["Parameters"]["LogBucketName"].update(AllowedPattern="^arn:aws:s3:::.*$"),
            ("partition", "Parameters/LogBucketName/AllowedPattern"),
        ),
        (
            lambda t: t["Outputs"]["LogBuckets"].update(Value={"Fn::Sub": "444455556666-${A}"}),
            ("account", "Outputs/LogBuckets/Value/Fn::Sub"),
        ),
        (
            lambda t: t["Parameters"]["RunToken"].pop("Description"),
            ("description", "Parameters/RunToken"),
        ),
        (
            lambda t: t["Parameters"]["RunToken"].update(Description=" "),
            ("description", "Parameters/RunToken"),
        ),
        (statement(), ("wildcard", FIRST)),
        (statement(Resource=["*"], Action="sns:Publish"), ("wildcard", FIRST)),
        (statement(Resource={"Fn::If": ["A", "arn:aws-x:s3:::b", "*"]}), ("wildcard", FIRST)),
        (statement(Action="s3:Get*", Resource={"Fn::Sub": "arn:${P}:s3:::b"}), ("wildcard", FIRST)),
        (statement(Resource={"Fn::Sub": "arn:${P}:s3:::*"}), ("wildcard", FIRST)),
        (statement(Resource={"Fn::Sub": "arn:${P}:sns:${R}:*:*"}), ("wildcard", FIRST)),
        (statement(NotAction="s3:GetObject", Resource=[]), ("wildcard", FIRST)),
        (
            statement(
                Action={"Fn::If": ["A", ["s3:Get*"], {"Ref": "AWS::NoValue"}]},
                Resource={"Fn::Sub": "arn:${P}:s3:::b"},
            ),
            ("wildcard", FIRST),
        ),
        (statement(Action=[{"Fn::If": ["A", "s3:GetObject", "x"]}]), ("wildcard", FIRST)),
        (conditional_statement, ("wildcard", f"{FIRST}/Fn::If/1")),
        (
            added("Role", ManagedPolicyArns=[{"Fn::Sub": "arn:${P}:iam::aws:policy/PowerUser"}]),
            ("wildcard", "Resources/Added/Properties/ManagedPolicyArns"),
        ),
        (
            added(
                "ManagedPolicy",
                PolicyDocument={
                    "Fn::Sub": '{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'
                },
            ),
            ("wildcard", "Resources/Added/Properties/PolicyDocument"),
        ),
        (
            statement(Principal={"AWS": "*"}, Resource={"Fn::Sub": "arn:${P}:s3:::b"}),
            ("wildcard", FIRST),
        ),
    ],
)
def test_a_rule_finds_what_it_is_for(change: Change, expected: tuple[str, str]) -> None:
    rule, path = expected

    assert (rule, "error", path) in found(change)


@pytest.mark.parametrize(
    "change",
    [
        # Twelve digits within a digest are not an account ID.
        lambda t: t["Outputs"]["LogBuckets"].update(Value="a123456789012-123456789012f"),
        statement(Action=["s3:ListAllMyBuckets"]),
        statement(Action={"Fn::If": ["A", "s3:ListAllMyBuckets", {"Ref": "AWS::NoValue"}]}),
        statement(Resource={"Fn::Sub": "arn:${P}:s3:::b/*"}),
        statement(Resource={"Fn::Sub": "arn:${P}:sns:${AWS::Region}:${AWS::AccountId}:*"}),
        statement(Resource={"Fn::Sub": "arn:${P}:s3:::*"}, Condition={"StringEquals": {}}),
        # The rules check a policy's statements where the template defines the policy.
        added("Role", ManagedPolicyArns=[{"Ref": ROLE}]),
    ],
)
def test_a_rule_leaves_alone_what_has_its_reason(change: Change) -> None:
    assert found(change) == []


def test_what_was_documented_is_exempt_there_and_elsewhere_is_not() -> None:
    template = json.loads(FILES["dt-logs-analysis-documented.template.json"])
    policy = template["Resources"][ROLE]["Properties"]["Policies"][0]["PolicyDocument"]
    wider = copy.deepcopy(policy["Statement"][1])
    wider["Action"].append("sns:Publish")

    assert found(statement(**policy["Statement"][1])) == []
    assert set(found(statement(**wider))) == {("wildcard", "error", FIRST)}
    assert all(why.strip() for why in unscoped_actions().values())


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2028, 12, 28), []),
        (date(2028, 12, 29), ["warning"]),
        (date(2029, 7, 1), ["warning"]),
    ],
)
def test_a_runtime_is_warned_of_half_a_year_before_its_end(
    today: date, expected: list[str]
) -> None:
    path = f"Resources/{FUNCTION}/Properties/Runtime"
    ours = found(lambda t: None, today=today)
    assert ours == [("runtime", each, path) for each in expected]


def test_a_runtime_that_the_linter_does_not_know_is_warned_of() -> None:
    runtime = {"Runtime": "python4.0"}
    ours = found(lambda t: t["Resources"][FUNCTION]["Properties"].update(runtime))
    assert [rule for rule, _, _ in ours] == ["runtime"]


@pytest.mark.parametrize(("length", "expected"), [(51_200, []), (51_201, ["error"])])
def test_size_counts_bytes(length: int, expected: list[str]) -> None:
    text = "é" * 1_000 + "x" * (length - 2_000)

    assert [each.severity for each in check("t", text, {}, TODAY, ENDS)] == expected


def test_cfn_lint_is_asked_too_over_all_its_regions_and_cannot_be_silenced(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a template nor a file in the home directory can turn off cfn-lint's checks."""
    silence = {"cfn-lint": {"config": {"ignore_checks": ["E"]}}}
    image = {"ImageIdentifier": "public.ecr.aws/a/app:1", "ImageRepositoryType": "ECR_PUBLIC"}

    def change(template: dict[str, Any]) -> None:
        template["Resources"][FUNCTION]["Properties"]["Timeout"] = 9_000
        template["Resources"][FUNCTION]["Metadata"] = silence
        template["Metadata"].update(silence)
        template["Resources"]["App"] = {
            "Type": "AWS::AppRunner::Service",
            "Properties": {"SourceConfiguration": {"ImageRepository": image}},
        }

    monkeypatch.setenv("HOME", str(here))
    (here / ".cfnlintrc").write_text("ignore_checks: [E, W]\n")

    findings = lint_templates({"t": json.dumps(changed(change))}, TODAY)

    assert ("E3034", f"Resources/{FUNCTION}/Properties/Timeout") in {
        (each.rule, each.path) for each in findings
    }
    assert any(each.rule == "E3006" and "cn-north-1" in each.message for each in findings)


@pytest.fixture
def validator() -> None:
    """Skip the test if cloudformation-validate is absent; it finds faults that cfn-lint misses."""
    pytest.importorskip(lint.VALIDATOR)


@pytest.mark.usefixtures("validator")
def test_cloudformation_validate_finds_errors_and_none_in_ours() -> None:
    properties = {"MemorySize": "much"}
    wrong = changed(lambda t: t["Resources"][FUNCTION]["Properties"].update(properties))

    (found,) = lint.validate({NAME: json.dumps(wrong)})

    assert (found.template, found.severity, "MemorySize" in found.path) == (NAME, "error", True)
    assert len(TEMPLATES) == 3
    assert lint.validate(TEMPLATES) == []


@pytest.mark.usefixtures("validator")
def test_a_template_that_the_validator_cannot_check_is_a_finding() -> None:
    wrong = changed(lambda t: statements_of(t).append({"Fn::If": ["HasLogBucketName"]}))

    *_, found = lint_templates({NAME: json.dumps(wrong)}, TODAY)

    assert (found.template, found.rule, found.severity) == (NAME, "validator", "error")
    assert found.message.startswith("cloudformation-validate cannot check the template: ")
    assert "Statement" in found.message and "Fn::If" in found.message


@pytest.mark.usefixtures("validator")
def test_what_is_explained_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explanation must be removed once its rule no longer finds anything."""
    monkeypatch.setattr(lint, "EXPLAINED", {})
    assert {each.rule for each in lint.validate(TEMPLATES)} == {"W1030"}


def test_findings_are_printed_and_are_exit_code_1(run: Run, here: Path) -> None:
    template = changed(lambda t: t["Parameters"]["RunToken"].pop("Description"))
    (here / "t.json").write_text(json.dumps(template))

    plain, for_programs = run("lint", "t.json"), run("lint", "t.json", "--json")

    line = "t.json:Parameters/RunToken: error description: Describe the parameter."
    assert plain.code == for_programs.code == 1
    assert line in plain.out.splitlines()
    assert line in [str(Finding(**each)) for each in json.loads(for_programs.out)]


@pytest.mark.parametrize("command", ["lint", "verify", "diff", "explain --added-in"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (FILES[NAME][:20_000], "not a JSON template, or it is truncated"),
        (b"AWSTemplateFormatVersion: '2010-09-09'\n", "not a JSON template"),
        (b"\xff\xfe", "not UTF-8 text"),
        (b"[1, 2]", "not a CloudFormation template"),
        (b'{"Resources": {}, "Resources": {}}', "not a JSON template"),
        (b'{"Resources": {"a": NaN}}', "not a JSON template"),
        (b'{"Resources": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nests deeper|not a JSON"),
        (b'{"Resources": {}' + b" " * 1_000_000 + b"}", "more than 1,000,000 bytes"),
    ],
)
def test_what_is_not_a_template_is_told_in_a_line(
    run: Run, here: Path, command: str, content: bytes, complaint: str
) -> None:
    (here / "t.json").write_bytes(content)

    failure = run(*command.split(), "t.json").failure

    assert failure.startswith("t.json ")
    assert any(each in failure for each in complaint.split("|"))


@pytest.mark.parametrize("command", ["lint", "verify"])
def test_what_is_not_ours_or_not_there_is_told_in_a_line(
    run: Run, here: Path, command: str
) -> None:
    (here / "t.json").write_text('{"Resources": {}}')

    assert "does not name its release" in run(command, "t.json").failure
    assert "missing.json cannot be read: No such file" in run(command, "missing.json").failure
    assert "cannot be read: Is a directory" in run(command, here).failure
