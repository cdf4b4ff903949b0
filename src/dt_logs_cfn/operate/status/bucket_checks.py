"""Check whether logs reach the bucket, and whether the vendor can read them; pure."""

import json
from collections.abc import Iterator
from dataclasses import replace

from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.plans.diff import of_policy
from dt_logs_cfn.operate.status.seen import (
    ONBOARD,
    RUN_AGAIN,
    Check,
    Logs,
    Named,
    finding,
    ok,
    unknown,
    unread,
)
from dt_logs_handler.documents import Json, same_statement
from dt_logs_handler.errors import Refused
from dt_logs_handler.model import Bucket, EditPolicy
from dt_logs_handler.names import Stack
from dt_logs_handler.register import Registration
from dt_logs_handler.usable import Caller, can_receive, delivery, denying, usable, vendor

_RECENT = 3600.0  # seconds; ELB writes every five minutes if there is traffic
_SEND = "Send a request to the load balancer, wait ten minutes, and check again."

# The condition operators that the handler can judge.
_JUDGED = frozenset(
    (
        *("bool", "null", "stringequals", "stringequalsignorecase", "stringlike"),
        *("stringnotequals", "stringnotlike"),
        *("arnequals", "arnlike", "arnnotequals", "arnnotlike"),
        *("ipaddress", "notipaddress"),
    )
)


def checks(logs: Logs) -> Iterator[Named]:
    """Yield the checks of a bucket that a load balancer logs to.

    If somebody overwrote the policy, another run of the stack restores it. So checks with that fix
    precede the others. But a finding about a Deny comes first, because a run does not remove it.
    """
    found = [
        logs.check("delivery grant", _delivery, "GetBucketPolicy"),
        logs.check("log objects", _objects, "ListObjectsV2"),
        logs.check("encryption", _encryption, "GetBucketEncryption"),
        logs.check("ownership", _ownership, "GetBucketOwnershipControls"),
        logs.check("payer", _payer, "GetBucketRequestPayment"),
        logs.check("read grant", _grant, "GetBucketPolicy"),
    ]
    denial = logs.seen.denial(logs.bucket.name, "GetBucketPolicy")
    ours = bool(logs.claims or logs.was_onboarded or denial)
    if ours:
        found.append(logs.check("explicit deny", _denied, "GetBucketPolicy"))
    yield from sorted(found, key=_rank)
    if ours:
        operations = ("GetBucketPolicy", "GetBucketPolicyStatus", "GetPublicAccessBlock")
        yield logs.check("public access block", _restricted, *operations)


def _rank(named: Named) -> int:
    """Return a check's sort key; checks with equal keys keep their order."""
    name, check = named
    if name == "explicit deny" and check.verdict == "finding":
        return 0
    return 1 if check.fix == RUN_AGAIN else 2


def _delivery(logs: Logs) -> Check:
    """Check whether a policy statement lets ELB write; recent logs prove that it can."""
    seen, policy = logs.seen, logs.bucket.policy
    try:
        can_receive(replace(logs.bucket, region=""), logs.location, seen.here)
    except Refused as why:
        return finding(why.what, why.fix)
    found = seen.objects.get(logs.load_balancer.arn)
    recent = found is not None and (found.newest or 0) > seen.now - _RECENT
    # Once logs arrive, ELB does not write another test file.
    arn = _arn(logs, _log(logs) if recent else logs.location.test_file(seen.here))
    if not _lets_write(policy, arn, anybody=True):
        return finding(
            "no statement of the bucket's policy lets Elastic Load Balancing write there",
            RUN_AGAIN
            if _restored(logs, arn)
            else "Allow logdelivery.elasticloadbalancing.amazonaws.com s3:PutObject on"
            f" {_arn(logs, logs.location.test_file(seen.here)).rpartition('/')[0]}/*.",
        )
    if recent:
        return ok("Elastic Load Balancing writes there")
    sid = _may_deny(policy, delivery(), "s3:PutObject", arn)
    if _lets_write(policy, arn) and sid is None:
        return ok("Elastic Load Balancing may write there")
    return unknown(
        f"statement {sid} denies writing, under a condition that cannot be checked here"
        if sid
        else "a statement allows others to write, or has a condition that may not hold",
        "See whether it means Elastic Load Balancing, which writes as"
        " logdelivery.elasticloadbalancing.amazonaws.com.",
    )


