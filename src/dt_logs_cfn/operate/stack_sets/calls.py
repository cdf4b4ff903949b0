"""A stack set's calls to AWS: reading what there is, starting an operation, looking at it."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import ClientError

from dt_logs_cfn import aws
from dt_logs_cfn.operate.stack_sets import requests
from dt_logs_cfn.operate.stack_sets.operations import (
    CreateInstances,
    CreateStackSet,
    Operation,
    Present,
    PresentInstance,
    PresentStackSet,
    UpdateInstances,
    UpdateStackSet,
)
from dt_logs_cfn.operate.stack_sets.overrides import Values
from dt_logs_cfn.operate.stack_sets.rollout import Rollout
from dt_logs_cfn.operate.stack_sets.targets import Instance

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import type_defs as types
    from typing_extensions import Unpack

_NOT_FOUND = "StackSetNotFoundException"
_AT_ONCE = 8  # stack instances that are looked at


class CloudFormation(Protocol):
    """What is used of CloudFormation's client."""

    def create_stack_set(
        self, **given: "Unpack[types.CreateStackSetInputTypeDef]"
    ) -> "types.CreateStackSetOutputTypeDef": ...

    def update_stack_set(
        self, **given: "Unpack[types.UpdateStackSetInputTypeDef]"
    ) -> "types.UpdateStackSetOutputTypeDef": ...

    def create_stack_instances(
        self, **given: "Unpack[types.CreateStackInstancesInputTypeDef]"
    ) -> "types.CreateStackInstancesOutputTypeDef": ...

    def update_stack_instances(
        self, **given: "Unpack[types.UpdateStackInstancesInputTypeDef]"
    ) -> "types.UpdateStackInstancesOutputTypeDef": ...

    def describe_stack_set(
        self, **given: "Unpack[types.DescribeStackSetInputTypeDef]"
    ) -> "types.DescribeStackSetOutputTypeDef": ...

    def describe_stack_instance(
        self, **given: "Unpack[types.DescribeStackInstanceInputTypeDef]"
    ) -> "types.DescribeStackInstanceOutputTypeDef": ...

    def describe_stack_set_operation(
        self, **given: "Unpack[types.DescribeStackSetOperationInputTypeDef]"
    ) -> "types.DescribeStackSetOperationOutputTypeDef": ...

    def list_stack_instances(
        self, **given: "Unpack[types.ListStackInstancesInputTypeDef]"
    ) -> "types.ListStackInstancesOutputTypeDef": ...

    def list_stack_set_operations(
        self, **given: "Unpack[types.ListStackSetOperationsInputTypeDef]"
    ) -> "types.ListStackSetOperationsOutputTypeDef": ...

    def list_stack_set_operation_results(
        self, **given: "Unpack[types.ListStackSetOperationResultsInputTypeDef]"
    ) -> "types.ListStackSetOperationResultsOutputTypeDef": ...


class StackSet:
    """A roll-out's stack set, in the region and with the credentials of a client.

    Every method raises botocore's errors.
    """

    def __init__(self, client: CloudFormation, rollout: Rollout) -> None:
        self._client = client
        self._rollout = rollout
        self._name = rollout.name
        self._call_as = requests.call_as(rollout)

    def found(self) -> PresentStackSet | None:
        """Read the stack set itself; one that was deleted is none."""
        try:
            found = self._client.describe_stack_set(StackSetName=self._name, CallAs=self._call_as)[
                "StackSet"
            ]
        except ClientError as error:
            if aws.code(error) == _NOT_FOUND:
                return None
            raise
        return None if found.get("Status") == "DELETED" else requests.stack_set(found)

    def present(self, accounts: tuple[str, ...], asked: Iterable[Instance]) -> Present:
        """Read what there is; the overrides are read of those instances that are asked for."""
        there = self.found()
        if there is None:
            return Present(accounts)
        statuses = dict(self._statuses())
        known = [each for each in asked if each in statuses]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            overrides = dict(zip(known, pool.map(self._overrides, known), strict=True))
        instances = {
            each: PresentInstance(status, overrides.get(each)) for each, status in statuses.items()
        }
        return Present(accounts, there, instances)

    def start(self, operation: Operation, present: Present, token: str) -> str:
        """Start an operation, which has the token for its id, and return that.

        Making the stack set is none, and has the token alone. Repeatable with the same token.
        """
        rollout, client = self._rollout, self._client
        match operation:
            case CreateStackSet():
                client.create_stack_set(**requests.creation(rollout, operation, token))
                return token
            case UpdateStackSet():
                assert present.stack_set is not None  # a plan updates what it found
                request = requests.update(rollout, operation, present.stack_set, token)
                return client.update_stack_set(**request)["OperationId"]
            case CreateInstances():
                creation = requests.instances_creation(rollout, operation, token)
                return client.create_stack_instances(**creation)["OperationId"]
            case UpdateInstances():
                update = requests.instances_update(rollout, operation, token)
                return client.update_stack_instances(**update)["OperationId"]

    def running(self) -> str | None:
        """Return the id of an operation that is under way, whoever started it."""
        try:
            found = self._client.list_stack_set_operations(
                StackSetName=self._name, CallAs=self._call_as
            )
        except ClientError as error:
            if aws.code(error) == _NOT_FOUND:
                return None
            raise
        for each in found["Summaries"]:
            if each.get("Status") in ("RUNNING", "QUEUED", "STOPPING"):
                return each.get("OperationId")
        return None

    def operation(self, operation_id: str) -> "types.StackSetOperationTypeDef":
        """Look at an operation."""
        return self._client.describe_stack_set_operation(
            StackSetName=self._name, OperationId=operation_id, CallAs=self._call_as
        )["StackSetOperation"]

    def results(self, operation_id: str) -> "list[types.StackSetOperationResultSummaryTypeDef]":
        """Return what an operation came to so far, for each of its instances."""
        given: types.ListStackSetOperationResultsInputTypeDef = {
            "StackSetName": self._name,
            "OperationId": operation_id,
            "CallAs": self._call_as,
        }
        found: list[types.StackSetOperationResultSummaryTypeDef] = []
        while True:
            page = self._client.list_stack_set_operation_results(**given)
            found += page["Summaries"]
            if not page.get("NextToken"):
                return found
            given["NextToken"] = page["NextToken"]

    def reason(self, instance: Instance) -> str:
        """Return why an instance is as it is, where an operation does not say."""
        return self._instance(instance).get("StatusReason", "")

    def _instance(self, instance: Instance) -> "types.StackInstanceTypeDef":
        return self._client.describe_stack_instance(
            StackSetName=self._name,
            StackInstanceAccount=instance.account,
            StackInstanceRegion=instance.region,
            CallAs=self._call_as,
        )["StackInstance"]

    def _overrides(self, instance: Instance) -> Values:
        found = self._instance(instance).get("ParameterOverrides", [])
        return tuple(sorted(requests.values(found).items()))

    def _statuses(self) -> Iterator[tuple[Instance, str]]:
        given: types.ListStackInstancesInputTypeDef = {
            "StackSetName": self._name,
            "CallAs": self._call_as,
        }
        while True:
            page = self._client.list_stack_instances(**given)
            for each in page["Summaries"]:
                yield Instance(each["Account"], each["Region"]), each.get("Status", "CURRENT")
            if not page.get("NextToken"):
                return
            given["NextToken"] = page["NextToken"]
