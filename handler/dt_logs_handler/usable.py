"""Whether logs can flow from a bucket to the vendor, and what to do where they cannot."""

from .deny import delivery, denying, vendor
from .documents import compact
from .errors import Refused
from .marks import Location, Stack
from .model import Absent, Bucket, Unreadable
from .register import Registration

OWNERSHIP_THAT_READS = ("BucketOwnerEnforced", "BucketOwnerPreferred")


def usable(
    found: Bucket | Absent | Unreadable,
    location: Location,
    registration: Registration,
    stack: Stack,
) -> Bucket:
    """Return the bucket if the vendor can read there what ELB writes; raises Refused.

    The reason names the fix, with the exact setting or statement where that is the fix.
    """
    name = location.bucket
    match found:
        case Absent():
            raise Refused(
                f"Bucket {name}, to which the load balancer is set to log, does not exist.",
                "Create it again or set another bucket for its access logs, then run the stack"
                " again.",
            )
        case Unreadable(why):
            raise Refused(
                f"Bucket {name} belongs to another account or denies this account ({why}).",
                "Let the load balancer log to a bucket of this account, or have the bucket's owner"
                " add this statement and onboard from there: "
                + compact(registration.statement(stack)),
            )
        case Bucket():
            _check_settings(found, ours=found.maker == stack.tag)
            _check_denied(found, location, registration, stack)
            return found


def can_receive(bucket: Bucket, location: Location, stack: Stack) -> None:
    """Check what ELB needs to begin to log to a bucket that nothing logs to yet; raises Refused."""
    if bucket.region and bucket.region != stack.region:
        raise Refused(
            f"Bucket {bucket.name} is in region {bucket.region}, and load balancers log only to"
            f" buckets of their own region, {stack.region}.",
            "Choose a bucket of that region.",
        )
    if "AWSLogs" in location.prefix:
        raise Refused(
            f"The access-log prefix {location.prefix!r} contains AWSLogs, which ELB refuses.",
            "Clear the prefix of the load balancer's access logs.",
        )
    resource = f"arn:{stack.partition}:s3:::{location.bucket}/{location.test_file(stack)}"
    sid = denying(bucket.policy, delivery(), "s3:PutObject", resource)
    if sid:
        raise Refused(
            f"Statement {sid} of the policy of bucket {bucket.name} denies Elastic Load Balancing"
            " to write.",
            "Add to it the condition"
            ' "Bool": {"aws:PrincipalIsAWSService": "false"}, so that it leaves out AWS services.',
        )


def _check_settings(bucket: Bucket, *, ours: bool) -> None:
    """Check what decides whether logs can flow; what is `ours` the plan sets right again."""
    if bucket.encryption != "AES256" and not ours:
        raise Refused(
            f"Bucket {bucket.name} encrypts with {bucket.encryption} by default, and load balancers"
            " log only to buckets with SSE-S3.",
            "Set its default encryption to SSE-S3 (AES256), or choose another bucket.",
        )
    if bucket.ownership not in OWNERSHIP_THAT_READS and not ours:
        raise Refused(
            f"Bucket {bucket.name} has the object ownership {bucket.ownership}, under which the log"
            " objects are ELB's and its policy opens none of them to Data Theorem.",
            "Set its object ownership to BucketOwnerEnforced (or BucketOwnerPreferred).",
        )
    if bucket.public and bucket.public_access_block.get("RestrictPublicBuckets"):
        raise Refused(
            f"The policy of bucket {bucket.name} has a public statement, and RestrictPublicBuckets"
            " therefore cuts off every other account.",
            "Remove the public statement, or give it a condition that makes it not public.",
        )


def _check_denied(
    bucket: Bucket, location: Location, registration: Registration, stack: Stack
) -> None:
    account = registration.vendor
    base = f"arn:{stack.partition}:s3:::{bucket.name}/{location.log_prefix(stack)}"
    resource = f"{base}2026/01/01/{stack.account}_elasticloadbalancing_{stack.region}_app.log.gz"
    sid = denying(bucket.policy, vendor(account, stack.partition), "s3:GetObject", resource)
    if sid:
        condition = {"StringNotEquals": {"aws:PrincipalAccount": account}}
        raise Refused(
            f"Statement {sid} of the policy of bucket {bucket.name} denies Data Theorem's account"
            f" {account} to read.",
            f"Add to it the condition {compact(condition)}.",
        )
