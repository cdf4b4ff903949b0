"""The rehearsal's report in a real browser: it is complete, fits and is readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.browser import CONTRAST, outline, overflow, resize
from selenium import webdriver

from dt_logs_rehearsal.account.iam.access import Decided
from dt_logs_rehearsal.report.changes import Change
from dt_logs_rehearsal.report.data import ApiCall, Attempt, Report, StackEvent, Stage
from dt_logs_rehearsal.report.page import page

ARN = "arn:aws:s3:::customers-logs/alb/AWSLogs/123456789012/elasticloadbalancing/us-east-1/*"
STAGE = Stage(
    "Create dt-logs-analysis",
    "ROLLBACK_FAILED",
    (
        StackEvent(1.5, "Role", "AWS::IAM::Role", "CREATE_IN_PROGRESS"),
        StackEvent(2.5, "Role", "AWS::IAM::Role", "CREATE_FAILED", "<b>may not</b> " + "x" * 300),
        StackEvent(3.5, "Role", "AWS::IAM::Role", "DELETE_COMPLETE"),
    ),
    (
        ApiCall("Lambda", "s3", "GetObject", (Decided("s3:GetObject", ARN, True, "Read"),)),
        ApiCall("Lambda", "s3", "PutObject", (Decided("s3:PutObject", ARN, False, ""),), "no"),
    ),
    {
        "+ S3 bucket a": [Change("policy " + "y" * 400, None, {"Statement": ["y" * 400]})],
        "- SNS topic <i>": [Change("tag <i>", "1", None)],
        "~ S3 bucket b": [Change("tag b", "1", "2" * 200)],
    },
)
UNFOLD = "for (const d of document.querySelectorAll('details')) d.open = true"
REPORTS = [
    Report(
        scenario="fresh",
        summary="A load balancer that does not log yet.",
        privileges="documented",
        service_role="documented",
        runtime="python3.13, as in Lambda",
        stages=(STAGE,),
        vendor_received=("https 2026-01-01 app/web/1 " + "z" * 500,),
        attempts=(Attempt("delete a", True), Attempt("list b", False)),
        restored=False,
        left=("+ roles['r']",),
        exceptions=("bucket b holds logs",),
        unexpected=("the stack is ROLLBACK_FAILED",),
        missing=("iam:PassRole",),
    ),
    *(Report(f"fine-{each}", "Nothing happened.", "x", "y", "z", [STAGE] * 3) for each in range(8)),
]
for each in REPORTS[1:]:
    each.restored = True


@pytest.fixture(autouse=True)
def shown(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Show the report with every part unfolded."""
    (tmp_path / "page.html").write_text(page(REPORTS), "utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    browser.execute_script(UNFOLD)


def test_it_says_everything_in_order_and_nothing_of_it_is_markup(browser: webdriver.Chrome) -> None:
    text = browser.execute_script("return document.body.innerText")
    for part in (
        *("The AWS account is emulated on this machine", "NOT AS EXPECTED", "<b>may not</b>"),
        *("- SNS topic <i>", "- tag <i>", "iam:PassRole", "bucket b holds logs", "list b"),
        "app/web/1",
    ):
        assert part in text
    markup = "return document.querySelectorAll('td b, .diff i, caption i, td i').length"
    assert browser.execute_script(markup) == 0
    assert browser.get_log("browser") == []
    assert outline(browser) == 3


def test_folded_it_is_short_and_a_link_unfolds_its_scenario(browser: webdriver.Chrome) -> None:
    resize(browser, 1280, "light")
    browser.refresh()

    assert browser.execute_script("return document.documentElement.scrollHeight") < 8000
    is_open = "return document.querySelectorAll('main > details')[1].open"
    assert not browser.execute_script(is_open)
    browser.execute_script("document.querySelectorAll('td a')[1].click()")
    assert browser.execute_script(is_open)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_and_can_be_read(browser: webdriver.Chrome, width: int, scheme: str) -> None:
    resize(browser, width, scheme)
    assert overflow(browser) == 0
    if width == 360:  # a table's cells stand below each other
        wider = "[...document.querySelectorAll('.scroll')].some(s => s.scrollWidth > s.clientWidth)"
        assert not browser.execute_script(f"return {wider}")
    assert browser.execute_script(CONTRAST) == []
    shown = browser.execute_script(
        "return [...document.querySelectorAll('svg')].filter(s => s.getClientRects().length)"
        ".map(s => 16 * s.getBoundingClientRect().width / s.viewBox.baseVal.width)"
    )
    assert len(shown) == 1
    assert shown[0] > 9  # the drawing's smallest text, in pixels


def test_text_that_cannot_be_read_is_found(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """Show that the contrast check can fail."""
    (tmp_path / "pale.html").write_text("<body><p style='color:#999'>pale</p></body>")
    browser.get((tmp_path / "pale.html").as_uri())
    assert browser.execute_script(CONTRAST) == ["P  2.85"]
