"""Data that roll-out tests share: accounts, regions, values, and a template with only a topic."""

import json
from collections.abc import Mapping
from typing import Any

from dt_logs_cfn import Settings
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.templates import stack_template

ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
IRELAND, OHIO = "eu-west-1", "us-east-2"
VALUES = {
    "DataTheoremAccountId": "999988887777",
    "LoadBalancerArns": "*",
    "NotificationEndpoint": "https://logs.example.com/token-of-the-customer",
}


def template(topic: str = "t", defaults: Mapping[str, str] | None = None) -> Template:
    """Return our template with a topic as its only resource, since moto cannot run the Lambda."""
    made: dict[str, Any] = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()
    made["Resources"] = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": topic}}}
    for name in ("Outputs", "Conditions", "Rules"):
        made.pop(name, None)
    for name, value in (defaults or {}).items():
        made["Parameters"][name]["Default"] = value
    return Template(json.dumps(made), "for a test")


TEMPLATE = template()
