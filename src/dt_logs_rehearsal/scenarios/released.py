"""The release that is rehearsed: its unchanged templates, and the service role to use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dt_logs_cfn.errors import RehearsalError, VerifyError
from dt_logs_cfn.release.build import STACK_TEMPLATES, installed_templates
from dt_logs_cfn.settings import Privileges
from dt_logs_cfn.template.customizing import Customize
from dt_logs_cfn.template.grants import NEEDS
from dt_logs_cfn.template.parsing import parse_template, read_template
from dt_logs_cfn.template.policies import policy_document
from dt_logs_cfn.verify.rebuild import verify_template
from dt_logs_rehearsal.cloudformation.stack import Asked
from dt_logs_rehearsal.cloudformation.templates import is_emulated
from dt_logs_rehearsal.sandbox import ACCOUNT, ADMINISTRATOR, REGION, Sandbox

RoleKind = Literal["documented", "lifecycle"]
SERVICE_ROLE_TEMPLATE = "cloudformation-role.template.json"
_STACK = "service-role"
_NAMES = "dt-logs-analysis*"


@dataclass(frozen=True)
class Released:
    """A release's stack template, its service role's template, and the role to use."""

    stack: str
    role: str
    privileges: Privileges
    role_kind: RoleKind

    @property
    def missing(self) -> tuple[str, ...]:
        """The permissions that the stack's life cycle needs, but the service role lacks."""
        if self.role_kind == "lifecycle":
            return ()
        statements: Any = policy_document("cloudformation-role-documented")["Statement"]
        has = {action for each in statements for action in each["Action"]}
        needed = {action for need in NEEDS for action in need.actions}
        if self.privileges is Privileges.DOCUMENTED:
            needed = {each for each in needed if not each.startswith("logs:")}
        return tuple(sorted(needed - has))

    def service_role(self, sandbox: Sandbox) -> str:
        """Create the service role as an administrator, and return its ARN."""
        if self.role_kind == "lifecycle":
            made = sandbox.cloudformation.create(
                _STACK, Asked(self.role, {}), ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")
            )
            return made.outputs["RoleArn"]
        iam = sandbox.client("iam", sandbox.endpoint.session(ADMINISTRATOR))
        trust = json.dumps(policy_document("cloudformation-role-trust"))
        made = iam.create_role(RoleName=_STACK, AssumeRolePolicyDocument=trust)
        document = policy_document(
            "cloudformation-role-documented",
            account=ACCOUNT,
            region=REGION,
            role_name=_NAMES,
            function_name=_NAMES,
        )
        iam.put_role_policy(
            RoleName=_STACK, PolicyName="Documented", PolicyDocument=json.dumps(document)
        )
        return str(made["Role"]["Arn"])


def load(
    folder: Path | None,
    privileges: Privileges,
    role_kind: RoleKind,
    customize: Customize | None = None,
) -> Released:
    """Read a release from a folder or, without one, build the installed version's release.

    Accepts only a template that this source builds, with the changes that `customize` makes.
    Raises RehearsalError or another DtLogsError.
    """
    names = (STACK_TEMPLATES[privileges], SERVICE_ROLE_TEMPLATE)
    stack, role = (_template(folder, name, customize) for name in names)
    return Released(stack, role, privileges, role_kind)


def _template(folder: Path | None, name: str, customize: Customize | None) -> str:
    path = Path(name) if folder is None else folder / name
    text = installed_templates(customize)[name] if folder is None else _read(path, customize)
    _check_emulated(path, parse_template(text))
    return text


def _read(path: Path, customize: Customize | None) -> str:
    text = read_template(path)
    try:
        verdict = verify_template(text, customize)
    except VerifyError as error:
        raise RehearsalError(f"{path}: {error.what}", error.fix) from error
    if not verdict.identical:
        raise RehearsalError(
            f"{path} is not what this release builds: {verdict.differences[0]}.",
            "Rehearse a release of this project; `build` writes it.",
        )
    return text


def _check_emulated(path: Path, template: Any) -> None:
    """Raise RehearsalError if a template has a resource that cannot be emulated."""
    for logical, each in template["Resources"].items():
        if not is_emulated(each["Type"]):
            raise RehearsalError(
                f"{path}: {logical} has the type {each['Type']}, which is not emulated.",
                "Rehearse a release without it, and try this one in a test account.",
            )
