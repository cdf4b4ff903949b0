"""The part of CloudFormation's API that is about change sets."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call, Operations, Response, World
from dt_logs_rehearsal.cloudformation import answers, requests
from dt_logs_rehearsal.cloudformation.change_sets import UNCHANGED, ChangeSet, changes, unchanged
from dt_logs_rehearsal.cloudformation.running import Running
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack, check


class ChangeSetApi:
    """Answers calls for the change sets of an account's stacks: a method for each operation."""

    def __init__(self, running: Running, clock: Callable[[], float]) -> None:
        self._running = running
        self._clock = clock
        self._change_sets: dict[str, ChangeSet] = {}

    @property
    def operations(self) -> Operations:
        """The operations by their names."""
        return {
            "CreateChangeSet": self.create_change_set,
            "DeleteChangeSet": self.delete_change_set,
            "DescribeChangeSet": self.describe_change_set,
            "ExecuteChangeSet": self.execute_change_set,
            "ListChangeSets": self.list_change_sets,
        }

    def create_change_set(self, world: World, call: Call) -> Response:
        params, name = call.params, call.params["StackName"]
        creates = params.get("ChangeSetType", "UPDATE") == "CREATE"
        stack = self._running.live(name, call)
        named = self._named(stack, params["ChangeSetName"]) if stack is not None else None
        if named is not None and named.token and named.token == params.get("ClientToken"):
            return self._made_before(world, call, named)
        if creates and stack is not None and stack.status != requests.REVIEW:
            text = f"Stack [{name}] already exists and cannot be created again with the changeSet"
            raise requests.invalid(f"{text} [{params['ChangeSetName']}]")
        if not creates and (stack is None or stack.status == requests.REVIEW):
            raise requests.invalid(f"Stack [{name}] does not exist")
        if stack is not None and not creates:
            requests.check_updatable(stack)
        asked = requests.asked(world, call, None if creates else stack)
        capabilities = tuple(params.get("Capabilities", ()))
        check(asked, capabilities)
        if stack is None:
            stack = self._running.engine.named(name, asked)
            self._running.engine.review(stack)
        made = self._change_set(call, stack, asked, creates)
        return {"Id": made.id, "StackId": stack.id}

    def _made_before(self, world: World, call: Call, made: ChangeSet) -> Response:
        """Answer a call that comes again as the first one was. Raises Refused.

        [CloudFormation API, CreateChangeSet: ClientToken; the refusal as users quote it]
        """
        asked = requests.asked(world, call, None if made.creates else made.stack)
        if asked != made.asked:
            text = f"ChangeSet {made.name} cannot be created due to a mismatch with existing"
            raise Refused("AlreadyExistsException", f"{text} attribute Template")
        return {"Id": made.id, "StackId": made.stack.id}

    def _change_set(self, call: Call, stack: Stack, asked: Asked, creates: bool) -> ChangeSet:
        name, (partition, region, account) = (
            call.params["ChangeSetName"],
            self._running.engine.place,
        )
        if self._named(stack, name) is not None:
            raise Refused("AlreadyExistsException", f"ChangeSet {name} already exists")
        changed = changes(stack, asked, self._running.engine.place)
        same = not creates and unchanged(stack, asked, changed)
        made = ChangeSet(
            name=name,
            id=f"arn:{partition}:cloudformation:{region}:{account}:changeSet/{name}/{uuid.uuid4()}",
            stack=stack,
            asked=asked,
            role=call.params.get("RoleARN", ""),
            creates=creates,
            capabilities=tuple(call.params.get("Capabilities", ())),
            description=call.params.get("Description", ""),
            made=self._clock(),
            token=call.params.get("ClientToken", ""),
            changes=changed,
            reason=UNCHANGED if same else "",
        )
        self._change_sets[made.id] = made
        return made

    def describe_change_set(self, world: World, call: Call) -> Response:
        return answers.change_set(self.found(call), self._clock())

    def list_change_sets(self, world: World, call: Call) -> Response:
        now = self._clock()
        found = self._of(self._running.find(call.params["StackName"], call))
        return {"Summaries": [answers.change_set_summary(each, now) for each in found]}

    def delete_change_set(self, world: World, call: Call) -> Response:
        """Delete a change set; one that is not there is deleted already.

        [CloudFormation API, DeleteChangeSet: InvalidChangeSetStatus; the text as users quote it]
        """
        try:
            found = self.found(call)
        except Refused:
            return {}
        for status in answers.change_set_status(found, self._clock()):
            if status.endswith("_IN_PROGRESS"):
                text = f"Cannot delete ChangeSet in status {status}"
                raise Refused("InvalidChangeSetStatus", text)
        del self._change_sets[found.id]
        return {}

    def execute_change_set(self, world: World, call: Call) -> Response:
        found = self.found(call)
        stack, of = found.stack, found.id
        if requests.repeated(stack, call, of):
            return {}
        status, execution = answers.change_set_status(found, self._clock())
        if execution != "AVAILABLE":
            text = f"ChangeSet [{found.id}] cannot be executed in its current status of [{status}]"
            raise Refused("InvalidChangeSetStatus", text)
        before = len(stack.events)
        with requests.taken(stack, call, of):
            self._execute(found, call)
        found.executed = before
        self.forget(stack, but=found)
        return {}

    def _execute(self, found: ChangeSet, call: Call) -> None:
        stack = found.stack
        if found.creates:
            stack.asked, stack.role, stack.caller = found.asked, found.role, requests.caller(call)
            self._running.create(stack, found.capabilities)
        else:
            requests.check_updatable(stack)
            self._running.update(stack, found.asked, found.role, found.capabilities, call)

    def found(self, call: Call) -> ChangeSet:
        """Return a change set by its id, or its name and its stack's."""
        name = call.params["ChangeSetName"]
        if name.startswith("arn:"):
            found = self._change_sets.get(name)
        else:
            if "StackName" not in call.params:
                raise requests.invalid(
                    "StackName must be specified if ChangeSetName is not specified as an ARN."
                )
            stack = self._running.find(call.params["StackName"], call)
            found = self._named(stack, name)
        if found is None:
            raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
        return found

    def _named(self, stack: Stack, name: str) -> ChangeSet | None:
        return next((each for each in self._of(stack) if each.name == name), None)

    def _of(self, stack: Stack) -> list[ChangeSet]:
        return [each for each in self._change_sets.values() if each.stack is stack]

    def forget(self, stack: Stack, but: ChangeSet | None = None) -> None:
        for each in self._of(stack):
            if each is not but:
                del self._change_sets[each.id]
