"""Check templates with cfn-lint (for all regions that it knows), our rules, and AWS's validator.

Our rules check what we promise, beyond cfn-lint's rules. Each of our rules is a function that
yields problems. Apart from the documented policy, an action on `*` needs a reason in GRANTS or
NEEDS.

AWS's cloudformation-validate is used only if it is installed, because it has wheels only for some
platforms. cfn-lint reads its rules once for all templates, because reading them takes longer than
applying them. It ignores configuration in the user's home, the working directory and the template.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from itertools import chain
from typing import Literal

from cfnlint.config import ConfigMixIn
from cfnlint.data import AdditionalSpecs
from cfnlint.decode.decode import decode_str
from cfnlint.helpers import REGIONS, load_resource
from cfnlint.runner import Runner, run_template_by_data

from dt_logs_cfn.release.build import TEMPLATE_LIMIT, Release
from dt_logs_cfn.template.grants import GRANTS, NEEDS, Scope
from dt_logs_cfn.template.parsing import (
    JsonPath,
    managed_policies,
    mapping,
    mappings,
    parse_template,
    policy_texts,
    statements_in,
    strings,
)
from dt_logs_cfn.template.role_policies import STACK, documented, plain
from dt_logs_cfn.template.templates import origin
from dt_logs_handler.documents import Json, Statement, statements

Severity = Literal["error", "warning"]
Template = dict[str, Json]
Problem = tuple[str, JsonPath, str]  # a rule, a place in a template, and a message

VALIDATOR = "cloudformation_validate"
_SEVERITIES: Mapping[str, Severity] = {"FATAL": "error", "ERROR": "error", "WARN": "warning"}
# False findings of the validator, by rule and a part of the message, and why they are false.
EXPLAINED = {
    ("W1030", "default ''"): "The property is set only if the parameter is not empty (Fn::If); the"
    " rule tries the default without the condition.",
}
_HALF_A_YEAR = timedelta(days=183)
_PARTITION = re.compile(r"arn:aws(?:-[a-z-]+)?:")
_ACCOUNT = re.compile(r"(?<![0-9A-Za-z])[0-9]{12}(?![0-9A-Za-z])")
_SUBSTITUTED = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to correct in a template.

    `path` has the keys of the place, joined with `/`, and is empty for the template as a whole. The
    validator's paths have a different format.

    >>> str(Finding("it.json", "Resources/Alarm", "E3002", "error", "It has no such property."))
    'it.json:Resources/Alarm: error E3002: It has no such property.'
    """

    template: str
    path: str
    rule: str
    severity: Severity
    message: str

    def __str__(self) -> str:
        place = f"{self.template}:{self.path}" if self.path else self.template
        return f"{place}: {self.severity} {self.rule}: {self.message}"


def lint_templates(templates: Release | Mapping[str, str], today: date) -> tuple[Finding, ...]:
    """Check templates with cfn-lint, our rules and, if installed, the validator; return findings.

    Pass a release, or the text of templates by name. `today` decides whether a runtime ends soon.
    Takes several seconds. Raises VerifyError or SettingsError for a text that is not one of our
    templates.

    >>> from datetime import date
    >>> lint_templates(build_release(Settings()), date(2026, 1, 1))
    ()
    """
    if isinstance(templates, Release):
        templates = templates.templates
    ends, ours = _runtime_ends(), list[Finding]()
    for name, text in templates.items():
        template = parse_template(text, name)
        origin(template)  # raises for a template that is not ours
        ours += check(name, text, template, today, ends)
    others = validate(templates) if find_spec(VALIDATOR) else []
    return (*ours, *_cfn_lint(templates), *others)


def check(
    name: str, text: str, template: Template, today: date, ends: Mapping[str, date]
) -> Iterator[Finding]:
    """Yield the findings of our rules in a template; `ends` says when AWS ends each runtime."""
    problems = chain(
        size(text),
        transform(template),
        literals(template),
        descriptions(template),
        wildcards(template),
        runtime(template, today, ends),
    )
    for rule, path, message in problems:
        severity: Severity = "warning" if rule == "runtime" else "error"
        yield Finding(name, "/".join(path), rule, severity, message)


def _runtime_ends() -> dict[str, date]:
    """Return when AWS ends each Lambda runtime that cfn-lint knows."""
    lifecycle: dict[str, dict[str, str]] = load_resource(
        AdditionalSpecs, "LmbdRuntimeLifecycle.json"
    )
    return {name: date.fromisoformat(dates["deprecated"]) for name, dates in lifecycle.items()}


def validate(templates: Mapping[str, str]) -> list[Finding]:
    """Return the validator's errors and warnings for templates, except those in EXPLAINED.

    A template that the validator cannot check, such as one with a malformed `Fn::If`, is a finding.
    """
    from cloudformation_validate import RegoEngine, TemplateContent, ValidationError

    engine, findings = RegoEngine(), list[Finding]()
    for name, text in templates.items():
        try:
            diagnostics = engine.validate_template(TemplateContent(text, name)).diagnostics
        except ValidationError as error:
            message = f"cloudformation-validate cannot check the template: {error}."
            findings.append(Finding(name, "", "validator", "error", message))
            continue
        for each in diagnostics:
            explained = (rule == each.rule_id and part in each.message for rule, part in EXPLAINED)
            severity = _SEVERITIES.get(each.severity.name)
            if severity and not any(explained):
                path = each.property_path or ""
                findings.append(Finding(name, path, each.rule_id, severity, each.message))
    return findings


