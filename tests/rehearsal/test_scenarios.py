"""Rehearse every scenario, and customized releases, through the service role."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.generators import alarm
from troposphere import Template
from troposphere.sns import Topic

from dt_logs_cfn import Customize, Settings, TemplateKind, build_release, write_release
from dt_logs_cfn.commands.rehearse import NAMES
from dt_logs_cfn.errors import RehearsalError
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Consistency
from dt_logs_rehearsal.report.data import Report
from dt_logs_rehearsal.sandbox import Sandbox
from dt_logs_rehearsal.scenarios.catalogue import SCENARIOS
from dt_logs_rehearsal.scenarios.play import Play, rehearse
from dt_logs_rehearsal.scenarios.released import load

BY_NAME = {each.name: each for each in SCENARIOS}
LEAST = Privileges.LEAST_PRIVILEGE


def play(
    name: str, release: Path, folder: Path, privileges: Privileges = LEAST, **how: Consistency
) -> Report:
    return rehearse(BY_NAME[name], load(release, privileges, "lifecycle"), folder, **how)


def test_the_command_knows_every_scenario() -> None:
    assert tuple(BY_NAME) == NAMES


@pytest.mark.parametrize("privileges", list(Privileges), ids=lambda each: each.value)
@pytest.mark.parametrize("name", list(BY_NAME))
def test_a_scenario_goes_as_expected(
    name: str, privileges: Privileges, release: Path, tmp_path: Path
) -> None:
    """In two scenarios, the vendor also reads exactly one log, and not a neighbour's."""
    report = play(name, release, tmp_path, privileges)
    assert not report.unexpected
    assert report.restored
    assert report.stack_status == "DELETE_COMPLETE"
    stacks = [each for each in report.calls if each.caller in ("CloudFormation", "Lambda")]
    allowed = [each for call in stacks for each in call.decisions if each.allowed]
    assert len(allowed) > 40
    assert all(each.by not in ("", "administrator") for each in allowed)
    if name == "fresh":
        (line,) = report.vendor_received
        assert '"GET https://web.example.com:443/visit/1 HTTP/1.1"' in line
        assert [each.refused for each in report.attempts] == [True] * 5
        assert "X-Amz-Signature" not in json.dumps([str(each) for each in report.stages])
    if name == "logging":  # a neighbour's log is announced, but not readable
        assert report.denied == ("s3:GetObject",)
        assert len(report.vendor_received) == 1


def test_it_works_while_policies_roles_and_reads_spread_slowly(
    release: Path, tmp_path: Path
) -> None:
    # Permissions take effect after the function's slowest start, but before it stops waiting.
    slow = Consistency(stale_reads=1.5, spreading=3.0, new_rights=50.0)
    report = play("shared", release, tmp_path, consistency=slow)
    assert not report.unexpected
    made = (call.decisions for call in report.calls if call.caller == "Lambda")
    denied = {each.action for decisions in made for each in decisions if not each.allowed}
    assert "elasticloadbalancing:DescribeLoadBalancerAttributes" in denied


def test_the_service_role_runs_no_stack_of_another_name(release: Path, tmp_path: Path) -> None:
    """The service role covers only role names that begin with StackNamePrefix."""
    released = load(release, Privileges.DOCUMENTED, "lifecycle")
    with Sandbox(tmp_path) as sandbox:
        report = Report("named", "", "", "", "")
        play = Play(sandbox, released, released.service_role(sandbox), report)
        stack = play.create(*BY_NAME["fresh"].prepare(play.account), name="somebody-elses")
        assert stack.status == "ROLLBACK_COMPLETE"
        assert "is not authorized to perform: iam:CreateRole" in play.reason()
        assert "role/somebody-elses" in play.reason()


def rehearsed(customize: Customize, folder: Path) -> Report:
    release = write_release(build_release(Settings(), customize), folder / "build")
    released = load(release, LEAST, "lifecycle", customize)
    return rehearse(BY_NAME["delete"], released, folder)


def for_stacks(change: Callable[[Template], object]) -> Customize:
    """Return a customization of the stack templates, without the service role's."""

    def customize(template: Template, kind: TemplateKind) -> None:
        if kind is not TemplateKind.SERVICE_ROLE:
            change(template)

    return customize


def test_a_changed_function_and_an_alarm_are_made_through_the_service_role(
    tmp_path: Path,
) -> None:
    """The customized service role may create and delete the alarm of docs/library.md."""

    def renamed(template: Template) -> None:
        function = template.resources["DTLogsAnalysisLambdaFunction"]
        function.FunctionName = "dt-logs-analysis-of-the-edge-team"
        function.MemorySize = 1024

    def both(template: Template, kind: TemplateKind) -> None:
        alarm()["add"](template, kind)
        for_stacks(renamed)(template, kind)

    report = rehearsed(both, tmp_path / "both")

    assert report.unexpected == []
    events = [event for stage in report.stages for event in stage.events]
    assert "dt-logs-analysis-of-the-edge-team" in {event.physical_id for event in events}
    statuses = [each.status for each in events if each.resource_type == "AWS::CloudWatch::Alarm"]
    assert statuses[-1] == "DELETE_COMPLETE"
    assert "CREATE_COMPLETE" in statuses
    decided = [each for call in report.calls for each in call.decisions]
    put = {each for each in decided if each.action == "cloudwatch:PutMetricAlarm"}
    assert len({each.by for each in put}) == 1
    alarms = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:dt-logs-"
    about = [each.resource for each in decided if each.action.startswith("cloudwatch:")]
    assert all(each.startswith(alarms) for each in about)

    report = rehearsed(for_stacks(alarm()["add_alarm"]), tmp_path / "alarm")
    assert (report.denied, report.passed) == (("cloudwatch:PutMetricAlarm",), False)
    with pytest.raises(RehearsalError, match="Operators has the type AWS::SNS::Topic"):
        rehearsed(for_stacks(lambda template: template.add_resource(Topic("Operators"))), tmp_path)


def test_a_customized_release_is_rehearsed_with_its_function_only(tmp_path: Path) -> None:
    """Without a folder, `load` customizes the installed release."""
    add = alarm()["add"]
    release = write_release(build_release(Settings(), add), tmp_path)

    with pytest.raises(RehearsalError, match="is not what this release builds"):
        load(release, LEAST, "lifecycle")
    assert load(None, LEAST, "lifecycle", add) == load(release, LEAST, "lifecycle", add)
    assert load(None, LEAST, "lifecycle") != load(None, LEAST, "lifecycle", add)
