"""Plan a publication as data: the source's revision, the destinations, and groups of steps.

The groups run one after the other. `--dry-run` prints the steps that the publisher would carry out.
The first upload, SHA256SUMS, claims the version. It covers every other file of the release, so if
several publishers have different files, only one continues. Nothing points to a version until every
file has been uploaded, and then fetched as a customer would fetch it.
"""

import re
import subprocess
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.release.build import CHECKSUMS, Release
from dt_logs_cfn.release.catalogue import LATEST, VERSIONS, Entry, Withdrawn
from dt_logs_cfn.settings import DNS_SUFFIXES, Settings, Vendor, partition_of
from dt_logs_cfn.verify.provenance import SIGNATURE

# A version's objects never change. `versions.json` and `latest.json` do, so caches must revalidate
# them.
FOR_EVER = "public, max-age=31536000, immutable"
FRESH = "no-cache"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "json": "application/json",
    "zip": "application/zip",
}
_TEXT = "text/plain; charset=utf-8"

# S3's virtual-hosted and path styles, with and without a region, also dual-stack [AWS, "Virtual
# hosting of buckets"]. CloudFormation reads templates only from S3, and not from a website endpoint
# [botocore, CreateStack: TemplateURL].
_HOST = re.compile(
    r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]+)\.)??s3(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+))?"
    r"\.(?P<suffix>amazonaws\.[a-z.]+)"
)
_OTHERWISE = "or give --revision if the source is not in git."


@dataclass(frozen=True)
class Destination:
    """A partition's location for releases. `url` is the base URL, without a final slash."""

    partition: str
    bucket: str
    prefix: str
    region: str
    url: str

    def key(self, name: str) -> str:
        """Return the key of an object below the prefix."""
        return f"{self.prefix}/{name}" if self.prefix else name


@dataclass(frozen=True)
class Upload:
    """Write an object unless it exists; accept an existing one only if its bytes are equal.

    For a signature, `signs` has the signed bytes. Any valid signature of them is also accepted,
    because some kinds of keys sign differently each time.
    """

    name: str
    content: bytes = field(repr=False)
    retain_until: datetime | None = None
    signs: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Compare:
    """Fetch an uploaded file by its public URL; compare it, or verify it as a signature."""

    upload: Upload


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


def destination(vendor: Vendor) -> Destination:
    """Return the destination that a vendor's base URL names.

    Raises PublishError for a base URL that is not S3's, does not name a bucket, or belongs to
    another partition.
    """
    parts = urlsplit(vendor.base_url)
    found = _HOST.fullmatch(parts.hostname or "")
    if found is None:
        raise _wrong(vendor, "is not an S3 URL; CloudFormation reads templates only from S3")
    path = parts.path.removeprefix("/")
    bucket, prefix = found["bucket"], path
    if not bucket:
        bucket, _, prefix = path.partition("/")
    if not bucket:
        raise _wrong(vendor, "names no bucket")
    region = found["region"] or "us-east-1"
    of = (partition_of(region), found["suffix"])
    if of != (vendor.partition, DNS_SUFFIXES[vendor.partition]):
        raise _wrong(vendor, f"is not one of partition {vendor.partition}")
    return Destination(vendor.partition, bucket, prefix, region, vendor.base_url)


def chosen(settings: Settings, bucket: str, prefix: str | None, region: str | None) -> Destination:
    """Return the settings' destination with this bucket; check the prefix and the region.

    Templates, links and `verify` use the base URL, so a release can be published only there. Raises
    PublishError.
    """
    known = [destination(vendor) for vendor in settings.vendors if vendor.base_url]
    found = next((each for each in known if each.bucket == bucket), None)
    if found is None:
        named = ", ".join(each.bucket for each in known) or "none"
        raise PublishError(
            f"No base_url of release.cfg names the bucket {bucket[:80]!r}; they name {named}.",
            "Set the partition's base_url in release.cfg, and build again; or give that bucket.",
        )
    given = {"prefix": prefix and prefix.strip("/"), "region": region}
    for name, value in given.items():
        if value is not None and value != getattr(found, name):
            raise PublishError(
                f"The base_url of {bucket} has the {name} {getattr(found, name)!r},"
                f" not {value[:80]!r}.",
                f"Leave --{name} out, or correct release.cfg and build again.",
            )
    return found


