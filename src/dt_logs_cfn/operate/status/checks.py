"""Make every check of `status` from the results of its reads; pure.

`bucket_checks` and `announcement_checks` make the checks of a load balancer with logging on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from dt_logs_cfn.operate.account import Unread, locked
from dt_logs_cfn.operate.plans.diff import changes
from dt_logs_cfn.operate.plans.planned import Planned
from dt_logs_cfn.operate.stacks.stack import (
    SETTLED,
    StackDescription,
    at_rest,
    before_update,
    made,
    with_command,
)
from dt_logs_cfn.operate.status import announcement_checks, bucket_checks
from dt_logs_cfn.operate.status.metrics import Refreshes
from dt_logs_cfn.operate.status.seen import (
    ASK,
    ONBOARD,
    RUN_AGAIN,
    Check,
    Logs,
    Named,
    Seen,
    StackSeen,
    finding,
    ok,
    unknown,
    unread,
)
from dt_logs_cfn.release.catalogue import VERSIONS, is_version, numbers
from dt_logs_handler.model import Bucket, LoadBalancer
from dt_logs_handler.names import LEFT_TAG, load_balancer_name
from dt_logs_handler.register import Registration

_UPDATE = "Update the stack with the template of this release."
_CORRECT = "Correct that, and run the stack again."
_RULE = "DTLogsAnalysisRefreshRule"
_LONGEST = 40  # the most characters of an invalid version to show
_MOST = 3  # the most subjects that a line names


def checks(seen: Seen, version: str, sha256: str) -> Iterator[Check]:
    """Yield every check, by subject: load balancers, stacks, buckets, the account.

    `version` is the version of this source; `sha256` is the digest of its handler.
    """
    for arn, found in seen.load_balancers.items():
        stacks = [each.stack for each in seen.stacks_of(arn)]
        yield from _of(load_balancer_name(arn), _load_balancer(seen, arn, found), stacks)
    for each in seen.stacks:
        judged = _stack(each, seen.now, version, sha256)
        yield from _of(f"stack {each.stack.name}", judged, [each.stack])
    for bucket in seen.buckets.values():
        if isinstance(bucket, Bucket):
            strays = (("marks without a stack", each) for each in _strays(seen, bucket))
            yield from _of(f"bucket {bucket.name}", strays)
    organisation = unknown(
        "cannot be read from an account: a service or resource control policy may deny anything",
        "Ask whoever manages the organisation whether such a policy denies Data Theorem's reads. In"
        " its management account, organizations:ListPoliciesForTarget and"
        " organizations:DescribePolicy show this.",
    )
    account = ("vended logs", _vended(seen)), ("organisation's policies", organisation)
    yield from _of("account", account)


def _of(
    subject: str, found: Iterable[Named], stacks: Iterable[StackDescription] = ()
) -> Iterator[Check]:
    """Yield the checks of a subject, with the commands that run its stacks again."""
    for name, each in found:
        yield replace(each, name=name, subject=subject, fix=with_command(each.fix, stacks))


def _load_balancer(seen: Seen, arn: str, found: LoadBalancer | None) -> Iterator[Named]:
    """Yield the checks of a load balancer."""
    if denied := seen.denial(arn, "DescribeLoadBalancerAttributes"):
        yield "logging", unread(denied)
        return
    if found is None:
        fix = "Correct the ARN, or take it out of the stack's LoadBalancerArns."
        yield "logging", finding("the load balancer does not exist", fix)
        return
    if isinstance(seen.on_outposts, Unread):
        yield "outpost", unread(seen.on_outposts)
    elif arn in seen.on_outposts:
        saw = "it is on an Outpost: another service delivers its logs, which is not supported"
        fix = "Take it out of LoadBalancerArns; if that is *, list the others there."
        yield "outpost", finding(saw, fix)
    logging = found.logging
    if not logging.enabled:
        yield "logging", _off(seen, arn)
        return
    yield "logging", ok(f"access logs go to s3://{logging.bucket}/{logging.prefix}")
    if also := seen.vended_to(arn):
        saw = f"CloudWatch Logs delivers its access logs, too: to {', '.join(also)}"
        yield "vended logs", ok(saw)
    bucket = seen.buckets.get(logging.bucket)
    if not isinstance(bucket, Bucket):
        fix = "Create it again, or set another bucket for the load balancer's access logs."
        yield "bucket", finding(f"bucket {logging.bucket} does not exist", fix)
        return
    if shut := locked(seen.denied).get(bucket.name):
        yield "bucket policy", finding(shut.why, shut.fix)
        saw = "the bucket cannot be checked while its policy denies you these reads"
        fix = "Follow the fix for the bucket policy first, and check again."
        yield "other checks", unknown(saw, fix)
        return
    logs = Logs(seen, found, bucket)
    yield from bucket_checks.checks(logs)
    yield from announcement_checks.checks(logs)


def _off(seen: Seen, arn: str) -> Check:
    """Judge a load balancer with access_logs.s3 off; CloudWatch Logs may deliver its logs."""
    again = "If a stack already has it, `dt-logs-cfn status` shows the command that runs the stack."
    fix = RUN_AGAIN if seen.stacks_of(arn) else f"{ONBOARD} {again}"
    saw = "access logs are off"
    if by := seen.vended_to(arn):
        saw = f"only CloudWatch Logs delivers its access logs, to {', '.join(by)}"
        fix += " Both deliveries can be on; Data Theorem reads only the logs of access_logs.s3."
    elif isinstance(seen.vended, Unread):
        saw = "access_logs.s3 is off; it is unknown whether CloudWatch Logs delivers access logs"
    return finding(saw, fix)


def _vended(seen: Seen) -> Check:
    """Count the checked load balancers whose access logs CloudWatch Logs delivers."""
    if isinstance(seen.vended, Unread):
        return unread(seen.vended)
    count = sum(bool(seen.vended_to(arn)) for arn in seen.load_balancers)
    those = "1 load balancer" if count == 1 else f"{count or 'no'} load balancers"
    return ok(f"CloudWatch Logs delivers access logs of {those} here")


def _stack(found: StackSeen, now: float, version: str, sha256: str) -> Iterator[Named]:
    """Yield the checks of a stack; `version` and `sha256` are as in `checks`.

    Yields only the status of a stack that cannot be updated, unless a created stack is changing.
    """
    stack = found.stack
    yield "stack status", _status(stack, found.failure)
    if before_update(stack.status, stack.name) and (
        not made(stack.status) or at_rest(stack.status)
    ):
        return
    yield "release", _release(stack, version, sha256)
    yield "withdrawn release", _withdrawn(found)
    planned = found.planned
    drift, marks = (
        (unread(planned), unread(planned))
        if isinstance(planned, Unread)
        else (_drift(planned, stack.name), _statements(planned))
    )
    yield "drift", drift
    if found.refreshes:
        yield "refreshes", schedule(found.refreshes, now)
    yield "marks", marks


def _status(stack: StackDescription, failure: str) -> Check:
    if stack.status in SETTLED:
        return ok(stack.status)
    first = before_update(stack.status, stack.name)
    if not at_rest(stack.status):
        return unknown(stack.status, first)
    why = failure or stack.reason
    fix = first or "The last change failed; correct what its events name, and deploy again."
    if failure:
        fix = f"Correct that. {first}" if first else "Correct that, and deploy again."
    return finding(f"{stack.status}: {why}" if why else stack.status, fix)


def _release(stack: StackDescription, version: str, sha256: str) -> Check:
    theirs, code = (stack.outputs.get(name) for name in ("TemplateVersion", "HandlerSha256"))
    if theirs is None or code is None:
        return unknown("the stack's outputs do not name its release", _UPDATE)
    if code == sha256:
        return ok(f"{theirs}, with the same code as this version")
    theirs = theirs[:_LONGEST]
    saw = f"{theirs} with the handler {code[:12]}; this source is {version} with {sha256[:12]}"
    if theirs == version:
        return finding(saw, f"See the differences with `verify --stack`. {_UPDATE}")
    if is_version(theirs) and numbers(theirs) > numbers(version):
        return unknown(saw, "Check with the newest dt-logs-cfn.")
    return finding(saw, _UPDATE)


def _withdrawn(stack: StackSeen) -> Check:
    if isinstance(stack.catalogue, Unread):
        return unread(stack.catalogue)
    version, catalogue = stack.catalogue
    found = catalogue.find(version)
    if found is None:
        return unknown(f"{VERSIONS} does not list {version}", ASK)
    if found.withdrawn is not None:
        saw = f"{version} was withdrawn: {found.withdrawn.reason}"
        return finding(saw, "Update the stack with a newer release.")
    newest = next(each for each in catalogue.entries if not each.withdrawn).version
    told = "and is the newest" if newest == version else f"and {newest} is newer"
    return ok(f"{version} is not withdrawn, {told}")


def _drift(found: Planned, stack: str) -> Check:
    """Judge whether a run now, with the stack's own parameters, would change anything."""
    if by_policy := [each for each in found.denied if each.by_policy]:
        return unread(by_policy[0].unread)
    if found.denied:
        rights = ", ".join(sorted({each.right for each in found.denied}))
        saw = f"not everything could be read: you lack {rights}"
        return unknown(saw, "Get that permission, and check again.")
    plan = found.plan
    if plan is None:
        first = found.conflicts[0]
        return finding(f"it could not run now: {first.what}", first.fix)
    if plan.changes:
        listed = changes(plan, found.state, found.request.stack)
        subjects = list(dict.fromkeys(each.subject for each in listed))
        more = f" and {len(subjects) - _MOST} more" if len(subjects) > _MOST else ""
        return finding(
            f"a run would change {', '.join(subjects[:_MOST])}{more}",
            f"See it with `dt-logs-cfn plan --stack {stack}`. {RUN_AGAIN}",
        )
    if plan.refused:
        arn, why = next(iter(plan.refused.items()))
        count = len(plan.refused)
        those = "1 load balancer is" if count == 1 else f"{count} load balancers are"
        return finding(f"{those} left out: {arn}: {why}", _CORRECT)
    if plan.warnings:
        others = len(plan.warnings) - 1
        return finding(plan.warnings[0] + (f" And {others} more." if others else ""), _CORRECT)
    return ok("everything is as the stack set it up")


