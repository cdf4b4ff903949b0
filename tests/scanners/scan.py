"""Compare a scanner's findings in the least-privilege template with the explained findings.

    python tests/scanners/scan.py parliament|checkov|cfripper

Exits 1 if a finding is not explained in docs/scanner-findings.json, or if an explained finding is
missing. Each scanner is installed in its own environment (see tox.ini).
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
VALUES = {"Account": "123456789012", "Region": "us-east-1"}


_RELEASES = (each for each in (ROOT / "build").iterdir() if each.name[:1].isdigit())
NEWEST = max(_RELEASES, key=lambda each: tuple(map(int, each.name.split("."))))


def parliament() -> set[str]:
    """Return the issues of the execution role's policy, each with the action concerned."""
    from parliament import analyze_policy_string

    text = (NEWEST / "policies" / "lambda-execution-least-privilege.json").read_text()
    filled = re.sub(r"\$\{(\w+)\}", lambda found: VALUES.get(found[1], "x"), text)
    found = set()
    for each in analyze_policy_string(filled).findings:
        actions = re.findall(r"\b[a-z0-9]+:[A-Z]\w+", str(each.detail))
        found.add(" ".join([each.issue, *actions[-1:]]))
    return found


def checkov() -> set[str]:
    """Return the checks that the template fails."""
    options = ("--framework", "cloudformation", "--skip-download", "-o", "json", "-f")
    return {each["check_id"] for each in _printed("checkov", *options)["results"]["failed_checks"]}


def cfripper() -> set[str]:
    """Return the rules that the template breaks."""
    return {each["rule"] for each in _printed("cfripper", "--format", "json")["failures"]}


def _printed(*command: str) -> Any:
    """Return a scanner's output; its exit code says only whether there are findings."""
    words = [*command, str(NEWEST / "dt-logs-analysis.template.json")]
    done = subprocess.run(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    return json.loads(done.stdout)


def main(scanner: str) -> int:
    """Print unexplained findings and missing explained findings; return the exit code."""
    found = {"parliament": parliament, "checkov": checkov, "cfripper": cfripper}[scanner]()
    explained = json.loads((ROOT / "docs" / "scanner-findings.json").read_text("utf-8"))[scanner]
    for name in sorted(found - set(explained)):
        print(f"{scanner}: {name} is not explained")
    for name in sorted(set(explained) - found):
        print(f"{scanner}: {name} is explained, and not found")
    print(f"{scanner}: {len(found)} findings, {len(found & set(explained))} explained")
    return 0 if found == set(explained) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
