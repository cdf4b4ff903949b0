"""Authorise calls by identity, resource and organisation policies, and Block Public Access."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.conditions import Context
from dt_logs_rehearsal.account.iam.policy import (
    Decision,
    Principal,
    Request,
    decided,
    evaluate,
    is_public,
)
from dt_logs_rehearsal.account.iam.rights import Right, needed
from dt_logs_rehearsal.account.world import Bucket, Call, World

# A bucket policy cannot deny these actions to the root user of the bucket's account [S3 API,
# PutBucketPolicy].
_ROOTS = frozenset(f"s3:{verb}BucketPolicy" for verb in ("Get", "Put", "Delete"))


@dataclass(frozen=True)
class Decided:
    """IAM's decision about one action that a call needs.

    `by` names the statements that decided, and says which one is in the resource's policy. An
    administrator's own statement is "administrator". `by` is empty if an Allow is missing.
    """

    action: str
    resource: str
    allowed: bool
    by: str


@dataclass(frozen=True)
class ApiCall:
    """One API call: its caller, IAM's decisions, and AWS's error if it was refused."""

    caller: str  # for example "CloudFormation" or "Lambda"
    service: str
    operation: str
    decisions: tuple[Decided, ...]
    error: str = ""


def authorise(
    world: World, call: Call, heard: Callable[[Decided], None] = lambda decision: None
) -> None:
    """Raise Refused, with AWS's message, unless the caller may make the call.

    `heard` is called with each decision, up to and including the first denial.
    """
    bucket = _bucket(world, call)
    for right in needed(call, world.partition):
        decision, why = _decision(world, call, right, bucket)
        heard(decision)
        if why:
            raise _denied(call, right, why)


def bucket_says(world: World, bucket: Bucket, policy: str | None, asked: Request) -> Decision:
    """Return the bucket policy's decision, as Block Public Access limits it.

    If a statement is public, RestrictPublicBuckets denies access to every other account, but not to
    AWS services [S3 guide, access-control-block-public-access.md].
    """
    if policy is None:
        return Decision.SILENT
    decision = evaluate((policy,), asked)
    foreign = not asked.principal.service and asked.principal.account != bucket.owner
    if (
        decision is Decision.ALLOW
        and foreign
        and world.restricts(bucket, "RestrictPublicBuckets")
        and is_public(policy)
    ):
        return Decision.SILENT
    return decision


def request(
    world: World,
    principal: Principal,
    action: str,
    resource: str,
    more: Context,
    owner: str = "",
) -> Request:
    """Return a request with AWS's context keys for the principal and the resource's owner.

    `more` holds further context keys. An organisation's keys are absent for accounts without an
    organisation [IAM reference, reference_policies_condition-keys.md].
    """
    service = bool(principal.service)
    context = {"aws:securetransport": "true", "aws:principalisawsservice": str(service).lower()}
    accounts = {} if service else {"principal": principal.account}
    if not service:
        start, _, session = principal.arn.partition(":assumed-role/")
        role = f"{start.replace(':sts:', ':iam:')}:role/{session.split('/')[0]}"
        context["aws:principalarn"] = role if session else principal.arn
    if owner:
        accounts["resource"] = owner
    for kind, account in accounts.items():
        context[f"aws:{kind}account"] = account
        if account in world.organisations:
            context[f"aws:{kind}orgid"] = world.organisations[account]
    return Request(principal, action, resource, {**context, **more})


def _bucket(world: World, call: Call) -> Bucket | None:
    """Return the bucket that an S3 call uses; None for other services and for CreateBucket.

    Raises Refused, even to an administrator, if the bucket is missing or has an unexpected owner.
    [localstack tests/aws/services/s3/test_s3: ExpectedBucketOwner, also a value that is not an ID]
    """
    if call.service != "s3" or "Bucket" not in call.params or call.operation == "CreateBucket":
        return None
    name, expected = call.params["Bucket"], call.params.get("ExpectedBucketOwner")
    if expected is not None and not re.fullmatch(r"\d{12}", expected):
        raise Refused(
            "InvalidBucketOwnerAWSAccountID",
            "The value of the expected bucket owner parameter must be an AWS Account ID..."
            f" [{expected}]",
        )
    bucket = world.buckets.get(name)
    if bucket is None:
        raise Refused("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
    if expected not in (None, bucket.owner):
        raise Refused("AccessDenied", "Access Denied", 403)
    return bucket


def _resource(
    world: World, call: Call, right: Right, bucket: Bucket | None
) -> tuple[str, str | None]:
    """Return the resource's owner and policy."""
    if bucket is not None:
        return bucket.owner, bucket.policy.latest
    if call.service == "sns" and right.resource in world.topics:
        topic = world.topics[right.resource]
        return topic.owner, topic.policy.latest
    named = right.resource.split(":")
    known = call.service != "s3" and len(named) > 5
    return named[4] if known else call.caller.account, None


