"""Check whether a stack is unchanged, of this release, and not withdrawn; pure."""

from collections.abc import Iterator

from dt_logs_cfn.errors import PublishError
from dt_logs_cfn.operate.account import Unread
from dt_logs_cfn.operate.plans.diff import changes
from dt_logs_cfn.operate.plans.planned import Planned
from dt_logs_cfn.operate.stacks.states import SETTLED, at_rest, before_update, made
from dt_logs_cfn.operate.status.bucket_checks import RUN_AGAIN
from dt_logs_cfn.operate.status.seen import Check, Seen, StackSeen, denied_check, unread_check
from dt_logs_cfn.release.catalogue import VERSIONS, Catalogue
from dt_logs_cfn.versions import is_version, numbers

_UPDATE = "Update the stack with the template of this release."
_ASK = "Ask Data Theorem whether this release may still be used."
_LONGEST = 40  # characters shown of an invalid version
_MOST = 3  # subjects that a line names


def checks(seen: Seen, stack: StackSeen, version: str, sha256: str) -> Iterator[Check]:
    """Yield the checks of a stack; `version` and `sha256` are those of this release.

    A stack that cannot be updated gets no check whose fix would be an update.
    """
    yield _status(stack)
    status = stack.stack.status
    if not before_update(status, stack.stack.name) or (made(status) and not at_rest(status)):
        yield _release(stack, version, sha256)
        yield _withdrawn(stack)
        yield _drift(stack)
        yield _marks(seen, stack)


def _status(stack: StackSeen) -> Check:
    name, saw = "stack status", stack.stack.status
    if saw in SETTLED:
        return Check(name, stack.subject, saw, "ok")
    first = before_update(saw, stack.stack.name)
    if not at_rest(saw):
        return Check(name, stack.subject, saw, "unknown", first)
    why = f"{saw}: {stack.stack.reason}" if stack.stack.reason else saw
    fix = first or "The last change failed; correct what its events name, and deploy again."
    return Check(name, stack.subject, why, "finding", fix)


def _release(stack: StackSeen, version: str, sha256: str) -> Check:
    name = "release"
    theirs, code = (
        stack.stack.outputs.get("TemplateVersion"),
        stack.stack.outputs.get("HandlerSha256"),
    )
    if theirs is None or code is None:
        saw = "the stack's outputs do not name its release"
        return Check(name, stack.subject, saw, "unknown", _UPDATE)
    if code == sha256:
        return Check(name, stack.subject, f"{theirs}, the handler of this source", "ok")
    theirs = theirs[:_LONGEST]
    saw = f"{theirs} with the handler {code[:12]}; this source is {version} with {sha256[:12]}"
    if theirs == version:
        fix = "See what it is with `verify`, or update the stack with the template of this release."
        return Check(name, stack.subject, saw, "finding", fix)
    if is_version(theirs) and numbers(theirs) > numbers(version):
        return Check(name, stack.subject, saw, "unknown", "Look with the newest dt-logs-cfn.")
    return Check(name, stack.subject, saw, "finding", _UPDATE)


def _withdrawn(stack: StackSeen) -> Check:
    name = "withdrawn release"
    for each in (stack.origin, stack.versions):
        if isinstance(each, Unread):
            return unread_check(name, stack.subject, each)
    assert not isinstance(stack.origin, Unread) and not isinstance(stack.versions, Unread)
    version = stack.origin.version
    try:
        catalogue = Catalogue.parse(stack.versions, lenient=True)
    except PublishError as error:
        return Check(name, stack.subject, error.what, "unknown", _ASK)
    found = catalogue.find(version)
    if found is None:
        saw = f"{VERSIONS} does not list {version}"
        return Check(name, stack.subject, saw, "unknown", _ASK)
    if found.withdrawn is None:
        newest = next(each for each in catalogue.entries if not each.withdrawn).version
        told = "and is the newest" if newest == version else f"and {newest} is newer"
        return Check(name, stack.subject, f"{version} is not withdrawn, {told}", "ok")
    saw = f"{version} was withdrawn: {found.withdrawn.reason}"
    return Check(name, stack.subject, saw, "finding", "Update the stack with a newer release.")


def _drift(stack: StackSeen) -> Check:
    """Check whether the stack's own parameters would change anything if it ran now."""
    name, found = "drift", stack.planned
    if isinstance(found, Unread):
        return unread_check(name, stack.subject, found)
    if found.denied:
        rights = ", ".join(sorted({each.right for each in found.denied}))
        return Check(
            name,
            stack.subject,
            f"not everything could be read: you lack {rights}",
            "unknown",
            "Get that permission, and check again.",
        )
    if found.plan is None:
        first = found.conflicts[0]
        return Check(
            name, stack.subject, f"it could not run now: {first.what}", "finding", first.fix
        )
    if found.plan.changes:
        return Check(
            name,
            stack.subject,
            _changes(found),
            "finding",
            f"See it with `dt-logs-cfn plan --stack {stack.stack.name}`. {RUN_AGAIN}",
        )
    if found.plan.refused:
        arn, why = next(iter(found.plan.refused.items()))
        count = len(found.plan.refused)
        those = "1 load balancer is" if count == 1 else f"{count} load balancers are"
        saw = f"{those} left out: {arn}: {why}"
        return Check(name, stack.subject, saw, "finding", "Correct that, and run the stack again.")
    if found.plan.warnings:
        more = len(found.plan.warnings) - 1
        saw = found.plan.warnings[0] + (f" And {more} more." if more else "")
        return Check(name, stack.subject, saw, "finding", "Correct that, and run the stack again.")
    return Check(name, stack.subject, "everything is as the stack set it up", "ok")


def _changes(found: Planned) -> str:
    if found.plan is None:
        return ""
    changed = changes(found.plan, found.state, found.request.stack)
    subjects = list(dict.fromkeys(each.subject for each in changed))
    more = f" and {len(subjects) - _MOST} more" if len(subjects) > _MOST else ""
    return f"a run would change {', '.join(subjects[:_MOST])}{more}"


def _marks(seen: Seen, stack: StackSeen) -> Check:
    name, found = "marks", stack.planned
    if isinstance(found, Unread):
        return unread_check(name, stack.subject, found)
    mine = found.state.registered(stack.marks)
    if mine:
        buckets = sorted({each.location.bucket for each in mine})
        return Check(name, stack.subject, f"its statements are in {', '.join(buckets)}", "ok")
    if unread := [each for each in found.denied if each.operation == "GetBucketPolicy"]:
        return denied_check(name, stack.subject, unread[0])
    saw = "no bucket policy has a statement of this stack"
    return Check(name, stack.subject, saw, "finding", RUN_AGAIN)
