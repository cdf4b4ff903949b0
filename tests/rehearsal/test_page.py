"""The page's text, without a browser: it shows the whole report, and escapes all markup in it."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

from dt_logs_rehearsal.account.iam.access import Decided
from dt_logs_rehearsal.report.changes import Change
from dt_logs_rehearsal.report.data import EMULATED, ApiCall, Attempt, Report, StackEvent, Stage
from dt_logs_rehearsal.report.page import page

EVIL = '<script>alert("1")</script>'
REPORT = Report(
    scenario=f"a {EVIL}",
    summary=EVIL,
    privileges="documented",
    service_role="lifecycle",
    runtime=EVIL,
    stages=(
        Stage(
            f"Create {EVIL}",
            "CREATE_COMPLETE",
            (StackEvent(1.0, EVIL, "AWS::IAM::Role", "CREATE_FAILED", EVIL),),
            (
                ApiCall("Lambda", "s3", "PutObject", (Decided(EVIL, EVIL, False, ""),), EVIL),
                ApiCall("Data Theorem", "sns", "ConfirmSubscription", ()),
            ),
            {f"+ S3 bucket {EVIL}": [Change(EVIL, EVIL, {"Sid": EVIL})]},
        ),
    ),
    vendor_received=(EVIL,),
    attempts=(Attempt(EVIL, True),),
    restored=False,
    left=(EVIL,),
    exceptions=(EVIL,),
    unexpected=(EVIL,),
    missing=(EVIL,),
)


class Tags(HTMLParser):
    """Collects a page's tags and IDs."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]


def test_what_comes_from_the_account_is_never_markup() -> None:
    text = page([REPORT])
    assert text.count("&lt;script&gt;") >= 16
    tags = Tags()
    tags.feed(text)
    assert "script" not in tags.tags
    assert len(set(tags.ids)) == len(tags.ids)
    assert not [each for each in tags.ids if " " in each]
    assert "http" not in text.replace("http-equiv", "")  # the page loads nothing
    assert "@import" not in text
    assert "url(" not in text.replace("url(#", "")


def test_everything_that_a_report_holds_is_on_the_page() -> None:
    text = unescape(re.sub(r"<[^>]+>", " ", page([REPORT])))
    for part in (
        *EMULATED,
        "AWS::IAM::Role",
        "CREATE_FAILED",
        "sns:ConfirmSubscription",
        "NOT AS EXPECTED",
        "not asked",
        "1 x Data Theorem",
        "2 API calls",
        "account CHANGED",
    ):
        assert part in text


def test_a_scenario_is_folded_unless_something_was_not_as_expected() -> None:
    fine = Report("fine", "Fine.", "x", "y", "z", restored=True)

    found = re.findall(r"<details( open)?><summary><h3>(\w+)", page([REPORT, fine]))

    assert found == [(" open", "a"), ("", "fine")]
    text = page([REPORT, REPORT])  # reports with the same name have separate links
    links = re.findall(r'href="#([^"]+)"', text)
    assert len(set(links)) == 2
    assert all(f'id="{each}"' in text for each in links)


def test_what_changed_is_side_by_side() -> None:
    stage = Stage("s", "CREATE_COMPLETE", (), (), {"~ S3 bucket b": [Change("tag a", None, "1")]})
    report = Report("fine", "Fine.", "x", "y", "z", [stage])

    (row,) = re.findall(r"<tr><td[^>]*>.*?tag a.*?</tr>", page([report]))

    assert re.findall(r"<pre[^>]*>(.*?)</pre>", row) == ["none", "1"]
