"""Compare a stack's actual function and role with its template.

CloudFormation keeps the stack's template, but somebody may have changed the function's code or the
role later. So this module resolves the template with the stack's parameters, reads the function and
the role from AWS, and compares them with the resolved template.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dt_logs_cfn import canonical
from dt_logs_cfn.cli.terminal import shown_ascii
from dt_logs_cfn.errors import VerifyError
from dt_logs_cfn.operate.stacks.stack import named
from dt_logs_cfn.template.intrinsics import ResolvedTemplate
from dt_logs_cfn.template.parsing import LIMIT, differences, parse_template
from dt_logs_cfn.template.role_policies import LOG_GROUP
from dt_logs_cfn.template.templates import EXECUTION_ROLE, FUNCTION
from dt_logs_handler.names import Stack

if TYPE_CHECKING:
    from boto3 import Session

_FILE = "index.py"  # the file that CloudFormation makes from Code.ZipFile
# Function properties that our templates set, and those that they leave empty.
_SET = ("Handler", "Runtime", "MemorySize", "Timeout")
_EMPTY = ("Environment", "FileSystemConfigs", "Layers", "VpcConfig")


@dataclass(frozen=True)
class Deployed:
    """A stack with its function and role, as AWS returns them: plain data, not yet compared."""

    stack_id: str
    template: str
    parameters: Mapping[str, str]
    resources: Mapping[str, str]
    code: bytes
    configuration: Mapping[str, Any]
    role: Mapping[str, Any]


def read(session: Session, name: str, fetch: Callable[[str, int], bytes]) -> Deployed:
    """Read a stack, its role, and its function with the code.

    Raises OperatingError if the stack does not exist, and VerifyError if it lacks our function or
    role, or if the function's code is not one valid file. Also raises FetchError and boto3's
    errors.
    """
    cloudformation = session.client("cloudformation")
    stack = named(cloudformation, name)
    body: Any = cloudformation.get_template(StackName=stack.id, TemplateStage="Original")
    template = body["TemplateBody"]
    found = cloudformation.describe_stack_resources(StackName=stack.id)["StackResources"]
    resources = {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in found}
    if not resources.get(FUNCTION) or not resources.get(EXECUTION_ROLE):
        raise VerifyError(
            f"The stack {name[:128]} does not have our function and role.",
            "Name a stack that was successfully created from one of our stack templates.",
        )
    function = session.client("lambda").get_function(FunctionName=resources[FUNCTION])
    return Deployed(
        stack.id,
        template if isinstance(template, str) else canonical.dumps(template),
        stack.parameters,
        resources,
        _source(fetch(function["Code"].get("Location", ""), LIMIT)),
        json.loads(json.dumps(function["Configuration"], default=str)),
        _role(session, resources[EXECUTION_ROLE]),
    )


def changes(found: Deployed) -> tuple[str, ...]:
    """Describe how the function and the role differ from the stack's template.

    Raises VerifyError if the text is not a CloudFormation template in JSON.
    """
    where = Stack.of(found.stack_id)
    name = found.stack_id.partition(":stack/")[2].partition("/")[0]
    group = found.resources.get(LOG_GROUP, "")
    logs = f"arn:{where.partition}:logs:{where.region}:{where.account}:log-group:{group}:*"
    made = {each: {"Ref": identifier} for each, identifier in found.resources.items()}
    made.setdefault(LOG_GROUP, {})["Arn"] = logs
    made[EXECUTION_ROLE]["Arn"] = str(found.role.get("Arn"))
    pseudo = {"AWS::StackName": name, "AWS::StackId": found.stack_id}
    stack = ResolvedTemplate(
        parse_template(found.template),
        found.parameters,
        where.partition,
        where.region,
        where.account,
        made,
        pseudo,
    )
    try:
        function, role = stack.properties(FUNCTION), stack.properties(EXECUTION_ROLE)
        role["Policies"] += _added_policies(stack, found.resources[EXECUTION_ROLE])
        return (*_function_changes(found, function), *_role_changes(found.role, role))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # The template was edited or is not ours, which is reported separately.
        return (f"the template's settings cannot be determined ({type(error).__name__})",)


def _function_changes(found: Deployed, expected: Mapping[str, Any]) -> Iterator[str]:
    if found.code.decode(errors="replace") != expected["Code"]["ZipFile"]:
        yield "the function's code differs from the template"
    for name in _SET:
        if name not in expected:
            continue
        if found.configuration.get(name) != expected[name]:
            yield f"the function's {name} is {_told(found.configuration.get(name))}"
    if found.configuration.get("Role") != expected["Role"]:
        yield f"the function runs under {shown_ascii(str(found.configuration.get('Role')))}"
    for name in _EMPTY:
        value = found.configuration.get(name)
        if isinstance(value, dict):
            value = {key: each for key, each in value.items() if each}
        # Lambda returns Environment as in a template, but adds fields to the other properties.
        known = name in expected and (name != "Environment" or value == expected[name])
        if value and not known:
            yield f"the function has {name}: {_told(value)}"


def _added_policies(stack: ResolvedTemplate, role: str) -> Iterator[Mapping[str, Any]]:
    """Yield the policies that a customized template's resources attach to the function's role."""
    for name, resource in stack.template["Resources"].items():
        if resource.get("Type") == "AWS::IAM::Policy":
            policy = stack.properties(name)
            if role in policy.get("Roles", ()):
                yield policy


def _role_changes(found: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    wanted = {each["PolicyName"]: each["PolicyDocument"] for each in expected["Policies"]}
    for name in sorted(found["Policies"].keys() | wanted.keys()):
        if name not in wanted:
            yield f"the role has another policy {shown_ascii(name)}"
        elif name not in found["Policies"]:
            yield f"the role has no policy {name}"
        else:
            for path, what in differences(found["Policies"][name], wanted[name]):
                yield f"the role's policy {name}: {'/'.join(map(shown_ascii, path))} {what}"
    if differs := [*differences(found["Trust"], expected["AssumeRolePolicyDocument"])]:
        path, what = differs[0]
        yield f"the role's trust policy: {'/'.join(map(shown_ascii, path))} {what}"
    for arn in found["Attached"]:
        yield f"the role has the managed policy {shown_ascii(arn)}"
    if found["Boundary"] != expected.get("PermissionsBoundary"):
        yield f"the role's permissions boundary is {shown_ascii(str(found['Boundary']))}"


def _role(session: Session, name: str) -> dict[str, Any]:
    iam = session.client("iam")
    role = iam.get_role(RoleName=name)["Role"]
    inline = iam.get_paginator("list_role_policies").paginate(RoleName=name)
    attached = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
    return {
        "Arn": role["Arn"],
        "Trust": role["AssumeRolePolicyDocument"],
        "Boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "Policies": {
            each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
            for page in inline
            for each in page["PolicyNames"]
        },
        "Attached": [each["PolicyArn"] for page in attached for each in page["AttachedPolicies"]],
    }


def _told(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _source(archive: bytes) -> bytes:
    """Return the source in a function's zip.

    Raises VerifyError unless the zip is valid and holds only _FILE, with at most LIMIT bytes.
    """
    fix = "Somebody has changed the function's code. Find out who."
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if opened.namelist() != [_FILE]:
                raise VerifyError(f"The function's code contains more than {_FILE}.", fix)
            with opened.open(_FILE) as file:
                content = file.read(LIMIT + 1)
    # ValueError means an impossible offset or size, or a name that is not UTF-8.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
        raise VerifyError("The function's code is not a valid zip file.", fix) from error
    if len(content) > LIMIT:
        raise VerifyError(f"The function's code has more than {LIMIT:,} bytes.", fix)
    return content
