"""CloudFormation's API: operations return at once, and the work goes on in a thread.

As strict as AWS is documented to be; the texts are those that its users quote, unverified. Refused
as not emulated: replacement of a resource, nested stacks, imports, stack policies, another
behaviour on failure than rolling back, notifications, forced deletion or rollback. Drift
is never checked.
"""

from __future__ import annotations

from collections.abc import Callable

from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call, Operations, Response, World
from dt_logs_rehearsal.cloudformation import answers, requests
from dt_logs_rehearsal.cloudformation.change_set_api import ChangeSetApi
from dt_logs_rehearsal.cloudformation.change_sets import (
    changes,
    unchanged,
)
from dt_logs_rehearsal.cloudformation.engine import CloudFormation
from dt_logs_rehearsal.cloudformation.running import Running
from dt_logs_rehearsal.cloudformation.stack import check


class CloudFormationApi:
    """Answers calls for the stacks of an engine, in its region: a method for each operation."""

    def __init__(
        self, engine: CloudFormation, clock: Callable[[], float], page_size: int = 100
    ) -> None:
        """Prepare to answer; events come in pages of that size."""
        self.page_size = page_size
        self._engine = engine
        self._running = Running(engine)
        self._change_sets = ChangeSetApi(self._running, clock)

    def join(self) -> None:
        """Wait until no stack is worked on any more."""
        self._running.join()

    @property
    def operations(self) -> Operations:
        """The operations by their names."""
        return {
            **self._change_sets.operations,
            "ContinueUpdateRollback": self.continue_update_rollback,
            "CreateStack": self.create_stack,
            "DeleteStack": self.delete_stack,
            "DescribeStackEvents": self.describe_stack_events,
            "DescribeStackResource": self.describe_stack_resource,
            "DescribeStackResources": self.describe_stack_resources,
            "DescribeStacks": self.describe_stacks,
            "GetTemplate": self.get_template,
            "GetTemplateSummary": self.get_template_summary,
            "ListStackResources": self.list_stack_resources,
            "ListStacks": self.list_stacks,
            "UpdateStack": self.update_stack,
            "ValidateTemplate": self.validate_template,
        }

    def create_stack(self, world: World, call: Call) -> Response:
        name = call.params["StackName"]
        if call.params.get("OnFailure", "ROLLBACK") != "ROLLBACK" or call.params.get(
            "DisableRollback"
        ):
            raise requests.not_emulated("OnFailure")
        live = self._running.live(name, call)
        if live is not None and requests.repeated(live, call):
            return {"StackId": live.id}
        if live is not None:
            raise Refused("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = self._engine.named(
            name, requests.asked(world, call, None), call.params.get("RoleARN", "")
        )
        stack.caller = requests.caller(call)
        with requests.taken(stack, call):
            self._running.create(stack, tuple(call.params.get("Capabilities", ())))
        return {"StackId": stack.id}

    def update_stack(self, world: World, call: Call) -> Response:
        name = call.params["StackName"]
        stack = self._running.find(name, call, f"Stack [{name}] does not exist")
        if requests.repeated(stack, call):
            return {"StackId": stack.id}
        requests.check_updatable(stack)
        asked = requests.asked(world, call, stack)
        capabilities = tuple(call.params.get("Capabilities", ()))
        check(asked, capabilities)
        changed = changes(stack, asked, self._engine.place)
        if unchanged(stack, asked, changed):
            raise requests.invalid("No updates are to be performed.")
        with requests.taken(stack, call):
            self._running.update(stack, asked, call.params.get("RoleARN", ""), capabilities, call)
        return {"StackId": stack.id}

    def delete_stack(self, world: World, call: Call) -> Response:
        """Delete a stack at rest; AWS takes this for one that is being made, too."""
        name = call.params["StackName"]
        stack = self._engine.stacks.get(name) or self._running.live(name, call)
        requests.check_emulated(call)
        if stack is not None and requests.repeated(stack, call):
            return {}
        if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return {}
        if stack.status.endswith("_IN_PROGRESS") and stack.status != requests.REVIEW:
            text = f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
            raise requests.invalid(text)
        retained = requests.retained(stack, call)
        stack.role = call.params.get("RoleARN", "") or stack.role
        stack.caller = requests.caller(call)
        with requests.taken(stack, call):
            self._running.start(self._engine.begin_delete(stack, retained))
        self._change_sets.forget(stack)
        return {}

    def continue_update_rollback(self, world: World, call: Call) -> Response:
        """Go on with a rollback that failed; `ResourcesToSkip` stay as they are."""
        stack = self._running.find(call.params["StackName"], call)
        requests.check_emulated(call)
        if requests.repeated(stack, call):
            return {}
        skipped = requests.skipped(stack, call)
        stack.role = call.params.get("RoleARN", "") or stack.role
        stack.caller = requests.caller(call)
        with requests.taken(stack, call):
            self._running.start(self._engine.begin_continue(stack, skipped))
        return {}

    def describe_stacks(self, world: World, call: Call) -> Response:
        name = call.params.get("StackName")
        here = call.region == self._engine.place[1]
        found = (
            [self._running.find(name, call)]
            if name
            else [e for e in self._engine.stacks.values() if here and e.status != "DELETE_COMPLETE"]
        )
        known = self._running.capabilities
        return {"Stacks": [answers.stack(each, known.get(each.id, ())) for each in found]}

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
        name = call.params["StackName"]
        stack = self._running.find(name, call, f"Stack [{name}] does not exist")
        events = list(stack.events)
        end = int(call.params.get("NextToken") or len(events))
        begin = max(0, end - self.page_size)
        page = [answers.event(stack, n, events[n]) for n in range(end - 1, begin - 1, -1)]
        return {"StackEvents": page, **({"NextToken": str(begin)} if begin else {})}

    def describe_stack_resources(self, world: World, call: Call) -> Response:
        stack = self._running.find(call.params["StackName"], call)
        wanted = call.params.get("LogicalResourceId")
        named = {"StackName": stack.name, "StackId": stack.id}
        found = answers.resources(stack, "Timestamp")
        return {
            "StackResources": [
                {**named, **each} for each in found if wanted in (None, each["LogicalResourceId"])
            ]
        }

    def describe_stack_resource(self, world: World, call: Call) -> Response:
        stack, logical = (
            self._running.find(call.params["StackName"], call),
            call.params["LogicalResourceId"],
        )
        for each in answers.resources(stack, "LastUpdatedTimestamp"):
            if each["LogicalResourceId"] == logical:
                named = {"StackName": stack.name, "StackId": stack.id}
                return {"StackResourceDetail": {**named, **each}}
        raise requests.invalid(f"Resource {logical} does not exist for stack {stack.name}")

    def list_stack_resources(self, world: World, call: Call) -> Response:
        stack = self._running.find(call.params["StackName"], call)
        return {"StackResourceSummaries": answers.resources(stack, "LastUpdatedTimestamp")}

    def get_template(self, world: World, call: Call) -> Response:
        """Return a template as it was handed over."""
        if "ChangeSetName" in call.params:
            asked = self._change_sets.found(call).asked
        else:
            asked = self._running.find(call.params["StackName"], call).asked
        return {"TemplateBody": asked.body, "StagesAvailable": ["Original", "Processed"]}

    def get_template_summary(self, world: World, call: Call) -> Response:
        if "StackName" in call.params:
            return answers.template_summary(
                self._running.find(call.params["StackName"], call).asked
            )
        return answers.template_summary(answers.parsed(requests.body(world, call)[0]))

    def validate_template(self, world: World, call: Call) -> Response:
        return answers.validated(answers.parsed(requests.body(world, call)[0]))
