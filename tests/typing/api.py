"""Library calls as users write them; they are type-checked with the sources, but never run."""

import datetime
from pathlib import Path

from awacs.aws import PolicyDocument
from troposphere import Ref, Template

import dt_logs_cfn as ours
from dt_logs_cfn import Privileges, Release, Settings, TemplateKind, build_release


def add(template: Template, kind: TemplateKind) -> None:
    if kind is not TemplateKind.SERVICE_ROLE:
        template.resources["DTLogsAnalysisLambdaFunction"].MemorySize = 1024


CUSTOMIZE: ours.Customize = add


def release_and_check(out: Path) -> int:
    settings: Settings = Settings.load(Path("release.cfg"))
    same: Settings = Settings.load("release.cfg")
    try:
        release: Release = build_release(settings, customize=CUSTOMIZE)
        folder: Path = ours.write_release(release, out)
        differences: tuple[ours.Difference, ...] = ours.compare(release, folder)
        again: tuple[ours.Difference, ...] = ours.compare(build_release(same), str(folder))
    except ours.DtLogsError as error:
        print(error.what, error.fix)
        return 3
    for difference in differences + again:
        print(difference.name, difference.diff)
    return len(differences) + len(release.customized_by)


def look_at(template: str, release: Release) -> bool:
    verdict: ours.Verdict = ours.verify_template(template, add)
    origin: ours.Origin = verdict.origin
    today = datetime.date.today()
    findings: tuple[ours.Finding, ...] = ours.lint_templates({"it": template}, today)
    findings += ours.lint_templates(release, today)
    return verdict.identical and not findings and origin.kind is TemplateKind.DOCUMENTED


def policies() -> list[PolicyDocument]:
    limits = ours.PolicyLimits(log_group="arn", endpoint=Ref("Endpoint"), log_buckets=["arn"])
    return [
        ours.execution_policy(Privileges.DOCUMENTED),
        ours.execution_policy(Privileges.LEAST_PRIVILEGE, limits),
        ours.service_role_policy("lifecycle", "arn", Ref("Function"), ["arn"]),
        ours.service_role_policy("documented", "arn", "arn"),
        ours.service_role_trust(),
    ]


FUNCTION = ours.FunctionSettings(runtime="python3.13", memory=1024, timeout=600, log_retention=30)
SETTINGS = Settings((ours.Vendor("aws", "111122223333"),), FUNCTION)
TEMPLATES: list[Template] = [
    ours.stack_template(SETTINGS, Privileges.LEAST_PRIVILEGE),
    ours.service_role_template(SETTINGS),
]
VERSION: str = ours.__version__
ZIP: bytes = ours.handler_zip()
FILES: dict[str, bytes] = dict(build_release(SETTINGS).files)
TEXTS: dict[str, str] = build_release(SETTINGS).templates
