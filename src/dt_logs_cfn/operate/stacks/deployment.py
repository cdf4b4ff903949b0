"""A requested stack: one type for `plan`, `deploy` and the change set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dt_logs_cfn.operate.plans import asked
from dt_logs_cfn.operate.stacks.stack import Existing, StackDescription
from dt_logs_cfn.operate.templates import Template
from dt_logs_cfn.operate.values import check
from dt_logs_handler.names import Stack
from dt_logs_handler.request import Request


@dataclass(frozen=True)
class Deployment:
    """A requested stack. Parameters, tags and a role that are not given remain unchanged.

    `here` stands for the account and region; `before` is the stack to update.
    """

    name: str
    here: Stack
    template: Template
    given: Mapping[str, str] = field(default_factory=dict)  # parameters
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str = ""
    before: Existing | None = None

    @property
    def stack(self) -> StackDescription | None:
        """The stack's present state; None for a new stack."""
        return self.before.stack if self.before else None

    @cached_property
    def values(self) -> dict[str, str]:
        """Every parameter's value. Raises OperatingError for an invalid or missing value."""
        return check(
            self.template.document, self.given, self.stack.parameters if self.stack else {}
        )

    @property
    def kept(self) -> list[str]:
        """The parameters that keep their present values."""
        known = self.stack.parameters if self.stack else {}
        return [name for name in self.values if name in known and name not in self.given]

    @property
    def all_tags(self) -> dict[str, str]:
        """All tags of the stack after the deployment."""
        return {**(self.stack.tags if self.stack else {}), **self.tags}

    @property
    def acting_role(self) -> str:
        """The service role that CloudFormation will use; empty for the caller's own permissions."""
        return self.role or (self.stack.role if self.stack else "")

    def check(self) -> None:
        """Raise OperatingError for values that CloudFormation or the handler would refuse."""
        asked.creation(self.template.document, self.values, (self.stack or self.here).id, 0)

    def request(self, now: float) -> Request:
        """Return the request that the handler would receive; `now` is in seconds since 1970.

        Raises OperatingError for values that CloudFormation or the handler would refuse.
        """
        if self.before is None:
            return asked.creation(self.template.document, self.values, self.here.id, now)
        return asked.update(self.template.document, self.values, self.before, now)
