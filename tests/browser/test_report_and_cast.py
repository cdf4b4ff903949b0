"""The rehearsal's report and README's cast in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser.conftest import CONTRAST, check_readable, outline, prefer
from selenium import webdriver
from support.generators import DOCS

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


@pytest.fixture
def report(browser: webdriver.Chrome, tmp_path: Path) -> webdriver.Chrome:
    """Show the report with every part unfolded."""
    (tmp_path / "page.html").write_text(page(REPORTS), "utf-8")
    browser.get((tmp_path / "page.html").as_uri())
    browser.execute_script(UNFOLD)
    return browser


def test_folded_it_is_short_and_a_link_unfolds_its_scenario(report: webdriver.Chrome) -> None:
    report.refresh()

    assert report.execute_script("return document.documentElement.scrollHeight") < 8000
    is_open = "return document.querySelectorAll('main > details')[1].open"
    assert not report.execute_script(is_open)
    report.execute_script("document.querySelectorAll('td a')[1].click()")
    assert report.execute_script(is_open)


def test_it_fits_and_can_be_read(screen: int, report: webdriver.Chrome) -> None:
    check_readable(report)
    if screen == 360:  # a row's cells are below each other
        wider = "[...document.querySelectorAll('.scroll')].some(s => s.scrollWidth > s.clientWidth)"
        assert not report.execute_script(f"return {wider}")
    assert outline(report) == 3
    assert report.get_log("browser") == []
    shown = report.execute_script(
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


PLAYS = "return document.getAnimations().filter(each => each.playState === 'running').length"
SEEN = """
const screen = document.querySelector('svg svg').getBoundingClientRect();
const curtain = document.querySelector('.curtain').getBoundingClientRect();
return [...document.querySelectorAll('text')].filter(each => {
  const box = each.getBoundingClientRect();
  return box.top >= screen.top - 1 && box.bottom <= Math.min(screen.bottom, curtain.top) + 1;
}).map(each => each.textContent);
"""


def test_the_cast_plays_line_by_line_or_with_reduced_motion_shows_its_last_screen(
    browser: webdriver.Chrome,
) -> None:
    browser.get((DOCS / "cast.svg").as_uri())
    assert browser.execute_script(PLAYS) == 2
    seek = "for (const each of document.getAnimations()) each.currentTime = arguments[0];"
    browser.execute_script(seek, 100)
    start = browser.execute_script(SEEN)
    browser.execute_script(seek, 1500)
    later = browser.execute_script(SEEN)
    assert start[0] == "$ dt-logs-cfn plan \\"
    assert later[: len(start)] == start and len(later) > len(start)

    for scheme in ("light", "dark"):
        prefer(browser, {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"})
        browser.refresh()
        seen = browser.execute_script(SEEN)
        assert browser.execute_script(PLAYS) == 0
        assert len(seen) > 20
        assert seen[-1].endswith(" unknown.")
