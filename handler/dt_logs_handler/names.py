"""Names: the patterns of AWS's values, and the marks of our resources and settings.

The template's patterns and the command line's checks use these definitions. CloudFormation uses
Java's syntax, so each pattern must mean the same in Python and in Java.

The marks are the only state that the handler keeps. Sids, notification IDs and topic names contain
a format version, so that each release recognises what earlier releases left.
"""

import hashlib
import re
from dataclasses import dataclass

ACCOUNT_ID = "[0-9]{12}"
ARN = "arn:aws[a-z-]*"
_PLACE = f"[a-z0-9-]+:{ACCOUNT_ID}"
LOAD_BALANCER_ARN = (
    rf"{ARN}:elasticloadbalancing:{_PLACE}:loadbalancer/app/[A-Za-z0-9-]{{1,32}}/[0-9a-f]{{16}}"
)
QUEUE_ARN = rf"{ARN}:sqs:{_PLACE}:[A-Za-z0-9_-]{{1,80}}"
HTTPS_URL = r"https://[A-Za-z0-9.-]+\.[A-Za-z0-9-]+(?::[0-9]{1,5})?(?:[/?][!-~]*)?"
STACK_ID = rf"{ARN}:cloudformation:{_PLACE}:stack/[A-Za-z0-9-]+/[^/\s]+"
# A name that S3 accepts for a new bucket.
BUCKET_NAME = (
    r"(?!([0-9]+\.){3}[0-9]+$|xn--|sthree-|amzn-s3-demo-|.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)"
    r"[a-z0-9]([a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]"
)
EVERY_LOAD_BALANCER = "*"

FORMAT = "1"
NAME = "dt-logs-analysis"
BUCKET_TAG = f"{NAME}:stack"
LEFT_TAG = f"{NAME}:left"  # on a bucket that stays; lists what a stack left behind
TEST_FILE = "ELBAccessLogTestFile"

_TAG = "([0-9a-f]{12})"  # a stack's tag
_MARK = f"(?:^|/){NAME}/{_TAG}$"


def digest(text: str, length: int) -> str:
    """Return the first `length` hex digits of a string's SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def load_balancer_name(arn: str) -> str:
    """Return the `app/NAME/ID` at the end of a load balancer's ARN.

    Any other string is returned unchanged.
    """
    return arn.partition(":loadbalancer/")[2] or arn


@dataclass(frozen=True)
class Stack:
    """The stack that the handler works for, with its partition, region and account."""

    id: str
    partition: str
    region: str
    account: str

    @classmethod
    def of(cls, identifier: str) -> "Stack":
        """Return the stack with this ID, which must match STACK_ID."""
        _, partition, _, region, account, *_ = identifier.split(":")
        return cls(identifier, partition, region, account)

    @property
    def tag(self) -> str:
        """The stack's digest, which cannot be guessed because a stack ID contains a UUID."""
        return digest(self.id, 12)

    @property
    def own_buckets(self) -> tuple[str, str]:
        """The names that the stack may give its bucket: account-regional, then global."""
        name = f"{NAME}-{self.tag}-{self.account}-{self.region}"
        return f"{name}-an", name

    def has(self, arn: str) -> bool:
        """Return whether an ARN is in the stack's partition, region and account."""
        place = f"{self.region}:{self.account}"
        return bool(re.match(f"arn:{self.partition}:[a-z]+:{place}:", arn))

    def physical_id(self, logical_id: str) -> str:
        """Return the custom resource's ID. It never changes, so the resource is never replaced."""
        return f"{NAME}-{digest(f'{self.id}|{logical_id}', 24)}"

    def topic_arn(self, bucket: str) -> str:
        """Return the ARN of a bucket's topic.

        A bucket name that a topic's name cannot contain is adapted and followed by `_` and a
        digest.
        """
        name = re.sub(r"[\W_]", "-", bucket)[:63]
        name += f"_{digest(bucket, 16)}" * (name != bucket)
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{NAME}-{FORMAT}-{name}"


@dataclass(frozen=True, order=True)
class Location:
    """Where a load balancer logs: a bucket and an access-log prefix, which may be empty."""

    bucket: str
    prefix: str

    def key(self, rest: str) -> str:
        """Return the object key of `rest` below the location."""
        return f"{self.prefix}/{rest}" if self.prefix else rest

    def log_prefix(self, stack: Stack) -> str:
        """Return the key prefix of the account's log files in the region."""
        return self.key(f"AWSLogs/{stack.account}/elasticloadbalancing/{stack.region}/")

    def test_file(self, stack: Stack) -> str:
        """Return the key of the test file that ELB writes when logging is turned on."""
        return self.key(f"AWSLogs/{stack.account}/{TEST_FILE}")

    @property
    def mark(self) -> str | None:
        """The stack tag at the end of the prefix, or None."""
        found = re.search(_MARK, self.prefix)
        return found[1] if found else None

    @property
    def digest(self) -> str:
        return digest(f"{self.bucket}/{self.prefix}", 8)

    @property
    def notification_id(self) -> str:
        """The ID of the location's notification, which all stacks share."""
        return f"{NAME}-{FORMAT}-{digest(f'{self.bucket}/{self.prefix}', 16)}"


def marked(prefix: str, tag: str, *, kept: bool) -> str:
    """Return an access-log prefix with a stack's mark, which replaces an earlier mark.

    `kept` means that the customer chose the bucket and the prefix, although logging was off. The
    mark then follows the customer's prefix. A prefix that is empty or begins with `_` first gets a
    `_` in front. If we chose the bucket, the prefix is the mark alone.
    """
    if not kept:
        return f"{NAME}/{tag}"
    base = unmarked(prefix)
    return f"{'_' if base[:1] in ('', '_') else ''}{base}/{NAME}/{tag}"


def is_kept(prefix: str) -> bool:
    """Return whether a marked prefix shows that the customer chose the bucket."""
    return re.sub(_MARK, "", prefix) != ""


def unmarked(prefix: str) -> str:
    """Return an access-log prefix as it was before it was marked."""
    return re.sub(f"^_?(.*?){_MARK}", r"\1", prefix)


def is_own_notification(identifier: str) -> bool:
    """Return whether a notification's ID is ours, in any format version."""
    return bool(re.fullmatch(f"{NAME}-[0-9]+-[0-9a-f]{{16}}", identifier))


def is_own_bucket_name(name: str) -> bool:
    """Return whether a bucket name has the form that only our stacks use, with a stack tag."""
    return bool(re.fullmatch(f"{NAME}-{_TAG}-{ACCOUNT_ID}-[a-z0-9-]+", name))
