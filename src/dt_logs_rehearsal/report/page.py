"""A rehearsal as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from dt_logs_cfn import __version__
from dt_logs_cfn.pages.drawing import drawings
from dt_logs_cfn.pages.markup import asset, document, mono, table
from dt_logs_rehearsal.report.data import EMULATED, Report, Stage

_MARKS = {"+": "plus", "-": "minus", "~": "change"}


def page(reports: Sequence[Report]) -> str:
    """Return the page; what comes from the account is escaped."""
    notice = "".join(f"<p>{escape(each)}</p>" for each in EMULATED)
    sections = "".join(_scenario(each) for each in reports)
    title = f"Rehearsal of dt-logs-cfn {__version__}"
    body = (
        f"<header><h1>{title}</h1>"
        "<p>What the released template does to an AWS account, call by call, and whether the"
        " account is afterwards what it was before.</p>"
        f'<div class="notice" role="note">{notice}</div></header><main>'
        f"{_overview(reports)}<h2>How logs flow</h2>{drawings()}{sections}</main>"
        "<footer><p>Made by <code>python -m dt_logs_cfn rehearse --report</code>.</p></footer>"
    )
    return document(title, asset("page.css"), body)


def _overview(reports: Sequence[Report]) -> str:
    rows = [
        {
            "Scenario": f'<a href="#{_id(each)}">{escape(each.scenario)}</a>',
            "Result": _badge(each.passed, "as expected", "not as expected"),
            "Privileges": escape(each.privileges),
            "Service role": escape(each.service_role),
            "Stack": _status(each.stack_status),
            "Account": _badge(each.restored, "restored", "not restored"),
            "Calls": str(len(each.calls)),
            "Denied": escape(", ".join(each.denied)) or "none",
        }
        for each in reports
    ]
    cells = [list(row.values()) for row in rows]
    return "<h2>Overview</h2>" + table(
        "The scenarios that were rehearsed", rows[0] if rows else (), cells
    )


def _id(report: Report) -> str:
    """Return a scenario's name as an id, which may have no spaces in it."""
    return re.sub(r"[^A-Za-z0-9-]", "-", f"scenario-{report.scenario}")


def _scenario(report: Report) -> str:
    name = escape(report.scenario)
    parts = [
        f'<section aria-labelledby="{_id(report)}"><h2 id="{_id(report)}">{name}</h2>',
        f"<p>{escape(report.summary)}</p>",
        f"<p>{_badge(report.passed, 'as expected', 'not as expected')} "
        f"{_badge(report.restored, 'account restored', 'account not restored')}</p>",
        f"<p>{escape(report.privileges)} privileges, {escape(report.service_role)} service role;"
        f" the function ran on {escape(report.runtime)}.</p>",
        *(_stage(each, report.scenario) for each in report.stages),
        *(_list(title, items) for title, items in report.lists.items()),
        "</section>",
    ]
    return "".join(parts)


def _stage(stage: Stage, scenario: str) -> str:
    where = f"{scenario}, {stage.title}"
    events = [
        (
            f"{each.at:.1f} s",
            mono(each.logical_id),
            mono(each.resource_type),
            _status(each.status),
            f'<div class="reason">{escape(each.reason)}</div>',
        )
        for each in stage.events
    ]
    names = ("Time", "Resource", "Type", "Status", "Reason")
    found = table("Stack events", names, events, where)
    return (
        f"<h3>{escape(stage.title)}: {escape(stage.stack_status)}</h3>{found}"
        f"{_list('What changed in the account', stage.changes or ('Nothing.',), 'h4')}"
        f"{_calls(stage, where)}"
    )


def _status(status: str) -> str:
    kind = "bad" if "FAILED" in status else "good" if status.endswith("COMPLETE") else ""
    return f'<span class="status {kind}">{escape(status)}</span>'


def _calls(stage: Stage, where: str) -> str:
    """Return each different call once, with how often it was made, and who allowed it."""
    rows = []
    for (caller, name, each, error), count in stage.counted().items():
        action, resource, by = (each.action, each.resource, each.by) if each else (name, "", "")
        said = _badge(each.allowed, "allowed", "denied") if each else "not asked"
        reason = f'<div class="reason">{escape(error)}</div>'
        cells = (escape(caller), mono(action), mono(resource), said)
        rows.append((*cells, escape(by or "no statement"), reason, str(count)))
    names = ("By", "Action", "On", "IAM said", "Statement", "Error", "Times")
    found = table("API calls and the statement that decided", names, rows, where)
    return f"<details><summary>{len(stage.calls)} API calls</summary>{found}</details>"


def _list(title: str, items: Sequence[str], tag: str = "h3") -> str:
    """Return a list with its heading; what was added, removed or changed is marked as such."""
    lines = "".join(
        f'<li class="{_MARKS.get(each[:1], "change")}">{escape(each)}</li>' for each in items
    )
    return f'<{tag}>{escape(title)}</{tag}><ul class="diff">{lines}</ul>' if items else ""


def _badge(good: bool, yes: str, no: str) -> str:
    return f'<span class="badge {"good" if good else "bad"}">{yes if good else no}</span>'
