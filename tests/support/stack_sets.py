"""CloudFormation's StackSets and an organization in memory, for what moto has not.

moto's operations have succeeded as soon as they are started, on every instance; it knows no
failures and no failure tolerance, no operation in progress, no filter of accounts, no
auto-deployment, no delegated administrator, no pages, and stops at nothing that the template says.
This follows the API model of CloudFormation in these points, and refuses a request that is not in
it. It runs no stack at all.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

Place = tuple[str, str]
PAGE = 2


@dataclass
class FakeInstance:
    overrides: dict[str, str]
    status: str = "OUTDATED"
    reason: str = ""
    unit: str = ""


@dataclass
class FakeOperation:
    id: str
    given: Mapping[str, Any]
    waiting: list[Place]
    results: dict[Place, tuple[str, str]] = field(default_factory=dict)
    status: str = "RUNNING"


@dataclass
class FakeStackSet:
    given: dict[str, Any]
    parameters: dict[str, str]
    instances: dict[Place, FakeInstance] = field(default_factory=dict)
    operations: list[FakeOperation] = field(default_factory=list)
    deleted: bool = False


class FakeOrganizations:
    """Units with the accounts directly in them, and with units; the management account is 999…"""

    def __init__(
        self, accounts: Mapping[str, list[str]], units: Mapping[str, list[str]] | None = None
    ) -> None:
        self.accounts, self.units = accounts, units or {}
        self.suspended: set[str] = set()

    def describe_organization(self) -> Any:
        return {"Organization": {"MasterAccountId": "9" * 12}}

    def list_accounts_for_parent(self, ParentId: str, NextToken: str = "0") -> Any:
        found = [
            {"Id": each, "State": "SUSPENDED" if each in self.suspended else "ACTIVE"}
            for each in self.accounts.get(ParentId, [])
        ]
        return page("Accounts", found, NextToken)

    def list_organizational_units_for_parent(self, ParentId: str, NextToken: str = "0") -> Any:
        return page(
            "OrganizationalUnits",
            [{"Id": each} for each in self.units.get(ParentId, [])],
            NextToken,
        )

    def below(self, unit: str) -> set[str]:
        found = {each for each in self.accounts.get(unit, []) if each not in self.suspended}
        for each in self.units.get(unit, []):
            found |= self.below(each)
        return found - {"9" * 12}


class FakeCloudFormation:
    """A client; `fails` says why an instance's stack cannot be made, from its place and values.

    `before` and `after` are told each call's name, before and after it is done, and may raise: then
    it is not done, or its answer is lost. What begins an operation has to name it, since it could
    not be repeated else. AWS documents that it performs one of the same id once, and not how it
    answers the second time: `repeated` is the error's code, or empty for the same answer.
    """

    def __init__(self, organizations: FakeOrganizations | None = None) -> None:
        self.organizations = organizations or FakeOrganizations({})
        self.sets: dict[str, FakeStackSet] = {}
        self.fails: Callable[[Place, Mapping[str, str]], str] = lambda place, values: ""
        self.before: Callable[[str], None] = lambda name: None
        self.after: Callable[[str], None] = lambda name: None
        self.repeated = "OperationIdAlreadyExistsException"
        self.at_once = 1  # instances that are done from one look to the next
        self.calls: list[tuple[str, Mapping[str, Any]]] = []

    def create_stack_set(self, **given: Any) -> Any:
        self._check("CreateStackSet", given)
        there = self.sets.get(given["StackSetName"])
        if there is None or there.deleted:
            self._note("CreateStackSet", given)
            self.sets[given["StackSetName"]] = FakeStackSet(given, _values(given["Parameters"]))
        elif there.given["ClientRequestToken"] != given["ClientRequestToken"]:
            raise error("NameAlreadyExistsException", "CreateStackSet")
        self.after("CreateStackSet")
        return {"StackSetId": "id"}

    def update_stack_set(self, **given: Any) -> Any:
        found, again = self._begun("UpdateStackSet", given)
        if again:
            return again
        old = found.parameters
        found.parameters = {
            each["ParameterKey"]: old[each["ParameterKey"]]
            if each.get("UsePreviousValue")
            else each["ParameterValue"]
            for each in given["Parameters"]
        }
        found.given = {**found.given, **given}
        for each in found.instances.values():
            each.status = "OUTDATED"
        return self._started("UpdateStackSet", found, given, [*found.instances])

    def create_stack_instances(self, **given: Any) -> Any:
        found, again = self._begun("CreateStackInstances", given)
        if again:
            return again
        overrides = _values(given.get("ParameterOverrides", []))
        places = self._places(given)
        for each in places:
            assert each not in found.instances, f"{each} is there already"
            found.instances[each] = FakeInstance(dict(overrides))
        return self._started("CreateStackInstances", found, given, places)

    def update_stack_instances(self, **given: Any) -> Any:
        found, again = self._begun("UpdateStackInstances", given)
        if again:
            return again
        places = self._places(given)
        for each in places:
            if each not in found.instances:
                raise error("StackInstanceNotFoundException", "UpdateStackInstances")
            if "ParameterOverrides" in given:
                found.instances[each].overrides = _values(given["ParameterOverrides"])
        return self._started("UpdateStackInstances", found, given, places)

    def describe_stack_set(self, **given: Any) -> Any:
        found = self._found("DescribeStackSet", given)
        keys = (
            "TemplateBody",
            "PermissionModel",
            "AutoDeployment",
            "AdministrationRoleARN",
            "ExecutionRoleName",
            "Tags",
        )
        return {
            "StackSet": {
                **{key: found.given[key] for key in keys if key in found.given},
                "Status": "DELETED" if found.deleted else "ACTIVE",
                "Parameters": _listed(found.parameters),
            }
        }

    def describe_stack_instance(self, **given: Any) -> Any:
        found = self._found("DescribeStackInstance", given)
        place = given["StackInstanceAccount"], given["StackInstanceRegion"]
        instance = found.instances[place]
        return {
            "StackInstance": {
                "ParameterOverrides": _listed(instance.overrides),
                "Status": instance.status,
                "StatusReason": instance.reason,
            }
        }

    def list_stack_instances(self, **given: Any) -> Any:
        found = self._found("ListStackInstances", given)
        summaries = [
            {"Account": account, "Region": region, "Status": each.status}
            for (account, region), each in found.instances.items()
        ]
        return page("Summaries", summaries, given.get("NextToken", "0"))

    def list_stack_set_operations(self, **given: Any) -> Any:
        found = self._found("ListStackSetOperations", given)
        return {
            "Summaries": [
                {"OperationId": each.id, "Status": each.status}
                for each in reversed(found.operations)
            ]
        }

    def describe_stack_set_operation(self, **given: Any) -> Any:
        found = self._found("DescribeStackSetOperation", given)
        operation = _operation(found, given)
        self._advance(found, operation)
        return {"StackSetOperation": {"OperationId": operation.id, "Status": operation.status}}

    def list_stack_set_operation_results(self, **given: Any) -> Any:
        found = self._found("ListStackSetOperationResults", given)
        operation = _operation(found, given)
        results: list[Any] = [
            {"Account": place[0], "Region": place[1], "Status": status, "StatusReason": reason}
            for place, (status, reason) in operation.results.items()
        ]
        results += [
            {"Account": place[0], "Region": place[1], "Status": "PENDING"}
            for place in operation.waiting
        ]
        return page("Summaries", results, given.get("NextToken", "0"))

    def _advance(self, found: FakeStackSet, operation: FakeOperation) -> None:
        for place in operation.waiting[: self.at_once]:
            instance = found.instances[place]
            reason = self.fails(place, {**found.parameters, **instance.overrides})
            instance.status, instance.reason = ("OUTDATED", reason) if reason else ("CURRENT", "")
            # At times AWS gives the reason on the instance alone.
            own = "" if reason.startswith("instance: ") else reason
            operation.results[place] = ("FAILED", own) if reason else ("SUCCEEDED", "")
        operation.waiting = operation.waiting[self.at_once :]
        failed = sum(status == "FAILED" for status, _ in operation.results.values())
        tolerated = operation.given.get("OperationPreferences", {}).get("FailureToleranceCount", 0)
        if failed > tolerated:
            for place in operation.waiting:
                operation.results[place] = (
                    "CANCELLED",
                    "Cancelled since failure tolerance exceeded",
                )
            operation.waiting = []
        if not operation.waiting:
            operation.status = "FAILED" if failed > tolerated else "SUCCEEDED"

    def _started(self, name: str, found: FakeStackSet, given: Any, places: list[Place]) -> Any:
        order = given.get("OperationPreferences", {}).get("RegionOrder", [])
        places = sorted(places, key=lambda place: (place[1] not in order, place))
        operation = FakeOperation(given["OperationId"], given, places)
        found.operations.append(operation)
        self.after(name)
        return {"OperationId": operation.id}

    def _places(self, given: Any) -> list[Place]:
        if "Accounts" in given:
            accounts = set(given["Accounts"])
        else:
            targets = given["DeploymentTargets"]
            named = set(targets.get("Accounts", []))
            accounts = set()
            for unit in targets["OrganizationalUnitIds"]:
                accounts |= self.organizations.below(unit)
            match targets.get("AccountFilterType"):
                case "INTERSECTION":
                    accounts &= named
                case "DIFFERENCE":
                    accounts -= named
        return [(account, region) for account in sorted(accounts) for region in given["Regions"]]

    def _begun(self, name: str, given: Any) -> tuple[FakeStackSet, Any]:
        """Return the stack set that is free for an operation, or the answer if it has this one."""
        found = self._found(name, given)
        own = str(given.get("OperationId", ""))  # the model's pattern is checked nowhere else
        assert re.fullmatch("[a-zA-Z0-9][-a-zA-Z0-9]*", own), f"{name} could not be repeated"
        if any(each.id == given["OperationId"] for each in found.operations):
            if self.repeated:
                raise error(self.repeated, name)
            return found, {"OperationId": given["OperationId"]}
        if any(each.status == "RUNNING" for each in found.operations):
            raise error("OperationInProgressException", name)
        self._note(name, given)
        return found, None

    def _found(self, name: str, given: Any) -> FakeStackSet:
        self._check(name, given)
        if given["StackSetName"] not in self.sets:
            raise error("StackSetNotFoundException", name)
        return self.sets[given["StackSetName"]]

    def _check(self, name: str, given: Any) -> None:
        """Refuse a request that CloudFormation's API model does not have."""
        validate_parameters(given, _model().operation_model(name).input_shape)
        self.before(name)

    def _note(self, name: str, given: Any) -> None:
        self.calls.append((name, json.loads(json.dumps(given))))


@cache
def _model() -> Any:
    return botocore.session.get_session().get_service_model("cloudformation")


def page(name: str, found: list[Any], token: str) -> Any:
    """Return a page of what was found, two at a time."""
    start = int(token)
    more = {"NextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
    return {name: found[start : start + PAGE], **more}


def error(code: str, operation: str, message: str = "", status: int = 400) -> ClientError:
    answer: Any = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, operation)


def _operation(found: FakeStackSet, given: Any) -> FakeOperation:
    for each in found.operations:
        if each.id == given["OperationId"]:
            return each
    raise error("OperationNotFoundException", "DescribeStackSetOperation")


def _values(found: Any) -> dict[str, str]:
    return {each["ParameterKey"]: each["ParameterValue"] for each in found}


def _listed(found: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in found.items()]
