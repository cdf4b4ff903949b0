"""Version numbers: three numbers, without the suffixes that semantic versioning allows."""

import re

VERSION = "(0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})"


def is_version(text: str) -> bool:
    """Return whether a text is a version like 1.2.3."""
    return re.fullmatch(VERSION, text) is not None


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, to compare versions. Raises ValueError for any other text."""
    found = re.fullmatch(VERSION, version)
    if found is None:
        raise ValueError(f"{version[:80]!r} is not a version")
    return tuple(map(int, found.groups()))
