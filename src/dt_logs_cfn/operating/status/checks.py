"""All that `status` checks: from what was seen to verdicts; pure."""

from collections.abc import Iterator

from dt_logs_cfn.operating.status import announcement_checks, bucket_checks, stack_checks
from dt_logs_cfn.operating.status.seen import Check, Logs, Seen, Unread, denied_check, unread_check
from dt_logs_handler.model import Bucket, LoadBalancer

ACCOUNT = "account"


def checks(seen: Seen, version: str, sha256: str) -> Iterator[Check]:
    """Yield every check, by subject: load balancers, stacks, buckets, the account.

    `version` and `sha256` are those of this source and its handler.
    """
    for arn, found in seen.load_balancers.items():
        yield from _load_balancer(seen, arn, found)
    for stack in seen.stacks:
        yield from stack_checks.checks(seen, stack, version, sha256)
    yield from _strays(seen)
    yield Check(
        "organisation's policies",
        ACCOUNT,
        "not readable from an account: a service or resource control policy may deny anything",
        "unknown",
        "Ask whoever runs the organisation whether one denies Data Theorem to read.",
    )


def _load_balancer(seen: Seen, arn: str, found: LoadBalancer | None) -> Iterator[Check]:
    name, subject = "logging", arn.partition(":loadbalancer/")[2]
    if denied := seen.denial(arn, "DescribeLoadBalancerAttributes"):
        yield denied_check(name, subject, denied)
        return
    if found is None:
        fix = "Correct the ARN, or take it out of the stack's LoadBalancerArns."
        yield Check(name, subject, "the load balancer does not exist", "finding", fix)
        return
    logging = found.logging
    if not logging.enabled:
        fix = "Onboard it: `plan` shows how. If a stack has it already, run that again."
        yield Check(name, subject, "access logs are off", "finding", fix)
        return
    place = f"s3://{logging.bucket}/{logging.prefix}"
    yield Check(name, subject, f"access logs go to {place}", "ok")
    bucket = seen.buckets.get(logging.bucket)
    if not isinstance(bucket, Bucket):
        fix = "Create it again, or set another bucket for the load balancer's access logs."
        saw = f"bucket {logging.bucket} does not exist"
        yield Check("bucket", subject, saw, "finding", fix)
        return
    logs = Logs(seen, found, bucket)
    yield from bucket_checks.checks(logs)
    yield from announcement_checks.checks(logs)


def _strays(seen: Seen) -> Iterator[Check]:
    """Find marks of stacks that are not there any more."""
    name, names = "marks without a stack", seen.stack_names
    for bucket in seen.buckets.values():
        if not isinstance(bucket, Bucket):
            continue
        tags = {claim.stack: f"statement {claim.sid}" for claim in bucket.register(seen.marks)}
        if bucket.maker:
            tags.setdefault(bucket.maker, "its tag")
        for each in seen.load_balancers.values():
            if each and each.logging.bucket == bucket.name and (mark := each.logging.location.mark):
                tags.setdefault(mark, f"the prefix of {each.name}")
        subject = f"bucket {bucket.name}"
        denied = seen.denial(bucket.name, "GetBucketPolicy", "GetBucketTagging")
        if isinstance(names, Unread):
            if tags and not denied:
                yield unread_check(name, subject, names)
        else:
            strays = {tag: mark for tag, mark in tags.items() if tag not in names}
            for tag, mark in strays.items():
                yield Check(
                    name,
                    subject,
                    f"{mark} is of a stack that is not there (tag {tag})",
                    "finding",
                    "Take it out of the bucket by hand, if nobody needs it any more.",
                )
            if tags and not strays and not denied:
                yield Check(name, subject, "every mark in it is of a stack that is there", "ok")
        if denied:
            yield denied_check(name, subject, denied)
