"""Make every check of `status` from what was read; pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.status import announcement_checks, bucket_checks, stack_checks
from dt_logs_cfn.operate.status.seen import (
    Check,
    Logs,
    Seen,
    finding,
    ok,
    unknown,
    unread,
    with_command,
)
from dt_logs_handler.model import Bucket, LoadBalancer
from dt_logs_handler.names import LEFT_TAG, load_balancer_name
from dt_logs_handler.register import Registration

_ACCOUNT = "account"


def checks(seen: Seen, version: str, sha256: str) -> Iterator[Check]:
    """Yield every check, by subject: load balancers, stacks, buckets, the account.

    `version` is this source's; `sha256` is its handler's.
    """
    for arn, found in seen.load_balancers.items():
        stacks = [each.stack for each in seen.stacks_of(arn)]
        for each in _load_balancer(seen, arn, found):
            yield replace(each, fix=with_command(each.fix, stacks))
    for stack in seen.stacks:
        for each in stack_checks.checks(stack, seen.now, version, sha256):
            yield replace(each, fix=with_command(each.fix, [stack.stack]))
    for bucket in seen.buckets.values():
        if isinstance(bucket, Bucket):
            for stray in _strays(seen, bucket):
                yield stray.of("marks without a stack", f"bucket {bucket.name}")
    yield _vended(seen).of("vended logs", _ACCOUNT)
    yield unknown(
        "cannot be read from an account: a service or resource control policy may deny anything",
        "Ask whoever manages the organisation whether one denies Data Theorem's reads. In its"
        " management account, organizations:ListPoliciesForTarget and organizations:DescribePolicy"
        " would tell.",
    ).of("organisation's policies", _ACCOUNT)


def _load_balancer(seen: Seen, arn: str, found: LoadBalancer | None) -> Iterator[Check]:
    subject = load_balancer_name(arn)
    if denied := seen.denial(arn, "DescribeLoadBalancerAttributes"):
        yield unread(denied).of("logging", subject)
        return
    if found is None:
        fix = "Correct the ARN, or take it out of the stack's LoadBalancerArns."
        yield finding("the load balancer does not exist", fix).of("logging", subject)
        return
    if isinstance(seen.on_outposts, Unread):
        yield unread(seen.on_outposts).of("outpost", subject)
    elif arn in seen.on_outposts:
        saw = "it is on an Outpost: another service delivers its logs, which is not supported"
        fix = "Take it out of LoadBalancerArns; if that is *, list the others there."
        yield finding(saw, fix).of("outpost", subject)
    logging = found.logging
    if not logging.enabled:
        yield _off(seen, arn).of("logging", subject)
        return
    yield ok(f"access logs go to s3://{logging.bucket}/{logging.prefix}").of("logging", subject)
    if also := seen.vended_to(arn):
        saw = f"CloudWatch Logs delivers its access logs, too: to {', '.join(also)}"
        yield ok(saw).of("vended logs", subject)
    bucket = seen.buckets.get(logging.bucket)
    if not isinstance(bucket, Bucket):
        fix = "Create it again, or set another bucket for the load balancer's access logs."
        yield finding(f"bucket {logging.bucket} does not exist", fix).of("bucket", subject)
        return
    logs = Logs(seen, found, bucket)
    yield from bucket_checks.checks(logs)
    yield from announcement_checks.checks(logs)


def _off(seen: Seen, arn: str) -> Check:
    """Judge a load balancer whose S3 attribute is off; CloudWatch Logs may deliver its logs."""
    fix = "Onboard it: `plan` shows how. If a stack has it already, run that again."
    saw = "access logs are off"
    if by := seen.vended_to(arn):
        saw = f"only CloudWatch Logs delivers its access logs, to {', '.join(by)}"
        fix += " Both deliveries can be on; Data Theorem reads those of access_logs.s3."
    elif isinstance(seen.vended, Unread):
        saw = "access_logs.s3 is off; whether CloudWatch Logs delivers access logs is not known"
    return finding(saw, fix)


def _vended(seen: Seen) -> Check:
    """Count the checked load balancers whose access logs CloudWatch Logs delivers."""
    if isinstance(seen.vended, Unread):
        return unread(seen.vended)
    count = sum(bool(seen.vended_to(arn)) for arn in seen.load_balancers)
    those = "1 load balancer" if count == 1 else f"{count or 'no'} load balancers"
    return ok(f"CloudWatch Logs delivers access logs of {those} here")


def _strays(seen: Seen, bucket: Bucket) -> Iterator[Check]:
    """Check for marks of deleted stacks, except those that another stack takes over."""
    marks, names = list(_marks(seen, bucket)), seen.stack_names
    denied = seen.denial(bucket.name, "GetBucketPolicy", "GetBucketTagging")
    if denied:
        yield unread(denied)
    if isinstance(names, Unread):
        if marks and not denied:
            yield unread(names)
        return
    strays, heirs = _without_stack(marks, names)
    for tag, mark in strays.items():
        left = bucket.tags.get(LEFT_TAG) if tag == bucket.maker else None
        yield finding(
            f"{mark} belongs to a stack that does not exist (tag {tag})"
            + (f"; it left: {left}" if left else ""),
            "If nobody needs it any longer, remove it from the bucket.",
        )
    if marks and not strays and not denied:
        heir = f"stack {min(heirs)} takes over what a deleted stack has set up" if heirs else ""
        yield ok(heir or "every mark in it belongs to an existing stack")


def _marks(seen: Seen, bucket: Bucket) -> Iterator[tuple[str, str, list[Registration]]]:
    """Yield each mark: its stack's tag, a description, and the claims that keep it in use."""
    claims = bucket.register(seen.here)
    for claim in claims:
        # No stack takes over a statement: while it exists, others remove nothing that it claims.
        granting = "" if not claim.inert(seen.here) else ", which grants nothing,"
        yield claim.stack, f"statement {claim.sid}{granting}", []
    if bucket.maker:
        yield bucket.maker, "its tag", claims
    for each in seen.load_balancers.values():
        if each and each.logging.bucket == bucket.name and (mark := each.logging.location.mark):
            yield mark, f"the prefix of {each.name}", seen.claims(each)


def _without_stack(
    marks: Iterable[tuple[str, str, list[Registration]]], names: Mapping[str, str]
) -> tuple[dict[str, str], set[str]]:
    """Return a mark of each deleted stack without heirs, by tag, and the names of all heirs.

    An heir is a stack that still uses things that a deleted stack set up. With the last heir, the
    handler removes those things, as their marks allow.
    """
    strays: dict[str, str] = {}
    heirs: set[str] = set()
    for tag, mark, claims in marks:
        if tag in names:
            continue
        using = {names[each.stack] for each in claims if each.stack in names}
        heirs |= using
        if not using:
            strays.setdefault(tag, mark)
    return strays, heirs
