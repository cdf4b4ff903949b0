"""What a rehearsal saw: plain data, from which the terminal, `--json` and the page are made."""

from dataclasses import dataclass

from dt_logs_rehearsal.account.iam.access import Decided

EMULATED = (
    "The AWS account is emulated on this machine: nothing was changed in AWS.",
    "Not shown by it: real delivery by Elastic Load Balancing; how long new roles and policies take"
    " to spread in AWS; AWS's exact error texts; Lambda's isolation and memory; TLS to the"
    " endpoint. Time passes faster here than on AWS.",
)


@dataclass(frozen=True)
class StackEvent:
    """One stack event, `at` seconds after the scenario began, as CloudFormation lists them."""

    at: float
    logical_id: str
    resource_type: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class ApiCall:
    """One API call: by whom, what, what IAM said, and AWS's error if it was refused or failed."""

    caller: str  # "CloudFormation", "Lambda", "Data Theorem"
    service: str
    operation: str
    decisions: tuple[Decided, ...]
    error: str = ""

    @property
    def denied(self) -> bool:
        """Whether an action of it was denied."""
        return not all(each.allowed for each in self.decisions)


@dataclass(frozen=True)
class Attempt:
    """Something that the vendor tried beyond its right, and whether AWS refused it."""

    what: str
    refused: bool


@dataclass(frozen=True)
class Stage:
    """One operation on a stack, from its start to its end; `changes` is the account's diff."""

    title: str
    stack_status: str
    events: tuple[StackEvent, ...]
    calls: tuple[ApiCall, ...]
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """One scenario: what happened, and whether all of it is what was expected of it."""

    scenario: str
    summary: str
    privileges: str
    service_role: str
    runtime: str  # what the function ran on, and whether it is the template's own version
    stages: tuple[Stage, ...]
    vendor_received: tuple[str, ...]  # the log lines that the vendor read
    attempts: tuple[Attempt, ...]
    restored: bool
    left: tuple[str, ...]  # how the account differs at the end, beyond the stated exceptions
    exceptions: tuple[str, ...]  # what stays by the rules, and is named in the answer
    unexpected: tuple[str, ...]  # expectations of the scenario that do not hold; empty if all do
    missing: tuple[str, ...] = ()  # rights that the service role lacks
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.unexpected

    @property
    def stack_status(self) -> str:
        """The status in which the stack was left before it was deleted, or failed."""
        return self.stages[-1].stack_status if self.stages else ""

    @property
    def denied(self) -> tuple[str, ...]:
        """The actions that were denied, in order, each once."""
        found = (
            each.action
            for stage in self.stages
            for call in stage.calls
            for each in call.decisions
            if not each.allowed
        )
        return tuple(dict.fromkeys(found))
