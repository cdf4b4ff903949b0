"""A stack of roles only, which is created quickly; tests choose which calls IAM refuses."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.thing import LOG, TRUST

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.http.endpoint import Endpoint

IAM = ["CAPABILITY_IAM"]


def body(*roles: str, policy: str = "Log") -> str:
    """Return a template with these roles and without parameters."""
    properties: dict[str, Any] = {
        "AssumeRolePolicyDocument": TRUST,
        "Policies": [{"PolicyName": policy, "PolicyDocument": LOG}],
    }
    found = {each: {"Type": "AWS::IAM::Role", "Properties": properties} for each in roles}
    return json.dumps({"Resources": found})


def refuse(endpoint: Endpoint, *operations: str, of: str = "") -> None:
    """Let IAM refuse only these operations from now on, on the role `of` or on every role."""

    def before(call: Call) -> None:
        if call.operation in operations and f"-{of}" in call.params["RoleName"]:
            raise Refused("ServiceFailure", f"{call.operation} is refused")

    endpoint.before = before
