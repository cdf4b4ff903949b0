"""Rehearse the alarm in docs/library.md: the service role creates it, and later deletes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.generators import alarm
from troposphere import Template
from troposphere.sns import Topic

from dt_logs_cfn import Customize, Privileges, Settings, TemplateKind, build_release, write_release
from dt_logs_cfn.errors import RehearsalError
from dt_logs_rehearsal.report.data import Report
from dt_logs_rehearsal.scenarios.catalogue import SCENARIOS
from dt_logs_rehearsal.scenarios.play import rehearse
from dt_logs_rehearsal.scenarios.released import load

(SCENARIO,) = (each for each in SCENARIOS if each.name == "delete")
LEAST = Privileges.LEAST_PRIVILEGE


def rehearsed(customize: Customize, folder: Path) -> Report:
    release = write_release(build_release(Settings(), customize), folder / "build")
    released = load(release, LEAST, "lifecycle", customize)
    return rehearse(SCENARIO, released, folder)


def test_the_alarm_is_made_through_the_service_role(tmp_path: Path) -> None:
    report = rehearsed(alarm()["add"], tmp_path)

    assert report.unexpected == []
    events = [event for stage in report.stages for event in stage.events]
    statuses = [each.status for each in events if each.resource_type == "AWS::CloudWatch::Alarm"]
    assert statuses[-1] == "DELETE_COMPLETE"
    assert "CREATE_COMPLETE" in statuses
    decided = [
        each
        for call in report.calls
        for each in call.decisions
        if each.action.startswith("cloudwatch:")
    ]
    assert len({each.by for each in decided if each.action == "cloudwatch:PutMetricAlarm"}) == 1
    alarms = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:dt-logs-"
    assert all(each.resource.startswith(alarms) for each in decided)


def test_a_right_that_the_service_role_lacks_is_seen(tmp_path: Path) -> None:
    add_alarm = alarm()["add_alarm"]

    def without_rights(template: Template, kind: TemplateKind) -> None:
        if kind is not TemplateKind.SERVICE_ROLE:
            add_alarm(template)

    report = rehearsed(without_rights, tmp_path)

    assert report.denied == ("cloudwatch:PutMetricAlarm",)
    assert not report.passed


def test_a_changed_function_runs_as_it_was_changed(tmp_path: Path) -> None:
    def renamed(template: Template, kind: TemplateKind) -> None:
        if kind is not TemplateKind.SERVICE_ROLE:
            function = template.resources["DTLogsAnalysisLambdaFunction"]
            function.FunctionName = "dt-logs-analysis-of-the-edge-team"
            function.MemorySize = 1024

    report = rehearsed(renamed, tmp_path)

    assert report.unexpected == []
    ids = {event.physical_id for stage in report.stages for event in stage.events}
    assert "dt-logs-analysis-of-the-edge-team" in ids


def test_what_cannot_be_emulated_is_refused_by_name(tmp_path: Path) -> None:
    def with_topic(template: Template, kind: TemplateKind) -> None:
        template.add_resource(Topic("Operators"))

    with pytest.raises(RehearsalError, match="Operators has the type AWS::SNS::Topic"):
        rehearsed(with_topic, tmp_path)


def test_a_customized_release_is_rehearsed_with_its_function_only(tmp_path: Path) -> None:
    """Without a folder, `load` customizes the installed release."""
    add = alarm()["add"]
    release = write_release(build_release(Settings(), add), tmp_path)

    with pytest.raises(RehearsalError, match="is not what this release builds"):
        load(release, LEAST, "lifecycle")
    assert load(None, LEAST, "lifecycle", add) == load(release, LEAST, "lifecycle", add)
    assert load(None, LEAST, "lifecycle") != load(None, LEAST, "lifecycle", add)