def _restored(logs: Logs, arn: str) -> bool:
    """Return whether the bucket policy would let ELB write after another run of the stacks."""
    if logs.location.mark in logs.seen.known_names and not logs.seen.stacks:
        return True  # assume so, because the stack that turned logging on was not read
    policy = logs.bucket.policy
    for step in (step for each in logs.seen.stacks for step in each.steps):
        if isinstance(step, EditPolicy) and step.bucket == logs.bucket.name:
            policy = step.edit.applied(policy)
    return _lets_write(policy, arn)


def _objects(logs: Logs) -> Check:
    found = logs.seen.objects[logs.load_balancer.arn]
    file = "test file there" if found.test_file else "no test file"
    if found.newest is None:
        saw = f"{file}, no log since yesterday"
        unknown_policy = logs.seen.denial(logs.bucket.name, "GetBucketPolicy")
        if found.test_file or unknown_policy or _delivery(logs).verdict == "ok":
            # A lifecycle rule may have deleted the test file, and without traffic there is no log.
            return unknown(saw, _SEND)
        more = "If there is still no log, let Elastic Load Balancing write to the bucket."
        return finding(saw, f"{_SEND} {more}")
    age = max(logs.seen.now - found.newest, 0.0)
    minutes = int(age // 60)
    saw = f"{file}, newest log {f'{minutes} min' if minutes < 120 else f'{minutes // 60} h'} old"
    if age <= _RECENT:
        return ok(saw)
    return unknown(f"{saw}; it is unknown whether there was traffic since then", _SEND)


def _payer(logs: Logs) -> Check:
    """Check whether the bucket's owner, not the vendor, pays for requests."""
    bucket = logs.bucket.name
    if not logs.seen.requester_pays[bucket]:
        return ok("the bucket's owner pays for requests")
    return finding(
        f"Requester Pays is on in bucket {bucket}, so S3 refuses Data Theorem's requests",
        "Turn it off (aws s3api put-bucket-request-payment --bucket"
        f" {bucket} --request-payment-configuration Payer=BucketOwner).",
    )


def _encryption(logs: Logs) -> Check:
    found = logs.bucket.encryption
    return _usable(logs, Bucket(logs.bucket.name, encryption=found), found)


def _ownership(logs: Logs) -> Check:
    """Judge object ownership; if the setting leaves it open, judge by the newest log's owner.

    A bucket policy lets others read only objects that the bucket's owner owns [S3 guide,
    about-object-ownership.md].
    """
    seen, setting = logs.seen, logs.bucket.ownership
    found = _usable(logs, Bucket(logs.bucket.name, ownership=setting), setting)
    if found.verdict != "ok" or setting != "BucketOwnerPreferred":
        return found
    denied = seen.denial(logs.bucket.name, "ListObjectsV2") or seen.denial("", "ListBuckets")
    if denied:
        return unread(denied)
    owner = seen.objects[logs.load_balancer.arn].owner
    if not owner:
        return unknown(f"{setting}, and no log since yesterday shows who owns the logs", _SEND)
    if owner == seen.owner:
        return ok(f"{setting}, and your account owns the newest log")
    return finding(
        f"{setting}, and another account owns the newest log, so Data Theorem cannot read it",
        "Set the bucket's object ownership to BucketOwnerEnforced.",
    )


def _usable(logs: Logs, alone: Bucket, fine: str) -> Check:
    """Judge the settings of `alone` as the handler does, and assume that other settings are right.

    If the vendor's account is unknown, `alone` must not have a policy.
    """
    try:
        for account in logs.vendors or [""]:
            usable(alone, logs.location, account, logs.seen.here)
    except Refused as why:
        return finding(why.what, why.fix)
    return ok(fine)


def _grant(logs: Logs) -> Check:
    """Compare the vendor's read statements with those that the handler would write now."""
    seen, claims = logs.seen, logs.claims
    if not claims:
        saw = "nothing lets Data Theorem read its logs"
        fix = RUN_AGAIN if logs.was_onboarded else ONBOARD
        return finding(saw, fix)
    changed = [each for each in claims if not as_written(each, logs.bucket, seen.here)]
    if changed:
        name = seen.called(changed[0].stack)
        saw = f"the statement {changed[0].sid} is not as the stack {name} wrote it"
        return finding(saw, RUN_AGAIN)
    return ok(
        "; ".join(
            f"account {each.vendor} may read"
            f" {'its logs' if each.load_balancers else 'all logs there'}"
            f" (stack {seen.called(each.stack)})"
            for each in claims
        )
    )


def as_written(claim: Registration, bucket: Bucket, here: Stack) -> bool:
    """Return whether the vendor's read statement is in the policy as the stack wrote it."""
    wanted = claim.statement(here)
    return any(same_statement(each, wanted) for each in of_policy(bucket.policy))


def _denied(logs: Logs) -> Check:
    """Check for a statement that certainly or possibly denies the vendor's reads."""
    policy, fine = logs.bucket.policy, "no statement denies Data Theorem's reads"
    denials = [e for e in of_policy(policy) if e.get("Effect") == "Deny"]
    if denials and not logs.vendors:
        return unknown(
            "Data Theorem's account is unknown, as no statement in the policy names it",
            "Check the stack: `dt-logs-cfn status` reads the account from its parameters.",
        )
    found = _usable(logs, Bucket(logs.bucket.name, policy=policy if denials else None), fine)
    for account in logs.vendors if found.verdict == "ok" else ():
        caller = vendor(account, logs.seen.here.partition)
        if sid := _may_deny(policy, caller, "s3:GetObject", _arn(logs, _log(logs))):
            return unknown(
                f"statement {sid} denies reading, under a condition that cannot be checked here",
                "See whether its condition holds for Data Theorem's account. If so, exclude it.",
            )
    return found


def _log(logs: Logs) -> str:
    """Return a key that a log of the load balancer could have."""
    here = logs.seen.here
    name = f"{here.account}_elasticloadbalancing_{here.region}_app.x.log.gz"
    return f"{logs.location.log_prefix(here)}2026/01/01/{name}"


def _arn(logs: Logs, key: str) -> str:
    return f"arn:{logs.seen.here.partition}:s3:::{logs.bucket.name}/{key}"


def _restricted(logs: Logs) -> Check:
    """Check whether the bucket's or account's RestrictPublicBuckets excludes other accounts."""
    bucket, block = logs.bucket, logs.seen.account_block
    if not logs.seen.public[bucket.name]:
        return ok("the bucket's policy is not public")
    restricts = bucket.public_access_block.get("RestrictPublicBuckets") or (
        not isinstance(block, Unread) and block.get("RestrictPublicBuckets")
    )
    if isinstance(block, Unread) and not restricts:
        return unread(block)
    alone = Bucket(
        bucket.name, public=True, public_access_block={"RestrictPublicBuckets": bool(restricts)}
    )
    return _usable(logs, alone, "nothing restricts the bucket, though its policy is public")


def _lets_write(policy: str | None, arn: str, *, anybody: bool = False) -> bool:
    """Return whether a statement certainly lets ELB write.

    With `anybody`, a statement for any principal, under any condition, is enough. The handler's
    `denying` judges each Allow as if it were a Deny, because both match a call in the same way.
    """
    turned: list[Json] = []
    for each in of_policy(policy):
        if each.get("Effect") == "Allow":
            form = {**each, "Effect": "Deny"}
            if anybody:
                form = {k: v for k, v in form.items() if k not in ("Condition", "NotPrincipal")}
                form["Principal"] = "*"
            turned.append(form)
    return denying(json.dumps({"Statement": turned}), delivery(), "s3:PutObject", arn) is not None


def _may_deny(policy: str | None, caller: Caller, action: str, resource: str) -> str | None:
    """Return the Sid or number of a statement that may deny the call, or None.

    Such a statement denies the call if the conditions that we cannot judge hold.
    """
    for number, each in enumerate(of_policy(policy), 1):
        condition = each.get("Condition")
        judged = _judged(condition, caller)
        if each.get("Effect") == "Deny" and judged != condition:
            # All conditions must hold, so if one does not, the statement does not apply.
            form = json.dumps({"Statement": [{**each, "Condition": judged}]})
            if denying(form, caller, action, resource):
                return str(each.get("Sid") or f"number {number}")
    return None


def _judged(condition: Json, caller: Caller) -> Json:
    """Return the part of a condition that the handler can judge for a caller."""
    if not isinstance(condition, dict):
        return condition
    return {
        operator: {
            key: wanted
            for key, wanted in keys.items()
            if key.lower() in caller.context
            and operator.lower().removesuffix("ifexists") in _JUDGED
        }
        for operator, keys in condition.items()
        if isinstance(keys, dict)
    }
