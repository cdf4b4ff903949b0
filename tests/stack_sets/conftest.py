"""StackSets in memory, an operator's terminal in front of them, and what the tests roll out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

import pytest
from support.seat import Seat
from support.stack_sets import FakeStackSets

from dt_logs_cfn import Settings
from dt_logs_cfn.cli.terminal import Operator
from dt_logs_cfn.commands import deploy
from dt_logs_cfn.operate.stack_sets.command import roll_out
from dt_logs_cfn.operate.stack_sets.rollout import asked_for
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.templates import stack_template

ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
IRELAND, OHIO = "eu-west-1", "us-east-2"
WHERE = ("--accounts", ONE, TWO, "--regions", IRELAND, OHIO)
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


class Terminal:
    """Runs roll-outs from one account; time passes only while they wait."""

    def __init__(self, capsys: pytest.CaptureFixture[str], client: Any = None) -> None:
        self.fake = FakeStackSets({"ou-abcd-11112222": [ONE, TWO, THREE]})
        self.client = client or self.fake.client()
        self.seat = Seat()
        self.capsys = capsys
        self.out = ""

    @property
    def err(self) -> list[str]:
        return self.seat.lines

    def run(
        self,
        *words: str,
        made: Template = TEMPLATE,
        parameters: Mapping[str, str] = VALUES,
        tags: Mapping[str, str] | None = None,
        operator: Operator | None = None,
        yes: bool = True,
    ) -> int:
        parser = argparse.ArgumentParser()
        deploy.configure(parser)
        arguments = parser.parse_args(["--stack-set", "all", *words, *["--yes"] * yes])
        try:
            rollout = asked_for(arguments, made, parameters, tags or {})
            who = operator or self.seat.operator
            return roll_out(self.client, arguments, rollout, "here", who)
        finally:
            self.out = self.capsys.readouterr().out


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)
