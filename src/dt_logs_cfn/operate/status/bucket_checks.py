"""Check whether logs get into the bucket, and whether the vendor can read them; pure."""

from collections.abc import Iterator
from dataclasses import replace

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.status.policy_judged import allows, may_deny
from dt_logs_cfn.operate.status.seen import Check, Logs, denied_check, unread_check
from dt_logs_handler.documents import parsed, same_statement, statements
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Bucket
from dt_logs_handler.names import Location, Stack
from dt_logs_handler.register import NONE, Registration
from dt_logs_handler.usable import can_receive, delivery, usable, vendor

RUN_AGAIN = "Run the stack again: update it with another RunToken."
_RECENT = 3600.0  # seconds; ELB writes every five minutes if there is traffic


def checks(logs: Logs) -> Iterator[Check]:
    """Yield the checks of a bucket that a load balancer logs to."""
    yield _delivery(logs)
    yield _objects(logs)
    name, found = logs.bucket.name, logs.bucket
    alone = Bucket(name, encryption=found.encryption)
    yield _setting(logs, "encryption", "GetBucketEncryption", alone, found.encryption)
    yield _ownership(logs)
    yield _payer(logs)
    yield _grant(logs)
    if logs.seen.claims(logs.load_balancer) or logs.seen.denial(name, "GetBucketPolicy"):
        yield _denied(logs)
        yield _restricted(logs)


def _delivery(logs: Logs) -> Check:
    """Check whether ELB can write: by what it wrote, otherwise by the policy."""
    name, seen, policy = "delivery grant", logs.seen, logs.bucket.policy
    if denied := seen.denial(logs.bucket.name, "GetBucketPolicy"):
        return denied_check(name, logs.subject, denied)
    try:
        can_receive(replace(logs.bucket, region=""), logs.location, seen.marks)
    except Refused as why:
        return Check(name, logs.subject, why.what, "finding", why.fix)
    found = seen.objects.get(logs.load_balancer.arn)
    if found and found.newest and found.newest > seen.now - _RECENT:
        return Check(name, logs.subject, "Elastic Load Balancing writes there", "ok")
    arn = _arn(logs, logs.location.test_file(seen.marks))
    if not allows(policy, None, "s3:PutObject", arn):
        return Check(
            name,
            logs.subject,
            "no statement of the bucket's policy lets Elastic Load Balancing write there",
            "finding",
            "Allow logdelivery.elasticloadbalancing.amazonaws.com s3:PutObject on"
            f" {arn.rpartition('/')[0]}/*.",
        )
    sid = may_deny(policy, delivery(), "s3:PutObject", arn)
    if allows(policy, delivery(), "s3:PutObject", arn) and sid is None:
        return Check(name, logs.subject, "Elastic Load Balancing may write there", "ok")
    return Check(
        name,
        logs.subject,
        f"statement {sid} denies writing, under a condition that cannot be checked here"
        if sid
        else "a statement allows writing, to others or under a condition that may not hold",
        "unknown",
        "See whether it means Elastic Load Balancing, which writes as"
        " logdelivery.elasticloadbalancing.amazonaws.com.",
    )


def _objects(logs: Logs) -> Check:
    name, seen = "log objects", logs.seen
    if denied := seen.denial(logs.bucket.name, "ListObjectsV2"):
        return denied_check(name, logs.subject, denied)
    found = seen.objects[logs.load_balancer.arn]
    file = "test file there" if found.test_file else "no test file"
    if found.newest is None:
        saw = f"{file}, no log since yesterday"
        fix = "Send a request to the load balancer, wait ten minutes, and look again."
        unread = seen.denial(logs.bucket.name, "GetBucketPolicy")
        if found.test_file or unread or _delivery(logs).verdict == "ok":
            # A lifecycle rule may have taken the test file, and without traffic there is no log;
            # what nobody may read of the policy says nothing against it.
            return Check(name, logs.subject, saw, "unknown", fix)
        fix = f"{fix} If there is still no log, let Elastic Load Balancing write to the bucket."
        return Check(name, logs.subject, saw, "finding", fix)
    age = seen.now - found.newest
    saw = f"{file}, newest log {_age(age)} old"
    if age <= _RECENT:
        return Check(name, logs.subject, saw, "ok")
    return Check(
        name,
        logs.subject,
        f"{saw}; whether there was traffic since is not known",
        "unknown",
        "Send a request to the load balancer, wait ten minutes, and look again.",
    )


