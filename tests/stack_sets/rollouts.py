"""Roll-outs for tests: a template with our parameters and one topic, and short ways to make one."""

import json
from collections.abc import Mapping
from typing import Any

from support.stack_sets import FakeCloudFormation

from dt_logs_cfn import Settings
from dt_logs_cfn.operate.operator import Operator
from dt_logs_cfn.operate.stack_sets.calls import StackSet
from dt_logs_cfn.operate.stack_sets.course import Course, Done
from dt_logs_cfn.operate.stack_sets.operations import Operation, Present
from dt_logs_cfn.operate.stack_sets.organization import accounts
from dt_logs_cfn.operate.stack_sets.overrides import assigned, parse_overrides
from dt_logs_cfn.operate.stack_sets.plan import plan
from dt_logs_cfn.operate.stack_sets.rollout import Rollout
from dt_logs_cfn.operate.stack_sets.run import carry_out
from dt_logs_cfn.operate.stack_sets.targets import Block, SelfManaged
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


def template(
    topic: str = "t", defaults: Mapping[str, str] | None = None, rules: bool = False
) -> Template:
    """Return our template with one topic for its resources: moto cannot run the Lambda."""
    made: dict[str, Any] = stack_template(Settings(), Privileges.LEAST_PRIVILEGE).to_dict()
    made["Resources"] = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": topic}}}
    for name in ("Outputs", "Conditions", *(() if rules else ("Rules",))):
        made.pop(name, None)
    for name, value in (defaults or {}).items():
        made["Parameters"][name]["Default"] = value
    return Template(json.dumps(made), "for a test")


TEMPLATE = template()


def rollout(overrides: str = "", **given: Any) -> Rollout:
    """Return a roll-out to two accounts in two regions, or to what is given."""
    rows = parse_overrides(overrides, TEMPLATE.parameters) if overrides else ()
    usual: dict[str, Any] = {
        "name": "dt-logs-analysis",
        "template": TEMPLATE,
        "parameters": VALUES,
        "targets": SelfManaged((ONE, TWO)),
        "regions": (IRELAND, OHIO),
        "rows": rows,
    }
    return Rollout(**{**usual, **given})


def arn(account: str = ONE, region: str = IRELAND, name: str = "web") -> str:
    """Return the ARN of a load balancer."""
    kind = "loadbalancer/app"
    return f"arn:aws:elasticloadbalancing:{region}:{account}:{kind}/{name}/0123456789abcdef"


def look(client: Any, wanted: Rollout, organizations: Any = None) -> tuple[StackSet, Present]:
    """Return what there is, read as the command reads it."""
    stack_set = StackSet(client, wanted)
    targets = accounts(wanted.targets, organizations)
    asked = assigned(wanted.rows, Block(targets, wanted.regions).instances)
    return stack_set, stack_set.present(targets, asked)


def planned(client: Any, wanted: Rollout, organizations: Any = None) -> tuple[Operation, ...]:
    """Return what is to be done."""
    return plan(wanted, look(client, wanted, organizations)[1])


def rolled_out(
    client: Any,
    wanted: Rollout,
    organizations: Any = None,
    operator: Operator | None = None,
    course: Course | None = None,
) -> tuple[Done, ...]:
    """Plan and do it, in a time that stands still unless there is an operator."""
    stack_set, present = look(client, wanted, organizations)
    course = course or Course()
    course.operations = plan(wanted, present)
    who = operator or Operator(lambda: 0.0, lambda seconds: None, lambda line: None)
    carry_out(stack_set, present, course, who)
    return tuple(course.done)


def made(client: FakeCloudFormation) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
    """Return each instance that there is, with its status and overrides."""
    (found,) = client.sets.values()
    return {place: (each.status, each.overrides) for place, each in found.instances.items()}
