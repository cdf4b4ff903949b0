"""Play every scenario to its end, under both privilege sets, through the lifecycle role."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dt_logs_cfn.commands.rehearse import NAMES
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Consistency
from dt_logs_rehearsal.report.data import Report
from dt_logs_rehearsal.sandbox import Sandbox
from dt_logs_rehearsal.scenarios.catalogue import SCENARIOS
from dt_logs_rehearsal.scenarios.play import Play, rehearse
from dt_logs_rehearsal.scenarios.released import load

BY_NAME = {each.name: each for each in SCENARIOS}


def play(
    name: str,
    release: Path,
    folder: Path,
    privileges: Privileges = Privileges.LEAST_PRIVILEGE,
    consistency: Consistency | None = None,
) -> Report:
    released = load(release, privileges, "lifecycle")
    return rehearse(BY_NAME[name], released, folder, consistency=consistency)


def test_the_command_knows_every_scenario() -> None:
    assert tuple(BY_NAME) == NAMES


@pytest.mark.parametrize("privileges", list(Privileges), ids=lambda each: each.value)
@pytest.mark.parametrize("name", list(BY_NAME))
def test_a_scenario_goes_as_expected(
    name: str, privileges: Privileges, release: Path, tmp_path: Path
) -> None:
    report = play(name, release, tmp_path, privileges)
    assert not report.unexpected
    assert report.restored
    assert report.stack_status == "DELETE_COMPLETE"
    stacks = [each for each in report.calls if each.caller in ("CloudFormation", "Lambda")]
    allowed = [each for call in stacks for each in call.decisions if each.allowed]
    assert len(allowed) > 40
    assert all(each.by not in ("", "administrator") for each in allowed)


def test_the_vendor_gets_the_log_line_and_nothing_else(release: Path, tmp_path: Path) -> None:
    report = play("fresh", release, tmp_path)
    (line,) = report.vendor_received
    assert '"GET https://web.example.com:443/visit/1 HTTP/1.1"' in line
    assert len(report.attempts) == 5
    assert all(each.refused for each in report.attempts)
    assert "X-Amz-Signature" not in json.dumps([str(each) for each in report.stages])


def test_a_neighbours_log_is_announced_and_not_readable(release: Path, tmp_path: Path) -> None:
    report = play("logging", release, tmp_path)
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
