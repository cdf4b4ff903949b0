"""A release customized by a function: what the function may change, and the result."""

import itertools
import json
import sys
from datetime import date
from typing import Any

import pytest
from awacs.aws import Allow, PolicyDocument, Statement
from awacs.cloudwatch import DeleteAlarms, DescribeAlarms, PutMetricAlarm
from hcl2.api import loads
from troposphere import (
    Equals,
    FindInMap,
    GetAtt,
    If,
    Not,
    NoValue,
    Output,
    Parameter,
    Ref,
    Sub,
    Tags,
    Template,
)
from troposphere.cloudwatch import Alarm, MetricDimension
from troposphere.iam import Policy

from dt_logs_cfn import (
    Customize,
    Release,
    Settings,
    TemplateKind,
    build_release,
    lint_templates,
    verify_template,
)
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.template.added import added_rights
from dt_logs_cfn.template.customizing import built

FUNCTION = "DTLogsAnalysisLambdaFunction"
ROLE = "DTLogsAnalysisLambdaExecutionRole"
SERVICE_ROLE = "DTLogsAnalysisCloudFormationRole"
NAME = "dt-logs-analysis.template.json"
DOCUMENTED = "dt-logs-analysis-documented.template.json"
SERVICE = "cloudformation-role.template.json"
ALARM_ARN = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*"


def with_alarm(template: Template, kind: TemplateKind) -> None:
    """Add an alarm for failures of the function, and let the service role create the alarm."""
    if kind is TemplateKind.SERVICE_ROLE:
        alarms = Statement(
            Effect=Allow,
            Action=[DeleteAlarms, DescribeAlarms, PutMetricAlarm],
            Resource=[Sub(ALARM_ARN)],
        )
        document = PolicyDocument(Version="2012-10-17", Statement=[alarms])
        role = template.resources[SERVICE_ROLE]
        role.Policies.append(Policy(PolicyName="Alarms", PolicyDocument=document))
        return
    template.add_parameter(
        Parameter("AlarmTopicArn", Type="String", Description="Whom to tell.", Default="")
    )
    template.add_condition("HasAlarmTopicArn", Not(Equals(Ref("AlarmTopicArn"), "")))
    template.add_resource(
        Alarm(
            "FunctionFails",
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Dimensions=[MetricDimension(Name="FunctionName", Value=Ref(FUNCTION))],
            Statistic="Sum",
            Period=300,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            AlarmActions=If("HasAlarmTopicArn", [Ref("AlarmTopicArn")], NoValue),
        )
    )
    template.add_output(Output("AlarmArn", Value=GetAtt("FunctionFails", "Arn")))
    template.resources[FUNCTION].Tags = Tags(team="edge")
    template.resources[FUNCTION].MemorySize = 1024
    template.resources[ROLE].Tags = Tags(team="edge")


BY = f"{__name__}:with_alarm"
OURS = build_release(Settings())
CUSTOMIZED = build_release(Settings(), with_alarm)


def changed_by(change: Customize) -> Release:
    return build_release(Settings(), change)


def parsed(release: Release, name: str) -> Any:
    return json.loads(release.files[name])


def test_a_function_that_changes_nothing_gives_our_release() -> None:
    assert changed_by(lambda template, kind: None) == OURS
    assert OURS.customized_by == ""


def test_another_order_is_a_change_too() -> None:
    def reorder(template: Template, kind: TemplateKind) -> None:
        template.parameters = dict(reversed(template.parameters.items()))

    release = changed_by(reorder)

    assert release.files["terraform/main.tf"] != OURS.files["terraform/main.tf"]
    assert release.customized_by.endswith("reorder")


def test_what_is_added_is_in_the_templates_and_the_rest_is_ours() -> None:
    found, ours = parsed(CUSTOMIZED, NAME), parsed(OURS, NAME)

    assert found["Resources"].keys() - ours["Resources"].keys() == {"FunctionFails"}
    assert found["Resources"][FUNCTION]["Properties"]["MemorySize"] == 1024
    assert found["Outputs"]["AlarmArn"] == {"Value": {"Fn::GetAtt": ["FunctionFails", "Arn"]}}
    code = found["Resources"][FUNCTION]["Properties"]["Code"]
    assert code == ours["Resources"][FUNCTION]["Properties"]["Code"]
    assert found["Resources"]["InvokeLambdaFunction"] == ours["Resources"]["InvokeLambdaFunction"]


