"""Who may do what: the identity's policies, the resource's policy, Block Public Access."""

from collections.abc import Callable
from dataclasses import dataclass

from dt_logs_rehearsal.account.errors import Refused
from dt_logs_rehearsal.account.iam.conditions import Context
from dt_logs_rehearsal.account.iam.documents import is_public
from dt_logs_rehearsal.account.iam.policy import Decision, Principal, Request, decided, evaluate
from dt_logs_rehearsal.account.iam.right import Right
from dt_logs_rehearsal.account.iam.rights import needed
from dt_logs_rehearsal.account.world import Bucket, Call, World


@dataclass(frozen=True)
class Decided:
    """What IAM said of one action that a call needs.

    `by` names the statement that spoke, and is empty where none did; of a resource's own policy
    it says so.
    """

    action: str
    resource: str
    allowed: bool
    by: str


Listener = Callable[[Decided], None]


def unheard(decision: Decided) -> None:
    """Do nothing with a decision."""


def authorise(world: World, call: Call, listener: Listener = unheard) -> None:
    """Raise Refused, in AWS's words, unless the caller may make the call.

    `listener` hears of each decision, the denied one included.
    """
    bucket = _bucket(world, call)
    for right in needed(call, world.partition):
        owner, policy = _resource(world, call, right, bucket)
        request = Request(
            call.caller.principal,
            right.action,
            right.resource,
            {**_globals(world, call), **_owner(right, owner, bucket), **right.context},
        )
        _decide(world, call, request, owner, policy, bucket, listener)


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


def service_context(account: str = "", arn: str = "") -> Context:
    """Return the context of a call that an AWS service makes for a resource of an account's."""
    context = {"aws:securetransport": "true", "aws:principalisawsservice": "true"}
    if arn:
        context |= {"aws:sourceaccount": account, "aws:sourcearn": arn}
    return context


def account_context(principal: Principal) -> Context:
    """Return the context of a call by an account that a policy delegates to."""
    return {
        "aws:securetransport": "true",
        "aws:principalisawsservice": "false",
        "aws:principalaccount": principal.account,
        "aws:principalarn": principal.arn,
    }


def _bucket(world: World, call: Call) -> Bucket | None:
    """Find the bucket of a call; S3 says that there is none to whoever asks."""
    if call.service != "s3" or "Bucket" not in call.params or call.operation == "CreateBucket":
        return None
    name = call.params["Bucket"]
    bucket = world.buckets.get(name)
    if bucket is None:
        raise Refused("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
    # [botocore, ExpectedBucketOwner of every S3 operation: 403 on mismatch]
    if call.params.get("ExpectedBucketOwner", bucket.owner) != bucket.owner:
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


def _globals(world: World, call: Call) -> Context:
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
    }


def _owner(right: Right, account: str, bucket: Bucket | None) -> Context:
    """Return aws:ResourceAccount; what does not exist, and `*`, have no owner."""
    exists = bucket is not None or (right.resource != "*" and ":s3:::" not in right.resource)
    return {"aws:resourceaccount": account} if exists else {}


def _decide(
    world: World,
    call: Call,
    request: Request,
    owner: str,
    policy: str | None,
    bucket: Bucket | None,
    listener: Listener,
) -> None:
    """Within an account one Allow suffices, across accounts both sides must allow."""
    own = call.caller.policies
    identity, by = (Decision.ALLOW, "administrator") if own is None else decided(own, request)
    resource, spoke = (Decision.SILENT, "") if policy is None else decided((policy,), request)
    if bucket is not None:
        resource = bucket_says(world, bucket, policy, request)
    if resource is Decision.DENY or (resource is Decision.ALLOW and identity is Decision.SILENT):
        by = f"{spoke} of the resource's policy"
    elif owner != call.caller.account and resource is Decision.ALLOW:
        by = f"{by}, and {spoke} of the resource's policy"
    why = _refusal(call, request, owner, identity, resource)
    spoken = by if not why or Decision.DENY in (identity, resource) else ""
    listener(Decided(request.action, request.resource, not why, spoken))
    if why:
        raise _denied(call, request, why)


def _refusal(
    call: Call, request: Request, owner: str, identity: Decision, resource: Decision
) -> str:
    """Return why a request is denied, in AWS's words, or nothing."""
    if identity is Decision.DENY:
        return "with an explicit deny in an identity-based policy"
    if resource is Decision.DENY:
        return "with an explicit deny in a resource-based policy"
    own = owner == call.caller.account
    if identity is not Decision.ALLOW and not (own and resource is Decision.ALLOW):
        return f"identity-based policy allows the {request.action} action"
    if not own and resource is not Decision.ALLOW:
        return f"resource-based policy allows the {request.action} action"
    return ""


_CODES = {
    "sns": "AuthorizationError",
    "lambda": "AccessDeniedException",
    "logs": "AccessDeniedException",
}


def _denied(call: Call, request: Request, why: str) -> Refused:
    """Put a denial as the service does: S3 quotes the resource, SNS has a code of its own."""
    service = call.service
    reason = why if why.startswith("with") else f"because no {why}"
    action, resource = request.action, request.resource
    if service == "sns":
        action, reason = action.replace("sns:", "SNS:"), reason.replace("sns:", "SNS:")
    shown = f'"{resource}"' if service == "s3" else resource
    on = "" if resource == "*" else f" on resource: {shown}"
    code = _CODES.get(service, "AccessDenied")
    return Refused(
        code,
        f"User: {call.caller.arn} is not authorized to perform: {action}{on} {reason}",
        403,
    )