def size(text: str) -> Iterator[Problem]:
    """Find a template that is too large for CreateStack's TemplateBody."""
    found = len(text.encode())
    if found > TEMPLATE_LIMIT:
        yield "size", (), f"{found:,} bytes; CloudFormation accepts {TEMPLATE_LIMIT:,} directly."


def transform(template: Template) -> Iterator[Problem]:
    """Find macros, because StackSets refuse them."""
    for path, value in mappings(template):
        for name in value.keys() & {"Transform", "Fn::Transform"}:
            if name != "Transform" or not path:
                yield "transform", (*path, name), "StackSets refuse a transform."


def literals(template: Template) -> Iterator[Problem]:
    """Find strings that are bound to one partition or account.

    Metadata and parameters may name the vendor's account, so in these sections, we check only the
    parameters' patterns. The function's code is not checked.
    """
    for path, text in strings(template):
        if path[0] == "Metadata" or path[-1] == "ZipFile":
            continue
        if path[0] == "Parameters" and path[-1] != "AllowedPattern":
            continue
        if _PARTITION.search(text):
            yield "partition", path, "Use ${AWS::Partition} in an ARN."
        if _ACCOUNT.search(text):
            yield "account", path, "Use ${AWS::AccountId} or a parameter."


def descriptions(template: Template) -> Iterator[Problem]:
    """Find parameters without a description."""
    for name, parameter in mapping(template.get("Parameters")).items():
        text = mapping(parameter).get("Description")
        if not isinstance(text, str) or not text.strip():
            yield "description", ("Parameters", name), "Describe the parameter."


def wildcards(template: Template) -> Iterator[Problem]:
    """Find permissions that are too wide or cannot be checked, except the documented policy's."""
    promised = list(statements(plain(documented(STACK))))
    resources: Json = {"Resources": mapping(template.get("Resources"))}
    for path, statement in statements_in(resources):
        if statement not in promised:
            for problem in _too_wide(statement):
                yield "wildcard", path, problem
    for path, _ in policy_texts(resources):
        problem = "A policy written as text cannot be checked; write it as an object."
        yield "wildcard", path, problem
    for path, _ in managed_policies(template, resources):
        problem = "A managed policy may gain permissions later; list the intended actions."
        yield "wildcard", path, problem


def runtime(template: Template, today: date, ends: Mapping[str, date]) -> Iterator[Problem]:
    """Find runtimes that AWS ended or ends within half a year, or that cfn-lint does not know."""
    for name, resource in mapping(template.get("Resources")).items():
        match resource:
            case {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": str(used)}}:
                path = ("Resources", name, "Properties", "Runtime")
            case _:
                continue
        end = ends.get(used)
        if end is None:
            message = f"cfn-lint does not know when {used} ends; update cfn-lint, or look it up."
        elif today >= end - _HALF_A_YEAR:
            message = f"AWS ends {used} on {end}; move to a newer runtime."
        else:
            continue
        yield "runtime", path, message


def unscoped_actions() -> dict[str, str]:
    """Return the actions that we may allow on every resource, with the reason for each."""
    unscoped = (each for each in (*GRANTS, *NEEDS) if each.on is Scope.EVERYTHING)
    return {name: each.why for each in unscoped for name in each.actions}


def _too_wide(statement: Statement) -> Iterator[str]:
    actions, reasons = list(_actions(statement.get("Action"))), unscoped_actions()
    for name in statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}:
        yield f"{name} also covers later additions by AWS; list the intended values."
    for action in actions:
        if "*" in action:
            yield f"{action} allows more than one action; list each."
    if any("*" in text for _, text in strings(statement.get("Principal"))):
        yield "Anybody may use it; name a principal."
    wide = {text for text in _resources(statement.get("Resource")) if _is_everything(text)}
    if "*" in wide:
        for action in actions:
            if action not in reasons:
                yield f"{action} on everything, without a known reason; name a resource."
    elif wide and "Condition" not in statement:
        yield f"{', '.join(sorted(wide))} covers any account; add a condition."


def _actions(value: Json) -> Iterator[str]:
    """Yield the actions in `Action`, also from within CloudFormation functions."""
    for path, text in strings(value):
        if path[-1:] != ("Ref",) and (":" in text or "*" in text):
            yield text


def _resources(value: Json) -> Iterator[str]:
    """Yield the ARNs in `Resource`, also from within CloudFormation functions and joined lists."""
    for _, text in strings(value):
        for part in text.split(","):
            if part == "*" or part.startswith("arn:"):
                yield part


def _is_everything(arn: str) -> bool:
    """Return whether an ARN covers every account and every resource."""
    parts = _SUBSTITUTED.sub("-", arn).split(":", 5)
    return len(parts) < 6 or (parts[4] in ("", "*") and parts[5].startswith("*"))


def _cfn_lint(templates: Mapping[str, str]) -> list[Finding]:
    config = ConfigMixIn(
        ["--config-file", os.devnull], regions=REGIONS, mandatory_checks=["E", "W"]
    )
    runner = Runner(config)
    found: list[Finding] = []
    for name, text in templates.items():
        template, unreadable = decode_str(text)
        matches = unreadable or run_template_by_data(template, config, runner.rules)
        for match in matches:
            path = "/".join(str(key) for key in getattr(match, "path", None) or [])
            severity: Severity = "error" if match.rule.severity == "error" else "warning"
            found.append(Finding(name, path, match.rule.id, severity, match.message))
    return found
