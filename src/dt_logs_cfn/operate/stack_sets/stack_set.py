"""Read a stack set, find the steps to the requested state, begin them and follow them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from dt_logs_cfn.cli.terminal import (
    Operator,
    changes,
    elapsed,
    one_line,
    shown_text,
    shown_value,
)
from dt_logs_cfn.errors import DtLogsError, OperatingError
from dt_logs_cfn.operate import values
from dt_logs_cfn.operate.retry import (
    FAILURES,
    FOLLOWS,
    failure,
    looked_at,
    passes,
    patiently,
    refused,
)
from dt_logs_cfn.operate.stack_sets.rollout import Kind, Progress, Result, Rollout, Step, Target
from dt_logs_cfn.operate.stacks.following import reason as own_words
from dt_logs_cfn.operate.templates import requested
from dt_logs_cfn.template.intrinsics import declared, default
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.templates import origin
from dt_logs_handler.aws import code

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation import type_defs as types

_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")  # the final statuses of an operation
_SECONDS = 5.0  # seconds between two reads
_SILENCE = 60.0  # seconds without a change before a message says so
_USUAL_ADMINISTRATION = ":role/AWSCloudFormationStackSetAdministrationRole"
# The names that messages give to a stack set's roles.
_ROLES = {"AdministrationRoleARN": "administration role", "ExecutionRoleName": "execution role"}


class StackSet:
    """A roll-out's stack set, and a client for the stack set's account and region.

    Every public method that calls AWS, except `follow`, raises botocore's errors.
    """

    def __init__(self, client: CloudFormationClient, rollout: Rollout, operator: Operator) -> None:
        self.rollout = rollout
        self.there: types.StackSetTypeDef | None = None  # the description that `read` found
        self._client, self._operator = client, operator
        self._this: types.DescribeStackSetInputTypeDef = {
            "StackSetName": rollout.name,
            "CallAs": rollout.call_as,
        }

    def read(self) -> None:
        """Read the stack set; check it and the roll-out's parameters.

        Raises OperatingError if the stack set is not ours or has another permission model, or if a
        parameter's value is invalid or missing.
        """
        try:
            found = self._client.describe_stack_set(**self._this)["StackSet"]
            self.there = None if found.get("Status") == "DELETED" else found
        except ClientError as error:
            if code(error) != "StackSetNotFoundException":
                raise
            self.there = None
        if self.there is not None:
            self._check(self.there)
        values.check(self.rollout.template.document, self.rollout.parameters, self._parameters)

    def _check(self, there: types.StackSetTypeDef) -> None:
        name = self.rollout.name
        try:
            origin(parse_template(there.get("TemplateBody", "")))
        except DtLogsError as error:
            raise OperatingError(
                f"The stack set {name} was not made from one of our templates.",
                "Choose another name.",
            ) from error
        model = there.get("PermissionModel", "SELF_MANAGED")
        if model != self.rollout.permission_model:
            raise OperatingError(
                f"The stack set {name} is {model}, but these targets need the other model.",
                "Use --accounts alone for SELF_MANAGED, --ou for SERVICE_MANAGED, or a new name.",
            )

    @property
    def _parameters(self) -> dict[str, str]:
        """The stack set's parameters; empty if the stack set does not exist."""
        found = self.there.get("Parameters", []) if self.there else []
        return {each["ParameterKey"]: each.get("ParameterValue", "") for each in found}

    def _instances(self) -> dict[Target, types.StackInstanceSummaryTypeDef]:
        """Return the stack set's existing stacks, by target."""
        pages = self._client.get_paginator("list_stack_instances").paginate(**self._this)
        listed = [each for page in pages for each in page["Summaries"]]
        return {(each["Account"], each["Region"]): each for each in listed}

    def running(self) -> str | None:
        """Return the ID of a running operation, whoever began it, or None."""
        listed = self._client.list_stack_set_operations(**self._this)["Summaries"]
        return next((e["OperationId"] for e in listed if e["Status"] not in _ENDED), None)

    def _look(self, operation_id: str) -> Progress:
        """Read an operation's progress."""
        client, this = self._client, self._this
        answer = client.describe_stack_set_operation(**this, OperationId=operation_id)
        pages = client.get_paginator("list_stack_set_operation_results").paginate(
            **this, OperationId=operation_id
        )
        results = [_result(each) for page in pages for each in page["Summaries"]]
        by_target = {each.target: each for each in results}
        found = answer["StackSetOperation"]
        return Progress(
            operation_id,
            found.get("Status", "RUNNING"),
            found.get("StatusReason", ""),
            tuple(by_target[target] for target in sorted(by_target)),
        )

    def steps(self) -> Iterator[Step]:
        """Yield the steps from the present state to the requested one, in order.

        When creating stacks, CloudFormation expands units, skips stacks that exist, and retries
        OUTDATED ones [CloudFormation API, CreateStackInstances].
        """
        rollout, instances = self.rollout, self._instances() if self.there else {}
        if self.there is None:
            given = sorted(rollout.parameters.items())
            lines = [f"{name} = {shown_value(value)}" for name, value in given]
            yield Step("create", "create the stack set", tuple(lines))
        elif lines := [*self._differences(self.there)]:
            does = f"update the stack set and its {len(instances):,} stacks"
            yield Step("update", does, tuple(lines))
        wanted = {(account, region) for account in rollout.accounts for region in rollout.regions}
        current = {each for each, found in instances.items() if found.get("Status") != "OUTDATED"}
        if rollout.units or wanted - current:
            does = f"create the stacks that are missing or failed: {rollout.where}"
            yield Step("instances", does)

    def _differences(self, there: types.StackSetTypeDef) -> Iterator[str]:
        rollout, before = self.rollout, self._parameters
        parameters = declared(rollout.template.document)
        if rollout.template.document != parse_template(there.get("TemplateBody", "")):
            yield "the template changes"
        old = {
            name: before.get(name, default(parameters[name]) or "") for name in rollout.parameters
        }
        yield from changes(old, rollout.parameters)
        if rollout.tags:
            tags = {each["Key"]: each["Value"] for each in there.get("Tags", [])}
            yield from (f"tag {each}" for each in changes(tags, rollout.tags))
        for name, wanted in rollout.roles.items():
            if wanted != (present := there.get(name)):
                yield f"{_ROLES[name]}: {present} -> {wanted}"
        automatic = there.get("AutoDeployment", {}).get("Enabled", False)
        if rollout.auto_deployment not in (None, automatic):
            yield f"auto-deployment is turned {'on' if rollout.auto_deployment else 'off'}"

    def begin(self, kind: Kind, operation_id: str) -> str:
        """Begin a step once, even if AWS's answer is lost, and return the operation's ID.

        CloudFormation performs requests with equal IDs only once [CloudFormation API, OperationId
        and ClientRequestToken]. Raises OperatingError if the step may have begun, or if another
        operation is running. Raises botocore's errors if the step has not begun.
        """
        lost = False

        def attempt() -> str:
            nonlocal lost
            try:
                return self._begin(kind, operation_id)
            except FAILURES as error:
                answer = code(error) if isinstance(error, ClientError) else ""
                lost = lost or passes(error) or bool(answer and not refused(error))
                begun = answer == "OperationIdAlreadyExistsException"
                if lost and answer == "OperationInProgressException":
                    begun = self.running() == operation_id
                if begun:
                    return operation_id
                raise

        try:
            return looked_at(attempt, self._operator)
        except FAILURES as error:
            found = failure(error)
            if lost:
                raise OperatingError(
                    f"Operation {operation_id} may have begun: {found.what}",
                    f"{found.fix} If it has begun, the same command follows it.",
                ) from error
            if isinstance(error, ClientError) and code(error) == "OperationInProgressException":
                raise OperatingError(
                    "Another operation has started on the stack set in the meantime.",
                    "Run the same command again: it waits for that one first.",
                ) from error
            raise

    def _begin(self, kind: Kind, operation_id: str) -> str:
        """Start a step with an ID for its operation, and return the operation's ID.

        Creating a stack set is not an operation; its request takes the ID as a token.
        """
        client, preferences, wanted = self._client, self.rollout.preferences, self._wanted()
        if kind == "instances":
            regions = self.rollout.regions
            instances = {
                **self._this,
                **self.rollout.targets,
                "Regions": regions,
                "OperationPreferences": {**preferences, "RegionOrder": regions},
                "OperationId": operation_id,
            }
            creation = cast("types.CreateStackInstancesInputTypeDef", instances)
            return client.create_stack_instances(**creation)["OperationId"]
        if self.there is None:
            model = self.rollout.permission_model
            wanted |= {"PermissionModel": model, "ClientRequestToken": operation_id}
            client.create_stack_set(**cast("types.CreateStackSetInputTypeDef", wanted))
            return operation_id
        wanted |= {"OperationPreferences": preferences, "OperationId": operation_id}
        # Every update must name a customer's own administration role again [CloudFormation API,
        # UpdateStackSet].
        administration = self.there.get("AdministrationRoleARN", "")
        if administration and not administration.endswith(_USUAL_ADMINISTRATION):
            wanted.setdefault("AdministrationRoleARN", administration)
        request = cast("types.UpdateStackSetInputTypeDef", wanted)
        return client.update_stack_set(**request)["OperationId"]

    def _wanted(self) -> dict[str, object]:
        """Return the fields that the requests to create and to update the stack set share."""
        rollout, parameters = self.rollout, declared(self.rollout.template.document)
        # The stack set's other parameters keep their values.
        kept = sorted(self._parameters.keys() & parameters.keys() - rollout.parameters.keys())
        found = {
            **self._this,
            **requested(rollout.template, rollout.parameters, kept, rollout.tags),
            **rollout.roles,
        }
        if rollout.auto_deployment is not None or (rollout.units and self.there is None):
            # With False, CloudFormation deletes the stacks of accounts that leave a unit.
            keep = {"RetainStacksOnAccountRemoval": False} if rollout.auto_deployment else {}
            found["AutoDeployment"] = {"Enabled": bool(rollout.auto_deployment), **keep}
        return found

    def follow(self, operation_id: str) -> Progress:
        """Report an operation's progress until it ends; return the final progress.

        Repeats a read after a temporary failure. Raises OperatingError if the read still fails; the
        operation then continues.
        """
        operator = self._operator
        what = f"Operation {operation_id} continues, but cannot be followed"
        start = told = operator.clock()
        seen: dict[Target, str] = {}
        while True:
            found = patiently(lambda: self._look(operation_id), operator, what, FOLLOWS)
            changed = [e for e in found.results if e.status != seen.get(e.target, "PENDING")]
            for each in changed:
                failed = each.reason and each.status == "FAILED"
                why = f": {own_reason(each.reason)}" if failed else ""
                operator.tell(f"      {'  '.join(each.target)}  {each.status}{why}")
            ended, now = found.status in _ENDED, operator.clock()
            if changed or ended or now - told >= _SILENCE:
                counted = found.counted or "no stacks yet"
                operator.tell(f"{elapsed(now - start)}  {found.status}: {counted}")
                told = now
            if ended:
                return self._with_reasons(found)
            seen = {each.target: each.status for each in found.results}
            operator.sleep(_SECONDS)

    def _with_reasons(self, found: Progress) -> Progress:
        """Add the failed stacks' reasons if the operation does not give them."""
        if all(each.reason for each in found.results if each.status == "FAILED"):
            return found
        try:
            stacks = looked_at(self._instances, self._operator)
        except FAILURES as error:
            self._operator.tell(f"      reasons cannot be read ({type(error).__name__})")
            return found
        reasons = {target: each.get("StatusReason", "") for target, each in stacks.items()}
        results = (replace(e, reason=e.reason or reasons.get(e.target, "")) for e in found.results)
        return replace(found, results=tuple(results))


def own_reason(reason: str) -> str:
    """Extract a stack's own reason from StackSets' message, on one line."""
    inner = re.search(r"ResourceStatusReason: ?(.+)", one_line(reason))
    return shown_text(own_words((inner[1] if inner else reason).rstrip(".")))


def _result(found: types.StackSetOperationResultSummaryTypeDef) -> Result:
    gate = found.get("AccountGateResult", {})
    refused = gate.get("StatusReason", "") if gate.get("Status") == "FAILED" else ""
    target = found.get("Account", ""), found.get("Region", "")
    return Result(target, found.get("Status", "PENDING"), found.get("StatusReason", "") or refused)