def _decision(world: World, call: Call, right: Right, bucket: Bucket | None) -> tuple[Decided, str]:
    """Return IAM's decision, and AWS's reason for a denial (empty if the action is allowed).

    Without a Deny, one Allow is enough within an account; across accounts, each side needs one.
    """
    owner, policy = _resource(world, call, right, bucket)
    own, policies = owner == call.caller.account, call.caller.policies
    # The owner of `*`, and of a bucket that does not exist, is unknown.
    known = bucket is not None or (right.resource != "*" and ":s3:::" not in right.resource)
    more = {"aws:requestedregion": call.region, "aws:viaawsservice": "false", **right.context}
    who, about = call.caller.principal, (right.action, right.resource)
    asked = request(world, who, *about, more, owner if known else "")
    identity, by = (
        (Decision.ALLOW, "administrator") if policies is None else decided(policies, asked)
    )
    resource, name = (Decision.SILENT, "") if policy is None else decided((policy,), asked)
    if bucket is not None:
        resource = bucket_says(world, bucket, policy, asked)
        if own and who.arn.endswith(":root") and right.action in _ROOTS:
            resource = Decision.SILENT
    control, forbidding = decided(() if policies is None else world.control_policies, asked)
    theirs = f"{name} of the resource's policy"
    allows = f"policy allows the {right.action} action"
    match control, identity, resource:
        case Decision.DENY, _, _:
            by, why = forbidding, "with an explicit deny in a service control policy"
        case _, Decision.DENY, _:
            why = "with an explicit deny in an identity-based policy"
        case _, _, Decision.DENY:
            by, why = theirs, "with an explicit deny in a resource-based policy"
        case _, Decision.SILENT, _ if not (own and resource is Decision.ALLOW):
            by, why = "", f"because no identity-based {allows}"
        case _, _, Decision.SILENT if not own:
            by, why = "", f"because no resource-based {allows}"
        case _, Decision.SILENT, _:
            by, why = theirs, ""
        case _:
            by, why = by if own else f"{by}, and {theirs}", ""
    return Decided(right.action, right.resource, not why, by), why


_CODES = {
    "events": "AccessDeniedException",
    "sns": "AuthorizationError",
    "lambda": "AccessDeniedException",
    "logs": "AccessDeniedException",
}


def _denied(call: Call, right: Right, why: str) -> Refused:
    """Return a service's denial: S3 quotes the resource; some services have their own codes."""
    quoted = f'"{right.resource}"' if call.service == "s3" else right.resource
    on = "" if right.resource == "*" else f" on resource: {quoted}"
    text = f"perform: {right.action}{on} {why}"
    if call.service == "sns":
        text = text.replace(right.action, right.action.replace("sns:", "SNS:"))
    code = _CODES.get(call.service, "AccessDenied")
    return Refused(code, f"User: {call.caller.arn} is not authorized to {text}", 403)