def schedule(found: Refreshes | Unread, at: float) -> Check:
    """Check whether a stack's scheduled refreshes run and succeed."""
    if isinstance(found, Unread):
        return unread(found)
    late = datetime.fromtimestamp(at, timezone.utc) - (2 * found.every + timedelta(hours=2))
    last, since = found.last, found.since
    if last is None or last < late:
        saw = f"the last one was {_hour(last)}" if last else "none in the last two weeks"
        fix = (
            "If you have just changed the schedule, wait for the next refresh. Otherwise see the"
            f" rule {_RULE}."
        )
        return finding(saw, fix) if last else unknown(saw, fix)
    if since is None:
        fix = "The function's log says why: look for `refreshed` in its last lines."
        return finding(f"the last one, {_hour(last)}, failed", fix)
    return ok(f"in step since {_hour(since)}, refreshed last {_hour(last)}")


def _hour(time: datetime) -> str:
    """Return a time to the hour, because the metric is summed by the hour."""
    return f"{time:%Y-%m-%d %H}h UTC"


def _statements(found: Planned) -> Check:
    mine = found.state.registered(found.request.stack)
    if mine:
        buckets = sorted({each.location.bucket for each in mine})
        return ok(f"its statements are in {', '.join(buckets)}")
    for each in found.denied:
        if each.by_policy or each.operation == "GetBucketPolicy":
            return unread(each.unread)
    return finding("no bucket policy has this stack's read statement", RUN_AGAIN)


