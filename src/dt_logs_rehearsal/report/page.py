"""Show a rehearsal as one HTML page, without scripts, fonts or network access."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import count
from typing import Any

from dt_logs_cfn import __version__
from dt_logs_cfn.canonical import readable
from dt_logs_cfn.pages import markup
from dt_logs_cfn.pages.markup import asset, code, document, folded, listed, meant, mono, table
from dt_logs_rehearsal.report.changes import Change
from dt_logs_rehearsal.report.data import EMULATED, Report, Stage


def page(reports: Sequence[Report]) -> str:
    """Return the page; values from the account are escaped."""
    notice = "".join(f"<p>{escape(each)}</p>" for each in EMULATED)
    title = f"Rehearsal of dt-logs-cfn {__version__}"
    body = (
        f"<header><h1>{title}</h1>"
        "<p>What the released template does to an AWS account, call by call, and whether deleting"
        " the stack restores the account.</p>"
        f'<div class="notice" role="note">{notice}</div></header><main>'
        f"<h2>Overview</h2>{_overview(reports)}<h2>How logs flow</h2>{markup.filled('flow.html')}"
        f"<h2>Scenarios</h2>{''.join(map(_scenario, count(), reports))}</main>"
        "<footer><p>Made by <code>dt-logs-cfn rehearse --report</code>.</p></footer>"
    )
    return document(title, asset("page.css"), body)


def _overview(reports: Sequence[Report]) -> str:
    rows = []
    for number, each in enumerate(reports):
        name, *rest = each.facts.values()
        link = f'<a href="#scenario-{number}">{escape(name)}</a>'
        rows.append((f"{link}<br><small>{_prose(each.summary)}</small>", *map(meant, rest)))
    return table("The scenarios that were rehearsed", tuple(reports[0].facts), rows)


def _prose(text: str) -> str:
    """Return a sentence as markup; text between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _scenario(number: int, report: Report) -> str:
    name, result, account, *_ = report.facts.values()
    badges = f"{meant(result, 'badge')} {meant(f'account {account}', 'badge')}"
    title = f"<h3>{escape(name)}</h3> {badges}"
    under = f"{report.privileges} template, {report.service_role} service role, {report.runtime}"
    stages = "".join(_stage(each, report.scenario) for each in report.stages)
    lists = "".join(listed(title, items) for title, items in report.lists.items() if items)
    body = (
        f'<p id="scenario-{number}">{_prose(report.summary)}<br>{escape(under)}</p>{stages}{lists}'
    )
    return folded(title, body, opened=not report.passed)


def _stage(stage: Stage, scenario: str) -> str:
    where = f"{scenario}, {stage.title}"
    changes = "".join(_change(*each, where) for each in stage.changes.items())
    events = [
        (
            f"{each.at:.1f} s",
            mono(each.logical_id),
            mono(each.resource_type),
            meant(each.status),
            escape(each.reason) or "none",
        )
        for each in stage.events
    ]
    found = table("Stack events", ("Time", "Resource", "Type", "Status", "Reason"), events, where)
    return (
        f"<h4>{escape(stage.title)}: {escape(stage.stack_status)}</h4>"
        f'<div class="changes">{changes or "<p>Nothing changed in the account.</p>"}</div>'
        f"{folded(f'{len(events)} stack events', found)}{_calls(stage, where)}"
    )


def _change(resource: str, changes: Sequence[Change], where: str) -> str:
    """Return a resource's changes, with before and after side by side."""
    rows = [
        (meant(f"{each.sign} {each.name}"), _value(each.before), _value(each.after))
        for each in changes
    ]
    return table(resource, ("What changed", "Before", "After"), rows, where)


def _value(value: Any) -> str:
    return code(escape(readable(value) or "none"))


def _calls(stage: Stage, where: str) -> str:
    rows = [
        (escape(by), mono(action), mono(on), meant(said), escape(statement), escape(error))
        for by, action, on, said, statement, error in stage.call_rows()
    ]
    names = ("By", "Action", "On", "IAM said", "Statement", "Error")
    found = table("API calls and the statement that decided", names, rows, where)
    return folded(f"{len(stage.calls)} API calls", found)