def _age(seconds: float) -> str:
    minutes = max(int(seconds // 60), 0)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


def _payer(logs: Logs) -> Check:
    """Check whether the vendor can read without paying."""
    name, seen, bucket = "payer", logs.seen, logs.bucket.name
    if denied := seen.denial(bucket, "GetBucketRequestPayment"):
        return denied_check(name, logs.subject, denied)
    if bucket not in seen.requester_pays:
        return Check(name, logs.subject, "the bucket's owner pays for requests", "ok")
    return Check(
        name,
        logs.subject,
        f"Requester Pays is on in bucket {bucket}, so S3 refuses Data Theorem's requests",
        "finding",
        "Turn it off (aws s3api put-bucket-request-payment --bucket"
        f" {bucket} --request-payment-configuration Payer=BucketOwner).",
    )


def _setting(logs: Logs, name: str, operation: str, alone: Bucket, value: str) -> Check:
    """Judge one setting as the handler does, as if all others of the bucket were right."""
    if denied := logs.seen.denial(logs.bucket.name, operation):
        return denied_check(name, logs.subject, denied)
    return _judged(logs, name, alone, value)


def _ownership(logs: Logs) -> Check:
    """Judge the setting; if it leaves the owner open, judge by the owner of the newest log.

    A bucket policy lets others read only what the bucket's owner owns [S3 guide,
    about-object-ownership.md].
    """
    name, seen, setting = "ownership", logs.seen, logs.bucket.ownership
    alone = Bucket(logs.bucket.name, ownership=setting)
    check = _setting(logs, name, "GetBucketOwnershipControls", alone, setting)
    if check.verdict != "ok" or setting != "BucketOwnerPreferred":
        return check
    denied = seen.denial(logs.bucket.name, "ListObjectsV2") or seen.denial("", "ListBuckets")
    if denied:
        return denied_check(name, logs.subject, denied)
    found = seen.objects[logs.load_balancer.arn].owner
    if not found:
        saw = f"{setting}, and no log since yesterday shows who owns the logs"
        fix = "Send a request to the load balancer, wait ten minutes, and look again."
        return Check(name, logs.subject, saw, "unknown", fix)
    if found == seen.owner:
        return Check(name, logs.subject, f"{setting}, and your account owns the newest log", "ok")
    return Check(
        name,
        logs.subject,
        f"{setting}, and another account owns the newest log, so Data Theorem cannot read it",
        "finding",
        "Set the bucket's object ownership to BucketOwnerEnforced.",
    )


def _judged(logs: Logs, name: str, bucket: Bucket, fine: str) -> Check:
    claims = logs.seen.claims(logs.load_balancer) or [_nobodys(logs.location)]
    try:
        for each in claims:
            usable(bucket, logs.location, each, logs.seen.marks)
    except Refused as why:
        return Check(name, logs.subject, why.what, "finding", why.fix)
    return Check(name, logs.subject, fine, "ok")


def _nobodys(location: Location) -> Registration:
    return Registration("", location, "0" * 12, "", frozenset(), 0, NONE)


def _grant(logs: Logs) -> Check:
    """Compare what lets the vendor read with what the handler would write now."""
    name, seen, bucket = "read grant", logs.seen, logs.bucket
    if denied := seen.denial(bucket.name, "GetBucketPolicy"):
        return denied_check(name, logs.subject, denied)
    claims = seen.claims(logs.load_balancer)
    if not claims:
        return Check(
            name,
            logs.subject,
            "nothing lets Data Theorem read its logs",
            "finding",
            "Onboard it: `plan` shows what that would change.",
        )
    changed = [each for each in claims if not as_written(each, bucket, seen.marks)]
    if changed:
        return Check(
            name,
            logs.subject,
            f"the statement {changed[0].sid} is not as the stack {seen.called(changed[0].stack)}"
            " wrote it",
            "finding",
            RUN_AGAIN,
        )
    told = "; ".join(
        f"account {each.vendor} may read"
        f" {'its logs' if each.load_balancers else 'all logs there'}"
        f" (stack {seen.called(each.stack)})"
        for each in claims
    )
    return Check(name, logs.subject, told, "ok")


def as_written(claim: Registration, bucket: Bucket, marks: Stack) -> bool:
    """Tell whether the vendor's read statement is in the policy as the stack wrote it."""
    wanted = claim.statement(marks)
    return any(same_statement(each, wanted) for each in statements(parsed(bucket.policy or "{}")))


def _denied(logs: Logs) -> Check:
    """Find a statement that certainly denies the vendor, or one that may."""
    name, seen, policy = "explicit deny", logs.seen, logs.bucket.policy
    if denied := seen.denial(logs.bucket.name, "GetBucketPolicy"):
        return denied_check(name, logs.subject, denied)
    alone = Bucket(logs.bucket.name, policy=policy)
    judged = _judged(logs, name, alone, "no statement denies Data Theorem to read")
    if judged.verdict != "ok":
        return judged
    key = f"{logs.location.log_prefix(seen.marks)}2026/01/01/x.log.gz"
    for claim in seen.claims(logs.load_balancer):
        caller = vendor(claim.vendor, seen.marks.partition)
        if sid := may_deny(policy, caller, "s3:GetObject", _arn(logs, key)):
            return Check(
                name,
                logs.subject,
                f"statement {sid} denies reading, under a condition that cannot be checked here",
                "unknown",
                "See whether its condition holds for Data Theorem's account. If so, exclude it.",
            )
    return judged


def _arn(logs: Logs, key: str) -> str:
    return f"arn:{logs.seen.marks.partition}:s3:::{logs.bucket.name}/{key}"


def _restricted(logs: Logs) -> Check:
    """Check whether RestrictPublicBuckets, of bucket or account, excludes other accounts."""
    name, seen, bucket = "public access block", logs.seen, logs.bucket
    operations = ("GetBucketPolicy", "GetBucketPolicyStatus", "GetPublicAccessBlock")
    if denied := seen.denial(bucket.name, *operations):
        return denied_check(name, logs.subject, denied)
    if bucket.name not in seen.public:
        return Check(name, logs.subject, "the bucket's policy is not public", "ok")
    block = seen.account_block
    if bucket.public_access_block.get("RestrictPublicBuckets") or (
        not isinstance(block, Unread) and block.get("RestrictPublicBuckets")
    ):
        alone = Bucket(
            bucket.name, public=True, public_access_block={"RestrictPublicBuckets": True}
        )
        return _judged(logs, name, alone, "")
    if isinstance(block, Unread):
        return unread_check(name, logs.subject, block)
    return Check(name, logs.subject, "nothing restricts it, though its policy is public", "ok")
