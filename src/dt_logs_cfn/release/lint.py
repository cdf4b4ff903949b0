"""Check templates with cfn-lint for all of its regions, our rules, and AWS's validator.

AWS's cloudformation-validate is used only if it is installed, because it has wheels only for some
platforms. cfn-lint reads its rules once for all templates, because reading them takes longer than
applying them. It ignores configuration in the user's home, the working directory and the template.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.util import find_spec
from typing import TYPE_CHECKING

from cfnlint.config import ConfigMixIn
from cfnlint.data import AdditionalSpecs
from cfnlint.decode.decode import decode_str
from cfnlint.helpers import REGIONS, load_resource
from cfnlint.rules import Match
from cfnlint.runner import Runner, run_template_by_data

from dt_logs_cfn.release import rules
from dt_logs_cfn.release.build import Release
from dt_logs_cfn.release.rules import Finding, Severity
from dt_logs_cfn.template.parsing import parse_template
from dt_logs_cfn.template.templates import origin

if TYPE_CHECKING:
    from cloudformation_validate import RegoEngine

VALIDATOR = "cloudformation_validate"
_SEVERITIES: Mapping[str, Severity] = {"FATAL": "error", "ERROR": "error", "WARN": "warning"}
# False findings of the validator, by rule and a part of the message, and why they are false.
EXPLAINED = {
    ("W1030", "default ''"): "The property is set only if the parameter is not empty (Fn::If); the"
    " rule tries the default without the condition.",
}


def lint_templates(templates: Release | Mapping[str, str], today: date) -> tuple[Finding, ...]:
    """Check templates with cfn-lint, our rules and, if installed, the validator; return findings.

    Pass a release, or the text of templates by name. `today` decides whether a runtime ends soon.
    Takes seconds. Raises VerifyError or SettingsError for a text that is not one of our templates.

    >>> from datetime import date
    >>> lint_templates(build_release(Settings()), date(2026, 1, 1))
    ()
    """
    if isinstance(templates, Release):
        templates = templates.templates
    parsed = {name: parse_template(text, name) for name, text in templates.items()}
    for template in parsed.values():
        origin(template)
    ends = runtime_ends()
    ours = [
        finding
        for name, text in templates.items()
        for finding in rules.check(rules.Subject(name, text, parsed[name], today, ends))
    ]
    others = validate(templates) if find_spec(VALIDATOR) else []
    return (*ours, *_cfn_lint(templates), *others)


def runtime_ends() -> dict[str, date]:
    """Return the day on which AWS ends each Lambda runtime that cfn-lint knows."""
    lifecycle: dict[str, dict[str, str]] = load_resource(
        AdditionalSpecs, "LmbdRuntimeLifecycle.json"
    )
    return {name: date.fromisoformat(dates["deprecated"]) for name, dates in lifecycle.items()}


def validate(templates: Mapping[str, str]) -> list[Finding]:
    """Return the validator's errors and warnings for templates, except those in EXPLAINED.

    A template that the validator cannot check, such as one with a malformed `Fn::If`, is a finding.
    """
    from cloudformation_validate import RegoEngine

    engine = RegoEngine()
    return [each for name, text in templates.items() for each in _validated(engine, name, text)]


def _validated(engine: "RegoEngine", name: str, text: str) -> Iterator[Finding]:
    from cloudformation_validate import TemplateContent, ValidationError

    try:
        found = engine.validate_template(TemplateContent(text, name)).diagnostics
    except ValidationError as error:
        message = f"cloudformation-validate cannot check the template: {error}."
        yield Finding(name, "", "validator", "error", message)
        return
    for each in found:
        if each.severity.name in _SEVERITIES and not any(
            each.rule_id == rule and part in each.message for rule, part in EXPLAINED
        ):
            severity = _SEVERITIES[each.severity.name]
            path = each.property_path or ""
            yield Finding(name, path, each.rule_id, severity, each.message)


def _cfn_lint(templates: Mapping[str, str]) -> list[Finding]:
    config = ConfigMixIn(
        ["--config-file", os.devnull], regions=REGIONS, mandatory_checks=["E", "W"]
    )
    runner = Runner(config)
    found: list[Finding] = []
    for name, text in templates.items():
        template, unreadable = decode_str(text)
        matches = unreadable or run_template_by_data(template, config, runner.rules)
        found.extend(_finding(name, match) for match in matches)
    return found


def _finding(name: str, match: Match) -> Finding:
    path = "/".join(str(key) for key in getattr(match, "path", None) or [])
    severity: Severity = "error" if match.rule.severity == "error" else "warning"
    return Finding(name, path, match.rule.id, severity, match.message)
