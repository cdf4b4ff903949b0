"""An emulated AWS account that other programs can use through environment variables.

    with emulated(folder, release) as account:
        subprocess.run([..., "deploy", "--role-arn", account.role], env=account.environment)

A program in this environment (boto3, the AWS CLI, our commands) calls this account, not AWS.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudformation_api.api import environment, serve
from dt_logs_cfn.settings import Privileges
from dt_logs_rehearsal.pace import Pace
from dt_logs_rehearsal.sandbox import ADMINISTRATOR, Sandbox
from dt_logs_rehearsal.scenarios.released import load

from .drifts import document

BOTH = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM")
STACK = "dt-logs-analysis"
ENDPOINT = "https://logs.example.com/in?token=SECRET"


@dataclass(frozen=True)
class Emulated:
    """An account with two load balancers that do not log, and a service role for the stack."""

    sandbox: Sandbox
    release: Path | None
    role: str  # the service role's ARN
    load_balancers: tuple[str, ...]
    credentials: Mapping[str, str]  # an administrator's, as arguments of boto3's functions

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program that has only an administrator's credentials."""
        return {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            **environment(self.sandbox, self.credentials),
            "PYTHONUTF8": "1",
        }

    def person(self, *statements: Mapping[str, object]) -> dict[str, str]:
        """Return credentials that allow only what these statements allow."""
        iam, name = self.client("iam"), f"person-{len(self.sandbox.calls)}"
        trust, policy = (json.dumps(document(*each)) for each in ((), statements))
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
        return self.sandbox.endpoint.session("person", role=role)

    def create_stack(
        self, name: str = STACK, body: str = "", wait: bool = True, **values: str
    ) -> str:
        """Create a stack with the AWS SDK, `wait` until it is at rest, and return its ID."""
        given = {
            "LoadBalancerArns": self.load_balancers[0],
            "DataTheoremAccountId": "999988887777",
            "NotificationEndpoint": ENDPOINT,
            **values,
        }
        made: str = self.client("cloudformation").create_stack(
            StackName=name,
            TemplateBody=body or self.template(),
            RoleARN=self.role,
            Capabilities=list(BOTH),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        )["StackId"]
        if wait:
            self.sandbox.cloudformation.join()
        return made

    def client(self, service: str) -> Any:
        """Return an administrator's boto3 client."""
        return self.sandbox.client(service, self.credentials)

    def template(self, privileges: Privileges = Privileges.LEAST_PRIVILEGE) -> str:
        """Return the release's stack template with these privileges."""
        return load(self.release, privileges, "lifecycle").stack


@contextmanager
def emulated(folder: Path, release: Path | None, pace: Pace | None = None) -> Iterator[Emulated]:
    """Run an account until the block ends; `folder` stores its Lambda functions."""
    with Sandbox(folder, pace=pace) as sandbox:
        serve(sandbox)
        role = load(release, Privileges.LEAST_PRIVILEGE, "lifecycle").service_role(sandbox)
        web, api = (sandbox.account.add_load_balancer(each) for each in ("web", "api"))
        administrator = sandbox.endpoint.session(ADMINISTRATOR)
        yield Emulated(sandbox, release, role, (web, api), administrator)