def _strays(seen: Seen, bucket: Bucket) -> Iterator[Check]:
    """Check for marks of deleted stacks, except marks that an existing stack takes over.

    An existing stack takes over the marks if it still uses resources that the deleted stack set up.
    When the last such stack is deleted, the handler removes the resources if their marks allow it.
    """
    marks, names = list(_marks(seen, bucket)), seen.stack_names
    denied = seen.denial(bucket.name, "GetBucketPolicy", "GetBucketTagging")
    if denied:
        yield unread(denied)
    if isinstance(names, Unread):
        if marks and not denied:
            yield unread(names)
        return
    strays: dict[str, str] = {}
    heirs: set[str] = set()
    for tag, mark, claims in marks:
        using = {names[each.stack] for each in claims if each.stack in names}
        if tag not in names and using:
            heirs |= using
        elif tag not in names:
            strays.setdefault(tag, mark)
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
        # Stacks do not take over each other's statements. While a statement exists, other stacks do
        # not remove the settings that it registers.
        granting = "" if not claim.inert(seen.here) else ", which does not grant anything,"
        yield claim.stack, f"statement {claim.sid}{granting}", []
    if bucket.maker:
        yield bucket.maker, "its tag", claims
    for each in seen.load_balancers.values():
        if each and each.logging.bucket == bucket.name and (mark := each.logging.location.mark):
            yield mark, f"the prefix of {each.name}", seen.claims(each)
