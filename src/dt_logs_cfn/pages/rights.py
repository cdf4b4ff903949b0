"""List every permission of the Lambda function, and every customization, for a security team."""

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby

from dt_logs_cfn.pages.markup import folded, mono, table
from dt_logs_cfn.template import explain
from dt_logs_cfn.template.added import Customization


def sections(changes: Customization | None) -> dict[str, str]:
    """Return the parts of the launch page about permissions, by their names in `launch.html`."""
    least, documented = explain.rights(), explain.uses()
    return {
        "REFUSED": _bullets(explain.REFUSED),
        "OPEN": _bullets(explain.OPEN),
        "LEAST": folded(f"Least privilege: {len(least)} permissions", _least(least)),
        "DOCUMENTED": folded(
            f"As documented: {len(documented)} permissions", _documented(documented)
        ),
        "CHANGED": _changed(changes) if changes else "",
    }


def notice(changes: Customization | None) -> str:
    """Return a sentence that names the customization of the templates, or an empty string."""
    return f" Its templates are customized by {mono(changes.by)}." if changes else ""


def _least(found: Iterable[explain.Right]) -> str:
    def alike(right: explain.Right) -> tuple[str, ...]:
        return (right.step, right.why, right.condition, *right.on)

    rows = []
    for _, group in groupby(found, alike):
        rights = list(group)
        first = rights[0]
        rows.append(
            (
                f'{escape(first.step)}<div class="reason"><small>{escape(first.why)}</small></div>',
                _names(each.action for each in rights),
                _names(first.on),
                f'<div class="reason">{escape(first.condition)}</div>',
            )
        )
    names = ("To", "Actions", "On", "If")
    return table("Permissions of the Lambda function in the recommended template", names, rows)


def _documented(found: Iterable[explain.Use]) -> str:
    rows = [
        (mono(each.action), mono(each.on), escape(", ".join(each.steps)) or "not used")
        for each in found
    ]
    names = ("Action", "On", "Used to")
    return table("Permissions of the Lambda function in the documented template", names, rows)


def _changed(changes: Customization) -> str:
    """Return the places that a customization changes, and the rights that it adds."""
    places = "".join(
        f"<li>{escape(kind.value)}: {mono(each)}</li>"
        for kind, found in changes.places.items()
        for each in found
    )
    rows = list(_added(changes))
    names = ("Template", "Resource", "Who", "Actions", "On", "If")
    rights = table("Policy statements that the customization adds", names, rows) if rows else ""
    return f"<h3>What {mono(changes.by)} changes</h3><ul>{places}</ul>{rights}"


def _added(changes: Customization) -> Iterator[tuple[str, ...]]:
    for kind, found in changes.rights.items():
        for each in found:
            denied = "Denied: " if each.effect == "Deny" else ""
            yield (
                escape(kind.value),
                mono(each.resource),
                mono(each.who),
                denied + _names(each.actions),
                _names(each.on),
                escape(each.condition),
            )


def _names(found: Iterable[str]) -> str:
    return "<br>".join(map(mono, found))


def _bullets(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in items) + "</ul>"
