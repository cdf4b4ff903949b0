"""What both halves of CloudFormation's API share: stacks are found, and worked on in threads."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.models import operations
from dt_logs_rehearsal.account.world import Call, Operations
from dt_logs_rehearsal.cloudformation import requests
from dt_logs_rehearsal.cloudformation.change_sets import changes, replaces
from dt_logs_rehearsal.cloudformation.engine import CloudFormation, Rest
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import invalid


class StacksApi:
    """The stacks of an engine, in its region; a method named as boto3's answers the operation."""

    def __init__(
        self, engine: CloudFormation, clock: Callable[[], float], page_size: int = 100
    ) -> None:
        """Prepare to answer; events come in pages of that size."""
        self.page_size = page_size
        self._engine = engine
        self._clock = clock
        self._threads: list[Thread] = []

    @property
    def operations(self) -> Operations:
        """The operations by their names."""
        known = operations("cloudformation").items()
        return {model.name: getattr(self, name) for name, model in known if hasattr(self, name)}

    def join(self) -> None:
        """Wait until no stack is worked on any more."""
        for each in self._threads:
            each.join()

    def _live(self, name: str, call: Call) -> Stack | None:
        """Return the stack that has this name now, if one has; in another region none does."""
        if call.region != self._engine.place[1]:
            return None
        for each in list(self._engine.stacks.values()):
            if each.name == name and each.status != "DELETE_COMPLETE":
                return each
        return None

    def _find(self, call: Call, otherwise: str = "Stack with id {} does not exist") -> Stack:
        """Return a call's stack by name, or by id, which finds deleted ones. Raises Refused."""
        name = call.params["StackName"]
        found = self._engine.stacks.get(name) or self._live(name, call)
        if found is None:
            raise invalid(otherwise.format(name))
        return found

    def _begin(
        self, stack: Stack, call: Call, begin: Callable[[], Rest], of: str = "", role: str = ""
    ) -> None:
        """Begin an operation and let it go on in a thread. Raises Refused.

        Its events have the call's token, and the call is known again. A stack keeps its role unless
        one is given.
        """
        before, stack.token = stack.token, call.params.get("ClientRequestToken", "")
        stack.role = role or call.params.get("RoleARN", "") or stack.role
        name = call.caller.arn.partition(":assumed-role/")[2].partition("/")[0]
        stack.caller = call.roles.get(name, "") if name else ""  # nothing for an administrator
        try:
            work = begin()
        except Refused:
            stack.token = before
            raise
        if stack.token:
            stack.tokens[stack.token] = f"{call.operation} {of}"
        thread = Thread(target=work, name="stack", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _updating(
        self, stack: Stack, asked: Asked, capabilities: tuple[str, ...]
    ) -> Callable[[], Rest]:
        """Return how an update begins. Raises Refused if it would replace a resource."""
        if replaces(changes(stack, asked, self._engine.place)):
            raise requests.not_emulated("replacement of a resource")
        return lambda: self._engine.begin_update(stack, asked, capabilities)