def revision(checkout: Path) -> str:
    """Return the commit of a clean checkout. Raises PublishError."""
    status = _git(checkout, "status", "--porcelain", "--untracked-files=all")
    if status:
        changed = status.splitlines()[0].strip()
        raise PublishError(
            f"The checkout has uncommitted changes ({changed[:80]}).",
            f"Commit or stash it, {_OTHERWISE}",
        )
    found = _git(checkout, "rev-parse", "HEAD").strip()
    if not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", found):
        raise PublishError("git does not name a commit.", f"Commit first, {_OTHERWISE}")
    return found


def publication_plan(
    release: Release,
    signature: bytes | None,
    revision: str,
    at: datetime,
    latest: bool = False,
    retain_until: datetime | None = None,
) -> Plan:
    """Return the steps that publish a release of a revision at a time (UTC), in order.

    They are the same at every destination.
    """
    entry = Entry(release.version, release.sha256, revision, _timestamp(at))
    sums = release.files[CHECKSUMS]
    contents = {CHECKSUMS: sums, **release.files}  # the checksums come first
    if signature is not None:
        contents[SIGNATURE] = signature
    claim, *others = (
        Upload(f"{entry.version}/{name}", each, retain_until, sums if name == SIGNATURE else None)
        for name, each in contents.items()
    )
    return (
        (Enter(entry, only_check=True),),
        (claim,),
        tuple(others),
        tuple(map(Compare, (claim, *others))),
        (Enter(entry),),
        *(((Point(entry.version),),) if latest else ()),
    )


def withdrawal_plan(version: str, reason: str, at: datetime) -> Plan:
    """Return the steps that withdraw a version. Raises ValueError for an invalid reason."""
    return ((Withdraw(version, Withdrawn(_timestamp(at), reason)),), (Point(None),))


def told(step: Step, destination: Destination) -> str:
    """Return a step as one line for people."""
    match step:
        case Upload():
            lock = f", locked until {step.retain_until:%Y-%m-%d}" if step.retain_until else ""
            return (
                f"put s3://{destination.bucket}/{destination.key(step.name)} if it does not exist"
                f" ({len(step.content):,} bytes, {content_type(step.name)}{lock})"
            )
        case Compare():
            how = "verify" if step.upload.signs else "compare"
            return f"get {destination.url}/{step.upload.name} and {how}"
        case Enter(only_check=True):
            return f"check whether {VERSIONS} accepts {step.entry.version}"
        case Enter():
            return f"enter {step.entry.version} into {VERSIONS}"
        case Withdraw():
            return f"mark {step.version} in {VERSIONS} as withdrawn: {step.withdrawal.reason}"
        case Point():
            to = step.version or "an earlier version, if it points to the withdrawn one"
            return f"point {LATEST} to {to}"


def content_type(name: str) -> str:
    """Return the media type of a release file, from its name."""
    return _TYPES.get(name.rpartition(".")[2], _TEXT)


def _timestamp(at: datetime) -> str:
    """Return a time (UTC) in the catalogue's format."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _wrong(vendor: Vendor, what: str) -> PublishError:
    return PublishError(
        f"base_url of partition {vendor.partition} {what}.",
        "Give one like https://BUCKET.s3.REGION.amazonaws.com/PREFIX in release.cfg.",
    )


def _git(checkout: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ("git", *arguments), cwd=checkout, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PublishError(
            "git cannot be asked for the revision.", f"Install it, {_OTHERWISE}"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:200] or "it says nothing"
        raise PublishError(f"git did not name the revision: {said}.", f"Correct that, {_OTHERWISE}")
    return done.stdout
