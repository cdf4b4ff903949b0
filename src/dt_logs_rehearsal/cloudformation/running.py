"""The stacks of an account and region: found by name or id, and worked on in threads."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from dt_logs_rehearsal.account.world import Call
from dt_logs_rehearsal.cloudformation import requests
from dt_logs_rehearsal.cloudformation.change_sets import changes, replaces
from dt_logs_rehearsal.cloudformation.engine import CloudFormation
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack


class Running:
    """Begins what an engine is asked to do, and returns at once."""

    def __init__(self, engine: CloudFormation) -> None:
        self.engine = engine
        self.capabilities: dict[str, tuple[str, ...]] = {}  # by the stack's id
        self._threads: list[Thread] = []

    def join(self) -> None:
        """Wait until no stack is worked on any more."""
        for each in self._threads:
            each.join()

    def create(self, stack: Stack, capabilities: tuple[str, ...]) -> None:
        """Begin to create what a stack was asked to be. Raises Refused."""
        work = self.engine.begin_create(stack, capabilities)
        self.capabilities[stack.id] = capabilities
        self.start(work)

    def update(
        self, stack: Stack, asked: Asked, role: str, capabilities: tuple[str, ...], call: Call
    ) -> None:
        """Begin to update a stack; it keeps its role unless one is given. Raises Refused."""
        if replaces(changes(stack, asked, self.engine.place)):
            raise requests.not_emulated("replacement of a resource")
        stack.role, stack.caller = role or stack.role, requests.caller(call)
        work = self.engine.begin_update(stack, asked, capabilities)
        self.capabilities[stack.id] = capabilities
        self.start(work)

    def start(self, work: Callable[[], None]) -> None:
        """Let work go on in a thread of its own."""
        thread = Thread(target=work, name="stack", daemon=True)
        self._threads.append(thread)
        thread.start()

    def live(self, name: str, call: Call) -> Stack | None:
        """Return the stack that has this name now, if one has; in another region none does."""
        if call.region != self.engine.place[1]:
            return None
        for each in list(self.engine.stacks.values()):
            if each.name == name and each.status != "DELETE_COMPLETE":
                return each
        return None

    def find(self, name: str, call: Call, otherwise: str = "") -> Stack:
        """Return a stack by its name, or its id, by which deleted ones are found too."""
        found = self.engine.stacks.get(name) or self.live(name, call)
        if found is None:
            raise requests.invalid(otherwise or f"Stack with id {name} does not exist")
        return found
