"""Model `versions.json` (the list of published versions) and `latest.json`, and their changes.

`versions.json` has an entry for each version, the newest first:

    {"versions": [{"version": "1.0.0", "sha256sums": "…", "revision": "…", "published": "…",
                   "withdrawn": {"at": "…", "reason": "…"}}]}

`latest.json` has {"version", "sha256sums", "url"}, or {"version": null} if its version was
withdrawn and there is no earlier one. A version has three numbers, without the suffixes that
semantic versioning allows.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from dt_logs_cfn.errors import PublishError

VERSION = "(0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})[.](0|[1-9][0-9]{0,8})"
VERSIONS = "versions.json"
LATEST = "latest.json"
LIMIT = 1_000_000  # bytes, enough for thousands of versions

_DIGEST = re.compile("[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_LONGEST = 500


@dataclass(frozen=True)
class Withdrawn:
    """The time (UTC) of a version's withdrawal, and the reason."""

    at: str
    reason: str

    def __post_init__(self) -> None:
        if not _TIME.fullmatch(self.at) or not self.reason or not _is_line(self.reason):
            raise ValueError("a withdrawal has a time and a reason of one line")


@dataclass(frozen=True)
class Entry:
    """A version, its source's revision, its publication time (UTC), and any withdrawal.

    `sha256sums` is the SHA-256 of the version's SHA256SUMS.
    """

    version: str
    sha256sums: str
    revision: str
    published: str
    withdrawn: Withdrawn | None = None

    def __post_init__(self) -> None:
        if (
            not is_version(self.version)
            or not _DIGEST.fullmatch(self.sha256sums)
            or not _TIME.fullmatch(self.published)
            or not _is_line(self.revision)
        ):
            raise ValueError("an entry has a version, a SHA-256, a revision and a time")


@dataclass(frozen=True)
class Catalogue:
    """The published versions, including withdrawn ones, the newest first."""

    entries: tuple[Entry, ...] = ()

    def __post_init__(self) -> None:
        names = [each.version for each in self.entries]
        if len(set(names)) < len(names):
            raise ValueError("a version appears twice")
        ordered = sorted(self.entries, key=lambda each: numbers(each.version), reverse=True)
        object.__setattr__(self, "entries", tuple(ordered))

    def find(self, version: str) -> Entry | None:
        """Return a version's entry, or None if it is not listed."""
        return next((each for each in self.entries if each.version == version), None)

    def entered(self, entry: Entry) -> "Catalogue":
        """Return the catalogue with an entry added, or unchanged if the version is listed already.

        Raises PublishError for a version that is listed with other contents, or was withdrawn.
        """
        found = self.find(entry.version)
        if found is None:
            return Catalogue((*self.entries, entry))
        if found.withdrawn:
            raise PublishError(
                f"{entry.version} was withdrawn: {found.withdrawn.reason}.", "Raise the version."
            )
        if found.sha256sums != entry.sha256sums:
            raise PublishError(
                f"{entry.version} is listed in {VERSIONS} with other contents.",
                "Raise the version, because a published version does not change.",
            )
        return self

    def withdrawn(self, version: str, withdrawal: Withdrawn) -> "Catalogue":
        """Return the catalogue with a version marked as withdrawn; an older mark is kept.

        Raises PublishError if the version is not listed.
        """
        found = self.find(version)
        if found is None:
            raise PublishError(
                f"{version[:80]} is not a published version.",
                "Name a version that versions.json lists.",
            )
        if found.withdrawn:
            return self
        marked = replace(found, withdrawn=withdrawal)
        return Catalogue(tuple(marked if each is found else each for each in self.entries))

    def latest(self, current: str | None, candidate: str | None) -> Entry | None:
        """Choose the entry for `latest.json`, if any, from the file's version and a candidate.

        An older candidate does not replace the file's current version. If the current version was
        withdrawn or is not listed, the newest of the candidate and the versions before the current
        one replaces it. Withdrawn versions do not count.
        """
        found = [self.find(each) for each in (current, candidate) if each]
        good = [each for each in found if each and not each.withdrawn]
        if current and (not good or good[0].version != current):
            limit = numbers(current)
            good += [e for e in self.entries if not e.withdrawn and numbers(e.version) < limit]
        return max(good, key=lambda each: numbers(each.version), default=None)

    def to_json(self) -> dict[str, object]:
        """Return the catalogue in the format of `versions.json`."""
        return {
            "versions": [
                {name: value for name, value in asdict(each).items() if value is not None}
                for each in self.entries
            ]
        }

    @classmethod
    def parse(cls, content: bytes, lenient: bool = False) -> "Catalogue":
        """Parse an untrusted catalogue. Raises PublishError.

        `lenient` ignores fields that a later version of this project may add to an entry. Only
        readers may use it, because a writer would lose these fields.
        """
        try:
            entries = _loaded(content)["versions"]
            return cls(tuple(_entry(each, lenient) for each in entries))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise _damaged(VERSIONS) from error


def is_version(text: str) -> bool:
    """Return whether a text is a version like 1.2.3."""
    return re.fullmatch(VERSION, text) is not None


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers, to compare versions. Raises ValueError if it is not a version."""
    found = re.fullmatch(VERSION, version)
    if found is None:
        raise ValueError(f"{version[:80]!r} is not a version")
    return tuple(map(int, found.groups()))


def pointer(entry: Entry | None, url: str) -> dict[str, object]:
    """Return the content of `latest.json` for an entry at a base URL."""
    if entry is None:
        return {"version": None}
    sums, version = entry.sha256sums, entry.version
    return {"version": version, "sha256sums": sums, "url": f"{url}/{version}/"}


def pointed(content: bytes) -> str | None:
    """Return the version that a `latest.json` names, or None. Raises PublishError."""
    try:
        version: str | None = _loaded(content)["version"]
        if version is not None:
            numbers(version)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(LATEST) from error
    return version


def _damaged(name: str) -> PublishError:
    return PublishError(
        f"{name} is damaged, or another program wrote it.", "Correct it, then try again."
    )


def _loaded(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _entry(value: Mapping[str, Any], lenient: bool) -> Entry:
    known = {each.name for each in fields(Entry)}
    given = {name: each for name, each in value.items() if name in known or not lenient}
    if "withdrawn" in given:
        given["withdrawn"] = Withdrawn(**given["withdrawn"])
    return Entry(**given)


def _is_line(text: str) -> bool:
    return text.isprintable() and len(text) <= _LONGEST
