"""Write what the launch page says about a release with customized templates."""

from collections.abc import Iterator
from html import escape

from dt_logs_cfn.pages.markup import mono, table
from dt_logs_cfn.template.added import Customization

_NAMES = ("Template", "Resource", "Who", "Actions", "On", "If")


def notice(changes: Customization | None) -> str:
    """Return a sentence about who changed the templates; empty if nobody did."""
    if changes is None:
        return ""
    return f" Its templates are customized by {mono(changes.by)}."


def changed(changes: Customization | None) -> str:
    """Return what was changed, and which rights were added; empty if nothing was."""
    if changes is None:
        return ""
    places = "".join(
        f"<li>{escape(kind.value)}: {mono(each)}</li>"
        for kind, found in changes.places.items()
        for each in found
    )
    rows = list(_rights(changes))
    rights = table("Policy statements that the customization adds", _NAMES, rows) if rows else ""
    return f"<h3>What {mono(changes.by)} changes</h3><ul>{places}</ul>{rights}"


def _rights(changes: Customization) -> Iterator[tuple[str, ...]]:
    for kind, found in changes.rights.items():
        for each in found:
            denied = "Denied: " if each.effect == "Deny" else ""
            yield (
                escape(kind.value),
                mono(each.resource),
                mono(each.who),
                denied + "<br>".join(map(mono, each.actions)),
                "<br>".join(map(mono, each.on)),
                escape(each.condition),
            )
