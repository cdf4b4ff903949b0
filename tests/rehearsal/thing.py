"""A stack with one custom resource, whose function acts as a parameter says."""

from __future__ import annotations

import json
from typing import Any

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
LOG = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}],
}
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
    if do == "fail" and event["RequestType"] != "Delete":
        answer |= {"Status": "FAILED", "Reason": "because"}
    if do == "long" and event["RequestType"] != "Delete":
        answer["Data"] = {"A": "x" * 5000}
    if do == "other stack" and event["RequestType"] != "Delete":
        answer["StackId"] = "another"
    if do == "no id" and event["RequestType"] != "Delete":
        answer["PhysicalResourceId"] = ""
    body = json.dumps(answer).encode()
    request = urllib.request.Request(event["ResponseURL"], body, method="PUT")
    urllib.request.urlopen(request).close()
"""


def template(**changed: Any) -> str:
    return json.dumps(
        {
            "Parameters": {"Do": {"Type": "String", "Default": "well"}},
            "Resources": {
                "Thing": {
                    "Type": "Custom::Thing",
                    "Properties": {
                        "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                        "ServiceTimeout": 100,
                        "Do": {"Ref": "Do"},
                        "Flag": True,
                        "Numbers": [1, 2.5],
                    },
                },
                "Function": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                        "Runtime": "python3.13",
                        "Handler": "index.handler",
                        "Timeout": 60,
                        "MemorySize": 128,
                        "Code": {"ZipFile": CODE},
                    },
                },
                "Role": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {
                        "AssumeRolePolicyDocument": TRUST,
                        "Policies": [{"PolicyName": "Log", "PolicyDocument": LOG}],
                        **changed,
                    },
                },
            },
            "Outputs": {"A": {"Value": {"Fn::GetAtt": ["Thing", "A"]}}},
        }
    )
