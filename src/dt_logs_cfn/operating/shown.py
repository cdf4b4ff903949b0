"""Values as they may be shown: an address may hold a token in its path or query; pure."""

import re
from collections.abc import Iterator, Mapping

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
    """Return somebody else's text with each address in it as it may be shown."""
    return re.sub(r"\S+", lambda found: shown_value(found[0]), text)


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """Yield what changes from old to new values, a line each."""
    for name, value in new.items():
        after = shown_value(value) or "empty"
        if name not in old:
            yield f"{name} = {after} (new)"
        elif old[name] != value:
            before = shown_value(old[name]) or "empty"
            same = " (the hidden part changes)" if before == after else ""
            yield f"{name}: {before} -> {after}{same}"
    yield from (f"{name} goes" for name in old if name not in new)
