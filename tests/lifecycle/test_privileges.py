"""The role that the template creates for a stack's parameters is sufficient for every scenario."""

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
from dt_logs_rehearsal.account import Account
from lifecycle.cases import Case, data
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


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_the_role_is_enough_for_the_whole_life(scenario: Scenario) -> None:
    """CloudFormation changes the role before it sends an event, even when it rolls back."""
    case = Case(scenario.prepare)
    before, after = scenario.before(case.arns), scenario.after(case.arns)
    first, second = before or after, after or before
    assert first and second

    case.role = role(first, case.account)
    case.sent("Create", first)
    created = case.account.snapshot()
    case.role = role(second, case.account)
    case.sent("Update", second, first)
    case.role = role(first, case.account)
    told = data(case.sent("Update", first, second), "Warnings")
    if second["LogBucketName"] and not first["LogBucketName"]:
        # The role no longer covers this bucket, so the customer removes it as the warning says.
        assert f"aws s3 rb s3://{second['LogBucketName']}" in told
        case.delete_bucket(str(second["LogBucketName"]))
    assert case.differs(created) == []
    case.ends(first)
