"""A rehearsal's results as plain data, for the terminal, `--json` and the page."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dt_logs_rehearsal.account.iam.access import ApiCall
from dt_logs_rehearsal.report.changes import Changes

EMULATED = (
    "The AWS account is emulated on this machine: nothing was changed in AWS.",
    "It does not show: real delivery by Elastic Load Balancing; how long new roles and policies"
    " take to spread in AWS; AWS's exact error texts; Lambda's isolation and memory; TLS to the"
    " endpoint. Time passes faster here than on AWS.",
)


@dataclass(frozen=True)
class StackEvent:
    """An event of a stack or of one of its resources, as CloudFormation lists it.

    `at` is in seconds: since 1970 in `Stack.events`, since the scenario began in a report.
    """

    at: float
    logical_id: str
    resource_type: str
    status: str
    reason: str = ""
    physical_id: str = ""
    token: str = ""  # the ClientRequestToken of the event's operation


@dataclass(frozen=True)
class Attempt:
    """The vendor's attempt to exceed its permissions, and whether AWS refused it."""

    what: str
    refused: bool


@dataclass(frozen=True)
class Stage:
    """One operation on a stack, from its start to its end, and how the account changed."""

    title: str
    stack_status: str
    events: tuple[StackEvent, ...]
    calls: tuple[ApiCall, ...]
    changes: Changes

    def call_rows(self) -> list[tuple[str, ...]]:
        """Return a row for each distinct call and each of its decisions.

        The columns are: count and caller, action, resource, decision, statement, error.
        """
        made = Counter(
            (call.caller, f"{call.service}:{call.operation}", each, call.error)
            for call in self.calls
            for each in call.decisions or (None,)
        )
        rows: list[tuple[str, ...]] = []
        for (caller, name, each, error), times in made.items():
            said = (name, "none", "not asked", "none")
            if each:
                verdict = "allowed" if each.allowed else "DENIED"
                said = (each.action, each.resource, verdict, each.by or "none")
            rows.append((f"{times} x {caller}", *said, error or "none"))
        return rows


@dataclass
class Report:
    """One scenario's results, and whether they were as expected; `scenarios.play` fills them in."""

    scenario: str
    summary: str
    privileges: str
    service_role: str
    runtime: str  # the function's Python, and whether it is the template's version
    stages: list[Stage] = field(default_factory=list)
    vendor_received: list[str] = field(default_factory=list)  # the log lines that the vendor read
    attempts: list[Attempt] = field(default_factory=list)
    restored: bool = False
    left: list[str] = field(default_factory=list)  # differences not in `exceptions`
    exceptions: list[str] = field(default_factory=list)  # leftovers that were expected
    unexpected: list[str] = field(default_factory=list)  # expectations that did not hold
    missing: tuple[str, ...] = ()  # permissions that the service role lacks

    @property
    def passed(self) -> bool:
        """True if every expectation held."""
        return not self.unexpected

    @property
    def stack_status(self) -> str:
        """The stack's status at the end of the last stage."""
        return self.stages[-1].stack_status if self.stages else ""

    @property
    def calls(self) -> list[ApiCall]:
        """All calls, in order."""
        return [call for stage in self.stages for call in stage.calls]

    @property
    def denied(self) -> tuple[str, ...]:
        """The distinct actions that were denied, in order."""
        decisions = (each for call in self.calls for each in call.decisions)
        return tuple(dict.fromkeys(each.action for each in decisions if not each.allowed))

    @property
    def facts(self) -> dict[str, str]:
        """Return this scenario's row of the table, by column."""
        return {
            "Scenario": self.scenario,
            "Result": "as expected" if self.passed else "NOT AS EXPECTED",
            "Account": "restored" if self.restored else "CHANGED",
            "API calls": str(len(self.calls)),
            "Denied by IAM": ", ".join(self.denied) or "none",
        }

    @property
    def lists(self) -> Mapping[str, Sequence[str]]:
        """The lists at the end of the report, by title; some may be empty."""
        return {
            "What Data Theorem received": self.vendor_received,
            "What Data Theorem tried beyond its permissions": [
                f"{'refused' if each.refused else 'ALLOWED'}: {each.what}" for each in self.attempts
            ],
            "What stays, as the stack reports": self.exceptions,
            "Permissions that the service role lacks": self.missing,
            "How the account differs from before": self.left,
            "Not as expected": self.unexpected,
        }
