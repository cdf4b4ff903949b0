"""CloudFormation's API for stacks. Each operation runs in its own thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from cloudformation_api import answers, requests
from cloudformation_api.change_sets import ChangeSet, changes, unchanged
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.models import operations
from dt_logs_rehearsal.account.world import Call, Operations, Response, World, present
from dt_logs_rehearsal.cloudformation.engine import CloudFormation, Rest
from dt_logs_rehearsal.cloudformation.stack import Stack
from dt_logs_rehearsal.cloudformation.templates import check, invalid

_NO_STACK = "Stack [{}] does not exist"


class StacksApi:
    """Answers calls about the stacks of an engine's region; the methods have boto3's names."""

    def __init__(
        self, engine: CloudFormation, clock: Callable[[], float], page_size: int = 100
    ) -> None:
        """Prepare to answer calls, with `page_size` events on a page."""
        self.page_size = page_size
        self._engine = engine
        self._clock = clock
        self._change_sets: defaultdict[str, dict[str, ChangeSet]] = defaultdict(dict)  # by stack
        self._tokens: dict[tuple[str, str], str] = {}  # the accepted operation, by stack and token

    @property
    def operations(self) -> Operations:
        """Return the emulated operations by their names in the API."""
        known = operations("cloudformation").items()
        return {model.name: getattr(self, name) for name, model in known if hasattr(self, name)}

    def create_stack(self, world: World, call: Call) -> Response:
        name, capabilities = call.params["StackName"], call.params.get("Capabilities", ())
        requests.check_emulated(call)
        if self._live(name, call) is not None:
            raise Refused("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = self._engine.named(name, requests.asked(call, None))
        self._begin(stack, call, lambda: self._engine.begin_create(stack, capabilities))
        return {"StackId": stack.id}

    def update_stack(self, world: World, call: Call) -> Response:
        stack = self._find(call, _NO_STACK)
        requests.check_updatable(stack)
        asked = requests.asked(call, stack)
        capabilities = tuple(call.params.get("Capabilities", ()))
        check(asked, capabilities)
        if unchanged(stack, asked, changes(stack, asked, self._engine.place)):
            raise invalid("No updates are to be performed.")
        self._begin(stack, call, lambda: self._engine.begin_update(stack, asked, capabilities))
        return {"StackId": stack.id}

    def delete_stack(self, world: World, call: Call) -> Response:
        """Begin to delete a stack; do nothing if it is deleted or being deleted.

        Raises Refused during any other operation. AWS accepts the call during a creation.
        """
        name = call.params["StackName"]
        stack = self._engine.stacks.get(name) or self._live(name, call)
        requests.check_emulated(call)
        if stack is None or self._repeated(stack, call):
            return {}
        if stack.status in ("DELETE_COMPLETE", "DELETE_IN_PROGRESS"):
            return {}
        if stack.status.endswith("_IN_PROGRESS") and stack.status != requests.REVIEW:
            text = f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
            raise invalid(text)
        self._begin(stack, call, lambda: self._engine.begin_delete(stack))
        self._change_sets.pop(stack.id, None)
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
        """Return a page of events, newest first. A later page has only older events."""
        stack = self._find(call, _NO_STACK)
        events = list(stack.events)
        end = int(call.params.get("NextToken") or len(events))
        begin = max(0, end - self.page_size)
        page = [answers.event(stack, n, events[n]) for n in range(end - 1, begin - 1, -1)]
        return {"StackEvents": page, **present(NextToken=begin and str(begin))}

    def describe_stack_resources(self, world: World, call: Call) -> Response:
        stack = self._find(call)
        named = {"StackName": stack.name, "StackId": stack.id}
        found = [{**named, **each} for each in answers.resources(stack, "Timestamp")]
        return {"StackResources": found}

    def list_stack_resources(self, world: World, call: Call) -> Response:
        found = answers.resources(self._find(call), "LastUpdatedTimestamp")
        return {"StackResourceSummaries": found}

    def get_template(self, world: World, call: Call) -> Response:
        """Return the template of a stack or change set, as it was passed in."""
        of_change_set = "ChangeSetName" in call.params
        asked = self._change_set(call).asked if of_change_set else self._find(call).asked
        return {"TemplateBody": asked.body, "StagesAvailable": ["Original", "Processed"]}

    def _live(self, name: str, call: Call) -> Stack | None:
        """Return the stack with this name if it exists in the call's region, otherwise None."""
        if call.region != self._engine.place[1]:
            return None
        for each in list(self._engine.stacks.values()):
            if each.name == name and each.status != "DELETE_COMPLETE":
                return each
        return None

    def _find(self, call: Call, otherwise: str = "Stack with id {} does not exist") -> Stack:
        """Return a call's stack, by name or ID; an ID also finds deleted stacks. Raises Refused."""
        name = call.params["StackName"]
        found = self._engine.stacks.get(name) or self._live(name, call)
        if found is None:
            raise invalid(otherwise.format(name))
        return found

    def _begin(
        self, stack: Stack, call: Call, begin: Callable[[], Rest], of: str = "", role: str = ""
    ) -> None:
        """Start an operation, and run it in a thread. Raises Refused.

        The operation's events have the call's token, which also identifies a repeated call. A stack
        keeps its role unless the call names another.
        """
        before = stack.token, stack.role, stack.caller
        stack.token = call.params.get("ClientRequestToken", "")
        stack.role = role or call.params.get("RoleARN", "") or stack.role
        name = call.caller.arn.partition(":assumed-role/")[2].partition("/")[0]
        stack.caller = call.roles.get(name, "") if name else ""  # empty for an administrator
        try:
            work = begin()
        except Refused:
            stack.token, stack.role, stack.caller = before
            raise
        if stack.token:
            self._tokens[stack.id, stack.token] = f"{call.operation} {of}"
        self._engine.go_on(work)

    def _repeated(self, stack: Stack, call: Call, of: str = "") -> bool:
        """Return whether the same operation was accepted before with the call's token.

        [CloudFormation API, ClientRequestToken of each operation]
        """
        token = call.params.get("ClientRequestToken", "")
        return self._tokens.get((stack.id, token)) == f"{call.operation} {of}"

    def _change_set(self, call: Call) -> ChangeSet:
        """Return a call's change set, by ID or by name and stack. Raises Refused."""
        name = call.params["ChangeSetName"]
        if name.startswith("arn:"):
            every = [each for of in self._change_sets.values() for each in of.values()]
            found = next((each for each in every if each.id == name), None)
        elif "StackName" not in call.params:
            text = "StackName must be specified if ChangeSetName is not specified as an ARN."
            raise invalid(text)
        else:
            found = self._change_sets[self._find(call).id].get(name)
        if found is None:
            raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
        return found
