"""Find the bucket, prefix and region for a release in a base URL."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.settings import DNS_SUFFIXES, Settings, Vendor, partition_of

# Virtual-hosted and path style, with and without a region, also dual-stack [AWS, "Virtual hosting
# of buckets"]. CloudFormation reads templates only from S3, and not from a website endpoint
# [botocore, CreateStack: TemplateURL].
_HOST = re.compile(
    r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]+)\.)??s3(?:\.dualstack)?(?:[.-](?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d+))?"
    r"\.(?P<suffix>amazonaws\.[a-z.]+)"
)


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


def destinations(settings: Settings) -> tuple[Destination, ...]:
    """Return the destinations that the settings name, sorted by partition.

    Raises PublishError for a base URL that is not S3's, or belongs to another partition.
    """
    return tuple(destination(vendor) for vendor in settings.vendors if vendor.base_url)


def destination(vendor: Vendor) -> Destination:
    """Return the destination that a vendor's base URL names. Raises PublishError."""
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
    if (partition_of(region), found["suffix"]) != (
        vendor.partition,
        DNS_SUFFIXES[vendor.partition],
    ):
        raise _wrong(vendor, f"is not one of partition {vendor.partition}")
    return Destination(vendor.partition, bucket, prefix, region, vendor.base_url)


def chosen(
    known: tuple[Destination, ...], bucket: str, prefix: str | None, region: str | None
) -> Destination:
    """Return the destination with this bucket, after checking the prefix and the region.

    Templates, links and `verify` use the base URL, so a release can be published only there. Raises
    PublishError.
    """
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


def _wrong(vendor: Vendor, what: str) -> PublishError:
    return PublishError(
        f"base_url of partition {vendor.partition} {what}.",
        "Give one like https://BUCKET.s3.REGION.amazonaws.com/PREFIX in release.cfg.",
    )
