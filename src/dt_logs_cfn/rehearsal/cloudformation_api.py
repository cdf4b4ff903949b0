"""CloudFormation's API: operations return at once, and the work goes on in a thread.

As strict as AWS is documented to be; the texts are those that its users quote, unverified. Refused
as not emulated: replacement of a resource, nested stacks, imports, stack policies, another
behaviour on failure than rolling back, notifications, retained resources. Drift is never checked.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from threading import Thread

from dt_logs_cfn.emulator import Refused
from dt_logs_cfn.emulator.world import Call, Operations, Response, World
from dt_logs_cfn.rehearsal import cloudformation_answers as answers
from dt_logs_cfn.rehearsal import stack_requests as requests
from dt_logs_cfn.rehearsal.change_sets import (
    UNCHANGED,
    ChangeSet,
    changes,
    replaces,
    unchanged,
)
from dt_logs_cfn.rehearsal.cloudformation import CloudFormation
from dt_logs_cfn.rehearsal.stack import Asked, Stack, check


class CloudFormationApi:
    """Answers calls for the stacks of an engine, in its region."""

    def __init__(
        self, engine: CloudFormation, clock: Callable[[], float], page_size: int = 100
    ) -> None:
        """Prepare to answer; events come in pages of that size."""
        self.page_size = page_size
        self._engine = engine
        self._clock = clock
        self._capabilities: dict[str, tuple[str, ...]] = {}
        self._change_sets: dict[str, ChangeSet] = {}
        self._threads: list[Thread] = []

    @property
    def operations(self) -> Operations:
        """The operations by their names."""
        return {
            "CreateChangeSet": self.create_change_set,
            "CreateStack": self.create_stack,
            "DeleteChangeSet": self.delete_change_set,
            "DeleteStack": self.delete_stack,
            "DescribeChangeSet": self.describe_change_set,
            "DescribeStackEvents": self.describe_stack_events,
            "DescribeStackResource": self.describe_stack_resource,
            "DescribeStackResources": self.describe_stack_resources,
            "DescribeStacks": self.describe_stacks,
            "ExecuteChangeSet": self.execute_change_set,
            "GetTemplate": self.get_template,
            "GetTemplateSummary": self.get_template_summary,
            "ListChangeSets": self.list_change_sets,
            "ListStackResources": self.list_stack_resources,
            "ListStacks": self.list_stacks,
            "UpdateStack": self.update_stack,
            "ValidateTemplate": self.validate_template,
        }

    def join(self) -> None:
        """Wait until no stack is worked on any more."""
        for each in self._threads:
            each.join()

    def create_stack(self, world: World, call: Call) -> Response:
        name = call.params["StackName"]
        if call.params.get("OnFailure", "ROLLBACK") != "ROLLBACK" or call.params.get(
            "DisableRollback"
        ):
            raise requests.not_emulated("OnFailure")
        if self._live(name, call) is not None:
            raise Refused("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = self._engine.named(
            name, requests.asked(world, call, None), call.params.get("RoleARN", "")
        )
        stack.caller = requests.caller(call)
        self._create(stack, tuple(call.params.get("Capabilities", ())))
        return {"StackId": stack.id}

    def update_stack(self, world: World, call: Call) -> Response:
        name = call.params["StackName"]
        stack = self._stack(name, call, f"Stack [{name}] does not exist")
        requests.check_updatable(stack)
        asked = requests.asked(world, call, stack)
        capabilities = tuple(call.params.get("Capabilities", ()))
        check(asked, capabilities)
        changed = changes(stack, asked, self._engine.place)
        if unchanged(stack, asked, changed):
            raise requests.invalid("No updates are to be performed.")
        self._update(stack, asked, call.params.get("RoleARN", ""), capabilities, call)
        return {"StackId": stack.id}

    def delete_stack(self, world: World, call: Call) -> Response:
        """Delete a stack at rest; AWS takes this for one that is being made, too."""
        name = call.params["StackName"]
        stack = self._engine.stacks.get(name) or self._live(name, call)
        requests.check_emulated(call)
        if stack is None or stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return {}
        if stack.status.endswith("_IN_PROGRESS") and stack.status != requests.REVIEW:
            text = f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
            raise requests.invalid(text)
        stack.role = call.params.get("RoleARN", "") or stack.role
        stack.caller = requests.caller(call)
        self._start(self._engine.begin_delete(stack))
        self._forget_change_sets(stack)
        return {}

    def create_change_set(self, world: World, call: Call) -> Response:
        params, name = call.params, call.params["StackName"]
        creates = params.get("ChangeSetType", "UPDATE") == "CREATE"
        stack = self._live(name, call)
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
            stack = self._engine.named(name, asked)
            self._engine.review(stack)
        made = self._change_set(call, stack, asked, creates)
        return {"Id": made.id, "StackId": stack.id}

    def _change_set(self, call: Call, stack: Stack, asked: Asked, creates: bool) -> ChangeSet:
        name, (partition, region, account) = call.params["ChangeSetName"], self._engine.place
        if any(each.name == name for each in self._of(stack)):
            raise Refused("AlreadyExistsException", f"ChangeSet {name} already exists")
        changed = changes(stack, asked, self._engine.place)
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
            changes=changed,
            reason=UNCHANGED if same else "",
        )
        self._change_sets[made.id] = made
        return made

    def describe_change_set(self, world: World, call: Call) -> Response:
        return answers.change_set(self._found(call), self._clock())

    def list_change_sets(self, world: World, call: Call) -> Response:
        now = self._clock()
        found = self._of(self._stack(call.params["StackName"], call))
        return {"Summaries": [answers.change_set_summary(each, now) for each in found]}

    def delete_change_set(self, world: World, call: Call) -> Response:
        """Delete a change set; one that is not there is deleted already."""
        try:
            found = self._found(call)
        except Refused:
            return {}
        del self._change_sets[found.id]
        return {}

    def execute_change_set(self, world: World, call: Call) -> Response:
        found = self._found(call)
        status, execution = answers.change_set_status(found, self._clock())
        if execution != "AVAILABLE":
            text = f"ChangeSet [{found.id}] cannot be executed in its current status of [{status}]"
            raise Refused("InvalidChangeSetStatus", text)
        stack = found.stack
        if found.creates:
            stack.asked, stack.role, stack.caller = found.asked, found.role, requests.caller(call)
            self._create(stack, found.capabilities)
        else:
            requests.check_updatable(stack)
            self._update(stack, found.asked, found.role, found.capabilities, call)
        found.executed = "EXECUTE_COMPLETE"
        self._forget_change_sets(stack, but=found)
        return {}

    def describe_stacks(self, world: World, call: Call) -> Response:
        name = call.params.get("StackName")
        here = call.region == self._engine.place[1]
        found = (
            [self._stack(name, call)]
            if name
            else [e for e in self._engine.stacks.values() if here and e.status != "DELETE_COMPLETE"]
        )
        known = self._capabilities
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
        stack = self._stack(name, call, f"Stack [{name}] does not exist")
        events = list(stack.events)
        end = int(call.params.get("NextToken") or len(events))
        begin = max(0, end - self.page_size)
        page = [answers.event(stack, n, events[n]) for n in range(end - 1, begin - 1, -1)]
        return {"StackEvents": page, **({"NextToken": str(begin)} if begin else {})}

    def describe_stack_resources(self, world: World, call: Call) -> Response:
        stack = self._stack(call.params["StackName"], call)
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
            self._stack(call.params["StackName"], call),
            call.params["LogicalResourceId"],
        )
        for each in answers.resources(stack, "LastUpdatedTimestamp"):
            if each["LogicalResourceId"] == logical:
                named = {"StackName": stack.name, "StackId": stack.id}
                return {"StackResourceDetail": {**named, **each}}
        raise requests.invalid(f"Resource {logical} does not exist for stack {stack.name}")

    def list_stack_resources(self, world: World, call: Call) -> Response:
        stack = self._stack(call.params["StackName"], call)
        return {"StackResourceSummaries": answers.resources(stack, "LastUpdatedTimestamp")}

    def get_template(self, world: World, call: Call) -> Response:
        """Return a template as it was handed over."""
        if "ChangeSetName" in call.params:
            asked = self._found(call).asked
        else:
            asked = self._stack(call.params["StackName"], call).asked
        return {"TemplateBody": asked.body, "StagesAvailable": ["Original", "Processed"]}

    def get_template_summary(self, world: World, call: Call) -> Response:
        if "StackName" in call.params:
            return answers.template_summary(self._stack(call.params["StackName"], call).asked)
        return answers.template_summary(answers.parsed(requests.body(world, call)[0]))

    def validate_template(self, world: World, call: Call) -> Response:
        return answers.validated(answers.parsed(requests.body(world, call)[0]))

    def _create(self, stack: Stack, capabilities: tuple[str, ...]) -> None:
        work = self._engine.begin_create(stack, capabilities)
        self._capabilities[stack.id] = capabilities
        self._start(work)

    def _update(
        self, stack: Stack, asked: Asked, role: str, capabilities: tuple[str, ...], call: Call
    ) -> None:
        if replaces(changes(stack, asked, self._engine.place)):
            raise requests.not_emulated("replacement of a resource")
        stack.role, stack.caller = role or stack.role, requests.caller(call)
        work = self._engine.begin_update(stack, asked, capabilities)
        self._capabilities[stack.id] = capabilities
        self._start(work)

    def _start(self, work: Callable[[], None]) -> None:
        thread = Thread(target=work, name="stack", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _live(self, name: str, call: Call) -> Stack | None:
        """Return the stack that has this name now, if one has; in another region none does."""
        if call.region != self._engine.place[1]:
            return None
        for each in self._engine.stacks.values():
            if each.name == name and each.status != "DELETE_COMPLETE":
                return each
        return None

    def _stack(self, name: str, call: Call, otherwise: str = "") -> Stack:
        """Return a stack by its name, or its id, by which deleted ones are found too."""
        found = self._engine.stacks.get(name) or self._live(name, call)
        if found is None:
            raise requests.invalid(otherwise or f"Stack with id {name} does not exist")
        return found

    def _found(self, call: Call) -> ChangeSet:
        """Return a change set by its id, or its name and its stack's."""
        name = call.params["ChangeSetName"]
        if name.startswith("arn:"):
            found = self._change_sets.get(name)
        else:
            if "StackName" not in call.params:
                raise requests.invalid(
                    "StackName must be specified if ChangeSetName is not specified as an ARN."
                )
            stack = self._stack(call.params["StackName"], call)
            found = next((each for each in self._of(stack) if each.name == name), None)
        if found is None:
            raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
        return found

    def _of(self, stack: Stack) -> list[ChangeSet]:
        return [each for each in self._change_sets.values() if each.stack is stack]

    def _forget_change_sets(self, stack: Stack, but: ChangeSet | None = None) -> None:
        for each in self._of(stack):
            if each is not but:
                del self._change_sets[each.id]
