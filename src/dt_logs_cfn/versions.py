"""Version numbers: three numbers, without what semantic versioning allows behind them."""

import re

_VERSION = re.compile("(0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})")


def is_version(text: str) -> bool:
    """Return whether a text is a version like 1.2.3."""
    return _VERSION.fullmatch(text) is not None


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, by which versions are ordered. Raises ValueError."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise ValueError(f"{version[:80]!r} is no version")
    return tuple(map(int, found.groups()))
