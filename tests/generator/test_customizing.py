"""A release customized by a function: permitted changes, and the result."""

import itertools
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from awacs.aws import Allow, PolicyDocument, Statement
from awacs.cloudwatch import PutMetricAlarm
from cli.altered import FUNCTION, NAME, ROLE
from hcl2.api import loads
from support.generators import alarm
from troposphere import FindInMap, GetAtt, If, Output, Parameter, Ref, Sub, Tags, Template
from troposphere.cloudwatch import Alarm
from troposphere.iam import Policy

from dt_logs_cfn import (
    Customize,
    Release,
    Settings,
    TemplateKind,
    build_release,
    lint_templates,
)
from dt_logs_cfn.errors import BuildError
from dt_logs_cfn.template.customizing import added_rights, built

SERVICE_ROLE = "DTLogsAnalysisCloudFormationRole"
SERVICE_POLICY = "policies/cloudformation-role-lifecycle.json"
ADD_ALARM = alarm()["add"]


def with_alarm(template: Template, kind: TemplateKind) -> None:
    """Add the alarm in docs/library.md, an output and tags, and change the function's memory."""
    ADD_ALARM(template, kind)
    if kind is not TemplateKind.SERVICE_ROLE:
        template.add_output(Output("AlarmArn", Value=GetAtt("FunctionErrors", "Arn")))
        template.resources[FUNCTION].MemorySize = 1024
        for name in (FUNCTION, ROLE):
            template.resources[name].Tags = Tags(team="edge")


BY = f"{__name__}:with_alarm"
OURS = build_release(Settings())
CUSTOMIZED = build_release(Settings(), with_alarm)
LEAST, DOCUMENTED, ROLES = TemplateKind


def at(where: TemplateKind, act: Callable[[Template], object]) -> Customize:
    """Return a function that changes only the template of this kind."""

    def change(template: Template, kind: TemplateKind) -> None:
        if kind is where:
            act(template)

    return change


def parsed(release: Release, name: str) -> Any:
    return json.loads(release.files[name])


def changing(template: Template) -> None:
    """Change the function's name, and the resources that it depends on."""
    template.resources[FUNCTION].FunctionName = "alb-logs"
    template.resources[FUNCTION].DependsOn = ROLE


def reordering(template: Template) -> None:
    template.parameters = dict(reversed(template.parameters.items()))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (at(ROLES, lambda t: None), [LEAST, DOCUMENTED, ROLES]),
        (at(DOCUMENTED, changing), [LEAST, ROLES]),
        # The Terraform modules have the parameters in the template's order.
        (at(LEAST, reordering), [DOCUMENTED, ROLES]),
    ],
)
def test_a_template_that_is_not_changed_is_ours(
    change: Customize, same: list[TemplateKind]
) -> None:
    release = build_release(Settings(), change)

    found = zip(TemplateKind, release.templates.items(), strict=True)
    assert [kind for kind, (name, text) in found if text == OURS.templates[name]] == same
    assert (release == OURS) == (not release.customized_by) == (len(same) == 3)


def test_what_is_added_is_in_every_file_and_our_own_stays() -> None:
    module = loads(CUSTOMIZED.files["terraform/main.tf"].decode())
    variables, outputs = (
        {name.strip('"') for each in module[kind] for name in each}
        for kind in ("variable", "output")
    )
    keys = {each["ParameterKey"] for each in parsed(CUSTOMIZED, "stackset-parameters.json")}
    page = CUSTOMIZED.files["index.html"].decode()
    *ours, added = parsed(CUSTOMIZED, SERVICE_POLICY)["Statement"]
    function = parsed(CUSTOMIZED, NAME)["Resources"][FUNCTION]["Properties"]

    assert (function["MemorySize"], len(function["Tags"])) == (1024, 1)
    assert ("alarm_topic_arn" in variables, "alarm_arn" in outputs) == (True, True)
    assert "AlarmTopicArn" in keys
    for said in (
        f'customized by <span class="mono">{BY}</span>',
        "Resources/FunctionErrors added",
        "cloudwatch:PutMetricAlarm",
        f"--customize {BY}",
        "<code>dt-logs-cfn deploy</code> does not take customized templates.",
    ):
        assert said in page
    assert "DTLogsAnalysis/CustomizedBy" not in page
    assert "dt-logs-cfn plan --region" not in page
    assert "customiz" not in OURS.files["index.html"].decode()
    assert ours == parsed(OURS, SERVICE_POLICY)["Statement"]
    assert added["Effect"] == "Allow"
    assert {"cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"} <= {*added["Action"]}
    alarms = "arn:aws:cloudwatch:${Region}:${Account}:alarm:${StackNamePrefix}*"
    assert added["Resource"] == [alarms]


def test_the_result_is_linted_with_what_was_added() -> None:
    today, incomplete = date(2026, 11, 1), Alarm("Incomplete", validation=False)
    wrong = build_release(Settings(), at(LEAST, lambda t: t.add_resource(incomplete)))

    assert lint_templates(CUSTOMIZED, today) == ()
    places = {(each.template, each.path) for each in lint_templates(wrong, today)}
    assert (NAME, "Resources/Incomplete/Properties") in places


def added_policy(policy: object) -> Customize:
    """Return a function that adds this policy to the service role."""
    added = Policy(PolicyName="Added", PolicyDocument=policy)
    return at(ROLES, lambda t: t.resources[SERVICE_ROLE].Policies.append(added))


