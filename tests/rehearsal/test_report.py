"""The report: differences between snapshots in AWS's terms, and the page without a browser."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from dt_logs_rehearsal.account.iam.access import Decided
from dt_logs_rehearsal.report.changes import Change, diff, differences, lines
from dt_logs_rehearsal.report.data import EMULATED, ApiCall, Attempt, Report, StackEvent, Stage
from dt_logs_rehearsal.report.page import page

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
READ = {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
CHANGED, OTHER = {**READ, "Resource": "arn:aws:s3:::logs/*"}, {**READ, "Sid": "Other"}
UNNAMED = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
SHOWN = '{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}'


def bucket(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": list(statements)} if statements else None
    return {"buckets": {"logs": {"policy": policy, **more}}}


def logging(name: str) -> dict[str, Any]:
    return {"load_balancers": {ARN: {"access_logs.s3.bucket": name}}}


def test_differences_are_lines_in_aws_s_terms() -> None:
    assert [*lines(diff(logging(""), logging("logs")))] == [
        f"~ load balancer {ARN}",
        "    + access_logs.s3.bucket: logs",
    ]
    (_, changed) = lines(diff(logging("logs"), logging("other")))
    assert changed == "    ~ access_logs.s3.bucket: logs -> other"
    full = bucket(READ, tags={"team": "edge"}, settings={"versioning": ""}, lifecycle=[])
    made = [*lines(diff({"buckets": {}}, full))]
    assert made == [
        "+ S3 bucket logs",
        "    + policy Version: 2012-10-17",
        f"    + policy statement Read: {SHOWN}",
        "    + tag team: edge",
    ]
    assert [*lines(diff(full, {"buckets": {}}))] == [each.replace("+", "-") for each in made]
    none = {"subscriptions": {}, "load_balancers": {}}
    tagged = {**bucket(tags={"a": "b", "c": "d"}), **none}
    assert differences({"buckets": {}, **none}, tagged) == [
        "+ S3 bucket logs: + tag a: b",
        "+ S3 bucket logs: + tag c: d",
    ]
    assert diff(full, full) == {}
    blocks = diff({"account_blocks": {}}, {"account_blocks": {"123456789012": {}}})
    assert next(lines(blocks)) == "+ Block Public Access of account 123456789012"  # an empty block
    long = {**READ, "Action": [f"s3:Get{number:040}" for number in range(3)]}
    found = [*lines(diff(bucket(READ), bucket(long, attributes={"Filter": '{"a":["b"]}'})))]
    assert found[1:6] == [
        '    + Filter: {"a":["b"]}',
        "    - policy statement Read:",
        f"        {SHOWN}",
        "    + policy statement Read:",
        "        {",
    ]
    assert all(len(each) < 80 for each in found)


def test_a_policy_differs_by_statement_and_their_order() -> None:
    def found(*pair: Any) -> dict[str, Change]:
        changes = diff(bucket(*pair[0]), bucket(*pair[1]))["~ S3 bucket logs"]
        return {each.name: each for each in changes}

    some = found([UNNAMED, READ], [UNNAMED, CHANGED, OTHER])
    assert {name: each.sign for name, each in some.items()} == {
        "policy statement Read": "~",
        "policy statement Other": "+",
    }
    both = some["policy statement Read"]
    assert (both.before["Resource"], both.after["Resource"]) == ("*", "arn:aws:s3:::logs/*")
    unnamed = found([READ, UNNAMED], [READ, UNNAMED, {**UNNAMED, "Action": "s3:Put*"}])
    assert [*unnamed] == ["policy statement 3"]
    order = found([READ, OTHER], [OTHER, READ])
    assert [*order.values()] == [Change("order", "as before", "another")]


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
    stage = ("AWS::IAM::Role", "CREATE_FAILED", "sns:ConfirmSubscription", "not asked")
    counted = ("1 x Data Theorem", "2 API calls", "account CHANGED", "NOT AS EXPECTED")
    for part in (*EMULATED, *stage, *counted):
        assert part in text


def test_a_scenario_is_folded_unless_something_was_not_as_expected() -> None:
    """Reports with the same name have separate links; old and new values are side by side."""
    stage = Stage("s", "CREATE_COMPLETE", (), (), {"~ S3 bucket b": [Change("tag a", None, "1")]})
    fine = Report("fine", "Fine.", "x", "y", "z", [stage], restored=True)

    text = page([REPORT, fine, fine])

    found = re.findall(r"<details( open)?><summary><h3>(\w+)", text)
    assert found == [(" open", "a"), ("", "fine"), ("", "fine")]
    links = re.findall(r'href="#([^"]+)"', text)
    assert len(set(links)) == 3
    assert all(f'id="{each}"' in text for each in links)
    (row,) = re.findall(r"<tr><td[^>]*>.*?tag a.*?</tr>", page([fine]))
    assert re.findall(r"<pre[^>]*>(.*?)</pre>", row) == ["none", "1"]
