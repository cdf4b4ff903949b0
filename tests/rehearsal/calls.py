"""Calls to CloudFormation through boto3, for tests of its emulation."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Check that a call is refused, and return the error's code and message."""
    with pytest.raises(ClientError) as error:
        call(**params)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def given(**values: str) -> list[dict[str, str]]:
    """Return parameters in CloudFormation's form."""
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def settled(cfn: Any, name: str = "thing") -> dict[str, Any]:
    """Wait until a stack's operation has ended, and return the stack."""
    for _ in range(1000):
        found: dict[str, Any] = cfn.describe_stacks(StackName=name)["Stacks"][0]
        if not found["StackStatus"].endswith("_IN_PROGRESS"):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def proposed(cfn: Any, **asked: Any) -> dict[str, Any]:
    """Create a change set for the stack `thing`, and return it once it is complete or failed."""
    made = cfn.create_change_set(StackName="thing", **asked)
    for _ in range(1000):
        found: dict[str, Any] = cfn.describe_change_set(ChangeSetName=made["Id"])
        if not found["Status"].endswith("_IN_PROGRESS"):
            return found
        time.sleep(0.02)
    raise AssertionError(found)
