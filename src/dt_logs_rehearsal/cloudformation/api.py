"""CloudFormation's API: operations return at once, and the work goes on in a thread.

As strict as AWS is documented to be; the texts are those that its users quote, unverified. Refused
as not emulated: replacement of a resource, nested stacks, imports, stack policies, another
behaviour on failure than rolling back, notifications, forced deletion or rollback. Drift
is never checked.
"""

from __future__ import annotations

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call, Response, World
from dt_logs_rehearsal.cloudformation import answers, requests
from dt_logs_rehearsal.cloudformation.change_set_api import ChangeSetApi
from dt_logs_rehearsal.cloudformation.change_sets import changes, unchanged
from dt_logs_rehearsal.cloudformation.templates import check, invalid

_NO_STACK = "Stack [{}] does not exist"


class CloudFormationApi(ChangeSetApi):
    """Answers calls about the stacks of an engine, and about their change sets."""

    def create_stack(self, world: World, call: Call) -> Response:
        name, capabilities = call.params["StackName"], call.params.get("Capabilities", ())
        requests.check_emulated(call)
        live = self._live(name, call)
        if live is not None and requests.repeated(live, call):
            return {"StackId": live.id}
        if live is not None:
            raise Refused("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = self._engine.named(name, requests.asked(world, call, None))
        self._begin(stack, call, lambda: self._engine.begin_create(stack, capabilities))
        return {"StackId": stack.id}

    def update_stack(self, world: World, call: Call) -> Response:
        stack = self._find(call, _NO_STACK)
        if requests.repeated(stack, call):
            return {"StackId": stack.id}
        requests.check_updatable(stack)
        asked = requests.asked(world, call, stack)
        capabilities = tuple(call.params.get("Capabilities", ()))
        check(asked, capabilities)
        if unchanged(stack, asked, changes(stack, asked, self._engine.place)):
            raise invalid("No updates are to be performed.")
        self._begin(stack, call, self._updating(stack, asked, capabilities))
        return {"StackId": stack.id}

    def delete_stack(self, world: World, call: Call) -> Response:
        """Delete a stack at rest; AWS accepts this for one that is being made, too."""
        name = call.params["StackName"]
        stack = self._engine.stacks.get(name) or self._live(name, call)
        requests.check_emulated(call)
        if stack is None or requests.repeated(stack, call):
            return {}
        if stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return {}
        if stack.status.endswith("_IN_PROGRESS") and stack.status != requests.REVIEW:
            text = f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
            raise invalid(text)
        retained = requests.retained(stack, call)
        self._begin(stack, call, lambda: self._engine.begin_delete(stack, retained))
        self._forget(stack)
        return {}

    def continue_update_rollback(self, world: World, call: Call) -> Response:
        """Go on with a rollback that failed; `ResourcesToSkip` stay as they are."""
        stack = self._find(call)
        requests.check_emulated(call)
        if not requests.repeated(stack, call):
            skipped = requests.skipped(stack, call)
            self._begin(stack, call, lambda: self._engine.begin_continue(stack, skipped))
        return {}

    def describe_stacks(self, world: World, call: Call) -> Response:
        if call.params.get("StackName"):
            return {"Stacks": [answers.stack(self._find(call))]}
        here = call.region == self._engine.place[1]
        found = [e for e in self._engine.stacks.values() if here and e.status != "DELETE_COMPLETE"]
        return {"Stacks": [answers.stack(each) for each in found]}

    def list_stacks(self, world: World, call: Call) -> Response:
        wanted = call.params.get("StackStatusFilter")
        found = [
            answers.summary(each)
            for each in reversed(self._engine.stacks.values())
            if call.region == self._engine.place[1] and (not wanted or each.status in wanted)
        ]
        return {"StackSummaries": found}

    def describe_stack_events(self, world: World, call: Call) -> Response:
        """Return events, newest first; what happens between two pages is on neither."""
        stack = self._find(call, _NO_STACK)
        events = list(stack.events)
        end = int(call.params.get("NextToken") or len(events))
        begin = max(0, end - self.page_size)
        page = [answers.event(stack, n, events[n]) for n in range(end - 1, begin - 1, -1)]
        return {"StackEvents": page, **({"NextToken": str(begin)} if begin else {})}

    def describe_stack_resources(self, world: World, call: Call) -> Response:
        stack, wanted = self._find(call), call.params.get("LogicalResourceId")
        named = {"StackName": stack.name, "StackId": stack.id}
        found = [{**named, **each} for each in answers.resources(stack, "Timestamp")]
        found = [each for each in found if wanted in (None, each["LogicalResourceId"])]
        if wanted and not found:
            raise invalid(f"Resource {wanted} does not exist for stack {stack.name}")
        return {"StackResources": found}

    def list_stack_resources(self, world: World, call: Call) -> Response:
        found = answers.resources(self._find(call), "LastUpdatedTimestamp")
        return {"StackResourceSummaries": found}

    def get_template(self, world: World, call: Call) -> Response:
        """Return a template as it was handed over."""
        of_change_set = "ChangeSetName" in call.params
        asked = self._found(call).asked if of_change_set else self._find(call).asked
        return {"TemplateBody": asked.body, "StagesAvailable": ["Original", "Processed"]}
