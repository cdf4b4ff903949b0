"""CloudFormation: create, update and delete stacks, and roll back after a failure.

Each `begin_…` method accepts an operation, and returns a function that completes it. A stack with a
role makes every call with that role, and keeps the role for later operations [botocore,
CreateStack: RoleARN].
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from threading import Thread
from typing import Any

from botocore.exceptions import ClientError

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call, Response, World
from dt_logs_rehearsal.cloudformation.custom_resource import CustomResources, Failed
from dt_logs_rehearsal.cloudformation.resource_types import TYPES, Context, create_only
from dt_logs_rehearsal.cloudformation.stack import STACK_TYPE, Asked, Given, Made, Stack
from dt_logs_rehearsal.cloudformation.templates import check, in_order, invalid

Emit = Callable[[Stack, str, str, str, str], None]  # stack, logical id, type, status, reason
Rest = Callable[[], None]
_INITIATED = "User Initiated"


class CloudFormation:
    """Runs stacks in one account and region."""

    def __init__(
        self,
        place: tuple[str, str, str],
        context: Callable[[Stack], Context],
        custom: CustomResources,
        emit: Emit,
    ) -> None:
        """Prepare to run stacks in `place`: a partition, region and account."""
        self.place = place
        self.stacks: dict[str, Stack] = {}  # by ID, in the order of their creation
        self._context = context
        self._custom = custom
        self._emit = emit
        self._threads: list[Thread] = []

    def create(
        self, name: str, asked: Asked, capabilities: Sequence[str] = (), role: str = ""
    ) -> Stack:
        """Create a stack; roll back after a failure. Raises Refused if the request is invalid."""
        stack = self.named(name, asked, role)
        self.begin_create(stack, capabilities)()
        return stack

    def named(self, name: str, asked: Asked, role: str = "") -> Stack:
        """Return a stack with a new ID, without resources."""
        partition, region, account = self.place
        stack_id = f"arn:{partition}:cloudformation:{region}:{account}:stack/{name}/{uuid.uuid4()}"
        return Stack(name, stack_id, asked, role)

    def describe_stacks(self, world: World, call: Call) -> Response:
        """Answer DescribeStacks for a stack's ID. Raises Refused if the stack does not exist."""
        if (found := self.stacks.get(name := str(call.params.get("StackName")))) is None:
            raise invalid(f"Stack with id {name} does not exist")
        return {"Stacks": [{**found.described(), "Parameters": found.asked.described()}]}

    def review(self, stack: Stack) -> None:
        """Add a stack that so far has only a change set."""
        self.stacks[stack.id] = stack
        self._at(stack, "REVIEW_IN_PROGRESS", _INITIATED)

    def begin_create(self, stack: Stack, capabilities: Sequence[str] = ()) -> Rest:
        """Accept the creation of a stack. Raises Refused."""
        check(stack.asked, capabilities)
        self._context(stack)  # refuses a role that cannot be assumed, before anything begins
        stack.capabilities = tuple(capabilities)
        self.stacks[stack.id] = stack
        self._at(stack, "CREATE_IN_PROGRESS", _INITIATED)
        return lambda: self._create(stack, stack.asked)

    def begin_update(self, stack: Stack, asked: Asked, capabilities: Sequence[str] = ()) -> Rest:
        """Accept the update of a stack. Raises Refused, also if it would replace a resource."""
        check(asked, capabilities)
        self._check_replaced(stack, asked)
        self._context(stack)
        stack.capabilities = tuple(capabilities)
        self._at(stack, "UPDATE_IN_PROGRESS", _INITIATED)
        return lambda: self._update(stack, asked)

    def _check_replaced(self, stack: Stack, asked: Asked) -> None:
        resolved, resources = stack.resolved(asked, self.place), asked.template["Resources"]
        for logical in stack.resources.keys() & resources.keys():
            old, new = stack.resources[logical].properties, resolved.properties(logical)
            if any(old.get(n) != new.get(n) for n in create_only(resources[logical]["Type"])):
                raise Refused("NotImplemented", "replacement of a resource is not emulated", 501)

    def go_on(self, work: Rest) -> None:
        """Continue an accepted operation in a thread."""
        thread = Thread(target=work, name="stack", daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until all threads have finished."""
        for each in self._threads:
            each.join()

    def begin_delete(self, stack: Stack) -> Rest:
        """Accept the deletion of a stack. Raises Refused."""
        self._context(stack)
        self._at(stack, "DELETE_IN_PROGRESS", _INITIATED)
        return lambda: self._delete(stack)

    def _create(self, stack: Stack, asked: Asked) -> None:
        failed = self._make(stack, asked, self._order(stack, asked))
        if not failed:
            self._finish(stack, "CREATE_COMPLETE")
            return
        self._at(stack, "ROLLBACK_IN_PROGRESS", f"{_failed('create', failed)}Rollback requested.")
        left = self._remove(stack, list(stack.resources)[::-1])
        self._at(stack, "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", _failed("delete", left))

    def _update(self, stack: Stack, asked: Asked) -> None:
        failed = self._make(stack, asked, self._order(stack, asked))
        if failed:
            self._at(stack, "UPDATE_ROLLBACK_IN_PROGRESS", _failed("update", failed))
            self._roll_back(stack)
            return
        self._at(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        order = self._order(stack, asked)
        gone = [name for name in stack.resources if name not in order]
        self._remove(stack, gone[::-1])
        stack.asked = asked
        self._finish(stack, "UPDATE_COMPLETE")

    def _roll_back(self, stack: Stack) -> None:
        """Restore the state before an update; after success, delete the update's new resources."""
        failed = self._make(stack, stack.asked, self._order(stack, stack.asked))
        if failed:
            self._at(stack, "UPDATE_ROLLBACK_FAILED", _failed("update", failed))
            return
        self._at(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self._remove(stack, self._new(stack))
        self._at(stack, "UPDATE_ROLLBACK_COMPLETE")

    def _delete(self, stack: Stack) -> None:
        old = [name for name in self._order(stack, stack.asked) if name in stack.resources]
        left = self._remove(stack, (*self._new(stack), *old[::-1]))
        self._at(stack, "DELETE_FAILED" if left else "DELETE_COMPLETE", _failed("delete", left))

    def _new(self, stack: Stack) -> list[str]:
        """Return the resources that are not in the request `stack.asked`, newest first."""
        order = self._order(stack, stack.asked)
        return [name for name in stack.resources if name not in order][::-1]

    def _order(self, stack: Stack, asked: Asked) -> list[str]:
        """Return the resources that a stack should have, in their order of creation."""
        return in_order(stack.resolved(asked, self.place))

    def _at(self, stack: Stack, status: str, reason: str = "") -> None:
        self._emit(stack, stack.name, STACK_TYPE, status, reason)
        stack.status = status  # set last, so that whoever sees the status also sees all events

    def _finish(self, stack: Stack, status: str) -> None:
        resolved = stack.resolved(stack.asked, self.place)
        outputs = stack.asked.template.get("Outputs", {})
        stack.outputs = {name: str(resolved.value(each["Value"])) for name, each in outputs.items()}
        self._at(stack, status)

    def _make(self, stack: Stack, asked: Asked, order: Iterable[str]) -> str:
        """Create or change resources in turn; return the first that fails, or an empty string."""
        for logical in order:
            kind = asked.template["Resources"][logical]["Type"]
            given = Given(stack.resolved(asked, self.place).properties(logical))
            made = stack.resources.get(logical)
            if made is not None and made.properties == given:
                continue
            action = "UPDATE" if made is not None else "CREATE"
            self._emit(stack, logical, kind, f"{action}_IN_PROGRESS", "")
            try:
                self._made(stack, logical, kind, given, made)
            except (ClientError, Refused, Failed) as error:
                self._emit(stack, logical, kind, f"{action}_FAILED", _reason(error))
                # A half-done resource is kept, so that a rollback restores or deletes it.
                if made is not None:
                    stack.resources[logical] = replace(made, properties=given)
                elif isinstance(error, Failed):
                    stack.resources[logical] = Made(kind, error.physical_id, given, {})
                return logical
            self._emit(stack, logical, kind, f"{action}_COMPLETE", "")
        return ""

    def _made(
        self, stack: Stack, logical: str, kind: str, given: Mapping[str, Any], made: Made | None
    ) -> None:
        """Create or change a resource; once a new resource has an ID, emit a second event.

        [localstack tests/aws/services/cloudformation/api/test_stacks]
        """
        context, known = self._context(stack), TYPES.get(kind)

        def keep(physical_id: str, attributes: Mapping[str, Any]) -> Made:
            new = logical not in stack.resources
            found = stack.resources[logical] = Made(kind, physical_id, given, attributes)
            if new:
                reason = "Resource creation Initiated"
                self._emit(stack, logical, kind, "CREATE_IN_PROGRESS", reason)
            return found

        if known is None:
            event = "Update" if made else "Create"
            keep(*self._custom.send(event, stack, logical, kind, given, made))
        elif made is None:
            known.create(context, logical, given, keep)
        else:
            known.update(context, made, given)
            keep(made.physical_id, made.attributes)

    def _remove(self, stack: Stack, names: Iterable[str]) -> str:
        """Delete resources in turn; return the first that cannot be deleted, or an empty string.

        The events do not show a custom resource's reason after success [a public CDK deployment's
        events].
        """
        for logical in names:
            made = stack.resources[logical]
            kind = made.kind
            self._emit(stack, logical, kind, "DELETE_IN_PROGRESS", "")
            try:
                if kind in TYPES:
                    TYPES[kind].delete(self._context(stack), made)
                else:
                    self._custom.send("Delete", stack, logical, kind, made.properties, made)
            except (ClientError, Refused, Failed) as error:
                self._emit(stack, logical, kind, "DELETE_FAILED", _reason(error))
                return logical
            del stack.resources[logical]
            self._emit(stack, logical, kind, "DELETE_COMPLETE", "")
        return ""


def _failed(verb: str, logical: str) -> str:
    """Return a stack's status reason and a space, or an empty string if nothing failed.

    [localstack tests/aws/services/cloudformation/api/test_stacks]
    """
    return f"The following resource(s) failed to {verb}: [{logical}]. " if logical else ""


def _reason(error: ClientError | Refused | Failed) -> str:
    match error:
        case ClientError():
            return f"{error.response['Error']['Message']} ({error.response['Error']['Code']})"
        case Refused():
            return f"{error.message} ({error.code})"
        case Failed():
            return error.reason