def test_the_release_records_who_changed_it() -> None:
    assert CUSTOMIZED.customized_by == BY
    assert parsed(CUSTOMIZED, "manifest.json")["customized_by"] == BY
    for name in (NAME, DOCUMENTED, SERVICE):
        assert parsed(CUSTOMIZED, name)["Metadata"]["DTLogsAnalysis"]["CustomizedBy"] == BY
    assert "customized_by" not in parsed(OURS, "manifest.json")


def test_a_template_that_is_not_changed_is_ours() -> None:
    def name_the_function(template: Template, kind: TemplateKind) -> None:
        if kind is TemplateKind.DOCUMENTED:
            template.resources[FUNCTION].FunctionName = "alb-logs"

    release = changed_by(name_the_function)

    same = [name for name, text in release.templates.items() if text == OURS.templates[name]]
    assert same == [NAME, SERVICE]


def test_verify_says_identical_with_the_function_and_what_differs_without() -> None:
    text = CUSTOMIZED.templates[NAME]

    assert verify_template(text, with_alarm).identical
    assert sorted(verify_template(text).differences) == [
        "Conditions/HasAlarmTopicArn added",
        "Metadata/DTLogsAnalysis/CustomizedBy added",
        "Outputs/AlarmArn added",
        "Parameters/AlarmTopicArn added",
        f"Resources/{ROLE}/Properties/Tags added",
        f"Resources/{FUNCTION}/Properties/MemorySize changed",
        f"Resources/{FUNCTION}/Properties/Tags added",
        "Resources/FunctionFails added",
    ]
    assert verify_template(text).origin.customized_by == BY


def test_verify_does_not_go_by_the_name_that_a_template_gives() -> None:
    def other(template: Template, kind: TemplateKind) -> None:
        with_alarm(template, kind)

    found = parsed(CUSTOMIZED, NAME)
    found["Metadata"]["DTLogsAnalysis"]["CustomizedBy"] = "os:abort"

    assert verify_template(json.dumps(found), other).identical
    assert not verify_template(json.dumps(found)).identical


@pytest.mark.parametrize("release", [OURS, CUSTOMIZED])
def test_the_result_is_linted(release: Release) -> None:
    assert lint_templates(release, date(2026, 11, 1)) == ()


def test_lint_sees_what_was_added() -> None:
    def incomplete(template: Template, kind: TemplateKind) -> None:
        if kind is TemplateKind.LEAST_PRIVILEGE:
            template.add_resource(Alarm("Incomplete", validation=False))

    findings = lint_templates(changed_by(incomplete), date(2026, 11, 1))

    places = {(each.template, each.path) for each in findings}
    assert (NAME, "Resources/Incomplete/Properties") in places


def test_the_policy_to_paste_has_what_the_service_role_got() -> None:
    name = "policies/cloudformation-role-lifecycle.json"
    *ours, added = parsed(CUSTOMIZED, name)["Statement"]

    assert ours == parsed(OURS, name)["Statement"]
    assert added == {
        "Effect": "Allow",
        "Action": [
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:PutMetricAlarm",
        ],
        "Resource": ["arn:aws:cloudwatch:${Region}:${Account}:alarm:*"],
    }


def test_terraform_and_the_stack_set_take_the_added_parameter() -> None:
    module = loads(CUSTOMIZED.files["terraform/main.tf"].decode())
    variables = {name.strip('"') for each in module["variable"] for name in each}
    outputs = {name.strip('"') for each in module["output"] for name in each}
    keys = {each["ParameterKey"] for each in parsed(CUSTOMIZED, "stackset-parameters.json")}

    assert "alarm_topic_arn" in variables
    assert "alarm_arn" in outputs
    assert "AlarmTopicArn" in keys


def test_the_function_may_wait_for_another_resource() -> None:
    def wait(template: Template, kind: TemplateKind) -> None:
        if kind is not TemplateKind.SERVICE_ROLE:
            template.resources[FUNCTION].DependsOn = ROLE

    assert parsed(changed_by(wait), NAME)["Resources"][FUNCTION]["DependsOn"] == ROLE


def test_a_statement_that_no_policy_file_can_have_is_refused() -> None:
    def look_up(template: Template, kind: TemplateKind) -> None:
        with_alarm(template, kind)
        if kind is TemplateKind.SERVICE_ROLE:
            added = template.resources[SERVICE_ROLE].Policies[-1].PolicyDocument.Statement[0]
            added.Resource = [FindInMap("Alarms", Ref("AWS::Region"), "Arn")]

    with pytest.raises(BuildError, match=r"uses Fn::FindInMap; a policy file cannot.* Fn::Sub"):
        changed_by(look_up)


