"""Values as they may be shown: an address may hold a token in its path or query; pure."""

import re
from collections.abc import Iterator, Mapping

from dt_logs_cfn.cli.terminal import one_line

_LONGEST = 1_500  # characters of somebody else's text in a line
_HOST = re.compile(r"\[[0-9A-Fa-f:.]*\]|[A-Za-z0-9._-]*")


def shown_value(value: str) -> str:
    """Return a value as it may be shown: an address in it ends with its host."""
    before, address, rest = value.partition("://")
    if not address:
        return value
    # Not urlsplit, which raises ValueError for some of what people write.
    place = re.split(r"[/?#\\\s]", rest, maxsplit=1)[0].rpartition("@")[2]
    host = _HOST.match(place)
    return f"{before}://{host[0] if host else ''}/…"


def shown_text(text: str) -> str:
    """Return a text with each address in it as it may be shown.

    A place in S3 is none: it is known to whoever may see it.
    """
    return re.sub(r"\S+", lambda found: _shown_word(found[0]), text)


def shown_line(text: str) -> str:
    """Return somebody else's text as one line, no longer than a reader takes in."""
    # Hidden first: a sign that steers a terminal becomes a space, and what is behind stays seen.
    return cut(one_line(shown_text(text)))


def cut(text: str) -> str:
    """Return the beginning of a text that is too long for a line."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def changed(before: str, after: str, empty: str = "empty") -> str:
    """Return how a value changes, as it may be shown."""
    old, new = shown_value(before) or empty, shown_value(after) or empty
    same = " (the hidden part changes)" if old == new else ""
    return f"{old} -> {new}{same}"


def _shown_word(word: str) -> str:
    in_s3 = word.startswith("s3://") and word.count("://") == 1
    return word if in_s3 else shown_value(word)


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yield what changes from old to new values, a line each."""
    for name, value in new.items():
        if name not in old:
            yield f"{name} = {shown_value(value) or 'empty'} (new)"
        elif old[name] != value:
            yield f"{name}: {changed(old[name], value)}"
    yield from (f"{name} goes" for name in old if name not in new)
