"""Check a template with our own rules, which cover our promises and add to cfn-lint's checks.

Each rule is a function from a template to findings, which are plain data. An action may be allowed
on `*` only if the model gives a reason.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Literal

from dt_logs_cfn.release.build import TEMPLATE_LIMIT
from dt_logs_cfn.template import execution_policies
from dt_logs_cfn.template.grants import GRANTS, Scope
from dt_logs_cfn.template.parsing import JsonPath, mappings, strings
from dt_logs_cfn.template.service_policies import NEEDS, On
from dt_logs_cfn.template.statements import (
    STACK,
    managed_policies,
    plain,
    policy_texts,
    statements_in,
)
from dt_logs_handler.documents import Json, Statement, statements

HALF_A_YEAR = timedelta(days=183)

_PARTITION = re.compile(r"arn:aws(?:-[a-z-]+)?:")
_ACCOUNT = re.compile(r"(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z])")
_SUBSTITUTED = re.compile(r"\$\{[^}]*\}")

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to correct in a template.

    `path` has the keys of the place, joined with `/`, and is empty for the template as a whole.

    >>> str(Finding("it.json", "Resources/Alarm", "E3002", "error", "It has no such property."))
    'it.json:Resources/Alarm: error E3002: It has no such property.'
    """

    template: str
    path: str
    rule: str
    severity: Severity
    message: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as `--json` prints it."""
        return asdict(self)

    def __str__(self) -> str:
        place = f"{self.template}:{self.path}" if self.path else self.template
        return f"{place}: {self.severity} {self.rule}: {self.message}"


@dataclass(frozen=True)
class Subject:
    """A template to check, with the data that the rules need."""

    name: str
    text: str
    content: Mapping[str, Json]
    today: date
    runtime_ends: Mapping[str, date]

    def finding(
        self, rule: str, path: JsonPath, message: str, severity: Severity = "error"
    ) -> Finding:
        """Return a finding at a path of this template."""
        return Finding(self.name, "/".join(path), rule, severity, message)

    def section(self, name: str) -> dict[str, Json]:
        """Return a top-level section, empty if the template does not have it."""
        value = self.content.get(name)
        return value if isinstance(value, dict) else {}


def check(subject: Subject) -> tuple[Finding, ...]:
    """Return the findings of our rules in a template."""
    return tuple(finding for rule in RULES for finding in rule(subject))


def size(subject: Subject) -> Iterator[Finding]:
    """Find a template that is too large for CreateStack's TemplateBody."""
    found = len(subject.text.encode())
    if found > TEMPLATE_LIMIT:
        yield subject.finding(
            "size", (), f"{found:,} bytes; CloudFormation accepts {TEMPLATE_LIMIT:,} directly."
        )


def transform(subject: Subject) -> Iterator[Finding]:
    """Find macros, because StackSets refuse them."""
    for path, value in mappings(dict(subject.content)):
        for name in value.keys() & {"Transform", "Fn::Transform"}:
            if name != "Transform" or not path:
                yield subject.finding("transform", (*path, name), "StackSets refuse a transform.")


def literals(subject: Subject) -> Iterator[Finding]:
    """Find strings that are bound to one partition or account.

    Metadata and parameters, except parameters' patterns, are not checked, because a vendor's
    account is a default there.
    """
    for path, text in strings(dict(subject.content)):
        if path[0] == "Metadata" or path[-1] == "ZipFile":
            continue
        if path[0] == "Parameters" and path[-1] != "AllowedPattern":
            continue
        if _PARTITION.search(text):
            yield subject.finding("partition", path, "Use ${AWS::Partition} in an ARN.")
        if _ACCOUNT.search(text):
            yield subject.finding("account", path, "Use ${AWS::AccountId} or a parameter.")


def descriptions(subject: Subject) -> Iterator[Finding]:
    """Find parameters without a description."""
    for name, parameter in subject.section("Parameters").items():
        text = parameter.get("Description") if isinstance(parameter, dict) else None
        if not isinstance(text, str) or not text.strip():
            yield subject.finding("description", ("Parameters", name), "Describe the parameter.")


def wildcards(subject: Subject) -> Iterator[Finding]:
    """Find permissions that are too wide or cannot be checked, except the documented ones."""
    documented = list(statements(plain(execution_policies.documented(STACK))))
    for path, statement in statements_in(subject.section("Resources")):
        if statement not in documented:
            for problem in _too_wide(statement):
                yield subject.finding("wildcard", ("Resources", *path), problem)
    resources: Json = {"Resources": subject.section("Resources")}
    for path, _ in policy_texts(resources):
        problem = "A policy written as text cannot be checked; write it as an object."
        yield subject.finding("wildcard", path, problem)
    for path, _ in managed_policies(subject.content, resources):
        problem = "A managed policy also allows what is added to it later; list what is meant."
        yield subject.finding("wildcard", path, problem)


def runtime(subject: Subject) -> Iterator[Finding]:
    """Find a runtime that AWS ends within half a year, or whose end is unknown."""
    for name, resource in subject.section("Resources").items():
        match resource:
            case {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": str(used)}}:
                path = ("Resources", name, "Properties", "Runtime")
            case _:
                continue
        ends = subject.runtime_ends.get(used)
        if ends is None:
            message = f"cfn-lint does not know when {used} ends; update cfn-lint, or look it up."
        elif subject.today >= ends - HALF_A_YEAR:
            message = f"AWS ends {used} on {ends}; move to a newer runtime."
        else:
            continue
        yield subject.finding("runtime", path, message, "warning")


def unscoped_actions() -> dict[str, str]:
    """Return the actions without resource-level permissions, and why the model needs them."""
    unscoped = [(each.actions, each.why) for each in GRANTS if each.on is Scope.EVERYTHING]
    unscoped += [(each.actions, each.why) for each in NEEDS if each.on is On.EVERYTHING]
    return {name: why for names, why in unscoped for name in names}


def _too_wide(statement: Statement) -> Iterator[str]:
    actions, reasons = list(_actions(statement.get("Action"))), unscoped_actions()
    for name in statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
        yield f"{name} also allows what AWS adds later; list what is meant."
    for action in actions:
        if "*" in action:
            yield f"{action} allows more than one action; list each."
    if any("*" in text for _, text in strings(statement.get("Principal"))):
        yield "Anybody may use it; name a principal."
    wide = {text for text in _resources(statement.get("Resource")) if _is_everything(text)}
    if "*" in wide:
        for action in actions:
            if action not in reasons:
                yield f"{action} on everything, without a reason in the model; name a resource."
    elif wide and "Condition" not in statement:
        yield f"{', '.join(sorted(wide))} covers any account; add a condition."


def _actions(value: Json) -> Iterator[str]:
    """Yield the actions in `Action`, including those in functions."""
    for path, text in strings(value):
        if path[-1:] != ("Ref",) and (":" in text or "*" in text):
            yield text


def _resources(value: Json) -> Iterator[str]:
    """Yield the ARNs in `Resource`, including those in functions and joined lists."""
    for _, text in strings(value):
        for part in text.split(","):
            if part == "*" or part.startswith("arn:"):
                yield part


def _is_everything(arn: str) -> bool:
    """Return whether an ARN limits neither the account nor the resource."""
    parts = _SUBSTITUTED.sub("-", arn).split(":", 5)
    return len(parts) < 6 or (parts[4] in ("", "*") and parts[5].startswith("*"))


RULES: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    size,
    transform,
    literals,
    descriptions,
    wildcards,
    runtime,
)
