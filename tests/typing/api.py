"""The library as its users call it: type-checked with the sources, but never run."""

import datetime
from pathlib import Path

from awacs.aws import PolicyDocument
from troposphere import Ref, Template

import dt_logs_cfn
from dt_logs_cfn import (
    Customize,
    Difference,
    DtLogsError,
    Finding,
    FunctionSettings,
    Origin,
    PolicyLimits,
    Privileges,
    Release,
    Settings,
    TemplateKind,
    Vendor,
    Verdict,
    build_release,
    compare,
    execution_policy,
    handler_zip,
    lint_templates,
    service_role_policy,
    service_role_template,
    service_role_trust,
    stack_template,
    verify_template,
    write_release,
)


def add(template: Template, kind: TemplateKind) -> None:
    if kind is not TemplateKind.SERVICE_ROLE:
        template.resources["DTLogsAnalysisLambdaFunction"].MemorySize = 1024


CUSTOMIZE: Customize = add


def release_and_check(out: Path) -> int:
    settings: Settings = Settings.load(Path("release.cfg"))
    same: Settings = Settings.load("release.cfg")
    try:
        release: Release = build_release(settings, customize=CUSTOMIZE)
        folder: Path = write_release(release, out)
        differences: tuple[Difference, ...] = compare(release, folder)
        again: tuple[Difference, ...] = compare(build_release(same), str(folder))
    except DtLogsError as error:
        print(error.what, error.fix)
        return 3
    for difference in differences + again:
        print(difference.name, difference.diff)
    by: str = release.customized_by
    return len(differences) + len(by)


def look_at(template: str, release: Release) -> bool:
    verdict: Verdict = verify_template(template, add)
    origin: Origin = verdict.origin
    today = datetime.date.today()
    findings: tuple[Finding, ...] = lint_templates({"it": template}, today)
    findings += lint_templates(release, today)
    kind: TemplateKind = origin.kind
    return verdict.identical and not findings and kind is TemplateKind.DOCUMENTED


def policies() -> list[PolicyDocument]:
    limits = PolicyLimits(log_group="arn", endpoint=Ref("Endpoint"), log_buckets=["arn"])
    return [
        execution_policy(Privileges.DOCUMENTED),
        execution_policy(Privileges.LEAST_PRIVILEGE, limits),
        service_role_policy("lifecycle", "arn", Ref("Function"), ["arn"]),
        service_role_policy("documented", "arn", "arn"),
        service_role_trust(),
    ]


FUNCTION = FunctionSettings(runtime="python3.13", memory=1024, timeout=600, log_retention=30)
SETTINGS = Settings((Vendor("aws", "111122223333"),), FUNCTION)
TEMPLATES: list[Template] = [
    stack_template(SETTINGS, Privileges.LEAST_PRIVILEGE),
    service_role_template(SETTINGS),
]
VERSION: str = dt_logs_cfn.__version__
ZIP: bytes = handler_zip()
FILES: dict[str, bytes] = dict(build_release(SETTINGS).files)
TEXTS: dict[str, str] = build_release(SETTINGS).templates
