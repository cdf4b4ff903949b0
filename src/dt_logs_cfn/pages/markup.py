"""Make a document that cannot load anything, and the parts that the pages share."""

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from dt_logs_cfn.cli.terminal import meaning


def document(title: str, style: str, body: str, script: str = "") -> str:
    """Return a whole page; its Content-Security-Policy allows only this style and this script.

    `body` is markup; neither `style` nor `script` may contain an end tag.
    """
    scripts = f"; script-src {_digest(script)}" if script else ""
    policy = (
        f"default-src 'none'; style-src {_digest(style)}{scripts};"
        " base-uri 'none'; form-action 'none'"
    )
    end = f"<script>{script}</script>" if script else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>{body}{end}</body></html>\n"
    )


def asset(name: str) -> str:
    """Return the text of a style, a script or another file of this package."""
    return Path(__file__).with_name(name).read_text("utf-8")


def filled(name: str, **parts: str) -> str:
    """Return one of this package's pages, with markup in place of names like @FILES@.

    A line break next to a tag is removed; after a backslash it stays; elsewhere it becomes a space.
    """
    text = re.sub(r"(?<=>)\n|\n(?=<)", "", asset(name).strip())
    text = re.sub(r"(?<!\\)\n", " ", text)
    return re.sub("@([A-Z_]+)@", lambda found: parts[found[1]], text)


def table(
    caption: str, names: Sequence[str], rows: Iterable[Sequence[str]], where: str = ""
) -> str:
    """Return a table, or an empty string if there are no rows; names and cells are markup.

    On a phone, the cells of a row are stacked, each with its column's name.
    """
    label = escape(f"{caption}: {where}" if where else caption)
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    cells = (
        "".join(
            f'<td data-name="{name}">{cell}</td>' for name, cell in zip(names, row, strict=True)
        )
        for row in rows
    )
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return body and (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def mono(text: str) -> str:
    """Return text in monospace, as markup."""
    return f'<span class="mono">{escape(text)}</span>'


def code(markup: str, name: str = "") -> str:
    """Return markup as a block of code that wraps long lines; a script finds it by `name`."""
    found = f' id="{name}"' if name else ""
    return f'<pre class="wrapped"{found}>{markup}</pre>'


def meant(text: str, kind: str = "") -> str:
    """Return text coloured by its meaning, as in the terminal; the kind `badge` stands out."""
    return f'<span class="{kind} {meaning(text)}">{escape(text)}</span>'


def listed(title: str, lines: Iterable[str]) -> str:
    """Return lines with a heading, coloured like a diff."""
    items = "".join(f"<li>{meant(each)}</li>" for each in lines)
    return f'<h4>{escape(title)}</h4><ul class="diff">{items}</ul>'


def folded(summary: str, body: str, opened: bool = False) -> str:
    """Return a block that a click on its summary opens; it is open at first if `opened`.

    Without a body, return only the summary.
    """
    if not body:
        return f"<p>{summary}</p>"
    return f"<details{' open' if opened else ''}><summary>{summary}</summary>{body}</details>"


def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
