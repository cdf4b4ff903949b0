"""Who may do what: the identity's policies, the resource's policy, Block Public Access."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.conditions import Context
from dt_logs_rehearsal.account.iam.documents import is_public
from dt_logs_rehearsal.account.iam.policy import Decision, Principal, Request, decided, evaluate
from dt_logs_rehearsal.account.iam.rights import Right, needed
from dt_logs_rehearsal.account.world import Bucket, Call, World


@dataclass(frozen=True)
class Decided:
    """What IAM decided about one action that a call needs.

    `by` names the statement that decided, and says if it is in the resource's own policy. It is
    empty where no statement matched.
    """

    action: str
    resource: str
    allowed: bool
    by: str


@dataclass(frozen=True)
class ApiCall:
    """One API call: by whom, what, what IAM decided, and AWS's error if it was refused."""

    caller: str  # "CloudFormation", "Lambda", "Data Theorem"
    service: str
    operation: str
    decisions: tuple[Decided, ...]
    error: str = ""


Listener = Callable[[Decided], None]


def unheard(decision: Decided) -> None:
    """Do nothing with a decision."""


def authorise(world: World, call: Call, listener: Listener = unheard) -> None:
    """Raise Refused, in AWS's words, unless the caller may make the call.

    `listener` hears of each decision, the denied one included.
    """
    bucket = _bucket(world, call)
    for right in needed(call, world.partition):
        decision, why = _decision(world, call, right, bucket)
        listener(decision)
        if why:
            raise _denied(call, right, why)


def bucket_says(world: World, bucket: Bucket, policy: str | None, request: Request) -> Decision:
    """Return what the bucket's policy says, Block Public Access included.

    RestrictPublicBuckets cuts every other account off while one statement is public, AWS's
    services excepted [S3 guide, access-control-block-public-access.md].
    """
    if policy is None:
        return Decision.SILENT
    decision = evaluate((policy,), request)
    foreign = not request.principal.service and request.principal.account != bucket.owner
    if (
        decision is Decision.ALLOW
        and foreign
        and world.restricts(bucket, "RestrictPublicBuckets")
        and is_public(policy)
    ):
        return Decision.SILENT
    return decision


def object_request(
    world: World,
    bucket: Bucket,
    principal: Principal,
    action: str,
    key: str,
    more: Mapping[str, str] | None = None,
) -> Request:
    """Return a request by a service or an account, about an object; without a key, about a bucket.

    `more` are further keys of its context.
    """
    arn = f"arn:{world.partition}:s3:::{bucket.name}"
    caller = {
        "aws:securetransport": "true",
        "aws:principalisawsservice": "false",
        "aws:principalaccount": principal.account,
        "aws:principalarn": principal.arn,
        **_organisation(world, principal.account, "aws:principalorgid"),
    }
    context = service_context() if principal.service else caller
    context = {**context, **_owner_context(world, bucket.owner), **(more or {})}
    return Request(principal, action, f"{arn}/{key}" if key else arn, context)


def service_context(account: str = "", arn: str = "") -> Context:
    """Return the context of a call that an AWS service makes for a resource of an account's."""
    context = {"aws:securetransport": "true", "aws:principalisawsservice": "true"}
    if arn:
        context |= {"aws:sourceaccount": account, "aws:sourcearn": arn}
    return context


def _bucket(world: World, call: Call) -> Bucket | None:
    """Find the bucket of a call; S3 says that there is none to whoever asks.

    [localstack tests/aws/services/s3/test_s3: ExpectedBucketOwner, also one that is no account id]
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
    """Return who owns the resource, and its policy."""
    if bucket is not None:
        return bucket.owner, bucket.policy.latest
    if call.service == "sns" and right.resource in world.topics:
        topic = world.topics[right.resource]
        return topic.owner, topic.policy.latest
    named = right.resource.split(":")
    known = call.service != "s3" and len(named) > 5
    return named[4] if known else call.caller.account, None


def _caller_context(world: World, call: Call) -> dict[str, str]:
    role, _, session = call.caller.arn.partition(":assumed-role/")
    name = session.split("/")[0]
    arn = f"arn:{world.partition}:iam::{call.caller.account}:role/{name}" if session else role
    return {
        "aws:principalaccount": call.caller.account,
        "aws:principalarn": arn,
        "aws:principalisawsservice": "false",
        "aws:requestedregion": call.region,
        "aws:securetransport": "true",
        "aws:viaawsservice": "false",
        **_organisation(world, call.caller.account, "aws:principalorgid"),
    }


def _owner_context(world: World, owner: str) -> dict[str, str]:
    return {"aws:resourceaccount": owner, **_organisation(world, owner, "aws:resourceorgid")}


def _organisation(world: World, account: str, key: str) -> dict[str, str]:
    """Return the key that names an account's organisation; it is absent where there is none.

    [IAM reference, reference_policies_condition-keys.md]
    """
    return {key: world.organisations[account]} if account in world.organisations else {}


def _decision(world: World, call: Call, right: Right, bucket: Bucket | None) -> tuple[Decided, str]:
    """Return what IAM decides, and in AWS's words why it denies; an empty text if it does not.

    Within an account one Allow suffices, across accounts both sides must allow.
    """
    owner, policy = _resource(world, call, right, bucket)
    own, policies = owner == call.caller.account, call.caller.policies
    context = {**_caller_context(world, call), **right.context}
    # What does not exist, and `*`, have no owner.
    if bucket is not None or (right.resource != "*" and ":s3:::" not in right.resource):
        context |= _owner_context(world, owner)
    request = Request(call.caller.principal, right.action, right.resource, context)
    identity, by = (
        (Decision.ALLOW, "administrator") if policies is None else decided(policies, request)
    )
    resource, name = (Decision.SILENT, "") if policy is None else decided((policy,), request)
    if bucket is not None:
        resource = bucket_says(world, bucket, policy, request)
    control, forbidding = decided(() if policies is None else world.control_policies, request)
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
    "sns": "AuthorizationError",
    "lambda": "AccessDeniedException",
    "logs": "AccessDeniedException",
}


def _denied(call: Call, right: Right, why: str) -> Refused:
    """Put a denial as the service does: S3 quotes the resource, SNS has a code of its own."""
    quoted = f'"{right.resource}"' if call.service == "s3" else right.resource
    on = "" if right.resource == "*" else f" on resource: {quoted}"
    text = f"perform: {right.action}{on} {why}"
    if call.service == "sns":
        text = text.replace(right.action, right.action.replace("sns:", "SNS:"))
    code = _CODES.get(call.service, "AccessDenied")
    return Refused(code, f"User: {call.caller.arn} is not authorized to {text}", 403)
