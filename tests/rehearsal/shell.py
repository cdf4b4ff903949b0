"""An emulated account, and the commands that people run in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.commands import Ran, Runner
from support.emulated import ENDPOINT, STACK, Emulated
from support.looks import logging_of

from dt_logs_cfn.commands import deploy, remove
from dt_logs_rehearsal.account import Account


@dataclass(frozen=True)
class Shell:
    """The account to which environment variables point, and the person who runs commands in it.

    `asked` has the questions that the commands have asked so far.
    """

    emulated: Emulated
    environment: pytest.MonkeyPatch
    printed: pytest.CaptureFixture[str]
    asked: list[str] = field(default_factory=list)

    def run(self, command: ModuleType, *argv: str, answers: Sequence[str] | None = None) -> Ran:
        """Run a command, with --yes unless `answers` are given; check that it shows no secret.

        After the last answer, nobody answers.
        """
        runner = Runner(command.configure, command.run, self.printed, answers or (), self.asked)
        ran = runner(*argv, *(["--yes"] if answers is None else []))
        assert "SECRET" not in ran.out + ran.told + ran.failure
        return ran

    def deploy(self, *argv: str, answers: Sequence[str] | None = None) -> Ran:
        return self.run(deploy, "--release", str(self.release), *argv, answers=answers)

    def remove(self, *argv: str, answers: Sequence[str] | None = None) -> Ran:
        return self.run(remove, *argv, answers=answers)

    def first(self, *load_balancers: str) -> list[str]:
        """Return the arguments of a first deployment, by default for the first load balancer."""
        return [
            *("--role-arn", self.emulated.role),
            *("--parameter", "DataTheoremAccountId=999988887777"),
            *("--parameter", f"NotificationEndpoint={ENDPOINT}"),
            *(word for arn in load_balancers or (self.web,) for word in ("--load-balancer", arn)),
        ]

    def act_as(self, *statements: Mapping[str, object]) -> None:
        """Run the next commands as a person with only these permissions."""
        for name, value in self.emulated.person(*statements).items():
            self.environment.setenv(name.upper(), value)

    @property
    def release(self) -> Path:
        assert self.emulated.release is not None
        return self.emulated.release

    @property
    def account(self) -> Account:
        return self.emulated.sandbox.account

    @property
    def web(self) -> str:
        """The ARN of the first load balancer."""
        return self.emulated.load_balancers[0]

    def stack(self, name: str = STACK) -> Any:
        """Return a stack as CloudFormation describes it."""
        return self.emulated.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]

    def status(self, name: str = STACK) -> str:
        return str(self.stack(name)["StackStatus"])

    def stacks(self) -> list[str]:
        """Return the names of the stacks besides the service role's, once they are at rest."""
        self.emulated.sandbox.cloudformation.join()
        found = self.emulated.client("cloudformation").describe_stacks()["Stacks"]
        return [each["StackName"] for each in found if each["StackName"] != "service-role"]

    def parameters(self) -> dict[str, str]:
        return {e["ParameterKey"]: e["ParameterValue"] for e in self.stack()["Parameters"]}

    def logs(self) -> list[bool]:
        """Return whether access logging is on, for each load balancer."""
        found = self.emulated.load_balancers
        return [logging_of(self.account, each)[0] == "true" for each in found]

    def bucket(self) -> str:
        """Return the name of the only bucket that a stack made."""
        (name,) = (each for each in self.account.world.buckets if each.startswith(STACK))
        return name

    def snapshot(self) -> dict[str, Any]:
        return {**self.account.snapshot(), **self.emulated.sandbox.endpoint.deployed()}
