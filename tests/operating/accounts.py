"""Accounts for `plan` and `status`: in memory, and behind an endpoint for the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from random import Random
from typing import Any, cast

import pytest
from support.commands import Ran, run_main
from support.drifts import edit_policy
from support.emulated import Emulated
from support.events import ACCOUNT, ENDPOINT, REGION, SECRET, STACK, VENDOR

from dt_logs_cfn import __version__, canonical
from dt_logs_cfn.errors import FetchError
from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.plans.asked import new_stack
from dt_logs_cfn.operate.stacks.stack import parsed
from dt_logs_cfn.operate.status.checks import checks
from dt_logs_cfn.operate.status.look import Reach, look
from dt_logs_cfn.operate.status.seen import Check
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.intrinsics import complete
from dt_logs_cfn.template.templates import stack_template
from dt_logs_handler.aws import Aws
from dt_logs_handler.model import Step
from dt_logs_handler.names import load_balancer_name
from dt_logs_handler.request import Request
from dt_logs_handler.run import Outcome, run
from dt_logs_rehearsal.account import Account, client_error
from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.sandbox import Sandbox

ASKED = (
    *("--parameter", f"DataTheoremAccountId={VENDOR}"),
    *("--parameter", f"NotificationEndpoint={ENDPOINT}"),
)


@dataclass(frozen=True)
class Served:
    """An account behind its endpoint, and the shell environment of the command line."""

    emulated: Emulated
    shell: pytest.MonkeyPatch
    printed: pytest.CaptureFixture[str]

    @property
    def sandbox(self) -> Sandbox:
        return self.emulated.sandbox

    @property
    def account(self) -> Account:
        return self.sandbox.account

    def create(self, name: str, *load_balancers: str, **changed: str) -> Stack:
        """Create a stack as an administrator, and let the vendor confirm its subscription."""
        asked = Asked(canonical.dumps(template()), values(*load_balancers, **changed))
        made = self.sandbox.cloudformation.create(name, asked, ("CAPABILITY_IAM",))
        assert made.status == "CREATE_COMPLETE", self.sandbox.events
        for each in self.account.world.subscriptions.values():
            each.confirmed = True
        return made

    def sign_in(self, credentials: Mapping[str, str]) -> None:
        """Put credentials into the shell's environment."""
        for name, value in credentials.items():
            self.shell.setenv(name.upper(), value)

    def sign_in_as(self, *statements: dict[str, Any]) -> None:
        """Sign in as a role that has only these permissions."""
        self.sign_in(self.emulated.person(*statements))

    def run(self, *argv: str) -> Ran:
        """Run a command as from a shell; check that it changes nothing and shows no secret."""
        before = self.account.snapshot()
        self.printed.readouterr()
        ran = run_main(argv, self.printed)
        assert self.account.snapshot() == before
        assert SECRET not in ran.out + ran.err
        return ran


def template(privileges: Privileges = Privileges.LEAST_PRIVILEGE) -> dict[str, Any]:
    """Return the stack's template, built without a vendor's settings."""
    found: dict[str, Any] = stack_template(Settings(), privileges).to_dict()
    return found


def values(*load_balancers: str, **changed: str) -> dict[str, str]:
    """Return values for all of the template's parameters."""
    given = {
        "LoadBalancerArns": ",".join(load_balancers),
        "DataTheoremAccountId": VENDOR,
        "NotificationEndpoint": ENDPOINT,
        **changed,
    }
    return complete(template(), given, {})


def carry_out(request: Request, account: Account) -> tuple[list[Step], Outcome]:
    """Let the handler carry out a request; return the steps that it took, and the outcome."""
    taken: list[Step] = []
    clients = account.elbv2, account.s3, account.sns
    clock = account.clock
    aws = Aws(*clients, clock, clock.sleep, Random(7), clock() + 800)
    return taken, run(request, aws, lambda step, result: taken.append(step))


HERE = new_stack("aws", REGION, ACCOUNT)
LOGS = "logs-of-web"  # a customer's bucket
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:dt-logs-analysis-1-{LOGS}"
DELIVERY: dict[str, Any] = {
    "Sid": "Delivery",
    "Effect": "Allow",
    "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
    "Action": "s3:PutObject",
    "Resource": f"arn:aws:s3:::{LOGS}/*",
}
POLICY = {"Version": "2012-10-17", "Statement": [DELIVERY]}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
RUN = "`dt-logs-cfn deploy --stack dt-logs --parameter RunToken=1`"  # runs the stack again
AGAIN = f"Run the stack again: {RUN}."
Told = tuple[str, str]  # a check's verdict and observation


def denies(action: str, bucket: str = LOGS, **more: Any) -> dict[str, Any]:
    """Return a statement that denies everybody an action on a bucket's objects."""
    denied = {"Sid": "NotYou", "Effect": "Deny", "Principal": "*", "Action": action}
    return {**denied, "Resource": f"arn:aws:s3:::{bucket}/*", **more}


def shut(bucket: str) -> dict[str, Any]:
    """Return a policy that denies everybody except the account's root user all use of a bucket."""
    both = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {"Version": "2012-10-17", "Statement": [denies("s3:*", Resource=both)]}


