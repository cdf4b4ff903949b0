"""Check whether a stack is unchanged, of this release, and not withdrawn; pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.plans.diff import changes
from dt_logs_cfn.operate.plans.planned import Planned
from dt_logs_cfn.operate.stacks.stack import SETTLED, StackDescription, at_rest, before_update, made
from dt_logs_cfn.operate.status.metrics import interval
from dt_logs_cfn.operate.status.seen import (
    RUN_AGAIN,
    Check,
    StackSeen,
    finding,
    ok,
    unknown,
    unread,
)
from dt_logs_cfn.release.catalogue import VERSIONS, Catalogue, is_version, numbers

_UPDATE = "Update the stack with the template of this release."
_ASK = "Ask Data Theorem whether this release may still be used."
_CORRECT = "Correct that, and run the stack again."
_RULE = "DTLogsAnalysisRefreshRule"
_LONGEST = 40  # the most characters of an invalid version to show
_MOST = 3  # the most subjects that a line names


def checks(found: StackSeen, now: float, version: str, sha256: str) -> Iterator[Check]:
    """Yield the checks of a stack; `version` and `sha256` are those of this release.

    A stack that cannot be updated gets no check with an update as its fix.
    """
    stack = found.stack
    yield _status(stack).of("stack status", found.subject)
    if before_update(stack.status, stack.name) and (
        not made(stack.status) or at_rest(stack.status)
    ):
        return
    yield _release(stack, version, sha256).of("release", found.subject)
    yield _withdrawn(found).of("withdrawn release", found.subject)
    planned = found.planned
    drift, marks = (
        (unread(planned), unread(planned))
        if isinstance(planned, Unread)
        else (_drift(planned, stack.name), _marks(planned))
    )
    yield drift.of("drift", found.subject)
    yield from schedule(found, now)
    yield marks.of("marks", found.subject)


def _status(stack: StackDescription) -> Check:
    if stack.status in SETTLED:
        return ok(stack.status)
    first = before_update(stack.status, stack.name)
    if not at_rest(stack.status):
        return unknown(stack.status, first)
    why = f"{stack.status}: {stack.reason}" if stack.reason else stack.status
    fix = "The last change failed; correct what its events name, and deploy again."
    return finding(why, first or fix)


def _release(stack: StackDescription, version: str, sha256: str) -> Check:
    theirs, code = (stack.outputs.get(name) for name in ("TemplateVersion", "HandlerSha256"))
    if theirs is None or code is None:
        return unknown("the stack's outputs do not name its release", _UPDATE)
    if code == sha256:
        return ok(f"{theirs}, with the same code as this version")
    theirs = theirs[:_LONGEST]
    saw = f"{theirs} with the handler {code[:12]}; this source is {version} with {sha256[:12]}"
    if theirs == version:
        return finding(saw, f"See what it is with `verify`, or: {_UPDATE}")
    if is_version(theirs) and numbers(theirs) > numbers(version):
        return unknown(saw, "Check with the newest dt-logs-cfn.")
    return finding(saw, _UPDATE)


def _withdrawn(stack: StackSeen) -> Check:
    for each in (stack.origin, stack.versions):
        if isinstance(each, Unread):
            return unread(each)
    assert not isinstance(stack.origin, Unread) and not isinstance(stack.versions, Unread)
    version = stack.origin.version
    try:
        catalogue = Catalogue.parse(stack.versions, lenient=True)
    except PublishError as error:
        return unknown(error.what, _ASK)
    found = catalogue.find(version)
    if found is None:
        return unknown(f"{VERSIONS} does not list {version}", _ASK)
    if found.withdrawn is not None:
        saw = f"{version} was withdrawn: {found.withdrawn.reason}"
        return finding(saw, "Update the stack with a newer release.")
    newest = next(each for each in catalogue.entries if not each.withdrawn).version
    told = "and is the newest" if newest == version else f"and {newest} is newer"
    return ok(f"{version} is not withdrawn, {told}")


def _drift(found: Planned, stack: str) -> Check:
    """Judge whether a run now, with the stack's own parameters, would change anything."""
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


def schedule(stack: StackSeen, at: float) -> Iterator[Check]:
    """Check whether the stack's schedule, if it has one, keeps it in step."""
    found, every = stack.refreshes, interval(stack.stack)
    if found is None or every is None:
        return
    if isinstance(found, Unread):
        yield unread(found).of("refreshes", stack.subject)
        return
    late = datetime.fromtimestamp(at, timezone.utc) - (2 * every + timedelta(hours=2))
    last, since = found.last, found.since
    if last is None or last < late:
        saw = f"the last one was {_hour(last)}" if last else "none in the last two weeks"
        fix = f"After a change of the schedule, wait for one. Otherwise see the rule {_RULE}."
        judged = finding(saw, fix) if last else unknown(saw, fix)
    elif since is None:
        fix = "The function's log says why: look for `refreshed` in its last lines."
        judged = finding(f"the last one, {_hour(last)}, failed", fix)
    else:
        judged = ok(f"in step since {_hour(since)}, refreshed last {_hour(last)}")
    yield judged.of("refreshes", stack.subject)


def _hour(time: datetime) -> str:
    """Return a time to the hour, because the metric is summed by the hour."""
    return f"{time:%Y-%m-%d %H}h UTC"


def _marks(found: Planned) -> Check:
    mine = found.state.registered(found.request.stack)
    if mine:
        buckets = sorted({each.location.bucket for each in mine})
        return ok(f"its statements are in {', '.join(buckets)}")
    if policies := [each for each in found.denied if each.operation == "GetBucketPolicy"]:
        return unread(policies[0].unread)
    return finding("no bucket policy has a statement of this stack", RUN_AGAIN)
