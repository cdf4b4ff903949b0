"""Run a stack of the release in its own account, for tests beyond the scenarios.

`played` yields a Play whose stack has one more resource than the template: a log group, which is
created and updated after the custom resource. `fail_after` makes its update fail, so that
CloudFormation rolls back an Update that the function has already carried out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.cloudformation.stack import Stack
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.report.data import Report
from dt_logs_rehearsal.sandbox import Sandbox
from dt_logs_rehearsal.scenarios.play import Play
from dt_logs_rehearsal.scenarios.released import load

OTHER = "Other"
FAILURE = "The log group cannot be changed"


@contextmanager
def played(
    folder: Path,
    release: Path,
    privileges: Privileges = Privileges.LEAST_PRIVILEGE,
    pace: Pace | None = None,
) -> Iterator[Play]:
    """Yield a Play; its account runs until the block ends, and writes its functions to `folder`."""
    found = load(release, privileges, "lifecycle")
    report = Report("played", "", privileges.value, found.role_kind, "")
    with Sandbox(folder, pace=pace) as sandbox:
        role = found.service_role(sandbox)
        yield Play(sandbox, replace(found, stack=_with_another(found.stack)), role, report)


def _with_another(body: str) -> str:
    """Return a template with a log group that depends on the custom resource."""
    template = json.loads(body)
    template["Resources"][OTHER] = {
        "Type": "AWS::Logs::LogGroup",
        "DependsOn": "InvokeLambdaFunction",
        "Properties": {"RetentionInDays": {"Ref": "LogRetentionDays"}},
    }
    return json.dumps(template, separators=(",", ":"))


def fail_after(play: Play, days: str) -> None:
    """Make setting the log group's retention to `days` fail; an empty string ends this.

    CloudFormation updates the log group after the custom resource.
    """

    def before(call: Call) -> None:
        change = (call.operation, str(call.params.get("retentionInDays")))
        group = str(call.params.get("logGroupName"))
        if change == ("PutRetentionPolicy", days) and f"-{OTHER}-" in group:
            raise Refused("InvalidParameterException", FAILURE)

    play.sandbox.endpoint.before = before


def forbid(play: Play, *policies: Mapping[str, Any]) -> None:
    """Let the organisation apply only these service control policies from now on."""
    play.account.world.control_policies = tuple(json.dumps(each) for each in policies)


def ended(play: Play, status: str, stack: Stack) -> None:
    """Check the stack's status after the last operation; if it is wrong, show what failed."""
    failed = [
        f"{each.logical_id} {each.status}: {each.reason}"
        for each in play.report.stages[-1].events
        if each.status.endswith("_FAILED")
    ]
    assert stack.status == status, failed


def logged(play: Play) -> str:
    """Return everything that the function has logged."""
    return " ".join(play.sandbox.logged)