@dataclass
class Stacks:
    """CloudFormation's read-only operations, for stacks in memory."""

    stacks: list[dict[str, Any]] = field(default_factory=list)
    templates: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)  # a stack's events, newest first
    denied: tuple[str, ...] = ()  # operations that are refused

    def check(self, operation: str) -> None:
        if operation in self.denied:
            raise client_error(operation, Refused("AccessDenied", "no", 403))

    def describe_stacks(self, StackName: str) -> Any:
        return {"Stacks": [each for each in self.stacks if each["StackName"] == StackName]}

    def get_template(self, StackName: str, TemplateStage: str) -> Any:
        self.check("GetTemplate")
        return {"TemplateBody": self.templates[StackName]}

    def get_paginator(self, name: str) -> Any:
        assert name == "describe_stack_events"
        return self

    def paginate(self, StackName: str) -> Any:
        self.check("DescribeStackEvents")
        return [{"StackEvents": self.events}]

    def list_stacks(self, NextToken: str = "0") -> Any:
        """List one stack per page."""
        self.check("ListStacks")
        at = int(NextToken)
        more = {"NextToken": str(at + 1)} if at + 1 < len(self.stacks) else {}
        return {"StackSummaries": self.stacks[at : at + 1], **more}


def not_fetched(url: str, limit: int) -> bytes:
    raise FetchError(f"{url} does not exist or is not public.", "Check the URL.")


@dataclass
class Looking:
    """An account and its stacks, which the checks must not change."""

    account: Account
    cloudformation: Stacks = field(default_factory=Stacks)
    fetch: Callable[[str, int], bytes] = not_fetched
    calls: list[str] = field(default_factory=list)  # the operations that the checks call

    def logging(self, **bucket: Any) -> str:
        """Add a customer's bucket, and a load balancer that already logs there; return its ARN."""
        self.account.add_bucket(LOGS, **{"policy": POLICY, **bucket})
        return self.account.add_load_balancer("web", bucket=LOGS)

    def onboarded(self, **bucket: Any) -> str:
        """Onboard a load balancer that already logs to a customer's bucket, and return its ARN."""
        arn = self.logging(**bucket)
        self.create(arn)
        return arn

    def create(
        self, *arns: str, name: str = "dt-logs", stack: str = STACK, **changed: str
    ) -> dict[str, Any]:
        """Create a stack with the handler, confirm its subscription, and return its description."""
        given, body = values(*arns, **changed), template()
        carry_out(asked.creation(body, given, stack, self.account.clock()), self.account)
        for each in self.account.world.subscriptions.values():
            each.confirmed = True
        outputs = asked.properties(body, given)
        described = {
            "StackName": name,
            "StackId": stack,
            "StackStatus": "CREATE_COMPLETE",
            "CreationTime": datetime.fromtimestamp(0, timezone.utc),
            "Outputs": [
                {"OutputKey": key, "OutputValue": outputs[key]}
                for key in ("TemplateVersion", "HandlerSha256")
            ],
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in given.items()
            ],
        }
        self.cloudformation.stacks.append(described)
        self.cloudformation.templates[stack] = body
        return described

    def of(
        self, *arns: str, stacks: Sequence[str] = (), denied: Sequence[str] = ()
    ) -> dict[tuple[str, str], Check]:
        """Run all checks of load balancers and stacks, without the denied permissions."""
        deny = [{"Effect": "Deny", "Action": [each], "Resource": "*"} for each in denied]
        caller = self.account.caller([{"Statement": [EVERYTHING, *deny]}], role="operator")
        account, cloudformation = self.account, cast(Any, self.cloudformation)
        elbv2, s3, sns, *others = (
            account.client(each, caller=caller, before=lambda *call: self.calls.append(call[1]))
            for each in ("elbv2", "s3", "sns", "s3control", "logs", "cloudwatch")
        )
        reach = Reach((elbv2, s3, sns), *others, cloudformation, self.fetch, account.clock)
        here = new_stack("aws", account.region, account.account_id)
        known: list[Any] = [e for e in self.cloudformation.stacks if e["StackName"] in stacks]
        before = self.account.snapshot()
        seen = look(reach, here, list(map(parsed, known)), arns)
        assert self.account.snapshot() == before
        sha256 = template()["Resources"]["InvokeLambdaFunction"]["Properties"]["HandlerSha256"]
        found = list(checks(seen, __version__, sha256))
        return {(each.subject, each.name): each for each in found}

    def check(self, name: str, arn: str = "", denied: Sequence[str] = ()) -> Check:
        """Return one check of a load balancer or, without an ARN, of the stack."""
        if arn:
            return self.of(arn, denied=denied)[load_balancer_name(arn), name]
        return self.of(stacks=["dt-logs"], denied=denied)["stack dt-logs", name]

    def told(self, name: str, arn: str = "", denied: Sequence[str] = ()) -> Told:
        """Return the verdict and the observation of one check."""
        found = self.check(name, arn, denied)
        return found.verdict, found.saw

    def stray(self, arn: str, bucket: str = LOGS) -> Told:
        """Return the verdict and the observation about marks of deleted stacks in a bucket."""
        found = self.of(arn)[f"bucket {bucket}", "marks without a stack"]
        return found.verdict, found.saw

    def edit_policy(self, bucket: str, change: Callable[[list[Any]], None]) -> None:
        """Change the statements of a bucket's policy by hand."""
        edit_policy(self.account, bucket, lambda policy: change(policy["Statement"]))
