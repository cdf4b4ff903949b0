"""Take README.md's screenshots of the launch page and of a rehearsal report, with Chromium.

    python docs/screenshots.py

docs/screenshots.json has a digest of each page shown; a test fails if a page has changed
since its screenshot.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from dt_logs_cfn import __version__
from dt_logs_rehearsal.report.data import Report
from dt_logs_rehearsal.report.page import page
from dt_logs_rehearsal.scenarios.catalogue import SCENARIOS

DOCS = Path(__file__).resolve().parent
LAUNCH_PAGE = DOCS.parent / "build" / __version__ / "index.html"
DIGESTS = DOCS / "screenshots.json"
_SIZE = {"width": 1200, "height": 940}
_ENTERED = {
    "DataTheoremAccountId": "999988887777",
    "NotificationEndpoint": "https://logs.example.com/alb",
    "LoadBalancerArns": "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/"
    "0123456789abcdef",
    "RoleArn": "arn:aws:iam::123456789012:role/service-role-for-dt-logs-analysis",
}
_FILL = """
const fill = ([name, value]) => { document.getElementById(name).value = value; };
Object.entries(arguments[0]).forEach(fill);
document.getElementById("form").dispatchEvent(new Event("input"));
scrollTo(0, document.getElementById("launcher").offsetTop - 16);
"""


def digests() -> dict[str, str]:
    """Return a digest of each page shown.

    The digests leave out what the launch page shows below the picture, and what a rehearsal adds to
    the report.
    """
    launch, _, _ = LAUNCH_PAGE.read_text("utf-8").partition('<section aria-labelledby="rights">')
    report = page([Report(each.name, each.summary, "", "", "") for each in SCENARIOS])
    shown = {"launch-page.png": launch, "report.png": report}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in shown.items()}


def take() -> None:
    """Rehearse all scenarios, take both screenshots, and write the digests."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.html"
        command = ("rehearse", "--scenario", "all", "--report", str(report))
        subprocess.run((sys.executable, "-m", "dt_logs_cfn", *command), cwd=DOCS.parent, check=True)
        with _chromium(Path(folder) / "profile") as browser:
            _shoot(browser, LAUNCH_PAGE, "launch-page.png", _ENTERED)
            _shoot(browser, report, "report.png", {})
    DIGESTS.write_text(json.dumps(digests(), indent=2) + "\n", "utf-8")


def _shoot(browser: webdriver.Chrome, opened: Path, name: str, entered: Mapping[str, str]) -> None:
    browser.get(opened.as_uri())
    if entered:
        browser.execute_script(_FILL, entered)
    found = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    (DOCS / name).write_bytes(base64.b64decode(found["data"]))


@contextmanager
def _chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in ("headless=new", "no-sandbox", "hide-scrollbars", f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    with webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver"))) as found:
        screen = {**_SIZE, "deviceScaleFactor": 0.75, "mobile": False}
        found.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        yield found


if __name__ == "__main__":
    take()
