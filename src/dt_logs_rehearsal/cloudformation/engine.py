"""CloudFormation: stacks created, updated and deleted in order, rolled back where that fails.

An operation returns when the stack is at rest; its `begin_…` returns when it is accepted, with the
work that remains. Every call is made through the stack's role, which it keeps for good
[botocore, CreateStack: RoleARN].
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.cloudformation import resource_types as types
from dt_logs_rehearsal.cloudformation.custom_resource import CustomResources, Failed
from dt_logs_rehearsal.cloudformation.resource_types import Context
from dt_logs_rehearsal.cloudformation.stack import Asked, Given, Made, Stack, check, in_order

if TYPE_CHECKING:
    from collections.abc import Mapping

Emit = Callable[[Stack, str, str, str, str], None]  # stack, logical id, type, status, reason
Rest = Callable[[], None]
_STACK = "AWS::CloudFormation::Stack"


class CloudFormation:
    """Runs stacks in one account and region."""

    def __init__(
        self,
        place: tuple[str, str, str],
        context: Callable[[Stack], Context],
        custom: Callable[[Stack], CustomResources],
        emit: Emit,
    ) -> None:
        """Prepare for a place: partition, region and account."""
        self.place = place
        self.stacks: dict[str, Stack] = {}  # by id, in the order of their making
        self._context = context
        self._custom = custom
        self._emit = emit

    def create(
        self, name: str, asked: Asked, capabilities: Sequence[str] = (), role: str = ""
    ) -> Stack:
        """Create a stack; what fails is rolled back. Raises Refused before anything is made."""
        stack = self.named(name, asked, role)
        self.begin_create(stack, capabilities)()
        return stack

    def named(self, name: str, asked: Asked, role: str = "") -> Stack:
        """Return a stack with an id of its own, of which nothing exists."""
        partition, region, account = self.place
        stack_id = f"arn:{partition}:cloudformation:{region}:{account}:stack/{name}/{uuid.uuid4()}"
        return Stack(name, stack_id, asked, role)

    def review(self, stack: Stack) -> None:
        """Keep a stack that has a change set, and nothing else so far."""
        self.stacks[stack.id] = stack
        self._at(stack, "REVIEW_IN_PROGRESS", "User Initiated")

    def begin_create(self, stack: Stack, capabilities: Sequence[str] = ()) -> Rest:
        """Accept to create what a stack was asked to be. Raises Refused."""
        check(stack.asked, capabilities)
        stack.tried = stack.asked
        self._context(stack)  # a role that cannot be taken is told before anything begins
        self.stacks[stack.id] = stack
        self._at(stack, "CREATE_IN_PROGRESS", "User Initiated")
        return lambda: self._create(stack, stack.asked)

    def _create(self, stack: Stack, asked: Asked) -> None:
        failed = self._make(stack, asked, in_order(asked.template), "CREATE")
        if failed:
            reason = f"The following resource(s) failed to create: [{failed}]. Rollback requested."
            self._at(stack, "ROLLBACK_IN_PROGRESS", reason)
            left = self._remove(stack, list(stack.resources)[::-1])
            reason = f"The following resource(s) failed to delete: [{left}]." if left else ""
            self._at(stack, "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", reason)
        else:
            self._finish(stack, "CREATE_COMPLETE")

    def update(self, stack: Stack, asked: Asked, capabilities: Sequence[str] = ()) -> None:
        """Update a stack; what fails is rolled back. Raises Refused before anything is changed."""
        self.begin_update(stack, asked, capabilities)()

    def begin_update(self, stack: Stack, asked: Asked, capabilities: Sequence[str] = ()) -> Rest:
        """Accept to update a stack. Raises Refused."""
        check(asked, capabilities)
        self._context(stack)
        stack.tried = asked
        self._at(stack, "UPDATE_IN_PROGRESS", "User Initiated")
        return lambda: self._update(stack, asked)

    def _update(self, stack: Stack, asked: Asked) -> None:
        failed = self._make(stack, asked, in_order(asked.template), "UPDATE")
        if failed:
            reason = f"The following resource(s) failed to update: [{failed}]."
            self._at(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
            self._roll_back(stack)
            return
        self._at(stack, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        gone = [name for name in stack.resources if name not in asked.template["Resources"]]
        self._remove(stack, gone[::-1])
        stack.asked = asked
        self._finish(stack, "UPDATE_COMPLETE")

    def begin_continue(self, stack: Stack, skipped: Collection[str] = ()) -> Rest:
        """Accept to go on with a rollback that failed, without some resources. Raises Refused."""
        self._context(stack)
        self._at(stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        return lambda: self._roll_back(stack, skipped)

    def _roll_back(self, stack: Stack, skipped: Collection[str] = ()) -> None:
        """Make a stack again what it was before an update, and delete what is new in it."""
        old = stack.asked
        for logical in skipped:
            self._emit(stack, logical, self._kind(stack, logical), "UPDATE_COMPLETE", "")
        left = [name for name in in_order(old.template) if name not in skipped]
        before = dict(stack.resources)
        failed = self._make(stack, old, left, "UPDATE")
        if failed:
            if failed in before:  # as it was, so that it is tried again
                stack.resources[failed] = before[failed]
            reason = f"The following resource(s) failed to update: [{failed}]."
            self._at(stack, "UPDATE_ROLLBACK_FAILED", reason)
            return
        self._at(stack, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self._remove(stack, self._new(stack))
        self._at(stack, "UPDATE_ROLLBACK_COMPLETE")

    def delete(self, stack: Stack) -> None:
        """Delete a stack, in the reverse order of its making."""
        self.begin_delete(stack)()

    def begin_delete(self, stack: Stack, retained: Collection[str] = ()) -> Rest:
        """Accept to delete a stack, but not some of its resources. Raises Refused."""
        self._context(stack)
        self._at(stack, "DELETE_IN_PROGRESS", "User Initiated")
        return lambda: self._delete(stack, retained)

    def _delete(self, stack: Stack, retained: Collection[str]) -> None:
        old = [name for name in in_order(stack.asked.template) if name in stack.resources]
        for logical in retained:
            self._emit(stack, logical, self._kind(stack, logical), "DELETE_SKIPPED", "")
            del stack.resources[logical]
        order = [name for name in (*self._new(stack), *old[::-1]) if name not in retained]
        failed = self._remove(stack, order)
        reason = f"The following resource(s) failed to delete: [{failed}]." if failed else ""
        self._at(stack, "DELETE_FAILED" if failed else "DELETE_COMPLETE", reason)

    def _new(self, stack: Stack) -> list[str]:
        """Return what an update made that a stack goes without, the last one first."""
        return [n for n in stack.resources if n not in stack.asked.template["Resources"]][::-1]

    def _kind(self, stack: Stack, logical: str) -> str:
        """Return a resource's type, by the template that has it."""
        templates = [each.template["Resources"] for each in (stack.asked, stack.tried) if each]
        kind: str = next(each[logical]["Type"] for each in templates if logical in each)
        return kind

    def _at(self, stack: Stack, status: str, reason: str = "") -> None:
        self._emit(stack, stack.name, _STACK, status, reason)
        stack.status = status  # last: whoever sees it sees all of the events

    def _finish(self, stack: Stack, status: str) -> None:
        resolved = stack.resolved(stack.asked, self.place)
        outputs = stack.asked.template.get("Outputs", {})
        stack.outputs = {name: str(resolved.value(each["Value"])) for name, each in outputs.items()}
        self._at(stack, status)

    def _make(self, stack: Stack, asked: Asked, order: Iterable[str], verb: str) -> str:
        """Make or change each resource; returns the one that failed, or nothing."""
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
                self._tried(stack, logical, given, made, error)
                return logical
            self._emit(stack, logical, kind, f"{action}_COMPLETE", "")
        return ""

    def _tried(
        self,
        stack: Stack,
        logical: str,
        given: Mapping[str, Any],
        made: Made | None,
        error: Exception,
    ) -> None:
        """Keep what may be half done: a rollback changes it back, or deletes it, too."""
        if made is not None:
            stack.resources[logical] = Made(made.physical_id, given, made.attributes)
        elif isinstance(error, Failed):
            stack.resources[logical] = Made(error.physical_id, given, {})

    def _made(
        self, stack: Stack, logical: str, kind: str, given: Mapping[str, Any], made: Made | None
    ) -> None:
        context = self._context(stack)

        def keep(found: Made) -> None:
            stack.resources[logical] = found

        match kind, made:
            case "AWS::IAM::Role", None:
                result = types.create_role(context, logical, given, keep)
            case "AWS::IAM::Role", Made():
                result = types.update_role(context, made, given)
            case "AWS::Lambda::Function", None:
                result = types.create_function(context, logical, given, keep)
            case "AWS::Lambda::Function", Made():
                result = types.update_function(context, made, given)
            case "AWS::Logs::LogGroup", None:
                result = types.create_log_group(context, logical, given, keep)
            case "AWS::Logs::LogGroup", Made():
                result = types.update_log_group(context, made, given)
            case _:
                event = "Update" if made else "Create"
                result = self._custom(stack).send(event, stack.id, logical, kind, given, made)
        keep(result)

    def _remove(self, stack: Stack, names: Iterable[str]) -> str:
        """Delete resources in turn, until one cannot be deleted; returns that, or nothing."""
        for logical in names:
            kind = self._kind(stack, logical)
            made = stack.resources[logical]
            self._emit(stack, logical, kind, "DELETE_IN_PROGRESS", "")
            try:
                told = self._removed(stack, logical, kind, made)
            except (ClientError, Refused, Failed) as error:
                self._emit(stack, logical, kind, "DELETE_FAILED", _reason(error))
                return logical
            del stack.resources[logical]
            self._emit(stack, logical, kind, "DELETE_COMPLETE", told)
        return ""

    def _removed(self, stack: Stack, logical: str, kind: str, made: Made) -> str:
        """Delete one resource; returns what a custom one says of it."""
        context = self._context(stack)
        match kind:
            case "AWS::IAM::Role":
                types.delete_role(context, made)
            case "AWS::Lambda::Function":
                types.delete_function(context, made)
            case "AWS::Logs::LogGroup":
                types.delete_log_group(context, made)
            case _:
                custom = self._custom(stack)
                done = custom.send("Delete", stack.id, logical, kind, made.properties, made)
                return str(done.attributes.get("Reason", ""))
        return ""


def _reason(error: ClientError | Refused | Failed) -> str:
    match error:
        case ClientError():
            return f"{error.response['Error']['Message']} ({error.response['Error']['Code']})"
        case Refused():
            return f"{error.message} ({error.code})"
        case Failed():
            return error.reason
