"""The library as a user calls it: never run, but type-checked with the sources."""

import datetime
from pathlib import Path

import dt_logs_cfn
from dt_logs_cfn import (
    Difference,
    DtLogsError,
    Finding,
    Release,
    Settings,
    Vendor,
    Verdict,
    build_release,
    compare,
    lint_templates,
    verify_template,
    write_release,
)


def release_and_check(out: Path) -> int:
    settings: Settings = Settings.load(Path("release.cfg"))
    try:
        release: Release = build_release(settings)
        folder: Path = write_release(release, out)
        differences: tuple[Difference, ...] = compare(release, folder)
    except DtLogsError as error:
        print(error.what, error.fix)
        return 3
    for difference in differences:
        print(difference.name, difference.diff)
    return len(differences)


def look_at(template: str) -> bool:
    verdict: Verdict = verify_template(template)
    findings: tuple[Finding, ...] = lint_templates({"it": template}, datetime.date.today())
    return verdict.identical and not findings


VERSION: str = dt_logs_cfn.__version__
FILES: dict[str, bytes] = dict(build_release(Settings((Vendor("aws", "111122223333"),))).files)
