"""A fake of CloudFormation's StackSets, with features that moto lacks, and roll-outs in it.

moto's operations succeed on every stack as soon as they begin. moto lacks failures, a failure
tolerance, operations in progress, a filter of accounts, auto-deployment, pages, and operation IDs
from the caller. boto3 checks each request against CloudFormation's API model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from support.commands import Seat

from dt_logs_cfn import Settings
from dt_logs_cfn.cli.main import command_parser
from dt_logs_cfn.cli.terminal import Operator
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
Target = tuple[str, str]
PAGE, OUTDATED = 2, ("OUTDATED", "")


@dataclass
class FakeOperation:
    id: str
    given: Mapping[str, Any]
    waiting: list[Target]
    results: dict[Target, tuple[str, str]] = field(default_factory=dict)
    status: str = "RUNNING"


class FakeStackSets:
    """Holds at most one stack set; `fails` returns why a stack at a place fails, or an empty text.

    `before` and `after` are called with each call's name, before and after it takes effect. If
    `before` raises, the call has no effect; if `after` raises, the answer is lost. AWS performs
    operations with the same ID only once, but does not document the second answer. `repeated` is
    the second answer's error code, or empty if the second answer equals the first.
    """

    def __init__(self, units: Mapping[str, list[str]] | None = None) -> None:
        self.units = units or {}
        self.given: dict[str, Any] = {}
        self.parameters: dict[str, str] = {}
        self.stacks: dict[Target, tuple[str, str]] = {}  # statuses and reasons
        self.operations: list[FakeOperation] = []
        self.begun: list[tuple[str, Mapping[str, Any]]] = []
        self.fails: Callable[[Target], str] = lambda place: ""
        self.before: Callable[[str], None] = lambda name: None
        self.after: Callable[[str], None] = lambda name: None
        self.advance: Callable[[FakeOperation], object] = self._done_one_more
        self.repeated = "OperationIdAlreadyExistsException"
        self._asked: Mapping[str, Any] = {}

    def client(self) -> Any:
        """Return a boto3 client whose calls this fake answers."""
        made: Any = boto3.Session("id", "key", region_name="eu-west-1").client("cloudformation")
        made.meta.events.register("before-parameter-build.cloudformation", self._note)
        made.meta.events.register("before-call.cloudformation", self._answer)
        return made

    def _note(self, params: Mapping[str, Any], **_: Any) -> None:
        self._asked = params

    def _answer(self, model: Any, **_: Any) -> Any:
        """Answer a call in place of the network, or raise an error."""
        self.before(model.name)
        name = re.sub("(?<!^)(?=[A-Z])", "_", model.name).lower()
        found = getattr(self, name)(self._asked)
        self.after(model.name)
        return SimpleNamespace(status_code=200), found

    def create_stack_set(self, given: Any) -> Any:
        if not self.given:
            self.begun.append(("CreateStackSet", given))
            self.given, self.parameters = dict(given), _values(given["Parameters"])
        elif self.given.get("ClientRequestToken") != given["ClientRequestToken"]:
            raise error("NameAlreadyExistsException", "CreateStackSet")
        return {"StackSetId": "id"}

    def update_stack_set(self, given: Any) -> Any:
        if self._is_new("UpdateStackSet", given):
            kept = [e["ParameterKey"] for e in given["Parameters"] if e.get("UsePreviousValue")]
            values = [each for each in given["Parameters"] if "ParameterValue" in each]
            self.parameters = {n: self.parameters[n] for n in kept} | _values(values)
            self.given |= given
            self.stacks = dict.fromkeys(self.stacks, OUTDATED)
            self.operations.append(FakeOperation(given["OperationId"], given, [*self.stacks]))
        return {"OperationId": given["OperationId"]}

    def create_stack_instances(self, given: Any) -> Any:
        """Begin an operation that creates missing stacks and retries those that failed."""
        if self._is_new("CreateStackInstances", given):
            places = [(a, r) for r in given["Regions"] for a in self._accounts(given)]
            self.stacks = dict.fromkeys(places, OUTDATED) | self.stacks
            outdated = [each for each in places if self.stacks[each][0] == "OUTDATED"]
            self.operations.append(FakeOperation(given["OperationId"], given, outdated))
        return {"OperationId": given["OperationId"]}

    def describe_stack_set(self, given: Any) -> Any:
        if not self.given:
            raise error("StackSetNotFoundException", "DescribeStackSet")
        hidden = ("Parameters", "CallAs", "OperationId", "OperationPreferences")
        listed = [{"ParameterKey": k, "ParameterValue": v} for k, v in self.parameters.items()]
        shown = {key: value for key, value in self.given.items() if key not in hidden}
        return {"StackSet": {**shown, "Status": "ACTIVE", "Parameters": listed}}

    def list_stack_instances(self, given: Any) -> Any:
        return _page(self.stacks, given)

    def list_stack_set_operations(self, given: Any) -> Any:
        found = [{"OperationId": e.id, "Status": e.status} for e in reversed(self.operations)]
        return {"Summaries": found}

    def describe_stack_set_operation(self, given: Any) -> Any:
        operation = self.operation(given["OperationId"])
        self.advance(operation)
        return {"StackSetOperation": {"OperationId": operation.id, "Status": operation.status}}

    def list_stack_set_operation_results(self, given: Any) -> Any:
        operation = self.operation(given["OperationId"])
        results = {**operation.results, **dict.fromkeys(operation.waiting, ("PENDING", ""))}
        return _page(results, given)

    def operation(self, operation_id: str) -> FakeOperation:
        for each in self.operations:
            if each.id == operation_id:
                return each
        raise error("OperationNotFoundException", "DescribeStackSetOperation")

    def _done_one_more(self, operation: FakeOperation) -> None:
        """Finish the next stack, as CloudFormation does between two calls."""
        for place in operation.waiting[:1]:
            reason = self.fails(place)
            self.stacks[place] = ("OUTDATED", reason) if reason else ("CURRENT", "")
            # Sometimes AWS gives the reason only on the stack.
            own = "" if reason.startswith("stack: ") else reason
            operation.results[place] = ("FAILED", own) if reason else ("SUCCEEDED", "")
        operation.waiting = operation.waiting[1:]
        failed = sum(status == "FAILED" for status, _ in operation.results.values())
        tolerated = operation.given["OperationPreferences"].get("FailureToleranceCount", 0)
        if failed > tolerated:
            untried = ("CANCELLED", "Cancelled since failure tolerance exceeded")
            operation.results |= dict.fromkeys(operation.waiting, untried)
            operation.waiting = []
        if not operation.waiting:
            operation.status = "FAILED" if failed > tolerated else "SUCCEEDED"

    def _accounts(self, given: Any) -> list[str]:
        if "Accounts" in given:
            return list(given["Accounts"])
        targets = given["DeploymentTargets"]
        found = [each for unit in targets["OrganizationalUnitIds"] for each in self.units[unit]]
        only = targets.get("Accounts", found)
        return [each for each in found if each in only]

    def _is_new(self, name: str, given: Any) -> bool:
        """Record a call if its operation ID is new, and return whether it is; raise as AWS does."""
        if any(each.id == given["OperationId"] for each in self.operations):
            if self.repeated:
                raise error(self.repeated, name)
            return False
        if any(each.status == "RUNNING" for each in self.operations):
            raise error("OperationInProgressException", name)
        self.begun.append((name, given))
        return True


def error(code: str, operation: str, message: str = "", status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


def _page(found: Mapping[Target, tuple[str, str]], given: Any) -> Any:
    """Return a page with the next two places, their statuses and reasons."""
    start = int(given.get("NextToken", 0))
    more = {"NextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
    names = ("Account", "Region", "Status", "StatusReason")
    rows = [dict(zip(names, (*place, *each), strict=True)) for place, each in found.items()]
    return {"Summaries": rows[start : start + PAGE], **more}


def _values(found: Any) -> dict[str, str]:
    return {each["ParameterKey"]: each["ParameterValue"] for each in found}


class Terminal:
    """Runs roll-outs from one account, by default in the fake; time passes only during waits."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.fake = FakeStackSets({"ou-abcd-11112222": [ONE, TWO, THREE]})
        self.client = self.fake.client()
        self.seat, self.capsys, self.out = Seat(), capsys, ""
        self.err = self.seat.lines

    def run(
        self,
        *words: str,
        made: Template = TEMPLATE,
        parameters: Mapping[str, str] = VALUES,
        tags: Mapping[str, str] | None = None,
        operator: Operator | None = None,
        yes: bool = True,
    ) -> int:
        words = ("--stack-set", "all", *words, *["--yes"] * yes)
        arguments = command_parser("deploy").parse_args(words)
        try:
            rollout = asked_for(arguments, made, parameters, tags or {})
            who = operator or self.seat.operator
            return roll_out(self.client, arguments, rollout, "here", who)
        finally:
            self.out = self.capsys.readouterr().out


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)
