"""Plan a publication as data: groups of steps, one group after the other.

`--dry-run` prints what the publisher carries out. The first step claims the version: SHA256SUMS
names every other byte of the release, so of several publishers with different bytes only one
continues. Nothing points to a version until all of it was uploaded and fetched as a customer would.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.release.build import CHECKSUMS, Release
from dt_logs_cfn.release.catalogue import LATEST, VERSIONS, Entry, Withdrawn
from dt_logs_cfn.verify.signature import SIGNATURE

# A version's objects never change; the two that do are not cached.
FOR_EVER = "public, max-age=31536000, immutable"
FRESH = "no-cache"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "zip": "application/zip",
}
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Upload:
    """Write an object unless it exists; the same bytes are accepted, others are a failure."""

    key: str
    content: bytes = field(repr=False)
    retain_until: datetime | None = None

    @property
    def content_type(self) -> str:
        """The media type, by the name's ending."""
        return content_type(self.key)


@dataclass(frozen=True)
class Sign(Upload):
    """Write the signature unless a valid one exists: most keys sign differently each time."""

    sums: bytes = field(kw_only=True, repr=False)


@dataclass(frozen=True)
class Compare:
    """Fetch a file by its public URL, and compare it."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class CompareSignature:
    """Fetch the signature by its public URL, and check it."""

    name: str
    sums: bytes = field(repr=False)


@dataclass(frozen=True)
class Admit:
    """Check that `versions.json` would accept a version, before anything is written."""

    entry: Entry


@dataclass(frozen=True)
class Enter:
    """Enter a version into `versions.json`."""

    entry: Entry


@dataclass(frozen=True)
class Withdraw:
    """Mark a version in `versions.json` as withdrawn."""

    version: str
    withdrawal: Withdrawn


@dataclass(frozen=True)
class Point:
    """Point `latest.json` to a version; without one, to an earlier one than the withdrawn one."""

    version: str | None


Step = Upload | Sign | Compare | CompareSignature | Admit | Enter | Withdraw | Point
Plan = tuple[tuple[Step, ...], ...]


@dataclass(frozen=True)
class Publication:
    """A release to publish, with the source's revision and the time (UTC)."""

    release: Release
    signature: bytes | None
    revision: str
    at: datetime
    latest: bool = False
    retain_until: datetime | None = None

    @property
    def entry(self) -> Entry:
        """What `versions.json` says of it."""
        digest = hashlib.sha256(self.release.files[CHECKSUMS]).hexdigest()
        return Entry(self.release.version, digest, self.revision, timestamp(self.at))


def publication_plan(publication: Publication, destination: Destination) -> Plan:
    """Return the steps that publish a release at one destination, in order."""
    version, until = publication.release.version, publication.retain_until
    files = dict(publication.release.files)
    sums = files.pop(CHECKSUMS)

    def key(name: str) -> str:
        return destination.key(f"{version}/{name}")

    signing: list[Step] = []
    checking: list[Step] = []
    if publication.signature is not None:
        signing = [Sign(key(SIGNATURE), publication.signature, until, sums=sums)]
        checking = [CompareSignature(f"{version}/{SIGNATURE}", sums)]
    return (
        (Admit(publication.entry),),
        (Upload(key(CHECKSUMS), sums, until),),
        (*(Upload(key(name), content, until) for name, content in files.items()), *signing),
        (
            *(
                Compare(f"{version}/{name}", content)
                for name, content in {CHECKSUMS: sums, **files}.items()
            ),
            *checking,
        ),
        (Enter(publication.entry),),
        *(((Point(version),),) if publication.latest else ()),
    )


def withdrawal_plan(version: str, reason: str, at: datetime) -> Plan:
    """Return the steps that withdraw a version. Raises ValueError if the reason is not one line."""
    return ((Withdraw(version, Withdrawn(timestamp(at), reason)),), (Point(None),))


def told(step: Step, destination: Destination) -> str:
    """Return a step as one line for people."""
    match step:
        case Upload():
            lock = f", locked until {step.retain_until:%Y-%m-%d}" if step.retain_until else ""
            return (
                f"put s3://{destination.bucket}/{step.key} if it is not there"
                f" ({len(step.content):,} bytes, {step.content_type}{lock})"
            )
        case Compare():
            return f"get {destination.url}/{step.name} and compare"
        case CompareSignature():
            return f"get {destination.url}/{step.name} and verify"
        case Admit():
            return f"look whether {VERSIONS} takes {step.entry.version}"
        case Enter():
            return f"enter {step.entry.version} into {VERSIONS}"
        case Withdraw():
            return f"mark {step.version} in {VERSIONS} as withdrawn: {step.withdrawal.reason}"
        case Point():
            to = step.version or "the version before, if it points to the withdrawn one"
            return f"point {LATEST} to {to}"


def content_type(name: str) -> str:
    """Return the media type of a file of a release, by its name."""
    return _TYPES.get(name.rpartition(".")[2], _TEXT)


def timestamp(at: datetime) -> str:
    """Return a time (UTC) in the catalogue's format."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
