"""Small templates, and calls to CloudFormation through boto3, for tests of its emulation.

`template` has one custom resource, whose function acts as a parameter says. `body` has only roles,
because they are created quickly; `refuse` makes IAM refuse some calls. PLAIN is a function that
does almost nothing.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.drifts import document

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.functions.processes import Function, interpreter
from dt_logs_rehearsal.http.endpoint import Endpoint

IAM = ["CAPABILITY_IAM"]
_LAMBDA = {"Service": "lambda.amazonaws.com"}
TRUST = document({"Effect": "Allow", "Principal": _LAMBDA, "Action": "sts:AssumeRole"})
_LOG = document({"Effect": "Allow", "Action": "logs:*", "Resource": "*"})
# The function answers as the property Do says, and logs every event.
CODE = """
import json, time, urllib.request

def handler(event, context):
    print(json.dumps({k: v for k, v in event.items() if k != "ResponseURL"}))
    do = event["ResourceProperties"]["Do"]
    if do == "nothing" or (do == "raise" and event["RequestType"] == "Create"):
        raise RuntimeError(do)
    same = {k: event[k] for k in ("StackId", "RequestId", "LogicalResourceId")}
    answer = {**same, "Status": "SUCCESS", "PhysicalResourceId": "thing", "Data": {"A": "b"}}
    answer["Reason"] = "done"
    if event["RequestType"] != "Delete":
        answer |= {
            "fail": {"Status": "FAILED", "Reason": "because"},
            "long": {"Data": {"A": "x" * 5000}},
            "other stack": {"StackId": "another"},
            "no id": {"PhysicalResourceId": ""},
        }.get(do, {})
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, method="PUT")
    urllib.request.urlopen(request).close()
"""

PLAIN = Function(
    name="plain",
    arn="arn:aws:lambda:us-east-1:123456789012:function:plain",
    runtime=interpreter("python0.0")[1].partition(" ")[0],  # the running Python's version
    handler="index.handler",
    code="def handler(event, context):\n    print('got', event)\n    return event\n",
    timeout=300,
    memory=128,
    log_group="/aws/lambda/plain",
    region="us-east-1",
    credentials={"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"},
)


def role(policy: str = "Log", **changed: Any) -> dict[str, Any]:
    """Return a role that Lambda can assume, with an inline policy of this name."""
    policies = [{"PolicyName": policy, "PolicyDocument": _LOG}]
    properties = {"AssumeRolePolicyDocument": TRUST, "Policies": policies, **changed}
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def body(*roles: str, policy: str = "Log") -> str:
    """Return a template with these roles and without parameters."""
    return json.dumps({"Resources": {each: role(policy) for each in roles}})


def template(**changed: Any) -> str:
    """Return a template with a custom resource; `changed` has properties of its function's role."""
    thing = {
        "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
        "ServiceTimeout": 100,
        "Do": {"Ref": "Do"},
        "Flag": True,
        "Numbers": [1, 2.5],
    }
    function = {
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Timeout": 60,
        "MemorySize": 128,
        "Code": {"ZipFile": CODE},
    }
    return json.dumps(
        {
            "Parameters": {"Do": {"Type": "String", "Default": "well"}},
            "Resources": {
                "Thing": {"Type": "Custom::Thing", "Properties": thing},
                "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
                "Role": role(**changed),
            },
            "Outputs": {"A": {"Value": {"Fn::GetAtt": ["Thing", "A"]}}},
        }
    )


def refuse(endpoint: Endpoint, *operations: str, of: str = "") -> None:
    """Let IAM refuse only these operations from now on, on the role `of` or on every role."""

    def before(call: Call) -> None:
        if call.operation in operations and f"-{of}" in call.params["RoleName"]:
            raise Refused("ServiceFailure", f"{call.operation} is refused")

    endpoint.before = before


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """Check that a call is refused, and return the error's code and message."""
    with pytest.raises(ClientError) as error:
        call(**params)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def invalid(call: Any, **params: Any) -> str:
    """Check that a call is refused with a ValidationError, and return its message."""
    code, message = refusal(call, **params)
    assert code == "ValidationError", message
    return message


def given(**values: str) -> list[dict[str, str]]:
    """Return parameters in CloudFormation's form."""
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def settled(cfn: Any, name: str = "thing") -> dict[str, Any]:
    """Wait until a stack's operation has ended, and return the stack."""
    return _at_rest(lambda: cfn.describe_stacks(StackName=name)["Stacks"][0], "StackStatus")


def proposed(cfn: Any, **asked: Any) -> dict[str, Any]:
    """Create a change set, and return it once it is complete or failed."""
    made = cfn.create_change_set(**asked)["Id"]
    return _at_rest(lambda: cfn.describe_change_set(ChangeSetName=made), "Status")


def _at_rest(look: Any, status: str) -> dict[str, Any]:
    for _ in range(1000):
        found: dict[str, Any] = look()
        if not found[status].endswith("_IN_PROGRESS"):
            return found
        time.sleep(0.02)
    raise AssertionError(found)
