"""CloudFormation's API for stacks and change sets."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from functools import partial

from cloudformation_api import answers, requests
from cloudformation_api.change_sets import ChangeSet, changes, unchanged
from cloudformation_api.stacks_api import StacksApi
from dt_logs_rehearsal.account import Refused
from dt_logs_rehearsal.account.world import Call, Response, World
from dt_logs_rehearsal.cloudformation.engine import Rest
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.cloudformation.templates import check, invalid
from dt_logs_rehearsal.sandbox import REGION, Sandbox

_UNCHANGED = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)


class CloudFormationApi(StacksApi):
    """Answers calls about an engine's stacks and their change sets."""

    def create_change_set(self, world: World, call: Call) -> Response:
        params, name = call.params, call.params["StackName"]
        creates = params.get("ChangeSetType", "UPDATE") == "CREATE"
        stack = self._live(name, call)
        known = self._change_sets[stack.id] if stack is not None else {}
        named = known.get(params["ChangeSetName"])
        # A repeated call gets the first one's answer [CloudFormation API, CreateChangeSet].
        if named is not None and named.token and named.token == params.get("ClientToken"):
            return {"Id": named.id, "StackId": named.stack.id}
        if creates and stack is not None and stack.status != requests.REVIEW:
            text = f"Stack [{name}] already exists and cannot be created again with the changeSet"
            raise invalid(f"{text} [{params['ChangeSetName']}]")
        if not creates and (stack is None or stack.status == requests.REVIEW):
            raise invalid(f"Stack [{name}] does not exist")
        if stack is not None and not creates:
            requests.check_updatable(stack)
        asked = requests.asked(call, None if creates else stack)
        check(asked, params.get("Capabilities", ()))
        if stack is None:
            stack = self._engine.named(name, asked)
            self._engine.review(stack)
        made = self._made(call, stack, asked, creates)
        return {"Id": made.id, "StackId": stack.id}

    def _made(self, call: Call, stack: Stack, asked: Asked, creates: bool) -> ChangeSet:
        params, name = call.params, call.params["ChangeSetName"]
        if name in self._change_sets[stack.id]:
            raise Refused("AlreadyExistsException", f"ChangeSet {name} already exists")
        changed = changes(stack, asked, self._engine.place)
        same = not creates and unchanged(stack, asked, changed)
        partition, region, account = self._engine.place
        made = ChangeSet(
            name=name,
            id=f"arn:{partition}:cloudformation:{region}:{account}:changeSet/{name}/{uuid.uuid4()}",
            stack=stack,
            asked=asked,
            role=params.get("RoleARN", ""),
            creates=creates,
            capabilities=tuple(params.get("Capabilities", ())),
            description=params.get("Description", ""),
            made=self._clock(),
            token=params.get("ClientToken", ""),
            changes=changed,
            reason=_UNCHANGED if same else "",
        )
        self._change_sets[stack.id][name] = made
        return made

    def describe_change_set(self, world: World, call: Call) -> Response:
        return answers.change_set(self._change_set(call), self._clock())

    def list_change_sets(self, world: World, call: Call) -> Response:
        now, found = self._clock(), self._change_sets[self._find(call).id].values()
        return {"Summaries": [answers.change_set_summary(each, now) for each in found]}

    def delete_change_set(self, world: World, call: Call) -> Response:
        """Delete a change set, or do nothing if it does not exist.

        Raises Refused while the change set is being created or executed.

        [CloudFormation API, DeleteChangeSet: InvalidChangeSetStatus; the message as users quote it]
        """
        try:
            found = self._change_set(call)
        except Refused:
            return {}
        for status in found.status(self._clock()):
            if status.endswith("_IN_PROGRESS"):
                text = f"Cannot delete ChangeSet in status {status}"
                raise Refused("InvalidChangeSetStatus", text)
        del self._change_sets[found.stack.id][found.name]
        return {}

    def execute_change_set(self, world: World, call: Call) -> Response:
        found = self._change_set(call)
        stack, capabilities = found.stack, found.capabilities
        begin: Callable[[], Rest]
        if self._repeated(stack, call, found.id):
            return {}
        status, execution = found.status(self._clock())
        if execution != "AVAILABLE":
            text = f"ChangeSet [{found.id}] cannot be executed in its current status of [{status}]"
            raise Refused("InvalidChangeSetStatus", text)
        before = len(stack.events)
        if found.creates:
            stack.asked = found.asked
            begin = partial(self._engine.begin_create, stack, capabilities)
        else:
            requests.check_updatable(stack)
            begin = partial(self._engine.begin_update, stack, found.asked, capabilities)
        self._begin(stack, call, begin, found.id, found.role)
        found.executed = before
        self._change_sets[stack.id] = {found.name: found}
        return {}


def serve(sandbox: Sandbox) -> CloudFormationApi:
    """Let an emulated account answer CloudFormation's API, and return the object that answers."""
    api = CloudFormationApi(sandbox.cloudformation, sandbox.pace)
    sandbox.endpoint.operations["cloudformation"] = api.operations
    return api


def environment(sandbox: Sandbox, credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables with which the AWS SDK calls an emulated account.

    `credentials` are arguments of boto3's functions. The caller's own AWS settings do not apply,
    except environment variables that are not returned here.
    """
    return {
        **{key.upper(): value for key, value in credentials.items()},
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": sandbox.endpoint.url,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "*",
    }
