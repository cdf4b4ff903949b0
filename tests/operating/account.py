"""Helpers for the tests of `plan` and `status`: an emulated account, and functions to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from cli.running import Ran, run_main
from support.emulated import Emulated
from support.events import ACCOUNT, ENDPOINT, REGION, SECRET, STACK, TAG, VENDOR

from dt_logs_cfn import canonical
from dt_logs_cfn.settings import Privileges, Settings
from dt_logs_cfn.template.intrinsics import complete
from dt_logs_cfn.template.templates import stack_template
from dt_logs_handler.aws import Aws
from dt_logs_handler.model import Step
from dt_logs_handler.request import Request
from dt_logs_handler.run import Outcome, run
from dt_logs_rehearsal.account import Account
from dt_logs_rehearsal.cloudformation.stack import Asked, Stack
from dt_logs_rehearsal.sandbox import Sandbox

__all__ = ["ACCOUNT", "ENDPOINT", "REGION", "SECRET", "STACK", "TAG", "VENDOR"]

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
