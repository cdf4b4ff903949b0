"""The marks by which the handler knows its own; they are the only state there is.

Names and marks carry a format version, so that each release recognises what earlier ones left.
"""

import hashlib
import re
from dataclasses import dataclass

FORMAT = "1"
NAME = "dt-logs-analysis"
BUCKET_TAG = "dt-logs-analysis:stack"
TEST_FILE = "ELBAccessLogTestFile"

_MARK = re.compile(rf"(?:^|/){NAME}/([0-9a-f]{{12}})$")
_OWN_BUCKET = re.compile(rf"{NAME}-[0-9a-f]{{12}}-[0-9]{{12}}-[a-z0-9-]+")


def digest(text: str, length: int) -> str:
    """Return the first `length` hex digits of the text's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


@dataclass(frozen=True)
class Stack:
    """The stack that the handler works for, read from its StackId."""

    id: str
    partition: str
    region: str
    account: str

    @property
    def tag(self) -> str:
        """The stack's digest: it cannot be guessed, since a StackId contains a UUID."""
        return digest(self.id, 12)

    @property
    def own_buckets(self) -> tuple[str, str]:
        """Names of the bucket it may create: account-regional namespace first, then global."""
        name = f"{NAME}-{self.tag}-{self.account}-{self.region}"
        return f"{name}-an", name

    def physical_id(self, logical_id: str) -> str:
        """Return the custom resource's id: the same for its whole life, so never a replacement."""
        return f"{NAME}-{digest(f'{self.id}|{logical_id}', 24)}"

    def topic_arn(self, bucket: str) -> str:
        """Return the ARN of the topic for a bucket; `_` cannot occur in a bucket's name."""
        name = f"{NAME}-{FORMAT}-{bucket.replace('.', '_')}"
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{name}"


@dataclass(frozen=True, order=True)
class Location:
    """Where an ALB logs to: a bucket and the access-log prefix, which may be empty."""

    bucket: str
    prefix: str

    def key(self, rest: str) -> str:
        """Return the object key of `rest` below the location."""
        return f"{self.prefix}/{rest}" if self.prefix else rest

    def log_prefix(self, stack: Stack) -> str:
        """Return what the keys of the account's log objects begin with in the region."""
        return self.key(f"AWSLogs/{stack.account}/elasticloadbalancing/{stack.region}/")

    def test_file(self, stack: Stack) -> str:
        """Return the key of the object that ELB writes when logging is turned on."""
        return self.key(f"AWSLogs/{stack.account}/{TEST_FILE}")

    @property
    def mark(self) -> str | None:
        """The tag of the stack that turned logging on to this location, if one did."""
        found = _MARK.search(self.prefix)
        return found[1] if found else None

    @property
    def digest(self) -> str:
        return digest(f"{self.bucket}/{self.prefix}", 8)

    @property
    def notification_id(self) -> str:
        """The Id of the notification for this location, shared by all stacks that use it."""
        return f"{NAME}-{FORMAT}-{digest(f'{self.bucket}/{self.prefix}', 16)}"


def marked(prefix: str, tag: str, *, kept: bool) -> str:
    """Append a stack's mark to an access-log prefix, in place of a mark that is there.

    `kept` tells that bucket and prefix are the customer's, though logging was off: then something
    stands before the mark, `_` for no prefix at all. Nothing does where the bucket was not set.
    """
    if not kept:
        return f"{NAME}/{tag}"
    base = unmarked(prefix)
    return f"{'_' if base[:1] in ('', '_') else ''}{base}/{NAME}/{tag}"


def is_kept(prefix: str) -> bool:
    """Tell of a marked prefix whether the bucket was the customer's choice."""
    return _MARK.sub("", prefix) != ""


def unmarked(prefix: str) -> str:
    """Strip the mark from an access-log prefix: what it was before."""
    base = _MARK.sub("", prefix)
    return base.removeprefix("_") if base != prefix else prefix


def is_own_notification(identifier: str) -> bool:
    """Tell whether a notification's Id is one of ours, of any format."""
    return re.fullmatch(rf"{NAME}-[0-9]+-[0-9a-f]{{16}}", identifier) is not None


def is_own_bucket_name(name: str) -> bool:
    """Tell whether only some stack of ours can have given this name: it has a stack tag in it."""
    return _OWN_BUCKET.fullmatch(name) is not None
