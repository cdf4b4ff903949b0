"""`lint`: check the installed release's templates, or one template, before customers use them."""

import argparse
import datetime
from dataclasses import asdict
from pathlib import Path

from dt_logs_cfn.cli.terminal import result, tell
from dt_logs_cfn.release.build import TEMPLATE_LIMIT, installed_templates
from dt_logs_cfn.release.lint import lint_templates
from dt_logs_cfn.template.parsing import read_template


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `lint`."""
    parser.add_argument(
        "template",
        nargs="?",
        type=Path,
        metavar="TEMPLATE",
        help="one of our templates (default: those of the installed version)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; return 1 if there are any."""
    path: Path | None = arguments.template
    templates = {str(path): read_template(path)} if path else installed_templates()
    findings = lint_templates(templates, datetime.date.today())
    result(arguments.json, [asdict(finding) for finding in findings], map(str, findings))
    for name, text in () if arguments.json else templates.items():
        count = sum(finding.template == name for finding in findings)
        found = f"{count or 'no'} finding{'s' if count > 1 else ''}"
        length = len(text.encode())
        tell(f"{name}: {length:,} of {TEMPLATE_LIMIT:,} bytes, {found}")
    return 1 if findings else 0
