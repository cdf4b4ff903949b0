"""Find the destinations that the settings name, and the source's revision."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.settings import DNS_SUFFIXES, Settings, Vendor, partition_of

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


def destination(vendor: Vendor) -> Destination:
    """Return the destination that a vendor's base URL names.

    Raises PublishError for a base URL that is not an S3 URL, does not name a bucket, or belongs to
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
    """Return the destination with this bucket from the settings; check the prefix and the region.

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
            "git cannot be run to get the revision.", f"Install it, {_OTHERWISE}"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.split())[:200] or "it says nothing"
        raise PublishError(f"git did not name the revision: {said}.", f"Correct that, {_OTHERWISE}")
    return done.stdout