def test_a_policy_of_the_service_role_as_text_is_refused() -> None:
    def write_text(template: Template, kind: TemplateKind) -> None:
        if kind is TemplateKind.SERVICE_ROLE:
            text = Sub('{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}')
            added = Policy(PolicyName="Text", PolicyDocument=text)
            template.resources[SERVICE_ROLE].Policies.append(added)

    with pytest.raises(BuildError, match=r"policy of the service role is text.* as an object"):
        changed_by(write_text)


def test_a_condition_in_an_added_statement_is_resolved() -> None:
    def choose(template: Template, kind: TemplateKind) -> None:
        with_alarm(template, kind)
        if kind is TemplateKind.SERVICE_ROLE:
            added = template.resources[SERVICE_ROLE].Policies[-1].PolicyDocument.Statement[0]
            added.Resource = [If("HasPermissionsBoundaryArn", "arn:aws:a", "arn:aws:b")]

    text = changed_by(choose).files["policies/cloudformation-role-lifecycle.json"].decode()
    assert "arn:aws:a" in text and "arn:aws:b" not in text


def test_the_order_in_a_condition_does_not_show() -> None:
    statement = {"Effect": "Allow", "Condition": {"Null": {"b": "true"}, "Bool": {"a": "true"}}}
    found = {"Resources": {"Policy": {"Statement": [statement]}}}

    (right,) = added_rights(found, {"Resources": {}})

    assert right.condition == '{"Bool": {"a": "true"}, "Null": {"b": "true"}}'


def test_the_page_says_who_changed_what_and_which_rights_that_gives() -> None:
    page = CUSTOMIZED.files["index.html"].decode()

    assert f'customized by <span class="mono">{BY}</span>' in page
    assert "Resources/FunctionFails added" in page
    assert "cloudwatch:PutMetricAlarm" in page
    assert f"--customize {BY}" in page
    assert "dt-logs-cfn plan --region" not in page
    assert "<code>dt-logs-cfn deploy</code> does not take customized templates." in page
    assert "customiz" not in OURS.files["index.html"].decode()


def test_what_is_too_large_is_told_as_what_was_added() -> None:
    def huge(template: Template, kind: TemplateKind) -> None:
        template.add_mapping("Filler", {"x": {"y": "z" * 9000}})

    with pytest.raises(BuildError, match=r"Shorten what .*huge adds"):
        changed_by(huge)


def remove_a_resource(template: Template, kind: TemplateKind) -> None:
    template.resources.popitem()


def change_the_code(template: Template, kind: TemplateKind) -> None:
    if kind is TemplateKind.LEAST_PRIVILEGE:
        template.resources[FUNCTION].Code.ZipFile = "import os"


def change_the_role(template: Template, kind: TemplateKind) -> None:
    if kind is TemplateKind.LEAST_PRIVILEGE:
        template.resources[FUNCTION].Role = "arn:aws:iam::111122223333:role/admin"


def raise_the_lambdas_rights(template: Template, kind: TemplateKind) -> None:
    if kind is TemplateKind.LEAST_PRIVILEGE:
        everything = Statement(Effect=Allow, Action=[PutMetricAlarm], Resource=["*"])
        template.resources[ROLE].Policies[0].PolicyDocument.Statement.append(everything)


def remove_a_statement(template: Template, kind: TemplateKind) -> None:
    if kind is TemplateKind.SERVICE_ROLE:
        template.resources[SERVICE_ROLE].Policies[0].PolicyDocument.Statement.pop()


def widen_a_statement(template: Template, kind: TemplateKind) -> None:
    if kind is TemplateKind.SERVICE_ROLE:
        template.resources[SERVICE_ROLE].Policies[0].PolicyDocument.Statement[0].Resource = ["*"]


def remove_metadata(template: Template, kind: TemplateKind) -> None:
    template.metadata.clear()


def pose_as_another_version(template: Template, kind: TemplateKind) -> None:
    template.metadata["DTLogsAnalysis"]["Version"] = "9.9.9"


def name_somebody_else(template: Template, kind: TemplateKind) -> None:
    template.metadata["DTLogsAnalysis"]["CustomizedBy"] = "nobody:nothing"


