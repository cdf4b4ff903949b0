"""The role that the template makes from its parameters is enough for every scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from dt_logs_cfn.canonical import dumps
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.templates import stack_template
from dt_logs_rehearsal.account import Account, Clock
from dt_logs_rehearsal.scenarios.differences import differences
from lifecycle.cloudformation import Properties, Stack
from lifecycle.scenarios import SCENARIOS, Scenario


@cache
def template(privileges: str) -> Any:
    settings = Settings(())
    return json.loads(dumps(stack_template(settings, Privileges(privileges)).to_dict()))


def role(given: Mapping[str, Any], account: Account, stack_id: str = "") -> list[Any]:
    """Return the policies of the execution role of a stack with these properties."""
    document = template(given["Privileges"])
    values = {
        name: ",".join(given[name]) if isinstance(given[name], list) else str(given[name])
        for name in document["Parameters"]
        if name in given
    }
    stack = ResolvedTemplate(
        document,
        values,
        account.partition,
        account.region,
        account.account_id,
        pseudo={"AWS::StackId": stack_id},
    )
    policies = stack.properties("DTLogsAnalysisLambdaExecutionRole")["Policies"]
    return [each["PolicyDocument"] for each in policies]


class Roles:
    """Sends events to a stack whose function runs under the role for the event's properties."""

    def __init__(self, scenario: Scenario) -> None:
        self.clock = Clock()
        self.account = Account("123456789012", "eu-west-1", clock=self.clock)
        self.arns = scenario.prepare(self.account)
        self.stack = Stack(self.clock, seed=1)

    def send(self, kind: str, given: Properties, old: Properties | None = None) -> str:
        caller = self.account.caller(role(given, self.account))

        def clients() -> tuple[object, object, object]:
            return (
                self.account.client("elbv2", caller=caller),
                self.account.client("s3", caller=caller),
                self.account.client("sns", caller=caller),
            )

        answer = self.stack.send(self.stack.event(kind, given, old), clients)
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return str(answer["Data"])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_the_role_is_enough_for_the_whole_life(scenario: Scenario) -> None:
    """CloudFormation changes the role before it sends an event, even when it rolls back."""
    roles = Roles(scenario)
    before, after = scenario.before(roles.arns), scenario.after(roles.arns)
    start = roles.account.snapshot()
    first, second = before or after, after or before
    assert first and second
    documented = first["Privileges"] == "documented"

    roles.send("Create", first)
    created = roles.account.snapshot()
    roles.send("Update", second, first)
    told = roles.send("Update", first, second)
    if second["LogBucketName"] and not first["LogBucketName"]:
        # The role no longer covers the bucket that it made, so the customer removes it as told.
        assert f"aws s3 rb s3://{second['LogBucketName']}" in told
        roles.account.s3.delete_bucket(Bucket=str(second["LogBucketName"]))
    assert not differences(created, roles.account.snapshot(), documented=documented)
    roles.send("Delete", first)
    assert not differences(start, roles.account.snapshot(), documented=documented)
