"""Plan a publication as data: groups of steps that run one after the other.

`--dry-run` prints the steps that the publisher carries out. The first upload claims the version:
SHA256SUMS covers every other file of the release, so only one of several publishers with different
bytes continues. Nothing points to a version until every file was uploaded, and then fetched as a
customer would fetch it.
"""

from dataclasses import dataclass, field
from datetime import datetime

from dt_logs_cfn.publish.destination import Destination
from dt_logs_cfn.release.build import CHECKSUMS, Release
from dt_logs_cfn.release.catalogue import LATEST, VERSIONS, Entry, Withdrawn
from dt_logs_cfn.verify.signature import SIGNATURE

# A version's objects never change. The two objects that change are not cached.
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
    """Write an object unless it exists; accept the same bytes, and fail for other bytes.

    For a signature, `signs` has the signed bytes. Any valid signature of them is accepted, because
    most keys sign differently each time.
    """

    key: str
    content: bytes = field(repr=False)
    retain_until: datetime | None = None
    signs: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Compare:
    """Fetch a file by its public URL; compare it, or verify it as the signature of `signs`."""

    name: str
    content: bytes = field(repr=False)
    signs: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Enter:
    """Enter a version into `versions.json`, or only check that it would be accepted."""

    entry: Entry
    only_check: bool = False


@dataclass(frozen=True)
class Withdraw:
    """Mark a version in `versions.json` as withdrawn."""

    version: str
    withdrawal: Withdrawn


@dataclass(frozen=True)
class Point:
    """Point `latest.json` to a version; None replaces a withdrawn version with an earlier one."""

    version: str | None


Step = Upload | Compare | Enter | Withdraw | Point
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
        """The version's entry in `versions.json`."""
        return Entry(self.release.version, self.release.sha256, self.revision, timestamp(self.at))


def publication_plan(publication: Publication, destination: Destination) -> Plan:
    """Return the steps that publish a release at one destination, in order."""
    version, until = publication.release.version, publication.retain_until
    files = dict(publication.release.files)
    sums = files.pop(CHECKSUMS)
    contents: list[tuple[str, bytes, bytes | None]] = [(CHECKSUMS, sums, None)]
    contents += [(name, content, None) for name, content in files.items()]
    if publication.signature is not None:
        contents.append((SIGNATURE, publication.signature, sums))
    claim, *uploads = (
        Upload(destination.key(f"{version}/{name}"), content, until, signs)
        for name, content, signs in contents
    )
    return (
        (Enter(publication.entry, only_check=True),),
        (claim,),
        tuple(uploads),
        tuple(Compare(f"{version}/{name}", content, signs) for name, content, signs in contents),
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
                f" ({len(step.content):,} bytes, {content_type(step.key)}{lock})"
            )
        case Compare():
            return f"get {destination.url}/{step.name} and {'verify' if step.signs else 'compare'}"
        case Enter(only_check=True):
            return f"check whether {VERSIONS} accepts {step.entry.version}"
        case Enter():
            return f"enter {step.entry.version} into {VERSIONS}"
        case Withdraw():
            return f"mark {step.version} in {VERSIONS} as withdrawn: {step.withdrawal.reason}"
        case Point():
            to = step.version or "the version before, if it points to the withdrawn one"
            return f"point {LATEST} to {to}"


def content_type(name: str) -> str:
    """Return the media type of a release file, from its name."""
    return _TYPES.get(name.rpartition(".")[2], _TEXT)


def timestamp(at: datetime) -> str:
    """Return a time (UTC) in the catalogue's format."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