def change_a_default(template: Template, kind: TemplateKind) -> None:
    template.parameters["LambdaExecutionRolePath"].Default = "/x/"


def transform_it(template: Template, kind: TemplateKind) -> None:
    template.set_transform("AWS::LanguageExtensions")


def make_a_resource_optional(template: Template, kind: TemplateKind) -> None:
    template.resources[next(iter(template.resources))].Condition = "HasLambdaFunctionName"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (remove_a_resource, "Resources/"),
        (change_the_code, f"Resources/{FUNCTION}/Properties/Code/ZipFile"),
        (change_the_role, f"Resources/{FUNCTION}/Properties/Role"),
        (raise_the_lambdas_rights, f"Resources/{ROLE}/Properties/Policies/0/PolicyDocument"),
        (remove_a_statement, f"Resources/{SERVICE_ROLE}/Properties/Policies/0/PolicyDocument"),
        (widen_a_statement, f"Resources/{SERVICE_ROLE}/Properties/Policies/0/PolicyDocument"),
        (remove_metadata, "Metadata"),
        (pose_as_another_version, "Metadata/DTLogsAnalysis/Version"),
        (name_somebody_else, "Metadata/DTLogsAnalysis/CustomizedBy"),
        (change_a_default, "Parameters/LambdaExecutionRolePath/Default"),
        (transform_it, "Transform"),
        (make_a_resource_optional, "/Condition"),
    ],
)
def test_what_we_promise_stays(change: Customize, names: str) -> None:
    with pytest.raises(BuildError) as refused:
        changed_by(change)

    assert f"{change.__name__} removes or changes " in refused.value.what
    assert names in refused.value.what


def test_what_is_changed_in_place_does_not_reach_other_builds() -> None:
    def spoil(template: Template, kind: TemplateKind) -> None:
        for role in (ROLE, SERVICE_ROLE):
            for policy in template.resources[role].Policies if role in template.resources else ():
                for statement in policy.PolicyDocument.Statement:
                    if isinstance(statement.Resource, list):
                        statement.Resource.append("spoiled")
                    statement.Action.clear()
        for parameter in template.parameters.values():
            parameter.properties.get("AllowedValues", []).append("spoiled")
        for group in template.metadata["AWS::CloudFormation::Interface"]["ParameterGroups"]:
            group["Parameters"].append("spoiled")

    for kind in TemplateKind:
        with pytest.raises(BuildError):
            built(Settings(), kind, spoil)

    assert build_release(Settings()) == OURS


def test_two_runs_that_differ_are_refused() -> None:
    counter = itertools.count()

    def numbered(template: Template, kind: TemplateKind) -> None:
        template.add_output(Output("Build", Value=str(next(counter))))

    with pytest.raises(BuildError, match="two different least-privilege templates"):
        changed_by(numbered)


def raises(template: Template, kind: TemplateKind) -> None:
    raise KeyError("no\nsuch")


def says(template: Template, kind: TemplateKind) -> None:
    raise ValueError("There is no such role.")


def leaves(template: Template, kind: TemplateKind) -> None:
    sys.exit(0)


def adds_no_resource(template: Template, kind: TemplateKind) -> None:
    template.add_resource(Alarm("Empty"))


def adds_a_fraction(template: Template, kind: TemplateKind) -> None:
    template.add_mapping("Half", {"of": {"one": 0.5}})


def returns_another(template: Template, kind: TemplateKind) -> Template:
    return Template()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (raises, r"raises failed for the least-privilege template: KeyError: .*line \d+ of .*"),
        (says, r"ValueError: There is no such role\. [A-Z]"),
        (leaves, "leaves failed for the least-privilege template: SystemExit: 0"),
        (adds_no_resource, "adds_no_resource made a least-privilege template that cannot be"),
        (adds_a_fraction, "Write a fraction as text, like '0.5'"),
        (returns_another, "returned a Template, which would be ignored"),
    ],
)
def test_a_function_that_fails_is_told_in_one_line(change: Customize, told: str) -> None:
    with pytest.raises(BuildError, match=told) as failed:
        changed_by(change)

    assert "\n" not in str(failed.value)


def test_the_documented_template_has_no_parameter_that_the_other_lacks() -> None:
    def in_one(template: Template, kind: TemplateKind) -> None:
        if kind is TemplateKind.DOCUMENTED:
            template.add_parameter(Parameter("Mine", Type="String"))

    with pytest.raises(BuildError, match="Only the documented stack template has the parameter"):
        changed_by(in_one)
