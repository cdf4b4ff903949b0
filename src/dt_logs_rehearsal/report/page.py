"""A rehearsal as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import re
from collections import Counter
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
        (
            f'<a href="#{_id(each)}">{escape(each.scenario)}</a>',
            _badge(each.passed, "as expected", "not as expected"),
            escape(each.privileges),
            escape(each.service_role),
            _status(each.stack_status),
            _badge(each.restored, "restored", "not restored"),
            str(sum(len(stage.calls) for stage in each.stages)),
            escape(", ".join(each.denied)) or "none",
        )
        for each in reports
    ]
    names = (
        "Scenario",
        "Result",
        "Privileges",
        "Service role",
        "Stack",
        "Account",
        "Calls",
        "Denied",
    )
    return "<h2>Overview</h2>" + table("The scenarios that were rehearsed", names, rows)


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
        _bullets("What was not as expected", report.unexpected),
        _bullets("What the service role lacks for the stack's whole life", report.missing),
        *(_stage(each, report.scenario) for each in report.stages),
        _lines("What Data Theorem received", report.vendor_received, report.scenario),
        _attempts(report),
        _bullets("What stays, as announced", report.exceptions),
        _bullets("How the account differs from before", report.left),
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
        f"{_changes(stage.changes, where)}{_calls(stage, where)}"
    )


def _status(status: str) -> str:
    kind = "bad" if "FAILED" in status else "good" if status.endswith("COMPLETE") else ""
    return f'<span class="status {kind}">{escape(status)}</span>'


def _changes(changes: Sequence[str], where: str) -> str:
    if not changes:
        return "<h4>What changed in the account</h4><p>Nothing.</p>"
    lines = "".join(
        f'<li class="{_MARKS.get(each[:1], "change")}">{escape(each)}</li>' for each in changes
    )
    label = escape(f"Changes: {where}")
    return f'<h4>What changed in the account</h4><ul class="diff" aria-label="{label}">{lines}</ul>'


def _calls(stage: Stage, where: str) -> str:
    """Return each different call once, with how often it was made, and who allowed it."""
    counted: Counter[tuple[str, ...]] = Counter()
    for call in stage.calls:
        name = f"{call.service}:{call.operation}"
        rows = [
            (each.action, each.resource, _badge(each.allowed, "allowed", "denied"), each.by)
            for each in call.decisions
        ]
        for action, resource, said, by in rows or [(name, "", "not asked", "")]:
            counted[call.caller, action, resource, said, by or "no statement", call.error] += 1
    cells = [
        (
            escape(caller),
            mono(action),
            mono(resource),
            said,
            escape(by),
            f'<div class="reason">{escape(error)}</div>',
            str(count),
        )
        for (caller, action, resource, said, by, error), count in counted.items()
    ]
    names = ("By", "Action", "On", "IAM said", "Statement", "Error", "Times")
    found = table("API calls and the statement that decided", names, cells, where)
    return f"<details><summary>{len(stage.calls)} API calls</summary>{found}</details>"


def _attempts(report: Report) -> str:
    rows = [
        (escape(each.what), _badge(each.refused, "refused", "allowed")) for each in report.attempts
    ]
    title = "What Data Theorem tried beyond its right"
    found = table(title, ("What", "AWS said"), rows, report.scenario)
    return f"<h3>{title}</h3>{found}" if rows else ""


def _lines(title: str, lines: Sequence[str], where: str) -> str:
    if not lines:
        return ""
    label, text = escape(f"{title}: {where}"), escape("\n".join(lines))
    return f'<h3>{title}</h3><pre tabindex="0" role="region" aria-label="{label}">{text}</pre>'


def _bullets(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    listed = "".join(f'<li class="mono">{escape(each)}</li>' for each in items)
    return f"<h3>{escape(title)}</h3><ul>{listed}</ul>"


def _badge(good: bool, yes: str, no: str) -> str:
    return f'<span class="badge {"good" if good else "bad"}">{yes if good else no}</span>'
