"""Check templates with AWS's own cloudformation-validate, where it is installed.

It is part of the extra `dev`, and no module needs it: its wheels exist for some platforms only.
"""

from collections.abc import Mapping
from importlib.util import find_spec

from dt_logs_cfn.release.findings import Finding, Severity

PACKAGE = "cloudformation_validate"
_SEVERITIES: Mapping[str, Severity] = {"FATAL": "error", "ERROR": "error", "WARN": "warning"}
# A false finding, by its rule and a part of its text, and why it is false.
EXPLAINED = {
    ("W1030", "default ''"): "The property is set only if the parameter is not empty (Fn::If); the"
    " rule tries the default without the condition.",
}


def installed() -> bool:
    """Return whether cloudformation-validate can be used."""
    return find_spec(PACKAGE) is not None


def validate(templates: Mapping[str, str]) -> list[Finding]:
    """Return its errors and warnings, without those that are explained, for texts by name.

    Advice below a warning is left out, as cfn-lint's is.
    """
    from cloudformation_validate import RegoEngine, TemplateContent

    engine = RegoEngine()
    return [
        Finding(
            name,
            each.property_path or "",
            each.rule_id,
            _SEVERITIES[each.severity.name],
            each.message,
        )
        for name, text in templates.items()
        for each in engine.validate_template(TemplateContent(text, name)).diagnostics
        if each.severity.name in _SEVERITIES and not _explained(each.rule_id, each.message)
    ]


def _explained(rule: str, message: str) -> bool:
    return any(rule == known and part in message for known, part in EXPLAINED)