def on(resource: object) -> PolicyDocument:
    return PolicyDocument(
        Statement=[Statement(Effect=Allow, Action=[PutMetricAlarm], Resource=[resource])]
    )


def test_a_function_in_an_added_statement_is_resolved() -> None:
    chosen = added_policy(on(If("HasPermissionsBoundaryArn", "arn:aws:a", "arn:aws:b")))

    text = build_release(Settings(), chosen).files[SERVICE_POLICY].decode()

    assert "arn:aws:a" in text and "arn:aws:b" not in text


def test_the_order_in_a_condition_does_not_show() -> None:
    statement = {"Effect": "Allow", "Condition": {"Null": {"b": "true"}, "Bool": {"a": "true"}}}
    found = {"Resources": {"Policy": {"Statement": [statement]}}}

    (right,) = added_rights(found, {"Resources": {}})

    assert right.condition == '{"Bool": {"a": "true"}, "Null": {"b": "true"}}'


def statements(template: Template, role: str) -> list[Statement]:
    found: list[Statement] = template.resources[role].Policies[0].PolicyDocument.Statement
    return found


OF_ROLE, OF_SERVICE_ROLE = (
    f"Resources/{role}/Properties/Policies/0/PolicyDocument/Statement/"
    for role in (ROLE, SERVICE_ROLE)
)
PROMISES: dict[str, Callable[[Template], object]] = {
    "Resources/": lambda t: t.resources.popitem(),
    f"Resources/{FUNCTION}/Condition": lambda t: setattr(t.resources[FUNCTION], "Condition", "C"),
    f"Resources/{FUNCTION}/Properties/Role": lambda t: setattr(t.resources[FUNCTION], "Role", "x"),
    f"Resources/{FUNCTION}/Properties/Code/ZipFile": (
        lambda t: setattr(t.resources[FUNCTION].Code, "ZipFile", "import os")
    ),
    OF_ROLE: lambda t: statements(t, ROLE).append(on("*").Statement[0]),
    OF_SERVICE_ROLE: lambda t: statements(t, SERVICE_ROLE).pop(),
    f"{OF_SERVICE_ROLE}0/Resource": (
        lambda t: setattr(statements(t, SERVICE_ROLE)[0], "Resource", ["*"])
    ),
    "Metadata": lambda t: t.metadata.clear(),
    "Metadata/DTLogsAnalysis/Version": lambda t: t.metadata["DTLogsAnalysis"].update(Version="9"),
    "Metadata/DTLogsAnalysis/CustomizedBy": (
        lambda t: t.metadata["DTLogsAnalysis"].update(CustomizedBy="nobody:nothing")
    ),
    "Parameters/LambdaExecutionRolePath/Default": (
        lambda t: setattr(t.parameters["LambdaExecutionRolePath"], "Default", "/x/")
    ),
    "Transform": lambda t: t.set_transform("AWS::LanguageExtensions"),
}


@pytest.mark.parametrize("place", PROMISES)
def test_what_we_promise_stays(place: str) -> None:
    with pytest.raises(BuildError) as refused:
        build_release(Settings(), at(ROLES if SERVICE_ROLE in place else LEAST, PROMISES[place]))

    assert f"change removes or changes {place}" in refused.value.what


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


def failing(error: BaseException) -> Customize:
    def fails(template: Template, kind: TemplateKind) -> None:
        raise error

    return fails


COUNTER = itertools.count()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            failing(KeyError("no\nsuch")),
            r"fails failed for the least-priv.* KeyError: .*line \d+ of",
        ),
        (
            failing(ValueError("There is no such role.")),
            r"ValueError: There is no such role\. [A-Z]",
        ),
        (failing(SystemExit(0)), "fails failed for the least-privilege template: SystemExit: 0"),
        (
            at(LEAST, lambda t: t.add_resource(Alarm("Empty"))),
            "change made a least-privilege template that cannot be",
        ),
        (
            at(LEAST, lambda t: t.add_mapping("Half", {"of": {"one": 0.5}})),
            "Write a fraction as text, like '0.5'",
        ),
        (lambda template, kind: Template(), "returned a Template, which would be ignored"),
        (
            at(LEAST, lambda t: t.add_output(Output("Build", Value=str(next(COUNTER))))),
            "two different least-privilege templates",
        ),
        (
            at(DOCUMENTED, lambda t: t.add_parameter(Parameter("Mine", Type="String"))),
            "Only the documented stack template has the parameter",
        ),
        (
            at(LEAST, lambda t: t.add_mapping("Filler", {"x": {"y": "z" * 9000}})),
            "Shorten what .*change adds",
        ),
        (
            added_policy(on(FindInMap("Alarms", Ref("AWS::Region"), "Arn"))),
            r"uses Fn::FindInMap; a policy file cannot.* Fn::Sub",
        ),
        (
            added_policy(Sub('{"Statement": {"Effect": "Allow"}}')),
            "policy of the service role is text.* as an object",
        ),
    ],
)
def test_a_function_that_fails_is_told_in_one_line(change: Customize, told: str) -> None:
    with pytest.raises(BuildError, match=told) as failed:
        build_release(Settings(), change)

    assert "\n" not in str(failed.value)
